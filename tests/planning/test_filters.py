import pytest

from integration.notes import note, write_english
from integration.planning.filters import (
    OPERATORS,
    find_unmet_card_filter,
    find_unmet_contact_filter,
    note_card_filter,
    note_contact_filter,
)
from integration.planning.rule import Filter
from tests.planning.make import card, contact, only


@pytest.mark.parametrize(
    ("op", "want", "have", "holds"),
    [
        ("equals", "部長", "部長", True),
        ("equals", "CTO", "ｃｔｏ", True),
        ("equals", "部長", "副部長", False),
        ("equals", "", "", True),
        ("not_equals", "部長", "課長", True),
        ("not_equals", "CTO", "cto", False),
        ("not_equals", "部長", "", True),
        ("contains", "部", "営業部長", True),
        ("contains", "SALES", "Ｓａｌｅｓ Manager", True),
        ("contains", "課", "営業部長", False),
        ("starts_with", "営業", "営業部長", True),
        ("starts_with", "部長", "営業部長", False),
        ("blank", "", "", True),
        ("blank", "", " \u3000", True),
        ("blank", "", "部長", False),
        ("not_blank", "", "部長", True),
        ("not_blank", "", "  ", False),
    ],
)
def test_an_operator_on_text(op, want, have, holds):
    filters = only("title", op, want)
    assert (find_unmet_card_filter(card(title=have), filters) is None) is holds
    assert (find_unmet_contact_filter(contact(title=have), filters) is None) is holds


@pytest.mark.parametrize(
    ("op", "day", "holds"),
    [
        ("on_or_after", "2026-04-01", True),
        ("on_or_after", "2026-04-02", True),
        ("on_or_after", "2026-03-31", False),
        ("on_or_after", "", False),
        ("on_or_before", "2026-04-01", True),
        ("on_or_before", "2026-03-31", True),
        ("on_or_before", "2026-04-02", False),
        ("on_or_before", "", False),
    ],
)
def test_an_operator_on_the_exchange_date(op, day, holds):
    assert (
        find_unmet_card_filter(card(day=day), only("exchangeDate", op, "2026-04-01")) is None
    ) is holds


@pytest.mark.parametrize(
    ("op", "fails"),
    [("blank", False), ("not_blank", True), ("equals", True), ("not_equals", False)],
)
def test_a_field_that_the_card_does_not_have_is_blank(op, fails):
    assert (find_unmet_card_filter(card(), only("memo", op, "x")) is not None) is fails


def test_all_filters_must_hold_and_the_first_that_fails_is_named():
    filters = (
        Filter("title", "not_blank"),
        Filter("companyName", "contains", "ベータ"),
        Filter("title", "equals", "課長"),
    )
    assert find_unmet_card_filter(card(title="部長"), filters) == filters[1]
    assert find_unmet_card_filter(card(title="部長"), filters[:1]) is None
    assert find_unmet_card_filter(card(), ()) is None


CRITERIA = {
    "with a value": (Filter("title", "equals", "部長"), "title equals 部長"),
    "without a value": (Filter("title", "blank"), "title blank"),
}


@pytest.mark.parametrize(("one", "text"), CRITERIA.values(), ids=CRITERIA)
def test_a_criterion_of_a_card_as_a_note(one, text):
    told = note_card_filter(one)
    assert told == note("criterion", field=one.field, op=one.op, value=one.value)
    assert write_english(told) == text


@pytest.mark.parametrize(("one", "text"), CRITERIA.values(), ids=CRITERIA)
def test_a_criterion_of_a_contact_as_a_note(one, text):
    told = note_contact_filter(one)
    assert told == note("contact_criterion", property=one.field, op=one.op, value=one.value)
    assert write_english(told) == text


def test_every_operator_is_tried_above():
    assert set(OPERATORS) == {
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "starts_with",
        "blank",
        "not_blank",
        "on_or_after",
        "on_or_before",
    }


HALF_PAST_MIDNIGHT = "2026-07-31T15:30:00Z"  # of the first of August in Tokyo


@pytest.mark.parametrize(
    ("op", "day", "have", "holds"),
    [
        ("on_or_after", "2026-08-01", HALF_PAST_MIDNIGHT, True),
        ("on_or_after", "2026-08-02", HALF_PAST_MIDNIGHT, False),
        ("on_or_before", "2026-08-01", "2026-08-01T14:59:59.999Z", True),
        ("on_or_before", "2026-08-01", "2026-08-01T15:00:00.000Z", False),
        ("equals", "2026-08-01", HALF_PAST_MIDNIGHT, True),
        ("not_equals", "2026-08-01", HALF_PAST_MIDNIGHT, False),
        ("equals", "2026-08-01", "2026-08-01T09:00:00+09:00", True),
        ("equals", "2026-08-01", "2026-08-01", True),
        ("equals", HALF_PAST_MIDNIGHT, HALF_PAST_MIDNIGHT, True),
        ("contains", "15:30", HALF_PAST_MIDNIGHT, True),
        ("on_or_after", "2026-08-01", "", False),
        ("equals", "2026-08-01", "2026-13-45T99", False),
    ],
)
def test_a_moment_is_of_the_accounts_day(op, day, have, holds):
    found = find_unmet_contact_filter(
        contact(createdate=have), only("createdate", op, day), "Asia/Tokyo"
    )
    assert (found is None) is holds
