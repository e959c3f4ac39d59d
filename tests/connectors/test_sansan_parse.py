from datetime import UTC, datetime, timedelta, timezone

import pytest

from integration.connectors.base import Gone, RetryLater
from integration.connectors.sansan import parse
from integration.notes import note
from integration.records import Identity, TagSeen, Window
from tests.connectors.conftest import Reply

ROW = {
    "id": "C1",
    "personId": "P1",
    "companyId": "K1",
    "exchangeDate": "2026-04-01",
    "registeredTime": "2026-04-01T10:00:00+09:00",
    "updatedTime": "2026-04-02T10:00:00+09:00",
    "owner": {"id": "U1", "name": "辻 千恵", "email": "chie@beta.example.jp"},
    "lastName": "森",
    "firstName": "愛子",
    "email": "aiko@acme.example.jp",
    "companyName": "アクメ株式会社",
    "fax": None,
    "mobile": "",
    "tags": [{"id": "t1", "name": "展示会", "type": "public"}],
}
WINDOW = Window(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2, 0, 0, 0, 5, tzinfo=UTC))


def test_a_whole_card():
    read = parse.read_card(ROW)
    assert (read.id, read.person_key, read.exchanged_on) == ("C1", "P1", "2026-04-01")
    assert read.changed_at == datetime(2026, 4, 2, 10, tzinfo=timezone(timedelta(hours=9)))
    assert read.tags == (TagSeen("t1", "展示会", "public"),)
    assert read.values == {
        "lastName": "森",
        "firstName": "愛子",
        "email": "aiko@acme.example.jp",
        "companyName": "アクメ株式会社",
        "exchangeDate": "2026-04-01",
        "ownerName": "辻 千恵",
        "ownerEmail": "chie@beta.example.jp",
    }


FIELDS = {
    "blanks around it": ({"title": "  部長\n"}, "title", "部長"),
    "a NUL in it": ({"title": "部\x00長"}, "title", "部長"),
    "null": ({"title": None}, "title", None),
    "empty": ({"title": ""}, "title", None),
    "a company that is no object": ({"companyId": "K1"}, "companyId", None),
    "no owner": ({"owner": None}, "ownerName", None),
    "an owner that is no object": ({"owner": "U1"}, "ownerName", None),
    "an owner without a name": ({"owner": {"id": "U1", "name": None}}, "ownerName", None),
    "no date": ({"exchangeDate": None}, "exchangeDate", None),
    "a time for a date": ({"exchangeDate": "2026-04-01T00:00:00Z"}, "exchangeDate", "2026-04-01"),
}


@pytest.mark.parametrize(("changes", "name", "value"), FIELDS.values(), ids=FIELDS)
def test_a_field(changes, name, value):
    assert parse.read_card({**ROW, **changes}).values.get(name) == value


TAGS: dict[str, tuple[object, tuple[TagSeen, ...]]] = {
    "null": (None, ()),
    "none": ([], ()),
    "an id only": ([{"id": "t1"}], (TagSeen("t1", "t1", ""),)),
    "the id a number": ([{"id": 7, "name": "七", "type": None}], (TagSeen("7", "七", ""),)),
    "no tags among them": (
        [None, "t1", {"name": "no id"}, {"id": "t2", "name": "VIP"}],
        (TagSeen("t2", "VIP", ""),),
    ),
}


@pytest.mark.parametrize(("tags", "seen"), TAGS.values(), ids=TAGS)
def test_tags(tags, seen):
    assert parse.read_card({**ROW, "tags": tags}).tags == seen


UNREADABLE = {
    "not an object": ("C1", "", note("card_not_an_object")),
    "null": (None, "", note("card_not_an_object")),
    "no id": ({**ROW, "id": None}, "", note("missing", word="id")),
    "no time": ({**ROW, "updatedTime": ""}, "C1", note("missing", word="updatedTime")),
    "a time that is none": (
        {**ROW, "updatedTime": "yesterday"},
        "C1",
        note("not_a_time", value="yesterday"),
    ),
    "a time without zone": (
        {**ROW, "updatedTime": "2026-04-02T10:00:00"},
        "C1",
        note("no_time_zone", value="2026-04-02T10:00:00"),
    ),
    "a name that is a number": ({**ROW, "lastName": 7}, "C1", note("not_a_text", word="lastName")),
    "a name that is a list": (
        {**ROW, "lastName": ["森"]},
        "C1",
        note("not_a_text", word="lastName"),
    ),
    "an owner's name that is an object": (
        {**ROW, "owner": {"name": {"last": "辻"}}},
        "C1",
        note("not_a_text", word="name"),
    ),
}


