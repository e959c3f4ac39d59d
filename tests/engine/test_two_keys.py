"""Several Sansan keys and several HubSpot accounts of one company: each person has one contact,
whichever key sees them.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from core.models import Account
from core.tenancy import in_account
from integration.models import Link, Record, SyncRule, Tag
from integration.rules.apply_file import ask_vendors, make_properties, store_configuration
from integration.rules.file import read_configuration
from tests.cast import KEY, TOKEN, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db
OTHER_KEY, OTHER_TOKEN = KEY[::-1], "pat-test-0002"
EMAIL = {"sansan": "email", "hubspot": "email"}
NAME = {"sansan": "lastName", "hubspot": "lastname"}


def two(
    one: dict[str, Any] | None = None,
    other: dict[str, Any] | None = None,
    tags: tuple[Any, Any] = ([], []),
    portals: int = 1,
) -> list[SyncRule]:
    """Two rules, ``cards`` and ``more``: of two Sansan keys and one HubSpot account, or the other
    way round.
    """
    content = file(tags=tags[0], **(one or {}))
    sansan, hubspot = content["connections"]
    if portals == 1:
        content["connections"].append(
            {**sansan, "slug": "sansan-b", "tags": tags[1], "credentials": {"api_key": OTHER_KEY}}
        )
        ends = {"sansan": "sansan-b", "hubspot": "hubspot"}
    else:
        content["connections"].append(
            {**hubspot, "slug": "hubspot-b", "credentials": {"access_token": OTHER_TOKEN}}
        )
        ends = {"sansan": "sansan", "hubspot": "hubspot-b"}
    content["rules"].append({"slug": "more", "active": True, **ends, **(other or {})})
    read = read_configuration(content, os.environ)
    store_configuration(read, ask_vendors(read))
    make_properties(read)
    with in_account(Account.objects.get(slug="acme")):
        rules = {
            rule.slug: rule
            for rule in SyncRule.objects.select_related(
                "account", "sansan__account", "hubspot__account"
            )
        }
        return [rules["cards"], rules["more"]]


def settle(*rules: SyncRule, rounds: int = 3) -> None:
    """Runs all in turn until none of them changes anything any more."""
    for _ in range(rounds):
        runs = [sync(rule, full=True) for rule in rules]
        assert all(run.state == "succeeded" for run in runs), [
            (run.state, run.detail) for run in runs
        ]
        if not any(run.counts[name] for run in runs for name in ("created", "updated", "linked")):
            return
    raise AssertionError([run.counts for run in runs])


def turn(rule: SyncRule, state: str) -> None:
    with in_account(rule.account):
        SyncRule.objects.filter(pk=rule.pk).update(state=state)
    rule.state = state


def everybody(sandbox: Any) -> dict[str, dict[str, str]]:
    return expected(list(sandbox.sansan.cards.values()))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first, second", "second, first"])
def test_a_person_that_two_keys_see_has_one_contact(sandbox, order):
    rules = two()
    settle(*(rules[i] for i in order))
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)
    with in_account(rules[0].account):
        assert Record.objects.count() == 2 * len(sandbox.sansan.cards)
        linked = Record.objects.filter(link__isnull=False)
        merged = linked.filter(bucket="merged").values_list("external_id", "reason", "link")
        heads = dict(linked.filter(bucket="linked").values_list("link", "external_id"))
        assert {reason for _, reason, _ in merged} == {"same_card", "older_card"}
        assert all((reason == "same_card") == (heads[link] == id) for id, reason, link in merged)
        assert {
            rule: linked.filter(rule=rule).values("link").distinct().count() for rule in rules
        } == dict.fromkeys(rules, Link.objects.count())


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first, second", "second, first"])
def test_the_newest_card_stands_whichever_key_brought_it(sandbox, order):
    """The second key is an ordinary user's: it does not see every card."""
    rules = two()
    settle(rules[0])
    sandbox.sansan.switches["own_cards_only"] = True
    settle(rules[1])
    sandbox.sansan.switches["own_cards_only"] = False
    mine = next(
        card
        for card in sandbox.sansan.cards.values()
        if card["email"] and card["owner"]["id"] == "1000"
    )
    older = {**mine, "id": "F" * 32, "exchangeDate": "2001-01-01", "title": "昔の肩書", "tags": []}
    newest = {
        **mine,
        "id": "E" * 32,
        "exchangeDate": "2099-01-01",
        "title": "新しい肩書",
        "tags": [],
    }
    for card in (older, newest):
        sandbox.sansan.add(
            {name: value for name, value in card.items() if not name.endswith("Time")}
        )
    settle(*(rules[i] for i in order))
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)
    assert contacts_of(sandbox, TOKEN)[mine["email"]]["jobtitle"] == "新しい肩書"


