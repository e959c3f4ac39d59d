"""The audit log: found by whatever one knows of a record, read whole, and changed by nobody."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.tenancy import in_account
from integration.models import AuditEntry, Connection, Record, SyncRule, Tag
from tests.admin.pages import address, body, listed, page, rows_on
from tests.admin.world import entry
from tests.core import rows

pytestmark = pytest.mark.django_db


def at(text: str) -> datetime:
    """A moment in the platform's own time zone."""
    return timezone.make_aware(datetime.fromisoformat(text))


@pytest.fixture
def log(acme):
    """Four entries of Acme's, each unlike the others in all that one can ask for."""
    with in_account(acme.account):
        other = SyncRule.objects.create(
            account=acme.account, slug="other", sansan=acme.sansan, hubspot=acme.hubspot
        )
    elsewhere = rows.run(other, pk=5_599_001)
    taro = rows.record(
        other, "card-taro", pk=5_599_002, name="山田 太郎", email_key="taro@example.jp"
    )
    hana = rows.record(other, "card-hana", pk=5_599_003, name="山田 花子")
    found = {
        "acme": acme.entry,
        "taro failed": entry(
            elsewhere,
            taro,
            outcome="failed",
            reason="email_taken",
            planned_at=at("2026-03-01 00:00:00"),
            contact_id="c-1",
        ),
        "taro made": entry(
            elsewhere,
            taro,
            decision="create",
            reason="new_person",
            planned_at=at("2026-03-01 23:59:59.9"),
            contact_id="c-1",
        ),
        "hana open": entry(
            elsewhere,
            hana,
            decision="hold",
            reason="two_contacts",
            outcome="",
            closed_at=None,
            sent_at=None,
            planned_at=at("2026-03-02 00:00:00"),
        ),
    }
    return SimpleNamespace(
        entries=found,
        rule=other,
        run=elsewhere,
        taro=taro,
        hana=hana,
        names={one.pk: name for name, one in found.items()},
    )


def found(browser, log, **query):
    return [log.names[one.pk] for one in rows_on(browser.get(listed(AuditEntry, **query)))]


ALL = ["hana open", "taro made", "taro failed", "acme"]
FILTERS = {
    "nothing": ({}, ALL),
    "an outcome": ({"outcome__exact": "failed"}, ["taro failed"]),
    "another outcome": ({"outcome__exact": "succeeded"}, ["taro made", "acme"]),
    "a decision": ({"decision__exact": "create"}, ["taro made"]),
    "a reason": ({"reason": "two_contacts"}, ["hana open"]),
    "a reason of nobody's": ({"reason": "in_sync"}, []),
    "a run": ({"run": 5_599_001}, ALL[:3]),
    "a run as the page writes it": ({"run": "#5599001"}, ALL[:3]),
    "a run that is none": ({"run": "yesterday"}, []),
    "a day": ({"day_from": "2026-03-01", "day_to": "2026-03-01"}, ["taro made", "taro failed"]),
    "days from one on": ({"day_from": "2026-03-02"}, ["acme", "hana open"]),
    "days up to one": ({"day_to": "2026-02-28"}, []),
    "two at once": ({"run": 5_599_001, "outcome__exact": "succeeded"}, ["taro made"]),
    "an e-mail": ({"q": "taro@example.jp"}, ["taro made", "taro failed"]),
    "an e-mail in other letters": ({"q": " Ｔaro@EXAMPLE.jp "}, ["taro made", "taro failed"]),
    "half an e-mail": ({"q": "taro@"}, []),
    "a card": ({"q": "card-hana"}, ["hana open"]),
    "how a name begins": ({"q": "山田"}, ["hana open", "taro made", "taro failed"]),
    "a whole name": ({"q": "山田 花子"}, ["hana open"]),
    "how a name ends": ({"q": "太郎"}, []),
    "a contact": ({"q": "acme-contact"}, ["acme"]),
    "a search and a filter": ({"q": "山田", "outcome__exact": "failed"}, ["taro failed"]),
    "nobody": ({"q": "nobody"}, []),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS)
def test_entries_are_found_by(log, aiko, birch, query, expected):
    assert found(aiko, log, **query) == expected


