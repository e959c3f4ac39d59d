"""A vendor that answers from a script, on 127.0.0.1.

No test waits: the connectors' clock only notes what it is asked for.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from integration.connectors import http
from integration.connectors.registry import make_hubspot, make_sansan


@dataclass(frozen=True)
class Reply:
    """``body`` is sent as JSON unless it is bytes.

    ``fault``: reset, cut (half of the body) or silent.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def payload(self) -> bytes:
        plain = (
            self.body
            if isinstance(self.body, bytes)
            else b""
            if self.body is None
            else orjson.dumps(self.body)
        )
        return gzip.compress(plain) if self.headers.get("Content-Encoding") == "gzip" else plain


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Script:
    """What the vendor will answer, and what it was asked. Beyond the script it is a teapot."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.over = threading.Event()

    def says(self, *replies: Reply) -> None:
        self.replies.extend(replies)
        self.ready()

    def next(self) -> Reply:
        reply = (
            self.replies.popleft()
            if self.replies
            else Reply(418, {"message": "the script is over"})
        )
        self.ready()
        return reply

    def ready(self) -> None:
        """Only a vendor that will be silent meets a client without patience, so that a slow machine
        fails no other test.
        """
        silent = bool(self.replies) and self.replies[0].fault == "silent"
        http.CALL_TIMEOUT_SECONDS = (5.0, 0.05 if silent else 10.0)

    @property
    def inputs(self) -> list[list[str]]:
        """The ids or trace ids of each batch that was asked for."""
        return [
            [row.get("objectWriteTraceId") or row["id"] for row in asked.body["inputs"]]
            for asked in self.asked
        ]


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        # The server of these tests has it.
        script: Script = self.server.script  # type: ignore[attr-defined]
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        where = urlsplit(self.path)
        script.asked.append(
            Asked(
                self.command,
                where.path,
                dict(parse_qsl(where.query)),
                dict(self.headers),
                orjson.loads(sent) if sent else None,
            )
        )
        reply = script.next()
        if reply.fault == "silent":
            script.over.wait(30)
            return
        if reply.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        payload = reply.payload
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(payload)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if reply.fault == "cut" else payload)

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture(scope="session")
def _server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def vendor(_server):
    _server.script = script = Script(f"http://127.0.0.1:{_server.server_port}")
    yield script
    script.over.set()


@pytest.fixture
def nowhere():
    """An address on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds that a connector would have slept."""
    noted: list[float] = []
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=noted.append))
    monkeypatch.setattr(http, "CALL_TIMEOUT_SECONDS", (5.0, 10.0))
    return noted


class Limit:
    """A limiter that notes what it is told."""

    def __init__(self) -> None:
        self.waited = 0
        self.paused: list[float] = []
        self.learnt: list[tuple[int, float]] = []

    def wait(self) -> None:
        self.waited += 1

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)

    def learn(self, calls: int, seconds: float) -> None:
        self.learnt.append((calls, seconds))


@pytest.fixture
def limit():
    return Limit()


SECRETS = {
    "sansan": "sansan0key0of0aiko0invented00000",
    "hubspot": "pat-na1-invented-token-of-aiko",
}


@pytest.fixture
def sansan(vendor, limit):
    return make_sansan({"api_key": SECRETS["sansan"]}, vendor.url, "v6.0", limit)


@pytest.fixture(params=["2026-03", "v3"])
def hubspot(request, vendor, limit):
    return make_hubspot({"access_token": SECRETS["hubspot"]}, vendor.url, request.param, limit)