def test_a_change_arrives_whichever_rule_reads_it_first(sandbox):
    rules = two()
    settle(*rules)
    for rule, title in ((rules[0], "一番手"), (rules[1], "二番手")):
        for card in [card for card in sandbox.sansan.cards.values() if card["email"]][:10]:
            sandbox.sansan.change(card["id"], {"title": title})
        sync(rule)
        assert contacts_of(sandbox, TOKEN) == everybody(sandbox)
    settle(*rules)
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)


# Scope


def test_the_tags_of_one_key_exclude_no_card_of_the_other(sandbox):
    """T0001 is selected for the first key; for the second, every card is in scope."""
    rules = two(tags=(["T0001"], []))
    settle(*rules)
    assert contacts_of(sandbox, TOKEN).keys() == everybody(sandbox).keys()
    with in_account(rules[0].account):
        reasons = {
            rule.slug: set(Record.objects.filter(rule=rule).values_list("reason", flat=True))
            for rule in rules
        }
    assert "no_selected_tag" in reasons["cards"] and "no_selected_tag" not in reasons["more"]


def test_each_key_has_its_own_selection(sandbox):
    rules = two(tags=(["T0001"], ["T0002"]))
    settle(*rules)
    wanted = {
        card["email"].lower()
        for card in sandbox.sansan.cards.values()
        if card["email"] and {tag["id"] for tag in card["tags"]} & {"T0001", "T0002"}
    }
    contacts = contacts_of(sandbox, TOKEN)
    assert contacts.keys() == wanted
    assert {tag for contact in contacts.values() for tag in contact["sansan_tags"].split(";")} == {
        "T0001",
        "T0002",
    }


def test_the_filters_of_one_rule_exclude_no_card_of_the_other(sandbox):
    tokyo = {"cards": [{"field": "prefecture", "op": "equals", "value": "東京都"}], "contacts": []}
    rules = two({"filters": tokyo})
    settle(*rules)
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)


def test_what_neither_rule_lets_in_stays_out(sandbox):
    filters = [
        {"cards": [{"field": "prefecture", "op": "equals", "value": name}], "contacts": []}
        for name in ("東京都", "大阪府")
    ]
    settle(*two({"filters": filters[0]}, {"filters": filters[1]}))
    contacts = contacts_of(sandbox, TOKEN)
    assert contacts and {contact.get("state") for contact in contacts.values()} == {
        "東京都",
        "大阪府",
    }


@pytest.mark.parametrize("first", [0, 1], ids=["wide first", "narrow first"])
@pytest.mark.parametrize("then", [0, 1], ids=["then wide", "then narrow"])
def test_a_rule_that_reads_fewer_fields_takes_none_from_the_other(
    sandbox, time_machine_later, first, then
):
    """Each rule keeps only the fields that it maps.

    Who has no company still is the same card through both keys.
    """
    alone = sandbox.sansan.add(
        {"lastName": "独", "email": "alone@example.jp", "title": "自営", "companyName": None}
    )
    rules = two(
        {"mappings": [EMAIL, NAME, {"sansan": "title", "hubspot": "jobtitle"}]},
        {"mappings": [EMAIL, NAME]},
    )
    settle(rules[first], rules[1 - first])
    for title in ("自営業", "自営業主"):
        time_machine_later(seconds=5)
        sandbox.sansan.change(alone["id"], {"title": title, "lastName": f"独{title}"})
        settle(rules[then], rules[1 - then])
        titles = {
            address: contact.get("jobtitle", "")
            for address, contact in contacts_of(sandbox, TOKEN).items()
        }
        assert titles == {
            address: contact.get("jobtitle", "") for address, contact in everybody(sandbox).items()
        }


# Drafts


def test_what_a_drafts_preview_read_never_reaches_hubspot(sandbox):
    active, draft = two(tags=(["T0001"], []))
    turn(draft, "draft")
    before = sandbox.hubspot.changes
    said = sync(draft, preview=True)
    assert said.counts["created"] > 0 and sandbox.hubspot.changes == before
    settle(active)
    chosen = {
        card["email"].lower()
        for card in sandbox.sansan.cards.values()
        if card["email"] and "T0001" in {tag["id"] for tag in card["tags"]}
    }
    contacts = contacts_of(sandbox, TOKEN)
    assert contacts.keys() == chosen
    assert {tag for contact in contacts.values() for tag in contact["sansan_tags"].split(";")} == {
        "T0001"
    }
    with in_account(draft.account):
        assert not Record.objects.filter(rule=draft, link__isnull=False).exists()


