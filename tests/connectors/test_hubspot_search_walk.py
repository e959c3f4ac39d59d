"""Walks that must miss nobody: HubSpot's contacts by time of change, however they are stamped, and
by id; and what is asked of Sansan by tag, by name and by making a card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration.connectors.base import Reconnect, Rejected, RetryLater, Unanswered
from integration.connectors.http import Unlimited
from integration.connectors.hubspot import search
from integration.connectors.registry import make_hubspot, make_sansan
from integration.records import ContactPage, ContactRead
from integration.sandbox.hubspot import moments
from integration.sandbox.server import EXAMPLE_KEY, Sandbox
from tests.connectors.conftest import Reply

quick = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TOKEN = "pat-walk-0001"
NOON = datetime(2026, 10, 1, 12, 0, 0, 123_000, tzinfo=UTC)
BEGIN = NOON - timedelta(hours=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(cards=0, limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def both(running: Sandbox) -> Iterator[Sandbox]:
    running.hubspot.portals.clear()
    running.reset_calls()
    before = dict(running.hubspot.switches)
    yield running
    running.hubspot.switches.clear()
    running.hubspot.switches.update(before)
    running.faults.clear()


@pytest.fixture(params=["2026-03", "v3"])
def target(request: Any, both: Sandbox) -> Any:
    return make_hubspot({"access_token": TOKEN}, both.url, request.param, Unlimited())


@pytest.fixture
def plain(both: Sandbox) -> Any:
    return make_hubspot({"access_token": TOKEN}, both.url, "2026-03", Unlimited())


def fill(sandbox: Sandbox, times: list[datetime], first: int = 9001) -> list[str]:
    """Contacts with these times of change, put straight into the portal. Returns their ids."""
    portal = sandbox.hubspot.portal(TOKEN)
    ids = [str(first + i) for i in range(len(times))]
    stamped = {moment: moments.as_iso_text(moment) for moment in set(times)}
    with portal.lock:
        for id, moment in zip(ids, times, strict=True):
            portal.records[id] = {
                "hs_object_id": id,
                "createdate": stamped[moment],
                "lastmodifieddate": stamped[moment],
                "lastname": f"n{id}",
            }
        portal.last_id = max(portal.last_id, int(ids[-1])) if ids else portal.last_id
    return ids


def walk(target: Any, since: datetime = BEGIN, most: int = 400, between: Any = None) -> list[str]:
    """The ids that a walk meets, in its order."""
    met, token = [], ""
    for n in range(most):
        page = target.list_changed_contacts(since, token, ("lastname",))
        assert len(page.contacts) <= search.CONTACTS_A_SEARCH_PAGE
        met += [one.id for one in page.contacts]
        assert all(one.values.get("lastname") == f"n{one.id}" or between for one in page.contacts)
        token = page.next_token
        if not token:
            return met
        if between:
            between(n, page)
    raise AssertionError("the walk does not end")


# Stamped in any way

WAYS = {
    "nobody": [],
    "one": [NOON],
    "each at a time of its own": [NOON + timedelta(milliseconds=i) for i in range(450)],
    "all at one time": [NOON] * 450,
    "exactly a page": [NOON] * 200,
    "a page and one": [NOON] * 201,
    "a page less one": [NOON] * 199,
    "two pages at one time": [NOON] * 400,
    "a tie across the border of a page": [NOON + timedelta(seconds=i) for i in range(150)]
    + [NOON + timedelta(hours=1)] * 100,
    "a tie that begins a page": [NOON + timedelta(seconds=i) for i in range(200)]
    + [NOON + timedelta(hours=1)] * 250,
    "a tie that ends with a page": [NOON] * 250
    + [NOON + timedelta(seconds=1 + i) for i in range(150)],
    "two ties a millisecond apart": [NOON] * 250 + [NOON + timedelta(milliseconds=1)] * 250,
    "three ties, each a page": [
        NOON + timedelta(milliseconds=i) for i in range(3) for _ in range(200)
    ],
    "a tie, a gap, a tie": [NOON] * 300 + [NOON + timedelta(hours=5)] * 300,
    "the later the smaller the id": [NOON - timedelta(seconds=i) for i in range(450)],
    "at the very beginning": [BEGIN] * 300,
}


@pytest.mark.parametrize("times", WAYS.values(), ids=WAYS)
def test_everybody_is_met(target, both, times):
    ids = fill(both, times)
    met = walk(target)
    assert set(met) == set(ids)
    assert max(Counter(met).values(), default=1) <= 3, "and hardly anybody more than twice"


def test_whoever_changed_before_is_not_asked_for(target, both):
    early, late = (
        fill(both, [BEGIN - timedelta(milliseconds=1)] * 3),
        fill(both, [BEGIN] * 3, first=9100),
    )
    assert walk(target) == late and early


def test_a_beginning_between_two_milliseconds_misses_none(target, both):
    ids = fill(both, [BEGIN])
    assert walk(target, BEGIN + timedelta(microseconds=999)) == ids


def test_the_verb_that_stamps(target, both):
    both.hubspot.control(
        "create", {"token": TOKEN, "contacts": [{"firstname": f"n{i}"} for i in range(450)]}
    )
    assert both.hubspot.control("stamp", {"token": TOKEN, "at": NOON.isoformat()}) == 450
    met: set[str] = set()
    token = ""
    while True:
        page = target.list_changed_contacts(BEGIN, token, ())
        met.update(one.id for one in page.contacts)
        if not (token := page.next_token):
            break
    assert len(met) == 450


def test_more_at_one_time_than_a_search_reaches(plain, both):
    before, tie, later = (
        fill(both, [NOON - timedelta(seconds=5)] * 10),
        fill(both, [NOON] * 10_500, first=20_001),
        fill(both, [NOON + timedelta(seconds=1)] * 10, first=9500),
    )
    met = walk(plain)
    assert set(met) == {*before, *tie, *later}
    assert len(met) <= 10_520 + 2 * search.CONTACTS_A_SEARCH_PAGE
    assert len([call for call in both.calls["by_call"] if "search 200" in call]) == 1, (
        "and no search was refused"
    )


def test_more_in_all_than_a_search_reaches(plain, both):
    ids = fill(both, [NOON + timedelta(seconds=i // 7) for i in range(10_300)])
    assert set(walk(plain)) == set(ids)


@quick
@given(
    gaps=st.lists(
        st.tuples(st.sampled_from([0, 1, 1000]), st.integers(1, 230)), min_size=1, max_size=5
    ),
    seed=st.integers(0, 5),
)
def test_any_stamps_at_all(plain, both, gaps, seed):
    both.hubspot.portals.clear()
    times, moment = [], NOON
    for gap, count in gaps:
        moment += timedelta(milliseconds=gap)
        times += [moment] * count
    ids = fill(both, times[seed:] + times[:seed])
    assert set(walk(plain)) == set(ids)


# While others are at work


def stamp(sandbox: Sandbox, ids: list[str], moment: datetime) -> None:
    sandbox.hubspot.control(
        "stamp", {"token": TOKEN, "ids": ids, "at": moments.as_iso_text(moment)}
    )


@pytest.mark.parametrize(
    "times",
    [[NOON] * 650, [NOON + timedelta(seconds=i) for i in range(650)]],
    ids=["one time", "many times"],
)
@pytest.mark.parametrize("which", ["met", "not met yet"])
def test_a_contact_that_changes_meanwhile_hides_nobody(plain, both, times, which):
    ids = fill(both, times)
    moved: list[str] = []

    def between(n: int, page: ContactPage) -> None:
        if n == 0:
            seen = [one.id for one in page.contacts]
            moved.extend(seen[:50] if which == "met" else [id for id in ids if id not in seen][:50])
            stamp(both, moved, NOON + timedelta(days=1))

    met = walk(plain, between=between)
    assert set(met) == set(ids) and len(moved) == 50


def test_a_contact_that_is_deleted_meanwhile_hides_nobody(plain, both):
    ids = fill(both, [NOON] * 650)

    def between(n: int, page: ContactPage) -> None:
        if n == 0:
            for id in [one.id for one in page.contacts][:20]:
                both.hubspot.control("delete", {"token": TOKEN, "id": id})

    assert set(walk(plain, between=between)) == set(ids)


def test_a_contact_that_keeps_changing_ends_the_walk_all_the_same(plain, both):
    """It moves to the end each time, and is met there; the walk is not longer by more than a page
    for it.
    """
    ids = fill(both, [NOON + timedelta(seconds=i) for i in range(450)])
    at = [NOON + timedelta(days=1)]

    def between(n: int, page: ContactPage) -> None:
        at[0] += timedelta(seconds=1)
        stamp(both, ids[:1], at[0])

    assert set(walk(plain, most=10, between=between)) == set(ids)


def test_the_index_is_behind(plain, both):
    """What the index does not know yet is not met; the next walk, which begins before, meets it."""
    both.hubspot.switches["search_lag"] = 3600
    both.hubspot.control("create", {"token": TOKEN, "contacts": [{"firstname": "Aiko"}]})
    since = datetime.now(UTC) - timedelta(minutes=5)
    assert plain.list_changed_contacts(since, "", ()).contacts == ()
    both.hubspot.switches["search_lag"] = 0
    both.hubspot.portal(TOKEN).lag._earlier.clear()
    assert len(plain.list_changed_contacts(since, "", ()).contacts) == 1


def test_an_old_version_is_met_under_its_old_time(plain, both):
    (id,) = both.hubspot.control("create", {"token": TOKEN, "contacts": [{"firstname": "Aiko"}]})
    since = datetime.now(UTC) - timedelta(minutes=5)
    first = plain.list_changed_contacts(since, "", ("firstname",)).contacts[0]
    both.hubspot.switches["search_lag"] = 3600
    both.hubspot.control("edit", {"token": TOKEN, "id": id, "properties": {"firstname": "愛子"}})
    assert plain.list_changed_contacts(since, "", ("firstname",)).contacts[0] == first
    assert plain.read([id], ("firstname",))[id].values["firstname"] == "愛子", (
        "a read is never behind"
    )


# What is asked


BODIES = {
    "the beginning": ("", [("lastmodifieddate", "GTE", "1790852400123")], "lastmodifieddate"),
    "from a time": (
        "1790852400999",
        [("lastmodifieddate", "GTE", "1790852400999")],
        "lastmodifieddate",
    ),
    "from the first of one time": (
        "1790852400999:0",
        [("lastmodifieddate", "EQ", "1790852400999"), ("hs_object_id", "GT", "0")],
        "hs_object_id",
    ),
    "on within one time": (
        "1790852400999:9200",
        [("lastmodifieddate", "EQ", "1790852400999"), ("hs_object_id", "GT", "9200")],
        "hs_object_id",
    ),
}


@pytest.mark.parametrize(("token", "filters", "sort"), BODIES.values(), ids=BODIES)
def test_the_body_of_a_search(token, filters, sort):
    body = search.make_search_body(BEGIN, token, ("lastname",))
    (group,) = body["filterGroups"]
    assert [
        (one["propertyName"], one["operator"], one["value"]) for one in group["filters"]
    ] == filters
    assert (body["sorts"], body["limit"], body["properties"]) == (
        [{"propertyName": sort, "direction": "ASCENDING"}],
        200,
        ["lastname"],
    )
    assert "after" not in body and len(orjson.dumps(body)) < 3000


def page(*rows: tuple[str, datetime | None], more: bool = True) -> ContactPage:
    return ContactPage(
        tuple(ContactRead(id, {}, moment) for id, moment in rows), "200" if more else ""
    )


FOLLOWING = {
    "an empty list": ("", page(more=False), ""),
    "the only page": ("", page(("1", NOON), more=False), ""),
    "a first page": ("", page(("1", NOON)), "1790856000123"),
    "a page of one time": ("1790856000123", page(("1", NOON)), "1790856000123:0"),
    "a page of two times": (
        "1790856000123",
        page(("1", NOON), ("2", NOON + timedelta(milliseconds=1))),
        "1790856000124",
    ),
    "a page without times": ("1790856000123", page(("1", None)), "1790856000123:0"),
    "on within one time": ("1790856000123:0", page(("1", NOON), ("7", NOON)), "1790856000123:7"),
    "the last of one time": ("1790856000123:7", page(("9", NOON), more=False), "1790856000124"),
    "one time that has no more": ("1790856000123:9", page(more=False), "1790856000124"),
    "nothing more": ("1790856000124", page(more=False), ""),
}


@pytest.mark.parametrize(("token", "found", "following"), FOLLOWING.values(), ids=FOLLOWING)
def test_what_follows_a_page(token, found, following):
    assert search.make_next_token(BEGIN, token, found) == following


@quick
@given(after=st.timedeltas(timedelta(days=-9000), timedelta(days=30_000)))
def test_milliseconds_are_never_after_the_time(after):
    moment = NOON + after
    at = datetime.fromtimestamp(0, UTC) + timedelta(
        milliseconds=search.as_search_milliseconds(moment)
    )
    assert at <= moment < at + timedelta(milliseconds=1)


def test_a_search_has_a_limit_of_its_own(both, limit):
    searches = type(limit)()
    one = make_hubspot({"access_token": TOKEN}, both.url, "2026-03", limit, searches)
    one.list_changed_contacts(BEGIN, "", ())
    one.list_contacts("", ())
    assert (limit.waited, searches.waited, one.calls, one.rate_limited, searches.learnt) == (
        1,
        1,
        2,
        0,
        [],
    )


def test_a_search_that_is_slowed_down_is_counted(both, limit):
    searches = type(limit)()
    one = make_hubspot({"access_token": TOKEN}, both.url, "2026-03", limit, searches)
    both.faults.arm(
        "hubspot",
        "rate_limit",
        match="search",
        times=1,
        body={"status": "error", "message": "You have reached your secondly limit."},
    )
    one.list_changed_contacts(BEGIN, "", ())
    assert (one.calls, one.rate_limited, searches.paused, limit.paused) == (2, 1, [1.0], [])


UNKNOWN_SHAPES = {
    "empty": {},
    "results null": {"results": None},
    "results no list": {"results": {}},
    "no results": {"total": 3},
    "paging a text": {"results": [], "paging": "x"},
    "the next page a number": {"results": [], "paging": {"next": 7}},
}


@pytest.mark.parametrize("answer", UNKNOWN_SHAPES.values(), ids=UNKNOWN_SHAPES)
def test_a_page_of_an_unknown_shape_is_for_later(hubspot, vendor, answer):
    vendor.says(Reply(200, answer))
    with pytest.raises(RetryLater):
        hubspot.list_changed_contacts(BEGIN, "", ())


def test_a_walk_that_was_cut_goes_on_by_its_token(plain, both):
    """What a slice leaves for the next one is the token alone."""
    ids = fill(both, [NOON] * 300 + [NOON + timedelta(milliseconds=i) for i in range(1, 300)])
    met, token = [], ""
    while True:
        other = make_hubspot({"access_token": TOKEN}, both.url, "v3", Unlimited())
        found = other.list_changed_contacts(BEGIN, token, ())
        met += [one.id for one in found.contacts]
        if not (token := found.next_token):
            break
    assert set(met) == set(ids)


# By id


def by_id(ask: Any) -> list[str]:
    met, token = [], ""
    for _ in range(50):
        found = ask(token)
        met += [one.id for one in found.contacts]
        if not (token := found.next_token):
            return met
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_all_contacts(target, both, count):
    ids = fill(both, [NOON] * count)
    assert by_id(lambda token: target.list_contacts(token, ("lastname",))) == ids


def test_a_page_of_contacts_tells_what_was_asked_for(target, both):
    fill(both, [NOON])
    (one,) = target.list_contacts("", ("lastname",)).contacts
    assert (one.values["lastname"], one.values["email"], one.modified_at) == ("n9001", "", NOON)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_the_recycle_bin(target, both, count):
    fill(both, [NOON] * (count + 1))
    portal = both.hubspot.portal(TOKEN)
    for id in [str(9002 + i) for i in range(count)]:
        portal.archived[id] = portal.records.pop(id)
    assert by_id(target.list_deleted_contacts) == [str(9002 + i) for i in range(count)]


def test_what_is_deleted_for_privacy_is_in_no_bin(target, both):
    ids = fill(both, [NOON] * 3)
    both.hubspot.control("delete", {"token": TOKEN, "id": ids[0]})
    both.hubspot.control("purge", {"token": TOKEN, "id": ids[1]})
    assert by_id(target.list_deleted_contacts) == ids[:1]
    assert target.find_deleted_contacts(ids) == {ids[0]}
    both.hubspot.control("purge", {"token": TOKEN, "id": ids[0]})
    assert target.find_deleted_contacts(ids) == set() and by_id(target.list_deleted_contacts) == []


def test_among_deleted_goes_by_hundreds(target, both):
    ids = fill(both, [NOON] * 250)
    portal = both.hubspot.portal(TOKEN)
    for id in ids[::2]:
        portal.archived[id] = portal.records.pop(id)
    assert target.find_deleted_contacts([*ids, "1", "77777"]) == set(ids[::2])
    assert target.calls == 3


def test_nobody_is_among_the_deleted_without_a_question(target):
    assert target.find_deleted_contacts(()) == set() and target.calls == 0


OWNER_PAGES = {
    "one page": (1, 3),
    "two pages": (2, 700),
}


@pytest.mark.parametrize(("pages", "found"), OWNER_PAGES.values(), ids=OWNER_PAGES)
def test_owners_to_the_last_page(target, both, pages, found):
    if pages == 2:
        both.hubspot.control(
            "owners",
            {
                "token": TOKEN,
                "owners": [
                    {"id": str(100 + i), "email": f"U{i}@Acme.example.jp"} for i in range(700)
                ],
            },
        )
    owners = target.list_owners()
    assert len(owners) == found and target.calls == pages
    assert all(email == email.lower() for email in owners)


OWNER_ROWS = {
    "an address with blanks and capitals": (
        [{"id": "1", "email": " Aiko@Acme.example.jp "}],
        {"aiko@acme.example.jp": "1"},
    ),
    "the id a number": ([{"id": 1, "email": "a@b.jp"}], {"a@b.jp": "1"}),
    "no address, no id, no row": (
        [{"id": "1", "email": None}, {"id": "2", "email": ""}, {"email": "c@b.jp"}, None, "x"],
        {},
    ),
}


@pytest.mark.parametrize(("rows", "expected"), OWNER_ROWS.values(), ids=OWNER_ROWS)
def test_owners_of_any_shape(hubspot, vendor, rows, expected):
    vendor.says(Reply(200, {"results": rows}))
    assert hubspot.list_owners() == expected


def test_deactivated_users_own_nothing(target, both):
    both.hubspot.control(
        "owners",
        {
            "token": TOKEN,
            "owners": [
                {"id": "1", "email": "a@b.jp", "archived": True},
                {"id": "2", "email": "c@b.jp"},
            ],
        },
    )
    assert target.list_owners() == {"c@b.jp": "2"}


def test_without_the_right_to_see_owners_a_person_is_asked(target, both):
    both.hubspot.control("scopes", {"token": TOKEN, "missing": ["crm.objects.owners.read"]})
    with pytest.raises(Reconnect, match="owners"):
        target.list_owners()


# Sansan


@pytest.fixture
def cards() -> Iterator[Sandbox]:
    with Sandbox(cards=0, limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def source(cards: Sandbox) -> Any:
    return make_sansan({"api_key": EXAMPLE_KEY}, cards.url, "v6.0", Unlimited())


def paper(sandbox: Sandbox, count: int = 1, **values: Any) -> list[str]:
    return [
        sandbox.sansan.add(
            {"lastName": "森", "firstName": f"{i}", "companyName": "アクメ", **values}
        )["id"]
        for i in range(count)
    ]


def test_cards_by_tag_to_the_last_page(source, cards):
    tag, other = list(cards.sansan.tags)[:2]
    carrying, _, plain_ones = (
        paper(cards, 650, tags=[tag]),
        paper(cards, 5, tags=[other]),
        paper(cards, 5),
    )
    assert sorted(by_tag(source, tag)) == sorted(carrying)
    assert len(by_tag(source, "")) == 660 and set(plain_ones) <= set(by_tag(source, ""))
    assert by_tag(source, "no such tag") == []


def by_tag(source: Any, tag: str) -> list[str]:
    met, token = [], ""
    for _ in range(20):
        found = source.list_tagged_cards(tag, token)
        met += [one.id for one in found.cards]
        if not (token := found.next_token):
            return met
    raise AssertionError("the walk does not end")


def test_how_cards_are_asked_for_by_tag(sansan, vendor):
    vendor.says(
        Reply(200, {"hasMore": True, "nextPageToken": "n2", "data": []}),
        Reply(200, {"hasMore": False, "data": []}),
        Reply(200, {"data": []}),
    )
    assert (
        sansan.list_tagged_cards("T1").next_token == "n2"
        and sansan.list_tagged_cards("T1", "n2").next_token == ""
        and sansan.list_tagged_cards("").cards == ()
    )
    first, second, everybody = (asked.query for asked in vendor.asked)
    assert first == {
        **first,
        "tagId": "T1",
        "range": "all",
        "includeTags": "true",
        "limit": "300",
        "orderBy": "registeredAt",
        "orderDirection": "asc",
    }
    assert second == {**first, "nextPageToken": "n2"}, "the whole question again beside the token"
    assert "tagId" not in everybody and {asked.path for asked in vendor.asked} == {
        "/v6.0/bizCards/search"
    }


def test_found_by_address_whole_and_no_part(source, cards):
    (id,) = paper(cards, email="aiko@acme.example.jp")
    paper(cards, email="not-aiko@acme.example.jp")
    assert [one.id for one in source.find(email="aiko@acme.example.jp")] == [id]
    assert source.find(email="nobody@acme.example.jp") == []


def test_found_by_name_and_company(source, cards):
    (id,) = paper(cards)
    assert [one.id for one in source.find(name="森0", company="アクメ")] == [id]
    assert (
        source.find(name="森0", company="ベータ") == []
        and source.find(name="林", company="アクメ") == []
    )


UNSEEN = {
    "past": {"past": True},
    "still being read": {"entryStatus": "processing"},
}


@pytest.mark.parametrize("members", UNSEEN.values(), ids=UNSEEN)
def test_a_card_that_is_not_to_be_seen_otherwise_is_found_all_the_same(source, cards, members):
    """Past cards too, and those still being read: any of them says that there is a card."""
    (id,) = paper(cards, email="aiko@acme.example.jp", **members)
    assert [one.id for one in source.find(email="aiko@acme.example.jp")] == [id]


LOOKED_FOR = {
    "by address": ({"email": "aiko@acme.example.jp"}, {"email": "aiko@acme.example.jp"}),
    "by name and company": (
        {"name": "森愛子", "company": "アクメ"},
        {"name": "森愛子", "companyName": "アクメ"},
    ),
}


@pytest.mark.parametrize(("asked_for", "sent"), LOOKED_FOR.values(), ids=LOOKED_FOR)
def test_how_cards_are_looked_for(sansan, vendor, asked_for, sent):
    vendor.says(*[Reply(200, {"hasMore": False, "data": []})] * 3)
    assert sansan.find(**asked_for) == []
    for asked in vendor.asked:
        assert asked.path == "/v6.0/bizCards/search"
        assert {name: asked.query.get(name) for name in ("email", "name", "companyName")} == {
            "email": None,
            "name": None,
            "companyName": None,
            **sent,
        }
        assert (
            asked.query["includePastBizCards"],
            asked.query["range"],
            asked.query["includeTags"],
        ) == ("true", "all", "true")


def test_a_page_that_cannot_be_read_is_no_proof_that_there_is_no_card(sansan, vendor):
    vendor.says(Reply(200, {"data": "none"}))
    with pytest.raises(RetryLater):
        sansan.find(email="aiko@acme.example.jp")


def test_a_card_that_cannot_be_read_is_a_card_all_the_same(sansan, vendor):
    """Or a second one would be made beside it."""
    vendor.says(
        Reply(
            200,
            {
                "hasMore": False,
                "data": [{"id": "C1", "email": "aiko@acme.example.jp", "updatedTime": "yesterday"}],
            },
        )
    )
    try:
        found = sansan.find(email="aiko@acme.example.jp")
    except RetryLater:
        return
    assert [one.id for one in found] == ["C1"]


MADE = {"id": "C1"}


@pytest.mark.parametrize(
    "answer",
    [
        MADE,
        {"item": MADE},
        {"data": MADE},
        {"item": {**MADE, "lastName": "森"}},
        {**MADE, "item": None},
        {"item": {}, "data": MADE},
        {"id": 17},
    ],
    ids=[
        "at the top",
        "in item",
        "in data",
        "with more",
        "beside an empty item",
        "in data beside an empty item",
        "a number",
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_the_id_of_a_card_that_was_made(sansan, vendor, answer, status):
    vendor.says(Reply(status, answer))
    assert sansan.create({"lastName": "森", "countryCode": "AUTO"}, ["T1"]) in ("C1", "17")
    assert (
        vendor.asked[0].body == {"lastName": "森", "countryCode": "AUTO", "tagIds": ["T1"]}
        and vendor.asked[0].path == "/v6.0/bizCards"
    )


NAMELESS = {
    "none": {},
    "null": {"id": None},
    "blank": {"id": ""},
    "none in item": {"item": {}},
    "none in data": {"data": {"lastName": "森"}},
    "a list": {"data": [MADE]},
    "a text": {"item": "C1"},
    "an error": {"error": [{"code": "x"}]},
}


@pytest.mark.parametrize("answer", NAMELESS.values(), ids=NAMELESS)
def test_an_answer_that_names_no_card_leaves_it_open(sansan, vendor, answer):
    vendor.says(Reply(201, answer))
    with pytest.raises(Unanswered):
        sansan.create({"lastName": "森"}, [])
    assert "tagIds" not in vendor.asked[0].body


@pytest.mark.parametrize(
    "reply",
    [
        Reply(201),
        Reply(201, b"<html>"),
        Reply(201, [MADE]),
        Reply(201, b'{"id": "C'),
        Reply(500),
        Reply(503, {}, {"Retry-After": "1"}),
        Reply(fault="reset"),
        Reply(204),
    ],
    ids=["no body", "HTML", "a list", "half", "500", "503", "reset", "204"],
)
def test_what_says_nothing_leaves_it_open_and_is_not_sent_again(sansan, vendor, reply):
    vendor.says(reply)
    with pytest.raises(Unanswered):
        sansan.create({"lastName": "森"}, [])
    assert sansan.calls == 1


CARD_REFUSALS = {
    "what was sent": (Reply(400, {"error": [{"code": "too_long"}]}), Rejected),
    "the credentials": (Reply(401), Reconnect),
    "the right to this": (Reply(403), Reconnect),
}


@pytest.mark.parametrize(("reply", "error"), CARD_REFUSALS.values(), ids=CARD_REFUSALS)
def test_a_refusal_says_that_none_was_made(sansan, vendor, reply, error):
    vendor.says(reply)
    with pytest.raises(error):
        sansan.create({"lastName": "森"}, [])


def test_a_day_that_is_full_is_for_later(sansan, vendor):
    vendor.says(Reply(429, {"error": [{"code": "daily_limit"}], "retry_after": 3600}))
    with pytest.raises(RetryLater) as caught:
        sansan.create({"lastName": "森"}, [])
    assert (caught.value.after, sansan.calls) == (3600.0, 1)


def test_a_card_made_is_a_card_found(source, cards):
    tag = next(iter(cards.sansan.tags))
    id = source.create(
        {
            "lastName": "森",
            "email": "aiko@acme.example.jp",
            "companyName": "アクメ",
            "countryCode": "AUTO",
        },
        [tag],
    )
    (found,) = source.find(email="aiko@acme.example.jp")
    assert found == source.read_card(id) and [one.id for one in found.tags] == [tag]
