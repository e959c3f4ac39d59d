"""What to do with one property of a contact that exists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from integration.planning import diff
from integration.planning.rules import APPEND, IF_EMPTY, ON_CREATE, MappingRow

# Never blanked and never appended to, whatever a mapping says.
KEYS = frozenset({"email", "sansan_link_id"})


@dataclass(frozen=True, slots=True)
class Present:
    """A property as HubSpot has it, and what we last wrote there (None: never)."""

    value: str
    written: str | None = None
    answered: str | None = None
    # It is from a card that no longer stands for this contact: another person's at a mailbox, another company's.
    orphaned: bool = False

    @property
    def ours(self) -> bool:
        """Unchanged since we wrote it, in our spelling or in the one HubSpot made of it."""
        return self.written is not None and self.value in (self.written, self.answered)


@dataclass(frozen=True, slots=True)
class Times:
    card: datetime
    contact: datetime | None


def write(row: MappingRow, wanted: str, present: Present, conflict: str, times: Times) -> str | None:
    """The value to write, or None to leave the property as it is."""
    if not wanted and (row.hubspot in KEYS or not present.value):
        return None
    if not wanted:
        return "" if (present.ours and present.orphaned) or may_clear(row, present, conflict, times) else None
    if row.policy == APPEND and row.hubspot not in KEYS:
        return appended(row, wanted, present)
    if is_same(row, wanted, present):
        return None
    if row.policy == ON_CREATE:
        return None
    if row.policy == IF_EMPTY:
        return None if present.value else wanted
    if present.ours or not (present.value or present.written):
        return wanted
    return wanted if card_wins(conflict, times) else None


def is_same(row: MappingRow, wanted: str, present: Present) -> bool:
    if present.ours and wanted == present.written:
        return True
    return diff.same(row.kind, wanted, present.value, present.ours)


def may_clear(row: MappingRow, present: Present, conflict: str, times: Times) -> bool:
    if not row.clear or row.policy in (ON_CREATE, APPEND, IF_EMPTY):
        return False
    return present.ours or card_wins(conflict, times)


def appended(row: MappingRow, wanted: str, present: Present) -> str | None:
    if row.kind == "checkbox":
        union = set(filter(None, present.value.split(";"))) | set(wanted.split(";"))
        return None if diff.sets(";".join(union), present.value) else ";".join(sorted(union))
    if diff.loosely(wanted, present.value) or wanted in present.value.splitlines():
        return None
    return f"{present.value}\n{wanted}" if present.value else wanted


def card_wins(conflict: str, times: Times) -> bool:
    """Who wins a property that somebody edited in HubSpot."""
    if conflict == "newest":
        return times.contact is None or times.card > times.contact
    return conflict == "sansan"
