"""The only file that knows django-q2. A task takes ids, opens the scope, makes one call."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.cluster import Cluster
from django_q.models import Schedule, Task
from django_q.tasks import async_task

from core.models import Account, Departure
from core.tenancy import all_accounts, in_account
from integration.connections.check import ask_vendor
from integration.connections.survey import (
    begin_survey,
    forget_sample_refusal,
    is_survey_wanted,
    take_sample,
    work_survey_slice,
)
from integration.connectors.base import ConnectorError
from integration.leaving.erase import erase_piece
from integration.leaving.retention import ENTRIES_A_DELETE, sweep_history
from integration.models import Connection, Heartbeat, SyncRule, SyncRun
from integration.runs import (
    claim_overdue_runs,
    find_next_run,
    schedule_run,
    select_due_rules,
    select_unheard_connections,
    start_heard_runs,
    start_run,
    wake_run,
    work_slice,
)

log = structlog.get_logger()

# Longer pauses of a run are left to the tick, so that no worker sits them out.
SHORT_WAIT = 2.0
FAILURES_KEPT = timedelta(days=3)
# The cluster looks for due schedules every 30 s; one row that is always due by then is the whole
# timetable.
EVERY_SWEEP = "* * * * * */10"


def enqueue_task(task: str, *args: object) -> None:
    """After the commit, so that no worker looks for what is not there yet.

    Arguments are ids: they are stored in the clear.
    """
    transaction.on_commit(partial(async_task, f"integration.tasks.{task}", *args))


def enqueue_sync(rule: SyncRule, who: str, full: bool = False, preview: bool = False) -> SyncRun:
    """A run that a person asked for; the open one if there is one."""
    run = start_run(rule, SyncRun.Trigger.PERSON, who=who, full=full, preview=preview)
    enqueue_task("work", run.account_id, run.pk)
    return run


def enqueue_check(connection: Connection) -> None:
    enqueue_task("check", connection.account_id, connection.pk)


def enqueue_survey(connection: Connection) -> None:
    """Counts what the key sees; the page that waits follows ``connection.survey``."""
    begin_survey(connection)
    enqueue_task("count_cards", connection.account_id, connection.pk)


def enqueue_survey_where_wanted(connection: Connection) -> None:
    if is_survey_wanted(connection):
        enqueue_survey(connection)


def enqueue_sample(connection: Connection, card_id: str) -> None:
    forget_sample_refusal(connection)
    enqueue_task("sample", connection.account_id, connection.pk, card_id)


def enqueue_departure(departure: Departure, account: Account) -> None:
    enqueue_task("depart", departure.pk, account.pk)


def enqueue_tags(connection: Connection) -> None:
    enqueue_task("tags", connection.account_id, connection.pk)


def enqueue_heard_changes(connection: Connection) -> None:
    enqueue_task("heard", connection.account_id, connection.pk)


def heard(account_id: int, connection_id: int) -> None:
    """Something changed in HubSpot: the rules of the connection look at once.

    A run that is open takes it along.
    """
    move_heartbeat()
    connection = load_connection(account_id, connection_id)
    if connection is None:
        return
    with in_account(connection.account):
        for run in start_heard_runs(connection):
            enqueue_task("work", run.account_id, run.pk)


def work(account_id: int, run_id: int) -> None:
    """One slice, and the next one behind everything else that waits: long runs share the workers
    with short ones.
    """
    move_heartbeat()
    account = Account.objects.filter(pk=account_id, active=True).first()
    if account is None:
        # A run of an account that is switched off stays open: the tick takes it up when the account
        # is on again.
        return
    with in_account(account):
        run = SyncRun.objects.select_related("rule").filter(pk=run_id).first()
        if run is None:
            return  # a quiet poll, which another task has ended
        step = work_slice(run_id, settings.SYNC_SLICE_SECONDS)
        if step.busy:
            wake_run(run_id)
            return
        if not step.done and step.wait <= SHORT_WAIT:
            enqueue_task("work", account_id, run_id)
        waiting = find_next_run(run.rule.hubspot_id, but=run_id)
        if waiting and waiting.next_at <= timezone.now() + timedelta(seconds=SHORT_WAIT):
            enqueue_task("work", account_id, waiting.pk)


def check(account_id: int, connection_id: int) -> None:
    move_heartbeat()
    connection = load_connection(account_id, connection_id, suspended=True)
    if connection is None:
        return
    with in_account(connection.account):
        store = ask_vendor(connection)
        # In one transaction: a page that follows the test must not see a key that works before its
        # count has begun.
        with transaction.atomic():
            store()
            enqueue_survey_where_wanted(connection)


def count_cards(account_id: int, connection_id: int) -> None:
    """A slice of a survey, and the next one."""
    move_heartbeat()
    connection = load_connection(account_id, connection_id)
    if connection is None:
        return
    with in_account(connection.account):
        wait = work_survey_slice(connection, settings.SYNC_SLICE_SECONDS)
        if wait is not None:
            time.sleep(min(wait, SHORT_WAIT))
            enqueue_task("count_cards", account_id, connection_id)


def sample(account_id: int, connection_id: int, card_id: str) -> None:
    move_heartbeat()
    connection = load_connection(account_id, connection_id)
    if connection is None:
        return
    with in_account(connection.account):
        try:
            take_sample(connection, card_id)
        except ConnectorError as error:
            log.warning("no_sample", connection=connection_id, why=error.detail)


def depart(departure_id: int, account_id: int) -> None:
    """A piece of the deletion of an account, and the next one.

    A worker that still wrote for it is waited for.
    """
    move_heartbeat()
    account, departure = (
        Account.objects.filter(pk=account_id).first(),
        Departure.objects.filter(pk=departure_id).first(),
    )
    if departure is None or departure.ended_at or account is None:
        return
    try:
        with all_accounts():
            done = erase_piece(departure, account, settings.SYNC_SLICE_SECONDS)
    except IntegrityError:
        done = False
    if not done:
        enqueue_task("depart", departure_id, account_id)


def load_connection(
    account_id: int, connection_id: int, suspended: bool = False
) -> Connection | None:
    """None where it is gone, or where its account is suspended; a key may be tested all the same
    (``suspended``).
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None or not (account.active or suspended):
        return None
    with in_account(account):
        return Connection.objects.select_related("account").filter(pk=connection_id).first()


