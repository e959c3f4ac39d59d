"""Both directions at once: cards drive contacts, contacts without a card become cards, and nothing
goes round in circles.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.intake.inbox import HeardChange, has_changes, put_changes
from integration.intake.people import choose_side
from integration.models import AuditEntry, Link, Record, SyncRule
from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}
DAN = {
    "email": "dan@delta.example.jp",
    "firstname": "Dan",
    "lastname": "Delta",
    "company": "Delta KK",
    "jobtitle": "Chief",
    "country": "Japan",
}


@pytest.fixture
def sandbox(sandbox_of: Any) -> Any:
    return sandbox_of(20, **PLAIN)


def both(**more: Any) -> SyncRule:
    return configured(file(direction="both", **more))


def person(sandbox: Any, verb: str, **args: Any) -> Any:
    """Somebody does something in HubSpot."""
    return sandbox.hubspot.control(verb, {"token": TOKEN, **args})


def create(sandbox: Any, **properties: str) -> str:
    (id,) = person(sandbox, "create", properties={**DAN, **properties})
    return str(id)


def contact(sandbox: Sandbox, id: str) -> dict[str, str]:
    portal = sandbox.hubspot.portal(TOKEN)
    present = portal.find(id)
    assert present, f"no contact {id}"
    return portal.contacts[present]


def cards_with(sandbox: Any, email: str) -> list[dict[str, Any]]:
    return [card for card in sandbox.sansan.cards.values() if card["email"] == email]


def quiet(rule: SyncRule, sandbox: Any, most: int = 6) -> int:
    """Runs until a run writes nothing any more; returns how many it took."""
    for n in range(most):
        before = sandbox.sansan.changes, sandbox.hubspot.changes
        sync(rule)
        if (sandbox.sansan.changes, sandbox.hubspot.changes) == before:
            return n
    raise AssertionError("it does not come to rest")


def test_a_new_contact_becomes_a_card_once(sandbox):
    rule = both(marker="T0001")
    sync(rule)
    id = create(sandbox)
    cards = len(sandbox.sansan.cards)
    run = sync(rule)
    (card,) = cards_with(sandbox, DAN["email"])
    assert (run.created, len(sandbox.sansan.cards)) == (1, cards + 1)
    assert (
        card["lastName"],
        card["title"],
        card["countryCode"],
        [tag["id"] for tag in card["tags"]],
    ) == ("Delta", "Chief", "JP", ["T0001"])
    assert quiet(rule, sandbox) <= 2
    assert (
        len(cards_with(sandbox, DAN["email"])) == 1
        and contact(sandbox, id)["sansan_card_id"] == card["id"]
    )
    with in_account(rule.account):
        assert Link.objects.get(contact_id=id).records.count() == 2


def test_everybody_in_the_portal_at_first_but_not_twice(sandbox):
    there = next(card for card in sandbox.sansan.cards.values() if card["email"])
    create(sandbox)
    create(sandbox, email=there["email"])
    rule = both()
    cards = len(sandbox.sansan.cards)
    run = sync(rule)
    assert len(sandbox.sansan.cards) == cards + 1 and run.counts["waiting"] == 0
    quiet(rule, sandbox)
    assert len(sandbox.sansan.cards) == cards + 1


def test_an_edit_in_hubspot_is_overwritten_by_the_card_that_wins(sandbox):
    rule = both()
    sync(rule)
    quiet(rule, sandbox)
    with in_account(rule.account):
        link = Link.objects.earliest("pk")
    person(sandbox, "edit", id=link.contact_id, properties={"jobtitle": "edited"})
    run = sync(rule)
    assert run.updated == 1 and contacts_of(sandbox, TOKEN) == expected(
        list(sandbox.sansan.cards.values())
    )
    with in_account(rule.account):
        entry = AuditEntry.objects.filter(run=run).get()
        assert entry.reason == "contact_differs" and entry.clashes
        assert entry.clashes["jobtitle"][1:] == ["edited", "sansan", "rule"]
    assert quiet(rule, sandbox) <= 1


def test_every_echo_is_counted(sandbox):
    rule = both()
    first = sync(rule)
    second = sync(rule)
    assert second.echoes == first.created > 0 and second.updated == second.created == 0
    with in_account(rule.account):
        assert not Link.objects.filter(awaiting=True).exists()


def test_a_deleted_contact_is_told_and_not_made_again(sandbox, time_machine_later):
    rule = both()
    sync(rule)
    with in_account(rule.account):
        link = Link.objects.earliest("pk")
    person(sandbox, "delete", id=link.contact_id)
    time_machine_later(minutes=6)
    run = sync(rule)
    with in_account(rule.account):
        record = Record.objects.get(link=link)
        assert (record.bucket, record.reason, run.held) == ("held", "contact_gone", 1)
    assert link.contact_id not in sandbox.hubspot.portal(TOKEN).contacts
    person(sandbox, "restore", id=link.contact_id)
    time_machine_later(minutes=6)
    sync(rule)
    record.refresh_from_db()
    assert (record.bucket, record.reason) == ("linked", "in_sync")


def test_a_deleted_contact_is_made_again_where_the_rule_says_so(sandbox, time_machine_later):
    rule = both(when_gone="make")
    sync(rule)
    with in_account(rule.account):
        link = Link.objects.earliest("pk")
    person(sandbox, "delete", id=link.contact_id)
    time_machine_later(minutes=6)
    assert sync(rule).created == 1
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def held(rule: SyncRule) -> list[Record]:
    with in_account(rule.account):
        return list(Record.objects.filter(rule=rule, bucket="held").select_related("link"))


def test_a_person_chooses_and_the_choice_holds_while_both_values_stay(sandbox):
    rule = both(conflict="hold")
    sync(rule)
    with in_account(rule.account):
        link = Link.objects.filter(written__has_key="phone").earliest("pk")
        card = Record.objects.get(link=link)
    person(
        sandbox,
        "edit",
        id=link.contact_id,
        properties={"phone": "03-9999-9999", "company": "Edited KK"},
    )
    sandbox.sansan.change(card.external_id, {"title": "新しい肩書"})
    sync(rule)
    (one,) = held(rule)
    assert one.link and one.reason == "conflict"
    assert sorted(one.link.clashes) == ["company", "phone"]
    assert contact(sandbox, link.contact_id)["jobtitle"] == "新しい肩書", "all else is written"
    assert quiet(rule, sandbox) == 0, "who waits for a person is not written again and again"
    with in_account(rule.account):
        choose_side(one.link, ["phone"], "sansan", "aiko")
        one.link.refresh_from_db()
        choose_side(one.link, ["company"], "hubspot", "aiko")
    sync(rule)
    kept = contact(sandbox, link.contact_id)
    assert (
        kept["phone"] == card.values["tel"] and kept["company"] == "Edited KK" and held(rule) == []
    )
    sandbox.sansan.change(card.external_id, {"companyName": "別の会社"})
    sync(rule)
    assert [one.link and one.link.clashes["company"][2] for one in held(rule)] == ["hold"], (
        "the card says something else now: the choice is void"
    )


def test_newest_goes_by_the_property_and_not_by_the_contact(sandbox, time_machine_later):
    rule = both(conflict="newest")
    sync(rule)
    with in_account(rule.account):
        link = Link.objects.filter(written__has_key="phone").earliest("pk")
        card = Record.objects.get(link=link)
    person(sandbox, "edit", id=link.contact_id, properties={"phone": "03-1111-1111"})
    time_machine_later(seconds=30)
    sandbox.sansan.change(card.external_id, {"tel": "03-2222-2222"})
    time_machine_later(seconds=30)
    person(sandbox, "edit", id=link.contact_id, properties={"lifecyclestage": "customer"})
    sync(rule)
    assert contact(sandbox, link.contact_id)["phone"] == "03-2222-2222", (
        "the edit is older than the card, whatever moved the contact since"
    )
    time_machine_later(seconds=30)
    person(sandbox, "edit", id=link.contact_id, properties={"phone": "03-3333-3333"})
    sync(rule)
    assert contact(sandbox, link.contact_id)["phone"] == "03-3333-3333"


def test_what_hubspot_refuses_to_read_stops_nobody_and_leaves_after_an_hour(
    sandbox, time_machine_later
):
    rule = both()
    sync(rule)
    with in_account(rule.account):
        put_changes(rule.hubspot, [HeardChange("77", timezone.now())], timezone.now())
    body = {"status": "error", "category": "VALIDATION_ERROR", "message": "no"}
    sandbox.faults.arm("hubspot", "status", match="batch/read", times=1, status=400, body=body)
    card = sandbox.sansan.add({"lastName": "新", "email": "new@new.example.jp"})
    run = sync(rule)
    assert run.state == "succeeded" and card["email"] in contacts_of(sandbox, TOKEN)
    with in_account(rule.account):
        assert has_changes(rule.hubspot_id), "it is tried once more"
        time_machine_later(hours=2)
        sandbox.faults.arm("hubspot", "status", match="batch/read", times=1, status=400, body=body)
        sync(rule)
        assert not has_changes(rule.hubspot_id)


def test_one_way_only_reads_no_card_and_looks_at_what_changed(sandbox):
    create(sandbox)
    rule = configured(file(direction="to_sansan"))
    first = sync(rule)
    assert (first.kind, first.created) == ("initial", 1) and len(
        cards_with(sandbox, DAN["email"])
    ) == 1
    sandbox.reset_calls()
    create(sandbox, email="second@delta.example.jp")
    second = sync(rule)
    assert (second.kind, second.created) == ("incremental", 1)
    assert not any(
        "bizCards 200" in call and "GET" in call and "search" not in call
        for call in sandbox.calls["by_call"]
    )
    assert "sansan_link_id" not in contact(sandbox, "9001"), "nothing is written to HubSpot"
