"""What is wrong with a rule or a mapping is told at its field, and what was typed stays."""

from __future__ import annotations

import json
import re

import pytest

from core.tenancy import in_account
from integration.models import FieldMapping, SyncRule
from tests.admin.pages import address, errors, form_of, page, send
from tests.core import rows

pytestmark = pytest.mark.django_db


def stored(rule):
    with in_account(rule.account):
        return SyncRule.objects.get(pk=rule.pk)


def mappings(acme):
    with in_account(acme.account):
        return list(acme.rule.mappings.values_list("sansan", "hubspot", "position"))


# Fields of the rule

NUMBERS = {
    "an interval under 5 s": ("interval", "4", "At least 5 seconds"),
    "no interval": ("interval", "", "required"),
    "an interval in words": ("interval", "often", "whole number"),
    "a negative interval": ("interval", "-5", "or equal to 0"),
    "an interval too long for a column": ("interval", "9" * 30, ""),
    "hours in words": ("full_every", "daily", "whole number"),
    "a budget in words": ("limit_creates", "few", "whole number"),
    "a budget under zero": ("limit_updates", "-1", "or equal to 0"),
    "half a contact": ("limit_creates", "1.5", "whole number"),
    "looks in words": ("sweep_every", "often", "whole number"),
    "cards in words": ("card_cap", "some", "whole number"),
    "fewer cards than none": ("card_cap", "-1", "or equal to 0"),
    "more cards than anybody needs": ("card_cap", "100001", "At most 100000 cards a day"),
    "a private tag": ("marker", "acme-T2", "not one of the available choices"),
    "a tag of others": ("marker", "birch-T0", "not one of the available choices"),
    "something else for a contact that is gone": (
        "when_gone",
        "cry",
        "not one of the available choices",
    ),
    "something else for companies": ("companies", "buy", "not one of the available choices"),
    "a direction that is none": ("direction", "up", "not one of the available choices"),
    "a conflict rule that is none": ("conflict", "coin", "not one of the available choices"),
}


CHOSEN = ("direction", "conflict", "marker", "when_gone", "companies")


@pytest.mark.parametrize(("field", "typed", "said"), NUMBERS.values(), ids=NUMBERS)
def test_a_field_that_cannot_be_is_told_at_the_field(acme, aiko, field, typed, said):
    response = send(aiko, page(acme.draft), slug="renamed", **{field: typed})
    assert errors(response).keys() == {field} and said in str(errors(response)[field])
    kept = form_of(response)
    assert kept["slug"] == "renamed" and (kept[field] == typed or field in CHOSEN)
    assert stored(acme.draft).slug == "acme-draft"


@pytest.mark.parametrize("field", ["interval", "full_every", "sweep_every"])
@pytest.mark.parametrize("typed", ["999999999999", "9000000000000000000"])
def test_no_time_between_checks_is_beyond_every_calendar(acme, aiko, field, typed):
    """The tick adds it to the time of day: where that overflows, no rule of any account is started
    any more.
    """
    assert field in errors(send(aiko, page(acme.draft), **{field: typed}))


BOTH_WAYS = {"direction": "both", "conflict": "hold", "when_gone": "make", "companies": "find"}


@pytest.mark.parametrize(("field", "typed"), BOTH_WAYS.items(), ids=BOTH_WAYS)
def test_what_decides_about_people_is_kept_and_everybody_is_looked_at_again(
    acme, aiko, field, typed
):
    send(aiko, page(acme.rule), **{field: typed})
    assert getattr(stored(acme.rule), field) == typed and stored(acme.rule).recheck
    assert form_of(aiko.get(page(acme.rule)))[field] == typed


ABOUT_NOBODY = {
    "no cap on cards": ("card_cap", "0"),
    "a marker": ("marker", "acme-T1"),
    "no sweep": ("sweep_every", "0"),
}


@pytest.mark.parametrize(("field", "typed"), ABOUT_NOBODY.values(), ids=ABOUT_NOBODY)
def test_what_decides_about_nobody_is_kept_and_nobody_is_looked_at_again(acme, aiko, field, typed):
    send(aiko, page(acme.rule), **{field: typed})
    assert str(getattr(stored(acme.rule), field)) == typed and not stored(acme.rule).recheck
    assert form_of(aiko.get(page(acme.rule)))[field] == typed


