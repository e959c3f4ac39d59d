"""What happened to contacts in HubSpot: heard of by webhook or asked for, and what it means for
their people.

Nothing here decides about a value. An echo of our own write is dropped; after anything else the
person's cards are due, and ``sync.deliver_batch`` plans them with the contact as it is then. So the
order of events says nothing, nor does a second telling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from core.bulk import any_of, update_rows
from integration.connections.absence import read_contacts_surely
from integration.connectors.base import Rejected
from integration.intake.candidates import make_departed_due, take_candidates, wake_waiting_cards
from integration.intake.inbox import CHANGES_A_CALL, drop_unreadable, settle_changes, take_changes
from integration.ledger.entries import count_outcomes, count_progress, find_links
from integration.ledger.gone import record_gone_contacts, record_told_forgotten
from integration.ledger.links import record_merge, record_met_contacts
from integration.ledger.rows import MetLink
from integration.models import Connection, Link, Record, Side, SyncRule, SyncRun
from integration.notes import note
from integration.planning.echo import EDITED, OLD, OWN_CHANGES, PEOPLES_CHANGES, judge_change
from integration.planning.gone import DELETED, judge_absence, judge_gone
from integration.records import ContactPage, ContactRead
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import PromptedRecord, as_link_view

log = structlog.get_logger()

# While webhooks come in, asking is the net under them.
WEBHOOKS_TRUSTED = timedelta(hours=1)
POLL_BESIDE_WEBHOOKS = timedelta(minutes=5)
POLL_WITHIN_RUN = timedelta(seconds=5)
# The recycle bin has no order of time, so that the whole of it is looked through.
BIN_EVERY = timedelta(minutes=5)
RESTORABLE = timedelta(days=92)
MOST_RESTORABLE = 1000  # links whose contacts are asked for at once
MANY_WRITES = 200  # which is a page of the search


def read_contact_changes(desk: Desk) -> Work:
    """Each ``yield`` asks HubSpot for something."""
    if desk.run.is_preview:
        return
    connection = desk.rule.hubspot
    if connection.changes_to is None:
        # From now on: what is in the portal already is met when its people are.
        start_listening(desk)
        return
    yield from read_inbox(desk)
    if is_poll_due(desk.run, connection, desk.now()):
        yield from poll_contacts(desk)
    if is_bin_due(connection, desk.now()):
        yield from read_recycle_bin(desk)


def start_listening(desk: Desk) -> None:
    connection = desk.rule.hubspot
    connection.changes_to = connection.polled_at = connection.gone_at = desk.now()
    with desk.transaction():
        connection.save(update_fields=["changes_to", "polled_at", "gone_at"])


def is_poll_due(run: SyncRun, connection: Connection, now: datetime) -> bool:
    """Once a run, and again where it goes on for long.

    A first run has enough to do: what changes meanwhile is asked for after it.
    """
    if run.kind == SyncRun.Kind.INITIAL:
        return False
    if "walk" in connection.behind or connection.polled_at is None:
        return True
    pause = POLL_WITHIN_RUN if run.attempts > 1 else timedelta(0)
    if connection.heard_at is not None and connection.heard_at > now - WEBHOOKS_TRUSTED:
        pause = POLL_BESIDE_WEBHOOKS
    return connection.polled_at <= now - pause


def is_bin_due(connection: Connection, now: datetime) -> bool:
    if connection.gone_after or connection.gone_at is None:
        return True
    return connection.gone_at < now - BIN_EVERY


def poll_contacts(desk: Desk) -> Work:
    """Asks for the contacts that changed since the last time, less an overlap: the search lags
    behind, and lets a contact vanish again.
    """
    connection = desk.rule.hubspot
    began, token = desk.now(), ""
    # A walk that the last slice could not finish goes on where it stopped: more may be stamped with
    # one time than a slice can read.
    if walk := connection.behind.get("walk"):
        began, token = datetime.fromisoformat(walk["began"]), walk["token"]
    since = choose_poll_start(connection)
    while not desk.spent:
        page = yield partial(desk.target.list_changed_contacts, since, token, desk.watched)
        known = connection.changes_to or began
        reached = began if not page.next_token else find_newest_change(page, known)
        # Never beyond the moment at which the question was asked: what this run writes meanwhile
        # comes with the next one.
        token = "" if reached > began else page.next_token
        with desk.transaction():
            apply_contact_changes(desk, page.contacts)
            connection.changes_to = max(known, min(reached, began))
            connection.polled_at = desk.now()
            connection.behind = {n: v for n, v in connection.behind.items() if n != "walk"}
            if token:
                connection.behind["walk"] = {"began": began.isoformat(), "token": token}
                count_progress(desk)
            connection.save(update_fields=["changes_to", "polled_at", "behind"])
        if not token:
            break
    if "from" in connection.behind and not desk.spent:
        yield from read_old_echoes(desk)


def choose_poll_start(connection: Connection) -> datetime:
    """Where the search begins: a little before the last answer, and never among the echoes of a
    large run, which are read apart.
    """
    assert connection.changes_to is not None, "the connection is listened to"
    overlap = timedelta(seconds=settings.SYNC_SEARCH_OVERLAP_SECONDS)
    since = connection.changes_to - overlap
    if "to" in connection.behind:
        since = max(since, datetime.fromisoformat(connection.behind["to"]))
    return since


def find_newest_change(page: ContactPage, otherwise: datetime) -> datetime:
    times = (contact.modified_at for contact in page.contacts if contact.modified_at)
    return max(times, default=otherwise)


def read_old_echoes(desk: Desk) -> Work:
    """One page of what a large run has written: its echoes must not keep anybody waiting."""
    connection = desk.rule.hubspot
    start, end = (datetime.fromisoformat(connection.behind[name]) for name in ("from", "to"))
    page = yield partial(
        desk.target.list_changed_contacts, start, connection.behind["token"], desk.watched
    )
    with desk.transaction():
        apply_contact_changes(desk, page.contacts)
        if not page.next_token or find_newest_change(page, start) >= end:
            connection.behind = {"to": connection.behind["to"]}
        else:
            connection.behind = {**connection.behind, "token": page.next_token}
        connection.save(update_fields=["behind"])


def set_echoes_aside(desk: Desk) -> None:
    """After a run that wrote much: what changes from now on is asked for at once, and the run's own
    echoes are read bit by bit.
    """
    run, connection = desk.run, desk.rule.hubspot
    wrote = run.created + run.updated + run.linked
    few = run.kind == run.Kind.INCREMENTAL and wrote <= MANY_WRITES
    if run.is_preview or not wrote or few or "from" in connection.behind:
        return
    now = desk.now()
    start = min(connection.changes_to or now, run.started_at or now)
    connection.behind = {"from": start.isoformat(), "to": now.isoformat(), "token": ""}
    connection.changes_to = now
    with desk.transaction():
        connection.save(update_fields=["behind", "changes_to"])


def read_inbox(desk: Desk) -> Work:
    """Empties the inbox. What is true of each contact now is read from HubSpot."""
    connection = desk.rule.hubspot
    while not desk.spent and (changes := take_changes(connection.pk)):
        ids = [change.contact_id for change in changes]
        told_gone = {change.contact_id for change in changes if change.forgotten}
        try:
            found, binned = yield partial(
                read_contacts_surely, desk.target, ids, desk.watched, told=told_gone
            )
        except Rejected as refused:
            # What is in the inbox must not keep everybody else from being delivered.
            log.warning(
                "inbox_refused", connection=connection.slug, contacts=ids, why=refused.detail
            )
            desk.in_flight.refuse_inbox()
            with desk.transaction():
                drop_unreadable(changes, desk.now())
            return
        missing = set(ids).difference(found)
        at = {change.contact_id: change.changed_at for change in changes}
        absent = {
            change.contact_id: judge_absence(change.contact_id in binned, change.forgotten)
            for change in changes
            if change.contact_id in missing
        }
        told = [c.contact_id for c in changes if c.forgotten and c.contact_id in found]
        with desk.transaction():
            when = {contact.id: at[id] for id, contact in found.items()}
            apply_contact_changes(desk, list(found.values()), when)
            apply_lost_contacts(desk, absent, at)
            record_told_forgotten(desk, told)
            settle_changes(changes)
            if len(changes) == CHANGES_A_CALL:
                count_progress(desk)


@dataclass
class Meaning:
    """What a page of contacts means for their people."""

    met: list[MetLink] = field(default_factory=list)
    echoed: list[Link] = field(default_factory=list)
    edited: dict[int, datetime] = field(default_factory=dict)  # link -> when its contact changed
    changed: list[ContactRead] = field(default_factory=list)
    strangers: list[ContactRead] = field(default_factory=list)
    merged: list[tuple[ContactRead, list[Link]]] = field(default_factory=list)


def apply_contact_changes(
    desk: Desk, contacts: Sequence[ContactRead], at: Mapping[str, datetime] | None = None
) -> None:
    """What each contact means for its person. ``at`` tells when it changed, where HubSpot's event
    said so. In the caller's transaction.
    """
    meaning = find_meaning(desk, contacts, at or {})
    for contact, own in meaning.merged:
        old = [link.contact_id for link in own if link.contact_id != contact.id]
        detail = note("merged_contacts", old=", ".join(old), new=contact.id)
        record_merge(desk, contact.id, own, detail)
    record_met_contacts(desk, meaning.met)
    make_people_due(desk, meaning.edited)
    take_candidates(desk, meaning.strangers)
    wake_waiting_cards(desk, [*meaning.strangers, *meaning.changed])
    if meaning.echoed:
        log.info(
            "echo",
            run=desk.run.pk,
            n=len(meaning.echoed),
            of_runs=sorted({link.run_id or 0 for link in meaning.echoed}),
            contacts=[link.contact_id for link in meaning.echoed],
        )
    count_outcomes(desk, {"echoes": len(meaning.echoed)})


def find_meaning(
    desk: Desk, contacts: Sequence[ContactRead], at: Mapping[str, datetime]
) -> Meaning:
    """Sorts contacts by what they are to us; nothing is written."""
    # A merge is told with all its ids, and each of them leads to the one that is left.
    contacts = list({contact.id: contact for contact in contacts}.values())
    links = find_links(desk, [id for contact in contacts for id in (contact.id, *contact.was)])
    meaning = Meaning()
    for contact in contacts:
        # A link that was merged before is nobody's any more; its cards have joined another one's.
        ids = (contact.id, *contact.was)
        own = [links[id] for id in ids if id in links and links[id].gone != Link.Gone.MERGED]
        if not own:
            meaning.strangers.append(contact)
            continue
        link = own[0]
        when = at.get(contact.id) or contact.modified_at or desk.now()
        if contact.id != link.contact_id or own[1:]:
            meaning.merged.append((contact, own))
            meaning.edited[link.pk] = when
            meaning.changed.append(contact)
            continue
        add_meaning(desk, meaning, contact=contact, link=link, when=when)
    return meaning


def add_meaning(
    desk: Desk, meaning: Meaning, contact: ContactRead, link: Link, when: datetime
) -> None:
    """A contact with a link of its own: our echo, an edit, or both."""
    kind = EDITED if link.gone else judge_change(as_link_view(link), contact, desk.watched)
    if kind in OWN_CHANGES:
        meaning.echoed.append(link)
        link.echoes, link.echo_at = link.echoes + 1, desk.now()
    if kind in PEOPLES_CHANGES:
        meaning.edited[link.pk] = when
        meaning.changed.append(contact)
    if kind != OLD:
        meaning.met.append(
            MetLink(
                id=link.pk,
                modified_at=contact.modified_at,
                awaiting=False,
                echoes=link.echoes,
                echo_at=link.echo_at,
            )
        )


def make_people_due(desk: Desk, edited: Mapping[int, datetime]) -> None:
    """The cards of these people are due, of whichever rule they are. ``edited``: link -> when its
    contact changed.
    """
    if not edited:
        return
    cards = Record.objects.filter(link__in=any_of(list(edited)), side=Side.CARD)
    driving = cards.exclude(rule__direction=SyncRule.Direction.TO_SANSAN)
    now = desk.now()
    due = [
        PromptedRecord(
            id=pk,
            due_at=now,
            prompted_at=edited[link_id],
            read_at=now,
            # What this run has read already, and not settled yet, is not read once more.
            run_id=run_id if due_at else None,
        )
        for pk, link_id, due_at, run_id in driving.values_list("pk", "link_id", "due_at", "run_id")
        if link_id
    ]
    desk.in_flight.touch(record.id for record in due)
    update_rows(Record, due, desk.rule.account_id)


def apply_lost_contacts(desk: Desk, absent: Mapping[str, str], at: Mapping[str, datetime]) -> None:
    """Contacts that are not there any more: their links say so, and their people are looked at
    again. ``absent``: contact id -> how it went. In the caller's transaction.
    """
    now, links = desk.now(), find_links(desk, absent)
    gone: list[tuple[Link, str]] = []
    for id, link in links.items():
        how = judge_gone(link.gone, link.gone_at, absent[id], now)
        if how:
            gone.append((link, how))
    record_gone_contacts(desk, gone)
    make_people_due(desk, {link.pk: at.get(link.contact_id, now) for link, _ in gone})
    make_departed_due(desk, [id for id in absent if id not in links])


def read_recycle_bin(desk: Desk) -> Work:
    """Deleted contacts, which no search shows; and those that were restored from there."""
    connection = desk.rule.hubspot
    while not desk.spent:
        page = yield partial(desk.target.list_deleted_contacts, connection.gone_after)
        with desk.transaction():
            # A contact in the bin tells when it was last edited, which says nothing of when it was
            # deleted.
            apply_lost_contacts(desk, {contact.id: DELETED for contact in page.contacts}, {})
            connection.gone_after = page.next_token
            if page.next_token:
                count_progress(desk)
            else:
                connection.gone_at = desk.now()
            connection.save(update_fields=["gone_after", "gone_at"])
        if not page.next_token:
            yield from read_restored_contacts(desk)
            return


def read_restored_contacts(desk: Desk) -> Work:
    """Contacts that were gone, and may be there again."""
    recent = Q(gone__in=(Link.Gone.DELETED, Link.Gone.MISSING), gone_at__gt=desk.now() - RESTORABLE)
    # A link that another one has taken the place of has no cards any more.
    cards = Record.objects.filter(link=OuterRef("pk"), side=Side.CARD)
    links = Link.objects.filter(recent, Exists(cards), hubspot=desk.rule.hubspot)
    ids = list(links.order_by("-gone_at").values_list("contact_id", flat=True)[:MOST_RESTORABLE])
    if ids:
        found = yield partial(desk.target.read, ids, desk.watched)
        now = desk.now()
        with desk.transaction():
            contacts = list(found.values())
            apply_contact_changes(desk, contacts, {contact.id: now for contact in contacts})
