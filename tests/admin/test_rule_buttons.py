"""The buttons of a rule: each only where it makes sense, and each no more than a word to the
workers.
"""

from __future__ import annotations

import pytest

from core.models import Account
from core.tenancy import in_account
from integration.models import Connection, SyncRule, SyncRun
from tests.admin.pages import body, page, press, told

pytestmark = pytest.mark.django_db
SHOWN = {
    "draft": ["switch_on", "preview", "discard"],
    "active": ["sync_now", "preview", "check_everything", "pause"],
    "paused": ["resume", "sync_now", "preview", "check_everything"],
    "held": ["resume", "preview"],
}
ALL = sorted({name for names in SHOWN.values() for name in names})


@pytest.fixture
def rule(acme):
    """Acme's rule, with no run open."""
    with in_account(acme.account):
        SyncRun.objects.filter(pk=acme.open_run.pk).update(state="succeeded")
    return acme.rule


def change(rule, **values):
    with in_account(rule.account):
        SyncRule.objects.filter(pk=rule.pk).update(**values)


def stored(rule):
    with in_account(rule.account):
        return SyncRule.objects.get(pk=rule.pk)


def runs(rule):
    with in_account(rule.account):
        return list(SyncRun.objects.filter(rule=rule, state__in=SyncRun.OPEN))


@pytest.mark.parametrize("state", SHOWN)
def test_which_buttons_a_state_shows(rule, aiko, state):
    change(rule, state=state)
    seen = aiko.get(page(rule))
    assert [one.name for one in seen.context["buttons"]] == SHOWN[state]
    assert [name for name in ALL if f'action="{press(rule, name)}"' in body(seen)] == sorted(
        SHOWN[state]
    )


@pytest.mark.parametrize("state", SHOWN)
def test_a_button_that_a_state_does_not_show_does_nothing(rule, aiko, queued, state):
    """The page was open while somebody else pressed."""
    change(rule, state=state)
    for name in set(ALL) - set(SHOWN[state]):
        assert "is not possible any more" in told(aiko.post(press(rule, name), follow=True))
    assert queued(lambda: None) == [] and stored(rule).state == state and runs(rule) == []


def test_switch_on_makes_the_rule_active_and_asks_for_its_first_run(acme, aiko, queued):
    seen = []
    tasks = queued(lambda: seen.append(aiko.post(press(acme.draft, "switch_on"))))
    (run,) = runs(acme.draft)
    assert stored(acme.draft).state == "active" and seen[0].url == page(run)
    assert (run.kind, run.whole, run.trigger, run.started_by) == ("initial", True, "person", "aiko")
    assert tasks == [("integration.tasks.work", (acme.account.pk, run.pk))]


RUNS = {
    "sync_now": ("incremental", False, {}),
    "sync_now after a change of the rule": ("full", True, {"recheck": True}),
    "check_everything": ("full", True, {}),
    "preview": ("preview", False, {}),
}


@pytest.mark.parametrize("state", ["active", "paused"])
@pytest.mark.parametrize("what", RUNS)
def test_a_button_asks_for_a_run(rule, aiko, queued, what, state):
    kind, whole, values = RUNS[what]
    change(rule, state=state, **values)
    tasks = queued(lambda: aiko.post(press(rule, what.split()[0])))
    (run,) = runs(rule)
    assert (run.kind, run.whole, run.state, run.trigger) == (kind, whole, "queued", "person")
    assert tasks == [("integration.tasks.work", (rule.account_id, run.pk))]
    assert stored(rule).state == state


def test_a_run_that_goes_on_is_shown_instead_of_a_second_one(rule, aiko, queued):
    first, second = aiko.post(press(rule, "sync_now")), aiko.post(press(rule, "sync_now"))
    assert first.url == second.url and len(runs(rule)) == 1
    assert "Another run of this rule was going on" in told(
        aiko.post(press(rule, "preview"), follow=True)
    )
    (run,) = runs(rule)
    assert run.kind == "incremental"


def test_pause_and_resume(rule, aiko, queued):
    assert queued(lambda: aiko.post(press(rule, "pause"))) == [] and stored(rule).state == "paused"
    aiko.post(press(rule, "resume"))
    assert (stored(rule).state, stored(rule).waived) == ("active", False)


def test_resuming_a_held_rule_lets_it_pass_its_limit_once(rule, aiko, queued):
    change(rule, state="held", state_reason="too many")
    assert queued(lambda: aiko.post(press(rule, "resume"))) == []
    one = stored(rule)
    assert (one.state, one.state_reason, one.waived) == ("active", "", True)


WAYS_TO_ACTIVE = {
    "a draft": ("draft", "switch_on"),
    "paused": ("paused", "resume"),
    "held": ("held", "resume"),
}


@pytest.mark.parametrize(("state", "name"), WAYS_TO_ACTIVE.values(), ids=WAYS_TO_ACTIVE)
@pytest.mark.parametrize("end", ["sansan", "hubspot"])
def test_a_rule_whose_key_was_refused_does_not_become_active(
    acme, rule, aiko, queued, state, name, end
):
    change(rule, state=state)
    with in_account(acme.account):
        Connection.objects.filter(pk=getattr(acme, end).pk).update(health="reconnect")
    seen = []
    assert queued(lambda: seen.append(aiko.post(press(rule, name), follow=True))) == []
    assert page(getattr(acme, end)) in told(seen[0]) and "new key" in told(seen[0])
    assert stored(rule).state == state and runs(rule) == []


@pytest.mark.parametrize("name", ["sync_now", "check_everything", "preview"])
def test_nothing_runs_for_an_account_that_is_switched_off(acme, rule, aiko, queued, name):
    """Which is what the account's own page promises; the tick keeps to it."""
    Account.objects.filter(pk=acme.account.pk).update(active=False)
    assert queued(lambda: aiko.post(press(rule, name))) == []
    assert runs(rule) == []


def test_a_rule_is_not_switched_on_in_an_account_that_is_switched_off(acme, aiko, queued):
    Account.objects.filter(pk=acme.account.pk).update(active=False)
    assert queued(lambda: aiko.post(press(acme.draft, "switch_on"))) == []


@pytest.mark.parametrize("ben", ["operator"], indirect=True)
def test_an_operator_has_the_buttons_and_no_form(rule, ben, queued):
    seen = ben.get(page(rule))
    assert [one.name for one in seen.context["buttons"]] == SHOWN[
        "active"
    ] and 'name="_save"' not in body(seen)
    assert len(queued(lambda: ben.post(press(rule, "sync_now")))) == 1
    assert runs(rule)[0].started_by == "ben"
