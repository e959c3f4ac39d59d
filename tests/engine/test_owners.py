"""The card's owner becomes the contact's owner, where HubSpot has a user with that address."""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import in_account
from integration.models import Connection, Record
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}
ROWS = [
    {"sansan": "email", "hubspot": "email"},
    {"sansan": "lastName", "hubspot": "lastname"},
    {"sansan": "ownerEmail", "hubspot": "hubspot_owner_id"},
]


@pytest.fixture
def sandbox(sandbox_of: Any) -> Any:
    return sandbox_of(20, **PLAIN)


def owners(sandbox: Any) -> dict[str, str]:
    """Folded address -> id, of the portal's users."""
    return {
        one["email"].lower(): one["id"]
        for one in sandbox.hubspot.control("owners", {"token": TOKEN})
    }


def expected(sandbox: Any) -> dict[str, str]:
    there = owners(sandbox)
    return {
        card["email"]: there.get(card["owner"]["email"].lower(), "")
        for card in sandbox.sansan.cards.values()
        if card["email"]
    }


def found(sandbox: Any) -> dict[str, str]:
    contacts = sandbox.hubspot.portal(TOKEN).contacts.values()
    return {one["email"]: one.get("hubspot_owner_id", "") for one in contacts}


def test_the_user_with_the_address_becomes_the_owner(sandbox):
    sync(configured(file(mappings=ROWS)))
    assert (
        found(sandbox) == expected(sandbox)
        and any(found(sandbox).values())
        and not all(found(sandbox).values())
    )


def test_an_owner_who_is_nobody_overwrites_nobody(sandbox):
    rule = configured(file(mappings=ROWS))
    sync(rule)
    owner = owners(sandbox)["sato@acme.example.jp"]
    contact = next(
        one
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if not one.get("hubspot_owner_id")
    )
    sandbox.hubspot.control(
        "edit",
        {"token": TOKEN, "id": contact["hs_object_id"], "properties": {"hubspot_owner_id": owner}},
    )
    sync(rule)
    assert found(sandbox)[contact["email"]] == owner


def test_without_the_right_to_read_users_everything_else_goes_on(sandbox):
    sandbox.hubspot.portal(TOKEN).scopes_missing.add("crm.objects.owners.read")
    run = sync(configured(file(mappings=ROWS)))
    assert run.created > 10 and run.failed == 0 and not any(found(sandbox).values())
    asked = [call for call in sandbox.calls["by_call"] if "owners" in call]
    assert len(asked) == 1 and sandbox.calls["by_call"][asked[0]] == 1, (
        "asked once, not with every slice"
    )


def test_users_who_come_later_are_met_with_the_properties(sandbox, time_machine_later):
    rule = configured(file(mappings=ROWS))
    sync(rule)
    there = sandbox.hubspot.control("owners", {"token": TOKEN})
    stranger = next(
        card["owner"]["email"]
        for card in sandbox.sansan.cards.values()
        if card["owner"]["email"].lower() not in owners(sandbox)
    )
    sandbox.hubspot.control(
        "owners", {"token": TOKEN, "owners": [*there, {"id": "777", "email": stranger}]}
    )
    time_machine_later(hours=2)
    sync(rule, full=True)
    assert "777" in found(sandbox).values() and found(sandbox) == expected(sandbox)
    assert Connection._base_manager.get(pk=rule.hubspot_id).owners[stranger.lower()] == "777"


def test_a_user_who_was_deactivated_costs_the_owner_and_nobody(sandbox, time_machine_later):
    """HubSpot refuses the owner, and our list of users is up to an hour old."""
    rule = configured(file(mappings=ROWS))
    sync(rule)
    users = sandbox.hubspot.control("owners", {"token": TOKEN})
    archived = [{**one, "archived": one["email"] == "sato@acme.example.jp"} for one in users]
    sandbox.hubspot.control("owners", {"token": TOKEN, "owners": archived})
    values = {
        "lastName": "新",
        "email": "new@new.example.jp",
        "owner": {"email": "sato@acme.example.jp", "name": "佐藤"},
    }
    card = sandbox.sansan.add(values)
    time_machine_later(seconds=60)
    assert sync(rule).state == "succeeded"
    assert found(sandbox)["new@new.example.jp"] == ""
    with in_account(rule.account):
        record = Record.objects.get(external_id=card["id"])
        assert (record.bucket, record.reason) == ("held", "value_refused")
        assert "hubspot_owner_id" in record.detail
    time_machine_later(minutes=61)
    sync(rule, full=True)
    with in_account(rule.account):
        record.refresh_from_db()
    assert (record.bucket, record.reason) == ("linked", "in_sync"), "nobody's owner by now"
