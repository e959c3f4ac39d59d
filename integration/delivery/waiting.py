"""Who waits for whose address, beyond the people of a batch: nothing but HubSpot's answers relates
them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from integration.ledger.entries import find_links
from integration.models import Link, Record, Side
from integration.notes import read_note
from integration.slice.desk import Desk

LONGEST_RING = 20  # contacts; a longer one is left to a person


def follow_waiting_contacts(
    desk: Desk, contact_ids: Iterable[str], inside: Collection[str]
) -> dict[str, str]:
    """Contact -> the one that has the address it waits for, from these on; those ``inside`` the
    batch are planned, and not followed.
    """
    waits: dict[str, str] = {}
    ahead = set(contact_ids) - set(inside)
    for _ in range(LONGEST_RING):
        links = find_links(desk, sorted(ahead))
        if not links:
            break
        found = find_named_contacts(links)
        waits |= found
        ahead = set(found.values()) - set(inside) - waits.keys()
    return waits


def find_named_contacts(links: dict[str, Link]) -> dict[str, str]:
    """Contact -> the one that has the address of its card, as it was noted on the record."""
    contacts = {link.pk: contact_id for contact_id, link in links.items()}
    held = Record.objects.filter(link__in=list(contacts), side=Side.CARD, reason="email_taken")
    found: dict[str, str] = {}
    for link_id, detail in held.values_list("link_id", "detail"):
        told = read_note(detail)
        if told and told.parameters.get("id"):
            found[contacts[link_id]] = str(told.parameters["id"])
    return found
