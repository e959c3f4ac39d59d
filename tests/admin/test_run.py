"""Runs: counters that add up on the page, and the same while it moves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.tenancy import in_account
from integration.models import COUNTERS, AuditEntry, SyncRun
from integration.planning.reasons import REASONS
from tests.admin.pages import address, body, listed, page, rows_on
from tests.core import rows

pytestmark = pytest.mark.django_db


def change(run, **values):
    with in_account(run.account):
        SyncRun.objects.filter(pk=run.pk).update(**values)


def shown(html: str) -> dict[str, str]:
    """data-text -> text of the page."""
    return {
        name: text.strip() for name, text in re.findall(r'data-text="(\w+)"[^>]*>([^<]*)<', html)
    }


def number(text: str) -> int:
    return int(text.replace(",", ""))


# The counters


def test_the_counters_on_the_page_add_up(acme, aiko):
    counts = {name: 1000 * n for n, name in enumerate(COUNTERS, 1)}
    change(acme.run, read=sum(counts.values()) + 7, **counts)
    texts = shown(body(aiko.get(page(acme.run))))
    assert {name: number(texts[name]) for name in COUNTERS} == counts and texts["waiting"] == "7"
    assert (
        number(texts["read"])
        == sum(number(texts[name]) for name in (*COUNTERS, "waiting"))
        == 36_007
    )
    assert texts["read"] == "36,007"


def test_the_counters_in_the_list_leave_out_zeros(acme, aiko):
    change(acme.run, read=1234, created=1200, updated=0, unchanged=0, failed=4, held=0)
    seen = re.sub(r"<[^>]+>", " ", body(aiko.get(listed(SyncRun))))
    assert (
        all(text in seen for text in ("1,234 read", "1,200 created", "4 failed", "30 waiting"))
        and "0 held" not in seen
    )


# Live


def test_page_and_poll_show_the_same(acme, aiko):
    change(acme.run, calls_sansan=1234, calls_hubspot=5, rate_limited=2)
    html, live = body(aiko.get(page(acme.run))), aiko.get(address(acme.run, "progress")).json()
    assert shown(html) == live["texts"]
    assert live["texts"]["calls_sansan"] == "1,234" and live["texts"]["took"] == "2 min 0 s"
    assert (live["read"], live["settled"], live["open"], live["state"]) == (
        3,
        3,
        False,
        "Succeeded",
    )
    assert set(re.findall(r'data-tile="(\w+)"', html)) == {*COUNTERS, "waiting"}


def test_the_script_finds_every_part_on_the_page(acme, aiko):
    """It fills in what the page has: a part that is renamed on one side only would stop it."""
    html = body(aiko.get(page(acme.open_run)))
    path = finders.find("integration/run.js")
    assert path and "integration/run.js" in html
    wanted = set(re.findall(r'find\("([\w-]+)"\)', Path(path).read_text(encoding="utf-8")))
    assert wanted and wanted <= set(re.findall(r'data-part="([\w-]+)"', html))


POLLED = {
    "an open run": ("open_run", "1"),
    "a run that ended": ("run", "0"),
}


@pytest.mark.parametrize(("which", "open"), POLLED.values(), ids=POLLED)
def test_only_an_open_run_is_polled(acme, aiko, which, open):
    run = getattr(acme, which)
    assert f'data-progress-url="{address(run, "progress")}" data-open="{open}"' in body(
        aiko.get(page(run))
    )


def test_progress_moves_and_ends(acme, aiko):
    url = address(acme.open_run, "progress")
    first = aiko.get(url).json()
    change(acme.open_run, read=10, created=9)
    second = aiko.get(url).json()
    change(acme.open_run, failed=1, state="partial", ended_at=timezone.now())
    last = aiko.get(url).json()
    assert [(one["settled"], one["read"], one["open"]) for one in (first, second, last)] == [
        (2, 5, True),
        (9, 10, True),
        (10, 10, False),
    ]
    assert (
        last["state"] == "Some records failed"
        and last["tone"] == "warn"
        and last["texts"]["ended"] != "–"
    )
    assert "waiting" in last["zero"] and "failed" not in last["zero"]


def test_a_poll_is_cheap(acme, aiko):
    """Once a second, from every page that is open: one row of the run, and who asks."""
    url = address(acme.open_run, "progress")
    aiko.get(url)
    with CaptureQueriesContext(database) as queries:
        aiko.get(url)
    assert len(queries) <= 5 and sum("integration_" in one["sql"] for one in queries) == 1


STATUS = {
    "queued": (
        {"state": "queued", "read": 0, "created": 0},
        "Queued: a worker takes it up in a moment.",
    ),
    "reading": ({}, "Reading: 5 so far, 2 settled."),
    "delivering": ({"read_done": True}, "All is read; 2 of 5 settled."),
    "ended": ({"state": "succeeded", "read_done": True}, "2 of 5 records settled."),
    "previewed": ({"state": "succeeded", "kind": "preview"}, "Nothing was written anywhere."),
}


@pytest.mark.parametrize(("values", "sentence"), STATUS.values(), ids=STATUS)
def test_one_sentence_says_how_far_it_is(acme, aiko, values, sentence):
    change(acme.open_run, **values)
    assert sentence in shown(body(aiko.get(page(acme.open_run))))["status"]


# Why


def test_what_went_wrong_is_told_in_a_sentence(acme, aiko):
    seen = body(aiko.get(page(acme.run)))
    assert REASONS["sansan_unavailable"] in seen and "acme was told" in seen
    change(acme.run, reason="", detail="")
    assert re.search(r'data-part="problem" hidden', body(aiko.get(page(acme.run))))


def test_reasons_stand_by_how_many_and_lead_to_their_entries(acme, aiko):
    change(
        acme.run,
        reasons={
            "in_sync": 2,
            "card_changed": 1,
            "email_taken": 30,
            "_sum": 99,
            "from_a_newer_version": 1,
        },
    )
    reasons = aiko.get(address(acme.run, "progress")).json()["reasons"]
    assert [(one["code"], one["n"]) for one in reasons] == [
        ("email_taken", "30"),
        ("in_sync", "2"),
        ("card_changed", "1"),
        ("from_a_newer_version", "1"),
    ]
    assert reasons[3]["sentence"] == "From a newer version"
    assert [one.pk for one in rows_on(aiko.get(reasons[2]["url"]))] == [acme.entry.pk]
    assert rows_on(aiko.get(reasons[0]["url"])) == []
    html = body(aiko.get(page(acme.run)))
    assert reasons[0]["sentence"] in html and "_sum" not in html


def test_the_page_leads_to_its_rule_and_its_entries(acme, aiko):
    seen = body(aiko.get(page(acme.run)))
    assert (
        page(acme.rule) in seen and listed(AuditEntry, run=acme.run.pk) in seen and "aiko" in seen
    )


def test_a_run_that_nobody_asked_for_names_its_trigger(acme, aiko):
    run = rows.run(acme.draft, trigger="schedule")
    assert re.search(r"Started by</dt><dd>\s*Schedule", body(aiko.get(page(run))))


# The list


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["draft", "open", "done"]),
        ({"rule": "rule"}, ["open", "done"]),
        ({"rule": "draft"}, ["draft"]),
        ({"state__exact": "running"}, ["open"]),
        ({"kind__exact": "preview"}, ["draft"]),
        ({"trigger__exact": "person"}, ["open", "done"]),
    ],
    ids=str,
)
def test_the_newest_run_is_first_and_filters_leave_out(acme, aiko, query, found):
    names = {
        rows.run(acme.draft, kind="preview", trigger="command").pk: "draft",
        acme.open_run.pk: "open",
        acme.run.pk: "done",
    }
    query = {
        name: getattr(acme, value).pk if name == "rule" else value for name, value in query.items()
    }
    assert [names[run.pk] for run in rows_on(aiko.get(listed(SyncRun, **query)))] == found


def test_nobody_makes_changes_or_deletes_a_run(acme, aiko, root):
    for one in (aiko, root):
        assert one.post(address(SyncRun, "add"), {}).status_code == 403
        assert one.post(page(acme.run), {"state": "failed"}).status_code == 403
        assert one.post(address(acme.run, "delete"), {"post": "yes"}).status_code == 403
        assert 'name="_save"' not in body(one.get(page(acme.run)))
