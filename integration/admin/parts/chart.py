"""A rule's last days as bars and lines, drawn by the server: no script, and a table for those who
do not see it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from integration.admin.parts.shown import show_duration, show_number
from integration.models import DayFigures
from integration.planning.latency import find_percentile, unite_days

CHART_DAYS = 30
CHART_HEIGHT, DAY_WIDTH, BAR_WIDTH = 96, 20, 14


def describe_day(day: DayFigures | None) -> str:
    """A day in a few words, for a line of a list."""
    if day is None or not (count_written_contacts(day) or day.cards_made or day.failed):
        return "–"
    parts = [_("%(n)s written") % {"n": show_number(count_written_contacts(day) + day.cards_made)}]
    if day.failed:
        parts.append(_("%(n)s failed") % {"n": show_number(day.failed)})
    within = find_p95(day)
    return ", ".join(
        [*parts, _("95 %% within %(time)s") % {"time": show_duration(within)}]
        if within is not None
        else parts
    )


@dataclass(frozen=True)
class LatencySummary:
    """What arrived, and how fast; blanks where nothing did."""

    n: int
    p50: str
    p95: str
    slowest: str


def summarize_days(days: Iterable[DayFigures]) -> LatencySummary:
    days = list(days)
    counts, slowest = (
        unite_days(day.latency for day in days),
        max((day.slowest for day in days), default=0.0),
    )
    p50, p95 = find_percentile(counts, 0.5, slowest), find_percentile(counts, 0.95, slowest)
    return LatencySummary(
        sum(counts),
        show_duration(p50),
        show_duration(p95),
        show_duration(slowest) if sum(counts) else "",
    )


def draw_chart(days: Iterable[DayFigures], today: date) -> dict[str, Any]:
    """``days`` are of one rule; those on which nothing happened have no row."""
    by_day = {day.day: day for day in days}
    shown = [today - timedelta(days=back) for back in range(CHART_DAYS - 1, -1, -1)]
    most = (
        max(
            (
                count_written_contacts(by_day.get(day)) + count_failed_records(by_day.get(day))
                for day in shown
            ),
            default=0,
        )
        or 1
    )
    longest = max((find_p95(by_day.get(day)) or 0 for day in shown), default=0) or 1
    places = [(i, find_p95(by_day.get(day))) for i, day in enumerate(shown)]
    points = []
    for i, value in places:
        if value is not None:
            height = round(value / longest * (CHART_HEIGHT - 6))
            points.append(f"{i * DAY_WIDTH + BAR_WIDTH // 2},{CHART_HEIGHT - height}")
    return {
        "width": CHART_DAYS * DAY_WIDTH,
        "height": CHART_HEIGHT,
        "most": most,
        "longest": show_duration(longest)
        if any(find_p95(by_day.get(day)) for day in shown)
        else "",
        "bars": [draw_bar(i, day, by_day.get(day), most) for i, day in enumerate(shown)],
        "line": " ".join(
            points * 2 if len(points) == 1 else points
        ),  # a line of one point is drawn as a dot
        "rows": [as_day_row(by_day[day]) for day in reversed(shown) if day in by_day],
        "first": shown[0],
        "last": shown[-1],
    }


def draw_bar(i: int, day: date, figures: DayFigures | None, most: int) -> dict[str, Any]:
    good, bad = count_written_contacts(figures), count_failed_records(figures)
    high, low = round(good / most * CHART_HEIGHT), round(bad / most * CHART_HEIGHT)
    return {
        "x": i * DAY_WIDTH,
        "day": day,
        "good": good,
        "bad": bad,
        "y": CHART_HEIGHT - high,
        "h": high,
        "bad_y": CHART_HEIGHT - high - low,
        "bad_h": low,
    }


def as_day_row(day: DayFigures) -> dict[str, Any]:
    return {"figures": day, "latency": summarize_days([day])}


def count_written_contacts(day: DayFigures | None) -> int:
    return day.created + day.updated + day.linked if day else 0


def count_failed_records(day: DayFigures | None) -> int:
    return day.failed if day else 0


def find_p95(day: DayFigures | None) -> float | None:
    return find_percentile(day.latency, 0.95, day.slowest) if day else None
