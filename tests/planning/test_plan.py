from typing import Any, TypedDict

import pytest

from integration.notes import note
from integration.planning.decisions import REASONS, Decision
from integration.planning.plan import LONGEST_VALUE, plan_people
from integration.planning.snapshot import Card, LinkView
from integration.records import ContactRead
from tests.planning.make import AIKO, BEN, CHIE, card, contact, only, policy, rule, snapshot

INFO = "info@acme.example.jp"
WRITTEN = {
    "lastname": "森",
    "firstname": "愛子",
    "email": AIKO["email"],
    "company": "アクメ株式会社",
    "sansan_card_id": "C1",
}
OURS = LinkView("L", "101", WRITTEN)
SYNCED = contact("101", WRITTEN, sansan_link_id="L")
OF_BEN = {"sansan_link_id": "LB", "sansan_card_id": "C2"}
NAMELESS = {"companyName": "アクメ株式会社"}


def edited(**values):
    return contact("101", WRITTEN, sansan_link_id="L", **values)


class Known(TypedDict, total=False):
    """What planning finds beside the cards."""

    links: tuple[LinkView, ...]
    contacts: tuple[ContactRead, ...]


MET: Known = {"contacts": (contact("101", email=AIKO["email"]),)}
LINKED: Known = {"links": (OURS,), "contacts": (SYNCED,)}
EDITED: Known = {"links": (OURS,), "contacts": (edited(lastname="盛"),)}
CASES: dict[str, tuple[list[Card], Known, dict[str, Any], str, str]] = {
    "a new person": ([card()], {}, {}, "create", "new_person"),
    "a new person beside a stranger": (
        [card()],
        {"contacts": (contact("9", email="ben@acme.example.jp"),)},
        {},
        "create",
        "new_person",
    ),
    "no address, where none is asked for": (
        [card(email="")],
        {},
        {"require_email": False},
        "create",
        "new_person",
    ),
    "a contact with the address": ([card()], MET, {}, "link", "matched_email"),
    "a full-width address": (
        [card(email="ＡＩＫＯ＠ａｃｍｅ．example.jp")],
        MET,
        {},
        "link",
        "matched_email",
    ),
    "a contact that says the same": (
        [card()],
        {"contacts": (contact("101", WRITTEN),)},
        {"link_property": False},
        "link",
        "matched_email",
    ),
    "a changed card": ([card(link="L", title="部長")], LINKED, {}, "update", "card_changed"),
    "an edited contact, card wins": ([card(link="L")], EDITED, {}, "update", "contact_differs"),
    "an edited contact, HubSpot wins": (
        [card(link="L")],
        EDITED,
        {"conflict": "hubspot"},
        "skip",
        "kept_hubspot",
    ),
    "newest: the contact is": (
        [card(link="L")],
        EDITED,
        {"conflict": "newest"},
        "skip",
        "kept_hubspot",
    ),
    "newest: the card is": (
        [card(link="L", lastName="守", changed="2026-06-01")],
        EDITED,
        {"conflict": "newest"},
        "update",
        "contact_differs",
    ),
    "newest: the card is, but not in what was edited": (
        [card(link="L", changed="2026-06-01", title="部長")],
        EDITED,
        {"conflict": "newest"},
        "update",
        "card_changed",
    ),
    "nothing new": ([card(link="L")], LINKED, {}, "skip", "in_sync"),
    "a field gone blank on the card": (
        [card(link="L", companyName="")],
        LINKED,
        {},
        "skip",
        "in_sync",
    ),
    "the address gone from the card": (
        [card(link="L", email="")],
        LINKED,
        {"require_email": False},
        "skip",
        "in_sync",
    ),
    "a contact outside the filters": (
        [card(link="L", title="部長")],
        LINKED,
        {"contact_filters": only("company", "contains", "ベータ")},
        "skip",
        "contact_filtered",
    ),
    "no address": ([card(email="")], {}, {}, "skip", "no_email"),
    "an impossible address": ([card(email="aiko@acme")], {}, {}, "skip", "invalid_email"),
    "no selected tag": ([card(in_scope=False)], {}, {}, "skip", "no_selected_tag"),
    "outside a filter": (
        [card()],
        {},
        {"filters": only("companyName", "contains", "ベータ")},
        "skip",
        "filtered",
    ),
    "out of sight": ([card(visible=False, in_scope=False)], {}, {}, "skip", "unseen"),
    "a deleted contact": ([card(link="L")], {"links": (OURS,)}, {}, "hold", "contact_gone"),
    "neither name nor address": (
        [card(1, NAMELESS)],
        {},
        {"require_email": False},
        "hold",
        "nothing_to_identify",
    ),
    "no key to hold it by": (
        [card(email="")],
        {},
        {"require_email": False, "link_property": False},
        "hold",
        "needs_link_property",
    ),
    "too long a value": (
        [card(title="長" * (LONGEST_VALUE + 1))],
        {},
        {},
        "create",
        "value_refused",
    ),
    "the longest value": ([card(title="長" * LONGEST_VALUE)], {}, {}, "create", "new_person"),
}


