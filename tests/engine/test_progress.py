"""A run that gets on is not given up, though no counter of records moves; one that stands still
is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.intake.inbox import HeardChange, put_changes
from integration.models import ContactChange, Link, Record, Side, SyncRule, SyncRun
from integration.runs import MOST_IDLE_SLICES, start_run, work_slice
from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}


def strangers(sandbox: Any, count: int) -> list[str]:
    """Contacts of the portal that have no card."""
    people = ({"email": f"stranger{n}@delta.example.jp"} for n in range(count))
    return [
        id
        for one in people
        for id in sandbox.hubspot.control("create", {"token": TOKEN, "properties": one})
    ]


def in_short_slices(rule: SyncRule, sandbox: Sandbox, **how: bool) -> SyncRun:
    """A run whose slices have time for hardly more than one vendor call."""

    def at_the_next_call() -> Callable[[], bool]:
        before = sandbox.calls
        return lambda: sandbox.calls != before

    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.COMMAND, "test", **how)
        for _ in range(100):
            if work_slice(run.pk, 60.0, at_the_next_call()).done:
                break
        else:
            raise AssertionError("the run does not end")
        return SyncRun.objects.get(pk=run.pk)


def get(rule: SyncRule) -> SyncRule:
    return SyncRule.objects.select_related("hubspot").get(pk=rule.pk)


def test_a_walk_through_a_large_portal(sandbox_of):
    sandbox = sandbox_of(5, **PLAIN)
    strangers(sandbox, 900)
    rule = configured(
        file(direction="both", filters={"contacts": [{"field": "firstname", "op": "not_blank"}]})
    )
    run = in_short_slices(rule, sandbox)
    assert (run.state, run.attempts > 9) == ("succeeded", True)
    with in_account(rule.account):
        assert Record.objects.filter(side=Side.CONTACT, bucket="excluded").count() == 900


def test_companies_of_many_people(sandbox_of, time_machine_later):
    sandbox = sandbox_of(900, **PLAIN)
    rule = configured(file(companies="make"))
    sync(rule)
    time_machine_later(minutes=2)
    run = in_short_slices(rule, sandbox)
    assert run.state == "succeeded"
    with in_account(rule.account):
        assert (
            not Link.objects.exclude(company_due_at=None).exists()
            and Link.objects.exclude(company_id="").count() > 800
        )


def test_many_changes_of_contacts_without_a_card(sandbox_of):
    sandbox = sandbox_of(5, **PLAIN)
    rule = configured(file())
    sync(rule)
    strangers(sandbox, 1900)
    run = in_short_slices(rule, sandbox)
    assert run.state == "succeeded"
    with in_account(rule.account):
        assert "walk" not in get(rule).hubspot.behind


def test_much_in_the_inbox(sandbox_of):
    sandbox = sandbox_of(5, **PLAIN)
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        put_changes(
            rule.hubspot,
            [HeardChange(id, timezone.now()) for id in strangers(sandbox, 900)],
            timezone.now(),
        )
    run = in_short_slices(rule, sandbox)
    assert run.state == "succeeded"
    with in_account(rule.account):
        assert not ContactChange.objects.exists()


def test_a_large_recycle_bin(sandbox_of, time_machine_later):
    sandbox = sandbox_of(5, **PLAIN)
    rule = configured(file())
    sync(rule)
    for id in strangers(sandbox, 900):
        sandbox.hubspot.control("delete", {"token": TOKEN, "id": id})
    time_machine_later(minutes=6)
    run = in_short_slices(rule, sandbox)
    assert run.state == "succeeded"
    with in_account(rule.account):
        assert get(rule).hubspot.gone_after == ""


def test_a_preview_of_many_cards_that_were_read_before(sandbox_of):
    sandbox = sandbox_of(2000, **PLAIN)
    rule = configured(file())
    sync(rule)
    run = in_short_slices(rule, sandbox, full=True, preview=True)
    assert (run.state, run.read) == ("succeeded", 2000)


def test_a_vendor_that_stays_away_ends_the_run_whatever_else_goes_on(
    sandbox_of, time_machine_later
):
    sandbox = sandbox_of(5, **PLAIN)
    rule = configured(file())
    sync(rule)
    sandbox.faults.arm("sansan", "status", match="bizCards", times=0, status=503)
    with in_account(rule.account):
        run, ended = start_run(rule, SyncRun.Trigger.COMMAND, "test"), []
        for _ in range(MOST_IDLE_SLICES):
            # Each slice hears of a contact, and asks for changes: neither brings the run any nearer
            # to its end.
            put_changes(rule.hubspot, [HeardChange("901", timezone.now())], timezone.now())
            time_machine_later(seconds=40)
            ended.append(work_slice(run.pk, 60.0).done)
        assert (ended, SyncRun.objects.get(pk=run.pk).state) == (
            [False, False, False, True],
            "failed",
        )
