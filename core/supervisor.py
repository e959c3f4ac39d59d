"""Keeps a child process alive that can stop working while it looks alive.

Knows nothing of what the child does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import structlog

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 2.0  # seconds
STOP_GRACE_SECONDS = 130.0  # a clean stop waits for running tasks, which the queue ends after 120 s
PR_SET_PDEATHSIG = 1


class StopSignal:
    """An event that a signal handler may set at any moment: the lock inside threading.Event would
    hold it up for ever.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()
        self._is_set = False

    def set(self, *_signal: object) -> None:
        self._told.put(None)

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it was set within so many seconds."""
        with contextlib.suppress(Empty):
            if not self._is_set:
                self._told.get(timeout=seconds) if seconds != 0 else self._told.get_nowait()
                self._is_set = True
        return self._is_set


def supervise_command(
    command: Sequence[str],
    stuck: Callable[[], bool],
    settle: float,
    stop: StopSignal | None = None,
    pulse: Callable[[], object] = lambda: None,
) -> int:
    """Runs ``command`` until SIGTERM or SIGINT, and again whenever it ends or is stuck.

    ``settle`` seconds must pass after a start before ``stuck`` is asked; ``pulse`` is called at
    every look. Returns the exit status for the caller.
    """
    stop = stop or StopSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.set)
    while not stop.is_set():
        child = start_child(command)
        began = time.monotonic()
        while not stop.wait(LOOK_EVERY_SECONDS) and child.poll() is None:
            ask_question(pulse)
            if time.monotonic() - began > settle and ask_question(stuck):
                log.error("cluster_stuck", pid=child.pid, action="restart")
                kill_child(child)
        if stop.is_set():
            return end_child(child)
        log.error("cluster_ended", status=child.returncode, action="restart")
        kill_child(child)
        stop.wait(1.0)
    return 0


def start_child(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # A session of its own: a signal to our group (Ctrl-C) must reach only the one process that
    # stops cleanly.
    return subprocess.Popen(  # noqa: S603
        command,
        start_new_session=True,
        preexec_fn=bind_child_to_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )


def bind_child_to_parent() -> None:
    """Asks the kernel for SIGTERM when the supervisor dies, even by SIGKILL: workers must not go on
    without it.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def ask_question(stuck: Callable[[], object]) -> bool:
    """A question that fails (the database is away) is no reason to restart anything."""
    try:
        return bool(stuck())
    except Exception:
        log.exception("watchdog_blind")
        return False


def end_child(child: subprocess.Popen[bytes]) -> int:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("cluster_would_not_stop", pid=child.pid)
    kill_child(child)
    return 0


def kill_child(child: subprocess.Popen[bytes]) -> None:
    """The whole session: workers outlive a killed parent, and would go on taking tasks."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
