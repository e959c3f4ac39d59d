"""Keeps the figures of a rule's day.

Called inside the transaction that moves the run's counters, by the one slice that holds the lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from core.bulk import upsert_rows
from integration.models import DayFigures
from integration.planning.latency import add_times
from integration.slice.desk import Desk
from integration.slice.in_flight import Calls

FIGURE_COUNTERS = ("created", "updated", "linked", "failed", "cards_made", "echoes")


class DayRow(NamedTuple):
    """Columns of DayFigures."""

    rule_id: int
    day: date
    created: int = 0
    updated: int = 0
    linked: int = 0
    failed: int = 0
    cards_made: int = 0
    echoes: int = 0
    calls_sansan: int = 0
    calls_hubspot: int = 0
    latency: Sequence[int] = ()
    slowest: float = 0.0


def add_figures(
    desk: Desk, counted: Mapping[str, int], calls: Calls, took: Sequence[float] = ()
) -> None:
    """``calls`` are those made since the last time; ``took`` the seconds from a change at one
    vendor to the other one's answer.
    """
    news = {name: counted.get(name, 0) for name in FIGURE_COUNTERS}
    called = calls.sansan or calls.hubspot
    if desk.run.is_preview or not (any(news.values()) or called or took):
        return
    today = desk.rule.account.find_day(desk.now())
    stored = (
        DayFigures.objects.filter(rule=desk.rule, day=today).values_list(*DayRow._fields).first()
    )
    day = DayRow(*stored) if stored else DayRow(desk.rule.pk, today)
    day = day._replace(
        **{name: getattr(day, name) + n for name, n in news.items()},
        calls_sansan=day.calls_sansan + calls.sansan,
        calls_hubspot=day.calls_hubspot + calls.hubspot,
        latency=add_times(day.latency, took),
        slowest=max(day.slowest, *took) if took else day.slowest,
    )
    upsert_rows(DayFigures, [day], ("rule", "day"), DayRow._fields[2:], desk.rule.account_id)
