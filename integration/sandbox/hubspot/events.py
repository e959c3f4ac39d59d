"""What happened to a portal's contacts, as HubSpot tells it to apps."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from integration.sandbox.hubspot import moments

API_SOURCE, UI_SOURCE = "INTEGRATION", "CRM_UI"
# What HubSpot does by itself. Its real word is not documented; this one is our choice.
AUTOMATION_SOURCE = "AUTOMATION_PLATFORM"
CHANGE_FLAGS = {"creation": "NEW", "deletion": "DELETED"}  # only NEW is documented
DEFAULT_APP_ID = 54321


class PortalEvent(NamedTuple):
    """``number`` is that of the write: one write's events share it, as HubSpot's eventId is not
    unique either.
    """

    number: int
    at: int
    kind: str
    source: str
    more: dict[str, Any]


class EventLog:
    """All events of a portal since the sandbox began; ``source`` says who is at work."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.events: list[PortalEvent] = []
        self.source = API_SOURCE
        self._writes = 0

    @contextmanager
    def by(self, source: str) -> Iterator[None]:
        before, self.source = self.source, source
        try:
            yield
        finally:
            self.source = before

    def note(self, *happened: tuple[str, dict[str, Any]]) -> None:
        """(kind, members of its own) of each event of one write."""
        self._writes += 1
        at = int(moments.to_epoch_milliseconds(self.now()))
        self.events.extend(
            PortalEvent(self._writes, at, kind=kind, source=self.source, more=more)
            for kind, more in happened
        )


def derive_subscription_id(event: PortalEvent) -> int:
    """An app subscribes by kind, and to each property of its own."""
    return (
        1000 + zlib.crc32(f"{event.kind}/{event.more.get('propertyName', '')}".encode()) % 9_000_000
    )


def as_webhook_item(event: PortalEvent, portal: int, app: int, attempt: int = 0) -> dict[str, Any]:
    """The event as an item of a request's array."""
    item = {
        "eventId": event.number,
        "subscriptionId": derive_subscription_id(event),
        "portalId": portal,
        "appId": app,
        "occurredAt": event.at,
        "subscriptionType": f"contact.{event.kind}",
        "attemptNumber": attempt,
        "changeSource": event.source,
        "sourceId": str(app) if event.source == API_SOURCE else "userId:1",
        **event.more,
    }
    return {**item, "changeFlag": CHANGE_FLAGS[event.kind]} if event.kind in CHANGE_FLAGS else item
