"""A run from its asking to its end.

What a run has counted and how far it has read is written by the slice that works it
(``ledger/entries.py``, ``intake/``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integration.connections.check import store_health
from integration.connections.credentials import make_source, make_target
from integration.connections.limiter import find_allowance
from integration.connections.proof import doubt_source, doubt_target, note_other_portal
from integration.connections.properties import (
    ensure_own_properties,
    needs_own_properties,
    refresh_schema,
)
from integration.connectors.base import ConnectorError, Reconnect, RetryLater, Unanswered
from integration.intake.contacts import set_echoes_aside
from integration.intake.neighbours import wake_neighbours
from integration.ledger.entries import count_outcomes, record_unseen
from integration.models import (
    AuditEntry,
    Bucket,
    Connection,
    ContactChange,
    Record,
    Side,
    SyncRule,
    SyncRun,
)
from integration.notes import join_notes, note
from integration.planning.pace import afford_pause, choose_pace
from integration.rules.as_plan import list_mapping_problems
from integration.rules.twins import find_twins
from integration.slice.desk import Desk, RunHeld, open_desk
from integration.slice.in_flight import InFlight
from integration.slice.lease import Lease, LeaseLost, claim_lease
from integration.slice.rows import Row
from integration.sync import advance_run

log = structlog.get_logger()

# A fall in sight beyond both of these is not deletion: the rule is frozen until a person has
# looked.
SHARP_FALL = 0.1
FEW_CARDS = 10
# Slices in a row that a vendor's fault may end without any progress, before the run gives up.
MOST_IDLE_SLICES = 4
CLAIM_LENGTH = timedelta(seconds=60)
LONGEST_UNHEARD = timedelta(seconds=5)


@dataclass(frozen=True)
class NextSlice:
    """What to do with a run after a slice: nothing more (``done``), or another slice after ``wait``
    seconds.

    ``busy`` says that somebody else is at work on the HubSpot connection, and will see to what is
    left.
    """

    done: bool
    wait: float = 0.0
    busy: bool = False


def choose_kind(rule: SyncRule, full: bool = False, preview: bool = False) -> str:
    if preview:
        return SyncRun.Kind.PREVIEW
    if rule.cursor is None or rule.full_at is None:
        return SyncRun.Kind.INITIAL
    return SyncRun.Kind.FULL if full or rule.recheck else SyncRun.Kind.INCREMENTAL


def start_run(
    rule: SyncRule, trigger: str, who: str = "", full: bool = False, preview: bool = False
) -> SyncRun:
    """A new run, or the open one: a rule has one at a time."""
    rule.refresh_from_db(fields=["cursor", "full_at", "recheck"])
    kind = choose_kind(rule, full, preview)
    whole = (
        kind in (SyncRun.Kind.INITIAL, SyncRun.Kind.FULL)
        or full
        or rule.recheck
        or rule.cursor is None
    )
    try:
        with transaction.atomic():
            return SyncRun.objects.create(
                account_id=rule.account_id,
                rule=rule,
                kind=kind,
                whole=whole,
                trigger=trigger,
                started_by=who,
            )
    except IntegrityError:
        return SyncRun.objects.filter(rule=rule, state__in=SyncRun.OPEN).get()


def work_slice(
    run_id: int, seconds: float, stopping: Callable[[], bool] = lambda: False
) -> NextSlice:
    """One slice of a run, inside the account's scope.

    Any number of these may be asked for at once: the lease lets one through.
    """
    run = load_open_run(run_id)
    if run is None:
        return NextSlice(done=True)
    lease = claim_lease(run.rule.hubspot)
    if lease is None:
        return NextSlice(done=False, busy=True, wait=1.0)
    try:
        # Between reading the run and holding the lease another slice may have moved it.
        run = load_open_run(run_id)
        return _work(run, lease, seconds, stopping) if run else NextSlice(done=True)
    except LeaseLost:
        log.warning("lease_lost", run=run_id)
        return NextSlice(done=False, busy=True, wait=1.0)
    finally:
        lease.release()


def load_open_run(run_id: int) -> SyncRun | None:
    """None when it has ended; a quiet poll leaves no row behind."""
    runs = SyncRun.objects.select_related(
        "rule__sansan__account", "rule__hubspot__account", "rule__account"
    )
    return runs.filter(pk=run_id, state__in=SyncRun.OPEN).first()


def _work(run: SyncRun, lease: Lease, seconds: float, stopping: Callable[[], bool]) -> NextSlice:
    begin_slice(run, lease, seconds)
    if run.idle > MOST_IDLE_SLICES:
        run.reason, run.detail = "no_progress", ""
        give_up_run(run, lease)
        return NextSlice(done=True)
    in_flight = InFlight(deadline=time.monotonic() + seconds, stopping=stopping)
    try:
        prepare_vendors(run, lease)
        source, target = make_source(run.rule.sansan), make_target(run.rule.hubspot)
        desk = open_desk(run, lease, source=source, target=target, in_flight=in_flight)
        in_flight.known_share = run.rule.known_share
        done = work_at(desk)
    except Reconnect as error:
        fail_run(run, lease, error)
        return NextSlice(done=True)
    except RunHeld as held:
        hold_run(run, lease, held)
        return NextSlice(done=True)
    except ConnectorError as error:
        return postpone_run(run, lease, error)
    if done:
        finish_run(run, lease)
    return NextSlice(done)


def prepare_vendors(run: SyncRun, lease: Lease) -> None:
    """What must hold on the vendors' side before anything is written."""
    if not run.is_preview:
        refuse_twin(run.rule)
        prove_connections(run, lease)
    refresh_schema(run.rule, lease.transaction)
    run.rule.refresh_from_db(fields=["changed_at", "recheck"])
    asked = run.attempts == 1 and run.trigger == run.Trigger.PERSON and not run.is_preview
    if asked and needs_own_properties(run.rule):
        # That a person has asked for the run is the consent. Refused, the rule goes by e-mail and
        # says so.
        ensure_own_properties(run.rule, lease.transaction)


