"""Pending Records -> Snapshot: their people's other cards, their Links, and the contacts as HubSpot
has them now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from integration.delivery.copies import agree_copies
from integration.delivery.queue import is_in_scope
from integration.ledger.entries import find_links, join_cards
from integration.ledger.gone import record_gone_contacts
from integration.models import Bucket, Link
from integration.planning.filters import find_unmet_card_filter
from integration.planning.snapshot import Card, Snapshot
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row, as_link_view


def read_contacts(desk: Desk, batch: Batch) -> None:
    """Reads from HubSpot what a plan needs to know; a vendor call, for the pool.

    Changes nothing but the batch.
    """
    properties = desk.plan_rule.properties
    ids = list_known_contacts(batch)
    if ids:
        found = desk.target.read(ids, properties, history=desk.plan_rule.timed)
        # Under the id that was asked for: a merged contact answers with its new one.
        batch.contacts.update(found)
        missing = set(ids).difference(found)
        if missing:
            # What is not in the recycle bin either may have been deleted for privacy, and must not
            # be made again.
            binned = desk.target.among_deleted(missing)
            batch.gone = {
                id: Link.Gone.DELETED if id in binned else Link.Gone.MISSING for id in missing
            }
    batch.asked = list_addresses(desk, batch)
    if batch.asked:
        for address, contact in desk.target.read(batch.asked, properties, by="email").items():
            batch.contacts[contact.id] = contact
            batch.by_email[address] = contact.id


def needs_contacts(desk: Desk, batch: Batch) -> bool:
    return bool(list_known_contacts(batch)) or bool(list_addresses(desk, batch))


def list_known_contacts(batch: Batch) -> list[str]:
    """The contacts to read.

    One that is known to be gone is asked for again, should it have been restored; one gone for
    privacy is not.
    """
    asked = ("", Link.Gone.DELETED, Link.Gone.MISSING)
    return sorted(
        {link.contact_id for link in batch.links.values() if link.contact_id and link.gone in asked}
    )


def list_addresses(desk: Desk, batch: Batch) -> list[str]:
    """Whose address to look up: people without a contact, unless creating them first is cheaper.

    A card that failed before is always looked up: HubSpot does not name the owner of an address
    every time. An address that a linked card carries has its contact already, whoever else shares
    it; unless it was found to be another's.
    """
    rows = [row for row in batch.rows.values() if row.email_key and is_in_scope(desk, row)]
    linked = {row.email_key for row in batch.rows.values() if batch.contact_of(row)}
    # Nor does anybody whose contact is gone get one by trying: another one may have the address by
    # now.
    unknown = {
        row.email_key
        for row in rows
        if not desk.optimistic or row.attempts or (row.link_id and batch.links[row.link_id].gone)
    }
    # Of the whole person: the card that failed need not be the one with the address.
    troubled = {
        row.link_id for row in batch.rows.values() if row.attempts or row.reason == "email_taken"
    }
    doubtful = {row.email_key for row in rows if batch.contact_of(row) and row.link_id in troubled}
    return sorted((unknown - linked) | doubtful)


def take_snapshot(desk: Desk, batch: Batch) -> Snapshot:
    views = {str(link.key): as_link_view(link) for link in batch.links.values()}
    kept = {rule: scope.fields for rule, scope in desk.scopes.items()}
    return Snapshot(
        cards=tuple(
            as_plan_card(desk, row, batch) for row in agree_copies(batch.rows.values(), kept)
        ),
        links=views,
        contacts=batch.contacts,
        by_email=batch.by_email,
        looked_up=frozenset(batch.asked),
    )


def as_plan_card(desk: Desk, row: Row, batch: Batch) -> Card:
    """A card of another rule is in scope where its own rule says so, whatever this one selects."""
    scope = desk.scopes[row.rule_id]
    card = Card(
        record=row.id,
        id=row.external_id,
        values=row.values,
        changed_at=row.changed_at,
        exchanged_on=row.exchanged_on.isoformat() if row.exchanged_on else "",
        person_key=row.person_key,
        email=row.email_key,
        tags=scope.tags(row.tags),
        in_scope=is_in_scope(desk, row),
        visible=row.bucket != Bucket.UNSEEN,
        link=str(batch.links[row.link_id].key) if row.link_id else "",
        barred=row.barred["why"] if row.barred else "",
        due=row.due_at is not None,
        bucket=row.bucket,
        reason=row.reason,
        otherwise=scope.otherwise,
    )
    if row.rule_id == desk.rule.pk:
        return card
    unmet = find_unmet_card_filter(card, scope.filters) if not (scope.enter and card.link) else None
    return replace(card, foreign=True, in_scope=card.in_scope and not unmet)


def give_back_cards(desk: Desk, batch: Batch, ids: Iterable[int]) -> None:
    """Gives cards back: they stay due and come with the next pass."""
    for id in ids:
        batch.rows.pop(id, None)
        desk.in_flight.discard(id)
        desk.touched.discard(id)


def is_contact_of_card(batch: Batch, row: Row, kind: str, value: str | int) -> bool:
    """Whether a contact that was found by this address or this link is the card's; an address does
    not take a card from its contact.
    """
    if kind == "link":
        return row.link_id == value
    return row.email_key == value and not batch.contact_of(row)


def adopt_found_contacts(desk: Desk, batch: Batch) -> None:
    """A contact that was found may be another person's of ours: through a secondary address, or
    merged in HubSpot.

    Then the cards join that person's link, and are planned with all of its cards in the next pass.
    """
    note_gone_contacts(desk, batch)
    found = {("email", address): id for address, id in batch.by_email.items()}
    moved = {
        ("link", link.pk): batch.contacts[link.contact_id].id
        for link in batch.links.values()
        if link.contact_id in batch.contacts
    }
    found |= {
        key: id
        for key, id in moved.items()
        if id != batch.links[key[1]].contact_id or list(moved.values()).count(id) > 1
    }
    if not found:
        return
    owned = find_links(desk, list(found.values()))
    for key in sorted(key for key in found if key[0] == "link"):
        owned.setdefault(found[key], batch.links[key[1]])
    for (kind, value), contact_id in found.items():
        link = owned.get(contact_id)
        rows = [
            row
            for row in batch.rows.values()
            if link and row.link_id != link.pk and is_contact_of_card(batch, row, kind, value)
        ]
        if link is None or not rows:
            continue
        if desk.run.is_preview:
            batch.links[link.pk] = link
            batch.rows.update({row.id: row._replace(link_id=link.pk) for row in rows})
            continue
        join_cards(desk, [row.id for row in rows], link)
        give_back_cards(desk, batch, batch.with_any({rows[0].id}) | batch.of_link(link))
