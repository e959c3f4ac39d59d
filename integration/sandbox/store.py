"""Keeps the vendors' state in a file, so that a restarted demo goes on where it ended."""

from __future__ import annotations

import threading
from pathlib import Path

import orjson

from integration.sandbox.vendors import Vendors

SAVE_EVERY_SECONDS = 3.0  # seconds


def load_state(sandbox: Vendors, path: Path) -> bool:
    """Whether there was a state to go on with."""
    if not path.exists():
        return False
    state = orjson.loads(path.read_bytes())
    sandbox.sansan.load(state["sansan"])
    sandbox.hubspot.load(state["hubspot"])
    return True


def save_state(sandbox: Vendors, path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(
        orjson.dumps({"sansan": sandbox.sansan.state(), "hubspot": sandbox.hubspot.state()})
    )
    fresh.replace(path)


def keep_state(sandbox: Vendors, path: Path, stop: threading.Event) -> None:
    """Saves every few seconds when something changed, and once at the end."""
    saved = -1
    while True:
        ended = stop.wait(SAVE_EVERY_SECONDS)
        changes = sandbox.sansan.changes + sandbox.hubspot.changes
        if changes != saved:
            save_state(sandbox, path)
            saved = changes
        if ended:
            return
