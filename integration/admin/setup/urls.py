"""The addresses of the set-up, under those of the rules."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path
from django.views import View

from integration.admin.setup.configure import ConfigureStep, TryMappings
from integration.admin.setup.connect import ConnectionProgress, ConnectStep
from integration.admin.setup.limit import LimitStep
from integration.admin.setup.oauth import OAuthReturn
from integration.admin.setup.review import ReviewProgress, ReviewStep
from integration.admin.setup.tags import TagsProgress, TagsStep


class SetupMixin:
    """For the ModelAdmin of the rules."""

    admin_site: AdminSite  # the page's

    def make_setup_urls(self) -> list[URLPattern]:
        def page(route: str, view: type[View], name: str) -> URLPattern:
            return path(
                route,
                self.admin_site.admin_view(view.as_view(page=self)),
                name=f"integration_setup{name}",
            )

        return [
            page("setup/", ConnectStep, ""),
            page("setup/connection/<int:connection_id>/", ConnectionProgress, "_connection"),
            page("setup/hubspot/", OAuthReturn, "_oauth"),
            page("<int:rule_id>/setup/connect/", ConnectStep, "_connect"),
            page("<int:rule_id>/setup/tags/", TagsStep, "_tags"),
            page("<int:rule_id>/setup/tags/count/", TagsProgress, "_tags_count"),
            page("<int:rule_id>/setup/configure/", ConfigureStep, "_configure"),
            page("<int:rule_id>/setup/configure/try/", TryMappings, "_try"),
            page("<int:rule_id>/setup/limit/", LimitStep, "_limit"),
            page("<int:rule_id>/setup/review/", ReviewStep, "_review"),
            page("<int:rule_id>/setup/review/state/", ReviewProgress, "_review_state"),
        ]
