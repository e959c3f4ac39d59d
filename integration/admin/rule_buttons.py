"""The buttons of a rule: they change its state, or ask the workers for a run."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import button
from core.history import noted
from integration import tasks
from integration.admin.shown import page_url
from integration.models import Connection, SyncRule

State = SyncRule.State
# Which buttons make sense in which state. A held rule first asks for a person's look: resume it, or preview.
FITS = {
    "switch_on": (State.DRAFT,),
    "resume": (State.PAUSED, State.HELD),
    "sync_now": (State.ACTIVE, State.PAUSED),
    "preview": tuple(State),
    "check_everything": (State.ACTIVE, State.PAUSED),
    "pause": (State.ACTIVE,),
}


class RuleButtons:
    buttons = tuple(FITS)

    def button_fits(self, name: str, obj: SyncRule) -> bool:
        return obj.state in FITS[name]

    @button(
        gettext_lazy("Switch on"),
        icon="play_arrow",
        primary=True,
        title=gettext_lazy("Starts the first sync; from then on every change arrives by itself"),
    )
    def switch_on(self, request: HttpRequest, obj: SyncRule) -> HttpResponse | None:
        return self.enqueue(request, obj) if self.move(request, obj, State.ACTIVE) else None

    @button(gettext_lazy("Resume"), icon="play_arrow", primary=True)
    def resume(self, request: HttpRequest, obj: SyncRule) -> None:
        waived = {"waived": True} if obj.state == State.HELD else {}
        if self.move(request, obj, State.ACTIVE, **waived):
            messages.success(request, _("The rule is active again."))

    @button(gettext_lazy("Pause"), icon="pause", title=gettext_lazy("Nothing runs by itself until it is resumed"))
    def pause(self, request: HttpRequest, obj: SyncRule) -> None:
        if self.move(request, obj, State.PAUSED):
            messages.success(request, _("The rule is paused: nothing runs by itself. A run that is going on ends first."))

    @button(gettext_lazy("Sync now"), icon="sync", primary=True)
    def sync_now(self, request: HttpRequest, obj: SyncRule) -> HttpResponse:
        return self.enqueue(request, obj)

    @button(gettext_lazy("Check everything"), icon="fact_check", title=gettext_lazy("Reads every card again, not only what changed"))
    def check_everything(self, request: HttpRequest, obj: SyncRule) -> HttpResponse:
        return self.enqueue(request, obj, full=True)

    @button(gettext_lazy("Preview"), icon="preview", title=gettext_lazy("Shows what would happen; writes nothing"))
    def preview(self, request: HttpRequest, obj: SyncRule) -> HttpResponse:
        return self.enqueue(request, obj, preview=True)

    def enqueue(self, request: HttpRequest, obj: SyncRule, full: bool = False, preview: bool = False) -> HttpResponse:
        run = tasks.enqueue_sync(obj, who=request.user.get_username(), full=full, preview=preview)
        if preview != run.is_preview:
            messages.warning(request, _("Another run of this rule was going on: this is it. Press again when it has ended."))
        return redirect(page_url(run))

    def move(self, request: HttpRequest, obj: SyncRule, state: str, **fields: Any) -> bool:
        """The conditional UPDATE decides which of two people was first."""
        if state == State.ACTIVE and self.refused_key(request, obj):
            return False
        moved = bool(SyncRule.objects.filter(pk=obj.pk, state=obj.state).update(state=state, state_reason="", **fields))
        if moved:
            obj.state = state
            noted([obj], request.user)
        return moved

    def refused_key(self, request: HttpRequest, obj: SyncRule) -> bool:
        refused = [one for one in (obj.sansan, obj.hubspot) if one.health == Connection.Health.RECONNECT]
        for one in refused:
            messages.error(
                request, format_html(_("First enter a new key in <a href='{}'>{}</a>: the one it has was refused."), page_url(one), one.slug)
            )
        return bool(refused)
