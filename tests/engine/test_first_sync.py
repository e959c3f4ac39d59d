"""The whole way, from cards to contacts: the first sync, one that finds nothing, and one after a
few changes.
"""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, Outcome, Record, SyncRun
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db


def adds_up(run: SyncRun) -> bool:
    counts = run.counts
    return counts.pop("read") == sum(counts.values()) and run.counts["waiting"] == 0


def test_two_thousand_cards(sandbox_of):
    sandbox = sandbox_of(2000, shared_email_percent=5, no_email_percent=10)
    rule = configured(file())
    calls = sandbox.calls["hubspot"]
    run = sync(rule)
    wanted = expected(list(sandbox.sansan.cards.values()))
    assert contacts_of(sandbox, TOKEN) == wanted
    assert (run.state, run.counts["created"], run.counts["read"]) == (
        "succeeded",
        len(wanted),
        2000,
    )
    assert adds_up(run)
    blank = sum(1 for card in sandbox.sansan.cards.values() if not card["email"])
    with in_account(rule.account):
        excluded = Record.objects.filter(rule=rule, reason="no_email")
        assert blank == excluded.count() == run.reasons["no_email"] > 100
        assert not AuditEntry.objects.filter(closed_at=None).exists()
    assert sandbox.calls["hubspot"] - calls <= 1.2 * len(wanted) / 100

    before = sandbox.calls["by_call"]
    again = sync(rule)
    made = {
        call: n - before.get(call, 0)
        for call, n in sandbox.calls["by_call"].items()
        if n != before.get(call)
    }
    assert sorted(made) == [
        "hubspot POST /crm/objects/2026-03/contacts/search 200",
        "sansan GET /v6.0/bizCards 200",
    ]
    assert (again.state, again.calls_hubspot, adds_up(again)) == (
        "succeeded",
        2,
        True,
    )  # what changed, and a page of what was written before
    with in_account(rule.account):
        assert not AuditEntry.objects.filter(run=again).exists()

    changed = set(sandbox.sansan.churn(1))
    with in_account(rule.account):
        people = set(
            Record.objects.filter(external_id__in=changed, link__isnull=False).values_list(
                "link__key", flat=True
            )
        )
    third = sync(rule)
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    assert (len(changed), third.counts["read"], adds_up(third)) == (20, 20, True)
    with in_account(rule.account):
        written = AuditEntry.objects.filter(run=third, outcome=Outcome.SUCCEEDED)
        assert set(written.values_list("link_key", flat=True)) <= people
        assert set(written.values_list("card_id", flat=True)) & changed
        assert all(
            entry.before != entry.after and entry.before.keys() == entry.after.keys()
            for entry in written
        )


def test_a_portal_that_has_them_all(sandbox_of):
    sandbox = sandbox_of(1000, shared_email_percent=0, no_email_percent=0)
    sandbox.hubspot.control(
        "create",
        {
            "token": TOKEN,
            "contacts": [
                {"email": card["email"], "lifecyclestage": "customer"}
                for card in sandbox.sansan.cards.values()
            ],
        },
    )
    rule = configured(file())
    run = sync(rule)
    assert (run.counts["linked"], run.counts["created"], run.counts["failed"]) == (1000, 0, 0)
    assert run.calls_hubspot <= 22
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    assert {
        contact["lifecyclestage"] for contact in sandbox.hubspot.portal(TOKEN).contacts.values()
    } == {"customer"}


def test_entries_tell_the_stages_in_order(sandbox):
    rule = configured(file())
    run = sync(rule)
    with in_account(rule.account):
        entries = list(AuditEntry.objects.filter(run=run, outcome=Outcome.SUCCEEDED))
    assert entries
    for entry in entries:
        stages = entry.changed_at, entry.read_at, entry.planned_at, entry.sent_at, entry.closed_at
        times = [at for at in stages if at]
        assert len(times) == len(stages) and times == sorted(times)
        assert entry.after["sansan_link_id"] == str(entry.link_key)
        assert set(entry.origin.values()) <= set(sandbox.sansan.cards)
