"""Two connections to one HubSpot account: with both in use, each contact would be two people."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from integration.models import Connection, SyncRule


def find_twins(connection: Connection) -> QuerySet[Connection]:
    """Other connections to the same HubSpot account that rules go by.

    Contacts are told apart by connection: with two, each would be two people.
    """
    used = SyncRule.objects.filter(hubspot=OuterRef("pk")).exclude(state=SyncRule.State.DRAFT)
    same = Connection.objects.filter(
        account=connection.account_id,
        system=Connection.System.HUBSPOT,
        remote_id=connection.remote_id,
    )
    return same.exclude(pk=connection.pk).exclude(remote_id="").filter(Exists(used)).order_by("pk")
