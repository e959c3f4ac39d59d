"""Whether one property of a contact that exists is written: what a blank overwrites, the mapping's
policy, and who wins over an edit in HubSpot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from integration.planning.rule import APPEND, IF_EMPTY, ON_CREATE, MappingRow
from integration.planning.sameness import is_loosely_same, is_same_by_kind, is_same_set

# Never blanked and never appended to, whatever a mapping says.
NEVER_BLANKED = frozenset({"email", "sansan_link_id"})


@dataclass(frozen=True, slots=True)
class Present:
    """A property as HubSpot has it, and what we last wrote there (None: never)."""

    value: str
    written: str | None = None
    answered: str | None = None
    # It is from a card that no longer stands for this contact: another person's at a mailbox,
    # another company's.
    orphaned: bool = False

    @property
    def ours(self) -> bool:
        """Unchanged since we wrote it, in our spelling or in the one HubSpot made of it."""
        return self.written is not None and self.value in (self.written, self.answered)


@dataclass(frozen=True, slots=True)
class Times:
    card: datetime
    contact: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose for a property: ``side`` wins as long as both values are those that they
    saw.
    """

    side: str
    card: str
    contact: str


@dataclass(frozen=True, slots=True)
class Clash:
    """A property that was edited in HubSpot and differs from the card.

    ``winner`` is sansan, hubspot, or hold while a person has to choose; ``by`` says what decided:
    rule, field or person.
    """

    card: str
    contact: str
    winner: str
    by: str


class Judged(NamedTuple):
    """The value to write, None to leave the property as it is; and the clash, where there was
    one.
    """

    value: str | None = None
    clash: Clash | None = None


LEFT_ALONE = Judged()


def judge_property(
    row: MappingRow,
    wanted: str,
    present: Present,
    conflict: str,
    times: Times,
    choice: Choice | None = None,
) -> Judged:
    """What becomes of one property; flat early returns, the first that applies."""
    if not wanted and (row.hubspot in NEVER_BLANKED or not present.value):
        return LEFT_ALONE
    if not wanted and present.ours and present.orphaned:
        return Judged("")
    if not wanted and (not row.clear or row.policy in (ON_CREATE, APPEND, IF_EMPTY)):
        return LEFT_ALONE
    if wanted and row.policy == APPEND and row.hubspot not in NEVER_BLANKED:
        return Judged(append_value(row, wanted, present))
    if wanted and (row.policy == ON_CREATE or is_same_value(row, wanted, present)):
        return LEFT_ALONE
    if row.policy == IF_EMPTY:
        return Judged(None if present.value else wanted)
    if is_as_left(row, present) or not (present.value or present.written):
        return Judged(wanted)
    clash = Clash(
        wanted,
        present.value,
        *choose_winner(row, wanted, present=present, conflict=conflict, times=times, choice=choice),
    )
    return Judged(wanted if clash.winner == "sansan" else None, clash)


def choose_winner(
    row: MappingRow,
    wanted: str,
    present: Present,
    conflict: str,
    times: Times,
    choice: Choice | None,
) -> tuple[str, str]:
    """(who wins a property that somebody edited in HubSpot, what decided it)."""
    if choice and (choice.card, choice.contact) == (wanted, present.value):
        return choice.side, "person"
    how, by = (row.conflict, "field") if row.conflict else (conflict, "rule")
    if how == "newest":
        how = "sansan" if is_card_newer(row, wanted, present, times) else "hubspot"
    return how, by


def is_card_newer(row: MappingRow, wanted: str, present: Present, times: Times) -> bool:
    """By the value, not by the card: what the card has said since we wrote it is older than any
    edit, whatever else was changed on the card.
    """
    if present.written is not None and is_same_by_kind(row.kind, wanted, present.written, True):
        return False
    return times.contact is None or times.card > times.contact


def is_as_left(row: MappingRow, present: Present) -> bool:
    """Whether the property means what we wrote: HubSpot may order options its own way, and that is
    no edit.
    """
    return present.ours or (
        present.written is not None
        and bool(present.value)
        and is_same_by_kind(row.kind, present.value, present.written, True)
    )


def is_same_value(row: MappingRow, wanted: str, present: Present) -> bool:
    if present.ours and wanted == present.written:
        return True
    return is_same_by_kind(row.kind, wanted, present.value, present.ours)


def append_value(row: MappingRow, wanted: str, present: Present) -> str | None:
    if row.kind == "checkbox":
        union = set(filter(None, present.value.split(";"))) | set(wanted.split(";"))
        return None if is_same_set(";".join(union), present.value) else ";".join(sorted(union))
    if is_loosely_same(wanted, present.value) or has_lines(present.value, wanted):
        return None
    return f"{present.value}\n{wanted}" if present.value else wanted


def has_lines(value: str, wanted: str) -> bool:
    """Whether the lines of ``wanted`` are there, one after the other: a text may be of several."""
    have, lines = value.splitlines(), wanted.splitlines()
    return any(have[i : i + len(lines)] == lines for i in range(len(have) - len(lines) + 1))
