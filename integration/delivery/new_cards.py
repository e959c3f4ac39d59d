"""Contacts become cards: one POST a card, its intent on disk before it, and Sansan searched
whenever it is not known what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from integration.connectors.base import Gone, Reconnect, Rejected, RetryLater, Unanswered
from integration.delivery.queue import take_up_records
from integration.ledger.new_cards import (
    close_card_made,
    close_card_not_made,
    close_card_refused,
    count_cards_made_today,
    find_account_day,
    is_entry_open,
    list_doubtful_contacts,
    load_doubtful_entries,
    load_rows,
    open_card_entry,
    postpone_contacts,
    record_contact_decisions,
)
from integration.models import AuditEntry, Bucket, Link, Record, Side
from integration.planning.card_values import NAMING_FIELDS
from integration.planning.decisions import NEW_CARD, Decision
from integration.planning.mapping import BadMapping, map_card
from integration.planning.new_cards import (
    Candidate,
    decide_candidate,
    find_card_address,
    refuse_candidate,
)
from integration.planning.normalize import normalize_text
from integration.records import CardRead, ContactRead, Values
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import Row

log = structlog.get_logger()

CONTACTS_A_FETCH = 100  # HubSpot reads a hundred contacts in a call
# A preview looks through what it has fetched, whatever the time: that it can go on from there.
CONTACTS_A_PREVIEW = 20
# Whether a card was made whose answer never came: Sansan's search may show it a little later.
SEARCH_LAG = timedelta(seconds=60)
NO_CARDS_PAUSE = 900.0  # seconds, where Sansan takes no more cards without saying for how long


def deliver_new_cards(desk: Desk) -> Work:
    """Each ``yield`` hands over a vendor call; one after the other, because each card counts
    against the day's cap.
    """
    yield from settle_doubtful_cards(desk)
    run = desk.run
    # A preview leaves its rows due, so that it notes how far it has come.
    position = int(run.contacts_after or 0) if run.is_preview else 0
    while desk.rule.sends and not desk.spent and (rows := select_due_contacts(desk, position)):
        position = max(rows)
        take_up_records(desk, rows.values())
        rows = {id: row._replace(run_id=desk.run.pk) for id, row in rows.items()}
        ids = [row.external_id for row in rows.values()]
        contacts = yield lambda ids=ids: desk.target.read(ids, desk.plan_rule.properties)  # type: ignore[misc]
        open_questions = sort_out_contacts(desk, rows, contacts)
        for row, candidate in open_questions:
            if desk.spent and not run.is_preview:
                return
            try:
                yield from deliver_contact(desk, row, candidate)
            except RetryLater as later:
                # What becomes a contact does not wait for what becomes a card.
                log.warning("no_more_cards", rule=desk.rule.slug, why=later.detail)
                postpone_contacts(
                    desk,
                    later.after
                    if later.reason == "interrupted"
                    else max(later.after, NO_CARDS_PAUSE),
                )
                return
        if run.is_preview:
            run.contacts_after = str(position)
            run.save(update_fields=["contacts_after"])


def select_due_contacts(desk: Desk, after: int) -> dict[int, Row]:
    """Those in doubt are left out: their entry is open, this rule's or another one's that makes
    cards of the same contacts.
    """
    rows = Record.objects.filter(rule=desk.rule, side=Side.CONTACT, pk__gt=after)
    if not (desk.run.is_preview and desk.run.whole):
        rows = rows.filter(due_at__lte=desk.now())
    most = CONTACTS_A_PREVIEW if desk.run.is_preview else CONTACTS_A_FETCH
    return {
        row[0]: Row(*row)
        for row in rows.exclude(external_id__in=list_doubtful_contacts(desk))
        .order_by("pk")
        .values_list(*Row._fields)[:most]
    }


def sort_out_contacts(
    desk: Desk, rows: dict[int, Row], contacts: dict[str, ContactRead]
) -> list[tuple[Row, Candidate]]:
    """Settles those that become no card whatever Sansan has; returns the others."""
    linked = find_link_keys(
        desk,
        [
            id
            for row in rows.values()
            for id in (row.external_id, *list_contact_ids(contacts.get(row.external_id)))
        ],
    )
    addresses = find_own_cards(desk, contacts.values())
    said, names, left = [], {}, []
    full = count_cards_left(desk) < 1  # nobody has to be asked about one by one
    for row in rows.values():
        contact = contacts.get(row.external_id)
        candidate = Candidate(
            row.id,
            contact,
            link=next(
                (
                    linked[id]
                    for id in (row.external_id, *list_contact_ids(contact))
                    if id in linked
                ),
                "",
            ),
            card=addresses.get(find_card_address(contact), "") if contact else "",
            barred=row.barred["why"] if row.barred else "",
        )
        decision = refuse_candidate(candidate, desk.plan_rule) or (
            decide_candidate(candidate, desk.plan_rule, 0) if candidate.card or full else None
        )
        if decision is None:
            left.append((row, candidate))
            continue
        said.append(decision)
        if contact and decision.verdicts[0].bucket != "excluded":
            names[row.id] = name_contact(contact)
    record_contact_decisions(desk, rows, said, names)
    return left


def list_contact_ids(contact: ContactRead | None) -> tuple[str, ...]:
    return (contact.id, *contact.was) if contact else ()


def find_link_keys(desk: Desk, ids: Sequence[str]) -> dict[str, str]:
    """Contact id -> key of its link, of those that have a card."""
    links = Link.objects.filter(
        hubspot=desk.rule.hubspot, contact_id__in=ids, records__side=Side.CARD
    ).exclude(contact_id="")
    return {id: str(key) for id, key in links.values_list("contact_id", "key").distinct()}


def find_own_cards(desk: Desk, contacts: Iterable[ContactRead]) -> dict[str, str]:
    """Address -> a card of this rule that has it."""
    addresses = [address for one in contacts if (address := find_card_address(one))]
    cards = (
        Record.objects.filter(rule=desk.rule, side=Side.CARD, email_key__in=addresses)
        .exclude(email_key="")
        .exclude(bucket=Bucket.UNSEEN)
    )
    return dict(cards.values_list("email_key", "external_id")) if addresses else {}


def deliver_contact(desk: Desk, row: Row, candidate: Candidate) -> Work:
    """One contact, from the last look at Sansan to the card."""
    contact, left, refusal = candidate.contact, count_cards_left(desk), ""
    decision = decide_candidate(candidate, desk.plan_rule, left)
    if decision.writes:
        try:
            found = yield partial(find_card, desk, decision.after)
        except Rejected as refused:
            found, refusal = None, refused.detail
        decision = decide_candidate(
            replace(candidate, card=found.id if found else ""), desk.plan_rule, left
        )
    if not decision.writes:
        record_contact_decisions(desk, {row.id: row}, [decision], {row.id: name_contact(contact)})
        return
    entry = open_card_entry(desk, row, date_card(desk, decision), name_contact(contact))
    if desk.run.is_preview:
        return
    if refusal:
        close_card_refused(desk, entry, row, refusal)
        return
    yield from make_card(desk, row, entry, contact)


def count_cards_left(desk: Desk) -> int:
    """Of the day's cap; a preview counts what it would make."""
    planned = desk.run.reasons.get(NEW_CARD, 0) if desk.run.is_preview else 0
    return int(desk.rule.card_cap) - count_cards_made_today(desk) - planned


