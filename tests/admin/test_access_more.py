"""What the walk of test_access.py does not ask: other verbs than GET and POST, the filters of the
lists, what each role may read, and forms that
are sent with the ids of another account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.filters import FieldListFilter
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule

from core.models import Account, Departure, Invitation, Membership, Role, User
from core.tenancy import in_account
from integration.models import AuditEntry, Connection, Heartbeat, Link, SyncRule, SyncRun, Tag
from tests.admin.conftest import browser
from tests.admin.pages import address, body, form_of, listed, page, press, rows_on, told_and_sent_to
from tests.admin.test_access import (
    FLEETING,
    HOME,
    LISTS,
    NO_ID,
    addresses_of,
    asking,
    attempted,
    bodies,
    plain,
    posted,
    sent,
    stored,
    without,
)
from tests.admin.world import content_type, joins, marks, rows_of, team
from tests.core import rows

__all__ = ["attempted"]

pytestmark = pytest.mark.django_db
OWNER, EDITOR, OPERATOR, VIEWER, AUDITOR = Role.values
ALL = set(Role.values)


# Verbs


@pytest.mark.parametrize("verb", ["head", "options", "put", "patch", "delete"])
@pytest.mark.parametrize("who", ["ben", "chie"])
def test_no_other_verb_opens_or_changes_anything(acme, birch, who, verb):
    """Ben may only look at Acme; to Chie it is as if it were not there."""
    client = browser(team(acme, "ben", Role.VIEWER) if who == "ben" else birch.owner)
    client.raise_request_exception = False
    named, found, before = addresses_of(acme), [], stored()
    for url in (*plain(), *asking(acme), *named):
        response = getattr(client, verb)(url)
        shown = without(f"{body(response)} {told_and_sent_to(response)}", url, {})
        other = birch if who == "ben" else acme
        if response.status_code >= 500 or marks(other).search(shown) or "very-secret" in shown:
            found.append((url, response.status_code))
        if (
            url in named
            and who == "chie"
            and response.status_code == 200
            and (verb != "options" or shown.strip())
        ):
            found.append((url, "opens"))
        if client.session.get("_auth_user_id") is None:
            client.force_login(User.objects.get(username=who))
    assert found == []
    assert stored() == before


# Filters


def choices_of(changelist: Any) -> list[tuple[str, Any]]:
    """(parameter, value) of everything that the filters of a list offer."""
    found: list[tuple[str, Any]] = []
    for spec in changelist.filter_specs:
        if isinstance(spec, FieldListFilter):
            name = str(getattr(spec, "lookup_kwarg", "") or spec.expected_parameters()[0])
            values = [value for value, _label in spec.field.flatchoices] or ["1", "0"]
        else:
            name, values = (
                spec.parameter_name,
                [value for value, _label in spec.lookup_choices] or ["1"],
            )
        found += [(name, value) for value in values]
    return found


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_no_choice_of_a_filter_shows_another_account(acme, birch, emi, model):
    """To Aiko's people, of each role; Emi, who is of both, is told of no others either."""
    cedar = Account.objects.create(slug="cedar", name="cedar-name")
    for user in (
        *(team(acme, f"ben-{role}", role) for role in Role.values),
        User.objects.get(username="emi"),
    ):
        client, mine = (
            browser(user),
            {acme.account} | ({birch.account} if user.username == "emi" else set()),
        )
        response = client.get(listed(model))
        if response.status_code == 403:
            assert model in (Membership, Invitation) and user.username not in ("ben-owner", "emi")
            continue
        offered = choices_of(response.context["cl"])
        assert {one.filter_specs != [] for one in [response.context["cl"]]} == {bool(offered)}
        # What is offered (to Emi all of it, to the others some of each filter), and the same
        # question about an account that is nobody's of them.
        some = [
            one
            for one in offered
            if user.username == "emi"
            or [name for name, _ in offered[: offered.index(one)]].count(one[0]) < 3
        ]
        for name, value in (*some, ("account", cedar.pk)):
            shown = client.get(listed(model, **{name: value}))
            text = body(shown)
            assert shown.status_code in (200, 302) and "cedar-name" not in text, (name, value)
            assert birch.account in mine or not marks(birch).search(text), (name, value)
            found = rows_on(shown) if shown.status_code == 200 else []
            assert {one if model is Account else one.account for one in found} <= mine, (
                name,
                value,
            )


