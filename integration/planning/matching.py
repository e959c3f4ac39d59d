"""Which cards are one person, and which person an address belongs to.

The same in every order of arrival.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from integration.planning.names import is_same_name, read_card_name, read_name, unite_names
from integration.planning.normalize import normalize_email, normalize_name
from integration.planning.snapshot import Card
from integration.records import ContactRead, Values

Person = tuple[Card, ...]  # newest card first


def rank_card(card: Card) -> tuple[str, datetime, str, int]:
    """Which of several cards stands: the largest. Newest exchange date, then update time, then id;
    an unknown date is the oldest.

    Our own id comes last, for a card that two rules see: the copy that was there first stands, so
    that a new rule changes nothing.
    """
    return (card.exchanged_on, card.changed_at, card.id, -card.record)


def group_people(cards: Iterable[Card], empty: Collection[str] = ()) -> list[Person]:
    """Cards that share a link, a Sansan person, or an address and a name, are one person.

    People who have a contact each stay two, whatever their cards say (``find_doubles``): which
    contact is left is a person's to say, who merges them in HubSpot. ``empty`` are links without a
    contact.
    """
    cards = sorted(cards, key=rank_card, reverse=True)
    parent = list(range(len(cards)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    first_with: dict[tuple[str, ...], int] = {}
    names = collect_names(cards)
    for i, card in enumerate(cards):
        if card.link:
            parent[root(i)] = root(first_with.setdefault(("link", card.link), i))
    links = {root(i): card.link for i, card in enumerate(cards) if card.link not in {"", *empty}}
    for i, card in enumerate(cards):
        for key in list_match_keys(card, names):
            one, other = root(i), root(first_with.setdefault(key, i))
            known = {links[each] for each in (one, other) if each in links}
            if len(known) <= 1:
                parent[one] = other
                links.update(zip([other], known, strict=False))
    groups: dict[int, list[Card]] = {}
    for i, card in enumerate(cards):
        groups.setdefault(root(i), []).append(card)
    return [tuple(group) for group in groups.values()]


def find_doubles(persons: Sequence[Person]) -> dict[int, Person]:
    """id(person) -> another one who is the same person by their cards, and has a contact of their
    own.
    """
    names = collect_names(card for person in persons for card in person)
    sharing: dict[tuple[str, ...], list[Person]] = {}
    for person in persons:
        for key in {key for card in person for key in list_match_keys(card, names)}:
            sharing.setdefault(key, []).append(person)
    doubles: dict[int, Person] = {}
    for same in sharing.values():
        for one, other in zip(same, same[1:] + same[:1], strict=True):
            if one is not other:
                doubles.setdefault(id(one), other)
    return doubles


def collect_names(cards: Iterable[Card]) -> dict[str, Mapping[str, str]]:
    """Address -> the names that carry it, each with the one that stands for it (names.py)."""
    found: dict[str, dict[str, list[Card]]] = {}
    for card in cards:
        if card.email and make_name_key(card):
            found.setdefault(card.email, {}).setdefault(make_name_key(card), []).append(card)
    return {address: unite_cards_names(address, named) for address, named in found.items()}


def unite_cards_names(address: str, named: Mapping[str, Sequence[Card]]) -> Mapping[str, str]:
    if len(named) == 1:
        return {name: name for name in named}
    names = {read_card_name(card.values) for cards in named.values() for card in cards}
    return unite_names(address, names)


def list_match_keys(card: Card, names: Mapping[str, Mapping[str, str]]) -> list[tuple[str, ...]]:
    """What tells, besides a link, that two cards are one person's."""
    found: list[tuple[str, ...]] = []
    if card.person_key:
        found.append(("person", card.person_key))
    if card.email:
        # The name belongs to the key: an address that several names share is a mailbox, not a
        # person. A card without a name is no second person, unless it could be either of two.
        known = names.get(card.email, {})
        only = set(known.values())
        name = known.get(make_name_key(card)) or (only.pop() if len(only) == 1 else "")
        found.append(("email", card.email, name))
    return found


def make_name_key(card: Card) -> str:
    return normalize_name(card.values.get("lastName", ""), card.values.get("firstName", ""))


def is_named_like(contact: Values, cards: Iterable[Values]) -> bool:
    """Whether a contact can have, by what HubSpot calls it, the name on one of the cards; one
    without a name can.

    HubSpot's people write a name in either order.
    """
    last, first = contact.get("lastname", ""), contact.get("firstname", "")
    called = (read_name(last, first), read_name(first, last))
    if not called[0].written:
        return True
    names = [read_card_name(values) for values in cards]
    return any(is_same_name(one, name) for one in called for name in names)


def has_address(contact: ContactRead, address: str) -> bool:
    """Whether an address is a contact's primary one, or one of its secondary ones."""
    known = (contact.values.get("email", ""), *contact.addresses)
    return address in map(normalize_email, known)


def find_owners(persons: Sequence[Person]) -> dict[str, Person]:
    """Address -> the person who may have it: the one with the newest card that carries it."""
    best: dict[str, tuple[Card, Person]] = {}
    for person in persons:
        for card in person:
            if card.email and (
                card.email not in best or rank_card(card) > rank_card(best[card.email][0])
            ):
                best[card.email] = (card, person)
    return {address: person for address, (_, person) in best.items()}


def choose_address(person: Person, owners: Mapping[str, Person]) -> str:
    """The newest card's address that this person owns; "" when all belong to others or there is
    none.
    """
    own = (card.email for card in person if card.email and owners[card.email] is person)
    return next(own, "")
