"""Sync health: where every card of a rule stands, why, and what a person can do about it."""

from __future__ import annotations

import re
import zoneinfo
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core.models import Account, Membership
from core.tenancy import in_account
from integration.admin import health
from integration.connections import credentials
from integration.models import Bucket, DayFigures, Link, Record, SyncRun
from integration.planning.reasons import REASONS, TO_DO
from tests.admin.conftest import browser
from tests.admin.pages import body, listed, page, told
from tests.admin.world import team
from tests.core import rows

pytestmark = pytest.mark.django_db
MOST_QUERIES = 25


def url(rule, **query):
    return reverse("admin:integration_health", args=[rule.pk], query=query or None)


def many(rule, n, prefix="M", **values):
    """Records by the hundred; ``values`` may be functions of their number."""
    now = timezone.now()
    with in_account(rule.account):
        return Record.objects.bulk_create(
            Record(
                account=rule.account,
                rule=rule,
                connection=rule.sansan,
                external_id=f"{prefix}{i:04}",
                name=f"{prefix} {i:04}",
                digest="d",
                changed_at=now,
                read_at=now,
                **{name: value(i) if callable(value) else value for name, value in values.items()},
            )
            for i in range(n)
        )


def change(row, **values):
    with in_account(row.account):
        type(row).objects.filter(pk=row.pk).update(**values)


def stored(row):
    with in_account(row.account):
        return type(row).objects.get(pk=row.pk)


def shown(response):
    return [row["record"].external_id for row in response.context["records"]]


def why(response):
    """Reason -> (cards, people), in the order of the page."""
    return {row["code"]: (row["n"], row["people"]) for row in response.context["reasons"]}


def suspend(own):
    Account.objects.filter(pk=own.account.pk).update(active=False)


@pytest.fixture
def rule(acme):
    """Active, with nothing under way and no record."""
    with in_account(acme.account):
        SyncRun.objects.filter(pk=acme.open_run.pk).update(state="succeeded")
        Record.objects.filter(rule=acme.rule).delete()
        DayFigures.objects.all().delete()
    return acme.rule


# Tabs


def test_the_tabs_add_up_to_the_cards(rule, aiko):
    for n, bucket in enumerate(Bucket.values, 1):
        many(rule, n, bucket, bucket=bucket)
    seen = aiko.get(url(rule)).context
    assert {tab["code"]: int(tab["n"]) for tab in seen["tabs"]} == {
        bucket: n for n, bucket in enumerate(Bucket.values, 1)
    }
    assert seen["total"] == sum(int(tab["n"]) for tab in seen["tabs"]) == 28


def test_every_place_has_a_tab_and_what_needs_a_person_is_among_them():
    assert sorted(health.HEALTH_TABS) == sorted(Bucket)


def test_large_numbers_are_readable(rule, aiko):
    many(rule, 1200, bucket="linked", reason="in_sync")
    assert "1,200" in body(aiko.get(url(rule)))


FIRST = {
    "nobody": ([], "linked"),
    "nobody who needs one": (["linked", "excluded", "waiting"], "linked"),
    "one held": (["linked", "held"], "held"),
    "one failing beside one held": (["linked", "held", "failing"], "failing"),
    "excluded only": (["excluded"], "linked"),
    "unseen and merged only": (["unseen", "merged"], "linked"),
}


@pytest.mark.parametrize(("buckets", "first"), FIRST.values(), ids=FIRST)
def test_what_needs_a_person_is_shown_first(rule, aiko, buckets, first):
    for bucket in buckets:
        many(rule, 1, bucket, bucket=bucket)
    seen = aiko.get(url(rule)).context
    assert seen["bucket"] == first and [tab["code"] for tab in seen["tabs"] if tab["current"]] == [
        first
    ]


@pytest.mark.parametrize("bucket", Bucket.values)
def test_a_tab_shows_its_cards_and_no_others(rule, aiko, bucket):
    for one in Bucket.values:
        many(rule, 2, one, bucket=one)
    seen = aiko.get(url(rule, stand=bucket))
    assert shown(seen) == [f"{bucket}0000", f"{bucket}0001"]
    assert listed(Record, rule=rule.pk, bucket=bucket).replace("&", "&amp;") in body(seen)


