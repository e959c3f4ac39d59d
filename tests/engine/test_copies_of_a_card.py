"""One card through two keys: a copy that is not true any more, what was left open, and what is out
of scope.
"""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, SyncRule, SyncRun, Tag
from integration.rules.recheck import require_recheck_of_readers
from integration.runs import start_run, work_slice
from tests.cast import KEY, TOKEN, sync
from tests.engine.oracle import contacts_of
from tests.engine.several_keys import ANA, TITLE, add, by_name, contacts, edited, empty, only, rests
from tests.engine.test_two_keys import EMAIL, NAME, OTHER_KEY, everybody, settle, turn, two

__all__ = ["empty", "only"]

pytestmark = pytest.mark.django_db


# What one rule keeps of a card, and what another


@pytest.mark.parametrize("first", [0, 1], ids=["wide first", "narrow first"])
def test_a_rule_that_reads_fewer_fields_takes_no_address_from_the_other(sandbox, first):
    rules = two(other={"mappings": [EMAIL, NAME]})
    settle(rules[first], rules[1 - first])
    assert contacts_of(sandbox, TOKEN) == everybody(sandbox)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["wide first", "narrow first"])
def test_an_address_that_changes_arrives_beside_a_rule_that_reads_less(
    empty, time_machine_later, order
):
    ana = empty.sansan.add({**ANA, "city": "千代田区"})
    rules = two(other={"mappings": [EMAIL, NAME]})
    settle(*rules)
    time_machine_later(seconds=5)
    empty.sansan.change(ana["id"], {"city": "港区", "title": "部長"})
    settle(*(rules[i] for i in order))
    (contact,) = contacts(empty)
    assert (contact["jobtitle"], contact["city"]) == ("部長", "港区")


# A rule that stands still keeps a copy of a card that is not true any more

STATES = pytest.mark.parametrize("state", ["active", "paused"])


def go_on(rules: list[SyncRule], state: str) -> None:
    """The second rule reads what has changed; the first one does where it still runs."""
    turn(rules[0], state)
    settle(*(rules[::-1] if state == "active" else rules[1:]))


@STATES
def test_a_date_that_is_corrected_does_not_leave_the_old_copy_standing(
    empty, time_machine_later, state
):
    ana = empty.sansan.add({**ANA, "exchangeDate": "2026-06-01"})["id"]
    rules = two()
    settle(*rules)
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"exchangeDate": "2026-01-06", "title": "部長"})
    go_on(rules, state)
    (contact,) = contacts(empty)
    assert (contact["jobtitle"], contact["sansan_exchange_date"]) == ("部長", "2026-01-06")


@STATES
def test_an_address_that_was_given_up_is_free_whatever_an_old_copy_says(
    empty, time_machine_later, state
):
    ana = empty.sansan.add({**ANA, "exchangeDate": "2026-06-01"})["id"]
    rules = two()
    settle(*rules)
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"email": "mori@acme.example.jp"})
    go_on(rules, state)
    time_machine_later(seconds=5)
    empty.sansan.add({**ANA, "lastName": "原", "exchangeDate": "2026-02-02"})
    go_on(rules, state)
    assert {name: one["email"] for name, one in by_name(empty).items()} == {
        "森": "mori@acme.example.jp",
        "原": "ana@acme.example.jp",
    }


@STATES
def test_a_tag_that_was_taken_off_goes_whatever_an_old_copy_says(empty, time_machine_later, state):
    ana = empty.sansan.add({**ANA, "tags": ["T0001", "T0002"]})["id"]
    rules = two()
    settle(*rules)
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"tags": ["T0001"], "title": "部長"})
    go_on(rules, state)
    assert contacts(empty)[0]["sansan_tags"] == "T0001"


@STATES
def test_a_field_that_was_cleared_is_not_filled_from_an_old_copy(empty, time_machine_later, state):
    ana = empty.sansan.add(ANA)["id"]
    how = {"mappings": [EMAIL, NAME, {**TITLE, "clear": True}]}
    rules = two(how, how)
    settle(*rules)
    time_machine_later(seconds=5)
    empty.sansan.change(ana, {"title": None})
    go_on(rules, state)
    assert not contacts(empty)[0].get("jobtitle")


