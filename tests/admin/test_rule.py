"""The page of a rule: a draft at first, saved as it was typed, and what stands under it."""

from __future__ import annotations

import re

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from core.tenancy import in_account
from integration.models import Bucket, Connection, FieldMapping, Record, SyncRule, SyncRun
from integration.rules.file import DEFAULT_MAPPINGS
from tests.admin.pages import address, body, errors, form_of, listed, page, rows_on, send, told
from tests.core import rows

pytestmark = pytest.mark.django_db


def stored(acme, **which):
    with in_account(acme.account):
        return SyncRule.objects.select_related("sansan", "hubspot").get(**which)


def new(acme, **typed):
    return {"slug": "new", "sansan": acme.sansan.pk, "hubspot": acme.hubspot.pk} | typed


# A new rule


def test_a_new_rule_is_a_draft_with_the_default_mappings(acme, aiko, queued):
    seen = []
    assert (
        queued(
            lambda: seen.append(send(aiko, address(SyncRule, "add"), **new(acme, state="active")))
        )
        == []
    )
    made = stored(acme, slug="new")
    assert (made.state, made.cursor, made.due_at, made.require_email) == ("draft", None, None, True)
    assert seen[0].redirect_chain == [(page(made), 302)] and "nothing runs yet" in told(seen[0])
    with in_account(acme.account):
        mappings = list(made.mappings.values_list("sansan", "hubspot", "transform"))
        assert mappings == list(DEFAULT_MAPPINGS)
        assert set(made.mappings.values_list("active", "policy")) == {(True, "always")}
        assert not SyncRun.objects.filter(rule=made).exists()
    assert "Not running." in body(seen[0])


def test_a_new_rule_of_a_superuser_has_its_mappings_in_its_own_account(acme, birch, root):
    send(root, address(SyncRule, "add"), **new(acme, account=acme.account.pk))
    with in_account(acme.account):
        assert FieldMapping.objects.filter(rule__slug="new").count() == len(DEFAULT_MAPPINGS)


def test_a_rule_needs_connections_of_the_right_systems(acme, aiko):
    response = send(
        aiko, address(SyncRule, "add"), **new(acme, sansan=acme.hubspot.pk, hubspot=acme.sansan.pk)
    )
    assert errors(response).keys() == {"sansan", "hubspot"}
    assert errors(send(aiko, address(SyncRule, "add"), slug="new")).keys() == {"sansan", "hubspot"}


def test_another_account_s_connection_is_no_choice(acme, birch, aiko, root):
    assert errors(
        send(aiko, address(SyncRule, "add"), **new(acme, hubspot=birch.hubspot.pk))
    ).keys() == {"hubspot"}
    response = send(
        root,
        address(SyncRule, "add"),
        **new(acme, account=acme.account.pk, hubspot=birch.hubspot.pk),
    )
    assert "another account: choose one of Acme KK" in str(errors(response)["hubspot"])
    send(aiko, page(acme.draft), hubspot=birch.hubspot.pk)
    assert stored(acme, pk=acme.draft.pk).hubspot_id == acme.hubspot.pk
    with in_account(acme.account):
        assert SyncRule.objects.count() == 2


def test_a_slug_is_there_once_in_an_account(acme, birch, aiko):
    assert "Short name already exists" in str(
        errors(send(aiko, address(SyncRule, "add"), **new(acme, slug="acme-cards")))
    )
    assert errors(send(aiko, address(SyncRule, "add"), **new(acme, slug="no slug"))).keys() == {
        "slug"
    }
    send(aiko, address(SyncRule, "add"), **new(acme, slug="birch-cards"))
    assert stored(acme, slug="birch-cards")


# Saving


def test_saving_what_was_not_touched_changes_nothing(acme, aiko):
    before = stored(acme, pk=acme.rule.pk).__dict__
    with CaptureQueriesContext(database) as queries:
        send(aiko, page(acme.rule))
    assert not [
        one["sql"]
        for one in queries
        if re.match(r'(UPDATE|INSERT INTO|DELETE FROM) "integration_', one["sql"])
    ]
    after = stored(acme, pk=acme.rule.pk).__dict__
    assert {name for name in before if name != "_state" and before[name] != after[name]} == set()


