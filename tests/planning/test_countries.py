"""Countries by name and code (planning/countries.py, transforms.py)."""

from __future__ import annotations

import pytest

from integration.planning.countries import find_country_code, list_country_names, name_country
from integration.planning.sameness import is_same_by_kind
from integration.planning.transforms import TRANSFORMS


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("JP", "JP"),
        ("jp", "JP"),
        ("ＪＰ", "JP"),
        ("Japan", "JP"),
        ("JAPAN", "JP"),
        ("日本", "JP"),
        ("U.S.A.", "US"),
        ("Vereinigte Staaten", "US"),
        ("大韓民国", "KR"),
        ("韓国", "KR"),
        ("", ""),
        ("XX", ""),
        ("Tokyo", ""),
    ],
)
def test_a_code_or_a_name_in_any_language(text, code):
    assert find_country_code(text) == code


@pytest.mark.parametrize(
    ("code", "english", "japanese"),
    [
        ("JP", "Japan", "日本"),
        ("GB", "United Kingdom", "イギリス"),
        ("XX", "XX", "XX"),
        ("", "", ""),
    ],
)
def test_the_name_of_a_code(code, english, japanese):
    assert TRANSFORMS["country"]([code], "") == english
    assert TRANSFORMS["country_ja"]([code], "") == japanese


def test_every_country_has_a_name_in_both_languages():
    english, japanese = list_country_names("en"), list_country_names("ja")
    assert english.keys() == japanese.keys() and 245 < len(english) < 255
    assert all((*english.values(), *japanese.values()))
    assert name_country("HK", "ja") == "香港"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("Japan", "JP", True), ("日本", "Japan", True), ("Korea", "Japan", False), ("x", "X", False)],
)
def test_a_country_that_we_did_not_write(one, other, same):
    assert is_same_by_kind("country", one, other, ours=False) is same
    assert is_same_by_kind("country", one, other, ours=True) is False
