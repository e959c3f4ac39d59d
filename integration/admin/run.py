"""Runs: what each pass of a rule did, live while it goes on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin.base import AccountFilter, PanelAdmin, display, site
from integration.admin.parts import filters
from integration.admin.parts.filters import RuleFilter
from integration.admin.parts.links import make_health_url, make_list_url, make_page_url
from integration.admin.parts.said import describe_notes
from integration.admin.parts.shown import (
    TONES,
    explain_reason,
    make_choice_badge,
    show_counters,
    show_duration,
    show_moment,
    show_number,
)
from integration.models import AuditEntry, SyncRun

# Counter -> its word on a tile, in the order of the sum: they add up to what was read.
COUNTER_WORDS = {
    "created": gettext_lazy("created"),
    "updated": gettext_lazy("updated"),
    "linked": gettext_lazy("linked"),
    "unchanged": gettext_lazy("unchanged"),
    "merged": gettext_lazy("merged"),
    "excluded": gettext_lazy("excluded"),
    "held": gettext_lazy("held"),
    "failed": gettext_lazy("failed"),
    "waiting": gettext_lazy("waiting"),
}


@admin.register(SyncRun, site=site)
class SyncRunAdmin(PanelAdmin):
    empty_text = gettext_lazy(
        "Every pass of a rule stands here, live while it goes on. None has run yet."
    )
    list_display = (
        "number",
        "rule_name",
        "account",
        "kind_name",
        "by",
        "state_badge",
        "came_of_it",
        "took",
        "asked",
    )
    list_filter = (
        RuleFilter,
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        AccountFilter,
    )
    sortable_by = ()
    ordering = ("-id",)
    change_form_outer_before_template = "admin/integration/run_panel.html"

    class Media:
        js = ("integration/run.js",)

    def list_accounts_of(self, request: HttpRequest) -> list[int]:
        return filters.find_filtered_accounts(request) or super().list_accounts_of(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        return super().get_queryset(request).select_related("rule", "account")

    def get_urls(self) -> list[URLPattern]:
        progress = path(
            "<int:object_id>/progress/",
            self.admin_site.admin_view(self.show_progress),
            name="integration_syncrun_progress",
        )
        return [progress, *super().get_urls()]

    def show_progress(self, request: HttpRequest, object_id: int) -> JsonResponse:
        """What changes while a run goes on. Reads one row: the counters are on the run."""
        run = self.get_object(request, str(object_id))
        if run is None or not self.has_view_permission(request, run):
            raise Http404
        return JsonResponse(make_run_progress(run))

    def make_page_context(self, request: HttpRequest, obj: SyncRun) -> dict[str, Any]:
        return {
            "run": obj,
            "live": make_run_progress(obj),
            "tiles": [
                (
                    name,
                    word,
                    show_number(obj.counts[name]),
                    TONES.get(name, "plain"),
                    not obj.counts[name],
                )
                for name, word in COUNTER_WORDS.items()
            ],
            "rule_url": make_page_url(obj.rule),
            "health_url": make_health_url(obj.rule),
            "entries_url": make_list_url(AuditEntry, run=obj.pk),
            "progress_url": reverse("admin:integration_syncrun_progress", args=[obj.pk]),
            "by": self.by(obj),
            "asked": show_moment(obj.created_at),
        }

    @display(description=gettext_lazy("run"))
    def number(self, obj: SyncRun) -> str:
        return f"#{obj.pk}"

    @display(description=gettext_lazy("rule"))
    def rule_name(self, obj: SyncRun) -> str:
        return str(obj.rule.slug)

    @display(description=gettext_lazy("kind"))
    def kind_name(self, obj: SyncRun) -> str:
        return str(obj.get_kind_display())

    @display(description=gettext_lazy("started by"))
    def by(self, obj: SyncRun) -> str:
        return str(obj.started_by or obj.get_trigger_display())

    @display(description=gettext_lazy("state"))
    def state_badge(self, obj: SyncRun) -> SafeString:
        return make_choice_badge(obj, "state")

    @display(description=gettext_lazy("what came of it"))
    def came_of_it(self, obj: SyncRun) -> SafeString:
        return show_counters(obj)

    @display(description=gettext_lazy("took"))
    def took(self, obj: SyncRun) -> SafeString:
        return format_html('<span class="mb-pair">{}</span>', show_duration(obj.seconds) or "–")

    @display(description=gettext_lazy("started"))
    def asked(self, obj: SyncRun) -> Any:
        return show_moment(obj.started_at or obj.created_at)


def make_run_progress(run: SyncRun) -> dict[str, Any]:
    """The changing part of a run's page, as texts: the page and its poll show the same."""
    counts = run.counts
    settled = counts["read"] - counts["waiting"]
    return {
        "open": run.is_open,
        "state": str(run.get_state_display()),
        "tone": TONES.get(run.state, "plain"),
        "texts": {
            **{name: show_number(n) for name, n in counts.items()},
            "took": show_duration(run.seconds) or "–",
            "calls_sansan": show_number(run.calls_sansan),
            "calls_hubspot": show_number(run.calls_hubspot),
            "rate_limited": show_number(run.rate_limited),
            "ended": show_exact_time(run.ended_at),
            "status": describe_run_status(run, settled),
        },
        "zero": [name for name, n in counts.items() if not n],
        "settled": settled,
        "read": counts["read"],
        "problem": {
            "sentence": explain_reason(run.reason) if run.reason else "",
            "detail": describe_notes(run.detail),
        },
        "reasons": [
            {
                "code": code,
                "n": show_number(n),
                "sentence": explain_reason(code),
                "url": make_list_url(AuditEntry, run=run.pk, reason=code),
            }
            for code, n in sorted(run.reasons.items(), key=lambda pair: (-int(pair[1]), pair[0]))
            if not code.startswith("_")
        ],
    }


def describe_run_status(run: SyncRun, settled: int) -> str:
    """One sentence for eyes and screen readers."""
    numbers = {"settled": show_number(settled), "read": show_number(run.read)}
    if run.state == SyncRun.State.QUEUED:
        return _("Queued: a worker takes it up in a moment.")
    if run.is_open and not run.read_done:
        return _("Reading: %(read)s so far, %(settled)s settled.") % numbers
    if run.is_open:
        return _("All is read; %(settled)s of %(read)s settled.") % numbers
    if run.is_preview:
        return _("Preview: this is what would happen. Nothing was written anywhere.")
    return _("%(settled)s of %(read)s records settled.") % numbers


def show_exact_time(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else "–"