def tags(account_id: int, connection_id: int) -> None:
    """The check reads the tags too, and says what went wrong where they cannot be read."""
    check(account_id, connection_id)


def tick() -> None:
    """Every half minute, on one worker of one host: starts what is due, picks up what was lost, and
    proves that work is done.
    """
    now = timezone.now()
    move_heartbeat(ticked_at=now)
    start_due_runs()
    with all_accounts():
        sweep_history(now)
    for account in Account.objects.filter(leaving_at__isnull=False):
        # What a crash lost. Pieces that meet delete no row twice.
        for departure in Departure.objects.filter(slug=account.slug, ended_at__isnull=True):
            enqueue_departure(departure, account)
    sweep_queue(now)


def start_due_runs() -> None:
    """Starts what is due and takes up what was lost.

    Asked for every few seconds by each host's watchdog, besides the tick.
    """
    now = timezone.now()
    with all_accounts():
        due = list(select_due_rules(now).select_related("account"))
        unheard = list(select_unheard_connections().select_related("account"))
    for rule in due:
        with in_account(rule.account):
            schedule_run(rule, now)
    for connection in unheard:
        with in_account(connection.account):
            start_heard_runs(connection)
    with all_accounts():
        for run in claim_overdue_runs(timezone.now()):
            enqueue_task("work", run.account_id, run.pk)


def sweep_queue(now: datetime) -> None:
    """The queue keeps for ever what failed; after some days it helps nobody to find out why."""
    old = (
        Task.objects.filter(stopped__lt=now - FAILURES_KEPT).order_by().values_list("pk", flat=True)
    )
    Task.objects.filter(pk__in=list(old[:ENTRIES_A_DELETE])).delete()


def move_heartbeat(**also: object) -> None:
    """Moves this host's heartbeat: a worker did something."""
    Heartbeat.objects.update_or_create(
        host=socket.gethostname(), defaults={"beat_at": timezone.now(), **also}
    )


def is_stuck(seconds: float) -> bool:
    """Whether tasks wait although no worker of this host has done anything for a while: a cluster
    can stop dead and look alive.
    """
    heartbeat = Heartbeat.objects.filter(host=socket.gethostname()).first()
    quiet = heartbeat is None or heartbeat.beat_at < timezone.now() - timedelta(seconds=seconds)
    return quiet and get_broker().queue_size() > 0


def ensure_tick() -> None:
    """The one schedule, and a tick right now: the first sweep comes only after half a minute."""
    row = {
        "func": "integration.tasks.tick",
        "schedule_type": Schedule.CRON,
        "cron": EVERY_SWEEP,
        "repeats": -1,
        "args": None,
        "kwargs": None,
    }
    with transaction.atomic():
        # Two hosts that start together may both have made one: nothing in the queue's table keeps
        # the name unique.
        ours = list(
            Schedule.objects.filter(name="tick").order_by("pk").values_list("pk", flat=True)
        )
        Schedule.objects.filter(pk__in=ours[1:]).delete()
        Schedule.objects.update_or_create(
            pk=ours[0] if ours else None, defaults={"name": "tick", **row}
        )
    async_task("integration.tasks.tick")


def run_cluster() -> None:
    """Works off the queue until SIGTERM.

    Run it under core/supervisor.py, which sees to it that it does.
    """
    Cluster().start()
