"""Users: made and switched off by those who run the platform."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from core.models import User
from tests.admin.pages import address, body, errors, listed, page, rows_on, send

pytestmark = pytest.mark.django_db
WORD = "three blind carps swim"


def test_a_superuser_makes_a_user_who_then_signs_in(root):
    send(
        root,
        address(User, "add"),
        username="dan",
        email="dan@example.jp",
        password1=WORD,
        password2=WORD,
    )
    dan = User.objects.get(username="dan")
    assert (dan.email, dan.is_staff, dan.is_superuser) == (
        "dan@example.jp",
        False,
        False,
    ) and dan.check_password(WORD)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"password2": "another word entirely"}, "password2"),
        ({"password1": "short", "password2": "short"}, "password2"),
        ({"password1": "password1234", "password2": "password1234"}, "password2"),
        ({"username": "root"}, "username"),
        ({"username": ""}, "username"),
    ],
    ids=str,
)
def test_a_user_that_cannot_be_is_told(root, typed, field):
    assert field in errors(
        send(
            root,
            address(User, "add"),
            **{"username": "dan", "email": "", "password1": WORD, "password2": WORD} | typed,
        )
    )


def test_a_superuser_changes_a_user(acme, root):
    send(root, page(acme.owner), first_name="愛子", email="new@acme.example.jp", is_active="")
    acme.owner.refresh_from_db()
    assert (acme.owner.first_name, acme.owner.email, acme.owner.is_active) == (
        "愛子",
        "new@acme.example.jp",
        False,
    )


def test_whoever_is_switched_off_is_out_at_once(acme, aiko):
    User.objects.filter(pk=acme.owner.pk).update(is_active=False)
    assert aiko.get(page(acme.rule)).status_code == 302


def test_a_superuser_sets_a_password(acme, root):
    url = reverse("admin:auth_user_password_change", args=[acme.owner.pk])
    assert root.get(url).status_code == 200
    root.post(
        url, {"password1": WORD, "password2": WORD, "set-password": "1", "usable_password": "true"}
    )
    assert Client().login(username="aiko", password=WORD)


def test_a_page_of_a_user_shows_no_hash(acme, root):
    acme.owner.set_password(WORD)
    acme.owner.save()
    assert acme.owner.password.split("$")[-1] not in body(root.get(page(acme.owner)))


def test_everybody_changes_their_own_password(acme):
    acme.owner.set_password(WORD)
    acme.owner.save()
    aiko, url, new = Client(), reverse("admin:password_change"), "four blind carps swim"
    assert aiko.login(username="aiko", password=WORD) and aiko.get(url).status_code == 200
    aiko.post(url, {"old_password": "wrong", "new_password1": new, "new_password2": new})
    assert Client().login(username="aiko", password=WORD)
    aiko.post(url, {"old_password": WORD, "new_password1": new, "new_password2": new})
    assert Client().login(username="aiko", password=new)


def test_nobody_deletes_a_user(acme, root):
    assert root.post(address(acme.owner, "delete"), {"post": "yes"}).status_code == 403
    root.post(
        listed(User),
        {"action": "delete_selected", "_selected_action": [acme.owner.pk], "post": "yes"},
    )
    assert User.objects.filter(pk=acme.owner.pk).exists()


def test_nobody_else_sees_the_users(acme, aiko):
    for url in (
        listed(User),
        address(User, "add"),
        page(acme.owner),
        page(acme.colleague),
        reverse("admin:auth_user_password_change", args=[acme.owner.pk]),
    ):
        assert aiko.get(url).status_code == aiko.post(url, {}).status_code == 403
    assert listed(User) not in body(aiko.get("/admin/"))


def test_the_list_finds_users(acme, birch, root):
    assert [one.username for one in rows_on(root.get(listed(User, q="birch")))] == [
        "birch-colleague",
        "chie",
    ]
    assert [one.username for one in rows_on(root.get(listed(User, is_superuser__exact="1")))] == [
        "root"
    ]
