"""One set of values from several cards of a person."""

from __future__ import annotations

from integration.planning.matching import Person
from integration.planning.normalize import normalize_company
from integration.planning.snapshot import Card

# An address is one thing: a street of one card is never put beside the city of another.
FIELD_BLOCKS = (
    frozenset({"countryCode", "postalCode", "prefecture", "city", "street", "building", "address"}),
)


def list_standing_cards(person: Person) -> list[Card]:
    """The cards whose values count: the newest, the older ones of the same company, and the newest
    as another rule keeps it.
    """
    head, *older = person
    return [head, *(card for card in older if card.id == head.id or is_same_company(head, card))]


def blend_cards(person: Person) -> tuple[dict[str, str], dict[str, str]]:
    """(field -> value, field -> id of the card it is from).

    The newest card stands; its blanks are filled from older cards of the same company only, newest
    first.
    """
    head, *older = list_standing_cards(person)
    values = {field: value for field, value in head.values.items() if value}
    origin = dict.fromkeys(values, head.id)
    for card in older:
        fill_blanks(values, origin, card)
    return values, origin


def fill_blanks(values: dict[str, str], origin: dict[str, str], card: Card) -> None:
    """Of an address that another card has begun nothing is taken; what two rules keep of one card
    is one address.
    """
    taken = [
        block
        for block in FIELD_BLOCKS
        if any(origin.get(field, card.id) != card.id for field in block)
    ]
    for field, value in card.values.items():
        if value and field not in values and not any(field in block for block in taken):
            values[field], origin[field] = value, card.id


def is_same_company(one: Card, other: Card) -> bool:
    """By name without its legal form.

    A card without a company belongs to none, so nothing is taken from it.
    """
    key = normalize_company(one.values.get("companyName", ""))
    return bool(key) and key == normalize_company(other.values.get("companyName", ""))


def unite_tags(person: Person) -> tuple[str, ...]:
    """The tags of all cards, united."""
    return tuple(sorted({tag for card in person for tag in card.tags}))