def test_another_rule_s_cards_are_not_counted(acme, rule, aiko):
    many(acme.draft, 3, bucket="failing", reason="rejected")
    assert (
        aiko.get(url(rule)).context["total"] == 0
        and aiko.get(url(acme.draft)).context["total"] == 3
    )


# Why


def test_each_reason_says_what_it_means_and_what_to_do(rule, aiko):
    many(rule, 3, "A", bucket="failing", reason="unknown_option")
    many(rule, 1, "B", bucket="failing", reason="rejected")
    seen = aiko.get(url(rule))
    assert list(why(seen)) == ["unknown_option", "rejected"]
    text = body(seen)
    for code in ("unknown_option", "rejected"):
        assert REASONS[code] in text and TO_DO[code].split("'")[0] in text


def test_a_reason_leads_to_its_cards(rule, aiko):
    many(rule, 3, "A", bucket="failing", reason="unknown_option")
    many(rule, 1, "B", bucket="failing", reason="rejected")
    row = aiko.get(url(rule)).context["reasons"][1]
    seen = aiko.get(reverse("admin:integration_health", args=[rule.pk]) + row["url"])
    assert shown(seen) == ["B0000"] and seen.context["reason"] == "rejected"
    assert [one["code"] for one in seen.context["reasons"] if one["current"]] == ["rejected"]


def test_cards_of_one_person_are_one_person(rule, aiko):
    with in_account(rule.account):
        link = Link.objects.create(account=rule.account, hubspot=rule.hubspot, contact_id="501")
    held = {"bucket": "held", "reason": "email_taken"}
    many(rule, 3, "linked", link=link, email_key=lambda i: f"l{i}@example.jp", **held)
    many(rule, 2, "person", person_key="P1", email_key=lambda i: f"p{i}@example.jp", **held)
    many(rule, 2, "mailbox", email_key="info@example.jp", **held)
    many(rule, 2, "nobody", **held)
    assert why(aiko.get(url(rule))) == {"email_taken": ("9", "5")}


def test_what_a_person_is_called_by_is_not_mixed_up(rule, aiko):
    """A link's number may be another person's key."""
    with in_account(rule.account):
        link = Link.objects.create(account=rule.account, hubspot=rule.hubspot, contact_id="501")
    held = {"bucket": "held", "reason": "email_taken"}
    many(rule, 1, "a", link=link, **held)
    many(rule, 1, "b", person_key=str(link.pk), **held)
    many(rule, 1, "c", email_key=str(link.pk), **held)
    assert why(aiko.get(url(rule))) == {"email_taken": ("3", "3")}


def test_of_too_many_cards_the_people_are_not_counted(rule, aiko, monkeypatch):
    monkeypatch.setattr(health, "MOST_CARDS_TO_COUNT_PEOPLE", 2)
    many(rule, 3, "A", bucket="failing", reason="rejected", person_key="P1")
    many(rule, 2, "B", bucket="failing", reason="unknown_option", person_key="P1")
    assert why(aiko.get(url(rule))) == {"rejected": ("3", ""), "unknown_option": ("2", "1")}


def test_a_linked_card_is_a_person(rule, aiko):
    many(rule, 3, bucket="linked", reason="in_sync", person_key="P1")
    assert why(aiko.get(url(rule))) == {"in_sync": ("3", "3")}


def test_a_card_that_nobody_has_looked_at_says_so(rule, aiko):
    many(rule, 1, bucket="waiting")
    assert "Not looked at yet." in body(aiko.get(url(rule, stand="waiting")))


def test_a_reason_of_a_newer_version_stands_for_itself(rule, aiko):
    many(rule, 1, bucket="failing", reason="from_the_future")
    assert "From the future" in body(aiko.get(url(rule)))


def test_a_card_says_what_was_said_about_it(rule, aiko):
    one = rows.record(
        rule,
        "C1",
        bucket="excluded",
        reason="never_sync",
        detail="<b>asked</b>",
        barred={"why": "<i>stop</i>", "by": "ben", "at": "2026-03-01T00:00:00+00:00"},
    )
    seen = body(aiko.get(url(rule, stand="excluded")))
    assert (
        "&lt;b&gt;asked&lt;/b&gt;" in seen
        and "&lt;i&gt;stop&lt;/i&gt; (ben)" in seen
        and page(one) in seen
    )
    assert "<b>asked" not in seen and "<i>stop" not in seen


