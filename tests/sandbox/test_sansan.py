"""Sansan's half behaves as far as its Open API is known; every guess is a switch, and is tried both
ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integration.sandbox.server import EXAMPLE_KEY, Sandbox
from tests.sandbox.conftest import Caller

ALWAYS: dict[str, Any] = {
    "updatedFrom": "2000-01-01T00:00:00Z",
    "updatedTo": "2100-01-01T00:00:00+09:00",
    "range": "all",
}


@pytest.fixture(scope="module")
def many() -> Iterator[Caller]:
    """Seven hundred cards, which nobody changes."""
    with Sandbox(cards=700, limits=False) as sandbox:
        yield Caller(sandbox, {"X-Sansan-Api-Key": EXAMPLE_KEY}, "/v6.0/")


@pytest.fixture
def half(control: Caller) -> Caller:
    """What people do in Sansan."""
    control.base = "/sandbox/sansan/"
    return control


def walk(call: Caller, path: str = "bizCards", **query: Any) -> list[list[dict[str, Any]]]:
    """Every page, the whole query beside each token."""
    pages: list[list[dict[str, Any]]] = []
    token: dict[str, Any] = {}
    while True:
        body = call("GET", path, **query, **token).json()
        assert set(body) == {"hasMore", "nextPageToken", "data"} and body["hasMore"] == (
            body["nextPageToken"] is not None
        )
        pages.append(body["data"])
        if not body["hasMore"]:
            return pages
        token = {"nextPageToken": body["nextPageToken"]}


def add(half: Caller, **values: Any) -> str:
    return str(half("POST", "cards", {"lastName": "見本", **values}).json()[0])


WRONG_KEYS = {
    "empty": "",
    "short": "short",
    "another": "WrongKey0123456789abcdefABCDEFGH",
    "revoked": "RevokedKey0123456789abcdefABCDEF",
    "one letter off": EXAMPLE_KEY[:-1] + "-",
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_is_401(both: Sandbox, key: str) -> None:
    answer = Caller(both, {"X-Sansan-Api-Key": key})("GET", "/v6.0/me")
    assert (answer.status_code, answer.json()) == (401, {"error": [{"code": "invalid_api_key"}]})


def test_a_key_can_be_revoked(both: Sandbox, half: Caller) -> None:
    call = Caller(both, {"X-Sansan-Api-Key": "AnotherKey0123456789abcdefABCDEF"})
    assert call("GET", "/v6.0/me").status_code == 200
    half("POST", "revoke", {"key": "AnotherKey0123456789abcdefABCDEF"})
    assert call("GET", "/v6.0/me").status_code == 401


@pytest.mark.parametrize("version", ["v1", "v2.5", "v3.1", "v6.0"])
def test_every_version_answers(sansan: Caller, version: str) -> None:
    assert set(sansan("GET", f"/{version}/me").json()) == {"id", "name", "email"}


WINDOWS = {
    "no times": ({"updatedFrom": "", "updatedTo": ""}, ["required", "required"]),
    "no end": ({"updatedTo": ""}, ["required"]),
    "the end before the beginning": ({"updatedTo": "1999-01-01T00:00:00Z"}, ["invalid_range"]),
    "the end at the beginning": ({"updatedTo": ALWAYS["updatedFrom"]}, ["invalid_range"]),
    "no time": ({"updatedFrom": "yesterday"}, ["invalid"]),
    "a page too large": ({"limit": 301}, ["invalid_limit"]),
    "an empty page": ({"limit": 0}, ["invalid_limit"]),
    "a token of nobody": ({"nextPageToken": "nonsense"}, ["invalid_token"]),
}


@pytest.mark.parametrize(("change", "codes"), WINDOWS.values(), ids=WINDOWS)
def test_what_a_window_refuses(sansan: Caller, change: dict[str, Any], codes: list[str]) -> None:
    answer = sansan("GET", "bizCards", **{**ALWAYS, **change})
    assert (answer.status_code, [error["code"] for error in answer.json()["error"]]) == (400, codes)


def test_a_token_belongs_to_its_query(many: Caller) -> None:
    token = many("GET", "bizCards", **ALWAYS, limit=300).json()["nextPageToken"]
    assert many("GET", "bizCards", **ALWAYS, limit=200, nextPageToken=token).json() == {
        "error": [{"code": "invalid_token"}]
    }


PAGES = {
    "the largest": (300, [300, 300, 100]),
    "as many as by default": (None, [100] * 7),
    "fewer": (200, [200, 200, 200, 100]),
}


@pytest.mark.parametrize(("limit", "sizes"), PAGES.values(), ids=PAGES)
def test_a_window_is_read_in_pages_oldest_change_first(
    many: Caller, limit: int | None, sizes: list[int]
) -> None:
    pages = walk(many, **(ALWAYS | {"limit": limit} if limit else ALWAYS))
    cards = [card for page in pages for card in page]
    assert [len(page) for page in pages] == sizes
    assert len({card["id"] for card in cards}) == 700
    times = [card["updatedTime"] for card in cards]
    assert times == sorted(times)


def test_both_ends_of_a_window_belong_to_it(sansan: Caller, half: Caller) -> None:
    first, last = (add(half, updatedTime=f"2030-01-01T0{hour}:00:00+00:00") for hour in (1, 3))
    for start, end, expected in (
        ("2030-01-01T01:00:00Z", "2030-01-01T12:00:00+09:00", [first, last]),
        ("2030-01-01T01:00:01Z", "2030-01-01T03:00:00Z", [last]),
        ("2030-01-01T01:00:00Z", "2030-01-01T02:59:59Z", [first]),
    ):
        assert [
            card["id"]
            for page in walk(sansan, **{**ALWAYS, "updatedFrom": start, "updatedTo": end})
            for card in page
        ] == expected


SHOWN = {
    "one's own": ({"owner": {"id": "1000"}}, {"range": "me"}, True),
    "another's, asked for one's own": ({"owner": {"id": "1001"}}, {"range": "me"}, False),
    "another's": ({"owner": {"id": "1001"}}, {}, True),
    "a past one": ({"past": True}, {}, False),
    "a past one, asked for": ({"past": True}, {"includePastBizCards": "true"}, True),
    "one still being read": ({"entryStatus": "processing"}, {}, False),
    "one still being read, asked for": (
        {"entryStatus": "processing"},
        {"entryStatus": ["processing", "completed"]},
        True,
    ),
    "one still being read, asked for in brackets": (
        {"entryStatus": "processing"},
        {"entryStatus[]": ["processing", "completed"]},
        True,
    ),
    "a hidden one": ({"hidden": True}, {}, False),
}


@pytest.mark.parametrize(("values", "query", "seen"), SHOWN.values(), ids=SHOWN)
def test_which_cards_a_list_shows(
    sansan: Caller, half: Caller, values: dict[str, Any], query: dict[str, Any], seen: bool
) -> None:
    id = add(half, **values)
    assert (
        id in {card["id"] for page in walk(sansan, **{**ALWAYS, **query}) for card in page}
    ) is seen


def test_tags_only_when_asked_for_private_ones_too(
    both: Sandbox, sansan: Caller, half: Caller
) -> None:
    id = add(half, tags=["T0001", "P0000"])
    assert "tags" not in sansan("GET", f"bizCards/{id}").json()["item"]
    tags = sansan("GET", f"bizCards/{id}", includeTags="true").json()["item"]["tags"]
    assert [(tag["id"], tag["type"], set(tag["owner"])) for tag in tags] == [
        ("T0001", "shared", {"id", "name"}),
        ("P0000", "private", {"id", "name"}),
    ]
    assert sansan("GET", f"bizCards/{id}/tags").json()["data"] == tags
    both.sansan.switches["tag_details"] = False
    assert [
        set(tag)
        for tag in sansan("GET", f"bizCards/{id}", includeTags="true").json()["item"]["tags"]
    ] == [{"id", "name"}] * 2


TAG_QUERIES = {
    "all": ({}, 15),
    "of one type": ({"type": "private"}, 3),
    "of two types": ({"type": ["public", "shared"]}, 12),
    "shared": ({"type": "shared"}, 6),
    "by name": ({"tagName": "展示会"}, 1),
    "in small pages": ({"limit": 4}, 15),
}


@pytest.mark.parametrize(("query", "found"), TAG_QUERIES.values(), ids=TAG_QUERIES)
def test_the_list_of_tags(sansan: Caller, query: dict[str, Any], found: int) -> None:
    tags = [tag for page in walk(sansan, "tags", range="all", **query) for tag in page]
    assert len({tag["id"] for tag in tags}) == len(tags) == found
    assert all(set(tag) == {"id", "name", "type", "owner"} for tag in tags)


def test_a_search_by_tag_or_address(sansan: Caller, half: Caller) -> None:
    aiko, ben = (
        add(half, email="aiko@example.jp", tags=["P0001"]),
        add(half, email="ben@example.jp", tags=["P0002"]),
    )
    for query, expected in (
        ({"email": "aiko@example.jp"}, {aiko}),
        ({"email": "aiko@example.j"}, set()),
        ({"tagId": ["P0001", "P0002"]}, {aiko, ben}),
    ):
        found = {
            card["id"]
            for page in walk(sansan, "bizCards/search", range="all", **query)
            for card in page
        }
        assert found & {aiko, ben} == expected


def test_a_person_has_the_newest_card(sansan: Caller, half: Caller) -> None:
    old, new = (add(half, exchangeDate=f"20{year}-01-01") for year in (10, 20))
    half("POST", "merge", {"ids": [old, new]})
    person = sansan("GET", f"bizCards/{old}").json()["item"]["personId"]
    item = sansan("GET", f"persons/{person}").json()["item"]
    assert (item["id"], item["headBizCard"]["id"]) == (person, new)


def test_gone_and_out_of_sight_look_the_same(sansan: Caller, half: Caller) -> None:
    deleted, hidden = add(half), add(half)
    half("DELETE", f"cards/{deleted}")
    half("POST", "hide", {"ids": [hidden]})
    answers = [sansan("GET", f"bizCards/{id}") for id in (deleted, hidden, "0" * 32)]
    assert [(answer.status_code, answer.content) for answer in answers] == [
        (404, b'{"error":[{"code":"not_found"}]}')
    ] * 3
    half("POST", "show", {"ids": [hidden]})
    assert sansan("GET", f"bizCards/{hidden}").status_code == 200


MOVES = {
    "tags only": ({"tags": ["T0002"]}, False, False),
    "tags only, where they move it": ({"tags": ["T0002"]}, True, True),
    "tags and a field": ({"tags": ["T0002"], "title": "部長"}, False, True),
    "a field": ({"title": "部長"}, False, True),
    "a field, kept from moving it": ({"title": "部長", "_bump": False}, True, False),
}


@pytest.mark.parametrize(("change", "switch", "moves"), MOVES.values(), ids=MOVES)
def test_what_moves_the_update_time(
    both: Sandbox, sansan: Caller, half: Caller, change: dict[str, Any], switch: bool, moves: bool
) -> None:
    both.sansan.switches["tag_bumps_updated"] = switch
    id = add(half, updatedTime="2020-01-01T00:00:00+00:00")
    half("PATCH", f"cards/{id}", change)
    card = sansan("GET", f"bizCards/{id}", includeTags="true").json()["item"]
    assert (card["updatedTime"] != "2020-01-01T09:00:00+09:00") is moves
    assert [tag["id"] for tag in card["tags"]] == change.get("tags", []) and card[
        "title"
    ] == change.get("title")