def test_what_workers_move_is_not_written_back(acme, aiko):
    with CaptureQueriesContext(database) as queries:
        send(aiko, page(acme.rule), interval="60", limit_creates="10")
    (written,) = [
        one["sql"] for one in queries if one["sql"].startswith('UPDATE "integration_syncrule"')
    ]
    assert set(re.findall(r'"(\w+)" = ', written.split("WHERE")[0])) == {"interval", "limits"}


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ({"conflict": "newest"}, True),
        ({"require_email": ""}, True),
        ({"filters": '{"cards": [], "contacts": []}'}, True),
        ({"mappings-0-policy": "if_empty"}, True),
        ({"mappings-0-transform": "upper"}, True),
        ({"mappings-0-active": ""}, True),
        ({"mappings-0-clear": "on"}, True),
        ({"interval": "60"}, False),
        ({"limit_creates": "5"}, False),
        ({"slug": "renamed"}, False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_decides_about_cards_has_every_card_looked_at_again(acme, aiko, typed, again):
    response = send(aiko, page(acme.rule), **typed)
    assert stored(acme, pk=acme.rule.pk).recheck is again
    assert ("looks at every card again" in told(response)) is again


def test_a_rule_that_has_read_nothing_promises_no_second_look(acme, aiko):
    assert "again" not in told(send(aiko, page(acme.draft), conflict="newest"))


def test_the_change_budget_is_stored_and_lifted(acme, aiko):
    send(aiko, page(acme.rule), limit_creates="0", limit_updates="500")
    assert stored(acme, pk=acme.rule.pk).limits == {"creates": 0, "updates": 500}
    assert {"limit_creates": "0", "limit_updates": "500"}.items() <= form_of(
        aiko.get(page(acme.rule))
    ).items()
    send(aiko, page(acme.rule), limit_creates="")
    assert stored(acme, pk=acme.rule.pk).limits == {"updates": 500}


def test_a_rule_that_has_run_keeps_its_connections(acme, aiko):
    assert not {"sansan", "hubspot"} & form_of(aiko.get(page(acme.rule))).keys()
    send(aiko, page(acme.rule), slug="renamed", hubspot=acme.spare.pk)
    one = stored(acme, pk=acme.rule.pk)
    assert (one.slug, one.hubspot_id) == ("renamed", acme.hubspot.pk)
    send(aiko, page(acme.draft), hubspot=acme.spare.pk)
    assert stored(acme, pk=acme.draft.pk).hubspot_id == acme.spare.pk


# Deleting


def test_a_rule_with_a_history_stays(acme, aiko):
    rows.record(acme.draft, "acme-C9")
    for one in (acme.rule, acme.draft):
        assert address(one, "delete") not in body(aiko.get(page(one)))
        assert aiko.post(address(one, "delete"), {"post": "yes"}).status_code == 403
        assert stored(acme, pk=one.pk)


def test_a_rule_that_never_ran_goes_with_its_mappings(acme, aiko):
    with in_account(acme.account):
        FieldMapping.objects.create(
            account=acme.account, rule=acme.draft, sansan="title", hubspot="jobtitle"
        )
    aiko.post(address(acme.draft, "delete"), {"post": "yes"})
    with in_account(acme.account):
        assert list(SyncRule.objects.all()) == [acme.rule] and FieldMapping.objects.count() == 3
        assert Connection.objects.count() == 3


# What the page shows


def test_every_card_stands_in_one_place(acme, aiko):
    for n, bucket in enumerate(Bucket.values):
        rows.record(acme.rule, f"acme-more-{n}", bucket=bucket)
    seen = aiko.get(page(acme.rule))
    stand = {str(one["label"]): one for one in seen.context["stand"]["buckets"]}
    assert (
        len(stand) == 7
        and seen.context["stand"]["total"] == sum(one["n"] for one in stand.values()) == 10
    )
    assert (stand["In sync"]["n"], stand["Failing"]["n"], stand["Held"]["n"]) == (2, 2, 1)
    for one in stand.values():
        assert len(rows_on(aiko.get(one["url"]))) == one["n"]
    assert "10 cards, each in exactly one place" in body(seen)


def test_a_held_rule_says_why(acme, aiko):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(
            state="held", state_reason="4,812 would change, and 500 may."
        )
    assert "4,812 would change, and 500 may." in body(aiko.get(page(acme.rule)))


def test_a_refused_key_is_told_with_the_way_to_it(acme, aiko):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            health="reconnect", health_detail="Sansan refused it."
        )
    seen = body(aiko.get(page(acme.rule)))
    assert "Sansan refused it." in seen and page(acme.sansan) in seen


