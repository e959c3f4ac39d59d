"""The change budget: a run that would change more than a person allowed stops before it does."""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, SyncRule
from integration.notes import note
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}


def waived(rule: SyncRule) -> None:
    """A person has looked, and lets the next run go past its limits."""
    with in_account(rule.account):
        SyncRule.objects.update(waived=True)


def stands(rule: SyncRule) -> str:
    with in_account(rule.account):
        return SyncRule.objects.values_list("state", flat=True).get()


def open_entries(rule: SyncRule) -> int:
    with in_account(rule.account):
        return AuditEntry.objects.filter(closed_at=None).count()


def test_a_budget_that_just_suffices(sandbox_of):
    sandbox = sandbox_of(50, **PLAIN)
    rule = configured(file(limits={"creates": 50, "updates": 0}))
    run = sync(rule)
    assert (run.state, run.counts["created"], len(contacts_of(sandbox, TOKEN))) == (
        "succeeded",
        50,
        50,
    )


def test_one_too_many(sandbox_of):
    sandbox = sandbox_of(50, **PLAIN)
    rule = configured(file(limits={"creates": 49}))
    run = sync(rule)
    assert (run.state, run.reason, contacts_of(sandbox, TOKEN)) == ("held", "budget_exceeded", {})
    assert run.detail == note("creates_exceed_budget", n=50, most=49)
    assert stands(rule) == "held" and open_entries(rule) == 0


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    ("cards", "allowed"), [(600, 100), (600, 250), (300, 150), (300, 250), (300, 299), (500, 450)]
)
def test_over_many_batches_it_is_never_passed(sandbox_of, settings, cards, allowed, workers):
    sandbox = sandbox_of(cards, **PLAIN)
    settings.SYNC_WORKERS = workers
    rule = configured(file(limits={"creates": allowed}))
    run = sync(rule)
    # Batches that are under way count too, although their answers have not come.
    made = len(contacts_of(sandbox, TOKEN))
    assert made <= allowed
    assert (run.state, run.reason) == ("held", "budget_exceeded")


def test_a_run_that_is_held_leaves_no_entry_open(sandbox_of):
    sandbox_of(600, **PLAIN)
    rule = configured(file(limits={"creates": 250}))
    assert sync(rule).state == "held"
    assert open_entries(rule) == 0


def test_links_count_as_updates(sandbox_of):
    sandbox = sandbox_of(30, **PLAIN)
    sandbox.hubspot.control(
        "create",
        {
            "token": TOKEN,
            "contacts": [{"email": card["email"]} for card in sandbox.sansan.cards.values()],
        },
    )
    rule = configured(file(limits={"creates": 30, "updates": 29}))
    run = sync(rule)
    assert (run.state, run.detail) == (
        "held",
        note("updates_exceed_budget", n=30, most=29),
    )
    assert {
        contact.get("sansan_link_id") for contact in sandbox.hubspot.portal(TOKEN).contacts.values()
    } == {None}


def test_what_needs_no_write_costs_nothing(sandbox_of):
    sandbox_of(30, **PLAIN)
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        SyncRule.objects.update(limits={"creates": 0, "updates": 0})
    assert sync(rule, full=True).state == "succeeded"


def test_a_budget_of_nothing_holds_the_first_change(sandbox_of):
    sandbox = sandbox_of(30, **PLAIN)
    rule = configured(file())
    sync(rule)
    with in_account(rule.account):
        SyncRule.objects.update(limits={"updates": 0})
    before = contacts_of(sandbox, TOKEN)
    sandbox.sansan.churn(3)
    run = sync(rule)
    assert (run.state, run.counts["waiting"], contacts_of(sandbox, TOKEN)) == ("held", 1, before)


def test_a_preview_tells_of_everything(sandbox_of):
    sandbox_of(30, **PLAIN)
    rule = configured(file(limits={"creates": 1}))
    run = sync(rule, preview=True)
    assert (run.state, run.counts["created"], stands(rule)) == ("succeeded", 30, "active")


def test_a_person_lets_it_pass_once(sandbox_of):
    sandbox = sandbox_of(30, **PLAIN)
    rule = configured(file(limits={"creates": 5}))
    assert sync(rule).state == "held"
    waived(rule)
    run = sync(rule)
    assert (run.state, run.counts["created"], stands(rule)) == ("succeeded", 30, "active")
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    for i in range(6):
        sandbox.sansan.add({"lastName": "新", "email": f"new{i}@example.jp"})
    assert sync(rule).state == "held"


def test_each_run_has_a_budget_of_its_own(sandbox_of):
    sandbox = sandbox_of(4, **PLAIN)
    rule = configured(file(limits={"creates": 5}))
    assert sync(rule).state == "succeeded"
    for i in range(5):
        sandbox.sansan.add({"lastName": "新", "email": f"new{i}@example.jp"})
    assert (sync(rule).state, len(contacts_of(sandbox, TOKEN))) == ("succeeded", 9)