def test_a_tag_of_the_connection_before_is_told(acme, aiko):
    """Tags belong to a connection, and the list of the page is that of the stored one."""
    other = rows.connection(acme.account, "sansan", slug="second")
    response = send(aiko, page(acme.draft), sansan=str(other.pk), marker="acme-T1")
    assert errors(response).keys() == {"marker"} and "the connection before" in str(
        errors(response)["marker"]
    )
    assert stored(acme.draft).sansan_id == acme.sansan.pk
    send(aiko, page(acme.draft), sansan=str(other.pk), marker="")
    assert stored(acme.draft).sansan_id == other.pk


def test_a_new_rule_has_its_directions_too_and_its_tag_later(acme, aiko):
    form = form_of(aiko.get(address(SyncRule, "add")))
    assert "marker" not in form and form["card_cap"] == "500"
    send(
        aiko,
        address(SyncRule, "add"),
        slug="made",
        sansan=str(acme.sansan.pk),
        hubspot=str(acme.hubspot.pk),
        direction="to_sansan",
        card_cap="3",
    )
    with in_account(acme.account):
        made = SyncRule.objects.get(slug="made")
    assert (made.direction, made.card_cap, made.state) == ("to_sansan", 3, "draft")


# Filters

BAD_FILTERS = {
    "no JSON": ('{"cards": [}', "not JSON"),
    "half a text": ("{", "not JSON"),
    "a list": ("[]", "filters: must be a mapping"),
    "a text": ('"cards"', "filters: must be a mapping"),
    "a number": ("5", "filters: must be a mapping"),
    "another word": (
        '{"people": []}',
        "filters.people: is not known here; known are cards, contacts",
    ),
    "no list of cards": ('{"cards": 5}', "filters.cards: must be a list"),
    "a row that is none": ('{"cards": ["title"]}', "filters.cards[0]: must be a mapping"),
    "an empty row": ('{"cards": [{}]}', "filters.cards[0].field: is missing"),
    "another field": (
        '{"cards": [{"field": "shoe", "op": "equals", "value": "42"}]}',
        "filters.cards[0].field: “shoe” is not known",
    ),
    "another operator": (
        '{"cards": [{"field": "title", "op": "like", "value": "x"}]}',
        "filters.cards[0].op: “like” is not known",
    ),
    "a value that is a list": (
        '{"contacts": [{"field": "city", "op": "equals", "value": ["x"]}]}',
        "filters.contacts[0].value: must be a text",
    ),
    "one word too many": (
        '{"cards": [{"field": "title", "op": "blank", "not": true}]}',
        "filters.cards[0].not: is not known",
    ),
    "a variable of the environment": (
        '{"cards": [{"field": "title", "op": "equals", "value": "${SECRET_KEY}"}]}',
        "SECRET_KEY is not set",
    ),
}


@pytest.mark.parametrize(("typed", "said"), BAD_FILTERS.values(), ids=BAD_FILTERS)
def test_bad_filters_are_told_with_their_place(acme, aiko, typed, said):
    response = send(aiko, page(acme.draft), slug="renamed", filters=typed)
    assert errors(response).keys() == {"filters"} and said in " ".join(errors(response)["filters"])
    kept = form_of(response)
    assert (without_layout(kept["filters"]), kept["slug"]) == (without_layout(typed), "renamed")
    assert stored(acme.draft).filters == acme.draft.filters


def without_layout(text: str) -> str:
    return re.sub(r'[\s"]', "", text)


def test_every_problem_of_the_filters_is_told_at_once(acme, aiko):
    typed = json.dumps(
        {"cards": [{"field": "shoe", "op": "like"}, {"field": "title", "op": "like"}]}
    )
    assert len(errors(send(aiko, page(acme.draft), filters=typed))["filters"]) == 3


@pytest.mark.parametrize("typed", ["[" * 100_000, '{"cards":' * 50_000], ids=["lists", "mappings"])
def test_filters_nested_beyond_sense_are_no_failure(acme, aiko, typed):
    aiko.raise_request_exception = False
    form = form_of(aiko.get(page(acme.draft)))
    assert aiko.post(page(acme.draft), form | {"filters": typed}).status_code == 200


