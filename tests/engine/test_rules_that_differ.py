"""Two rules of one HubSpot account that say different things of one person."""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.intake.people import bar_cards, choose_side_for_all
from integration.models import Connection, Record, Tag
from integration.rules.file import FileRefused
from tests.cast import KEY, TOKEN, sync
from tests.engine.several_keys import ANA, TITLE, add, contacts, edited, empty, only, rests, stands
from tests.engine.test_two_keys import (
    EMAIL,
    NAME,
    OTHER_KEY,
    OTHER_TOKEN,
    everybody,
    settle,
    turn,
    two,
)

__all__ = ["empty", "only"]

pytestmark = pytest.mark.django_db


# Rules that differ


@pytest.mark.parametrize(
    "other",
    [
        {"sansan": "departmentName", "hubspot": "jobtitle"},
        {"expression": "{{ title }}様", "hubspot": "jobtitle"},
        {**TITLE, "table": {"課長": "Manager"}},
    ],
    ids=["another field", "an expression", "a table"],
)
def test_two_rules_that_map_a_property_differently_come_to_rest(empty, other):
    empty.sansan.add({**ANA, "departmentName": "営業部"})
    rules = two({"mappings": [EMAIL, NAME, TITLE]}, {"mappings": [EMAIL, NAME, other]})
    for rule in rules * 2:
        sync(rule, full=True)
    rests(empty, *rules)


def test_the_names_of_the_other_tenants_tags(empty, only):
    add(empty, only, KEY, tags=["T0001"])
    add(empty, only, OTHER_KEY, exchangeDate="2026-01-01", tags=["T0002"])
    how = {"mappings": [EMAIL, NAME, {"expression": "{{ tags }}", "hubspot": "jobtitle"}]}
    rules = two(how, how)
    with in_account(rules[0].account):  # each tenant knows its own tags only
        Tag.objects.filter(connection=rules[0].sansan).exclude(external_id="T0001").delete()
        Tag.objects.filter(connection=rules[1].sansan).exclude(external_id="T0002").delete()
    for rule in rules * 2:
        sync(rule, full=True)
    assert "T000" not in contacts(empty)[0]["jobtitle"]
    rests(empty, *rules)


def test_two_connections_to_one_portal_are_refused(sandbox):
    """Another token of the same HubSpot account, entered as a connection of its own: each contact
    would be two people.
    """
    sandbox.hubspot.portals[OTHER_TOKEN] = sandbox.hubspot.portal(TOKEN)
    with pytest.raises(FileRefused, match="same HubSpot account as “hubspot”"):
        two(portals=2)


def test_a_rule_that_comes_to_a_portal_in_use_all_the_same_is_held(sandbox):
    rules = two(portals=2)
    with in_account(rules[0].account):
        Connection.objects.filter(pk=rules[1].hubspot_id).update(
            remote_id=Connection.objects.get(pk=rules[0].hubspot_id).remote_id
        )
        rules[1].hubspot.refresh_from_db()
    assert sync(rules[0]).state == "succeeded"
    run = sync(rules[1])
    assert (run.state, run.reason) == ("held", "same_portal") and not contacts(sandbox, OTHER_TOKEN)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["hold first", "keep first"])
def test_what_one_rule_holds_for_a_person_can_be_chosen_whatever_the_other_says(
    empty, time_machine_later, order
):
    ana = empty.sansan.add(ANA)["id"]
    rules = two({"conflict": "hold"}, {"conflict": "hubspot"})
    settle(*rules)
    edited(empty, jobtitle="edited")
    time_machine_later(seconds=5)
    for i in order:
        sync(rules[i], full=True)
    assert stands(rules[0], ana) == ("held", "conflict")
    with in_account(rules[0].account):
        assert choose_side_for_all(rules[0], "sansan", "aiko")
    settle(*rules)
    assert contacts(empty)[0]["jobtitle"] == "課長"
    rests(empty, *rules)


def test_what_the_rule_whose_card_stands_leaves_to_a_person_the_other_leaves_alone(
    empty, time_machine_later
):
    """The same card by two keys: the rule that had it first decides, whatever the other one would
    do.
    """
    ana = empty.sansan.add(ANA)["id"]
    rules = two({"conflict": "hold"}, {"conflict": "sansan"})
    settle(*rules)
    edited(empty, jobtitle="edited")
    time_machine_later(seconds=5)
    for rule in rules * 2:
        sync(rule, full=True)
    assert contacts(empty)[0]["jobtitle"] == "edited" and stands(rules[0], ana) == (
        "held",
        "conflict",
    )
    turn(rules[0], "paused")
    sync(rules[1], full=True)
    assert contacts(empty)[0]["jobtitle"] == "課長", "a rule that stands still decides nothing"


