"""A rolling window, as the vendors count."""

from __future__ import annotations

import threading
import time
from collections import deque


class RollingWindow:
    """At most ``limit`` takes in any ``seconds``."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self._taken: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """What remains after this one, or None when it is refused."""
        now = time.monotonic()
        with self._lock:
            while self._taken and self._taken[0] <= now - self.seconds:
                self._taken.popleft()
            if len(self._taken) >= self.limit:
                return None
            self._taken.append(now)
            return self.limit - len(self._taken)
