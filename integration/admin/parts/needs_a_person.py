"""What needs a person now, over all rules that somebody sees: each line leads to where it can be mended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from core.tenancy import all_accounts
from integration.admin.parts.drafts import open_drafts
from integration.admin.parts.links import health_url, page_url, resume_url
from integration.admin.parts.shown import badge, choice_badge, number, sentence, to_do, when
from integration.models import Bucket, Connection, Record, Side, SyncRule
from integration.rules.recheck import BEING_CHANGED

MOST = 20
# More rules than this are not gone through for one page.
MOST_RULES = 2000
# A rule is late when it has missed so many of its own checks, and some minutes at least.
MISSED, MINUTES = 10, timedelta(minutes=5)


def broken_connections() -> list[dict[str, Any]]:
    """Those that a sync needs. Credentials are not read: a lost key must not take the overview down."""
    wrong = (Connection.Health.RECONNECT, Connection.Health.UNREACHABLE)
    needed = SyncRule.objects.exclude(state=SyncRule.State.DRAFT).filter(Q(sansan=OuterRef("pk")) | Q(hubspot=OuterRef("pk")))
    rows = Connection.objects.filter(Exists(needed), health__in=wrong).select_related("account").defer("credentials", "schema", "survey")[:MOST]
    return [{"url": page_url(one), "connection": one, "health": choice_badge(one, "health")} for one in rows]


def held_rules() -> list[dict[str, Any]]:
    """Each waits for a person, however many rules there are: held, or paused by somebody who changed it and has not saved yet."""
    waiting = Q(state=SyncRule.State.HELD) | Q(state=SyncRule.State.PAUSED, state_reason=BEING_CHANGED)
    rows = SyncRule.objects.filter(waiting).select_related("account").order_by("account__slug", "slug")[:MOST]
    return [{"url": page_url(rule), "rule": rule, "state": choice_badge(rule, "state")} for rule in rows]


def drafts() -> list[dict[str, Any]]:
    return [{"url": resume_url(rule), "rule": rule, "made": when(rule.created_at)} for rule in open_drafts().order_by("-pk")[:MOST]]


def late(now: datetime) -> list[dict[str, Any]]:
    """Active rules whose last check is too long ago, the longest first."""
    rows = SyncRule.objects.filter(state=SyncRule.State.ACTIVE, account__active=True, created_at__lt=now - MINUTES)
    rows = rows.exclude(checked_at__gte=now - MINUTES).select_related("account").order_by("checked_at")[:200]
    found = [rule for rule in rows if (rule.checked_at or rule.created_at) < now - max(MINUTES, timedelta(seconds=rule.interval * MISSED))]
    return [{"url": page_url(rule), "rule": rule, "checked": when(rule.checked_at)} for rule in found[:MOST]]


def failing_reasons() -> list[dict[str, Any]]:
    """Rule and reason -> cards, the most first: what is mended once mends all of them."""
    rules = {rule.pk: rule for rule in SyncRule.objects.select_related("account").only("slug", "account__name", "account_id")[:MOST_RULES]}
    with all_accounts():
        # The rules were read within the scope; its condition would only lead SQLite to the wrong index (see standing.py).
        rows = Record.objects.filter(rule__in=list(rules), side__in=Side.values, bucket__in=(Bucket.FAILING, Bucket.HELD)).order_by()
        counted = list(rows.values_list("rule", "side", "bucket", "reason").annotate(n=Count("pk")).order_by("-n")[:MOST])
    return [
        {
            "rule": rules[rule],
            "url": health_url(rules[rule], stand=bucket, reason=reason, **({"side": side} if side == Side.CONTACT else {})),
            "bucket": badge(bucket, Bucket(bucket).label),
            "n": number(n),
            "sentence": sentence(reason) if reason else "",
            "to_do": to_do(reason),
        }
        for rule, side, bucket, reason, n in counted
    ]


def attention() -> dict[str, Any]:
    return {
        "broken": broken_connections(),
        "held": held_rules(),
        "late": late(timezone.now()),
        "failing": failing_reasons(),
        "drafts": drafts(),
    }
