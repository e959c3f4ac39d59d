"""Whether a contact becomes a card in Sansan."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from integration.notes import note
from integration.planning.decisions import NEW_CARD, REASONS
from integration.planning.new_cards import (
    Candidate,
    decide_candidate,
    find_card_address,
    refuse_candidate,
)
from integration.planning.rule import Rule
from tests.planning.make import contact, only, row

ROWS = (
    row("lastName", "lastname"),
    row("firstName", "firstname"),
    row("email", "email", transform="email", kind="email"),
    row("companyName", "company"),
    row("title", "jobtitle"),
    row("postalCode", "zip"),
    row("tags", "sansan_tags", kind="checkbox"),
)
DAN = {
    "email": "dan@delta.example.jp",
    "lastname": "Delta",
    "firstname": "Dan",
    "company": "Delta KK",
    "jobtitle": "Chief",
}
CARD = {
    "lastName": "Delta",
    "firstName": "Dan",
    "email": "dan@delta.example.jp",
    "companyName": "Delta KK",
    "title": "Chief",
    "countryCode": "AUTO",
}


def made(**members: Any) -> Rule:
    return Rule(ROWS, to_cards=ROWS, **members)


def dan(**values: str) -> Candidate:
    return Candidate(7, contact("301", {**DAN, **values}))


CASES = {
    "a new contact": (dan(), {}, "create", "new_card", "linked", ""),
    "it is not there any more": (Candidate(7, None), {}, "skip", "contact_left", "excluded", ""),
    "not there, and never to be": (
        Candidate(7, None, barred="asked"),
        {},
        "skip",
        "contact_left",
        "excluded",
        "",
    ),
    "it has a card": (replace(dan(), link="L"), {}, "skip", "has_card", "linked", ""),
    "it has a card, and is barred": (
        replace(dan(), link="L", barred="asked"),
        {},
        "skip",
        "has_card",
        "linked",
        "",
    ),
    "barred": (
        replace(dan(), barred="asked"),
        {},
        "skip",
        "never_sync",
        "excluded",
        note("persons_words", words="asked"),
    ),
    "no address": (dan(email=""), {}, "skip", "contact_no_email", "excluded", ""),
    "an address that is none": (
        dan(email="dan@delta"),
        {},
        "skip",
        "contact_no_email",
        "excluded",
        "",
    ),
    "no address, where none is asked for": (
        dan(email=""),
        {"require_email": False},
        "create",
        "new_card",
        "linked",
        "",
    ),
    "outside a criterion": (
        dan(),
        {"contact_filters": only("company", "contains", "Beta")},
        "skip",
        "contact_not_chosen",
        "excluded",
        note("contact_criterion", property="company", op="contains", value="Beta"),
    ),
    "inside a criterion": (
        dan(),
        {"contact_filters": only("company", "contains", "delta")},
        "create",
        "new_card",
        "linked",
        "",
    ),
    "a criterion of the cards": (
        dan(),
        {"filters": only("companyName", "contains", "Beta")},
        "create",
        "new_card",
        "linked",
        "",
    ),
    "nameless": (dan(lastname="", firstname=" ", company=""), {}, "hold", "nameless", "held", ""),
    "a company alone": (dan(lastname="", firstname=""), {}, "create", "new_card", "linked", ""),
    "a first name alone": (dan(lastname="", company=""), {}, "create", "new_card", "linked", ""),
    "too long": (
        dan(zip="123-4567-89a"),
        {},
        "hold",
        "too_long_for_card",
        "held",
        note("card_field", fields="postalCode"),
    ),
    "as long as may be": (dan(zip="123-456789"), {}, "create", "new_card", "linked", ""),
    "Sansan has the address": (
        replace(dan(), card="C9"),
        {},
        "skip",
        "card_exists",
        "linked",
        note("card", id="C9"),
    ),
    "nameless, and Sansan has the address": (
        replace(dan(lastname="", firstname="", company=""), card="C9"),
        {},
        "hold",
        "nameless",
        "held",
        "",
    ),
}


@pytest.mark.parametrize(
    ("one", "members", "kind", "reason", "bucket", "detail"), CASES.values(), ids=CASES
)
def test_the_decision_for_a_contact(one, members, kind, reason, bucket, detail):
    decision = decide_candidate(one, made(**members), 5)
    assert (decision.kind, decision.reason, decision.card, decision.detail) == (
        kind,
        reason,
        7,
        detail,
    )
    assert [
        (verdict.record, verdict.bucket, verdict.reason, verdict.detail)
        for verdict in decision.verdicts
    ] == [(7, bucket, reason, detail)]
    assert decision.contact_id == ("301" if one.contact else "")
    assert decision.writes is (kind == "create") and bool(decision.after) is decision.writes
    assert reason in REASONS and not decision.before and not decision.clashes


@pytest.mark.parametrize(
    ("one", "members", "kind", "reason", "bucket", "detail"), CASES.values(), ids=CASES
)
def test_what_needs_no_question_to_sansan_is_refused_before(
    one, members, kind, reason, bucket, detail
):
    early = refuse_candidate(one, made(**members))
    assert (early.reason if early else "") == (
        "" if reason in (NEW_CARD, "card_exists") else reason
    )


def test_what_the_card_says():
    assert dict(decide_candidate(dan(), made(), 1).after) == CARD


@pytest.mark.parametrize(
    ("left", "reason"), [(5, "new_card"), (1, "new_card"), (0, "daily_cap"), (-3, "daily_cap")]
)
def test_no_more_than_may_be_made_today(left, reason):
    decision = decide_candidate(dan(), made(), left)
    assert decision.reason == reason
    assert decision.verdicts[0].bucket == ("waiting" if reason == "daily_cap" else "linked")


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (replace(dan(), card="C9"), "card_exists"),
        (dan(email=""), "contact_no_email"),
        (Candidate(7, None), "contact_left"),
    ],
)
def test_the_cap_is_no_reason_for_those_who_make_no_card(one, reason):
    assert decide_candidate(one, made(), 0).reason == reason


@pytest.mark.parametrize(
    ("email", "address"),
    [
        ("dan@delta.example.jp", "dan@delta.example.jp"),
        (" DAN@Delta.example.jp ", "dan@delta.example.jp"),
        ("ＤＡＮ＠delta.example.jp", "dan@delta.example.jp"),
        ("dan@delta", ""),
        ("dan", ""),
        ("", ""),
    ],
)
def test_the_address(email, address):
    assert find_card_address(contact("301", email=email)) == address


def test_a_contact_whose_address_was_not_asked_for_has_none():
    assert find_card_address(contact("301")) == ""


def test_only_the_rows_that_fill_cards_do():
    rule = Rule(ROWS, to_cards=ROWS[:1])
    assert dict(decide_candidate(dan(), rule, 1).after) == {
        "lastName": "Delta",
        "countryCode": "AUTO",
    }
    assert decide_candidate(dan(), Rule(ROWS), 1).reason == "nameless"


@pytest.mark.parametrize(
    ("link", "barred", "card"), list(product(["", "L"], ["", "asked"], ["", "C9"]))
)
def test_the_same_candidate_gives_the_same_decision(link, barred, card):
    one = replace(dan(), link=link, barred=barred, card=card)
    assert decide_candidate(one, made(), 3) == decide_candidate(one, made(), 3)
