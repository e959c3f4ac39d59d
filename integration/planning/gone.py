"""How a contact is gone that cannot be read any more, and when it counts as forgotten (deleted for
privacy). Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# As Link.Gone has them. MERGED is nobody's absence: the contact lives on in another one.
DELETED, MISSING, FORGOTTEN, MERGED = "deleted", "missing", "forgotten", "merged"
# A contact that is neither there nor in the recycle bin for so long was deleted for privacy: until
# then it may be a vendor's fault.
FORGOTTEN_AFTER = timedelta(days=1)
# So many of those that were asked for at once are not deleted for privacy between two looks.
FEW_LOST, LARGE_SHARE = 5, 0.5


def judge_absence(in_bin: bool, told_forgotten: bool = False) -> str:
    """How a contact went that HubSpot does not show: told by its webhook, or by its recycle bin."""
    if told_forgotten:
        return FORGOTTEN
    return DELETED if in_bin else MISSING


def is_vendors_fault(lost: int, asked: int) -> bool:
    """Whether so many contacts, neither there nor in the recycle bin, say something of the vendor
    and not of the people.
    """
    return lost > FEW_LOST and lost > asked * LARGE_SHARE


def judge_gone(known: str, since: datetime | None, seen: str, now: datetime) -> str:
    """How a contact is gone from now on that was looked for and not found; "" where that is known.

    ``known`` is how it was gone before ("" for a contact that was there), ``seen`` how it is now.
    ``since`` without ``known`` says that HubSpot has told of a privacy deletion already.
    """
    if known == FORGOTTEN:
        return ""
    if (known, seen) == (DELETED, MISSING):
        return ""  # the recycle bin is emptied after 90 days
    if seen == MISSING and since is not None and known in ("", MISSING):
        told = not known
        if told or since < now - FORGOTTEN_AFTER:
            return FORGOTTEN
    return "" if known == seen else seen
