"""Contacts become cards: at most so many a day, never two for one contact, and whatever Sansan
answers.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from core.models import Account
from core.tenancy import in_account
from integration.connectors.base import Rejected
from integration.connectors.sansan.client import Sansan
from integration.intake.inbox import HeardChange, put_changes
from integration.intake.people import bar_cards, retry_records, unbar_cards
from integration.models import AuditEntry, Link, Outcome, Record, Side, SyncRule
from integration.rules.apply_file import ask_vendors, make_properties, store_configuration
from integration.rules.file import read_configuration
from integration.sandbox.wire import make_json_response
from tests.cast import KEY, TOKEN, configured, file, sync
from tests.engine.test_both_ways import DAN, both, cards_with, contact, create, person, quiet

pytestmark = pytest.mark.django_db
POST = r"POST .*/bizCards$"


class Killed(BaseException):
    """The process ends here, without any clean-up of its own."""


@pytest.fixture
def sandbox(sandbox_of: Any) -> Any:
    return sandbox_of(3, no_email_percent=0, shared_email_percent=0)


@pytest.fixture
def rule(sandbox: Any) -> SyncRule:
    """Both ways, and the first sync is over."""
    rule = both()
    sync(rule)
    quiet(rule, sandbox)
    return rule


def people(sandbox: Any, n: int, start: int = 0) -> list[str]:
    return [
        create(sandbox, email=f"dan{i}@delta.example.jp", lastname=f"Delta{i}")
        for i in range(start, start + n)
    ]


def stands(rule: SyncRule, **of: Any) -> list[tuple[str, str]]:
    with in_account(rule.account):
        return list(
            Record.objects.filter(rule=rule, side=Side.CONTACT, **of)
            .order_by("pk")
            .values_list("bucket", "reason")
        )


def of(rule: SyncRule, id: str) -> Record:
    with in_account(rule.account):
        return Record.objects.get(rule=rule, side=Side.CONTACT, external_id=id)


def none_open(rule: SyncRule) -> bool:
    with in_account(rule.account):
        return not AuditEntry.objects.filter(closed_at__isnull=True).exists()


def outcomes(rule: SyncRule) -> list[str]:
    with in_account(rule.account):
        return list(
            AuditEntry.objects.filter(record_id__in=contact_rows(rule), decision="create")
            .order_by("pk")
            .values_list("outcome", flat=True)
        )


def contact_rows(rule: SyncRule) -> list[int]:
    return list(Record.objects.filter(rule=rule, side=Side.CONTACT).values_list("pk", flat=True))


def one_person(rule: SyncRule, sandbox: Any, id: str, email: str = DAN["email"]) -> None:
    """One contact, one card, one link, and nothing left to do."""
    quiet(rule, sandbox)
    assert len(cards_with(sandbox, email)) == 1
    assert [
        one["hs_object_id"]
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if one.get("email") == email
    ] == [id]
    with in_account(rule.account):
        cards = Record.objects.filter(link__contact_id=id, side=Side.CARD)
        assert [(card.bucket, card.external_id) for card in cards] == [
            ("linked", cards_with(sandbox, email)[0]["id"])
        ]
    assert none_open(rule)


# The day's cap


def test_what_is_over_the_cap_waits_in_sight_and_comes_after_midnight_in_tokyo(
    sandbox, time_machine, time_machine_later
):
    time_machine.move_to(datetime(2026, 11, 24, 14, 30, tzinfo=UTC), tick=True)  # 23:30 in Tokyo
    rule = both(cards_a_day=2)
    sync(rule)
    people(sandbox, 5)
    run = sync(rule)
    assert (run.created, run.counts["waiting"], run.reasons["daily_cap"]) == (2, 3, 3)
    assert stands(rule, bucket="waiting") == [("waiting", "daily_cap")] * 3
    time_machine_later(minutes=20)
    assert sync(rule).created == 0
    time_machine_later(minutes=20)  # ten past midnight there; in Greenwich it is the same day still
    assert sync(rule).created == 2 and sync(rule).created == 0
    time_machine_later(days=1)
    assert sync(rule).created == 1
    assert len(sandbox.sansan.cards) == 3 + 5 and none_open(rule)


def test_a_cap_that_is_lowered_in_mid_day(rule, sandbox):
    people(sandbox, 3)
    assert sync(rule).created == 3
    allow(rule, 2)
    people(sandbox, 2, start=3)
    run = sync(rule)
    assert (run.created, run.reasons.get("daily_cap")) == (0, 2)


def test_a_cap_of_none_makes_none(rule, sandbox, time_machine_later):
    allow(rule, 0)
    people(sandbox, 2)
    for _ in range(3):
        sync(rule)
        time_machine_later(days=1)
    assert (
        len(sandbox.sansan.cards) == 3
        and stands(rule, reason="daily_cap") == [("waiting", "daily_cap")] * 2
    )


def test_each_rule_has_a_cap_of_its_own(sandbox):
    content = file(direction="both", cards_a_day=2)
    content["connections"].append(
        {
            **content["connections"][1],
            "slug": "hubspot-b",
            "credentials": {"access_token": "pat-test-0002"},
        }
    )
    content["rules"].append(
        {
            "slug": "more",
            "sansan": "sansan",
            "hubspot": "hubspot-b",
            "active": True,
            "direction": "to_sansan",
            "cards_a_day": 3,
        }
    )
    read = read_configuration(content, os.environ)
    store_configuration(read, ask_vendors(read))
    make_properties(read)
    with in_account(Account.objects.get(slug="acme")):
        rules = list(
            SyncRule.objects.select_related(
                "account", "sansan__account", "hubspot__account"
            ).order_by("slug")
        )
    for one in rules:
        sync(one)
    people(sandbox, 4)
    for i in range(4):
        sandbox.hubspot.control(
            "create",
            {
                "token": "pat-test-0002",
                "properties": {"email": f"eve{i}@echo.example.jp", "lastname": "Echo"},
            },
        )
    assert [sync(one).reasons.get("new_card") for one in rules] == [2, 3]


def test_a_failed_attempt_does_not_count_against_the_cap(rule, sandbox):
    allow(rule, 2)
    sandbox.faults.arm("sansan", "status", match=POST, status=400)
    people(sandbox, 3)
    run = sync(rule)
    assert (run.created, run.failed, run.counts["waiting"]) == (2, 1, 0)


# A crash at every point


@pytest.mark.parametrize("email", [DAN["email"], ""], ids=["with an address", "without one"])
@pytest.mark.parametrize(
    "point",
    ["before the intent", "before the call", "after the call", "before the answer is noted"],
)
def test_killed_while_a_card_is_made(sandbox, monkeypatch, time_machine_later, point, email):
    rule = both(require_email=False)
    sync(rule)
    id = create(sandbox, email=email)
    with monkeypatch.context() as patch:
        die_at(patch, point)
        with pytest.raises(Killed):
            sync(rule)
    for _ in range(4):
        time_machine_later(seconds=45)
        sync(rule)
    cards = [card for card in sandbox.sansan.cards.values() if card["lastName"] == "Delta"]
    contacts = [
        one["hs_object_id"]
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if one.get("lastname") == "Delta"
    ]
    assert (len(cards), contacts) == (1, [id])
    assert none_open(rule) and contact(sandbox, id)["sansan_card_id"] == cards[0]["id"]
    assert quiet(rule, sandbox) == 0


def die_at(patch: pytest.MonkeyPatch, point: str) -> None:
    def dying(*args: Any, **kwargs: Any) -> None:
        raise Killed

    match point:
        case "before the intent":
            patch.setattr("integration.delivery.new_cards.open_card_entry", dying)
        case "before the call" | "after the call":
            made = Sansan.create

            def create_card(self: Sansan, *args: Any) -> None:
                if point == "after the call":
                    made(self, *args)
                raise Killed

            patch.setattr(Sansan, "create", create_card)
        case _:
            patch.setattr("integration.delivery.new_cards.close_card_made", dying)


@pytest.mark.parametrize("email", [DAN["email"], ""], ids=["with an address", "without one"])
@pytest.mark.parametrize("kind", ["reset", "reset_after", "html", "truncated", "wrong_type", "500"])
def test_a_card_whose_answer_does_not_come(sandbox, time_machine_later, kind, email):
    rule = both(require_email=False)
    sync(rule)
    fault = {"kind": "status", "status": 500} if kind == "500" else {"kind": kind}
    sandbox.faults.arm("sansan", match=POST, **fault)
    id = create(sandbox, email=email)
    for _ in range(4):
        sync(rule)
        time_machine_later(seconds=45)
    cards = [card for card in sandbox.sansan.cards.values() if card["lastName"] == "Delta"]
    contacts = [
        one["hs_object_id"]
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if one.get("lastname") == "Delta"
    ]
    assert (len(cards), contacts) == (1, [id]) and none_open(rule)
    done = kind in ("reset_after", "truncated")
    assert outcomes(rule) == (
        [Outcome.SUCCEEDED] if done else [Outcome.NOT_WRITTEN, Outcome.SUCCEEDED]
    )


@pytest.mark.parametrize("email", [DAN["email"], ""], ids=["with an address", "without one"])
def test_a_search_that_is_behind_when_the_answer_did_not_come(
    sandbox, monkeypatch, time_machine_later, email
):
    """The card is among the changed ones before the search finds it: it must not become a contact
    of its own.
    """
    rule = both(require_email=False)
    sync(rule)
    sandbox.faults.arm("sansan", "reset_after", match=POST)
    id = create(sandbox, email=email)
    with monkeypatch.context() as patch:
        patch.setattr("integration.delivery.new_cards.find_card", lambda desk, values: None)
        sync(rule)
    for _ in range(4):
        sync(rule)
        time_machine_later(minutes=10)
    cards = [card for card in sandbox.sansan.cards.values() if card["lastName"] == "Delta"]
    contacts = [
        one["hs_object_id"]
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if one.get("lastname") == "Delta"
    ]
    assert (len(cards), contacts) == (1, [id]) and none_open(rule)


def test_sansan_that_fails_at_every_card_is_not_asked_again_and_again(rule, sandbox):
    """One look at Sansan for each card, and one more for each whose answer did not come; not one
    for each pair of them.
    """
    people(sandbox, 30)
    sandbox.faults.arm("sansan", "status", match=POST, status=500, times=0)
    sandbox.reset_calls()
    sync(rule)
    assert (
        sum(n for call, n in sandbox.calls["by_call"].items() if "bizCards/search" in call)
        <= 3 * 30
    )


def test_more_cards_in_doubt_than_one_look_takes(rule, sandbox, monkeypatch, time_machine_later):
    people(sandbox, 130)
    sandbox.faults.arm("sansan", "status", match=POST, status=500, times=0)
    with monkeypatch.context() as patch:
        # Asking for each of them again and again is another test's.
        patch.setattr("integration.delivery.new_cards.find_card", lambda desk, values: None)
        sync(rule)
        sync(rule)
    sandbox.faults.clear()
    for _ in range(3):
        time_machine_later(minutes=20)
        sync(rule)
    assert len(sandbox.sansan.cards) == 3 + 130 and none_open(rule)


def test_an_answer_without_an_id(rule, sandbox, monkeypatch):
    monkeypatch.setattr(
        "integration.sandbox.sansan.make_json_response",
        lambda status, value: make_json_response(status, {} if status == 201 else value),
    )
    id = create(sandbox)
    sync(rule)
    one_person(rule, sandbox, id)
    assert outcomes(rule) == [Outcome.SUCCEEDED]


# What Sansan refuses


def test_a_refused_card_backs_off_and_is_tried_again_once_the_contact_was_edited(
    rule, sandbox, time_machine_later
):
    sandbox.faults.arm(
        "sansan", "status", match=POST, status=400, times=2, body={"error": [{"code": "invalid"}]}
    )
    id = create(sandbox)
    other = create(sandbox, email="eve@delta.example.jp", lastname="Eve")
    run = sync(rule)
    assert (
        (run.state, run.failed) == ("partial", 2)
        and stands(rule) == [("failing", "card_refused")] * 2
        and none_open(rule)
    )
    assert sync(rule).counts["failed"] == 0
    time_machine_later(seconds=5)
    person(sandbox, "edit", id=id, properties={"jobtitle": "Chair"})
    assert sync(rule).created == 1 and len(cards_with(sandbox, DAN["email"])) == 1
    time_machine_later(minutes=2)
    assert sync(rule).created == 1
    one_person(rule, sandbox, id)
    one_person(rule, sandbox, other, "eve@delta.example.jp")


def test_a_person_has_a_failing_one_tried_again_at_once(rule, sandbox):
    sandbox.faults.arm("sansan", "status", match=POST, status=400)
    id = create(sandbox)
    sync(rule)
    with in_account(rule.account):
        retry_records(Record.objects.filter(side=Side.CONTACT, bucket="failing"))
    assert sync(rule).created == 1
    one_person(rule, sandbox, id)


def test_a_search_that_is_refused_costs_no_other_contact_its_turn(
    rule, sandbox, monkeypatch, time_machine_later
):
    find = Sansan.find

    def picky(self: Sansan, email: str = "", **more: str) -> Any:
        if email.startswith("dan0"):
            raise Rejected("rejected", "Sansan refused the request (400).", 400)
        return find(self, email, **more)

    people(sandbox, 3)
    with monkeypatch.context() as patch:
        patch.setattr(Sansan, "find", picky)
        run = sync(rule)
    assert (run.state, run.created, run.failed) == ("partial", 2, 1) and none_open(rule)
    time_machine_later(minutes=2)
    assert sync(rule).created == 1


def test_a_call_that_does_not_exist_is_no_reason_to_try_for_ever(rule, sandbox):
    sandbox.faults.arm("sansan", "status", match=POST, status=404, times=0)
    people(sandbox, 2)
    run = sync(rule)
    assert run.state == "partial" and none_open(rule)
    assert {bucket for bucket, _ in stands(rule)} == {"failing"}


def test_a_key_that_may_not_make_cards_leaves_nothing_open(rule, sandbox):
    sandbox.faults.arm("sansan", "status", match=POST, status=403, times=0)
    people(sandbox, 2)
    run = sync(rule)
    assert run.reason == "missing_scope" and none_open(rule)


def test_sansans_own_daily_limit_lets_the_other_direction_go_on(rule, sandbox, time_machine_later):
    sandbox.sansan.switches["post_cap"] = 1
    people(sandbox, 3)
    card = next(iter(sandbox.sansan.cards.values()))
    sandbox.sansan.change(card["id"], {"title": "社長"})
    run = sync(rule)
    assert (run.state, run.created, run.updated, run.counts["waiting"]) == ("succeeded", 1, 1, 2)
    assert stands(rule, bucket="waiting") == [("waiting", "sansan_unavailable")] * 2 and none_open(
        rule
    )
    sandbox.sansan.switches["post_cap"] = 500
    assert sync(rule).counts["failed"] == 0
    time_machine_later(hours=1, minutes=1)
    assert sync(rule).reasons.get("new_card") == 2
    quiet(rule, sandbox)
    assert len(sandbox.sansan.cards) == 3 + 3


# A card is there already


@pytest.mark.parametrize("how", ["in scope", "other tags", "past"])
def test_an_address_that_sansan_has_already_gets_no_second_card(sandbox, how):
    rule = configured(file(direction="both", tags=["T0001"]))
    sync(rule)
    card = sandbox.sansan.add(
        {
            "lastName": "Delta",
            "email": DAN["email"],
            "tags": ["T0002" if how == "other tags" else "T0001"],
            "past": how == "past",
        }
    )
    id = create(sandbox)
    sync(rule)
    quiet(rule, sandbox)
    assert len(cards_with(sandbox, DAN["email"])) == 1
    assert stands(rule, external_id=id)[0] in ((("linked", "card_exists")), ("linked", "has_card"))
    assert contact(sandbox, id).get("sansan_card_id", "") == (
        card["id"] if how == "in scope" else ""
    )


def test_a_hidden_card_cannot_be_known(rule, sandbox):
    """Sansan tells nothing of it, so that a second one is made; but not a third."""
    sandbox.sansan.add({"lastName": "Delta", "email": DAN["email"], "hidden": True})
    create(sandbox)
    sync(rule)
    quiet(rule, sandbox)
    assert len(cards_with(sandbox, DAN["email"])) == 2


def test_a_card_made_by_hand_while_the_contact_waits(sandbox, time_machine_later):
    rule = both(cards_a_day=0)
    sync(rule)
    id = create(sandbox)
    sync(rule)
    sandbox.sansan.add({"lastName": "Delta", "firstName": "Dan", "email": DAN["email"]})
    allow(rule, 5)
    time_machine_later(days=1)
    sync(rule)
    one_person(rule, sandbox, id)


# The contact changes while it waits


@pytest.fixture
def waiting(sandbox: Any) -> tuple[SyncRule, str]:
    """A contact that waits for its card."""
    rule = both(cards_a_day=0)
    sync(rule)
    id = create(sandbox)
    sync(rule)
    assert stands(rule) == [("waiting", "daily_cap")]
    return rule, id


def allow(rule: SyncRule, cards: int) -> None:
    with in_account(rule.account):
        SyncRule.objects.filter(pk=rule.pk).update(card_cap=cards)


def test_deleted_while_it_waits(waiting, sandbox, time_machine_later):
    rule, id = waiting
    person(sandbox, "delete", id=id)
    time_machine_later(minutes=6)
    sync(rule)
    assert stands(rule) == [("excluded", "contact_left")] and len(sandbox.sansan.cards) == 3
    with in_account(rule.account):
        assert Record.objects.get(side=Side.CONTACT).name == ""


def test_a_contact_that_is_gone_is_not_looked_at_again_every_few_minutes(
    waiting, sandbox, time_machine_later
):
    rule, id = waiting
    person(sandbox, "delete", id=id)
    for expected in (1, 0, 0):
        time_machine_later(minutes=6)
        assert sync(rule).excluded == expected


@pytest.mark.parametrize("full", [False, True])
def test_deleted_and_restored_while_it_waits(waiting, sandbox, time_machine_later, full):
    """Found out by its next edit, or by the full check at the latest."""
    rule, id = waiting
    allow(rule, 5)
    person(sandbox, "delete", id=id)
    time_machine_later(minutes=6)
    sync(rule)
    person(sandbox, "restore", id=id)
    if not full:
        person(sandbox, "edit", id=id, properties={"jobtitle": "Chair"})
    time_machine_later(minutes=6)
    sync(rule, full=full)
    one_person(rule, sandbox, id)


def test_edited_while_it_waits(waiting, sandbox, time_machine_later):
    rule, id = waiting
    allow(rule, 5)
    person(
        sandbox,
        "edit",
        id=id,
        properties={"jobtitle": "Chair", "email": "dan.new@delta.example.jp"},
    )
    time_machine_later(days=1)
    sync(rule)
    one_person(rule, sandbox, id, "dan.new@delta.example.jp")
    assert cards_with(sandbox, "dan.new@delta.example.jp")[0]["title"] == "Chair"


def test_merged_while_it_waits_into_a_contact_that_has_a_card(waiting, sandbox, time_machine_later):
    rule, id = waiting
    allow(rule, 5)
    with in_account(rule.account):
        owner = Link.objects.exclude(contact_id="").earliest("pk").contact_id
    person(sandbox, "merge", primary=owner, other=id)
    time_machine_later(days=1)
    sync(rule)
    quiet(rule, sandbox)
    assert len(sandbox.sansan.cards) == 3 and stands(rule, external_id=id) == [
        ("linked", "has_card")
    ]


def test_merged_while_both_wait(waiting, sandbox, time_machine_later):
    rule, id = waiting
    other = create(sandbox, email="eve@delta.example.jp", lastname="Eve")
    sync(rule)
    allow(rule, 5)
    merged = person(sandbox, "merge", primary=id, other=other)
    time_machine_later(days=1)
    sync(rule)
    quiet(rule, sandbox)
    assert len(sandbox.sansan.cards) == 4
    one_person(rule, sandbox, merged)


def test_never_sync_on_a_contact(waiting, sandbox, time_machine_later):
    rule, id = waiting
    allow(rule, 5)
    with in_account(rule.account):
        bar_cards(Record.objects.filter(side=Side.CONTACT), "a supplier", "Aiko")
    assert sync(rule).created == 0 and stands(rule) == [("excluded", "never_sync")]
    person(sandbox, "edit", id=id, properties={"jobtitle": "Chair"})
    sync(rule, full=True)
    assert stands(rule) == [("excluded", "never_sync")] and len(sandbox.sansan.cards) == 3
    with in_account(rule.account):
        unbar_cards(Record.objects.filter(side=Side.CONTACT))
    assert sync(rule).created == 1


# Who may become a card


def test_people_without_an_address_and_companies_alone(sandbox):
    rule = both(require_email=False)
    sync(rule)
    nameless = person(sandbox, "create", properties={"email": "nobody@delta.example.jp"})[0]
    company = person(
        sandbox, "create", properties={"email": "info@delta.example.jp", "company": "Delta KK"}
    )[0]
    no_address = create(sandbox, email="")
    namesake = create(sandbox, email="", company="Gamma KK")
    run = sync(rule)
    assert (run.reasons.get("new_card"), run.reasons.get("nameless")) == (3, 1)
    assert of(rule, nameless).bucket == "held"
    quiet(rule, sandbox)
    assert len(sandbox.sansan.cards) == 6
    assert {
        contact(sandbox, id)["sansan_card_id"] for id in (company, no_address, namesake)
    } <= set(sandbox.sansan.cards)
    assert len(sandbox.hubspot.portal(TOKEN).contacts) == 3 + 4


def test_two_without_an_address_who_are_called_the_same_share_a_card(sandbox):
    """Sansan has a person of this name at this company already: nothing else tells the two
    apart.
    """
    rule = both(require_email=False)
    sync(rule)
    create(sandbox, email=""), create(sandbox, email="")
    run = sync(rule)
    assert (run.reasons.get("new_card"), run.reasons.get("card_exists")) == (1, 1)


def test_without_an_address_nobody_becomes_a_card_where_the_rule_asks_for_one(rule, sandbox):
    id = create(sandbox, email="")
    sync(rule)
    assert stands(rule) == [("excluded", "contact_no_email")]
    person(sandbox, "edit", id=id, properties={"email": DAN["email"]})
    assert sync(rule).created == 1


def test_what_is_too_long_for_a_card_is_held(rule, sandbox):
    id = create(sandbox, zip="100-0001 Chiyoda")
    sync(rule)
    assert stands(rule) == [("held", "too_long_for_card")]
    person(sandbox, "edit", id=id, properties={"zip": "100-0001"})
    assert sync(rule).created == 1


def test_a_country_that_sansan_works_out_is_no_country_of_the_contact(rule, sandbox):
    """The card was made with the country AUTO: that word is none that belongs on a contact."""
    id = create(sandbox)
    sync(rule)
    quiet(rule, sandbox)
    assert contact(sandbox, id)["country"] == "Japan"


# One direction


def test_to_sansan_only_never_writes_to_hubspot(sandbox, time_machine_later):
    rule = to_sansan()
    sync(rule)
    id = create(sandbox)
    before = sandbox.hubspot.changes
    sync(rule)
    assert len(cards_with(sandbox, DAN["email"])) == 1 and sandbox.hubspot.changes == before
    person(sandbox, "edit", id=id, properties={"jobtitle": "Chair"})
    card = cards_with(sandbox, DAN["email"])[0]
    sandbox.sansan.change(card["id"], {"title": "社長"})
    before = sandbox.hubspot.changes, sandbox.sansan.changes
    for full in (False, True, False):
        time_machine_later(minutes=11)
        sync(rule, full=full)
    assert (sandbox.hubspot.changes, sandbox.sansan.changes) == before
    assert contact(sandbox, id)["jobtitle"] == "Chair" and none_open(rule)


def test_to_sansan_only_makes_each_card_once(sandbox, time_machine_later):
    people(sandbox, 4)
    rule = to_sansan()
    assert sync(rule).created == 4
    for full in (False, True, False, True):
        time_machine_later(minutes=11)
        assert sync(rule, full=full).created == 0
    assert len(sandbox.sansan.cards) == 3 + 4


def test_a_quiet_run_to_sansan_does_not_walk_through_the_portal(sandbox, time_machine_later):
    """Its first run reads every contact; from then on what changed is asked for."""
    people(sandbox, 4)
    rule = to_sansan()
    assert sync(rule).kind == "initial"
    people(sandbox, 120, start=4)
    assert sync(rule).created == 120
    run = sync(rule)
    assert (run.kind, run.calls_sansan, run.calls_hubspot) == ("incremental", 0, 1)


def test_to_sansan_an_edit_that_was_heard_of_is_left_alone(sandbox):
    rule = to_sansan()
    sync(rule)
    id = create(sandbox)
    sync(rule)
    person(sandbox, "edit", id=id, properties={"jobtitle": "Chair"})
    with in_account(rule.account):
        put_changes(rule.hubspot, [HeardChange(id, timezone.now())], timezone.now())
    before = sandbox.hubspot.changes
    sync(rule)
    assert sandbox.hubspot.changes == before and contact(sandbox, id)["jobtitle"] == "Chair"
    with in_account(rule.account):
        assert not Record.objects.filter(due_at__isnull=False).exists()


def to_sansan() -> SyncRule:
    return configured(file(direction="to_sansan"))


# Previews, full checks


@pytest.mark.parametrize("direction", ["both", "to_sansan"])
def test_a_preview_says_what_the_first_run_does_and_writes_nothing(sandbox_of, direction):
    sandbox = sandbox_of(12, no_email_percent=20)
    people(sandbox, 4)
    person(sandbox, "create", properties={"lastname": "Nobody"})
    create(
        sandbox,
        email=next(card["email"] for card in sandbox.sansan.cards.values() if card["email"]),
        lastname="Known",
    )
    rule = configured(file(direction=direction))
    before = sandbox.hubspot.changes, sandbox.sansan.changes
    said = sync(rule, preview=True)
    assert (sandbox.hubspot.changes, sandbox.sansan.changes) == before
    run = sync(rule)
    assert said.counts == run.counts
    assert said.reasons.get("new_card") == run.reasons.get("new_card")


def test_a_previews_cap_is_of_cards_not_of_contacts(sandbox_of):
    sandbox = sandbox_of(12, no_email_percent=0, shared_email_percent=0)
    people(sandbox, 4)
    rule = both(cards_a_day=3)
    said = sync(rule, preview=True)
    run = sync(rule)
    assert (
        (said.reasons.get("new_card"), said.reasons.get("daily_cap"))
        == (3, 1)
        == (run.reasons.get("new_card"), run.reasons.get("daily_cap"))
    )


def test_a_preview_knows_what_was_made_today(rule, sandbox, time_machine_later):
    zone = ZoneInfo(rule.account.timezone)
    time_machine_later(
        seconds=(
            datetime.combine(datetime.now(zone), time(12), zone) + timedelta(days=1)
        ).timestamp()
        - datetime.now(UTC).timestamp()
    )
    allow(rule, 3)
    people(sandbox, 2)
    sync(rule)
    people(sandbox, 2, start=2)
    said = sync(rule, preview=True, full=True)
    assert said.reasons.get("new_card") == 1 == sync(rule).reasons.get("new_card")


def test_a_preview_of_the_whole_repeats_what_the_full_check_does(rule, sandbox):
    people(sandbox, 2)
    create(sandbox, email="")
    sync(rule)
    quiet(rule, sandbox)
    people(sandbox, 2, start=2)
    said, run = sync(rule, preview=True, full=True), sync(rule, full=True)
    assert (
        (said.created, said.reasons.get("new_card"))
        == (run.created, run.reasons.get("new_card"))
        == (2, 2)
    )


def test_a_full_check_does_not_miss_the_cards_it_made_itself(rule, sandbox):
    """They are not in what it had read before it made them."""
    people(sandbox, 20)
    run = sync(rule, full=True)
    assert (run.state, run.created, run.reasons.get("unseen")) == ("succeeded", 20, None)
    with in_account(rule.account):
        assert not Record.objects.filter(bucket="unseen").exists()
    quiet(rule, sandbox)
    assert (
        sync(rule, full=True).reasons.get("new_card") is None
        and len(sandbox.sansan.cards) == 3 + 20
    )


def test_who_may_become_a_card_is_asked_again_after_the_rule_was_changed(rule, sandbox):
    create(sandbox, email="")
    sync(rule)
    assert stands(rule) == [("excluded", "contact_no_email")]
    changed = both(require_email=False)
    run = sync(changed)
    assert run.kind == "full" and run.created == 1


def test_the_marker_comes_back_as_our_own(sandbox):
    rule = both(marker="T0002")
    sync(rule)
    ids = people(sandbox, 3)
    sync(rule)
    run = sync(rule)
    assert run.echoes >= 3 and run.created == 0
    quiet(rule, sandbox)
    assert {contact(sandbox, id)["sansan_tags"] for id in ids} == {"T0002"}


def test_a_card_that_does_not_come_back_into_the_sync_is_made_once(sandbox, time_machine_later):
    """Its marker is not among the selected tags."""
    rule = configured(file(direction="both", tags=["T0001"], marker="T0002"))
    sync(rule)
    id = create(sandbox)
    for full in (False, False, True, False):
        sync(rule, full=full)
        time_machine_later(minutes=11)
    assert len(cards_with(sandbox, DAN["email"])) == 1
    person(sandbox, "edit", id=id, properties={"jobtitle": "Chair"})
    sync(rule)
    assert (
        len(cards_with(sandbox, DAN["email"])) == 1 and contact(sandbox, id)["jobtitle"] == "Chair"
    )


def test_a_keys_other_name_for_the_same_account(sandbox):
    """Two rules see a contact; each has its Sansan account, and makes a card there."""
    content = file(direction="both")
    content["connections"].append(
        {**content["connections"][0], "slug": "sansan-b", "credentials": {"api_key": KEY[::-1]}}
    )
    content["rules"].append(
        {
            "slug": "more",
            "sansan": "sansan-b",
            "hubspot": "hubspot",
            "active": True,
            "direction": "both",
        }
    )
    read = read_configuration(content, os.environ)
    store_configuration(read, ask_vendors(read))
    make_properties(read)
    with in_account(Account.objects.get(slug="acme")):
        rules = list(
            SyncRule.objects.select_related(
                "account", "sansan__account", "hubspot__account"
            ).order_by("slug")
        )
    for one in rules:
        sync(one)
    create(sandbox)
    for _ in range(3):
        for one in rules:
            sync(one)
    assert len(cards_with(sandbox, DAN["email"])) == 1  # in the sandbox both keys see one Sansan