def test_filters_are_stored_as_the_engine_reads_them(acme, aiko):
    typed = {
        "cards": [
            {"field": "prefecture", "op": "equals", "value": "東京都"},
            {"field": "memo", "op": "blank"},
        ]
    }
    send(aiko, page(acme.draft), filters=json.dumps(typed, ensure_ascii=False))
    assert stored(acme.draft).filters == {
        "cards": [
            {"field": "prefecture", "op": "equals", "value": "東京都"},
            {"field": "memo", "op": "blank", "value": ""},
        ],
        "contacts": [],
    }
    assert "東京都" in form_of(aiko.get(page(acme.draft)))["filters"]


@pytest.mark.parametrize("typed", ["", "null", "{}"])
def test_no_filters_are_no_filters(acme, aiko, typed):
    send(aiko, page(acme.draft), filters=typed)
    assert stored(acme.draft).filters == {"cards": [], "contacts": []}


# Mappings


def row(n: int, **typed: str) -> dict[str, str]:
    return {f"mappings-{n}-{name}": value for name, value in typed.items()}


def added(acme, **typed: str) -> dict[str, str]:
    return {
        "mappings-TOTAL_FORMS": "4",
        **row(
            3, id="", rule=str(acme.rule.pk), policy="always", active="on", position="0", **typed
        ),
    }


BAD_MAPPINGS = {
    "a field that no card has": (
        {"sansan": "shoe", "hubspot": "city"},
        "sansan",
        "No field of a card: “shoe”",
    ),
    "one of two that no card has": (
        {"sansan": "street,shoe", "hubspot": "city"},
        "sansan",
        "“shoe”",
    ),
    "no field": ({"sansan": "", "hubspot": "city"}, "sansan", "required"),
    "a comma": ({"sansan": ",", "hubspot": "city"}, "sansan", "No field"),
    "tags and more": ({"sansan": "tags,title", "hubspot": "city"}, "sansan", "cannot be joined"),
    "no property": ({"sansan": "city", "hubspot": ""}, "hubspot", "required"),
    "a property by its label": (
        {"sansan": "city", "hubspot": "Job Title"},
        "hubspot",
        "not the internal name",
    ),
    "our own key": ({"sansan": "city", "hubspot": "sansan_link_id"}, "hubspot", "our own key"),
    "a property of more letters than a column": (
        {"sansan": "city", "hubspot": "a" * 101},
        "hubspot",
        "100",
    ),
    "a property that is mapped above": (
        {"sansan": "city", "hubspot": "jobtitle"},
        "hubspot",
        "Mapped twice",
    ),
    "a transform that is none": (
        {"sansan": "city", "hubspot": "city", "transform": "rot13"},
        "transform",
        "not one of the available",
    ),
    "a direction that is none": (
        {"sansan": "city", "hubspot": "city", "direction": "up"},
        "direction",
        "not one of the available",
    ),
    "a conflict rule that is none": (
        {"sansan": "city", "hubspot": "city", "conflict": "coin"},
        "conflict",
        "not one of the available",
    ),
}


@pytest.mark.parametrize(("typed", "field", "said"), BAD_MAPPINGS.values(), ids=BAD_MAPPINGS)
def test_a_bad_mapping_is_told_at_its_row(acme, aiko, typed, field, said):
    before = mappings(acme)
    response = send(aiko, page(acme.rule), **added(acme, **typed), slug="renamed")
    assert errors(response).keys() == {f"3.{field}"} and said in str(errors(response)[f"3.{field}"])
    kept = form_of(response)
    assert kept["slug"] == "renamed" and {
        f"mappings-3-{name}": kept[f"mappings-3-{name}"] for name in ("sansan", "hubspot")
    } == row(3, sansan=typed["sansan"], hubspot=typed["hubspot"])
    assert mappings(acme) == before and (stored(acme.rule).slug, stored(acme.rule).recheck) == (
        "acme-cards",
        False,
    )


def test_a_bad_change_of_a_stored_mapping_is_told_at_its_row_too(acme, aiko):
    response = send(aiko, page(acme.rule), **row(1, sansan="shoe"))
    assert (
        errors(response).keys() == {"1.sansan"} and form_of(response)["mappings-1-sansan"] == "shoe"
    )


