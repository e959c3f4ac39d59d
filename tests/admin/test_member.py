"""Members: an owner says who may do what, without a look at anybody else's people."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import translation

from core.invitations import make_invitation
from core.models import Account, Invitation, Membership, Role, User
from tests.admin.conftest import browser
from tests.admin.pages import address, body, errors, form_of, listed, page, rows_on, send
from tests.admin.world import joins, team

pytestmark = pytest.mark.django_db


def roles(own):
    return dict(own.account.memberships.values_list("user__username", "role"))


def add(client, own, **typed):
    return send(client, address(Membership, "add"), account=own.account.pk, **typed)


@pytest.fixture
def acme_two(acme):
    """Aiko's other account, of which Dan is."""
    two = Account.objects.create(slug="acme-two", name="Acme two")
    joins(acme.owner, two, "owner")
    joins(User.objects.create_user("dan", "dan@example.jp"), two, "viewer")
    return two


@pytest.mark.parametrize("typed", ["dan", " dan ", "dan@example.jp", "DAN@Example.jp"])
def test_an_owner_adds_somebody_of_another_account_of_hers_by_name_or_address(
    acme, acme_two, aiko, typed
):
    add(aiko, acme, who=typed, role="operator")
    assert roles(acme) == {"aiko": "owner", "acme-colleague": "editor", "dan": "operator"}
    assert User.objects.get(username="dan").is_staff, "or the admin would not let them in"


@pytest.mark.parametrize("role", ["editor", "operator", "viewer", "auditor"])
def test_being_in_another_account_is_not_owning_it(acme, acme_two, aiko, role):
    acme_two.memberships.filter(user=acme.owner).update(role=role)
    assert errors(add(aiko, acme, who="dan", role="viewer")).keys() == {"who"}


def test_who_was_chosen_for_the_pages_is_found_all_the_same(acme, acme_two, aiko):
    aiko.post("/admin/switch/", {"account": acme.account.pk})
    add(aiko, acme, who="dan", role="viewer")
    assert "dan" in roles(acme)


@pytest.mark.parametrize("typed", ["dan", "dan@example.jp"])
def test_the_platform_s_people_add_anybody(acme, root, typed):
    User.objects.create_user("dan", "dan@example.jp")
    add(root, acme, who=typed, role="operator")
    assert "dan" in roles(acme)


WRONG = {
    "nobody": ("nobody-here", "who"),
    "somebody switched off": ("gone", "who"),
    "an address of two": ("shared@example.jp", "who"),
    "half a name": ("da", "who"),
    "a member already": ("acme-colleague", "who"),
    "nothing": ("", "who"),
}


@pytest.mark.parametrize(("typed", "field"), WRONG.values(), ids=WRONG)
def test_who_cannot_be_added_is_told_at_the_field(acme, aiko, dan, typed, field):
    User.objects.create_user("gone", is_active=False)
    for name in ("one", "two"):
        User.objects.create_user(name, "shared@example.jp")
    response = add(aiko, acme, who=typed, role="viewer")
    assert errors(response).keys() == {field} and form_of(response)["who"] == typed
    assert len(roles(acme)) == 2


def test_the_answer_to_a_name_does_not_tell_whether_anybody_has_it(acme, birch, aiko, dan):
    """Nobody learns which names and addresses there are, nor who has them: all of them are asked by
    an invitation.
    """
    before, none = roles(acme), errors(add(aiko, acme, who="nobody", role="viewer"))
    for theirs in ("chie", "chie@birch.example.jp", "dan", "birch-colleague"):
        assert errors(add(aiko, acme, who=theirs, role="viewer")) == none
    assert roles(acme) == before and "birch" not in body(aiko.get(listed(Membership)))


def test_nobody_takes_a_seat_by_an_address_that_is_not_theirs(acme, birch, aiko, chie):
    """The link of an invitation is shown to whoever makes it, so that anybody can have a user with
    any address.
    """
    _, token = make_invitation(acme.account, "new@birch.example.jp", "viewer", acme.owner)
    password = "three blind carps swim"
    Client().post(
        f"/invitation/{token}/",
        {"username": "mallory", "password1": password, "password2": password},
    )
    assert User.objects.get(username="mallory").email == "new@birch.example.jp"
    assert errors(add(chie, birch, who="new@birch.example.jp", role="editor")).keys() == {"who"}
    assert "mallory" not in roles(birch)


