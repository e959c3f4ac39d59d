"""How soon to look again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.planning.pace import (
    LOOKING_SHARE,
    PACE_GROWTH,
    SHORTEST_PACE,
    afford_pause,
    choose_pace,
    is_late,
)

quick = settings(max_examples=300, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize(
    ("pace", "changed", "slowest", "least", "seconds"),
    [
        (None, False, 25, 0, 5),
        (None, True, 25, 0, 5),
        (25, True, 25, 0, 5),
        (5, False, 25, 0, 7.5),
        (7.5, False, 25, 0, 11.25),
        (20, False, 25, 0, 25),
        (25, False, 25, 0, 25),
        (300, False, 25, 0, 25),
        (5, True, 25, 12, 12),
        (5, False, 25, 12, 12),
        (5, False, 25, 60, 60),
        (5, True, 25, 60, 60),
        (None, False, 3, 0, 3),
        (3, False, 3, 0, 3),
    ],
)
def test_the_next_look(pace, changed, slowest, least, seconds):
    assert choose_pace(pace, changed, slowest, least) == seconds


def test_quiet_it_grows_to_the_rules_own_interval_and_stays_there():
    pace, seen = None, []
    for _ in range(12):
        pace = choose_pace(pace, False, 60.0, 0.0)
        seen.append(pace)
    assert seen[0] == SHORTEST_PACE and seen[-1] == seen[-2] == 60.0
    assert seen == sorted(seen) and all(
        later <= earlier * PACE_GROWTH for earlier, later in pairwise(seen)
    )


def test_a_change_brings_it_back_at_once():
    assert choose_pace(3600.0, True, 3600.0, 0.0) == SHORTEST_PACE


@pytest.mark.parametrize(
    ("per_minute", "rules", "seconds"),
    [(300, 1, 0.8), (300, 10, 8.0), (60, 1, 4.0), (1, 1, 240.0), (0, 5, SHORTEST_PACE)],
)
def test_what_a_rate_limit_allows(per_minute, rules, seconds):
    assert afford_pause(per_minute, rules) == pytest.approx(seconds)


@quick
@given(per_minute=st.floats(0.1, 100_000), rules=st.integers(1, 500))
def test_all_rules_together_use_no_more_than_their_share(per_minute, rules):
    looks = rules * 60 / afford_pause(per_minute, rules)
    assert looks <= per_minute * LOOKING_SHARE * 1.0001


paces = st.none() | st.floats(0.1, 100_000)


@quick
@given(pace=paces, changed=st.booleans(), slowest=st.floats(1, 86_400), least=st.floats(0, 86_400))
def test_never_more_often_than_the_budget_and_never_more_seldom_than_the_rule_or_it(
    pace, changed, slowest, least
):
    seconds = choose_pace(pace, changed, slowest, least)
    assert least <= seconds <= max(slowest, least)


@quick
@given(pace=paces, slowest=st.floats(1, 86_400), least=st.floats(0, 86_400))
def test_a_change_is_never_answered_more_slowly_than_quiet(pace, slowest, least):
    assert choose_pace(pace, True, slowest, least) <= choose_pace(
        max(pace or 0, SHORTEST_PACE), False, slowest, least
    )


NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
LATE = {
    "just looked": (0, 25, False),
    "a quick rule, at five minutes": (300, 25, False),
    "a quick rule, after five minutes": (301, 25, True),
    "an hourly rule, ten checks ago": (36_000, 3600, False),
    "an hourly rule, over ten checks ago": (36_001, 3600, True),
}


@pytest.mark.parametrize(("seconds", "interval", "late"), LATE.values(), ids=LATE)
def test_a_rule_is_late_that_missed_ten_checks_and_five_minutes(seconds, interval, late):
    assert is_late(NOW - timedelta(seconds=seconds), interval, NOW) is late
