"""A vendor's rate limit, kept ahead of time: one row a connection from which every process reserves
its next slot.

The arithmetic is GCRA: a slot every ``interval``, with a small burst. In any window no more than
``calls`` are sent.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest

from core.tenancy import in_account
from integration.connectors.base import RetryLater
from integration.connectors.http import Limiter, Unlimited
from integration.models import Connection, RateSlot
from integration.notes import note

# (calls, seconds) until the vendor tells. Sansan's 4 a second evenly spaced are 240 a minute, under
# its 270 too.
DEFAULT_ALLOWANCES = {"sansan": (4, 1.0), "hubspot": (100, 10.0)}
# HubSpot's searches: 5 a second for the whole portal, which its people and other apps use too.
SEARCH_KIND, SEARCH_LIMIT = "search", (4, 1.0)
# Seconds of slots that one reservation takes, and how many of them.
RESERVED_SECONDS, MOST_RESERVED = (
    0.3,
    6,
)
LONGEST_WAIT = 20.0  # a longer pause belongs to the engine: a slice must not sit it out


def make_limiter(connection: Connection, kind: str = "") -> Limiter:
    if (
        connection.rate_calls == 0 or connection.pk is None
    ):  # not stored yet: a few calls that try new credentials
        return Unlimited()
    return SharedLimiter(connection, kind)


def find_allowance(connection: Connection) -> tuple[int, float]:
    """(calls, seconds) that the connection may make; (0, 0.0) where nobody counts."""
    if connection.rate_calls == 0:
        return 0, 0.0
    if connection.rate_calls:
        return connection.rate_calls, connection.rate_seconds or DEFAULT_ALLOWANCES[
            connection.system
        ][1]
    if connection.learnt_calls:
        return connection.learnt_calls, connection.learnt_seconds or DEFAULT_ALLOWANCES[
            connection.system
        ][1]
    return DEFAULT_ALLOWANCES[connection.system]


def space_slots(calls: int, seconds: float) -> tuple[float, int]:
    """(seconds between slots, calls that may go ahead of their slot).

    A window holds ``seconds / interval + burst + 1`` calls at most; the interval makes that
    ``calls``.
    """
    burst = min(4, calls // 20)
    return seconds / max(calls - (burst + 1 if burst else 0), 1), burst


class SharedLimiter:
    """Reserves slots in the database, and sleeps outside any transaction."""

    def __init__(self, connection: Connection, kind: str = "") -> None:
        self.connection, self.kind = connection, kind
        self.fixed = connection.rate_calls is not None or kind == SEARCH_KIND
        self.limit = SEARCH_LIMIT if kind == SEARCH_KIND else find_allowance(connection)
        self.interval, self.burst = space_slots(*self.limit)
        # Slots that are reserved for this process, soonest first.
        self._ours: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Blocks until the reserved slot; raises RetryLater when that is far away."""
        slot = self._next_slot()
        # Not from the moment before: the reservation may have waited for the database, and would be
        # slept through twice.
        delay = slot - self.burst * self.interval - time.time()
        if delay > LONGEST_WAIT:
            raise RetryLater(
                f"{self.connection.system}_unavailable",
                note("rate_limit_used_up"),
                after=delay,
            )
        if delay > 0:
            time.sleep(delay)

    def pause(self, seconds: float) -> None:
        """Nobody calls for ``seconds``: the vendor has said so."""
        self._forget()
        with in_account(self.connection.account):
            self._slots().update(
                free_at=Greatest(
                    F("free_at"), Value(time.time() + seconds + self.burst * self.interval)
                )
            )

    def learn(self, calls: int, seconds: float) -> None:
        if self.fixed or (calls, seconds) == self.limit or calls < 1:
            return
        self.limit = (calls, seconds)
        self.interval, self.burst = space_slots(calls, seconds)
        self._forget()
        with in_account(self.connection.account):
            Connection.objects.filter(pk=self.connection.pk).update(
                learnt_calls=calls, learnt_seconds=seconds
            )

    def _next_slot(self) -> float:
        """A slot of ours whose time has not passed, or the first of some that are reserved now."""
        with self._lock:
            now = time.time()
            while self._ours and self._ours[0] < now:
                self._ours.popleft()  # to use it late would be to bunch calls
            if not self._ours:
                # Several at once where they are close together: each reservation waits for the
                # database.
                n = max(1, min(MOST_RESERVED, int(RESERVED_SECONDS / self.interval)))
                first = self._reserve(now, n)
                self._ours.extend(first + i * self.interval for i in range(n))
            return self._ours.popleft()

    def _forget(self) -> None:
        with self._lock:
            self._ours.clear()

    def _reserve(self, now: float, n: int = 1) -> float:
        """The first of ``n`` slots in a row."""
        taken = n * self.interval
        with in_account(self.connection.account), transaction.atomic():
            slots = self._slots()
            if not slots.update(free_at=Greatest(F("free_at"), Value(now)) + taken):
                RateSlot.objects.get_or_create(
                    connection=self.connection,
                    kind=self.kind,
                    defaults={"account": self.connection.account, "free_at": now},
                )
                slots.update(free_at=Greatest(F("free_at"), Value(now)) + taken)
            return float(slots.values_list("free_at", flat=True).get()) - taken

    def _slots(self) -> QuerySet[RateSlot]:
        return RateSlot.objects.filter(connection=self.connection, kind=self.kind)
