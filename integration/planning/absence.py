"""How a contact is gone that cannot be read any more. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from integration.models import ContactChange, Link


def judge_absence(change: ContactChange, binned: set[str]) -> str:
    """How a contact went that cannot be read."""
    if change.forgotten:
        return Link.Gone.FORGOTTEN
    return Link.Gone.DELETED if change.contact_id in binned else Link.Gone.MISSING


# A contact that is neither there nor in the recycle bin for so long was deleted for privacy: until then it may be a vendor's fault.
FORGOTTEN_AFTER = timedelta(days=1)


def judge_gone(link: Link, how: str, now: datetime) -> str:
    """How a contact is gone that was looked for and not found; "" where that is known."""
    gone = Link.Gone
    if link.gone == gone.FORGOTTEN or (link.gone, how) == (gone.DELETED, gone.MISSING):  # the bin is emptied after 90 days
        return ""
    if how == gone.MISSING and link.gone in ("", gone.MISSING) and link.gone_at and (not link.gone or link.gone_at < now - FORGOTTEN_AFTER):
        return gone.FORGOTTEN.value
    return "" if link.gone == how else how
