"""Fixtures shared by the tests that meet a database or a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.connectors import http
from integration.sandbox.server import Sandbox


@pytest.fixture
def sandbox_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Starts a sandbox that the settings point at; calls run in turn, and the pauses between them take no time."""
    settings.SYNC_WORKERS = 1
    monkeypatch.setattr(http.time, "sleep", lambda seconds: None)
    running: list[Sandbox] = []

    def start(cards: int = 60, **options: Any) -> Sandbox:
        sandbox = Sandbox(cards=cards, **{"limits": False, **options}).__enter__()
        running.append(sandbox)
        settings.SANSAN_API_URL = settings.HUBSPOT_API_URL = sandbox.url
        return sandbox

    yield start
    for sandbox in running:
        sandbox.__exit__()


@pytest.fixture
def sandbox(sandbox_of: Callable[..., Sandbox]) -> Sandbox:
    return sandbox_of()


@pytest.fixture
def time_machine_later(time_machine: Any) -> Callable[..., None]:
    """Moves the clock on and lets it tick."""

    def later(**amount: float) -> None:
        time_machine.move_to(datetime.now(UTC) + timedelta(**amount), tick=True)

    return later
