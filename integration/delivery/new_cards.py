"""Contacts become cards: one POST a card, its intent on disk before it, and Sansan searched
whenever it is not known what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from integration.notes import note
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
        rows = {id: row._replace(run_id=run.pk) for id, row in rows.items()}
        ids = [row.external_id for row in rows.values()]
        contacts = yield partial(desk.target.read, ids, desk.plan_rule.properties)
        for row, candidate in sort_out_contacts(desk, rows, contacts):
            if desk.spent and not run.is_preview:
                return
            try:
                yield from deliver_contact(desk, row, candidate)
            except RetryLater as later:
                # What becomes a contact does not wait for what becomes a card.
                log.warning("no_more_cards", rule=desk.rule.slug, why=later.detail)
                postpone_contacts(desk, choose_pause(later))
                return
        if run.is_preview:
            note_position(desk, position)


def choose_pause(later: RetryLater) -> float:
    """Seconds until the contacts that are due are looked at again."""
    return later.after if later.reason == "interrupted" else max(later.after, NO_CARDS_PAUSE)


def note_position(desk: Desk, position: int) -> None:
    """How far a preview has come."""
    desk.run.contacts_after = str(position)
    with desk.transaction():
        desk.run.save(update_fields=["contacts_after"])


def select_due_contacts(desk: Desk, after: int) -> dict[int, Row]:
    """Those in doubt are left out: their entry is open, this rule's or another one's that makes
    cards of the same contacts.
    """
    records = Record.objects.filter(rule=desk.rule, side=Side.CONTACT, pk__gt=after)
    if not (desk.run.is_preview and desk.run.whole):
        records = records.filter(due_at__lte=desk.now())
    most = CONTACTS_A_PREVIEW if desk.run.is_preview else CONTACTS_A_FETCH
    settled = records.exclude(external_id__in=list_doubtful_contacts(desk))
    rows = settled.order_by("pk").values_list(*Row._fields)[:most]
    return {row[0]: Row(*row) for row in rows}


def sort_out_contacts(
    desk: Desk, rows: dict[int, Row], contacts: dict[str, ContactRead]
) -> list[tuple[Row, Candidate]]:
    """Settles those that become no card whatever Sansan has; returns the others."""
    decisions: list[Decision] = []
    names: dict[int, str] = {}
    left: list[tuple[Row, Candidate]] = []
    full = count_cards_left(desk) < 1  # nobody has to be asked about one by one
    for row, candidate in make_candidates(desk, rows, contacts):
        decision = refuse_candidate(candidate, desk.plan_rule)
        if decision is None and (candidate.card or full):
            decision = decide_candidate(candidate, desk.plan_rule, 0)
        if decision is None:
            left.append((row, candidate))
            continue
        decisions.append(decision)
        if candidate.contact and decision.verdicts[0].bucket != Bucket.EXCLUDED:
            names[row.id] = name_contact(candidate.contact)
    record_contact_decisions(desk, rows, decisions, names)
    return left


def make_candidates(
    desk: Desk, rows: dict[int, Row], contacts: dict[str, ContactRead]
) -> Iterator[tuple[Row, Candidate]]:
    """Each contact with what we hold of its person."""
    ids = {row.id: list_contact_ids(row, contacts.get(row.external_id)) for row in rows.values()}
    linked = find_link_keys(desk, [id for contact_ids in ids.values() for id in contact_ids])
    cards = find_own_cards(desk, contacts.values())
    for row in rows.values():
        contact = contacts.get(row.external_id)
        yield (
            row,
            Candidate(
                record=row.id,
                contact=contact,
                link=next((linked[id] for id in ids[row.id] if id in linked), ""),
                card=cards.get(find_card_address(contact), "") if contact else "",
                barred=row.barred["why"] if row.barred else "",
            ),
        )


def list_contact_ids(row: Row, contact: ContactRead | None) -> tuple[str, ...]:
    """The id that we know, and those under which HubSpot has the contact by now."""
    return (row.external_id, *((contact.id, *contact.was) if contact else ()))


def find_link_keys(desk: Desk, ids: Sequence[str]) -> dict[str, str]:
    """Contact id -> key of its link, of those that have a card."""
    links = Link.objects.filter(
        hubspot=desk.rule.hubspot, contact_id__in=ids, records__side=Side.CARD
    ).exclude(contact_id="")
    return {id: str(key) for id, key in links.values_list("contact_id", "key").distinct()}


def find_own_cards(desk: Desk, contacts: Iterable[ContactRead]) -> dict[str, str]:
    """Address -> a card of this rule that has it."""
    addresses = [address for contact in contacts if (address := find_card_address(contact))]
    if not addresses:
        return {}
    cards = Record.objects.filter(rule=desk.rule, side=Side.CARD, email_key__in=addresses)
    seen = cards.exclude(email_key="").exclude(bucket=Bucket.UNSEEN)
    return dict(seen.values_list("email_key", "external_id"))


def deliver_contact(desk: Desk, row: Row, candidate: Candidate) -> Work:
    """One contact, from the last look at Sansan to the card."""
    contact, left, refusal = candidate.contact, count_cards_left(desk), ""
    decision = decide_candidate(candidate, desk.plan_rule, left)
    if decision.writes:
        try:
            found = yield partial(find_card, desk, decision.after)
        except Rejected as refused:
            found, refusal = None, refused.detail
        candidate = replace(candidate, card=found.id if found else "")
        decision = decide_candidate(candidate, desk.plan_rule, left)
    name = name_contact(contact)
    if not decision.writes:
        record_contact_decisions(desk, {row.id: row}, [decision], {row.id: name})
        return
    entry = open_card_entry(desk, row, date_card(desk, decision), name)
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
    markers = [desk.rule.marker] if desk.rule.marker else []
    try:
        card_id = yield partial(desk.source.create, entry.after, markers)
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
        agreeing = list_agreeing_values(desk, entry.after, contact.values if contact else {})
        close_card_made(desk, entry, row=row, card_id=card_id, written=agreeing)


def date_card(desk: Desk, decision: Decision) -> Decision:
    """The card's exchange date is the day on which it is made."""
    today = find_account_day(desk).isoformat()
    return replace(decision, after={**decision.after, "exchangeDate": today})


