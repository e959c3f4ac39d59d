"""What a run is to be, when the rule looks again after it, and whether anything came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.tenancy import in_account
from integration.models import SyncRule, SyncRun
from integration.runs import choose_kind, is_eventless, set_pace
from tests.core import rows

THEN = datetime(2026, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 2, 9, 30, tzinfo=UTC)

# What a run is to be

NEW: dict[str, Any] = {"cursor": None, "full_at": None}
HALF: dict[str, Any] = {"cursor": THEN, "full_at": None}
RESET: dict[str, Any] = {"cursor": None, "full_at": THEN}
KNOWN: dict[str, Any] = {"cursor": THEN, "full_at": THEN}

# The rule, how it is asked for -> kind
KINDS: dict[str, tuple[dict[str, Any], dict[str, bool], str]] = {
    "never read": (NEW, {}, "initial"),
    "read, and never to the end": (HALF, {}, "initial"),
    "to be read anew": (RESET, {}, "initial"),
    "read to the end": (KNOWN, {}, "incremental"),
    "never read, asked for all": (NEW, {"full": True}, "initial"),
    "never to the end, asked for all": (HALF, {"full": True}, "initial"),
    "asked for all": (KNOWN, {"full": True}, "full"),
    "to be checked again": ({**KNOWN, "recheck": True}, {}, "full"),
    "to be checked again, asked for all": ({**KNOWN, "recheck": True}, {"full": True}, "full"),
    "never read, to be checked again": ({**NEW, "recheck": True}, {}, "initial"),
    "a preview": (KNOWN, {"preview": True}, "preview"),
    "a preview before the first run": (NEW, {"preview": True}, "preview"),
    "a preview of all": (KNOWN, {"preview": True, "full": True}, "preview"),
    "a preview, to be checked again": ({**KNOWN, "recheck": True}, {"preview": True}, "preview"),
}


@pytest.mark.parametrize(("rule", "asked", "kind"), KINDS.values(), ids=KINDS)
def test_what_a_run_is_to_be(rule: dict[str, Any], asked: dict[str, bool], kind: str) -> None:
    assert choose_kind(SyncRule(**rule), **asked) == kind


# When the rule looks again


@pytest.fixture
def still(time_machine: Any) -> None:
    """The clock stands."""
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def make_rule(db: None) -> Callable[..., SyncRule]:
    """A rule that looks at most once in 100 seconds, and at a Sansan connection that nobody counts
    the calls of.
    """

    def make(sansan: dict[str, Any] | None = None, **rule: Any) -> SyncRule:
        account = rows.account()
        rows.connection(account, "sansan", **({"rate_calls": 0} if sansan is None else sansan))
        return rows.rule(account, **{"state": "active", "interval": 100, "pace": 20.0, **rule})

    return make


def look_again(rule: SyncRule, **run: Any) -> float:
    """Seconds until the next look, after a run that counted so much."""
    one = rows.run(rule, **run)
    with in_account(rule.account):
        set_pace(one)
        stored = SyncRule.objects.get(pk=rule.pk)
    assert stored.due_at == NOW + timedelta(seconds=stored.pace or 0)
    return stored.pace or 0


SOON, LATER = 5.0, 30.0  # from 20 seconds
# What the run has counted -> seconds until the next look
COUNTS: dict[str, tuple[dict[str, int], float]] = {
    "nothing was read": ({}, LATER),
    "all is as it was": ({"read": 7, "unchanged": 7}, LATER),
    "read, and nothing settled": ({"read": 7}, LATER),
    "only calls": ({"calls_sansan": 9, "calls_hubspot": 9, "rate_limited": 1}, LATER),
    "an echo": ({"echoes": 1}, SOON),
    "created": ({"read": 1, "created": 1}, SOON),
    "updated": ({"read": 1, "updated": 1}, SOON),
    "linked": ({"read": 1, "linked": 1}, SOON),
    "merged": ({"read": 1, "merged": 1}, SOON),
    "excluded": ({"read": 1, "excluded": 1}, SOON),
    "held": ({"read": 1, "held": 1}, SOON),
    "failed": ({"read": 1, "failed": 1}, SOON),
    "one among many that are as they were": ({"read": 99, "unchanged": 98, "updated": 1}, SOON),
    "a reading of an earlier run is settled": ({"updated": 1}, SOON),
}


@pytest.mark.parametrize(("counted", "seconds"), COUNTS.values(), ids=COUNTS)
def test_soon_while_things_change(
    still: None, make_rule: Callable[..., SyncRule], counted: dict[str, int], seconds: float
) -> None:
    assert look_again(make_rule(), **counted) == seconds


# The pace, the interval -> seconds until the next look, while nothing changes
PACES: dict[str, tuple[float | None, int, float]] = {
    "never looked": (None, 100, 5.0),
    "a little later": (5.0, 100, 7.5),
    "never beyond the interval": (80.0, 100, 100.0),
    "at the interval": (100.0, 100, 100.0),
    "the interval was shortened": (100.0, 30, 30.0),
    "an interval under the shortest pace": (None, 3, 3.0),
}


@pytest.mark.parametrize(("pace", "interval", "seconds"), PACES.values(), ids=PACES)
def test_later_and_later_while_they_are_quiet(
    still: None,
    make_rule: Callable[..., SyncRule],
    pace: float | None,
    interval: int,
    seconds: float,
) -> None:
    assert look_again(make_rule(pace=pace, interval=interval)) == seconds


SIX_A_MINUTE = {"rate_calls": 6, "rate_seconds": 60.0}
# The connection -> seconds until the next look after a change: a quarter of the calls may look
ALLOWANCES: dict[str, tuple[dict[str, Any], float]] = {
    "nobody counts": ({"rate_calls": 0}, 5.0),
    "nobody counts, whatever was learnt": ({"rate_calls": 0, "learnt_calls": 1}, 5.0),
    "the vendor's own": ({}, 5.0),
    "six a minute": (SIX_A_MINUTE, 40.0),
    "six in ten seconds": ({"rate_calls": 6, "rate_seconds": 10.0}, 40.0 / 6),
    "one in ten minutes": ({"rate_calls": 1, "rate_seconds": 600.0}, 2400.0),
    "six a minute, learnt": ({"learnt_calls": 6, "learnt_seconds": 60.0}, 40.0),
}


@pytest.mark.parametrize(("sansan", "seconds"), ALLOWANCES.values(), ids=ALLOWANCES)
def test_never_more_often_than_the_rate_limit_allows(
    still: None, make_rule: Callable[..., SyncRule], sansan: dict[str, Any], seconds: float
) -> None:
    assert look_again(make_rule(sansan), echoes=1) == pytest.approx(seconds)


# The rule and others of the Sansan connection, by their states -> seconds until the next look
SHARERS: dict[str, tuple[str, tuple[str, ...], float]] = {
    "alone": ("active", (), 40.0),
    "with one more": ("active", ("active",), 80.0),
    "with two more": ("active", ("active", "active"), 120.0),
    "with a paused one": ("active", ("paused",), 40.0),
    "with a held one": ("active", ("held",), 40.0),
    "with a draft": ("active", ("draft",), 40.0),
    "nobody is active": ("paused", (), 40.0),
    "paused, with an active one": ("paused", ("active",), 40.0),
}


@pytest.mark.parametrize(("state", "others", "seconds"), SHARERS.values(), ids=SHARERS)
def test_active_rules_share_what_the_rate_limit_allows(
    still: None,
    make_rule: Callable[..., SyncRule],
    state: str,
    others: tuple[str, ...],
    seconds: float,
) -> None:
    rule = make_rule(SIX_A_MINUTE, state=state)
    for number, other in enumerate(others):
        rows.rule(rule.account, f"other-{number}", state=other)
    assert look_again(rule, echoes=1) == seconds


def test_a_rule_of_another_connection_takes_nothing(
    still: None, make_rule: Callable[..., SyncRule]
) -> None:
    rule = make_rule(SIX_A_MINUTE)
    other = rows.rule(rule.account, "other", state="active")
    other.sansan = rows.connection(rule.account, "sansan", slug="another")
    with in_account(rule.account):
        other.save()
    assert look_again(rule, echoes=1) == 40.0


def test_the_pace_of_another_rule_stays(still: None, make_rule: Callable[..., SyncRule]) -> None:
    rule = make_rule()
    other = rows.rule(rule.account, "other", pace=77.0)
    look_again(rule)
    other.refresh_from_db()
    assert (other.pace, other.due_at) == (77.0, None)


# Whether anything came of it

# The run -> whether nobody asked for it and nothing came of it
RUNS: dict[str, tuple[dict[str, Any], bool]] = {
    "a quiet check": ({}, True),
    "a quiet check after a webhook": ({"trigger": "webhook"}, True),
    "asked for by a person": ({"trigger": "person"}, False),
    "asked for by a command": ({"trigger": "command"}, False),
    "a first run": ({"kind": "initial"}, False),
    "a full check": ({"kind": "full"}, False),
    "a preview": ({"kind": "preview"}, False),
    "cards that are as they were": ({"read": 3, "unchanged": 2, "excluded": 1}, True),
    "calls": ({"calls_sansan": 1, "calls_hubspot": 1}, True),
    "a failure": ({"read": 1, "failed": 1}, False),
    "an echo": ({"echoes": 1}, False),
    "a failure after a webhook": ({"trigger": "webhook", "failed": 1}, False),
}


def comes_to_nothing(run: SyncRun) -> bool:
    with in_account(run.account):
        return is_eventless(run)


@pytest.mark.parametrize(("values", "eventless"), RUNS.values(), ids=RUNS)
def test_whether_nothing_came_of_a_run(
    make_rule: Callable[..., SyncRule], values: dict[str, Any], eventless: bool
) -> None:
    assert comes_to_nothing(rows.run(make_rule(), **values)) is eventless


def test_something_came_of_a_run_that_has_an_entry(make_rule: Callable[..., SyncRule]) -> None:
    run = rows.run(make_rule())
    rows.entry(run)
    assert not comes_to_nothing(run)


def test_an_entry_of_another_run_is_not_this_ones(make_rule: Callable[..., SyncRule]) -> None:
    rule = make_rule()
    rows.entry(rows.run(rule, state="succeeded"))
    assert comes_to_nothing(rows.run(rule))


# Taken up by this run, due -> whether nothing came of it
LEFT_BEHIND = {
    "taken up, and left": (True, True, False),
    "taken up, and settled": (True, False, True),
    "due, and not taken up": (False, True, True),
}


@pytest.mark.parametrize(("taken", "due", "eventless"), LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_something_came_of_a_run_that_leaves_a_card_behind(
    make_rule: Callable[..., SyncRule], taken: bool, due: bool, eventless: bool
) -> None:
    rule = make_rule()
    run = rows.run(rule)
    rows.record(rule, "C1", run_id=run.pk if taken else None, due_at=NOW if due else None)
    assert comes_to_nothing(run) is eventless
