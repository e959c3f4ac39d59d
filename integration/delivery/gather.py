"""Pending Records -> Snapshot: their people's other cards, their Links, and the contacts as HubSpot
has them now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from integration.connections.absence import read_contacts_surely
from integration.delivery.copies import agree_copies
from integration.delivery.queue import is_in_scope
from integration.delivery.rivals import find_contacts_elsewhere
from integration.delivery.waiting import follow_waiting_contacts
from integration.ledger.entries import find_links
from integration.ledger.gone import record_gone_contacts
from integration.ledger.links import join_cards
from integration.models import Bucket, Link, Record, Side
from integration.notes import read_note
from integration.planning.filters import find_unmet_card_filter
from integration.planning.gone import judge_absence, judge_gone
from integration.planning.matching import has_address, is_named_like
from integration.planning.names import Name, is_same_name, read_card_name
from integration.planning.snapshot import Card, Snapshot
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row, as_link_view


def read_contacts(desk: Desk, batch: Batch) -> None:
    """Reads from HubSpot what a plan needs to know; a vendor call, for the pool.

    Changes nothing but the batch.
    """
    properties = desk.plan_rule.properties
    ids, claimed = list_known_contacts(batch), find_claimed_contacts(batch)
    if ids or claimed:
        wanted = sorted({*ids, *claimed.values()})
        found, binned = read_contacts_surely(
            desk.target, wanted, properties, history=desk.plan_rule.timed
        )
        # Under the id that was asked for: a merged contact answers with its new one.
        batch.contacts.update(found)
        note_claimed_contacts(batch, claimed)
        # What is not in the recycle bin either may have been deleted for privacy, and must not be
        # made again.
        missing = set(ids).difference(found)
        batch.gone = {id: judge_absence(in_bin=id in binned) for id in missing}
    batch.asked = list_addresses(desk, batch)
    if batch.asked:
        for address, contact in desk.target.read(batch.asked, properties, by="email").items():
            batch.contacts[contact.id] = contact
            batch.by_email[address] = contact.id


def find_claimed_contacts(batch: Batch) -> dict[str, str]:
    """Address -> the contact that has it, as HubSpot said when it refused to make another one."""
    claimed = {}
    for row in batch.rows.values():
        if row.email_key and row.reason in ("contact_exists", "email_taken"):
            told = read_note(row.detail)
            if told and "id" in told.parameters:
                claimed[row.email_key] = str(told.parameters["id"])
    return claimed


def note_claimed_contacts(batch: Batch, claimed: Mapping[str, str]) -> None:
    """A contact that HubSpot named is found by its address, be that a secondary one."""
    for address, contact_id in claimed.items():
        contact = batch.contacts.get(contact_id)
        if contact and has_address(contact, address):
            batch.contacts[contact.id] = contact
            batch.by_email[address] = contact.id


def needs_contacts(desk: Desk, batch: Batch) -> bool:
    return bool(
        list_known_contacts(batch) or find_claimed_contacts(batch) or list_addresses(desk, batch)
    )


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
    linked = {row.email_key for row in batch.rows.values() if batch.find_contact(row)}
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
    doubtful = {
        row.email_key for row in rows if batch.find_contact(row) and row.link_id in troubled
    }
    return sorted((unknown - linked) | doubtful)


def take_snapshot(desk: Desk, batch: Batch) -> Snapshot:
    """The batch as planning sees it."""
    kept = {rule: scope.fields for rule, scope in desk.scopes.items()}
    rows = agree_copies(batch.rows.values(), kept)
    return Snapshot(
        cards=tuple(as_plan_card(desk, row, batch) for row in rows),
        links={str(link.key): as_link_view(link) for link in batch.links.values()},
        contacts=batch.contacts,
        by_email=batch.by_email,
        taken=batch.taken,
        waits=batch.waits,
        elsewhere=batch.elsewhere,
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
        tags=scope.select_tags(row.tags),
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
    synced_already = scope.enter and card.link
    unmet = None if synced_already else find_unmet_card_filter(card, scope.filters)
    return replace(card, foreign=True, in_scope=card.in_scope and not unmet)


def adopt_found_contacts(desk: Desk, batch: Batch) -> None:
    """A contact that was found may be another person's of ours: through a secondary address, or
    merged in HubSpot.

    Then the cards join that person's link, and are planned with all of its cards in the next pass.
    """
    note_gone_contacts(desk, batch)
    batch.elsewhere = find_contacts_elsewhere(desk, batch)
    merged = dict(find_moved_contacts(batch))
    if not merged and not batch.by_email:
        return
    owners = find_links(desk, [*batch.by_email.values(), *merged.values()])
    for link_id in sorted(merged):
        owners.setdefault(merged[link_id], batch.links[link_id])
    inside = {link.contact_id for link in batch.links.values()}
    batch.waits = follow_waiting_contacts(desk, owners.keys() - inside, inside)
    for address, contact_id in list(batch.by_email.items()):
        link = owners.get(contact_id)
        # An address does not take a card from its contact.
        rows = [row for row in batch.rows.values() if row.email_key == address]
        free = [row for row in rows if not batch.find_contact(row)]
        strangers = find_strangers(batch, free, link) if link and free else []
        if strangers:
            del batch.by_email[address]
            batch.taken[address] = contact_id
        move_cards(desk, batch, [row for row in free if row not in strangers], link)
    for link_id, contact_id in merged.items():
        rows = [row for row in batch.rows.values() if row.link_id == link_id]
        move_cards(desk, batch, rows, owners.get(contact_id))


def find_strangers(batch: Batch, rows: Iterable[Row], link: Link) -> list[Row]:
    """Cards that are another person's than the link's, by the names on its cards and on its
    contact.
    """
    cards = Record.objects.filter(link=link, side=Side.CARD).values_list("values", flat=True)
    known = [read_card_name(values) for values in cards]
    contact = batch.contacts.get(link.contact_id)
    return [
        row
        for row in rows
        if row.link_id != link.pk
        and is_another_name(read_card_name(row.values), known)
        and not (contact and is_named_like(contact.values, [row.values]))
    ]


def is_another_name(name: Name, known: Iterable[Name]) -> bool:
    return bool(name.written) and not any(is_same_name(name, one) for one in known)


def note_gone_contacts(desk: Desk, batch: Batch) -> None:
    """What the reading of a batch's contacts showed: some are gone, others are there again."""
    if desk.run.is_preview:
        for link in batch.links.values():
            still = "" if link.contact_id in batch.contacts else link.gone
            link.gone = batch.gone.get(link.contact_id, still)
        return
    found = [
        link for link in batch.links.values() if link.gone and link.contact_id in batch.contacts
    ]
    gone: list[tuple[Link, str]] = []
    for link in batch.links.values():
        seen = batch.gone.get(link.contact_id, "")
        how = judge_gone(link.gone, link.gone_at, seen, desk.now()) if seen else ""
        if how:
            gone.append((link, how))
    if gone or found:
        with desk.transaction():
            record_gone_contacts(desk, gone, found)


