"""Connections: a key goes in and never comes out, and only workers try it."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core.models import Account
from core.tenancy import in_account
from integration.models import Connection, Link, Record, SyncRule, SyncRun, Tag
from tests.admin.conftest import browser
from tests.admin.pages import (
    address,
    body,
    errors,
    form_of,
    listed,
    page,
    press,
    rows_on,
    send,
    told,
)
from tests.admin.test_access import stored as whole_database
from tests.admin.world import SECRET
from tests.core.rows import fernet_keys

pytestmark = pytest.mark.django_db
OLD, NEW = SECRET.format("acme"), "pat-brand-new-9Z4Q"
ADD = {"slug": "second", "secret": NEW}


def stored(acme, **which):
    with in_account(acme.account):
        return Connection.objects.get(**which)


def on_disk() -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT credentials FROM integration_connection")
        return " ".join(bytes(token).decode() for (token,) in cursor.fetchall())


# The key


def test_a_key_is_shown_by_its_end_only(acme, aiko):
    assert "****t-7Q" in body(aiko.get(listed(Connection)))
    assert "Leave blank to keep ****t-7Q" in body(aiko.get(page(acme.hubspot)))


def test_no_page_holds_a_key(acme, aiko, root):
    send(aiko, page(acme.hubspot), secret=NEW)
    for one in (aiko, root):
        for url in (
            listed(Connection),
            *(address(acme.hubspot, name) for name in ("change", "history")),
            address(acme.spare, "delete"),
            page(acme.rule),
            listed(SyncRule),
            listed(Tag),
            reverse("admin:index"),
        ):
            seen = body(one.get(url))
            assert NEW not in seen and OLD not in seen and "gAAAA" not in seen


def test_a_form_with_an_error_does_not_repeat_the_key(acme, aiko):
    response = send(aiko, page(acme.hubspot), secret=NEW, slug="not a slug")
    assert errors(response).keys() == {"slug"} and NEW not in body(response)
    assert stored(acme, pk=acme.hubspot.pk).secret == OLD


SECRETS = {
    "Sansan": ("sansan", "api_key"),
    "HubSpot": ("hubspot", "access_token"),
}


@pytest.mark.parametrize(("system", "name"), SECRETS.values(), ids=SECRETS)
def test_a_new_connection_is_stored_encrypted_and_tested_by_a_worker(
    acme, aiko, queued, system, name
):
    tasks = queued(lambda: send(aiko, address(Connection, "add"), system=system, **ADD))
    made = stored(acme, slug="second")
    assert made.credentials == {name: NEW} and (made.hint, made.health) == ("****9Z4Q", "untested")
    assert NEW not in on_disk()
    assert tasks == [("integration.tasks.check", (acme.account.pk, made.pk))]


def test_a_new_key_replaces_the_old_one_and_is_tested(acme, aiko, queued):
    tasks = queued(lambda: send(aiko, page(acme.hubspot), secret=f"  {NEW} "))
    changed = stored(acme, pk=acme.hubspot.pk)
    assert (changed.secret, changed.hint) == (NEW, "****9Z4Q")
    assert (changed.health, changed.health_detail, changed.tested_at) == ("untested", "", None)
    assert tasks == [("integration.tasks.check", (acme.account.pk, changed.pk))]


def test_a_blank_key_keeps_the_stored_one(acme, aiko, queued):
    before = on_disk()
    assert queued(lambda: send(aiko, page(acme.hubspot), slug="renamed")) == []
    kept = stored(acme, pk=acme.hubspot.pk)
    assert (kept.slug, kept.secret, kept.health, on_disk()) == ("renamed", OLD, "ok", before)


def test_what_was_not_asked_for_is_not_written(acme, aiko):
    """Workers write health, lease and schema while somebody looks at the form."""
    with CaptureQueriesContext(
        database,
    ) as queries:
        send(aiko, page(acme.hubspot), slug="renamed", rate_calls="5", rate_seconds="1")
    (written,) = [
        one["sql"] for one in queries if one["sql"].startswith('UPDATE "integration_connection"')
    ]
    assert {
        name
        for name in (
            "slug",
            "rate_calls",
            "rate_seconds",
            "health",
            "lease_token",
            "schema",
            "credentials",
        )
        if f'"{name}" =' in written
    } == {
        "slug",
        "rate_calls",
        "rate_seconds",
    }


BAD = {
    "a space": "pat new",
    "a line break": "pat\nnew",
    "a tab": "pat\tnew",
    "a full-width letter": "pat-Ａ1",
    "another alphabet": "ключ",
    "an invisible sign": "pat\u200bnew",
    "a control sign": "pat\x07new",
    "no sign at all": "pat\x00new",
    "too long": "p" * 2001,
    "nothing": "",
    "blanks": "   ",
}


@pytest.mark.parametrize("secret", BAD.values(), ids=BAD)
def test_a_bad_key_is_told_at_its_field(acme, aiko, queued, secret):
    """Before any vendor refuses it; and what else was typed is still there."""
    seen = []
    typed = ADD | {"system": "hubspot", "secret": secret, "rate_calls": "7", "rate_seconds": "2"}
    assert queued(lambda: seen.append(send(aiko, address(Connection, "add"), **typed))) == []
    assert errors(seen[0]).keys() == {"secret"}
    assert {
        "slug": "second",
        "system": "hubspot",
        "rate_calls": "7",
        "rate_seconds": "2",
    }.items() <= form_of(seen[0]).items()
    with in_account(acme.account):
        assert Connection.objects.count() == 3


def test_a_held_rule_is_named_when_its_connection_has_a_new_key(acme, aiko):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(state="held")
    said = told(send(aiko, page(acme.sansan), secret=NEW))
    assert "acme-cards" in said and page(acme.rule) in said and "acme-draft" not in said


def test_who_may_not_change_a_key_has_no_field_for_it(acme, ben, aiko):
    for text in ('name="secret"', "API key or access token"):
        assert text in body(aiko.get(page(acme.hubspot))) and text not in body(
            ben.get(page(acme.hubspot))
        )


# The other fields


def test_a_slug_is_there_once_in_an_account(acme, birch, aiko):
    assert "Short name already exists" in str(
        errors(
            send(
                aiko, address(Connection, "add"), **ADD | {"system": "sansan", "slug": "acme-spare"}
            )
        )
    )
    send(aiko, address(Connection, "add"), **ADD | {"system": "sansan", "slug": "birch-spare"})
    assert stored(acme, slug="birch-spare").account_id == acme.account.pk


LIMITS = {
    "no seconds at all": ({"rate_calls": "5"}, "rate_seconds"),
    "zero seconds": ({"rate_calls": "5", "rate_seconds": "0"}, "rate_seconds"),
    "negative seconds": ({"rate_seconds": "-1"}, "rate_seconds"),
    "endless seconds": ({"rate_calls": "5", "rate_seconds": "inf"}, "rate_seconds"),
    "negative calls": ({"rate_calls": "-1", "rate_seconds": "1"}, "rate_calls"),
    "too many calls for a column": ({"rate_calls": "9" * 30, "rate_seconds": "1"}, "rate_calls"),
    "words": ({"rate_calls": "many", "rate_seconds": "few"}, "rate_calls"),
}


@pytest.mark.parametrize(("typed", "field"), LIMITS.values(), ids=LIMITS)
def test_a_rate_limit_that_cannot_be_kept_is_told(acme, aiko, typed, field):
    assert field in errors(send(aiko, page(acme.hubspot), **typed))
    assert stored(acme, pk=acme.hubspot.pk).rate_calls is None


def test_no_calls_limit_is_zero_and_needs_no_seconds(acme, aiko):
    send(aiko, page(acme.hubspot), rate_calls="0")
    assert stored(acme, pk=acme.hubspot.pk).rate_calls == 0


def test_neither_system_nor_account_nor_what_we_saw_comes_from_a_browser(acme, birch, aiko):
    forged = {
        "system": "sansan",
        "account": birch.account.pk,
        "health": "reconnect",
        "hint": "x",
        "credentials": "{}",
        "remote_id": "x",
        "link_property": "on",
    }
    send(aiko, page(acme.hubspot), slug="renamed", **forged)
    one = stored(acme, pk=acme.hubspot.pk)
    assert (one.slug, one.system, one.health, one.hint, one.secret) == (
        "renamed",
        "hubspot",
        "ok",
        "****t-7Q",
        OLD,
    )
    assert (one.remote_id, one.link_property) == ("acme-portal", False)


def test_a_superuser_says_whose_connection_it_is(acme, birch, root):
    assert "account" in errors(send(root, address(Connection, "add"), system="hubspot", **ADD))
    send(root, address(Connection, "add"), system="hubspot", account=acme.account.pk, **ADD)
    assert stored(acme, slug="second").secret == NEW


def test_a_link_of_the_overview_chooses_the_system(acme, aiko):
    for system in ("sansan", "hubspot"):
        assert form_of(aiko.get(address(Connection, "add", system=system)))["system"] == system


@pytest.mark.parametrize("page_of_what", [Connection, SyncRule], ids=lambda model: model.__name__)
def test_without_any_account_there_is_nothing_to_connect_to(root, page_of_what):
    """The platform is empty: the page says so or leads elsewhere, but it does not fail."""
    root.raise_request_exception = False
    assert root.get(address(page_of_what, "add")).status_code < 500


# The list


FILTERS = {
    "no filter": ({}, ["acme-hubspot", "acme-spare", "acme-sansan"]),
    "by system": ({"system__exact": "sansan"}, ["acme-sansan"]),
    "by health": ({"health__exact": "untested"}, ["acme-spare"]),
    "by a search": ({"q": "spare"}, ["acme-spare"]),
}


@pytest.mark.parametrize(("query", "found"), FILTERS.values(), ids=FILTERS)
def test_the_list_and_its_filters(acme, aiko, query, found):
    assert [one.slug for one in rows_on(aiko.get(listed(Connection, **query)))] == found


def test_a_connection_says_what_it_sees(acme, aiko):
    with in_account(acme.account):
        Tag.objects.filter(pk=acme.tags[0].pk).update(selected=True)
        Connection.objects.filter(pk=acme.hubspot.pk).update(
            schema={name: {"type": "string"} for name in ("email", "company")}
        )
    assert "3 tags, 1 selected" in body(aiko.get(page(acme.sansan)))
    assert "2 contact properties" in body(aiko.get(page(acme.hubspot)))


# The buttons


PRESSED = {
    "test HubSpot": ("hubspot", "test_connection", "check"),
    "test Sansan": ("sansan", "test_connection", "check"),
    "read the tags again": ("sansan", "refresh_tags", "tags"),
}


@pytest.mark.parametrize(("which", "name", "task"), PRESSED.values(), ids=PRESSED)
def test_a_button_asks_a_worker(acme, aiko, queued, which, name, task):
    one = getattr(acme, which)
    assert queued(lambda: aiko.post(press(one, name))) == [
        (f"integration.tasks.{task}", (acme.account.pk, one.pk))
    ]
    assert stored(acme, pk=one.pk).health == "ok"


def test_hubspot_has_no_tags_to_refresh(acme, aiko, queued):
    assert [one.name for one in aiko.get(page(acme.hubspot)).context["buttons"]] == [
        "test_connection"
    ]
    assert [one.name for one in aiko.get(page(acme.sansan)).context["buttons"]] == [
        "test_connection",
        "refresh_tags",
    ]
    assert queued(lambda: aiko.post(press(acme.hubspot, "refresh_tags"))) == []


# Deleting


def test_a_connection_that_a_rule_uses_stays(acme, aiko):
    for one in (acme.sansan, acme.hubspot):
        assert address(one, "delete") not in body(aiko.get(page(one)))
        assert aiko.post(address(one, "delete"), {"post": "yes"}).status_code == 403
        assert stored(acme, pk=one.pk)


def test_a_connection_that_history_names_stays(acme, aiko):
    with in_account(acme.account):
        Link.objects.create(account=acme.account, hubspot=acme.spare)
    assert aiko.post(address(acme.spare, "delete"), {"post": "yes"}).status_code == 403


def test_tags_go_with_a_connection_that_nothing_uses(acme, aiko):
    with in_account(acme.account):
        spare = Connection(account=acme.account, slug="spare-sansan", system="sansan")
        spare.set_secret(NEW)
        spare.save()
        Tag.objects.create(
            account=acme.account, connection=spare, external_id="T9", name="nine", type="public"
        )
    assert "nine" in body(aiko.get(address(spare, "delete")))
    aiko.post(address(spare, "delete"), {"post": "yes"})
    with in_account(acme.account):
        assert not Connection.objects.filter(pk=spare.pk).exists() and Tag.objects.count() == 3


# A lost key


@pytest.fixture
def lost(acme):
    with fernet_keys("a-key-that-encrypted-nothing-of-what-is-stored"):
        yield


def test_a_lost_encryption_key_takes_no_page_down(acme, lost, aiko, root):
    for one in (aiko, root):
        for url in (
            *map(listed, (Connection, SyncRule, SyncRun, Tag, Link, Record)),
            page(acme.hubspot),
            page(acme.rule),
            page(acme.link),
            reverse("admin:index"),
        ):
            assert one.get(url).status_code == 200
        assert "****t-7Q" in body(one.get(listed(Connection)))


def test_a_new_key_can_be_entered_in_place_of_a_lost_one(acme, lost, aiko, queued):
    assert len(queued(lambda: send(aiko, page(acme.hubspot), secret=NEW))) == 1
    assert stored(acme, pk=acme.hubspot.pk).secret == NEW
    send(aiko, page(acme.sansan), slug="renamed")
    assert stored(acme, pk=acme.sansan.pk).slug == "renamed"


def test_a_connection_whose_key_is_lost_can_be_deleted(acme, lost, aiko):
    assert aiko.get(address(acme.spare, "delete")).status_code == 200
    aiko.post(address(acme.spare, "delete"), {"post": "yes"})
    with in_account(acme.account):
        assert not Connection.objects.filter(pk=acme.spare.pk).exists()


@pytest.mark.parametrize("who", ["owner", "root"])
def test_an_account_that_is_being_deleted_gets_no_new_key(acme, root, who):
    """Its credentials were destroyed at once.

    A form that was open then, or a consent that comes late, must not bring new ones.
    """
    client = root if who == "root" else browser(acme.owner)
    form, new = (
        form_of(client.get(page(acme.hubspot))),
        {
            "account": acme.account.pk,
            "slug": "late",
            "system": "sansan",
            "secret": "another-key-0001",
        },
    )
    Account.objects.filter(pk=acme.account.pk).update(active=False, leaving_at=timezone.now())
    before = whole_database()
    assert (
        client.post(page(acme.hubspot), form | {"secret": "another-token-0001"}).status_code == 403
    )
    client.post(address(Connection, "add"), new)
    assert whole_database() == before
    assert client.get(page(acme.hubspot)).status_code == 200, (
        "looking stays possible until its rows are gone"
    )


def test_a_consent_that_comes_back_to_a_suspended_account_is_left_alone(acme, aiko, settings):
    settings.HUBSPOT_CLIENT_ID, settings.HUBSPOT_CLIENT_SECRET = "an-app", "its-secret"
    aiko.post(press(acme.hubspot, "sign_in"))
    Account.objects.filter(pk=acme.account.pk).update(active=False)
    before = whole_database()
    aiko.get(
        reverse(
            "admin:integration_setup_oauth",
            query={"state": aiko.session["hubspot_oauth"]["state"], "code": "a-code"},
        )
    )
    assert whole_database() == before


# Another HubSpot account


@pytest.fixture
def strayed(acme):
    """A connection whose key leads to another HubSpot account than the one that is linked."""
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.hubspot.pk).update(found_id="other-portal")
    return acme.hubspot


def test_beginning_anew_is_asked_for_first(strayed, acme, aiko):
    assert "Begin anew with this HubSpot account" in body(aiko.get(page(strayed)))
    asked = aiko.post(press(strayed, "accept_account"))
    assert asked.status_code == 200 and "it cannot be taken back" in body(asked)
    with in_account(acme.account):
        assert Link.objects.get(pk=acme.link.pk).contact_id == "acme-contact"
        assert Connection.objects.get(pk=strayed.pk).found_id == "other-portal"


def test_beginning_anew_lets_the_links_go(strayed, acme, aiko, queued):
    done = queued(
        lambda: aiko.post(press(strayed, "accept_account"), {"confirmed": "other-portal"})
    )
    with in_account(acme.account):
        assert Link.objects.get(pk=acme.link.pk).contact_id == ""
        connection = Connection.objects.get(pk=strayed.pk)
    assert (connection.remote_id, connection.found_id) == ("other-portal", "")
    assert [name for name, _ in done] == ["integration.tasks.check"]


@pytest.mark.parametrize("confirmed", ["", "a third one"])
def test_only_the_account_that_was_shown_is_accepted(strayed, acme, aiko, confirmed):
    aiko.post(press(strayed, "accept_account"), {"confirmed": confirmed})
    with in_account(acme.account):
        assert Link.objects.get(pk=acme.link.pk).contact_id == "acme-contact"


def test_who_may_not_edit_begins_nothing_anew(strayed, acme, ben):
    answer = ben.post(press(strayed, "accept_account"), {"confirmed": "other-portal"})
    assert answer.status_code == 403
    with in_account(acme.account):
        assert Link.objects.get(pk=acme.link.pk).contact_id == "acme-contact"


def test_without_another_account_there_is_nothing_to_begin_anew(acme, aiko):
    assert "Begin anew" not in body(aiko.get(page(acme.hubspot)))
    aiko.post(press(acme.hubspot, "accept_account"), {"confirmed": ""})
    with in_account(acme.account):
        assert Link.objects.get(pk=acme.link.pk).contact_id == "acme-contact"
