"""What goes wrong with credentials, properties and single cards: each ends in a clear reason, and
the rest goes on.
"""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, Connection, Record, SyncRule
from integration.notes import is_note, note, read_parameter, write_english
from integration.planning.decisions import REASONS
from integration.planning.plan import LONGEST_VALUE
from tests.cast import KEY, TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db


def record(rule, id):
    with in_account(rule.account):
        return Record.objects.get(external_id=id)


def contact(sandbox, address):
    return next(
        (
            one
            for one in sandbox.hubspot.portal(TOKEN).contacts.values()
            if one.get("email") == address
        ),
        None,
    )


@pytest.mark.parametrize("system", ["sansan", "hubspot"])
def test_a_revoked_key_stops_the_rule_and_says_what_to_do(sandbox, system):
    rule = configured(file())
    if system == "sansan":
        sandbox.sansan.revoked.add(KEY)
    else:
        sandbox.hubspot.revoked.add(TOKEN)
    run = sync(rule)
    assert (run.state, run.reason) == ("failed", f"{system}_reconnect")
    assert "Enter new ones in the connection" in write_english(run.detail)
    with in_account(rule.account):
        assert SyncRule.objects.get().state == "held"
        assert Connection.objects.get(system=system).health == "reconnect"
        assert Connection.objects.exclude(system=system).get().health == "ok"


def test_a_missing_scope_is_named(sandbox):
    rule = configured(file())
    sandbox.hubspot.control("scopes", {"token": TOKEN, "missing": ["crm.objects.contacts.write"]})
    run = sync(rule)
    assert (run.state, run.reason) == ("failed", "missing_scope")
    assert "crm.objects.contacts.write" in write_english(run.detail)


def test_a_property_that_vanished_costs_only_itself(sandbox):
    rule = configured(file())
    sandbox.hubspot.control("drop_property", {"token": TOKEN, "name": "sansan_department"})
    with in_account(rule.account):
        Connection.objects.update(schema_at=None)
    run = sync(rule)
    assert (run.state, run.reason, run.counts["failed"]) == ("succeeded", "unknown_property", 0)
    assert "sansan_department" in write_english(run.detail) and run.counts["created"] > 0


def test_a_property_that_vanished_in_mid_run_fails_with_its_name(sandbox):
    rule = configured(file())
    sandbox.hubspot.control("drop_property", {"token": TOKEN, "name": "sansan_department"})
    run = sync(rule)
    assert (run.state, run.counts["failed"]) == ("succeeded", 0) and run.reasons["value_refused"]
    everybody = expected(list(sandbox.sansan.cards.values()))
    assert contacts_of(sandbox, TOKEN).keys() == everybody.keys()
    with in_account(rule.account):
        refused = AuditEntry.objects.filter(reason="unknown_property").latest("pk")
        assert read_parameter(refused.detail, "word") == "sansan_department"


def test_a_property_of_another_type(sandbox):
    rule = configured(file())
    props = sandbox.hubspot.portal(TOKEN).properties
    sandbox.hubspot.portal(TOKEN).set_property(
        {**props["jobtitle"], "type": "number", "fieldType": "number"}
    )
    run = sync(rule)
    assert (run.state, run.counts["failed"]) == ("succeeded", 0) and run.reasons["value_refused"]
    everybody = expected(list(sandbox.sansan.cards.values()))
    assert contacts_of(sandbox, TOKEN).keys() == everybody.keys()
    with in_account(rule.account):
        refused = AuditEntry.objects.filter(reason="wrong_type").latest("pk")
        assert read_parameter(refused.detail, "word") == "jobtitle"


CARDS = {
    "a full-width address": (
        {"lastName": "全角", "email": "Ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ"},
        "linked",
        "in_sync",
        "taro@example.jp",
    ),
    "a bad address": (
        {"lastName": "悪", "email": "not-an-address"},
        "excluded",
        "invalid_email",
        None,
    ),
    "no address": ({"lastName": "無", "email": ""}, "excluded", "no_email", None),
    "no name": ({"email": "noname@example.jp"}, "linked", "in_sync", "noname@example.jp"),
    "a long memo": (
        {"lastName": "長", "email": "long@example.jp", "memo": "あ" * 65_536},
        "linked",
        "in_sync",
        "long@example.jp",
    ),
    "a memo too long": (
        {"lastName": "過", "email": "toolong@example.jp", "memo": "あ" * 65_537},
        "held",
        "value_refused",
        "toolong@example.jp",
    ),
    "a foreign telephone": (
        {
            "lastName": "外",
            "email": "abroad@example.jp",
            "tel": "+1 212-555-0100",
            "countryCode": "US",
        },
        "linked",
        "in_sync",
        "abroad@example.jp",
    ),
    "odd characters": (
        {"lastName": "髙﨑🀄", "email": "odd@example.jp", "title": "=cmd|' /C calc'!A0"},
        "linked",
        "in_sync",
        "odd@example.jp",
    ),
}


