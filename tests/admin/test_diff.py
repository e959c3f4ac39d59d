"""Where two values differ."""

from __future__ import annotations

import pytest

from integration.admin.parts.diff import cut_into_pieces

CASES = {
    "one letter": ("課長", "部長", "[課]長", "[部]長"),
    "something added": ("Acme", "Acme KK", "Acme", "Acme[ KK]"),
    "something taken away": ("Acme KK", "Acme", "Acme[ KK]", "Acme"),
    "in the middle": ("1-2-3", "1-9-3", "1-[2]-3", "1-[9]-3"),
    "nothing": ("same", "same", "same", "same"),
    "nothing alike": ("abc", "xyz", "[abc]", "[xyz]"),
    "from blank": ("", "new", "", "[new]"),
    "to blank": ("old", "", "[old]", ""),
    "both blank": ("", "", "", ""),
    "too long to compare": ("a" * 301, "a" * 302, f"[{'a' * 301}]", f"[{'a' * 302}]"),
}


@pytest.mark.parametrize(("before", "after", "old", "new"), CASES.values(), ids=CASES)
def test_pieces(before, after, old, new):
    assert tuple(
        "".join(f"[{text}]" if differs else text for text, differs in side)
        for side in cut_into_pieces(before, after)
    ) == (old, new)


PAIRS = {
    "one letter differs": ("課長", "部長"),
    "one word goes and one comes": ("a b c", "a c d"),
    "from nothing": ("", "x"),
    "long to short": ("x" * 400, "y"),
}


@pytest.mark.parametrize(("before", "after"), PAIRS.values(), ids=PAIRS)
def test_no_letter_is_lost(before, after):
    old, new = cut_into_pieces(before, after)
    assert ("".join(text for text, _ in old), "".join(text for text, _ in new)) == (before, after)
