from dataclasses import replace
from itertools import permutations

import pytest

from integration.planning.blend import blend_cards, is_same_company, unite_tags
from integration.planning.matching import group_people
from tests.planning.make import card

TOKYO = {"postalCode": "105-0001", "prefecture": "東京都", "city": "港区"}


def person(*cards):
    (one,) = group_people(cards)
    return one


def newest(**fields):
    return card(1, day="2026-04-01", person_key="P", **fields)


def older(**fields):
    return card(2, day="2025-04-01", person_key="P", **fields)


def copy(record, **fields):
    """One card, as another rule keeps it."""
    return replace(card(1, day="2026-04-01", person_key="P", **fields), record=record, foreign=True)


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        pytest.param(
            [newest(title="部長"), older(title="課長")],
            {"title": "部長"},
            id="the newest card stands",
        ),
        pytest.param([newest(), older(title="課長")], {"title": "課長"}, id="a blank is filled"),
        pytest.param(
            [newest(title=""), older(title="課長")],
            {"title": "課長"},
            id="an empty text is a blank",
        ),
        pytest.param(
            [newest(), older(title="課長", companyName="㈱アクメ")],
            {"title": "課長"},
            id="same company in another legal form",
        ),
        pytest.param(
            [newest(), older(title="課長", companyName="ｱｸﾒ（株）")],
            {"title": "課長"},
            id="same company in another width",
        ),
        pytest.param(
            [newest(), older(title="課長", companyName="ベータ株式会社")],
            {"title": None},
            id="never from another company",
        ),
        pytest.param(
            [newest(), older(title="課長", companyName="")],
            {"title": None},
            id="never from a card without company",
        ),
        pytest.param(
            [newest(companyName=""), older(title="課長", companyName="")],
            {"title": None},
            id="no company is not a company",
        ),
        pytest.param(
            [newest(companyName="株式会社"), older(title="課長", companyName="有限会社")],
            {"title": None},
            id="a bare legal form is not a company",
        ),
        pytest.param([newest(), older(**TOKYO)], TOKYO, id="a whole address is taken"),
        pytest.param(
            [newest(city="横浜市"), older(**TOKYO)],
            {"city": "横浜市", "prefecture": None, "postalCode": None},
            id="two addresses are never mixed",
        ),
        pytest.param(
            [newest(), older(tel="1"), card(3, day="2024-04-01", person_key="P", tel="2", fax="3")],
            {"tel": "1", "fax": "3"},
            id="nearest in time first",
        ),
        pytest.param(
            [
                newest(),
                older(companyName="ベータ", tel="1"),
                card(3, day="2024-04-01", person_key="P", tel="2"),
            ],
            {"tel": "2"},
            id="another company between",
        ),
        pytest.param(
            [newest(countryCode="JP"), copy(9, **TOKYO)],
            {"countryCode": "JP", **TOKYO},
            id="two copies of one card are one address",
        ),
        pytest.param(
            [newest(countryCode="JP"), copy(9, city="横浜市"), older(**TOKYO)],
            {"city": "横浜市", "prefecture": None},
            id="begun by a copy",
        ),
    ],
)
def test_blend(cards, expected):
    for order in permutations(cards):
        values, _ = blend_cards(person(*order))
        assert {name: values.get(name) for name in expected} == expected


def test_origin_names_the_card_of_each_value():
    _, origin = blend_cards(person(newest(title="部長"), older(title="課長", tel="03-1234-5678")))
    assert (origin["title"], origin["tel"]) == ("C1", "C2")


def test_blend_holds_no_blanks_and_leaves_the_cards_alone():
    one, other = newest(title=""), older(tel="1")
    values, origin = blend_cards((one, other))
    assert "" not in values.values()
    assert set(values) == set(origin)
    assert "tel" not in one.values


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("アクメ株式会社", "（株）アクメ", True),
        ("Acme Inc.", "ACME Co., Ltd.", True),
        ("アクメ", "アクメ東京", False),
        ("", "", False),
        ("アクメ", "", False),
    ],
)
def test_same_company(one, other, same):
    assert is_same_company(card(1, companyName=one), card(2, companyName=other)) is same


def test_tags_are_united():
    assert unite_tags(
        person(newest(tags=("t2", "t1")), older(tags=("t3", "t1"), companyName="ベータ"))
    ) == ("t1", "t2", "t3")
