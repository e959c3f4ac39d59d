"""What needs a person now, over all rules that somebody sees: each line leads to where it can be
mended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from core.tenancy import all_accounts
from integration.admin.parts.drafts import select_open_drafts
from integration.admin.parts.links import make_health_url, make_page_url, make_resume_url
from integration.admin.parts.shown import (
    advise_on_reason,
    explain_reason,
    make_badge,
    make_choice_badge,
    show_moment,
    show_number,
)
from integration.models import Bucket, Connection, Record, Side, SyncRule
from integration.planning.pace import LEAST_LATENESS, is_late
from integration.rules.recheck import BEING_CHANGED

MOST_ATTENTION_LINES = 20
# More rules than this are not gone through for one page.
MOST_ATTENTION_RULES = 2000


def list_broken_connections() -> list[dict[str, Any]]:
    """Those that a sync needs.

    Credentials are not read: a lost key must not take the overview down.
    """
    wrong = (Connection.Health.RECONNECT, Connection.Health.UNREACHABLE)
    needed = SyncRule.objects.exclude(state=SyncRule.State.DRAFT).filter(
        Q(sansan=OuterRef("pk")) | Q(hubspot=OuterRef("pk"))
    )
    rows = (
        Connection.objects.filter(Exists(needed), health__in=wrong)
        .select_related("account")
        .defer("credentials", "schema", "survey")[:MOST_ATTENTION_LINES]
    )
    return [
        {"url": make_page_url(one), "connection": one, "health": make_choice_badge(one, "health")}
        for one in rows
    ]


def list_held_rules() -> list[dict[str, Any]]:
    """Each waits for a person, however many rules there are: held, or paused by somebody who
    changed it and has not saved yet.
    """
    waiting = Q(state=SyncRule.State.HELD) | Q(
        state=SyncRule.State.PAUSED, state_reason=BEING_CHANGED
    )
    rows = (
        SyncRule.objects.filter(waiting)
        .select_related("account")
        .order_by("account__slug", "slug")[:MOST_ATTENTION_LINES]
    )
    return [
        {"url": make_page_url(rule), "rule": rule, "state": make_choice_badge(rule, "state")}
        for rule in rows
    ]


def list_shared_portals() -> list[dict[str, Any]]:
    """HubSpot accounts to which several of the accounts that somebody sees write."""
    running = SyncRule.objects.filter(hubspot=OuterRef("pk"), state=SyncRule.State.ACTIVE)
    hubspot = Connection.objects.filter(
        Exists(running), system=Connection.System.HUBSPOT, account__active=True
    ).exclude(remote_id="")
    shared = (
        hubspot.order_by()
        .values("remote_id")
        .annotate(accounts=Count("account", distinct=True))
        .filter(accounts__gt=1)
        .values_list("remote_id", flat=True)[:MOST_ATTENTION_LINES]
    )
    names: dict[str, set[str]] = {}
    for portal, name in hubspot.filter(remote_id__in=list(shared)).values_list(
        "remote_id", "account__name"
    ):
        names.setdefault(portal, set()).add(name)
    return [
        {"portal": portal, "accounts": ", ".join(sorted(names[portal]))} for portal in sorted(names)
    ]


def list_open_drafts() -> list[dict[str, Any]]:
    return [
        {"url": make_resume_url(rule), "rule": rule, "made": show_moment(rule.created_at)}
        for rule in select_open_drafts().order_by("-pk")[:MOST_ATTENTION_LINES]
    ]


def list_late_rules(now: datetime) -> list[dict[str, Any]]:
    """Active rules whose last check is too long ago, the longest first."""
    rows = SyncRule.objects.filter(
        state=SyncRule.State.ACTIVE, account__active=True, created_at__lt=now - LEAST_LATENESS
    )
    rows = (
        rows.exclude(checked_at__gte=now - LEAST_LATENESS)
        .select_related("account")
        .order_by("checked_at")[:200]
    )
    found = [
        rule for rule in rows if is_late(rule.checked_at or rule.created_at, rule.interval, now)
    ]
    return [
        {"url": make_page_url(rule), "rule": rule, "checked": show_moment(rule.checked_at)}
        for rule in found[:MOST_ATTENTION_LINES]
    ]


def list_failing_reasons() -> list[dict[str, Any]]:
    """Rule and reason -> cards, the most first: what is mended once mends all of them."""
    rules = {
        rule.pk: rule
        for rule in SyncRule.objects.select_related("account").only(
            "slug", "account__name", "account_id"
        )[:MOST_ATTENTION_RULES]
    }
    with all_accounts():
        # The rules were read within the scope; its condition would only lead SQLite to the wrong
        # index (admin/parts/standing.py).
        rows = Record.objects.filter(
            rule__in=list(rules), side__in=Side.values, bucket__in=(Bucket.FAILING, Bucket.HELD)
        ).order_by()
        counted = list(
            rows.values_list("rule", "side", "bucket", "reason")
            .annotate(n=Count("pk"))
            .order_by("-n")[:MOST_ATTENTION_LINES]
        )
    return [
        {
            "rule": rules[rule],
            "url": make_health_url(
                rules[rule],
                stand=bucket,
                reason=reason,
                **({"side": side} if side == Side.CONTACT else {}),
            ),
            "bucket": make_badge(bucket, Bucket(bucket).label),
            "n": show_number(n),
            "sentence": explain_reason(reason) if reason else "",
            "to_do": advise_on_reason(reason),
        }
        for rule, side, bucket, reason, n in counted
    ]


def collect_attention_lines() -> dict[str, Any]:
    return {
        "broken": list_broken_connections(),
        "held": list_held_rules(),
        "late": list_late_rules(timezone.now()),
        "shared": list_shared_portals(),
        "failing": list_failing_reasons(),
        "drafts": list_open_drafts(),
    }
