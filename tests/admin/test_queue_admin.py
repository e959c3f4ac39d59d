"""The queue has no pages: whoever could write its rows could run any code. Nor is Django's own site anywhere."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse

from core.admin.site import site

QUEUE = list(apps.get_app_config("django_q").get_models())
OURS = {"core", "integration"}


def resolvers(patterns):
    for one in patterns:
        yield one
        if isinstance(one, URLResolver):
            yield from resolvers(one.url_patterns)


def test_only_our_models_have_pages():
    assert {model._meta.app_label for model in site._registry} == OURS and len(QUEUE) >= 4


@pytest.mark.parametrize("model", QUEUE, ids=lambda model: model.__name__)
@pytest.mark.parametrize("page", ["changelist", "add"])
def test_no_address_leads_to_the_queue(model, page):
    with pytest.raises(NoReverseMatch):
        reverse(f"admin:django_q_{model._meta.model_name}_{page}")


def test_the_stock_site_is_not_routed():
    """It has the queue's pages, whose author registered them there."""
    assert any(model._meta.app_label == "django_q" for model in admin.site._registry), "then nothing would be tested here"
    found = [one for one in resolvers(get_resolver().url_patterns) if isinstance(one, URLResolver)]
    assert [one.app_name for one in found if one.app_name] == ["admin"]
    stock = {view for one in admin.site.urls[0] if (view := getattr(one, "callback", None))}
    assert not stock & {getattr(one, "callback", None) for one in resolvers(get_resolver().url_patterns)}


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["aiko", "root"])
def test_the_queue_s_addresses_are_not_there(request, who):
    browser = request.getfixturevalue(who)
    for model in QUEUE:
        for url in (f"/admin/django_q/{model._meta.model_name}/", f"/admin/django_q/{model._meta.model_name}/add/", "/admin/django_q/"):
            assert browser.get(url).status_code == browser.post(url, {}).status_code == 404
    assert "django_q" not in str(browser.get("/admin/").context["available_apps"])