def test_a_new_mapping_comes_last(acme, aiko):
    send(
        aiko,
        page(acme.rule),
        **added(acme, sansan=" street , building ", hubspot="address", transform="joined"),
    )
    assert mappings(acme)[3] == ("street,building", "address", 3)
    with in_account(acme.account):
        made = FieldMapping.objects.get(hubspot="address")
        assert (made.account_id, made.transform, made.active) == (acme.account.pk, "joined", True)


def test_a_mapping_has_a_direction_and_a_conflict_rule_of_its_own(acme, aiko):
    send(
        aiko,
        page(acme.rule),
        **row(0, direction="to_sansan", conflict="hold"),
        **added(acme, sansan="city", hubspot="city"),
    )
    with in_account(acme.account):
        assert list(acme.rule.mappings.values_list("direction", "conflict")) == [
            ("to_sansan", "hold"),
            ("both", ""),
            ("both", ""),
            ("both", ""),
        ]
    assert stored(acme.rule).recheck


def test_a_mapping_is_removed(acme, aiko):
    send(aiko, page(acme.rule), **row(1, DELETE="on"))
    assert [hubspot for _, hubspot, _ in mappings(acme)] == ["jobtitle", "company"]
    assert stored(acme.rule).recheck


def test_a_mapping_is_switched_off_and_stays(acme, aiko):
    send(aiko, page(acme.rule), **row(0, active=""))
    with in_account(acme.account):
        assert list(acme.rule.mappings.values_list("active", flat=True)) == [False, True, True]


def test_two_mappings_change_places(acme, aiko):
    send(aiko, page(acme.rule), **row(0, position="2"), **row(2, position="0"))
    assert [hubspot for _, hubspot, _ in mappings(acme)] == ["company", "acme_memo", "jobtitle"]


def test_two_mappings_swap_their_properties(acme, aiko):
    """The database takes one row at a time, and no property twice."""
    response = send(
        aiko, page(acme.rule), **row(0, hubspot="company"), **row(2, hubspot="jobtitle")
    )
    assert response.redirect_chain and mappings(acme) == [
        ("title", "company", 0),
        ("memo", "acme_memo", 1),
        ("companyName", "jobtitle", 2),
    ]


def test_a_property_passes_from_a_removed_mapping_to_a_new_one(acme, aiko):
    response = send(
        aiko,
        page(acme.rule),
        **row(0, DELETE="on"),
        **added(acme, sansan="departmentName", hubspot="jobtitle"),
    )
    assert response.redirect_chain and ("departmentName", "jobtitle", 3) in mappings(acme)


def test_another_rule_maps_the_same_property(acme, aiko):
    send(
        aiko,
        page(acme.draft),
        **added(acme, sansan="title", hubspot="jobtitle")
        | {
            "mappings-TOTAL_FORMS": "1",
            **row(
                0,
                id="",
                rule=str(acme.draft.pk),
                sansan="title",
                hubspot="jobtitle",
                policy="always",
                position="0",
            ),
        },
    )
    with in_account(acme.account):
        assert FieldMapping.objects.filter(hubspot="jobtitle").count() == 2


@pytest.mark.parametrize("total", ["", "-1", "abc"])
def test_a_tampered_count_of_rows_is_no_failure(acme, aiko, total):
    aiko.raise_request_exception = False
    before = mappings(acme)
    assert (
        aiko.post(
            page(acme.rule), form_of(aiko.get(page(acme.rule))) | {"mappings-TOTAL_FORMS": total}
        ).status_code
        < 500
    )
    assert mappings(acme) == before


def test_a_mapping_of_another_rule_of_the_account_stays_there(acme, aiko):
    other = rows.rule(acme.account, "other")
    with in_account(acme.account):
        theirs = FieldMapping.objects.create(
            account=acme.account, rule=other, sansan="city", hubspot="city"
        )
    send(aiko, page(acme.rule), **row(0, id=str(theirs.pk), hubspot="stolen"))
    with in_account(acme.account):
        assert list(FieldMapping.objects.filter(pk=theirs.pk).values_list("hubspot", "rule")) == [
            ("city", other.pk)
        ]
        assert not FieldMapping.objects.filter(hubspot="stolen").exists()


def test_the_page_to_add_a_rule_asks_for_no_mappings(aiko):
    assert not [
        name for name in form_of(aiko.get(address(SyncRule, "add"))) if name.startswith("mappings")
    ]
