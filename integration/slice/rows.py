"""What the engine hands from file to file: a record as one batch carries it, and the batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from django.db.models import Case, F, Value, When

from integration.models import Bucket, Link
from integration.planning.judge import Choice
from integration.planning.snapshot import LinkView, RefusedValue
from integration.records import ContactRead


class KnownCard(NamedTuple):
    """What we hold of a card that a page shows."""

    id: int
    digest: str
    due_at: datetime | None
    run_id: int | None
    bucket: str
    seq: int
    link_id: int | None
    reason: str
    made_at: datetime | None = None
    changed_at: datetime | None = None
    person_key: str = ""
    email_key: str = ""
    name: str = ""


class Row(NamedTuple):
    """A Record as the engine carries it."""

    id: int
    external_id: str
    values: dict[str, str]
    tags: list[str]
    person_key: str
    email_key: str
    exchanged_on: date | None
    changed_at: datetime
    read_at: datetime
    due_at: datetime | None
    attempts: int
    bucket: str
    reason: str
    detail: str
    name: str
    link_id: int | None
    run_id: int | None
    rule_id: int
    barred: dict[str, str] | None = None
    prompted_at: datetime | None = None

    @property
    def since(self) -> datetime:
        """When what is being synced changed, at whichever vendor it was."""
        return max(self.changed_at, self.prompted_at) if self.prompted_at else self.changed_at


@dataclass
class Batch:
    """Some people, whole: every card that may belong to them is here."""

    lane: str
    rows: dict[int, Row] = field(default_factory=dict)  # by id of the record
    links: dict[int, Link] = field(default_factory=dict)  # by primary key
    people: int = 0
    contacts: dict[str, ContactRead] = field(default_factory=dict)  # by the id that was asked for
    by_email: dict[str, str] = field(default_factory=dict)  # address -> id of its contact
    # Contacts that are not there any more -> how they went.
    gone: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # addresses that HubSpot was asked for
    # Address -> the contact that has it, where that is another person's of ours.
    taken: dict[str, str] = field(default_factory=dict)
    # Contacts that another account of this installation keeps.
    elsewhere: frozenset[str] = frozenset()
    # Contact -> the one that has the address it waits for, of people who are not of the batch.
    waits: dict[str, str] = field(default_factory=dict)

    def list_records_of(self, link: Link) -> set[int]:
        return self.list_gathered_with(
            {row.id for row in self.rows.values() if row.link_id == link.pk}
        )

    def find_contact(self, row: Row) -> str:
        """The contact of a card's person, "" where there is none (any more)."""
        link = self.links[row.link_id] if row.link_id else None
        return link.contact_id if link and not link.gone else ""

    def list_gathered_with(self, ids: Collection[int]) -> set[int]:
        """The records that were gathered along with one of these: a contact may pass from one of
        their people to another.
        """
        if not any(id in self.rows for id in ids):
            return set()
        return {
            row.id
            for group in group_rows(self.rows.values())
            if any(row.id in ids for row in group)
            for row in group
        }


def group_rows(rows: Iterable[Row]) -> list[list[Row]]:
    """Cards that must be planned together, because they share an address, a Sansan person or a
    link.
    """
    parent: dict[object, object] = {}

    def root(key: object) -> object:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    rows = list(rows)
    for row in rows:
        for key in (("email", row.email_key), ("person", row.person_key), ("link", row.link_id)):
            if key[1]:
                parent[root(key)] = root(row.id)
    found: dict[object, list[Row]] = {}
    for row in rows:
        found.setdefault(root(row.id), []).append(row)
    return list(found.values())


# A run that has settled a record reads it once more. One that has it in hand counts that reading
# first (ledger/closing.py).
UNREAD = Case(When(due_at__isnull=True, then=Value(None)), default=F("run_id"))


def as_link_view(link: Link) -> LinkView:
    """A link as planning sees it."""
    choices = {
        name: Choice(chosen["side"], chosen["card"], chosen["contact"])
        for name, chosen in link.choices.items()
    }
    return LinkView(
        key=str(link.key),
        contact_id=link.contact_id,
        written=link.written,
        answered=link.answered,
        gone=link.gone,
        modified_at=link.modified_at,
        confirmed_at=link.confirmed_at,
        awaiting=link.awaiting,
        choices=choices,
        origin=link.origin,
        refused={
            name: RefusedValue(value, detail, datetime.fromisoformat(at))
            for name, (value, detail, at) in link.refused.items()
        },
    )


# Rows that are written by the hundred. A name is a column of Record; "id" stands for its key.

MADE_DIGEST = "made"  # the digest of a card that we made, until it is read for the first time
# What tells one record from another.
RECORD_KEY = ("rule", "side", "external_id")


class Reading(NamedTuple):
    """A record as it is stored."""

    rule_id: int
    side: str
    connection_id: int
    external_id: str
    person_key: str
    email_key: str
    name: str
    values: dict[str, str]
    tags: list[str]
    digest: str
    exchanged_on: str | None
    changed_at: datetime
    read_at: datetime
    due_at: datetime
    run_id: int | None
    seq: int = 1
    bucket: str = Bucket.WAITING.value
    reason: str = ""
    detail: str = ""
    attempts: int = 0


class PromptedRecord(NamedTuple):
    """A record that is due because its contact changed in HubSpot."""

    id: int
    due_at: datetime
    prompted_at: datetime
    read_at: datetime
    run_id: int | None


class SettledRecord(NamedTuple):
    """Where a card stands, and when it is looked at again."""

    id: int
    bucket: str
    reason: str
    detail: str
    link: int | None
    due_at: datetime | None
    attempts: int


class PlacedRecord(NamedTuple):
    """Where a card stands, and nothing else."""

    id: int
    bucket: str
    reason: str
    detail: str


class PostponedRecord(NamedTuple):
    """When a record is looked at again."""

    id: int
    due_at: datetime | None
    attempts: int


class SettledContact(NamedTuple):
    """Where a contact stands that becomes no card, or not yet."""

    id: int
    bucket: str
    reason: str
    detail: str
    name: str
    due_at: datetime | None
    attempts: int
