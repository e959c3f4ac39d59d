"""Review: what a dry run says would happen, row by row; and the one button that begins to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.history import keep_history
from integration import tasks
from integration.admin.parts import diff
from integration.admin.parts.links import (
    make_health_url,
    make_hubspot_contact_url,
    make_page_url,
    make_sansan_card_url,
    make_step_url,
)
from integration.admin.parts.said import describe_notes
from integration.admin.parts.shown import TONES, explain_reason, show_number
from integration.admin.run import COUNTER_WORDS, make_run_progress
from integration.admin.setup.steps import RuleStep
from integration.admin.setup.summary import (
    describe_preview_effect,
    list_differing_rules,
    summarize_rule,
)
from integration.models import AuditEntry, Connection, SyncRule, SyncRun
from integration.planning.decisions import EXCLUDED_REASONS, MERGED_REASONS, NEW_CARD
from integration.rules.as_plan import list_mapping_problems, name_tags
from integration.rules.companies import select_links_without_company
from integration.rules.recheck import RuleState, list_rules_by_tags, save_tags

REVIEW_ROWS_A_PAGE = 25
DAILY_CAP_REASON = "daily_cap"
RUNNING_LEAD = gettext_lazy(
    "This sync is running with what you see here. A preview says what its next run would do."
)
UNCHANGED_TILE_REASONS = (
    "in_sync",
    "kept_hubspot",
    "not_taken",
    "has_card",
    "card_exists",
    "contact_merged",
)
# Tile -> the entries that are behind it.
TILE_ENTRIES = {
    "created": Q(decision="create") & ~Q(reason=NEW_CARD),
    "cards": Q(decision="create", reason=NEW_CARD),
    "updated": Q(decision="update"),
    "linked": Q(decision="link"),
    "merged": Q(decision="skip", reason__in=MERGED_REASONS),
    "excluded": Q(decision="skip")
    & ~Q(reason__in=(*MERGED_REASONS, *UNCHANGED_TILE_REASONS, DAILY_CAP_REASON)),
    "held": Q(decision="hold"),
    "unchanged": Q(decision="skip", reason__in=UNCHANGED_TILE_REASONS),
    "waiting": Q(decision="skip", reason=DAILY_CAP_REASON),
}
TILE_MEANINGS = {
    "created": gettext_lazy("New contacts"),
    "cards": gettext_lazy("Cards to be made in Sansan"),
    "updated": gettext_lazy("Contacts that change"),
    "linked": gettext_lazy("Contacts that exist and are linked"),
    "merged": gettext_lazy("Further cards of a person"),
    "excluded": gettext_lazy("Left out"),
    "held": gettext_lazy("Held for a person"),
    "unchanged": gettext_lazy("Already as they should be"),
    "waiting": gettext_lazy("Cards that wait for the following days"),
}
# The two kinds of "created", told apart where there are both.
CREATED_WORDS = {"created": gettext_lazy("new contacts"), "cards": gettext_lazy("new cards")}
# Shown only where there are some.
RARE_TILES = ("cards", "waiting", "failed")


def find_latest_preview(rule: SyncRule) -> SyncRun | None:
    """The newest preview of the configuration as it stands now; of a running sync, none that a run
    has come after.
    """
    found = (
        SyncRun.objects.filter(
            rule=rule, kind=SyncRun.Kind.PREVIEW, created_at__gte=rule.changed_at
        )
        .order_by("-pk")
        .first()
    )
    runs = SyncRun.objects.filter(rule=rule).exclude(kind=SyncRun.Kind.PREVIEW)
    return (
        None
        if found and rule.state == RuleState.ACTIVE and runs.filter(pk__gt=found.pk).exists()
        else found
    )


def is_preview_finished(preview: SyncRun | None) -> bool:
    return preview is not None and preview.state in (SyncRun.State.SUCCEEDED, SyncRun.State.PARTIAL)


class ReviewStep(RuleStep):
    name = "review"
    lead = gettext_lazy(
        "A dry run over everybody who takes part. Nothing has been written yet, in either system."
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        preview = find_latest_preview(self.rule)
        shown = request.GET.get("show", "")
        shown = shown if shown in TILE_ENTRIES else ""
        reason = request.GET.get("reason", "").replace("\0", "")[:64]
        entries = self.list_entries(preview, shown, reason) if preview and shown else None
        return self.render(
            preview=preview,
            ready=is_preview_finished(preview),
            state=describe_preview_state(preview),
            summary=summarize_rule(self.rule),
            effect=describe_preview_effect(self.rule, preview)
            if preview and is_preview_finished(preview)
            else "",
            health_url=make_health_url(self.rule),
            tiles=make_review_tiles(preview, self.rule.sends)
            if is_preview_finished(preview)
            else [],
            sends=self.rule.sends,
            beyond_cap=preview.reasons.get(DAILY_CAP_REASON, 0) if preview else 0,
            shown=shown,
            shown_means=TILE_MEANINGS.get(shown, ""),
            entries=entries,
            reasons=list_tile_reasons(preview, shown) if preview and shown else [],
            reason=reason,
            problems=[
                describe_notes(problem.note)
                for problem in list_mapping_problems(self.rule, preview=True)
            ],
            lead=RUNNING_LEAD if self.rule.state == RuleState.ACTIVE else self.lead,
            running=self.rule.state == RuleState.ACTIVE,
            others=list_rules_by_tags(self.rule),
            other_ways=list_differing_rules(self.rule),
            without_company=count_people_without_company(self.rule),
        )

    def list_entries(self, preview: SyncRun, shown: str, reason: str) -> Page[AuditEntry]:
        rows = select_tile_entries(preview, shown)
        page = Paginator(
            rows.filter(reason=reason) if reason else rows, REVIEW_ROWS_A_PAGE
        ).get_page(self.request.GET.get("page"))
        tags = name_tags([self.rule.sansan_id])
        vars(page)["rows"] = [as_entry_row(entry, self.rule, tags) for entry in page.object_list]
        return page

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("action") == "preview":
            tasks.enqueue_sync(self.rule, who=request.user.get_username(), preview=True)
            return redirect(request.path)
        if request.POST.get("action") != "save":
            return redirect(request.path)
        if self.rule.state != RuleState.ACTIVE and not is_preview_finished(
            find_latest_preview(self.rule)
        ):
            messages.warning(
                request, _("Look at a finished preview first: it says what would be written.")
            )
            return redirect(request.path)
        return self.save_and_sync()

    def save_and_sync(self) -> HttpResponse:
        """The conditional UPDATE decides which of two people was first; the other one comes to the
        same run.
        """
        refused = [
            one
            for one in (self.rule.sansan, self.rule.hubspot)
            if one.health == Connection.Health.RECONNECT
        ]
        if refused:
            messages.error(
                self.request,
                _("%(connection)s needs a new key first.") % {"connection": refused[0].slug},
            )
            return redirect(self.request.path)
        others = list_rules_by_tags(self.rule)
        if others and self.request.POST.get("also") != "1":
            messages.warning(
                self.request,
                _(
                    "%(names)s would follow the new choice of tags: tick that this is meant, "
                    "then save."
                )
                % {"names": ", ".join(others)},
            )
            return redirect(self.request.path)
        # Of a held rule the preview was the look that it waited for.
        waived = {"waived": True} if self.rule.state == RuleState.HELD else {}
        rows = SyncRule.objects.filter(
            pk=self.rule.pk, state__in=(RuleState.DRAFT, RuleState.PAUSED, RuleState.HELD)
        )
        with transaction.atomic():
            if not save_tags(self.rule):
                messages.error(
                    self.request,
                    _(
                        "A tag that was chosen is not there any more, or has become private: "
                        "choose again."
                    ),
                )
                return redirect(make_step_url("tags", self.rule))
            moved = rows.update(
                state=RuleState.ACTIVE, state_reason="", setup_step="", discarded_at=None, **waived
            )
            self.rule.refresh_from_db(fields=["state"])
            if moved:
                keep_history([self.rule], self.request.user, _("Save and sync"))
            run = tasks.enqueue_sync(self.rule, who=self.request.user.get_username())
        messages.success(
            self.request,
            _("The sync is on. This is its first run; from now on every change arrives by itself."),
        )
        return redirect(make_page_url(run))


class ReviewProgress(RuleStep):
    """How far the dry run has come; the page is loaded again when it ends."""

    name = "review"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return render(
            request,
            "admin/setup/preview_state.html",
            {"state": describe_preview_state(find_latest_preview(self.rule)), "rule": self.rule},
        )


def count_people_without_company(rule: SyncRule) -> int:
    """People in sync whose company is to be looked for for the first time, once this is saved."""
    if rule.companies in (SyncRule.Companies.NONE, rule.companies_for_all):
        return 0
    return select_links_without_company(rule).count()


def describe_preview_state(preview: SyncRun | None) -> dict[str, Any]:
    if preview is None:
        return {"done": True, "missing": True}
    shown = make_run_progress(preview)
    return {
        **shown,
        "done": not preview.is_open,
        "failed": not preview.is_open and not is_preview_finished(preview),
        "waiting": preview.state == SyncRun.State.QUEUED,
    }


def make_review_tiles(preview: SyncRun | None, sends: bool) -> list[dict[str, Any]]:
    """The parts of what was read, which they add up to.

    Of a sync in both directions the new cards stand by themselves.
    """
    assert preview is not None
    counts, cards = preview.counts, preview.reasons.get(NEW_CARD, 0)
    counts = {**counts, "created": counts["created"] - cards, "cards": cards}
    words = {**COUNTER_WORDS, **CREATED_WORDS} if sends else COUNTER_WORDS
    return [
        {
            "name": name,
            "word": words[name],
            "n": show_number(counts[name]),
            "zero": not counts[name],
            "tone": TONES.get(name, "good" if name == "cards" else "plain"),
        }
        for name in (*TILE_ENTRIES, "failed")
        if counts[name] or name not in RARE_TILES or (name == "cards" and sends)
    ]


def select_tile_entries(preview: SyncRun, shown: str) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(TILE_ENTRIES[shown], run=preview).order_by("-id")


TILE_REASONS = {
    "merged": MERGED_REASONS,
    "unchanged": UNCHANGED_TILE_REASONS,
    "excluded": EXCLUDED_REASONS,
}


def list_tile_reasons(preview: SyncRun, shown: str) -> list[dict[str, Any]]:
    """The reasons behind a counter, from the run's own count: no row is read for it."""
    return [
        {"code": code, "n": show_number(n), "sentence": explain_reason(code)}
        for code, n in sorted(preview.reasons.items(), key=lambda pair: -int(pair[1]))
        if code in TILE_REASONS.get(shown, ())
    ]


def as_entry_row(entry: AuditEntry, rule: SyncRule, tags: Mapping[str, str]) -> dict[str, Any]:
    """``card``: what changes are fields of a card; else properties of a contact."""
    return {
        "entry": entry,
        "card": entry.reason == NEW_CARD,
        "sentence": explain_reason(entry.reason),
        "url": reverse("admin:integration_record_change", args=[entry.record_id])
        if entry.record_id
        else "",
        "sansan_url": make_sansan_card_url(entry.card_id),
        "hubspot_url": make_hubspot_contact_url(rule, entry.contact_id),
        "changes": diff.list_change_lines(entry, rule.hubspot.schema, tags),
    }
