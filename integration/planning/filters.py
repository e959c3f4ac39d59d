"""Criteria: all rows must hold for a card to be in scope, or for a contact that exists to be
touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from integration.notes import note
from integration.planning.normalize import normalize_text
from integration.planning.rule import Filter
from integration.planning.snapshot import Card
from integration.records import ContactRead

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda have, want: normalize_text(have).casefold() == normalize_text(want).casefold(),
    "not_equals": lambda have, want: (
        normalize_text(have).casefold() != normalize_text(want).casefold()
    ),
    "contains": lambda have, want: (
        normalize_text(want).casefold() in normalize_text(have).casefold()
    ),
    "not_contains": lambda have, want: (
        normalize_text(want).casefold() not in normalize_text(have).casefold()
    ),
    "starts_with": lambda have, want: (
        normalize_text(have).casefold().startswith(normalize_text(want).casefold())
    ),
    "blank": lambda have, want: not have.strip(),
    "not_blank": lambda have, want: bool(have.strip()),
    # Dates are YYYY-MM-DD, so text order is their order; an unknown date matches neither.
    "on_or_after": lambda have, want: bool(have) and have >= want,
    "on_or_before": lambda have, want: bool(have) and have <= want,
}

# What a day is compared by.
DAY_OPERATORS = ("equals", "not_equals", "on_or_after", "on_or_before")
DAY_FORM = re.compile(r"\d{4}-\d{2}-\d{2}")
MOMENT_FORM = re.compile(r"\d{4}-\d{2}-\d{2}T\d")


def find_unmet_card_filter(card: Card, filters: tuple[Filter, ...]) -> Filter | None:
    """The first filter that the card does not meet, or None."""
    return find_first_unmet_filter(
        filters,
        lambda field: card.exchanged_on if field == "exchangeDate" else card.values.get(field, ""),
    )


def find_unmet_contact_filter(
    contact: ContactRead, filters: tuple[Filter, ...], zone: str = "UTC"
) -> Filter | None:
    """The first filter that a contact which exists already does not meet, or None.

    A moment is compared with a day as the day that it is in ``zone``, the account's.
    """
    return find_first_unmet_filter(filters, lambda name: contact.values.get(name, ""), zone)


def find_first_unmet_filter(
    filters: tuple[Filter, ...], value_of: Callable[[str], str], zone: str = "UTC"
) -> Filter | None:
    for row in filters:
        have = value_of(row.field)
        if row.op in DAY_OPERATORS and DAY_FORM.fullmatch(row.value):
            have = find_day(have, zone)
        if not OPERATORS[row.op](have, row.value):
            return row
    return None


def find_day(moment: str, zone: str) -> str:
    """The day of a moment in a time zone, YYYY-MM-DD; what is no moment stays as it is."""
    if not MOMENT_FORM.match(moment):
        return moment
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return (
        (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(ZoneInfo(zone)).date().isoformat()
    )


def note_card_filter(row: Filter) -> str:
    """The criterion that a card does not meet, as a note."""
    return note("criterion", field=row.field, op=row.op, value=row.value)


def note_contact_filter(row: Filter) -> str:
    """The criterion that a contact does not meet, as a note."""
    return note("contact_criterion", property=row.field, op=row.op, value=row.value)
