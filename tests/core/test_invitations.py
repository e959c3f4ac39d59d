"""Invitations: one open one an address, a token that is stored nowhere, and one membership whoever
comes how often.
"""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from structlog.testing import capture_logs

from core import invitations
from core.invitations import (
    InvitationClosed,
    accept_invitation,
    make_invitation,
    renew_invitation,
    send_invitation,
)
from core.models import Invitation, Membership, Role, User
from core.models.invitation import digest_token
from tests.cast import member
from tests.core import rows
from tests.core.test_checks import GOOD
from tests.process import ROOT, Product

pytestmark = pytest.mark.django_db
GUEST = "guest@example.jp"


@pytest.fixture
def acme():
    return rows.account("acme")


@pytest.fixture
def aiko(acme):
    return member("aiko", acme)


@pytest.fixture
def dan():
    return User.objects.create_user("dan", GUEST)


def everything() -> str:
    """All that the database holds, as text."""
    found = []
    with connection.cursor() as cursor:
        for name in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{name}"')
            found += cursor.fetchall()
    return str(found)


# Making


def test_an_invitation_is_open_for_a_week(acme, aiko):
    invitation, token = make_invitation(acme, GUEST, Role.EDITOR, aiko)
    assert (invitation.account, invitation.email, invitation.role, invitation.invited_by) == (
        acme,
        GUEST,
        "editor",
        "aiko",
    )
    assert invitation.is_open and invitation.token_digest == digest_token(token)
    assert timedelta(days=6) < invitation.expires_at - timezone.now() < timedelta(days=8)


def test_an_address_is_the_same_however_it_is_typed(acme, aiko):
    first, _ = make_invitation(acme, " Guest@Example.JP ", Role.VIEWER, aiko)
    second, _ = make_invitation(acme, GUEST, Role.VIEWER, aiko)
    assert first.email == GUEST and first.pk == second.pk


def test_a_second_invitation_takes_the_place_of_the_first(acme, aiko, dan):
    first, old = make_invitation(acme, GUEST, Role.OWNER, aiko)
    Invitation.objects.update(
        expires_at=timezone.now(), created_at=timezone.now() - timedelta(days=9)
    )
    second, new = make_invitation(acme, GUEST, Role.VIEWER, member("emi", acme))
    assert Invitation.objects.count() == 1 and second.pk == first.pk and second.is_open
    assert (second.role, second.invited_by) == (
        "viewer",
        "emi",
    ) and second.created_at > first.created_at - timedelta(minutes=1)
    with pytest.raises(InvitationClosed):
        accept_invitation(old, dan)
    assert accept_invitation(new, dan).role == "viewer"


def test_who_left_may_be_invited_anew(acme, aiko, dan):
    accept_invitation(make_invitation(acme, GUEST, Role.VIEWER, aiko)[1], dan)
    Membership.objects.filter(user=dan).delete()
    accept_invitation(make_invitation(acme, GUEST, Role.EDITOR, aiko)[1], dan)
    assert Invitation.objects.count() == 2 and dan.memberships.get().role == "editor"


@pytest.mark.parametrize("typed", ["ben@acme.example.jp", "BEN@acme.example.JP"])
def test_a_member_is_not_invited(acme, aiko, typed):
    member("ben", acme)
    with pytest.raises(ValidationError, match="member already"):
        make_invitation(acme, typed, Role.VIEWER, aiko)
    assert not Invitation.objects.exists()


def test_a_member_of_another_account_is(acme, aiko):
    chie = member("chie", rows.account("birch"))
    make_invitation(acme, chie.email, Role.VIEWER, aiko)
    assert make_invitation(rows.account("cedar"), chie.email, Role.VIEWER, aiko)[0].pk


def test_who_has_a_user_can_sign_in_to_accept(acme, aiko, dan):
    gone = User.objects.create_user("gone", "gone@example.jp", is_active=False)
    make_invitation(acme, GUEST.upper(), Role.VIEWER, aiko)
    make_invitation(acme, gone.email, Role.VIEWER, aiko)
    dan.refresh_from_db()
    gone.refresh_from_db()
    assert dan.is_staff and not gone.is_staff


