"""How a contact is gone that cannot be read any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

import pytest

from integration.planning.gone import (
    DELETED,
    FORGOTTEN,
    MISSING,
    judge_absence,
    judge_gone,
)
from tests.planning.make import at

NOW = at("2026-04-10")
A_DAY_AGO = at("2026-04-09")
JUST_UNDER = A_DAY_AGO + timedelta(microseconds=1)
JUST_OVER = A_DAY_AGO - timedelta(microseconds=1)
LONG_AGO = at("2026-01-01")
WAYS = (DELETED, MISSING, FORGOTTEN)

# In the recycle bin, told of a privacy deletion -> how it went
ABSENCES = {
    "in the bin": (True, False, "deleted"),
    "not in the bin": (False, False, "missing"),
    "told of, and not in the bin": (False, True, "forgotten"),
    "told of, and in the bin all the same": (True, True, "forgotten"),
}


@pytest.mark.parametrize(("in_bin", "told", "how"), ABSENCES.values(), ids=ABSENCES)
def test_how_a_contact_went(in_bin: bool, told: bool, how: str) -> None:
    assert judge_absence(in_bin, told) == how


def test_nobody_is_forgotten_who_was_not_told_of() -> None:
    assert (judge_absence(True), judge_absence(False)) == ("deleted", "missing")


# How it was gone, since when, how it is seen -> how it is gone from now on, "" where that is known
CHANGES = {
    # A contact that was there.
    "there, now in the bin": ("", None, DELETED, "deleted"),
    "there, now nowhere": ("", None, MISSING, "missing"),
    "there, now told forgotten": ("", None, FORGOTTEN, "forgotten"),
    # HubSpot told of a privacy deletion while it still showed the contact: no day is waited.
    "told of this moment, now nowhere": ("", NOW, MISSING, "forgotten"),
    "told of long ago, now nowhere": ("", LONG_AGO, MISSING, "forgotten"),
    "told of, but now in the bin": ("", LONG_AGO, DELETED, "deleted"),
    "told of, and told of again": ("", LONG_AGO, FORGOTTEN, "forgotten"),
    # Nowhere: after a day it was for privacy.
    "nowhere since this moment": (MISSING, NOW, MISSING, ""),
    "nowhere for less than a day": (MISSING, JUST_UNDER, MISSING, ""),
    "nowhere for a day to the second": (MISSING, A_DAY_AGO, MISSING, ""),
    "nowhere for more than a day": (MISSING, JUST_OVER, MISSING, "forgotten"),
    "nowhere, nobody knows since when": (MISSING, None, MISSING, ""),
    "nowhere, now in the bin": (MISSING, JUST_UNDER, DELETED, "deleted"),
    "nowhere for long, now in the bin": (MISSING, LONG_AGO, DELETED, "deleted"),
    "nowhere, now told forgotten": (MISSING, JUST_UNDER, FORGOTTEN, "forgotten"),
    # In the bin, which is emptied: that makes nobody forgotten.
    "in the bin still": (DELETED, LONG_AGO, DELETED, ""),
    "in the bin, which was emptied": (DELETED, LONG_AGO, MISSING, ""),
    "in the bin, nowhere at once": (DELETED, NOW, MISSING, ""),
    "in the bin, now told forgotten": (DELETED, NOW, FORGOTTEN, "forgotten"),
    # For privacy: for good.
    "forgotten, and in the bin": (FORGOTTEN, LONG_AGO, DELETED, ""),
    "forgotten, and nowhere": (FORGOTTEN, LONG_AGO, MISSING, ""),
    "forgotten, and told again": (FORGOTTEN, NOW, FORGOTTEN, ""),
    "forgotten, nobody knows since when": (FORGOTTEN, None, MISSING, ""),
}


@pytest.mark.parametrize(("known", "since", "seen", "how"), CHANGES.values(), ids=CHANGES)
def test_how_a_contact_is_gone_from_now_on(
    known: str, since: datetime | None, seen: str, how: str
) -> None:
    assert judge_gone(known, since, seen, NOW) == how


@pytest.mark.parametrize(
    ("known", "since", "seen"), list(product(("", *WAYS), (None, NOW, A_DAY_AGO, LONG_AGO), WAYS))
)
def test_the_same_look_twice_is_news_once(known: str, since: datetime | None, seen: str) -> None:
    first = judge_gone(known, since, seen, NOW)
    # What is stored after the first look is what the second one knows.
    again = judge_gone(first or known, NOW if first else since, seen, NOW)
    assert again == ""
