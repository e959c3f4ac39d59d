"""Whether a mapping can work against a property, and whether a value fits it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integration.notes import note, write_english
from integration.planning.fit import MappingProblem, find_mapping_problem, find_value_problem
from integration.planning.rule import MappingRow
from tests.planning.make import row


def prop(
    type: str = "string",
    field_type: str = "text",
    kind: str = "text",
    read_only: bool = False,
    options: tuple[str, ...] = (),
) -> dict[str, object]:
    return {
        "type": type,
        "field_type": field_type,
        "kind": kind,
        "label": "",
        "read_only": read_only,
        "options": {one: one for one in options},
    }


SCHEMA = {
    "jobtitle": prop(),
    "phone": prop("phone_number", "phonenumber", "phone"),
    "email": prop(kind="email"),
    "score": prop("number", "number", "number"),
    "met_on": prop("date", "date"),
    "met_at": prop("datetime", "date"),
    "is_key": prop("bool", "booleancheckbox"),
    "opted_in": prop("enumeration", "booleancheckbox", options=("true", "false")),
    "rank": prop("enumeration", "select", options=("A", "B")),
    "fairs": prop("enumeration", "checkbox", "checkbox", options=("T1", "T2")),
    "any_list": prop("enumeration", "checkbox", "checkbox"),
    "createdate": prop("datetime", "date", read_only=True),
}
TEXT = row("title", "")
EXPRESSION = MappingRow(("title",), "", expression="{{ title }}")
TABLE = replace(TEXT, table=(("部長", "A"),))


def wrong_type(name: str, fields: str) -> MappingProblem:
    """These fields' text is of another type than the property."""
    fault = note("type_does_not_take", type=SCHEMA[name]["type"], fields=fields)
    return MappingProblem("wrong_type", note("of_property", word=name, fault=fault))


@pytest.mark.parametrize("name", ["jobtitle", "phone", "email"])
def test_text_takes_whatever_a_card_has(name):
    for one in (TEXT, EXPRESSION, TABLE, row("tags", ""), row("street+building", "")):
        assert find_mapping_problem(replace(one, hubspot=name), SCHEMA) is None


FORMED = {
    "a number": ("score", row("title", "", transform="number")),
    "the exchange date": ("met_on", row("exchangeDate", "")),
    "a date": ("met_on", row("title", "", transform="date")),
    "a truth": ("is_key", row("title", "", transform="yes_no")),
    "an option that is a truth": ("opted_in", row("title", "", transform="yes_no")),
    "tags": ("fairs", row("tags", "")),
}


@pytest.mark.parametrize(("name", "fitting"), FORMED.values(), ids=FORMED)
def test_another_type_takes_what_has_its_form(name, fitting):
    assert find_mapping_problem(replace(fitting, hubspot=name), SCHEMA) is None
    assert find_mapping_problem(replace(TEXT, hubspot=name), SCHEMA) == wrong_type(name, "title")


@pytest.mark.parametrize("name", ["score", "met_on", "met_at", "is_key", "rank", "fairs"])
def test_an_expression_or_a_table_may_make_any_form(name):
    assert find_mapping_problem(replace(EXPRESSION, hubspot=name), SCHEMA) is None
    assert find_mapping_problem(replace(TABLE, hubspot=name), SCHEMA) is None


MISFORMED = {
    "a truth as a number": ("score", row("title", "", transform="yes_no")),
    "a date as a moment": ("met_at", row("exchangeDate", "")),
    "a date joined with a text": ("met_on", row("exchangeDate+title", "")),
    "a number as a date": ("met_on", row("exchangeDate", "", transform="number")),
    "capitals as a date": ("met_on", row("exchangeDate", "", transform="upper")),
    "a number as a truth": ("is_key", row("title", "", transform="number")),
    "tags as one option": ("rank", row("tags", "")),
    "capitals as an option": ("rank", row("title", "", transform="upper")),
}


