"""Two customers with every kind of row.

Each text and each number of theirs gives its owner away.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection
from django.db.models import Model
from django.utils import timezone, translation
from django_q.models import Failure, OrmQ, Schedule
from django_q.signing import SignedPackage

from core.history import give_reason
from core.models import Account, Departure, Invitation, Membership, Role, User
from core.models.invitation import digest_token
from core.tenancy import in_account
from integration.models import (
    AuditEntry,
    Connection,
    DayFigures,
    FieldMapping,
    Heartbeat,
    Link,
    Record,
    Sample,
    SyncRule,
    SyncRun,
    Tag,
)
from integration.planning.latency import add_times
from tests.cast import member
from tests.core import rows

# In every free text: a page that forgets to escape one of them shows it.
MARKUP = "<script>made()</script>"
SECRET = "pat-{}-very-secret-7Q"
# What belongs to no account, though it names the ids of its rows for a few days.
QUEUE_TABLES = {"django_q_ormq", "django_q_task", "django_q_schedule"}
FIRST = {"acme": 5_500_000, "birch": 7_700_000}


@dataclass(frozen=True)
class Furnished:
    """What furnishing an account wrote, statement by statement, what it gave, and when it was
    done.
    """

    own: SimpleNamespace
    writes: list[tuple[str, Any]]
    at: datetime


FURNISHED: dict[Any, Furnished] = {}


def furnish(slug: str, owner: str) -> SimpleNamespace:
    """An account with an owner and one or more rows of every model.

    Nearly every test of a page begins with it, so it is made once in a process (30 ms) and then
    written again as it was (5 ms), with the times that it would have by now. On PostgreSQL, where
    numbers once given out do not come back, it is made anew.
    """
    if connection.vendor != "sqlite":
        return furnish_anew(slug, owner)
    with connection.cursor() as cursor:
        # The numbers that the rows will get, which others among the rows will name.
        cursor.execute("SELECT name, seq FROM sqlite_sequence ORDER BY name")
        of = (slug, owner, translation.get_language(), *settings.FERNET_KEYS, *cursor.fetchall())
    if of not in FURNISHED:
        FURNISHED[of] = furnish_and_note(slug, owner)
        return copy.deepcopy(FURNISHED[of].own)
    kept, now = FURNISHED[of], timezone.now()
    with connection.cursor() as cursor:
        for sql, params in kept.writes:
            cursor.execute(sql, [move_text(value, kept.at, now) for value in params])
    own = copy.deepcopy(kept.own)
    for row in list_rows(own):
        for name, value in vars(row).items() if isinstance(row, Model) else ():
            row.__dict__[name] = move_time(value, kept.at, now)
    return own


def furnish_and_note(slug: str, owner: str) -> Furnished:
    writes: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            assert not many
            writes.append((sql, tuple(params)))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        own = furnish_anew(slug, owner)
    return Furnished(copy.deepcopy(own), writes, timezone.now())


def move_time(value: Any, since: datetime, now: datetime) -> Any:
    """A time of about when the account was made, or the very day, as it would be now.

    ``since`` is when it was finished: no row is of a time that is yet to come, so that what a test
    does next is newer.
    """
    if isinstance(value, datetime):
        near = abs(value - since) < timedelta(days=30)
        return value + (now - since) if near else value
    return now.date() if value == since.date() and isinstance(value, date) else value


def move_text(value: Any, since: datetime, now: datetime) -> Any:
    """The same of what SQLite has for times: texts, without a zone."""
    if not isinstance(value, str) or len(value) not in (10, 19, 26) or value[4] != "-":
        return value
    try:
        if len(value) == 10:
            return str(move_time(date.fromisoformat(value), since, now))
        told = datetime.fromisoformat(value).replace(tzinfo=since.tzinfo)
        return str(move_time(told, since, now).replace(tzinfo=None))
    except ValueError:
        return value


def list_rows(own: SimpleNamespace) -> list[Any]:
    return [
        row
        for value in vars(own).values()
        for row in (value if isinstance(value, list) else [value])
    ]


def furnish_anew(slug: str, owner: str) -> SimpleNamespace:
    """Its ids are its own, too: 55xxxxx or 77xxxxx."""
    ids = iter(range(FIRST[slug] + 1000, FIRST[slug] + 99_000, 1000))
    account = rows.account(slug, pk=next(ids))
    Account.objects.filter(pk=account.pk).update(name=f"{slug.title()} KK {MARKUP}")
    account.refresh_from_db()
    own = SimpleNamespace(slug=slug, account=account)
    own.owner = User.objects.create_user(
        owner, f"{owner}@{slug}.example.jp", is_staff=True, pk=next(ids)
    )
    own.membership = Membership.objects.create(
        pk=next(ids), user=own.owner, account=account, role=Role.OWNER
    )
    own.colleague = member(f"{slug}-colleague", account, Role.EDITOR)
    # Of the platform, and nobody's: its text says whose test made it.
    own.heartbeat = Heartbeat.objects.create(
        pk=next(ids), host=f"{slug}-host", beat_at=timezone.now()
    )
    former = {
        "slug": f"{slug}-former",
        "name": f"{slug} former {MARKUP}",
        "asked_by": f"{slug}-staff",
        "reason": f"{slug} left {MARKUP}",
    }
    own.departure = Departure.objects.create(
        pk=next(ids), asked_at=timezone.now(), counts={"integration_record": 7}, **former
    )
    guest = {
        "email": f"guest@{slug}.example.jp",
        "invited_by": owner,
        "token_digest": digest_token(f"{slug}-token"),
    }
    own.invitation = Invitation.objects.create(pk=next(ids), account=account, **guest)
    seen = {
        "health": "ok",
        "health_detail": f"{slug} sees it {MARKUP}",
        "remote_id": f"{slug}-portal",
        "tested_at": timezone.now(),
    }
    first = next(ids)
    own.sansan = rows.connection(
        account, "sansan", SECRET.format(slug), pk=first, slug=f"{slug}-sansan"
    )
    own.hubspot = rows.connection(
        account, "hubspot", SECRET.format(slug), pk=first + 1, slug=f"{slug}-hubspot"
    )
    # Bound to nothing: this one may be deleted.
    own.spare = rows.connection(
        account, "hubspot", SECRET.format(slug), pk=first + 2, slug=f"{slug}-spare"
    )
    with in_account(account):
        Connection.objects.filter(pk__in=(first, first + 1)).update(**seen)
        Connection.objects.filter(pk=first).update(
            cards=4321, surveyed_at=timezone.now(), remote_name=f"{slug} key {MARKUP}"
        )
        furnish_sync(own, ids)
        furnish_history(own, ids)
    furnish_queue(own, ids)
    listed = list_rows(own)
    own.ids = {
        row.pk
        for row in listed
        if isinstance(row, Model) and isinstance(row.pk, int) and row.pk >= FIRST[slug]
    } | set(own.ids_gone)
    # PostgreSQL numbers on from the last row that it has numbered itself: what a test makes must be
    # newer than this.
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(
            no_style(), sorted({type(row) for row in listed if isinstance(row, Model)}, key=str)
        ):
            cursor.execute(statement)
    return own


def furnish_sync(own: SimpleNamespace, ids: Any) -> None:
    account, slug, now, first = own.account, own.slug, timezone.now(), next(ids)
    own.tags = [
        Tag.objects.create(
            pk=first + n,
            account=account,
            connection=own.sansan,
            external_id=f"{slug}-T{n}",
            name=f"{slug} {type} {MARKUP}",
            type=type,
            cards=n,
        )
        for n, type in enumerate(("public", "shared", "private"))
    ]
    filters = {
        "cards": [{"field": "companyName", "op": "not_equals", "value": f"{slug} itself"}],
        "contacts": [],
    }
    bound = {"account": account, "sansan": own.sansan, "hubspot": own.hubspot, "filters": filters}
    first = next(ids)
    own.rule = SyncRule.objects.create(
        pk=first,
        slug=f"{slug}-cards",
        state="active",
        cursor=now,
        full_at=now,
        checked_at=now,
        **bound,
    )
    own.draft = SyncRule.objects.create(pk=first + 1, slug=f"{slug}-draft", **bound)
    first = next(ids)
    own.mappings = [
        FieldMapping.objects.create(
            pk=first + n, account=account, rule=own.rule, sansan=sansan, hubspot=hubspot, position=n
        )
        for n, (sansan, hubspot) in enumerate(
            (("title", "jobtitle"), ("memo", f"{slug}_memo"), ("companyName", "company"))
        )
    ]
    first, at = (
        next(ids),
        {"started_at": now - timedelta(minutes=2), "ended_at": now, "read_done": True},
    )
    told = {
        "reason": "sansan_unavailable",
        "detail": f"{slug} was told {MARKUP}",
        "reasons": {"in_sync": 1, "_sum": 1},
    }
    of = {
        "account": account,
        "rule": own.rule,
        "kind": "full",
        "trigger": "person",
        "started_by": own.owner.username,
    }
    own.run = SyncRun.objects.create(
        pk=first, state="succeeded", read=3, updated=1, unchanged=1, failed=1, **told, **of, **at
    )
    own.open_run = SyncRun.objects.create(pk=first + 1, state="running", read=5, created=2, **of)
    own.link = Link.objects.create(
        pk=next(ids),
        account=account,
        hubspot=own.hubspot,
        contact_id=f"{slug}-contact",
        written={"jobtitle": f"{slug} title"},
    )
    first = next(ids)
    person = {
        "name": f"{slug} person {MARKUP}",
        "values": {"title": f"{slug} title {MARKUP}"},
        "tags": [f"{slug}-T0"],
        "person_key": f"{slug}-P1",
        "exchanged_on": date(2026, 3, 1),
        "detail": f"{slug} was seen {MARKUP}",
    }
    own.record = rows.record(
        own.rule,
        f"{slug}-C1",
        pk=first,
        email_key=f"one@{slug}.example.jp",
        bucket="linked",
        reason="in_sync",
        link=own.link,
        **person,
    )
    own.failing = rows.record(
        own.rule,
        f"{slug}-C2",
        pk=first + 1,
        email_key=f"two@{slug}.example.jp",
        bucket="failing",
        reason="email_taken",
        due_at=now,
        **person,
    )
    said = {
        "why": f"{slug} asked not to {MARKUP}",
        "by": own.owner.username,
        "at": "2026-03-01T09:00:00+00:00",
    }
    own.barred = rows.record(
        own.rule,
        f"{slug}-C3",
        pk=first + 2,
        bucket="excluded",
        reason="never_sync",
        barred=said,
        **person,
    )
    card = {"lastName": f"{slug} sampled", "firstName": MARKUP, "title": f"{slug} chief {MARKUP}"}
    own.sample = Sample.objects.create(
        pk=next(ids),
        account=account,
        connection=own.sansan,
        external_id=f"{slug}-S1",
        values=card,
        tags=[f"{slug}-T0"],
        read_at=now,
    )
    day = {
        "created": 12,
        "calls_hubspot": 34,
        "latency": add_times((), (3, 4, 5.5)),
        "slowest": 5.5,
    }
    own.figures = DayFigures.objects.create(
        pk=next(ids), account=account, rule=own.rule, day=now.date(), **day
    )
    own.entry = entry(own.run, own.record, pk=next(ids), detail=f"{slug} was written {MARKUP}")
    LogEntry.objects.log_actions(
        own.owner.pk, [own.rule], CHANGE, change_message=f"{slug} changed it", single_object=True
    )


def furnish_history(own: SimpleNamespace, ids: Any) -> None:
    """What the owner changed, and why; some of it is gone by now."""
    account, slug, first = own.account, own.slug, next(ids)
    gone = [
        rows.connection(account, "hubspot", SECRET.format(slug), pk=first, slug=f"{slug}-gone"),
        Tag.objects.create(
            pk=first + 200,
            account=account,
            connection=own.sansan,
            external_id=f"{slug}-T9",
            name=f"{slug} gone {MARKUP}",
            type="public",
        ),
        FieldMapping.objects.create(
            pk=first + 400, account=account, rule=own.draft, sansan="memo", hubspot=f"{slug}_gone"
        ),
    ]
    own.ids_gone = [row.pk for row in gone]
    for row in gone:
        give_reason(row, f"{slug} no longer needs it {MARKUP}").delete()
    give_reason(own.hubspot, f"{slug} has a new key {MARKUP}").save(update_fields=["hint"])
    for model in (Connection, Tag, FieldMapping, SyncRule):
        model.history.filter(account=account).update(who=own.owner.username, history_user=own.owner)
    Account.history.filter(id=account.pk).update(who=own.owner.username, history_user=own.owner)


def furnish_queue(own: SimpleNamespace, ids: Any) -> None:
    """What the queue keeps of the account's tasks.

    It waits under a name that no worker asks for.
    """
    now, slug, args = timezone.now(), own.slug, (own.account.pk, own.run.pk)
    task = {
        "id": f"{slug}-task",
        "name": f"{slug}-task",
        "func": "integration.tasks.work",
        "args": args,
        "kwargs": {},
    }
    own.queued = OrmQ.objects.create(
        pk=next(ids), key=f"{slug}-queue", payload=SignedPackage.dumps(task), lock=now
    )
    own.failed = Failure.objects.create(
        **task,
        started=now,
        stopped=now,
        success=False,
        result=f"{slug} broke {MARKUP} : Traceback of {slug}",
    )
    own.scheduled = Schedule.objects.create(
        pk=next(ids),
        func=f"integration.tasks.{slug}",
        schedule_type="C",
        cron="0 0 1 1 *",
        next_run=now + timedelta(days=9),
    )


def entry(run: SyncRun, record: Record, **values: Any) -> AuditEntry:
    """A closed entry that wrote a title, unless ``values`` say otherwise."""
    slug, now = record.account.slug, timezone.now()
    said = {
        "name": record.name,
        "email": record.email_key,
        "contact_id": f"{slug}-contact",
        "link_key": record.link.key if record.link else None,
        "decision": "update",
        "reason": "card_changed",
        "outcome": "succeeded",
        "before": {"jobtitle": f"{slug} before {MARKUP}"},
        "after": {"jobtitle": f"{slug} after {MARKUP}"},
        "origin": {"jobtitle": record.external_id},
        "changed_at": now - timedelta(seconds=30),
        "read_at": now - timedelta(seconds=9),
        "planned_at": now - timedelta(seconds=8),
        "sent_at": now - timedelta(seconds=7),
        "closed_at": now,
    } | values
    with in_account(record.account):
        return AuditEntry.objects.create(
            account=record.account,
            run=run,
            rule=record.rule,
            record_id=record.pk,
            card_id=record.external_id,
            **said,
        )


def rows_of(own: SimpleNamespace) -> list[Any]:
    """A row of each model that has pages, and both kinds of connection."""
    return [
        own.account,
        own.membership,
        own.owner,
        own.heartbeat,
        own.queued,
        own.failed,
        own.scheduled,
        own.sansan,
        own.hubspot,
        own.tags[0],
        own.rule,
        own.draft,
        own.run,
        own.link,
        own.record,
        own.barred,
        own.entry,
        own.invitation,
        own.departure,
    ]


def marks(own: SimpleNamespace) -> re.Pattern[str]:
    """Whatever belongs to the customer: their texts, their people, their ids.

    Each alternative begins with its own sign, so that a page is looked through at once; behind a
    common ``\\b`` it takes seven times as long.
    """
    owner, slug = own.owner.username, own.slug
    whole = [
        rf"{word}(?<!\w.{{{len(word)}}})\b" for word in (owner, owner.title(), *map(str, own.ids))
    ]
    return re.compile("|".join([slug, slug.title(), slug.upper(), str(own.link.key), *whole]))


def team(own: SimpleNamespace, name: str, role: str) -> User:
    return member(name, own.account, role)


def joins(user: User, own: SimpleNamespace | Account, role: str) -> Membership:
    return Membership.objects.create(
        user=user, account=own if isinstance(own, Account) else own.account, role=role
    )


def content_type(row: Any) -> int:
    return ContentType.objects.get_for_model(row).pk
