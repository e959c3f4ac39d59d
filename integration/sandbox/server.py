"""The HTTP side of the sandbox: 127.0.0.1 only, one thread a connection, faults and latency, calls
counted.
"""

from __future__ import annotations

import gzip
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from integration.sandbox import control, people, store, web
from integration.sandbox.hubspot import HubSpotSandbox
from integration.sandbox.sansan import SansanSandbox
from integration.sandbox.vendors import Vendors
from integration.sandbox.wire import Request, Response, make_json_response

# Sansan's paths begin with the version; none of HubSpot's do.
SANSAN_PATH = re.compile(r"/v\d+(\.\d+)?/")
ID_IN_PATH = re.compile(r"/(?:[0-9A-F]{32}|\d{3,})(?=/|$)")
EXAMPLE_KEY = "SandboxKey0123456789abcdefABCDEF"
EXAMPLE_TOKEN = "pat-sandbox-0001"  # noqa: S105


class Sandbox(Vendors):
    """Both vendors on one port. Use as a context manager, or call ``serve``."""

    def __init__(
        self,
        cards: int = 50,
        seed: int = 1,
        port: int = 0,
        latency_ms: float = 0,
        tags: int = 12,
        shared_email_percent: float = 5,
        no_email_percent: float = 10,
        limits: bool = True,
        hubspot_limit: tuple[int, float] | None = (190, 10.0),
    ) -> None:
        all_tags = people.invent_tags(tags)
        made = people.invent_cards(
            cards,
            seed,
            tags=all_tags,
            now=people.read_utc_clock(),
            shared=shared_email_percent,
            blank=no_email_percent,
        )
        sansan = SansanSandbox(made, all_tags, people.read_utc_clock, {"limits": limits})
        hubspot = HubSpotSandbox(people.read_utc_clock, hubspot_limit if limits else None)
        super().__init__(sansan, hubspot, latency_ms)
        self.server = SandboxServer(("127.0.0.1", port), CallReceiver)
        self.server.sandbox = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Sandbox:
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.hubspot.hooks.close()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: Request) -> tuple[Response, dict[str, Any] | None]:
        """The response to send, and the fault that says how it is to be sent."""
        if request.path.startswith("/sandbox/"):
            return control.answer_control_call(self, request), None
        seen = web.open_record_page(self, request)
        if seen:
            return seen, None
        system = "sansan" if SANSAN_PATH.match(request.path) else "hubspot"
        call = f"{request.method} {ID_IN_PATH.sub('/{id}', request.path)}"
        fault = self.faults.next(system, f"{request.method} {request.path}")
        if self.latency_ms:
            time.sleep(self.latency_ms / 1000)
        response = answer_fault(fault) if fault else None
        if response is None:
            response = (self.sansan if system == "sansan" else self.hubspot).handle(request)
        self.count(f"{system} {call} {response.status}")
        return response, fault


def answer_fault(fault: dict[str, Any]) -> Response | None:
    """What a fault answers in the vendor's stead; None where the vendor is asked all the same."""
    headers = {} if fault.get("retry_after") is None else {"Retry-After": str(fault["retry_after"])}
    match fault["kind"]:
        case "status":
            return make_json_response(
                fault["status"],
                fault.get("body", {"status": "error", "message": "an armed fault"}),
                headers,
            )
        case "rate_limit":
            return make_json_response(
                429, fault.get("body", {"status": "error", "message": "slow down"}), headers
            )
        case "html":
            return Response(200, b"<html><body>Maintenance</body></html>", content_type="text/html")
        case "wrong_type":
            return Response(200, b'"a string"')
        case "reset" | "timeout":
            return Response(0)
        case "delay":
            time.sleep(fault.get("seconds", 1))
    return None


class SandboxServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    sandbox: Sandbox

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class CallReceiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SandboxServer

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _handle(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            unquote(url.path),
            query=parse_qs(url.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
        )
        response, fault = self.server.sandbox.answer(request)
        kind = fault["kind"] if fault else ""
        if kind == "timeout":
            time.sleep(fault.get("seconds", 60) if fault else 0)
        if kind in ("reset", "reset_after", "timeout"):
            self._drop()
            return
        self._send(response, truncated=kind == "truncated")

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _handle

    def _send(self, response: Response, truncated: bool) -> None:
        body, headers = response.body, dict(response.headers)
        if truncated:
            body = body[: len(body) // 2]
        elif len(body) > 1024 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        head = [
            f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('', ''))[0]}",
            f"Content-Length: {len(body)}",
        ]
        if response.content_type and response.status != 204:
            head.append(f"Content-Type: {response.content_type}")
        head += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write(
            "\r\n".join(head).encode("latin-1")
            + b"\r\n\r\n"
            + (b"" if response.status == 204 else body)
        )

    def _drop(self) -> None:
        # Zero linger: the client sees a reset, not an orderly end.
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal: calls are counted instead."""


def serve_sandbox(sandbox: Sandbox, state: Path | None, stop: threading.Event) -> None:
    """Serves until ``stop`` is set; keeps what happens in ``state``."""
    with sandbox:
        if state:
            store.keep_state(sandbox, state, stop)
        else:
            stop.wait()


def make_banner(sandbox: Sandbox) -> str:
    return (
        f"Sandbox of Sansan and HubSpot at {sandbox.url} ({len(sandbox.sansan.cards)} cards)\n"
        f"  export SANSAN_API_URL={sandbox.url} HUBSPOT_API_URL={sandbox.url}\n"
        f"  export SANSAN_API_KEY={EXAMPLE_KEY} HUBSPOT_TOKEN={EXAMPLE_TOKEN}\n"
        "  Any 32 letters and digits are a Sansan key, any pat-… a HubSpot token of a portal of "
        "its own. Ctrl-C ends it."
    )


__all__ = ["EXAMPLE_KEY", "EXAMPLE_TOKEN", "Sandbox", "make_banner", "serve_sandbox"]
