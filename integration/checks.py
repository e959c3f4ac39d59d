"""Checks at start-up of the sync."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def check_vendor_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    wrong = [
        name
        for name in ("SANSAN_API_URL", "HUBSPOT_API_URL")
        if not getattr(settings, name).startswith(("http://", "https://"))
    ]
    return [
        Error(f"{name} must begin with http:// or https://.", id="integration.E001")
        for name in wrong
    ]
