"""Both vendors, what goes wrong with calls to them, and the calls counted. No HTTP here."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from integration.sandbox.faults import Faults
from integration.sandbox.hubspot import HubSpotSandbox
from integration.sandbox.sansan import SansanSandbox


class Vendors:
    def __init__(self, sansan: SansanSandbox, hubspot: HubSpotSandbox, latency_ms: float) -> None:
        self.sansan, self.hubspot, self.latency_ms = sansan, hubspot, latency_ms
        self.faults = Faults()
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def calls(self) -> dict[str, Any]:
        """``{"sansan": n, "hubspot": n, "by_call": {"METHOD path status": n}}``."""
        with self._lock:
            by_call = dict(self._calls)
        total = {
            system: sum(n for call, n in by_call.items() if call.startswith(system))
            for system in ("sansan", "hubspot")
        }
        return {**total, "by_call": by_call}

    def count(self, call: str) -> None:
        with self._lock:
            self._calls[call] += 1

    def reset_calls(self) -> None:
        with self._lock:
            self._calls.clear()
