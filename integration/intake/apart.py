"""Cards that were one person's and are no longer: Sansan sets them apart, or a misread address is
corrected. Until then only the link that they share would keep them together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from core.bulk import any_of
from integration.ledger.links import record_set_apart
from integration.models import Link, Record, Side
from integration.planning.normalize import normalize_name
from integration.slice.desk import Desk
from integration.slice.rows import KnownCard, Reading


class Ties(NamedTuple):
    """What a card is known to be somebody's by."""

    person: str
    address: str
    name: str

    @property
    def says(self) -> bool:
        return bool(self.person or self.address)

    def bind(self, other: Ties) -> bool:
        """Whether two cards are one person's by this, as ``planning.matching`` has it."""
        if self.person and self.person == other.person:
            return True
        same_name = "" in (self.name, other.name) or self.name == other.name
        return bool(self.address) and self.address == other.address and same_name

    def bind_any(self, others: Iterable[Ties]) -> bool:
        return any(self.bind(other) for other in others)


def set_cards_apart(desk: Desk, changed: Sequence[tuple[KnownCard, Reading]]) -> None:
    """Looks at cards that have changed whether they still are of the person whose link they share.

    The link stays with whoever has the contact's present address. In the caller's transaction,
    after the readings are stored.
    """
    moved = {
        known.id: (make_ties(known), make_ties(reading))
        for known, reading in changed
        # A card that says nothing of whose it is any more, such as one out of scope, stays.
        if known.link_id and make_ties(reading).says and make_ties(known) != make_ties(reading)
    }
    if not moved:
        return
    shared = {known.link_id for known, _ in changed if known.link_id and known.id in moved}
    links = {link.pk: link for link in Link.objects.filter(pk__in=any_of(shared), gone="")}
    cards = Record.objects.filter(link__in=any_of(list(links)), side=Side.CARD)
    ties: dict[int, dict[int, Ties]] = {}
    for id, link_id, person, address, name in cards.values_list(
        "id", "link_id", "person_key", "email_key", "name"
    ):
        ties.setdefault(link_id, {})[id] = Ties(person, address, normalize_name(name, ""))
    for link_id, of_link in ties.items():
        for id in of_link.keys() & moved.keys():
            before, now = moved[id]
            others = {other: bonds for other, bonds in of_link.items() if other != id}
            if before.bind_any(others.values()) and not now.bind_any(others.values()):
                leaving = choose_leaving(links[link_id], id, now, others)
                record_set_apart(desk, links[link_id], leaving, of_link)
                break


def make_ties(card: KnownCard | Reading) -> Ties:
    return Ties(card.person_key, card.email_key, normalize_name(card.name, ""))


def choose_leaving(link: Link, id: int, now: Ties, others: Collection[int]) -> set[int]:
    """The cards that lose the link: the one that changed, unless the contact has its address."""
    address = link.written.get("email", "")
    return set(others) if address and now.address == address else {id}
