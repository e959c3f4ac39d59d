"""Which reading a write settles."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from integration.models import Link
from integration.planning.decisions import Decision, Verdict
from integration.slice.charges import charge_readings
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row
from tests.desk import BARE_RULE as OWN
from tests.desk import bare_desk, bare_row
from tests.planning.make import at

OTHER = 2  # a rule
LINKS = {1: Link(pk=1), 2: Link(pk=2)}
L1, L2 = (str(link.key) for link in LINKS.values())


def due(id: int, link: int | None = None, rule: int = OWN) -> Row:
    """A record that has been read and needs a decision."""
    return bare_row(id, due_at=at("2026-04-02"), link_id=link, rule_id=rule)


def rests(id: int, link: int | None = None, rule: int = OWN) -> Row:
    """A record that came along for its people's sake."""
    return bare_row(id, link_id=link, rule_id=rule)


def write(card: int, *others: int, link: str = L1, kind: str = "update") -> Decision:
    """A write about a card, whose person has other cards, too."""
    verdicts = tuple(Verdict(id, "linked", "card_changed") for id in (card, *others))
    return Decision(kind, "card_changed", card, verdicts, link=link)


def skip(card: int, *others: int, link: str = L1) -> Decision:
    return write(card, *others, link=link, kind="skip")


def hold(card: int, *others: int, link: str = L1) -> Decision:
    return write(card, *others, link=link, kind="hold")


def charge(
    records: Sequence[Row], decisions: Sequence[Decision], desk: Desk | None = None
) -> dict[int, int]:
    """Card that a write is about -> the record whose reading it settles."""
    batch = Batch("known", rows={row.id: row for row in records}, links=LINKS)
    charged = charge_readings(desk or bare_desk(), iter(decisions), batch)
    return {card: row.id for card, row in charged.items()}


# Records of the batch, decisions -> card -> reading
READINGS: dict[str, tuple[list[Row], list[Decision], dict[int, int]]] = {
    "nothing to write": ([due(1)], [], {}),
    "a card that needs no write": ([due(1)], [skip(1)], {}),
    "a card that is held": ([due(1)], [hold(1)], {}),
    "the card itself": ([due(1)], [write(1)], {1: 1}),
    "a new contact": ([due(1)], [write(1, link="", kind="create")], {1: 1}),
    "a contact that is adopted": ([due(1)], [write(1, link="", kind="link")], {1: 1}),
    "a decision read from its entry": ([due(1)], [Decision("update", "", 1, ())], {1: 1}),
    # Several cards of a person.
    "the card before its older one": ([due(1), due(2)], [write(2, 1)], {2: 2}),
    "the older one, where only that is due": ([rests(1), due(2)], [write(1, 2)], {1: 2}),
    "the first due one of the person": (
        [rests(1), rests(2), due(3), due(4)],
        [write(1, 2, 4, 3)],
        {1: 4},
    ),
    "nobody is due": ([rests(1), rests(2)], [write(1, 2)], {}),
    # Several people.
    "each their own": ([due(1), due(2)], [write(1), write(2, link=L2)], {1: 1, 2: 2}),
    "only one is due": ([rests(1), due(2)], [write(1), write(2, link=L2)], {2: 2}),
    "one needs no write": ([due(1), due(2)], [skip(1), write(2, link=L2)], {2: 2}),
    # Cards of another rule are that rule's readings.
    "another rule's card": ([due(1, rule=OTHER)], [write(1)], {}),
    "another rule's card stands for ours": ([due(1, rule=OTHER), due(2)], [write(1, 2)], {1: 2}),
    "our card stands for another rule's": ([rests(1), due(2, rule=OTHER)], [write(1, 2)], {}),
    # A card that has left the person.
    "a card that left": ([rests(1, 1), due(2, 1)], [write(1)], {1: 2}),
    "a card that left, and is settled": ([rests(1, 1), due(2, 1)], [write(1), skip(2)], {1: 2}),
    "a card that left, not due": ([rests(1, 1), rests(2, 1)], [write(1)], {}),
    "a card that left, another rule's": ([rests(1, 1), due(2, 1, OTHER)], [write(1)], {}),
    "a card that left another person": ([rests(1, 1), due(2, 2)], [write(1)], {}),
    "a card that was nobody's": ([rests(1, 1), due(2)], [write(1)], {}),
    "a card that was nobody's, and a new person": ([rests(1), due(2)], [write(1, link="")], {}),
    "the first that left": ([rests(1, 1), due(3, 1), due(2, 1)], [write(1)], {1: 3}),
    "the first that left and is due": (
        [rests(1, 1), rests(2, 1), due(3, 1)],
        [write(1)],
        {1: 3},
    ),
    "a reading of its own goes before": ([due(1, 1), due(2, 1)], [write(1)], {1: 1}),
    "its older card's goes before": ([rests(1, 1), due(2, 1), due(3, 1)], [write(1, 3)], {1: 3}),
    "a card that left for somebody who is written": (
        [rests(1, 1), rests(2, 2), due(3, 1)],
        [write(1), write(2, 3, link=L2)],
        {2: 3},
    ),
    "a card that left, and got a contact itself": (
        [rests(1, 1), due(2, 1)],
        [write(1), write(2, link="", kind="create")],
        {2: 2},
    ),
    "two people, each left by one": (
        [rests(1, 1), rests(2, 2), due(3, 2), due(4, 1)],
        [write(1), write(2, link=L2)],
        {1: 4, 2: 3},
    ),
    "left, and the person needs no write": ([rests(1, 1), due(2, 1)], [skip(1)], {}),
}


@pytest.mark.parametrize(("records", "decisions", "charged"), READINGS.values(), ids=READINGS)
def test_which_reading_a_write_settles(
    records: list[Row], decisions: list[Decision], charged: dict[int, int]
) -> None:
    assert charge(records, decisions) == charged


# Kind of the run, whether it looks at the whole -> the readings of a card that nobody made due
RUNS = {
    "a check": ("incremental", False, {}),
    "a full check": ("full", True, {}),
    "a first sync": ("initial", True, {}),
    "a preview of what is due": ("preview", False, {}),
    "a preview of the whole": ("preview", True, {1: 1}),
}


@pytest.mark.parametrize(("kind", "whole", "charged"), RUNS.values(), ids=RUNS)
def test_only_a_preview_of_the_whole_looks_at_what_is_not_due(
    kind: str, whole: bool, charged: dict[int, int]
) -> None:
    assert charge([rests(1)], [write(1)], bare_desk(kind, whole)) == charged


def test_a_preview_of_the_whole_leaves_other_rules_out_all_the_same() -> None:
    assert charge([rests(1, rule=OTHER)], [write(1)], bare_desk("preview", True)) == {}


def test_the_reading_is_the_row_of_the_batch() -> None:
    row = due(2, 1)
    batch = Batch("known", rows={1: rests(1, 1), 2: row}, links=LINKS)
    assert charge_readings(bare_desk(), [write(1)], batch)[1] is row
