"""What a value was and is, cut where they differ."""

from __future__ import annotations

from difflib import SequenceMatcher

Pieces = list[tuple[str, bool]]

# Less alike than this, the two are shown whole: shreds explain nothing.
ALIKE = 0.5
LONGEST = 300


def pieces(before: str, after: str) -> tuple[Pieces, Pieces]:
    """Each side as (text, whether it differs)."""
    if not before or not after or max(len(before), len(after)) > LONGEST:
        return whole(before), whole(after)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < ALIKE:
        return whole(before), whole(after)
    old: Pieces = []
    new: Pieces = []
    for tag, i, j, k, m in matcher.get_opcodes():
        old += [(before[i:j], tag != "equal")] if j > i else []
        new += [(after[k:m], tag != "equal")] if m > k else []
    return old, new


def whole(value: str) -> Pieces:
    return [(value, True)] if value else []
