"""A walk through HubSpot's search by time of change that misses nobody. Pure: bodies and tokens.

Search pages by offset, of at most ten thousand rows, and a contact that changes meanwhile moves to the end, so that an offset would
skip its neighbour. Therefore each page begins at the time where the last one ended; and where one time fills a whole page
(HubSpot's own jobs stamp thousands at once), the contacts of that time are walked by their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from integration.records import ContactPage

PAGE = 200  # the most that a search answers
TIME, ID = "lastmodifieddate", "hs_object_id"


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def body(since: datetime, token: str, properties: Sequence[str]) -> dict[str, Any]:
    """``token`` is "" at first, then "milliseconds" or "milliseconds:id"."""
    time, _, id = token.partition(":")
    start = int(time) if time else milliseconds(since)
    if id:
        filters = [{"propertyName": TIME, "operator": "EQ", "value": str(start)}, {"propertyName": ID, "operator": "GT", "value": id}]
    else:
        filters = [{"propertyName": TIME, "operator": "GTE", "value": str(start)}]
    sort = {"propertyName": ID if id else TIME, "direction": "ASCENDING"}
    return {"filterGroups": [{"filters": filters}], "sorts": [sort], "limit": PAGE, "properties": list(properties)}


def after(since: datetime, token: str, page: ContactPage) -> str:
    """The token of the next page, "" after the last one."""
    time, _, id = token.partition(":")
    start = int(time) if time else milliseconds(since)
    if id and not page.next_token:
        return str(start + 1)
    if not page.next_token or not page.contacts:
        return ""
    last = page.contacts[-1]
    if id:
        return f"{start}:{last.id}"
    reached = milliseconds(last.modified_at) if last.modified_at else start
    return str(reached) if reached > start else f"{start}:0"


EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
