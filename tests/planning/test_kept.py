"""What HubSpot makes of our values (planning/kept.py, sameness.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from integration.planning.kept import find_not_taken, find_reverted
from integration.planning.rule import MappingRow
from integration.planning.sameness import is_same_meaning
from integration.planning.snapshot import LinkView
from tests.planning.make import at, contact

MEANINGS = {
    "small letters": ("text", "YAMADA", "Yamada", True),
    "full width": ("text", "ＡＣＭＥ", "Acme", True),
    "another word": ("text", "部長", "Director", False),
    "blank": ("text", "部長", "", False),
    "a number of the United States": ("phone", "(650) 253-0000", "+1 650-253-0000", True),
    "a number of Great Britain": ("phone", "020 7031 3000", "+442070313000", True),
    "a number of Japan": ("phone", "03-1234-5678", "+81 3-1234-5678", True),
    "another number": ("phone", "03-1234-5678", "+81 3-1234-5679", False),
    "a short number": ("phone", "110", "0110", False),
    "no number": ("phone", "03-1234-5678", "", False),
    "digits of a text": ("text", "650253", "1650253", False),
    "options in another order": ("checkbox", "a;b", "b;a", True),
    "a stage": ("text", "lead", "customer", False),
}


@pytest.mark.parametrize(("kind", "one", "other", "same"), MEANINGS.values(), ids=MEANINGS)
def test_whether_a_value_means_the_same(kind, one, other, same):
    assert is_same_meaning(kind, one, other) is is_same_meaning(kind, other, one) is same


WROTE = at("2026-05-01T10:00")
REVERTED = {
    "at once": ({"jobtitle": "部長"}, "部長", 1, True),
    "much later": ({"jobtitle": "部長"}, "部長", 60, False),
    "another value than before": ({"jobtitle": "課長"}, "部長", 1, False),
    "never written": ({}, "部長", 1, False),
}


@pytest.mark.parametrize(("written", "value", "minutes", "found"), REVERTED.values(), ids=REVERTED)
def test_what_is_lost_as_soon_as_it_is_written(written, value, minutes, found):
    link = LinkView("L1", "101", written=written, confirmed_at=WROTE)
    changed = {"jobtitle": WROTE + timedelta(minutes=minutes)}
    read = replace(contact("101", jobtitle="Director"), changed=changed)
    assert find_reverted(link, read, {"jobtitle": value}) == ({"jobtitle"} if found else set())


ROWS = [MappingRow(("title",), "jobtitle"), MappingRow(("tel",), "phone", kind="phone")]
NOT_TAKEN = {
    "another value": ("部長", "Director", "Director", ["jobtitle"]),
    "another form": ("CEO", "Ceo", "Ceo", []),
    "edited since": ("部長", "Director", "Boss", []),
    "as written": ("部長", "部長", "部長", []),
}


@pytest.mark.parametrize(
    ("wrote", "answered", "present", "names"), NOT_TAKEN.values(), ids=NOT_TAKEN
)
def test_what_hubspot_does_not_take(wrote, answered, present, names):
    values = {"jobtitle": wrote}
    found = find_not_taken(
        ROWS,
        wanted=values,
        present={"jobtitle": present},
        written=values,
        answered={"jobtitle": answered},
    )
    assert found == names
    other = find_not_taken(
        ROWS,
        wanted={"jobtitle": "another title"},
        present={"jobtitle": present},
        written=values,
        answered={"jobtitle": answered},
    )
    assert other == [], "the card says something else by now"
