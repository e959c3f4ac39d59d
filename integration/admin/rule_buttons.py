"""The buttons of a rule: they change its state, or ask the workers for a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import button
from core.admin.buttons import ButtonsMixin
from core.history import keep_history
from core.roles import EDIT
from integration import tasks
from integration.admin.parts.links import make_page_url, make_step_url
from integration.models import Connection, SyncRule
from integration.rules.recheck import RuleState

# Which buttons make sense in which state. A held rule first asks for a person's look: resume it, or
# preview.
BUTTON_STATES = {
    "switch_on": (RuleState.DRAFT,),
    "resume": (RuleState.PAUSED, RuleState.HELD),
    "sync_now": (RuleState.ACTIVE, RuleState.PAUSED),
    "preview": tuple(RuleState),
    "check_everything": (RuleState.ACTIVE, RuleState.PAUSED),
    "pause": (RuleState.ACTIVE,),
    "discard": (RuleState.DRAFT,),
    "bring_back": (RuleState.DRAFT,),
}


def has_left_traces(rule: SyncRule) -> bool:
    """Whether the audit log knows of it: such a rule is not deleted."""
    return bool(rule.runs.exists() or rule.records.exists())


class RuleButtons(ButtonsMixin):
    buttons = tuple(BUTTON_STATES)

    def is_button_fitting(self, name: str, obj: SyncRule) -> bool:
        if obj.state not in BUTTON_STATES[name] or bool(obj.discarded_at) != (name == "bring_back"):
            return False
        return name != "discard" or has_left_traces(obj)

    @button(
        gettext_lazy("Switch on"),
        icon="play_arrow",
        primary=True,
        title=gettext_lazy("Starts the first sync; from then on every change arrives by itself"),
    )
    def switch_on(self, request: HttpRequest, obj: SyncRule) -> HttpResponse | None:
        return self.enqueue(request, obj) if self.move(request, obj, RuleState.ACTIVE) else None

    @button(gettext_lazy("Resume"), icon="play_arrow", primary=True)
    def resume(self, request: HttpRequest, obj: SyncRule) -> None:
        waived = {"waived": True} if obj.state == RuleState.HELD else {}
        if self.move(request, obj, RuleState.ACTIVE, **waived):
            messages.success(request, _("The rule is active again."))

    @button(
        gettext_lazy("Pause"),
        icon="pause",
        title=gettext_lazy("Nothing runs by itself until it is resumed"),
    )
    def pause(self, request: HttpRequest, obj: SyncRule) -> None:
        if self.move(request, obj, RuleState.PAUSED):
            messages.success(
                request,
                _("The rule is paused: nothing runs by itself. A run that is going on ends first."),
            )

    @button(gettext_lazy("Sync now"), icon="sync", primary=True)
    def sync_now(self, request: HttpRequest, obj: SyncRule) -> HttpResponse:
        return self.enqueue(request, obj)

    @button(
        gettext_lazy("Check everything"),
        icon="fact_check",
        title=gettext_lazy("Reads every card again, not only what changed"),
    )
    def check_everything(self, request: HttpRequest, obj: SyncRule) -> HttpResponse:
        return self.enqueue(request, obj, full=True)

    @button(
        gettext_lazy("Preview"),
        icon="preview",
        title=gettext_lazy("Shows what would happen; writes nothing"),
    )
    def preview(self, request: HttpRequest, obj: SyncRule) -> HttpResponse:
        return self.enqueue(request, obj, preview=True)

    @button(
        gettext_lazy("Discard"),
        icon="delete_sweep",
        right=EDIT,
        title=gettext_lazy(
            "Takes this draft out of the lists. What its previews found stays in the audit log, "
            "and it can be brought back."
        ),
    )
    def discard(self, request: HttpRequest, obj: SyncRule) -> HttpResponse | None:
        if not self.put_discarded(request, obj, timezone.now()):
            return None
        messages.success(
            request,
            _(
                "The draft “%(draft)s” is discarded. The filter “discarded” of this list finds "
                "it again."
            )
            % {"draft": obj},
        )
        return redirect("admin:integration_syncrule_changelist")

    @button(gettext_lazy("Bring back"), icon="restore_from_trash", right=EDIT, primary=True)
    def bring_back(self, request: HttpRequest, obj: SyncRule) -> None:
        if self.put_discarded(request, obj, None):
            messages.success(request, _("The draft is back: its set-up goes on where it was left."))

    def put_discarded(self, request: HttpRequest, obj: SyncRule, when: datetime | None) -> bool:
        """Of two people the first is heard; a draft that was switched on meanwhile stays as it
        is.
        """
        rows = SyncRule.objects.filter(
            pk=obj.pk, state=RuleState.DRAFT, discarded_at__isnull=when is not None
        )
        done = bool(rows.update(discarded_at=when))
        if done:
            obj.discarded_at = when
            keep_history([obj], request.user)
        return done

    def enqueue(
        self, request: HttpRequest, obj: SyncRule, full: bool = False, preview: bool = False
    ) -> HttpResponse:
        run = tasks.enqueue_sync(obj, who=request.user.get_username(), full=full, preview=preview)
        if preview != run.is_preview:
            messages.warning(
                request,
                _(
                    "Another run of this rule was going on: this is it. Press again when it has "
                    "ended."
                ),
            )
        return redirect(make_page_url(run))

    def move(self, request: HttpRequest, obj: SyncRule, state: str, **fields: Any) -> bool:
        """The conditional UPDATE decides which of two people was first."""
        if state == RuleState.ACTIVE and (
            self.has_refused_key(request, obj) or self.has_unsaved_tags(request, obj)
        ):
            return False
        rows = SyncRule.objects.filter(pk=obj.pk, state=obj.state, discarded_at__isnull=True)
        moved = bool(rows.update(state=state, state_reason="", **fields))
        if moved:
            obj.state = state
            keep_history([obj], request.user)
        return moved

    def has_unsaved_tags(self, request: HttpRequest, obj: SyncRule) -> bool:
        if obj.picked_tags is None:
            return False
        text = _(
            "Tags were chosen in the set-up and are not saved yet: <a href='{}'>review them, "
            "then save and sync</a>."
        )
        messages.error(request, format_html(text, make_step_url("review", obj)))
        return True

    def has_refused_key(self, request: HttpRequest, obj: SyncRule) -> bool:
        refused = [
            one for one in (obj.sansan, obj.hubspot) if one.health == Connection.Health.RECONNECT
        ]
        for one in refused:
            messages.error(
                request,
                format_html(
                    _("First enter a new key in <a href='{}'>{}</a>: the one it has was refused."),
                    make_page_url(one),
                    one.slug,
                ),
            )
        return bool(refused)
