"""Times as HubSpot writes and reads them: ISO with milliseconds and Z, or milliseconds since
1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
# A whole number of so many digits is milliseconds, a shorter one may be a date such as 20260101.
MILLISECOND_DIGITS = 11


def as_iso_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def to_epoch_milliseconds(moment: datetime) -> float:
    """By whole microseconds: a float of seconds would miss the millisecond that it is compared
    with.
    """
    return (moment - EPOCH_MOMENT) // timedelta(microseconds=1) / 1000


def parse_moment(text: str) -> datetime:
    """A time without a zone is UTC's. Raises ValueError."""
    if text.isascii() and text.isdigit() and len(text) >= MILLISECOND_DIGITS:
        return EPOCH_MOMENT + timedelta(milliseconds=int(text))
    moment = datetime.fromisoformat(text.upper())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
