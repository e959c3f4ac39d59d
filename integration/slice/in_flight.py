"""What a slice has in flight: the few things that change while it works, and the only methods that
change them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from integration.connectors.base import CardSource, ContactTarget


@dataclass(frozen=True)
class Calls:
    """Calls to the vendors, as both connectors have counted them."""

    sansan: int = 0
    hubspot: int = 0
    rate_limited: int = 0


def _never() -> bool:
    return False


@dataclass
class InFlight:
    """Lives as long as its slice, in the one thread that writes to the database.

    ``deadline`` is by ``time.monotonic``; ``stopping`` is asked whether the process has to end.
    """

    deadline: float = float("inf")
    stopping: Callable[[], bool] = _never
    # The share of the new people that HubSpot had already, None while nothing is known.
    known_share: float | None = None
    # HubSpot refuses to read what is in the inbox: the next run is to try again.
    inbox_refused: bool = field(default=False, init=False)
    # A write went unanswered: HubSpot is read back before anything else is sent.
    in_doubt: bool = field(default=False, init=False)
    # How often that was, one after the other, without a write in between that was done.
    doubts: int = field(default=0, init=False)
    _records: set[int] = field(default_factory=set, init=False)
    _touched: set[int] = field(default_factory=set, init=False)
    _sending: dict[int, str] = field(default_factory=dict, init=False)
    _tags: set[str] = field(default_factory=set, init=False)
    _calls: Calls = field(default_factory=Calls, init=False)

    # Time

    @property
    def spent(self) -> bool:
        return time.monotonic() > self.deadline or self.stopping()

    def stop(self) -> None:
        """Nothing new is begun from now on."""
        self.deadline = 0.0

    # Records at work

    @property
    def records(self) -> frozenset[int]:
        """Ids of the records that a batch holds."""
        return frozenset(self._records)

    @property
    def touched(self) -> frozenset[int]:
        """Those of the records that a newer reading has changed since a batch took them up."""
        return frozenset(self._touched)

    def holds(self, record_id: int) -> bool:
        return record_id in self._records

    def take_up(self, record_ids: Iterable[int]) -> None:
        """From here on these records belong to one batch."""
        self._records.update(record_ids)

    def touch(self, record_ids: Iterable[int]) -> None:
        """A newer reading changed these; of those at work, the batch's outcome is not the last."""
        self._touched.update(self._records.intersection(record_ids))

    def is_touched(self, record_id: int) -> bool:
        return record_id in self._touched

    def release(self, record_ids: Iterable[int]) -> None:
        for record_id in record_ids:
            self._records.discard(record_id)
            self._touched.discard(record_id)

    def release_all(self) -> None:
        self._records.clear()

    # Writes under way

    def begin_writes(self, decisions: dict[int, str]) -> None:
        """``decisions``: open entry -> the kind of its decision."""
        self._sending.update(decisions)

    def end_writes(self, entry_ids: Iterable[int]) -> None:
        for entry_id in entry_ids:
            self._sending.pop(entry_id, None)

    def count_writes(self, kinds: Collection[str]) -> int:
        """How many writes of these kinds are under way."""
        return sum(kind in kinds for kind in self._sending.values())

    def doubt(self) -> None:
        self.in_doubt = True

    def trust(self) -> None:
        """A write was done."""
        self.doubts = 0

    def settle_doubt(self) -> None:
        self.in_doubt = False
        self.doubts += 1

    # What was learned on the way

    def refuse_inbox(self) -> None:
        self.inbox_refused = True

    def learn_share(self, known: int, asked: int) -> None:
        """Learns from a batch how many of the new people existed."""
        if asked:
            share = known / asked
            self.known_share = share if self.known_share is None else (self.known_share + share) / 2

    def meet_tags(self, tag_ids: Iterable[str]) -> set[str]:
        """Those of the tags that no card of this slice has carried before."""
        new = set(tag_ids) - self._tags
        self._tags |= new
        return new

    def count_calls(self, source: CardSource, target: ContactTarget) -> Calls:
        """The calls made since the last time this was asked."""
        before = self._calls
        limited = source.rate_limited + target.rate_limited
        self._calls = Calls(source.calls, target.calls, limited)
        return Calls(
            self._calls.sansan - before.sansan,
            self._calls.hubspot - before.hubspot,
            self._calls.rate_limited - before.rate_limited,
        )
