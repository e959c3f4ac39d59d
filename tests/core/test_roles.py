"""What each role may do: a table that one reads before one changes it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from core.models import Account, Departure, Invitation, Membership, Role, User
from core.roles import EDIT, EXPORT, HISTORY_RIGHT, MAY, OPERATE, OWN, VIEW, may, read_roles
from core.tenancy import in_account
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
from tests.admin.conftest import browser
from tests.admin.pages import address, listed, page, press
from tests.admin.world import furnish
from tests.cast import member
from tests.core import rows

pytestmark = pytest.mark.django_db
ACTIONS = (VIEW, EXPORT, HISTORY_RIGHT, OPERATE, EDIT, OWN)
TABLE = {
    ("owner", VIEW): True,
    ("owner", EXPORT): True,
    ("owner", HISTORY_RIGHT): True,
    ("owner", OPERATE): True,
    ("owner", EDIT): True,
    ("owner", OWN): True,
    ("editor", VIEW): True,
    ("editor", EXPORT): True,
    ("editor", HISTORY_RIGHT): True,
    ("editor", OPERATE): True,
    ("editor", EDIT): True,
    ("editor", OWN): False,
    ("operator", VIEW): True,
    ("operator", EXPORT): False,
    ("operator", HISTORY_RIGHT): False,
    ("operator", OPERATE): True,
    ("operator", EDIT): False,
    ("operator", OWN): False,
    ("viewer", VIEW): True,
    ("viewer", EXPORT): False,
    ("viewer", HISTORY_RIGHT): False,
    ("viewer", OPERATE): False,
    ("viewer", EDIT): False,
    ("viewer", OWN): False,
    ("auditor", VIEW): True,
    ("auditor", EXPORT): True,
    ("auditor", HISTORY_RIGHT): True,
    ("auditor", OPERATE): False,
    ("auditor", EDIT): False,
    ("auditor", OWN): False,
}


@pytest.fixture
def acme():
    return rows.account("acme")


@pytest.fixture
def birch():
    return rows.account("birch")


def test_every_role_and_every_right_is_in_the_table():
    assert set(TABLE) == set(product(Role.values, ACTIONS)) and set(MAY) == set(Role.values)


@pytest.mark.parametrize(("role", "action"), TABLE)
def test_a_role_may(acme, birch, role, action):
    ben = member("ben", acme, role)
    assert may(ben, acme.pk, action) == may(ben, None, action) == TABLE[role, action]
    assert not may(ben, birch.pk, action)


def test_a_role_holds_in_its_own_account(acme, birch):
    emi = member("emi", acme, "owner")
    Membership.objects.create(user=emi, account=birch, role="viewer")
    assert may(emi, acme.pk, OWN) and not may(emi, birch.pk, OPERATE) and may(emi, birch.pk, VIEW)
    assert may(emi, None, OWN)


@pytest.mark.parametrize("action", ACTIONS)
def test_who_has_no_role_may_nothing(acme, action):
    gone = member("gone", acme, "owner")
    gone.is_active = False
    for user in (None, AnonymousUser(), User.objects.create_user("dan"), gone):
        assert not may(user, acme.pk, action) and not may(user, None, action)


def test_a_superuser_may_everything(acme):
    root = User.objects.create_superuser("root")
    assert all(may(root, acme.pk, action) and may(root, None, action) for action in ACTIONS)


def test_an_action_that_is_none_is_nobody_s(acme):
    assert not may(member("aiko", acme), acme.pk, "fly")


def test_roles_are_read_once_a_request(acme, django_assert_num_queries):
    aiko = User.objects.get(pk=member("aiko", acme).pk)
    with django_assert_num_queries(1):
        assert (
            read_roles(aiko) == {acme.pk: "owner"}
            and may(aiko, acme.pk, OWN)
            and may(aiko, None, VIEW)
        )


# Which right each page and each action asks for. Everything below is asked by every role, and by
# the platform's staff.

STAFF = "the platform's staff"


def setup(step: str) -> Any:
    return lambda own: reverse(f"admin:integration_setup_{step}", args=[own.rule.pk])


def lists(model: Any) -> Any:
    return lambda own: listed(model)


def adds(model: Any) -> Any:
    return lambda own: address(model, "add")


def of(row: str, name: str) -> Any:
    return lambda own: address(getattr(own, row), name)


def on(row: str, button: str) -> Any:
    return lambda own: press(getattr(own, row), button)


def named(name: str, row: str = "", **query: Any) -> Any:
    return lambda own: reverse(
        f"admin:{name}", args=[getattr(own, row).pk] if row else [], query=query or None
    )


READS = {
    "overview": (VIEW, named("index")),
    **{
        f"list of {model._meta.verbose_name_plural}": (VIEW, lists(model))
        for model in (Account, AuditEntry, Connection, Link, Record, SyncRule, SyncRun, Tag)
    },
    **{
        f"a {row}": (VIEW, of(row, "change"))
        for row in ("account", "sansan", "rule", "run", "record", "link", "entry")
    },
    "progress of a run": (VIEW, of("run", "progress")),
    "health of a rule": (VIEW, named("integration_health", "rule")),
    "health of a rule by reason": (
        VIEW,
        named("integration_health", "rule", stand="failing", reason="email_taken"),
    ),
    "audit log as a file": (EXPORT, named("integration_auditentry_export")),
    "history of the configuration": (HISTORY_RIGHT, named("integration_history")),
    "history of one rule": (HISTORY_RIGHT, named("integration_history", kind="rule", id=1)),
    "who did what to a rule": (HISTORY_RIGHT, of("rule", "history")),
    "who did what to a connection": (HISTORY_RIGHT, of("sansan", "history")),
    "who did what to an account": (HISTORY_RIGHT, of("account", "history")),
    "set-up": (EDIT, named("integration_setup")),
    **{
        f"set-up: {step}": (EDIT, setup(step))
        for step in (
            "connect",
            "tags",
            "tags_count",
            "configure",
            "limit",
            "review",
            "review_state",
        )
    },
    "set-up: a connection's test": (
        EDIT,
        lambda own: reverse("admin:integration_setup_connection", args=[own.sansan.pk]),
    ),
    "form of a connection": (EDIT, adds(Connection)),
    "form of a rule": (EDIT, adds(SyncRule)),
    "deleting a connection": (EDIT, of("spare", "delete")),
    "list of members": (OWN, lists(Membership)),
    "a member": (OWN, of("membership", "change")),
    "form of a member": (OWN, adds(Membership)),
    "list of invitations": (OWN, lists(Invitation)),
    "an invitation": (OWN, of("invitation", "change")),
    "form of an invitation": (OWN, adds(Invitation)),
    "form of an account": (STAFF, adds(Account)),
    "suspending an account": (STAFF, of("account", "suspend")),
    "deleting an account": (STAFF, of("account", "leave")),
    "list of departures": (STAFF, lists(Departure)),
    "a departure": (STAFF, of("departure", "change")),
    "list of users": (STAFF, lists(User)),
    "a user": (STAFF, of("owner", "change")),
    "form of a user": (STAFF, adds(User)),
    "list of workers": (STAFF, lists(Heartbeat)),
    "a worker": (STAFF, of("heartbeat", "change")),
}
PRESSES = {
    "test a connection": (OPERATE, on("sansan", "test_connection"), {}),
    "sign in to HubSpot": (EDIT, on("hubspot", "sign_in"), {}),
    "read the tags again": (OPERATE, on("sansan", "refresh_tags"), {}),
    **{
        f"{name} a rule": (OPERATE, on("rule", name), {})
        for name in ("switch_on", "resume", "sync_now", "preview", "check_everything", "pause")
    },
    "try a card again": (OPERATE, on("failing", "retry"), {}),
    "sync a card again": (OPERATE, on("barred", "sync_again"), {}),
    "never sync a card": (OPERATE, of("record", "never"), {"why": "because"}),
    "try a reason again": (
        OPERATE,
        named("integration_health", "rule"),
        {"action": "retry_reason", "stand": "failing", "reason": "email_taken"},
    ),
    "try cards again": (
        OPERATE,
        named("integration_health", "rule"),
        {"action": "retry", "record": "1"},
    ),
    **{
        f"set-up: {step}": (EDIT, setup(step), {})
        for step in ("connect", "tags", "configure", "limit", "review")
    },
    "set-up": (EDIT, named("integration_setup"), {}),
    "set-up: live results": (EDIT, setup("try"), {}),
    "change a rule": (EDIT, of("rule", "change"), {}),
    "change a connection": (EDIT, of("sansan", "change"), {}),
    "take everything out": (EXPORT, on("account", "export"), {}),
    "change the account": (OWN, of("account", "change"), {}),
    "change a member": (OWN, of("membership", "change"), {}),
    "invite somebody": (OWN, adds(Invitation), {}),
    "send an invitation again": (OWN, on("invitation", "send_again"), {}),
    "suspend the account": (STAFF, of("account", "suspend"), {"slug": "acme", "reason": "because"}),
    "resume the account": (STAFF, on("account", "resume"), {}),
    "delete the account": (STAFF, of("account", "leave"), {"slug": "acme", "reason": "because"}),
    "change a user": (STAFF, of("owner", "change"), {}),
}
CLOSED = {403, 404}


@pytest.fixture
def own(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    return furnish("acme", "aiko")


@pytest.fixture
def everybody(own):
    """Role -> browser; None -> that of the platform's staff."""
    people = {role: member(f"ben-{role}", own.account, role) for role in Role.values} | {
        None: User.objects.create_superuser("root")
    }
    return {role: browser(user) for role, user in people.items()}


