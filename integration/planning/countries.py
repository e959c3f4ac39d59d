"""Countries by their names and codes (ISO 3166-1 alpha-2), from Unicode's CLDR."""

from __future__ import annotations

from functools import cache, lru_cache

from babel import Locale

from integration.planning.normalize import normalize_text

# Languages in which a name is recognised; the first of them with a name has it.
KNOWN_LANGUAGES = ("en", "ja", "zh", "ko", "de", "fr", "es")
# What CLDR has beside the countries of ISO 3166-1.
NO_COUNTRIES = frozenset(
    {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
)
# Code -> the name by which a form asks for it, where CLDR says more.
FORM_NAMES = {
    "HK": {"en": "Hong Kong", "ja": "香港"},
    "MO": {"en": "Macao", "ja": "マカオ"},
    "MM": {"en": "Myanmar"},
}
# What people write, beside the names of CLDR.
SHORT_NAMES = {
    "usa": "US",
    "u.s.a.": "US",
    "u.s.": "US",
    "america": "US",
    "united states of america": "US",
    "アメリカ": "US",
    "米国": "US",
    "uk": "GB",
    "u.k.": "GB",
    "great britain": "GB",
    "england": "GB",
    "英国": "GB",
    "korea": "KR",
    "republic of korea": "KR",
    "大韓民国": "KR",
    "中国": "CN",
    "中華人民共和国": "CN",
    "日本国": "JP",
    "turkey": "TR",
}


@cache
def list_country_names(language: str) -> dict[str, str]:
    """Code -> name in a language."""
    names = dict(Locale(language).territories.items())
    countries = {
        code: str(name)
        for code, name in names.items()
        if code.isalpha() and code not in NO_COUNTRIES
    }
    forms = {code: named[language] for code, named in FORM_NAMES.items() if language in named}
    return countries | forms


def name_country(code: str, language: str) -> str:
    """The name of a country in a language ("en", "ja"), "" where the code is none."""
    return list_country_names(language).get(code.upper(), "")


@lru_cache(maxsize=1024)
def find_country_code(text: str) -> str:
    """Two letters for a code, or for a name in one of the languages; "" where it is no
    country's.
    """
    key = normalize_text(text)
    code = key.upper()
    return code if code in list_country_names("en") else index_names().get(key.casefold(), "")


@cache
def index_names() -> dict[str, str]:
    """Folded name -> code."""
    found = dict(SHORT_NAMES)
    for language in KNOWN_LANGUAGES:
        for code, name in list_country_names(language).items():
            found.setdefault(normalize_text(name).casefold(), code)
    return found


def is_same_country(one: str, other: str) -> bool:
    """By code or name, in any of the languages."""
    return find_country_code(one) == find_country_code(other) != ""
