"""Accounts: made by the platform, looked after by their owners, deleted by nobody."""

from __future__ import annotations

import pytest

from core.models import Account
from tests.admin.pages import address, body, errors, form_of, listed, page, rows_on, send

pytestmark = pytest.mark.django_db


def stored(own):
    return Account.objects.get(pk=own.account.pk)


def test_an_owner_changes_name_time_zone_and_retention(acme, aiko):
    send(
        aiko,
        page(acme.account),
        name="Acme Holdings",
        timezone="Europe/Berlin",
        retention_days="90",
    )
    one = stored(acme)
    assert (one.name, one.timezone, one.retention_days) == ("Acme Holdings", "Europe/Berlin", 90)


def test_slug_and_switch_are_the_platform_s(acme, aiko, root):
    assert not {"slug", "active"} & form_of(aiko.get(page(acme.account))).keys()
    send(aiko, page(acme.account), slug="stolen", active="")
    assert (stored(acme).slug, stored(acme).active) == ("acme", True)
    # Suspending has a page of its own, which asks why.
    send(root, page(acme.account), slug="renamed", active="")
    assert (stored(acme).slug, stored(acme).active) == ("renamed", True)


def test_a_superuser_makes_an_account(root):
    send(
        root,
        address(Account, "add"),
        slug="fuji",
        name="Fuji KK",
        timezone="Asia/Tokyo",
        retention_days="400",
        active="on",
    )
    assert Account.objects.get(slug="fuji").name == "Fuji KK"


BAD = {
    "no name": ("name", ""),
    "no such time zone": ("timezone", "Asia/Atlantis"),
    "a way out of the time zones": ("timezone", "../../etc/passwd"),
    "a retention under a month": ("retention_days", "29"),
    "a domain that is an address": ("provider_domains", "info@zaq.example.jp"),
    "a domain of one word": ("provider_domains", "zaq.example.jp\nzaq"),
    "a retention in words": ("retention_days", "long"),
    "a retention under zero": ("retention_days", "-1"),
    # The sweep takes it from today's date: where that falls before the year 1, nothing of anybody's
    # is swept any more.
    "a retention of longer than there are dates": ("retention_days", "999999999"),
}


@pytest.mark.parametrize(("field", "typed"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_told_at_its_field(acme, aiko, field, typed):
    response = send(aiko, page(acme.account), **{field: typed})
    assert errors(response).keys() == {field} and form_of(response)[field] == typed


def test_a_slug_is_there_once(acme, birch, root):
    assert errors(send(root, page(birch.account), slug="acme")).keys() == {"slug"}


@pytest.mark.parametrize("ben", ["editor", "operator", "viewer", "auditor"], indirect=True)
def test_who_is_no_owner_looks_only(acme, ben):
    assert 'name="_save"' not in body(ben.get(page(acme.account)))
    assert ben.post(page(acme.account), {"name": "x"}).status_code == 403


def test_an_owner_makes_no_account(aiko):
    assert (
        aiko.get(address(Account, "add")).status_code
        == aiko.post(address(Account, "add"), {"slug": "x"}).status_code
        == 403
    )


def test_nobody_deletes_an_account(acme, aiko, root):
    for one in (aiko, root):
        assert one.post(address(acme.account, "delete"), {"post": "yes"}).status_code == 403
        one.post(
            listed(Account),
            {"action": "delete_selected", "_selected_action": [acme.account.pk], "post": "yes"},
        )
    assert stored(acme)


def test_the_list_shows_one_s_own_and_how_many_belong_to_it(acme, birch, aiko, emi, root):
    assert [(one.slug, one.members) for one in rows_on(aiko.get(listed(Account)))] == [("acme", 3)]
    assert [(one.slug, one.members) for one in rows_on(emi.get(listed(Account)))] == [
        ("acme", 3),
        ("birch", 3),
    ]
    assert [one.slug for one in rows_on(root.get(listed(Account, q="birch")))] == ["birch"]
