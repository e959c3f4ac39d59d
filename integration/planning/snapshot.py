"""Everything that planning may know about some people, gathered beforehand as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from integration.planning.judge import Choice
from integration.records import ContactRead, Values


@dataclass(frozen=True, slots=True)
class Card:
    """A card as we hold it. ``record`` is our id; ``due`` says that it needs a decision now."""

    record: int
    id: str
    values: Values
    changed_at: datetime
    exchanged_on: str = ""
    person_key: str = ""
    email: str = ""  # folded; "" when blank or not an address a contact can have
    tags: tuple[str, ...] = ()
    in_scope: bool = True  # carries a selected tag, or the connection selects none
    visible: bool = True
    link: str = ""
    foreign: bool = False  # another rule's: what is in its scope is that rule's affair
    # Properties that its rule fills in another way: where this card stands, they are that rule's.
    otherwise: frozenset[str] = frozenset()
    barred: str = ""  # why a person said that it is never synced
    due: bool = True
    bucket: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A value of a card that HubSpot did not take. ``detail`` is a note of what HubSpot said."""

    value: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link as it stands.

    ``written`` is what we last sent, ``answered`` how HubSpot stored it where that differs.
    """

    key: str
    contact_id: str = ""
    written: Values = field(default_factory=dict)
    answered: Values = field(default_factory=dict)
    gone: str = ""  # deleted, missing, forgotten (deleted for privacy) or merged
    modified_at: datetime | None = None  # HubSpot's time of change when we last wrote or looked
    confirmed_at: datetime | None = None  # when we last wrote
    awaiting: bool = False  # we wrote, and have not met the echo yet
    choices: Mapping[str, Choice] = field(default_factory=dict)
    refused: Mapping[str, RefusedValue] = field(default_factory=dict)  # by property
    # Property -> id of the card whose value we last wrote.
    origin: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Some people, whole. What HubSpot was asked for and did not find is not in ``contacts``."""

    cards: tuple[Card, ...]
    links: Mapping[str, LinkView] = field(default_factory=dict)
    contacts: Mapping[str, ContactRead] = field(default_factory=dict)  # by id
    by_email: Mapping[str, str] = field(default_factory=dict)  # address -> contact id
    # Address -> the contact that has it, where that is another person's of ours.
    taken: Mapping[str, str] = field(default_factory=dict)
    # Contacts that another account of this installation keeps.
    elsewhere: frozenset[str] = frozenset()
    # Contact -> the one that has the address it waits for, of other people of ours.
    waits: Mapping[str, str] = field(default_factory=dict)