def test_an_account_must_be_said(acme, aiko):
    aiko.raise_request_exception = False
    response = aiko.post(address(Membership, "add"), {"who": "dan", "role": "viewer"})
    assert response.status_code == 200 and errors(response)["account"] == [
        "This field is required."
    ]


def test_who_owns_one_account_adds_members_to_that(acme, acme_two, birch, aiko, emi):
    """Nobody is asked what has one answer."""
    assert form_of(browser(birch.owner).get(address(Membership, "add")))["account"] == str(
        birch.account.pk
    )


@pytest.mark.parametrize("form", [Membership, Invitation])
def test_who_gives_a_role_reads_what_it_may(acme, aiko, form):
    seen = body(aiko.get(address(form, "add")))
    assert (
        "<b>Operator</b>: sees everything, runs syncs and retries<br>" in seen
        and "<b>Viewer</b>: sees everything<br>" in seen
    )
    assert (
        "<b>Owner</b>: sees everything, sees who changed what, takes data out, runs syncs and "
        "retries, sets up and changes syncs, manages people"
    ) in seen


@pytest.mark.parametrize("role", Role.values)
def test_the_list_names_every_role_in_the_readers_language(acme, aiko, role):
    ben = team(acme, "ben", role)
    with translation.override("ja"):
        name = str(Role(role).label)
    row = body(
        aiko.get(listed(Membership, q=ben.username), headers={"accept-language": "ja"})
    ).split("<tbody")[1]
    words = re.sub(r"<[^>]*>", " ", row).lower().split()
    assert name in words and role not in words


def test_nobody_is_added_to_an_account_of_which_one_is_no_owner(acme, birch, emi, dan):
    assert {"account", "who"} & errors(add(emi, birch, who="dan", role="owner")).keys()
    assert "dan" not in roles(birch)


def test_an_owner_changes_a_role(acme, aiko):
    send(aiko, page(acme.colleague.memberships.get()), role="viewer")
    assert roles(acme)["acme-colleague"] == "viewer"


def test_neither_the_person_nor_the_account_of_a_membership_changes(acme, birch, emi, dan):
    one = acme.colleague.memberships.get()
    send(
        emi,
        page(one),
        role="viewer",
        user=User.objects.get(username="dan").pk,
        account=birch.account.pk,
        who="dan",
    )
    one.refresh_from_db()
    assert (one.user, one.account, one.role) == (acme.colleague, acme.account, "viewer")


def test_an_account_never_loses_its_last_owner(acme, aiko, root):
    for one in (aiko, root):
        assert errors(send(one, page(acme.membership), role="viewer")).keys() == {"role"}
        assert address(acme.membership, "delete") not in body(one.get(page(acme.membership)))
        assert one.post(address(acme.membership, "delete"), {"post": "yes"}).status_code == 403
    assert roles(acme)["aiko"] == "owner"


def test_one_of_two_owners_may_go(acme, aiko):
    team(acme, "emi", "owner")
    send(aiko, page(acme.membership), role="viewer")
    assert roles(acme)["aiko"] == "viewer"
    assert aiko.get(listed(Membership)).status_code == 403, "an owner no longer"


def test_an_owner_removes_a_member(acme, aiko):
    aiko.post(address(acme.colleague.memberships.get(), "delete"), {"post": "yes"})
    assert roles(acme) == {"aiko": "owner"} and User.objects.filter(pk=acme.colleague.pk).exists()


@pytest.mark.parametrize("ben", ["editor", "operator", "viewer", "auditor"], indirect=True)
def test_only_owners_see_the_members(acme, ben):
    assert ben.get(listed(Membership)).status_code == 403 and listed(Membership) not in body(
        ben.get("/admin/")
    )
    assert ben.get(page(acme.membership)).status_code in (403, 404)


def test_the_list_shows_the_members_of_the_accounts_that_one_owns(acme, birch, emi, root):
    assert {one.account for one in rows_on(emi.get(listed(Membership)))} == {acme.account}
    assert emi.get(page(birch.membership)).status_code == 404
    assert {one.account for one in rows_on(root.get(listed(Membership)))} == {
        acme.account,
        birch.account,
    }
    assert [one.user for one in rows_on(emi.get(listed(Membership, q="colleague")))] == [
        acme.colleague
    ]


def test_a_role_holds_in_its_account_only(acme, birch):
    ben = team(acme, "ben", "owner")
    joins(ben, birch, "viewer")
    assert browser(ben).post(page(birch.rule), {"slug": "stolen"}).status_code == 403
