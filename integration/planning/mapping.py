"""From a person's card fields to the values that the contact should have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from integration.notes import note
from integration.planning.expressions import ExpressionError, render_expression
from integration.planning.normalize import normalize_email, normalize_text
from integration.planning.rule import TAGS_FIELD, MappingRow
from integration.planning.transforms import TRANSFORMS
from integration.records import Values

OWNER_KIND = "owner"  # the kind of a property that names a HubSpot user


class BadMapping(Exception):
    """A row that fails for a card: a note that names the property and what is wrong."""


def map_card(
    values: Values,
    tags: Sequence[str],
    rows: Iterable[MappingRow],
    tag_names: Mapping[str, str] | None = None,
    owners: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Property -> wanted value, "" where the card has none. ``tags`` are ids. Raises BadMapping."""
    names = [(tag_names or {}).get(tag, tag) for tag in tags]
    try:
        return {
            row.hubspot: find_owner(row, make_value(row, values, tags, names), owners or {})
            for row in rows
        }
    except ExpressionError:
        raise BadMapping(find_bad_row(values, names, rows)) from None


def find_bad_row(values: Values, names: Sequence[str], rows: Iterable[MappingRow]) -> str:
    for row in rows:
        try:
            make_text(row, values, names)
        except ExpressionError as wrong:
            return note("of_property", word=row.hubspot, fault=str(wrong))
    return ""


def make_value(row: MappingRow, values: Values, tags: Sequence[str], names: Sequence[str]) -> str:
    """Raises ExpressionError."""
    if row.sansan == (TAGS_FIELD,) and not row.expression:
        return ";".join(sorted(tags))
    text = make_text(row, values, names)
    return look_up_value(row, text) if row.table else text


def find_owner(row: MappingRow, value: str, owners: Mapping[str, str]) -> str:
    """The HubSpot user with this address; blank where there is none, so that nothing is overwritten
    by a guess.
    """
    return owners.get(normalize_email(value), "") if row.kind == OWNER_KIND else value


def make_text(row: MappingRow, values: Values, names: Sequence[str]) -> str:
    if row.expression:
        parts = [render_expression(row.expression, values, names)]
    elif len(row.sansan) == 1 and not row.transform:
        return values.get(row.sansan[0], "").strip()
    else:
        parts = [values.get(field, "") for field in row.sansan]
    return TRANSFORMS[row.transform](parts, values.get("countryCode", "")).strip()


def fold_table_key(text: str) -> str:
    """By which a value is found in a table: its text, widths and case folded."""
    return normalize_text(text).casefold()


def look_up_value(row: MappingRow, text: str) -> str:
    """The table's value; a blank is looked up, too."""
    key = fold_table_key(text)
    for have, value in row.table:
        if fold_table_key(have) == key:
            return value
    return "" if row.others == "blank" else text
