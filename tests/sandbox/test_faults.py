"""Armed faults happen on the wire; calls are counted; the state can be asked for and outlives a
restart.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from integration.sandbox import server, store
from integration.sandbox.faults import FAULT_KINDS
from integration.sandbox.server import EXAMPLE_KEY, EXAMPLE_TOKEN, Sandbox
from tests.sandbox.conftest import Caller


def named(answer: requests.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


ANSWERS = {
    "a status": (
        {"kind": "status", "status": 503},
        503,
        {"status": "error", "message": "an armed fault"},
        {},
    ),
    "a status that says when to ask again": (
        {"kind": "status", "status": 477, "retry_after": 3600},
        477,
        {"status": "error", "message": "an armed fault"},
        {"Retry-After": "3600"},
    ),
    "a status with a body": (
        {"kind": "status", "status": 423, "body": {"message": "Locked"}},
        423,
        {"message": "Locked"},
        {},
    ),
    "a rate limit": ({"kind": "rate_limit"}, 429, {"status": "error", "message": "slow down"}, {}),
    "a rate limit that says when to ask again": (
        {"kind": "rate_limit", "retry_after": 7},
        429,
        {"status": "error", "message": "slow down"},
        {"Retry-After": "7"},
    ),
    "a body of the wrong type": ({"kind": "wrong_type"}, 200, "a string", {}),
}


@pytest.mark.parametrize(("fault", "status", "body", "headers"), ANSWERS.values(), ids=ANSWERS)
def test_faults_that_answer(
    hubspot: Caller,
    control: Caller,
    fault: dict[str, Any],
    status: int,
    body: Any,
    headers: dict[str, str],
) -> None:
    control("POST", "faults", {"system": "hubspot", **fault})
    answer = hubspot("GET", "")
    assert named(answer) == (status, body)
    assert {
        name: value for name, value in answer.headers.items() if name == "Retry-After"
    } == headers
    assert hubspot("GET", "").status_code == 200, "a fault happens once"


def test_html(hubspot: Caller, control: Caller) -> None:
    control("POST", "faults", {"system": "hubspot", "kind": "html"})
    answer = hubspot("GET", "")
    assert (answer.status_code, answer.headers["Content-Type"], answer.content[:6]) == (
        200,
        "text/html",
        b"<html>",
    )


def test_truncated_json(sansan: Caller, control: Caller) -> None:
    control("POST", "faults", {"system": "sansan", "kind": "truncated"})
    answer = sansan("GET", "me")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert sansan("GET", "me").content.startswith(answer.content)


RESETS = {
    "before": ("reset", False),
    "after": ("reset_after", True),
}


@pytest.mark.parametrize(("kind", "written"), RESETS.values(), ids=RESETS)
def test_resets_before_and_after_the_vendor_did_its_work(
    hubspot: Caller, control: Caller, kind: str, written: bool
) -> None:
    control("POST", "faults", {"system": "hubspot", "kind": kind})
    with pytest.raises(requests.ConnectionError):
        hubspot("POST", "", {"properties": {"email": "aiko@example.jp"}})
    assert hubspot("GET", "aiko@example.jp", idProperty="email").status_code == (
        200 if written else 404
    )


SLOW = {
    "never done": ("timeout", False),
    "done late": ("delay", True),
}


@pytest.mark.parametrize(("kind", "written"), SLOW.values(), ids=SLOW)
def test_slow_answers(
    hubspot: Caller, control: Caller, monkeypatch: pytest.MonkeyPatch, kind: str, written: bool
) -> None:
    """The server waits until the client has given up, however long that takes."""
    given_up, asked = threading.Event(), list[float]()

    def wait(seconds: float) -> None:
        asked.append(seconds)
        given_up.wait(30)

    control("POST", "faults", {"system": "hubspot", "kind": kind, "seconds": 45})
    finished = threading.Event()
    handle = server.CallReceiver._handle

    def take(handler: server.CallReceiver) -> None:
        handle(handler)
        finished.set()

    with monkeypatch.context() as patched:
        patched.setattr("integration.sandbox.server.time.sleep", wait)
        patched.setattr(server.CallReceiver, "do_POST", take)
        with pytest.raises(requests.ReadTimeout):
            hubspot("POST", "", {"properties": {"email": "aiko@example.jp"}}, timeout=0.2)
        given_up.set()
        assert finished.wait(30)
    assert asked == [45]
    assert hubspot("GET", "aiko@example.jp", idProperty="email").status_code == (
        200 if written else 404
    )


def test_a_delayed_answer_is_the_right_one(hubspot: Caller, control: Caller) -> None:
    control("POST", "faults", {"system": "hubspot", "kind": "delay", "seconds": 0})
    assert hubspot("GET", "").json() == {"results": []}


MET = {
    "the first two": ({"times": 2}, [500, 500, 200, 200]),
    "all": ({"times": 0}, [500, 500, 500, 500]),
    "the third only": ({"skip": 2}, [200, 200, 500, 200]),
    "the second and the third": ({"skip": 1, "times": 2}, [200, 500, 500, 200]),
    "one path": ({"match": "GET /v6.0/me$", "times": 0}, [500, 200, 500, 200]),
    "no call of that method": ({"match": "^POST"}, [200, 200, 200, 200]),
    "the second of one path": ({"match": "tags", "skip": 1}, [200, 200, 200, 500]),
    "another system's": ({"system": "hubspot", "times": 0}, [200, 200, 200, 200]),
}


@pytest.mark.parametrize(("fault", "statuses"), MET.values(), ids=MET)
def test_which_calls_a_fault_meets(
    sansan: Caller, control: Caller, fault: dict[str, Any], statuses: list[int]
) -> None:
    control("POST", "faults", [{"system": "sansan", "kind": "status", "status": 500, **fault}])
    assert [sansan("GET", path).status_code for path in ("me", "tags", "me", "tags")] == statuses
    control("DELETE", "faults")
    assert sansan("GET", "me").status_code == 200


def test_an_unknown_kind_is_refused_and_every_kind_is_met_here(control: Caller) -> None:
    answer = control("POST", "faults", {"system": "hubspot", "kind": "flood"})
    assert answer.status_code == 400 and all(kind in answer.json()["error"] for kind in FAULT_KINDS)
    assert {
        "status",
        "rate_limit",
        "reset",
        "reset_after",
        "timeout",
        "html",
        "truncated",
        "wrong_type",
        "delay",
    } == FAULT_KINDS


def test_calls_are_counted_by_system_call_and_status(
    hubspot: Caller, sansan: Caller, control: Caller, make: Callable[..., str]
) -> None:
    id = make(email="aiko@example.jp")
    hubspot("GET", id), hubspot("GET", "7777")
    control("POST", "faults", {"system": "sansan", "kind": "rate_limit"})
    sansan("GET", "me"), sansan("GET", "me"), sansan("GET", f"bizCards/{'0' * 32}")
    base = "/crm/objects/2026-03/contacts"
    assert control("GET", "calls").json() == {
        "sansan": 3,
        "hubspot": 3,
        "by_call": {
            f"hubspot POST {base}/ 201": 1,
            f"hubspot GET {base}/{{id}} 200": 1,
            f"hubspot GET {base}/{{id}} 404": 1,
            "sansan GET /v6.0/me 429": 1,
            "sansan GET /v6.0/me 200": 1,
            "sansan GET /v6.0/bizCards/{id} 404": 1,
        },
    }
    control("POST", "calls/reset")
    assert control("GET", "calls").json() == {"sansan": 0, "hubspot": 0, "by_call": {}}


def test_switches_are_told_and_turned(control: Caller, sansan: Caller) -> None:
    control("PATCH", "switches", {"sansan": {"zone": "Z"}, "hubspot": {"shuffle": False}})
    told = control("GET", "switches").json()
    assert (told["sansan"]["zone"], told["hubspot"]["shuffle"], told["latency_ms"]) == (
        "Z",
        False,
        0,
    )


MISTAKEN = {
    "editing nobody": ("hubspot/edit", {"id": "7", "properties": {}}),
    "merging nobody": ("hubspot/merge", {"primary": "7", "other": "8"}),
    "an unknown verb": ("nothing", {}),
}


@pytest.mark.parametrize(("verb", "body"), MISTAKEN.values(), ids=MISTAKEN)
def test_a_mistaken_order_is_answered(control: Caller, verb: str, body: dict[str, Any]) -> None:
    assert control("POST", verb, body).status_code in (400, 404)


def test_the_state_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with Sandbox(cards=20, limits=False) as sandbox:
        assert store.load_state(sandbox, file) is False
        hubspot = Caller(
            sandbox, {"Authorization": f"Bearer {EXAMPLE_TOKEN}"}, "/crm/v3/objects/contacts/"
        )
        ids = [
            hubspot("POST", "", {"properties": {"email": f"{name}@example.jp"}}).json()["id"]
            for name in ("aiko", "ben", "chie")
        ]
        merged = hubspot(
            "POST", "merge", {"primaryObjectId": ids[0], "objectIdToMerge": ids[1]}
        ).json()["id"]
        hubspot("DELETE", ids[2])
        prop = {
            "name": "key",
            "label": "Key",
            "groupName": "own",
            "type": "string",
            "fieldType": "text",
            "hasUniqueValue": True,
        }
        hubspot("POST", "/crm/v3/properties/contacts/groups", {"name": "own", "label": "Own"})
        hubspot("POST", "/crm/v3/properties/contacts", prop)
        hubspot(
            "PATCH", "/crm/v3/properties/contacts/hs_lead_status", {"options": [{"value": "新"}]}
        )
        hubspot("PATCH", merged, {"properties": {"key": "K1"}})
        gone, hidden = list(sandbox.sansan.cards)[:2]
        changes = sandbox.sansan.changes
        sandbox.sansan.delete(gone)
        sandbox.sansan.hide(True, [hidden])
        assert sandbox.sansan.changes == changes + 2, "what changed is saved"
        store.save_state(sandbox, file)
        before = Caller(sandbox, {})("GET", "/sandbox/state").json()
    assert set(json.loads(file.read_bytes())) == {"sansan", "hubspot"} == set(before)
    with Sandbox(cards=3, seed=9, limits=False) as sandbox:
        assert store.load_state(sandbox, file) is True
        assert Caller(sandbox, {})("GET", "/sandbox/state").json() == before
        hubspot = Caller(
            sandbox, {"Authorization": f"Bearer {EXAMPLE_TOKEN}"}, "/crm/v3/objects/contacts/"
        )
        for key, by in ((ids[1], ""), ("ben@example.jp", "email"), ("K1", "key")):
            assert hubspot("GET", key, idProperty=by).json()["id"] == merged
        assert hubspot("GET", ids[2], archived="true").json()["archived"] is True
        assert hubspot("PATCH", merged, {"properties": {"hs_lead_status": "新"}}).status_code == 200
        assert int(hubspot("POST", "", {"properties": {"firstname": "new"}}).json()["id"]) > int(
            merged
        )
        call = Caller(sandbox, {"X-Sansan-Api-Key": EXAMPLE_KEY}, "/v6.0/")
        assert [call("GET", f"bizCards/{id}").status_code for id in (gone, hidden)] == [404, 404]