@pytest.mark.parametrize("barred", [0, 1], ids=["first", "second"])
def test_never_synced_in_one_rule_is_never_synced(empty, time_machine_later, barred):
    """The same card, seen by both keys: a person said that it is left out and that its contact
    stays as it is.
    """
    ana = empty.sansan.add(ANA)["id"]
    rules = two()
    settle(*rules)
    with in_account(rules[0].account):
        bar_cards([Record.objects.get(rule=rules[barred], external_id=ana)], "asked us to", "aiko")
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"title": "部長"})
    settle(*rules)
    assert contacts(empty)[0]["jobtitle"] == "課長"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["tell first", "make first"])
def test_a_deleted_contact_is_made_again_once_where_one_rule_says_so(
    empty, only, time_machine_later, order
):
    add(empty, only, KEY)
    add(empty, only, OTHER_KEY, exchangeDate="2026-01-01", title="部長")
    rules = two({"when_gone": "tell"}, {"when_gone": "make"})
    settle(*rules)
    empty.hubspot.control("delete", {"token": TOKEN, "id": contacts(empty)[0]["hs_object_id"]})
    time_machine_later(minutes=6)
    for _ in range(3):
        for i in order:
            sync(rules[i], full=True)
    assert [one["jobtitle"] for one in contacts(empty)] == ["部長"]
    with in_account(rules[0].account):
        assert not Record.objects.filter(bucket="held").exists()
    rests(empty, *rules)


def test_a_budget_of_one_rule_is_not_the_others(empty, only):
    add(empty, only, KEY)
    add(empty, only, OTHER_KEY, exchangeDate="2026-01-01", title="部長")
    add(empty, only, KEY, lastName="原", email="hara@acme.example.jp")
    rules = two({"limits": {"creates": 0, "updates": 0}})
    assert sync(rules[0]).state == "held"
    assert not contacts(empty)
    assert sync(rules[1]).state == "succeeded"
    assert [one["jobtitle"] for one in contacts(empty)] == ["部長"]


def test_what_the_other_rule_will_write_is_not_counted_against_a_budget(empty, only):
    """The second rule is held before its person is made, who has the first's mailbox; the first
    makes one contact, and may make one.
    """
    add(empty, only, KEY)
    add(empty, only, KEY, lastName="林", email="hayashi@acme.example.jp")
    add(empty, only, OTHER_KEY, lastName="原", exchangeDate="2026-01-01")
    rules = two({"limits": {"creates": 1}}, {"limits": {"creates": 0}})
    assert sync(rules[1]).state == "held"
    run = sync(rules[0])
    assert (run.state, run.created) == ("succeeded", 1), run.detail


@pytest.mark.parametrize("how", ["alone", "stood for by the other's copy", "written by the other"])
def test_companies_of_one_rule_are_not_forgotten_by_the_other(empty, time_machine_later, how):
    """The first rule makes companies, the second leaves them alone."""
    ana = empty.sansan.add(ANA)["id"]
    rules = two({"companies": "make"})
    sync(rules[0])
    if how != "alone":
        sync(rules[1])
    if how.startswith("stood"):
        sync(rules[0], full=True)
    if how.startswith("written"):
        time_machine_later(seconds=5)
        empty.sansan.change(ana, {"title": "部長"})
        sync(rules[1])
    for _ in range(2):
        time_machine_later(minutes=10)
        sync(rules[0])
    assert empty.hubspot.portal(TOKEN).links.pairs.get(contacts(empty)[0]["hs_object_id"])


@pytest.mark.parametrize(
    "order", [(0, 1), (1, 0)], ids=["with an address only, first", "without, first"]
)
def test_who_has_no_address_is_one_contact_of_the_rule_that_takes_them(empty, order):
    empty.sansan.add({**ANA, "email": None})
    rules = two({"require_email": True}, {"require_email": False})
    settle(*(rules[i] for i in order))
    assert len(contacts(empty)) == 1
    rests(empty, *rules)


def test_without_our_own_properties_there_is_one_contact_all_the_same(sandbox):
    sandbox.hubspot.portal(TOKEN).scopes_missing.add("crm.schemas.contacts.write")
    rules = two()
    settle(*rules)
    assert {one["email"] for one in contacts(sandbox)} == everybody(sandbox).keys() and len(
        contacts(sandbox)
    ) == len(everybody(sandbox))
    rests(sandbox, *rules)
