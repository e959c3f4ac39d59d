"""Whether a mapping can work against the property that HubSpot has, and whether a value fits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from integration.planning.mapping import OWNER_KIND
from integration.planning.normalize import is_email, normalize_email
from integration.planning.rule import TAGS_FIELD, MappingRow

# Property types that take any text. Others take it only where something makes their form.
TEXT_TYPES = ("string", "phone_number")
# The transforms that leave a date a date.
KEEP_DATES = ("", "date")
# Transform -> the type whose form it makes.
FORMS_MADE = {"date": "date", "number": "number", "yes_no": "bool"}


def find_mapping_problem(row: MappingRow, schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """(reason, sentence) where the mapping cannot work as it stands.

    ``schema``: name -> {type, field_type, read_only, options}.
    """
    prop = schema.get(row.hubspot)
    if prop is None:
        return "unknown_property", f"{row.hubspot}: HubSpot has no such contact property."
    if prop["read_only"]:
        return "read_only", f"{row.hubspot}: HubSpot does not let this property be written."
    if not is_fit_for_property(row, prop):
        return (
            "wrong_type",
            (
                f"{row.hubspot}: a property of type {prop['type']} does not take the text of "
                f"{','.join(row.sansan)}."
            ),
        )
    return None


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
    """What is wrong with a value for the property, in a sentence; "" where it fits or is blank."""
    if (
        not value or prop.get("kind") == OWNER_KIND
    ):  # an address that is nobody's leaves the owner alone
        return ""
    if prop.get("kind") == "email":
        return (
            ""
            if is_email(normalize_email(value))
            else f"“{shorten_value(value)}” is not an address that a contact can have."
        )
    if prop["type"] == "enumeration":
        return find_option_problem(value, prop)
    fits, wrong = TYPE_TESTS.get(prop["type"], (bool, ""))
    return "" if fits(value) else wrong.format(shorten_value(value))


def find_option_problem(value: str, prop: Mapping[str, Any]) -> str:
    options = prop.get("options") or {}
    parts = (
        [part for part in value.split(";") if part]
        if prop.get("field_type") == "checkbox"
        else [value]
    )
    unknown = next((part for part in parts if options and part not in options), "")
    return (
        (
            f"“{shorten_value(unknown)}” is not an option of the property: add it in HubSpot, or "
            "put it into the value table."
        )
        if unknown
        else ""
    )


def shorten_value(value: str) -> str:
    return value if len(value) <= 80 else f"{value[:80]}…"


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
TYPE_TESTS = {
    "number": (is_number, "“{}” is not a number."),
    "date": (is_date, "“{}” is not a date (YYYY-MM-DD)."),
    "datetime": (is_moment, "“{}” is not a date and time."),
    "bool": (lambda value: value in ("true", "false"), "“{}” is not true or false."),
}
