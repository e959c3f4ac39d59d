"""Rules: what syncs, how, where its records stand, and the buttons that set it going."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin.base import AccountFilter, ScopedAdmin, display, site
from core.history import create_with_history
from core.roles import EDIT, HISTORY_RIGHT
from integration.admin.health import HealthMixin
from integration.admin.history import HistoryMixin
from integration.admin.parts.filters import DiscardedFilter
from integration.admin.parts.links import (
    make_health_url,
    make_history_url,
    make_list_url,
    make_page_url,
    make_resume_url,
    make_step_url,
)
from integration.admin.parts.said import describe_notes
from integration.admin.parts.shown import make_choice_badge, show_moment, show_number
from integration.admin.parts.standing import (
    count_records_by_bucket,
    make_bucket_tiles,
    show_waiting_and_failing,
)
from integration.admin.rule_buttons import RuleButtons, has_left_traces
from integration.admin.rule_form import MappingInline, RuleForm
from integration.admin.setup.urls import SetupMixin
from integration.models import Connection, FieldMapping, SyncRule, SyncRun
from integration.rules.as_plan import list_mapping_problems
from integration.rules.file import make_default_mappings
from integration.rules.recheck import RuleState, pause_rule_for_change, require_recheck

BUDGET_FIELDS = ("limit_creates", "limit_updates")
CARD_MAKING_FIELDS = ("card_cap", "marker")


def make_setup_url(rule: SyncRule) -> str:
    """Where the set-up of a draft goes on, or that of a rule begins to be changed."""
    if rule.discarded_at:
        return ""
    return make_resume_url(rule) if rule.state == RuleState.DRAFT else make_step_url("tags", rule)


@admin.register(SyncRule, site=site)
class SyncRuleAdmin(SetupMixin, HealthMixin, HistoryMixin, RuleButtons, ScopedAdmin):
    form = RuleForm
    inlines = (MappingInline,)
    empty_begin = (gettext_lazy("Set up a sync"), "admin:integration_setup")
    empty_text = gettext_lazy(
        "A rule joins a Sansan and a HubSpot connection. It begins as a draft, and nothing runs "
        "until it is switched on."
    )
    list_display = ("slug", "account", "state_badge", "ends", "checked", "due", "standing")
    list_filter = (("state", ChoicesDropdownFilter), DiscardedFilter, AccountFilter)
    search_fields = ("slug",)
    ordering = ("account", "slug")
    change_form_outer_before_template = "admin/integration/rule_panel.html"
    list_before_template = "admin/integration/rule_begin.html"
    fieldsets = (
        (None, {"fields": ("account", "slug", ("sansan", "hubspot"), "direction")}),
        (gettext_lazy("Which people"), {"fields": ("require_email", "filters")}),
        (gettext_lazy("Conflicts"), {"fields": ("conflict", "when_gone", "companies")}),
        (gettext_lazy("HubSpot to Sansan"), {"fields": CARD_MAKING_FIELDS}),
        (gettext_lazy("Change budget"), {"fields": BUDGET_FIELDS}),
        (gettext_lazy("How often"), {"fields": ("interval", "full_every", "sweep_every")}),
    )

    def get_urls(self) -> list[URLPattern]:
        return [
            *self.make_setup_urls(),
            *self.make_health_urls(),
            *self.make_history_urls(),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRule]:
        # No page of a rule shows a credential, and one under a lost key must not raise for a list.
        rows = super().get_queryset(request).select_related("account", "sansan", "hubspot")
        return rows.defer(
            "sansan__credentials", "sansan__schema", "hubspot__credentials", "hubspot__schema"
        )

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """A new rule begins with the default mappings, to be reviewed once it is there."""
        return self.inlines if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The change budget's two fields exist in the form only; a tag can be chosen once the
        connection is.
        """
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return [
                (
                    title,
                    {**options, "fields": ["card_cap"]}
                    if tuple(options["fields"]) == CARD_MAKING_FIELDS
                    else options,
                )
                for title, options in fieldsets
            ]
        if self.has_change_permission(request, obj):
            return fieldsets
        return [
            (
                title,
                {**options, "fields": ["budget"]}
                if tuple(options["fields"]) == BUDGET_FIELDS
                else options,
            )
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Records and links hang on the connections of a rule that has run."""
        fixed = ("sansan", "hubspot") if obj and obj.runs.exists() else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and has_left_traces(obj))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Counts the records of the rules on this page, in one query."""
        changelist = super().get_changelist_instance(request)
        stand = count_records_by_bucket([rule.pk for rule in changelist.result_list])
        for rule in changelist.result_list:
            rule.stand = stand.get(rule.pk, {})
        return changelist

    def save_model(self, request: HttpRequest, obj: SyncRule, form: Any, change: bool) -> None:
        # Only what the form asked for: workers move the cursor and the state at the same time.
        obj.save(update_fields=form.columns if change else None)
        if change and "direction" in form.changed_data and pause_rule_for_change(obj, request.user):
            # What is made in Sansan cannot be taken back: nobody switches that on without having
            # looked.
            messages.warning(
                request,
                _(
                    "The rule is paused, because its direction was changed: review it, then "
                    "save and sync."
                ),
            )
        if not change:
            create_with_history(
                [
                    FieldMapping(account_id=obj.account_id, rule=obj, position=i, **row)
                    for i, row in enumerate(make_default_mappings())
                ]
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """A new row comes last, unless it was dragged to its place."""
        last = max((row.instance.position for row in formset.initial_forms), default=-1)
        for row in formset.extra_forms:
            if row.has_changed() and not row.instance.position:
                last += 1
                row.instance.position = last
        super().save_formset(request, form, formset, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.decisive or any(formset.has_changed() for formset in formsets):
            require_recheck(form.instance)
            if form.instance.cursor:
                messages.info(request, _("The next run looks at every card again."))

    def response_add(
        self, request: HttpRequest, obj: SyncRule, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(
            request,
            _(
                "The rule is a draft: nothing runs yet. Review the mappings, look at a preview, "
                "then switch it on."
            ),
        )
        return redirect(make_page_url(obj))

    def make_page_context(self, request: HttpRequest, obj: SyncRule) -> dict[str, Any]:
        runs = SyncRun.objects.filter(rule=obj).order_by("-pk")
        return {
            "rule": obj,
            "health_url": make_health_url(obj),
            "history_url": make_history_url(kind="rule", id=obj.pk)
            if self.is_allowed(request, obj, HISTORY_RIGHT)
            else "",
            "setup_url": make_setup_url(obj) if self.is_allowed(request, obj, EDIT) else "",
            "state_badge": self.state_badge(obj),
            "stand": make_bucket_tiles(obj),
            "problems": [describe_notes(each.note) for each in list_mapping_problems(obj)],
            "broken": [
                one
                for one in (obj.sansan, obj.hubspot)
                if one.health == Connection.Health.RECONNECT
            ],
            "last_runs": [
                (
                    make_page_url(run),
                    run,
                    make_choice_badge(run, "state"),
                    show_moment(run.created_at),
                )
                for run in runs[:5]
            ],
            "runs_url": make_list_url(SyncRun, rule=obj.pk),
            "times": [
                (_("last check"), show_moment(obj.checked_at)),
                (_("next check"), self.due(obj)),
                (_("last full check"), show_moment(obj.full_at)),
                (_("read up to"), show_moment(obj.cursor)),
            ],
        }

    @display(description=gettext_lazy("state"), ordering="state")
    def state_badge(self, obj: SyncRule) -> SafeString:
        return make_choice_badge(obj, "state")

    @display(description=gettext_lazy("in one run, at most"))
    def budget(self, obj: SyncRule) -> str:
        shown = {
            name: show_number(obj.limits[name]) if name in obj.limits else _("no limit")
            for name in ("creates", "updates")
        }
        return _("new contacts: %(creates)s; changed contacts: %(updates)s") % shown

    @display(description=gettext_lazy("from → to"))
    def ends(self, obj: SyncRule) -> str:
        arrow = {SyncRule.Direction.TO_HUBSPOT: "→", SyncRule.Direction.TO_SANSAN: "←"}.get(
            SyncRule.Direction(obj.direction), "↔"
        )
        return f"{obj.sansan.slug} {arrow} {obj.hubspot.slug}"

    @display(description=gettext_lazy("last check"), ordering="checked_at")
    def checked(self, obj: SyncRule) -> Any:
        return show_moment(obj.checked_at)

    @display(description=gettext_lazy("next check"), ordering="due_at")
    def due(self, obj: SyncRule) -> Any:
        return show_moment(obj.due_at) if obj.state == RuleState.ACTIVE else "–"

    @display(description=gettext_lazy("waiting / failing"))
    def standing(self, obj: SyncRule) -> SafeString:
        return show_waiting_and_failing(obj, getattr(obj, "stand", {}))
