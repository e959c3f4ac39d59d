"""Where there is nothing, or no right, or a fault, a person is told what to do, and never how the
product is made.
"""

from __future__ import annotations

import pytest
from django.test import Client

from core.admin.site import site
from core.models import User
from tests.admin.pages import body, listed, page

pytestmark = pytest.mark.django_db


MISSING = {
    "no such address": "/nothing",
    "no such row": "/admin/integration/syncrule/4711/change/",
}


@pytest.mark.parametrize("url", MISSING.values(), ids=MISSING)
def test_nothing_there(aiko, url):
    answer = aiko.get(url)
    assert answer.status_code == 404 and "There is nothing at this address." in body(answer)


def test_no_right(acme, aiko):
    answer = aiko.get(listed(User))
    assert answer.status_code == 403 and "Your role does not allow this." in body(answer)


def test_a_form_that_was_open_for_too_long(acme):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(acme.owner)
    answer = browser.post(page(acme.rule), {})
    assert answer.status_code == 403 and "Go back, reload the page" in body(answer)


def test_a_fault_shows_no_traceback(acme, aiko, monkeypatch):
    monkeypatch.setattr(site, "overview", lambda request: 1 / 0)
    aiko.raise_request_exception = False
    answer = aiko.get("/admin/")
    assert answer.status_code == 500 and "Something went wrong on our side." in body(answer)
    assert "ZeroDivisionError" not in body(answer) and "Traceback" not in body(answer)
