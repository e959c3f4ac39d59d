"""The shared words of connectors, planning and engine, as frozen values. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

# Property or field name -> text. A blank is "", never None.
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Window:
    """Update times, both ends inclusive. ``end`` is frozen when a read begins."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class TagSeen:
    id: str
    name: str
    type: str  # public, shared or private; "" where the vendor does not say


@dataclass(frozen=True, slots=True)
class CardRead:
    """A business card as Sansan shows it. ``values`` holds text fields only, blanks left out."""

    id: str
    person_key: str
    exchanged_on: str  # YYYY-MM-DD or ""
    changed_at: datetime
    values: Values
    tags: tuple[TagSeen, ...]


@dataclass(frozen=True, slots=True)
class CardPage:
    cards: tuple[CardRead, ...]
    next_token: str  # "" on the last page
    # Rows that could not be read at all, as (id or "", what is wrong): they must not stop the page.
    unreadable: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ContactRead:
    """A HubSpot contact: the properties that were asked for, blanks as ""."""

    id: str
    values: Values
    modified_at: datetime | None
    was: tuple[str, ...] = ()  # ids of the contacts that were merged into it
    addresses: tuple[str, ...] = ()  # its own e-mail address and its secondary ones
    # Property -> when it got its value, where that was asked for.
    changed: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContactPage:
    contacts: tuple[ContactRead, ...]
    next_token: str  # "" on the last page


@dataclass(frozen=True, slots=True)
class Change:
    """One row to write.

    ``key`` is the contact's id, or the value of the key property in an upsert.
    """

    key: str
    values: Values


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one Change. ``code`` is "" when it was written."""

    key: str
    contact_id: str = ""
    values: Values = field(default_factory=dict)
    code: str = ""
    detail: str = ""
    owner_id: str = ""  # the contact that already owns the value, in a conflict
    modified_at: datetime | None = None  # the contact's time of change after the write
    properties: tuple[str, ...] = ()  # whose values were refused, where the vendor says so

    @property
    def ok(self) -> bool:
        return not self.code


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose credentials these are."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PropertyRead:
    name: str
    type: str
    field_type: str
    options: tuple[tuple[str, str], ...] = ()  # (value, label)
    read_only: bool = False
    unique: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class PropertySpec:
    """A property of ours that is made on consent."""

    name: str
    label: str
    type: str
    field_type: str
    unique: bool = False
    description: str = ""


EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
