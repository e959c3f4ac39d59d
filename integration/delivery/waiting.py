"""Who waits for whose address, beyond the people of a batch: nothing but HubSpot's answers relates
them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from integration.ledger.entries import find_links
from integration.models import Bucket, Link, Record, Side
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
    cards = Record.objects.filter(side=Side.CARD)
    held = cards.filter(link__in=list(contacts), reason="email_taken").exclude(email_key="")
    waiting = {
        link_id: (address, detail)
        for link_id, address, detail in held.values_list("link_id", "email_key", "detail")
    }
    heirs = find_heirs({address for address, _ in waiting.values()}) if waiting else {}
    found: dict[str, str] = {}
    for link_id, (address, detail) in waiting.items():
        told = read_note(detail)
        if told and told.parameters.get("id") and heirs.get(address) == link_id:
            found[contacts[link_id]] = str(told.parameters["id"])
    return found


def find_heirs(addresses: Collection[str]) -> dict[str, int | None]:
    """Address -> the link of the newest card that carries it: nobody else is to get it."""
    rows = Record.objects.filter(side=Side.CARD, email_key__in=sorted(addresses)).exclude(
        bucket__in=(Bucket.EXCLUDED, Bucket.UNSEEN)
    )
    # As ``matching.rank_card`` has it.
    ranked = sorted(
        rows.exclude(email_key="").values_list(
            "exchanged_on", "changed_at", "external_id", "email_key", "link_id"
        ),
        key=lambda row: (row[0].isoformat() if row[0] else "", row[1], row[2]),
    )
    return {address: link_id for *_, address, link_id in ranked}
