"""The tick and the tasks: what is due starts once, what was lost is picked up, and nobody waits for
nothing.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from core.models import Account
from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.leaving import retention
from integration.leaving.retention import sweep_history
from integration.models import AuditEntry, Connection, Heartbeat, SyncRule, SyncRun
from integration.runs import (
    MOST_IDLE_SLICES,
    begin_slice,
    measure_progress,
    schedule_run,
    select_due_rules,
    start_run,
)
from integration.slice.desk import Desk
from tests.cast import TOKEN, configured, file, sync
from tests.core import rows
from tests.engine.oracle import contacts_of, expected
from tests.engine.test_lease import claimed
from tests.process import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    """The database's own queue.

    A test's transaction never commits, so that what is enqueued goes there at once.
    """
    monkeypatch.setattr("integration.tasks.transaction.on_commit", lambda call: call())
    return waiting


@pytest.fixture
def short_slices(monkeypatch):
    """Slices that end by what they have done: a slow machine does as much in one as a fast one."""
    monkeypatch.setattr(
        Desk, "spent", property(lambda desk: measure_progress(desk.run) - desk.run.mark >= 200)
    )


def waiting() -> list[tuple[str, tuple[int, ...]]]:
    """(task, arguments) of everything in the queue, oldest first."""
    packages = [SignedPackage.loads(row.payload) for row in OrmQ.objects.order_by("pk")]
    return [(package["func"].rpartition(".")[2], package["args"]) for package in packages]


def work_off(most: int = 30) -> list[str]:
    """Does what one worker would do, task after task, until nothing waits; returns the names."""
    done: list[str] = []
    while (row := OrmQ.objects.order_by("pk").first()) and len(done) < most:
        package = SignedPackage.loads(row.payload)
        import_string(package["func"])(*package["args"], **package["kwargs"])
        row.delete()
        done.append(package["func"].rpartition(".")[2])
    assert len(done) < most, done
    return done


def open_runs() -> list[SyncRun]:
    with all_accounts():
        return list(SyncRun.objects.filter(state__in=SyncRun.OPEN).order_by("pk"))


def get(run: SyncRun) -> SyncRun:
    with all_accounts():
        return SyncRun.objects.get(pk=run.pk)


def active(slug: str = "acme", **values: Any) -> SyncRule:
    return rows.rule(rows.account(slug), **{"state": "active", **values})


# The tick


def test_a_due_rule_starts(queue):
    rule = active()
    tasks.tick()
    (run,) = open_runs()
    assert (run.rule_id, run.kind, run.trigger, run.state) == (
        rule.pk,
        "initial",
        "schedule",
        "queued",
    )
    assert queue() == [("work", (rule.account_id, run.pk))]
    rule.refresh_from_db()
    assert rule.due_at
    assert timezone.now() < rule.due_at <= timezone.now() + timedelta(seconds=rule.interval)


def test_a_rule_that_is_not_due_waits_for_its_time(queue, time_machine_later):
    rule = active(due_at=timezone.now() + timedelta(seconds=20))
    tasks.tick()
    assert queue() == open_runs() == []
    time_machine_later(seconds=21)
    tasks.tick()
    assert [run.rule_id for run in open_runs()] == [rule.pk] and len(queue()) == 1


def test_two_ticks_at_the_same_instant_start_one_run():
    active()
    now, started = timezone.now(), []
    with all_accounts():
        # Both have looked before either has written.
        seen = [list(select_due_rules(now).select_related("account")) for _ in range(2)]
    for rule in (rule for due in seen for rule in due):
        with in_account(rule.account):
            started.append(schedule_run(rule, now))
    assert len(started) == 2 and started[0] is not None and started[1] is None
    with all_accounts():
        assert SyncRun.objects.count() == 1


TICKS = """
import json, threading
from core.models import Account
from core.tenancy import all_accounts, in_account
from django.db import connections
from django.utils import timezone
from integration import runs
from integration.models import Connection, SyncRule
for i in range(12):
    account = Account.objects.create(slug=f"a{i}", name=f"A{i}")
    with in_account(account):
        ends = {}
        for system in ("sansan", "hubspot"):
            own = {"account": account, "slug": system, "system": system, "credentials": {}}
            ends[system] = Connection.objects.create(**own)
        SyncRule.objects.create(account=account, slug="cards", state="active", **ends)
