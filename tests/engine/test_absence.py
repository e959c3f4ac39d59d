"""An answer that leaves contacts out says nothing yet of the people."""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import in_account
from integration.connectors.hubspot.client import HubSpot
from integration.models import AuditEntry, Link, Record, SyncRule
from integration.notes import read_note
from integration.records import ContactRead
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db


def leave_out(patch: pytest.MonkeyPatch, answers: int) -> None:
    """So many reads by id answer 200 and nobody."""
    read, left = HubSpot.read, [answers]

    def empty(
        self: HubSpot, keys: Any, properties: Any, by: str = "", history: Any = ()
    ) -> dict[str, ContactRead]:
        if not by and left[0]:
            left[0] -= 1
            return {}
        return read(self, keys, properties, by=by, history=history)

    patch.setattr(HubSpot, "read", empty)


def change_titles(sandbox: Any, n: int) -> None:
    for id in list(sandbox.sansan.cards)[:n]:
        sandbox.sansan.change(id, {"title": "新"})


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_one_empty_answer_is_asked_again(sandbox, monkeypatch, full):
    rule = configured(file())
    sync(rule)
    change_titles(sandbox, 40)
    with monkeypatch.context() as patch:
        leave_out(patch, 1)
        run = sync(rule, full=full)
    assert (run.state, run.counts["held"]) == ("succeeded", 0)
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_many_missing_at_once_are_the_vendors_fault(sandbox, monkeypatch, full):
    rule = configured(file())
    sync(rule)
    change_titles(sandbox, 40)
    with in_account(rule.account):
        before = AuditEntry.objects.count()
    with monkeypatch.context() as patch:
        leave_out(patch, 1000)
        run = sync(rule, full=full)
    told = read_note(run.detail)
    assert run.reason == "hubspot_unavailable" and told and told.code == "contacts_not_shown"
    with in_account(rule.account):
        assert not Link.objects.exclude(gone="").exists()
        assert not Record.objects.filter(reason="contact_missing").exists()
        assert AuditEntry.objects.count() == before, "nothing is said of the people"
        assert SyncRule.objects.get().state == "active"
    assert sync(rule, full=full).state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def test_a_few_that_are_gone_are_told_as_before(sandbox):
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        links = list(Link.objects.order_by("pk")[:3])
    for link in links:
        sandbox.hubspot.control("purge", {"token": TOKEN, "id": link.contact_id})
    sync(rule, full=True)
    with in_account(rule.account):
        gone = Link.objects.exclude(gone="").values_list("pk", flat=True)
        assert set(gone) == {link.pk for link in links}
