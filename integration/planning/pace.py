"""How soon to look again: often while things change, more seldom while they are quiet, never more
often than the rate budget allows. And when a rule is late.
"""

from __future__ import annotations

from datetime import datetime, timedelta

SHORTEST_PACE = 5.0  # seconds
PACE_GROWTH = 1.5
# Of a vendor's rate limit, what looking for changes may use; the rest is for the changes
# themselves.
LOOKING_SHARE = 0.25


def choose_pace(
    pace: float | None, changed: bool, slowest: float, least: float = SHORTEST_PACE
) -> float:
    """Seconds until the next look.

    ``slowest`` is the rule's interval, ``least`` what the budget allows (``afford_pause``).
    """
    if changed or pace is None:
        return min(max(SHORTEST_PACE, least), max(slowest, least))
    return min(max(pace * PACE_GROWTH, least), max(slowest, least))


def afford_pause(per_minute: float, rules: int) -> float:
    """Seconds between two looks of one rule, where ``rules`` share a connection that allows so many
    calls a minute.
    """
    return 60.0 * rules / (per_minute * LOOKING_SHARE) if per_minute else SHORTEST_PACE


# A rule is late when it has missed so many of its own checks, and some minutes at least.
MISSED_CHECKS, LEAST_LATENESS = 10, timedelta(minutes=5)


def is_late(since: datetime, interval: int, now: datetime) -> bool:
    """``since`` is the rule's last check, or when it was made; ``interval`` in seconds."""
    return since < now - max(LEAST_LATENESS, timedelta(seconds=interval * MISSED_CHECKS))


# Seconds until a failed record is tried again, by attempt; the last one goes on for ever.
RETRY_WAITS = (60, 300, 1800, 7200, 21_600, 86_400)


def choose_retry_time(attempts: int, now: datetime) -> datetime:
    """When a record that has failed so often is tried again."""
    return now + timedelta(seconds=RETRY_WAITS[min(attempts, len(RETRY_WAITS)) - 1])