def test_when_a_card_is_tried_again_is_said_only_where_it_waits_for_that(rule, aiko):
    later = timezone.now() + timedelta(hours=2)
    many(rule, 1, "A", bucket="failing", reason="rejected", due_at=later)
    many(rule, 1, "B", bucket="linked", reason="in_sync", due_at=later)
    assert "tried again" in body(aiko.get(url(rule))) and "tried again" not in body(
        aiko.get(url(rule, stand="linked"))
    )


# Search


def test_a_person_is_found_wherever_their_cards_stand(acme, rule, birch, aiko):
    with in_account(rule.account):
        link = Link.objects.create(account=rule.account, hubspot=rule.hubspot, contact_id="501")
    rows.record(
        rule,
        "C1",
        name="山田 太郎",
        email_key="taro@example.jp",
        bucket="failing",
        reason="rejected",
    )
    rows.record(
        rule,
        "C2",
        name="山田 花子",
        email_key="hana@example.jp",
        bucket="linked",
        reason="in_sync",
        link=link,
    )
    rows.record(acme.draft, "C9", name="山田 三郎", email_key="taro@example.jp")
    rows.record(birch.rule, "C8", name="山田 四郎", email_key="taro@example.jp")
    for term, cards in {
        "山田": ["C1", "C2"],
        " TARO@example.jp ": ["C1"],
        "C2": ["C2"],
        "501": ["C2"],
        "nobody": [],
        "C9": [],
        "%": [],
    }.items():
        seen = aiko.get(url(rule, q=term))
        assert shown(seen) == cards, term
        assert not seen.context["reasons"] and not any(
            tab["current"] for tab in seen.context["tabs"]
        )
    assert "Nobody was found in this sync." in body(aiko.get(url(rule, q="nobody")))


def test_who_is_found_says_where_they_stand(rule, aiko):
    rows.record(rule, "C1", name="山田 太郎", bucket="held", reason="contact_gone")
    seen = body(aiko.get(url(rule, q="山田")))
    assert ">Held</span>" in seen and REASONS["contact_gone"] in seen


def test_a_blank_search_is_none(rule, aiko):
    many(rule, 1, bucket="failing", reason="rejected")
    assert (
        aiko.get(url(rule, q="  ")).context["q"] == ""
        and len(aiko.get(url(rule, q=" ")).context["reasons"]) == 1
    )


def test_nobody_who_was_found_is_left_out_without_a_word(rule, aiko):
    many(rule, 60, "森", bucket="linked", reason="in_sync")
    seen = aiko.get(url(rule, q="森"))
    assert (
        len(shown(seen)) == 60
        or seen.context["next"]
        or "only some are shown" in body(seen)
        or told(seen)
    )


# Pages


def walked(client, start):
    """The cards of every page, in order."""
    found, at, pages = [], start, 0
    while at:
        seen = client.get(at)
        found += shown(seen)
        pages += 1
        at = urlsplit(start).path + seen.context["next"] if seen.context["next"] else ""
        assert pages < 50
    return found, pages


