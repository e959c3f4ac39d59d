"""The page behind the link: what it tells whom, who gets in by it, and that looking changes
nothing.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote_plus

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from structlog.testing import capture_logs

from core import invitation_views
from core.invitations import accept_invitation, enrol_user, make_invitation, renew_invitation
from core.models import Invitation, Membership, Role, User
from tests.cast import PASSWORD, member
from tests.core import rows

pytestmark = pytest.mark.django_db
GUEST = "guest@example.jp"
TYPED = {
    "username": "guest",
    "password1": "three blind carps swim",
    "password2": "three blind carps swim",
}


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def acme():
    return rows.account("acme")


@pytest.fixture
def aiko(acme):
    return member("aiko", acme)


@pytest.fixture
def token(acme, aiko):
    return make_invitation(acme, GUEST, Role.EDITOR, aiko)[1]


@pytest.fixture
def url(token):
    return reverse("invitation", args=[token])


@pytest.fixture
def guest():
    return User.objects.create_user("guest", GUEST, PASSWORD, is_staff=True)


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def text(response) -> str:
    return str(response.content.decode())


def words(response) -> str:
    """What a reader reads."""
    shown = re.sub(r"<style>.*?</style>|<[^>]+>", "", text(response), flags=re.DOTALL)
    return re.sub(r"\s+", " ", shown).replace("&quot;", '"').replace("&#x27;", "'")


def field(response, name: str) -> str:
    tag: str
    (tag,) = re.findall(rf'<input[^>]* name="{name}"[^>]*>', text(response))
    return tag


def memberships(account) -> dict[str, str]:
    return dict(
        account.memberships.exclude(user__username="aiko").values_list("user__username", "role")
    )


def told(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


# Looking


def test_the_page_says_who_invites_where_and_as_what(url):
    response = Client().get(url)
    assert (
        response.status_code == 200
        and "aiko invites you to become a member of Acme KK in Meishi Bridge. Your role: Editor."
        in words(response)
    )


def test_looking_changes_nothing(acme, url, guest):
    before = list(Invitation.objects.values())
    for client in (Client(), signed_in(guest)):
        assert client.get(url).status_code == client.head(url).status_code == 200
        assert (
            client.put(url).status_code
            == client.delete(url).status_code
            == client.options(url).status_code
            == 405
        )
    assert list(Invitation.objects.values()) == before and memberships(acme) == {}


def test_what_people_called_themselves_is_escaped(acme, url):
    acme.name = "<script>made()</script>"
    acme.save()
    User.objects.filter(username="aiko").update(username="<b>aiko</b>")
    Invitation.objects.update(invited_by="<b>aiko</b>")
    assert "<script>" not in text(Client().get(url)) and "<b>" not in text(Client().get(url))


PAGES = {
    "sign up": lambda url, guest: Client().get(url),
    "corrected": lambda url, guest: Client().post(url, {}),
    "sign in": lambda url, guest: (guest(), Client())[1].get(url),
    "join": lambda url, guest: signed_in(guest()).get(url),
    "somebody else": lambda url, guest: signed_in(User.objects.create_user("ben")).get(url),
    "a member": lambda url, guest: signed_in(User.objects.get(username="aiko")).get(url),
    "unknown": lambda url, guest: Client().get("/invitation/none/"),
    "expired": lambda url, guest: (Invitation.objects.update(expires_at=timezone.now()), Client())[
        1
    ].get(url),
    "joined": lambda url, guest: Client().post(url, TYPED),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_keeps_its_address_to_itself_and_can_be_read_by_all(url, name):
    response = PAGES[name](url, lambda: User.objects.create_user("guest", GUEST))
    assert (
        response["Cache-Control"],
        response["Referrer-Policy"],
        response["X-Frame-Options"],
    ) == ("no-store", "same-origin", "DENY")
    if name != "joined":
        page = text(response)
        assert (
            page.count("<h1>") == 1
            and '<html lang="en"' in page
            and 'name="viewport"' in page
            and "prefers-color-scheme: dark" in page
        )
        assert set(re.findall(r'<input type="(?!hidden)[^>]* id="(\w+)"', page)) == set(
            re.findall(r'<label for="(\w+)"', page)
        )
        assert not re.search(r'(src|href)="(https?:)?//', page), "nothing from elsewhere"
        assert len(re.findall(r"<title>[^<]+ – Meishi Bridge</title>", page)) == 1


# Links that open nothing


def test_an_unknown_token_says_nothing_and_what_to_do(url):
    for wrong in ("none", "x" * 3000, "%00", "鍵", Invitation.objects.get().token_digest):
        response = Client().get(f"/invitation/{wrong}/")
        assert (
            response.status_code == 404
            and "ask whoever invited you" in words(response)
            and "Acme" not in words(response)
        )


def used(token):
    accept_invitation(token, User.objects.create_user("first"))


def expired(token):
    Invitation.objects.update(expires_at=timezone.now())


def withdrawn(token):
    Invitation.objects.all().delete()


def left(token):
    """Whoever invited is an owner no longer. There is always another one."""
    member("emi", Invitation.objects.get().account)
    Membership.objects.filter(user__username="aiko").update(role="viewer")


def replaced(token):
    renew_invitation(Invitation.objects.get())


SHUT = {
    "accepted": (used, 410, "accepted already"),
    "expired": (expired, 410, "too old"),
    "withdrawn": (withdrawn, 404, "withdrawn"),
    "of one who left": (left, 404, "withdrawn"),
    "replaced": (replaced, 404, "newer mail"),
}


@pytest.mark.parametrize(("shut", "status", "said"), SHUT.values(), ids=SHUT)
def test_a_shut_invitation_opens_to_nobody(acme, url, token, aiko, shut, status, said):
    shut(token)
    there = memberships(acme)
    for client in (Client(), signed_in(User.objects.create_user("ben")), signed_in(aiko)):
        for response in (client.get(url), client.post(url, TYPED | {"as": "ben"})):
            assert response.status_code == status and said in words(response)
            assert not re.search(rf"Acme|aiko|{GUEST}|<form", text(response))
    assert memberships(acme) == there and not User.objects.filter(username="guest").exists()


def test_an_open_one_shuts_by_itself(url, time_machine_later):
    time_machine_later(days=6)
    assert Client().get(url).status_code == 200
    time_machine_later(days=2)
    assert Client().get(url).status_code == 410


def test_the_answer_costs_the_same_whatever_the_token(url, django_assert_num_queries):
    """No account or user is looked for before the token is right."""
    client = Client()
    expired("")
    for wrong in (url, "/invitation/none/"):
        with django_assert_num_queries(2):
            client.get(wrong)


# Somebody new


def test_somebody_new_makes_a_user_and_is_in(acme, url):
    client = Client()
    response = client.post(
        url,
        TYPED | {"email": "other@example.jp", "is_superuser": "on", "next": "https://example.com/"},
    )
    user = User.objects.get(username="guest")
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert (user.email, user.is_staff, user.is_superuser, user.is_active) == (
        GUEST,
        True,
        False,
        True,
    ) and user.check_password(TYPED["password1"])
    assert memberships(acme) == {"guest": "editor"} and client.session["_auth_user_id"] == str(
        user.pk
    )
    assert told(response) == ["Welcome: you are now a member of Acme KK, as Editor."]
    assert client.get("/admin/").status_code == 200


def test_the_history_says_who_came(acme, url):
    Client().post(url, TYPED)
    assert Membership.history.get(user__username="guest").who == "guest"


WRONG = {
    "nothing": (
        {"username": "", "password1": "", "password2": ""},
        {"username", "password1", "password2"},
    ),
    "a name that is taken": ({"username": "AIKO"}, {"username"}),
    "a name with blanks": ({"username": "a guest"}, {"username"}),
    "somebody's address for a name": ({"username": "ceo@example.jp"}, {"username"}),
    "the same in wide letters": ({"username": "ceo＠example.jp"}, {"username"}),
    "a short password": ({"password1": "short", "password2": "short"}, {"password2"}),
    "a common password": (
        {"password1": "1qaz2wsx3edc", "password2": "1qaz2wsx3edc"},
        {"password2"},
    ),
    "two passwords": ({"password2": "four blind carps swim"}, {"password2"}),
}


@pytest.mark.parametrize(("typed", "fields"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_marked_and_what_was_typed_stays(acme, url, typed, fields):
    client, sent = Client(), {**TYPED, **typed}
    response = client.post(url, sent)
    assert response.status_code == 200 and response.context["form"].errors.keys() == fields
    assert 'role="alert"' in text(response) and all(
        'aria-invalid="true"' in field(response, name) for name in fields
    )
    for name in ("password1", "password2"):
        assert "value=" not in field(response, name)
    assert not sent["username"] or 'value="' in field(response, "username")
    assert (
        memberships(acme) == {}
        and User.objects.count() == 1
        and "_auth_user_id" not in client.session
    )
    assert Invitation.objects.get().is_open


def test_the_own_address_may_be_the_name(acme, url):
    Client().post(url, TYPED | {"username": GUEST})
    assert memberships(acme) == {GUEST: "editor"}


def test_a_form_sent_twice_makes_one_user(acme, url, monkeypatch):
    """The second was looked at before the first was done."""
    begun: list[str] = []
    statuses: list[int] = []

    def enrol(token, form):
        if not begun:
            begun.append(token)
            statuses.append(Client().post(url, TYPED).status_code)
        return enrol_user(token, form)

    monkeypatch.setattr(invitation_views, "enrol_user", enrol)
    client = Client()
    second = client.post(url, TYPED)
    assert (
        statuses == [302]
        and second.status_code == 410
        and "If that was you, sign in" in words(second)
    )
    assert memberships(acme) == {"guest": "editor"} and "_auth_user_id" not in client.session


def test_signing_in_changes_the_session_s_key(url):
    client = Client()
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    planted = session.session_key
    assert planted
    client.cookies["sessionid"] = planted
    client.post(url, TYPED)
    assert client.cookies["sessionid"].value != planted and client.session["_auth_user_id"]
    stranger = Client()
    stranger.cookies["sessionid"] = planted
    assert stranger.get("/admin/").status_code == 302


def test_another_site_s_page_accepts_nothing(acme, url, guest):
    for user in (None, guest):
        strict = Client(enforce_csrf_checks=True)
        if user:
            strict.force_login(user)
        assert strict.post(url, TYPED | {"as": "guest"}).status_code == 403
    assert memberships(acme) == {}


def test_passwords_are_kept_out_of_error_reports(url, monkeypatch):
    seen = []

    def sign_up(self, request):
        seen.append(request.sensitive_post_parameters)
        return self.show_closed()

    monkeypatch.setattr(invitation_views.InvitationView, "sign_up", sign_up)
    Client().post(url, TYPED)
    assert seen == [("password1", "password2")]


# Somebody with a user


@pytest.mark.parametrize("stored", [GUEST, "Guest@Example.JP"])
@pytest.mark.parametrize("active", [True, False])
def test_who_has_a_user_is_asked_to_sign_in(acme, url, stored, active):
    """Also one that was switched off: a second user would be a way around that."""
    User.objects.create_user("emiko", stored, is_active=active)
    for response in (Client().get(url), Client().post(url, TYPED)):
        assert f'href="/admin/login/?next={quote_plus(url)}"' in text(response)
        assert "<form" not in text(response) and "emiko" not in text(response)
    assert User.objects.count() == 2 and memberships(acme) == {}


@pytest.mark.parametrize("staff", [True, False])
def test_who_signs_in_comes_back_and_joins(acme, aiko, staff):
    User.objects.create_user("guest", GUEST, PASSWORD, is_staff=staff)
    url = reverse("invitation", args=[make_invitation(acme, GUEST, Role.EDITOR, aiko)[1]])
    client = Client()
    (login,) = re.findall(r'href="(/admin/login/[^"]+)"', text(client.get(url)))
    back = client.post(login, {"username": "guest", "password": PASSWORD, "next": url})
    assert back["Location"] == url and "You are signed in as guest." in words(client.get(url))
    response = client.post(url, {"as": "guest"})
    assert (
        response["Location"] == "/admin/"
        and memberships(acme) == {"guest": "editor"}
        and client.get("/admin/").status_code == 200
    )


def test_joining_is_one_press(acme, url, guest):
    client = signed_in(guest)
    page = client.get(url)
    assert (
        text(page).count("<form") == 1
        and "Join Acme KK" in words(page)
        and "sent to" not in words(page)
    )
    response = client.post(url, {"as": "guest", "next": "https://example.com/", "role": "owner"})
    assert response["Location"] == "/admin/" and told(response) == [
        "Welcome: you are now a member of Acme KK, as Editor."
    ]
    assert memberships(acme) == {"guest": "editor"}


def test_a_second_press_finds_it_done(acme, url, guest):
    client = signed_in(guest)
    client.post(url, {"as": "guest"})
    assert client.post(url, {"as": "guest"}).status_code == client.get(url).status_code == 410
    assert memberships(acme) == {"guest": "editor"}


@pytest.mark.parametrize("email", ["ben@birch.example.jp", ""])
def test_somebody_else_is_told_so_and_may_accept(acme, url, email):
    client = signed_in(User.objects.create_user("ben", email, is_staff=True))
    page = client.get(url)
    assert f"You are signed in as ben; the invitation was sent to {GUEST}." in words(page)
    assert "Join Acme KK as ben" in words(page) and "Sign out" in words(page)
    client.post(url, {"as": "ben"})
    assert memberships(acme) == {"ben": "editor"} and Invitation.objects.get().accepted_by == "ben"


UNTOLD = {
    "nothing": {},
    "as nobody": {"as": ""},
    "as somebody else": {"as": "guest"},
    "a new user": TYPED,
}


@pytest.mark.parametrize("sent", UNTOLD.values(), ids=UNTOLD)
def test_who_was_not_told_accepts_nothing(acme, url, sent):
    """In another tab somebody else signed in while the page was open."""
    response = signed_in(User.objects.create_user("ben", is_staff=True)).post(url, sent)
    assert (
        response.status_code == 200
        and "You are signed in as ben; the invitation was sent to" in words(response)
    )
    assert memberships(acme) == {} and not User.objects.filter(username="guest").exists()


def test_somebody_else_may_sign_out_and_comes_back(acme, url, guest):
    client = signed_in(User.objects.create_user("ben", is_staff=True))
    action, back = re.findall(
        r'action="([^"]+)">.*?name="next" value="([^"]+)"', text(client.get(url)), re.DOTALL
    )[0]
    response = client.post(action, {"next": back})
    assert response["Location"] == url and "sign in" in words(client.get(url))


def test_a_member_is_told_so_and_leaves_it_open(acme, url, aiko):
    client = signed_in(aiko)
    for response in (client.get(url), client.post(url, {"as": "aiko"})):
        assert (
            response.status_code == 200
            and "You are signed in as aiko, who is a member of Acme KK already, as Owner."
            in words(response)
        )
        assert 'name="as"' not in text(response)
    assert Invitation.objects.get().is_open and Membership.objects.get(user=aiko).role == "owner"


def test_a_token_accepted_meanwhile_is_told(acme, url, token, guest, monkeypatch):
    """Between the page's look and the press of its button."""
    monkeypatch.setattr(
        invitation_views, "accept_invitation", lambda *args: (used(token), accept_invitation(*args))
    )
    response = signed_in(guest).post(url, {"as": "guest"})
    assert response.status_code == 410 and memberships(acme) == {"first": "editor"}


# The token


@pytest.mark.parametrize("where", ["https://example.com/", "//example.com/", "/\\example.com"])
def test_no_address_leads_away(url, where):
    for query in (f"{url}?next={where}", f"{url}?as={where}"):
        assert "example.com" not in text(Client().get(query))
    assert Client().post(f"{url}?next={where}", TYPED | {"next": where})["Location"] == "/admin/"


def test_no_log_names_an_open_token(url, token, caplog):
    caplog.set_level("INFO")
    with capture_logs() as logs:
        Client().get(url), Client().post(url, {}), Client().post(url, TYPED)
    assert logs and token not in caplog.text + str(logs)


def test_a_week_is_said_in_a_time_zone(url):
    until = timezone.localtime(timezone.now() + timedelta(days=7))
    assert f"open until {until:%Y-%m-%d}" in words(Client().get(url)) and "JST" in words(
        Client().get(url)
    )
