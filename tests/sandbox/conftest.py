"""A sandbox for each file of tests, and callers that speak plain HTTP to it."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from integration.sandbox.server import EXAMPLE_KEY, Sandbox

NUMBERS = itertools.count(1)


class Caller:
    """``call("GET", path, body, name=value)``: path is relative to ``base``, and names become the
    query.
    """

    def __init__(self, sandbox: Sandbox, headers: dict[str, str], base: str = "") -> None:
        self.sandbox, self.base = sandbox, base
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers)

    def __call__(
        self, method: str, path: str, body: Any = None, *, timeout: float = 30, **query: Any
    ) -> requests.Response:
        base = "" if path.startswith("/") else self.base
        return self.session.request(
            method, f"{self.sandbox.url}{base}{path}", json=body, params=query, timeout=timeout
        )


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(cards=60, limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def both(running: Sandbox) -> Iterator[Sandbox]:
    """The running sandbox; switches and faults are put back afterwards."""
    before = copy.deepcopy((running.sansan.switches, running.hubspot.switches))
    running.reset_calls()
    yield running
    running.faults.clear()
    running.sansan.switches.update(before[0])
    running.hubspot.switches.update(before[1])


@pytest.fixture
def token() -> str:
    """Of a portal that nobody has used."""
    return f"pat-test-{next(NUMBERS):04d}"


class Clock:
    """A time that stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = datetime(2026, 10, 1, 3, 0, 0, 123_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(both: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of HubSpot's portals; to be asked for before anything is done in one."""
    clock = Clock()
    monkeypatch.setattr(both.hubspot, "now", clock)
    return clock


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Returns as soon as it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.005)


@pytest.fixture
def hubspot(both: Sandbox, token: str) -> Caller:
    return Caller(both, {"Authorization": f"Bearer {token}"}, "/crm/objects/2026-03/contacts/")


@pytest.fixture
def sansan(both: Sandbox) -> Caller:
    return Caller(both, {"X-Sansan-Api-Key": EXAMPLE_KEY}, "/v6.0/")


@pytest.fixture
def control(both: Sandbox) -> Caller:
    return Caller(both, {}, "/sandbox/")


@pytest.fixture
def act(control: Caller, token: str) -> Callable[..., Any]:
    """A verb of the control interface, for the portal."""

    def one(verb: str, **args: Any) -> Any:
        answer = control("POST", f"hubspot/{verb}", {"token": token, **args})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return one


@pytest.fixture
def make(hubspot: Caller) -> Callable[..., str]:
    """Makes a contact and returns its id."""

    def one(**properties: str) -> str:
        answer = hubspot("POST", "", {"properties": properties})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return one


@pytest.fixture
def unique(hubspot: Caller) -> str:
    """The name of a property whose values are unique."""
    body = {
        "name": "link_id",
        "label": "Link",
        "groupName": "contactinformation",
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": True,
    }
    assert hubspot("POST", "/crm/v3/properties/contacts", body).status_code == 201
    return "link_id"


@pytest.fixture
def company(hubspot: Caller) -> Callable[..., str]:
    """Makes a company and returns its id."""
    return lambda name="見本商事", **more: hubspot(
        "POST", "/crm/v3/objects/companies", {"properties": {"name": name, **more}}
    ).json()["id"]


@pytest.fixture
def of(control: Caller, token: str) -> Callable[[str], dict[str, bool]]:
    """Company -> whether it is the contact's primary one."""
    return lambda id: control("POST", "hubspot/associations", {"token": token}).json().get(id, {})
