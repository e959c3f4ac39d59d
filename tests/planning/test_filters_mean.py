"""Filters that only let in, filters that let go, and cards that a person keeps out for good."""

from __future__ import annotations

import pytest

from integration.notes import note
from integration.planning.plan import plan_people
from integration.planning.snapshot import LinkView
from tests.planning.make import AIKO, BEN, card, contact, only, rule, snapshot

TOKYO = only("prefecture", "equals", "東京都")
LEAD = only("lifecyclestage", "equals", "lead")
LINK = LinkView("L1", "101", {"jobtitle": "課長"})


def linked(id: str = "101", **more: str):
    return contact(id, {**AIKO_THERE, **more})


AIKO_THERE = {
    "email": AIKO["email"],
    "lastname": AIKO["lastName"],
    "firstname": AIKO["firstName"],
    "company": AIKO["companyName"],
    "jobtitle": "課長",
    "sansan_link_id": "L1",
    "sansan_card_id": "C1",
}


def reasons(decisions):
    return sorted((one.kind, one.reason) for one in decisions)


@pytest.mark.parametrize(
    ("enter", "wanted"), [(True, ("update", "card_changed")), (False, ("skip", "filtered"))]
)
def test_a_synced_card_that_no_longer_meets_the_card_filters(enter, wanted):
    there = snapshot(
        card(1, link="L1", title="部長", prefecture="大阪府"), links=(LINK,), contacts=(linked(),)
    )
    assert reasons(plan_people(there, rule(filters=TOKYO, filters_enter=enter))) == [wanted]


@pytest.mark.parametrize("enter", [True, False])
def test_a_new_card_must_meet_the_filters_either_way(enter):
    (out,) = plan_people(
        snapshot(card(1, prefecture="大阪府")), rule(filters=TOKYO, filters_enter=enter)
    )
    unmet = note("criterion", field="prefecture", op="equals", value="東京都")
    assert (out.kind, out.reason, out.detail) == ("skip", "filtered", unmet)
    (made,) = plan_people(
        snapshot(card(1, prefecture="東京都")), rule(filters=TOKYO, filters_enter=enter)
    )
    assert made.kind == "create"


@pytest.mark.parametrize(
    ("enter", "wanted"), [(True, ("update", "card_changed")), (False, ("skip", "contact_filtered"))]
)
def test_a_synced_contact_that_no_longer_meets_the_contact_filters(enter, wanted):
    there = snapshot(
        card(1, link="L1", title="部長"),
        links=(LINK,),
        contacts=(linked(lifecyclestage="customer"),),
    )
    assert reasons(plan_people(there, rule(contact_filters=LEAD, filters_enter=enter))) == [wanted]


@pytest.mark.parametrize("enter", [True, False])
def test_a_contact_that_was_never_written_must_meet_the_filters_either_way(enter):
    there = contact("101", email=AIKO["email"], lifecyclestage="customer")
    (out,) = plan_people(
        snapshot(card(1), contacts=(there,)), rule(contact_filters=LEAD, filters_enter=enter)
    )
    unmet = note("contact_criterion", property="lifecyclestage", op="equals", value="lead")
    assert (out.kind, out.reason, out.detail) == ("skip", "contact_filtered", unmet)


@pytest.mark.parametrize("enter", [True, False])
def test_what_meets_the_filters_is_written_either_way(enter):
    there = snapshot(
        card(1, link="L1", title="部長", prefecture="東京都"),
        links=(LINK,),
        contacts=(linked(lifecyclestage="lead"),),
    )
    (done,) = plan_people(there, rule(filters=TOKYO, contact_filters=LEAD, filters_enter=enter))
    assert done.after == {"jobtitle": "部長"}


@pytest.mark.parametrize("enter", [True, False])
def test_a_selected_tag_is_no_filter_and_must_be_there(enter):
    there = snapshot(
        card(1, link="L1", title="部長", in_scope=False), links=(LINK,), contacts=(linked(),)
    )
    assert reasons(plan_people(there, rule(filters_enter=enter))) == [("skip", "no_selected_tag")]


def test_another_card_of_a_person_who_has_entered_does_not_come_in_by_it():
    """Entered is the card, not the person: each is asked before it is synced for the first time."""
    cards = (
        card(1, link="L1", prefecture="大阪府"),
        card(2, day="2026-05-01", title="部長", prefecture="京都府"),
    )
    decisions = plan_people(
        snapshot(*cards, links=(LINK,), contacts=(linked(),)),
        rule(filters=TOKYO, filters_enter=True),
    )
    assert ("skip", "filtered") in reasons(decisions)
    assert all("部長" not in one.after.values() for one in decisions)


# Never sync

WHY = "asked by himself on 2 April"


def test_a_card_that_is_never_synced_says_why():
    (out,) = plan_people(snapshot(card(1, barred=WHY)), rule())
    why = note("persons_words", words=WHY)
    assert (out.kind, out.reason, out.detail, out.card) == ("skip", "never_sync", why, 1)
    assert [(one.bucket, one.reason, one.detail) for one in out.verdicts] == [
        ("excluded", "never_sync", why)
    ]


def test_the_other_cards_of_the_person_still_stand():
    older, newest = card(1, title="課長"), card(2, day="2026-05-01", title="部長", barred=WHY)
    out, made = sorted(
        plan_people(snapshot(older, newest), rule()), key=lambda one: one.kind, reverse=True
    )
    assert (out.reason, out.card) == ("never_sync", 2)
    assert (made.kind, made.card, made.after["jobtitle"]) == ("create", 1, "課長")


def test_a_barred_card_fills_no_blank_and_gives_no_tag():
    head, older = card(2, day="2026-05-01"), card(1, title="課長", tags=("t1",), barred=WHY)
    made = next(one for one in plan_people(snapshot(head, older), rule()) if one.kind == "create")
    assert "jobtitle" not in made.after and "sansan_tags" not in made.after


@pytest.mark.parametrize("enter", [True, False])
def test_a_linked_card_can_be_barred_too_and_its_contact_stays(enter):
    there = snapshot(
        card(1, link="L1", title="部長", barred=WHY), links=(LINK,), contacts=(linked(),)
    )
    (out,) = plan_people(there, rule(filters_enter=enter))
    assert (out.kind, out.reason, out.link) == ("skip", "never_sync", "L1") and not out.writes


def test_a_barred_card_gives_its_address_to_whoever_else_has_it():
    barred, other = card(1, day="2026-05-01", barred=WHY), card(2, {**BEN, "email": AIKO["email"]})
    made = next(one for one in plan_people(snapshot(barred, other), rule()) if one.kind == "create")
    assert (made.card, made.after["email"], made.after["lastname"]) == (2, AIKO["email"], "原")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"visible": False}, "unseen"),
        ({"in_scope": False}, "no_selected_tag"),
        ({"prefecture": "大阪府"}, "never_sync"),
    ],
)
def test_which_reason_comes_first(members, reason):
    (out,) = plan_people(snapshot(card(1, barred=WHY, **members)), rule(filters=TOKYO))
    assert out.reason == reason
