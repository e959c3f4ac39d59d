"""Members: an owner says who may do what, without a look at anybody else's people."""

from __future__ import annotations

import pytest

from core.models import Membership, User
from tests.admin.conftest import browser
from tests.admin.pages import address, body, errors, form_of, listed, page, rows_on, send
from tests.admin.world import joins, team

pytestmark = pytest.mark.django_db


def roles(own):
    return dict(own.account.memberships.values_list("user__username", "role"))


def add(client, own, **typed):
    return send(client, address(Membership, "add"), account=own.account.pk, **typed)


@pytest.mark.parametrize("typed", ["dan", " dan ", "dan@example.jp", "DAN@Example.jp"])
def test_an_owner_adds_somebody_by_name_or_address(acme, aiko, typed):
    User.objects.create_user("dan", "dan@example.jp")
    add(aiko, acme, who=typed, role="operator")
    assert roles(acme) == {"aiko": "owner", "acme-colleague": "editor", "dan": "operator"}
    assert User.objects.get(username="dan").is_staff, "or the admin would not let them in"


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


def test_the_answer_to_a_name_does_not_tell_whose_it_is(acme, birch, aiko):
    """Nobody learns from the form which names another account's people have: it adds them, or says what it says of nobody."""
    User.objects.filter(pk=birch.owner.pk).update(is_active=False)
    theirs, none = (errors(add(aiko, acme, who=name, role="viewer")) for name in ("chie", "nobody"))
    assert theirs == none


def test_an_account_must_be_said(acme, aiko):
    aiko.raise_request_exception = False
    response = aiko.post(address(Membership, "add"), {"who": "dan", "role": "viewer"})
    assert response.status_code == 200 and "account" in errors(response)


def test_nobody_is_added_to_an_account_of_which_one_is_no_owner(acme, birch, emi, dan):
    assert {"account", "who"} & errors(add(emi, birch, who="dan", role="owner")).keys()
    assert "dan" not in roles(birch)


def test_an_owner_changes_a_role(acme, aiko):
    send(aiko, page(acme.colleague.memberships.get()), role="viewer")
    assert roles(acme)["acme-colleague"] == "viewer"


def test_neither_the_person_nor_the_account_of_a_membership_changes(acme, birch, emi, dan):
    one = acme.colleague.memberships.get()
    send(emi, page(one), role="viewer", user=User.objects.get(username="dan").pk, account=birch.account.pk, who="dan")
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
    assert ben.get(listed(Membership)).status_code == 403 and listed(Membership) not in body(ben.get("/admin/"))
    assert ben.get(page(acme.membership)).status_code in (403, 404)


def test_the_list_shows_the_members_of_the_accounts_that_one_owns(acme, birch, emi, root):
    assert {one.account for one in rows_on(emi.get(listed(Membership)))} == {acme.account}
    assert emi.get(page(birch.membership)).status_code == 404
    assert {one.account for one in rows_on(root.get(listed(Membership)))} == {acme.account, birch.account}
    assert [one.user for one in rows_on(emi.get(listed(Membership, q="colleague")))] == [acme.colleague]


def test_a_role_holds_in_its_account_only(acme, birch):
    ben = team(acme, "ben", "owner")
    joins(ben, birch, "viewer")
    assert browser(ben).post(page(birch.rule), {"slug": "stolen"}).status_code == 403
