"""Whether two values are the same, by the type of the property."""

from __future__ import annotations

import re
from collections.abc import Callable

from integration.planning.countries import is_same_country
from integration.planning.normalize import normalize_email, normalize_phone, normalize_text

Same = Callable[[str, str], bool]
SHORTEST_NUMBER, LONGEST_COUNTRY_CODE = 7, 3  # digits of a telephone number


def is_same_text(one: str, other: str) -> bool:
    """Line ends and outer white space do not count: HubSpot does not keep them."""
    return one == other or one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def is_loosely_same(one: str, other: str) -> bool:
    return normalize_text(one) == normalize_text(other)


def is_same_phone(one: str, other: str) -> bool:
    return normalize_phone(one) == normalize_phone(other)


def is_loosely_same_country(one: str, other: str) -> bool:
    return is_loosely_same(one, other) or is_same_country(one, other)


def is_same_email(one: str, other: str) -> bool:
    return normalize_email(one) == normalize_email(other)


def is_same_set(one: str, other: str) -> bool:
    return set(filter(None, one.split(";"))) == set(filter(None, other.split(";")))


def is_same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


# Kinds whose values have one meaning in several spellings, always.
STRICT_TESTS: dict[str, Same] = {
    "email": is_same_email,
    "checkbox": is_same_set,
    "number": is_same_number,
}
# For a value that we did not write, a spelling is no reason to fight over it.
LOOSE_TESTS: dict[str, Same] = {
    **STRICT_TESTS,
    "phone": is_same_phone,
    "country": is_loosely_same_country,
}


def is_same_by_kind(kind: str, one: str, other: str, ours: bool) -> bool:
    """``ours``: the present value is the one we wrote, so that the contact follows the card's very
    text.
    """
    return (
        STRICT_TESTS.get(kind, is_same_text)(one, other)
        if ours
        else LOOSE_TESTS.get(kind, is_loosely_same)(one, other)
    )


def is_same_meaning(kind: str, one: str, other: str) -> bool:
    """However it is spelled: letters large or small, a telephone number with its country or
    without.
    """
    if kind == "phone" and has_same_digits(one, other):
        return True
    return is_same_by_kind(kind, one.casefold(), other.casefold(), ours=False)


def has_same_digits(one: str, other: str) -> bool:
    """Two telephone numbers, of which one may have the code of its country in front."""
    digits = [re.sub(r"\D", "", normalize_text(number)).lstrip("0") for number in (one, other)]
    short, long = sorted(digits, key=len)
    is_whole = len(short) >= SHORTEST_NUMBER and len(long) - len(short) <= LONGEST_COUNTRY_CODE
    return is_whole and long.endswith(short)