@pytest.mark.parametrize(("cards", "known", "members", "kind", "reason"), CASES.values(), ids=CASES)
def test_the_decision_for_one_person(cards, known, members, kind, reason):
    (decision,) = plan_people(snapshot(*cards, **known), rule(**members))
    assert (decision.kind, decision.reason) == (kind, reason)
    assert decision.card == 1
    assert {verdict.reason for verdict in decision.verdicts} == {reason}
    assert decision.writes == bool(kind in ("create", "update", "link"))
    assert reason in REASONS


BUCKETS = {
    "linked": {
        "too long a value",
        "a new person",
        "a changed card",
        "nothing new",
        "an edited contact, HubSpot wins",
    },
    "excluded": {
        "no address",
        "an impossible address",
        "no selected tag",
        "outside a filter",
        "a contact outside the filters",
    },
    "held": {
        "a deleted contact",
        "neither name nor address",
        "no key to hold it by",
    },
    "unseen": {"out of sight"},
}


@pytest.mark.parametrize(
    ("bucket", "name"),
    [(bucket, name) for bucket, names in BUCKETS.items() for name in sorted(names)],
)
def test_where_the_card_stands_afterwards(bucket, name):
    cards, known, members, _, _ = CASES[name]
    (decision,) = plan_people(snapshot(*cards, **known), rule(**members))
    assert [verdict.bucket for verdict in decision.verdicts] == [bucket]


def standing(*cards, **known):
    return {
        v.record: (v.bucket, v.reason)
        for one in plan_people(snapshot(*cards, **known), rule())
        for v in one.verdicts
    }


def test_older_cards_of_a_person_say_which_stands_for_them():
    (decision,) = plan_people(
        snapshot(card(1, day="2025-01-01", title="課長"), card(2, title="部長")), rule()
    )
    assert decision.card == 2
    assert decision.after["jobtitle"] == "部長"
    assert [(v.record, v.bucket, v.reason, v.detail) for v in decision.verdicts] == [
        (2, "linked", "new_person", ""),
        (1, "merged", "older_card", note("card", id="C2")),
    ]


def test_a_card_out_of_scope_lends_nothing_to_its_person():
    one, other = plan_people(
        snapshot(
            card(1, title="課長", tags=("t1",), in_scope=False),
            card(2, day="2020-01-01", tags=("t2",)),
        ),
        rule(),
    )
    assert (one.card, one.reason) == (1, "no_selected_tag")
    assert other.after["sansan_tags"] == "t2"
    assert "jobtitle" not in other.after


def test_a_shared_mailbox_is_never_blended():
    mine, theirs = (
        card(1, email=INFO, title="部長", tags=("t1",)),
        card(2, BEN, email=INFO, day="2026-05-01", tags=("t2",)),
    )
    decisions = {one.card: one for one in plan_people(snapshot(mine, theirs), rule())}
    assert standing(mine, theirs) == {1: ("merged", "shared_mailbox"), 2: ("linked", "new_person")}
    assert decisions[2].after == {
        **decisions[2].after,
        "lastname": "原",
        "email": INFO,
        "sansan_tags": "t2",
    }
    assert "jobtitle" not in decisions[2].after


def test_a_mailbox_takes_its_contact_along():
    mine, theirs = card(1, email=INFO, link="L"), card(2, BEN, email=INFO, day="2026-05-01")
    known: Known = {
        "links": (LinkView("L", "101", WRITTEN),),
        "contacts": (contact("101", WRITTEN, email=INFO, sansan_link_id="L"),),
    }
    decisions = {one.card: one for one in plan_people(snapshot(mine, theirs, **known), rule())}
    assert (decisions[2].kind, decisions[2].link, decisions[2].contact_id) == ("update", "L", "101")
    assert (decisions[1].reason, decisions[1].link) == ("shared_mailbox", "")


def test_who_loses_a_mailbox_keeps_an_address_of_their_own():
    mine = card(1, email=INFO, person_key="P"), card(2, person_key="P", day="2025-01-01")
    decisions = {
        one.card: one
        for one in plan_people(snapshot(*mine, card(3, BEN, email=INFO, day="2026-05-01")), rule())
    }
    assert {n: one.after["email"] for n, one in decisions.items()} == {1: AIKO["email"], 3: INFO}


TWO = (
    LinkView("LA", "101", {"email": INFO}),
    LinkView("LB", "102", {"email": BEN["email"], "jobtitle": "課長"}),
)


def at_one_mailbox(aiko: str = INFO, title: str = "課長") -> dict[int, Decision]:
    """Aiko and Ben have a contact each, and Ben's card, the newer one, now carries the address of
    hers.
    """
    contacts = (
        contact("101", AIKO, email=INFO),
        contact(
            "102",
            OF_BEN,
            lastname="原",
            firstname="弁",
            email=BEN["email"],
            company="アクメ株式会社",
            jobtitle="課長",
        ),
    )
    cards = (
        card(1, AIKO, email=aiko, link="LA", day="2025-01-01"),
        card(2, BEN, email=INFO, link="LB", title=title),
    )
    return {
        one.card: one for one in plan_people(snapshot(*cards, links=TWO, contacts=contacts), rule())
    }


