"""The first page: what needs a person now, how the rules stand, what ran, and where to begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from core.admin.base import select_editable_accounts
from core.models import Account
from core.roles import EDIT, may
from integration.admin.heartbeat import is_worker_quiet
from integration.admin.parts.chart import describe_day
from integration.admin.parts.links import make_health_url, make_list_url, make_page_url
from integration.admin.parts.needs_a_person import collect_attention_lines
from integration.admin.parts.shown import (
    make_choice_badge,
    show_counters,
    show_duration,
    show_moment,
)
from integration.admin.parts.standing import count_records_by_bucket, show_waiting_and_failing
from integration.models import COUNTERS, DayFigures, Heartbeat, SyncRule, SyncRun

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class LastRun(TypedDict):
        last_run: int | None

    RuleWithLastRun = WithAnnotations[SyncRule, LastRun]

MOST_OVERVIEW_RULES = 30
MOST_OVERVIEW_RUNS = 8
# A run that did nothing but recognise our own writes. After a large one there are many: the list of
# all runs has them.
ECHOES_ONLY_RUNS = Q(
    kind=SyncRun.Kind.INCREMENTAL,
    state=SyncRun.State.SUCCEEDED,
    read=0,
    echoes__gt=0,
    **dict.fromkeys(COUNTERS, 0),
)


def make_overview(request: HttpRequest) -> dict[str, Any]:
    rules = list(select_rules_with_last_run()[:MOST_OVERVIEW_RULES])
    shown = collect_attention_lines()
    runs = (
        SyncRun.objects.exclude(ECHOES_ONLY_RUNS)
        .select_related("rule", "account")
        .order_by("-pk")[:MOST_OVERVIEW_RUNS]
    )
    return {
        **shown,
        "calm": bool(rules)
        and not any(shown[name] for name in ("broken", "held", "late", "shared", "failing")),
        "one_account": len({rule.account_id for rule in rules}) < 2,
        "begin": choose_first_step(request, rules),
        "rules": list_rule_rows(rules),
        "rules_url": make_list_url(SyncRule),
        "more_rules": len(rules) == MOST_OVERVIEW_RULES,
        "runs": [as_run_row(run) for run in runs],
        "runs_url": make_list_url(SyncRun),
        "no_pulse": any(rule.state == SyncRule.State.ACTIVE for rule in rules)
        and has_pulse_stopped(),
    }


def choose_first_step(request: HttpRequest, rules: Sequence[SyncRule]) -> dict[str, Any]:
    """Where to begin, until a rule has run; after that only the way to another sync."""
    if not may(request.user, None, EDIT):
        return {"first": not rules, "url": ""}
    if request.user.is_superuser and not Account.objects.exists():
        # Everything else belongs to an account.
        return {"first": True, "url": reverse("admin:core_account_add"), "account": True}
    if not select_editable_accounts(request).filter(active=True).exists():
        return {"first": False, "url": ""}  # nothing can be set up for a suspended account
    return {
        "first": all(rule.state == SyncRule.State.DRAFT for rule in rules),
        "url": reverse("admin:integration_setup"),
    }


def select_rules_with_last_run() -> QuerySet[RuleWithLastRun]:
    last = SyncRun.objects.filter(rule=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    rules = SyncRule.objects.filter(discarded_at__isnull=True).select_related("account")
    return rules.annotate(last_run=Subquery(last)).order_by("account__slug", "slug")


def list_rule_rows(rules: list[RuleWithLastRun]) -> list[dict[str, Any]]:
    runs = SyncRun.objects.in_bulk([rule.last_run for rule in rules if rule.last_run])
    stand = count_records_by_bucket([rule.pk for rule in rules])
    days = read_today_figures(rules)
    rows = []
    for rule in rules:
        run = runs.get(rule.last_run)
        rows.append(
            {
                "url": make_page_url(rule),
                "health_url": make_health_url(rule),
                "rule": rule,
                "state": make_choice_badge(rule, "state"),
                "run": as_run_row(run) if run else None,
                "today": describe_day(days.get(rule.pk)),
                "counts": show_waiting_and_failing(rule, stand.get(rule.pk, {})),
                "checked": show_moment(rule.checked_at),
            }
        )
    return rows


def read_today_figures(rules: Sequence[SyncRule]) -> dict[int, DayFigures]:
    """Rule -> the figures of the day that it is in its account's time zone."""
    now = timezone.now()
    day = {rule.pk: rule.account.find_day(now) for rule in rules}
    rows = DayFigures.objects.filter(rule__in=rules, day__in=set(day.values()))
    return {row.rule_id: row for row in rows if row.day == day[row.rule_id]}


def as_run_row(run: SyncRun) -> dict[str, Any]:
    return {
        "url": make_page_url(run),
        "run": run,
        "state": make_choice_badge(run, "state"),
        "counters": show_counters(run),
        "took": show_duration(run.seconds),
        "when": show_moment(run.started_at or run.created_at),
    }


def has_pulse_stopped() -> bool:
    return all(
        is_worker_quiet(beat) for beat in Heartbeat.objects.values_list("beat_at", flat=True)
    )