def find_moved_contacts(batch: Batch) -> Iterator[tuple[int, str]]:
    """(link, the id of its contact) of the links whose contact has another id by now, or is the
    contact of another link of the batch, too.
    """
    present = {
        link.pk: batch.contacts[link.contact_id].id
        for link in batch.links.values()
        if link.contact_id in batch.contacts
    }
    ids = list(present.values())
    for link_id, contact_id in present.items():
        if contact_id != batch.links[link_id].contact_id or ids.count(contact_id) > 1:
            yield link_id, contact_id


def move_cards(desk: Desk, batch: Batch, rows: Iterable[Row], link: Link | None) -> None:
    """These cards are of the person that ``link`` is, if they are not already."""
    moving = [row for row in rows if link and row.link_id != link.pk and row.id in batch.rows]
    if link is None or not moving:
        return
    if desk.run.is_preview:
        batch.links[link.pk] = link
        batch.rows.update({row.id: row._replace(link_id=link.pk) for row in moving})
        return
    join_cards(desk, [row.id for row in moving], link)
    # They stay due and come with the next pass, along with whoever may be concerned.
    leaving = batch.list_gathered_with({moving[0].id}) | batch.list_records_of(link)
    for record_id in leaving:
        batch.rows.pop(record_id, None)
    desk.in_flight.release(leaving)
