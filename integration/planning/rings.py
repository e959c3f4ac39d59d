"""Addresses that pass around: whoever is to get one that another one still has, up to the first.

HubSpot gives nobody an address that somebody has, so that in a ring nobody ever moves. One of them
gives up the own address first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def find_rings(waits: Mapping[str, str]) -> list[set[str]]:
    """The rings among contacts. ``waits``: contact -> the contact that has the address it is to
    get.
    """
    rings: list[set[str]] = []
    done: set[str] = set()
    for start in waits:
        path: list[str] = []
        contact = start
        while contact in waits and contact not in done:
            done.add(contact)
            path.append(contact)
            contact = waits[contact]
        if contact in path:
            rings.append(set(path[path.index(contact) :]))
    return rings


def choose_givers(rings: Collection[Collection[str]], present: Collection[str]) -> set[str]:
    """One contact of each ring, out of those that are planned now."""
    return {min(here) for ring in rings if (here := [one for one in ring if one in present])}


def find_staying(waits: Mapping[str, str], moving: Collection[str]) -> set[str]:
    """The contacts that keep their address for now: of a ring, or because whoever they wait for
    stays. ``moving`` are those that are to get another one.
    """
    staying = set().union(*find_rings(waits))
    while True:
        more = {
            contact
            for contact, holder in waits.items()
            if contact not in staying and (holder in staying or holder not in moving)
        }
        if not more:
            return staying
        staying |= more
