"""Writes whose answer never came: settled by reading HubSpot back, never by sending blindly."""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, Outcome, SyncRun
from integration.notes import read_parameter
from integration.runs import start_run, work_slice
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["reset", "reset_after", "html", "truncated", "timeout"])
def test_a_create_without_an_answer_makes_one_contact(sandbox, kind):
    rule = configured(file())
    sandbox.faults.arm("hubspot", kind, match="batch/upsert")
    run = sync(rule)
    assert run.state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    with in_account(rule.account):
        outcomes = set(
            AuditEntry.objects.filter(decision="create").values_list("outcome", flat=True)
        )
    # "timeout" and "reset" cut the line before the vendor did anything; the others after it did.
    assert outcomes == (
        {Outcome.SUCCEEDED, Outcome.NOT_WRITTEN}
        if kind in ("reset", "timeout", "html")
        else {Outcome.SUCCEEDED}
    )


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
def test_an_update_without_an_answer(sandbox, kind):
    rule = configured(file())
    sync(rule)
    sandbox.sansan.churn(30)
    sandbox.faults.arm("hubspot", kind, match="batch/update")
    assert sync(rule).state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def test_an_edit_of_a_person_after_the_unanswered_write_is_not_undone_by_the_settling(sandbox):
    """The contact says something else by now: what we intended is not what stands there, so it is
    planned afresh.
    """
    rule = configured(file(conflict="hubspot"))
    sync(rule)
    with in_account(rule.account):
        one = AuditEntry.objects.filter(outcome=Outcome.SUCCEEDED).latest("pk")
    sandbox.sansan.change(one.card_id, {"title": "新任部長"})
    sandbox.faults.arm("hubspot", "reset_after", match="batch/update")
    sandbox.faults.arm("hubspot", "status", status=500, match="batch/read", skip=1, times=5)
    sync(rule, slices=60)
    sandbox.hubspot.control(
        "edit",
        {"token": TOKEN, "id": one.contact_id, "properties": {"jobtitle": "edited by a person"}},
    )
    run = sync(rule)
    assert run.state == "succeeded"
    assert sandbox.hubspot.portal(TOKEN).contacts[one.contact_id]["jobtitle"] in (
        "edited by a person",
        "新任部長",
    )


def test_one_bad_row_never_costs_another_its_turn(sandbox_of):
    sandbox = sandbox_of(150, no_email_percent=0, shared_email_percent=0)
    rule = configured(
        file(
            mappings=[
                {"sansan": "email", "hubspot": "email"},
                {"sansan": "lastName", "hubspot": "lastname"},
                {"sansan": "title", "hubspot": "jobtitle"},
            ]
        )
    )
    ids = list(sandbox.sansan.cards)
    for id in ids:
        sandbox.sansan.change(id, {"title": "15"})
    sandbox.sansan.change(ids[7], {"title": "many"})
    portal = sandbox.hubspot.portal(TOKEN)
    # After the set-up had looked.
    portal.set_property({**portal.properties["jobtitle"], "type": "number", "fieldType": "number"})
    run = sync(rule)
    assert (run.counts["created"], run.counts["failed"], run.state) == (150, 0, "succeeded")
    assert run.reasons["value_refused"] == 1, "all else of the one is written"
    with in_account(rule.account):
        failed = AuditEntry.objects.get(outcome=Outcome.FAILED)
    assert failed.card_id == ids[7] and read_parameter(failed.detail, "word") == "jobtitle"


def test_shuffled_answers_are_matched_by_key(sandbox_of):
    sandbox = sandbox_of(100)
    sandbox.hubspot.switches["shuffle"] = True
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        done = AuditEntry.objects.filter(outcome=Outcome.SUCCEEDED)
        keys = {entry.contact_id: str(entry.link_key) for entry in done}
    contacts = sandbox.hubspot.portal(TOKEN).contacts
    assert len(keys) > 50
    assert keys == {contact: contacts[contact]["sansan_link_id"] for contact in keys}


@pytest.mark.parametrize("call", ["batch/upsert", "batch/update"])
def test_a_vendor_that_answers_no_write_is_not_asked_without_end(
    sandbox_of, time_machine_later, call
):
    """HubSpot is read and does not write: the slice ends, the run waits, and nothing is lost."""
    sandbox = sandbox_of(30, shared_email_percent=0, no_email_percent=0)
    rule = configured(file())
    if call == "batch/update":
        sync(rule)
        sandbox.sansan.churn(20, 1)
        time_machine_later(seconds=60)
    sandbox.faults.arm("hubspot", "status", match=call, status=500, times=0)
    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.COMMAND, "test")
        following = work_slice(run.pk, 60.0)
        run.refresh_from_db()
        assert (following.done, run.reason) == (False, "hubspot_unavailable")
        assert following.wait >= 30 and run.calls_hubspot < 25
    sandbox.faults.clear()
    time_machine_later(minutes=2)
    with in_account(rule.account):
        while not work_slice(run.pk, 60.0).done:
            pass
        assert SyncRun.objects.get(pk=run.pk).state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
