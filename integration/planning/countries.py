"""Countries by their names and codes (ISO 3166-1), from the data of phonenumbers."""

from __future__ import annotations

from functools import cache

from phonenumbers.geodata.locale import LOCALE_DATA

from integration.planning.normalize import normalize_text

# What people write, beside the names of the data.
SHORT_NAMES = {
    "usa": "US",
    "u.s.a.": "US",
    "u.s.": "US",
    "america": "US",
    "アメリカ": "US",
    "米国": "US",
    "uk": "GB",
    "u.k.": "GB",
    "great britain": "GB",
    "england": "GB",
    "英国": "GB",
    "korea": "KR",
    "韓国": "KR",
    "中国": "CN",
    "日本国": "JP",
}


def name_country(code: str, language: str) -> str:
    """The name of a country in a language ("en", "ja"), "" where the code is none."""
    names = LOCALE_DATA.get(code.upper(), {})
    name = names.get(language, "")
    # A name that is the same in another language is told by that one: "*aa".
    return str(names.get(name[1:], "") if name.startswith("*") else name)


def find_country_code(text: str) -> str:
    """Two letters for a code, or for a name in any language; "" where it is no country's."""
    key = normalize_text(text)
    return key.upper() if key.upper() in LOCALE_DATA else index_names().get(key.casefold(), "")


@cache
def index_names() -> dict[str, str]:
    """Folded name -> code, of the names that are one country's only."""
    found: dict[str, set[str]] = {}
    for code, names in LOCALE_DATA.items():
        for name in names.values():
            if not name.startswith("*"):
                found.setdefault(normalize_text(name).casefold(), set()).add(code)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1} | SHORT_NAMES


def is_same_country(one: str, other: str) -> bool:
    """By code or name, in any language."""
    return find_country_code(one) == find_country_code(other) != ""
