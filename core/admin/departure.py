"""Departures: what became of accounts that were deleted. For those who run the platform."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import ReadOnlyAdmin, display, site
from core.models import Departure


@admin.register(Departure, site=site)
class DepartureAdmin(ReadOnlyAdmin):
    empty_text = gettext_lazy("No account was deleted yet.")
    list_display = ("name", "slug", "state", "rows", "asked_by", "asked_at", "ended_at")
    fields = ("name", "slug", "state", "reason", "asked_by", "asked_at", "exported_at", "ended_at", "rows", "tables")
    readonly_fields = fields
    ordering = ("-pk",)

    def allowed(self, request: HttpRequest, obj: Any, action: str) -> bool:
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.allowed(request, None, "")

    @display(description=gettext_lazy("state"), label={"ended": "success", "going": "warning"})
    def state(self, obj: Departure) -> tuple[str, str]:
        return ("ended", _("Deleted")) if obj.ended_at else ("going", _("Being deleted"))

    @display(description=gettext_lazy("rows deleted"))
    def rows(self, obj: Departure) -> str:
        return f"{sum(obj.counts.values()):,}"

    @display(description=gettext_lazy("of which"))
    def tables(self, obj: Departure) -> str:
        return ", ".join(f"{table}: {n:,}" for table, n in sorted(obj.counts.items()))