def test_a_renewed_token_takes_the_place_of_the_old_one(acme, aiko, dan):
    _, old = make_invitation(acme, GUEST, Role.VIEWER, aiko)
    Invitation.objects.update(expires_at=timezone.now())
    new = renew_invitation(Invitation.objects.get())
    assert Invitation.objects.get().is_open
    with pytest.raises(InvitationClosed):
        accept_invitation(old, dan)
    assert accept_invitation(new, dan)


def test_nothing_that_is_gone_or_accepted_is_renewed(acme, aiko, dan):
    invitation, token = make_invitation(acme, GUEST, Role.VIEWER, aiko)
    accept_invitation(token, dan)
    renew_invitation(invitation)
    assert Invitation.objects.get().token_digest == digest_token(token)
    Invitation.objects.all().delete()
    renew_invitation(invitation)
    assert not Invitation.objects.exists()


# Mail


def test_the_mail_says_who_invites_where_and_gives_the_link(acme, aiko):
    acme.name = "R&D <Acme>\nBcc: all@example.jp"
    acme.save()
    invitation, token = make_invitation(acme, GUEST, Role.AUDITOR, aiko)
    assert send_invitation(invitation, f"https://bridge.example.com/invitation/{token}/")
    (sent,) = mail.outbox
    assert (
        sent.to == [GUEST] and sent.subject == "aiko invites you to R&D <Acme> Bcc: all@example.jp"
    )
    assert f"\n\nhttps://bridge.example.com/invitation/{token}/\n\n" in sent.body
    assert (
        "aiko invites you to R&D <Acme> Bcc: all@example.jp in Meishi Bridge, as Auditor."
        in sent.body
        and sent.message()["Bcc"] is None
    )


MAIL_ERRORS = {
    "it refuses the address": smtplib.SMTPRecipientsRefused({GUEST: (550, b"no")}),
    "it refuses the connection": ConnectionRefusedError(),
    "it does not answer": TimeoutError(),
    "anything else": ValueError("?"),
}


@pytest.mark.parametrize("error", MAIL_ERRORS.values(), ids=MAIL_ERRORS)
def test_a_mail_host_that_fails_is_no_failure_of_ours(acme, aiko, monkeypatch, caplog, error):
    invitation, token = make_invitation(acme, GUEST, Role.VIEWER, aiko)

    def fail(subject, body, *args, **kwargs):
        error.args = (*error.args, body)
        raise error

    monkeypatch.setattr(invitations, "send_mail", fail)
    with capture_logs() as said:
        assert (
            send_invitation(invitation, f"https://bridge.example.com/invitation/{token}/") is False
        )
    assert [(line["event"], line["error"]) for line in said] == [
        ("invitation_not_sent", type(error).__name__)
    ]
    assert token not in str(said) + caplog.text


def test_a_mail_host_that_does_not_answer_is_not_waited_for(acme, aiko, monkeypatch):
    asked = []
    monkeypatch.setattr(invitations, "get_connection", lambda **how: asked.append(how))
    send_invitation(make_invitation(acme, GUEST, Role.VIEWER, aiko)[0], "link")
    assert asked == [{"timeout": 10}]


