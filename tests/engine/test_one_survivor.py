"""Who stands where two keys see a person: one contact and one card, whoever is first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, Link, Record, SyncRun
from integration.runs import start_run, work_slice
from tests.cast import KEY, TOKEN, sync
from tests.engine.oracle import contacts_of, expected
from tests.engine.several_keys import (
    ANA,
    add,
    by_name,
    contacts,
    edited,
    empty,
    only,
    rests,
    stands,
)
from tests.engine.test_two_keys import OTHER_KEY, OTHER_TOKEN, everybody, settle, turn, two

__all__ = ["empty", "only"]

pytestmark = pytest.mark.django_db


# Who stands


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first, second", "second, first"])
def test_the_older_card_stands_once_the_newest_is_gone_and_the_newest_when_it_is_back(
    empty, only, order
):
    add(empty, only, KEY, exchangeDate="2024-01-01", title="係長")
    newest = add(empty, only, OTHER_KEY, exchangeDate="2026-01-01", title="部長")
    add(empty, only, KEY)
    rules = [two()[i] for i in order]
    for hidden, title in ((False, "部長"), (True, "課長"), (False, "部長")):
        empty.sansan.hide(hidden, [newest])
        for _ in range(2):
            settle(*rules)
        assert [one["jobtitle"] for one in contacts(empty)] == [title]
        rests(empty, *rules)


def test_a_card_that_one_key_no_longer_sees_changes_nothing_while_the_other_does(empty, only):
    ana = empty.sansan.add(ANA)["id"]
    rules = two()
    settle(*rules)
    before = contacts(empty)
    only[ana] = KEY
    settle(*rules)
    assert contacts(empty) == before and stands(rules[1], ana)[0] == "unseen"
    rests(empty, *rules)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["giver first", "taker first"])
def test_an_address_passes_from_one_tenants_person_to_the_others(
    empty, only, time_machine_later, order
):
    ana = add(empty, only, KEY, exchangeDate="2026-01-01")
    ben = add(empty, only, OTHER_KEY, lastName="原", email="ben@acme.example.jp")
    rules = two()
    settle(*rules)
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"email": "mori@acme.example.jp"})
    empty.sansan.change(ben, {"email": "ana@acme.example.jp"})
    for _ in range(3):
        for i in order:
            sync(rules[i], full=True)
        time_machine_later(minutes=10)
    assert {name: one["email"] for name, one in by_name(empty).items()} == {
        "森": "mori@acme.example.jp",
        "原": "ana@acme.example.jp",
    }
    assert stands(rules[0], ana)[0] == stands(rules[1], ben)[0] == "linked"
    rests(empty, *rules)


def test_one_person_in_sansan_with_two_addresses_is_one_contact(empty, only):
    person = "A" * 32
    add(empty, only, KEY, personId=person)
    add(
        empty,
        only,
        OTHER_KEY,
        personId=person,
        email="ana@home.example.jp",
        exchangeDate="2026-01-01",
    )
    rules = two()
    settle(*rules)
    assert [one["email"] for one in contacts(empty)] == ["ana@home.example.jp"]
    rests(empty, *rules)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first, second", "second, first"])
def test_two_contacts_whose_cards_turn_out_to_be_one_person(empty, only, time_machine_later, order):
    """Each tenant's person has a contact of their own; then a card says that they are one."""
    ana = add(empty, only, KEY)
    add(
        empty, only, OTHER_KEY, email="ana@home.example.jp", title="部長", exchangeDate="2026-01-01"
    )
    rules = two()
    settle(*rules)
    assert len(contacts(empty)) == 2
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"email": "ana@home.example.jp"})
    for _ in range(3):
        for i in order:
            sync(rules[i], full=True)
        time_machine_later(minutes=10)
    assert (
        next(one for one in contacts(empty) if one["email"] == "ana@home.example.jp")["jobtitle"]
        == "部長"
    )
    rests(empty, *rules)