# What each role may read

WHOLE = {OWNER, EDITOR, AUDITOR}


def page_of_set_up(name: str) -> Callable[[Any], str]:
    return lambda own: reverse(f"admin:integration_setup_{name}", args=[own.rule.pk])


def page_of_row(name: str) -> Callable[[Any], str]:
    return lambda own: page(getattr(own, name))


READ: dict[str, tuple[set[str], Callable[[Any], str]]] = {
    "the audit log as a file": (WHOLE, lambda own: address(AuditEntry, "export")),
    "the history": (WHOLE, lambda own: f"{HOME}history/"),
    "the history of a key": (
        WHOLE,
        lambda own: f"{HOME}history/?kind=connection&id={own.hubspot.pk}",
    ),
    "what was changed of a rule": (WHOLE, lambda own: address(own.rule, "history")),
    "what was changed of a connection": (WHOLE, lambda own: address(own.hubspot, "history")),
    "what was changed of an account": (WHOLE, lambda own: address(own.account, "history")),
    "what was changed of a member": ({OWNER}, lambda own: address(own.membership, "history")),
    "members": ({OWNER}, lambda own: listed(Membership)),
    "a member": ({OWNER}, lambda own: page(own.membership)),
    "somebody to add": ({OWNER}, lambda own: address(Membership, "add")),
    "invitations": ({OWNER}, lambda own: listed(Invitation)),
    "an invitation": ({OWNER}, lambda own: page(own.invitation)),
    "somebody to invite": ({OWNER}, lambda own: address(Invitation, "add")),
    "a set-up to begin": ({OWNER, EDITOR}, lambda own: f"{HOME}setup/"),
    "how a test goes": (
        {OWNER, EDITOR},
        lambda own: reverse("admin:integration_setup_connection", args=[own.hubspot.pk]),
    ),
    **{
        f"a set-up: {name}": ({OWNER, EDITOR}, page_of_set_up(name))
        for name in (
            "connect",
            "tags",
            "tags_count",
            "configure",
            "limit",
            "review",
            "review_state",
        )
    },
    "a rule to add": ({OWNER, EDITOR}, lambda own: address(SyncRule, "add")),
    "a connection to add": ({OWNER, EDITOR}, lambda own: address(Connection, "add")),
    "a rule to delete": ({OWNER, EDITOR}, lambda own: address(own.draft, "delete")),
    "an account to add": (set(), lambda own: address(Account, "add")),
    "an account to suspend": (
        set(),
        lambda own: reverse("admin:core_account_suspend", args=[own.account.pk]),
    ),
    "an account to delete": (
        set(),
        lambda own: reverse("admin:core_account_leave", args=[own.account.pk]),
    ),
    "users": (set(), lambda own: listed(User)),
    "workers": (set(), lambda own: listed(Heartbeat)),
    "queued tasks": (set(), lambda own: listed(OrmQ)),
    "failed tasks": (set(), lambda own: listed(Failure)),
    "a failed task": (set(), lambda own: page(own.failed)),
    "scheduled tasks": (set(), lambda own: listed(Schedule)),
    "departures": (set(), lambda own: listed(Departure)),
    "sync health": (ALL, lambda own: reverse("admin:integration_health", args=[own.rule.pk])),
    "how a run goes": (ALL, lambda own: address(own.run, "progress")),
    **{
        f"a {name}": (ALL, page_of_row(name))
        for name in ("account", "hubspot", "rule", "run", "link", "record", "entry")
    },
}


