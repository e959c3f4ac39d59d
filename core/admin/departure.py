"""Departures: what became of accounts that were deleted. For those who run the platform."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import PlatformRights, ReadOnlyAdmin, display, site
from core.models import Departure


@admin.register(Departure, site=site)
class DepartureAdmin(PlatformRights, ReadOnlyAdmin):
    empty_text = gettext_lazy("No account was deleted yet.")
    list_display = ("name", "slug", "state", "rows", "asked_by", "asked_at", "ended_at")
    fields = (
        "name",
        "slug",
        "state",
        "reason",
        "asked_by",
        "asked_at",
        "exported_at",
        "ended_at",
        "rows",
        "tables",
    )
    readonly_fields = fields
    ordering = ("-pk",)

    @display(description=gettext_lazy("state"), label={"ended": "success", "going": "warning"})
    def state(self, obj: Departure) -> tuple[str, str]:
        return ("ended", _("Deleted")) if obj.ended_at else ("going", _("Being deleted"))

    @display(description=gettext_lazy("rows deleted"))
    def rows(self, obj: Departure) -> str:
        return f"{sum(obj.counts.values()):,}"

    @display(description=gettext_lazy("of which"))
    def tables(self, obj: Departure) -> str:
        return ", ".join(f"{table}: {n:,}" for table, n in sorted(obj.counts.items()))
