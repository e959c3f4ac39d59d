"""The HTTP boundary: pooled connections, timeouts, one retry loop, the rate limit asked before
every call.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import requests
import structlog
from requests.adapters import HTTPAdapter

from integration.connectors.base import (
    ConnectorError,
    Gone,
    LacksRight,
    Reconnect,
    Rejected,
    RetryLater,
    Unanswered,
)
from integration.connectors.decode import decode_answer
from integration.notes import note

log = structlog.get_logger()

CALL_TIMEOUT_SECONDS = (5.0, 30.0)  # seconds to connect, to wait for the answer
LONGEST_WAIT_IN_CALL = 20.0  # the longest wait inside a call; a longer one goes back to the engine
MOST_ATTEMPTS = 5


class Limiter(Protocol):
    """A vendor's rate limit. ``wait`` blocks until a call may be sent."""

    def wait(self) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def learn(self, calls: int, seconds: float) -> None: ...


class Unlimited:
    """No limit, for tests and for sandboxes without one."""

    def wait(self) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def learn(self, calls: int, seconds: float) -> None: ...


@dataclass(frozen=True)
class Vendor:
    """What differs between vendors at this level.

    ``wait_after`` maps (answer, attempt) to seconds.
    """

    name: str
    wait_after: Callable[[Answer, int], float]
    limit_of: Callable[[Mapping[str, str]], tuple[int, float] | None] = lambda headers: None
    # (calls a day, calls left of them).
    quota_of: Callable[[Mapping[str, str]], tuple[int, int] | None] = lambda headers: None


@dataclass(frozen=True)
class Answer:
    """``value`` is the decoded JSON, or None where the body is none."""

    status: int
    value: Any
    headers: Mapping[str, str]


# What a status asks of us. 429 and 423 say that nothing was done, so that even a write may be sent
# again; after a 5xx a write may or may not have happened.
SLOW_DOWN_STATUSES = {423, 429, 477}
SHORTEST_SECRET = 8  # a shorter word of a header is no secret ("Bearer")


