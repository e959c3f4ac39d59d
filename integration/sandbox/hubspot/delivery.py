"""One request to an app: its signatures, and how it went."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import unquote, urlsplit

ANSWER_SECONDS = 5.0
# Only these are decoded in the address that is signed.
ESCAPES_DECODED_FOR_SIGNING = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def sign_body_v1(secret: str, body: bytes) -> str:
    return hashlib.sha256(secret.encode() + body).hexdigest()


def sign_request_v3(secret: str, method: str, url: str, body: bytes, stamp: str) -> str:
    decoded = ESCAPES_DECODED_FOR_SIGNING.sub(lambda found: unquote(found[0]), url)
    text = method.encode() + decoded.encode() + body + stamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), text, "sha256")).decode()


def make_signed_headers(
    versions: Iterable[str], secret: str, url: str, body: bytes, stamp: str
) -> dict[str, str]:
    """The request's headers; ``stamp`` is in milliseconds."""
    headers = {"Content-Type": "application/json"}
    if "v1" in versions:
        headers |= {
            "X-HubSpot-Signature": sign_body_v1(secret, body),
            "X-HubSpot-Signature-Version": "v1",
        }
    if "v3" in versions:
        headers |= {
            "X-HubSpot-Signature-v3": sign_request_v3(
                secret, "POST", url=url, body=body, stamp=stamp
            ),
            "X-HubSpot-Request-Timestamp": stamp,
        }
    return headers


def post_events(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The answer's status; 0 where none came in time."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request(
            "POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, headers
        )
        return connection.getresponse().status
    except (
        OSError,
        HTTPException,
        ValueError,
    ):  # the last one where the address cannot be written in a request
        return 0
    finally:
        connection.close()
