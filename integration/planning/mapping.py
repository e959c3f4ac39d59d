"""From a person's card fields to the values that the contact should have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from integration.planning.rules import TAGS, MappingRow
from integration.planning.transforms import TRANSFORMS
from integration.records import Values


def mapped(values: Values, tags: Sequence[str], rows: Iterable[MappingRow]) -> dict[str, str]:
    """Property -> wanted value, "" where the card has none."""
    country = values.get("countryCode", "")
    return {row.hubspot: value_of(row, values, tags, country) for row in rows}


def value_of(row: MappingRow, values: Values, tags: Sequence[str], country: str) -> str:
    if row.sansan == (TAGS,):
        return ";".join(sorted(tags))
    if len(row.sansan) == 1 and not row.transform:
        return values.get(row.sansan[0], "").strip()
    parts = [values.get(field, "") for field in row.sansan]
    return TRANSFORMS[row.transform](parts, country).strip()
