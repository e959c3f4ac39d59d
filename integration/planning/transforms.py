"""Named transforms: how the text of one or more card fields becomes the value of a property."""

from __future__ import annotations

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


TRANSFORMS: dict[str, Transform] = {
    "": as_printed,
    "text": text,
    "email": email,
    "phone": phone,
    "upper": upper,
    "lower": lower,
    "joined": joined,
    "date": iso_date,
}