def opens(everybody: Any, right: str, answer: Any) -> None:
    """``answer`` of a browser: everybody with the right gets one, and nobody else."""
    may_ask = {role for role in Role.values if right in MAY[role]} | {None}
    assert {role for role, client in everybody.items() if answer(client) not in CLOSED} == may_ask


@pytest.mark.parametrize("what", READS)
def test_a_page_opens_to_whoever_has_its_right(own, everybody, what):
    right, where = READS[what]
    opens(everybody, right, lambda client: client.get(where(own)).status_code)


@pytest.mark.parametrize("what", PRESSES)
def test_an_action_is_taken_by_whoever_has_its_right(own, everybody, what):
    right, where, sent = PRESSES[what]
    if what == "resume the account":
        Account.objects.filter(pk=own.account.pk).update(active=False)
    opens(everybody, right, lambda client: client.post(where(own), sent).status_code)


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_a_role_that_may_not_edit_has_no_part_in_a_set_up(own, everybody, role):
    """Not even in a fragment or in JSON, and where another account would let it."""
    other = rows.account("other")
    Membership.objects.create(
        user=User.objects.get(username=f"ben-{role}"), account=other, role="editor"
    )
    steps = [
        setup(step)(own)
        for step in (
            "connect",
            "tags",
            "tags_count",
            "configure",
            "limit",
            "review",
            "review_state",
        )
    ]
    assert {
        everybody[role].get(url).status_code
        for url in (*steps, READS["set-up: a connection's test"][1](own))
    } <= CLOSED
    assert everybody[role].post(setup("try")(own), {}).status_code in CLOSED
    with in_account(own.account):
        assert SyncRule.objects.get(pk=own.rule.pk).state == "active"


def test_a_link_to_the_history_is_shown_to_whoever_may_follow_it(own, everybody):
    url = f"{reverse('admin:integration_history')}?kind=rule&amp;id={own.rule.pk}"
    shown = {
        role
        for role, client in everybody.items()
        if url in client.get(page(own.rule)).content.decode()
    }
    assert shown == {role for role in Role.values if HISTORY_RIGHT in MAY[role]} | {None}
