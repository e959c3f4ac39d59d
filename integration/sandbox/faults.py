"""Armed faults: what goes wrong with which call, how often, and from which call on."""

from __future__ import annotations

import re
import threading
from typing import Any

FAULT_KINDS = {
    "status",
    "rate_limit",
    "reset",
    "reset_after",
    "timeout",
    "html",
    "truncated",
    "wrong_type",
    "delay",
}


class Faults:
    def __init__(self) -> None:
        self._armed: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def arm(
        self, system: str, kind: str, match: str = ".", times: int = 1, skip: int = 0, **more: Any
    ) -> None:
        """``times`` 0 means until cleared; ``skip`` calls are let through first."""
        if kind not in FAULT_KINDS:
            raise ValueError(f"kind must be one of {', '.join(sorted(FAULT_KINDS))}")
        with self._lock:
            self._armed.append(
                {
                    "system": system,
                    "kind": kind,
                    "match": re.compile(match),
                    "times": times,
                    "skip": skip,
                    **more,
                }
            )

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def next(self, system: str, call: str) -> dict[str, Any] | None:
        """The fault that this call meets, used up by it."""
        if not self._armed:
            return None
        with self._lock:
            for fault in self._armed:
                if fault["system"] != system or not fault["match"].search(call):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                if fault["times"]:
                    fault["times"] -= 1
                    if not fault["times"]:
                        self._armed.remove(fault)
                return fault
        return None
