"""Accounts: superusers make them, members see theirs, an owner may change name, time zone,
retention and the domains of providers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from core.admin.base import ScopedAdmin, display, site
from core.models import Account
from core.roles import EDIT, OWN
from core.switcher import select_seen_accounts


@admin.register(Account, site=site)
class AccountAdmin(ScopedAdmin):
    list_display: tuple[str, ...] = ("name", "slug", "timezone", "members", "active")
    search_fields = ("name", "slug")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "slug",
                    "timezone",
                    "retention_days",
                    "provider_domains",
                    "active",
                    "created_at",
                )
            },
        ),
    )
    readonly_fields = ("created_at",)
    ordering = ("slug",)
    formfield_overrides: ClassVar = {
        models.TextField: {
            "widget": UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"})
        }
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        rows: QuerySet[Account] = super().get_queryset(request)
        counted = rows.annotate(members=Count("memberships", distinct=True))
        return counted.filter(pk__in=select_seen_accounts(request).values("pk"))

    def is_allowed(self, request: HttpRequest, obj: Any, action: str) -> bool:
        """Changing an account is its owner's affair, not an editor's."""
        return super().is_allowed(request, obj, OWN if action == EDIT else action)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Its history must outlive a customer's leaving: switch the account off instead.
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Links, commands and configuration files name the slug; stopping a customer is the
        platform's decision.
        """
        fixed = () if request.user.is_superuser else ("slug",)
        # Whether it is active is said on the page that asks why.
        return (*super().get_readonly_fields(request, obj), *fixed, *(("active",) if obj else ()))

    @display(description=_("members"), ordering="members")
    def members(self, obj: Any) -> int:
        return int(obj.members)