PROPERTIES = {
    "not there": (None, "jobtitle: HubSpot has no such contact property."),
    "read only": (
        {"type": "string", "read_only": True},
        "jobtitle: HubSpot does not let this property be written.",
    ),
    "of another type": (
        {"type": "number", "read_only": False},
        "jobtitle: a property of type number does not take the text of Title.",
    ),
    "fitting": ({"type": "string", "read_only": False}, ""),
}


@pytest.mark.parametrize(("prop", "sentence"), PROPERTIES.values(), ids=PROPERTIES)
def test_a_mapping_that_cannot_work_is_told(acme, aiko, prop, sentence):
    good = {
        "type": "string",
        "field_type": "text",
        "kind": "text",
        "read_only": False,
        "options": {},
    }
    schema = {"company": good, "acme_memo": good} | ({"jobtitle": good | prop} if prop else {})
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.hubspot.pk).update(schema=schema)
    seen = aiko.get(page(acme.rule))
    assert seen.context["problems"] == ([sentence] if sentence else [])
    assert sentence in body(seen)


def test_properties_are_suggested_but_not_those_that_cannot_be_written(acme, aiko):
    with in_account(acme.account):
        schema = {
            "jobtitle": {"type": "string", "read_only": False},
            "createdate": {"type": "datetime", "read_only": True},
        }
        Connection.objects.filter(pk=acme.hubspot.pk).update(schema=schema)
    seen = body(aiko.get(page(acme.rule)))
    assert '<option value="jobtitle">' in seen and '<option value="createdate">' not in seen
    assert '<option value="departmentName">Department</option>' in seen


def test_who_may_not_change_a_rule_reads_all_of_it(acme, ben):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(limits={"creates": 1200})
    seen = ben.get(page(acme.rule))
    assert (
        'name="_save"' not in body(seen)
        and 'name="slug"' not in body(seen)
        and 'name="mappings-0-policy"' not in body(seen)
    )
    assert all(
        text in body(seen)
        for text in ("acme_memo", "not_equals", "new contacts: 1,200; changed contacts: no limit")
    )
    assert seen.context["buttons"] == []


# The list


def test_the_list_shows_how_rules_stand(acme, aiko):
    rows.record(acme.rule, "acme-C8")
    seen = aiko.get(listed(SyncRule))
    assert [one.slug for one in rows_on(seen)] == ["acme-cards", "acme-draft"]
    assert "acme-sansan → acme-hubspot" in body(seen)
    for bucket, n in (("waiting", 1), ("failing", 1)):
        address = listed(Record, rule=acme.rule.pk, bucket=bucket, side="card")
        assert re.search(
            rf'href="{re.escape(address).replace("&", "&amp;")}">{n}</a>',
            body(seen),
        )


FILTERS = {
    "by state": ({"state__exact": "draft"}, ["acme-draft"]),
    "by a search": ({"q": "card"}, ["acme-cards"]),
    "a search for another account's": ({"q": "birch"}, []),
}


@pytest.mark.parametrize(("query", "found"), FILTERS.values(), ids=FILTERS)
def test_the_filters_of_the_list(acme, birch, aiko, query, found):
    assert [one.slug for one in rows_on(aiko.get(listed(SyncRule, **query)))] == found


def test_more_rules_need_no_more_queries(acme, aiko):
    def asked() -> int:
        with CaptureQueriesContext(database) as queries:
            assert aiko.get(listed(SyncRule)).status_code == 200
        return len(queries)

    first = asked()
    for n in range(5):
        rows.record(rows.rule(acme.account, f"rule-{n}"), f"acme-n{n}")
    assert asked() == first


def test_another_direction_pauses_a_rule_that_runs(acme, aiko):
    """What is made in Sansan cannot be taken back."""
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(state="active")
    seen = body(send(aiko, page(acme.rule), direction="both"))
    acme.rule.refresh_from_db()
    assert (acme.rule.direction, acme.rule.state) == (
        "both",
        "paused",
    ) and "its direction was changed" in seen