class Http:
    """Calls one vendor with one set of credentials. Safe to use from several threads."""

    def __init__(
        self, vendor: Vendor, base_url: str, headers: Mapping[str, str], limiter: Limiter
    ) -> None:
        self.vendor = vendor
        self.base_url = base_url.rstrip("/")
        self.limiter = limiter
        self.calls = 0
        self.quota: tuple[int, int] | None = None  # as the vendor last told it
        self.rate_limited = 0
        self._headers = {header: value.strip() for header, value in headers.items()}
        # A key pasted with full-width letters or a line break would fail inside the HTTP library,
        # which quotes it.
        if not all(value.isascii() and value.isprintable() for value in self._headers.values()):
            key = vendor.name.lower()
            raise Reconnect(f"{key}_reconnect", note("key_characters", vendor=vendor.name), key)
        self._secrets = [
            word.encode()
            for value in self._headers.values()
            for word in value.split()
            if len(word) >= SHORTEST_SECRET
        ]
        self._local = threading.local()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Http {self.vendor.name} {self.base_url}>"

    def read(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        """The answer's JSON object, asked for again after any passing fault."""
        return self._call(method, path, params, body, writes=False).value

    def write(self, method: str, path: str, body: Any) -> Answer:
        """Sent once; raises Unanswered when it is not known whether it happened."""
        return self._call(method, path, None, body, writes=True)

    def _call(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any, writes: bool
    ) -> Answer:
        data, name = None if body is None else orjson.dumps(body), self.vendor.name
        for attempt in range(1, MOST_ATTEMPTS + 1):
            wait = choose_backoff_seconds(attempt)
            try:
                answer = self._send(method, path, params, data)
                told = self._judge(answer, attempt, writes)
                if told is None:
                    return answer
                wait = told
                fault = note("answered", vendor=name, status=answer.status)
                if answer.status < 300:
                    fault = note("not_json", vendor=name, status=answer.status)
            except requests.ConnectionError as error:
                # ConnectTimeout is a ConnectionError too; both say that nothing was sent only if no
                # connection stood.
                if writes and not _never_sent(error):
                    raise Unanswered("interrupted", note("connection_broke", vendor=name)) from None
                fault = note("unreachable", vendor=name)
            except (requests.Timeout, requests.RequestException):
                fault = note("no_answer", vendor=name)
                if writes:
                    raise Unanswered("interrupted", fault) from None
            log.info(
                "vendor_retry", vendor=name, path=path, fault=fault, attempt=attempt, wait=wait
            )
            if wait > LONGEST_WAIT_IN_CALL or attempt == MOST_ATTEMPTS:
                raise RetryLater(f"{name.lower()}_unavailable", fault, after=wait)
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, data: bytes | None
    ) -> Answer:
        self.limiter.wait()
        with self._lock:
            self.calls += 1
        response = self._session().request(
            method,
            self.base_url + path,
            params=params,
            data=data,
            timeout=CALL_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        limit = self.vendor.limit_of(response.headers)
        if limit:
            self.limiter.learn(*limit)
        self.quota = self.vendor.quota_of(response.headers) or self.quota
        return Answer(response.status_code, self._decode(response), response.headers)

    def _decode(self, response: requests.Response) -> Any:
        content = response.content
        if response.status_code >= 400:
            # A vendor may quote a secret in an error, which goes into the history.
            for secret in self._secrets:
                content = content.replace(secret, b"****")
        return decode_answer(content)

    def _judge(self, answer: Answer, attempt: int, writes: bool) -> float | None:
        """None when the answer is good, or the seconds to wait before the next try; raises what
        trying again cannot mend.
        """
        status, name = answer.status, self.vendor.name
        if status in SLOW_DOWN_STATUSES:
            wait = self.vendor.wait_after(answer, attempt)
            if status == 429:
                with self._lock:
                    self.rate_limited += 1
                self.limiter.pause(wait)
            return wait
        if status >= 500:
            if writes:
                unsure = note("write_unsure", vendor=name, status=status)
                raise Unanswered("interrupted", unsure)
            if "Retry-After" in answer.headers:
                return self.vendor.wait_after(answer, attempt)
            return choose_backoff_seconds(attempt)
        if 200 <= status < 300:
            if isinstance(answer.value, dict) or (status == 204 and writes):
                return None
            if writes:
                raise Unanswered("interrupted", note("not_an_object", vendor=name))
            return choose_backoff_seconds(attempt)
        raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> ConnectorError:
        name, key, status = self.vendor.name, self.vendor.name.lower(), answer.status
        message = read_error_message(answer.value)
        if status == 401:
            return Reconnect(f"{key}_reconnect", note("credentials_refused", vendor=name), key)
        if status == 403:
            lacking = note("right_lacking", vendor=name, message=message)
            return LacksRight("missing_scope", lacking, key)
        if status in (404, 410):
            return Gone(f"{key}_unavailable", note("not_there", vendor=name, status=status))
        refused = note("request_refused", vendor=name, status=status, message=message)
        return Rejected("rejected", refused, status, answer.value)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.headers.update(
                {
                    **self._headers,
                    "Accept": "application/json",
                    "Content-Type": "application/json",
                    "User-Agent": "meishi-bridge",
                }
            )
            # Retries are ours: urllib3 would neither ask the limiter again nor know which writes
            # may be repeated.
            session.mount(
                self.base_url, HTTPAdapter(pool_connections=1, pool_maxsize=2, max_retries=0)
            )
        return session


class OverHttp:
    """What every connector tells of its calls."""

    _http: Http

    @property
    def calls(self) -> int:
        return self._http.calls

    @property
    def rate_limited(self) -> int:
        return self._http.rate_limited

    @property
    def quota(self) -> tuple[int, int] | None:
        return self._http.quota


def choose_backoff_seconds(attempt: int) -> float:
    """Seconds before the next try after a fault that does not say how long it lasts: 1, 2, 4,
    ...
    """
    return min(0.5 * 2.0**attempt, LONGEST_WAIT_IN_CALL)


def read_wait_seconds(value: Any) -> float | None:
    """A waiting time that a vendor told; None where it is no number."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return max(seconds, 0.1) if math.isfinite(seconds) else None


def _never_sent(error: requests.ConnectionError) -> bool:
    """Whether the connection never stood, so that nothing can have been written."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or type(cause).__name__ in {
        "NewConnectionError",
        "ConnectTimeoutError",
        "NameResolutionError",
    }


def read_error_message(value: Any, limit: int = 300) -> str:
    """The human sentence of an error body, cut to a length that fits a column; a note where the
    body has none.
    """
    if isinstance(value, dict):
        for key in ("message", "error", "errors"):
            if value.get(key):
                said = value[key]
                return (said if isinstance(said, str) else orjson.dumps(said).decode())[:limit]
    return note("no_message")
