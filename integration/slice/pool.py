"""Runs generators whose ``yield`` hands over a vendor call: calls run in threads, everything else
in this one.

So the database has one writer, and while calls wait for their answers the next batch is planned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Barrier
from typing import Any

from django.db import connections

Call = Callable[[], Any]
Work = Generator[Call, Any, None]


class Pool:
    """With one worker no thread is started: calls run in turn, in this one."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads = (
            ThreadPoolExecutor(workers, thread_name_prefix="vendor") if workers > 1 else None
        )
        self._waiting: dict[Future[Any], Work] = {}
        self._turns: deque[tuple[Work, Call]] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._turns)

    def start(self, work: Work) -> None:
        self._advance(work, lambda: next(work))

    def step(self) -> None:
        """Waits for one call to end and takes its work on to its next call."""
        if self._threads is None:
            work, call = self._turns.popleft()
            self._deliver(work, call)
            return
        done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
        for future in done:
            self._deliver(self._waiting.pop(future), future.result)

    def drain(self, *but: type[Exception]) -> None:
        """Steps until nothing is under way.

        Errors of the kinds ``but`` end their own work and not the draining.
        """
        while len(self):
            with suppress(*but):
                self.step()

    def close(self) -> None:
        """Waits for calls under way; their answers are left to the settling of the next slice."""
        if self._threads is not None:
            # Each thread closes its own database connection; the barrier makes sure that every
            # thread takes one turn.
            barrier = Barrier(self.workers)
            for _ in range(self.workers):
                self._threads.submit(_last_call, barrier)
            self._threads.shutdown(wait=True)
        for work in [*self._waiting.values(), *(work for work, _ in self._turns)]:
            work.close()

    def _deliver(self, work: Work, result: Call) -> None:
        try:
            value = result()
        except Exception as error:  # handed to the work itself, which knows what it means
            failure = error
            self._advance(work, lambda: work.throw(failure))
        else:
            self._advance(work, lambda: work.send(value))

    def _advance(self, work: Work, resume: Callable[[], Call]) -> None:
        try:
            call = resume()
        except StopIteration:
            return
        if self._threads is None:
            self._turns.append((work, call))
        else:
            self._waiting[self._threads.submit(call)] = work


def _last_call(barrier: Barrier) -> None:
    connections.close_all()
    barrier.wait()