# Writes that nobody has closed


class Killed(BaseException):
    """As if the process were gone."""


def test_what_a_stopped_rule_left_open_stops_nobody_else(empty, time_machine_later, monkeypatch):
    """Killed between the intent and the call, then paused.

    The card that stands is the other rule's record.
    """
    empty.sansan.add(ANA)
    rules = two()
    settle(*rules)
    time_machine_later(seconds=5)
    edited(empty, jobtitle="edited")

    def killed(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("integration.sync.send_writes", killed)
        with pytest.raises(Killed):
            sync(rules[0])
    with in_account(rules[0].account):
        assert AuditEntry.objects.filter(rule=rules[0], closed_at__isnull=True).count() == 1
    turn(rules[0], "paused")
    time_machine_later(minutes=20)
    settle(rules[1])
    assert contacts(empty)[0]["jobtitle"] == "課長"


def test_hubspot_falls_silent_in_the_middle_of_one_rules_write(empty, time_machine_later):
    empty.sansan.add(ANA)
    rules = two()
    settle(*rules)
    time_machine_later(seconds=5)
    edited(empty, jobtitle="edited")
    empty.faults.arm("hubspot", "reset", match="batch/update", times=0)
    empty.faults.arm("hubspot", "status", match="batch/read", times=0, skip=1, status=503)
    with in_account(rules[0].account):
        run = start_run(rules[0], SyncRun.Trigger.COMMAND)
        work_slice(run.pk, 60.0)
        assert AuditEntry.objects.filter(rule=rules[0], closed_at__isnull=True).count() == 1
    empty.faults.clear()
    settle(rules[1], rules[0])
    assert contacts(empty)[0]["jobtitle"] == "課長"


# Scope


def reselect(rule: SyncRule, **chosen: bool) -> None:
    with in_account(rule.account):
        for tag, selected in chosen.items():
            Tag.objects.filter(connection=rule.sansan, external_id=tag).update(selected=selected)
        require_recheck_of_readers(rule.sansan)


@pytest.mark.parametrize("state", ["active", "paused"])
def test_a_card_that_may_come_back_blanks_nothing_before_it_is_read_again(empty, only, state):
    """Of a card out of scope nothing is kept; its tag is selected again, and the other key's rule
    is the first to run.
    """
    add(empty, only, KEY)
    add(
        empty,
        only,
        OTHER_KEY,
        title="部長",
        companyName="原商店",
        exchangeDate="2026-01-01",
        tags=["T0002"],
    )
    rules = two(tags=([], ["T0001", "T0002"]))
    settle(*rules)
    assert contacts(empty)[0]["jobtitle"] == "部長"
    reselect(rules[1], T0002=False)
    settle(*rules)
    assert contacts(empty)[0]["jobtitle"] == "課長"
    turn(rules[1], state)
    reselect(rules[1], T0002=True)
    sync(rules[0], full=True)
    (contact,) = contacts(empty)
    assert [contact.get(name, "") for name in ("lastname", "firstname", "jobtitle", "company")] == [
        "森",
        "愛",
        "課長",
        "森商店",
    ]
    if state == "active":
        settle(*rules)
        assert contacts(empty)[0]["jobtitle"] == "部長"
        rests(empty, *rules)


@pytest.mark.parametrize("state", ["active", "paused"])
def test_the_tag_of_the_other_keys_card_goes_with_it(empty, only, state):
    """The second key's card loses its tag: the contact keeps the first's, whether that rule runs or
    not.
    """
    add(empty, only, KEY, tags=["T0001"])
    newer = add(empty, only, OTHER_KEY, exchangeDate="2026-01-01", tags=["T0002"])
    rules = two(tags=(["T0001"], ["T0002"]))
    settle(*rules)
    assert contacts(empty)[0]["sansan_tags"] == "T0001;T0002"
    turn(rules[0], state)
    empty.sansan.change(newer, {"tags": [], "memo": "x"})
    said = sync(rules[1], preview=True)
    assert (said.updated, said.excluded) == (1, 0), (
        "the reading of the card that left is what the write settles"
    )
    settle(*rules[1 if state == "paused" else 0 :][::-1])
    assert contacts(empty)[0]["sansan_tags"] == "T0001"
