"""How long changes took, kept as counts: what the percentiles say of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.planning.latency import (
    BUCKET_EDGES,
    add_times,
    find_bucket,
    find_percentile,
    make_empty_counts,
    unite_days,
)

quick = settings(max_examples=150, derandomize=True, deadline=None, database=None)
TIMES = st.lists(st.floats(0.01, 200_000, allow_nan=False), min_size=1, max_size=60)
SHARES = st.floats(0.01, 1)


def exact(times: list[float], share: float) -> float:
    """The smallest time within which ``share`` of them are."""
    return sorted(times)[max(math.ceil(share * len(times) - 1e-9), 1) - 1]


def percentile(counts: list[int], share: float, slowest: float) -> float:
    """Of something that was counted: then there is one."""
    found = find_percentile(counts, share, slowest)
    assert found is not None
    return found


def width(seconds: float, slowest: float) -> float:
    i = find_bucket(seconds)
    return (BUCKET_EDGES[i] if i < len(BUCKET_EDGES) else max(slowest, BUCKET_EDGES[-1])) - (
        BUCKET_EDGES[i - 1] if i else 0
    )


def test_the_edges_grow_and_each_holds_what_took_up_to_it():
    assert (
        list(BUCKET_EDGES) == sorted(set(BUCKET_EDGES))
        and len(make_empty_counts()) == len(BUCKET_EDGES) + 1
    )
    assert [find_bucket(edge) for edge in BUCKET_EDGES] == list(range(len(BUCKET_EDGES)))
    assert [find_bucket(edge + 0.001) for edge in BUCKET_EDGES] == list(
        range(1, len(BUCKET_EDGES) + 1)
    )


@pytest.mark.parametrize(
    ("seconds", "place"),
    [(0, 0), (-5, 0), (0.5, 0), (1.01, 1), (20, 7), (20.1, 8), (86_401, 22), (1e12, 22)],
)
def test_a_time_falls_into_one_bucket(seconds, place):
    assert find_bucket(seconds) == place


def test_nothing_has_no_percentile():
    assert (
        find_percentile(make_empty_counts(), 0.5, 0) is None
        and find_percentile([], 0.95, 0) is None
    )
    assert find_percentile(unite_days([]), 0.95, 0) is None


def test_counts_that_were_never_kept_count_as_none():
    assert (
        add_times([], [1.5]) == add_times(make_empty_counts(), [1.5])
        and add_times([], []) == make_empty_counts()
    )
    assert unite_days([[], add_times([], [3, 4]), []]) == add_times([], [3, 4])


def test_adding_leaves_what_was_there_as_it_was():
    before = add_times([], [1, 2])
    kept = list(before)
    assert sum(add_times(before, [3])) == 3 and before == kept


def test_one_change_alone_is_never_said_to_have_taken_longer_than_it_did():
    assert percentile(add_times([], [8.5]), 0.95, 8.5) == 8.5


def test_what_takes_longer_than_every_edge_ends_at_the_slowest():
    counts = add_times([], [90_000.0, 200_000.0])
    assert (
        BUCKET_EDGES[-1]
        < percentile(counts, 0.5, 200_000)
        < percentile(counts, 0.95, 200_000)
        <= 200_000
    )
    assert percentile(counts, 1, 200_000) == 200_000


def test_half_of_many_in_one_bucket_lie_half_way_through_it():
    assert percentile(add_times([], [39.0] * 1000), 0.5, 40) == 35


@pytest.mark.parametrize(
    "times", [[0.0], [-2.0, -1.0]], ids=["no time at all", "a clock that goes ahead of ours"]
)
def test_no_percentile_is_beyond_the_slowest_also_where_that_is_nothing(times):
    """``slowest`` is what DayFigures would keep: never below zero."""
    slowest = max(0.0, *times)
    assert percentile(add_times([], times), 0.95, slowest) <= slowest


@quick
@given(TIMES, SHARES)
def test_it_lies_in_the_bucket_of_the_exact_one(times, share):
    slowest = max(times)
    have, wanted = percentile(add_times([], times), share, slowest), exact(times, share)
    assert abs(have - wanted) <= width(wanted, slowest) + 1e-6


@quick
@given(TIMES)
def test_half_within_less_than_95_percent_within_less_than_the_slowest(times):
    counts, slowest = add_times([], times), max(times)
    assert 0 < percentile(counts, 0.5, slowest) <= percentile(counts, 0.95, slowest) <= slowest


@quick
@given(TIMES, st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_a_larger_share_never_takes_less(times, shares):
    counts = add_times([], times)
    found = [percentile(counts, share, max(times)) for share in sorted(shares)]
    assert found == sorted(found)


@quick
@given(st.lists(TIMES, max_size=5))
def test_days_united_are_one_day_with_all_of_them(days):
    assert unite_days(add_times([], day) for day in days) == add_times(
        make_empty_counts(), [one for day in days for one in day]
    )


@quick
@given(TIMES, TIMES)
def test_the_order_of_adding_makes_no_difference(one, other):
    assert add_times(add_times([], one), other) == add_times(add_times([], other), one) and sum(
        add_times([], one)
    ) == len(one)
