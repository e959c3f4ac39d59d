"""What was edited in HubSpot: both values on the record's page, and a person who chooses."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from core.models import Role
from core.tenancy import in_account
from integration.models import Link, Record
from tests.admin.pages import body, page, told
from tests.admin.world import entry

pytestmark = pytest.mark.django_db
TITLE = {"jobtitle": ["部長", "Head of sales", "hold", "rule"]}


@pytest.fixture
def clash(acme):
    """Acme's linked card waits for a choice."""
    with in_account(acme.account):
        Link.objects.filter(pk=acme.link.pk).update(clashes=TITLE)
        Record.objects.filter(pk=acme.record.pk).update(
            bucket="held", reason="conflict", detail="jobtitle", due_at=None, link=acme.link
        )
    return acme


def choose(record: Record) -> str:
    return reverse("admin:integration_record_choose", args=[record.pk])


def chosen(own) -> dict[str, Any]:
    with in_account(own.account):
        choices: dict[str, Any] = Link.objects.get(pk=own.link.pk).choices
    return choices


def is_due(own) -> bool:
    with in_account(own.account):
        return Record.objects.get(pk=own.record.pk).due_at is not None


def test_both_values_and_who_decides_are_shown(clash, aiko):
    seen = body(aiko.get(page(clash.record)))
    for text in (
        "Edited in HubSpot",
        "部長",
        "Head of sales",
        "Waits for your choice",
        "Take the card&#x27;s",
        "Keep HubSpot&#x27;s",
    ):
        assert text in seen or text.replace("&#x27;", "'") in seen, text


DECIDED = {
    "by the rule": ("sansan", "rule", "the rule says so"),
    "by the field": ("hubspot", "field", "this field's mapping says so"),
}


@pytest.mark.parametrize(("winner", "by", "says"), DECIDED.values(), ids=DECIDED)
def test_what_decided_is_said(clash, aiko, winner, by, says):
    with in_account(clash.account):
        Link.objects.filter(pk=clash.link.pk).update(
            clashes={"jobtitle": ["部長", "Head", winner, by]}
        )
    assert says in body(aiko.get(page(clash.record))).replace("&#x27;", "'")


@pytest.mark.parametrize("side", ["sansan", "hubspot"])
def test_a_choice_is_kept_with_what_was_seen_and_by_whom(clash, aiko, side):
    response = aiko.post(choose(clash.record), {"property": "jobtitle", "side": side})
    assert response.status_code == 302 and is_due(clash)
    kept = chosen(clash)["jobtitle"]
    assert {name: kept[name] for name in ("side", "card", "contact", "by")} == {
        "side": side,
        "card": "部長",
        "contact": "Head of sales",
        "by": "aiko",
    }


NONSENSE = {
    "nothing": {},
    "no side": {"property": "jobtitle"},
    "a side that is none": {"property": "jobtitle", "side": "left"},
    "a property without a clash": {"property": "phone", "side": "sansan"},
    "a NUL for a property": {"property": "\0", "side": "sansan"},
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_chooses_nothing_and_is_told(clash, aiko, data):
    response = aiko.post(choose(clash.record), data, follow=True)
    assert (
        response.status_code == 200 and told(response) and chosen(clash) == {} and not is_due(clash)
    )


def test_by_a_link_nothing_is_chosen(clash, aiko):
    assert (
        aiko.get(choose(clash.record), {"property": "jobtitle", "side": "sansan"}).status_code
        == 405
    )


@pytest.mark.parametrize("ben", [Role.VIEWER, Role.AUDITOR], indirect=True)
def test_who_only_looks_cannot_choose(clash, ben):
    assert "Take the card" not in body(ben.get(page(clash.record)))
    assert (
        ben.post(choose(clash.record), {"property": "jobtitle", "side": "sansan"}).status_code
        == 403
        and chosen(clash) == {}
    )


def test_another_account_is_not_there(clash, chie):
    assert (
        chie.post(choose(clash.record), {"property": "jobtitle", "side": "sansan"}).status_code
        == 404
        and chosen(clash) == {}
    )


def test_all_of_a_rule_at_once(clash, aiko):
    url = reverse("admin:integration_health", args=[clash.rule.pk])
    assert "Keep HubSpot" in body(aiko.get(url, {"stand": "held", "reason": "conflict"}))
    aiko.post(f"{url}?stand=held&reason=conflict", {"action": "choose_hubspot"})
    assert chosen(clash)["jobtitle"]["side"] == "hubspot" and is_due(clash)


def test_an_entry_keeps_both_values(clash, aiko):
    one = entry(
        clash.run,
        clash.record,
        reason="contact_differs",
        clashes={"jobtitle": ["部長", "Head of sales", "sansan", "rule"]},
    )
    seen = body(aiko.get(page(one)))
    assert all(
        text in seen
        for text in ("Edited in HubSpot", "Head of sales", "The card wins", "the rule says so")
    )


# The other side


def test_contacts_have_a_side_of_their_own(acme, aiko):
    with in_account(acme.account):
        type(acme.rule).objects.filter(pk=acme.rule.pk).update(direction="both", card_cap=7)
        values = {
            "account": acme.account,
            "rule": acme.rule,
            "connection": acme.rule.hubspot,
            "digest": "d",
            "changed_at": acme.record.changed_at,
        }
        one = Record.objects.create(
            **values,
            side="contact",
            external_id="9001",
            name="Dan Delta",
            bucket="waiting",
            reason="daily_cap",
            read_at=acme.record.read_at,
        )
    url = reverse("admin:integration_health", args=[acme.rule.pk])
    cards, contacts = (
        body(aiko.get(url, query))
        for query in ({"stand": "waiting"}, {"stand": "waiting", "side": "contact"})
    )
    assert (
        "Dan Delta" not in cards
        and "Dan Delta" in contacts
        and "0 of 7 cards made today" in contacts
    )
    seen = body(aiko.get(page(one)))
    assert (
        "A contact that may become a card" in seen
        and "Never make a card of this contact" in seen
        and "side by side" not in seen
    )
