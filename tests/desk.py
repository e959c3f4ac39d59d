"""A desk without vendors: what one function of a slice needs, and no sync around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from core.tenancy import in_account
from integration.models import SyncRule, SyncRun
from integration.planning.rule import Rule
from integration.slice.desk import Desk, open_desk
from integration.slice.in_flight import InFlight
from integration.slice.lease import Lease, claim_lease
from integration.slice.rows import Row
from tests.core import rows


@contextmanager
def at_desk(
    rule: SyncRule, stopping: Callable[[], bool] = lambda: False, **run: Any
) -> Iterator[Desk]:
    """The desk of a new run of the rule, in its account's scope. Nobody is called."""
    vendors: Any = SimpleNamespace(calls=0, rate_limited=0)
    with in_account(rule.account):
        lease = claim_lease(rule.hubspot)
        assert lease, "nobody else is at work"
        yield open_desk(rows.run(rule, **run), lease, vendors, vendors, InFlight(stopping=stopping))


BARE_RULE = 1


def bare_desk(kind: str = "incremental", whole: bool = False, companies: bool = False) -> Desk:
    """The desk of a rule that no database knows."""
    nobody: Any = None
    return Desk(
        rule=SyncRule(pk=BARE_RULE),
        run=SyncRun(pk=1, kind=kind, whole=whole),
        plan_rule=Rule(()),
        source=nobody,
        target=nobody,
        lease=Lease(0, ""),
        in_flight=InFlight(),
        scopes={},
        keys=(),
        private=frozenset(),
        fields=frozenset(),
        watched=(),
        senders=(),
        companies=companies,
    )


def bare_row(id: int, **columns: Any) -> Row:
    """A record as a batch carries it, with nothing in it but what is told."""
    return Row(**{**dict.fromkeys(Row._fields), "id": id, **columns})
