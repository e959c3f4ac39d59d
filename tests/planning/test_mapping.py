import pytest

from integration.planning.mapping import map_card
from tests.planning.make import AIKO, ROWS, row, rule


@pytest.mark.parametrize(
    ("rows", "values", "wanted"),
    [
        ([row("title", "jobtitle")], {"title": "部長"}, {"jobtitle": "部長"}),
        ([row("title", "jobtitle")], {}, {"jobtitle": ""}),
        ([row("title", "jobtitle")], {"title": " 部長\n"}, {"jobtitle": "部長"}),
        ([row("companyName", "company")], {"companyName": "㈱アクメ"}, {"company": "㈱アクメ"}),
        ([row("lastName+firstName", "full")], AIKO, {"full": "森 愛子"}),
        (
            [row("street+building", "address", transform="joined")],
            {"street": "1-2-3", "building": "森ビル"},
            {"address": "1-2-3森ビル"},
        ),
        ([row("street+building", "address")], {"building": "森ビル"}, {"address": "森ビル"}),
        (
            [row("tel", "phone", transform="phone")],
            {"tel": "(212) 555-0123", "countryCode": "US"},
            {"phone": "+12125550123"},
        ),
        (
            [row("tel", "phone", transform="phone")],
            {"tel": "03-1234-5678"},
            {"phone": "+81312345678"},
        ),
        (
            [row("title", "a"), row("title", "b", transform="upper")],
            {"title": "cto"},
            {"a": "cto", "b": "CTO"},
        ),
    ],
)
def test_mapped(rows, values, wanted):
    assert map_card(values, (), rows) == wanted


@pytest.mark.parametrize(("tags", "value"), [((), ""), (("t2", "t1"), "t1;t2"), (("t1",), "t1")])
def test_tags_are_a_list_of_ids_in_one_order(tags, value):
    assert map_card({"tags": "not this"}, tags, [row("tags", "sansan_tags")]) == {
        "sansan_tags": value
    }


def test_every_mapped_property_is_named_even_where_the_card_is_blank():
    assert set(map_card({}, (), ROWS)) == {one.hubspot for one in ROWS}


@pytest.mark.parametrize(
    ("members", "extra"),
    [({}, ["sansan_link_id", "sansan_card_id"]), ({"link_property": False}, [])],
)
def test_the_properties_that_a_plan_reads(members, extra):
    assert list(rule(row("title", "jobtitle"), **members).properties) == [
        "jobtitle",
        "email",
        *extra,
    ]
