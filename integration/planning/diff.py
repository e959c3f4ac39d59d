"""Whether two values are the same, by the type of the property."""

from __future__ import annotations

from collections.abc import Callable

from integration.planning import normalize

Same = Callable[[str, str], bool]


def exactly(one: str, other: str) -> bool:
    """Line ends and outer white space do not count: HubSpot does not keep them."""
    return one == other or one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def loosely(one: str, other: str) -> bool:
    return normalize.text(one) == normalize.text(other)


def phones(one: str, other: str) -> bool:
    return normalize.phone(one) == normalize.phone(other)


def emails(one: str, other: str) -> bool:
    return normalize.email(one) == normalize.email(other)


def sets(one: str, other: str) -> bool:
    return set(filter(None, one.split(";"))) == set(filter(None, other.split(";")))


def numbers(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


# Kinds whose values have one meaning in several spellings, always.
STRICT: dict[str, Same] = {"email": emails, "checkbox": sets, "number": numbers}
# For a value that we did not write, a spelling is no reason to fight over it.
LOOSE: dict[str, Same] = {**STRICT, "phone": phones}


def same(kind: str, one: str, other: str, ours: bool) -> bool:
    """``ours``: the present value is the one we wrote, so that the contact follows the card's very text."""
    return STRICT.get(kind, exactly)(one, other) if ours else LOOSE.get(kind, loosely)(one, other)
