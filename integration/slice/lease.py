"""The lease on a HubSpot connection: one slice at a time writes to it, and a slice that died is
replaced when it ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integration.models import Connection


class LeaseLost(Exception):
    """Another slice took over: stop at once, write nothing more."""


@dataclass(frozen=True)
class Lease:
    """Who holds ``token`` may write for the HubSpot connection, until the lease ends."""

    connection_id: int
    token: str

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that begins by renewing the lease: it fences out a slice whose lease has
        passed to another.

        Every write of a slice stands in one. Raises LeaseLost.
        """
        with transaction.atomic():
            self._renew()
            yield

    def _renew(self) -> None:
        # The base manager, twice in every batch: the token alone says whose row it is.
        held = Connection._base_manager.filter(pk=self.connection_id, lease_token=self.token)
        if not held.update(lease_until=timezone.now() + find_lease_length()):
            raise LeaseLost

    def release(self) -> None:
        Connection.objects.filter(pk=self.connection_id, lease_token=self.token).update(
            lease_token="", lease_until=None
        )


def claim_lease(connection: Connection) -> Lease | None:
    """A lease, or None while somebody else holds one.

    The conditional UPDATE decides who was first.
    """
    now, token = timezone.now(), str(uuid.uuid4())
    free = Q(lease_token="") | Q(lease_until__lt=now)
    if Connection.objects.filter(free, pk=connection.pk).update(
        lease_token=token, lease_until=now + find_lease_length()
    ):
        return Lease(connection.pk, token)
    return None


def find_lease_length() -> timedelta:
    return timedelta(seconds=settings.SYNC_LEASE_SECONDS)
