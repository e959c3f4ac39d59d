"""A card's address changes to one that another contact has: the rest is written, and a person must
merge the two.
"""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, Record
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db


def stands(rule, card):
    with in_account(rule.account):
        record = Record.objects.select_related("link").get(external_id=card["id"])
        return record.bucket, record.reason, record.link.contact_id if record.link else ""


def contacts(sandbox):
    return sandbox.hubspot.portal(TOKEN).contacts


@pytest.fixture
def aiko_and_ben(sandbox_of):
    sandbox = sandbox_of(0)
    cards = [
        sandbox.sansan.add(
            {
                "lastName": name,
                "email": f"{mail}@acme.example.jp",
                "title": "課長",
                "exchangeDate": day,
            }
        )
        for name, mail, day in (("森", "info", "2025-01-01"), ("原", "ben", "2026-01-01"))
    ]
    rule = configured(file())
    assert sync(rule).counts["created"] == 2
    return sandbox, rule, *cards


def test_a_mailbox_that_passes_to_somebody_with_a_contact(aiko_and_ben):
    sandbox, rule, aiko, ben = aiko_and_ben
    aikos, bens = stands(rule, aiko)[2], stands(rule, ben)[2]
    sandbox.sansan.change(ben["id"], {"email": "info@acme.example.jp", "title": "部長"})
    run = sync(rule)
    assert (run.state, run.counts["updated"], run.counts["failed"]) == ("succeeded", 1, 0)
    assert (contacts(sandbox)[bens]["jobtitle"], contacts(sandbox)[bens]["email"]) == (
        "部長",
        "ben@acme.example.jp",
    )
    assert contacts(sandbox)[aikos]["lastname"] == "森"
    assert stands(rule, ben) == ("held", "email_taken", bens)
    assert stands(rule, aiko) == ("linked", "in_sync", aikos), "her contact is hers as before"

    before = sandbox.hubspot.changes
    again = sync(rule, full=True)
    assert (again.counts["held"], again.counts["failed"], sandbox.hubspot.changes) == (1, 0, before)
    with in_account(rule.account):
        assert not AuditEntry.objects.filter(run=again).exists()

    sandbox.hubspot.control("merge", {"token": TOKEN, "primary": bens, "other": aikos})
    sync(rule, full=True)
    assert stands(rule, ben)[:2] == ("linked", "in_sync")
    (left,) = contacts(sandbox).values()
    assert left["lastname"] == "原"
    assert left["email"] == "ben@acme.example.jp", "which address is the primary one is HubSpot's"
    assert left["hs_additional_emails"] == "info@acme.example.jp"


def test_an_address_of_a_contact_that_is_not_ours(aiko_and_ben, time_machine_later):
    sandbox, rule, _, ben = aiko_and_ben
    bens = stands(rule, ben)[2]
    (other,) = sandbox.hubspot.control(
        "create", {"token": TOKEN, "contacts": [{"email": "ben@home.example.jp"}]}
    )
    sandbox.sansan.change(ben["id"], {"email": "ben@home.example.jp", "title": "部長"})
    run = sync(rule)
    assert (run.state, run.counts["failed"]) == ("partial", 1)
    assert stands(rule, ben)[:2] == ("failing", "email_taken")
    time_machine_later(minutes=2)
    # HubSpot has told that somebody has it; now it is asked who, and all but the address is
    # written.
    assert sync(rule).counts["updated"] == 1
    assert (contacts(sandbox)[bens]["jobtitle"], contacts(sandbox)[bens]["email"]) == (
        "部長",
        "ben@acme.example.jp",
    )
    assert stands(rule, ben) == ("held", "email_taken", bens)
    sandbox.hubspot.control("delete", {"token": TOKEN, "id": other})
    assert sync(rule, full=True).counts["updated"] == 1
    assert (stands(rule, ben)[:2], contacts(sandbox)[bens]["email"]) == (
        ("linked", "in_sync"),
        "ben@home.example.jp",
    )


def test_two_people_who_swap_addresses(aiko_and_ben, time_machine_later):
    sandbox, rule, aiko, ben = aiko_and_ben
    sandbox.sansan.change(aiko["id"], {"email": "ben@acme.example.jp"})
    sandbox.sansan.change(ben["id"], {"email": "info@acme.example.jp"})
    sync(rule)
    time_machine_later(minutes=2)
    sync(rule)
    for card in (aiko, ben):
        bucket, reason, contact = stands(rule, card)
        assert (bucket, reason) in {
            ("linked", "in_sync"),
            ("held", "email_taken"),
            ("failing", "email_taken"),
        }
        assert (
            contacts(sandbox)[contact]["lastname"] == card["lastName"]
        )  # nobody becomes somebody else
