"""Who changed what in the configuration, when and why, before and after; over all kinds of objects,
newest first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from core.admin.base import is_id
from core.models import Account, Membership, User
from core.roles import HISTORY_RIGHT, may
from core.switcher import find_chosen_account, select_seen_accounts
from core.tenancy import all_accounts
from integration.admin.parts.labels import CARD_FIELDS
from integration.admin.parts.links import make_history_url
from integration.admin.parts.said import describe_condition
from integration.admin.parts.shown import make_badge, show_number
from integration.models import Connection, FieldMapping, SyncRule, Tag

HISTORY_KINDS: dict[str, Any] = {
    "account": Account,
    "member": Membership,
    "connection": Connection,
    "rule": SyncRule,
    "mapping": FieldMapping,
    "tag": Tag,
}
HISTORY_ROWS_A_PAGE = 40
# Columns that tell a person nothing.
HIDDEN_HISTORY_COLUMNS = {"id", "account", "rule", "position", "connection"}
CHANGE_VERBS = {
    "+": (gettext_lazy("Made"), "good"),
    "~": (gettext_lazy("Changed"), "info"),
    "-": (gettext_lazy("Deleted"), "bad"),
}


class HistoryMixin:
    """For the ModelAdmin of the rules."""

    admin_site: AdminSite  # the page's

    def make_history_urls(self) -> list[URLPattern]:
        return [
            path(
                "history/",
                self.admin_site.admin_view(HistoryView.as_view(page=self)),
                name="integration_history",
            )
        ]


class HistoryView(View):
    page: Any = None

    @staticmethod
    def may_open(request: HttpRequest) -> bool:
        """Asked by the sidebar, too."""
        chosen = find_chosen_account(request)
        return may(request.user, chosen.pk if chosen else None, HISTORY_RIGHT)

    def get(self, request: HttpRequest) -> HttpResponse:
        accounts = {
            pk: name
            for pk, name in select_seen_accounts(request).values_list("pk", "name")
            if may(request.user, pk, HISTORY_RIGHT)
        }
        if not self.may_open(request):
            raise PermissionDenied
        kind, pk = request.GET.get("kind", ""), request.GET.get("id", "")
        kinds = {kind: HISTORY_KINDS[kind]} if kind in HISTORY_KINDS else HISTORY_KINDS
        before = read_history_moment(request.GET.get("before", ""))
        found = [
            read_history_rows(model, list(accounts), pk if kind in HISTORY_KINDS else "", before)
            for model in kinds.values()
        ]
        shown = list(
            islice(
                merge(*found, key=lambda row: row.history_date, reverse=True),
                HISTORY_ROWS_A_PAGE + 1,
            )
        )
        more = len(shown) > HISTORY_ROWS_A_PAGE
        shown = shown[:HISTORY_ROWS_A_PAGE]
        context = {
            **self.page.admin_site.each_context(request),
            "title": _("History of the configuration"),
            "changes": describe_history_rows(shown, accounts),
            "kinds": [
                {"code": code, "label": capfirst(model._meta.verbose_name), "current": code == kind}
                for code, model in HISTORY_KINDS.items()
            ],
            "kind": kind,
            "one": pk if kind in HISTORY_KINDS and is_id(pk) else "",
            "next": self.make_next_url(shown[-1].history_date) if more else "",
            "several": len(accounts) > 1,
        }
        return TemplateResponse(request, "admin/integration/history.html", context)

    def make_next_url(self, last: datetime) -> str:
        kept = {
            name: self.request.GET[name] for name in ("kind", "id") if self.request.GET.get(name)
        }
        return f"?{urlencode({**kept, 'before': last.isoformat()})}"


def read_history_moment(text: str) -> datetime | None:
    try:
        parsed = parse_datetime(text)
    except ValueError:
        return None
    try:
        return parsed.astimezone(UTC) if parsed and timezone.is_aware(parsed) else None
    except OverflowError:  # the first or the last day that there is
        return None


def read_history_rows(
    model: Any, accounts: list[int], pk: str, before: datetime | None
) -> list[Any]:
    """The newest changes of one kind, each with the row before it.

    The accounts are those that the role lets be seen.
    """
    history = model.history.model
    column = "id" if model is Account else "account_id"
    earlier = (
        history.objects.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id"))
        .order_by("-history_id")
        .values("history_id")[:1]
    )
    wanted = Q(**{f"{column}__in": accounts})
    if is_id(pk):
        wanted &= Q(id=pk)
    if before:
        wanted &= Q(history_date__lt=before)
    with all_accounts():
        found: QuerySet[Any] = history.objects.filter(wanted).order_by(
            "-history_date", "-history_id"
        )
        shown = list(found.annotate(earlier=Subquery(earlier))[: HISTORY_ROWS_A_PAGE + 1])
        there = history.objects.in_bulk([row.earlier for row in shown if row.earlier])
    for row in shown:
        row.before = there.get(row.earlier)
    return shown


def describe_history_rows(shown: list[Any], accounts: dict[int, str]) -> list[dict[str, Any]]:
    names = HistoryNames(shown)
    result = []
    for row in shown:
        verb, tone = CHANGE_VERBS[row.history_type]
        model = row.instance_type
        account_id = row.id if model is Account else row.account_id
        result.append(
            {
                "when": timezone.localtime(row.history_date),
                "who": row.who or _("The platform"),
                "kind": capfirst(model._meta.verbose_name),
                "what": names.name_row(row),
                "verb": make_badge("", verb, tone),
                "reason": row.history_change_reason or "",
                "account": accounts.get(account_id, ""),
                "fields": list(list_row_differences(row, names)),
                "url": make_history_url(
                    kind=next(code for code, one in HISTORY_KINDS.items() if one is model),
                    id=row.id,
                ),
            }
        )
    return result


def list_row_differences(row: Any, names: HistoryNames) -> Iterator[tuple[Any, str, str]]:
    """(field, before, after) of what changed; of a new or deleted row what it held."""
    for field in row.tracked_fields:
        if field.name in HIDDEN_HISTORY_COLUMNS or (
            row.instance_type is Tag and field.name != "selected"
        ):
            continue
        now = names.describe_value(field, getattr(row, field.attname))
        then = names.describe_value(field, getattr(row.before, field.attname)) if row.before else ""
        if row.instance_type is Tag and not row.before:
            # Sansan makes tags, not we: the first that is known of one is that it was selected, or
            # no longer.
            then = names.describe_value(field, not row.selected)
        if row.history_type == "-":
            then, now = now, ""
        if then != now:
            yield capfirst(field.verbose_name), then, now


class HistoryNames:
    """What the rows that a change points at are called, read once for a page."""

    def __init__(self, shown: Iterable[Any]) -> None:
        shown = list(shown)
        rules = {row.rule_id for row in shown if row.instance_type is FieldMapping}
        ends = {
            key
            for row in shown
            if row.instance_type is SyncRule
            for key in (row.sansan_id, row.hubspot_id)
        }
        ends |= {
            key
            for row in shown
            if row.before and row.instance_type is SyncRule
            for key in (row.before.sansan_id, row.before.hubspot_id)
        }
        ends |= {row.connection_id for row in shown if row.instance_type is Tag}
        users = {row.user_id for row in shown if row.instance_type is Membership}
        with all_accounts():
            self.rules = dict(SyncRule.objects.filter(pk__in=rules).values_list("pk", "slug"))
            self.connections = dict(
                Connection.objects.filter(pk__in=ends).values_list("pk", "slug")
            )
        self.users = dict(User.objects.filter(pk__in=users).values_list("pk", "username"))

    def name_row(self, row: Any) -> str:
        model = row.instance_type
        if model is FieldMapping:
            return (
                f"{self.rules.get(row.rule_id, row.rule_id)}: {row.expression or row.sansan} → "
                f"{row.hubspot}"
            )
        if model is Membership:
            return str(self.users.get(row.user_id, row.user_id))
        if model is Tag:
            return f"{self.connections.get(row.connection_id, row.connection_id)}: {row.name}"
        return str(row.name if model is Account else row.slug)

    def describe_value(self, field: Any, value: Any) -> str:
        if isinstance(field, ForeignKey):
            names = self.users if field.name == "user" else self.connections
            return str(names.get(value, value or ""))
        if field.choices:
            return str(dict(field.flatchoices).get(value, value))
        if isinstance(value, bool):
            return str(_("yes") if value else _("no"))
        if value in (None, "", [], {}):
            return ""
        return (
            describe_json_value(field.name, value) if isinstance(value, dict | list) else str(value)
        )


def describe_json_value(name: str, value: Any) -> str:
    """A field that holds rows, a line for each."""
    if name == "filters":
        return "\n".join(
            describe_side_criterion(side, row)
            for side, rows in sorted(value.items())
            for row in rows
        )
    if name == "limits":
        words = {
            "creates": _("New contacts: at most %(n)s"),
            "updates": _("Changed contacts: at most %(n)s"),
        }
        return "\n".join(
            words[what] % {"n": show_number(most)} for what, most in sorted(value.items())
        )
    if name == "table":
        return "\n".join(f"{have} → {becomes}" for have, becomes in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def describe_side_criterion(side: str, row: dict[str, str]) -> str:
    """A property of a contact keeps the name that HubSpot gives it."""
    name = row["field"]
    words = describe_condition(
        CARD_FIELDS.get(name, name) if side == "cards" else name, row["op"], row.get("value", "")
    )
    return (_("Card: %(criterion)s") if side == "cards" else _("Contact: %(criterion)s")) % {
        "criterion": words
    }
