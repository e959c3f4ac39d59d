"""The admin's pages over a long history: seconds and queries a page, as an owner of the largest
account and as a superuser.

The history is invented in a database of its own, by a process of its own: Django reads its settings
once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from integration.bench import Say

PROJECT_FOLDER = Path(__file__).resolve().parents[2]

LARGEST_ACCOUNT_SHARE = 0.6  # the largest account's share of the history
ENTRIES_A_PERSON = 8  # entries a person
CONTACT_REMAINDER = 9  # of ten records one is a contact


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--entries", type=int, default=1_000_000, help="audit entries (pages)")
    parser.add_argument(
        "--accounts", type=int, default=500, help="accounts that share them (pages)"
    )
    parser.add_argument(
        "--tries", type=int, default=5, help="times that each page is asked for (pages)"
    )


def run(options: dict[str, Any], say: Say) -> None:
    with tempfile.TemporaryDirectory() as home:
        database = options["database_url"] or f"sqlite:///{Path(home) / 'bench.sqlite3'}"
        environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": database}
        command = [
            sys.executable,
            "-m",
            "integration.bench.pages",
            *(str(options[name]) for name in ("entries", "accounts", "tries")),
        ]
        process = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT_FOLDER, env=environment, stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout or ():
            say(line.rstrip())
        if process.wait():
            raise SystemExit(process.returncode)


def measure_pages(entries: int, accounts: int, tries: int) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.DEBUG, settings.ALLOWED_HOSTS = False, ["testserver"]
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "whitenoise" not in one]
    call_command("migrate", verbosity=0)
    began = time.perf_counter()
    fill_history(entries, accounts)
    print_line(
        f"{entries:,} audit entries of {accounts:,} accounts were written in "
        f"{time.perf_counter() - began:.0f} s."
    )
    print_line(f"{'':58}{'queries':>9}{'median ms':>11}{'most ms':>9}{'kB':>6}")
    for user in ("owner", "superuser"):
        for title, path in list_page_addresses(user):
            print_line(measure_page(user, title, path, tries))


def print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# The history


def fill_history(entries: int, accounts: int) -> None:
    from django.contrib.auth import get_user_model

    from core.models import Account, Membership, Role
    from core.tenancy import in_account

    users = get_user_model().objects
    users.create_superuser("superuser")
    owner = users.create_user("owner", is_staff=True)
    rest = max(accounts - 1, 1)
    for i in range(accounts):
        account = Account.objects.create(slug=f"account-{i}", name=f"Account {i} KK")
        if i == 0:
            Membership.objects.create(user=owner, account=account, role=Role.OWNER)
        with in_account(account):
            fill_account(
                account,
                int(
                    entries
                    * (LARGEST_ACCOUNT_SHARE if i == 0 else (1 - LARGEST_ACCOUNT_SHARE) / rest)
                ),
            )


def fill_account(account: Any, entries: int) -> None:
    from core.bulk import insert_rows
    from integration.models import Connection, Link, SyncRule, SyncRun

    ends = {}
    for system in ("sansan", "hubspot"):
        ends[system] = Connection(account=account, slug=system, system=system, health="ok")
        ends[system].set_secret("pat-bench-0001")
        ends[system].save()
    rules = [
        SyncRule.objects.create(
            account=account, slug=f"cards-{i}", state="active", direction="both", **ends
        )
        for i in range(2)
    ]
    fill_days(rules)
    start = read_clock() - timedelta(days=300)
    made = 0
    while made < entries:
        batch, rule = min(5000, entries - made), rules[made // 5000 % 2]
        run = SyncRun.objects.create(
            account=account,
            rule=rule,
            kind="incremental",
            trigger="schedule",
            state="succeeded",
            read=batch,
            updated=batch,
            started_at=start,
            ended_at=start + timedelta(minutes=1),
        )
        links = [
            Link(account=account, hubspot=ends["hubspot"], contact_id=str(made + i))
            for i in range(batch // ENTRIES_A_PERSON)
        ]
        insert_rows(links)
        people = [invent_record(rule, link, made + i, start) for i, link in enumerate(links)]
        insert_rows(people)
        insert_rows(
            [
                invent_entry(run, people[i % len(people)] if people else None, start, i)
                for i in range(batch)
            ]
        )
        made += batch
        start += timedelta(days=290) * batch / entries


def fill_days(rules: list[Any]) -> None:
    """A month of figures, mappings with their history, and a few sampled cards: what the health and
    set-up pages read.
    """
    from core.history import create_with_history
    from integration.models import DayFigures, FieldMapping, Sample, Tag
    from integration.planning.latency import add_times
    from integration.rules.file import make_default_mappings

    today = read_clock().date()
    for rule in rules:
        create_with_history(
            [
                FieldMapping(account_id=rule.account_id, rule=rule, position=i, **row)
                for i, row in enumerate(make_default_mappings())
            ]
        )
        figures = {
            "created": 40,
            "updated": 400,
            "failed": 3,
            "calls_hubspot": 90,
            "latency": add_times([], [12.0] * 440),
            "slowest": 50.0,
        }
        days = [
            DayFigures(
                account_id=rule.account_id, rule=rule, day=today - timedelta(days=back), **figures
            )
            for back in range(30)
        ]
        DayFigures.objects.bulk_create(days)
    ends = {"account_id": rules[0].account_id, "connection_id": rules[0].sansan_id}
    Tag.objects.bulk_create(
        [
            Tag(external_id=f"T{i}", name=f"展示会{i}", type="shared", cards=i, **ends)
            for i in range(200)
        ]
    )
    Sample.objects.bulk_create(
        [
            Sample(external_id=f"S{i}", values={"lastName": "佐藤"}, read_at=read_clock(), **ends)
            for i in range(12)
        ]
    )


def invent_record(rule: Any, link: Any, n: int, moment: datetime) -> Any:
    from integration.models import Record

    reason = ("in_sync", "older_card", "no_email", "email_taken")[n % 4]
    bucket = {
        "in_sync": "linked",
        "older_card": "merged",
        "no_email": "excluded",
        "email_taken": "failing",
    }[reason]
    ends = {"connection_id": rule.sansan_id}
    if n % 10 == CONTACT_REMAINDER:
        bucket, reason, ends = (
            "linked",
            "has_card",
            {"connection_id": rule.hubspot_id, "side": "contact"},
        )
    return Record(
        account_id=rule.account_id,
        rule=rule,
        external_id=f"{rule.pk:04d}{n:028d}",
        digest="d",
        link=link,
        **ends,
        email_key=f"person{n}@bench.example.jp",
        person_key=f"P{rule.pk}-{n}",
        name=f"{'佐藤鈴木高橋田中'[n % 8]} {n}",
        values={"title": "部長"},
        changed_at=moment,
        read_at=moment,
        bucket=bucket,
        reason=reason,
    )


def invent_entry(run: Any, of: Any, moment: datetime, n: int) -> Any:
    from integration.models import AuditEntry

    decision, reason, outcome = (
        ("update", "card_changed", "succeeded"),
        ("create", "new_person", "succeeded"),
        ("skip", "no_email", "none"),
        ("update", "rejected", "failed"),
    )[0 if n % 50 else n // 50 % 4]
    return AuditEntry(
        account_id=run.account_id,
        run=run,
        rule_id=run.rule_id,
        record_id=of.pk if of else 0,
        card_id=of.external_id if of else "none",
        contact_id=str(n),
        link_key=uuid.uuid4(),
        name=of.name if of else "",
        email=of.email_key if of else "",
        decision=decision,
        reason=reason,
        before={"jobtitle": "課長"},
        after={"jobtitle": "部長"},
        outcome=outcome,
        changed_at=moment,
        read_at=moment,
        planned_at=moment,
        sent_at=moment,
        closed_at=moment,
    )


def read_clock() -> datetime:
    from django.utils import timezone

    return timezone.now()


# The pages


def list_page_addresses(user: str) -> Iterator[tuple[str, str]]:
    from core.models import Account
    from core.tenancy import all_accounts
    from integration.models import AuditEntry, Link, Record, SyncRule, SyncRun

    with all_accounts():
        account = Account.objects.get(slug="account-0")
        rule, run = (
            SyncRule.objects.filter(account=account).first(),
            SyncRun.objects.filter(account=account).order_by("-pk").first(),
        )
        last, record = (
            AuditEntry.objects.filter(account=account).order_by("-pk").first(),
            Record.objects.filter(account=account).first(),
        )
        link = Link.objects.filter(account=account).first()
        far = max(1, min(200, AuditEntry.objects.filter(account=account).count() // 50))
    assert rule and run and last and record and link
    log, week = "/admin/integration/auditentry/", f"{read_clock() - timedelta(days=60):%Y-%m-%d}"
    yield "overview", "/admin/"
    yield "audit log", log
    yield f"audit log, page {far}", f"{log}?p={far}"
    yield "audit log, outcome failed", f"{log}?outcome__exact=failed"
    yield "audit log, reason rejected", f"{log}?reason=rejected"
    yield "audit log, a reason that nothing has", f"{log}?reason=read_only"
    yield "audit log, one run", f"{log}?run={run.pk}"
    yield "audit log, one rule", f"{log}?rule={rule.pk}"
    yield "audit log, one rule, failed", f"{log}?rule={rule.pk}&outcome__exact=failed"
    yield "audit log, from a day on", f"{log}?day_from={week}"
    yield "audit log, an e-mail", f"{log}?q={record.email_key}"
    yield "audit log, a card", f"{log}?q={record.external_id}"
    yield "audit log, a name", f"{log}?q={record.name}"
    yield "audit log, nobody", f"{log}?q=nobody@bench.example.jp"
    yield "audit entry", f"{log}{last.pk}/change/"
    yield "records", "/admin/integration/record/"
    yield "records, failing", "/admin/integration/record/?bucket=failing"
    yield "record", f"/admin/integration/record/{record.pk}/change/"
    yield "links", "/admin/integration/link/"
    yield "link", f"/admin/integration/link/{link.pk}/change/"
    yield "runs", "/admin/integration/syncrun/"
    yield "run", f"/admin/integration/syncrun/{run.pk}/change/"
    yield "rules", "/admin/integration/syncrule/"
    yield "rule", f"/admin/integration/syncrule/{rule.pk}/change/"
    health, setup = (
        f"/admin/integration/syncrule/{rule.pk}/health/",
        f"/admin/integration/syncrule/{rule.pk}/setup",
    )
    yield "health", health
    yield "health, in sync", f"{health}?stand=linked"
    yield "health, excluded, one reason", f"{health}?stand=excluded&reason=no_email"
    yield "health, contacts to cards", f"{health}?side=contact"
    yield "health, a name", f"{health}?q={record.name}"
    yield "set-up: connect", f"{setup}/connect/"
    yield "set-up: tags", f"{setup}/tags/"
    yield "set-up: configure", f"{setup}/configure/"
    yield "set-up: limit", f"{setup}/limit/"
    yield "set-up: review", f"{setup}/review/"
    yield "history", "/admin/integration/syncrule/history/"
    more = {
        "account": f"core/account/{account.pk}/change",
        "accounts": "core/account",
        "connections": "integration/connection",
        "connection": f"integration/connection/{rule.hubspot_id}/change",
        "members": "core/membership",
        "invitations": "core/invitation",
    }
    yield from ((title, f"/admin/{path}/") for title, path in more.items())


def measure_page(user: str, title: str, path: str, tries: int) -> str:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(get_user_model().objects.get(username=user))
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(path, secure=True)
    queries = len(seen)  # now: the next request empties the log
    if answer.status_code != 200:
        return f"{user + ': ' + title:58} answered {answer.status_code}"
    took = []
    for _ in range(tries):
        began = time.perf_counter()
        client.get(path, secure=True)
        took.append((time.perf_counter() - began) * 1000)
    median, slowest = statistics.median(took), max(took)
    kilobytes = len(answer.content) / 1000
    return f"{user + ': ' + title:58}{queries:>9}{median:>11.0f}{slowest:>9.0f}{kilobytes:>6.0f}"


if __name__ == "__main__":
    measure_pages(*map(int, sys.argv[1:4]))
