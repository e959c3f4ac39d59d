"""The inbox: contacts that something happened to in HubSpot. Webhooks fill it, runs empty it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection as database
from django.db import transaction

from core.tenancy import check_write
from integration.models import Connection, ContactChange

UNREADABLE_KEPT = timedelta(hours=1)
CHANGES_A_CALL = 100  # HubSpot reads a hundred contacts in a call


class HeardChange(NamedTuple):
    """That something happened to a contact, and when."""

    contact_id: str
    at: datetime
    forgotten: bool = False  # deleted for privacy


PUT_STATEMENT = """INSERT INTO "integration_contactchange"
  ("account_id", "connection_id", "contact_id", "forgotten", "changed_at", "heard_at", "version")
VALUES (%s, %s, %s, %s, %s, %s, 1)
ON CONFLICT ("connection_id", "contact_id") DO UPDATE SET
  "version" = "integration_contactchange"."version" + 1,
  "forgotten" = "integration_contactchange"."forgotten" OR excluded."forgotten",
  "changed_at" = CASE WHEN excluded."changed_at" < "integration_contactchange"."changed_at"
    THEN excluded."changed_at" ELSE "integration_contactchange"."changed_at" END"""


def put_changes(connection: Connection, heard: Iterable[HeardChange], now: datetime) -> int:
    """Notes what was heard, one row a contact; returns how many. Doubled and disordered events end
    in the same row.

    In one statement a row: two webhooks that tell of one contact at the same moment must not lose
    each other's news.
    """
    check_write(connection.account_id)
    united: dict[str, HeardChange] = {}
    for one in heard:
        had = united.get(one.contact_id, one)
        united[one.contact_id] = HeardChange(
            one.contact_id, min(had.at, one.at), had.forgotten or one.forgotten
        )
    adapt = ContactChange._meta.get_field("changed_at").get_db_prep_value
    # In one order, or two webhooks would wait for each other's rows.
    rows = [
        (
            connection.account_id,
            connection.pk,
            one.contact_id,
            one.forgotten,
            adapt(one.at, database),
            adapt(now, database),
        )
        for one in sorted(united.values())
    ]
    with transaction.atomic(), database.cursor() as cursor:
        cursor.executemany(PUT_STATEMENT, rows)
    return len(rows)


def has_changes(connection_id: int) -> bool:
    return ContactChange.objects.filter(connection=connection_id).exists()


def take_changes(connection_id: int) -> list[ContactChange]:
    return list(
        ContactChange.objects.filter(connection=connection_id).order_by("pk")[:CHANGES_A_CALL]
    )


def drop_unreadable(changes: Sequence[ContactChange], now: datetime) -> None:
    """What nobody could read for an hour leaves the inbox: the full check meets its people all the
    same.
    """
    settle_changes([one for one in changes if one.heard_at < now - UNREADABLE_KEPT])


def settle_changes(changes: Sequence[ContactChange]) -> None:
    """What was seen to leaves the inbox, unless something more was heard meanwhile."""
    for one in changes:
        ContactChange.objects.filter(pk=one.pk, version=one.version).delete()
