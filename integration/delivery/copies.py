"""What several rules hold of one card, made to say the same before anything is decided. Pure.

Each rule keeps a copy of its own, with the fields that it reads. A rule that stands still has a
copy that is not true any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from integration.models import Bucket
from integration.planning.decisions import NEW_CARD
from integration.slice.rows import Row


def agree_copies(rows: Iterable[Row], kept: Mapping[int, Collection[str]]) -> list[Row]:
    """The rows, each as the copy of its card says that was read last. ``kept``: rule -> the fields
    that it keeps of a card.

    Only fields that this copy's rule does not read are from the others; a card that is barred in
    one rule is barred in all.
    """
    copies: dict[str, list[Row]] = {}
    for row in rows:
        copies.setdefault(row.external_id, []).append(row)
    return [
        one
        for same in copies.values()
        for one in (unite_copies(same, kept) if len(same) > 1 else same)
    ]


def unite_copies(copies: list[Row], kept: Mapping[int, Collection[str]]) -> list[Row]:
    last = max(copies, key=rank_freshness)
    barred = next((row.barred for row in copies if row.barred), None)
    return [as_last_copy(row, last, kept[last.rule_id])._replace(barred=barred) for row in copies]


def rank_freshness(row: Row) -> tuple[bool, datetime, bool, datetime]:
    """A card that we made has our own time until it was read; what is seen no more was seen before
    the others.
    """
    return row.reason != NEW_CARD, row.changed_at, row.bucket != Bucket.UNSEEN, row.read_at


def as_last_copy(row: Row, last: Row, kept: Collection[str]) -> Row:
    row = row._replace(tags=last.tags, exchanged_on=last.exchanged_on, changed_at=last.changed_at)
    if not (row.values and last.values):
        return row  # out of its rule's scope: of its fields nothing is kept
    others = {name: value for name, value in row.values.items() if name not in kept}
    return row._replace(
        values=others | last.values, email_key=last.email_key, person_key=last.person_key
    )