started, claimed, together, now = [], [], threading.Barrier(6), timezone.now()
def tick():
    with all_accounts():
        due = list(runs.select_due_rules(now).select_related("account"))
    for rule in due:
        together.wait()
        with in_account(rule.account):
            if runs.schedule_run(rule, now):
                started.append(rule.pk)
    together.wait()
    with all_accounts():
        claimed.extend(run.pk for run in runs.claim_overdue_runs(timezone.now()))
    connections.close_all()
threads = [threading.Thread(target=tick) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps([started, claimed]))
"""


def test_ticks_of_many_hosts_start_and_claim_each_run_once(product):
    done = subprocess.run(
        product.script(TICKS),
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    started, claimed = json.loads(done.stdout)
    assert sorted(started) == sorted(claimed) == list(range(1, 13))


def test_a_second_tick_finds_nothing_more_to_do(queue):
    active()
    tasks.tick()
    tasks.tick()
    assert len(open_runs()) == len(queue()) == 1


@pytest.mark.parametrize("state", ["draft", "paused", "held"])
def test_a_rule_that_is_not_active_is_passed_over(queue, state):
    active(state=state)
    tasks.tick()
    assert queue() == open_runs() == []


def test_an_account_that_is_not_active_is_passed_over(queue):
    rule = active()
    run = rows.run(active("birch"))
    Account.objects.update(active=False)
    tasks.tick()
    assert queue() == [] and open_runs() == [get(run)]
    Account.objects.filter(pk=rule.account_id).update(active=True)
    tasks.tick()
    assert [args[0] for _, args in queue()] == [rule.account_id]


def test_every_account_gets_its_turn(queue):
    names = [active(slug).account_id for slug in ("acme", "birch", "cedar")]
    tasks.tick()
    assert sorted(args[0] for _, args in queue()) == sorted(names)


def test_a_full_check_comes_once_a_day(queue):
    yesterday = timezone.now() - timedelta(hours=25)
    rule = active(cursor=yesterday, full_at=yesterday)
    recent = active("birch", cursor=yesterday, full_at=timezone.now() - timedelta(hours=23))
    never = active("cedar", cursor=yesterday, full_at=yesterday, full_every=0)
    tasks.tick()
    assert {run.rule_id: run.kind for run in open_runs()} == {
        rule.pk: "full",
        recent.pk: "incremental",
        never.pk: "incremental",
    }


def test_a_lost_run_is_picked_up_once_a_minute(queue, time_machine_later):
    run = rows.run(
        active(due_at=timezone.now() + timedelta(hours=1)),
        state="running",
        next_at=timezone.now() - timedelta(seconds=1),
    )
    tasks.tick()
    tasks.tick()
    assert queue() == [("work", (run.account_id, run.pk))]
    OrmQ.objects.all().delete()  # as Redis forgets
    time_machine_later(seconds=61)
    tasks.tick()
    assert queue() == [("work", (run.account_id, run.pk))]


def test_a_run_that_waits_for_its_time_is_left_alone(queue):
    rows.run(
        active(due_at=timezone.now() + timedelta(hours=1)),
        state="running",
        next_at=timezone.now() + timedelta(seconds=30),
    )
    tasks.tick()
    assert queue() == []


def test_a_run_that_has_ended_is_left_alone(queue):
    rows.run(
        active(due_at=timezone.now() + timedelta(hours=1)),
        state="succeeded",
        next_at=timezone.now() - timedelta(hours=1),
    )
    tasks.tick()
    assert queue() == []


# Slices


def test_the_tick_and_the_workers_bring_the_cards_over(sandbox):
    configured(file())
    tasks.tick()
    assert work_off() == ["work"]
    assert (
        contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
        and open_runs() == []
    )


def test_a_slice_that_hands_over_enqueues_the_next(sandbox_of, short_slices, queue):
    sandbox = sandbox_of(700)
    rule = configured(file())
    with in_account(rule.account):
        run = tasks.enqueue_sync(rule, "aiko")
    (task,) = queue()
    tasks.work(*task[1])
    assert queue() == [task, task] and get(run).state == "running" and get(run).attempts == 1
    assert len(work_off()) >= 3
    assert (get(run).state, get(run).counts["read"]) == ("succeeded", 700) and get(
        run
    ).attempts >= 3
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def test_a_long_run_lets_a_short_one_through(sandbox_of, short_slices, queue):
    sandbox_of(700)
    long, short = (
        configured(file()),
        configured(file("birch", token="pat-birch-0001", tags=["VIP"])),
    )
    for rule in (long, short):
        with in_account(rule.account):
            tasks.enqueue_sync(rule, "aiko")
    order = []
    while row := OrmQ.objects.order_by("pk").first():
        args = SignedPackage.loads(row.payload)["args"]
        tasks.work(*args)
        row.delete()
        order.append(args[0])
    # Behind everything else that waits: each has its turn after each slice of the other.
    assert order[:4] == [long.account_id, short.account_id] * 2


def test_a_busy_connection_is_left_to_whoever_holds_it(sandbox, queue):
    rule = configured(file())
    with in_account(rule.account):
        run = tasks.enqueue_sync(rule, "aiko")
        held = claimed(rule.hubspot)
    OrmQ.objects.all().delete()
    tasks.work(run.account_id, run.pk)
    assert queue() == [] and get(run).state == "queued" and get(run).attempts == 0
    with in_account(rule.account):
        with held.transaction():
            pass  # still theirs
        held.release()


def two_rules(sandbox) -> tuple[SyncRule, SyncRule]:
    """Two rules that write to one HubSpot connection."""
    content = file(tags=["VIP"])
    content["connections"].append(
        {
            **content["connections"][0],
            "slug": "osaka",
            "credentials": {"api_key": "OsakaKey0123456789abcdefABCDEF01"},
        }
    )
    content["rules"].append({**content["rules"][0], "slug": "osaka", "sansan": "osaka"})
    first = configured(content)
    with in_account(first.account):
        return first, SyncRule.objects.select_related("account", "hubspot").get(slug="osaka")


def test_the_next_run_on_the_connection_gets_its_turn(sandbox, queue):
    first, second = two_rules(sandbox)
    with in_account(first.account):
        one, other = tasks.enqueue_sync(first, "aiko"), tasks.enqueue_sync(second, "ben")
    # The other's task came while the first was at work, found the connection busy and went.
    OrmQ.objects.all().delete()
    tasks.work(one.account_id, one.pk)
    assert get(one).state == "succeeded"
    assert queue() == [("work", (other.account_id, other.pk))]


def test_so_does_one_that_the_tick_has_asked_for(sandbox, queue):
    first, _ = two_rules(sandbox)
    tasks.tick()
    one, other = open_runs()
    with in_account(first.account):
        held = claimed(first.hubspot)  # the first slice begins on one worker
    tasks.work(other.account_id, other.pk)  # and the second meets it, on another
    with in_account(first.account):
        held.release()
    OrmQ.objects.all().delete()
    tasks.work(one.account_id, one.pk)
    # A minute's wait for each meeting would make a change take longer than it may.
    assert get(one).state == "succeeded"
    assert queue() == [("work", (other.account_id, other.pk))]


def test_so_does_one_behind_a_quiet_poll(sandbox, queue):
    first, second = two_rules(sandbox)
    sync(first)
    with in_account(first.account):
        quiet = start_run(first, "schedule")
        other = tasks.enqueue_sync(second, "ben")
    OrmQ.objects.all().delete()
    tasks.work(quiet.account_id, quiet.pk)
    assert queue() == [("work", (other.account_id, other.pk))]


def test_a_run_whose_vendor_is_away_is_left_to_the_tick(sandbox, queue, time_machine_later):
    rule = configured(file())
    sandbox.faults.arm("sansan", "rate_limit", times=0, retry_after=30)
    with in_account(rule.account):
        run = tasks.enqueue_sync(rule, "aiko")
    work_off()
    assert queue() == [] and get(run).is_open and get(run).reason == "sansan_unavailable"
    tasks.tick()
    assert queue() == []
    sandbox.faults.clear()
    time_machine_later(seconds=31)
    tasks.tick()
    work_off()
    assert get(run).state == "succeeded"


def test_a_worker_killed_in_mid_slice_is_replaced_when_its_lease_ends(
    sandbox, queue, settings, time_machine_later
):
    rule = configured(file())
    tasks.tick()
    (run,) = open_runs()
    with in_account(rule.account):
        lease = claimed(rule.hubspot)
        begin_slice(SyncRun.objects.get(pk=run.pk), lease, settings.SYNC_SLICE_SECONDS)
    OrmQ.objects.all().delete()  # the worker is gone, and its task with it
    time_machine_later(seconds=settings.SYNC_LEASE_SECONDS - 1)
    tasks.tick()
    work_off()
    assert get(run).is_open and contacts_of(sandbox, TOKEN) == {}
    time_machine_later(seconds=settings.SYNC_SLICE_SECONDS + 2)
    tasks.tick()
    assert work_off()
    assert get(run).state == "succeeded" and contacts_of(sandbox, TOKEN) == expected(
        list(sandbox.sansan.cards.values())
    )


def test_a_slice_that_kills_its_worker_every_time_comes_to_an_end(
    queue, settings, time_machine_later
):
    rule = active(due_at=timezone.now() + timedelta(days=9))
    run = rows.run(rule)
    for _ in range(MOST_IDLE_SLICES):
        with in_account(rule.account):
            lease = claimed(rule.hubspot)
            begin_slice(SyncRun.objects.get(pk=run.pk), lease, settings.SYNC_SLICE_SECONDS)
        time_machine_later(seconds=settings.SYNC_SLICE_SECONDS + settings.SYNC_LEASE_SECONDS + 2)
    tasks.tick()
    work_off()
    assert (get(run).state, get(run).reason) == ("failed", "no_progress")


def test_a_quiet_poll_leaves_no_row(sandbox, time_machine_later):
    rule = configured(file())
    tasks.tick()
    work_off()
    for _ in range(3):
        time_machine_later(seconds=30)
        asked = timezone.now()
        tasks.tick()
        assert len(open_runs()) == 1
        work_off()
    with all_accounts():
        # The first poll met the echoes of what the first run wrote; the others were quiet.
        assert [(run.kind, bool(run.echoes)) for run in SyncRun.objects.order_by("pk")] == [
            ("initial", False),
            ("incremental", True),
        ]
        checked_at = SyncRule.objects.get().checked_at
        assert checked_at and checked_at >= asked
    sandbox.sansan.churn(5)
    time_machine_later(seconds=30)
    tasks.tick()
    work_off()
    with all_accounts():
        assert [run.kind for run in SyncRun.objects.order_by("pk")] == [
            "initial",
            "incremental",
            "incremental",
        ]
    rule.refresh_from_db()
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def test_a_poll_that_a_person_asked_for_leaves_its_row(sandbox):
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        run = tasks.enqueue_sync(rule, "aiko")
    work_off()
    assert (get(run).state, get(run).started_by, get(run).counts["read"]) == (
        "succeeded",
        "aiko",
        0,
    )


def test_an_account_that_is_switched_off_in_the_middle_stops(sandbox_of, short_slices, queue):
    sandbox = sandbox_of(700)
    rule = configured(file())
    tasks.tick()
    (run,) = open_runs()
    tasks.work(run.account_id, run.pk)
    Account.objects.update(active=False)
    before = sandbox.calls["sansan"], sandbox.calls["hubspot"]
    work_off()
    # "Nothing runs for an account that is not active."
    assert (sandbox.calls["sansan"], sandbox.calls["hubspot"]) == before and get(run).is_open
    Account.objects.update(active=True)
    with in_account(rule.account):
        SyncRun.objects.update(next_at=timezone.now())
    tasks.tick()
    work_off()
    assert get(run).state == "succeeded"


# What is not there any more


def test_a_task_for_a_run_that_is_gone_ends_quietly(queue):
    rule = active()
    run = rows.run(rule)
    with in_account(rule.account):
        run_id = run.pk
        run.delete()
    tasks.work(rule.account_id, run_id)
    assert queue() == []


def test_two_tasks_for_one_quiet_poll(sandbox):
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        quiet = start_run(rule, "schedule")
    for _ in range(2):  # the tick had enqueued it again, because the queue was slow
        tasks.enqueue_task("work", rule.account_id, quiet.pk)
    assert work_off() == ["work", "work"]


@pytest.mark.parametrize("task", ["work", "check", "tags"])
def test_a_task_for_an_account_that_is_gone_ends_quietly(queue, task):
    getattr(tasks, task)(4711, 1)
    assert queue() == []


@pytest.mark.parametrize("task", ["check", "tags"])
def test_a_task_for_a_connection_that_is_gone_ends_quietly(queue, task):
    getattr(tasks, task)(rows.account().pk, 4711)
    assert queue() == []


def test_a_task_touches_no_other_account(sandbox, queue):
    mine, chies = configured(file()), configured(file("birch", token="pat-birch-0001"))
    with in_account(chies.account):
        run = start_run(chies, "person", "chie")
    calls = sandbox.calls["hubspot"]
    with contextlib.suppress(SyncRun.DoesNotExist):
        tasks.work(mine.account_id, run.pk)
    assert sandbox.calls["hubspot"] == calls and get(run).state == "queued"


# The queue


def test_arguments_are_ids(sandbox, queue):
    rule = configured(file())
    with in_account(rule.account):
        run = tasks.enqueue_sync(rule, "aiko", full=True)
        tasks.enqueue_check(rule.hubspot)
        tasks.enqueue_tags(rule.sansan)
    tasks.ensure_tick()
    assert queue() == [
        ("work", (rule.account_id, run.pk)),
        ("check", (rule.account_id, rule.hubspot_id)),
        ("tags", (rule.account_id, rule.sansan_id)),
        ("tick", ()),
    ]
    packages = [SignedPackage.loads(row.payload) for row in OrmQ.objects.all()]
    assert all(type(arg) is int for package in packages for arg in package["args"]) and not any(
        package["kwargs"] for package in packages
    )


def test_a_check_that_was_asked_for_is_stored(sandbox):
    rule = configured(file())
    with in_account(rule.account):
        Connection.objects.update(health="untested")
        tasks.enqueue_check(rule.hubspot)
        tasks.enqueue_tags(rule.sansan)
        sandbox.sansan.tags["T0042"] = {
            **sandbox.sansan.tags["T0001"],
            "id": "T0042",
            "name": "新しい",
        }
        work_off()
        assert set(Connection.objects.values_list("health", flat=True)) == {"ok"}
        assert Connection.objects.get(system="sansan").tags.filter(name="新しい").exists()


def test_a_person_who_asks_twice_gets_the_same_run(sandbox):
    rule = configured(file())
    with in_account(rule.account):
        assert tasks.enqueue_sync(rule, "aiko").pk == tasks.enqueue_sync(rule, "ben").pk
    work_off()
    with all_accounts():
        assert SyncRun.objects.count() == 1


def test_an_enqueued_task_appears_at_the_commit(django_capture_on_commit_callbacks, monkeypatch):
    monkeypatch.undo()
    with django_capture_on_commit_callbacks() as later:
        tasks.enqueue_task("work", 1, 2)
        assert waiting() == []
    for call in later:
        call()
    assert waiting() == [("work", (1, 2))]


def schedules() -> list[tuple[str, str, str, int, Any, Any]]:
    return list(Schedule.objects.values_list("name", "func", "cron", "repeats", "args", "kwargs"))


def test_there_is_one_schedule(queue):
    for _ in range(3):
        tasks.ensure_tick()
    assert schedules() == [("tick", "integration.tasks.tick", tasks.EVERY_SWEEP, -1, None, None)]
    assert queue() == [("tick", ())] * 3  # each start looks at once


def test_a_schedule_that_somebody_spoilt_is_mended(queue):
    tasks.ensure_tick()
    Schedule.objects.update(func="os.system", args="('true',)", cron="0 0 1 1 *", repeats=0)
    tasks.ensure_tick()
    assert schedules() == [("tick", "integration.tasks.tick", tasks.EVERY_SWEEP, -1, None, None)]


def test_two_hosts_that_start_together_leave_one_schedule(queue):
    tasks.ensure_tick()
    # PostgreSQL lets two hosts insert at once: no constraint of the queue's own table keeps the
    # name unique.
    Schedule.objects.create(
        name="tick",
        func="integration.tasks.tick",
        schedule_type=Schedule.CRON,
        cron=tasks.EVERY_SWEEP,
    )
    tasks.ensure_tick()
    assert len(schedules()) == 1


def test_every_sweep_finds_the_tick_due():
    tasks.ensure_tick()
    schedule, sweep = Schedule.objects.get(), timedelta(seconds=30)
    assert schedule.next_run <= timezone.now() + sweep
    assert schedule.calculate_next_run(timezone.localtime()) <= timezone.now() + sweep


# Heartbeat


def test_every_task_moves_the_heartbeat(sandbox, time_machine_later):
    rule = configured(file())
    with in_account(rule.account):
        run = start_run(rule, "person")
    for call in (
        lambda: tasks.work(rule.account_id, run.pk),
        lambda: tasks.check(rule.account_id, rule.hubspot_id),
        tasks.tick,
    ):
        time_machine_later(minutes=10)
        called = timezone.now()
        call()
        (heartbeat,) = Heartbeat.objects.all()
        assert heartbeat.beat_at >= called
    assert heartbeat.ticked_at and heartbeat.ticked_at >= called


def test_a_cluster_is_stuck_when_tasks_wait_and_nobody_works(time_machine_later):
    assert not tasks.is_stuck(150)  # nothing waits
    tasks.enqueue_task("work", 1, 1)
    assert tasks.is_stuck(150)  # and nobody has ever worked
    tasks.move_heartbeat()
    assert not tasks.is_stuck(150)
    time_machine_later(seconds=149)
    assert not tasks.is_stuck(150)
    time_machine_later(seconds=2)
    assert tasks.is_stuck(150)
    OrmQ.objects.all().delete()
    assert not tasks.is_stuck(150)


def test_another_host_does_not_speak_for_this_one():
    tasks.enqueue_task("work", 1, 1)
    Heartbeat.objects.create(host="elsewhere", beat_at=timezone.now())
    assert tasks.is_stuck(150)


# Retention


def closed(run: SyncRun, days: float, number: int) -> AuditEntry:
    moment = timezone.now() - timedelta(days=days)
    return rows.entry(run, f"C{number}", outcome="none", closed_at=moment, planned_at=moment)


def cards_left() -> list[str]:
    with all_accounts():
        return sorted(AuditEntry.objects.values_list("card_id", flat=True))


def test_only_what_has_expired_goes(queue):
    acme, birch = (
        rows.run(rows.rule(rows.account(slug, retention_days=days)), state="succeeded")
        for slug, days in (("acme", 400), ("birch", 30))
    )
    (
        closed(acme, 401, 1),
        closed(acme, 399, 2),
        closed(birch, 399, 3),
        closed(birch, 31, 4),
        closed(birch, 29, 5),
    )
    old = timezone.now() - timedelta(days=900)
    rows.entry(acme, "still open", planned_at=old)
    with all_accounts():
        assert sweep_history(timezone.now()) == 3
    assert cards_left() == ["C2", "C5", "still open"]
    with all_accounts():
        assert SyncRun.objects.count() == 2


def test_it_goes_in_pieces(monkeypatch):
    monkeypatch.setattr(retention, "ENTRIES_A_DELETE", 2)
    run = rows.run(rows.rule(rows.account()), state="succeeded")
    for i in range(5):
        closed(run, 500 - i, i)
    with all_accounts():
        assert [sweep_history(timezone.now()) for _ in range(4)] == [2, 2, 1, 0]


def test_the_oldest_go_first(monkeypatch):
    monkeypatch.setattr(retention, "ENTRIES_A_DELETE", 2)
    run = rows.run(rows.rule(rows.account()), state="succeeded")
    for number, days in enumerate((450, 500, 410, 480)):
        closed(run, days, number)
    with all_accounts():
        sweep_history(timezone.now())
    assert cards_left() == ["C0", "C2"]


def test_the_tick_sweeps(queue):
    closed(rows.run(rows.rule(rows.account()), state="succeeded"), 500, 1)
    tasks.tick()
    assert cards_left() == []


def test_results_of_old_tasks_do_not_pile_up(queue):
    for number, (days, success) in enumerate(((2, False), (4, False), (800, True))):
        moment = timezone.now() - timedelta(days=days)
        Task.objects.create(
            id=f"{number:032d}",
            name=str(days),
            func="integration.tasks.tick",
            started=moment,
            stopped=moment,
            success=success,
        )
    tasks.tick()
    # The queue keeps them for ever; successes are of versions that stored them.
    assert list(Task.objects.values_list("name", flat=True)) == ["2"]
