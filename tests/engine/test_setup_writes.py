"""The set-up against both vendors: not one write before “Save and sync”, and then exactly what the
preview said.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.models import Record, SyncRule, SyncRun
from integration.runs import start_run
from tests.admin.setup_pages import add_row, form_of, send, url
from tests.cast import TOKEN, configured, file, member, sync
from tests.core import rows
from tests.engine.oracle import contacts_of, expected
from tests.engine.test_tasks import (
    queue,  # noqa: F401
    work_off,
)

pytestmark = pytest.mark.django_db
KEY = "SetupKey0123456789abcdefABCDEF00"


@pytest.fixture(autouse=True)
def quick(settings, queue):  # noqa: F811
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def account():
    return rows.account()


@pytest.fixture
def aiko(account):
    client = Client()
    client.force_login(member("aiko", account))
    return client


def connected(browser: Client, account: Any, key: str = KEY, token: str = TOKEN) -> dict[str, str]:
    """Both keys entered and tested; what the first page has chosen."""
    led = url("")
    for system, secret in (("sansan", key), ("hubspot", token)):
        chosen = form_of(browser.get(led), "mb-go-on")
        answer = browser.post(
            url(""),
            chosen | {"action": system, f"{system}-label": system, f"{system}-secret": secret},
        )
        led = answer["Location"]
    work_off()
    return {name: value[0] for name, value in form_of(browser.get(led), "mb-go-on").items()} | {
        "slug": "cards",
        "action": "next",
    }


def drafted(browser: Client, account: Any) -> SyncRule:
    assert browser.post(url(""), connected(browser, account)).status_code == 302
    with in_account(account):
        return SyncRule.objects.select_related(
            "account", "sansan__account", "hubspot__account"
        ).get(slug="cards")


def reviewed(browser: Client, rule: SyncRule) -> SyncRun:
    """Through the pages untouched, with every card; the finished preview."""
    for step, changed in (("tags", {"every": "1"}), ("configure", {}), ("limit", {})):
        assert send(browser, step, rule, **changed).status_code == 302, step
    work_off()
    return last(rule, kind="preview")


def last(rule: SyncRule, **which: Any) -> SyncRun:
    with in_account(rule.account):
        return SyncRun.objects.filter(rule=rule, **which).latest("pk")


def written(sandbox: Any) -> list[str]:
    """Every call to HubSpot that is none of reading."""
    calls = [call.split() for call in sandbox.calls["by_call"] if call.startswith("hubspot")]
    return [
        " ".join(call)
        for call in calls
        if call[1] != "GET" and not call[2].endswith(("/read", "/search"))
    ]


def test_nothing_is_written_before_it_is_saved(sandbox, aiko, account):
    rule = drafted(aiko, account)
    cards = dict(sandbox.sansan.state())
    preview = reviewed(aiko, rule)
    for address in (url("review", rule.pk), url("configure", rule.pk)):
        assert aiko.get(address).status_code == 200
    assert preview.state == "succeeded" and preview.counts["created"] == len(
        expected(list(sandbox.sansan.cards.values()))
    )
    assert (
        sandbox.hubspot.changes == 0
        and written(sandbox) == []
        and dict(sandbox.sansan.state()) == cards
    )
    assert (
        contacts_of(sandbox, TOKEN) == {}
        and "sansan_link_id" not in sandbox.hubspot.portal(TOKEN).properties
    )

    assert aiko.post(url("review", rule.pk), {"action": "save"}).status_code == 302
    work_off()
    done = last(rule, kind="initial")
    assert done.state == "succeeded" and done.counts == preview.counts
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    assert {"sansan_link_id", "sansan_tags", "sansan_department"} <= sandbox.hubspot.portal(
        TOKEN
    ).properties.keys()
    assert sync(rule, full=True).counts["updated"] == 0


def test_a_preview_before_the_first_run_complains_of_nothing(sandbox, aiko, account):
    """Our own properties are made by the first run, so that it is no fault that they are not there
    yet.
    """
    preview = reviewed(aiko, drafted(aiko, account))
    assert (preview.state, preview.reason, preview.detail) == ("succeeded", "", "")


def test_a_wrong_key_goes_no_further_and_writes_nothing(sandbox, aiko, account):
    chosen = connected(aiko, account, key="WRONGKey0123456789abcdefABCDEF01")
    answer = aiko.post(url(""), chosen)
    assert (
        answer.status_code == 200
        and b"does not work yet" in answer.content
        and sandbox.hubspot.changes == 0
    )
    with in_account(account):
        assert not SyncRule.objects.exists()


def test_the_preview_says_what_the_mappings_make(sandbox, aiko, account):
    rule = drafted(aiko, account)
    assert send(aiko, "tags", rule, every="1").status_code == 302
    form = add_row(
        aiko, "configure", rule, source="=", expression="{{ lastName }}様", hubspot="salutation"
    )
    assert aiko.post(url("configure", rule.pk), form).status_code == 302
    preview = reviewed(aiko, rule)
    with in_account(account):
        entry = preview.entries.filter(decision="create").latest("pk")
    assert entry.after["salutation"] == f"{entry.after['lastname']}様"
    aiko.post(url("review", rule.pk), {"action": "save"})
    work_off()
    assert {
        contact["salutation"] for contact in sandbox.hubspot.portal(TOKEN).contacts.values()
    } >= {entry.after["salutation"]}


def test_selected_tags_and_criteria_are_what_the_preview_goes_by(sandbox, aiko, account):
    rule = drafted(aiko, account)
    send(aiko, "tags", rule, tag=["T0001"], every=None)
    send(aiko, "configure", rule)
    aiko.post(
        url("limit", rule.pk),
        add_row(aiko, "limit", rule, "card", field="prefecture", op="not_equals", value="東京都"),
    )
    work_off()
    wanted = {
        card["email"].lower()
        for card in sandbox.sansan.cards.values()
        if card["email"]
        and card["prefecture"] != "東京都"
        and "T0001" in {tag["id"] for tag in card["tags"]}
    }
    assert last(rule).counts["created"] == len(wanted)
    aiko.post(url("review", rule.pk), {"action": "save"})
    work_off()
    assert contacts_of(sandbox, TOKEN).keys() == wanted


def test_a_draft_leaves_a_running_sync_of_the_same_key_alone_until_it_is_saved(
    sandbox, aiko, account
):
    """Both go by the tags of one key."""
    running = drafted(aiko, account)
    reviewed(aiko, running)
    aiko.post(url("review", running.pk), {"action": "save"})
    work_off()
    there = contacts_of(sandbox, TOKEN)
    aiko.post(
        url(""),
        {
            "slug": "second",
            "sansan": running.sansan_id,
            "hubspot": running.hubspot_id,
            "action": "next",
        },
    )
    with in_account(account):
        draft = SyncRule.objects.get(slug="second")
    for step, changed in (
        ("tags", {"tag": ["T0001"], "every": None}),
        ("configure", {}),
        ("limit", {}),
    ):
        assert send(aiko, step, draft, **changed).status_code == 302, step
    work_off()
    before = sandbox.hubspot.changes
    assert last(draft).counts["excluded"] > 30 and sync(running, full=True).counts["updated"] == 0
    aiko.post(url("review", draft.pk), {"action": "save"})
    work_off()
    assert sandbox.hubspot.changes == before and contacts_of(sandbox, TOKEN) == there
    aiko.post(url("review", draft.pk), {"action": "save", "also": "1"})
    work_off()
    assert sandbox.hubspot.changes > before, (
        "the tag property of who left the selected tags says so"
    )


def test_a_second_preview_after_a_change_is_of_the_change(sandbox, aiko, account):
    rule = drafted(aiko, account)
    first = reviewed(aiko, rule)
    send(aiko, "limit", rule, require_email=None)
    work_off()
    second = last(rule, kind="preview")
    assert (
        second.pk != first.pk
        and second.counts["created"] > first.counts["created"]
        and sandbox.hubspot.changes == 0
    )


def test_a_change_while_the_preview_runs_is_previewed_by_itself(sandbox, aiko, account):
    """The open run is of the older configuration; whoever goes on to the review must not be left
    without one.
    """
    rule = drafted(aiko, account)
    for step, changed in (("tags", {"every": "1"}), ("configure", {}), ("limit", {})):
        send(aiko, step, rule, **changed)
    send(aiko, "limit", rule, require_email=None)
    work_off()
    answer = aiko.get(url("review", rule.pk))
    assert answer.context["ready"] and b"there was none" not in answer.content


# A sync that runs


@pytest.fixture
def running(sandbox, aiko, account):
    rule = drafted(aiko, account)
    reviewed(aiko, rule)
    aiko.post(url("review", rule.pk), {"action": "save"})
    work_off()
    with in_account(account):
        return SyncRule.objects.select_related(
            "account", "sansan__account", "hubspot__account"
        ).get(pk=rule.pk)


def test_a_change_of_a_running_sync_waits_for_its_review(sandbox, aiko, running):
    before = contacts_of(sandbox, TOKEN)
    form = add_row(
        aiko, "configure", running, source="=", expression="{{ lastName }}様", hubspot="salutation"
    )
    aiko.post(url("configure", running.pk), form)
    tasks.tick()
    work_off()
    assert contacts_of(sandbox, TOKEN) == before and not any(
        "salutation" in one for one in sandbox.hubspot.portal(TOKEN).contacts.values()
    )
    send(aiko, "limit", running)
    work_off()
    assert last(running, kind="preview").counts["updated"] == len(before)
    aiko.post(url("review", running.pk), {"action": "save"})
    work_off()
    assert all(
        one.get("salutation")
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if one.get("lastname")
    )


def test_a_run_that_is_open_while_the_sync_is_changed_writes_nothing_of_the_change(
    sandbox, aiko, running
):
    sandbox.sansan.churn(50)
    with in_account(running.account):
        open_run = start_run(running, SyncRun.Trigger.SCHEDULE, full=True)
    form = add_row(
        aiko, "configure", running, source="=", expression="{{ lastName }}様", hubspot="salutation"
    )
    aiko.post(url("configure", running.pk), form)
    tasks.work(running.account_id, open_run.pk)
    work_off()
    assert not any("salutation" in one for one in sandbox.hubspot.portal(TOKEN).contacts.values())


def test_a_draft_beside_a_running_sync_disturbs_it_in_nothing(sandbox, aiko, account, running):
    before = contacts_of(sandbox, TOKEN)
    answer = aiko.post(
        url(""),
        {
            "account": account.pk,
            "slug": "second",
            "sansan": running.sansan_id,
            "hubspot": running.hubspot_id,
            "action": "next",
        },
    )
    with in_account(account):
        draft = SyncRule.objects.select_related("account").get(slug="second")
    assert answer["Location"] == url("tags", draft.pk)
    preview = reviewed(aiko, draft)
    assert preview.counts["created"] == 0 and contacts_of(sandbox, TOKEN) == before
    sandbox.sansan.churn(30)
    sync(running)
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    with all_accounts():
        assert not Record.objects.filter(rule=draft, link__isnull=False).exists()


def test_a_sync_of_a_configuration_file_can_be_changed_in_the_set_up(sandbox):
    rule = configured(file())
    sync(rule)
    browser = Client()
    browser.force_login(member("ben", rule.account))
    preview = reviewed(browser, rule)
    assert preview.counts["updated"] == preview.counts["created"] == 0
