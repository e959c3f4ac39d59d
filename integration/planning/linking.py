"""Which link, and with it which contact, each person keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from integration.planning.matching import (
    Person,
    choose_address,
    find_doubles,
    find_owners,
    group_people,
)
from integration.planning.snapshot import Card


class LinkedPeople(NamedTuple):
    """The persons, who of them owns which address, and id(person) -> the link to use, "" for a new
    one.
    """

    persons: list[Person]
    owners: Mapping[str, Person]
    links: Mapping[int, str]


def link_people(cards: Sequence[Card], gone: set[str], unmade: set[str]) -> LinkedPeople:
    """``gone`` and ``unmade`` are links without a contact: it is not there any more, or it was
    never made.

    Who loses the contact with a mailbox, and is the same person as somebody with a contact, is one
    with them from now on.
    """
    people = choose_people(cards, gone, unmade)
    passed = {
        id(person)
        for person in people.persons
        if not people.links[id(person)] and any(card.link for card in person)
    }
    if not (passed and passed & find_doubles(people.persons).keys()):
        return people
    relinked = [
        replace(card, link=people.links[id(person)]) for person in people.persons for card in person
    ]
    return choose_people(relinked, gone, unmade)


def choose_people(cards: Sequence[Card], gone: set[str], unmade: set[str]) -> LinkedPeople:
    persons = group_people(cards, gone | unmade)
    owners = find_owners(persons)
    return LinkedPeople(persons, owners, choose_links(persons, owners, gone, unmade))


def choose_links(
    persons: Iterable[Person],
    owners: Mapping[str, Person],
    gone: Collection[str] = (),
    unmade: Collection[str] = (),
) -> dict[int, str]:
    """id(person) -> the link to use, "" for a new one.

    A person keeps the link of their newest linked card whose contact is there. A mailbox that
    passes to somebody with a newer card takes its contact along, because there can be only one
    contact with the address; unless that one has a contact already.
    """
    chosen = {id(person): find_link(person, gone, unmade) for person in persons}
    for person in persons:
        addresses = [card.email for card in person if card.email]
        lost_mailbox = addresses and not choose_address(person, owners)
        if lost_mailbox and chosen[id(person)]:
            heir = owners[addresses[0]]
            if not chosen[id(heir)]:
                chosen[id(heir)], chosen[id(person)] = chosen[id(person)], ""
    return chosen


def find_link(person: Person, gone: Collection[str], unmade: Collection[str]) -> str:
    """The newest card's link; one whose contact is gone only where there is no other, and one
    whose contact was never made after that: who was forgotten is not to be made again.
    """
    there_first = sorted(person, key=lambda card: (card.link in unmade, card.link in gone))
    return next((card.link for card in there_first if card.link), "")
