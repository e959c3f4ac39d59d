"""Two accounts of one installation that write to one HubSpot account: it comes to rest, whoever
had a contact first keeps it, and people are told.
"""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import all_accounts, in_account
from integration.admin.parts.needs_a_person import list_shared_portals
from integration.models import Record, SyncRule
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}


def second(**settings: Any) -> SyncRule:
    content = file(**settings)
    content["account"] = {**content["account"], "slug": "birch", "name": "Birch KK"}
    return configured(content)


def round_of_both(rules: list[SyncRule], later: Any, full: bool = False) -> None:
    for rule in rules:
        later(seconds=700)
        sync(rule, full=full)


def count_reasons(rule: SyncRule, reason: str) -> int:
    with in_account(rule.account):
        return Record.objects.filter(reason=reason).count()


@pytest.fixture
def rules(sandbox_of, time_machine_later):
    sandbox = sandbox_of(12, **PLAIN)
    first = configured(file())
    sync(first)
    time_machine_later(seconds=60)
    mapped = [
        {"sansan": "lastName", "hubspot": "lastname"},
        {"sansan": "email", "hubspot": "email", "transform": "email"},
        {"sansan": "title", "hubspot": "jobtitle", "transform": "upper"},
    ]
    return sandbox, [first, second(mappings=mapped)]


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_it_comes_to_rest_after_the_first_round(rules, time_machine_later, full):
    sandbox, both = rules
    round_of_both(both, time_machine_later, full)
    before = sandbox.hubspot.changes
    for _ in range(3):
        round_of_both(both, time_machine_later, full)
    assert sandbox.hubspot.changes == before
    contacts = sandbox.hubspot.portal(TOKEN).contacts
    assert len(contacts) == 12
    assert count_reasons(both[0], "in_sync") == 12
    assert count_reasons(both[1], "other_account") == 12


def test_a_change_is_carried_by_the_first_alone(rules, time_machine_later):
    sandbox, both = rules
    round_of_both(both, time_machine_later)
    card = next(iter(sandbox.sansan.cards.values()))
    time_machine_later(seconds=5)
    sandbox.sansan.change(card["id"], {"title": "boss"})
    round_of_both(both[::-1], time_machine_later)
    round_of_both(both, time_machine_later)
    titles = [one.get("jobtitle") for one in sandbox.hubspot.portal(TOKEN).contacts.values()]
    assert titles.count("boss") == 1 and "BOSS" not in titles


def test_once_the_first_one_stops_the_other_has_them(rules, time_machine_later):
    _, both = rules
    round_of_both(both, time_machine_later)
    with in_account(both[0].account):
        SyncRule.objects.update(state="paused")
    time_machine_later(seconds=700)
    sync(both[1], full=True)
    assert count_reasons(both[1], "other_account") == 0
    assert count_reasons(both[1], "in_sync") == 12


def test_who_sees_both_accounts_is_told(rules):
    _, both = rules
    with all_accounts():
        (line,) = list_shared_portals()
    assert line["accounts"] == "Acme KK, Birch KK"
    for rule in both:
        with in_account(rule.account):
            assert list_shared_portals() == []
