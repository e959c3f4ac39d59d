"""The admin site of the product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import Resolver404, URLPattern, path, resolve, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from core.switcher import make_account_choices, switch_account


class Site(UnfoldAdminSite):
    """Unregistered third-party models never show up here, so the queue's own admin stays closed."""

    # What the overview shows. Set by the app that knows it: the platform itself knows no sync.
    overview: Callable[[HttpRequest], dict[str, Any]] | None = None

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        shown = self.overview(request) if self.overview else {}
        page: TemplateResponse = super().index(request, {**shown, **(extra_context or {})})
        return page

    def get_urls(self) -> list[URLPattern]:
        return [
            path("switch/", self.admin_view(switch_account), name="switch"),
            *super().get_urls(),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "switcher": make_account_choices(request)}

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """unfold's search over the names of pages is not shown, and fails on some addresses."""
        raise Http404

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """unfold's form keeps the destination only where the address names one; without it Django
        goes to a page we do not have.
        """
        if request.method == "GET" and REDIRECT_FIELD_NAME not in request.GET:
            index = reverse("admin:index", current_app=self.name)
            return redirect(f"{request.path}?{REDIRECT_FIELD_NAME}={index}")
        page: HttpResponseBase = super().login(request, extra_context)
        return page

    # Django lets these two pages be kept, but they name the accounts of who is signed in, like
    # every other.
    password_change = method_decorator(never_cache)(UnfoldAdminSite.password_change)
    password_change_done = method_decorator(never_cache)(UnfoldAdminSite.password_change_done)

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Without the entries that would end in "forbidden", and without empty groups.

        The one whose address says most is where one is.
        """
        groups = super().get_sidebar_list(request)
        here = max(
            (str(item["link"]) for group in groups for item in group["items"] if item["active"]),
            key=len,
            default="",
        )
        for group in groups:
            group["items"] = [
                item for item in group["items"] if self.may_open(request, str(item["link"]))
            ]
            for item in group["items"]:
                item["active"] = str(item["link"]) == here
        return [group for group in groups if group["items"]]

    def may_open(self, request: HttpRequest, link: str) -> bool:
        try:
            view = resolve(link).func
        except Resolver404:
            return True
        own = getattr(getattr(view, "view_class", None), "may_open", None)
        if own:
            return bool(own(request))
        page = getattr(view, "model_admin", None)
        return page is None or bool(page.has_view_permission(request))


site = Site(name="admin")
