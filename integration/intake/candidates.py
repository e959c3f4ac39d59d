"""Contacts that may become cards, as records of the rules that make cards; and what a contact
nobody knows means for cards that wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from core.bulk import any_of, upsert_rows
from integration.ledger.entries import count_progress
from integration.models import Bucket, Link, Record, Side, SyncRule
from integration.planning.normalize import normalize_email
from integration.records import ContactRead
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import RECORD_KEY, UNREAD, Reading

# The digest of a contact whose time of change HubSpot does not tell: it is always looked at.
NO_DIGEST = "-"
REPLACED_BY_CONTACT = ("digest", "changed_at", "read_at", "due_at", "run_id")


def take_candidates(desk: Desk, contacts: Sequence[ContactRead], again: bool = False) -> None:
    """Contacts without a link are due for the rules that make cards. In the caller's transaction.

    ``again``: the rule of this run looks at those that have not changed, too.
    """
    if not contacts:
        return
    now = desk.now()
    for rule in desk.senders:
        known = find_known_contacts(rule, contacts)
        rows = []
        for contact in contacts:
            held = known.get(contact.id)
            if is_news(contact, held) or (again and rule.pk == desk.rule.pk):
                # What a run has read already, and not settled yet, is not read once more.
                run_id = held.run_id if held and held.due_at else None
                rows.append(as_contact_reading(rule, contact, now, run_id))
        upsert_rows(Record, rows, RECORD_KEY, REPLACED_BY_CONTACT, rule.account_id)


class KnownContact(NamedTuple):
    """What we hold of a contact that may become a card: columns of Record."""

    digest: str
    reason: str
    due_at: datetime | None
    run_id: int | None


def find_known_contacts(rule: SyncRule, contacts: Sequence[ContactRead]) -> dict[str, KnownContact]:
    """Id in HubSpot -> what the rule holds of the contact."""
    ids = [contact.id for contact in contacts]
    records = Record.objects.filter(rule=rule, side=Side.CONTACT, external_id__in=ids)
    rows = records.values_list("external_id", *KnownContact._fields)
    return {external_id: KnownContact(*rest) for external_id, *rest in rows}


def as_contact_reading(
    rule: SyncRule, contact: ContactRead, now: datetime, run_id: int | None
) -> Reading:
    """A contact as it is stored.

    Its values are read when it is decided about: of a contact that stays out nothing is kept.
    """
    return Reading(
        rule_id=rule.pk,
        side=Side.CONTACT.value,
        connection_id=rule.hubspot_id,
        external_id=contact.id,
        person_key="",
        email_key="",
        name="",
        values={},
        tags=[],
        digest=make_contact_digest(contact),
        exchanged_on=None,
        changed_at=contact.modified_at or now,
        read_at=now,
        due_at=now,
        run_id=run_id,
    )


def is_news(contact: ContactRead, known: KnownContact | None) -> bool:
    """Not as it was; or there again as it was, after it had been deleted."""
    if known is None or known.digest == NO_DIGEST:
        return True
    return known.digest != make_contact_digest(contact) or known.reason == "contact_left"


def make_contact_digest(contact: ContactRead) -> str:
    if contact.modified_at is None:
        return NO_DIGEST
    return contact.modified_at.isoformat(timespec="milliseconds")[:32]


def wake_waiting_cards(desk: Desk, contacts: Iterable[ContactRead]) -> None:
    """Cards that wait for a contact with this address: theirs is gone, or was another's."""
    addresses = {normalize_email(address) for each in contacts for address in each.addresses}
    if not addresses:
        return
    held = Record.objects.filter(
        email_key__in=any_of(addresses), side=Side.CARD, bucket=Bucket.HELD
    )
    due = list(held.exclude(email_key="").values_list("pk", flat=True))
    if due:
        desk.in_flight.touch(due)
        Record.objects.filter(pk__in=any_of(due)).update(due_at=desk.now(), run_id=UNREAD)


def make_departed_due(desk: Desk, ids: Sequence[str]) -> None:
    """Contacts without a link that are not there any more."""
    if not ids:
        return
    waiting = Record.objects.filter(
        rule__in=[rule.pk for rule in desk.senders],
        side=Side.CONTACT,
        external_id__in=ids,
        link__isnull=True,
    )
    unsettled = waiting.exclude(reason="contact_left", due_at__isnull=True)
    unsettled.update(due_at=desk.now(), run_id=UNREAD)


def walk_contacts(desk: Desk) -> Work:
    """Every contact of the portal, for a rule that makes cards: at its first run and at full
    checks. Each ``yield`` asks for a page.
    """
    run = desk.run
    while desk.rule.sends and run.whole and not run.contacts_done and not desk.spent:
        page = yield partial(desk.target.list_contacts, run.contacts_after, ())
        store_candidates(desk, page.contacts, page.next_token)


def store_candidates(desk: Desk, contacts: Sequence[ContactRead], token: str) -> None:
    """A page of contacts, and how far the walk has come, in one transaction."""
    run = desk.run
    ids = [contact.id for contact in contacts]
    links = Link.objects.filter(hubspot=desk.rule.hubspot, contact_id__in=ids, gone="")
    with desk.transaction():
        linked = set(links.values_list("contact_id", flat=True))
        free = [contact for contact in contacts if contact.id not in linked]
        take_candidates(desk, free, again=run.kind == run.Kind.FULL)
        run.contacts_after, run.contacts_done = token, not token
        count_progress(desk, {}, "contacts_after", "contacts_done")