def test_contacts_of_two_tenants_that_are_merged_in_hubspot(empty, only, time_machine_later):
    add(empty, only, KEY)
    add(
        empty,
        only,
        OTHER_KEY,
        lastName="森",
        email="ana@home.example.jp",
        title="部長",
        exchangeDate="2026-01-01",
    )
    rules = two()
    settle(*rules)
    one, other = (one["hs_object_id"] for one in contacts(empty))
    time_machine_later(seconds=5)
    empty.hubspot.control("merge", {"token": TOKEN, "primary": one, "other": other})
    time_machine_later(minutes=6)
    for rule in rules * 3:
        sync(rule, full=True)
    assert [one["jobtitle"] for one in contacts(empty)] == ["部長"]
    rests(empty, *rules)


@pytest.mark.parametrize("state", ["active", "paused"])
def test_a_mailbox_that_passes_to_a_card_of_the_other_rule_makes_nobody_one_person(empty, state):
    """The first rule sees only the older card at the address, and its contact; the second sees
    both.
    """
    older = empty.sansan.add({**ANA, "tags": ["T0001"]})["id"]
    newer = empty.sansan.add({**ANA, "lastName": "原", "exchangeDate": "2026-01-01"})["id"]
    rules = two(tags=(["T0001"], []))
    settle(rules[0])
    assert list(by_name(empty)) == ["森"]
    turn(rules[0], state)
    running = rules if state == "active" else rules[1:]
    settle(*running)
    rests(empty, *running)
    assert list(by_name(empty)) == ["原"] and by_name(empty)["原"].get("sansan_tags", "") == ""
    assert stands(rules[1], newer)[0] == "linked" and stands(rules[1], older) == (
        "merged",
        "shared_mailbox",
    )
    with in_account(rules[0].account):
        assert not Record.objects.filter(external_id=older, link__isnull=False).exists()


# Previews


def test_a_preview_of_the_second_rule_has_nothing_to_say_of_the_firsts_contacts(sandbox):
    rules = two()
    settle(rules[0])
    before = sandbox.hubspot.changes
    said = sync(rules[1], preview=True)
    assert [said.counts[name] for name in ("created", "updated", "linked", "held", "failed")] == [
        0
    ] * 5 and sandbox.hubspot.changes == before
    assert sum(sync(rules[1]).counts[name] for name in ("created", "updated", "linked")) == 0
    assert sandbox.hubspot.changes == before


# At the same time


@pytest.mark.parametrize("seed", range(3))
def test_two_rules_whose_slices_alternate(sandbox, seed):
    rng, rules = random.Random(seed), two()
    with in_account(rules[0].account):
        left = [start_run(rule, SyncRun.Trigger.COMMAND) for rule in rules]
        for _ in range(400):
            run = rng.choice(left)
            if work_slice(run.pk, rng.choice((0.0, 0.01, 0.05))).done:
                left.remove(run)
            if not left:
                break
        assert not left
        assert not AuditEntry.objects.filter(closed_at__isnull=True).exists()
    settle(*rules)
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)
    with in_account(rules[0].account):
        assert Link.objects.filter(records__isnull=False).distinct().count() == len(
            everybody(sandbox)
        )


# Both ways

DAN = {
    "email": "dan@delta.example.jp",
    "firstname": "Dan",
    "lastname": "Delta",
    "company": "Delta KK",
    "jobtitle": "Chief",
}


def cards_of(sandbox: Any, email: str = DAN["email"]) -> list[dict[str, Any]]:
    return [card for card in sandbox.sansan.cards.values() if card["email"] == email]


def make(sandbox: Any, token: str = TOKEN) -> str:
    (id,) = sandbox.hubspot.control("create", {"token": token, "properties": DAN})
    return str(id)


def test_a_contact_becomes_one_card_though_both_rules_make_cards(empty, only):
    rules = two({"direction": "both"}, {"direction": "both"})
    settle(*rules)
    make(empty)
    for rule in rules * 3:
        sync(rule)
    assert len(cards_of(empty)) == 1 and len(contacts(empty)) == 1
    rests(empty, *rules)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first, second", "second, first"])
def test_a_contact_that_becomes_a_card_in_one_tenant_becomes_none_in_the_other(empty, only, order):
    rules = [two({"direction": "both"}, {"direction": "both"})[i] for i in order]
    settle(*rules)
    make(empty)
    sync(rules[0])
    (card,) = cards_of(empty)
    only[card["id"]] = {"sansan": KEY, "sansan-b": OTHER_KEY}[rules[0].sansan.slug]
    for rule in rules * 3:
        sync(rule, full=True)
    assert len(cards_of(empty)) == 1 and len(contacts(empty)) == 1
    rests(empty, *rules)


