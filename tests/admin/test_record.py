"""Records: what a card says, where it stands and why."""

from __future__ import annotations

import re

import pytest

from core.tenancy import in_account
from integration.models import AuditEntry, Record
from tests.admin.pages import address, body, listed, page, rows_on
from tests.admin.world import entry
from tests.core import rows

pytestmark = pytest.mark.django_db

FILTERS = {
    "nothing": ({}, ["draft", "never", "failing", "linked"]),
    "a bucket": ({"bucket": "failing"}, ["failing"]),
    "an empty bucket": ({"bucket": "held"}, []),
    "a reason": ({"reason": "in_sync"}, ["linked"]),
    "a reason and a bucket": ({"reason": "in_sync", "bucket": "failing"}, []),
}


@pytest.mark.parametrize(("query", "found"), FILTERS.values(), ids=FILTERS)
def test_records_are_found_by(acme, birch, aiko, query, found):
    names = {
        rows.record(acme.draft, "acme-C9").pk: "draft",
        acme.barred.pk: "never",
        acme.record.pk: "linked",
        acme.failing.pk: "failing",
    }
    assert [names[one.pk] for one in rows_on(aiko.get(listed(Record, **query)))] == found
    assert {
        names[one.pk] for one in rows_on(aiko.get(listed(Record, rule=acme.draft.pk, **query)))
    } == {"draft"} & set(found)


def test_the_page_shows_the_card_in_its_own_order(acme, aiko):
    with in_account(acme.account):
        Record.objects.filter(pk=acme.record.pk).update(
            values={"tel": "03-1", "newField": "x", "title": "部長", "lastName": "山田"}
        )
    seen = body(aiko.get(page(acme.record)))
    values = re.findall(
        r'<tr><td>([^<]*) <code>(\w+)</code></td><td class="mb-break">([^<]*)</td>', seen
    )
    assert values == [
        ("Last name", "lastName", "山田"),
        ("Title", "title", "部長"),
        ("Telephone", "tel", "03-1"),
        ("newField", "newField", "x"),
    ]


def test_the_page_says_where_the_card_stands_and_why(acme, aiko):
    seen = body(aiko.get(page(acme.failing)))
    for text in (
        "Failing",
        "Another contact already has this address",
        "acme was seen",
        "two@acme.example.jp",
        "acme-P1",
        "2026-03-01",
        "Tried again",
    ):
        assert text in seen
    assert "Tried again" not in body(aiko.get(page(acme.record)))


def test_tags_have_their_names_and_those_that_are_gone_their_ids(acme, aiko):
    with in_account(acme.account):
        Record.objects.filter(pk=acme.record.pk).update(tags=["acme-T1", "gone"])
    seen = body(aiko.get(page(acme.record)))
    assert "acme shared" in seen and ">gone</span>" in seen and "acme public" not in seen


def test_the_page_leads_to_everything_it_names(acme, aiko):
    other, elsewhere = entry(acme.run, acme.record), entry(acme.run, acme.failing)
    seen = body(aiko.get(page(acme.record)))
    assert (
        all(
            url in seen for url in (page(acme.rule), page(acme.link), page(acme.entry), page(other))
        )
        and page(elsewhere) not in seen
    )
    assert listed(AuditEntry, q="acme-C1") in seen


def test_what_another_rule_wrote_for_the_card_is_in_its_timeline_by_name(acme, aiko):
    """A rule that sees the same person may be the one that writes.

    Where there is one rule, its name says nothing new.
    """
    entry(acme.run, acme.record)
    assert {one["rule"] for one in aiko.get(page(acme.record)).context["entries"]} == {""}
    elsewhere = rows.run(rows.rule(acme.account, "elsewhere"))
    other = rows.entry(elsewhere, "acme-C1")
    shown = {one["url"]: one["rule"] for one in aiko.get(page(acme.record)).context["entries"]}
    assert shown[page(other)] == "elsewhere" and set(shown.values()) == {"elsewhere", "acme-cards"}
    assert {one["rule"] for one in aiko.get(page(other)).context["others"]} == {"acme-cards"}


def test_of_a_card_out_of_scope_nothing_is_shown_but_that(acme, aiko):
    one = rows.record(acme.rule, "acme-C9", bucket="excluded", reason="no_selected_tag")
    seen = body(aiko.get(page(one)))
    assert (
        "Of a card out of scope nothing is kept" in seen
        and "The card carries none of the selected tags." in seen
        and "No tags" in seen
    )


def test_a_reason_of_a_newer_version_stands_for_itself(acme, aiko):
    with in_account(acme.account):
        Record.objects.filter(pk=acme.record.pk).update(reason="from_the_future")
    assert "From the future" in body(aiko.get(page(acme.record))) and "from_the_future" in body(
        aiko.get(listed(Record))
    )


@pytest.mark.parametrize("who", ["aiko", "root"])
def test_nobody_makes_changes_or_deletes_a_record(request, acme, who):
    browser = request.getfixturevalue(who)
    assert browser.post(address(Record, "add"), {}).status_code == 403
    assert browser.post(page(acme.record), {"name": "x", "bucket": "held"}).status_code == 403
    assert browser.post(address(acme.record, "delete"), {"post": "yes"}).status_code == 403
    assert 'name="_save"' not in body(browser.get(page(acme.record)))
