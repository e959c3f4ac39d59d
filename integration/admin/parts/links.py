"""Addresses of pages: of ours in the admin, and of both vendors' own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db.models import Model
from django.urls import reverse
from django.utils.translation import gettext_lazy

from integration.models import SyncRule


def make_health_url(rule: SyncRule, **shown: str) -> str:
    url = reverse("admin:integration_health", args=[rule.pk])
    return f"{url}?{urlencode(shown)}" if shown else url


def make_history_url(**shown: Any) -> str:
    return f"{reverse('admin:integration_history')}?{urlencode(shown)}"


def make_hubspot_contact_url(rule: SyncRule, contact_id: str) -> str:
    """The contact where people see it. Its address is known once the connection was tested."""
    portal = rule.hubspot.remote_id
    return (
        f"{settings.HUBSPOT_APP_URL.rstrip('/')}/contacts/{portal}/record/0-1/{contact_id}"
        if contact_id and portal
        else ""
    )


def make_sansan_card_url(card_id: str) -> str:
    return settings.SANSAN_CARD_URL.replace("{id}", quote(card_id, safe="")) if card_id else ""


# Name -> what the stepper says, in their order.
SETUP_STEPS = {
    "connect": gettext_lazy("Connect"),
    "tags": gettext_lazy("Tags"),
    "configure": gettext_lazy("Configure"),
    "limit": gettext_lazy("Limit"),
    "review": gettext_lazy("Review"),
}


def make_step_url(name: str, rule: SyncRule | None = None) -> str:
    return (
        reverse(f"admin:integration_setup_{name}", args=[rule.pk])
        if rule
        else reverse("admin:integration_setup")
    )


def make_resume_url(rule: SyncRule) -> str:
    """Where a draft was left."""
    return make_step_url(rule.setup_step if rule.setup_step in SETUP_STEPS else "tags", rule)


def make_page_url(obj: Model) -> str:
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])


def make_list_url(model: type[Model], **filters: Any) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url
