"""The parts of a plan by themselves: which link a person keeps, which address a contact keeps, and
who is taken leave of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from integration.planning.decisions import Decision, Verdict
from integration.planning.linking import choose_links
from integration.planning.plan import (
    Situation,
    find_address_holders,
    list_moving_contacts,
    plan_farewells,
    plan_people,
)
from integration.planning.rule import MappingRow
from integration.planning.snapshot import Card, LinkView
from integration.records import ContactRead
from tests.planning.make import AIKO, BEN, ROWS, at, card, contact, row, rule, snapshot

A, B, SHARED = "a@acme.example.jp", "b@acme.example.jp", "info@acme.example.jp"


# Which link a person keeps


def has(email: str = "", link: str = "") -> Card:
    return card(email=email, link=link)


# Persons with their cards, newest first; address -> whose it is, by the person's place; links whose
# contact is gone -> each person's link
LINKS: dict[str, tuple[list[tuple[Card, ...]], dict[str, int], tuple[str, ...], list[str]]] = {
    "nobody": ([], {}, (), []),
    # One person.
    "no link": ([(has(A),)], {A: 0}, (), [""]),
    "one link": ([(has(A, "L1"),)], {A: 0}, (), ["L1"]),
    "the newest card's": ([(has(A, "L1"), has(A, "L2"))], {A: 0}, (), ["L1"]),
    "an older card's": ([(has(A), has(A, "L2"))], {A: 0}, (), ["L2"]),
    "the newest is gone": ([(has(A, "L1"), has(A, "L2"))], {A: 0}, ("L1",), ["L2"]),
    "the older is gone": ([(has(A, "L1"), has(A, "L2"))], {A: 0}, ("L2",), ["L1"]),
    "two are gone": ([(has(A, "L1"), has(A, "L2"))], {A: 0}, ("L1", "L2"), ["L1"]),
    "gone, and no other link": ([(has(A), has(A, "L2"))], {A: 0}, ("L2",), ["L2"]),
    "another's is gone": ([(has(A, "L1"),)], {A: 0}, ("L9",), ["L1"]),
    "no address": ([(has("", "L1"),)], {}, (), ["L1"]),
    # A mailbox that passes to somebody with a newer card.
    "strangers": ([(has(A, "L1"),), (has(B),)], {A: 0, B: 1}, (), ["L1", ""]),
    "takes the contact along": ([(has(A),), (has(A, "L1"),)], {A: 0}, (), ["L1", ""]),
    "whatever the order": ([(has(A, "L1"),), (has(A),)], {A: 1}, (), ["", "L1"]),
    "to one with a contact": ([(has(A, "L1"),), (has(A, "L2"),)], {A: 0}, (), ["L1", "L2"]),
    "from one without a contact": ([(has(A, "L1"),), (has(A),)], {A: 0}, (), ["L1", ""]),
    "another address is left": (
        [(has(A),), (has(A, "L1"), has(B))],
        {A: 0, B: 1},
        (),
        ["", "L1"],
    ),
    "from two people": (
        [(has(A),), (has(A, "L1"),), (has(A, "L2"),)],
        {A: 0},
        (),
        ["L1", "", "L2"],
    ),
    "two mailboxes to two people": (
        [(has(A),), (has(B),), (has(B, "L1"), has(A))],
        {A: 0, B: 1},
        (),
        ["", "L1", ""],
    ),
    "the card with the link has no address": (
        [(has(A),), (has("", "L1"), has(A))],
        {A: 0},
        (),
        ["L1", ""],
    ),
}


def find_places(
    persons: Sequence[tuple[Card, ...]], owners: Mapping[str, int], gone: Collection[str]
) -> list[str]:
    """Each person's link, in the order of the persons."""
    held = {address: persons[place] for address, place in owners.items()}
    chosen = choose_links(persons, held, gone)
    return [chosen[id(person)] for person in persons]


@pytest.mark.parametrize(("persons", "owners", "gone", "links"), LINKS.values(), ids=LINKS)
def test_which_link_a_person_keeps(
    persons: list[tuple[Card, ...]],
    owners: dict[str, int],
    gone: tuple[str, ...],
    links: list[str],
) -> None:
    assert find_places(persons, owners, gone) == links


