"""Checks at start-up: what would lose or double work, or leave a secret unreadable, is refused
early.
"""

import math
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

SHORTEST_FERNET_KEY = 32  # characters


def check_queue_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every wrong value here was seen to run a task twice at once, for ever, or not at all."""
    q = settings.Q_CLUSTER
    if q["workers"] < 1:
        return [
            Error(
                "Q_CLUSTER: workers (Q_WORKERS) must be at least 1, or nothing is ever done.",
                id="core.E001",
            )
        ]
    most = q["timeout"] * (1 + math.ceil((q["queue_limit"] + q["bulk"]) / q["workers"]))
    wrong = [
        (
            q["retry"] <= most,
            f"retry must be over {most}: a task that still runs would be started again.",
        ),
        (q["max_attempts"] != 1, "max_attempts must be 1: the ledger, not the queue, retries."),
        (
            not q["ack_failures"],
            "ack_failures must be on: a failing task would come back for ever.",
        ),
        (q["catch_up"], "catch_up must be off: missed ticks would all run at once."),
        (
            q["timeout"] < settings.SYNC_SLICE_SECONDS * 2,
            "SYNC_SLICE_SECONDS must be at most half of the task timeout.",
        ),
        (
            settings.SYNC_SLICE_SECONDS < 1,
            "SYNC_SLICE_SECONDS must be at least 1: a slice without time does nothing.",
        ),
        (
            settings.SYNC_LEASE_SECONDS <= settings.SYNC_SLICE_SECONDS,
            "SYNC_LEASE_SECONDS must be over SYNC_SLICE_SECONDS.",
        ),
    ]
    return [Error(f"Q_CLUSTER: {text}", id="core.E001") for bad, text in wrong if bad]


def check_fernet_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.DEBUG and any(len(key) < SHORTEST_FERNET_KEY for key in settings.FERNET_KEYS):
        return [
            Error(
                (
                    "FERNET_KEYS: each key needs at least 32 characters; make one with `openssl "
                    "rand -base64 32`."
                ),
                id="core.E002",
            )
        ]
    return []
