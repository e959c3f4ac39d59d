"""Search in HubSpot's half: operators, sorting, paging, what is refused, times, and an index that
is behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller, Clock


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


FILTERS = {
    "none": ([], "Aiko Ben Chie"),
    "EQ": (filtered("email", "EQ", value="AIKO@example.jp"), "Aiko"),
    "NEQ": (filtered("email", "NEQ", value="aiko@example.jp"), "Ben Chie"),
    "IN": (filtered("email", "IN", values=["aiko@example.jp", "ben@example.jp"]), "Aiko Ben"),
    "IN minds capitals": (filtered("email", "IN", values=["Aiko@example.jp"]), ""),
    "NOT_IN": (filtered("firstname", "NOT_IN", values=["aiko"]), "Ben Chie"),
    "HAS_PROPERTY": (filtered("email", "HAS_PROPERTY"), "Aiko Ben"),
    "NOT_HAS_PROPERTY": (filtered("email", "NOT_HAS_PROPERTY"), "Chie"),
    "CONTAINS_TOKEN": (filtered("email", "CONTAINS_TOKEN", value="*ben*"), "Ben"),
    "GT compares numbers": (filtered("annualrevenue", "GT", value="9"), "Ben Chie"),
    "GTE": (filtered("annualrevenue", "GTE", value="9"), "Aiko Ben Chie"),
    "LT": (filtered("annualrevenue", "LT", value="10"), "Aiko"),
    "LTE": (filtered("annualrevenue", "LTE", value="10"), "Aiko Ben"),
    "BETWEEN": (filtered("annualrevenue", "BETWEEN", value="10", highValue="100"), "Ben Chie"),
    "either of two groups": (
        filtered("firstname", "EQ", value="Aiko") + filtered("jobtitle", "EQ", value="部長"),
        "Aiko Ben",
    ),
}


@pytest.mark.parametrize(("groups", "expected"), FILTERS.values(), ids=FILTERS)
def test_filters(hubspot: Caller, people: dict[str, str], groups: list[Any], expected: str) -> None:
    body = hubspot("POST", "search", {"filterGroups": groups}).json()
    assert ([people[row["id"]] for row in body["results"]], body["total"]) == (
        expected.split(),
        len(expected.split()),
    )


SORTS = {
    "by number": ("annualrevenue", "Aiko Ben Chie"),
    "descending": ("-annualrevenue", "Chie Ben Aiko"),
    "written out": ({"propertyName": "firstname", "direction": "DESCENDING"}, "Chie Ben Aiko"),
}


@pytest.mark.parametrize(("sort", "expected"), SORTS.values(), ids=SORTS)
def test_sorting(hubspot: Caller, people: dict[str, str], sort: Any, expected: str) -> None:
    assert [
        people[row["id"]] for row in hubspot("POST", "search", {"sorts": [sort]}).json()["results"]
    ] == expected.split()


def test_pages_go_on_at_an_offset(hubspot: Caller, people: dict[str, str]) -> None:
    first = hubspot("POST", "search", {"limit": 2}).json()
    assert first["paging"]["next"]["after"] == "2"
    last = hubspot("POST", "search", {"limit": 2, "after": "2"}).json()
    assert "paging" not in last
    assert [row["id"] for row in first["results"] + last["results"]] == list(people)


def test_only_asked_properties_and_never_archived_contacts(
    hubspot: Caller, people: dict[str, str]
) -> None:
    hubspot("DELETE", next(iter(people)))
    body = hubspot("POST", "search", {"properties": ["jobtitle", "no_such"]}).json()
    assert [row["properties"]["jobtitle"] for row in body["results"]] == ["部長", None]


def test_a_secondary_address_is_not_found_by_the_first_one(
    hubspot: Caller, people: dict[str, str]
) -> None:
    aiko, ben, _ = people
    hubspot("POST", "merge", {"primaryObjectId": aiko, "objectIdToMerge": ben})
    assert (
        hubspot(
            "POST", "search", {"filterGroups": filtered("email", "EQ", value="ben@example.jp")}
        ).json()["total"]
        == 0
    )
    assert (
        hubspot(
            "POST",
            "search",
            {
                "filterGroups": filtered(
                    "hs_additional_emails", "CONTAINS_TOKEN", value="ben@example.jp"
                )
            },
        ).json()["total"]
        == 1
    )


ONE = {"propertyName": "email", "operator": "HAS_PROPERTY"}


BOUNDS = {
    "the largest page": ({"limit": 200}, 200),
    "a page too large": ({"limit": 201}, 400),
    "the last page": ({"limit": 200, "after": "9800"}, 200),
    "a page beyond the last": ({"limit": 200, "after": "9801"}, 400),
    "five groups": ({"filterGroups": [{"filters": [ONE]}] * 5}, 200),
    "six groups": ({"filterGroups": [{"filters": [ONE]}] * 6}, 400),
    "seven filters in a group": ({"filterGroups": [{"filters": [ONE] * 7}]}, 400),
    "twenty-four filters": ({"filterGroups": [{"filters": [ONE] * 6}] * 4}, 400),
    "an operator that is none": ({"filterGroups": filtered("email", "LIKE", value="x")}, 400),
    "a question too long": ({"query": "x" * 3001}, 400),
    "a page that is no number": ({"after": "here"}, 400),
}


@pytest.mark.parametrize(("body", "status"), BOUNDS.values(), ids=BOUNDS)
def test_what_is_refused(
    hubspot: Caller, people: dict[str, str], body: dict[str, Any], status: int
) -> None:
    assert hubspot("POST", "search", body).status_code == status


@pytest.fixture
def find(both: Sandbox, hubspot: Caller) -> Callable[..., list[dict[str, Any]]]:
    """Searches without minding the limit of five a second; returns the rows."""

    def one(groups: list[Any] | None = None, **body: Any) -> list[dict[str, Any]]:
        both.hubspot._search.clear()
        answer = hubspot("POST", "search", {"filterGroups": groups or [], "limit": 200, **body})
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["results"]
        return rows

    return one


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


CHANGED = "lastmodifieddate"
# 2026-09-21T14:13:20.123Z, which no float of seconds can tell to the millisecond.
NOON = 1_790_000_000_123


WRITINGS = {
    "milliseconds": str(NOON),
    "UTC": "2026-09-21T14:13:20.123Z",
    "small letters": "2026-09-21t14:13:20.123z",
    "Japan's time": "2026-09-21T23:13:20.123+09:00",
}


@pytest.mark.parametrize("at", WRITINGS.values(), ids=WRITINGS)
def test_a_time_is_the_same_in_every_writing(
    control: Caller, token: str, make: Callable[..., str], find: Any, at: str
) -> None:
    early, same, late = (make(firstname=name) for name in "abc")
    for id, ms in ((early, NOON - 1), (same, NOON), (late, NOON + 1)):
        assert control("POST", "hubspot/stamp", {"token": token, "ids": [id], "at": ms}).json() == 1
    for operator, expected in (
        ("GTE", [same, late]),
        ("GT", [late]),
        ("LTE", [early, same]),
        ("LT", [early]),
        ("EQ", [same]),
        ("NEQ", [early, late]),
    ):
        assert ids(find(filtered(CHANGED, operator, value=at))) == expected, operator
    assert ids(find(filtered(CHANGED, "IN", values=[at]))) == [same]
    assert ids(find(filtered(CHANGED, "BETWEEN", value=at, highValue=str(NOON + 1)))) == [
        same,
        late,
    ]


def test_one_time_is_sorted_by_id_and_ids_are_compared_as_numbers(
    both: Sandbox, control: Caller, token: str, make: Callable[..., str], find: Any
) -> None:
    both.hubspot.portal(token).last_id = 9997
    made = [make(firstname=name) for name in "abcd"]
    assert made == ["9998", "9999", "10000", "10001"]
    control("POST", "hubspot/stamp", {"token": token, "at": "2026-09-21T14:13:20.123Z"})
    control(
        "POST", "hubspot/stamp", {"token": token, "ids": ["9999"], "at": "2026-09-21T14:13:20.122Z"}
    )
    assert ids(find(sorts=[{"propertyName": CHANGED, "direction": "ASCENDING"}])) == [
        "9999",
        "9998",
        "10000",
        "10001",
    ]
    assert ids(find(filtered("hs_object_id", "GT", value="9999"), sorts=["hs_object_id"])) == [
        "10000",
        "10001",
    ]


def test_ten_thousand_contacts_of_one_time_are_walked_by_id(
    both: Sandbox, control: Caller, token: str, find: Any
) -> None:
    contacts = [{"firstname": str(i)} for i in range(10_050)]
    made = control("POST", "hubspot/create", {"token": token, "contacts": contacts}).json()
    assert control("POST", "hubspot/stamp", {"token": token, "at": NOON}).json() == 10_050
    pinned = [{"propertyName": CHANGED, "operator": "EQ", "value": str(NOON)}]
    seen: list[str] = ["0"]
    while page := find(
        [
            {
                "filters": [
                    *pinned,
                    {"propertyName": "hs_object_id", "operator": "GT", "value": seen[-1]},
                ]
            }
        ],
        sorts=["hs_object_id"],
    ):
        seen += ids(page)
    assert seen[1:] == made
    assert {row["updatedAt"] for row in find(sorts=[CHANGED])} == {"2026-09-21T14:13:20.123Z"}


def test_the_index_is_behind_with_what_is_new_changed_and_gone(
    both: Sandbox, clock: Clock, hubspot: Caller, make: Callable[..., str], find: Any
) -> None:
    old, gone = make(firstname="old"), make(firstname="gone")
    before = hubspot("GET", old).json()["updatedAt"]
    both.hubspot.switches["search_lag"] = 5
    clock.forward(1)
    new = make(firstname="new")
    hubspot("PATCH", old, {"properties": {"firstname": "changed"}})
    hubspot("DELETE", gone)
    clock.forward(4)
    hubspot("PATCH", old, {"properties": {"firstname": "again"}})
    hubspot("PATCH", new, {"properties": {"firstname": "newer"}})
    clock.forward(0.5)
    assert [(row["id"], row["properties"]["firstname"]) for row in find()] == [
        (old, "old"),
        (gone, "gone"),
    ]
    assert (find()[0]["updatedAt"], ids(find(filtered("firstname", "EQ", value="again")))) == (
        before,
        [],
    )
    clock.forward(0.5)
    assert [(row["id"], row["properties"]["firstname"]) for row in find()] == [
        (old, "changed"),
        (new, "new"),
    ]
    clock.forward(4)
    assert [(row["id"], row["properties"]["firstname"]) for row in find()] == [
        (old, "again"),
        (new, "newer"),
    ]
    assert hubspot("GET", gone).status_code == 404, "everything but search knows at once"


def test_a_refused_batch_leaves_nothing_in_the_index(
    both: Sandbox, clock: Clock, hubspot: Caller, make: Callable[..., str], find: Any
) -> None:
    both.hubspot.switches["search_lag"] = 5
    id = make(firstname="old")
    clock.forward(5)
    rows = [
        {"id": id, "properties": {"firstname": "new"}},
        {"id": make(firstname="x"), "properties": {"no_such": "x"}},
    ]
    assert hubspot("POST", "batch/update", {"inputs": rows}).status_code == 400
    clock.forward(5)
    assert [row["properties"]["firstname"] for row in find()] == ["old", "x"]


def test_a_merge_reaches_the_index_late(
    both: Sandbox, clock: Clock, hubspot: Caller, make: Callable[..., str], find: Any
) -> None:
    aiko, ben = make(firstname="Aiko"), make(firstname="Ben")
    both.hubspot.switches["search_lag"] = 5
    merged = hubspot("POST", "merge", {"primaryObjectId": aiko, "objectIdToMerge": ben}).json()[
        "id"
    ]
    assert ids(find()) == [aiko, ben]
    clock.forward(5)
    assert ids(find()) == [merged]


def test_a_fresh_contact_comes_and_goes(
    both: Sandbox, clock: Clock, hubspot: Caller, make: Callable[..., str], find: Any
) -> None:
    old = make(firstname="old")
    both.hubspot.switches.update(search_lag=5, search_flap=True)
    clock.forward(1)
    fresh = make(firstname="fresh")
    assert sorted(len(find()) for _ in range(4)) == [1, 1, 2, 2]
    assert len(find()) != len(find())
    clock.forward(5)
    assert [ids(find()) for _ in range(3)] == [[old, fresh]] * 3
