"""What happened to contacts in HubSpot: heard of by webhook or asked for, and what it means for
their people.

Nothing here decides about a value. An echo of our own write is dropped; after anything else the
person's cards are due, and ``sync.deliver`` plans them with the contact as it is then. So the order
of events says nothing, nor does a second telling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from core.bulk import any_of, update_rows
from integration.connectors.base import Rejected
from integration.intake.candidates import make_departed_due, take_candidates, wake_waiting_cards
from integration.intake.inbox import CHANGES_A_CALL, drop_unreadable, settle_changes, take_changes
from integration.ledger.entries import count_outcomes, count_progress
from integration.ledger.gone import GONE_COLUMNS, mark_gone
from integration.models import (
    AuditEntry,
    Connection,
    Link,
    Outcome,
    Record,
    Side,
    SyncRule,
    SyncRun,
)
from integration.planning.absence import judge_absence, judge_gone
from integration.planning.decisions import SKIP
from integration.planning.echo import EDITED, OLD, OWN_CHANGES, PEOPLES_CHANGES, judge_change
from integration.records import ContactPage, ContactRead
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import as_link_view

log = structlog.get_logger()

# While webhooks come in, asking is the net under them.
WEBHOOKS_TRUSTED = timedelta(hours=1)
POLL_BESIDE_WEBHOOKS = timedelta(minutes=5)
POLL_WITHIN_RUN = timedelta(seconds=5)
# The recycle bin has no order of time, so that the whole of it is looked through.
BIN_EVERY = timedelta(minutes=5)
RESTORABLE = timedelta(days=92)
MANY_WRITES = 200  # writes, which is a page of the search
MET_COLUMNS = ("modified_at", "awaiting", "echoes", "echo_at")


def read_contact_changes(desk: Desk) -> Work:
    """Each ``yield`` asks HubSpot for something."""
    if desk.run.is_preview:
        return
    connection = desk.rule.hubspot
    if connection.changes_to is None:
        # From now on: what is in the portal already is met when its people are.
        start_listening(connection, desk.now())
        return
    yield from read_inbox(desk)
    if is_poll_due(desk.run, connection, desk.now()):
        yield from poll_contacts(desk)
    if is_bin_due(connection, desk.now()):
        yield from read_recycle_bin(desk)


def start_listening(connection: Connection, now: datetime) -> None:
    connection.changes_to = connection.polled_at = connection.gone_at = now
    connection.save(update_fields=["changes_to", "polled_at", "gone_at"])


def is_poll_due(run: SyncRun, connection: Connection, now: datetime) -> bool:
    """Once a run, and again where it goes on for long.

    A first run has enough to do: what changes meanwhile is asked for after it.
    """
    if run.kind == SyncRun.Kind.INITIAL:
        return False
    if "walk" in connection.behind:
        return True
    hearing = connection.heard_at is not None and connection.heard_at > now - WEBHOOKS_TRUSTED
    pause = (
        POLL_BESIDE_WEBHOOKS if hearing else POLL_WITHIN_RUN if run.attempts > 1 else timedelta(0)
    )
    return connection.polled_at is None or connection.polled_at <= now - pause


def is_bin_due(connection: Connection, now: datetime) -> bool:
    return (
        bool(connection.gone_after)
        or connection.gone_at is None
        or connection.gone_at < now - BIN_EVERY
    )


def poll_contacts(desk: Desk) -> Work:
    """Asks for the contacts that changed since the last time, less an overlap: the search lags
    behind, and lets a contact vanish again.
    """
    connection = desk.rule.hubspot
    # A walk that the last slice could not finish goes on where it stopped: more may be stamped with
    # one time than a slice can read.
    walk = connection.behind.get("walk")
    began, token = (
        (datetime.fromisoformat(walk["began"]), walk["token"]) if walk else (desk.now(), "")
    )
    since = connection.changes_to - timedelta(seconds=settings.SYNC_SEARCH_OVERLAP_SECONDS)  # type: ignore[operator]
    if "to" in connection.behind:
        since = max(since, datetime.fromisoformat(connection.behind["to"]))
    while not desk.spent:
        page = yield lambda t=token: desk.target.changed(since, t, desk.watched)  # type: ignore[misc]
        reached = began if not page.next_token else find_newest_change(page, connection.changes_to)
        # Never beyond the moment at which the question was asked: what this run writes meanwhile
        # comes with the next one.
        token = "" if reached > began else page.next_token
        with transaction.atomic():
            desk.lease.renew()
            apply_contact_changes(desk, page.contacts)
            connection.changes_to = max(connection.changes_to, min(reached, began))
            connection.polled_at = desk.now()
            rest = {name: value for name, value in connection.behind.items() if name != "walk"}
            connection.behind = (
                {**rest, "walk": {"began": began.isoformat(), "token": token}} if token else rest
            )
            connection.save(update_fields=["changes_to", "polled_at", "behind"])
            if token:
                count_progress(desk)
        if not token:
            break
    if "from" in connection.behind and not desk.spent:
        yield from read_old_echoes(desk)


def find_newest_change(page: ContactPage, otherwise: datetime) -> datetime:
    return max((one.modified_at for one in page.contacts if one.modified_at), default=otherwise)


def read_old_echoes(desk: Desk) -> Work:
    """One page of what a large run has written: its echoes must not keep anybody waiting."""
    connection = desk.rule.hubspot
    start, end = (datetime.fromisoformat(connection.behind[name]) for name in ("from", "to"))
    page = yield lambda: desk.target.changed(start, connection.behind["token"], desk.watched)
    with transaction.atomic():
        desk.lease.renew()
        apply_contact_changes(desk, page.contacts)
        done = not page.next_token or find_newest_change(page, start) >= end
        connection.behind = (
            {"to": connection.behind["to"]}
            if done
            else {**connection.behind, "token": page.next_token}
        )
        connection.save(update_fields=["behind"])


def set_echoes_aside(desk: Desk) -> None:
    """After a run that wrote much: what changes from now on is asked for at once, and the run's own
    echoes are read bit by bit.
    """
    run, connection = desk.run, desk.rule.hubspot
    wrote = run.created + run.updated + run.linked
    if (
        run.is_preview
        or not wrote
        or (run.kind == run.Kind.INCREMENTAL and wrote <= MANY_WRITES)
        or "from" in connection.behind
    ):
        return
    now = desk.now()
    connection.behind = {
        "from": min(connection.changes_to or now, run.started_at or now).isoformat(),
        "to": now.isoformat(),
        "token": "",
    }
    connection.changes_to = now
    with transaction.atomic():
        desk.lease.renew()
        connection.save(update_fields=["behind", "changes_to"])


def read_inbox(desk: Desk) -> Work:
    """Empties the inbox. What is true of each contact now is read from HubSpot."""
    connection = desk.rule.hubspot
    while not desk.spent and (changes := take_changes(connection.pk)):
        ids = [one.contact_id for one in changes]
        try:
            found = yield lambda ids=ids: desk.target.read(ids, desk.watched)  # type: ignore[misc]
        except Rejected as refused:
            # What is in the inbox must not keep everybody else from being delivered.
            log.warning(
                "inbox_refused", connection=connection.slug, contacts=ids, why=refused.detail
            )
            desk.deaf = True
            drop_unreadable(changes, desk.now())
            return
        missing = set(ids).difference(found)
        binned = (
            (yield lambda missing=missing: desk.target.among_deleted(missing)) if missing else set()
        )
        with transaction.atomic():
            desk.lease.renew()
            at = {one.contact_id: one.changed_at for one in changes}
            apply_contact_changes(
                desk, list(found.values()), {found[id].id: at[id] for id in found}
            )
            apply_lost_contacts(
                desk,
                {
                    one.contact_id: judge_absence(one, binned)
                    for one in changes
                    if one.contact_id in missing
                },
                at,
            )
            told = [one.contact_id for one in changes if one.forgotten and one.contact_id in found]
            Link.objects.filter(hubspot=connection, contact_id__in=told, gone="").update(
                gone_at=desk.now()
            )
            settle_changes(changes)
            if len(changes) == CHANGES_A_CALL:
                count_progress(desk)


def apply_contact_changes(
    desk: Desk, contacts: Sequence[ContactRead], at: dict[str, datetime] | None = None
) -> None:
    """What each contact means for its person.

    ``at`` tells when it changed, where HubSpot's event said so. In the caller's transaction.
    """
    # A merge is told with all its ids, and each of them leads to the one that is left.
    contacts = list({one.id: one for one in contacts}.values())
    links = find_links_by_contact(desk, [id for one in contacts for id in (one.id, *one.was)])
    met: list[tuple[Any, ...]] = []
    edited: dict[int, datetime] = {}
    strangers: list[ContactRead] = []
    changed: list[ContactRead] = []
    echoed: list[Link] = []
    for contact in contacts:
        # A link that was merged before is nobody's any more; its cards have joined another one's.
        own = [
            links[id]
            for id in (contact.id, *contact.was)
            if id in links and links[id].gone != Link.Gone.MERGED
        ]
        link = own[0] if own else None
        if link is None:
            strangers.append(contact)
            continue
        when = (at or {}).get(contact.id) or contact.modified_at or desk.now()
        if contact.id != link.contact_id or own[1:]:
            edited.update(dict.fromkeys(follow_merge(desk, contact, own), when))
            changed.append(contact)
            continue
        said = EDITED if link.gone else judge_change(as_link_view(link), contact, desk.watched)
        if said in OWN_CHANGES:
            echoed.append(link)
            link.echoes, link.echo_at = link.echoes + 1, desk.now()
        if said in PEOPLES_CHANGES:
            edited[link.pk] = when
            changed.append(contact)
        if said != OLD:
            met.append((link.pk, contact.modified_at, False, link.echoes, link.echo_at))
    update_rows(Link, MET_COLUMNS, met, desk.rule.account_id)
    make_people_due(desk, edited)
    take_candidates(desk, strangers)
    wake_waiting_cards(desk, [*strangers, *changed])
    if echoed:
        runs = sorted({link.run_id or 0 for link in echoed})
        log.info(
            "echo",
            run=desk.run.pk,
            n=len(echoed),
            of_runs=runs,
            contacts=[link.contact_id for link in echoed],
        )
    count_outcomes(desk, {"echoes": len(echoed)})


def find_links_by_contact(desk: Desk, ids: Iterable[str]) -> dict[str, Link]:
    """Contact id -> link."""
    wanted = list(dict.fromkeys(ids))
    rows = (
        Link.objects.filter(hubspot=desk.rule.hubspot, contact_id__in=wanted).exclude(contact_id="")
        if wanted
        else ()
    )
    return {link.contact_id: link for link in rows}


def follow_merge(desk: Desk, contact: ContactRead, own: Sequence[Link]) -> list[int]:
    """A contact that others were merged into: one link stands for it, and the cards of the others
    join that one. Returns the links at work.
    """
    first, *others = own
    said = [one.contact_id for one in own if one.contact_id != contact.id]
    if first.contact_id != contact.id:
        Link.objects.filter(pk=first.pk).update(contact_id=contact.id, gone="", gone_at=None)
    for one in others:
        Record.objects.filter(link=one).update(link=first)
    if others:
        Link.objects.filter(pk__in=[one.pk for one in others]).update(
            gone=Link.Gone.MERGED, gone_at=desk.now()
        )
    record_merge(desk, first, f"{', '.join(said)} → {contact.id}", contact.id)
    return [first.pk]


def record_merge(desk: Desk, link: Link, detail: str, contact_id: str) -> None:
    row = Record.objects.filter(link=link, side=Side.CARD).order_by("-changed_at").first()
    now = desk.now()
    AuditEntry.objects.create(
        account_id=desk.rule.account_id,
        run=desk.run,
        rule=desk.rule,
        record_id=row.pk if row else 0,
        card_id=row.external_id if row else "",
        contact_id=contact_id,
        link_key=link.key,
        name=row.name if row else "",
        email=row.email_key if row else "",
        decision=SKIP,
        reason="contact_merged",
        detail=detail[:500],
        outcome=Outcome.NONE,
        read_at=now,
        planned_at=now,
        closed_at=now,
    )


def make_people_due(desk: Desk, edited: dict[int, datetime]) -> None:
    """The cards of these people are due, of whichever rule they are."""
    if not edited:
        return
    cards = Record.objects.filter(link__in=any_of(list(edited)), side=Side.CARD).exclude(
        rule__direction=SyncRule.Direction.TO_SANSAN
    )
    rows = cards.values_list("pk", "link_id", "due_at", "run_id")
    now = desk.now()
    # What this run has read already, and not settled yet, is not read once more.
    due = [
        (pk, now, edited[link_id], now, run_id if due_at else None)
        for pk, link_id, due_at, run_id in rows
        if link_id
    ]
    desk.touched.update(desk.in_flight.intersection(pk for pk, *_ in due))
    update_rows(Record, ("due_at", "prompted_at", "read_at", "run_id"), due, desk.rule.account_id)


def apply_lost_contacts(desk: Desk, gone: dict[str, str], at: dict[str, datetime]) -> None:
    """Contacts that are not there any more: their links say so, and their people are looked at
    again.
    """
    links = find_links_by_contact(desk, gone)
    news = {
        link.pk: (link, how)
        for id, link in links.items()
        if (how := judge_gone(link, gone[id], desk.now()))
    }
    if news:
        update_rows(
            Link,
            GONE_COLUMNS,
            [mark_gone(link, how, desk.now()) for link, how in news.values()],
            desk.rule.account_id,
        )
        make_people_due(
            desk, {pk: at.get(link.contact_id, desk.now()) for pk, (link, _) in news.items()}
        )
    make_departed_due(desk, [id for id in gone if id not in links])


def read_recycle_bin(desk: Desk) -> Work:
    """Deleted contacts, which no search shows; and those that were restored from there."""
    connection = desk.rule.hubspot
    while not desk.spent:
        page = yield lambda: desk.target.deleted(connection.gone_after)
        with transaction.atomic():
            desk.lease.renew()
            # A contact in the bin tells when it was last edited, which says nothing of when it was
            # deleted.
            apply_lost_contacts(
                desk, {one.id: Link.Gone.DELETED.value for one in page.contacts}, {}
            )
            connection.gone_after = page.next_token
            if not page.next_token:
                connection.gone_at = desk.now()
            connection.save(update_fields=["gone_after", "gone_at"])
            if page.next_token:
                count_progress(desk)
        if not page.next_token:
            yield from read_restored_contacts(desk)
            return


def read_restored_contacts(desk: Desk) -> Work:
    recent = Q(gone__in=(Link.Gone.DELETED, Link.Gone.MISSING), gone_at__gt=desk.now() - RESTORABLE)
    # A link that another one has taken the place of has no cards any more.
    cards = Record.objects.filter(link=OuterRef("pk"), side=Side.CARD)
    links = Link.objects.filter(recent, Exists(cards), hubspot=desk.rule.hubspot)
    ids = list(links.order_by("-gone_at").values_list("contact_id", flat=True)[:1000])
    if ids:
        found = yield lambda: desk.target.read(ids, desk.watched)
        with transaction.atomic():
            desk.lease.renew()
            apply_contact_changes(
                desk, list(found.values()), {one.id: desk.now() for one in found.values()}
            )
