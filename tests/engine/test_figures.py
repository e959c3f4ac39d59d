"""The figures of a rule's day are the sum of what its runs did, neither more nor less."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError
from django.utils import timezone

from core.bulk import upsert_rows
from core.models import Account
from core.tenancy import in_account
from integration.delivery.send import send_writes
from integration.ledger.figures import FIGURE_COUNTERS, add_figures
from integration.models import Connection, DayFigures, SyncRun
from integration.planning.latency import unite_days
from integration.runs import start_run, work_slice
from integration.slice.in_flight import Calls
from tests.cast import configured, file, sync

pytestmark = pytest.mark.django_db
CALLS = ("calls_sansan", "calls_hubspot")
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}
# Between these two the date differs at any moment of the day.
FIRST_ZONE, LAST_ZONE = "Pacific/Kiritimati", "Etc/GMT+12"


def kept(rule):
    """What the days add up to."""
    with in_account(rule.account):
        days = list(DayFigures.objects.filter(rule=rule))
    return {name: sum(getattr(day, name) for day in days) for name in (*FIGURE_COUNTERS, *CALLS)}


def counted(rule):
    """What the runs add up to. A preview does nothing, so that it does not count."""
    with in_account(rule.account):
        done = list(SyncRun.objects.filter(rule=rule).exclude(kind="preview"))
    return {name: sum(getattr(run, name, 0) for run in done) for name in (*FIGURE_COUNTERS, *CALLS)}


def arrived(rule):
    """How many changes have a time, and the slowest."""
    with in_account(rule.account):
        days = list(DayFigures.objects.filter(rule=rule))
    return sum(unite_days(day.latency for day in days)), max(
        (day.slowest for day in days), default=0
    )


def days(rule):
    with in_account(rule.account):
        return list(
            DayFigures.objects.filter(rule=rule).order_by("day").values_list("day", flat=True)
        )


def live_in(rule, zone):
    Account.objects.filter(pk=rule.account_id).update(timezone=zone)


def refused(sandbox, call):
    sandbox.faults.arm(
        "hubspot",
        "status",
        match=call,
        times=0,
        status=400,
        body={"status": "error", "category": "VALIDATION_ERROR", "message": "no"},
    )


# Sums


def test_a_first_run_is_in_the_figures_as_it_was(sandbox):
    rule = configured(file())
    run = sync(rule)
    assert kept(rule) == counted(rule) and kept(rule)["created"] == run.created > 0
    assert (
        kept(rule)["calls_hubspot"] == run.calls_hubspot > 0
        and kept(rule)["calls_sansan"] == run.calls_sansan > 0
    )


def test_people_who_were_there_already_are_counted_as_linked(sandbox_of):
    sandbox = sandbox_of(10, **PLAIN)
    token = "pat-test-0001"
    sandbox.hubspot.control(
        "create",
        {
            "token": token,
            "contacts": [{"email": card["email"]} for card in sandbox.sansan.cards.values()],
        },
    )
    rule = configured(file())
    sync(rule)
    assert (kept(rule)["linked"], kept(rule)["created"]) == (10, 0) and kept(rule) == counted(rule)


@pytest.mark.parametrize("workers", [1, 4])
def test_runs_of_every_sort_add_up(sandbox_of, settings, workers):
    sandbox = sandbox_of(150, shared_email_percent=20)
    settings.SYNC_WORKERS = workers
    rule = configured(file())
    for how in ({}, {}, {"preview": True}, {}, {"full": True}, {}):
        sync(rule, **how)
        assert kept(rule) == counted(rule), how
        sandbox.sansan.churn(10)
        sandbox.sansan.add(
            {"lastName": "新", "email": f"new{len(sandbox.sansan.cards)}@new.example.jp"}
        )
    assert kept(rule)["updated"] > 0 and kept(rule)["created"] > 150 / 2


def test_what_failed_is_counted_each_time_it_was_tried(sandbox, time_machine_later):
    rule = configured(file())
    refused(sandbox, "batch/upsert")
    failed = sync(rule).failed
    assert failed > 0 and kept(rule) == counted(rule) and kept(rule)["failed"] == failed
    time_machine_later(minutes=2)
    sync(rule)
    assert kept(rule)["failed"] == 2 * failed and kept(rule) == counted(rule)
    sandbox.faults.clear()
    time_machine_later(minutes=10)
    sync(rule)
    assert kept(rule)["created"] == failed and kept(rule) == counted(rule)


def test_a_preview_counts_nothing(sandbox):
    rule = configured(file())
    run = sync(rule, preview=True)
    assert run.created > 0 and days(rule) == []


def test_a_quiet_poll_that_leaves_no_row_leaves_its_call(sandbox):
    rule = configured(file())
    for _ in range(2):
        sync(rule)  # the second one meets the echoes of the first
    before = kept(rule)
    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.SCHEDULE)
        assert work_slice(run.pk, 60).done and not SyncRun.objects.filter(pk=run.pk).exists()
    assert kept(rule) == {**before, **{name: before[name] + 1 for name in CALLS}}


def test_nothing_done_is_not_a_day(sandbox, monkeypatch):
    rule = configured(file())
    sync(rule)
    before = days(rule)
    later = timezone.now() + timedelta(days=3)
    monkeypatch.setattr("integration.slice.desk.Desk.now", lambda desk: later)
    with in_account(rule.account):
        run = SyncRun.objects.select_related("rule__account").latest("pk")
        desk = type("Desk", (), {"run": run, "rule": run.rule, "now": lambda self: later})()
        add_figures(desk, {"read": 5, "unchanged": 5}, Calls(0, 0))
    assert days(rule) == before


def test_an_outage_costs_calls_and_writes_nothing(sandbox):
    rule = configured(file())
    sandbox.faults.arm("hubspot", "status", match="contacts", times=0, status=503)
    run = sync(rule)
    assert run.created == 0 and run.calls_hubspot > 0 and kept(rule) == counted(rule)


def test_two_rules_keep_their_own(sandbox_of):
    # Each account has a portal of its own, and sees the same cards.
    sandbox = sandbox_of(20, **PLAIN)
    one, other = configured(file()), configured(file("birch", token="pat-birch-0001"))
    sync(one)
    assert days(other) == []
    sync(other)
    sandbox.sansan.churn(20)
    sync(other)
    assert (kept(one)["created"], kept(one)["updated"]) == (20, 0)
    assert (kept(other)["created"], kept(other)["updated"]) == (20, 4)
    assert kept(one) == counted(one) and kept(other) == counted(other)


def test_two_rules_of_one_account_keep_their_own(sandbox_of):
    sandbox_of(20, **PLAIN)
    content = file()
    content["rules"].append({**content["rules"][0], "slug": "second"})
    one = configured(content)
    with in_account(one.account):
        other = type(one).objects.select_related("account").get(slug="second")
    sync(one)
    sync(other)
    assert kept(one)["created"] == 20 and kept(other)["created"] == 0
    assert kept(one) == counted(one) and kept(other) == counted(other)


# Days


@pytest.mark.parametrize("zone", [FIRST_ZONE, LAST_ZONE, "Asia/Tokyo"])
def test_the_day_is_the_account_s(sandbox, zone):
    rule = configured(file())
    live_in(rule, zone)
    sync(rule)
    assert days(rule) == [datetime.now(ZoneInfo(zone)).date()]


def test_the_zones_of_these_tests_never_have_the_same_date():
    assert datetime.now(ZoneInfo(FIRST_ZONE)).date() != datetime.now(ZoneInfo(LAST_ZONE)).date()


def test_midnight_begins_a_new_day_and_leaves_the_old_one_as_it_was(sandbox_of, time_machine):
    time_machine.move_to(datetime(2026, 3, 1, 23, 50, tzinfo=ZoneInfo("Asia/Tokyo")))
    sandbox = sandbox_of(20, **PLAIN)
    rule = configured(file())
    sync(rule)
    time_machine.move_to(datetime(2026, 3, 2, 0, 10, tzinfo=ZoneInfo("Asia/Tokyo")))
    sandbox.sansan.churn(10)
    sync(rule)
    with in_account(rule.account):
        found = {
            str(day.day): (day.created, day.updated) for day in DayFigures.objects.filter(rule=rule)
        }
    assert found == {"2026-03-01": (20, 0), "2026-03-02": (0, 2)} and kept(rule) == counted(rule)


# How long changes took


def test_only_changes_tell_how_fast_they_arrive(sandbox_of, time_machine_later):
    sandbox = sandbox_of(20, **PLAIN)
    rule = configured(file())
    sync(rule)
    assert arrived(rule) == (0, 0)
    sandbox.sansan.churn(20)
    time_machine_later(seconds=7)
    assert sync(rule).updated == 4
    n, slowest = arrived(rule)
    assert n == 4 and 7 <= slowest < 20
    sandbox.sansan.churn(50, seed=2)
    time_machine_later(hours=2)
    assert sync(rule, full=True).updated > 0 and arrived(rule) == (n, slowest)


def test_a_new_person_tells_too_and_one_that_needs_no_write_does_not(
    sandbox_of, time_machine_later
):
    sandbox = sandbox_of(5, **PLAIN)
    rule = configured(file())
    sync(rule)
    sandbox.sansan.add({"lastName": "新", "email": "new@new.example.jp"})
    sandbox.sansan.add({"lastName": "無", "email": None})
    time_machine_later(seconds=40)
    assert sync(rule).created == 1
    n, slowest = arrived(rule)
    assert n == 1 and 40 <= slowest < 60


def test_what_failed_has_not_arrived_and_counts_from_its_change_when_it_does(
    sandbox_of, time_machine_later
):
    sandbox = sandbox_of(5, **PLAIN)
    rule = configured(file())
    sync(rule)
    refused(sandbox, "batch/update")
    sandbox.sansan.churn(20)
    assert sync(rule).failed == 1 and arrived(rule) == (0, 0)
    sandbox.faults.clear()
    time_machine_later(minutes=10)
    assert sync(rule).updated == 1
    n, slowest = arrived(rule)
    assert n == 1 and 600 <= slowest < 700


def test_the_slowest_of_a_day_stays_the_slowest(sandbox_of, time_machine):
    start = datetime(2026, 3, 1, 10, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    time_machine.move_to(start)
    sandbox = sandbox_of(10, **PLAIN)
    rule = configured(file())
    sync(rule)
    for wait in (300, 5):
        sandbox.sansan.churn(10, seed=wait)
        start += timedelta(seconds=wait + 60)
        time_machine.move_to(start)
        sync(rule)
        start += timedelta(seconds=600)
        time_machine.move_to(start)
    n, slowest = arrived(rule)
    assert n == 2 and slowest >= 300


# Trouble


class Crash(OperationalError):
    pass


def crash_at(monkeypatch, n):
    """The nth writing of figures fails, as it would where the database is full or locked."""
    seen = []

    def upsert(*args):
        seen.append(args)
        if len(seen) == n:
            raise Crash("database is locked")
        upsert_rows(*args)

    monkeypatch.setattr("integration.ledger.figures.upsert_rows", upsert)
    return seen


@pytest.mark.parametrize("n", range(1, 5))
def test_a_transaction_that_fails_takes_figures_and_counters_back_together(
    sandbox_of, monkeypatch, n
):
    sandbox_of(250, **PLAIN)
    rule = configured(file())
    seen = crash_at(monkeypatch, n)
    with pytest.raises(Crash):
        sync(rule)
    assert len(seen) >= n
    run = sync(rule)
    assert (run.state, run.created, run.counts["waiting"]) == ("succeeded", 250, 0), run.counts
    assert {name: kept(rule)[name] for name in FIGURE_COUNTERS} == {
        name: counted(rule)[name] for name in FIGURE_COUNTERS
    }


def test_a_slice_that_lost_its_lease_changes_no_counter_of_the_one_that_took_over(
    sandbox_of, monkeypatch
):
    sandbox_of(30, **PLAIN)
    rule = configured(file())
    taken: list[bool] = []

    def slow(*args):
        if not taken:
            taken.append(True)
            Connection.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
            run = SyncRun.objects.get(state__in=SyncRun.OPEN)
            while not work_slice(run.pk, 60).done:
                pass
        return send_writes(*args)

    monkeypatch.setattr("integration.sync.send_writes", slow)
    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.COMMAND)
        work_slice(run.pk, 60)
        run.refresh_from_db()
    assert taken and (run.state, run.created, run.counts["waiting"]) == ("succeeded", 30, 0), (
        run.counts
    )
    assert {name: kept(rule)[name] for name in FIGURE_COUNTERS} == {
        name: counted(rule)[name] for name in FIGURE_COUNTERS
    }


def test_figures_and_counters_move_in_one_transaction(sandbox, monkeypatch):
    """Whatever is written for a run's counters is written for its day in the same savepoint or
    transaction.
    """
    rule = configured(file())
    plain, seen = add_figures, []

    def add(desk, counts, calls, took=()):
        plain(desk, counts, calls, took)
        stored = SyncRun.objects.get(pk=desk.run.pk)
        seen.append(kept(rule)["created"] == stored.created)

    monkeypatch.setattr("integration.ledger.entries.add_figures", add)
    sync(rule)
    assert len(seen) > 2 and all(seen)
