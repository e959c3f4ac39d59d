"""The audit log as CSV: what the list shows, all of it, and safe to open."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from core.models import Membership, Role
from integration.admin.parts import export
from integration.models import AuditEntry
from tests.admin.pages import address, body, listed, rows_on
from tests.admin.world import entry

pytestmark = pytest.mark.django_db
COLUMNS = [
    "id",
    "planned_at",
    "account",
    "rule",
    "run",
    "run_kind",
    "card_id",
    "contact_id",
    "link_key",
    "name",
    "email",
    "decision",
    "reason",
    "detail",
    "outcome",
    "attempt",
    "before",
    "after",
    "origin",
    "changed_at",
    "read_at",
    "sent_at",
    "closed_at",
]


def exported(browser: Any, **query: Any) -> list[dict[str, str]]:
    return list(
        csv.DictReader(
            io.StringIO(
                body(browser.get(address(AuditEntry, "export", **query))).removeprefix("\ufeff")
            )
        )
    )


def test_it_streams_under_a_name_of_its_own(acme, aiko):
    response = aiko.get(address(AuditEntry, "export"))
    assert (
        isinstance(response, StreamingHttpResponse)
        and response["Content-Type"] == "text/csv; charset=utf-8"
    )
    assert (
        response["Content-Disposition"].startswith('attachment; filename="audit-log-20')
        and "no-store" in response["Cache-Control"]
    )


def test_it_goes_through_the_rows_in_pieces(acme, aiko, monkeypatch):
    monkeypatch.setattr(export, "EXPORT_ROWS_A_CHUNK", 2)
    for _ in range(4):
        entry(acme.run, acme.record)
    pieces = list(aiko.get(address(AuditEntry, "export")).streaming_content)
    assert len(pieces) == 4 and [piece.count(b"\r\n") for piece in pieces] == [1, 2, 2, 1]


def test_its_columns(acme, aiko):
    text = body(aiko.get(address(AuditEntry, "export")))
    assert (
        text.startswith("\ufeff")
        and text.removeprefix("\ufeff").splitlines()[0].split(",") == COLUMNS
    )


def test_a_row_says_all_that_the_entry_says(acme, aiko):
    (row,) = exported(aiko)
    one = acme.entry
    expected = {
        "id": str(one.pk),
        "account": "acme",
        "rule": "acme-cards",
        "run": str(acme.run.pk),
        "run_kind": "full",
        "card_id": "acme-C1",
        "contact_id": "acme-contact",
        "link_key": str(acme.link.key),
        "name": one.name,
        "email": "one@acme.example.jp",
        "decision": "update",
        "reason": "card_changed",
        "detail": one.detail,
        "outcome": "succeeded",
        "attempt": "1",
    }
    assert expected.items() <= row.items()
    assert [json.loads(row[name]) for name in ("before", "after", "origin")] == [
        one.before,
        one.after,
        one.origin,
    ]
    assert row["planned_at"].endswith("+09:00") and len(row["planned_at"]) == len(
        "2026-03-01T09:00:00.000+09:00"
    )


def test_what_an_entry_has_not_is_blank(acme, aiko):
    one = entry(
        acme.run,
        acme.failing,
        before={},
        after={},
        origin={},
        sent_at=None,
        closed_at=None,
        outcome="",
        link_key=None,
    )
    row = next(row for row in exported(aiko) if row["id"] == str(one.pk))
    assert {
        row[name]
        for name in ("before", "after", "origin", "sent_at", "closed_at", "outcome", "link_key")
    } == {""}


FORMULAS = {
    "an equals sign": "=1+1",
    "a plus": "+81312345678",
    "a minus": "-2",
    "an at sign": "@SUM(A1)",
    "a tab": "\t=1",
    "a carriage return": "\r=1",
    "a function": '=HYPERLINK("http://127.0.0.1")',
}


@pytest.mark.parametrize("text", FORMULAS.values(), ids=FORMULAS)
def test_no_cell_is_a_formula(acme, aiko, text):
    entry(acme.run, acme.failing, name=text, detail=text, contact_id=text, email=text)
    row = next(row for row in exported(aiko) if row["card_id"] == "acme-C2")
    assert {row[name] for name in ("name", "detail", "contact_id", "email")} == {f"'{text}"}


@pytest.mark.parametrize("text", ["a,b", 'say "b"', "two\nlines", "山田 太郎", "1-2", "a=b", ""])
def test_every_other_cell_is_as_it_is(acme, aiko, text):
    entry(acme.run, acme.failing, name=text)
    assert next(row for row in exported(aiko) if row["card_id"] == "acme-C2")["name"] == text


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"outcome__exact": "failed"},
        {"reason": "email_taken"},
        {"q": "two@acme.example.jp"},
        {"q": "nobody"},
        {"run": "0"},
        {"day_to": "2026-03-01"},
    ],
    ids=str,
)
def test_it_holds_what_the_list_shows(acme, birch, aiko, query):
    entry(acme.run, acme.failing, outcome="failed", reason="email_taken")
    shown = [str(one.pk) for one in rows_on(aiko.get(listed(AuditEntry, **query)))]
    assert [row["id"] for row in exported(aiko, **query)] == shown


def test_it_holds_more_than_a_page(acme, aiko):
    for _ in range(60):
        entry(acme.run, acme.record)
    assert (
        len(rows_on(aiko.get(listed(AuditEntry)))) == 50
        and len({row["id"] for row in exported(aiko)}) == 61
    )


def test_the_list_links_to_the_export_of_what_it_shows(acme, aiko):
    assert f'href="{address(AuditEntry, "export")}?outcome__exact=failed&amp;q=taro"' in body(
        aiko.get(listed(AuditEntry, outcome__exact="failed", q="taro"))
    )


# Whose


def of(rows: list[dict[str, str]]) -> set[str]:
    return {row["account"] for row in rows}


def test_it_ends_at_the_scope(acme, birch, aiko, chie, root):
    assert (of(exported(aiko)), of(exported(chie)), of(exported(root))) == (
        {"acme"},
        {"birch"},
        {"acme", "birch"},
    )
    assert of(exported(root, account=birch.account.pk)) == {"birch"}
    assert (
        exported(aiko, account=birch.account.pk)
        == exported(aiko, run=birch.run.pk)
        == exported(aiko, rule=birch.rule.pk)
        == []
    )


def test_it_ends_at_the_accounts_where_one_may_export(acme, birch, emi):
    """Emi owns Acme; at birch she looks, until she is its auditor."""
    assert {row.account_id for row in rows_on(emi.get(listed(AuditEntry)))} == {
        acme.account.pk,
        birch.account.pk,
    }
    theirs = (
        {"account": birch.account.pk},
        {"run": birch.run.pk},
        {"rule": birch.rule.pk},
        {"q": birch.record.external_id},
    )
    assert (
        of(exported(emi)) == {"acme"} and [exported(emi, **query) for query in theirs] == [[]] * 4
    )
    Membership.objects.filter(user__username="emi", account=birch.account).update(role=Role.AUDITOR)
    assert (
        of(exported(emi)) == {"acme", "birch"}
        and [of(exported(emi, **query)) for query in theirs] == [{"birch"}] * 4
    )


@pytest.mark.parametrize("ben", ["operator", "viewer"], indirect=True)
def test_who_may_only_look_takes_nothing_out(acme, ben):
    assert ben.get(address(AuditEntry, "export")).status_code == 403
    assert address(AuditEntry, "export") not in body(ben.get(listed(AuditEntry)))


@pytest.mark.parametrize("ben", ["editor", "auditor"], indirect=True)
def test_who_may_export_does(acme, ben):
    assert of(exported(ben)) == {"acme"} and address(AuditEntry, "export") in body(
        ben.get(listed(AuditEntry))
    )


def test_whoever_sees_no_account_gets_nothing(acme, dan):
    assert dan.get(address(AuditEntry, "export")).status_code in (403, 404)
    assert Client().get(address(AuditEntry, "export")).status_code == 302


def test_a_question_that_makes_no_sense_leads_back_to_the_list(acme, aiko):
    assert aiko.get(address(AuditEntry, "export", nosuch="1")).url == listed(AuditEntry)