def make_card(desk: Desk, row: Row, entry: AuditEntry, contact: ContactRead | None) -> Work:
    """The call, and what became of it."""
    try:
        card_id = yield partial(
            desk.source.create, entry.after, [desk.rule.marker] if desk.rule.marker else []
        )
    except (Rejected, Gone) as refused:
        close_card_refused(desk, entry, row, refused.detail)
    except Reconnect as refused:
        close_card_not_made(desk, entry, refused.detail)
        raise
    except Unanswered as broken:
        yield from settle_doubtful_cards(desk, entry.pk)
        if is_entry_open(entry):
            # Not made, or not to be found yet: the others wait until that is known, instead of
            # following it into the dark.
            raise RetryLater(broken.reason, broken.detail, SEARCH_LAG.total_seconds()) from None
    except RetryLater as later:
        close_card_not_made(desk, entry, later.detail)
        raise
    else:
        close_card_made(
            desk,
            entry,
            row,
            card_id,
            list_agreeing_values(desk, entry.after, contact.values if contact else {}),
        )


def date_card(desk: Desk, decision: Decision) -> Decision:
    """The card's exchange date is the day on which it is made."""
    return replace(
        decision, after={**decision.after, "exchangeDate": find_account_day(desk).isoformat()}
    )


def find_card(desk: Desk, values: Values) -> CardRead | None:
    """A card that is there already: with the address, or without one with all the names."""
    if values.get("email"):
        return next(iter(desk.source.find(email=values["email"])), None)
    name = f"{values.get('lastName', '')}{values.get('firstName', '')}"
    found = desk.source.find(name=name, company=values.get("companyName", ""))
    same = (
        card
        for card in found
        if all(
            normalize_text(card.values.get(n, "")) == normalize_text(values.get(n, ""))
            for n in NAMING_FIELDS
        )
    )
    return next((card for card in same if not card.values.get("email")), None)


def settle_doubtful_cards(desk: Desk, only: int = 0) -> Work:
    """Cards in doubt: found in Sansan they are ours, not found after a while they were not made."""
    entries = (
        []
        if desk.run.is_preview
        else [entry for entry in load_doubtful_entries(desk) if only in (0, entry.pk)]
    )
    rows = load_rows(desk, entries)
    for entry in entries:
        card = yield lambda values=entry.after: find_card(desk, values)  # type: ignore[misc]
        row = rows[entry.record_id]
        if card:
            close_card_made(desk, entry, row, card.id, {})
        elif entry.sent_at and entry.sent_at < desk.now() - SEARCH_LAG:
            close_card_not_made(desk, entry, "Sansan does not have the card.")


def list_agreeing_values(desk: Desk, card: Values, contact: Values) -> dict[str, str]:
    """The properties of which the card says what the contact says."""
    try:
        says = map_card(card, (), desk.plan_rule.mappings)
    except BadMapping:
        return {}
    return {name: value for name, value in says.items() if value and contact.get(name, "") == value}


def name_contact(contact: ContactRead | None) -> str:
    if contact is None:
        return ""
    return f"{contact.values.get('lastname', '')} {contact.values.get('firstname', '')}".strip()[
        :200
    ]