@pytest.mark.parametrize("what", READ)
def test_a_role_reads_what_it_may_and_nothing_else(acme, birch, what):
    may, url = READ[what]
    people = {role: team(acme, f"ben-{role}", role) for role in Role.values}
    for user in people.values():
        # Which gives nobody more at Acme, nor what they are here at birch.
        joins(user, birch, Role.VIEWER)
    got = {role: browser(user).get(url(acme)) for role, user in people.items()}
    assert {role for role, response in got.items() if response.status_code == 200} == may
    assert {response.status_code for role, response in got.items() if role not in may} <= {403, 404}
    if url(acme) != url(birch) and may not in (ALL, set()):
        there = {browser(user).get(url(birch)).status_code for user in people.values()}
        assert there <= {200, 403, 404} and (200 not in there or "kind=" in url(birch))
    for response in got.values():
        assert ("export" not in what and "file" not in what) or "birch" not in body(response)


# What each role may do, beyond the attempts of test_access.py


def signed_in_to_hubspot(client: Client, own: Any) -> None:
    client.post(press(own.hubspot, "sign_in"))
    state = client.session.get("hubspot_oauth", {}).get("state", "")
    client.get(reverse("admin:integration_setup_oauth", query={"state": state, "code": "a-code"}))


def asked_of_health(**data: Any) -> Any:
    return lambda client, own: client.post(
        reverse("admin:integration_health", args=[own.rule.pk]), data
    )


def asked_of_record(name: str, **data: Any) -> Any:
    return lambda client, own: client.post(address(own.record, name), data)


RUN, CHANGE = {OWNER, EDITOR, OPERATOR}, {OWNER, EDITOR}
MORE = {
    "choose a value": (RUN, asked_of_record("choose", side="sansan", property="jobtitle")),
    "choose for everybody": (RUN, asked_of_health(action="choose_hubspot")),
    "deselect a tag": (
        CHANGE,
        lambda client, own: client.post(
            listed(Tag), {"action": "deselect_tags", "_selected_action": [own.tags[1].pk]}
        ),
    ),
    "add a mapping": (
        CHANGE,
        sent(
            "rule",
            **{
                "mappings-TOTAL_FORMS": 4,
                "mappings-3-sansan": "departmentName",
                "mappings-3-hubspot": "department",
                "mappings-3-policy": "always",
                "mappings-3-position": 3,
            },
        ),
    ),
    "delete a mapping": (CHANGE, sent("rule", **{"mappings-0-DELETE": "on"})),
    "sign in to HubSpot": (CHANGE, signed_in_to_hubspot),
    "test the keys of a set-up": (CHANGE, posted("integration_setup_connect", "draft", 1)),
    "count the cards of a set-up": (CHANGE, posted("integration_setup_tags", "draft", 2)),
    "save and sync": (
        CHANGE,
        lambda client, own: client.post(
            reverse("admin:integration_setup_review", args=[own.held.pk]), {"action": "save"}
        ),
    ),
    "delete a key of its webhooks": (CHANGE, sent("hubspot", webhook_secret="another-secret")),
    "sign in to HubSpot from nowhere": (
        set(),
        lambda client, own: client.get(
            reverse("admin:integration_setup_oauth", query={"state": "", "code": "c"})
        ),
    ),
    "press what is no button": (
        set(),
        lambda client, own: [
            client.post(press(own.rule, name)) for name in ("move", "delete", "enqueue", "press")
        ],
    ),
    "leave by GET": (
        set(),
        lambda client, own: [client.get(press(own.rule, name)) for name in ("sync_now", "pause")],
    ),
}


