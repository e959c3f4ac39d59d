"""How long changes took, kept as counts: what the percentiles say of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.planning import latency
from integration.planning.latency import EDGES, added, bucket, empty, percentile, united

quick = settings(max_examples=150, derandomize=True, deadline=None, database=None)
TIMES = st.lists(st.floats(0.01, 200_000, allow_nan=False), min_size=1, max_size=60)
SHARES = st.floats(0.01, 1)


def exact(times: list[float], share: float) -> float:
    """The smallest time within which ``share`` of them are."""
    return sorted(times)[max(math.ceil(share * len(times) - 1e-9), 1) - 1]


def width(seconds: float, slowest: float) -> float:
    i = bucket(seconds)
    return (EDGES[i] if i < len(EDGES) else max(slowest, EDGES[-1])) - (EDGES[i - 1] if i else 0)


def test_the_edges_grow_and_each_holds_what_took_up_to_it():
    assert list(EDGES) == sorted(set(EDGES)) and len(empty()) == len(EDGES) + 1
    assert [bucket(edge) for edge in EDGES] == list(range(len(EDGES)))
    assert [bucket(edge + 0.001) for edge in EDGES] == list(range(1, len(EDGES) + 1))


@pytest.mark.parametrize(("seconds", "place"), [(0, 0), (-5, 0), (0.5, 0), (1.01, 1), (20, 7), (20.1, 8), (86_401, 22), (1e12, 22)])
def test_a_time_falls_into_one_bucket(seconds, place):
    assert bucket(seconds) == place


def test_nothing_has_no_percentile():
    assert percentile(empty(), 0.5, 0) is None and percentile([], 0.95, 0) is None
    assert percentile(united([]), 0.95, 0) is None


def test_counts_that_were_never_kept_count_as_none():
    assert added([], [1.5]) == added(empty(), [1.5]) and added([], []) == empty()
    assert united([[], added([], [3, 4]), []]) == added([], [3, 4])


def test_adding_leaves_what_was_there_as_it_was():
    before = added([], [1, 2])
    kept = list(before)
    assert sum(added(before, [3])) == 3 and before == kept


def test_one_change_alone_is_never_said_to_have_taken_longer_than_it_did():
    assert percentile(added([], [8.5]), 0.95, 8.5) == 8.5


def test_what_takes_longer_than_every_edge_ends_at_the_slowest():
    counts = added([], [90_000.0, 200_000.0])
    assert EDGES[-1] < percentile(counts, 0.5, 200_000) < percentile(counts, 0.95, 200_000) <= 200_000
    assert percentile(counts, 1, 200_000) == 200_000


def test_half_of_many_in_one_bucket_lie_half_way_through_it():
    assert percentile(added([], [39.0] * 1000), 0.5, 40) == 35


@pytest.mark.parametrize("times", [[0.0], [-2.0, -1.0]], ids=["no time at all", "a clock that goes ahead of ours"])
def test_no_percentile_is_beyond_the_slowest_also_where_that_is_nothing(times):
    """``slowest`` is what DayFigures would keep: never below zero."""
    slowest = max(0.0, *times)
    assert percentile(added([], times), 0.95, slowest) <= slowest


@quick
@given(TIMES, SHARES)
def test_it_lies_in_the_bucket_of_the_exact_one(times, share):
    slowest = max(times)
    have, wanted = percentile(added([], times), share, slowest), exact(times, share)
    assert abs(have - wanted) <= width(wanted, slowest) + 1e-6


@quick
@given(TIMES)
def test_half_within_less_than_95_percent_within_less_than_the_slowest(times):
    counts, slowest = added([], times), max(times)
    assert 0 < percentile(counts, 0.5, slowest) <= percentile(counts, 0.95, slowest) <= slowest


@quick
@given(TIMES, st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_a_larger_share_never_takes_less(times, shares):
    counts = added([], times)
    found = [percentile(counts, share, max(times)) for share in sorted(shares)]
    assert found == sorted(found)


@quick
@given(st.lists(TIMES, max_size=5))
def test_days_united_are_one_day_with_all_of_them(days):
    assert united(added([], day) for day in days) == added(empty(), [one for day in days for one in day])


@quick
@given(TIMES, TIMES)
def test_the_order_of_adding_makes_no_difference(one, other):
    assert added(added([], one), other) == added(added([], other), one) and sum(latency.added([], one)) == len(one)
