"""One request and one response, as plain values, so that each vendor's half is tested without a
socket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Request:
    """``path`` has no query; ``query`` keeps every repeated value; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return orjson.loads(self.body or b"{}")

    def one(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter, spelled ``name`` or ``name[]``."""
        values = self.many(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        return [*self.query.get(name, []), *self.query.get(f"{name}[]", [])]


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=utf-8"


def make_json_response(
    status: int, value: Any, headers: Mapping[str, str] | None = None
) -> Response:
    try:
        body = orjson.dumps(value)
    except TypeError:  # half a surrogate, which Java and JavaScript send as an escape
        body = json.dumps(value).encode()
    return Response(status, body, dict(headers or {}))
