"""Search in HubSpot's half: operators, sorting, paging, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import Caller


@pytest.fixture
def people(make: Callable[..., str]) -> dict[str, str]:
    """Id -> first name."""
    return {
        make(email="aiko@example.jp", firstname="Aiko", annualrevenue="9"): "Aiko",
        make(email="ben@example.jp", firstname="Ben", annualrevenue="10", jobtitle="部長"): "Ben",
        make(firstname="Chie", annualrevenue="100"): "Chie",
    }


def filtered(name: str, operator: str, **value: Any) -> list[dict[str, Any]]:
    return [{"filters": [{"propertyName": name, "operator": operator, **value}]}]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], "Aiko Ben Chie"),
        (filtered("email", "EQ", value="AIKO@example.jp"), "Aiko"),
        (filtered("email", "NEQ", value="aiko@example.jp"), "Ben Chie"),
        (filtered("email", "IN", values=["aiko@example.jp", "ben@example.jp"]), "Aiko Ben"),
        (filtered("email", "IN", values=["Aiko@example.jp"]), ""),
        (filtered("firstname", "NOT_IN", values=["aiko"]), "Ben Chie"),
        (filtered("email", "HAS_PROPERTY"), "Aiko Ben"),
        (filtered("email", "NOT_HAS_PROPERTY"), "Chie"),
        (filtered("email", "CONTAINS_TOKEN", value="*ben*"), "Ben"),
        (filtered("annualrevenue", "GT", value="9"), "Ben Chie"),
        (filtered("annualrevenue", "GTE", value="9"), "Aiko Ben Chie"),
        (filtered("annualrevenue", "LT", value="10"), "Aiko"),
        (filtered("annualrevenue", "LTE", value="10"), "Aiko Ben"),
        (filtered("annualrevenue", "BETWEEN", value="10", highValue="100"), "Ben Chie"),
        (filtered("firstname", "EQ", value="Aiko") + filtered("jobtitle", "EQ", value="部長"), "Aiko Ben"),
    ],
)
def test_filters(hubspot: Caller, people: dict[str, str], groups: list[Any], expected: str) -> None:
    body = hubspot("POST", "search", {"filterGroups": groups}).json()
    assert ([people[row["id"]] for row in body["results"]], body["total"]) == (expected.split(), len(expected.split()))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("annualrevenue", "Aiko Ben Chie"),
        ("-annualrevenue", "Chie Ben Aiko"),
        ({"propertyName": "firstname", "direction": "DESCENDING"}, "Chie Ben Aiko"),
    ],
)
def test_sorting(hubspot: Caller, people: dict[str, str], sort: Any, expected: str) -> None:
    assert [people[row["id"]] for row in hubspot("POST", "search", {"sorts": [sort]}).json()["results"]] == expected.split()


def test_pages_go_on_at_an_offset(hubspot: Caller, people: dict[str, str]) -> None:
    first = hubspot("POST", "search", {"limit": 2}).json()
    assert first["paging"]["next"]["after"] == "2"
    last = hubspot("POST", "search", {"limit": 2, "after": "2"}).json()
    assert "paging" not in last
    assert [row["id"] for row in first["results"] + last["results"]] == list(people)


def test_only_asked_properties_and_never_archived_contacts(hubspot: Caller, people: dict[str, str]) -> None:
    hubspot("DELETE", next(iter(people)))
    body = hubspot("POST", "search", {"properties": ["jobtitle", "no_such"]}).json()
    assert [row["properties"]["jobtitle"] for row in body["results"]] == ["部長", None]


def test_a_secondary_address_is_not_found_by_the_first_one(hubspot: Caller, people: dict[str, str]) -> None:
    aiko, ben, _ = people
    hubspot("POST", "merge", {"primaryObjectId": aiko, "objectIdToMerge": ben})
    assert hubspot("POST", "search", {"filterGroups": filtered("email", "EQ", value="ben@example.jp")}).json()["total"] == 0
    assert (
        hubspot("POST", "search", {"filterGroups": filtered("hs_additional_emails", "CONTAINS_TOKEN", value="ben@example.jp")}).json()["total"] == 1
    )


ONE = {"propertyName": "email", "operator": "HAS_PROPERTY"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"limit": 200}, 200),
        ({"limit": 201}, 400),
        ({"limit": 200, "after": "9800"}, 200),
        ({"limit": 200, "after": "9801"}, 400),
        ({"filterGroups": [{"filters": [ONE]}] * 5}, 200),
        ({"filterGroups": [{"filters": [ONE]}] * 6}, 400),
        ({"filterGroups": [{"filters": [ONE] * 7}]}, 400),
        ({"filterGroups": [{"filters": [ONE] * 6}] * 4}, 400),
        ({"filterGroups": filtered("email", "LIKE", value="x")}, 400),
        ({"query": "x" * 3001}, 400),
        ({"after": "here"}, 400),
    ],
)
def test_what_is_refused(hubspot: Caller, people: dict[str, str], body: dict[str, Any], status: int) -> None:
    assert hubspot("POST", "search", body).status_code == status
