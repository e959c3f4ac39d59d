"""Connect: two keys go in, are tested by workers, and never come out."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from core.models import Membership, Role
from core.tenancy import in_account
from integration.admin.setup import connect, oauth
from integration.models import Connection, SyncRule
from tests.admin.conftest import browser
from tests.admin.pages import body, told
from tests.admin.setup_pages import again, begun, form_of, mapped, previewed, problems, url
from tests.admin.test_connection import BAD
from tests.admin.world import team
from tests.core import rows

pytestmark = pytest.mark.django_db
KEY, TOKEN = "SetupKey0123456789abcdefABCDEF0Z", "pat-setup-very-secret-9Z4Q"


def key(acme, system="sansan", secret=KEY, label="second", **more):
    return {
        "account": acme.account.pk,
        "slug": "new",
        "action": system,
        f"{system}-label": label,
        f"{system}-secret": secret,
        **more,
    }


def ends(acme, **more):
    return {
        "account": acme.account.pk,
        "slug": "new",
        "sansan": acme.sansan.pk,
        "hubspot": acme.hubspot.pk,
        "action": "next",
        **more,
    }


def rules(acme):
    with in_account(acme.account):
        return {
            rule.slug: rule
            for rule in SyncRule.objects.exclude(pk__in=(acme.rule.pk, acme.draft.pk))
        }


def stored(acme, slug):
    with in_account(acme.account):
        return Connection.objects.get(slug=slug)


# A new key


KEYS = {
    "Sansan": ("sansan", KEY, "api_key"),
    "HubSpot": ("hubspot", TOKEN, "access_token"),
}


@pytest.mark.parametrize(("system", "secret", "name"), KEYS.values(), ids=KEYS)
def test_a_new_key_is_stored_encrypted_and_tested_by_a_worker(
    acme, aiko, queued, system, secret, name
):
    led = []
    tasks = queued(lambda: led.append(aiko.post(url(""), key(acme, system, secret))["Location"]))
    made = stored(acme, "second")
    assert (made.system, made.credentials, made.health) == (system, {name: secret}, "untested")
    assert tasks == [("integration.tasks.check", (acme.account.pk, made.pk))]
    kept = {one: value[0] for one, value in parse_qs(urlsplit(led[0]).query).items()}
    assert kept == {"account": str(acme.account.pk), "slug": "new", system: str(made.pk)}
    page = body(aiko.get(led[0]))
    assert (
        form_of(aiko.get(led[0]), "mb-go-on")[system] == [str(made.pk)]
        and "Testing…" in page
        and secret not in page
    )
    with in_account(acme.account):
        assert list(made.history.values_list("who", "history_type")) == [("aiko", "+")]


@pytest.mark.parametrize("secret", BAD.values(), ids=BAD)
def test_a_bad_key_is_told_at_its_field_and_not_repeated(acme, aiko, queued, secret):
    seen = []
    assert (
        queued(
            lambda: seen.append(
                aiko.post(
                    url(""), key(acme, "hubspot", secret, label="mine", sansan=acme.sansan.pk)
                )
            )
        )
        == []
    )
    page = body(seen[0])
    assert seen[0].status_code == 200 and problems(seen[0]) != ""
    assert not secret.strip() or secret.strip() not in page
    assert (
        'value="mine"' in page
        and 'value="new"' in page
        and form_of(seen[0], "mb-go-on")["sansan"] == [str(acme.sansan.pk)]
    )


def test_two_keys_that_were_entered_are_both_kept_whatever_was_pressed(acme, aiko, queued):
    typed = key(acme, label="left") | {"hubspot-label": "right", "hubspot-secret": TOKEN}
    for action, names in (
        ("sansan", ("left", "right")),
        ("next", ("left-2", "right-2")),
        ("test", ("left-3", "right-3")),
    ):
        tasks = queued(
            lambda action=action, names=names: aiko.post(
                url(""),
                typed | {"action": action, "sansan-label": names[0], "hubspot-label": names[1]},
            )
        )
        made = {stored(acme, name).pk for name in names}
        assert made <= {args[1] for _name, args in tasks} and rules(acme) == {}


def test_of_two_keys_the_good_one_is_kept_and_the_other_asked_for_again(acme, aiko):
    answer = aiko.post(
        url(""), key(acme, label="left") | {"hubspot-label": "right", "hubspot-secret": "not a key"}
    )
    assert "each place says what" in problems(answer) and answer.context["sides"][1].form.errors
    assert form_of(answer, "mb-go-on")["sansan"] == [str(stored(acme, "left").pk)]


def test_what_was_chosen_on_the_other_side_stays(acme, aiko):
    with in_account(acme.account):
        another = rows.connection(acme.account, "hubspot", slug="another")
    led = aiko.post(url(""), key(acme, hubspot=another.pk))["Location"]
    assert form_of(aiko.get(led), "mb-go-on")["hubspot"] == [str(another.pk)]


def test_a_key_that_was_refused_gives_its_place_to_the_next(acme, aiko, queued):
    """Nobody knows it, and a list of wrong keys helps nobody."""
    aiko.post(url(""), key(acme))
    with in_account(acme.account):
        Connection.objects.filter(slug="second").update(health="reconnect")
    seen = aiko.get(url(""), {"sansan": stored(acme, "second").pk})
    side = seen.context["sides"][0]
    assert (
        side.again
        and side.form["label"].value() == "second"
        and "Enter another key for it" in body(seen)
    )
    assert aiko.post(url(""), key(acme, secret=KEY[::-1])).status_code == 302
    made = stored(acme, "second")
    assert (made.credentials, made.health) == ({"api_key": KEY[::-1]}, "untested")


def test_a_key_that_a_sync_knows_keeps_its_place(acme, aiko):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(health="reconnect")
    answer = aiko.post(url(""), key(acme, label="acme-sansan"))
    assert "connection of this name already" in str(answer.context["sides"][0].form.errors)


BAD_LABELS = {
    "empty": "",
    "a blank in it": "a b",
    "not ASCII": "ö",
    "too long": "x" * 51,
    "a NUL": "a\x00b",
    "taken": "acme-sansan",
    "a way up": "../x",
    "markup": "<b>",
}


@pytest.mark.parametrize("label", BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_bad_name_is_told_at_its_field(acme, aiko, label):
    answer = aiko.post(url(""), key(acme, label=label))
    assert answer.status_code == 200 and problems(answer) and KEY not in body(answer)
    with in_account(acme.account):
        assert Connection.objects.count() == 3


def test_two_people_who_take_the_same_name_at_once(acme, aiko, monkeypatch):
    monkeypatch.setattr(connect.KeyForm, "clean_label", lambda form: form.cleaned_data["label"])
    answer = aiko.post(url(""), key(acme, label="acme-spare"))
    assert answer.status_code == 200 and "of this name already" in problems(answer)


def test_two_people_who_begin_the_same_sync_at_once(acme, aiko, monkeypatch):
    """Or one person who presses Continue twice."""
    monkeypatch.setattr(connect.ConnectStep, "find_slug_problem", lambda self, slug: "")
    aiko.raise_request_exception = False
    assert aiko.post(url(""), ends(acme)).status_code == 302
    answer = aiko.post(url(""), ends(acme))
    assert answer.status_code in (200, 302) and list(rules(acme)) == ["new"]


def test_a_second_connection_to_a_hubspot_account_in_use_is_told_at_its_side(acme, aiko):
    """Each of its contacts would be two people.

    Where no sync goes by the first one, it may be replaced.
    """
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.spare.pk).update(health="ok", remote_id="acme-portal")
    answer = aiko.post(url(""), ends(acme, hubspot=acme.spare.pk))
    assert (
        answer.status_code == 200
        and "the same HubSpot account as “acme-hubspot”" in problems(answer)
        and "new" not in rules(acme)
    )
    with in_account(acme.account):
        SyncRule.objects.filter(hubspot=acme.hubspot).update(state="draft")
    assert aiko.post(
        url(""), ends(acme, hubspot=acme.spare.pk)
    ).status_code == 302 and "new" in rules(acme)


def test_the_names_that_are_offered_are_free(acme, aiko):
    rows.connection(acme.account, "sansan", slug="sansan")
    rows.connection(acme.account, "hubspot", slug="sansan-2")
    page = body(aiko.get(url("")))
    assert (
        'name="sansan-label" value="sansan-3"' in page
        and 'name="hubspot-label" value="hubspot"' in page
    )


def test_no_page_holds_a_key(acme, aiko):
    rule = begun(acme)
    for data in (
        key(acme),
        key(acme, "hubspot", TOKEN, label="bad name"),
        key(acme, "hubspot", TOKEN),
    ):
        assert KEY not in body(aiko.post(url(""), data, follow=True)) and TOKEN not in body(
            aiko.get(url(""))
        )
    for address in (url(""), url("connect", rule.pk), url("connection", stored(acme, "second").pk)):
        page = body(aiko.get(address))
        assert not [
            secret for secret in (KEY, TOKEN, acme.sansan.secret, "gAAAA") if secret in page
        ]


# What is seen of a connection


def seen(browser, one):
    return body(browser.get(url("connection", one.pk)))


def test_the_line_of_a_connection_says_what_a_worker_saw(acme, aiko):
    begun(acme)
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(remote_name="佐藤 太郎")
    assert (
        "佐藤 太郎" in seen(aiko, acme.sansan)
        and "3 tags, 700 cards" in seen(aiko, acme.sansan)
        and 'data-done="1"' in seen(aiko, acme.sansan)
    )
    assert "Testing…" in seen(aiko, acme.spare) and 'data-done="0"' in seen(aiko, acme.spare)
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            survey={"state": "running", "cards": 42}
        )
    assert "42 cards so far" in seen(aiko, acme.sansan) and 'data-done="0"' in seen(
        aiko, acme.sansan
    )
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            survey={"state": "done", "own_only": True, "owners": ["a"]}
        )
    assert "not an administrator" in seen(aiko, acme.sansan)
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            health="reconnect", health_detail="The key was refused."
        )
    assert "The key was refused." in seen(aiko, acme.sansan) and 'data-done="1"' in seen(
        aiko, acme.sansan
    )


def test_both_are_tested_again(acme, aiko, queued):
    tasks = queued(lambda: aiko.post(url(""), ends(acme, action="test")))
    assert {args[1] for _name, args in tasks} == {acme.sansan.pk, acme.hubspot.pk}
    assert stored(acme, "acme-sansan").health == "untested"


# Going on


def test_going_on_makes_a_draft_with_the_default_mappings(acme, aiko):
    answer = aiko.post(url(""), ends(acme))
    rule = rules(acme)["new"]
    assert answer["Location"] == url("tags", rule.pk)
    assert (rule.state, rule.setup_step, rule.sansan_id, rule.hubspot_id) == (
        "draft",
        "tags",
        acme.sansan.pk,
        acme.hubspot.pk,
    )
    assert mapped(rule)["lastname"] == "lastName" and len(mapped(rule)) > 10


BAD_SLUGS = {
    "empty": "",
    "blank": "  ",
    "a blank in it": "a b",
    "not ASCII": "ö",
    "too long": "x" * 51,
    "taken": "acme-cards",
    "a NUL": "a\x00b",
    "markup": "<script>",
}


@pytest.mark.parametrize("slug", BAD_SLUGS.values(), ids=BAD_SLUGS)
def test_a_bad_name_of_a_sync_is_told(acme, aiko, slug):
    answer = aiko.post(url(""), ends(acme, slug=slug))
    assert answer.status_code == 200 and problems(answer) and rules(acme) == {}
    assert form_of(answer, "mb-go-on")["sansan"] == [str(acme.sansan.pk)]
    if slug.strip() and "\x00" not in slug:
        assert form_of(answer, "mb-go-on")["slug"] == [slug]


HEALTH = {
    "untested": "Still being tested",
    "reconnect": "acme sees it",
    "unreachable": "acme sees it",
}


@pytest.mark.parametrize("health", HEALTH)
def test_a_connection_that_does_not_work_goes_no_further(acme, aiko, health):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.hubspot.pk).update(health=health)
    answer = aiko.post(url(""), ends(acme))
    assert answer.status_code == 200 and HEALTH[health] in problems(answer) and rules(acme) == {}


NOT_THEIRS = {
    "empty": "",
    "zero": "0",
    "negative": "-1",
    "no number": "x",
    "far too long": "9" * 40,
    "a NUL": "1\x00",
    "of another system": "spare-of-another-system",
    "of another account": "birch",
}


@pytest.mark.parametrize("asked", NOT_THEIRS.values(), ids=NOT_THEIRS)
def test_a_connection_that_is_none_of_theirs_cannot_be_chosen(acme, birch, aiko, asked):
    asked = {"birch": birch.sansan.pk, "spare-of-another-system": acme.hubspot.pk}.get(asked, asked)
    for answer in (
        aiko.post(url(""), ends(acme, sansan=asked)),
        aiko.get(url(""), {"sansan": asked, "account": asked, "slug": "x"}),
    ):
        assert answer.status_code == 200 and "birch" not in body(answer)
    assert rules(acme) == {}


def test_an_account_that_is_not_theirs_cannot_be_chosen(acme, birch, aiko):
    answer = aiko.post(url(""), ends(birch))
    assert "birch" not in body(answer)
    with in_account(birch.account):
        assert SyncRule.objects.count() == 2


def test_nothing_at_all_is_told_at_both_sides(acme, aiko):
    answer = aiko.post(url(""), {})
    assert (
        answer.status_code == 200
        and "Choose a connection to Sansan" in problems(answer)
        and "Choose a connection to HubSpot" in problems(answer)
    )


# Changing the ends of a sync


def test_a_draft_takes_other_ends_and_forgets_what_its_preview_read(acme, aiko):
    rule = begun(acme)
    previewed(rule)
    rows.record(rule, "read-by-the-preview")
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.spare.pk).update(health="ok")
    answer = aiko.post(url("connect", rule.pk), ends(acme, slug="renamed", hubspot=acme.spare.pk))
    changed = again(rule)
    assert answer["Location"] == url("tags", rule.pk)
    assert (changed.slug, changed.hubspot_id, changed.cursor) == ("renamed", acme.spare.pk, None)
    assert changed.changed_at > timezone.now() - timedelta(minutes=1)
    with in_account(acme.account):
        assert not rule.records.exists()


def test_a_sync_that_has_run_keeps_its_ends(acme, aiko):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.spare.pk).update(health="ok")
        records = acme.rule.records.count()
    answer = aiko.post(
        url("connect", acme.rule.pk),
        ends(acme, slug="acme-cards", hubspot=acme.spare.pk),
        follow=True,
    )
    assert (
        "keeps its connections" in told(answer) and again(acme.rule).hubspot_id == acme.hubspot.pk
    )
    with in_account(acme.account):
        assert acme.rule.records.count() == records > 0
    assert (
        "disabled"
        in body(aiko.get(url("connect", acme.rule.pk)))
        .split(f'name="hubspot" value="{acme.spare.pk}"')[1]
        .split(">")[0]
    )


def test_only_a_new_name_is_no_change_of_the_sync(acme, aiko):
    rule = begun(acme)
    aiko.post(url("connect", rule.pk), ends(acme, slug="renamed"))
    assert (again(rule).slug, again(rule).changed_at, again(rule).recheck) == (
        "renamed",
        rule.changed_at,
        False,
    )


# Signing in to HubSpot


@pytest.fixture
def offered(settings):
    settings.HUBSPOT_CLIENT_ID, settings.HUBSPOT_CLIENT_SECRET, settings.HUBSPOT_APP_URL = (
        "app",
        "invented-secret",
        "https://app.example.com",
    )


def begin(client, acme, **more):
    answer = client.post(url(""), ends(acme, action="oauth", **more))
    return {name: value[0] for name, value in parse_qs(urlsplit(answer["Location"]).query).items()}


def test_signing_in_is_offered_only_where_the_platform_has_an_app(acme, aiko):
    assert "Sign in to HubSpot" not in body(aiko.get(url("")))
    assert aiko.post(url(""), ends(acme, action="oauth")).status_code == 403


def test_the_way_to_hubspot_and_back(acme, aiko, offered, queued):
    assert "Sign in to HubSpot" in body(aiko.get(url("")))
    asked = begin(aiko, acme)
    assert (
        asked["redirect_uri"] == f"http://testserver{url('oauth')}"
        and asked["client_id"] == "app"
        and len(asked["state"]) >= 32
    )
    led = []
    tasks = queued(
        lambda: led.append(
            aiko.get(url("oauth"), {"code": "invented-code", "state": asked["state"]})["Location"]
        )
    )
    made = stored(acme, "hubspot")
    assert (
        made.credentials == {"code": "invented-code", "redirect_uri": asked["redirect_uri"]}
        and made.health == "untested"
    )
    assert tasks == [("integration.tasks.check", (acme.account.pk, made.pk))]
    kept = parse_qs(urlsplit(led[0]).query)
    assert (
        kept["hubspot"][-1] == str(made.pk)
        and kept["sansan"] == [str(acme.sansan.pk)]
        and kept["slug"] == ["new"]
    )
    assert form_of(aiko.get(led[0]), "mb-go-on")["hubspot"] == [str(made.pk)]
    assert "invented-code" not in body(aiko.get(led[0]))


STATES = {
    "empty": "",
    "another": "another",
    "not ASCII": "状態",
    "one accent": "é",
    "a NUL": "\x00",
    "very long": "x" * 5000,
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_an_answer_that_nobody_here_asked_for_is_not_believed(acme, aiko, offered, state):
    begin(aiko, acme)
    aiko.raise_request_exception = False
    answer = aiko.get(url("oauth"), {"code": "invented-code", "state": state}, follow=True)
    assert answer.status_code == 200 and "begin again" in told(answer)
    with in_account(acme.account):
        assert Connection.objects.count() == 3


def test_an_answer_counts_once_and_for_its_own_session(acme, aiko, offered):
    state = begin(aiko, acme)["state"]
    other = browser(team(acme, "fumi", Role.OWNER))
    assert "begin again" in told(
        other.get(url("oauth"), {"code": "c", "state": state}, follow=True)
    )
    for _ in range(2):
        answer = aiko.get(url("oauth"), {"code": "c", "state": state}, follow=True)
    assert "begin again" in told(answer)
    with in_account(acme.account):
        assert Connection.objects.count() == 4


def test_who_has_lost_the_right_meanwhile_connects_nothing(acme, aiko, offered):
    state = begin(aiko, acme)["state"]
    Membership.objects.filter(user=acme.owner).update(role=Role.VIEWER)
    assert aiko.get(url("oauth"), {"code": "c", "state": state}).status_code == 403
    with in_account(acme.account):
        assert Connection.objects.count() == 3


def test_a_consent_that_was_not_given_is_told(acme, aiko, offered):
    state = begin(aiko, acme)["state"]
    answer = aiko.get(url("oauth"), {"error": "access_denied", "state": state}, follow=True)
    assert "not connected" in told(answer) and form_of(answer, "mb-go-on")["slug"] == ["new"]


def test_the_way_back_leads_to_no_other_host(acme, aiko, offered):
    state = begin(aiko, acme, slug="https://evil.example.com/")["state"]
    session = aiko.session
    assert session[oauth.OAUTH_SESSION_KEY]["here"].startswith("/admin/")
    session[oauth.OAUTH_SESSION_KEY] = {
        **session[oauth.OAUTH_SESSION_KEY],
        "here": "https://evil.example.com/",
    }
    session.save()
    assert aiko.get(url("oauth"), {"code": "c", "state": state})["Location"].startswith(
        reverse("admin:integration_setup")
    )


def test_the_address_to_return_to_is_ours(settings):
    request = RequestFactory().get("/admin/", headers={"host": "testserver"})
    assert oauth.make_return_url(request) == f"http://testserver{url('oauth')}"


def test_going_on_counts_a_key_that_never_was(acme, aiko, queued):
    """One that came from a file, say: the next pages show numbers and sampled cards."""
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(surveyed_at=None, survey={})
    for slug in ("first", "second"):  # somebody is at it by then
        asked = queued(lambda slug=slug: aiko.post(url(""), ends(acme, slug=slug)))
        assert [name for name, _args in asked] == ["integration.tasks.count_cards"]
