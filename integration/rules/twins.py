"""Two connections to one HubSpot account: with both in use, each contact would be two people.

Within an account they are refused. Two accounts know nothing of each other: a contact that both
would write is left to the one that had it first (delivery/rivals.py).
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from core.tenancy import all_accounts
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


def find_rivals(connection: Connection) -> list[int]:
    """The connections of other accounts to the same HubSpot account, by which rules are running."""
    if not connection.remote_id:
        return []
    with all_accounts():
        running = SyncRule.objects.filter(hubspot=OuterRef("pk"), state=SyncRule.State.ACTIVE)
        same = Connection.objects.filter(
            Exists(running),
            system=Connection.System.HUBSPOT,
            remote_id=connection.remote_id,
            account__active=True,
        )
        others = same.exclude(account=connection.account_id)
        return list(others.order_by("pk").values_list("pk", flat=True))
