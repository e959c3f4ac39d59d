"""What each role may do: a table that one reads before one changes it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from core.models import Membership, Role, User
from core.roles import EDIT, MAY, OPERATE, OWN, VIEW, may, roles_of
from tests.cast import member
from tests.core import rows

pytestmark = pytest.mark.django_db
ACTIONS = (VIEW, OPERATE, EDIT, OWN)
TABLE = {
    "owner": (True, True, True, True),
    "editor": (True, True, True, False),
    "operator": (True, True, False, False),
    "viewer": (True, False, False, False),
    "auditor": (True, False, False, False),
}


@pytest.fixture
def acme():
    return rows.account("acme")


@pytest.fixture
def birch():
    return rows.account("birch")


def test_every_role_is_in_the_table():
    assert set(TABLE) == set(Role.values) == set(MAY)


@pytest.mark.parametrize("role", TABLE)
def test_a_role_may(acme, birch, role):
    ben = member("ben", acme, role)
    assert tuple(may(ben, acme.pk, action) for action in ACTIONS) == tuple(may(ben, None, action) for action in ACTIONS) == TABLE[role]
    assert not any(may(ben, birch.pk, action) for action in ACTIONS)


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
        assert roles_of(aiko) == {acme.pk: "owner"} and may(aiko, acme.pk, OWN) and may(aiko, None, VIEW)
