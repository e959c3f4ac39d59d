"""What a slice was given: the rule as plain values, both connectors, the lease.

Nothing of it changes while the slice works; what does, is in flight (``in_flight.py``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

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
from integration.rules.twins import find_rivals
from integration.slice.in_flight import InFlight
from integration.slice.lease import Lease
from integration.slice.rows import Row

# An optimistic create is cheaper while fewer than half of the new people exist already.
EXPECTED_KNOWN_SHARE = 0.5


class RunHeld(Exception):
    """The run must not go on until a person has looked."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Desk:
    """Lives as long as a slice. Everything that must outlive it is in the database."""

    rule: SyncRule
    run: SyncRun
    plan_rule: Rule
    source: CardSource
    target: ContactTarget
    lease: Lease
    in_flight: InFlight
    # This rule and those that write to the same HubSpot connection: their cards may be the same
    # people.
    scopes: dict[int, Scope]
    # The Sansan connections of these rules, its own first.
    keys: tuple[int, ...]
    # Tags that belong to one Sansan user, and are never written.
    private: frozenset[str]
    # The fields that the rule keeps of a card.
    fields: frozenset[str]
    # Properties that any rule of the HubSpot connection reads or writes.
    watched: tuple[str, ...]
    # The rules of the HubSpot connection that make cards of contacts.
    senders: tuple[SyncRule, ...]
    # Whether any rule of the HubSpot connection sees to companies.
    companies: bool

    def transaction(self) -> AbstractContextManager[None]:
        """A transaction that begins by renewing the lease: every write of a slice is in one.

        Raises LeaseLost where another slice has taken over.
        """
        return self.lease.transaction()

    @cached_property
    def rivals(self) -> list[int]:
        """The connections of other accounts to the same HubSpot account."""
        return find_rivals(self.rule.hubspot)

    @property
    def spent(self) -> bool:
        return self.in_flight.spent

    @property
    def optimistic(self) -> bool:
        """Create first and let HubSpot name the contacts that exist, instead of asking before.

        Also while nothing is known: in an empty portal that spares a call, elsewhere it costs one,
        for one batch.
        """
        if self.run.is_preview or not self.plan_rule.link_property:
            return False
        share = self.in_flight.known_share
        return share is None or share < EXPECTED_KNOWN_SHARE

    @property
    def probing(self) -> bool:
        """Whether one batch goes ahead to find out how many of the new people the portal has."""
        unknown = self.in_flight.known_share is None
        return unknown and not self.run.is_preview and self.plan_rule.link_property

    def counts(self, row: Row) -> bool:
        """Whether this run counts the reading of a record.

        Records of other rules come along, for their people's sake.
        """
        looked_at = row.due_at is not None or (self.run.is_preview and self.run.whole)
        return row.rule_id == self.rule.pk and looked_at

    def now(self) -> datetime:
        return timezone.now()


def open_desk(
    run: SyncRun, lease: Lease, source: CardSource, target: ContactTarget, in_flight: InFlight
) -> Desk:
    """The desk of one slice. ``run`` comes with its rule and both connections."""
    rule = run.rule
    rules = list_rules_beside(rule)
    own = as_plan_rule(rule, {}, run.is_preview)
    scopes = make_scopes_among(rules, own, run.is_preview)
    keys = tuple(dict.fromkeys(each.sansan_id for each in rules))
    plan_rule = replace(own, tag_names=name_tags(keys))
    private = Tag.objects.filter(connection_id=rule.sansan_id, type=Tag.Type.PRIVATE)
    senders = [each for each in sorted(rules, key=lambda each: each.pk) if each.sends]
    return Desk(
        rule=rule,
        run=run,
        plan_rule=plan_rule,
        source=source,
        target=target,
        lease=lease,
        in_flight=in_flight,
        scopes=scopes,
        keys=keys,
        private=frozenset(private.values_list("external_id", flat=True)),
        fields=scopes[rule.pk].fields,
        watched=list_watched_properties(rule, plan_rule),
        senders=tuple(senders),
        companies=any(each.companies != SyncRule.Companies.NONE for each in rules),
    )
