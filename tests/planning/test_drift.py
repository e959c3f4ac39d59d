"""What has changed of a portal's properties (planning/drift.py)."""

from __future__ import annotations

from typing import Any

import pytest

from integration.planning.drift import find_drift


def prop(**more: Any) -> dict[str, Any]:
    return {"type": "string", "field_type": "text", "read_only": False, "options": {}, **more}


RANK, CHOICE = prop(), prop(type="enumeration", options={"a": "A"})
DRIFTS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str], set[str]]] = {
    "nothing was known": ({}, {"rank": RANK}, set(), set()),
    "the same": ({"rank": RANK}, {"rank": RANK}, set(), set()),
    "of what is known by its options alone": (
        {"rank": {"options": {}}},
        {"rank": RANK},
        {"rank"},
        set(),
    ),
    "another label": ({"rank": RANK}, {"rank": prop(label="Rank")}, set(), set()),
    "vanished": ({"rank": RANK, "x": RANK}, {"x": RANK}, set(), set()),
    "back": ({"x": RANK}, {"rank": RANK, "x": RANK}, {"rank"}, set()),
    "another type": ({"rank": RANK}, {"rank": prop(type="number")}, {"rank"}, set()),
    "another field": ({"rank": RANK}, {"rank": prop(field_type="textarea")}, {"rank"}, set()),
    "locked": ({"rank": RANK}, {"rank": prop(read_only=True)}, {"rank"}, set()),
    "one more option": (
        {"rank": CHOICE},
        {"rank": prop(type="enumeration", options={"a": "A", "b": "B"})},
        set(),
        {"rank"},
    ),
    "an option lost": ({"rank": CHOICE}, {"rank": prop(type="enumeration")}, set(), {"rank"}),
    "an option renamed": (
        {"rank": CHOICE},
        {"rank": prop(type="enumeration", options={"a": "Alpha"})},
        set(),
        set(),
    ),
}


@pytest.mark.parametrize(("before", "after", "renewed", "options"), DRIFTS.values(), ids=DRIFTS)
def test_what_has_drifted(before, after, renewed, options):
    assert find_drift(before, after) == (renewed, options)
