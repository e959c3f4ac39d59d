"""An account leaves: its archive is whole and its own, its credentials are gone, and its erasure
may be killed at any moment.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Generator
from hashlib import sha256
from typing import Any

import pytest
import yaml
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_scopes import get_scope

from core.bulk import insert_rows
from core.history import Frozen, give_reason
from core.models import Account, Departure, Invitation, Membership, User
from core.tenancy import all_accounts, in_account
from integration.leaving.archive import COLUMNS_LEFT_OUT, SHEETS, write_archive
from integration.leaving.erase import (
    delete_rows_silently,
    destroy_credentials,
    erase_chunk,
    erase_piece,
    find_account_column,
    list_owned_models,
    list_parents,
    note_erased,
)
from integration.leaving.sheet import FORMULA_STARTS
from integration.models import (
    AuditEntry,
    Company,
    Connection,
    ContactChange,
    DayFigures,
    Link,
    RateSlot,
    Record,
    Sample,
    SyncRun,
    Tag,
)
from tests.admin.world import QUEUE_TABLES, SECRET, entry, furnish
from tests.cast import member
from tests.core import rows

pytestmark = pytest.mark.django_db
NAMES = {
    "configuration.yaml",
    "history.csv",
    "members.csv",
    "records.csv",
    "links.csv",
    "audit.csv",
    "runs.csv",
    "figures.csv",
    "tags.csv",
}


def world(slug: str, owner: str) -> Any:
    """An account with a row in every table that belongs to accounts."""
    own = furnish(slug, owner)
    account, now = own.account, timezone.now()
    with in_account(account):
        RateSlot.objects.get_or_create(account=account, connection=own.hubspot)
        Company.objects.get_or_create(
            account=account, connection=own.hubspot, key=f"{slug}.example.jp"
        )
        ContactChange.objects.get_or_create(
            account=account, connection=own.hubspot, contact_id="7", changed_at=now, heard_at=now
        )
        Sample.objects.get_or_create(
            account=account,
            connection=own.sansan,
            external_id=f"{slug}-C7",
            defaults={"read_at": now},
        )
        DayFigures.objects.get_or_create(
            account=account,
            rule=own.rule,
            day=now.date(),
            defaults={"created": 3, "latency": [1, 2]},
        )
        own.rule.interval = 77
        give_reason(own.rule, f"{slug} wants it slower").save()
        own.spare_key = own.spare.pk
        LogEntry.objects.log_actions(
            own.owner.pk,
            [own.spare],
            CHANGE,
            change_message=f"{slug} changed what is gone",
            single_object=True,
        )
        own.spare.delete()
    Invitation.objects.get_or_create(
        account=account, email=f"new@{slug}.example.jp", defaults={"token_digest": slug}
    )
    return own


@pytest.fixture
def acme():
    return world("acme", "aiko")


@pytest.fixture
def birch():
    return world("birch", "chie")


def leave(account: Account) -> Departure:
    Account.objects.filter(pk=account.pk).update(leaving_at=timezone.now())
    account.refresh_from_db()
    return Departure.objects.create(
        slug=account.slug, name=account.name, asked_by="aiko", asked_at=timezone.now()
    )


def unzipped(account: Account) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(b"".join(write_archive(account)))) as bundle:
        assert bundle.testzip() is None
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


def lines(content: str) -> list[dict[str, str]]:
    assert content.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(content[1:], newline="")))


def held(account: Account) -> dict[str, list[Any]]:
    """Table -> the account's rows, whole."""
    return {
        model._meta.db_table: list(
            model._base_manager.filter(**{column: account.pk}).order_by("pk").values()
        )
        for model, column in list_owned_models()
    }


def counted(account: Account) -> dict[str, int]:
    return {table: len(some) for table, some in held(account).items() if some}


def told_by_admin(slug: str) -> int:
    return LogEntry.objects.filter(change_message__startswith=slug).count()


# The archive