@pytest.mark.parametrize("n", [0, 1, 24, 25, 26, 50, 51, 130])
def test_pages_show_every_card_once(rule, aiko, n):
    many(
        rule,
        n,
        bucket="failing",
        reason=lambda i: ("rejected", "unknown_option", "", "email_taken")[i % 4],
    )
    many(rule, 3, "other", bucket="linked", reason="in_sync")
    found, pages = walked(aiko, url(rule, stand="failing"))
    assert sorted(found) == [f"M{i:04}" for i in range(n)] and pages == max(1, -(-n // 25))


def test_pages_of_a_reason_stay_in_it(rule, aiko):
    many(rule, 120, bucket="failing", reason=lambda i: ("rejected", "unknown_option")[i % 2])
    found, pages = walked(aiko, url(rule, stand="failing", reason="rejected"))
    assert found == [f"M{i:04}" for i in range(0, 120, 2)] and pages == 3


def test_a_next_page_is_in_the_tab_that_was_shown_unasked(rule, aiko):
    many(rule, 30, bucket="held", reason="contact_gone")
    many(rule, 30, "L", bucket="linked", reason="in_sync")
    seen = aiko.get(url(rule))
    assert parse_qs(urlsplit(seen.context["next"]).query)["stand"] == ["held"]
    assert len(walked(aiko, url(rule))[0]) == 30


def test_a_reason_with_a_bar_in_it_does_not_confuse_the_pages(rule, aiko):
    many(rule, 60, bucket="failing", reason=lambda i: ("a|1", "a|2", "a")[i % 3])
    assert sorted(walked(aiko, url(rule, stand="failing"))[0]) == [f"M{i:04}" for i in range(60)]


def test_a_card_that_moves_on_meanwhile_hides_no_other(rule, aiko):
    many(rule, 60, bucket="failing", reason="rejected")
    first = aiko.get(url(rule, stand="failing"))
    with in_account(rule.account):
        Record.objects.filter(external_id__in=shown(first)[:10]).update(
            bucket="linked", reason="in_sync"
        )
    rest = walked(aiko, urlsplit(url(rule)).path + first.context["next"])[0]
    assert shown(first) + rest == [f"M{i:04}" for i in range(60)]


# Trying again


def due(rule):
    with in_account(rule.account):
        return set(
            Record.objects.filter(rule=rule, due_at__lte=timezone.now()).values_list(
                "external_id", flat=True
            )
        )


@pytest.fixture
def failing(rule):
    later = timezone.now() + timedelta(hours=2)
    many(rule, 3, "A", bucket="failing", reason="rejected", due_at=later)
    many(rule, 2, "B", bucket="failing", reason="email_taken", due_at=later)
    many(rule, 2, "H", bucket="held", reason="contact_gone")
    many(rule, 2, "U", bucket="unseen", reason="unseen")
    return rule


def pk_of(rule, card):
    with in_account(rule.account):
        return Record.objects.get(rule=rule, external_id=card).pk


@pytest.mark.parametrize("ben", ["operator", "editor", "owner"], indirect=True)
def test_one_card_is_tried_again(failing, ben, queued):
    answers = []
    at = url(failing, stand="failing", reason="rejected")
    tasks = queued(
        lambda: answers.append(
            ben.post(at, {"action": "retry", "record": pk_of(failing, "A0001")}, follow=True)
        )
    )
    assert due(failing) == {"A0001"} and answers[0].redirect_chain == [(at, 302)]
    assert told(answers[0]) == "1 card is tried again now."
    with in_account(failing.account):
        (run,) = SyncRun.objects.filter(rule=failing, state="queued")
    assert tasks == [("integration.tasks.work", (failing.account_id, run.pk))] and (
        run.trigger,
        run.started_by,
    ) == ("person", "ben")


@pytest.mark.parametrize("ben", ["operator"], indirect=True)
def test_all_of_a_reason_are_tried_again(failing, ben, queued):
    answers = []
    queued(
        lambda: answers.append(
            ben.post(
                url(failing),
                {"action": "retry_reason", "stand": "failing", "reason": "rejected"},
                follow=True,
            )
        )
    )
    assert (
        due(failing) == {"A0000", "A0001", "A0002"}
        and told(answers[0]) == "3 cards are tried again now."
    )


@pytest.mark.parametrize("ben", ["operator"], indirect=True)
def test_the_buttons_of_the_page_do_what_they_say(failing, ben):
    seen = body(ben.get(url(failing)))
    assert seen.count('value="retry_reason"') == 2 and seen.count('value="retry"') == 5
    assert 'value="retry_reason"' not in body(ben.get(url(failing, stand="linked")))
    assert 'value="retry"' not in body(ben.get(url(failing, stand="unseen")))


@pytest.mark.parametrize("ben", ["viewer", "auditor"], indirect=True)
def test_who_may_only_look_tries_nothing(failing, ben):
    seen = body(ben.get(url(failing)))
    assert 'name="action"' not in seen and "A 0001" in seen and TO_DO["rejected"] in seen
    for data in (
        {"action": "retry", "record": pk_of(failing, "A0001")},
        {"action": "retry_reason", "stand": "failing", "reason": "rejected"},
    ):
        assert ben.post(url(failing), data).status_code == 403
    assert due(failing) == set()


@pytest.mark.parametrize("who", ["chie", "dan", "emi"])
def test_others_see_and_try_nothing(request, acme, birch, failing, who):
    """Emi owns Acme, and may only look at birch."""
    client, asked = request.getfixturevalue(who), birch.rule if who == "emi" else failing
    data = {"action": "retry_reason", "stand": "failing", "reason": "email_taken"}
    wanted = (200, 403) if who == "emi" else (404, 404) if who == "chie" else (403, 403)
    got = (client.get(url(asked)).status_code, client.post(url(asked), data).status_code)
    assert got == wanted or (who == "dan" and set(got) <= {403, 404})
    assert due(failing) == set() and stored(birch.failing).due_at == birch.failing.due_at


def test_a_stranger_signs_in_first(failing, client):
    assert (
        "/login/" in client.get(url(failing)).url
        and "/login/" in client.post(url(failing), {"action": "retry"}).url
    )


def test_a_rule_that_is_not_there_is_not_found(failing, aiko):
    for pk in (1, 10**17, 10**30):
        assert aiko.get(f"/admin/integration/syncrule/{pk}/health/").status_code == 404


def test_a_record_of_another_rule_is_not_tried_here(acme, failing, birch, emi):
    elsewhere = [rows.record(acme.draft, "D1", bucket="failing", reason="rejected"), birch.failing]
    seen = emi.post(
        url(failing), {"action": "retry", "record": [one.pk for one in elsewhere]}, follow=True
    )
    assert told(seen) == "Nothing to try again: it stands elsewhere by now."
    assert (
        stored(elsewhere[0]).due_at is None and stored(birch.failing).due_at == birch.failing.due_at
    )


def test_what_has_gone_on_meanwhile_is_said(failing, aiko, queued):
    answers = []
    data = {"action": "retry_reason", "stand": "failing", "reason": "unknown_option"}
    tasks = queued(lambda: answers.append(aiko.post(url(failing), data, follow=True)))
    assert told(answers[0]) == "Nothing to try again: it stands elsewhere by now." and tasks == []


def test_what_the_key_does_not_see_is_not_tried(failing, aiko):
    aiko.post(url(failing), {"action": "retry_reason", "stand": "unseen", "reason": "unseen"})
    aiko.post(url(failing), {"action": "retry", "record": pk_of(failing, "U0001")})
    assert due(failing) == set()


@pytest.mark.parametrize("state", ["paused", "held", "draft"])
def test_a_rule_that_does_not_run_keeps_what_was_asked_for(failing, aiko, queued, state):
    change(failing, state=state)
    answers = []
    tasks = queued(
        lambda: answers.append(
            aiko.post(
                url(failing), {"action": "retry", "record": pk_of(failing, "A0001")}, follow=True
            )
        )
    )
    assert told(answers[0]) == "The rule is not active: what was chosen is tried as soon as it is."
    assert tasks == [] and due(failing) == {"A0001"}


# However it is asked

NONSENSE = [
    {"stand": "nowhere"},
    {"stand": "\0"},
    {"stand": "linked\0"},
    {"stand": "9" * 400},
    {"reason": "no_such"},
    {"reason": "\0"},
    {"reason": "a" * 5000},
    {"reason": "'\"<script>made()</script>"},
    {"after": "x"},
    {"after": "|"},
    {"after": "|1"},
    {"after": "rejected|0"},
    {"after": "rejected|-1"},
    {"after": "rejected|" + "9" * 18},
    {"after": "rejected|" + "9" * 19},
    {"after": "rejected|" + "9" * 400},
    {"after": "\0|5"},
    {"after": "rejected|²"},
    {"after": "a" * 5000 + "|1"},
    {"after": "rejected|1\0"},
    {"q": "\0"},
    {"q": "a\0b"},
    {"q": "9" * 400},
    {"q": "@" * 300},
    {"q": "a" * 5000},
    {"q": "%"},
    {"q": "<script>made()</script>"},
    {"q": "\U0010ffff"},
    {"q": "山" * 300},
    {"page": "-1"},
    {"stand": "failing", "q": "M", "after": "|1"},
]


@pytest.mark.parametrize("query", NONSENSE, ids=lambda query: str(query)[:40])
def test_whatever_is_asked_the_page_answers(failing, aiko, query):
    seen = aiko.get(url(failing, **query))
    assert seen.status_code == 200 and "made()</script>" not in body(seen).replace(
        "&lt;script&gt;made()&lt;/script&gt;", ""
    )


@pytest.mark.parametrize(
    "query",
    [
        b"q=%ff%fe",
        b"reason=%ff",
        b"stand=%ed%a0%80",
        b"after=%ff|1",
        b"q=a&q=b&stand=held&stand=linked",
    ],
    ids=str,
)
def test_bytes_that_are_no_text_do_no_harm(failing, aiko, query):
    assert aiko.get(f"{url(failing)}?{query.decode('latin1')}").status_code == 200


PRESSED = [
    {},
    {"action": "no_such"},
    {"action": "retry"},
    {"action": "retry", "record": "x"},
    {"action": "retry", "record": ["\0", "-1", "9" * 30]},
    {"action": "retry", "record": "9" * 18},
    {"action": "retry_reason"},
    {"action": "retry_reason", "stand": "\0", "reason": "rejected"},
    {"action": "retry_reason", "stand": "failing\0", "reason": "rejected"},
    {"action": "retry_reason", "stand": "9" * 4000, "reason": "rejected"},
    {"action": "retry_reason", "stand": "failing", "reason": "a\0" * 500},
    {"action": "retry_reason", "stand": "nowhere", "reason": ""},
    {"action": "\0"},
]


@pytest.mark.parametrize("data", PRESSED, ids=lambda data: str(data)[:60])
def test_whatever_is_pressed_the_page_answers(failing, aiko, data):
    assert aiko.post(url(failing), data).status_code == 302 and due(failing) == set()


def test_many_records_at_once(failing, aiko):
    pks = [one.pk for one in many(failing, 300, bucket="failing", reason="rejected")]
    aiko.post(url(failing), {"action": "retry", "record": pks})
    assert len(due(failing)) == 300


# The next step


def test_a_draft_leads_on_with_the_set_up(acme, aiko):
    change(acme.draft, setup_step="limit")
    seen = aiko.get(url(acme.draft))
    assert "This sync is a draft." in body(seen) and reverse(
        "admin:integration_setup_limit", args=[acme.draft.pk]
    ) in body(seen)
    assert "No card has been read yet" in body(seen) and "Nothing has been written yet" in body(
        seen
    )


def test_a_held_rule_says_why_and_leads_to_it(rule, aiko):
    change(rule, state="held", state_reason="4,812 would <b>change</b>")
    seen = body(aiko.get(url(rule)))
    assert (
        "Held until a person has looked:" in seen
        and "4,812 would &lt;b&gt;change&lt;/b&gt;" in seen
        and page(rule) in seen
    )


def test_an_empty_place_says_so(rule, aiko):
    many(rule, 1, bucket="linked", reason="in_sync")
    assert "No card stands here." in body(aiko.get(url(rule, stand="held")))


@pytest.mark.parametrize("state", ["active", "paused"])
def test_a_rule_that_is_in_order_raises_no_alarm(rule, aiko, state):
    change(rule, state=state)
    assert "mb-alert" not in body(aiko.get(url(rule)))


def test_a_suspended_account_is_told_and_nothing_is_tried(acme, failing, aiko, queued):
    suspend(acme)
    answers = []
    for data in (
        {"action": "retry", "record": pk_of(failing, "A0001")},
        {"action": "retry_reason", "stand": "failing", "reason": "rejected"},
    ):
        assert (
            queued(lambda data=data: answers.append(aiko.post(url(failing), data, follow=True)))
            == []
        )
        assert "is suspended: nothing runs for it." in told(answers[-1])
    assert due(failing) == set()


def test_a_suspended_account_is_told_before_anything_is_pressed(acme, failing, aiko):
    suspend(acme)
    assert re.search("suspended", body(aiko.get(url(failing))), re.IGNORECASE)


# What it costs


@pytest.mark.parametrize("n", [1, 300])
@pytest.mark.parametrize(
    "query",
    [{}, {"stand": "failing", "reason": "r0000"}, {"q": "M"}, {"q": "m@example.jp"}],
    ids=str,
)
def test_few_queries_whatever_there_is(rule, aiko, n, query):
    many(
        rule,
        n,
        bucket="failing",
        reason=lambda i: f"r{i:04}",
        email_key=lambda i: f"m{i}@example.jp",
    )
    today = timezone.localdate()
    with in_account(rule.account):
        DayFigures.objects.bulk_create(
            DayFigures(account=rule.account, rule=rule, day=today - timedelta(days=i), created=i)
            for i in range(40)
        )
    aiko.get(url(rule))
    with CaptureQueriesContext(connection) as seen:
        assert aiko.get(url(rule, **query)).status_code == 200
    assert len(seen.captured_queries) <= MOST_QUERIES, len(seen.captured_queries)


def test_more_reasons_cost_no_more_queries(rule, aiko):
    def asked():
        with CaptureQueriesContext(connection) as seen:
            aiko.get(url(rule))
        return len(seen.captured_queries)

    many(rule, 1, "A", bucket="failing", reason="rejected")
    asked()
    few = asked()
    many(rule, 300, "B", bucket="failing", reason=lambda i: f"r{i:04}")
    assert asked() == few


def test_no_vendor_is_asked_for_a_page(failing, aiko, monkeypatch):
    """Pages come from our own copy. (No socket is opened, either: see conftest.)"""
    built = []
    for name in ("make_source", "make_target"):
        monkeypatch.setattr(credentials, name, lambda *args, **more: built.append(args))
        monkeypatch.setattr(f"integration.runs.{name}", lambda *args, **more: built.append(args))
    for query in ({}, {"stand": "held"}, {"q": "A"}):
        assert aiko.get(url(failing, **query)).status_code == 200
    aiko.post(url(failing), {"action": "retry_reason", "stand": "failing", "reason": "rejected"})
    assert built == []


# Its surroundings


def test_the_page_says_how_fast_changes_arrived(rule, aiko):
    with in_account(rule.account):
        DayFigures.objects.create(
            account=rule.account,
            rule=rule,
            day=timezone.localdate(),
            created=2,
            latency=[0] * 4 + [2] + [0] * 18,
            slowest=12.0,
        )
    seen = aiko.get(url(rule))
    assert seen.context["latency"].n == 2 and "half within" in body(seen) and "<svg" in body(seen)
    assert "<svg" not in body(
        aiko.get(url(rule, stand="linked", reason="in_sync"))
    ) and "<svg" not in body(aiko.get(url(rule, q="x")))


def test_only_the_last_days_are_shown(rule, aiko):
    with in_account(rule.account):
        for back in (0, 29, 30, 400):
            DayFigures.objects.create(
                account=rule.account,
                rule=rule,
                day=timezone.localdate() - timedelta(days=back),
                created=1,
            )
    assert len(aiko.get(url(rule)).context["chart"]["rows"]) in (1, 2)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_today_is_the_account_s(acme, rule, aiko, zone):
    Account.objects.filter(pk=acme.account.pk).update(timezone=zone)
    assert (
        aiko.get(url(rule)).context["chart"]["last"]
        == timezone.now().astimezone(zoneinfo.ZoneInfo(zone)).date()
    )


@pytest.mark.parametrize("role", ["viewer", "auditor", "operator", "editor", "owner"])
def test_every_role_may_look(acme, failing, role):
    assert browser(team(acme, f"one-{role}", role)).get(url(failing)).status_code == 200


def test_who_left_the_account_sees_it_no_more(acme, failing):
    user = team(acme, "gone", "editor")
    client = browser(user)
    assert client.get(url(failing)).status_code == 200
    Membership.objects.filter(user=user).delete()
    assert client.get(url(failing)).status_code in (403, 404)


def test_the_superuser_sees_every_account_s(failing, birch, root):
    assert (
        root.get(url(failing)).context["total"] == 9
        and root.get(url(birch.rule)).context["total"] > 0
    )


def test_every_link_of_the_page_opens(failing, aiko):
    many(failing, 30, bucket="failing", reason="rejected")
    found = {
        link.replace("&amp;", "&")
        for link in re.findall(r'href="([?][^"]*)"', body(aiko.get(url(failing))))
    }
    assert (
        len(found) > 8
        and {
            link
            for link in found
            if aiko.get(urlsplit(url(failing)).path + link).status_code != 200
        }
        == set()
    )
