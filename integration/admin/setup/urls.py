"""The addresses of the set-up, under those of the rules."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from integration.admin.setup.configure import Configure, TryMappings
from integration.admin.setup.connect import Connect, ConnectionSeen
from integration.admin.setup.limit import Limit
from integration.admin.setup.oauth import OAuthBack
from integration.admin.setup.review import Review, ReviewSeen
from integration.admin.setup.tags import Tags, TagsSeen


class SetupMixin:
    """For the ModelAdmin of the rules."""

    def setup_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view.as_view(page=self)), name=f"integration_setup{name}")  # type: ignore[attr-defined]

        return [
            page("setup/", Connect, ""),
            page("setup/connection/<int:connection_id>/", ConnectionSeen, "_connection"),
            page("setup/hubspot/", OAuthBack, "_oauth"),
            page("<int:rule_id>/setup/connect/", Connect, "_connect"),
            page("<int:rule_id>/setup/tags/", Tags, "_tags"),
            page("<int:rule_id>/setup/tags/count/", TagsSeen, "_tags_count"),
            page("<int:rule_id>/setup/configure/", Configure, "_configure"),
            page("<int:rule_id>/setup/configure/try/", TryMappings, "_try"),
            page("<int:rule_id>/setup/limit/", Limit, "_limit"),
            page("<int:rule_id>/setup/review/", Review, "_review"),
            page("<int:rule_id>/setup/review/state/", ReviewSeen, "_review_state"),
        ]
