"""Copies of one card that several rules hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from integration.delivery.copies import agree_copies
from integration.slice.rows import Row

WIDE, NARROW = 1, 2  # rules, and the fields that they keep
KEPT = {WIDE: frozenset({"lastName", "title", "city"}), NARROW: frozenset({"lastName"})}
ALL = {"lastName": "森", "title": "課長", "city": "港区"}


def at(hour):
    return datetime(2026, 4, 1, hour, tzinfo=UTC)


def row(rule, changed=9, read=9, *, id="A", values=None, day=1, **columns):
    found: dict[str, Any] = dict.fromkeys(Row._fields)
    found |= {
        "id": rule,
        "rule_id": rule,
        "external_id": id,
        "values": ALL if values is None else values,
        "tags": ["T1"],
        "person_key": "p",
        "email_key": "a@x",
        "exchanged_on": date(2026, 3, day),
        "changed_at": at(changed),
        "read_at": at(read),
        "bucket": "linked",
        "reason": "in_sync",
    }
    return Row(**found | columns)


def says(one):
    return one.values, one.tags, one.email_key, one.person_key, one.exchanged_on, one.changed_at


def test_one_copy_stays_as_it_is():
    rows = [row(WIDE), row(NARROW, id="B", values={}, barred={"why": "x"})]
    assert agree_copies(rows, KEPT) == rows


@pytest.mark.parametrize(
    ("older", "last"),
    [
        (
            row(WIDE),
            row(
                NARROW, changed=10, day=2, values=ALL, tags=["T2"], email_key="b@x", person_key="q"
            ),
        ),
        (
            row(NARROW),
            row(
                WIDE,
                changed=10,
                day=2,
                values={"lastName": "林"},
                tags=[],
                email_key="",
                person_key="",
            ),
        ),
        (row(WIDE, read=9), row(NARROW, read=10, values=ALL, tags=["T2"])),
        (row(WIDE, changed=10, reason="new_card", tags=[]), row(NARROW, changed=9, values=ALL)),
        (row(WIDE, read=10, bucket="unseen", tags=["T9"]), row(NARROW, values=ALL)),
    ],
    ids=[
        "changed later",
        "the other way round",
        "read later",
        "made by us, not read yet",
        "seen no more",
    ],
)
def test_the_copy_that_was_read_last_is_what_all_say(older, last):
    for rows in ([older, last], [last, older]):
        found = {one.rule_id: one for one in agree_copies(rows, KEPT)}
        assert {rule: (one.id, one.bucket, one.reason) for rule, one in found.items()} == {
            one.rule_id: (one.id, one.bucket, one.reason) for one in rows
        }
        assert says(found[last.rule_id]) == says(last)
        assert says(found[older.rule_id])[1:] == says(last)[1:]
        unread = {
            name: value for name, value in older.values.items() if name not in KEPT[last.rule_id]
        }
        assert found[older.rule_id].values == unread | last.values


def test_what_was_cleared_is_cleared_and_what_is_not_read_stays():
    wide, narrow = agree_copies(
        [row(WIDE), row(NARROW, changed=10, values={"lastName": "林"})], KEPT
    )
    assert wide.values == {"lastName": "林", "title": "課長", "city": "港区"} and narrow.values == {
        "lastName": "林"
    }
    wide, narrow = agree_copies(
        [row(WIDE, changed=10, values={"lastName": "林"}), row(NARROW, values={"lastName": "森"})],
        KEPT,
    )
    assert wide.values == narrow.values == {"lastName": "林"}


@pytest.mark.parametrize("out", [WIDE, NARROW])
def test_of_a_copy_out_of_scope_no_field_is_known(out):
    """It is as old as it may be: the other one keeps its fields, and both have the tags that the
    card has now.
    """
    rows = [row(WIDE), row(NARROW)]
    rows[out - 1] = row(out, changed=10, values={}, tags=["T9"], email_key="", person_key="")
    found = {one.rule_id: one for one in agree_copies(rows, KEPT)}
    assert (
        found[out].values == {}
        and found[3 - out].values == ALL
        and found[3 - out].email_key == "a@x"
    )
    assert [one.tags for one in found.values()] == [["T9"]] * 2


def test_barred_in_one_rule_is_barred_in_all():
    assert {
        one.barred and one.barred["why"]
        for one in agree_copies([row(WIDE), row(NARROW, changed=5, barred={"why": "asked"})], KEPT)
    } == {"asked"}
