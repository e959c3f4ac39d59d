"""Whether a mapping can work against a property, and whether a value fits it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integration.planning.fit import find_mapping_problem, find_value_problem
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


@pytest.mark.parametrize("name", ["jobtitle", "phone", "email"])
def test_text_takes_whatever_a_card_has(name):
    for one in (TEXT, EXPRESSION, TABLE, row("tags", ""), row("street+building", "")):
        assert find_mapping_problem(replace(one, hubspot=name), SCHEMA) is None


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("score", row("title", "", transform="number")),
        ("met_on", row("exchangeDate", "")),
        ("met_on", row("title", "", transform="date")),
        ("is_key", row("title", "", transform="yes_no")),
        ("opted_in", row("title", "", transform="yes_no")),
        ("fairs", row("tags", "")),
    ],
)
def test_another_type_takes_what_has_its_form(name, fitting):
    assert find_mapping_problem(replace(fitting, hubspot=name), SCHEMA) is None
    reason, said = find_mapping_problem(replace(TEXT, hubspot=name), SCHEMA)
    assert reason == "wrong_type" and name in said and "title" in said


@pytest.mark.parametrize("name", ["score", "met_on", "met_at", "is_key", "rank", "fairs"])
def test_an_expression_or_a_table_may_make_any_form(name):
    assert find_mapping_problem(replace(EXPRESSION, hubspot=name), SCHEMA) is None
    assert find_mapping_problem(replace(TABLE, hubspot=name), SCHEMA) is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("score", row("title", "", transform="yes_no")),
        ("met_at", row("exchangeDate", "")),
        ("met_on", row("exchangeDate+title", "")),
        ("met_on", row("exchangeDate", "", transform="number")),
        ("met_on", row("exchangeDate", "", transform="upper")),
        ("is_key", row("title", "", transform="number")),
        ("rank", row("tags", "")),
        ("rank", row("title", "", transform="upper")),
    ],
)
def test_a_form_of_another_type_does_not_do(name, wrong):
    assert find_mapping_problem(replace(wrong, hubspot=name), SCHEMA)[0] == "wrong_type"


@pytest.mark.parametrize(
    ("name", "reason"), [("nonsense", "unknown_property"), ("createdate", "read_only")]
)
def test_a_property_that_cannot_be_written_is_named(name, reason):
    found, said = find_mapping_problem(replace(EXPRESSION, hubspot=name), SCHEMA)
    assert found == reason and said.startswith(name) and said.endswith(".")


@pytest.mark.parametrize(
    ("name", "fitting", "wrong"),
    [
        ("jobtitle", ["部長", "x" * 70_000, "1"], []),
        (
            "email",
            ["aiko@acme.example.jp", "Ａｉｋｏ@acme.example.jp"],
            ["aiko", "aiko@", "aiko@acme", "a@b.example.jp, c@d.example.jp"],
        ),
        (
            "score",
            ["1", "-1.5", "0", "1000000"],
            ["部長", "1,000", "12 cm", "nan", "inf", "1_000", "１２", "1e5", "0x10"],
        ),
        (
            "met_on",
            ["2026-04-01", "1775001600000"],
            ["2026/04/01", "April", "2026-02-30", "20260401", "１２３"],
        ),
        (
            "met_at",
            ["2026-04-01T09:00:00+09:00", "2026-04-01", "1775001600000"],
            ["yesterday", "2026-04-01T25:00:00"],
        ),
        ("is_key", ["true", "false"], ["yes", "True", "1", "×"]),
        ("rank", ["A", "B"], ["C", "a", "A;B", "Ａ"]),
        ("fairs", ["T1", "T2;T1", ";T1", "T1;"], ["T3", "T1;T3", "T1,T2"]),
        ("any_list", ["whatever", "a;b"], []),
    ],
)
def test_a_value_fits_or_says_why_not(name, fitting, wrong):
    """A value that passes here and that HubSpot refuses would be told after the sync instead of
    before it.
    """
    assert find_value_problem("", SCHEMA[name]) == ""
    assert {value: find_value_problem(value, SCHEMA[name]) for value in fitting} == dict.fromkeys(
        fitting, ""
    )
    for value in wrong:
        said = find_value_problem(value, SCHEMA[name])
        assert said.startswith("“") and said.endswith("."), (value, said)


def test_the_option_that_is_missing_is_named():
    assert "“T3”" in find_value_problem("T1;T3", SCHEMA["fairs"])


def test_a_long_value_is_not_told_whole():
    for name in ("score", "rank", "email"):
        assert len(find_value_problem("長" * 5000, SCHEMA[name])) < 300
