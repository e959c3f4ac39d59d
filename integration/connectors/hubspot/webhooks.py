"""HubSpot's webhooks: whether a request is HubSpot's, and what it tells. Pure.

Source: HubSpot's guides to webhooks and to request validation (2026). Events come in any order,
late, and more than once; they name a contact and hardly ever say what is true of it now, so that
nothing but the name and the time is taken from them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from integration.connectors.decode import decode_json

LONGEST_REQUEST_AGE = 300.0  # seconds
# HubSpot decodes these in the address, and nothing else, before it signs.
DECODED_CHARACTERS = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
ENCODED_PATTERN = re.compile("|".join(DECODED_CHARACTERS), re.IGNORECASE)
# 64 bits: an id that HubSpot refuses to look up would stay in the inbox for ever.
ID_PATTERN = re.compile(r"[0-9]{1,19}")
CONTACT_OBJECT_TYPE = "0-1"


class ContactEvent(NamedTuple):
    portal: str
    contact_id: str
    at: datetime
    forgotten: bool = False  # deleted for privacy


class NotEvents(ValueError):
    """The body is not what HubSpot sends."""


def compute_signature_v3(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 over method, address, raw body and time."""
    plain = ENCODED_PATTERN.sub(lambda found: DECODED_CHARACTERS[found.group().upper()], uri)
    message = method.encode() + plain.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def compute_signature_v1(secret: str, body: bytes) -> str:
    """Hex of SHA256 over secret and raw body: it tells no time, so that a request can be sent again
    by anybody who saw it.
    """
    return hashlib.sha256(secret.encode() + body).hexdigest()


def is_genuine(
    secret: str,
    headers: Mapping[str, str],
    method: str,
    uri: str,
    body: bytes,
    now: datetime,
    v1: bool = False,
) -> bool:
    """Whether the request is signed with the secret.

    Where HubSpot has sent version 3 that one decides; version 1 only where ``v1`` allows it.
    """
    given, stamp = (
        headers.get("X-HubSpot-Signature-v3", ""),
        headers.get("X-HubSpot-Request-Timestamp", ""),
    )
    if given:
        return is_fresh(stamp, now) and is_same_signature(
            given, compute_signature_v3(secret, method, uri=uri, body=body, timestamp=stamp)
        )
    older = headers.get("X-HubSpot-Signature", "")
    return (
        v1
        and bool(older)
        and headers.get("X-HubSpot-Signature-Version", "v1") == "v1"
        and is_same_signature(older, compute_signature_v1(secret, body))
    )


def is_same_signature(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode(), own.encode())


def is_fresh(stamp: str, now: datetime) -> bool:
    """Within five minutes, in either direction. ``stamp`` is in milliseconds."""
    return (
        stamp.isascii()
        and stamp.isdecimal()
        and len(stamp) <= 15
        and abs(now.timestamp() - int(stamp) / 1000) <= LONGEST_REQUEST_AGE
    )


def read_events(body: bytes) -> list[ContactEvent]:
    """What is told of contacts; whatever else is in the body is left out. Raises NotEvents."""
    return [event for row in read_event_rows(body) for event in read_row_events(row)]


def read_portals(body: bytes) -> set[str]:
    """The portals that the body speaks of, whatever it tells of them. Raises NotEvents."""
    return {portal for row in read_event_rows(body) if (portal := read_event_portal(row))}


def decode_events(body: bytes) -> Any:
    """A value may hold half a character, which is left out; an id that holds anything else is none.

    Raises ValueError.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return decode_json(body)


def read_event_rows(body: bytes) -> list[dict[str, Any]]:
    try:
        rows = decode_events(body)
    except ValueError:
        raise NotEvents("the body is not JSON") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotEvents("the body is not a list of events")
    return rows


def read_event_portal(row: Mapping[str, Any]) -> str:
    """ "" where it is no number: it is looked up before anybody knows who has sent it."""
    portal = row.get("portalId")
    return (
        str(portal)
        if isinstance(portal, int | str) and portal and ID_PATTERN.fullmatch(str(portal))
        else ""
    )


def read_row_events(row: Mapping[str, Any]) -> list[ContactEvent]:
    kind, portal, at = (
        str(row.get("subscriptionType") or row.get("eventType") or ""),
        read_event_portal(row),
        read_event_time(row.get("occurredAt")),
    )
    subject, _, what = kind.partition(".")
    if not portal or not (
        subject == "contact"
        or (subject == "object" and str(row.get("objectTypeId")) == CONTACT_OBJECT_TYPE)
    ):
        return []
    return [
        ContactEvent(portal, id, at, what == "privacyDeletion")
        for id in list_event_contacts(row, what)
    ]


def list_event_contacts(row: Mapping[str, Any], what: str) -> list[str]:
    """The contacts that an event is about: of a merge all of them, of an association the one end
    that is a contact.
    """
    if what == "associationChange":
        kind = str(row.get("associationType") or "")
        ends = (
            [row.get("fromObjectId")]
            if kind.startswith("CONTACT_TO")
            else [row.get("toObjectId")]
            if kind.endswith("TO_CONTACT")
            else []
        )
    elif what == "merge":
        merged = row.get("mergedObjectIds")
        ends = [
            row.get("newObjectId"),
            row.get("primaryObjectId"),
            *(merged if isinstance(merged, list) else ()),
        ]
    else:
        ends = [row.get("objectId")]
    return list(
        dict.fromkeys(
            str(id) for id in ends if isinstance(id, int | str) and ID_PATTERN.fullmatch(str(id))
        )
    )


def read_event_time(value: Any) -> datetime:
    """Milliseconds to a time; of what is none, the beginning of time: the contact is looked at all
    the same.
    """
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1, tzinfo=UTC)
