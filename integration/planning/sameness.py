"""Whether two values are the same, by the type of the property."""

from __future__ import annotations

from collections.abc import Callable

from integration.planning.normalize import normalize_email, normalize_phone, normalize_text

Same = Callable[[str, str], bool]


def is_same_text(one: str, other: str) -> bool:
    """Line ends and outer white space do not count: HubSpot does not keep them."""
    return one == other or one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def is_loosely_same(one: str, other: str) -> bool:
    return normalize_text(one) == normalize_text(other)


def is_same_phone(one: str, other: str) -> bool:
    return normalize_phone(one) == normalize_phone(other)


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
LOOSE_TESTS: dict[str, Same] = {**STRICT_TESTS, "phone": is_same_phone}


def is_same_by_kind(kind: str, one: str, other: str, ours: bool) -> bool:
    """``ours``: the present value is the one we wrote, so that the contact follows the card's very
    text.
    """
    return (
        STRICT_TESTS.get(kind, is_same_text)(one, other)
        if ours
        else LOOSE_TESTS.get(kind, is_loosely_same)(one, other)
    )