@pytest.mark.parametrize("tenants", [1, 2])
def test_a_card_in_doubt_is_not_made_by_the_other_rule_meanwhile(
    empty, only, time_machine_later, monkeypatch, tenants
):
    """Sansan makes the card and does not answer, and shows it a little later; before that, the
    other rule runs.
    """
    rules = two({"direction": "both"}, {"direction": "both"})
    settle(*rules)
    make(empty)
    empty.faults.arm("sansan", "reset_after", match="POST")
    with monkeypatch.context() as behind:
        behind.setattr(empty.sansan, "_search", lambda request: empty.sansan._envelope([], None))
        with in_account(rules[0].account):
            run = start_run(rules[0], SyncRun.Trigger.COMMAND)
            work_slice(run.pk, 60.0)
            assert AuditEntry.objects.filter(closed_at__isnull=True).exists()
        (card,) = cards_of(empty)
        if tenants == 2:
            only[card["id"]] = KEY
        else:
            empty.sansan.hide(True, [card["id"]])
        sync(rules[1])
        empty.sansan.hide(False, [card["id"]])
    time_machine_later(minutes=2)
    for rule in rules * 2:
        sync(rule, full=True)
    assert len(cards_of(empty)) == 1


def test_one_key_and_two_hubspot_accounts_both_ways(empty, time_machine_later):
    """Dan is in both portals: one card, and no third contact."""
    rules = two({"direction": "both"}, {"direction": "both"}, portals=2)
    settle(*rules)
    make(empty)
    make(empty, OTHER_TOKEN)
    for rule in rules * 3:
        sync(rule)
        time_machine_later(seconds=30)
    assert len(cards_of(empty)) == len(contacts(empty)) == len(contacts(empty, OTHER_TOKEN)) == 1
    rests(empty, *rules)


def test_a_contact_of_one_hubspot_account_comes_to_the_other_through_its_card(
    empty, time_machine_later
):
    rules = two({"direction": "both"}, portals=2)
    settle(*rules)
    make(empty)
    for rule in rules * 2:
        sync(rule)
        time_machine_later(seconds=30)
    assert [one["lastname"] for one in contacts(empty, OTHER_TOKEN)] == ["Delta"] and len(
        cards_of(empty)
    ) == 1
    rests(empty, *rules)


def test_an_edit_that_stays_is_told_once_and_written_by_neither(empty, time_machine_later):
    empty.sansan.add(ANA)
    rules = two({"conflict": "hubspot"}, {"conflict": "hubspot"})
    settle(*rules)
    edited(empty, jobtitle="edited")
    time_machine_later(seconds=5)
    for rule in rules:
        sync(rule)
    rests(empty, *rules)
    assert contacts(empty)[0]["jobtitle"] == "edited"
    assert expected(list(empty.sansan.cards.values())).keys() == {"ana@acme.example.jp"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first, second", "second, first"])
def test_who_was_deleted_for_privacy_is_made_by_neither(empty, only, time_machine_later, order):
    add(empty, only, KEY)
    add(empty, only, OTHER_KEY, exchangeDate="2026-01-01", title="部長")
    rules = two({"when_gone": "make"}, {"when_gone": "make"})
    settle(*rules)
    empty.hubspot.control("purge", {"token": TOKEN, "id": contacts(empty)[0]["hs_object_id"]})
    for _ in range(3):
        time_machine_later(days=2)
        for i in order:
            sync(rules[i], full=True)
    assert not contacts(empty)


def test_a_first_sync_to_sansan_beside_a_rule_that_has_the_cards(sandbox):
    """Whose contact is the other key's card becomes no card a second time."""
    rules = two({}, {"direction": "to_sansan"})
    settle(rules[0])
    before = len(sandbox.sansan.cards)
    for rule in rules * 2:
        sync(rule, full=True)
    assert len(sandbox.sansan.cards) == before
    rests(sandbox, *rules)