def prove_connections(run: SyncRun, lease: Lease) -> None:
    """Raises RunHeld where new credentials do not lead where the former ones led.

    A person who has looked lets a Sansan key through; another HubSpot account has to be accepted at
    its connection, because the contacts that we know are not in it.
    """
    sansan, hubspot = run.rule.sansan, run.rule.hubspot
    if hubspot.found_id:
        raise RunHeld("other_portal", note_other_portal(hubspot, hubspot.found_id))
    if hubspot.unproven:
        hold_for(run, hubspot, "other_portal", doubt_target(hubspot, make_target(hubspot)))
    if sansan.unproven and not run.rule.waived:
        hold_for(run, sansan, "other_company", doubt_source(sansan, make_source(sansan)))
    proven = [each for each in (sansan, hubspot) if each.unproven]
    for connection in proven:
        connection.unproven = False
        with lease.transaction():
            connection.save(update_fields=["unproven"])


def hold_for(run: SyncRun, connection: Connection, reason: str, doubt: str) -> None:
    """Raises RunHeld where there is a doubt."""
    if doubt:
        log.warning(reason, run=run.pk, connection=connection.slug)
        raise RunHeld(reason, doubt)


def work_at(desk: Desk) -> bool:
    """Works at the desk until the run is done (True) or the slice is spent (False)."""
    try:
        done = advance_run(desk)
        if done:
            find_unseen_cards(desk)
            set_echoes_aside(desk)
    except (ConnectorError, RunHeld):
        remember_slice(desk)
        raise
    # After anything else the counters in memory may be of a transaction that was taken back, or of
    # a run that others went on with.
    remember_slice(desk)
    return done


def begin_slice(run: SyncRun, lease: Lease, seconds: float) -> None:
    """Notes that a slice began, before any work: a slice that kills its worker is counted too."""
    progress = measure_progress(run)
    run.attempts += 1
    run.idle = 1 if progress > run.mark or run.attempts == 1 else run.idle + 1
    run.mark = progress
    run.state = SyncRun.State.RUNNING
    run.started_at = run.started_at or timezone.now()
    run.next_at = timezone.now() + timedelta(seconds=seconds + settings.SYNC_LEASE_SECONDS)
    with lease.transaction():
        run.save(update_fields=["attempts", "idle", "mark", "state", "started_at", "next_at"])


def measure_progress(run: SyncRun) -> int:
    """How far a run has come, in records read and records with an outcome."""
    settled = (n for name, n in run.counts.items() if name not in ("read", "waiting"))
    return run.read + sum(settled)


def remember_slice(desk: Desk) -> None:
    """What the next slice should know: the calls that were made, and how many new people the portal
    had.
    """
    share = desk.in_flight.known_share
    with desk.transaction():
        SyncRule.objects.filter(pk=desk.rule.pk).update(known_share=share)
        if desk.target.quota:
            limit, left = desk.target.quota
            at = timezone.now().isoformat(timespec="seconds")
            quota = {"limit": limit, "left": left, "at": at}
            Connection.objects.filter(pk=desk.rule.hubspot_id).update(quota=quota)
        count_outcomes(desk, {})


