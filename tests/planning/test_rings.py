"""Who gives up an address, and who keeps one for now (planning/rings.py)."""

from __future__ import annotations

import pytest

from integration.planning.rings import choose_givers, find_rings, find_staying

# Contact -> the one whose address it is to get; those who are planned; who gives up; who stays.
RINGS = {
    "nobody": ({}, "", "", ""),
    "one waits for one who moves": ({"a": "b"}, "ab", "", ""),
    "one waits for one who stays": ({"a": "b"}, "a", "", "a"),
    "a line": ({"a": "b", "b": "c"}, "abc", "", ""),
    "a line whose end stays": ({"a": "b", "b": "c"}, "ab", "", "ab"),
    "two": ({"a": "b", "b": "a"}, "ab", "a", "ab"),
    "three": ({"b": "c", "c": "a", "a": "b"}, "abc", "a", "abc"),
    "one who waits for a ring": ({"x": "a", "a": "b", "b": "a"}, "abx", "a", "abx"),
    "two who wait for one": ({"x": "a", "y": "a"}, "axy", "", ""),
    "two rings": ({"a": "b", "b": "a", "c": "d", "d": "c"}, "abcd", "ac", "abcd"),
    "a ring that leads out of what is planned": ({"b": "c", "c": "b"}, "c", "c", "bc"),
    "a ring elsewhere": ({"x": "y", "b": "c", "c": "b"}, "xy", "", "bc"),
}


@pytest.mark.parametrize(("waits", "planned", "givers", "staying"), RINGS.values(), ids=RINGS)
def test_who_gives_up_and_who_stays(waits, planned, givers, staying):
    assert choose_givers(find_rings(waits), planned) == set(givers)
    assert find_staying(waits, planned) == set(staying)
