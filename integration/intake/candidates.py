"""Contacts that may become cards, as records of the rules that make cards; and what a contact
nobody knows means for cards that wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction

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


KNOWN_COLUMNS = ("external_id", "digest", "reason", "due_at", "run_id")
REPLACED_BY_CONTACT = ("digest", "changed_at", "read_at", "due_at", "run_id")


def take_candidates(desk: Desk, contacts: Sequence[ContactRead], again: bool = False) -> None:
    """Contacts without a link are due for the rules that make cards. In the caller's transaction.

    ``again``: the rule of this run looks at those that have not changed, too.
    """
    if not contacts:
        return
    now = desk.now()
    for rule in desk.senders:
        known = Record.objects.filter(
            rule=rule, side=Side.CONTACT, external_id__in=[one.id for one in contacts]
        )
        held = {
            id: (digest, reason, due_at and run_id)
            for id, digest, reason, due_at, run_id in known.values_list(*KNOWN_COLUMNS)
        }
        rows = [
            as_contact_reading(rule, one, now, held[one.id][2] if one.id in held else None)
            for one in contacts
            if is_news(one, *held.get(one.id, ("", "", None))[:2])
            or (again and rule.pk == desk.rule.pk)
        ]
        upsert_rows(Record, rows, RECORD_KEY, REPLACED_BY_CONTACT, rule.account_id)


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


def is_news(contact: ContactRead, digest: str, reason: str) -> bool:
    """Not as it was; or there again as it was, after it had been deleted."""
    return digest != make_contact_digest(contact) or digest == NO_DIGEST or reason == "contact_left"


def make_contact_digest(contact: ContactRead) -> str:
    return (
        contact.modified_at.isoformat(timespec="milliseconds")[:32]
        if contact.modified_at
        else NO_DIGEST
    )


def wake_waiting_cards(desk: Desk, contacts: Iterable[ContactRead]) -> None:
    """Cards that wait for a contact with this address: theirs is gone, or was another's."""
    addresses = {normalize_email(address) for one in contacts for address in one.addresses}
    held = Record.objects.filter(
        email_key__in=any_of(addresses), side=Side.CARD, bucket=Bucket.HELD
    ).exclude(email_key="")
    due = list(held.values_list("pk", flat=True)) if addresses else []
    if due:
        desk.touched.update(desk.in_flight.intersection(due))
        Record.objects.filter(pk__in=any_of(due)).update(due_at=desk.now(), run_id=UNREAD)


def make_departed_due(desk: Desk, ids: Sequence[str]) -> None:
    """Contacts without a link that are not there any more."""
    if ids:
        waiting = Record.objects.filter(
            rule__in=[rule.pk for rule in desk.senders],
            side=Side.CONTACT,
            external_id__in=ids,
            link__isnull=True,
        )
        waiting.exclude(reason="contact_left", due_at__isnull=True).update(
            due_at=desk.now(), run_id=UNREAD
        )


def walk_contacts(desk: Desk) -> Work:
    """Every contact of the portal, for a rule that makes cards: at its first run and at full
    checks. Each ``yield`` asks for a page.
    """
    run = desk.run
    while desk.rule.sends and run.whole and not run.contacts_done and not desk.spent:
        page = yield lambda: desk.target.contacts(run.contacts_after, ())
        store_candidates(desk, page.contacts, page.next_token)


def store_candidates(desk: Desk, contacts: Sequence[ContactRead], token: str) -> None:
    with transaction.atomic():
        desk.lease.renew()
        linked = set(
            Link.objects.filter(
                hubspot=desk.rule.hubspot, contact_id__in=[one.id for one in contacts], gone=""
            ).values_list("contact_id", flat=True)
        )
        take_candidates(
            desk,
            [one for one in contacts if one.id not in linked],
            again=desk.run.kind == desk.run.Kind.FULL,
        )
        desk.run.contacts_after, desk.run.contacts_done = token, not token
        count_progress(desk, {}, "contacts_after", "contacts_done")
