"""Links: one person, the contact and the cards."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from core.tenancy import in_account
from integration.models import AuditEntry, Link, Record
from tests.admin.pages import address, body, listed, page, rows_on
from tests.admin.world import entry
from tests.core import rows

pytestmark = pytest.mark.django_db


def link(acme, contact="", hubspot=None):
    with in_account(acme.account):
        return Link.objects.create(
            account=acme.account, hubspot=hubspot or acme.hubspot, contact_id=contact
        )


def test_the_list_shows_the_name_on_the_newest_card_and_how_many_there_are(acme, aiko):
    rows.record(
        acme.rule, "acme-C7", link=acme.link, name="新しい 名前", exchanged_on=date(2026, 5, 1)
    )
    rows.record(acme.rule, "acme-C8", link=acme.link, name="", exchanged_on=date(2026, 6, 1))
    empty = link(acme)
    shown = {one.pk: (one.shown_name, one.card_count) for one in rows_on(aiko.get(listed(Link)))}
    assert shown == {empty.pk: ("", 0), acme.link.pk: ("新しい 名前", 3)}


def test_a_long_list_needs_no_more_queries(acme, aiko):
    def asked() -> int:
        with CaptureQueriesContext(database) as queries:
            assert aiko.get(listed(Link)).status_code == 200
        return len(queries)

    first = asked()
    for n in range(10):
        rows.record(acme.rule, f"acme-n{n}", link=link(acme))
    assert asked() == first


def test_the_list_of_one_portal(acme, birch, aiko):
    there = link(acme, hubspot=acme.spare)
    assert [one.pk for one in rows_on(aiko.get(listed(Link, hubspot=acme.spare.pk)))] == [there.pk]
    assert [one.pk for one in rows_on(aiko.get(listed(Link, hubspot=acme.hubspot.pk)))] == [
        acme.link.pk
    ]
    choices = body(aiko.get(listed(Link)))
    assert (
        f'<option value="{acme.spare.pk}"' in choices
        and f'<option value="{acme.sansan.pk}"' not in choices
    )


def test_the_page_shows_cards_contact_and_what_was_written(acme, aiko):
    with in_account(acme.account):
        Link.objects.filter(pk=acme.link.pk).update(
            written={"jobtitle": "部長", "fax": ""}, answered={"jobtitle": "部長 "}
        )
    second = entry(acme.run, acme.failing, link_key=acme.link.key)
    seen = body(aiko.get(page(acme.link)))
    for text in (
        "acme-contact",
        str(acme.link.key),
        page(acme.record),
        page(acme.hubspot),
        "部長",
        "stored by HubSpot as 部長",
        page(acme.entry),
    ):
        assert text in seen
    # The other card is not this person's, whatever an entry says.
    assert page(acme.failing) not in seen and page(second) not in seen
    assert listed(AuditEntry, q=acme.link.key) in seen


def test_the_newest_card_stands_first(acme, aiko):
    newer = rows.record(acme.rule, "acme-C7", link=acme.link, exchanged_on=date(2026, 5, 1))
    assert [one["record"].pk for one in aiko.get(page(acme.link)).context["records"]] == [
        newer.pk,
        acme.record.pk,
    ]


def test_a_link_without_cards_or_contact_is_shown_as_one(acme, aiko):
    seen = body(aiko.get(page(link(acme))))
    assert "None any more." in seen and "Nothing yet." in seen and "None." in seen


@pytest.mark.parametrize("who", ["aiko", "root"])
def test_nobody_makes_changes_or_deletes_a_link(request, acme, who):
    browser = request.getfixturevalue(who)
    assert browser.post(address(Link, "add"), {}).status_code == 403
    assert browser.post(page(acme.link), {"contact_id": "1"}).status_code == 403
    assert browser.post(address(acme.link, "delete"), {"post": "yes"}).status_code == 403
    with in_account(acme.account):
        assert (
            Link.objects.get().contact_id == "acme-contact"
            and Record.objects.filter(link__isnull=False).count() == 1
        )