def test_the_archive_is_whole(acme, birch):
    found = unzipped(acme.account)
    assert set(found) == NAMES
    for name, model in {**SHEETS, "members.csv": Membership}.items():
        sheet = lines(found[name])
        assert len(sheet) == model._base_manager.filter(account=acme.account).count() > 0, name
        if model is not Membership:
            assert [row["id"] for row in sheet] == [
                str(key)
                for key in model._base_manager.filter(account=acme.account)
                .order_by("pk")
                .values_list("pk", flat=True)
            ]
            assert (
                set(sheet[0])
                == {field.name for field in model._meta.concrete_fields} - COLUMNS_LEFT_OUT
            )
    record = lines(found["records.csv"])[0]
    assert (record["external_id"], record["rule"], record["connection"], record["link"]) == (
        "acme-C1",
        "acme-cards",
        "acme-sansan",
        str(acme.link.key),
    )
    assert (json.loads(record["values"])["title"], json.loads(record["tags"])) == (
        acme.record.values["title"],
        ["acme-T0"],
    )
    audit = lines(found["audit.csv"])[0]
    assert (audit["rule"], audit["run"], audit["record_id"]) == (
        "acme-cards",
        str(acme.run.pk),
        str(acme.record.pk),
    )
    assert json.loads(audit["after"]) == acme.entry.after and audit["closed_at"].endswith("+09:00")
    assert json.loads(lines(found["figures.csv"])[0]["latency"]) is not None
    assert {
        (row["username"], row["email"], row["role"]) for row in lines(found["members.csv"])
    } >= {("aiko", "aiko@acme.example.jp", "owner")}


def test_its_configuration_can_be_read_again(acme):
    content = yaml.safe_load(unzipped(acme.account)["configuration.yaml"])
    assert content["account"]["slug"] == "acme" and {rule["slug"] for rule in content["rules"]} == {
        "acme-cards",
        "acme-draft",
    }
    assert all(
        re.fullmatch(r"\$\{\w+\}", value)
        for one in content["connections"]
        for value in one["credentials"].values()
    )


def test_its_history_tells_who_did_what_and_why(acme, birch):
    told = lines(unzipped(acme.account)["history.csv"])
    assert len(told) == sum(
        len(some) for table, some in held(acme.account).items() if "historical" in table
    )
    assert {row["object"] for row in told} == {
        "account",
        "membership",
        "connection",
        "syncrule",
        "fieldmapping",
        "tag",
    }
    [slower] = [row for row in told if row["reason"] == "acme wants it slower"]
    assert (slower["object"], slower["id"], slower["type"]) == (
        "syncrule",
        str(acme.rule.pk),
        "changed",
    )
    assert json.loads(slower["fields"])["interval"] == 77
    assert [
        row["type"]
        for row in told
        if row["id"] == str(acme.spare_key) and row["object"] == "connection"
    ][-1] == "deleted"
    assert any(
        json.loads(row["fields"])["user__username"] == "aiko"
        for row in told
        if row["object"] == "membership"
    )


def test_nothing_of_another_account_is_in_it(acme, birch):
    both = User.objects.create_user("dai", "dai@example.jp")
    Membership.objects.create(user=both, account=acme.account)
    Membership.objects.create(user=both, account=birch.account)
    for own, other in ((acme, birch), (birch, acme)):
        content = "\n".join(unzipped(own.account).values())
        assert (
            own.slug in content
            and other.slug not in content.lower()
            and other.owner.username not in content
        )


def test_no_secret_is_in_it(acme):
    content = "\n".join(unzipped(acme.account).values())
    tokens = [bytes(token).decode() for token in raw_credentials()]
    assert tokens and not [token for token in tokens if token in content]
    assert (
        SECRET.format("acme") not in content
        and "gAAAA" not in content
        and 'credentials"' not in content
    )
    hashed = acme.colleague.password
    assert hashed.startswith("md5$") and hashed not in content and "md5$" not in content
    assert acme.owner.password not in content.split()


def raw_credentials(account: Account | None = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credentials FROM integration_connection "
            f"{'' if account is None else f'WHERE account_id = {account.pk}'} ORDER BY id"
        )
        return [token for (token,) in cursor.fetchall()]


