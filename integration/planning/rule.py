"""A rule as planning sees it: plain values, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

ALWAYS, IF_EMPTY, ON_CREATE, APPEND = "always", "if_empty", "on_create", "append"

# Our own properties. The link id is the unique key of every create; the card id names the surviving
# card.
LINK_ID = "sansan_link_id"
CARD_ID = "sansan_card_id"
TAGS_FIELD = "tags"


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One field mapping. ``kind`` is the property's type in HubSpot, which decides how values
    compare.

    ``sansan`` are the fields that it reads. With an ``expression`` that makes the text, else they
    are joined by the transform. With the ``kind`` owner the text is an address, looked up in the
    rule's owners. ``table`` is [(card's value, property's value), ...]; what is not in it is kept,
    or blank where ``others`` says so.
    """

    sansan: tuple[str, ...]
    hubspot: str
    transform: str = ""
    policy: str = ALWAYS
    clear: bool = False
    kind: str = "text"
    expression: str = ""
    table: tuple[tuple[str, str], ...] = ()
    others: str = "keep"
    # Who wins when it was edited in HubSpot: sansan, hubspot, newest or hold; "" as the rule says.
    conflict: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    field: str
    op: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """``tags`` None means that every card is in scope; ``link_property`` False that e-mail is the
    only key.
    """

    mappings: tuple[MappingRow, ...]
    require_email: bool = True
    conflict: str = "sansan"
    filters: tuple[Filter, ...] = ()
    link_property: bool = True
    contact_filters: tuple[Filter, ...] = ()
    # A card that is synced already goes on when it no longer meets the filters.
    filters_enter: bool = False
    tag_names: Mapping[str, str] = field(default_factory=dict)
    # A contact that was deleted in HubSpot is made again; one that was deleted for privacy never
    # is.
    make_again: bool = False
    # Folded address -> id of the HubSpot user.
    owners: Mapping[str, str] = field(default_factory=dict)
    to_cards: tuple[MappingRow, ...] = ()  # the rows that fill a new card
    # What HubSpot refused before is tried again.
    changed_at: datetime | None = None
    zone: str = "UTC"  # the account's, whose days a filter means

    @property
    def timed(self) -> tuple[str, ...]:
        """Properties of which the newer value wins, so that it must be known when they were
        edited.
        """
        return tuple(
            row.hubspot
            for row in self.mappings
            if (row.conflict or self.conflict) == "newest" and row.policy == ALWAYS
        )

    @property
    def properties(self) -> tuple[str, ...]:
        """Every property that a plan reads or writes."""
        own = (LINK_ID, CARD_ID) if self.link_property else ()
        filtered = (row.field for row in self.contact_filters)
        rows = (*self.mappings, *self.to_cards)
        return tuple(dict.fromkeys((*(row.hubspot for row in rows), "email", *filtered, *own)))

    @property
    def ways(self) -> dict[str, MappingRow]:
        """Property -> how it is filled, and who wins where it was edited in HubSpot."""
        return {
            row.hubspot: replace(row, conflict=row.conflict or self.conflict)
            for row in self.mappings
        }


def list_differing_properties(one: Rule, other: Rule) -> frozenset[str]:
    """The properties that both rules fill, and not in the same way."""
    theirs = other.ways
    return frozenset(name for name, way in one.ways.items() if theirs.get(name, way) != way)
