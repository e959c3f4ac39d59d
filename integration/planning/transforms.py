"""Named transforms: how the text of one or more card fields becomes the value of a property."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from integration.planning.countries import find_country_code, name_country
from integration.planning.normalize import (
    KATAKANA_TO_HIRAGANA,
    LEGAL_FORM,
    is_email,
    normalize_email,
    normalize_phone,
    normalize_text,
)

Transform = Callable[[Sequence[str], str], str]


def join_as_printed(parts: Sequence[str], country: str) -> str:
    """The card's own text; several fields are joined by a space."""
    return " ".join(part for part in parts if part)


def tidy_text(parts: Sequence[str], country: str) -> str:
    """Widths folded (Ａ becomes A), spaces tidied."""
    return normalize_text(join_as_printed(parts, country))


def tidy_email(parts: Sequence[str], country: str) -> str:
    """Folded, because the address is the match key; an address no contact can have becomes
    blank.
    """
    key = normalize_email(join_as_printed(parts, country))
    return key if is_email(key) else ""


def format_phone(parts: Sequence[str], country: str) -> str:
    """International form (+81312345678) where the number can be read."""
    return normalize_phone(join_as_printed(parts, country), country)


def make_upper(parts: Sequence[str], country: str) -> str:
    return join_as_printed(parts, country).upper()


def make_lower(parts: Sequence[str], country: str) -> str:
    return join_as_printed(parts, country).lower()


def join_tight(parts: Sequence[str], country: str) -> str:
    """Several fields joined without a space, as a Japanese address is written."""
    return "".join(part for part in parts if part)


def format_date(parts: Sequence[str], country: str) -> str:
    """YYYY-MM-DD; anything that is not a date becomes blank."""
    try:
        return date.fromisoformat(join_as_printed(parts, country)[:10]).isoformat()
    except ValueError:
        return ""


def find_number(parts: Sequence[str], country: str) -> str:
    """The first number in the text, full-width digits and thousands' commas folded; "" where there
    is none.
    """
    found = NUMBER_IN_TEXT.search(normalize_text(join_as_printed(parts, country)).replace(",", ""))
    return found.group(0) if found else ""


def make_yes_no(parts: Sequence[str], country: str) -> str:
    """``true`` or ``false``, for a checkbox property; a text that does not say no means yes."""
    said = normalize_text(join_as_printed(parts, country)).casefold()
    return ("false" if said in NO_WORDS else "true") if said else ""


def make_country_name(parts: Sequence[str], country: str) -> str:
    """JP becomes Japan; what is no code stays as it is."""
    text = join_as_printed(parts, country)
    return name_country(find_country_code(text), "en") or text


def make_japanese_country_name(parts: Sequence[str], country: str) -> str:
    """JP becomes 日本."""
    text = join_as_printed(parts, country)
    return name_country(find_country_code(text), "ja") or text


def find_domain(parts: Sequence[str], country: str) -> str:
    """The domain of an address or of a web address."""
    plain = normalize_text(join_as_printed(parts, country)).lower()
    place = plain.partition("://")[2] if "://" in plain else plain
    host = re.split(r"[/?#]", place)[0].rpartition("@")[2]
    return host.split(":")[0].removeprefix("www.")


def strip_legal_form(parts: Sequence[str], country: str) -> str:
    """A company's name without its legal form (株式会社, Inc.), otherwise as printed."""
    folded = normalize_text(join_as_printed(parts, country))
    return " ".join(LEGAL_FORM.sub(" ", folded).split()) or folded


def make_katakana(parts: Sequence[str], country: str) -> str:
    return normalize_text(join_as_printed(parts, country)).translate(HIRAGANA_TO_KATAKANA)


def make_hiragana(parts: Sequence[str], country: str) -> str:
    return normalize_text(join_as_printed(parts, country)).translate(KATAKANA_TO_HIRAGANA)


def capitalize_words(parts: Sequence[str], country: str) -> str:
    """YAMADA taro becomes Yamada Taro."""
    return " ".join(
        word[:1].upper() + word[1:].lower() for word in join_as_printed(parts, country).split()
    )


NO_WORDS = frozenset(("no", "n", "false", "0", "×", "x", "いいえ", "なし", "無", "否"))
NUMBER_IN_TEXT = re.compile(r"-?\d+(?:\.\d+)?")
HIRAGANA_TO_KATAKANA = {small: large for large, small in KATAKANA_TO_HIRAGANA.items()}
TRANSFORMS: dict[str, Transform] = {
    "": join_as_printed,
    "text": tidy_text,
    "email": tidy_email,
    "phone": format_phone,
    "upper": make_upper,
    "lower": make_lower,
    "joined": join_tight,
    "date": format_date,
    "number": find_number,
    "yes_no": make_yes_no,
    "domain": find_domain,
    "country": make_country_name,
    "country_ja": make_japanese_country_name,
    "company": strip_legal_form,
    "katakana": make_katakana,
    "hiragana": make_hiragana,
    "capitals": capitalize_words,
}