def postpone_run(run: SyncRun, lease: Lease, error: ConnectorError) -> NextSlice:
    """A vendor's fault: the run waits and goes on; after some slices without any progress it ends
    and says why.
    """
    run.reason, run.detail = error.reason, error.detail
    if run.idle >= MOST_IDLE_SLICES and measure_progress(run) == run.mark:
        give_up_run(run, lease)
        return NextSlice(done=True)
    wait = choose_wait(error)
    run.next_at = timezone.now() + timedelta(seconds=wait)
    with lease.transaction():
        run.save(update_fields=["reason", "detail", "next_at"])
    log.warning(
        "slice_ended_early", run=run.pk, reason=error.reason, detail=error.detail, wait=wait
    )
    return NextSlice(done=False, wait=wait)


def choose_wait(error: ConnectorError) -> float:
    """Seconds until the next slice."""
    if isinstance(error, RetryLater):
        return error.after
    # A write that went unanswered is settled at once.
    return 1.0 if isinstance(error, Unanswered) else 30.0


def give_up_run(run: SyncRun, lease: Lease) -> None:
    """A run that gets no further. Its reason is set already."""
    state = SyncRun.State.PARTIAL if measure_progress(run) else SyncRun.State.FAILED
    with lease.transaction():
        end_run(run, state)


def fail_run(run: SyncRun, lease: Lease, error: Reconnect) -> None:
    """Credentials that do not work stop the rule: asking again every half minute would help
    nobody.
    """
    run.reason, run.detail = error.reason, error.detail
    connection = run.rule.sansan if error.system == "sansan" else run.rule.hubspot
    active = SyncRule.objects.filter(pk=run.rule_id, state=SyncRule.State.ACTIVE)
    with lease.transaction():
        store_health(connection, Connection.Health.RECONNECT, error.detail)
        active.update(state=SyncRule.State.HELD, state_reason=error.detail)
        end_run(run, SyncRun.State.FAILED)


def hold_run(run: SyncRun, lease: Lease, held: RunHeld) -> None:
    """The rule does nothing until a person has looked."""
    run.reason, run.detail = held.reason, held.detail
    rule = SyncRule.objects.filter(pk=run.rule_id)
    with lease.transaction():
        rule.update(state=SyncRule.State.HELD, state_reason=held.detail)
        end_run(run, SyncRun.State.HELD)


def finish_run(run: SyncRun, lease: Lease) -> None:
    """The whole window is stored and everybody who was due has an outcome."""
    with lease.transaction():
        if not run.is_preview:
            set_pace(run)
            note_finished(run)
        if is_eventless(run):
            # A quiet poll leaves no row behind, or a day of them would hide the runs that did
            # something.
            run.delete()
            return
        run.reason = ""
        problems = list_mapping_problems(run.rule, run.is_preview)
        if problems:
            run.reason = problems[0].reason
            run.detail = join_notes(problem.note for problem in problems)
        end_run(run, SyncRun.State.PARTIAL if run.failed else SyncRun.State.SUCCEEDED)


def note_finished(run: SyncRun) -> None:
    """What the end of a run means for its rule. In the caller's transaction."""
    now, rule = timezone.now(), SyncRule.objects.filter(pk=run.rule_id)
    if run.whole:
        rule.update(checked_at=now, waived=False, full_at=now, recheck=False)
    else:
        rule.update(checked_at=now, waived=False)
    # A rule that was held, and whose run a person saw through to the end, has nothing to be held
    # for.
    held = rule.filter(state=SyncRule.State.HELD)
    held.update(state=SyncRule.State.ACTIVE, state_reason="")


def set_pace(run: SyncRun) -> None:
    """When the rule looks again: soon while things change, later and later while they are quiet."""
    rule = run.rule
    changed = bool(run.echoes or measure_progress(run) > run.read + run.unchanged or run.failed)
    sharing = SyncRule.objects.filter(sansan_id=rule.sansan_id, state=SyncRule.State.ACTIVE).count()
    calls, seconds = find_allowance(rule.sansan)
    least = afford_pause(calls * 60 / seconds, max(sharing, 1)) if calls else 0.0
    pace = choose_pace(rule.pace, changed, float(rule.interval), least)
    SyncRule.objects.filter(pk=rule.pk).update(
        pace=pace, due_at=timezone.now() + timedelta(seconds=pace)
    )


def is_eventless(run: SyncRun) -> bool:
    """Whether nothing came of a run that nobody asked for."""
    asked = run.trigger in (SyncRun.Trigger.PERSON, SyncRun.Trigger.COMMAND)
    if asked or run.kind != SyncRun.Kind.INCREMENTAL or run.failed or run.echoes:
        return False
    if AuditEntry.objects.filter(run=run).exists():
        return False
    left = Record.objects.filter(rule=run.rule_id, run_id=run.pk, due_at__isnull=False)
    return not left.exists()