def test_an_address_that_another_contact_keeps_is_not_written_and_the_rest_is():
    bens = at_one_mailbox(title="部長")[2]
    assert (bens.kind, bens.reason, bens.detail, bens.contact_id) == (
        "update",
        "email_taken",
        note("contact", id="101"),
        "102",
    )
    assert dict(bens.after) == {"jobtitle": "部長"}


def test_where_nothing_else_is_to_be_written_a_person_must_look():
    bens = at_one_mailbox()[2]
    assert (bens.kind, bens.reason, bens.contact_id) == ("hold", "email_taken", "102")
    assert [(one.bucket, one.reason) for one in bens.verdicts] == [("held", "email_taken")]


def test_an_address_that_another_contact_gives_up_is_free():
    both = at_one_mailbox(aiko="aiko@acme.example.jp")
    assert dict(both[2].after) == {"email": INFO}
    assert both[1].after["email"] == "aiko@acme.example.jp"


@pytest.mark.parametrize(
    ("changed", "reason"), [("2026-06-01", "contact_differs"), ("2026-04-01", "kept_hubspot")]
)
def test_newest_counts_a_change_of_any_card_of_the_person(changed, reason):
    cards = (
        card(1, link="L", lastName="守"),
        card(2, link="L", lastName="守", day="2025-01-01", changed=changed),
    )
    (decision,) = plan_people(snapshot(*cards, **EDITED), rule(conflict="newest"))
    assert decision.reason == reason


def test_one_persons_trouble_is_not_anothers():
    assert standing(card(1, email=""), card(2, BEN), card(3, CHIE, visible=False)) == {
        1: ("excluded", "no_email"),
        2: ("linked", "new_person"),
        3: ("unseen", "unseen"),
    }


def test_tags_of_all_cards_are_united():
    (decision,) = plan_people(
        snapshot(card(1, tags=("t2", "t1")), card(2, tags=("t3",), companyName="ベータ")), rule()
    )
    assert decision.after["sansan_tags"] == "t1;t2;t3"


def test_blanks_are_filled_from_the_same_company_and_say_from_where():
    cards = (
        card(1),
        card(2, day="2025-04-01", companyName="㈱アクメ", tel="03-1234-5678"),
        card(3, day="2024-04-01", companyName="ベータ", title="顧問"),
    )
    (decision,) = plan_people(snapshot(*cards), rule())
    assert (decision.after["phone"], decision.origin["phone"], decision.origin["lastname"]) == (
        "03-1234-5678",
        "C2",
        "C1",
    )
    assert "jobtitle" not in decision.after


def test_what_is_written_is_the_cards_own_text():
    (decision,) = plan_people(
        snapshot(
            card(
                companyName="㈱ ｱｸﾒ",
                tel="０３－１２３４－５６７８",
                email="Ａｉｋｏ＠acme.example.jp",
            )
        ),
        rule(),
    )
    assert decision.after == {
        **decision.after,
        "company": "㈱ ｱｸﾒ",
        "phone": "０３－１２３４－５６７８",
        "email": "aiko@acme.example.jp",
    }


@pytest.mark.parametrize(
    ("name", "present", "after"),
    [
        ("if_empty", "", {"jobtitle": "部長"}),
        ("if_empty", "主任", {}),
        ("on_create", "", {}),
        ("append", "主任", {"jobtitle": "主任\n部長"}),
    ],
)
def test_a_policy_on_a_contact_that_exists(name, present, after):
    known: Known = {"links": (OURS,), "contacts": (edited(jobtitle=present),)}
    (decision,) = plan_people(
        snapshot(card(link="L", title="部長"), **known), rule(*policy("jobtitle", name))
    )
    assert decision.after == after


@pytest.mark.parametrize("name", ["always", "if_empty", "on_create", "append"])
def test_every_policy_writes_to_a_new_contact(name):
    (decision,) = plan_people(snapshot(card(title="部長")), rule(*policy("jobtitle", name)))
    assert decision.after["jobtitle"] == "部長"


def test_before_and_after_hold_what_changes_and_no_more():
    known: Known = {"links": (OURS,), "contacts": (edited(jobtitle="課長"),)}
    (decision,) = plan_people(snapshot(card(link="L", title="部長"), **known), rule())
    assert (decision.before, decision.after) == ({"jobtitle": "課長"}, {"jobtitle": "部長"})


def test_a_field_that_asks_for_it_is_cleared_but_a_key_never():
    rows = tuple(
        one
        for name in ("email", "company")
        for one in policy(name, "always", clear=True)
        if one.hubspot == name
    )
    (decision,) = plan_people(
        snapshot(card(link="L", email="", companyName=""), **LINKED),
        rule(*rows, *policy("x", "always")[:2], require_email=False),
    )
    assert decision.after == {"company": ""}