def test_without_a_mail_host_no_mail_is_said_to_be_sent(acme, aiko, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert send_invitation(make_invitation(acme, GUEST, Role.VIEWER, aiko)[0], "link") is False


# Accepting


def test_who_accepts_is_a_member(acme, aiko, dan):
    invitation, token = make_invitation(acme, GUEST, Role.OPERATOR, aiko)
    assert accept_invitation(token, dan) == Membership.objects.get(
        user=dan, account=acme, role="operator"
    )
    invitation.refresh_from_db()
    dan.refresh_from_db()
    assert (
        invitation.accepted_by == "dan"
        and invitation.accepted_at
        and not invitation.is_open
        and dan.is_staff
    )


def test_the_history_says_who_came_in_and_who_asked_them(acme, aiko, dan):
    accept_invitation(make_invitation(acme, GUEST, Role.OPERATOR, aiko)[1], dan)
    kept = Membership.history.get(user_id=dan.pk)
    assert (kept.who, kept.history_change_reason) == ("dan", "Invited by aiko.")


def ended(invitation):
    Invitation.objects.update(expires_at=timezone.now())


SHUT = {
    "used": lambda invitation, token: accept_invitation(token, User.objects.create_user("first")),
    "expired": lambda invitation, token: ended(invitation),
    "withdrawn": lambda invitation, token: invitation.delete(),
    "replaced": lambda invitation, token: renew_invitation(invitation),
}


@pytest.mark.parametrize("shut", SHUT)
def test_a_shut_invitation_lets_nobody_in(acme, aiko, dan, shut):
    invitation, token = make_invitation(acme, GUEST, Role.OWNER, aiko)
    SHUT[shut](invitation, token)
    with pytest.raises(InvitationClosed):
        accept_invitation(token, dan)
    assert not dan.memberships.exists()


NO_TOKENS = {
    "empty": "",
    "short": "x",
    "a NUL": "\0",
    "very long": "x" * 10_000,
    "not ASCII": "鍵",
}


@pytest.mark.parametrize("token", NO_TOKENS.values(), ids=NO_TOKENS)
def test_what_is_no_token_lets_nobody_in(acme, aiko, dan, token):
    invitation, _ = make_invitation(acme, GUEST, Role.OWNER, aiko)
    for wrong in (token, invitation.token_digest):
        with pytest.raises(InvitationClosed):
            accept_invitation(wrong, dan)


def test_a_member_keeps_the_role(acme, aiko):
    """Or an account could lose its last owner."""
    accept_invitation(make_invitation(acme, GUEST, Role.VIEWER, aiko)[1], aiko)
    assert Membership.objects.get(user=aiko).role == "owner"


def test_a_token_is_in_no_table_and_in_no_log(acme, aiko, dan, caplog):
    caplog.set_level("DEBUG")
    with capture_logs() as logs:
        invitation, first = make_invitation(acme, GUEST, Role.VIEWER, aiko)
        second = renew_invitation(invitation)
        accept_invitation(second, dan)
    said = everything() + caplog.text + str(logs)
    assert digest_token(second) in said and "invitation_accepted" in said
    assert first not in said and second not in said


GONE = {
    "removed": lambda one: one.memberships.all().delete(),
    "demoted": lambda one: one.memberships.update(role="editor"),
    "switched off": lambda one: User.objects.filter(pk=one.pk).update(is_active=False),
}


@pytest.mark.parametrize("how", GONE)
def test_an_owner_who_goes_has_no_way_back(acme, aiko, dan, how):
    """The link is shown to whoever makes it, for any address at all."""
    emi = member("emi", acme)
    invitation, token = make_invitation(acme, "emi@elsewhere.example.jp", Role.OWNER, emi)
    GONE[how](emi)
    with pytest.raises(InvitationClosed):
        accept_invitation(token, dan)
    assert not dan.memberships.exists()
    assert accept_invitation(renew_invitation(invitation, aiko), dan).role == "owner", (
        "sent again it is the invitation of who sends it"
    )
    assert Membership.history.get(user_id=dan.pk).history_change_reason == "Invited by aiko."


def test_the_platform_s_people_may_invite(acme, dan):
    assert accept_invitation(
        make_invitation(acme, GUEST, Role.VIEWER, User.objects.create_superuser("root"))[1], dan
    )


def test_who_came_in_by_one_link_has_no_other(acme, aiko, dan):
    _, other = make_invitation(acme, GUEST, Role.OWNER, aiko)
    accept_invitation(make_invitation(acme, "dan@elsewhere.example.jp", Role.VIEWER, aiko)[1], dan)
    Membership.objects.filter(user=dan).delete()
    with pytest.raises(InvitationClosed):
        accept_invitation(other, dan)


RACE = """
import json, sys, threading
from core.invitations import InvitationClosed, accept_invitation, make_invitation
from core.models import Account, Invitation, Membership, User
from django.db import connections
account = Account.objects.create(slug="acme", name="Acme")
aiko = User.objects.create_superuser("aiko")
users = [User.objects.create_user(f"u{n}") for n in range(4)]
how, done, start = sys.argv[1], [], threading.Barrier(4)
one_user = how == "one user"
addresses = [f"{n if one_user else 0}@example.jp" for n in range(4 if one_user else 1)]
tokens = [make_invitation(account, address, "viewer", aiko)[1] for address in addresses] * 4
def race(n):
    start.wait()
    try:
        if how == "inviting":
            make_invitation(account, "new@example.jp", "viewer", aiko)
        else:
            accept_invitation(tokens[n], users[0] if how == "one user" else users[n])
        done.append("done")
    except InvitationClosed:
        done.append("closed")
    connections.close_all()
threads = [threading.Thread(target=race, args=[n]) for n in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
invited = Invitation.objects.filter(email="new@example.jp").count()
print(json.dumps([sorted(done), Membership.objects.count(), invited]))
"""


RACES = {
    "one token": ("one token", [["closed"] * 3 + ["done"], 1, 0]),
    "one user": ("one user", [["done"] * 4, 1, 0]),
    "inviting": ("inviting", [["done"] * 4, 0, 1]),
}


@pytest.mark.parametrize(("how", "came"), RACES.values(), ids=RACES)
def test_of_many_at_once_one_counts(product, how, came):
    done = subprocess.run(
        [*product.script(RACE), how],
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == came, done.stderr


# Settings

SHOWN = """
from django.conf import settings
names = (
    "EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS",
    "DEFAULT_FROM_EMAIL",
)
print([getattr(settings, name) for name in names])
"""
BACKENDS = "django.core.mail.backends"
FROM = "meishi-bridge@localhost"
URL = "smtp+tls://bridge:p%40ss@mail.example.com:587"


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, [f"{BACKENDS}.dummy.EmailBackend", None, None, None, False, FROM]),
        (
            {"EMAIL_URL": "", "DEFAULT_FROM_EMAIL": ""},
            [f"{BACKENDS}.dummy.EmailBackend", None, None, None, False, FROM],
        ),
        ({"DEBUG": "1"}, [f"{BACKENDS}.console.EmailBackend", None, None, None, False, FROM]),
        (
            {"EMAIL_URL": URL, "DEFAULT_FROM_EMAIL": "us@example.com"},
            [
                f"{BACKENDS}.smtp.EmailBackend",
                "mail.example.com",
                587,
                "p@ss",
                True,
                "us@example.com",
            ],
        ),
    ],
    ids=["unset", "blank", "development", "a host"],
)
def test_the_mail_host_comes_from_the_environment(tmp_path, environment, shown):
    product = Product(tmp_path, empty=True)
    environment = {**product.environment, **GOOD, **environment}
    done = subprocess.run(
        product.script(SHOWN),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == str(shown), done.stderr


NO_MAIL_HOSTS = {
    "another scheme": "gopher://user:hunter2@host",
    "no address": "hunter2",
    "no port": "smtp://user:hunter2@host:port",
}


@pytest.mark.parametrize("url", NO_MAIL_HOSTS.values(), ids=NO_MAIL_HOSTS)
def test_a_mail_host_that_is_none_is_told_and_not_quoted(tmp_path, url):
    environment = {**Product(tmp_path, empty=True).environment, **GOOD, "EMAIL_URL": url}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert (
        done.returncode
        and line.startswith("Meishi Bridge cannot start: EMAIL_URL must be")
        and "hunter2" not in line
    )
