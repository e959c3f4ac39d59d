"""Named transforms: how the text of one or more card fields becomes the value of a property."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from integration.planning import normalize

Transform = Callable[[Sequence[str], str], str]


def as_printed(parts: Sequence[str], country: str) -> str:
    """The card's own text; several fields are joined by a space."""
    return " ".join(part for part in parts if part)


def text(parts: Sequence[str], country: str) -> str:
    """Widths folded (Ａ becomes A), spaces tidied."""
    return normalize.text(as_printed(parts, country))


def email(parts: Sequence[str], country: str) -> str:
    """Folded, because the address is the match key; an address no contact can have becomes blank."""
    key = normalize.email(as_printed(parts, country))
    return key if normalize.is_email(key) else ""


def phone(parts: Sequence[str], country: str) -> str:
    """International form (+81312345678) where the number can be read."""
    return normalize.phone(as_printed(parts, country), country)


def upper(parts: Sequence[str], country: str) -> str:
    return as_printed(parts, country).upper()


def lower(parts: Sequence[str], country: str) -> str:
    return as_printed(parts, country).lower()


def joined(parts: Sequence[str], country: str) -> str:
    """Several fields joined without a space, as a Japanese address is written."""
    return "".join(part for part in parts if part)


def iso_date(parts: Sequence[str], country: str) -> str:
    """YYYY-MM-DD; anything that is not a date becomes blank."""
    try:
        return date.fromisoformat(as_printed(parts, country)[:10]).isoformat()
    except ValueError:
        return ""


def number(parts: Sequence[str], country: str) -> str:
    """The first number in the text, full-width digits and thousands' commas folded; "" where there is none."""
    found = NUMBER.search(normalize.text(as_printed(parts, country)).replace(",", ""))
    return found.group(0) if found else ""


def yes_no(parts: Sequence[str], country: str) -> str:
    """``true`` or ``false``, for a checkbox property; a text that does not say no means yes."""
    said = normalize.text(as_printed(parts, country)).casefold()
    return ("false" if said in NO else "true") if said else ""


def domain(parts: Sequence[str], country: str) -> str:
    """The domain of an address or of a web address."""
    plain = normalize.text(as_printed(parts, country)).lower()
    place = plain.partition("://")[2] if "://" in plain else plain
    host = re.split(r"[/?#]", place)[0].rpartition("@")[2]
    return host.split(":")[0].removeprefix("www.")


def company(parts: Sequence[str], country: str) -> str:
    """A company's name without its legal form (株式会社, Inc.), otherwise as printed."""
    folded = normalize.text(as_printed(parts, country))
    return " ".join(normalize.LEGAL_FORM.sub(" ", folded).split()) or folded


def katakana(parts: Sequence[str], country: str) -> str:
    return normalize.text(as_printed(parts, country)).translate(HIRAGANA)


def hiragana(parts: Sequence[str], country: str) -> str:
    return normalize.text(as_printed(parts, country)).translate(normalize.KANA)


def capitals(parts: Sequence[str], country: str) -> str:
    """YAMADA taro becomes Yamada Taro."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in as_printed(parts, country).split())


NO = frozenset(("no", "n", "false", "0", "×", "x", "いいえ", "なし", "無", "否"))
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
HIRAGANA = {small: large for large, small in normalize.KANA.items()}
TRANSFORMS: dict[str, Transform] = {
    "": as_printed,
    "text": text,
    "email": email,
    "phone": phone,
    "upper": upper,
    "lower": lower,
    "joined": joined,
    "date": iso_date,
    "number": number,
    "yes_no": yes_no,
    "domain": domain,
    "company": company,
    "katakana": katakana,
    "hiragana": hiragana,
    "capitals": capitals,
}
