"""Heartbeats: whether the workers work. For those who run the platform."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import PlatformRights, ReadOnlyAdmin, display, site
from integration.admin.parts.shown import make_badge, show_moment
from integration.models import Heartbeat

# The tick comes every half minute, so several of them were missed by then.
LONGEST_HEARTBEAT_GAP = timedelta(minutes=3)


def is_worker_quiet(moment: datetime | None) -> bool:
    return moment is None or moment < timezone.now() - LONGEST_HEARTBEAT_GAP


@admin.register(Heartbeat, site=site)
class HeartbeatAdmin(PlatformRights, ReadOnlyAdmin):
    list_display = ("host", "pulse", "beat", "ticked")
    ordering = ("host",)
    fields = ("host", "pulse", "beat", "ticked")
    readonly_fields = fields

    @display(description=gettext_lazy("state"))
    def pulse(self, obj: Heartbeat) -> SafeString:
        return (
            make_badge("", _("Quiet"), "bad")
            if is_worker_quiet(obj.beat_at)
            else make_badge("", _("Working"), "good")
        )

    @display(description=gettext_lazy("last beat"), ordering="beat_at")
    def beat(self, obj: Heartbeat) -> Any:
        return show_moment(obj.beat_at)

    @display(description=gettext_lazy("last tick"), ordering="ticked_at")
    def ticked(self, obj: Heartbeat) -> Any:
        return show_moment(obj.ticked_at)
