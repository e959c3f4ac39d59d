"""Cards that shared an address or a Sansan person with one that does not any more: they waited
behind it, and nothing of their own will tell that it is their turn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.bulk import any_of
from integration.ledger.entries import wake_records
from integration.models import Bucket, Link, Record, Side
from integration.notes import note
from integration.slice.desk import Desk
from integration.slice.rows import KnownCard, Reading

# Where a card stands that may be there because of another one: a contact in sync may have an older
# card's address, as long as somebody with a newer card has the address of the newest.
WAITING_BUCKETS = (Bucket.MERGED, Bucket.HELD, Bucket.FAILING, Bucket.LINKED)


def wake_former_neighbours(desk: Desk, changed: Sequence[tuple[KnownCard, Reading]]) -> None:
    """After cards were stored that have changed; in the caller's transaction."""
    addresses = {
        known.email_key for known, reading in changed if known.email_key != reading.email_key
    }
    persons = {
        known.person_key for known, reading in changed if known.person_key != reading.person_key
    }
    wake_neighbours(desk, addresses, persons)
    wake_waiting_for_contacts(
        desk,
        {
            known.link_id
            for known, reading in changed
            if known.link_id and may_be_another(known, reading)
        },
    )


def may_be_another(known: KnownCard, reading: Reading) -> bool:
    """Whether somebody else can be meant by the card from now on."""
    return (known.name, known.email_key, known.person_key) != (
        reading.name,
        reading.email_key,
        reading.person_key,
    )


def wake_neighbours(desk: Desk, addresses: Collection[str], persons: Collection[str]) -> None:
    """Has everybody looked at again who waits with one of these addresses or Sansan persons."""
    waiting = Record.objects.filter(side=Side.CARD, bucket__in=WAITING_BUCKETS, due_at__isnull=True)
    ids: set[int] = set()
    for column, values in (("email_key", addresses), ("person_key", persons)):
        keys = sorted(set(values) - {""})
        if keys:
            # The index has no blanks: without the condition the database could not go by it.
            same = waiting.filter(**{f"{column}__in": keys}).exclude(**{column: ""})
            ids.update(same.values_list("pk", flat=True))
    wake_records(desk, ids)


def wake_waiting_for_contacts(desk: Desk, link_ids: Collection[int]) -> None:
    """Has those looked at again whose address one of these links' contacts has."""
    if not link_ids:
        return
    links = Link.objects.filter(pk__in=any_of(link_ids)).exclude(contact_id="")
    details = [note("contact", id=id) for id in links.values_list("contact_id", flat=True)]
    held = Record.objects.filter(
        rule__in=list(desk.scopes), side=Side.CARD, bucket=Bucket.HELD, reason="email_taken"
    )
    wake_records(desk, set(held.filter(detail__in=details).values_list("pk", flat=True)))
