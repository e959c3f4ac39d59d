"""Which reading a write settles, and which writes are this rule's own."""

from __future__ import annotations

from collections.abc import Iterable

from integration.planning.decisions import Decision
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row


def charge_readings(desk: Desk, decisions: Iterable[Decision], batch: Batch) -> dict[int, Row]:
    """Card that a write is about -> the reading that the write settles.

    That is the reading of the card itself, or the first due one of its person. Where the person has
    none, it is that of a card which has left the person, and has changed them by leaving.
    """
    writes = [decision for decision in decisions if decision.writes]
    charged: dict[int, Row] = {}
    for decision in writes:
        person = [decision.card, *(verdict.record for verdict in decision.verdicts)]
        readings = (batch.rows[record] for record in person if desk.counts(batch.rows[record]))
        reading = next(readings, None)
        if reading:
            charged[decision.card] = reading
    written = {record for decision in writes for record in (decision.card, *decision.records)}
    left = find_left_readings(desk, batch, written)
    for decision in writes:
        if decision.card not in charged and decision.link in left:
            charged[decision.card] = left[decision.link]
    return charged


def find_left_readings(desk: Desk, batch: Batch, written: set[int]) -> dict[str, Row]:
    """Key of a link -> the first reading of a card that goes by it, and that no write is about."""
    left: dict[str, Row] = {}
    for row in batch.rows.values():
        if row.link_id and row.id not in written and desk.counts(row):
            left.setdefault(str(batch.links[row.link_id].key), row)
    return left


def select_own_writes(desk: Desk, decisions: Iterable[Decision], batch: Batch) -> list[Decision]:
    """The writes of this rule: a card of its own stands, or one was read.

    The others are for the rule whose card stands.
    """
    writes = [decision for decision in decisions if decision.writes]
    readings = charge_readings(desk, writes, batch)
    return [
        decision
        for decision in writes
        if decision.card in readings or batch.rows[decision.card].rule_id == desk.rule.pk
    ]
