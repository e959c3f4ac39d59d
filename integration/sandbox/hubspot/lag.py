"""The search index, which is behind: what it still believes of each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

StoredRecord = dict[str, str]


class SearchLag:
    """Keeps earlier versions of records, only while the switch ``search_lag`` is on: what changed
    before that is indexed.
    """

    def __init__(self, now: Callable[[], datetime], switches: dict[str, Any]) -> None:
        self.now, self.switches = now, switches
        # id -> (when it stopped to be so, how it was until then; None is not there), oldest first
        self._earlier: dict[str, list[tuple[datetime, StoredRecord | None]]] = {}
        self._turn = False

    def remember(self, id: str, before: StoredRecord | None) -> None:
        """To be called before a record changes."""
        if self.switches["search_lag"]:
            self._earlier.setdefault(id, []).append(
                (self.now(), dict(before) if before is not None else None)
            )

    def forget(self, id: str) -> None:
        """Of a write that was taken back."""
        if self._earlier.get(id):
            self._earlier[id].pop()

    def note_indexed(self, id: str) -> None:
        """The index knows all of this record now."""
        self._earlier.pop(id, None)

    def seen(self, records: dict[str, StoredRecord]) -> Iterable[StoredRecord]:
        """Records as the index has them."""
        horizon = self.now() - timedelta(seconds=self.switches["search_lag"])
        for id, versions in list(self._earlier.items()):
            self._earlier[id] = [version for version in versions if version[0] > horizon]
            if not self._earlier[id]:
                del self._earlier[id]
        if not self._earlier:
            return records.values()
        self._turn = not self._turn
        view: dict[str, StoredRecord] = dict(records)
        for id, versions in self._earlier.items():
            before = versions[0][1]
            if before is not None:
                view[id] = before
            # Flapping: one of the index's copies has the new record already, another has not, and
            # calls meet them in turns.
            elif not (self.switches["search_flap"] and self._turn):
                view.pop(id, None)
        return view.values()