def find_card(desk: Desk, values: Values) -> CardRead | None:
    """A card that is there already: with the address, or without one with all the names."""
    if values.get("email"):
        return next(iter(desk.source.find(email=values["email"])), None)
    name = f"{values.get('lastName', '')}{values.get('firstName', '')}"
    for card in desk.source.find(name=name, company=values.get("companyName", "")):
        if is_same_naming(card.values, values) and not card.values.get("email"):
            return card
    return None


def is_same_naming(card: Values, values: Values) -> bool:
    return all(
        normalize_text(card.get(name, "")) == normalize_text(values.get(name, ""))
        for name in NAMING_FIELDS
    )


def settle_doubtful_cards(desk: Desk, only: int = 0) -> Work:
    """Cards in doubt: found in Sansan they are ours, not found after a while they were not made.

    ``only`` is the entry to be settled, 0 for all.
    """
    if desk.run.is_preview:
        return
    entries = [entry for entry in load_doubtful_entries(desk) if only in (0, entry.pk)]
    rows = load_rows(entries)
    for entry in entries:
        card = yield partial(find_card, desk, entry.after)
        if card:
            close_card_made(desk, entry, row=rows[entry.record_id], card_id=card.id, written={})
        elif entry.sent_at and entry.sent_at < desk.now() - SEARCH_LAG:
            close_card_not_made(desk, entry, note("card_not_found"))


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
    last, first = contact.values.get("lastname", ""), contact.values.get("firstname", "")
    return f"{last} {first}".strip()[:200]