@pytest.fixture
def furnished(acme, birch, attempted, settings):
    settings.HUBSPOT_CLIENT_ID, settings.HUBSPOT_CLIENT_SECRET = "an-app", "its-secret"
    for own in (acme, birch):
        with in_account(own.account):
            Link.objects.filter(pk=own.link.pk).update(
                clashes={"jobtitle": ["a", "b", "hold", "rule"]}
            )
            rows.record(own.rule, f"{own.slug}-C9", bucket="held", reason="conflict", link=own.link)
            Tag.objects.filter(pk=own.tags[1].pk).update(selected=True)
            SyncRun.objects.create(
                account=own.account,
                rule=own.held,
                kind="preview",
                trigger="person",
                state="succeeded",
                ended_at=timezone.now(),
            )
    return attempted


@pytest.mark.parametrize("what", MORE)
def test_a_role_does_what_it_may_and_nothing_else(acme, furnished, what):
    may, attempt = MORE[what]
    team_of = {role: browser(team(acme, f"ben-{role}", role)) for role in Role.values}
    assert {role for role, client in team_of.items() if furnished(client, acme, attempt)} == may


@pytest.mark.parametrize("who", ["nobody", "dan", "chie", "emi"])
def test_who_may_not_changes_nothing(acme, birch, furnished, emi, dan, who):
    """Emi owns Acme, and may only look at birch."""
    client, own = {
        "nobody": (Client(), acme),
        "dan": (dan, acme),
        "chie": (browser(birch.owner), acme),
        "emi": (emi, birch),
    }[who]
    assert {
        what: changed
        for what, (_, attempt) in MORE.items()
        if (changed := furnished(client, own, attempt))
    } == {}


# Forms with the ids of another account


def answered(client: Client, url: str, data: dict[str, Any], *terms: Any) -> tuple[int, str]:
    response = client.post(url, data)
    text = FLEETING.sub("", body(response)) + told_and_sent_to(response)
    for term in terms:
        text = text.replace(str(term), "~")
    return response.status_code, text


def test_no_form_tells_an_id_of_another_account(acme, birch, aiko):
    """Sent with another account's id, each answers as it does for an id that nobody has, and
    changes nothing.
    """
    new, rule, member = address(SyncRule, "add"), page(acme.rule), address(Membership, "add")
    invited, key = address(Invitation, "add"), address(Connection, "add")
    setup, begun = f"{HOME}setup/", reverse("admin:integration_setup_connect", args=[acme.draft.pk])
    configure = reverse("admin:integration_setup_configure", args=[acme.draft.pk])
    health = reverse("admin:integration_health", args=[acme.rule.pk])
    blank = form_of(aiko.get(new)) | {
        "slug": "new",
        "sansan": acme.sansan.pk,
        "hubspot": acme.hubspot.pk,
    }
    ends = {"sansan": acme.sansan.pk, "hubspot": acme.hubspot.pk, "slug": "new"}
    asked = [
        (new, "sansan", birch.sansan.pk, blank),
        (new, "hubspot", birch.hubspot.pk, blank),
        (rule, "mappings-0-id", birch.mappings[0].pk, form_of(aiko.get(rule))),
        (rule, "mappings-0-rule", birch.rule.pk, form_of(aiko.get(rule))),
        (member, "account", birch.account.pk, {"who": "nobody-here", "role": "viewer"}),
        (invited, "account", birch.account.pk, {"email": "no address", "role": "viewer"}),
        (key, "account", birch.account.pk, {"slug": "", "system": "sansan"}),
        (setup, "sansan", birch.sansan.pk, ends),
        (setup, "hubspot", birch.hubspot.pk, ends),
        (begun, "sansan", birch.sansan.pk, ends),
        (begun, "hubspot", birch.hubspot.pk, ends),
        (health, "record", birch.record.pk, {"action": "retry"}),
        (listed(Tag), "_selected_action", birch.tags[0].pk, {"action": "select_tags"}),
        ("/admin/switch/", "account", birch.account.pk, {}),
        (
            configure,
            "row-0-id",
            birch.mappings[0].pk,
            bodies(acme, configure)[0] | {"row-0-hubspot": "Not A Name"},
        ),
    ]
    told, before = [], stored()
    for url, name, theirs, data in asked:
        answers = []
        for pk in (theirs, NO_ID):
            aiko.cookies.pop("messages", None)
            answers.append(answered(aiko, url, {**data, name: pk}, pk))
        if answers[0] != answers[1] or answers[0][0] >= 400:
            told.append((url, name, answers[0][0], answers[1][0]))
    assert told == []
    assert stored() == before


