"""Every list: pages that fit together, and no account but one's own to choose from."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from core.admin import paginator
from core.admin.changelist import is_id
from core.admin.site import site
from core.tenancy import in_account
from integration.models import AuditEntry, Connection, SyncRule, Tag
from tests.admin.conftest import browser
from tests.admin.pages import address, body, listed, page, rows_on
from tests.admin.world import entry
from tests.cast import member
from tests.core import rows

pytestmark = pytest.mark.django_db


IDS = {
    "a digit": ("1", True),
    "eighteen digits": ("999999999999999999", True),
    "nineteen digits": ("9" * 19, False),
    "empty": ("", False),
    "nothing": (None, False),
    "negative": ("-1", False),
    "a decimal point": ("1.0", False),
    "an Arabic digit": ("٣", False),
    "a superscript": ("²", False),
    "a blank before it": (" 1", False),
}


@pytest.mark.parametrize(("text", "id"), IDS.values(), ids=IDS)
def test_what_can_be_an_id(text, id):
    assert is_id(text) is id


def tags(own, n):
    with in_account(own.account):
        Tag.objects.bulk_create(
            Tag(
                account=own.account,
                connection=own.sansan,
                external_id=f"t{i}",
                name=f"{i:03}",
                type="public",
            )
            for i in range(n)
        )


LOOKERS = {
    "one account's owner": ("aiko", 33),
    "a member of both accounts": ("emi", 56),
    "the platform's staff": ("root", 56),
}


@pytest.mark.parametrize(("who", "total"), LOOKERS.values(), ids=LOOKERS)
def test_the_pages_of_a_list_hold_every_row_once(request, acme, birch, monkeypatch, who, total):
    monkeypatch.setattr(site.get_model_admin(Tag), "list_per_page", 20)
    tags(acme, 30)
    tags(birch, 20)
    one = request.getfixturevalue(who)
    pages = one.get(listed(Tag)).context["cl"].paginator.page_range
    seen = [tag.pk for p in pages for tag in rows_on(one.get(listed(Tag, p=p)))]
    assert len(seen) == len(set(seen)) == total and len(pages) == total // 20 + 1


def test_a_list_says_how_many_rows_there_are(acme, aiko):
    tags(acme, 130)
    assert "133 rows" in " ".join(body(aiko.get(listed(Tag))).split())
    assert "1 row " in " ".join(body(aiko.get(listed(Tag, q="public"))).split())


def test_a_long_list_is_counted_so_far_only(acme, aiko, monkeypatch):
    monkeypatch.setattr(paginator, "MOST_ROWS_COUNTED", 60)
    for _ in range(70):
        entry(acme.run, acme.record)
    seen = aiko.get(listed(AuditEntry))
    assert "60+ rows" in " ".join(
        body(seen).split()
    ) and "filter or search to reach the others" in body(seen)
    assert len(rows_on(aiko.get(listed(AuditEntry, p=2)))) == 10


def test_an_empty_list_says_what_would_stand_there():
    fuji = browser(member("fumi", rows.account("fuji")))
    seen = body(fuji.get(listed(Connection)))
    assert "Connect Sansan and HubSpot here" in seen and address(Connection, "add") in seen
    assert "What becomes of each record stands here" in body(fuji.get(listed(AuditEntry)))


def test_an_empty_list_of_rules_leads_to_the_set_up():
    fuji = browser(member("fumi", rows.account("fuji")))
    seen = body(fuji.get(listed(SyncRule)))
    assert re.search(
        (
            rf'href="{reverse("admin:integration_setup")}" class="mb-button mb-primary">.*?Set '
            r"up a "
            r"sync<"
        ),
        seen,
        re.S,
    )


def test_who_may_not_add_is_not_asked_to(acme, ben):
    with in_account(acme.account):
        Tag.objects.all().delete()
    assert address(Connection, "add") not in body(ben.get(listed(Connection)))


def test_a_list_that_filters_have_emptied_leads_back(acme, aiko):
    seen = body(aiko.get(listed(SyncRule, q="nobody")))
    assert "Nothing here meets the filters and the search." in seen and 'href="?"' in seen


# The account


def test_whoever_sees_one_account_is_not_told_which(acme, birch, aiko, emi):
    for model in (Connection, SyncRule, AuditEntry):
        one, two = aiko.get(listed(model)), emi.get(listed(model))
        assert (
            "account" not in one.context["cl"].list_display
            and "account" in two.context["cl"].list_display
        )
        assert 'name="account"' not in body(one) and 'name="account"' in body(two)


def test_the_filter_offers_one_s_own_accounts(acme, birch, emi, root):
    elsewhere = rows.account("cedar")
    for one, offered in ((emi, False), (root, True)):
        seen = body(one.get(listed(SyncRule)))
        assert (
            f'<option value="{acme.account.pk}"' in seen
            and f'<option value="{birch.account.pk}"' in seen
        )
        assert (f'<option value="{elsewhere.pk}"' in seen) is offered
    assert {
        rule.account_id for rule in rows_on(emi.get(listed(SyncRule, account=birch.account.pk)))
    } == {birch.account.pk}


def test_choices_of_two_accounts_say_whose_they_are(acme, birch, emi, aiko):
    assert "birch / birch-cards" in body(emi.get(listed(AuditEntry))) and "acme / " not in body(
        aiko.get(listed(AuditEntry))
    )


# The form


def test_whoever_has_one_account_is_not_asked_which(acme, birch, aiko, root):
    for model in (Connection, SyncRule):
        assert 'name="account"' not in body(
            aiko.get(address(model, "add"))
        ) and 'name="account"' in body(root.get(address(model, "add")))


def test_no_form_opens_another_in_a_window(acme, aiko, root):
    for seen in (aiko.get(page(acme.draft)), root.get(address(SyncRule, "add"))):
        assert "related-widget-wrapper" not in body(seen) and "_popup=1" not in body(seen)


def test_nothing_is_deleted_by_the_dozen(acme, root):
    for model in (Connection, SyncRule, Tag, AuditEntry):
        assert "delete_selected" not in body(root.get(listed(model)))