def test_entries_are_found_by_rule_and_by_link(acme, log, aiko):
    assert found(aiko, log, rule=log.rule.pk) == ALL[:3]
    assert found(aiko, log, q=acme.link.key) == ["acme"]


def test_of_two_accounts_each_entry_names_its_own(acme, birch, aiko, emi):
    assert {one.account_id for one in rows_on(emi.get(listed(AuditEntry)))} == {
        acme.account.pk,
        birch.account.pk,
    }
    assert [
        one.account_id for one in rows_on(emi.get(listed(AuditEntry, account=birch.account.pk)))
    ] == [birch.account.pk]
    assert "birch-cards" in body(emi.get(listed(AuditEntry))) and 'name="account"' not in body(
        aiko.get(listed(AuditEntry))
    )


def test_an_entry_outlives_its_record(acme, aiko):
    with in_account(acme.account):
        Record.objects.filter(pk=acme.record.pk).delete()
    assert rows_on(aiko.get(listed(AuditEntry, q="acme-C1"))) == [acme.entry]
    seen = body(aiko.get(page(acme.entry)))
    assert acme.entry.card_id in seen and "jobtitle" in seen and page(acme.record) not in seen


def test_a_long_list_needs_no_more_queries(acme, aiko):
    def asked() -> int:
        with CaptureQueriesContext(database) as queries:
            assert aiko.get(listed(AuditEntry)).status_code == 200
        return len(queries)

    first = asked()
    for _ in range(20):
        entry(acme.run, acme.record)
    assert asked() == first


# The page

BLANK = '<span class="mb-muted">blank</span>'
DIFF = (
    r"<td>([^<]*)<code>(\w+)</code></td>\s*"
    + r"<td[^>]*><span>(.*?)</span></td>\s*" * 2
    + r"<td[^>]*>(.*?)</td>"
)


def test_the_page_shows_each_property_before_and_after(acme, aiko):
    before = {"jobtitle": "営業部 課長", "company": "", "city": None, "phone": "03-1234"}
    after = {"jobtitle": "営業部 部長", "company": "Acme KK", "city": "港区", "phone": ""}
    one = entry(acme.run, acme.record, before=before, after=after, origin={"jobtitle": "acme-C1"})
    seen = body(aiko.get(page(one)))
    assert written(seen) == {
        "jobtitle": ["営業部 <del>課</del>長", "営業部 <ins>部</ins>長", "acme-C1"],
        "company": [BLANK, "<ins>Acme KK</ins>", "–"],
        "city": [BLANK, "<ins>港区</ins>", "–"],
        "phone": ["<del>03-1234</del>", BLANK, "–"],
    }


def written(seen):
    return {
        label + name: [" ".join(cell.split()) for cell in cells]
        for label, name, *cells in re.findall(DIFF, seen, re.DOTALL)
    }


def test_properties_options_and_tags_are_called_as_people_know_them(acme, aiko):
    """A tag that is no option yet by its name; what nobody knows any more stands for itself."""
    choice = {
        "type": "enumeration",
        "field_type": "checkbox",
        "label": "Sansan tags",
        "options": {"acme-T0": "First tag"},
    }
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.hubspot.pk).update(
            schema={"sansan_tags": choice, "jobtitle": {"type": "string", "label": "Job title"}}
        )
        Tag.objects.filter(pk=acme.tags[1].pk).update(name="Second tag")
    after = {"sansan_tags": "acme-T0;acme-T1;gone", "jobtitle": "acme-T1"}
    seen = body(
        aiko.get(page(entry(acme.run, acme.record, before={"sansan_tags": "acme-T0"}, after=after)))
    )
    assert {
        name: re.sub(r"</?(ins|del)>", "", cells[1]) for name, cells in written(seen).items()
    } == {
        "Sansan tags sansan_tags": "First tag; Second tag; gone",
        "Job title jobtitle": "acme-T1",
    }


