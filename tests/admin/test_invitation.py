"""Invitations in the admin: an owner's alone, the link seen once, and nothing of another
account.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from structlog.testing import capture_logs

from core import invitations
from core.invitations import accept_invitation, make_invitation
from core.models import Account, Invitation, Membership, Role, User
from core.models.invitation import digest_token
from tests.admin.conftest import browser
from tests.admin.pages import address, body, errors, form_of, listed, page, press, rows_on, send
from tests.admin.test_access import stored
from tests.admin.world import MARKUP, team

pytestmark = pytest.mark.django_db
GUEST = "guest@example.jp"


@pytest.fixture(autouse=True)
def nobody_is_invited(request, db):
    """But for whom a test invites: those whom the accounts come with stand aside."""
    for name in {"acme", "birch"}.intersection(request.fixturenames):
        request.getfixturevalue(name)
    Invitation.objects.all().delete()


def add(client, **typed):
    return send(client, address(Invitation, "add"), **{"email": GUEST, "role": "editor", **typed})


def token_on(response) -> str:
    """The token of the link that the page shows."""
    token: str
    (token,) = re.findall(r'value="http://testserver/invitation/([^"/]+)/"', body(response))
    return token


@pytest.fixture
def open_one(acme):
    return make_invitation(acme.account, GUEST, Role.EDITOR, acme.owner)[0]


@pytest.fixture
def theirs(birch):
    return make_invitation(birch.account, "theirs@example.jp", Role.EDITOR, birch.owner)[0]


# Making


def test_an_owner_invites_somebody_by_mail(acme, aiko):
    response = add(aiko, email="Guest@Example.jp")
    one = Invitation.objects.get()
    assert (one.account, one.email, one.role, one.invited_by) == (
        acme.account,
        GUEST,
        "editor",
        "aiko",
    )
    assert (
        response.status_code == 200
        and f"on its way to {GUEST}" in body(response)
        and digest_token(token_on(response)) == one.token_digest
    )
    assert (
        mail.outbox[0].to == [GUEST]
        and f"http://testserver/invitation/{token_on(response)}/" in mail.outbox[0].body
    )


def test_the_link_is_shown_once_in_a_field_to_copy(acme, aiko, open_one):
    response = add(aiko)
    token = token_on(response)
    assert (
        "readonly" in body(response)
        and '<label for="invitation-link">' in body(response)
        and "it is not shown again" in body(response)
    )
    assert "no-store" in response["Cache-Control"] and response["Referrer-Policy"] == "same-origin"
    assert "messages" not in response.cookies, "a message would keep it"
    later = [
        aiko.get(url)
        for url in (
            listed(Invitation),
            page(open_one),
            address(open_one, "history"),
            address(open_one, "delete"),
            "/admin/",
        )
    ]
    assert {one.status_code for one in later} == {200} and not any(
        token in body(one) for one in later
    )
    assert not any(
        open_one.token_digest in body(one) or digest_token(token) in body(one) for one in later
    )


def test_the_token_is_in_no_table_and_in_no_log(acme, aiko, caplog):
    caplog.set_level("INFO")
    with capture_logs() as logs:
        token = token_on(add(aiko))
        again = token_on(aiko.post(press(Invitation.objects.get(), "send_again")))
    assert digest_token(again) in str(stored())
    for one in (token, again):
        assert one not in str(stored()) + caplog.text + str(logs)
        assert one not in str(aiko.session.items())


@pytest.mark.parametrize("role", Role.values)
def test_an_owner_grants_any_role(acme, aiko, role):
    add(aiko, role=role)
    assert Invitation.objects.get().role == role


WRONG = {
    "no address": ({"email": "nobody"}, "email"),
    "a blank address": ({"email": ""}, "email"),
    "a member's address": ({"email": "AIKO@acme.example.jp"}, "email"),
    "a role that is none": ({"role": "king"}, "role"),
    "no role": ({"role": ""}, "role"),
}


@pytest.mark.parametrize(("typed", "field"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_at_the_field(acme, aiko, typed, field):
    response = add(aiko, **typed)
    assert errors(response).keys() == {field} and form_of(response)["email"] == typed.get(
        "email", GUEST
    )
    assert not Invitation.objects.exists() and mail.outbox == []


def test_a_second_invitation_renews_the_first(acme, aiko, open_one):
    token = token_on(add(aiko, role="viewer"))
    one = Invitation.objects.get()
    assert (one.pk, one.role, one.token_digest) == (open_one.pk, "viewer", digest_token(token))


def test_the_account_is_asked_for_where_there_are_several(acme, birch, emi, aiko, root):
    assert "account" not in form_of(aiko.get(address(Invitation, "add"))), "she owns one"
    assert "account" not in form_of(emi.get(address(Invitation, "add"))), "of two she owns one"
    Membership.objects.filter(user__username="emi").update(role=Role.OWNER)
    for client in (emi, root):
        assert "account" in errors(add(client, account=""))
        add(client, account=birch.account.pk, email=GUEST)
    assert [one.account for one in Invitation.objects.all()] == [birch.account]


def test_nobody_invites_to_an_account_of_which_one_is_no_owner(acme, birch, emi):
    """Whatever the browser sends: where one account is hers, and where there are several to choose
    from.
    """
    emi.post(
        address(Invitation, "add"), {"email": GUEST, "role": "owner", "account": birch.account.pk}
    )
    assert [one.account for one in Invitation.objects.all()] == [acme.account]
    cedar = Account.objects.create(slug="cedar", name="Cedar")
    Membership.objects.create(user=User.objects.get(username="emi"), account=cedar, role=Role.OWNER)
    assert errors(add(emi, account=birch.account.pk)).keys() == {"account"}
    assert not Invitation.objects.filter(account=birch.account).exists()


def test_on_an_empty_platform_an_account_comes_first(root):
    assert root.get(address(Invitation, "add")).status_code == 302


@pytest.mark.parametrize("how", ["fails", "is none"])
def test_without_mail_the_link_is_what_counts(acme, aiko, settings, monkeypatch, how):
    if how == "fails":
        monkeypatch.setattr(invitations, "send_mail", lambda *args, **kwargs: 1 / 0)
    else:
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    for response in (
        do()
        for do in (
            lambda: add(aiko),
            lambda: aiko.post(press(Invitation.objects.get(), "send_again")),
        )
    ):
        assert (
            response.status_code == 200
            and "No mail could be sent" in body(response)
            and "on its way" not in body(response)
        )
        assert digest_token(token_on(response)) == Invitation.objects.get().token_digest


def test_the_mail_goes_out_after_the_row_is_stored(acme, aiko, monkeypatch):
    """A slow mail host would otherwise hold the database, in the test the one transaction around it
    all.
    """
    depth = []
    outside = len(connection.savepoint_ids)

    def send_mail(*args: Any, **kwargs: Any) -> int:
        depth.append(len(connection.savepoint_ids))
        return 1

    monkeypatch.setattr(invitations, "send_mail", send_mail)
    add(aiko)
    assert depth == [outside]


# Looking


def test_the_list_tells_what_became_of_each(acme, aiko):
    names = [f"{name}@example.jp" for name in ("accepted", "expired", "open")]
    tokens = [make_invitation(acme.account, name, Role.VIEWER, acme.owner)[1] for name in names]
    accept_invitation(tokens[0], User.objects.create_user("dan"))
    Invitation.objects.filter(email=names[1]).update(expires_at=timezone.now())
    response = aiko.get(listed(Invitation))
    assert [one.email for one in rows_on(response)] == names[::-1]
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body(response)))
    assert all(
        re.search(rf"{name}@example.jp Viewer aiko .{{5,60}}? {name.title()} ", shown)
        for name in ("open", "expired", "accepted")
    ), shown
    assert [one.email for one in rows_on(aiko.get(listed(Invitation, q="expir")))] == [names[1]]


def test_nobody_but_owners_comes_near(acme, ben, open_one):
    for role in ("editor", "operator", "viewer", "auditor"):
        Membership.objects.filter(user__username="ben").update(role=role)
        before = stored()
        assert (
            ben.get(listed(Invitation)).status_code
            == ben.get(address(Invitation, "add")).status_code
            == 403
        )
        assert listed(Invitation) not in body(ben.get("/admin/"))
        assert (
            ben.post(
                address(Invitation, "add"), {"email": "x@example.jp", "role": "owner"}
            ).status_code
            == 403
        )
        assert {
            ben.get(page(open_one)).status_code,
            ben.post(address(open_one, "delete"), {"post": "yes"}).status_code,
        } <= {403, 404}
        assert ben.post(press(open_one, "send_again")).status_code in (403, 404)
        assert stored() == before and mail.outbox == []


def test_the_sidebar_leads_an_owner_there(acme, aiko, root):
    for client in (aiko, root):
        links = [
            str(item["link"])
            for group in client.get("/admin/").context["sidebar_navigation"]
            for item in group["items"]
        ]
        assert links.index(listed(Invitation)) == links.index(listed(Membership)) + 1


def test_another_account_s_invitation_is_as_good_as_none(acme, birch, aiko, emi, theirs):
    for client in (aiko, emi):
        assert (
            client.get(page(theirs)).status_code
            == client.get(address(theirs, "delete")).status_code
            == 404
        )
        assert (
            client.post(press(theirs, "send_again")).status_code
            == client.post(address(theirs, "delete"), {"post": "yes"}).status_code
            == 404
        )
        assert "theirs@" not in body(client.get(listed(Invitation))) + body(
            client.get(listed(Invitation, q="theirs"))
        )
    assert Invitation.objects.get().token_digest == theirs.token_digest and mail.outbox == []


def test_the_platform_s_people_see_all(root, open_one, theirs):
    assert rows_on(root.get(listed(Invitation))) == [theirs, open_one]
    assert token_on(root.post(press(theirs, "send_again")))


def test_what_a_name_says_is_escaped(acme, aiko, root, open_one, theirs):
    for response in (root.get(listed(Invitation)), root.get(page(open_one)), add(aiko)):
        assert MARKUP not in body(response)


# Sending again, withdrawing


def test_sending_again_makes_the_old_link_worthless(acme, aiko):
    old = token_on(add(aiko))
    Invitation.objects.update(expires_at=timezone.now())
    response = aiko.post(press(Invitation.objects.get(), "send_again"))
    new = token_on(response)
    assert (
        Client().get(f"/invitation/{old}/").status_code == 404
        and Client().get(f"/invitation/{new}/").status_code == 200
    )
    assert new != old and new in mail.outbox[1].body and Invitation.objects.get().is_open
    assert "Sent again." in body(aiko.get(address(Invitation.objects.get(), "history")))


def test_a_button_needs_a_press(acme, aiko, open_one):
    assert "/press/send_again/" in body(aiko.get(page(open_one)))
    assert aiko.get(press(open_one, "send_again")).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(acme.owner)
    assert strict.post(press(open_one, "send_again")).status_code == 403
    assert Invitation.objects.get().token_digest == open_one.token_digest


def test_who_is_withdrawn_does_not_get_in(acme, aiko):
    token = token_on(add(aiko))
    one = Invitation.objects.get()
    assert address(one, "delete") in body(aiko.get(page(one)))
    aiko.post(address(one, "delete"), {"post": "yes"})
    assert (
        not Invitation.objects.exists() and Client().get(f"/invitation/{token}/").status_code == 404
    )


def test_who_is_removed_has_no_link_left(acme, birch, aiko):
    """Neither one that was sent to them, nor one that they made."""
    emi = team(acme, "emi", Role.OWNER)
    _, sent = make_invitation(birch.account, emi.email, Role.OWNER, birch.owner)
    Invitation.objects.update(account=acme.account, invited_by="aiko")  # as before emi was a member
    made = token_on(add(browser(emi), email="emi@elsewhere.example.jp", role="owner"))
    aiko.post(address(emi.memberships.get(), "delete"), {"post": "yes"})
    for token in (sent, made):
        assert Client().get(f"/invitation/{token}/").status_code == 404
        browser(emi).post(f"/invitation/{token}/", {"as": "emi"})
    assert not emi.memberships.exists()
    shown = re.sub(r"<[^>]+>|\s+", " ", body(aiko.get(listed(Invitation))))
    assert "emi@elsewhere.example.jp" in shown and not re.search(
        r"elsewhere.example.jp.{1,90} Open ", shown
    )


def test_what_was_accepted_stays(acme, aiko, root):
    token = token_on(add(aiko))
    accept_invitation(token, User.objects.create_user("dan"))
    one = Invitation.objects.get()
    for client in (aiko, root):
        shown = body(client.get(page(one)))
        assert "/press/" not in shown and address(one, "delete") not in shown and "dan" in shown
        assert client.post(address(one, "delete"), {"post": "yes"}).status_code == 403
        client.post(press(one, "send_again"))
    assert Invitation.objects.get().token_digest == digest_token(token) and len(mail.outbox) == 1


def test_nothing_of_an_invitation_changes(acme, aiko, root, open_one):
    for client in (aiko, root):
        assert 'name="_save"' not in body(
            client.get(page(open_one))
        ) and 'name="email"' not in body(client.get(page(open_one)))
        assert (
            client.post(page(open_one), {"email": "other@example.jp", "role": "owner"}).status_code
            == 403
        )
    one = Invitation.objects.get()
    assert (one.email, one.role) == (GUEST, "editor")


# Members


def test_the_members_page_leads_to_inviting(acme, aiko):
    shown = aiko.get(address(Membership, "add"))
    assert f'href="{address(Invitation, "add")}"' in str(
        shown.context["adminform"].form.fields["who"].help_text
    )
    assert re.search(
        rf'<a [^>]*href="{address(Invitation, "add")}">send an invitation</a>', body(shown)
    )
    assert "send an invitation" in str(
        errors(
            send(
                aiko,
                address(Membership, "add"),
                account=acme.account.pk,
                who="nobody-here",
                role="viewer",
            )
        )
    )


def test_no_page_lists_users(acme, birch, aiko):
    shown = body(aiko.get(address(Invitation, "add")))
    assert "chie" not in shown and "birch" not in shown
