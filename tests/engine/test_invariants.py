"""The invariants of the design that one process can show.

Killing one is in test_kill.py, secrets in test_secrets.py.
"""

from __future__ import annotations

import random
import sys
from functools import partial

import pytest
from django.db import DatabaseError, transaction

from core.tenancy import in_account
from integration.connectors.sansan import client
from integration.models import AuditEntry, Record, SyncRun
from tests import cast
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["to_hubspot", "both"], autouse=True)
def direction(request, monkeypatch):
    """Each invariant holds with cards driving contacts, and again with contacts becoming cards
    besides.
    """
    monkeypatch.setattr(sys.modules[__name__], "file", partial(cast.file, direction=request.param))


def steps(sandbox, rule, seed):
    """Some runs with changes of every sort between them."""
    rng = random.Random(seed)
    yield sync(rule)
    for _ in range(4):
        ids = sorted(sandbox.sansan.cards)
        sandbox.sansan.churn(10, rng.randrange(1000))
        one, other = rng.sample(ids, 2)
        sandbox.sansan.change(
            one, {"email": rng.choice([None, "x@", sandbox.sansan.cards[other]["email"]])}
        )
        sandbox.sansan.add({"lastName": "新", "email": f"new{rng.randrange(9999)}@new.example.jp"})
        yield sync(rule, **rng.choice([{}, {"full": True}, {"preview": True}]))


@pytest.mark.parametrize("seed", range(3))
def test_1_counters_add_up_in_every_run(sandbox_of, seed):
    sandbox = sandbox_of(120, seed=seed, shared_email_percent=25)
    rule = configured(file())
    for run in steps(sandbox, rule, seed):
        counts = run.counts
        assert counts["waiting"] == 0, (run.kind, counts)
        assert min(counts.values()) >= 0, (run.kind, counts)
    sync(rule)
    have, wanted = contacts_of(sandbox, TOKEN), expected(list(sandbox.sansan.cards.values()))
    with in_account(rule.account):
        # An address that passes from one person to another who has a contact already: a person must
        # merge the two.
        taken = set(Record.objects.filter(reason="email_taken").values_list("email_key", flat=True))
    assert {address: have.get(address) for address in wanted if address not in taken} == {
        a: w for a, w in wanted.items() if a not in taken
    }


def test_2_no_card_is_passed_without_an_outcome(sandbox_of):
    sandbox = sandbox_of(700)
    rule = configured(file())
    sandbox.faults.arm("sansan", "html", match="bizCards", times=0, skip=1)
    run = sync(rule)
    assert run.state in ("partial", "failed")
    rule.refresh_from_db()
    with in_account(rule.account):
        stored = set(Record.objects.values_list("external_id", flat=True))
    passed = {
        card["id"] for card in sandbox.sansan.cards.values() if card["updatedTime"] < rule.cursor
    }
    assert passed <= stored and len(stored) == 300
    sandbox.faults.clear()
    assert sync(rule).state == "succeeded"
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def test_2_a_failed_record_is_tried_again_by_itself(sandbox, time_machine_later):
    rule = configured(file())
    sandbox.faults.arm(
        "hubspot",
        "status",
        match="batch/upsert",
        times=0,
        status=400,
        body={"status": "error", "category": "VALIDATION_ERROR", "message": "no"},
    )
    first = sync(rule)
    assert (first.state, first.counts["created"]) == ("partial", 0)
    assert first.counts["failed"] > 0
    sandbox.faults.clear()
    assert (
        sync(rule).counts["created"] == 0
    )  # not yet due: a failing record does not cost a call a minute
    time_machine_later(minutes=2)
    assert sync(rule).counts["created"] == first.counts["failed"]
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


@pytest.mark.parametrize("seed", range(4))
def test_4_any_order_any_page_size_any_number_of_runs(sandbox_of, monkeypatch, seed):
    """The same cards, dealt differently: the same contacts."""
    sandbox = sandbox_of(150, seed=7, shared_email_percent=40, no_email_percent=5)
    wanted = expected(list(sandbox.sansan.cards.values()))
    rng = random.Random(seed)
    dealt = [
        {**card, "tags": [tag["id"] for tag in card["tags"]]}
        for card in sandbox.sansan.cards.values()
    ]
    rng.shuffle(dealt)
    other = sandbox_of(0)
    monkeypatch.setattr(client, "CARDS_A_PAGE", rng.choice([1, 7, 50, 300]))
    rule = configured(file(token=f"pat-deal-{seed}"))
    for i in range(0, len(dealt), rng.choice([30, 75, 150])):
        hand = dealt[i:] if i + 75 > len(dealt) else dealt[i : i + 75]
        for card in hand:
            if card["id"] not in other.sansan.cards:
                other.sansan.add(card)
        sync(rule, full=True)
    assert contacts_of(other, f"pat-deal-{seed}") == wanted


def test_5_calls_of_a_quiet_run_do_not_grow(sandbox_of):
    quiet = {}
    for cards in (50, 900):
        sandbox_of(cards)
        rule = configured(file(f"acme{cards}", token=f"pat-{cards}"))
        sync(rule)
        run = sync(rule)
        quiet[cards] = (run.calls_sansan, run.calls_hubspot)
    assert (
        quiet[50] == quiet[900] == (1, 2)
    )  # what changed in HubSpot, and a page of what was written before


def test_5_a_full_check_over_unchanged_cards_writes_nothing(sandbox):
    rule = configured(file())
    sync(rule)
    before = sandbox.hubspot.changes
    run = sync(rule, full=True)
    assert run.kind == "full" and sandbox.hubspot.changes == before
    with in_account(rule.account):
        assert not AuditEntry.objects.filter(run=run).exists()


def test_7_a_closed_entry_never_changes_and_is_not_deleted(sandbox):
    rule = configured(file())
    run = sync(rule)
    with in_account(rule.account):
        entries = AuditEntry.objects.filter(run=run)
        for attempt in (lambda: entries.update(reason="another"), entries.delete):
            with pytest.raises(DatabaseError), transaction.atomic():
                attempt()
        assert SyncRun.objects.filter(pk=run.pk).exists()
