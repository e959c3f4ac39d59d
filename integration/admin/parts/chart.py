"""A rule's last days as bars and lines, drawn by the server: no script, and a table for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from integration.admin.parts.shown import duration, number
from integration.models import DayFigures
from integration.planning.latency import find_percentile, unite_days

DAYS = 30
HEIGHT, STEP, BAR = 96, 20, 14


def in_short(day: DayFigures | None) -> str:
    """A day in a few words, for a line of a list."""
    if day is None or not (written(day) or day.cards_made or day.failed):
        return "–"
    parts = [_("%(n)s written") % {"n": number(written(day) + day.cards_made)}]
    if day.failed:
        parts.append(_("%(n)s failed") % {"n": number(day.failed)})
    within = p95(day)
    return ", ".join([*parts, _("95 %% within %(time)s") % {"time": duration(within)}] if within is not None else parts)


@dataclass(frozen=True)
class Summary:
    """What arrived, and how fast; blanks where nothing did."""

    n: int
    p50: str
    p95: str
    slowest: str


def summary(days: Iterable[DayFigures]) -> Summary:
    days = list(days)
    counts, slowest = unite_days(day.latency for day in days), max((day.slowest for day in days), default=0.0)
    p50, p95 = find_percentile(counts, 0.5, slowest), find_percentile(counts, 0.95, slowest)
    return Summary(sum(counts), duration(p50), duration(p95), duration(slowest) if sum(counts) else "")


def chart(days: Iterable[DayFigures], today: date) -> dict[str, Any]:
    """``days`` are of one rule; those on which nothing happened have no row."""
    by_day = {day.day: day for day in days}
    shown = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    most = max((written(by_day.get(day)) + failed(by_day.get(day)) for day in shown), default=0) or 1
    longest = max((p95(by_day.get(day)) or 0 for day in shown), default=0) or 1
    places = [(i, p95(by_day.get(day))) for i, day in enumerate(shown)]
    points = [f"{i * STEP + BAR // 2},{HEIGHT - round(value / longest * (HEIGHT - 6))}" for i, value in places if value is not None]
    return {
        "width": DAYS * STEP,
        "height": HEIGHT,
        "most": most,
        "longest": duration(longest) if any(p95(by_day.get(day)) for day in shown) else "",
        "bars": [bar(i, day, by_day.get(day), most) for i, day in enumerate(shown)],
        "line": " ".join(points * 2 if len(points) == 1 else points),  # a line of one point is drawn as a dot
        "rows": [table_row(by_day[day]) for day in reversed(shown) if day in by_day],
        "first": shown[0],
        "last": shown[-1],
    }


def bar(i: int, day: date, figures: DayFigures | None, most: int) -> dict[str, Any]:
    good, bad = written(figures), failed(figures)
    high, low = round(good / most * HEIGHT), round(bad / most * HEIGHT)
    return {"x": i * STEP, "day": day, "good": good, "bad": bad, "y": HEIGHT - high, "h": high, "bad_y": HEIGHT - high - low, "bad_h": low}


def table_row(day: DayFigures) -> dict[str, Any]:
    return {"figures": day, "latency": summary([day])}


def written(day: DayFigures | None) -> int:
    return day.created + day.updated + day.linked if day else 0


def failed(day: DayFigures | None) -> int:
    return day.failed if day else 0


def p95(day: DayFigures | None) -> float | None:
    return find_percentile(day.latency, 0.95, day.slowest) if day else None
