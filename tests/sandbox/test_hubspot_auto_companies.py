"""HubSpot's own setting, in its half: companies that come by themselves, from the domains of
addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller, Clock

Make = Callable[..., str]


@pytest.fixture
def auto(both: Sandbox, clock: Clock) -> Clock:
    both.hubspot.switches["auto_companies"] = True
    return clock


def test_companies_come_by_themselves_a_little_later(
    both: Sandbox,
    auto: Clock,
    hubspot: Caller,
    control: Caller,
    token: str,
    make: Make,
    company: Make,
    of: Any,
) -> None:
    known = company("青空電機", domain="aozora.example.jp")
    aiko, ben = make(email="aiko@aozora.example.jp"), make(email="ben@mihon.example.jp")
    (chie,) = control(
        "POST", "hubspot/create", {"token": token, "contacts": [{"email": "chie@mihon.example.jp"}]}
    ).json()
    auto.forward(0.49)
    assert (of(aiko), of(ben)) == ({}, {})
    auto.forward(0.01)
    found = {
        row["id"]: row["properties"]
        for row in hubspot("GET", "/crm/v3/objects/companies").json()["results"]
    }
    (made,) = found.keys() - {known}
    assert (found[made]["domain"], found[made]["name"]) == ("mihon.example.jp", "Mihon")
    assert (of(aiko), of(ben), of(chie)) == ({known: True}, {made: True}, {made: True})
    last = both.hubspot.hooks.events(token)[-1]
    assert (last["subscriptionType"], last["changeSource"]) == (
        "contact.associationChange",
        "AUTOMATION_PLATFORM",
    )


def test_a_new_address_another_company(auto: Clock, hubspot: Caller, make: Make, of: Any) -> None:
    id = make(email="aiko@aozora.example.jp")
    auto.forward(1)
    hubspot("PATCH", id, {"properties": {"email": "aiko@mihon.example.jp"}})
    auto.forward(1)
    assert sorted(of(id).values()) == [False, True], "the first one stays the primary one"
    hubspot("PATCH", id, {"properties": {"email": "AIKO@mihon.example.jp"}})
    auto.forward(1)
    assert (
        len(of(id)) == 2 and len(hubspot("GET", "/crm/v3/objects/companies").json()["results"]) == 2
    )


def test_who_gets_none(both: Sandbox, auto: Clock, hubspot: Caller, make: Make) -> None:
    for domain in ("gmail.com", "yahoo.co.jp", "outlook.com", "icloud.com"):
        make(email=f"aiko@{domain}")
    make(firstname="no address")
    hubspot("DELETE", make(email="gone@gone.example.jp"))
    rows = [{"properties": {"email": "x@refused.example.jp"}}, {"properties": {"no_such": "x"}}]
    assert hubspot("POST", "batch/create", {"inputs": rows}).status_code == 400
    both.hubspot.switches["auto_companies"] = False
    make(email="x@off.example.jp")
    auto.forward(10)
    assert hubspot("GET", "/crm/v3/objects/companies").json() == {"results": []}
