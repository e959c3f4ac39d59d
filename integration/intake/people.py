"""What people do with single records: try them again, or say that one is never synced.

The engine does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integration.ledger.links import forget_contacts, forget_refusals, store_choices
from integration.models import Bucket, Connection, Link, Record, Side, SyncRule
from integration.rules.recheck import end_runs, require_recheck
from integration.slice.rows import UNREAD

# Where a record waits for something to change. A retry looks at it again at once.
RETRIED_BUCKETS = (
    Bucket.FAILING,
    Bucket.HELD,
    Bucket.EXCLUDED,
    Bucket.MERGED,
    Bucket.LINKED,
    Bucket.WAITING,
)


# What is known of a HubSpot account, and says nothing of another one.
OF_A_PORTAL: dict[str, Any] = {
    "schema": {},
    "schema_at": None,
    "link_property": False,
    "changes_to": None,
    "behind": {},
    "polled_at": None,
    "heard_at": None,
    "gone_at": None,
    "gone_after": "",
    "owners": {},
    "auto_companies": None,
    "quota": {},
}


def retry_records(records: QuerySet[Any]) -> int:
    """Makes records due now; returns how many.

    What the key no longer sees has nothing to be tried. Values that HubSpot refused are tried
    again, too.
    """
    forget_refusals(records)
    return records.filter(bucket__in=RETRIED_BUCKETS).update(due_at=timezone.now(), run_id=UNREAD)


def retry_reason(rule: SyncRule, side: str, bucket: str, reason: str) -> int:
    return retry_records(Record.objects.filter(rule=rule, side=side, bucket=bucket, reason=reason))


def accept_other_portal(connection: Connection) -> int:
    """The credentials lead to another HubSpot account, and a person wants to go on with that one.

    Returns how many links were let go. The rules stay held until somebody resumes them.
    """
    with transaction.atomic():
        Connection.objects.select_for_update().only("pk").get(pk=connection.pk)
        n = forget_contacts(connection)
        rules = SyncRule.objects.filter(hubspot=connection)
        for rule in rules:
            require_recheck(rule)
            end_runs(rule, preview=False)
        rules.update(known_share=None)
        cards = Record.objects.filter(rule__hubspot=connection, side=Side.CARD)
        cards.exclude(bucket=Bucket.UNSEEN).update(due_at=timezone.now(), run_id=UNREAD)
        # Contacts of the former account that were to become cards.
        Record.objects.filter(rule__hubspot=connection, side=Side.CONTACT).update(
            bucket=Bucket.UNSEEN, reason="unseen", due_at=None
        )
        for name, value in OF_A_PORTAL.items():
            setattr(connection, name, value)
        connection.remote_id, connection.found_id = connection.found_id, ""
        connection.save(update_fields=[*OF_A_PORTAL, "remote_id", "found_id"])
    return n


def choose_side(link: Link, names: Iterable[str], side: str, who: str) -> int:
    """Settles clashes of a person: the card's value (``sansan``) or the contact's (``hubspot``)
    wins, as long as both stay as they are.
    """
    at = timezone.now().isoformat(timespec="seconds")
    chosen = {}
    for name in names:
        if name in link.clashes:
            card, contact = link.clashes[name][:2]
            chosen[name] = {"side": side, "card": card, "contact": contact, "by": who, "at": at}
    if not chosen:
        return 0
    store_choices(link, chosen)
    return retry_records(Record.objects.filter(link=link, side=Side.CARD))


def choose_side_for_all(rule: SyncRule, side: str, who: str) -> int:
    """The same for everybody of a rule who waits for a choice; returns how many cards are looked at
    again.
    """
    held = Record.objects.filter(
        rule=rule, side=Side.CARD, bucket=Bucket.HELD, reason="conflict", link__isnull=False
    )
    retried = 0
    for link in Link.objects.filter(pk__in=held.values("link")).iterator(500):
        waiting = [name for name, clash in link.clashes.items() if clash[2] == "hold"]
        retried += choose_side(link, waiting, side, who)
    return retried


def bar_cards(records: Iterable[Record], why: str, who: str) -> int:
    """From now on these cards are left out, whatever they say; their contacts stay as they are."""
    now = timezone.now()
    barred = {"why": why.strip()[:300] or "–", "by": who, "at": now.isoformat(timespec="seconds")}
    return sum(
        find_copies(record).update(barred=barred, due_at=now, run_id=UNREAD) for record in records
    )


def unbar_cards(records: Iterable[Record]) -> int:
    now = timezone.now()
    return sum(
        find_copies(record).update(barred=None, due_at=now, run_id=UNREAD) for record in records
    )


def find_copies(record: Record) -> QuerySet[Any]:
    """The record, and those of the other rules that see the same card and would write to the same
    contact.
    """
    rules = SyncRule.objects.filter(hubspot=record.rule.hubspot_id).values_list("pk", flat=True)
    return Record.objects.filter(
        rule__in=list(rules), side=record.side, external_id=record.external_id
    )
