"""Whether cards that were one person's still are, and who of them keeps the contact. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Ties(NamedTuple):
    """What a card is known to be somebody's by: the person in Sansan, the folded address, and the
    name (``normalize_name``).
    """

    person: str
    address: str
    name: str


def is_bound(one: Ties, other: Ties) -> bool:
    """Whether two cards are one person's, as ``matching.group_people`` has it."""
    if one.person and one.person == other.person:
        return True
    same_name = "" in (one.name, other.name) or one.name == other.name
    return bool(one.address) and one.address == other.address and same_name


def find_leaving(
    before: Mapping[str, Ties], now: Mapping[str, Ties], contact_address: str
) -> set[str]:
    """Which cards of one link leave it, by the cards that have changed (``before``: card -> what it
    was known by) among all of the link (``now``).

    A card leaves that was bound to another one and is bound to none any more; one that says nothing
    of whose it is stays. The others leave where the contact has the card's address. What only
    HubSpot has joined, by a merge, stays together.
    """
    for card, was in before.items():
        others = [ties for other, ties in now.items() if other != card]
        if not has_ties(now[card]) or not is_bound_to_any(was, others):
            continue
        if not is_bound_to_any(now[card], others):
            keeps = bool(contact_address) and now[card].address == contact_address
            return now.keys() - {card} if keeps else {card}
    return set()


def has_ties(ties: Ties) -> bool:
    return bool(ties.person or ties.address)


def is_bound_to_any(one: Ties, others: Iterable[Ties]) -> bool:
    return any(is_bound(one, other) for other in others)
