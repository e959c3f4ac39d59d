"""What one slice has on its desk: the rule as plain values, both connectors, the lease, and what is
in flight.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils import timezone

from integration.connectors.base import CardSource, ContactTarget
from integration.models import SyncRule, SyncRun, Tag
from integration.planning.rule import Rule
from integration.rules.as_plan import (
    Scope,
    as_plan_rule,
    list_rules_beside,
    list_watched_properties,
    make_scopes_among,
    name_tags,
)
from integration.slice.lease import Lease
from integration.slice.rows import Row

# An optimistic create is cheaper while fewer than half of the new people exist already.
EXPECTED_KNOWN_SHARE = 0.5


@dataclass
class Desk:
    """Lives as long as a slice. Everything that must outlive it is in the database."""

    rule: SyncRule
    run: SyncRun
    plan_rule: Rule
    source: CardSource
    target: ContactTarget
    lease: Lease
    scopes: dict[
        int, Scope
        # This rule and those that write to the same HubSpot connection: their cards may be the same
        # people.
    ]
    keys: tuple[int, ...]  # the Sansan connections of these rules, its own first
    private: frozenset[str]
    fields: frozenset[str]
    # Properties that any rule of the HubSpot connection reads or writes.
    watched: tuple[str, ...] = ()
    # The rules of the HubSpot connection that make cards of contacts.
    senders: tuple[SyncRule, ...] = ()
    companies: bool = False  # whether any rule of the HubSpot connection sees to companies
    deadline: float = float("inf")  # by time.monotonic
    stopping: Callable[[], bool] = lambda: False
    known_share: float | None = None
    in_flight: set[int] = field(default_factory=set)  # record ids
    # In flight and changed by a newer reading meanwhile.
    touched: set[int] = field(default_factory=set)
    # Tags of the cards read so far, which are stored by now.
    known_tags: set[str] = field(default_factory=set)
    # Open entry -> its decision, while its write is under way.
    sending: dict[int, str] = field(default_factory=dict)
    deaf: bool = False  # HubSpot refuses to read what is in the inbox: it is left to the next run
    unsettled: bool = False  # a write went unanswered: read back before anything else
    calls_seen: tuple[int, int, int] = (0, 0, 0)

    @property
    def spent(self) -> bool:
        return time.monotonic() > self.deadline or self.stopping()

    @property
    def optimistic(self) -> bool:
        """Create first and let HubSpot name the contacts that exist, instead of asking before.

        Also while nothing is known: in an empty portal that spares a call, elsewhere it costs one,
        for one batch.
        """
        if self.run.is_preview or not self.plan_rule.link_property:
            return False
        return self.known_share is None or self.known_share < EXPECTED_KNOWN_SHARE

    @property
    def probing(self) -> bool:
        """It is not known yet how many of the new people the portal has: one batch goes ahead to
        find out.
        """
        return self.known_share is None and not self.run.is_preview and self.plan_rule.link_property

    def counts(self, row: Row) -> bool:
        """Whether this run counts the reading of a record.

        Records of other rules come along, for their people's sake.
        """
        return row.rule_id == self.rule.pk and (
            row.due_at is not None or (self.run.is_preview and self.run.whole)
        )

    def met(self, known: int, asked: int) -> None:
        """Learns from a batch how many of the new people existed."""
        if asked:
            share = known / asked
            self.known_share = share if self.known_share is None else (self.known_share + share) / 2

    def now(self) -> datetime:
        return timezone.now()


def open_desk(run: SyncRun, lease: Lease, source: CardSource, target: ContactTarget) -> Desk:
    rule = run.rule
    rules, mine = list_rules_beside(rule), as_plan_rule(rule, {}, run.is_preview)
    scopes, keys = (
        make_scopes_among(rules, mine, run.is_preview),
        tuple(dict.fromkeys(one.sansan_id for one in rules)),
    )
    plan_rule = replace(mine, tag_names=name_tags(keys))
    private = Tag.objects.filter(connection_id=rule.sansan_id, type=Tag.Type.PRIVATE).values_list(
        "external_id", flat=True
    )
    return Desk(
        rule=rule,
        run=run,
        plan_rule=plan_rule,
        source=source,
        target=target,
        lease=lease,
        scopes=scopes,
        keys=keys,
        private=frozenset(private),
        fields=scopes[rule.pk].fields,
        watched=list_watched_properties(rule, plan_rule),
        senders=tuple(one for one in sorted(rules, key=lambda one: one.pk) if one.sends),
        companies=any(one.companies != SyncRule.Companies.NONE for one in rules),
        known_share=rule.known_share,
    )


class RunHeld(Exception):
    """The run must not go on until a person has looked."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail
