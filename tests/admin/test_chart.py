"""The last days of a rule as bars and a line."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tenancy import in_account
from integration.admin.parts.chart import (
    BAR_WIDTH,
    CHART_DAYS,
    CHART_HEIGHT,
    DAY_WIDTH,
    describe_day,
    draw_chart,
    summarize_days,
)
from integration.models import DayFigures
from integration.planning.latency import add_times
from tests.admin.pages import body

TODAY = date(2026, 3, 30)
quick = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def day(back: int = 0, took: tuple[float, ...] = (), **values: int) -> DayFigures:
    return DayFigures(
        day=TODAY - timedelta(days=back),
        latency=add_times([], took),
        slowest=max(took, default=0),
        **values,
    )


def points(drawn):
    return [tuple(map(int, point.split(","))) for point in drawn["line"].split()]


def test_nothing_is_drawn_of_nothing():
    drawn = draw_chart([], TODAY)
    assert (drawn["line"], drawn["longest"], drawn["rows"], drawn["most"]) == ("", "", [], 1)
    assert len(drawn["bars"]) == CHART_DAYS and all(
        (bar["h"], bar["bad_h"]) == (0, 0) for bar in drawn["bars"]
    )


def test_the_days_end_today_and_each_has_its_place():
    drawn = draw_chart([], TODAY)
    assert (drawn["first"], drawn["last"]) == (TODAY - timedelta(days=CHART_DAYS - 1), TODAY)
    assert [bar["x"] for bar in drawn["bars"]] == [
        i * DAY_WIDTH for i in range(CHART_DAYS)
    ] and drawn["width"] == CHART_DAYS * DAY_WIDTH
    assert [bar["day"] for bar in drawn["bars"]] == [
        TODAY - timedelta(days=back) for back in range(CHART_DAYS - 1, -1, -1)
    ]


def test_the_tallest_bar_fills_the_height_and_the_others_are_in_proportion():
    drawn = draw_chart(
        [day(0, created=50, updated=30, linked=20), day(1, created=50), day(2, failed=25)], TODAY
    )
    *_, third, second, first = drawn["bars"]
    assert drawn["most"] == 100
    assert (first["good"], first["h"], first["y"]) == (100, CHART_HEIGHT, 0)
    assert (second["h"], second["y"]) == (CHART_HEIGHT // 2, CHART_HEIGHT // 2)
    assert (third["h"], third["bad_h"], third["bad_y"]) == (
        0,
        CHART_HEIGHT // 4,
        CHART_HEIGHT - CHART_HEIGHT // 4,
    )


def test_what_failed_stands_on_what_was_written():
    bar = draw_chart([day(0, created=3, failed=1)], TODAY)["bars"][-1]
    assert (bar["y"], bar["bad_y"] + bar["bad_h"], bar["bad_y"]) == (
        CHART_HEIGHT - bar["h"],
        bar["y"],
        0,
    )


def test_days_outside_are_not_drawn():
    drawn = draw_chart(
        [day(CHART_DAYS, created=900), day(-1, created=900), day(3, created=2)], TODAY
    )
    assert drawn["most"] == 2 and [row["figures"].created for row in drawn["rows"]] == [2]


def test_the_table_has_the_newest_day_first_and_no_day_without_anything():
    drawn = draw_chart([day(5, created=1), day(0, created=2), day(2, created=3)], TODAY)
    assert [row["figures"].created for row in drawn["rows"]] == [2, 3, 1]


def test_the_line_goes_through_the_days_on_which_something_arrived():
    drawn = draw_chart([day(0, (100.0,)), day(3, (50.0,)), day(1, created=5)], TODAY)
    assert [x for x, _ in points(drawn)] == [
        (CHART_DAYS - 4) * DAY_WIDTH + BAR_WIDTH // 2,
        (CHART_DAYS - 1) * DAY_WIDTH + BAR_WIDTH // 2,
    ]
    (_, lower), (_, highest) = points(drawn)
    assert highest == 6 < lower < CHART_HEIGHT and drawn["longest"] == "1 min 40 s"


def test_a_single_day_is_a_dot():
    one, two = points(draw_chart([day(2, (9.0,))], TODAY))
    assert one == two


def test_what_arrived_in_no_time_is_drawn_at_the_bottom():
    drawn = draw_chart([day(0, (0.0,), created=1)], TODAY)
    assert {y for _, y in points(drawn)} == {CHART_HEIGHT}


@quick
@given(
    st.lists(
        st.tuples(
            st.integers(0, CHART_DAYS - 1),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
            st.lists(st.floats(0.01, 1e6), max_size=4),
        ),
        max_size=8,
    )
)
def test_nothing_is_drawn_outside_of_the_chart(rows):
    days = {
        back: day(back, tuple(took), created=good, failed=bad) for back, good, bad, took in rows
    }
    drawn = draw_chart(days.values(), TODAY)
    for bar in drawn["bars"]:
        assert (
            0
            <= bar["bad_y"]
            <= bar["bad_y"] + bar["bad_h"]
            == bar["y"]
            <= bar["y"] + bar["h"]
            == CHART_HEIGHT
        )
    assert all(0 <= x <= drawn["width"] and 0 <= y <= CHART_HEIGHT for x, y in points(drawn))


# In numbers


def test_a_summary_of_nothing_is_blank():
    empty = summarize_days([])
    assert (empty.n, empty.p50, empty.p95, empty.slowest) == (0, "", "", "")
    assert summarize_days([day(0, created=5)]).slowest == ""


def test_a_summary_is_of_all_the_days_together():
    several = summarize_days([day(0, (4.0,) * 10), day(1, (100.0,))])
    assert (several.n, several.slowest) == (11, "1 min 40 s") and several.p50 != several.p95


def test_a_row_that_an_older_version_kept_without_times_is_read():
    assert summarize_days([DayFigures(day=TODAY, created=1, latency=[])]).n == 0


# On the page


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "ja", "de"])
def test_the_page_s_drawing_has_plain_numbers_in_any_language(acme, aiko, language):
    """1,200 or 1.200 would be no number to a browser."""
    with in_account(acme.account):
        DayFigures.objects.all().delete()
        for back, n in ((0, 123_456), (1, 1_200)):
            DayFigures.objects.create(
                account=acme.account,
                rule=acme.rule,
                day=timezone.now().date() - timedelta(days=back),
                created=n,
                latency=add_times([], [4.0]),
                slowest=4.0,
            )
    with translation.override(language):
        seen = body(
            aiko.get(
                reverse("admin:integration_health", args=[acme.rule.pk]),
                headers={"accept-language": language},
            )
        )
    drawn = re.search(r"<svg.*?</svg>", seen, re.DOTALL)
    assert drawn
    svg = drawn[0]
    numbers = re.findall(r'\b(?:x|y|width|height)="([^"]*)"', svg)
    assert len(numbers) > 100 and all(re.fullmatch(r"-?\d+(\.\d+)?", number) for number in numbers)
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box and re.fullmatch(r"[\d ]+-?[\d ]*", box[1].replace("-", ""))
    assert re.search(r'points="[\d, ]+"', svg)
    assert "<title>" in svg and 'role="img"' in svg and "aria-label" in svg


DAYS = {
    "no figures": (None, "–"),
    "calls only": (day(calls_hubspot=4), "–"),
    "written": (day(created=1200, updated=34), "1,234 written"),
    "cards made": (day(cards_made=2), "2 written"),
    "failed and slow": (
        day(created=1, failed=3, took=(4.0,)),
        "1 written, 3 failed, 95 % within 4.0 s",
    ),
}


@pytest.mark.parametrize(("figures", "said"), DAYS.values(), ids=DAYS)
def test_a_day_in_short(figures, said):
    assert describe_day(figures) == said
