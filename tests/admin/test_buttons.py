"""Buttons: pressed by a person on our own page, and by nothing else."""

from __future__ import annotations

import re

import pytest
from django.db.models import Model
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory

from core.admin.site import site
from core.models import Account, Invitation
from core.roles import EDIT, EXPORT, OPERATE, OWN
from core.tenancy import in_account
from integration.models import Connection, Record, SyncRule, SyncRun
from tests.admin.pages import address, body, page, press

pytestmark = pytest.mark.django_db


def state(acme):
    with in_account(acme.account):
        return SyncRule.objects.get(pk=acme.rule.pk).state


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_a_post_presses(acme, aiko, method):
    assert getattr(aiko, method)(press(acme.rule, "pause")).status_code == 405
    assert state(acme) == "active"


def test_another_site_s_page_presses_nothing(acme):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(acme.owner)
    assert strict.post(press(acme.rule, "pause")).status_code == 403 and state(acme) == "active"
    token = get_token(request := RequestFactory().get("/"))
    strict.cookies["csrftoken"] = request.META["CSRF_COOKIE"]
    strict.post(press(acme.rule, "pause"), {"csrfmiddlewaretoken": token})
    assert state(acme) == "paused"


def test_each_button_of_the_page_is_a_form_of_its_own_with_a_token(acme, aiko):
    seen = body(aiko.get(page(acme.rule)))
    forms = re.findall(
        r'<form method="post" action="([^"]+/press/[^"]+)">(.*?)</form>', seen, re.DOTALL
    )
    assert [url for url, _ in forms] == [
        press(acme.rule, one.name) for one in aiko.get(page(acme.rule)).context["buttons"]
    ]
    assert all("csrfmiddlewaretoken" in inside and 'type="submit"' in inside for _, inside in forms)
    # A form inside the page's own would be dropped by the browser.
    assert seen.index("/press/") < seen.index('id="syncrule_form"')


@pytest.mark.parametrize(
    "name", ["no_such", "delete_model", "get_queryset", "press", "save_model", "__init__"]
)
def test_only_what_is_a_button_can_be_pressed(acme, aiko, name):
    assert aiko.post(press(acme.rule, name)).status_code == 404


def test_a_page_without_buttons_has_none(acme, aiko):
    assert aiko.post(press(acme.entry, "pause")).status_code == 404
    assert "/press/" not in body(aiko.get(page(acme.entry)))
    assert "/press/" not in body(aiko.get(address(SyncRule, "add")))


def test_a_press_comes_back_to_the_page(acme, aiko):
    assert aiko.post(press(acme.rule, "pause")).url == page(acme.rule)


@pytest.mark.parametrize("ben", ["viewer", "auditor"], indirect=True)
def test_who_may_only_look_neither_sees_nor_presses_one(acme, ben):
    for row in (acme.rule, acme.sansan, acme.failing, acme.barred):
        assert ben.get(page(row)).context["buttons"] == []
        assert ben.post(press(row, site.get_model_admin(type(row)).buttons[0])).status_code == 403
    with in_account(acme.account):
        assert SyncRun.objects.count() == 2


RIGHTS: dict[tuple[type[Model], str], str] = {
    (Account, "export"): EXPORT,
    (Account, "resume"): OWN,  # and of the platform's staff, which the page itself asks for
    (Invitation, "send_again"): OWN,
    **dict.fromkeys([(Connection, name) for name in ("test_connection", "refresh_tags")], OPERATE),
    **dict.fromkeys([(Connection, name) for name in ("sign_in", "accept_account")], EDIT),
    **dict.fromkeys(
        [
            (SyncRule, name)
            for name in ("switch_on", "resume", "sync_now", "preview", "check_everything", "pause")
        ],
        OPERATE,
    ),
    **dict.fromkeys([(SyncRule, "discard"), (SyncRule, "bring_back")], EDIT),
    **dict.fromkeys([(Record, name) for name in ("retry", "sync_again")], OPERATE),
}


def test_every_button_asks_for_its_right():
    """A new button must be added here, which is a decision."""
    assert {
        (model, name): getattr(page, name).button.right
        for model, page in site._registry.items()
        for name in page.buttons
    } == RIGHTS