def test_the_way_to_a_page_tells_nothing(acme, birch, aiko):
    """Django's "view on site", which looks around every scope."""
    for row in rows_of(birch):
        kind = reverse("admin:view_on_site", args=[1, 1]).removesuffix("1/1/")
        theirs, none = (aiko.get(f"{kind}{content_type(row)}/{pk}/") for pk in (row.pk, NO_ID))
        assert (theirs.status_code, body(theirs)) == (
            none.status_code,
            body(none),
        ) and theirs.status_code == 404


# Ways out


ELSEWHERE = {
    "no scheme": "//evil.example",
    "backslashes": "\\\\evil.example",
    "a slash and a backslash": "/\\evil.example",
    "another site": "https://evil.example/admin/",
    "a script": "javascript:alert(1)",
    "no slashes": "https:evil.example",
}


@pytest.mark.parametrize("to", ELSEWHERE.values(), ids=ELSEWHERE)
def test_no_address_leads_away(acme, aiko, to):
    password = "three blind carps swim"
    acme.owner.set_password(password)
    acme.owner.save()
    said = {"username": "aiko", "password": password, "next": to}
    sent = [
        Client().post(f"{reverse('admin:login')}?next={to}", said),
        browser(acme.owner).post("/admin/switch/", {"account": acme.account.pk, "next": to}),
    ]
    sent += [
        browser(acme.owner).post("/i18n/setlang/", {"language": "ja", "next": to}),
        browser(acme.owner).post("/admin/logout/", {"next": to}),
    ]
    for response in sent:
        assert "evil" not in response.get("Location", "") and "javascript" not in response.get(
            "Location", ""
        ), response.request["PATH_INFO"]


def test_no_page_is_kept_by_a_cache(acme, aiko):
    """Whoever signs out on a shared machine leaves nothing behind the back button."""
    open_ones = [
        url
        for url in (*plain(), *addresses_of(acme))
        if url.startswith("/admin/") and "jsi18n" not in url and "logout" not in url
    ]
    kept = []
    for url in open_ones:
        response = aiko.get(url)
        if response.status_code == 200 and not (
            "no-store" in response.get("Cache-Control", "")
            and "private" in response.get("Cache-Control", "")
        ):
            kept.append((url, response.get("Cache-Control", "")))
    assert kept == []


def test_every_post_needs_its_token(acme):
    """But for what HubSpot sends, which is signed."""
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(acme.owner)
    before = stored()
    passed = [
        url
        for url in (*plain(), *addresses_of(acme))
        if url.startswith("/admin/") and strict.post(url).status_code not in (403, 404)
    ]
    assert passed == [] and stored() == before


# A session that outlives what it was opened for


@pytest.mark.parametrize("how", ["password", "switched off", "demoted", "removed"])
def test_a_session_is_worth_what_its_user_may_now(acme, how):
    user = team(acme, "ben", Role.OWNER)
    client = browser(user)
    assert client.get(listed(Membership)).status_code == 200
    if how == "password":
        user.set_password("another one entirely")
        user.save()
    elif how == "switched off":
        User.objects.filter(pk=user.pk).update(is_active=False)
    elif how == "demoted":
        user.memberships.update(role=Role.VIEWER)
    else:
        user.memberships.all().delete()
    assert client.get(listed(Membership)).status_code == (
        302 if how in ("password", "switched off") else 403
    )
    before = stored()
    for url in (
        page(acme.account),
        press(acme.rule, "sync_now"),
        press(acme.account, "export"),
        address(acme.colleague.memberships.get(), "delete"),
    ):
        client.post(url, {"name": "taken", "post": "yes"})
    assert stored() == before
