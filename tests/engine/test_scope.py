"""Which cards are in scope: tags, filters, sight."""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.models import Record, SyncRule
from integration.notes import read_parameter
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of

pytestmark = pytest.mark.django_db


def stands(rule, id):
    with in_account(rule.account):
        record = Record.objects.get(external_id=id)
        return record.bucket, record.reason


def linked(rule):
    with in_account(rule.account):
        return Record.objects.filter(bucket="linked").first()


def test_only_cards_with_a_selected_tag(sandbox):
    rule = configured(file(tags=["VIP", "T0003"]))
    run = sync(rule)
    chosen = [
        card
        for card in sandbox.sansan.cards.values()
        if {tag["id"] for tag in card["tags"]} & {"T0001", "T0003"}
    ]
    assert run.counts["excluded"] >= len(sandbox.sansan.cards) - len(chosen)
    assert run.counts["created"] <= len(chosen)
    tags = {
        tag
        for contact in contacts_of(sandbox, TOKEN).values()
        for tag in contact["sansan_tags"].split(";")
    }
    assert tags <= {"T0001", "T0003"}
    with in_account(rule.account):
        outside = Record.objects.filter(reason="no_selected_tag")
        assert outside and all(
            record.values == {} and record.name == record.email_key == "" for record in outside
        )


@pytest.mark.parametrize("bumps", [True, False])
def test_a_card_that_loses_its_last_selected_tag_leaves_and_its_contact_stays(sandbox, bumps):
    sandbox.sansan.switches["tag_bumps_updated"] = bumps
    rule = configured(file(tags=["VIP"]))
    sync(rule)
    record = linked(rule)
    contacts = contacts_of(sandbox, TOKEN)
    sandbox.sansan.change(record.external_id, {"tags": ["T0005"]})
    sync(rule, full=not bumps)  # without a new update time only the daily full check can see it
    assert stands(rule, record.external_id) == ("excluded", "no_selected_tag")
    left = contacts_of(sandbox, TOKEN)
    assert "sansan_tags" not in left[record.email_key]  # the removal is carried, and nothing else
    assert {
        address: {**one, "sansan_tags": contacts[address]["sansan_tags"]}
        for address, one in left.items()
    } == contacts
    sandbox.sansan.change(record.external_id, {"tags": ["T0001"], "title": "戻った"})
    sync(rule, full=not bumps)
    assert stands(rule, record.external_id) == ("linked", "in_sync")
    assert len(contacts_of(sandbox, TOKEN)) == len(contacts)


def test_private_tags_are_never_stored(sandbox):
    rule = configured(file())
    private = [id for id in sandbox.sansan.tags if id.startswith("P")]
    card = sandbox.sansan.add(
        {"lastName": "私", "email": "p@example.jp", "tags": [private[0], "T0001"]}
    )
    sync(rule)
    with in_account(rule.account):
        assert Record.objects.get(external_id=card["id"]).tags == ["T0001"]


def test_filters_on_cards_and_on_contacts(sandbox):
    filters = {
        "cards": [{"field": "prefecture", "op": "equals", "value": "東京都"}],
        "contacts": [{"field": "lifecyclestage", "op": "not_equals", "value": "customer"}],
    }
    tokyo = [
        card
        for card in sandbox.sansan.cards.values()
        if card["prefecture"] == "東京都" and card["email"]
    ]
    sandbox.hubspot.control(
        "create",
        {"token": TOKEN, "contacts": [{"email": tokyo[0]["email"], "lifecyclestage": "customer"}]},
    )
    rule = configured(file(filters=filters))
    sync(rule)
    assert {contact.get("state") for contact in contacts_of(sandbox, TOKEN).values()} <= {
        "東京都",
        None,
    }
    with in_account(rule.account):
        assert Record.objects.filter(reason="filtered").exists()
    assert stands(rule, tokyo[0]["id"]) == ("excluded", "contact_filtered")
    assert "company" not in next(
        c
        for c in sandbox.hubspot.portal(TOKEN).contacts.values()
        if c["email"] == tokyo[0]["email"]
    )


