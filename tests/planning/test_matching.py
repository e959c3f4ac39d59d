from itertools import permutations

import pytest

from integration.planning.matching import choose_address, find_owners, group_people
from tests.planning.make import AIKO, BEN, card

INFO = "info@acme.example.jp"


def groups(*cards):
    return [[one.record for one in person] for person in group_people(cards)]


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        pytest.param([card(1), card(2, BEN)], [[2], [1]], id="nothing shared"),
        pytest.param([card(1), card(2)], [[2, 1]], id="same address and name"),
        pytest.param(
            [card(1), card(2, email="ＡＩＫＯ＠acme.example.jp")],
            [[2, 1]],
            id="same address in full width",
        ),
        pytest.param(
            [card(1), card(2, lastName="森 ", firstName="愛\u3000子")],
            [[2, 1]],
            id="same name with other spaces",
        ),
        pytest.param(
            [card(1, lastName="ﾓﾘ"), card(2, lastName="もり")],
            [[2, 1]],
            id="same name in other kana",
        ),
        pytest.param(
            [card(1, email=INFO), card(2, BEN, email=INFO)],
            [[2], [1]],
            id="a mailbox of two people",
        ),
        pytest.param(
            [card(1, person_key="P"), card(2, BEN, person_key="P")],
            [[2, 1]],
            id="same Sansan person",
        ),
        pytest.param([card(1, link="L"), card(2, BEN, link="L")], [[2, 1]], id="same link"),
        pytest.param(
            [card(1, email=""), card(2, email="")], [[2], [1]], id="a name alone joins nobody"
        ),
        pytest.param(
            [card(1, email="no address"), card(2, email="no address")],
            [[2], [1]],
            id="what is no address joins nobody",
        ),
        pytest.param(
            [
                card(1, email="a@acme.example.jp", person_key="P"),
                card(2, email="b@acme.example.jp", person_key="P"),
                card(3, email="b@acme.example.jp"),
            ],
            [[3, 2, 1]],
            id="a chain of person and address",
        ),
        pytest.param(
            [card(1, link="L", person_key="P"), card(2, link="M", person_key="P")],
            [[2], [1]],
            id="two contacts of one Sansan person",
        ),
        pytest.param(
            [
                card(1, link="L", person_key="P"),
                card(2, link="M", person_key="P"),
                card(3, person_key="P"),
            ],
            [[3, 2], [1]],
            id="a new card of two contacts' person",
        ),
    ],
)
def test_who_is_one_person(cards, expected):
    for order in permutations(cards):
        assert groups(*order) == expected


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"day": "2026-04-01"}, {"day": "2026-04-02"}),
        ({"day": ""}, {"day": "1999-01-01"}),
        ({"changed": "2026-04-02"}, {"changed": "2026-04-03"}),
        (
            {"day": "2026-04-01", "changed": "2026-05-01"},
            {"day": "2026-04-02", "changed": "2026-04-02"},
        ),
    ],
)
def test_the_newest_card_comes_first(older, newer):
    assert groups(card(2, **older), card(1, **newer)) == [[1, 2]]


def test_equal_times_are_settled_by_id():
    assert groups(card(1), card(2)) == groups(card(2), card(1)) == [[2, 1]]


def addresses(*cards):
    persons = group_people(cards)
    owner = find_owners(persons)
    return {person[0].record: choose_address(person, owner) for person in persons}


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        pytest.param(
            [card(1), card(2, BEN)], {1: AIKO["email"], 2: BEN["email"]}, id="to each their own"
        ),
        pytest.param(
            [card(1, email=INFO, day="2026-04-02"), card(2, BEN, email=INFO)],
            {1: INFO, 2: ""},
            id="a mailbox goes to the newest card",
        ),
        pytest.param(
            [
                card(1, email=INFO, day="2026-04-02", person_key="P"),
                card(2, person_key="P"),
                card(3, BEN, email=INFO, day="2026-05-01"),
            ],
            {1: AIKO["email"], 3: INFO},
            id="who loses a mailbox falls back on an address of their own",
        ),
        pytest.param(
            [card(1, email="", person_key="P"), card(2, person_key="P", day="2025-01-01")],
            {1: AIKO["email"]},
            id="an older card's address",
        ),
        pytest.param([card(1, email="")], {1: ""}, id="none"),
    ],
)
def test_whose_address_it_is(cards, expected):
    for order in permutations(cards):
        assert addresses(*order) == expected


def test_a_link_without_a_contact_keeps_nobody_apart():
    cards = [card(1, link="L", person_key="P"), card(2, link="M", person_key="P")]
    (person,) = group_people(cards, {"M"})
    assert {one.link for one in person} == {"L", "M"}
