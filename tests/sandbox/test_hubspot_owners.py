"""Owners in HubSpot's half: who they are, page by page, and that a contact belongs to one of them
or to nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import hubspot as official
import pytest

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller

PATHS = ["/crm/v3/owners", "/crm/owners/2026-03"]


@pytest.mark.parametrize("path", [*PATHS, "/crm/v3/owners/"])
def test_a_portal_begins_with_three(hubspot: Caller, path: str) -> None:
    body = hubspot("GET", path).json()
    assert "paging" not in body and "sato@acme.example.jp" in [
        row["email"] for row in body["results"]
    ]
    assert len({row["id"] for row in body["results"]}) == 3
    assert {
        "id",
        "email",
        "firstName",
        "lastName",
        "userId",
        "archived",
        "createdAt",
        "updatedAt",
    } <= body["results"][0].keys()


@pytest.mark.parametrize("path", PATHS)
def test_pages_filters_and_those_who_left(
    hubspot: Caller, control: Caller, token: str, path: str
) -> None:
    rows = [
        {"id": str(1000 - i), "email": f"U{i}@acme.example.jp", "archived": i == 4}
        for i in range(5)
    ]
    assert len(control("POST", "hubspot/owners", {"token": token, "owners": rows}).json()) == 5
    seen, after = [], ""
    while True:
        page = hubspot("GET", path, limit=3, after=after).json()
        seen += [row["id"] for row in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert seen == ["997", "998", "999", "1000"], "by number, not by letter"
    assert [
        row["id"] for row in hubspot("GET", path, email="u1@acme.example.jp").json()["results"]
    ] == ["999"]
    gone = hubspot("GET", path, archived="true").json()["results"]
    assert [(row["id"], row["archived"], row["userId"]) for row in gone] == [("996", True, None)]
    assert hubspot("GET", f"{path}/999").json()["email"] == "U1@acme.example.jp"
    assert hubspot("GET", f"{path}/7").status_code == 404
    assert [hubspot("GET", path, limit=n).status_code for n in (500, 501, 0)] == [200, 400, 400]


def test_the_scope(hubspot: Caller, control: Caller, token: str) -> None:
    control("POST", "hubspot/scopes", {"token": token, "missing": ["crm.objects.owners.read"]})
    answer = hubspot("GET", PATHS[0])
    assert (
        answer.status_code,
        answer.json()["errors"][0]["context"]["requiredGranularScopes"],
    ) == (403, ["crm.objects.owners.read"])


RECORDS = {
    "contacts": "",
    "companies": "/crm/v3/objects/companies/",
}


@pytest.mark.parametrize("base", RECORDS.values(), ids=RECORDS)
def test_a_record_belongs_to_an_owner_or_to_nobody(
    hubspot: Caller, control: Caller, token: str, base: str
) -> None:
    rows = [
        {"id": "11", "email": "a@acme.example.jp"},
        {"id": "12", "email": "b@acme.example.jp", "archived": True},
    ]
    control("POST", "hubspot/owners", {"token": token, "owners": rows})
    naming = {"name": "見本商事"} if base else {"firstname": "Aiko"}
    id = hubspot("POST", base, {"properties": naming}).json()["id"]
    for value, status, kept in (
        ("11", 200, "11"),
        ("12", 400, "11"),
        ("99", 400, "11"),
        ("a@acme.example.jp", 400, "11"),
        ("", 200, None),
    ):
        answer = hubspot("PATCH", f"{base}{id}", {"properties": {"hubspot_owner_id": value}})
        assert answer.status_code == status, value
        if status == 400:
            (problem,) = json.loads(answer.json()["message"].partition("not valid: ")[2])
            assert (answer.json()["category"], problem["error"], problem["name"]) == (
                "VALIDATION_ERROR",
                "INVALID_OWNER",
                "hubspot_owner_id",
            )
        assert (
            hubspot("GET", f"{base}{id}", properties="hubspot_owner_id").json()["properties"][
                "hubspot_owner_id"
            ]
            == kept
        )


def test_a_bad_owner_is_an_error_of_its_row(hubspot: Caller, make: Callable[..., str]) -> None:
    rows = [
        {
            "id": make(firstname=name),
            "objectWriteTraceId": name,
            "properties": {"hubspot_owner_id": id},
        }
        for name, id in (("a", "71000001"), ("b", "7"))
    ]
    answer = hubspot("POST", "batch/update", {"inputs": rows})
    assert (answer.status_code, answer.json()["errors"][0]["context"]) == (
        207,
        {"objectWriteTraceId": ["b"]},
    )


def test_the_official_client(both: Sandbox, token: str) -> None:
    owners = official.Client.create(access_token=token, host=both.url).crm.owners.owners_api
    found: Any = owners.get_page(email="sato@acme.example.jp").results
    assert [(row.email, row.last_name, row.archived) for row in found] == [
        ("sato@acme.example.jp", "佐藤", False)
    ]
    assert owners.get_by_id(int(found[0].id)).user_id == found[0].user_id
