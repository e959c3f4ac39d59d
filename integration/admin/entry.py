"""The audit log: what became of each record, when, why, and what it was before.

Stays quick with a million rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin.base import AccountFilter, PanelAdmin, display, site
from core.admin.paginator import MOST_ROWS_COUNTED
from core.roles import EXPORT, may
from core.switcher import select_seen_accounts
from integration.admin.parts import clash, diff, filters, search
from integration.admin.parts.export import as_csv
from integration.admin.parts.filters import DaysFilter, ReasonFilter, RuleFilter, RunFilter
from integration.admin.parts.links import make_list_url, make_page_url
from integration.admin.parts.said import show_reason
from integration.admin.parts.shown import (
    explain_reason,
    make_badge,
    make_choice_badge,
    show_duration,
)
from integration.models import AuditEntry, Connection, Record
from integration.planning.decisions import NEW_CARD
from integration.planning.normalize import normalize_email
from integration.rules.as_plan import name_tags

log = structlog.get_logger()


@admin.register(AuditEntry, site=site)
class AuditEntryAdmin(PanelAdmin):
    empty_text = gettext_lazy("What becomes of each record stands here, from the first run on.")
    list_display = (
        "planned",
        "who",
        "account",
        "decision_badge",
        "why",
        "outcome_badge",
        "rule_name",
        "run_number",
    )
    list_filter = (
        DaysFilter,
        RuleFilter,
        RunFilter,
        ("outcome", ChoicesDropdownFilter),
        ("decision", ChoicesDropdownFilter),
        ReasonFilter,
        AccountFilter,
    )
    list_before_template = "admin/integration/entry_export.html"
    # The box is shown for these; what it asks is in get_search_results.
    search_fields = ("email",)
    search_help_text = search.SEARCH_HELP
    # No index sorts a million rows by any other column.
    sortable_by = ()
    change_form_outer_before_template = "admin/integration/entry_panel.html"

    def list_accounts_of(self, request: HttpRequest) -> list[int]:
        return filters.find_filtered_accounts(request) or super().list_accounts_of(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return super().get_queryset(request).select_related("rule", "account")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Days are found in the index of times, which gives them in its own order."""
        return (
            ("-planned_at", "-id")
            if request.GET.get("day_from") or request.GET.get("day_to")
            else ("-id",)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(email=normalize_email(term)).exclude(email=""), False
        # An entry outlives its record, so the term may be a card that only the log still knows.
        cards = {term, *search.find_people(request, term).values()}
        # Keys first and unordered: asked for the newest, the database would walk the whole log to
        # avoid a sort.
        return queryset.filter(
            pk__in=list(
                queryset.filter(card_id__in=cards)
                .order_by()
                .values_list("pk", flat=True)[:MOST_ROWS_COUNTED]
            )
        ), False

    def get_urls(self) -> list[URLPattern]:
        export = path(
            "export/", self.admin_site.admin_view(self.export), name="integration_auditentry_export"
        )
        return [export, *super().get_urls()]

    def list_exportable(self, request: HttpRequest) -> list[int]:
        """Who may export in one account only takes nothing out of the others."""
        return [
            pk
            for pk in select_seen_accounts(request).values_list("pk", flat=True)
            if may(request.user, pk, EXPORT)
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        return super().changelist_view(
            request, {"may_export": self.is_allowed(request, None, EXPORT), **(extra_context or {})}
        )

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The list as it is filtered. Reading only, so a plain link may lead here."""
        if not self.is_allowed(request, None, EXPORT):
            raise PermissionDenied
        try:
            entries = self.get_changelist_instance(request).queryset.filter(
                account__in=self.list_exportable(request)
            )
        except IncorrectLookupParameters:
            return redirect(make_list_url(AuditEntry))
        log.info("audit_log_exported", user=request.user.pk, filters=sorted(request.GET))
        return as_csv(entries)

    def make_page_context(self, request: HttpRequest, obj: AuditEntry) -> dict[str, Any]:
        record = Record.objects.filter(pk=obj.record_id).first()
        # Not the whole connection: a lost encryption key must not take the log down.
        schema = (
            Connection.objects.filter(pk=obj.rule.hubspot_id)
            .values_list("schema", flat=True)
            .first()
            or {}
        )
        return {
            "entry": obj,
            "decision": self.decision_badge(obj),
            "outcome": self.outcome_badge(obj),
            "sentence": explain_reason(obj.reason),
            "changes": diff.list_change_lines(obj, schema, name_tags([obj.rule.sansan_id])),
            "is_card": obj.reason == NEW_CARD,
            "clashes": clash.list_clash_lines(obj.clashes, {}, schema),
            "stages": list_entry_stages(obj),
            "rule_url": make_page_url(obj.rule),
            "record_url": make_page_url(record) if record else "",
            "run_url": make_page_url(obj.run),
            "others": list_entry_lines(
                AuditEntry.objects.filter(account=obj.account_id, card_id=obj.card_id).exclude(
                    pk=obj.pk
                )[:10],
                of=obj.rule_id,
            ),
            "others_url": make_list_url(AuditEntry, q=obj.card_id),
        }

    @display(description=gettext_lazy("planned"))
    def planned(self, obj: AuditEntry) -> str:
        return f"{timezone.localtime(obj.planned_at):%Y-%m-%d %H:%M:%S}"

    @display(description=gettext_lazy("person"))
    def who(self, obj: AuditEntry) -> SafeString:
        second = obj.email or obj.card_id
        return format_html(
            '<span class="mb-two">{}<small>{}</small></span>',
            obj.name or obj.card_id or "–",
            second,
        )

    @display(description=gettext_lazy("decision"))
    def decision_badge(self, obj: AuditEntry) -> SafeString:
        return make_choice_badge(obj, "decision")

    @display(description=gettext_lazy("reason"))
    def why(self, obj: AuditEntry) -> SafeString:
        return show_reason(obj)

    @display(description=gettext_lazy("outcome"))
    def outcome_badge(self, obj: AuditEntry) -> SafeString:
        return make_choice_badge(obj, "outcome") or make_badge("running", _("Open"))

    @display(description=gettext_lazy("rule"))
    def rule_name(self, obj: AuditEntry) -> str:
        return str(obj.rule.slug)

    @display(description=gettext_lazy("run"))
    def run_number(self, obj: AuditEntry) -> SafeString:
        return format_html('<a class="text-link" href="?run={}">#{}</a>', obj.run_id, obj.run_id)


def list_entry_stages(entry: AuditEntry) -> list[dict[str, Any]]:
    """When the entry came through each stage, and how long it took from the one before."""
    moments = (
        (_("Changed"), entry.changed_at),
        (_("Read"), entry.read_at),
        (_("Planned"), entry.planned_at),
        (_("Sent"), entry.sent_at),
        (_("Confirmed"), entry.closed_at),
    )
    rows: list[dict[str, Any]] = []
    last: datetime | None = None
    for label, moment in moments:
        delay = "+" + show_duration((moment - last).total_seconds()) if moment and last else ""
        shown = f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else "–"
        rows.append({"label": label, "time": shown, "delay": delay, "done": bool(moment)})
        last = moment or last
    return rows


def list_entry_lines(entries: QuerySet[AuditEntry], of: int = 0) -> list[dict[str, Any]]:
    """Entries as lines of another page, ``of`` a rule; each names its rule where they are of
    several.
    """
    rows = list(entries.select_related("rule"))
    several = len({entry.rule_id for entry in rows} | ({of} if of else set())) > 1
    return [
        {
            "url": make_page_url(entry),
            "time": f"{timezone.localtime(entry.planned_at):%Y-%m-%d %H:%M:%S}",
            "decision": make_choice_badge(entry, "decision"),
            "outcome": make_choice_badge(entry, "outcome") or make_badge("running", _("Open")),
            "sentence": explain_reason(entry.reason),
            "rule": entry.rule.slug if several else "",
            "changed": ", ".join(list(entry.after)[:6]),
            "stages": [stage for stage in list_entry_stages(entry) if stage["done"]]
            if entry.sent_at
            else [],
        }
        for entry in rows
    ]
