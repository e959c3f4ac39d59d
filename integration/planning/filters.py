"""Criteria: all rows must hold for a card to be in scope, or for a contact that exists to be
touched.
"""

from __future__ import annotations

from collections.abc import Callable

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


def find_unmet_card_filter(card: Card, filters: tuple[Filter, ...]) -> Filter | None:
    """The first filter that the card does not meet, or None."""
    return find_first_unmet_filter(
        filters,
        lambda field: card.exchanged_on if field == "exchangeDate" else card.values.get(field, ""),
    )


def find_unmet_contact_filter(contact: ContactRead, filters: tuple[Filter, ...]) -> Filter | None:
    """The first filter that a contact which exists already does not meet, or None."""
    return find_first_unmet_filter(filters, lambda name: contact.values.get(name, ""))


def find_first_unmet_filter(
    filters: tuple[Filter, ...], value_of: Callable[[str], str]
) -> Filter | None:
    return next(
        (row for row in filters if not OPERATORS[row.op](value_of(row.field), row.value)), None
    )


def note_card_filter(row: Filter) -> str:
    """The criterion that a card does not meet, as a note."""
    return note("criterion", field=row.field, op=row.op, value=row.value)


def note_contact_filter(row: Filter) -> str:
    """The criterion that a contact does not meet, as a note."""
    return note("contact_criterion", property=row.field, op=row.op, value=row.value)
