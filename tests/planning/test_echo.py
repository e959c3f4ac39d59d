"""What a change in HubSpot is to us: our own write, known already, nothing of ours, or an edit."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.planning.echo import (
    ECHO,
    ECHO_AND_EDIT,
    EDITED,
    OLD,
    UNTOUCHED,
    is_value_as_left,
    judge_change,
)
from integration.planning.snapshot import LinkView
from integration.records import ContactRead
from tests.planning.make import at

quick = settings(max_examples=200, derandomize=True, deadline=None, database=None)
BEFORE, THEN, AFTER = at("2026-04-01"), at("2026-04-02"), at("2026-04-03")
WRITTEN = {"lastname": "森", "jobtitle": "ｶﾁｮｳ"}
LINK = LinkView("L", "101", WRITTEN, {"jobtitle": "カチョウ"}, modified_at=THEN)
WATCHED = ("lastname", "jobtitle", "phone")


def read(moment, id: str = "101", **values: str) -> ContactRead:
    return ContactRead(id, {**WRITTEN, **values}, moment)


@pytest.mark.parametrize(
    ("moment", "values", "awaiting", "said"),
    [
        (THEN, {}, True, ECHO),
        (THEN, {}, False, OLD),
        (THEN, {"jobtitle": "部長"}, True, ECHO_AND_EDIT),
        (THEN, {"jobtitle": "部長"}, False, OLD),
        (BEFORE, {}, True, OLD),
        (BEFORE, {"jobtitle": "部長"}, True, OLD),
        (BEFORE, {"jobtitle": "部長"}, False, OLD),
        (AFTER, {}, True, ECHO),
        (AFTER, {}, False, UNTOUCHED),
        (AFTER, {"jobtitle": "カチョウ"}, True, ECHO),
        (AFTER, {"jobtitle": "部長"}, True, EDITED),
        (AFTER, {"jobtitle": "部長"}, False, EDITED),
        (AFTER, {"jobtitle": ""}, False, EDITED),
        (AFTER, {"phone": "03-1234-5678"}, False, EDITED),
        (AFTER, {"phone": ""}, False, UNTOUCHED),
        (AFTER, {"hs_email_open": "7"}, False, UNTOUCHED),
        (None, {}, True, ECHO),
        (None, {}, False, UNTOUCHED),
        (None, {"jobtitle": "部長"}, False, EDITED),
    ],
)
def test_what_a_change_is(moment, values, awaiting, said):
    assert judge_change(replace(LINK, awaiting=awaiting), read(moment, **values), WATCHED) == said


@pytest.mark.parametrize(
    ("moment", "awaiting"), [(THEN, True), (BEFORE, True), (AFTER, False), (None, True)]
)
def test_under_another_id_it_was_merged(moment, awaiting):
    assert judge_change(replace(LINK, awaiting=awaiting), read(moment, id="202"), WATCHED) == EDITED


@pytest.mark.parametrize(
    ("moment", "values", "said"),
    [(BEFORE, {}, UNTOUCHED), (BEFORE, {"jobtitle": "部長"}, EDITED), (AFTER, {}, UNTOUCHED)],
)
def test_of_a_link_that_knows_no_time_the_values_decide(moment, values, said):
    assert judge_change(replace(LINK, modified_at=None), read(moment, **values), WATCHED) == said


def test_a_property_that_was_not_asked_for_is_blank():
    assert (
        judge_change(replace(LINK, written={}), ContactRead("101", {}, AFTER), WATCHED) == UNTOUCHED
    )
    assert judge_change(LINK, ContactRead("101", {}, AFTER), WATCHED) == EDITED


def test_nobody_watches_anything():
    assert judge_change(LINK, read(AFTER, jobtitle="部長"), ()) == UNTOUCHED


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("jobtitle", "ｶﾁｮｳ", True),
        ("jobtitle", "カチョウ", True),
        ("jobtitle", "部長", False),
        ("jobtitle", "", False),
        ("phone", "", True),
        ("phone", "1", False),
        ("lastname", "", False),
    ],
)
def test_a_property_as_we_left_it(name, value, said):
    assert is_value_as_left(LINK, name, value) is said


@quick
@given(
    values=st.dictionaries(st.sampled_from(WATCHED), st.sampled_from(["", "森", "ｶﾁｮｳ", "部長"])),
    moment=st.sampled_from([None, BEFORE, THEN, AFTER]),
    awaiting=st.booleans(),
)
def test_a_second_telling_is_never_news(values, moment, awaiting):
    """Once a change was met (its time is noted, and nothing is awaited any more), meeting it again
    says nothing new.
    """
    link, contact = (
        replace(LINK, awaiting=awaiting),
        ContactRead("101", {**WRITTEN, **values}, moment),
    )
    first = judge_change(link, contact, WATCHED)
    met = link if first == OLD else replace(link, modified_at=moment, awaiting=False)
    again = judge_change(met, contact, WATCHED)
    assert again != ECHO or first == OLD, "no echo is counted twice"
    if moment is not None and first != OLD:
        assert again == OLD


@pytest.mark.parametrize(
    ("awaiting", "moment"), list(product([True, False], [BEFORE, THEN, AFTER]))
)
def test_disorder_brings_no_edit_back(awaiting, moment):
    """A version from before our write is never taken for an edit, whatever it says."""
    if moment < AFTER:
        assert (
            judge_change(replace(LINK, awaiting=awaiting), read(moment, jobtitle="部長"), WATCHED)
            != EDITED
        )
