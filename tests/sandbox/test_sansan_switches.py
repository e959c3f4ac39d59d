"""Sansan's half: shapes by switch, churn, cards made through the API, and limits."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from integration.sandbox import limits
from integration.sandbox.server import EXAMPLE_KEY, Sandbox
from tests.sandbox.conftest import Caller

ALWAYS: dict[str, Any] = {
    "updatedFrom": "2000-01-01T00:00:00Z",
    "updatedTo": "2100-01-01T00:00:00Z",
    "range": "all",
    "limit": 300,
}


def cards(call: Caller) -> dict[str, dict[str, Any]]:
    return {card["id"]: card for card in call("GET", "bizCards", **ALWAYS).json()["data"]}


def test_churn_changes_a_share_of_the_cards_and_moves_their_times(
    sansan: Caller, control: Caller
) -> None:
    before = cards(sansan)
    chosen = control("POST", "sansan/churn", {"percent": 10, "seed": 3}).json()
    after = cards(sansan)
    assert len(chosen) == round(len(before) / 10)
    assert {id for id in before if before[id] != after[id]} == set(chosen)
    for id in chosen:
        changed = {name for name in after[id] if after[id][name] != before[id][name]}
        assert (
            "updatedTime" in changed
            and len(changed) == 2
            and changed < {"updatedTime", "title", "departmentName", "mobile"}
        )


@pytest.mark.parametrize("bumps", [False, True])
def test_a_merge_moves_the_update_time_by_switch(
    both: Sandbox, sansan: Caller, control: Caller, bumps: bool
) -> None:
    both.sansan.switches["merge_bumps_updated"] = bumps
    before = cards(sansan)
    pair = sorted(before)[:2]
    control("POST", "sansan/merge", {"ids": pair})
    after = cards(sansan)
    assert after[pair[0]]["personId"] == after[pair[1]]["personId"] == before[pair[0]]["personId"]
    assert all((before[id]["updatedTime"] != after[id]["updatedTime"]) is bumps for id in pair)


def test_a_single_card_is_wrapped_or_not(both: Sandbox, sansan: Caller) -> None:
    id, card = next(iter(cards(sansan).items()))
    assert sansan("GET", f"bizCards/{id}").json() == {"item": card}
    both.sansan.switches["wrap_item"] = False
    assert sansan("GET", f"bizCards/{id}").json() == card


ZONES = {
    "Japan's": ("+09:00", "2026-01-01T09:00:00+09:00"),
    "UTC": ("Z", "2026-01-01T00:00:00Z"),
}


@pytest.mark.parametrize(("zone", "written"), ZONES.values(), ids=ZONES)
def test_times_are_written_in_either_zone(
    both: Sandbox, sansan: Caller, control: Caller, zone: str, written: str
) -> None:
    both.sansan.switches["zone"] = zone
    (id,) = control("POST", "sansan/cards", {"updatedTime": "2026-01-01T00:00:00+00:00"}).json()
    assert cards(sansan)[id]["updatedTime"] == written


def test_blank_text_and_the_owners_address_by_switch(both: Sandbox, sansan: Caller) -> None:
    card = next(iter(cards(sansan).values()))
    assert card["secondTel"] is None and "email" in card["owner"]
    both.sansan.switches.update(null_text="", owner_email=False)
    card = cards(sansan)[card["id"]]
    assert card["secondTel"] == "" and set(card["owner"]) == {"id", "name"}


NEW_CARDS = {
    "a person with a tag": ({"lastName": "見本", "tagIds": ["T0001"], "countryCode": "AUTO"}, 201),
    "a company only": ({"companyName": "見本商事"}, 201),
    "an address only": ({"email": "aiko@example.jp"}, 400),
    "a name too long": ({"lastName": "x" * 251}, 400),
    "a memo just short enough": ({"lastName": "x", "memo": "x" * 2000}, 201),
    "a memo too long": ({"lastName": "x", "memo": "x" * 2001}, 400),
    "a postal code too long": ({"lastName": "x", "postalCode": "x" * 11}, 400),
    "too many tags": ({"lastName": "x", "tagIds": ["T0001"] * 16}, 400),
}


@pytest.mark.parametrize(("body", "status"), NEW_CARDS.values(), ids=NEW_CARDS)
def test_cards_can_be_made(sansan: Caller, body: dict[str, Any], status: int) -> None:
    answer = sansan("POST", "bizCards", body)
    assert answer.status_code == status
    if status == 201:
        assert sansan("GET", f"bizCards/{answer.json()['id']}").status_code == 200


def test_so_many_cards_a_day(both: Sandbox, sansan: Caller) -> None:
    both.sansan.switches["post_cap"] = both.sansan.posted + 1
    assert [sansan("POST", "bizCards", {"lastName": "見本"}).status_code for _ in range(2)] == [
        201,
        429,
    ]


@pytest.mark.parametrize("path", ["nothing", "bizCards/x/y/z", "persons/nobody"])
def test_a_wrong_path_is_404(sansan: Caller, path: str) -> None:
    assert sansan("GET", path).status_code == 404


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Caller, SimpleNamespace]]:
    """A caller that is counted, and the clock of the limits, which stands still."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with Sandbox(cards=0) as sandbox:
        yield Caller(sandbox, {"X-Sansan-Api-Key": EXAMPLE_KEY}, "/v6.0/"), clock


def test_ten_calls_a_second(limited: tuple[Caller, SimpleNamespace]) -> None:
    call, clock = limited
    answers = [call("GET", "me") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[10].json() == {"error": [{"code": "too_many_requests"}], "retry_after": 1}
    assert "Retry-After" not in answers[10].headers
    call.sandbox.sansan.switches["retry_after_in_body"] = False
    assert call("GET", "me").json() == {"error": [{"code": "too_many_requests"}]}
    other = Caller(call.sandbox, {"X-Sansan-Api-Key": "AnotherKey0123456789abcdefABCDEF"})
    assert other("GET", "/v6.0/me").status_code == 200, "each key has limits of its own"
    clock.now += 1
    assert call("GET", "me").status_code == 200


def test_three_hundred_calls_a_minute(limited: tuple[Caller, SimpleNamespace]) -> None:
    call, clock = limited
    statuses = []
    for _ in range(301):
        statuses.append(call("GET", "me").status_code)
        clock.now += 0.125
    assert statuses == [200] * 300 + [429]
    clock.now += 60
    assert call("GET", "me").status_code == 200
