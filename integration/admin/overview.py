"""The first page: what needs a person, how the rules stand, what ran last, and where to begin."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from core.models import Account
from core.roles import EDIT, may
from integration.admin.heartbeat import quiet
from integration.admin.shown import choice_badge, counters, duration, list_url, page_url, when
from integration.admin.standing import standings, waiting_failing
from integration.models import Connection, Heartbeat, SyncRule, SyncRun, Tag

MOST_RULES = 30
MOST_RUNS = 8


def overview(request: HttpRequest) -> dict[str, Any]:
    rules = list(rules_with_last_run()[:MOST_RULES])
    return {
        "one_account": len({rule.account_id for rule in rules}) < 2,
        "steps": steps(request),
        "rules": rule_rows(rules),
        "rules_url": list_url(SyncRule),
        "more_rules": len(rules) == MOST_RULES,
        "broken": [{"url": page_url(one), "connection": one, "health": choice_badge(one, "health")} for one in broken_connections()],
        "held": [{"url": page_url(rule), "rule": rule} for rule in held_rules()],
        "runs": [run_row(run) for run in SyncRun.objects.select_related("rule", "account").order_by("-pk")[:MOST_RUNS]],
        "runs_url": list_url(SyncRun),
        "no_pulse": SyncRule.objects.filter(state=SyncRule.State.ACTIVE).exists() and pulse_stopped(),
    }


def rules_with_last_run() -> QuerySet[SyncRule]:
    last = SyncRun.objects.filter(rule=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    return SyncRule.objects.select_related("account").annotate(last_run=Subquery(last)).order_by("account__slug", "slug")


def rule_rows(rules: list[SyncRule]) -> list[dict[str, Any]]:
    runs = SyncRun.objects.in_bulk([rule.last_run for rule in rules if rule.last_run])  # type: ignore[attr-defined]
    stand = standings([rule.pk for rule in rules])
    rows = []
    for rule in rules:
        run = runs.get(rule.last_run)  # type: ignore[attr-defined]
        rows.append(
            {
                "url": page_url(rule),
                "rule": rule,
                "state": choice_badge(rule, "state"),
                "run": run_row(run) if run else None,
                "counts": waiting_failing(rule.pk, stand.get(rule.pk, {})),
                "checked": when(rule.checked_at),
            }
        )
    return rows


def run_row(run: SyncRun) -> dict[str, Any]:
    return {
        "url": page_url(run),
        "run": run,
        "state": choice_badge(run, "state"),
        "counters": counters(run),
        "took": duration(run.seconds),
        "when": when(run.started_at or run.created_at),
    }


def held_rules() -> QuerySet[SyncRule]:
    """Each waits for a person, however many rules there are."""
    return SyncRule.objects.filter(state=SyncRule.State.HELD).select_related("account").order_by("account__slug", "slug")[:20]


def broken_connections() -> QuerySet[Connection]:
    """Those that a person has to see to. Credentials are not read: a lost key must not take the overview down."""
    wrong = (Connection.Health.RECONNECT, Connection.Health.UNREACHABLE)
    return Connection.objects.filter(health__in=wrong).select_related("account").defer("credentials", "schema")[:20]


def pulse_stopped() -> bool:
    return all(quiet(beat) for beat in Heartbeat.objects.values_list("beat_at", flat=True))


def steps(request: HttpRequest) -> list[dict[str, Any]]:
    """What to do first, until a rule runs; nothing after that."""
    if SyncRule.objects.exclude(state=SyncRule.State.DRAFT).exists():
        return []
    made = set(Connection.objects.order_by().values_list("system", flat=True).distinct())
    draft = SyncRule.objects.order_by("pk").first()
    tagged = Tag.objects.filter(selected=True).exists()
    add, rule = reverse("admin:integration_connection_add"), reverse("admin:integration_syncrule_add")
    rows = [
        (_("Connect Sansan"), _("Enter the API key. It is stored encrypted and tested at once."), f"{add}?system=sansan", "sansan" in made),
        (_("Connect HubSpot"), _("Enter the access token of a private app."), f"{add}?system=hubspot", "hubspot" in made),
        (_("Choose tags"), _("Only cards with a selected tag are synced. With none selected, every card is."), list_url(Tag), tagged),
        (_("Make a rule"), _("It joins the two. It begins as a draft with the default mappings."), rule, bool(draft)),
        (_("Look at a preview, then switch on"), _("A preview says what would happen and writes nothing."), page_url(draft) if draft else "", False),
    ]
    if request.user.is_superuser and not Account.objects.exists():  # type: ignore[union-attr]
        # Everything else belongs to an account.
        rows = [(title, text, "", done) for title, text, _url, done in rows]
        rows.insert(0, (_("Make an account"), _("One for each customer."), reverse("admin:core_account_add"), False))
    edits = may(request.user, None, EDIT)
    return [{"title": title, "text": text, "url": url if edits else "", "done": done} for title, text, url, done in rows]