def test_nobody_is_gone_unless_it_is_said() -> None:
    person = (has(A, "L1"), has(A, "L2"))
    assert choose_links([person], {A: person}) == {id(person): "L1"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_no_link_is_given_to_two_people(order: tuple[int, ...]) -> None:
    people = [(has(SHARED),), (has(SHARED, "L1"),), (has(SHARED, "L2"), has(B))]
    persons = [people[place] for place in order]
    owners = {SHARED: order.index(0), B: order.index(2)}
    found = find_places(persons, owners, ())
    assert [found[order.index(place)] for place in range(3)] == ["L1", "", "L2"]


# Which address a contact keeps

HERS, HIS = LinkView("L1", "101"), LinkView("L2", "102")
AIKO_101, BEN_102 = contact("101", email=A), contact("102", email=B)

# Links; contacts by the id that was asked for; contacts by address; what each link's person is to
# have -> the addresses that stay where they are
HOLDERS: dict[
    str,
    tuple[
        tuple[LinkView, ...],
        dict[str, ContactRead],
        dict[str, str],
        dict[str, str],
        dict[str, str],
    ],
] = {
    "nobody": ((), {}, {}, {}, {}),
    "nobody wants anything": ((HERS,), {"101": AIKO_101}, {}, {}, {A: "101"}),
    "a stranger's, found by address": ((), {"101": AIKO_101}, {A: "101"}, {}, {A: "101"}),
    "asked for, not found": ((), {}, {A: "101"}, {}, {}),
    "a second address of a contact": (
        (),
        {"101": AIKO_101},
        {SHARED: "101"},
        {},
        {A: "101", SHARED: "101"},
    ),
    "gives its address up": ((HERS,), {"101": AIKO_101}, {}, {"L1": SHARED}, {}),
    "gives a second one up": ((HERS,), {"101": AIKO_101}, {SHARED: "101"}, {"L1": B}, {}),
    "is to have none": ((HERS,), {"101": AIKO_101}, {}, {"L1": ""}, {A: "101"}),
    "only the other gives up": (
        (HERS, HIS),
        {"101": AIKO_101, "102": BEN_102},
        {},
        {"L2": A},
        {A: "101"},
    ),
    "two that change places": (
        (HERS, HIS),
        {"101": AIKO_101, "102": BEN_102},
        {},
        {"L1": B, "L2": A},
        {},
    ),
    "a new person": ((HERS,), {"101": AIKO_101}, {}, {"": A}, {A: "101"}),
    "a link that is not here": ((HERS,), {"101": AIKO_101}, {}, {"L9": B}, {A: "101"}),
    "a link without a contact": (
        (LinkView("L1"),),
        {"101": AIKO_101},
        {},
        {"L1": A},
        {A: "101"},
    ),
    "folded": (
        (),
        {"101": contact("101", email=" Ａ@Acme.Example.JP ")},
        {},
        {},
        {A: "101"},
    ),
    "as the contact says, not as it was found": (
        (),
        {"101": contact("101", email=B), "102": contact("102", email=A)},
        {A: "101"},
        {},
        {A: "102", B: "101"},
    ),
    "merged: by the id it has now": ((), {"101": contact("201", email=A)}, {}, {}, {A: "201"}),
    "merged, and gives it up": (
        (HERS,),
        {"101": contact("201", email=A)},
        {},
        {"L1": B},
        {},
    ),
}


@pytest.mark.parametrize(
    ("links", "contacts", "by_email", "wanted", "held"), HOLDERS.values(), ids=HOLDERS
)
def test_which_address_a_contact_keeps(
    links: tuple[LinkView, ...],
    contacts: dict[str, ContactRead],
    by_email: dict[str, str],
    wanted: dict[str, str],
    held: dict[str, str],
) -> None:
    known = replace(snapshot(links=links), contacts=contacts, by_email=by_email)
    leaving = list_moving_contacts(known, wanted).keys()
    assert find_address_holders(known, leaving) == held


def test_a_contact_without_an_address_holds_none() -> None:
    known = replace(snapshot(links=(HERS,)), contacts={"101": contact("101", email="")})
    assert find_address_holders(known, ()) == {}


def test_two_people_without_an_address_are_not_in_each_others_way() -> None:
    decisions = plan_people(
        snapshot(
            card(1, {**AIKO, "email": ""}, link="L1"),
            card(2, {**BEN, "email": ""}, link="L2"),
            links=(HERS, HIS),
            contacts=(contact("101", lastname="森"), contact("102", lastname="原")),
        ),
        rule(require_email=False),
    )
    assert "email_taken" not in {decision.reason for decision in decisions}


# Who is taken leave of

TAGS = row("tags", "sansan_tags", kind="checkbox", clear=True)
TAGGED = {"sansan_tags": "t1"}
NO_TAG = "no_selected_tag"


def left(record: int, link: str = "L1", reason: str = NO_TAG) -> Decision:
    """The decision about a card that is out of scope."""
    return Decision("skip", reason, record, (Verdict(record, "excluded", reason),), link=link)


def say_goodbye(
    *out: Decision,
    cards: Sequence[Card] = (card(1), card(2)),
    rows: Sequence[MappingRow] = (TAGS,),
    link: LinkView | None = None,
    tags: str = "t1",
    kept: Collection[str] = (),
    conflict: str = "sansan",
) -> dict[int, Decision]:
    """Aiko's contact carries our tag; Ben's does as well."""
    hers = link or LinkView("L1", "101", TAGGED)
    known = snapshot(
        *cards,
        links=(hers, LinkView("L2", "102", TAGGED)),
        contacts=(contact("101", sansan_tags=tags), contact("102", sansan_tags="t1")),
    )
    situation = Situation(known, rule(*rows, conflict=conflict), {})
    return plan_farewells(out, kept, situation)


EXPRESSION = replace(TAGS, hubspot="tag_names", expression="tags")
# What is known -> the records that get a last write
FAREWELLS: dict[str, tuple[tuple[Decision, ...], dict[str, object], list[int]]] = {
    "nobody is out": ((), {}, []),
    "has lost the tag": ((left(1),), {}, [1]),
    "two people": ((left(1), left(2, "L2")), {}, [1, 2]),
    "two cards of one person": ((left(1), left(2)), {}, [1]),
    "a card stays": ((left(1),), {"kept": ("L1",)}, []),
    "a card of somebody else stays": ((left(1),), {"kept": ("L2",)}, [1]),
    # Out for another reason: the contact stays as it is.
    "filtered": ((left(1, reason="filtered"),), {}, []),
    "not seen any more": ((left(1, reason="unseen"),), {}, []),
    "never synced": ((left(1, reason="never_sync"),), {}, []),
    "one of two is filtered": ((left(1, reason="filtered"), left(2)), {}, [2]),
    # Another rule's card says nothing.
    "another rule's card": ((left(1),), {"cards": (card(1, foreign=True),)}, []),
    "another rule's card comes first": (
        (left(1), left(2)),
        {"cards": (card(1, foreign=True), card(2))},
        [2],
    ),
    # No contact to write to.
    "never linked": ((left(1, ""),), {}, []),
    "a link that is not here": ((left(1, "L9"),), {}, []),
    "gone": ((left(1),), {"link": LinkView("L1", "101", TAGGED, gone="deleted")}, []),
    "not found": ((left(1),), {"link": LinkView("L1", "999", TAGGED)}, []),
    # Nothing to take.
    "we wrote no tag": ((left(1),), {"link": LinkView("L1", "101")}, []),
    "we have taken it already": (
        (left(1),),
        {"link": LinkView("L1", "101", {"sansan_tags": ""}), "tags": ""},
        [],
    ),
    "people have taken it": ((left(1),), {"tags": ""}, []),
    # Edited in HubSpot.
    "edited, and the card wins": ((left(1),), {"tags": "mine"}, [1]),
    "edited, and HubSpot wins": ((left(1),), {"tags": "mine", "conflict": "hubspot"}, []),
    "edited, and nobody has chosen": ((left(1),), {"tags": "mine", "conflict": "hold"}, []),
    # The contact was changed on 3 April.
    "edited after the card": (
        (left(1),),
        {"tags": "mine", "conflict": "newest", "cards": (card(1, changed="2026-04-02"),)},
        [],
    ),
    "edited before the card": (
        (left(1),),
        {"tags": "mine", "conflict": "newest", "cards": (card(1, changed="2026-04-04"),)},
        [1],
    ),
    "edited before the other card": (
        (left(1), left(2)),
        {
            "tags": "mine",
            "conflict": "newest",
            "cards": (card(1, changed="2026-04-02"), card(2, changed="2026-04-04")),
        },
        [2],
    ),
    # The row that fills our property.
    "no tags are mapped": ((left(1),), {"rows": ROWS[:2]}, []),
    "tags are only read by an expression": ((left(1),), {"rows": (EXPRESSION,)}, []),
    "an expression stands before it": ((left(1),), {"rows": (EXPRESSION, TAGS)}, [1]),
    "tags and something else": ((left(1),), {"rows": (row("tags+title", "sansan_tags"),)}, []),
    "tags are never cleared": ((left(1),), {"rows": (replace(TAGS, clear=False),)}, []),
    "tags are only added": ((left(1),), {"rows": (replace(TAGS, policy="append"),)}, []),
}


@pytest.mark.parametrize(("out", "known", "records"), FAREWELLS.values(), ids=FAREWELLS)
def test_who_is_taken_leave_of(
    out: tuple[Decision, ...], known: dict[str, object], records: list[int]
) -> None:
    assert list(say_goodbye(*out, **known)) == records  # type: ignore[arg-type]


def test_the_last_write_takes_our_tag_and_keeps_the_verdict() -> None:
    assert say_goodbye(left(1), rows=(*ROWS[:-1], TAGS)) == {
        1: Decision(
            kind="update",
            reason="tag_removed",
            card=1,
            verdicts=(Verdict(1, "excluded", NO_TAG),),
            link="L1",
            contact_id="101",
            before={"sansan_tags": "t1"},
            after={"sansan_tags": ""},
        )
    }


def test_the_last_write_goes_to_the_contact_that_a_merge_has_left() -> None:
    known = replace(
        snapshot(card(1), links=(LinkView("L1", "101", TAGGED),)),
        contacts={"101": ContactRead("201", TAGGED, at("2026-04-03"))},
    )
    farewells = plan_farewells([left(1)], (), Situation(known, rule(TAGS), {}))
    assert farewells[1].contact_id == "201"
