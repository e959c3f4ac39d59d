"""Batches, search and limits of HubSpot's half: whole refusals, rows that stand alone, and what the
answers tell of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from integration.sandbox import limits
from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller

AIKO, BEN, BAD = {"email": "aiko@example.jp"}, {"email": "ben@example.jp"}, {"no_such": "x"}


def rows(*inputs: dict[str, Any], traced: bool = False, **more: Any) -> dict[str, Any]:
    """A batch's body; rows traced as r0, r1, …"""
    return {
        "inputs": [
            {**row, **({"objectWriteTraceId": f"r{i}"} if traced else {})}
            for i, row in enumerate(inputs)
        ],
        **more,
    }


def emails(hubspot: Caller) -> list[str]:
    return [row["properties"]["email"] for row in hubspot("GET", "", limit=100).json()["results"]]


STATUSES = {
    "create": ("create", 201),
    "update": ("update", 200),
    "upsert": ("upsert", 200),
    "read": ("read", 200),
    "archive": ("archive", 204),
}


@pytest.mark.parametrize(("verb", "status"), STATUSES.values(), ids=STATUSES)
def test_a_hundred_pass_and_a_hundred_and_one_do_not(
    hubspot: Caller, unique: str, verb: str, status: int
) -> None:
    first = [{"properties": {"firstname": str(i), unique: str(i)}} for i in range(101)]
    ids = [
        row["id"]
        for row in hubspot("POST", "batch/create", {"inputs": first[:100]}).json()["results"]
    ]
    by = {"idProperty": unique} if verb == "upsert" else {}
    keys = [str(i) for i in range(101)] if verb == "upsert" else [*ids, "1"]
    inputs = [
        {"properties": {"lastname": "x"}}
        if verb == "create"
        else {"id": key, "properties": {"lastname": "x"}, **by}
        for key in keys
    ]
    assert hubspot("POST", f"batch/{verb}", {"inputs": inputs[:100]}).status_code == status
    refused = hubspot("POST", f"batch/{verb}", {"inputs": inputs})
    assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")


def test_histories_are_read_by_fifty(hubspot: Caller) -> None:
    body = rows(*({"id": str(i)} for i in range(51)), propertiesWithHistory=["email"])
    assert "property histories is 50" in hubspot("POST", "batch/read", body).json()["message"]


BAD_BATCHES = {
    "a bad value created": (
        "create",
        [{"properties": AIKO}, {"properties": BAD}],
        400,
        "Property values were not valid",
    ),
    "a bad address upserted": (
        "upsert",
        [
            {"id": "aiko@example.jp", "idProperty": "email"},
            {"id": "bad", "idProperty": "email"},
        ],
        400,
        "Property values were not valid",
    ),
    "one address twice": (
        "create",
        [{"properties": AIKO}, {"properties": AIKO}],
        409,
        "Contact already exists. Existing ID:",
    ),
    "an address that is taken": (
        "create",
        [{"properties": AIKO}, {"properties": {"email": "old@example.jp"}}],
        409,
        "Contact already exists. Existing ID:",
    ),
    "a bad value updated": (
        "update",
        [{"id": "old", "properties": {"firstname": "new"}}, {"id": "old2", "properties": BAD}],
        400,
        "Property values were not valid",
    ),
}


@pytest.mark.parametrize(
    ("verb", "inputs", "status", "message"), BAD_BATCHES.values(), ids=BAD_BATCHES
)
def test_without_trace_ids_a_bad_row_takes_the_whole_batch_with_it(
    hubspot: Caller,
    make: Callable[..., str],
    verb: str,
    inputs: list[dict[str, Any]],
    status: int,
    message: str,
) -> None:
    ids = {
        "old": make(email="old@example.jp", firstname="old"),
        "old2": make(email="old2@example.jp"),
    }
    answer = hubspot(
        "POST",
        f"batch/{verb}",
        rows(*({**row, "id": ids.get(row.get("id", ""), row.get("id"))} for row in inputs)),
    )
    assert (answer.status_code, answer.json()["message"][: len(message)]) == (status, message)
    assert emails(hubspot) == ["old@example.jp", "old2@example.jp"]
    assert hubspot("GET", ids["old"]).json()["properties"]["firstname"] == "old"
    assert hubspot("GET", "aiko@example.jp", idProperty="email").status_code == 404, (
        "its address is free again"
    )