@pytest.mark.parametrize(("name", "wrong"), MISFORMED.values(), ids=MISFORMED)
def test_a_form_of_another_type_does_not_do(name, wrong):
    found = find_mapping_problem(replace(wrong, hubspot=name), SCHEMA)
    assert found == wrong_type(name, ",".join(wrong.sansan))


UNWRITABLE = {
    "not there": (
        "nonsense",
        "unknown_property",
        note("no_such_property"),
        "nonsense: HubSpot has no such contact property.",
    ),
    "HubSpot's own": (
        "createdate",
        "read_only",
        note("property_read_only"),
        "createdate: HubSpot does not let this property be written.",
    ),
}


@pytest.mark.parametrize(("name", "reason", "fault", "said"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_property_that_cannot_be_written_is_named(name, reason, fault, said):
    found = find_mapping_problem(replace(EXPRESSION, hubspot=name), SCHEMA)
    assert found == MappingProblem(reason, note("of_property", word=name, fault=fault))
    assert write_english(found.note) == said


# Case -> (property, values that fit, values that do not, the code of their notes).
VALUES = {
    "text": ("jobtitle", ["部長", "x" * 70_000, "1"], [], ""),
    "an address": (
        "email",
        ["aiko@acme.example.jp", "Ａｉｋｏ@acme.example.jp"],
        ["aiko", "aiko@", "aiko@acme", "a@b.example.jp, c@d.example.jp"],
        "not_an_address",
    ),
    "a number": (
        "score",
        ["1", "-1.5", "0", "1000000"],
        ["部長", "1,000", "12 cm", "nan", "inf", "1_000", "１２", "1e5", "0x10"],
        "not_a_number",
    ),
    "a date": (
        "met_on",
        ["2026-04-01", "1775001600000"],
        ["2026/04/01", "April", "2026-02-30", "20260401", "１２３"],
        "not_a_date",
    ),
    "a moment": (
        "met_at",
        ["2026-04-01T09:00:00+09:00", "2026-04-01", "1775001600000"],
        ["yesterday", "2026-04-01T25:00:00"],
        "not_a_moment",
    ),
    "a truth": ("is_key", ["true", "false"], ["yes", "True", "1", "×"], "not_a_truth"),
    "an option": ("rank", ["A", "B"], ["C", "a", "A;B", "Ａ"], "not_an_option"),
    "options": (
        "fairs",
        ["T1", "T2;T1", ";T1", "T1;"],
        ["T3", "T1;T3", "T1,T2"],
        "not_an_option",
    ),
    "options of no list": ("any_list", ["whatever", "a;b"], [], ""),
}
# A value of several options -> the one at fault.
AT_FAULT = {"T1;T3": "T3"}


@pytest.mark.parametrize(("name", "fitting", "wrong", "code"), VALUES.values(), ids=VALUES)
def test_a_value_fits_or_says_why_not(name, fitting, wrong, code):
    """A value that passes here and that HubSpot refuses would be told after the sync instead of
    before it.
    """
    assert find_value_problem("", SCHEMA[name]) == ""
    assert {value: find_value_problem(value, SCHEMA[name]) for value in fitting} == dict.fromkeys(
        fitting, ""
    )
    for value in wrong:
        problem = find_value_problem(value, SCHEMA[name])
        assert problem == note(code, value=AT_FAULT.get(value, value))
        said = write_english(problem)
        assert said.startswith("“") and said.endswith("."), (value, said)


def test_the_option_that_is_missing_is_named():
    problem = find_value_problem("T1;T3", SCHEMA["fairs"])
    assert problem == note("not_an_option", value="T3")
    assert "“T3”" in write_english(problem)


def test_a_long_value_is_not_told_whole():
    for name in ("score", "rank", "email"):
        problem = find_value_problem("長" * 5000, SCHEMA[name])
        assert len(problem) < 300 and len(write_english(problem)) < 300
