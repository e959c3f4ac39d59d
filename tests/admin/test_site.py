"""The site: signing in, the way back, and a sidebar without doors that are shut."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import Failure, OrmQ, Schedule

from core.models import Account, Departure, Membership, User
from integration.models import (
    AuditEntry,
    Connection,
    Heartbeat,
    Link,
    Record,
    SyncRule,
    SyncRun,
    Tag,
)
from tests.admin.pages import body, listed, page

pytestmark = pytest.mark.django_db
WORD = "three blind carps swim"
PLATFORM = {User, Departure, Heartbeat, OrmQ, Failure, Schedule}
OPEN = {SyncRule, SyncRun, AuditEntry, Record, Link, Connection, Tag, Account}


@pytest.fixture
def signs_in(acme):
    acme.owner.set_password(WORD)
    acme.owner.save()

    def to(next: str = "", password: str = WORD) -> str:
        client, url = Client(), reverse("admin:login") + (f"?next={next}" if next else "")
        shown = client.get(url, follow=True)
        fields = dict(re.findall(r'name="(next)" value="([^"]*)"', body(shown)))
        response = client.post(
            shown.request["PATH_INFO"] + "?" + shown.request["QUERY_STRING"],
            fields | {"username": "aiko", "password": password},
        )
        return response.get("Location", "")

    return to


def test_whoever_signs_in_comes_to_the_overview(signs_in):
    assert signs_in() == "/admin/"


def test_whoever_was_sent_to_sign_in_comes_back(acme, signs_in):
    assert signs_in(page(acme.rule)) == page(acme.rule)


@pytest.mark.parametrize(
    "next", ["https://example.com/", "//example.com/", "/\\example.com/", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(signs_in, next):
    assert "example.com" not in signs_in(next) and "javascript" not in signs_in(next)


def test_a_wrong_password_does_not(signs_in):
    assert signs_in(password="wrong") == ""


def test_a_user_who_is_not_on_the_staff_stays_outside(acme):
    User.objects.create_user("fay", password=WORD)
    client = Client()
    client.login(username="fay", password=WORD)
    assert client.get("/admin/").status_code == client.get(listed(Record)).status_code == 302


def test_the_root_leads_to_the_admin(aiko):
    assert aiko.get("/", follow=True).redirect_chain == [("/admin/", 302)]


def test_signing_out_needs_a_press(aiko):
    assert (
        aiko.get(reverse("admin:logout")).status_code == 405
        and aiko.get("/admin/").status_code == 200
    )
    aiko.post(reverse("admin:logout"))
    assert aiko.get("/admin/").status_code == 302


def head(response):
    """The page's head, as it is read."""
    crumbs = (
        body(response)
        .partition('class="align-middle inline-block')[2]
        .partition("</h1>")[0]
        .partition("</div>")[0]
    )
    return (
        re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", crumbs.partition(">")[2]))
        .replace("chevron_right", ">")
        .strip()
    )


def test_a_page_is_headed_by_the_menu_s_word_and_the_row_s_own_name(acme, aiko, root):
    """Not by the name of the Django app, and not with a capital that a name does not have."""
    assert (head(aiko.get(listed(Record))), head(aiko.get(page(acme.rule)))) == (
        "Records",
        "Rules > acme-cards",
    )
    assert (head(root.get(listed(Heartbeat))), head(root.get(page(acme.heartbeat)))) == (
        "Workers",
        "Workers > acme-host",
    )


def sidebar(client):
    """The lists that the sidebar leads to."""
    groups = client.get("/admin/").context["sidebar_navigation"]
    assert all(group["items"] for group in groups)
    links = {str(item["link"]) for group in groups for item in group["items"]}
    return {model for model in (*OPEN, Membership, *PLATFORM) if listed(model) in links}


@pytest.mark.parametrize("ben", ["viewer", "auditor", "operator", "editor"], indirect=True)
def test_the_sidebar_of_a_member(ben):
    assert sidebar(ben) == OPEN


def test_the_sidebars_of_the_others(acme, aiko, dan, root):
    assert sidebar(aiko) == OPEN | {Membership}
    assert sidebar(root) == OPEN | {Membership, *PLATFORM}
    assert sidebar(dan) == set()


def test_every_door_of_the_sidebar_is_open(aiko, ben, root):
    for one in (aiko, ben, root):
        assert {one.get(listed(model)).status_code for model in sidebar(one)} == {200}


def test_a_page_that_is_not_there_is_said_to_be_so(aiko):
    assert (
        aiko.get("/admin/no/such/page/").status_code == 404
        and Client().get("/admin/no/such/page/").status_code == 302
    )


DOORS = {
    "the overview": "",
    "the syncs": "integration/syncrule/",
    "the history": "integration/syncrule/history/",
    "the set-up": "integration/syncrule/setup/",
    "the runs": "integration/syncrun/",
}


@pytest.mark.parametrize("path", DOORS.values(), ids=DOORS)
def test_one_door_of_the_sidebar_is_where_one_is(aiko, path):
    groups = aiko.get(f"/admin/{path}").context["sidebar_navigation"]
    here = [str(item["link"]) for group in groups for item in group["items"] if item["active"]]
    assert here == ["/admin/integration/syncrule/" if path.endswith("setup/") else f"/admin/{path}"]