def test_no_cell_is_a_formula_and_japanese_stays_as_it_is(acme):
    bad = '=HYPERLINK("http://example.com")'
    with in_account(acme.account):
        Record.objects.filter(pk=acme.record.pk).update(name=bad, detail="株式会社さくら、渡邉")
        Link.objects.filter(pk=acme.link.pk).update(contact_id="+1")
        SyncRun.objects.filter(pk=acme.run.pk).update(detail="-1", started_by="@aiko")
        Tag.objects.filter(pk=acme.tags[0].pk).update(name="\t=1+1")
        give_reason(acme.rule, "=1+1").save()
    User.objects.filter(pk=acme.owner.pk).update(first_name="=愛子")
    entry(acme.run, acme.record, name=bad, detail="", email="@x")
    found = unzipped(acme.account)
    sheets = {name: lines(content) for name, content in found.items() if name.endswith(".csv")}
    assert not [
        value
        for sheet in sheets.values()
        for row in sheet
        for value in row.values()
        if value.startswith(FORMULA_STARTS)
    ]
    assert {"'" + bad, "株式会社さくら、渡邉"} <= set(sheets["records.csv"][0].values())
    assert (
        "'=愛子" in found["members.csv"]
        and "'=1+1" in found["history.csv"]
        and "'" + bad in {row["name"] for row in sheets["audit.csv"]}
    )


def many(own: Any, count: int) -> None:
    now = timezone.now()
    said = {
        "account": own.account,
        "run": own.run,
        "rule": own.rule,
        "decision": "update",
        "reason": "card_changed",
        "outcome": "succeeded",
    }
    with in_account(own.account):
        for start in range(0, count, 2000):
            some = range(start, start + 2000)
            values = [
                {"jobtitle": f"部長 {n}", "company": sha256(str(n).encode()).hexdigest()}
                for n in some
            ]
            insert_rows(
                [
                    AuditEntry(
                        record_id=n,
                        card_id=f"C{n}",
                        after=after,
                        planned_at=now,
                        closed_at=now,
                        **said,
                    )
                    for n, after in zip(some, values, strict=True)
                ]
            )


def test_it_is_streamed(acme):
    many(acme, 2000)
    list(write_archive(acme.account))  # what is read once in a process is read now
    few, _ = measured(acme.account)
    many(acme, 18_000)
    peak, sizes = measured(acme.account)
    assert len(sizes) > 50 and max(sizes) < sum(sizes) / 10
    assert peak < 8_000_000 and peak < few * 1.5, (few, peak)


def measured(account: Account) -> tuple[int, list[int]]:
    tracemalloc.start()
    try:
        sizes = [len(chunk) for chunk in write_archive(account)]
        return tracemalloc.get_traced_memory()[1], sizes
    finally:
        tracemalloc.stop()


def test_no_scope_stays_open_between_two_chunks(acme, birch):
    with in_account(birch.account):
        before = get_scope()
        assert all(get_scope() == before for _ in write_archive(acme.account))
    with all_accounts():
        open_, inside = write_archive(acme.account), get_scope()
        next(open_)
        assert isinstance(open_, Generator)
        open_.close()
        assert get_scope() == inside
        assert "birch" not in "".join(unzipped(acme.account).values())


def test_an_archive_that_breaks_off_is_no_archive(acme, monkeypatch):
    monkeypatch.setattr(
        "integration.leaving.archive.list_columns", lambda model: {"no": "such_column"}
    )
    got: list[bytes] = []
    with pytest.raises(Exception, match="such_column"):
        got += write_archive(acme.account)
    assert not zipfile.is_zipfile(io.BytesIO(b"".join(got)))


# The credentials


def test_credentials_are_overwritten(acme, birch):
    before, others = raw_credentials(acme.account), raw_credentials(birch.account)
    with in_account(acme.account):
        Connection.objects.update(
            survey={"cards": 1}, schema={"jobtitle": {}}, schema_at=timezone.now()
        )
    assert destroy_credentials(acme.account) == len(before) == 2
    after = raw_credentials(acme.account)
    assert not {bytes(token) for token in before} & {bytes(token) for token in after} and all(
        bytes(token).startswith(b"gAAAA") for token in after
    )
    with in_account(acme.account):
        for one in Connection.objects.all():
            assert (
                one.credentials,
                one.secret,
                one.hint,
                one.health,
                one.health_detail,
                one.tested_at,
            ) == ({}, "", "", "untested", "", None)
            assert (one.survey, one.schema, one.schema_at) == ({}, {}, None)
        assert not Sample.objects.exists()
    assert raw_credentials(birch.account) == others
    with in_account(birch.account):
        assert Sample.objects.exists()