def end_run(run: SyncRun, state: str) -> None:
    """In the caller's transaction."""
    run.state, run.ended_at = state, timezone.now()
    run.save(update_fields=["state", "reason", "detail", "reasons", "ended_at"])
    log.info("run_ended", run=run.pk, rule=run.rule.slug, state=str(state), **run.counts)


def find_unseen_cards(desk: Desk) -> None:
    """After a whole read: cards that it did not show.

    Losing sight of many at once is not deletion.
    """
    run = desk.run
    if run.kind != SyncRun.Kind.FULL or not desk.rule.receives:
        return
    cards = Record.objects.filter(rule=desk.rule, side=Side.CARD).exclude(bucket=Bucket.UNSEEN)
    # What somebody has just asked for waits for the next run, which takes it up.
    gone = cards.exclude(run_id=run.pk).exclude(run_id__isnull=True, due_at__isnull=False)
    missing, total = gone.count(), cards.count()
    if missing > FEW_CARDS and missing > total * SHARP_FALL and not desk.rule.waived:
        raise RunHeld("sight_lost", note("sight_lost", n=missing, all=total))
    while rows := [Row(*row) for row in gone.order_by("pk").values_list(*Row._fields)[:500]]:
        record_unseen(desk, rows)
        wake_neighbours(desk, {row.email_key for row in rows}, {row.person_key for row in rows})


def select_due_rules(now: datetime) -> QuerySet[SyncRule]:
    """Active rules of active accounts whose next check has come."""
    return SyncRule.objects.filter(
        Q(due_at__lte=now) | Q(due_at__isnull=True),
        state=SyncRule.State.ACTIVE,
        account__active=True,
    )


def schedule_run(rule: SyncRule, now: datetime) -> SyncRun | None:
    """Starts the rule's next run if it is still due: the conditional UPDATE decides which of two
    ticks was first.
    """
    if not SyncRule.objects.filter(pk=rule.pk, due_at=rule.due_at).update(
        due_at=now + timedelta(seconds=rule.interval)
    ):
        return None
    full = bool(
        rule.full_every and rule.full_at and rule.full_at < now - timedelta(hours=rule.full_every)
    )
    return start_run(rule, SyncRun.Trigger.SCHEDULE, full=full)


def select_unheard_connections() -> QuerySet[Connection]:
    """Connections whose inbox nobody empties: the task that a webhook enqueued was lost."""
    late = ContactChange.objects.filter(heard_at__lt=timezone.now() - LONGEST_UNHEARD).values(
        "connection"
    )
    busy = SyncRun.objects.filter(state__in=SyncRun.OPEN).values("rule__hubspot")
    return Connection.objects.filter(pk__in=late, account__active=True).exclude(pk__in=busy)


def start_heard_runs(connection: Connection) -> list[SyncRun]:
    """A run of each active rule of the connection: what a change means for cards of another rule,
    that rule carries on.
    """
    rules = SyncRule.objects.filter(hubspot=connection, state=SyncRule.State.ACTIVE).select_related(
        "account"
    )
    return [start_run(rule, SyncRun.Trigger.WEBHOOK) for rule in rules]


def claim_overdue_runs(now: datetime) -> list[SyncRun]:
    """Open runs whose next slice is overdue: new ones, waiting ones, and those whose slice was lost
    with its worker.

    Each is claimed for a minute, so that a queue that is full is not filled further.
    """
    overdue = SyncRun.objects.filter(
        state__in=SyncRun.OPEN, next_at__lte=now, rule__account__active=True
    ).order_by("pk")
    return [
        run
        for run in overdue
        if SyncRun.objects.filter(pk=run.pk, next_at=run.next_at).update(next_at=now + CLAIM_LENGTH)
    ]


def find_next_run(hubspot_id: int, but: int) -> SyncRun | None:
    """The run that has waited longest for a HubSpot connection, apart from one."""
    waiting = SyncRun.objects.filter(state__in=SyncRun.OPEN, rule__hubspot_id=hubspot_id).exclude(
        pk=but
    )
    return waiting.order_by("next_at").first()


def wake_run(run_id: int) -> None:
    """Whoever holds the connection passes it on to this run; it was claimed for a minute, which it
    need not wait.
    """
    SyncRun.objects.filter(pk=run_id, state=SyncRun.State.QUEUED).update(next_at=timezone.now())


def refuse_twin(rule: SyncRule) -> None:
    """Raises RunHeld where an older connection to the same HubSpot account is in use: this one must
    not begin to write beside it.
    """
    twin = find_twins(rule.hubspot).filter(pk__lt=rule.hubspot_id).first()
    if twin:
        raise RunHeld("same_portal", note("same_portal", slug=twin.slug))
