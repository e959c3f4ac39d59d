"""From a contact to a card: the mappings read the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.planning.card_values import (
    AUTO_COUNTRY,
    LONGEST_FIELDS,
    NAMING_FIELDS,
    SPELLING_TRANSFORMS,
    find_too_long,
    invert_table,
    make_card_values,
    make_country_code,
    refuse_row,
)
from integration.planning.mapping import map_card
from integration.planning.rule import MappingRow
from integration.planning.transforms import TRANSFORMS
from tests.planning.make import row

quick = settings(max_examples=200, derandomize=True, deadline=None, database=None)
TABLE = (("部長", "Manager"), ("ＣＥＯ", "Chief"), ("なし", ""))


def card(values: dict[str, str], *rows: MappingRow) -> dict[str, str]:
    """Without the country, which every card has."""
    return {
        name: text for name, text in make_card_values(values, rows).items() if name != "countryCode"
    }


# Which rows fill a card

REFUSED = {
    "plain": (row("title", "jobtitle"), ""),
    "joined": (row("street+building", "address", transform="joined"), ""),
    "joined by a space": (row("street+building", "address"), ""),
    "an expression": (MappingRow(("title",), "x", expression="{{ title }}"), "calculated"),
    "an expression of nothing": (MappingRow((), "x", expression="hello"), "calculated"),
    "tags": (row("tags", "sansan_tags", kind="checkbox"), "unwritable"),
    "tags by an expression": (MappingRow(("tags",), "x", expression="{{ tags }}"), "calculated"),
    "the exchange date": (row("exchangeDate", "sansan_exchange_date"), "unwritable"),
    "the owner": (row("ownerEmail", "hubspot_owner_id", kind="owner"), "unwritable"),
    "the owner's name": (row("ownerName", "owner"), "unwritable"),
    "joined with a field that is none": (row("street+ownerName", "x"), "unwritable"),
    "no field": (MappingRow((), "x"), "unwritable"),
    "an unknown field": (row("nonsense", "x"), "unwritable"),
    "a table that goes back": (row("title", "jobtitle", table=TABLE), ""),
    "a table that does not": (
        row("title", "jobtitle", table=(("部長", "Boss"), ("社長", "Boss"))),
        "one_way",
    ),
    "a table of two spellings of one": (
        row("title", "jobtitle", table=(("部長", "Boss"), ("社長", "ｂｏｓｓ"))),
        "one_way",
    ),
    "a table and an expression": (
        MappingRow(("title",), "x", expression="{{ title }}", table=TABLE),
        "calculated",
    ),
    **{
        f"transform {name}": (
            row("title", "x", transform=name),
            "" if name in SPELLING_TRANSFORMS else "calculated",
        )
        for name in TRANSFORMS
    },
}


@pytest.mark.parametrize(("one", "why"), REFUSED.values(), ids=REFUSED)
def test_whether_a_row_can_fill_a_card(one, why):
    assert refuse_row(one) == why
    filled = card({one.hubspot: "Manager"}, one)
    assert bool(filled) is not bool(why)


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - SPELLING_TRANSFORMS))
def test_what_changes_more_than_the_spelling_is_no_text_for_a_card(name):
    assert name in {"date", "number", "yes_no", "domain"}


def test_every_field_that_sansan_takes_can_be_filled():
    rows = [row(name, name.lower()) for name in LONGEST_FIELDS]
    filled = make_card_values({name.lower(): "JP" for name in LONGEST_FIELDS}, rows)
    assert set(filled) == set(LONGEST_FIELDS)


# Values

VALUES = {
    "as it is": ({"jobtitle": "部長"}, [row("title", "jobtitle")], {"title": "部長"}),
    "white space around": (
        {"jobtitle": "　部長 \n"},
        [row("title", "jobtitle")],
        {"title": "部長"},
    ),
    "blank": ({"jobtitle": ""}, [row("title", "jobtitle")], {}),
    "white space alone": ({"jobtitle": " 　"}, [row("title", "jobtitle")], {}),
    "not there": ({}, [row("title", "jobtitle")], {}),
    "full-width stays": (
        {"jobtitle": "ＣＥＯ"},
        [row("title", "jobtitle", transform="text")],
        {"title": "ＣＥＯ"},
    ),
    "joined fields go into the first": (
        {"address": "丸の内1-1 新ビル"},
        [row("street+building", "address")],
        {"street": "丸の内1-1 新ビル"},
    ),
    "two rows of one field: the first": (
        {"a": "1", "b": "2"},
        [row("title", "a"), row("title", "b")],
        {"title": "1"},
    ),
    "two rows of one field: the first that says something": (
        {"a": "", "b": "2"},
        [row("title", "a"), row("title", "b")],
        {"title": "2"},
    ),
    "one property in two fields": (
        {"a": "1"},
        [row("tel", "a"), row("secondTel", "a")],
        {"tel": "1", "secondTel": "1"},
    ),
    "a joined row and a plain one": (
        {"a": "1 2", "b": "2"},
        [row("street+building", "a"), row("building", "b")],
        {"street": "1 2", "building": "2"},
    ),
    "a refused row leaves its field to the next": (
        {"a": "1", "b": "2"},
        [row("title", "a", transform="number"), row("title", "b")],
        {"title": "2"},
    ),
}


@pytest.mark.parametrize(("values", "rows", "filled"), VALUES.values(), ids=VALUES)
def test_a_cards_values(values, rows, filled):
    assert card(values, *rows) == filled


@pytest.mark.parametrize(
    ("value", "kept", "blanked"),
    [
        ("Manager", "部長", "部長"),
        ("ｍａｎａｇｅｒ", "部長", "部長"),
        (" MANAGER ", "部長", "部長"),
        ("Chief", "ＣＥＯ", "ＣＥＯ"),
        ("Intern", "Intern", ""),
        ("部長", "部長", ""),
        ("", "", ""),
    ],
)
def test_a_table_backwards(value, kept, blanked):
    for others, expected in (("keep", kept), ("blank", blanked)):
        assert (
            card({"jobtitle": value}, row("title", "jobtitle", table=TABLE, others=others)).get(
                "title", ""
            )
            == expected
        )


def test_a_table_whose_blank_has_a_value_makes_no_text_of_it():
    assert card({"jobtitle": "Nobody"}, row("title", "jobtitle", table=(("", "Nobody"),))) == {}


def test_backwards():
    assert invert_table(()) == {}
    assert invert_table(TABLE) == {"manager": "部長", "chief": "ＣＥＯ", "": "なし"}
    assert invert_table((("a", "X"), ("b", " ｘ "))) == {}


@pytest.mark.parametrize("table", [TABLE, (("A", "1"), ("B", "2"))])
@pytest.mark.parametrize("others", ["keep", "blank"])
def test_a_table_there_and_back(table, others):
    one = row("title", "jobtitle", table=table, others=others)
    for have, value in table:
        if value:
            filled = card({"jobtitle": value}, one)
            assert filled == {"title": have} and map_card(filled, (), [one]) == {"jobtitle": value}


# Country

COUNTRIES = {
    "JP": "JP",
    "jp": "JP",
    " jp ": "JP",
    "ＪＰ": "JP",
    "Japan": "JP",
    "日本": "JP",
    "": AUTO_COUNTRY,
    "J": AUTO_COUNTRY,
    "JPN": AUTO_COUNTRY,
    "J1": AUTO_COUNTRY,
    "12": AUTO_COUNTRY,
    "ÄÖ": AUTO_COUNTRY,
    "J P": AUTO_COUNTRY,
    "日本 JP": AUTO_COUNTRY,
    "USA": "US",
    "United Kingdom": "GB",
    "イギリス": "GB",
    "Deutschland": "DE",
    "Atlantis": AUTO_COUNTRY,
    "AUTO": AUTO_COUNTRY,
}


@pytest.mark.parametrize(("text", "code"), COUNTRIES.items())
def test_a_country_is_two_letters_or_left_to_sansan(text, code):
    assert make_country_code(text) == code
    filled = make_card_values(
        {"lastname": "森", "country": text},
        [row("lastName", "lastname"), row("countryCode", "country")],
    )
    assert filled == {"lastName": "森", "countryCode": code}


def test_a_country_that_nobody_maps_is_left_to_sansan():
    assert (
        make_card_values({"lastname": "森"}, [row("lastName", "lastname")])["countryCode"]
        == AUTO_COUNTRY
    )


def test_nothing_is_no_card():
    assert (
        make_card_values({}, [row("lastName", "lastname")]) == {}
        and make_card_values({"lastname": "森"}, []) == {}
    )


# Lengths


@pytest.mark.parametrize(("field", "most"), sorted(LONGEST_FIELDS.items()))
def test_how_long_a_field_may_be(field, most):
    assert find_too_long({field: "x" * most}) == ""
    assert find_too_long({field: "森" * most}) == "", "characters, not bytes"
    assert find_too_long({field: "x" * (most + 1)}) == field


def test_lengths_that_are_known():
    assert (
        LONGEST_FIELDS["postalCode"],
        LONGEST_FIELDS["memo"],
        LONGEST_FIELDS["lastName"],
        LONGEST_FIELDS["email"],
    ) == (10, 2000, 250, 250)
    assert set(NAMING_FIELDS) <= set(LONGEST_FIELDS)
    assert find_too_long({}) == ""


# There and back

PLAIN = [row(name, f"p_{name}") for name in sorted(LONGEST_FIELDS) if name != "countryCode"]
text = st.text(max_size=30)


@quick
@given(values=st.dictionaries(st.sampled_from([one.hubspot for one in PLAIN]), text))
def test_plain_rows_give_back_the_contacts_own_text(values):
    filled = make_card_values(values, PLAIN)
    assert {name: said for name, said in map_card(filled, (), PLAIN).items() if said} == {
        name: one.strip() for name, one in values.items() if one.strip()
    }


@quick
@given(
    value=text,
    name=st.sampled_from(["street+building", "city+street+building", "departmentName+title"]),
    transform=st.sampled_from(["", "joined"]),
)
def test_joined_rows_give_it_back_too(value, name, transform):
    one = row(name, "address", transform=transform)
    assert (
        map_card(make_card_values({"address": value}, [one]), (), [one])["address"] == value.strip()
    )


@quick
@given(value=text, name=st.sampled_from(sorted(SPELLING_TRANSFORMS)))
def test_a_spelling_is_written_once_and_never_again(value, name):
    """What the card would write differs from the contact in spelling only, and what a second card
    of it would write does not differ at all.
    """
    one = row("title", "jobtitle", transform=name)
    first = map_card(make_card_values({"jobtitle": value}, [one]), (), [one])["jobtitle"]
    again = map_card(make_card_values({"jobtitle": first}, [one]), (), [one])["jobtitle"]
    assert again == first


@quick
@given(text=st.text(max_size=6))
def test_a_country_is_always_one_that_sansan_takes(text):
    code = make_country_code(text)
    assert code == AUTO_COUNTRY or (
        len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
    )
    assert make_country_code(code) == code or code == AUTO_COUNTRY