def test_a_card_that_is_made_is_told_by_the_names_of_its_fields(acme, aiko):
    seen = body(
        aiko.get(
            page(
                entry(
                    acme.run,
                    acme.record,
                    decision="create",
                    reason="new_card",
                    after={"lastName": "森", "shoeSize": "9"},
                )
            )
        )
    )
    assert (
        "<td>Last name</td>" in seen and "<td>shoeSize</td>" in seen and "Field of the card" in seen
    )


def test_the_page_of_an_entry_without_a_write_says_so(acme, aiko):
    one = entry(
        acme.run,
        acme.record,
        decision="skip",
        reason="kept_hubspot",
        outcome="none",
        before={},
        after={},
        sent_at=None,
    )
    seen = body(aiko.get(page(one)))
    assert "Nothing: this decision needs no write." in seen and "the rule keeps such edits." in seen


def test_a_preview_says_what_it_would_write(acme, aiko):
    assert "What it would write" in body(
        aiko.get(page(entry(acme.run, acme.record, outcome="preview")))
    )
    assert "What it writes" in body(aiko.get(page(acme.entry)))


def test_the_page_says_who_when_and_why(acme, aiko):
    seen = body(aiko.get(page(acme.entry)))
    for text in (
        "The card changed, and the contact follows.",
        "acme was written",
        "one@acme.example.jp",
        "acme-C1",
        "acme-contact",
        str(acme.link.key),
        page(acme.record),
        page(acme.rule),
        page(acme.run),
        listed(AuditEntry, q="acme-C1"),
    ):
        assert text in seen


def test_the_stages_tell_the_time_between(acme, aiko):
    start = at("2026-03-01 09:00:00")
    moments = {
        "changed_at": 0,
        "read_at": 65,
        "planned_at": 65.25,
        "sent_at": 66.25,
        "closed_at": 3 * 3600,
    }
    one = entry(
        acme.run,
        acme.record,
        **{name: start + timedelta(seconds=after) for name, after in moments.items()},
    )
    assert [
        (stage["time"][-8:], stage["delay"]) for stage in aiko.get(page(one)).context["stages"]
    ] == [
        ("09:00:00", ""),
        ("09:01:05", "+1 min 5 s"),
        ("09:01:05", "+0.2 s"),
        ("09:01:06", "+1.0 s"),
        ("12:00:00", "+2 h 58 min"),
    ]


def test_an_open_entry_is_shown_as_one(acme, aiko):
    one = entry(acme.run, acme.record, outcome="", closed_at=None)
    seen = aiko.get(page(one))
    assert ">Open</span>" in body(seen) and seen.context["stages"][4] == {
        "label": "Confirmed",
        "time": "–",
        "delay": "",
        "done": False,
    }


def test_other_entries_of_the_card_are_at_hand(acme, aiko):
    earlier = [entry(acme.run, acme.record, after={"company": "x"}) for _ in range(12)]
    elsewhere = entry(acme.run, acme.failing)
    others = aiko.get(page(earlier[-1])).context["others"]
    assert [one["url"] for one in others] == [page(one) for one in [*reversed(earlier[1:-1])]]
    assert page(elsewhere) not in body(aiko.get(page(earlier[-1])))


# Nobody changes it


@pytest.mark.parametrize("who", ["aiko", "ben", "root"])
def test_the_log_is_read_only_for(request, acme, who):
    browser = request.getfixturevalue(who)
    forged = {"outcome": "failed", "name": "somebody else", "before": "{}", "after": "{}"}
    assert (
        browser.get(address(AuditEntry, "add")).status_code
        == browser.post(address(AuditEntry, "add"), forged).status_code
        == 403
    )
    assert browser.post(page(acme.entry), forged).status_code == 403
    assert (
        browser.get(address(acme.entry, "delete")).status_code
        == browser.post(address(acme.entry, "delete"), {"post": "yes"}).status_code
        == 403
    )
    browser.post(
        listed(AuditEntry),
        {"action": "delete_selected", "_selected_action": [acme.entry.pk], "post": "yes"},
    )
    seen = body(browser.get(page(acme.entry)))
    assert 'name="_save"' not in seen and "deletelink" not in seen
    with in_account(acme.account):
        assert AuditEntry.objects.values_list("outcome", "name").get() == (
            "succeeded",
            acme.entry.name,
        )
