"""New credentials that lead elsewhere: nothing is written until a person has looked."""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import in_account
from integration.connections.check import ask_vendor
from integration.connectors.base import Reconnect
from integration.intake.people import accept_other_portal
from integration.models import Connection, Link, Record, SyncRule
from integration.notes import read_note
from tests.cast import KEY, TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db
OTHER_KEY, OTHER_TOKEN = KEY[::-1], "pat-test-0002"


def enter(rule: SyncRule, system: str, secret: str, test: bool = False) -> None:
    """A person enters another key, and has it tested or not."""
    with in_account(rule.account):
        connection = Connection.objects.get(account=rule.account, system=system)
        connection.set_secret(secret)
        connection.save()
        if test:
            ask_vendor(connection)()


def resume(rule: SyncRule) -> None:
    with in_account(rule.account):
        SyncRule.objects.update(state="active", waived=True)
    rule.refresh_from_db()


def everybody(sandbox: Any) -> dict[str, dict[str, str]]:
    return expected([card for card in sandbox.sansan.cards.values() if not card["hidden"]])


@pytest.fixture
def moved(sandbox):
    """A rule whose token is changed for one of another portal, where strangers have the same
    ids.
    """
    rule = configured(file())
    sync(rule)
    strangers = [
        {"email": f"stranger{i}@beta.example.jp", "lastname": f"Stranger{i}"} for i in range(60)
    ]
    sandbox.hubspot.control("create", {"token": OTHER_TOKEN, "contacts": strangers})
    ids = sandbox.hubspot.portal(TOKEN).contacts.keys()
    assert ids & sandbox.hubspot.portal(OTHER_TOKEN).contacts.keys()
    card = next(card for card in sandbox.sansan.cards.values() if card["email"])
    sandbox.sansan.change(card["id"], {"title": "新"})
    return sandbox, rule


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("told", ["tested", "untested", "nobody says which"])
def test_nothing_is_written_to_another_portal(moved, full, told):
    sandbox, rule = moved
    enter(rule, "hubspot", OTHER_TOKEN, test=told == "tested")
    if told == "nobody says which":
        with in_account(rule.account):
            Connection.objects.filter(system="hubspot").update(remote_id="")
    before = sandbox.hubspot.state()
    for _ in range(2):
        rule.hubspot.refresh_from_db()
        run = sync(rule, full=full)
        assert (run.state, run.reason) == ("held", "other_portal")
        told_of = read_note(run.detail)
        assert told_of and told_of.code in ("other_portal", "strange_portal")
    assert sandbox.hubspot.state() == before
    with in_account(rule.account):
        assert SyncRule.objects.get().state == "held"
        assert not Link.objects.exclude(gone="").exists(), "nobody is forgotten"


def test_the_former_token_goes_on_where_it_stopped(moved):
    sandbox, rule = moved
    enter(rule, "hubspot", OTHER_TOKEN, test=True)
    sync(rule)
    enter(rule, "hubspot", TOKEN, test=True)
    resume(rule)
    rule.hubspot.refresh_from_db()
    assert rule.hubspot.health == "ok" and rule.hubspot.found_id == ""
    assert sync(rule).state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)


def test_a_person_begins_anew_with_the_other_portal(moved):
    sandbox, rule = moved
    strangers = dict(sandbox.hubspot.portal(OTHER_TOKEN).contacts)
    enter(rule, "hubspot", OTHER_TOKEN, test=True)
    sync(rule)
    with in_account(rule.account):
        assert accept_other_portal(Connection.objects.get(system="hubspot")) > 0
    resume(rule)
    rule = configured(file(token=OTHER_TOKEN))
    assert sync(rule).state == "succeeded"
    found = contacts_of(sandbox, OTHER_TOKEN)
    assert {address: found[address] for address in everybody(sandbox)} == everybody(sandbox)
    there = sandbox.hubspot.portal(OTHER_TOKEN).contacts
    assert {id: there[id] for id in strangers} == strangers
    before = sandbox.hubspot.changes
    for full in (False, True):
        assert sync(rule, full=full).state == "succeeded"
    assert sandbox.hubspot.changes == before


def test_configure_makes_no_property_in_another_portal(moved):
    sandbox, _ = moved
    before = sandbox.hubspot.state()
    with pytest.raises(Reconnect) as refused:
        configured(file(token=OTHER_TOKEN))
    told = read_note(refused.value.detail)
    assert told and told.code == "other_portal"
    assert sandbox.hubspot.state() == before


def test_who_was_deleted_for_privacy_stays_forgotten(moved):
    sandbox, rule = moved
    with in_account(rule.account):
        link = Link.objects.order_by("pk").first()
        assert link
        Link.objects.filter(pk=link.pk).update(gone="forgotten")
    enter(rule, "hubspot", OTHER_TOKEN, test=True)
    with in_account(rule.account):
        accept_other_portal(Connection.objects.get(system="hubspot"))
    resume(rule)
    sync(configured(file(token=OTHER_TOKEN)))
    with in_account(rule.account):
        (record,) = Record.objects.filter(link=link, reason="contact_forgotten")
    assert record.email_key not in contacts_of(sandbox, OTHER_TOKEN)


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_a_key_of_another_company_brings_nobody(sandbox, full):
    rule = configured(file())
    sync(rule)
    ours = list(sandbox.sansan.cards)
    enter(rule, "sansan", OTHER_KEY)
    sandbox.sansan.hide(True, ours)
    for i in range(20):
        sandbox.sansan.add({"lastName": f"他{i}", "email": f"other{i}@beta.example.jp"})
    before = sandbox.hubspot.changes
    rule.sansan.refresh_from_db()
    run = sync(rule, full=full)
    assert (run.state, run.reason, run.read) == ("held", "other_company", 0)
    assert sandbox.hubspot.changes == before

    enter(rule, "sansan", KEY)
    sandbox.sansan.hide(False, ours)
    for id in set(sandbox.sansan.cards) - set(ours):
        sandbox.sansan.delete(id)
    with in_account(rule.account):
        SyncRule.objects.update(state="active")
    rule.refresh_from_db()
    rule.sansan.refresh_from_db()
    assert sync(rule, full=full).state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)


def test_a_person_lets_a_key_through_that_sees_none_of_the_cards(sandbox):
    rule = configured(file())
    sync(rule)
    enter(rule, "sansan", OTHER_KEY)
    sandbox.sansan.hide(True, list(sandbox.sansan.cards))
    rule.sansan.refresh_from_db()
    assert sync(rule).reason == "other_company"
    resume(rule)
    sandbox.sansan.add({"lastName": "新", "email": "new@beta.example.jp"})
    run = sync(rule)
    assert (run.state, run.created) == ("succeeded", 1)


def test_a_colleagues_key_that_sees_some_of_the_cards_goes_on(sandbox):
    rule = configured(file())
    sync(rule)
    enter(rule, "sansan", OTHER_KEY)
    sandbox.sansan.hide(True, list(sandbox.sansan.cards)[1:4])
    rule.sansan.refresh_from_db()
    assert sync(rule).state == "succeeded"
    with in_account(rule.account):
        assert not Connection.objects.filter(unproven=True).exists()
