"""What an entry writes: each value as it was and is, cut where they differ, in the words that the
vendors show.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from integration.admin.parts.labels import CARD_FIELDS
from integration.models import AuditEntry
from integration.planning.decisions import NEW_CARD

TextPieces = list[tuple[str, bool]]

# Less alike than this, the two are shown whole: shreds explain nothing.
LEAST_LIKENESS = 0.5
LONGEST_COMPARED_TEXT = 300


def list_change_lines(
    entry: AuditEntry, schema: Mapping[str, Any], tags: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A row for each property that the entry writes, or each field of a card that it makes.

    ``schema`` are the properties of the HubSpot account, ``tags`` the names of Sansan's tags by
    their ids.
    """
    is_card, rows = entry.reason == NEW_CARD, []
    for name, before, after in entry.changes:
        prop = {} if is_card else schema.get(name, {})
        label = CARD_FIELDS.get(name, name) if is_card else prop.get("label", "")
        old, new = cut_into_pieces(
            *(label_value(str(value or ""), prop, tags) for value in (before, after))
        )
        rows.append(
            {
                "name": "" if is_card else name,
                "label": label,
                "before": old,
                "after": new,
                "origin": entry.origin.get(name, ""),
            }
        )
    return rows


def label_value(value: str, prop: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Options by their labels; a tag that is no option yet by its name."""
    if prop.get("type") != "enumeration" or not value:
        return value
    options = prop.get("options") or {}
    return "; ".join(options.get(part) or tags.get(part) or part for part in value.split(";"))


def cut_into_pieces(before: str, after: str) -> tuple[TextPieces, TextPieces]:
    """Each side as (text, whether it differs)."""
    if not before or not after or max(len(before), len(after)) > LONGEST_COMPARED_TEXT:
        return as_whole_pieces(before), as_whole_pieces(after)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < LEAST_LIKENESS:
        return as_whole_pieces(before), as_whole_pieces(after)
    old: TextPieces = []
    new: TextPieces = []
    for tag, i, j, k, m in matcher.get_opcodes():
        old += [(before[i:j], tag != "equal")] if j > i else []
        new += [(after[k:m], tag != "equal")] if m > k else []
    return old, new


def as_whole_pieces(value: str) -> TextPieces:
    return [(value, True)] if value else []