@pytest.mark.parametrize(("row", "id", "wrong"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_bad_row_does_not_cost_the_others_their_turn(row, id, wrong):
    page = parse.read_card_page(
        {"hasMore": False, "data": [{**ROW, "id": "C0"}, row, {**ROW, "id": "C2"}]}
    )
    assert [one.id for one in page.cards] == ["C0", "C2"]
    assert list(page.unreadable) == [(id, wrong)]


ENVELOPES = {
    "there is one": ({"hasMore": True, "nextPageToken": "n2"}, "n2"),
    "a token after the last": ({"hasMore": False, "nextPageToken": "n2"}, ""),
    "the last": ({"hasMore": False, "nextPageToken": None}, ""),
    "nothing said": ({}, ""),
}


@pytest.mark.parametrize(("envelope", "token"), ENVELOPES.values(), ids=ENVELOPES)
def test_the_next_page(envelope, token):
    assert parse.read_card_page({"data": [], **envelope}).next_token == token


LISTLESS = {
    "empty": {},
    "null": {"data": None},
    "a text": {"data": "none"},
    "an object": {"data": {"id": "C1"}},
    "an error": {"error": [{"code": "required"}]},
}


@pytest.mark.parametrize("value", LISTLESS.values(), ids=LISTLESS)
def test_a_page_without_a_list_is_for_later(value, sansan, vendor):
    vendor.says(Reply(200, value))
    with pytest.raises(RetryLater) as caught:
        sansan.list_cards(WINDOW)
    assert caught.value.reason == "sansan_unavailable"


def test_what_a_page_is_asked_with(sansan, vendor):
    vendor.says(Reply(200, {"hasMore": False, "data": [ROW]}))
    assert [one.id for one in sansan.list_cards(WINDOW, "n2").cards] == ["C1"]
    (asked,) = vendor.asked
    assert asked.path == "/v6.0/bizCards"
    expected = {
        "updatedFrom": "2026-04-01T00:00:00+00:00",
        "updatedTo": "2026-04-02T00:00:00+00:00",
        "nextPageToken": "n2",
        "limit": "300",
    }
    assert asked.query == {
        **asked.query,
        **expected,
        "range": "all",
        "orderBy": "updatedAt",
        "orderDirection": "asc",
        "includeTags": "true",
    }


@pytest.mark.parametrize(
    "wrapped", [ROW, {"item": ROW}, {"data": ROW}], ids=["bare", "item", "data"]
)
def test_one_card_in_any_wrapper(wrapped, sansan, vendor):
    vendor.says(Reply(200, wrapped))
    assert sansan.read_card("C1") == parse.read_card(ROW)


def test_tags_are_read_to_the_last_page(sansan, vendor):
    pages = (
        {
            "hasMore": True,
            "nextPageToken": "n2",
            "data": [{"id": "t1", "name": "展示会", "type": "public"}],
        },
        {"data": [None, {"id": "t2", "name": "VIP"}]},
    )
    vendor.says(*(Reply(200, page) for page in pages))
    assert [one.id for one in sansan.list_tags()] == ["t1", "t2"]
    assert [asked.query.get("nextPageToken") for asked in vendor.asked] == [None, "n2"]


def test_a_key_that_may_not_ask_who_it_is_proves_itself_by_tags(sansan, vendor):
    vendor.says(Reply(404), Reply(200, {"data": []}))
    assert sansan.check() == Identity("", "")
    assert [asked.path for asked in vendor.asked] == ["/v6.0/me", "/v6.0/tags"]


def test_a_wrong_address_is_no_proof(sansan, vendor):
    vendor.says(Reply(404), Reply(404))
    with pytest.raises(Gone):
        sansan.check()


def test_the_wait_told_in_the_body_goes_before_the_header(sansan, vendor, waits):
    vendor.says(Reply(429, {"retry_after": 3}, {"Retry-After": "9"}), Reply(200, {"id": "U1"}))
    sansan.check()
    assert waits == [3.0]
