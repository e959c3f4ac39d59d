"""Pages of long lists: counted so far only, and put together from the accounts' own indexes without
losing a row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.paginator import EmptyPage, PageNotAnInteger
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from core.admin import paginator
from core.admin.paginator import CappedPaginator, list_accounts_in_scope
from core.models import Account
from core.tenancy import all_accounts, in_account
from integration.models import Tag
from tests.core import rows

pytestmark = pytest.mark.django_db
MORNING = datetime(2026, 3, 1, tzinfo=UTC)


def tags(account: Account, n: int, slug: str = "sansan", **values: object) -> None:
    """Tags whose every column comes in an order of its own; every third was never seen."""
    one = rows.connection(account, "sansan", slug=slug)
    with in_account(account):
        Tag.objects.bulk_create(
            Tag(
                account=account,
                connection=one,
                external_id=f"{account.slug}-{slug}-{i}",
                name=f"tag {i * 7 % n:03}",
                type=("public", "shared", "private")[i % 3],
                seen_at=None if i % 3 == 0 else MORNING + timedelta(minutes=i * 5 % n),
            )
            for i in range(n)
        )


@pytest.fixture
def platform():
    """Three accounts, one of them without a tag; Acme has two connections, of which the second is
    the first by name.
    """
    acme, birch, _ = rows.account("acme"), rows.account("birch"), rows.account("cedar")
    tags(acme, 25, "zeta")
    tags(birch, 14)
    tags(acme, 12, "alpha")
    with all_accounts():
        yield acme, birch


def pages(found: CappedPaginator) -> list[list[int]]:
    return [[tag.pk for tag in found.page(number).object_list] for number in found.page_range]


ORDERS = {
    "newest first": ("-id",),
    "a name": ("name", "-pk"),
    "a name backwards": ("-name", "-pk"),
    "two columns": ("type", "-name", "-pk"),
    "a moment that some have not": ("seen_at", "-pk"),
    "such a moment backwards": ("-seen_at", "-pk"),
    "the rows of another table": ("connection", "-selected", "name", "-pk"),
    "a column of another table": ("connection__slug", "-pk"),
    "the account": ("account", "name", "-pk"),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("per_page", [7, 100])
def test_the_pages_together_are_the_whole_list_in_its_order(platform, order, per_page):
    whole = Tag.objects.order_by(*order)
    shown = pages(CappedPaginator(whole, per_page))
    assert [pk for page in shown for pk in page] == [tag.pk for tag in whole]
    assert [len(page) for page in shown[:-1]] == [per_page] * (len(shown) - 1)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_so_they_are_for_one_account(platform, order):
    acme, _ = platform
    with in_account(acme):
        whole = Tag.objects.order_by(*order)
        assert [pk for page in pages(CappedPaginator(whole, 7)) for pk in page] == [
            tag.pk for tag in whole
        ]


def test_a_filter_holds_on_every_page(platform):
    some = Tag.objects.filter(type="public").order_by("-id")
    assert sorted(pk for page in pages(CappedPaginator(some, 4)) for pk in page) == sorted(
        some.values_list("pk", flat=True)
    )


def test_the_accounts_that_a_filter_names_are_the_only_ones_read(platform):
    _, birch = platform
    found = CappedPaginator(Tag.objects.order_by("-id"), 10, accounts=[birch.pk])
    assert found.count == 14 and {tag.account_id for tag in found.page(1).object_list} == {birch.pk}


def test_what_a_row_needs_from_elsewhere_comes_with_the_page(platform):
    page = CappedPaginator(
        Tag.objects.order_by("-id").select_related("account", "connection"), 10
    ).page(1)
    found = list(page.object_list)
    with CaptureQueriesContext(database) as queries:
        assert all(tag.account.slug and tag.connection.slug for tag in found)
    assert len(queries) == 0


# Counting


def test_no_more_is_counted_than_pages_reach(platform, monkeypatch):
    monkeypatch.setattr(paginator, "MOST_ROWS_COUNTED", 20)
    found = CappedPaginator(Tag.objects.order_by("-id"), 8)
    assert (found.capped, found.count, found.num_pages) == (True, 20, 3)
    assert [len(page) for page in pages(found)] == [8, 8, 4]


CAPS = {
    "one fewer": (50, True),
    "just as many": (51, False),
    "one more": (52, False),
}


@pytest.mark.parametrize(("cap", "capped"), CAPS.values(), ids=CAPS)
def test_a_list_of_just_as_many_is_whole(platform, monkeypatch, cap, capped):
    monkeypatch.setattr(paginator, "MOST_ROWS_COUNTED", cap)
    found = CappedPaginator(Tag.objects.order_by("-id"), 10)
    assert (found.capped, found.count) == (capped, min(cap, 51))


def test_an_empty_list_has_one_empty_page(platform):
    found = CappedPaginator(Tag.objects.filter(name="nobody").order_by("-id"), 10)
    assert (found.count, found.num_pages, found.capped, list(found.page(1).object_list)) == (
        0,
        1,
        False,
        [],
    )


MISSING = {
    "before the first": (0, EmptyPage),
    "negative": (-1, EmptyPage),
    "after the last": (7, EmptyPage),
    "no number": ("x", PageNotAnInteger),
}


@pytest.mark.parametrize(("number", "error"), MISSING.values(), ids=MISSING)
def test_a_page_that_is_not_there_is_none(platform, number, error):
    with pytest.raises(error):
        CappedPaginator(Tag.objects.order_by("-id"), 10).page(number)


def test_what_is_not_of_an_account_is_paged_too(platform):
    whole = Account.objects.order_by("-slug")
    assert [pk for page in pages(CappedPaginator(whole, 2)) for pk in page] == [
        one.pk for one in whole
    ]


# Which accounts


def test_the_scope_says_which_accounts(platform):
    acme, _ = platform
    assert sorted(list_accounts_in_scope(Tag.objects.all())) == sorted(
        Account.objects.values_list("pk", flat=True)
    )
    assert list_accounts_in_scope(Account.objects.all()) == list_accounts_in_scope([1, 2]) == []
    with in_account(acme):
        assert list_accounts_in_scope(Tag.objects.all()) == [acme.pk]


def test_of_very_many_accounts_the_list_is_read_as_one(platform, monkeypatch):
    monkeypatch.setattr(paginator, "MOST_ACCOUNTS_APART", 2)
    assert list_accounts_in_scope(Tag.objects.all()) == []
    whole = Tag.objects.order_by("-id")
    assert [pk for page in pages(CappedPaginator(whole, 7)) for pk in page] == [
        tag.pk for tag in whole
    ]