def test_two_clashes_in_a_refused_batch_hide_the_owners(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    make(**AIKO), make(**BEN)
    answer = hubspot("POST", "batch/create", rows({"properties": AIKO}, {"properties": BEN}))
    assert (answer.status_code, answer.json()["message"]) == (409, "Contact already exists")


def test_with_trace_ids_good_rows_are_written_beside_bad_ones(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    taken = make(**AIKO)
    answer = hubspot(
        "POST",
        "batch/create",
        rows({"properties": AIKO}, {"properties": BEN}, {"properties": BAD}, traced=True),
    )
    body = answer.json()
    assert (answer.status_code, body["status"], body["numErrors"]) == (207, "COMPLETE", 2)
    assert [row["properties"]["email"] for row in body["results"]] == ["ben@example.jp"]
    clash, invalid = body["errors"]
    assert clash == {
        "status": "error",
        "category": "CONFLICT",
        "message": f"Contact already exists. Existing ID: {taken}",
        "context": {"existingId": [taken], "objectWriteTraceId": ["r0"]},
    }
    assert (invalid["category"], invalid["context"]) == (
        "VALIDATION_ERROR",
        {"objectWriteTraceId": ["r2"]},
    )


@pytest.mark.parametrize("traced", [False, True])
def test_records_that_are_missing_are_one_error_with_their_ids(
    hubspot: Caller, make: Callable[..., str], traced: bool
) -> None:
    id = make(**AIKO)
    named = [{"id": key, "properties": {"firstname": "x"}} for key in ("7", id, "8")]
    for verb in ("update", "read"):
        answer = hubspot("POST", f"batch/{verb}", rows(*named, traced=traced))
        body = answer.json()
        assert (answer.status_code, [row["id"] for row in body["results"]], body["numErrors"]) == (
            207,
            [id],
            1,
        )
        assert (body["errors"][0]["category"], body["errors"][0]["context"]) == (
            "OBJECT_NOT_FOUND",
            {"ids": ["7", "8"]},
        )


@pytest.mark.parametrize("traced", [False, True])
def test_a_key_twice_refuses_the_batch_in_both_modes(hubspot: Caller, traced: bool) -> None:
    twice = {"id": "aiko@example.jp", "idProperty": "email", "properties": AIKO}
    answer = hubspot("POST", "batch/upsert", rows(twice, twice, traced=traced))
    assert (answer.status_code, answer.json()["context"]) == (400, {"ids": ["aiko@example.jp"]})
    assert (
        answer.json()["message"]
        == "Duplicate IDs found in batch input: [aiko@example.jp]. IDs must be unique"
    )


NAMING = {
    "upsert by no property": ("upsert", "", 400),
    "upsert by address": ("upsert", "email", 200),
    "upsert by a unique property": ("upsert", "link_id", 200),
    "upsert by id": ("upsert", "hs_object_id", 400),
    "upsert by a plain property": ("upsert", "jobtitle", 400),
    "update by no property": ("update", "", 207),
    "update by address": ("update", "email", 400),
    "update by a unique property": ("update", "link_id", 207),
    "update by id": ("update", "hs_object_id", 400),
}


@pytest.mark.parametrize(("verb", "by", "status"), NAMING.values(), ids=NAMING)
def test_which_properties_may_name_a_record(
    hubspot: Caller, unique: str, verb: str, by: str, status: int
) -> None:
    row = {
        "id": "aiko@example.jp",
        "properties": {"firstname": "Aiko"},
        **({"idProperty": by} if by else {}),
    }
    assert hubspot("POST", f"batch/{verb}", rows(row, traced=True)).status_code == status


def test_an_upsert_says_what_is_new_and_leaves_alone_what_it_was_not_sent(
    hubspot: Caller, make: Callable[..., str], unique: str
) -> None:
    make(link_id="L1", jobtitle="部長", **AIKO)
    inputs = [
        {"id": key, "idProperty": unique, "properties": {"firstname": key}} for key in ("L1", "L2")
    ]
    found = {
        row["properties"][unique]: row
        for row in hubspot("POST", "batch/upsert", rows(*inputs)).json()["results"]
    }
    assert {key: row["new"] for key, row in found.items()} == {"L1": False, "L2": True}
    assert found["L1"]["properties"]["jobtitle"] == "部長"


def test_an_upsert_by_a_secondary_address_meets_its_owner(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    merged = hubspot(
        "POST", "merge", {"primaryObjectId": make(**AIKO), "objectIdToMerge": make(**BEN)}
    ).json()["id"]
    row = {"id": "BEN@example.jp", "idProperty": "email", "properties": {"firstname": "Ben"}}
    (found,) = hubspot("POST", "batch/upsert", rows(row)).json()["results"]
    assert (found["id"], found["new"], found["properties"]["email"]) == (
        merged,
        False,
        "aiko@example.jp",
    )


CATEGORIES = {
    "a mistake in the values": ("validation", "VALIDATION_ERROR"),
    "a conflict": ("conflict", "CONFLICT"),
}


@pytest.mark.parametrize(("switch", "category"), CATEGORIES.values(), ids=CATEGORIES)
def test_a_new_key_with_a_taken_address_names_the_owner(
    both: Sandbox,
    hubspot: Caller,
    make: Callable[..., str],
    unique: str,
    switch: str,
    category: str,
) -> None:
    both.hubspot.switches["upsert_conflict"] = switch
    owner = make(**AIKO)
    (error,) = hubspot(
        "POST",
        "batch/upsert",
        rows({"id": "L9", "idProperty": unique, "properties": AIKO}, traced=True),
    ).json()["errors"]
    assert error["category"] == category
    assert (
        f"{owner} already has that value" in error["message"]
        or f"Existing ID: {owner}" in error["message"]
    )


def test_results_come_in_another_order_than_they_went(hubspot: Caller) -> None:
    results = hubspot(
        "POST", "batch/create", rows(*({"properties": {"firstname": str(i)}} for i in range(50)))
    ).json()["results"]
    names = [row["properties"]["firstname"] for row in results]
    assert names != sorted(names, key=int) and len(set(names)) == 50


@pytest.mark.parametrize("verb", ["create", "update", "upsert", "read"])
def test_a_body_without_inputs_does_nothing_and_says_complete(hubspot: Caller, verb: str) -> None:
    body = hubspot("POST", f"batch/{verb}", {}).json()
    assert (body["status"], body["results"]) == ("COMPLETE", [])


NONSENSE = {
    "a row that is a number": {"inputs": [3]},
    "rows that are a text": {"inputs": "x"},
    "a list": [],
    "properties that are a number": {"inputs": [{"properties": 1}]},
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_400_and_not_a_broken_line(hubspot: Caller, body: Any) -> None:
    answer = hubspot("POST", "batch/create", body)
    assert (answer.status_code, answer.json()["message"][:18]) == (400, "Invalid input JSON")


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sandbox, SimpleNamespace]]:
    """A sandbox of three calls in ten seconds, and its clock, which stands still."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with Sandbox(cards=0, hubspot_limit=(3, 10.0)) as sandbox:
        yield sandbox, clock


def test_the_rolling_limit(limited: tuple[Sandbox, SimpleNamespace]) -> None:
    sandbox, clock = limited
    caller = Caller(
        sandbox, {"Authorization": "Bearer pat-test-limit"}, "/crm/v3/objects/contacts/"
    )
    answers = [caller("GET", "") for _ in range(4)]
    assert [answer.headers["X-HubSpot-RateLimit-Remaining"] for answer in answers] == [
        "2",
        "1",
        "0",
        "0",
    ]
    assert {
        name: answers[0].headers[f"X-HubSpot-RateLimit-{name}"]
        for name in ("Max", "Interval-Milliseconds", "Daily", "Daily-Remaining")
    } == {
        "Max": "3",
        "Interval-Milliseconds": "10000",
        "Daily": "625000",
        "Daily-Remaining": "625000",
    }
    refused = answers[3]
    assert (refused.status_code, refused.json()["policyName"], "category" in refused.json()) == (
        429,
        "TEN_SECONDLY_ROLLING",
        False,
    )
    assert "Retry-After" not in refused.headers
    sandbox.hubspot.switches["retry_after"] = True
    assert caller("GET", "").headers["Retry-After"] == "1"
    clock.now += 10
    assert caller("GET", "").status_code == 200


def test_search_has_a_limit_of_its_own_and_no_headers(
    limited: tuple[Sandbox, SimpleNamespace],
) -> None:
    caller = Caller(
        limited[0], {"Authorization": "Bearer pat-test-limit"}, "/crm/v3/objects/contacts/"
    )
    answers = [caller("POST", "search", {}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert (answers[5].json()["message"], answers[5].json()["category"]) == (
        "You have reached your secondly limit.",
        "RATE_LIMITS",
    )
    assert not any("ratelimit" in name.lower() for answer in answers for name in answer.headers)


def test_the_daily_limit_and_that_oauth_knows_none(
    both: Sandbox, hubspot: Caller, token: str
) -> None:
    both.hubspot.switches["daily_left"] = 1
    first, second = hubspot("GET", ""), hubspot("GET", "")
    assert (first.status_code, first.headers["X-HubSpot-RateLimit-Daily-Remaining"]) == (200, "1")
    assert (second.status_code, second.json()["policyName"]) == (429, "DAILY")
    form = {"grant_type": "refresh_token", "refresh_token": token}
    access = hubspot.session.post(f"{both.url}/oauth/v3/token", data=form, timeout=30).json()[
        "access_token"
    ]
    by_oauth = Caller(both, {"Authorization": f"Bearer {access}"})(
        "GET", "/crm/v3/objects/contacts"
    )
    assert by_oauth.status_code == 200 and "X-HubSpot-RateLimit-Daily" not in by_oauth.headers
    both.hubspot.oauth[access] = (token, both.hubspot.now())
    assert (
        Caller(both, {"Authorization": f"Bearer {access}"})(
            "GET", "/crm/v3/objects/contacts"
        ).json()["category"]
        == "EXPIRED_AUTHENTICATION"
    )
