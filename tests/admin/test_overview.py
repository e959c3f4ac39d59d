"""The first page: where to begin, what needs a person, and how it went."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from core.models import Account
from core.tenancy import all_accounts, in_account
from integration.admin.parts.links import make_resume_url
from integration.models import Connection, DayFigures, Heartbeat, SyncRule, SyncRun
from integration.notes import note
from integration.planning.reasons import REASONS, TO_DO
from tests.admin.conftest import browser
from tests.admin.pages import address, body, listed, page
from tests.admin.world import team
from tests.cast import member
from tests.core import rows
from tests.core.rows import fernet_keys

pytestmark = pytest.mark.django_db
HOME = "/admin/"


def begin(client):
    return client.get(HOME).context["begin"]


def change(own, **values):
    with in_account(own.account):
        SyncRule.objects.filter(pk=own.rule.pk).update(**values)


# Where to begin


def test_an_empty_platform_begins_with_an_account(root):
    assert begin(root) == {"first": True, "url": reverse("admin:core_account_add"), "account": True}
    assert not root.get(HOME).context["rules"] and not root.get(HOME).context["runs"]


def test_a_new_customer_is_led_to_the_set_up_until_a_rule_runs():
    one = rows.account("fuji")
    fuji = browser(member("fumi", one))
    assert begin(fuji) == {"first": True, "url": reverse("admin:integration_setup")}
    assert fuji.get(begin(fuji)["url"]).status_code == 200
    rule = rows.rule(one)
    assert begin(fuji)["first"] and make_resume_url(rule) in body(fuji.get(HOME))
    with in_account(one):
        SyncRule.objects.update(state="active")
    assert not begin(fuji)["first"] and begin(fuji)["url"]


def test_who_may_not_edit_is_told_who_sets_it_up():
    ben = browser(member("ben", rows.account("fuji"), "viewer"))
    assert begin(ben) == {
        "first": True,
        "url": "",
    } and "An owner or editor of the account sets it up." in body(ben.get(HOME))


def test_another_account_s_beginnings_are_not_mine(acme):
    fumi = browser(member("fumi", rows.account("fuji")))
    assert begin(fumi)["first"] and not fumi.get(HOME).context["drafts"]


# What needs a person


def test_a_held_rule_says_why_and_leads_to_it(acme, aiko):
    change(acme, state="held", state_reason="4,812 would change, and 500 may.")
    seen = body(aiko.get(HOME))
    assert "4,812 would change, and 500 may." in seen and page(acme.rule) in seen


def test_no_number_of_rules_hides_a_held_one(acme, aiko):
    """It waits for a person, who looks here."""
    for n in range(35):
        rows.rule(acme.account, f"a-rule-{n:02}")
    change(acme, slug="z-last", state="held", state_reason="4,812 would change, and 500 may.")
    assert "4,812 would change, and 500 may." in body(aiko.get(HOME))


HEALTH = {
    "refused": ("reconnect", True),
    "out of reach": ("unreachable", True),
    "never tested": ("untested", False),
    "well": ("ok", False),
}


@pytest.mark.parametrize(("health", "told"), HEALTH.values(), ids=HEALTH)
def test_a_broken_connection_is_told(acme, aiko, health, told):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            health=health, health_detail="Sansan says no."
        )
    seen = body(aiko.get(HOME))
    assert ("Sansan says no." in seen) is told is (page(acme.sansan) in seen)


@pytest.mark.parametrize(
    ("ages", "told"),
    [([], True), ([10], True), ([1], False), ([10, 1], False)],
    ids=["no host", "a quiet host", "a host at work", "one of two at work"],
)
def test_workers_that_do_not_work_are_told(acme, aiko, ages, told):
    Heartbeat.objects.all().delete()
    for n, minutes in enumerate(ages):
        Heartbeat.objects.create(
            host=f"host-{n}", beat_at=timezone.now() - timedelta(minutes=minutes)
        )
    assert ("No worker has reported for minutes" in body(aiko.get(HOME))) is told


def test_nobody_misses_workers_while_no_rule_is_active(acme, aiko):
    Heartbeat.objects.all().delete()
    change(acme, state="paused")
    assert "No worker has reported" not in body(aiko.get(HOME))


@pytest.mark.parametrize(
    ("interval", "minutes", "told"),
    [(25, 1, False), (25, 6, True), (3600, 60, False), (3600, 601, True)],
    ids=["just now", "missed many checks", "hourly, on time", "hourly, ten missed"],
)
def test_a_rule_that_is_late_is_told(acme, aiko, interval, minutes, told):
    ago = timezone.now() - timedelta(minutes=minutes)
    change(acme, state="active", interval=interval, checked_at=ago, created_at=ago)
    assert bool(aiko.get(HOME).context["late"]) is told


def test_a_sync_that_somebody_changes_and_does_not_save_waits_in_sight(acme, aiko):
    change(acme, state="paused")
    assert aiko.get(HOME).context["held"] == []
    change(acme, state="paused", state_reason=note("being_changed"))
    (row,) = aiko.get(HOME).context["held"]
    assert (row["rule"].slug, row["url"]) == (
        "acme-cards",
        page(acme.rule),
    ) and "Being changed: review it and save." in body(aiko.get(HOME))


def test_for_a_suspended_account_nothing_is_begun(acme, aiko):
    Account.objects.filter(pk=acme.account.pk).update(active=False, suspended_for="has not paid")
    with in_account(acme.account):
        SyncRule.objects.update(state="draft")
    assert "Set up your first sync" not in body(aiko.get(HOME))


def test_failing_cards_are_told_by_rule_and_reason_with_what_to_do(acme, aiko):
    for n in range(3):
        rows.record(acme.rule, f"F{n}", bucket="failing", reason="wrong_type")
    row = next(
        row for row in aiko.get(HOME).context["failing"] if row["sentence"] == REASONS["wrong_type"]
    )
    assert (row["n"], row["to_do"]) == ("3", TO_DO["wrong_type"]) and aiko.get(
        row["url"]
    ).status_code == 200


def test_where_nothing_is_wrong_the_page_says_so(acme, aiko):
    with in_account(acme.account):
        acme.rule.records.all().update(bucket="linked", reason="in_sync")
        Connection.objects.update(health="ok")
    change(acme, state="active", checked_at=timezone.now())
    Heartbeat.objects.create(host="here", beat_at=timezone.now())
    assert "Nothing needs a person now." in body(aiko.get(HOME))


# How it went


def test_each_rule_shows_its_last_run_and_what_is_left(acme, aiko):
    rows.record(acme.rule, "acme-C7")
    seen = body(aiko.get(HOME))
    rules = {row["rule"].slug: row for row in aiko.get(HOME).context["rules"]}
    assert list(rules) == ["acme-cards", "acme-draft"]
    assert rules["acme-cards"]["run"]["run"] == acme.open_run and rules["acme-draft"]["run"] is None
    text = " ".join(re.sub(r"<[^>]+>", " ", str(rules["acme-cards"]["counts"])).split())
    assert text == "1 / 1"
    assert page(acme.open_run) in seen and "5 read" in seen and "2 created" in seen


def test_the_newest_runs_stand_first_and_there_are_not_too_many(acme, aiko):
    newest = [rows.run(acme.rule, state="succeeded") for _ in range(9)]
    assert [row["run"].pk for row in aiko.get(HOME).context["runs"]] == [
        run.pk for run in newest[:0:-1]
    ]


def test_every_link_of_the_page_opens(acme, aiko):
    change(acme, state="held")
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(health="reconnect")
    links = {
        url.replace("&amp;", "&")
        for url in re.findall(r'href="(/admin/[^"]*)"', body(aiko.get(HOME)))
    } - {reverse("admin:logout")}
    assert len(links) > 10 and {(url, aiko.get(url).status_code) for url in links} == {
        (url, 200) for url in links
    }


def test_accounts_are_named_where_there_are_several(acme, birch, emi, aiko):
    for own in (acme, birch):
        change(own, state="held")
    both = body(emi.get(HOME))
    assert "Acme KK" in both and "Birch KK" in both and "birch-cards" in both
    assert "Acme KK" not in body(aiko.get(HOME))


def test_a_lost_key_does_not_take_the_page_down(acme, aiko, root):
    with fernet_keys("a-key-that-encrypted-nothing-of-what-is-stored"):
        assert "acme-cards" in body(aiko.get(HOME)) and "acme-cards" in body(root.get(HOME))


def test_a_member_of_nothing_sees_nothing(acme, dan):
    shown = dan.get(HOME).context
    assert not any(shown[name] for name in ("rules", "runs", "broken", "held", "no_pulse"))
    assert shown["begin"] == {"first": True, "url": ""} and not any(
        shown[name] for name in ("late", "failing", "drafts")
    )


def test_an_account_that_is_switched_off_is_still_seen(acme, aiko):
    Account.objects.filter(pk=acme.account.pk).update(active=False)
    assert "acme-cards" in body(aiko.get(HOME))


def test_the_page_says_when_there_is_more(acme, aiko):
    with all_accounts():
        assert SyncRule.objects.count() == 2 and SyncRun.objects.count() == 2
    seen = body(aiko.get(HOME))
    assert listed(SyncRule) in seen and listed(SyncRun) in seen


def test_ben_reads_the_same_as_aiko(acme, aiko):
    ben = browser(team(acme, "ben", "auditor"))
    assert [row["rule"] for row in ben.get(HOME).context["rules"]] == [
        row["rule"] for row in aiko.get(HOME).context["rules"]
    ]
    assert address(SyncRule, "add") not in body(ben.get(HOME))


def test_a_broken_connection_that_no_sync_needs_waits_for_nobody(acme, aiko):
    with in_account(acme.account):
        spare = rows.connection(acme.account, "sansan", slug="spare")
        Connection.objects.filter(pk=spare.pk).update(
            health="reconnect", health_detail="Sansan says no."
        )
    assert "Sansan says no." not in body(aiko.get(HOME))


def test_today_is_the_accounts_own(acme, aiko):
    """In Tokyo tomorrow has begun nine hours before it does in London."""
    today = acme.account.find_day(timezone.now())
    with in_account(acme.account):
        DayFigures.objects.filter(rule=acme.rule).delete()
        DayFigures.objects.create(account=acme.account, rule=acme.rule, day=today, created=41)
        DayFigures.objects.create(
            account=acme.account, rule=acme.rule, day=today - timedelta(days=1), created=7_777
        )
    row = next(row for row in aiko.get(HOME).context["rules"] if row["rule"].pk == acme.rule.pk)
    assert row["today"] == "41 written"


def test_a_draft_waits_for_nothing(acme, aiko):
    """Its preview has read cards, and nobody is to write them."""
    rows.record(acme.draft, "D1", bucket="waiting")
    shown = {row["rule"].pk: row["counts"] for row in aiko.get(HOME).context["rules"]}
    assert shown[acme.draft.pk] == "–" and "href" in shown[acme.rule.pk]


def test_runs_that_only_met_our_own_writes_hide_no_other(acme, aiko):
    """After a first sync of many cards they come one after the other."""
    for n in range(20):
        rows.run(acme.draft, state="succeeded", kind="incremental", echoes=1_234 + n)
    seen = re.sub(r"<[^>]+>|\s+", " ", body(aiko.get(HOME)))
    assert "of our own writes recognised" not in seen and f"#{acme.run.pk}" in seen
    seen = re.sub(r"<[^>]+>|\s+", " ", body(aiko.get(listed(SyncRun))))
    assert "1,234 of our own writes recognised" in seen


MET_MORE = {
    "read a card": {"read": 1, "unchanged": 1},
    "still running": {"state": "running"},
    "ended in part": {"state": "partial"},
    "a full check": {"kind": "full"},
    "failures": {"read": 2, "failed": 2},
}


@pytest.mark.parametrize("values", MET_MORE.values(), ids=MET_MORE)
def test_what_met_more_is_shown(acme, aiko, values):
    run = rows.run(
        acme.draft, **{"state": "succeeded", "kind": "incremental", "echoes": 9, **values}
    )
    assert f"#{run.pk}<" in body(aiko.get(HOME))