def test_so_are_those_whose_key_is_lost(acme):
    with rows.fernet_keys("another-key-that-knows-nothing-of-it"):
        assert destroy_credentials(acme.account) == 2
        with in_account(acme.account):
            assert [one.credentials for one in Connection.objects.all()] == [{}, {}]


# The erasure


def erase(departure: Departure, account: Account, seconds: float = 0, most: int = 500) -> int:
    """Returns how many calls it took. After each, no foreign key points into nothing."""
    for calls in range(1, most):
        ended = erase_piece(departure, account, seconds)
        connection.check_constraints()
        stored = Departure.objects.get(pk=departure.pk)
        assert (departure.counts, departure.ended_at) == (
            stored.counts,
            stored.ended_at,
        ) and ended == bool(stored.ended_at)
        if ended:
            return calls
    raise AssertionError("the erasure does not end")


def test_in_tiny_pieces_until_every_table_is_free_of_it(acme, birch, monkeypatch):
    monkeypatch.setattr("integration.leaving.erase.ROWS_A_DELETE", 2)
    had, noted, others = (
        counted(acme.account),
        told_by_admin("acme"),
        (held(birch.account), told_by_admin("birch"), people("birch")),
    )
    assert set(had) == {model._meta.db_table for model, _ in list_owned_models()}, (
        "a table that no test of the erasure fills"
    )
    departure = leave(acme.account)
    calls = erase(departure, acme.account)
    assert calls >= sum(rows // 2 for rows in had.values())
    assert departure.counts == {**had, "django_admin_log": noted} and noted == 2
    assert not counted(acme.account) and not told_by_admin("acme")
    assert others == (held(birch.account), told_by_admin("birch"), people("birch"))
    assert not left_anywhere("acme")
    assert erase_piece(departure, acme.account, 0)  # once more does no harm


def people(slug: str) -> list[Any]:
    return list(User.objects.filter(email__contains=slug).order_by("pk").values())


def left_anywhere(text: str) -> list[str]:
    """Tables whose rows name it, but for users, who may belong to others, the proof itself, and
    what belongs to the platform.
    """
    found, kept = [], {"core_user", "core_departure", "integration_heartbeat", *QUEUE_TABLES}
    with connection.cursor() as cursor:
        for table in set(connection.introspection.table_names(cursor)) - kept:
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [
                table for row in cursor.fetchall() if any(text in str(value) for value in row)
            ]
    return found


def test_in_one_piece_where_there_is_time(acme):
    assert erase(leave(acme.account), acme.account, seconds=60) == 1


def test_nothing_is_read_and_no_history_is_made(acme):
    departure = leave(acme.account)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        erase(departure, acme.account, seconds=60)
    other = ("PRAGMA", "SET CONSTRAINTS", 'UPDATE "core_departure"')
    statements = [
        query["sql"]
        for query in asked.captured_queries
        if "integration_" in query["sql"] or "historical" in query["sql"]
    ]
    statements = [sql for sql in statements if not sql.startswith(other)]
    assert statements and not [sql for sql in statements if not sql.startswith("DELETE FROM")]


@pytest.mark.parametrize("at", [1, 2, 9, 22])
@pytest.mark.parametrize("counted_first", [False, True])
def test_a_kill_leaves_the_counts_right(acme, birch, monkeypatch, at, counted_first):
    monkeypatch.setattr("integration.leaving.erase.ROWS_A_DELETE", 2)
    had, departure, plain, calls = (
        Counter(counted(acme.account)),
        leave(acme.account),
        note_erased,
        iter(range(1, 1000)),
    )

    def killed(*args: Any, **kwargs: Any) -> None:
        """The rows of this chunk are deleted already."""
        last = next(calls) == at
        if counted_first or not last:
            plain(*args, **kwargs)
        if last:
            raise KeyboardInterrupt

    monkeypatch.setattr("integration.leaving.erase.note_erased", killed)
    with pytest.raises(KeyboardInterrupt):
        erase_piece(departure, acme.account, 60)
    stored = Counter(Departure.objects.get(pk=departure.pk).counts)
    stored.pop("django_admin_log", None)
    assert (
        had - stored == Counter(counted(acme.account))
        and Account.objects.filter(pk=acme.account.pk).exists()
    )
    # Another process goes on, with rows read anew.
    again = Departure.objects.get(pk=departure.pk)
    erase(again, Account.objects.get(pk=acme.account.pk))
    assert again.counts == {**had, "django_admin_log": 2}


def test_who_is_in_no_other_account_can_no_longer_sign_in(acme, birch):
    both, boss = member("dai", acme.account), member("root", acme.account)
    Membership.objects.create(user=both, account=birch.account)
    User.objects.filter(pk=boss.pk).update(is_superuser=True)
    stranger = User.objects.create_user("emi")
    erase(leave(acme.account), acme.account)
    active = dict(User.objects.values_list("username", "is_active"))
    assert [active[name] for name in ("aiko", "acme-colleague")] == [False, False]
    assert all(
        active[name]
        for name in (both.username, boss.username, stranger.username, "chie", "birch-colleague")
    )
    erase(leave(birch.account), birch.account)
    assert not User.objects.get(pk=both.pk).is_active


def test_an_account_that_is_not_leaving_cannot_be_erased(acme):
    departure, had = (
        Departure.objects.create(
            slug="acme", name="Acme", asked_by="aiko", asked_at=timezone.now()
        ),
        held(acme.account),
    )
    acme.account.leaving_at = timezone.now()  # said, but not stored
    with pytest.raises(ValueError, match="acme"):
        erase_piece(departure, acme.account, 60)
    # The database itself says no, whoever asks.
    with pytest.raises(DatabaseError, match="an audit entry is kept"), transaction.atomic():
        erase_chunk(departure, acme.account, AuditEntry, "account_id")
    assert held(acme.account) == had and Departure.objects.get(pk=departure.pk).counts == {}


# No table is forgotten


def test_every_table_with_an_account_is_erased():
    known = {model._meta.db_table for model, _ in list_owned_models()}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            names = {
                column.name
                for column in connection.introspection.get_table_description(cursor, table)
            }
            keys = {
                key["foreign_key"][0]
                for key in connection.introspection.get_constraints(cursor, table).values()
                if key["foreign_key"]
            }
            # A row that hangs on an account's row is the account's, whether it says so or not.
            assert table in known or not (
                "account_id" in names
                or keys & known
                or table.startswith(("core_historical", "integration_historical"))
            ), table
    assert all(
        issubclass(model, Frozen) or find_account_column(model) for model, _ in list_owned_models()
    )


def test_children_go_before_their_parents_and_the_account_last():
    order = [model for model, _ in list_owned_models()]
    assert order[-1] is Account and len(set(order)) == len(order)
    for at, model in enumerate(order):
        assert not [parent for parent in list_parents(model) if parent in order[:at]]


# With transactions that are committed, as they are in life


@pytest.fixture
def committed(transactional_db):
    """The tests' own way of emptying the tables would be refused by the audit log's triggers."""
    yield
    Account.objects.update(leaving_at=timezone.now())
    delete_rows_silently(AuditEntry._base_manager.all())


def test_a_row_written_behind_it_is_found_by_the_next_call(committed, monkeypatch):
    acme, birch = world("acme", "aiko"), world("birch", "chie")
    assert (
        set(unzipped(acme.account)) == NAMES
    )  # PostgreSQL's cursors are others outside of a transaction
    had, others, departure, plain = (
        Counter(counted(acme.account)),
        held(birch.account),
        leave(acme.account),
        erase_chunk,
    )
    late = Counter({SyncRun._meta.db_table: 1})

    def chunk(departure: Departure, account: Account, model: Any, column: str) -> int:
        if model._meta.model_name == "syncrule" and late:
            late.clear()
            SyncRun._base_manager.bulk_create(
                [SyncRun(account=account, rule=acme.draft, kind="full", trigger="schedule")]
            )
        return plain(departure, account, model, column)

    monkeypatch.setattr("integration.leaving.erase.erase_chunk", chunk)
    with pytest.raises(IntegrityError):
        erase_piece(departure, acme.account, 60)
    stored = Counter(Departure.objects.get(pk=departure.pk).counts)
    stored.pop("django_admin_log", None)
    had[SyncRun._meta.db_table] += 1
    assert had - stored == Counter(counted(acme.account))
    erase(departure, acme.account)
    assert (
        departure.counts == {**had, "django_admin_log": 2}
        and held(birch.account) == others
        and not left_anywhere("acme")
    )
