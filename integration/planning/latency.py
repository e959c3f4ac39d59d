"""How long changes took, as counts by size: enough for percentiles of any number of days, and of
one size however many there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Seconds. Bucket i holds what took up to EDGES[i]; the last one, what took longer than all of them.
BUCKET_EDGES = (
    1,
    2,
    3,
    5,
    8,
    12,
    16,
    20,
    25,
    30,
    40,
    50,
    60,
    90,
    120,
    180,
    300,
    600,
    1800,
    3600,
    21_600,
    86_400,
)


def make_empty_counts() -> list[int]:
    return [0] * (len(BUCKET_EDGES) + 1)


def find_bucket(seconds: float) -> int:
    return next((i for i, edge in enumerate(BUCKET_EDGES) if seconds <= edge), len(BUCKET_EDGES))


def add_times(counts: Sequence[int], seconds: Iterable[float]) -> list[int]:
    """The counts with these times in them."""
    total = list(counts) or make_empty_counts()
    for one in seconds:
        total[find_bucket(one)] += 1
    return total


def unite_days(days: Iterable[Sequence[int]]) -> list[int]:
    total = make_empty_counts()
    for counts in days:
        total = [
            have + more
            for have, more in zip(total, list(counts) or make_empty_counts(), strict=True)
        ]
    return total


def find_percentile(counts: Sequence[int], share: float, slowest: float) -> float | None:
    """The time within which ``share`` of the changes arrived, by a straight line inside the bucket.

    None where there are none.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0
    for i, n in enumerate(counts):
        if n and seen + n >= wanted:
            low, high = (
                (BUCKET_EDGES[i - 1] if i else 0),
                (BUCKET_EDGES[i] if i < len(BUCKET_EDGES) else slowest),
            )
            return min(low + (high - low) * (wanted - seen) / n, slowest)
        seen += n
    return slowest
