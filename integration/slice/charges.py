"""Which reading a write settles, and which writes are this rule's own."""

from __future__ import annotations

from collections.abc import Iterable

from integration.planning.decisions import Decision
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row


def charge_readings(desk: Desk, decisions: Iterable[Decision], batch: Batch) -> dict[int, Row]:
    """Card that a write is about -> the reading that it settles: the card's own, or the first due
    one of its person.

    Where there is none it is that of a card that has left the person, and changed them by that.
    """
    found, left = (
        {},
        {id: row for id, row in batch.rows.items() if row.link_id and desk.counts(row)},
    )
    writes = [one for one in decisions if one.writes]
    for one in writes:
        ids = [one.card, *(verdict.record for verdict in one.verdicts)]
        if reading := next((batch.rows[id] for id in ids if desk.counts(batch.rows[id])), None):
            found[one.card] = reading
        for id in ids:
            left.pop(id, None)
    for one in writes:
        if one.card not in found and (
            gone := next(
                (row for row in left.values() if str(batch.links[row.link_id].key) == one.link),
                None,
            )
        ):
            found[one.card] = gone
    return found


def select_own_writes(desk: Desk, decisions: Iterable[Decision], batch: Batch) -> list[Decision]:
    """The writes of this rule: a card of its own stands, or one was read.

    The others are for the rule whose card stands.
    """
    decisions = list(decisions)
    readings = charge_readings(desk, decisions, batch)
    return [
        one
        for one in decisions
        if one.writes and (one.card in readings or batch.rows[one.card].rule_id == desk.rule.pk)
    ]
