"""The first page: what needs a person now, how the rules stand, what ran, and where to begin."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from core.admin.base import accounts_to_edit
from core.models import Account
from core.roles import EDIT, may
from integration.admin.heartbeat import quiet
from integration.admin.parts.chart import in_short
from integration.admin.parts.links import health_url, list_url, page_url
from integration.admin.parts.needs_a_person import attention
from integration.admin.parts.shown import choice_badge, counters, duration, when
from integration.admin.parts.standing import standings, waiting_failing
from integration.models import COUNTERS, DayFigures, Heartbeat, SyncRule, SyncRun

MOST_RULES = 30
MOST_RUNS = 8
# A run that did nothing but recognise our own writes. After a large one there are many: the list of all runs has them.
ECHOES_ONLY = Q(kind=SyncRun.Kind.INCREMENTAL, state=SyncRun.State.SUCCEEDED, read=0, echoes__gt=0, **dict.fromkeys(COUNTERS, 0))


def overview(request: HttpRequest) -> dict[str, Any]:
    rules = list(rules_with_last_run()[:MOST_RULES])
    shown = attention()
    runs = SyncRun.objects.exclude(ECHOES_ONLY).select_related("rule", "account").order_by("-pk")[:MOST_RUNS]
    return {
        **shown,
        "calm": bool(rules) and not any(shown[name] for name in ("broken", "held", "late", "failing")),
        "one_account": len({rule.account_id for rule in rules}) < 2,
        "begin": begin(request, rules),
        "rules": rule_rows(rules),
        "rules_url": list_url(SyncRule),
        "more_rules": len(rules) == MOST_RULES,
        "runs": [run_row(run) for run in runs],
        "runs_url": list_url(SyncRun),
        "no_pulse": any(rule.state == SyncRule.State.ACTIVE for rule in rules) and pulse_stopped(),
    }


def begin(request: HttpRequest, rules: list[SyncRule]) -> dict[str, Any]:
    """Where to begin, until a rule has run; after that only the way to another sync."""
    if not may(request.user, None, EDIT):
        return {"first": not rules, "url": ""}
    if request.user.is_superuser and not Account.objects.exists():  # type: ignore[union-attr]
        # Everything else belongs to an account.
        return {"first": True, "url": reverse("admin:core_account_add"), "account": True}
    if not accounts_to_edit(request).filter(active=True).exists():
        return {"first": False, "url": ""}  # nothing can be set up for a suspended account
    return {"first": all(rule.state == SyncRule.State.DRAFT for rule in rules), "url": reverse("admin:integration_setup")}


def rules_with_last_run() -> QuerySet[SyncRule]:
    last = SyncRun.objects.filter(rule=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    rules = SyncRule.objects.filter(discarded_at__isnull=True).select_related("account")
    return rules.annotate(last_run=Subquery(last)).order_by("account__slug", "slug")


def rule_rows(rules: list[SyncRule]) -> list[dict[str, Any]]:
    runs = SyncRun.objects.in_bulk([rule.last_run for rule in rules if rule.last_run])  # type: ignore[attr-defined]
    stand = standings([rule.pk for rule in rules])
    days = today(rules)
    rows = []
    for rule in rules:
        run = runs.get(rule.last_run)  # type: ignore[attr-defined]
        rows.append(
            {
                "url": page_url(rule),
                "health_url": health_url(rule),
                "rule": rule,
                "state": choice_badge(rule, "state"),
                "run": run_row(run) if run else None,
                "today": in_short(days.get(rule.pk)),
                "counts": waiting_failing(rule, stand.get(rule.pk, {})),
                "checked": when(rule.checked_at),
            }
        )
    return rows


def today(rules: list[SyncRule]) -> dict[int, DayFigures]:
    """Rule -> the figures of the day that it is in its account's time zone."""
    now = timezone.now()
    day = {rule.pk: rule.account.day_of(now) for rule in rules}
    rows = DayFigures.objects.filter(rule__in=rules, day__in=set(day.values()))
    return {row.rule_id: row for row in rows if row.day == day[row.rule_id]}


def run_row(run: SyncRun) -> dict[str, Any]:
    return {
        "url": page_url(run),
        "run": run,
        "state": choice_badge(run, "state"),
        "counters": counters(run),
        "took": duration(run.seconds),
        "when": when(run.started_at or run.created_at),
    }


def pulse_stopped() -> bool:
    return all(quiet(beat) for beat in Heartbeat.objects.values_list("beat_at", flat=True))