@pytest.mark.parametrize("what", CARDS)
def test_single_cards(sandbox_of, what):
    values, bucket, reason, address = CARDS[what]
    sandbox = sandbox_of(20)
    rows = [
        {"sansan": name, "hubspot": prop}
        for name, prop in (
            ("lastName", "lastname"),
            ("tel", "phone"),
            ("memo", "message"),
            ("title", "jobtitle"),
        )
    ]
    rule = configured(
        file(mappings=[*rows, {"sansan": "email", "hubspot": "email", "transform": "email"}])
    )
    card = sandbox.sansan.add(values)
    run = sync(rule)
    stands = record(rule, card["id"])
    assert (stands.bucket, stands.reason) == (bucket, reason) and reason in REASONS
    assert run.counts["created"] >= 10 and run.counts["failed"] == run.counts["waiting"] == 0
    if address:
        made = contact(sandbox, address)
        assert {made.get(prop, "") for prop in ("phone", "message", "jobtitle")} >= {
            values.get("tel", ""),
            values.get("title", ""),
        }
        long = len(values.get("memo", "")) > LONGEST_VALUE
        assert made.get("message", "") == ("" if long else values.get("memo", ""))


def test_a_card_that_cannot_be_read_is_set_aside_once(sandbox):
    rule = configured(file())
    card = sandbox.sansan.add(
        {"lastName": "型", "email": "type@example.jp", "title": {"not": "a text"}}
    )
    run = sync(rule)
    stands = record(rule, card["id"])
    assert (run.state, stands.bucket, stands.reason) == ("partial", "failing", "unreadable")
    assert stands.detail == note("not_a_text", word="title")
    sync(rule)
    with in_account(rule.account):
        assert AuditEntry.objects.filter(card_id=card["id"]).count() == 1
    sandbox.sansan.change(card["id"], {"title": "部長"})
    sync(rule)
    assert record(rule, card["id"]).bucket == "linked"


FAULTS: dict[str, dict[str, Any]] = {
    "html": {"kind": "html"},
    "a string": {"kind": "wrong_type"},
    "half an answer": {"kind": "truncated"},
    "a reset": {"kind": "reset"},
    "silence": {"kind": "timeout", "seconds": 0},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "423": {"kind": "status", "status": 423},
    "477": {"kind": "status", "status": 477},
    "429": {"kind": "rate_limit"},
    "429 that says when": {"kind": "rate_limit", "retry_after": 1},
}


@pytest.mark.parametrize("system", ["sansan", "hubspot"])
@pytest.mark.parametrize("what", FAULTS)
def test_a_passing_fault_changes_nothing_in_the_end(sandbox_of, system, what):
    sandbox = sandbox_of(40)
    rule = configured(file())
    sandbox.faults.arm(system, times=2, match="bizCards|batch", **FAULTS[what])
    run = sync(rule)
    assert (run.state, run.counts["failed"], run.counts["waiting"]) == ("succeeded", 0, 0), (
        run.detail
    )
    with in_account(rule.account):
        assert not AuditEntry.objects.filter(closed_at=None).exists()
        addresses = Record.objects.filter(bucket="linked").values_list("email_key", flat=True)
        made = [one["email"] for one in sandbox.hubspot.portal(TOKEN).contacts.values()]
        assert sorted(addresses) == sorted(made)


@pytest.mark.parametrize("system", ["sansan", "hubspot"])
@pytest.mark.parametrize("what", FAULTS)
def test_a_lasting_fault_ends_in_a_reason(sandbox_of, system, what):
    sandbox = sandbox_of(40)
    rule = configured(file())
    sandbox.faults.arm(system, times=0, match="bizCards|batch", **FAULTS[what])
    run = sync(rule)
    assert run.state in ("failed", "partial") and run.reason in REASONS and is_note(run.detail)
    sandbox.faults.clear()
    assert sync(rule).state == "succeeded"
