"""Sends what happened to the apps that subscribed: in batches, signed, again where it did not
arrive.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from integration.sandbox.hubspot import delivery, events, moments
from integration.sandbox.hubspot.events import PortalEvent
from integration.sandbox.hubspot.portal import Portal

EVENTS_A_BATCH, MOST_RETRIES = 100, 10
POLL_SECONDS = 0.02  # seconds
DUPLICATE_AFTER_SECONDS = 0.1  # seconds after its first copy at which an event comes again


@dataclass(frozen=True)
class WaitingEvent:
    due: float
    event: PortalEvent
    attempt: int = 0


@dataclass(eq=False)
class Subscription:
    portal: Portal
    url: str
    secret: str
    app: int = events.DEFAULT_APP_ID
    versions: tuple[str, ...] = ("v1", "v3")
    duplicates: float = 0
    shuffle: bool = False
    delay: float = 0
    retry_seconds: float = 1
    properties: frozenset[str] | None = None
    taken: int = 0  # how many of the log's events were looked at
    waiting: list[WaitingEvent] = field(default_factory=list)
    sending: int = 0

    def wants(self, event: PortalEvent) -> bool:
        return (
            event.kind != "propertyChange"
            or self.properties is None
            or event.more["propertyName"] in self.properties
        )


class WebhookSender:
    """Subscriptions by the portal's token, and the one thread that serves them, which lives while
    there are any.

    Where both are held, a portal's lock is taken before this one's own; neither is while something
    is sent.
    """

    def __init__(self, portal: Callable[[str], Portal], now: Callable[[], datetime]) -> None:
        self.portal, self.now = portal, now
        self.deliveries: list[tuple[int, int]] = []  # (status, how many events); 0 is no answer
        self._subscriptions: dict[str, Subscription] = {}
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._random = random.Random(7)

    # For tests

    def events(self, token: str) -> list[dict[str, Any]]:
        """Everything so far, subscribed or not, as a first attempt would show it."""
        portal, subscription = self.portal(token), self._subscriptions.get(token)
        with portal.lock:
            portal.settle()
            return [
                events.as_webhook_item(
                    event, portal.id, subscription.app if subscription else events.DEFAULT_APP_ID
                )
                for event in portal.log.events
            ]

    def pending(self, token: str) -> int:
        """How many events have not arrived yet, those included that are on their way or will be
        tried again.
        """
        subscription = self._subscriptions.get(token)
        if not subscription:
            return 0
        self._collect(subscription)
        with self._lock:
            return len(subscription.waiting) + subscription.sending

    # Subscribing

    def subscribe(self, token: str, args: dict[str, Any]) -> None:
        """From now on; takes the place of what there was, of which nothing more is sent.

        Without a url it only ends that.
        """
        portal = self.portal(token)
        with portal.lock, self._lock:
            self._subscriptions.pop(token, None)
            if not args.get("url"):
                return
            if not re.match(r"https?://[^/]", args["url"]) or urlsplit(args["url"]).port == 0:
                raise ValueError("url must be a web address")
            more = {
                name: args[name]
                for name in ("duplicates", "shuffle", "delay", "retry_seconds")
                if name in args
            }
            self._subscriptions[token] = Subscription(
                portal,
                args["url"],
                args["secret"],
                app=int(args.get("app_id") or events.DEFAULT_APP_ID),
                versions=tuple(args.get("versions") or ("v1", "v3")),
                properties=frozenset(args["properties"])
                if args.get("properties") is not None
                else None,
                taken=len(portal.log.events),
                **more,
            )
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Ends every subscription, and so the thread."""
        with self._lock:
            self._subscriptions.clear()

    # The thread's work

    def _run(self) -> None:
        while True:
            with self._lock:
                subscriptions = list(self._subscriptions.values())
                if not subscriptions:
                    self._thread = None
                    return
            if not sum(self._serve(subscription) for subscription in subscriptions):
                time.sleep(POLL_SECONDS)

    def _serve(self, subscription: Subscription) -> int:
        """Sends one batch; how many events it had."""
        self._collect(subscription)
        batch = self._take(subscription)
        if batch:
            app, portal = subscription.app, subscription.portal.id
            body = orjson.dumps(
                [events.as_webhook_item(row.event, portal, app, row.attempt) for row in batch]
            )
            stamp = str(int(moments.to_epoch_milliseconds(self.now())))
            status = delivery.post_events(
                subscription.url,
                body,
                delivery.make_signed_headers(
                    subscription.versions,
                    subscription.secret,
                    url=subscription.url,
                    body=body,
                    stamp=stamp,
                ),
            )
            self._settle(subscription, batch, status)
        return len(batch)

    def _collect(self, subscription: Subscription) -> None:
        """Puts new events into the queue."""
        with subscription.portal.lock, self._lock:
            subscription.portal.settle()
            log, due = subscription.portal.log.events, time.monotonic() + subscription.delay
            for event in log[subscription.taken :]:
                if subscription.wants(event):
                    again = self._random.random() < subscription.duplicates
                    subscription.waiting += [
                        WaitingEvent(due, event),
                        *([WaitingEvent(due + DUPLICATE_AFTER_SECONDS, event)] if again else []),
                    ]
            subscription.taken = len(log)

    def _take(self, subscription: Subscription) -> list[WaitingEvent]:
        with self._lock:
            now = time.monotonic()
            due = [row for row in subscription.waiting if row.due <= now]
            if subscription.shuffle:
                self._random.shuffle(due)
            rest = [row for row in subscription.waiting if row.due > now]
            subscription.waiting, subscription.sending = (
                due[EVENTS_A_BATCH:] + rest,
                len(due[:EVENTS_A_BATCH]),
            )
            return due[:EVENTS_A_BATCH]

    def _settle(self, subscription: Subscription, batch: list[WaitingEvent], status: int) -> None:
        with self._lock:
            self.deliveries.append((status, len(batch)))
            subscription.sending = 0
            if 0 < status < 400:
                return
            now = time.monotonic()
            for row in batch:
                if row.attempt < MOST_RETRIES:
                    wait = subscription.retry_seconds * 2**row.attempt
                    subscription.waiting.append(
                        WaitingEvent(now + wait, row.event, row.attempt + 1)
                    )
