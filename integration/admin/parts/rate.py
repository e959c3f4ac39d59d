"""The rate budget of a connection: what it may call, what the syncs have called today, and what is
left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from core.tenancy import all_accounts
from integration.admin.parts.shown import show_moment, show_number
from integration.connections.limiter import SEARCH_LIMIT, find_allowance
from integration.models import Connection, DayFigures, SyncRule

BUDGET_DAY_SECONDS = 86_400


def count_calls_today(connection: Connection) -> int:
    """Calls of the account's day, by all rules of the connection."""
    today = connection.account.find_day(timezone.now())
    rules = list(
        SyncRule.objects.filter(Q(sansan=connection) | Q(hubspot=connection)).values_list(
            "pk", flat=True
        )
    )
    with all_accounts():
        # The rules were read within the scope.
        total = DayFigures.objects.filter(rule__in=rules, day=today).aggregate(
            n=Sum(f"calls_{connection.system}")
        )["n"]
    return int(total or 0)


def read_rate_budget(connection: Connection) -> dict[str, Any]:
    """{used, allotted, left, told_at}: calls a day.

    What HubSpot told last counts, else what the limit allows in a day.
    """
    used, (calls, seconds) = count_calls_today(connection), find_allowance(connection)
    told = connection.quota
    allotted = (
        int(told["limit"]) if told else int(calls * BUDGET_DAY_SECONDS / seconds) if calls else None
    )
    left = int(told["left"]) if told else max(allotted - used, 0) if allotted is not None else None
    return {
        "used": used,
        "allotted": allotted,
        "left": left,
        "told_at": datetime.fromisoformat(told["at"]) if told else None,
    }


def show_rate_budget(connection: Connection) -> SafeString:
    """A bar and a sentence."""
    one = read_rate_budget(connection)
    if one["allotted"] is None:
        return format_html(
            "{}",
            _("%(used)s calls today; no limit is kept for this connection.")
            % {"used": show_number(one["used"])},
        )
    share = min(100, round(100 * (one["allotted"] - one["left"]) / max(one["allotted"], 1)))
    said = _("%(used)s used today by the syncs, %(allotted)s allotted a day, %(left)s left") % {
        "used": show_number(one["used"]),
        "allotted": show_number(one["allotted"]),
        "left": show_number(one["left"]),
    }
    source = (
        format_html("{} {}", _("as HubSpot told"), show_moment(one["told_at"]))
        if one["told_at"]
        else _("as the limit below allows")
    )
    tone = "bad" if share >= 90 else "warn" if share >= 70 else "good"
    return format_html(
        '<span class="mb-two"><span class="mb-gauge" role="meter" aria-valuenow="{0}" '
        'aria-valuemin="0" aria-valuemax="100" aria-label="{1}">'
        '<i class="mb-{2}" style="width:{0}%"></i></span><span>{1}</span><small>{3}</small></span>',
        share,
        said,
        tone,
        source,
    )


def describe_call_speed(connection: Connection) -> str:
    calls, seconds = find_allowance(connection)
    if not calls:
        return _("No limit")
    text = _("%(calls)s calls in %(seconds)s s") % {
        "calls": show_number(calls),
        "seconds": f"{seconds:g}",
    }
    if connection.system == Connection.System.HUBSPOT:
        text += _("; searches apart: %(calls)s a second") % {"calls": SEARCH_LIMIT[0]}
    return text
