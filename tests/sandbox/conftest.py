"""A sandbox for each file of tests, and callers that speak plain HTTP to it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from integration.sandbox.server import EXAMPLE_KEY, Sandbox

NUMBERS = itertools.count(1)


class Caller:
    """``call("GET", path, body, name=value)``: path is relative to ``base``, and names become the query."""

    def __init__(self, sandbox: Sandbox, headers: dict[str, str], base: str = "") -> None:
        self.sandbox, self.base = sandbox, base
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers)

    def __call__(self, method: str, path: str, body: Any = None, *, timeout: float = 30, **query: Any) -> requests.Response:
        base = "" if path.startswith("/") else self.base
        return self.session.request(method, f"{self.sandbox.url}{base}{path}", json=body, params=query, timeout=timeout)


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
    body = {"name": "link_id", "label": "Link", "groupName": "contactinformation", "type": "string", "fieldType": "text", "hasUniqueValue": True}
    assert hubspot("POST", "/crm/v3/properties/contacts", body).status_code == 201
    return "link_id"
