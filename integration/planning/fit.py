"""Whether a mapping can work against the property that HubSpot has, and whether a value fits it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from integration.notes import note
from integration.planning.mapping import OWNER_KIND
from integration.planning.normalize import is_email, normalize_email
from integration.planning.rule import TAGS_FIELD, MappingRow

# Property types that take any text. Others take it only where something makes their form.
TEXT_TYPES = ("string", "phone_number")
# The transforms that leave a date a date.
KEEP_DATES = ("", "date")
# Transform -> the type whose form it makes.
FORMS_MADE = {"date": "date", "number": "number", "yes_no": "bool"}


class MappingProblem(NamedTuple):
    """Why a mapping cannot work as it stands: a reason code, and a note for a person."""

    reason: str
    note: str


def find_mapping_problem(row: MappingRow, schema: Mapping[str, Any]) -> MappingProblem | None:
    """``schema``: name -> {type, field_type, read_only, options}."""
    prop = schema.get(row.hubspot)
    if prop is None:
        reason, fault = "unknown_property", note("no_such_property")
    elif prop["read_only"]:
        reason, fault = "read_only", note("property_read_only")
    elif not is_fit_for_property(row, prop):
        reason = "wrong_type"
        fault = note("type_does_not_take", type=prop["type"], fields=",".join(row.sansan))
    else:
        return None
    return MappingProblem(reason, note("of_property", word=row.hubspot, fault=fault))


def is_fit_for_property(row: MappingRow, prop: Mapping[str, Any]) -> bool:
    """By what the row is, before any card is looked at.

    An expression or a value table may make any form.
    """
    if prop.get("kind") == OWNER_KIND:
        # The text is an address, looked up among the portal's users.
        return row.sansan != (TAGS_FIELD,) or bool(row.expression)
    if (
        prop["type"] in TEXT_TYPES
        or row.expression
        or row.table
        or FORMS_MADE.get(row.transform) == prop["type"]
    ):
        return True
    if prop["type"] == "date":
        return row.sansan == ("exchangeDate",) and row.transform in KEEP_DATES
    if prop["type"] == "enumeration":
        tags = row.sansan == (TAGS_FIELD,) and prop["field_type"] == "checkbox"
        return tags or (row.transform == "yes_no" and {"true", "false"} <= set(prop["options"]))
    return False


def find_value_problem(value: str, prop: Mapping[str, Any]) -> str:
    """What is wrong with a value for the property, as a note; "" where it fits or is blank."""
    # An address that is nobody's leaves the owner alone.
    if not value or prop.get("kind") == OWNER_KIND:
        return ""
    if prop.get("kind") == "email":
        is_good = is_email(normalize_email(value))
        return "" if is_good else note("not_an_address", value=shorten_value(value))
    if prop["type"] == "enumeration":
        return find_option_problem(value, prop)
    if prop["type"] not in TYPE_TESTS:
        return ""
    is_of_type, problem = TYPE_TESTS[prop["type"]]
    return "" if is_of_type(value) else note(problem, value=shorten_value(value))


def find_option_problem(value: str, prop: Mapping[str, Any]) -> str:
    options = prop.get("options") or {}
    parts = [value]
    if prop.get("field_type") == "checkbox":
        parts = [part for part in value.split(";") if part]
    unknown = next((part for part in parts if options and part not in options), "")
    return note("not_an_option", value=shorten_value(unknown)) if unknown else ""


LONGEST_SHOWN = 80


def shorten_value(value: str) -> str:
    return value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…"


def is_number(value: str) -> bool:
    """As HubSpot reads one: no thousands' commas, no exponent."""
    return NUMBER_FORM.fullmatch(value) is not None


def is_date(value: str) -> bool:
    return is_moment(value) and (
        len(value) == len("2026-04-01") or MILLISECONDS_FORM.fullmatch(value) is not None
    )


def is_moment(value: str) -> bool:
    if MILLISECONDS_FORM.fullmatch(value):
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return ISO_FORM.match(value) is not None


NUMBER_FORM = re.compile(r"-?[0-9]+(\.[0-9]+)?")
ISO_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Since 1970, as HubSpot tells times, too.
MILLISECONDS_FORM = re.compile(r"-?[0-9]{11,14}")
# Type of a property -> (whether a value is of it, the note where it is not).
TYPE_TESTS: dict[str, tuple[Callable[[str], bool], str]] = {
    "number": (is_number, "not_a_number"),
    "date": (is_date, "not_a_date"),
    "datetime": (is_moment, "not_a_moment"),
    "bool": (lambda value: value in ("true", "false"), "not_a_truth"),
}