def test_a_draft_that_is_switched_on_comes_to_the_contacts_that_are_there(sandbox):
    active, draft = two()
    turn(draft, "draft")
    settle(active)
    contacts = set(sandbox.hubspot.portal(TOKEN).contacts)
    said = sync(draft, preview=True)
    assert said.counts["created"] == 0
    turn(draft, "active")
    settle(draft, active)
    assert set(sandbox.hubspot.portal(TOKEN).contacts) == contacts and contacts_of(
        sandbox, TOKEN
    ) == everybody(sandbox)


def test_a_paused_rules_people_still_count(sandbox):
    """What it has written stays true: its newest cards are not overwritten by the other key's older
    ones.
    """
    active, paused = two(tags=(["T0001"], []))
    settle(active, paused)
    turn(paused, "paused")
    settle(active)
    assert contacts_of(sandbox, TOKEN).keys() == everybody(sandbox).keys()


# Two portals


def test_one_key_to_two_hubspot_accounts(sandbox):
    first, second = two(portals=2)
    settle(first, second)
    assert contacts_of(sandbox, TOKEN) == contacts_of(sandbox, OTHER_TOKEN) == everybody(sandbox)
    with in_account(first.account):
        assert (
            Link.objects.filter(hubspot=first.hubspot).count()
            == Link.objects.filter(hubspot=second.hubspot).count()
            == len(everybody(sandbox))
        )
        keys = [
            set(Link.objects.filter(hubspot=one.hubspot).values_list("key", flat=True))
            for one in (first, second)
        ]
        assert not keys[0] & keys[1]
        assert Tag.objects.filter(connection=first.sansan).count() == len(sandbox.sansan.tags)


def test_two_hubspot_accounts_differ_where_their_rules_do(sandbox):
    first, second = two(other={"mappings": [EMAIL, NAME]}, portals=2)
    settle(first, second)
    portal = sandbox.hubspot.portal(OTHER_TOKEN)
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)
    assert {contact["email"] for contact in portal.contacts.values()} == everybody(sandbox).keys()
    assert not any(contact.get("company") for contact in portal.contacts.values())


def test_an_edit_in_one_hubspot_account_is_nothing_to_the_other(sandbox):
    first, second = two({"conflict": "hubspot"}, {"conflict": "hubspot"}, portals=2)
    settle(first, second)
    id, contact = next(
        (id, one)
        for id, one in sandbox.hubspot.portal(TOKEN).contacts.items()
        if one.get("jobtitle")
    )
    sandbox.hubspot.control(
        "edit", {"token": TOKEN, "id": id, "properties": {"jobtitle": "HubSpotで直した"}}
    )
    card = next(
        card for card in sandbox.sansan.cards.values() if card["id"] == contact["sansan_card_id"]
    )
    sandbox.sansan.change(card["id"], {"title": "Sansanで直した"})
    settle(first, second)
    assert contacts_of(sandbox, TOKEN)[contact["email"]]["jobtitle"] == "HubSpotで直した"
    assert contacts_of(sandbox, OTHER_TOKEN)[contact["email"]]["jobtitle"] == "Sansanで直した"


@pytest.mark.parametrize("changes", [{"email": "moved@acme.example.jp"}, {"personId": "Q" * 32}])
@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_a_card_is_not_set_apart_from_its_copy_in_another_rule(sandbox_of, changes, full):
    """Of two rules one reads first what has changed of a card that both see."""
    sandbox = sandbox_of(0)
    card = sandbox.sansan.add(
        {"lastName": "森", "firstName": "愛", "email": "ana@acme.example.jp", "personId": "P" * 32}
    )
    rules = two()
    settle(*rules)
    sandbox.sansan.change(card["id"], changes)
    for rule in (*rules, *rules):
        assert sync(rule, full=full).state == "succeeded"
    (contact,) = sandbox.hubspot.portal(TOKEN).contacts.values()
    assert contact["email"] == sandbox.sansan.cards[card["id"]]["email"]
    with in_account(rules[0].account):
        assert Link.objects.count() == 1
