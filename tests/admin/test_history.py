"""The page that tells who changed what in the configuration: before, after, why; over one account,
or those that one may look into.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core.history import give_reason
from core.models import Account, Membership, Role, User
from core.tenancy import all_accounts, in_account
from integration.models import Connection, FieldMapping, Tag
from tests.admin.pages import address, body, listed, page, press, send
from tests.admin.world import MARKUP, SECRET, joins, marks

pytestmark = pytest.mark.django_db
KINDS = ("account", "member", "connection", "rule", "mapping", "tag")


def url(**query):
    return reverse("admin:integration_history", query=query or None)


def changes(client, **query):
    return client.get(url(**query)).context["changes"]


def fields(change):
    """Field -> (before, after)."""
    return {str(name): (before, after) for name, before, after in change["fields"]}


def newest(client, **query):
    return changes(client, **query)[0]


# What a change says


def test_a_change_says_who_when_why_and_what_it_was_before(acme, aiko):
    send(aiko, page(acme.rule), interval="60", require_email="", change_reason="the trade fair")
    one = newest(aiko)
    assert (str(one["kind"]), one["what"], one["who"], one["reason"]) == (
        "Rule",
        "acme-cards",
        "aiko",
        "the trade fair",
    )
    assert "Changed" in one["verb"] and timezone.now() - one["when"] < timedelta(minutes=1)
    assert fields(one) == {
        "Seconds between checks": ("25", "60"),
        "Only cards with a valid e-mail": ("yes", "no"),
    }
    seen = body(aiko.get(url()))
    assert "“the trade fair”" in seen and "<del>25</del>" in seen and "<ins>60</ins>" in seen


def test_a_choice_is_told_in_words_and_so_are_criteria(acme, aiko):
    typed = (
        '{"cards": [{"field": "companyName", "op": "contains", "value": "株式会社"}, {"field": '
        '"tel", "op": "not_blank"}],'
        ' "contacts": [{"field": "city", "op": "equals", "value": "港区"}]}'
    )
    send(aiko, page(acme.rule), conflict="newest", filters=typed, limit_creates="500")
    told = fields(newest(aiko))
    assert told["When edited in HubSpot"] == ("The card wins", "The newer value wins")
    assert told["Filters"] == (
        "Card: Company is not acme itself",
        "Card: Company contains 株式会社\nCard: Telephone is not blank\nContact: city is 港区",
    )
    assert told["Change budget"] == ("", "New contacts: at most 500")


def test_a_value_table_is_told_row_by_row(acme, aiko):
    mapping = acme.mappings[0]
    mapping.table = [["部長", "Head"], ["課長", "Chief"]]
    with in_account(acme.account):
        mapping.save(update_fields=["table"])
    assert fields(newest(aiko))["Value table"] == ("", "部長 → Head\n課長 → Chief")


def test_a_mapping_is_named_by_its_rule_and_its_ends(acme, aiko):
    send(aiko, page(acme.rule), **{"mappings-0-policy": "if_empty"}, change_reason="by hand")
    one = newest(aiko, kind="mapping")
    assert (one["what"], one["reason"], fields(one)) == (
        "acme-cards: title → jobtitle",
        "by hand",
        {"Update": ("Always", "Only if empty")},
    )


def test_connections_are_told_by_name(acme, aiko):
    with in_account(acme.account):
        acme.draft.hubspot = acme.spare
        acme.draft.save(update_fields=["hubspot"])
    assert fields(newest(aiko, kind="rule"))["HubSpot"] == ("acme-hubspot", "acme-spare")


def test_a_member_is_told_by_name_and_role(acme, aiko):
    send(aiko, page(acme.colleague.memberships.get()), role="viewer")
    one = newest(aiko, kind="member")
    assert (one["what"], fields(one)) == ("acme-colleague", {"Role": ("Editor", "Viewer")})


def test_a_tag_is_told_by_connection_and_name_and_whether_it_was_selected(acme, aiko):
    aiko.post(
        listed(Tag),
        {"action": "select_tags", "_selected_action": [tag.pk for tag in acme.tags[:2]]},
    )
    found = changes(aiko, kind="tag")[:2]
    assert {one["what"] for one in found} == {
        f"acme-sansan: {tag.name}" for tag in acme.tags[:2]
    } and {one["who"] for one in found} == {"aiko"}
    assert [fields(one) for one in found] == [{"Selected": ("no", "yes")}] * 2


def test_of_a_key_only_its_end_is_shown(acme, aiko):
    send(aiko, page(acme.sansan), secret="another-key-0001", change_reason="it leaked")
    before, after = fields(newest(aiko, kind="connection"))["Key"]
    assert before != after and after.endswith("0001") and len(after) <= 8
    seen = body(aiko.get(url()))
    assert (
        "another-key" not in seen
        and "very-secret" not in seen
        and SECRET.format("acme") not in seen
    )


def test_what_is_made_and_what_is_deleted_says_what_it_held(acme, aiko):
    send(aiko, address(Connection, "add"), slug="new", system="hubspot", secret="another-key-0001")
    with in_account(acme.account):
        made = Connection.objects.get(slug="new")
    one = newest(aiko, kind="connection", id=made.pk)
    assert (
        "Made" in one["verb"]
        and fields(one)["Short name"] == ("", "new")
        and fields(one)["System"] == ("", "HubSpot")
    )
    aiko.post(address(made, "delete"), {"post": "yes"})
    one = newest(aiko, kind="connection", id=made.pk)
    assert (
        "Deleted" in one["verb"]
        and fields(one)["Short name"] == ("new", "")
        and (one["what"], one["who"]) == ("new", "aiko")
    )


def test_what_is_gone_is_still_told(acme, aiko):
    """The connection, the tag and the mapping that the account had once, by name and with the
    reason.
    """
    for kind, pk in zip(("connection", "tag", "mapping"), acme.ids_gone, strict=True):
        made, gone = reversed(changes(aiko, kind=kind, id=pk))
        assert (
            "Made" in made["verb"]
            and "Deleted" in gone["verb"]
            and gone["reason"].startswith("acme no longer needs it")
        ), kind
    assert (
        changes(aiko, kind="mapping", id=acme.ids_gone[2])[0]["what"]
        == "acme-draft: memo → acme_gone"
    )
    assert "acme-gone" in body(aiko.get(url(kind="connection")))


def test_a_rule_that_is_gone_takes_no_page_down(acme, aiko):
    with in_account(acme.account):
        FieldMapping.objects.create(
            account=acme.account, rule=acme.draft, sansan="title", hubspot="jobtitle"
        )
    aiko.post(address(acme.draft, "delete"), {"post": "yes"})
    gone = changes(aiko)[:2]
    assert {str(one["kind"]) for one in gone} == {"Rule", "Field mapping"} and all(
        "Deleted" in one["verb"] for one in gone
    )


def test_a_user_who_is_gone_is_still_named(acme, aiko):
    ben = User.objects.create_user("ben", is_staff=True)
    joins(ben, acme, Role.EDITOR)
    aiko.force_login(ben)
    send(aiko, page(acme.rule), interval="60")
    ben.delete()
    aiko.force_login(acme.owner)
    assert newest(aiko, kind="rule")["who"] == "ben"


def test_what_nobody_did_is_the_platform_s(acme, aiko):
    with in_account(acme.account):
        acme.rule.interval = 77
        acme.rule.save(update_fields=["interval"])
    assert str(newest(aiko, kind="rule")["who"]) == "The platform"


def test_a_button_is_told_with_the_state(acme, aiko):
    aiko.post(press(acme.rule, "pause"))
    one = newest(aiko, kind="rule")
    assert (one["who"], fields(one)) == ("aiko", {"State": ("Active", "Paused")})


def test_nothing_of_it_is_taken_for_markup(acme, aiko):
    send(aiko, page(acme.rule), interval="60", change_reason=MARKUP)
    send(aiko, page(acme.account), name=f"Acme {MARKUP}")
    for kind in ("", *KINDS):
        assert MARKUP not in body(aiko.get(url(kind=kind)))


def test_who_changed_nothing_yet_is_told_so(dan, acme):
    cedar = Account.objects.create(slug="cedar", name="Cedar")
    joins(User.objects.get(username="dan"), cedar, Role.AUDITOR)
    Account.history.filter(id=cedar.pk).delete()
    Membership.history.filter(account=cedar).delete()
    assert "Nothing has been changed yet." in body(dan.get(url()))


# Which changes


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_alone(acme, aiko, kind):
    found = changes(aiko, kind=kind)
    assert found and len({str(one["kind"]) for one in found}) == 1
    (current,) = [one for one in aiko.get(url(kind=kind)).context["kinds"] if one["current"]]
    assert current["code"] == kind and current["label"] == str(found[0]["kind"])


def test_one_object_alone_with_the_way_back(acme, aiko):
    send(aiko, page(acme.rule), interval="60")
    send(aiko, page(acme.draft), interval="90")
    found = changes(aiko, kind="rule", id=acme.rule.pk)
    assert {one["what"] for one in found} == {"acme-cards"} and len(found) >= 2
    assert "Only the changes of one object." in body(aiko.get(url(kind="rule", id=acme.rule.pk)))
    assert {one["url"] for one in found} == {url(kind="rule", id=acme.rule.pk)}


def test_the_page_of_a_rule_leads_there(acme, aiko):
    assert url(kind="rule", id=acme.rule.pk).replace("&", "&amp;") in body(
        aiko.get(page(acme.rule))
    )


def test_the_newest_is_first(acme, aiko):
    for row in (acme.rule, acme.sansan, acme.account):
        send(
            aiko,
            page(row),
            **{"slug": "renamed"} if row != acme.account else {"name": "Acme Holdings"},
        )
    moments = [one["when"] for one in changes(aiko)]
    assert moments == sorted(moments, reverse=True) and [
        str(one["kind"]) for one in changes(aiko)[:3]
    ] == ["Account", "Connection", "Rule"]


def pages(client, **query):
    """The changes of each page, as one turns them."""
    where = url(**query)
    while where:
        seen = client.get(where)
        yield seen.context["changes"]
        where = seen.context["next"] and url() + seen.context["next"]


def test_older_ones_stand_on_the_next_pages_each_once(acme, aiko):
    with in_account(acme.account):
        for n in range(130):
            acme.rule.interval = 100 + n
            give_reason(acme.rule, f"step {n}").save(update_fields=["interval"])
        Tag.objects.bulk_create(
            Tag(
                account=acme.account,
                connection=acme.sansan,
                external_id=f"X{n}",
                name=f"X{n}",
                type="public",
            )
            for n in range(90)
        )
        many = list(Tag.objects.filter(external_id__startswith="X").values_list("pk", flat=True))
    aiko.post(listed(Tag), {"action": "select_tags", "_selected_action": many})
    turned = list(pages(aiko))
    assert [len(one) for one in turned[:-1]] == [40] * (len(turned) - 1) and 0 < len(
        turned[-1]
    ) <= 40
    seen = [one for some in turned for one in some]
    assert (
        sum(one["reason"].startswith("step ") for one in seen)
        == 130
        == len({one["reason"] for one in seen if one["reason"].startswith("step ")})
    )
    assert len({one["url"] for one in seen if one["what"].startswith("acme-sansan: X")}) == 90
    moments = [one["when"] for one in seen]
    assert moments == sorted(moments, reverse=True)


def test_pages_keep_the_kind_and_the_object(acme, aiko):
    with in_account(acme.account):
        for n in range(50):
            acme.rule.interval = 100 + n
            acme.rule.save(update_fields=["interval"])
    first, second = pages(aiko, kind="rule", id=acme.rule.pk)
    assert (
        {one["what"] for one in (*first, *second)} == {"acme-cards"}
        and len(first) == 40
        and len(second) >= 10
    )
    assert fields(second[0])["Seconds between checks"] == ("108", "109"), (
        "the first of a page knows what was before it, too"
    )


# Whose


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_it_ends_at_the_account(acme, birch, aiko, kind):
    rows = {
        "account": birch.account,
        "member": birch.membership,
        "connection": birch.sansan,
        "rule": birch.rule,
        "mapping": birch.mappings[0],
    }
    rows["tag"] = birch.tags[0]
    assert not marks(birch).search(body(aiko.get(url(kind=kind))))
    for asked in (rows[kind].pk,) if kind else (birch.rule.pk, *birch.ids_gone):
        assert changes(aiko, kind=kind, id=asked) == [] or not kind
        assert not marks(birch).search(
            body(aiko.get(url(kind=kind, id=asked))).replace(str(asked), "")
        )


def test_it_shows_the_accounts_whose_history_one_may_read(acme, birch, emi):
    """Emi owns Acme; at birch she only looks."""
    assert {one["account"] for one in changes(emi)} == {acme.account.name}
    Membership.objects.filter(user__username="emi", account=birch.account).update(role=Role.AUDITOR)
    assert {one["account"] for one in changes(emi)} == {acme.account.name, birch.account.name}
    assert not marks(acme).search(
        body(emi.get(url(kind="rule", id=birch.rule.pk))).split('class="mb-stack"')[1]
    )


def test_the_platform_s_staff_see_all(acme, birch, root):
    assert {one["account"] for one in changes(root)} == {acme.account.name, birch.account.name}


@pytest.mark.parametrize("ben", ["operator", "viewer"], indirect=True)
def test_who_may_not_read_it_is_told_so(acme, ben):
    assert ben.get(url()).status_code == 403 and url() not in body(ben.get("/admin/"))


@pytest.mark.parametrize("ben", ["owner", "editor", "auditor"], indirect=True)
def test_who_may_read_it_finds_it_in_the_sidebar(acme, ben):
    assert changes(ben) and url() in body(ben.get("/admin/"))


# What it costs


def test_it_asks_little_however_much_there_is(acme, birch, root):
    with all_accounts():
        for n in range(40):
            for own in (acme, birch):
                for row in (
                    own.rule,
                    own.tags[0],
                    own.mappings[0],
                    own.sansan,
                    own.membership,
                    own.account,
                ):
                    give_reason(row, f"{n}").save()
    for query in ({}, *({"kind": kind} for kind in KINDS), {"kind": "rule", "id": acme.rule.pk}):
        root.get(url(**query))
        with CaptureQueriesContext(database) as queries:
            assert len(root.get(url(**query)).context["changes"]) == 40
        assert len(queries) < 25, query


# Nonsense

HUGE = "9" * 40
NONSENSE = [
    {"kind": "shoe"},
    {"kind": "rule", "id": "x"},
    {"kind": "rule", "id": HUGE},
    {"kind": "rule", "id": "-1"},
    {"kind": "rule", "id": "\0"},
    {"kind": "\0"},
    {"id": "5"},
    {"kind": "rule", "id": "٣"},
    {"kind": "rule", "id": ""},
    {"before": "x"},
    {"before": ""},
    {"before": "\0"},
    {"before": "2026-02-31T00:00:00+00:00"},
    {"before": "2026-03-01T09:00:00"},
    {"before": "2026-03-01"},
    {"before": "0001-01-01T00:00:00+14:00"},
    {"before": "9999-12-31T23:59:59-14:00"},
    {"before": "99999-01-01T00:00:00Z"},
    {"before": HUGE},
    {"before": "2026-03-01T09:00:00+99:99"},
    {"kind": ["rule", "tag"]},
    {"page": "x"},
    {"account": "x"},
]


@pytest.mark.parametrize("query", NONSENSE, ids=lambda query: quote(str(query))[:60])
def test_nonsense_in_its_address_is_no_failure(acme, birch, aiko, query):
    aiko.raise_request_exception = False
    response = aiko.get(reverse("admin:integration_history"), query)
    assert response.status_code == 200 and not marks(birch).search(body(response))


def test_before_the_first_change_there_is_none(acme, aiko):
    assert changes(aiko, before=datetime(2000, 1, 1).astimezone().isoformat()) == []


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nobody_writes_it(acme, aiko, method):
    assert getattr(aiko, method)(url()).status_code == 405