def test_a_deleted_card_is_told_and_its_contact_stays(sandbox):
    rule = configured(file())
    sync(rule)
    record, contacts = linked(rule), contacts_of(sandbox, TOKEN)
    sandbox.sansan.delete(record.external_id)
    run = sync(rule, full=True)
    assert (run.state, run.reasons["unseen"]) == ("succeeded", 1)
    assert stands(rule, record.external_id) == ("unseen", "unseen")
    assert contacts_of(sandbox, TOKEN) == contacts


def test_a_sharp_loss_of_sight_freezes_the_rule(sandbox):
    rule = configured(file())
    sync(rule)
    sandbox.sansan.hide(True, percent=40)
    run = sync(rule, full=True)
    assert (run.state, run.reason) == ("held", "sight_lost")
    with in_account(rule.account):
        assert SyncRule.objects.get().state == "held"
        assert not Record.objects.filter(bucket="unseen").exists()
        # A person has looked, and lets it pass once.
        SyncRule.objects.update(waived=True)
    assert sync(rule, full=True).state == "succeeded"
    with in_account(rule.account):
        assert Record.objects.filter(bucket="unseen").count() == 24
        assert SyncRule.objects.values_list("state", "waived").get() == ("active", False)


def test_the_change_budget_holds_before_anything_is_written(sandbox):
    rule = configured(file(limits={"creates": 10}))
    run = sync(rule)
    assert (run.state, run.reason, contacts_of(sandbox, TOKEN)) == ("held", "budget_exceeded", {})
    assert read_parameter(run.detail, "most") == "10"


def test_a_contact_deleted_in_hubspot_is_not_made_again(sandbox):
    rule = configured(file())
    sync(rule)
    record = linked(rule)
    with in_account(rule.account):
        contact_id = record.link.contact_id
    sandbox.hubspot.control("delete", {"token": TOKEN, "id": contact_id})
    sandbox.sansan.change(record.external_id, {"title": "昇進"})
    run = sync(rule)
    assert (run.counts["held"], stands(rule, record.external_id)) == (1, ("held", "contact_gone"))


def test_a_merge_in_hubspot_is_followed(sandbox):
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        first, second = (
            Record.objects.filter(bucket="linked").select_related("link").order_by("pk")[:2]
        )
    assert first.link and second.link
    sandbox.hubspot.control(
        "merge", {"token": TOKEN, "primary": first.link.contact_id, "other": second.link.contact_id}
    )
    before = len(sandbox.hubspot.portal(TOKEN).contacts)
    for record in (first, second):
        sandbox.sansan.change(record.external_id, {"title": "合併後"})
    run = sync(rule)
    assert (run.state, len(sandbox.hubspot.portal(TOKEN).contacts)) == ("succeeded", before)


def test_a_preview_writes_nothing_and_says_what_the_run_will_do(sandbox):
    rule = configured(file())
    before = sandbox.hubspot.changes
    said = sync(rule, preview=True)
    assert sandbox.hubspot.changes == before and said.counts["waiting"] == 0
    done = sync(rule)
    assert said.counts == done.counts


def test_without_the_right_to_make_properties_the_address_is_the_key(sandbox):
    sandbox.hubspot.control("scopes", {"token": TOKEN, "missing": ["crm.schemas.contacts.write"]})
    rule = configured(
        file(
            mappings=[
                {"sansan": "email", "hubspot": "email"},
                {"sansan": "title", "hubspot": "jobtitle"},
            ]
        )
    )
    assert not rule.hubspot.link_property
    run = sync(rule)
    assert run.counts["created"] == len(contacts_of(sandbox, TOKEN)) > 0
    assert sync(rule, full=True).counts["updated"] == 0
