"""Sansan's JSON to values and back.

Pure. Takes null and "" alike, and both wrappers that were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.notes import note
from integration.records import CardPage, CardRead, Identity, TagSeen

TEXT_FIELDS = tuple(
    name
    for name in SANSAN_FIELDS
    if name not in ("exchangeDate", "ownerName", "ownerEmail", "tags")
)


class Unreadable(ValueError):
    """A row that is not of the known shape; a note says what is wrong with it."""


def read_card(row: Any) -> CardRead:
    """One business card. Raises Unreadable."""
    if not isinstance(row, dict):
        raise Unreadable(note("card_not_an_object"))
    values = {name: value for name in TEXT_FIELDS if (value := read_card_text(row, name))}
    if values.get("countryCode") == "AUTO":
        del values[
            "countryCode"
        ]  # a card that was made so, and whose country Sansan has not worked out
    exchanged = read_day(read_card_text(row, "exchangeDate"))
    if exchanged:
        values["exchangeDate"] = exchanged
    owner = row.get("owner")
    if isinstance(owner, dict):
        values.update(
            {
                ours: read_card_text(owner, theirs)
                for ours, theirs in (("ownerName", "name"), ("ownerEmail", "email"))
                if owner.get(theirs)
            }
        )
    return CardRead(
        read_required_text(row, "id"),
        read_card_text(row, "personId"),
        exchanged_on=exchanged,
        changed_at=read_card_time(read_required_text(row, "updatedTime")),
        values=values,
        tags=read_card_tags(row.get("tags")),
    )


def read_card_text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(note("not_a_text", word=name))
    # A NUL would be refused by the database, and no card carries one on purpose.
    return value.replace("\x00", "").strip()


def read_required_text(row: Mapping[str, Any], name: str) -> str:
    value = read_card_text(row, name)
    if not value:
        raise Unreadable(note("missing", word=name))
    return value


def read_card_time(value: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise Unreadable(note("not_a_time", value=value[:40])) from None
    if parsed.tzinfo is None:
        raise Unreadable(note("no_time_zone", value=value[:40]))
    return parsed


def read_day(value: str) -> str:
    """YYYY-MM-DD; a date that is none counts as not known."""
    try:
        return date.fromisoformat(value[:10].replace("/", "-")).isoformat() if value else ""
    except ValueError:
        return ""


def read_card_tags(rows: Any) -> tuple[TagSeen, ...]:
    if not isinstance(rows, (list, type(None))):
        raise Unreadable(note("tags_not_a_list"))
    return tuple(read_tag(row) for row in rows or () if isinstance(row, dict) and row.get("id"))


def read_tag(row: Mapping[str, Any]) -> TagSeen:
    return TagSeen(str(row["id"]), str(row.get("name") or row["id"]), str(row.get("type") or ""))


def read_card_page(value: Mapping[str, Any]) -> CardPage:
    """A page of cards; a row that cannot be read is set aside with what is wrong with it.

    Raises Unreadable for the page.
    """
    cards, unreadable = [], []
    for row in read_page_rows(value):
        try:
            cards.append(read_card(row))
        except Unreadable as wrong:
            unreadable.append(
                (str(row.get("id") or "") if isinstance(row, dict) else "", str(wrong))
            )
    return CardPage(tuple(cards), read_next_token(value), tuple(unreadable))


def read_page_rows(value: Mapping[str, Any]) -> list[Any]:
    data = value.get("data")
    if not isinstance(data, list):
        raise Unreadable(note("page_without_data"))
    return data


def read_next_token(value: Mapping[str, Any]) -> str:
    """ "" after the last page.

    Raises Unreadable where a page says that there is more and not how to get it.
    """
    token = str(value.get("nextPageToken") or "")
    if value.get("hasMore") and not token:
        raise Unreadable(note("page_without_token"))
    return token if value.get("hasMore", True) else ""


def unwrap_record(value: Mapping[str, Any]) -> Any:
    """A single record at the top, or inside ``item`` or ``data``."""
    return value.get("item") or value.get("data") or value


def read_made_card_id(value: Any) -> str:
    """The id of a card that was just made, at the top or inside ``item`` or ``data``; "" where the
    answer does not name it.
    """
    one = unwrap_record(value) if isinstance(value, dict) else None
    return str(one.get("id") or "") if isinstance(one, dict) else ""


def read_key_identity(value: Mapping[str, Any]) -> Identity:
    me = unwrap_record(value)
    return Identity(str(me.get("id") or ""), str(me.get("name") or me.get("email") or ""))
