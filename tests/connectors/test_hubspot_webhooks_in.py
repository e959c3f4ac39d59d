"""HubSpot's webhooks as they come in: whether a request is HubSpot's, and what it tells."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hubspot.utils.signature import Signature
from hypothesis import example, given, settings
from hypothesis import strategies as st

from integration.connectors.hubspot.webhooks import (
    DECODED_CHARACTERS,
    ContactEvent,
    NotEvents,
    compute_signature_v1,
    compute_signature_v3,
    is_fresh,
    is_genuine,
    read_event_time,
    read_events,
)

quick = settings(max_examples=200, derandomize=True, deadline=None, database=None)
SECRET, URL, STAMP = (
    "sim-client-secret-01",
    "https://sync.example.test/hooks/hubspot",
    "1790000001000",
)
BODY = (
    b'[{"eventId":1001,"subscriptionId":77,"portalId":12345678,"appId":54321,'
    b'"occurredAt":1790000000000,'
    b'"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":301,'
    b'"propertyName":"jobtitle",'
    b'"propertyValue":"Manager","changeSource":"CRM_UI"}]'
)
NOW = datetime.fromtimestamp(1790000001, UTC)
V3 = {
    "X-HubSpot-Signature-v3": "FIWC9Y9O5SLv3pOOZ/WPSjbOqb8qrCr/4pzF88Amq3c=",
    "X-HubSpot-Request-Timestamp": STAMP,
}
V1 = {
    "X-HubSpot-Signature": "ba8e5d3d4c43368f06504e963eab6b8466a200cdeade4b6587411875aa853d68",
    "X-HubSpot-Signature-Version": "v1",
}


def genuine(
    headers: dict[str, str],
    *,
    secret: str = SECRET,
    method: str = "POST",
    uri: str = URL,
    body: bytes = BODY,
    now: datetime = NOW,
    v1: bool = False,
) -> bool:
    return is_genuine(secret, headers, method, uri, body, now, v1)


# Signatures


@pytest.mark.parametrize(
    ("secret", "uri", "body", "stamp", "expected"),
    [
        (
            "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
            "https://www.example.com/webhook_uri",
            b"{'example_field':'example_value'}",
            "1693657560000",
            "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
        ),
        (
            "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
            "https://www.example.com/webhook_uri",
            b"{'example_field':'example_value'}",
            "1700000300000",
            "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=",
        ),
        (SECRET, URL, BODY, STAMP, V3["X-HubSpot-Signature-v3"]),
    ],
    ids=["HubSpot's first", "HubSpot's second", "ours"],
)
def test_the_known_examples_of_version_3(secret, uri, body, stamp, expected):
    assert compute_signature_v3(secret, "POST", uri, body, stamp) == expected
    now = datetime.fromtimestamp(int(stamp) / 1000, UTC)
    assert is_genuine(
        secret,
        {"X-HubSpot-Signature-v3": expected, "X-HubSpot-Request-Timestamp": stamp},
        "POST",
        uri,
        body,
        now,
    )


def test_the_known_example_of_version_1():
    assert (
        compute_signature_v1(SECRET, BODY)
        == V1["X-HubSpot-Signature"]
        == hashlib.sha256(SECRET.encode() + BODY).hexdigest()
    )


BODIES = {
    "empty": b"",
    "Japanese": "名前".encode(),
    "no text": b"\xff\xfe not text at all \x00",
    "the guide's": BODY,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_raw_bytes_are_signed(body):
    """A body that is no text is signed and verified like any other."""
    headers = {
        "X-HubSpot-Signature-v3": compute_signature_v3(SECRET, "POST", URL, body, STAMP),
        "X-HubSpot-Request-Timestamp": STAMP,
    }
    assert genuine(headers, body=body)
    assert not genuine(headers, body=body + b" ")


@quick
@given(
    body=st.text(max_size=40), secret=st.text(st.characters(codec="ascii"), min_size=1, max_size=40)
)
def test_hubspots_own_client_agrees(body, secret):
    stamp = str(int(datetime.now(UTC).timestamp() * 1000))
    own = compute_signature_v3(secret, "POST", URL, body.encode(), stamp)
    assert Signature.is_valid(
        own, secret, body, http_uri=URL, http_method="POST", signature_version="v3", timestamp=stamp
    )
    assert Signature.is_valid(
        compute_signature_v1(secret, body.encode()), secret, body, signature_version="v1"
    )


# The address


@pytest.mark.parametrize(("code", "plain"), DECODED_CHARACTERS.items(), ids=DECODED_CHARACTERS)
@pytest.mark.parametrize("fold", [str.upper, str.lower])
def test_these_are_decoded(code, plain, fold):
    for uri in ("https://a.test/x{}y", "https://a.test/x?q={}&z=1"):
        assert compute_signature_v3(
            SECRET, "POST", uri.format(fold(code)), b"", STAMP
        ) == compute_signature_v3(SECRET, "POST", uri.format(plain), b"", STAMP)


NOT_DECODED = {
    "a blank": ("%20", " "),
    "a number sign": ("%23", "#"),
    "a per cent sign": ("%25", "%"),
    "an ampersand": ("%26", "&"),
    "a plus": ("%2B", "+"),
    "an equals sign": ("%3D", "="),
    "a Japanese letter": ("%E3%81%82", "あ"),
    "a Latin letter": ("%41", "A"),
    "a bracket": ("%5B", "["),
}


@pytest.mark.parametrize(("code", "plain"), NOT_DECODED.values(), ids=NOT_DECODED)
def test_others_are_not(code, plain):
    assert compute_signature_v3(
        SECRET, "POST", f"https://a.test/{code}", b"", STAMP
    ) != compute_signature_v3(SECRET, "POST", f"https://a.test/{plain}", b"", STAMP)


def test_nothing_is_decoded_twice():
    assert compute_signature_v3(
        SECRET, "POST", "https://a.test/%252F", b"", STAMP
    ) != compute_signature_v3(SECRET, "POST", "https://a.test//", b"", STAMP)
    assert compute_signature_v3(
        SECRET, "POST", "https://a.test/%252F", b"", STAMP
    ) != compute_signature_v3(SECRET, "POST", "https://a.test/%2F", b"", STAMP)


def test_they_are_the_twelve_of_the_guide():
    assert set(DECODED_CHARACTERS) == {
        "%3A",
        "%2F",
        "%3F",
        "%40",
        "%21",
        "%24",
        "%27",
        "%28",
        "%29",
        "%2A",
        "%2C",
        "%3B",
    }


# Whose request it is

WRONG = "AAAA" + V3["X-HubSpot-Signature-v3"][4:]
REQUESTS = {
    "version 3": (V3, {}, True),
    "version 3 beside version 1": ({**V1, **V3}, {}, True),
    "version 3 where version 1 is allowed": (V3, {"v1": True}, True),
    "version 3 beside a wrong version 1": (
        {**V3, "X-HubSpot-Signature": "0" * 64},
        {"v1": True},
        True,
    ),
    "a wrong version 3": ({**V3, "X-HubSpot-Signature-v3": WRONG}, {}, False),
    "a wrong version 3 beside a right version 1": (
        {**V1, **V3, "X-HubSpot-Signature-v3": WRONG},
        {"v1": True},
        False,
    ),
    "a stale version 3 beside a right version 1": (
        {**V1, **V3},
        {"v1": True, "now": NOW + timedelta(minutes=6)},
        False,
    ),
    "version 3 without its time": (
        {"X-HubSpot-Signature-v3": V3["X-HubSpot-Signature-v3"]},
        {},
        False,
    ),
    "version 3 without its time beside a right version 1": (
        {**V1, "X-HubSpot-Signature-v3": V3["X-HubSpot-Signature-v3"]},
        {"v1": True},
        False,
    ),
    "another time": ({**V3, "X-HubSpot-Request-Timestamp": "1790000001001"}, {}, False),
    "another secret": (V3, {"secret": "sim-client-secret-02"}, False),
    "no secret": (V3, {"secret": ""}, False),
    "another body": (V3, {"body": BODY.replace(b"301", b"302")}, False),
    "another method": (V3, {"method": "PUT"}, False),
    "a method in small letters": (V3, {"method": "post"}, False),
    "another address": (V3, {"uri": "http://sync.example.test/hooks/hubspot"}, False),
    "a slash more": (V3, {"uri": f"{URL}/"}, False),
    "a question more": (V3, {"uri": f"{URL}?x=1"}, False),
    "in hex": ({**V3, "X-HubSpot-Signature-v3": "148582f58f4ee522"}, {}, False),
    "white space around": (
        {**V3, "X-HubSpot-Signature-v3": f" {V3['X-HubSpot-Signature-v3']} "},
        {},
        False,
    ),
    "letters beyond ASCII": ({**V3, "X-HubSpot-Signature-v3": "é" * 44}, {}, False),
    "nothing": ({}, {}, False),
    "nothing where version 1 is allowed": ({}, {"v1": True}, False),
    "version 1": (V1, {}, False),
    "version 1 where it is allowed": (V1, {"v1": True}, True),
    "version 1 however late": (V1, {"v1": True, "now": NOW + timedelta(days=900)}, True),
    "version 1 without its number": (
        {"X-HubSpot-Signature": V1["X-HubSpot-Signature"]},
        {"v1": True},
        True,
    ),
    "version 1 of another body": (V1, {"v1": True, "body": b"[]"}, False),
    "version 1 with another secret": (V1, {"v1": True, "secret": "another"}, False),
    "version 1 in capitals": (
        {**V1, "X-HubSpot-Signature": V1["X-HubSpot-Signature"].upper()},
        {"v1": True},
        False,
    ),
    "version 1 under the number 2": (
        {**V1, "X-HubSpot-Signature-Version": "v2"},
        {"v1": True},
        False,
    ),
    "a blank version 1": ({**V1, "X-HubSpot-Signature": ""}, {"v1": True}, False),
    "the secret itself": ({"X-HubSpot-Signature": SECRET}, {"v1": True}, False),
}


@pytest.mark.parametrize(("headers", "more", "right"), REQUESTS.values(), ids=REQUESTS)
def test_whether_a_request_is_genuine(headers, more, right):
    assert genuine(headers, **more) is right


def test_version_2_is_not_taken_for_version_1():
    """SHA256 over secret, method, address and body: that of the workflows, and not of what we are
    told here.
    """
    two = hashlib.sha256(f"{SECRET}POST{URL}".encode() + BODY).hexdigest()
    assert not genuine({"X-HubSpot-Signature": two, "X-HubSpot-Signature-Version": "v2"}, v1=True)
    assert not genuine({"X-HubSpot-Signature": two}, v1=True)


# The time


AGES = {
    "just sent": (0, True),
    "just in time": (299.9, True),
    "at the limit": (300, True),
    "just too late": (300.1, False),
    "just early enough": (-299.9, True),
    "at the limit ahead": (-300, True),
    "just too early": (-300.1, False),
    "a day late": (86_400, False),
    "a day early": (-86_400, False),
}


@pytest.mark.parametrize(("seconds", "fresh"), AGES.values(), ids=AGES)
def test_five_minutes_either_way(seconds, fresh):
    assert is_fresh(STAMP, NOW + timedelta(seconds=seconds)) is fresh


NONSENSE = {
    "empty": "",
    "white space": " ",
    "letters": "soon",
    "a fraction": "1790000001000.0",
    "an exponent": "179e10",
    "a sign": "+1790000001000",
    "negative": "-1790000001000",
    "full-width digits": "１７９００００００１０００",
    "arabic digits": "١٧٩٠٠٠٠٠٠١٠٠٠",
    "superscripts": "¹²³",
    "an underscore": "1_790_000_001_000",
    "hex": "0x1a0c",
    "seconds": "1790000001",
    "microseconds": "1790000001000000",
    "huge": "9" * 5000,
    "a line break": "1790000001000\n",
    "white space around": " 1790000001000",
    "zero": "0",
    "NUL": "1790000001000\x00",
    "ISO": "2026-09-21T14:13:21Z",
}


@pytest.mark.parametrize("stamp", NONSENSE.values(), ids=NONSENSE)
def test_a_time_that_is_none(stamp):
    assert is_fresh(stamp, NOW) is False
    try:
        signature = compute_signature_v3(SECRET, "POST", URL, BODY, stamp)
    except UnicodeEncodeError:
        signature = "x"
    assert (
        genuine({"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp})
        is False
    )


@quick
@given(stamp=st.text(max_size=20))
@example(stamp="\ud800")
def test_no_time_at_all_is_an_error(stamp):
    assert is_fresh(stamp, NOW) in (True, False)


# Bodies

BAD = {
    "nothing": b"",
    "white space": b"  ",
    "no JSON": b"{'a': 1}",
    "half": BODY[:40],
    "HTML": b"<html></html>",
    "not UTF-8": b'["\xff"]',
    "a lone surrogate": b'["\\ud800"]',
    "an object": b"{}",
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a text": b'"x"',
    "a list of numbers": b"[1]",
    "a list of lists": b"[[]]",
    "a list with null": b"[null]",
    "one bad row among good ones": BODY[:-1] + b",7]",
    "NaN": b"[NaN]",
    "two bodies": BODY + BODY,
    "too deep": b"[" * 5000 + b"]" * 5000,
    "a byte order mark": b"\xef\xbb\xbf" + BODY,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_list_of_events(body):
    with pytest.raises(NotEvents) as caught:
        read_events(body)
    assert "HubSpot" not in str(caught.value) and len(str(caught.value)) < 60


@quick
@given(body=st.binary(max_size=60))
def test_no_bytes_at_all_are_another_error(body):
    with suppress(NotEvents):
        assert isinstance(read_events(body), list)


rubbish = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["contact.merge", "0-1", "CONTACT_TO_COMPANY"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = (
    "subscriptionType eventType portalId occurredAt objectId objectTypeId associationType "
    "fromObjectId toObjectId newObjectId primaryObjectId mergedObjectIds"
).split()


@quick
@given(rows=st.lists(st.dictionaries(st.sampled_from(NAMES), rubbish), max_size=3))
def test_members_of_any_type_are_no_error(rows):
    for event in told(*rows):
        assert (
            event.contact_id.isascii()
            and event.contact_id.isdecimal()
            and len(event.contact_id) <= 64
        )
        assert event.at.tzinfo is not None


# Events

AT = 1_790_000_000_123
WHEN = datetime.fromtimestamp(AT / 1000, UTC)


def told(*rows: dict[str, Any]) -> list[ContactEvent]:
    return read_events(json.dumps(rows).encode())


def happened(kind: str | None, **members: Any) -> dict[str, Any]:
    return {
        "eventId": 1,
        "portalId": 12345678,
        "occurredAt": AT,
        "subscriptionType": kind,
        "objectId": 301,
        **members,
    }


def ids(*rows: dict[str, Any]) -> list[str]:
    return [event.contact_id for event in told(*rows)]


def test_the_example_of_the_guide():
    assert read_events(BODY) == [
        ContactEvent("12345678", "301", datetime.fromtimestamp(1790000000, UTC))
    ]


TYPE_SAID = {
    "type left out": {},
    "type said": {"objectTypeId": "0-1"},
}


@pytest.mark.parametrize(
    "what",
    ["creation", "deletion", "propertyChange", "restore", "privacyDeletion", "somethingNew", ""],
)
@pytest.mark.parametrize("more", TYPE_SAID.values(), ids=TYPE_SAID)
def test_every_kind_names_its_contact(what, more):
    assert told(happened(f"contact.{what}", **more)) == [
        ContactEvent("12345678", "301", WHEN, what == "privacyDeletion")
    ]
    assert told(happened(f"object.{what}", objectTypeId="0-1")) == [
        ContactEvent("12345678", "301", WHEN, what == "privacyDeletion")
    ]


@pytest.mark.parametrize(
    "row",
    [
        happened("company.propertyChange"),
        happened("deal.creation"),
        happened("object.propertyChange", objectTypeId="0-2"),
        happened("object.propertyChange"),
        happened("object.privacyDeletion", objectTypeId=None),
        happened("contacts.creation"),
        happened("Contact.creation"),
        happened(""),
        happened("contact.creation", portalId=None),
        happened("contact.creation", portalId=""),
        happened("contact.creation", portalId=0),
        happened(None),
        {},
    ],
    ids=str,
)
def test_what_is_of_no_contact_is_left_out(row):
    assert told(row) == []


def test_the_kind_under_its_other_name():
    assert ids({**happened(""), "eventType": "contact.creation"}) == ["301"]


MERGES = {
    "two into a new one": (
        {"primaryObjectId": 1, "mergedObjectIds": [2, 3], "newObjectId": 4},
        ["4", "1", "2", "3"],
    ),
    "one into the first": (
        {"primaryObjectId": 1, "mergedObjectIds": [2], "newObjectId": 1},
        ["1", "2"],
    ),
    "ids that are texts": (
        {"primaryObjectId": "1", "mergedObjectIds": ["2"], "newObjectId": "4"},
        ["4", "1", "2"],
    ),
    "merged ones null": (
        {"primaryObjectId": 1, "mergedObjectIds": None, "newObjectId": 4},
        ["4", "1"],
    ),
    "merged ones a number": (
        {"primaryObjectId": 1, "mergedObjectIds": 2, "newObjectId": 4},
        ["4", "1"],
    ),
    "merged ones a text": (
        {"primaryObjectId": 1, "mergedObjectIds": "2;3", "newObjectId": 4},
        ["4", "1"],
    ),
    "merged ones of every kind": (
        {
            "primaryObjectId": 1,
            "mergedObjectIds": [[2], {"id": 3}, None, True, 5],
            "newObjectId": 4,
        },
        ["4", "1", "5"],
    ),
    "nobody": ({"mergedObjectIds": []}, []),
}


@pytest.mark.parametrize(("members", "found"), MERGES.values(), ids=MERGES)
def test_a_merge_names_them_all(members, found):
    assert ids(happened("contact.merge", **members)) == found
    assert ids(happened("object.merge", objectTypeId="0-1", **members)) == found


ASSOCIATIONS = {
    "contact to company": ("CONTACT_TO_COMPANY", ["10"]),
    "company to contact": ("COMPANY_TO_CONTACT", ["20"]),
    "contact to deal": ("CONTACT_TO_DEAL", ["10"]),
    "deal to contact": ("DEAL_TO_CONTACT", ["20"]),
    "contact to company, unlabelled": ("CONTACT_TO_COMPANY_UNLABELED", ["10"]),
    "company to deal": ("COMPANY_TO_DEAL", []),
    "empty": ("", []),
    "null": (None, []),
    "a number": (7, []),
}


@pytest.mark.parametrize(("kind", "found"), ASSOCIATIONS.values(), ids=ASSOCIATIONS)
@pytest.mark.parametrize("removed", [True, False])
def test_an_association_names_the_end_that_is_a_contact(kind, found, removed):
    row = happened(
        "contact.associationChange",
        associationType=kind,
        fromObjectId=10,
        toObjectId=20,
        associationRemoved=removed,
    )
    assert ids({name: value for name, value in row.items() if name != "objectId"}) == found


def test_both_ends_may_be_contacts():
    """One of them is enough: what changes of the other is told by an event of its own."""
    assert ids(
        happened(
            "contact.associationChange",
            associationType="CONTACT_TO_CONTACT",
            fromObjectId=10,
            toObjectId=20,
        )
    )[:1] == ["10"]


IDS = {
    "a number": (301, ["301"]),
    "a text": ("301", ["301"]),
    "a large one": (9_223_372_036_854_775_807, ["9223372036854775807"]),
    "zeros before": ("007", ["007"]),
    "true": (True, []),
    "false": (False, []),
    "null": (None, []),
    "a fraction": (301.0, []),
    "another fraction": (301.5, []),
    "an exponent": (1e300, []),
    "negative": (-301, []),
    "negative as text": ("-301", []),
    "an object": ({"id": 301}, []),
    "a list": ([301], []),
    "empty": ("", []),
    "letters": ("30l", []),
    "white space": (" 301", []),
    "a line break": ("301\n", []),
    "full-width": ("３０１", []),
    "arabic": ("٣٠١", []),
    "a path": ("301/../302", []),
    "SQL": ("301' OR '1'='1", []),
    "too long to be one": ("9" * 20, []),
    "much too long": ("9" * 65, []),
    "a number beyond all bounds": (10**80, []),
    "NUL": ("301\x00", []),
}


@pytest.mark.parametrize(("id", "found"), IDS.values(), ids=IDS)
def test_what_is_an_id(id, found):
    assert ids(happened("contact.creation", objectId=id)) == found


NO_PORTALS = {
    "a NUL": "1\x00",
    "very long": "x" * 1000,
    "an object": {"a": 1},
    "a list": [1],
    "a truth": True,
    "a fraction": 1.5,
    "negative": -3,
    "a word": "eins",
    "a line feed": "12345678\n",
}


@pytest.mark.parametrize("portal", NO_PORTALS.values(), ids=NO_PORTALS)
def test_a_portal_is_a_number(portal):
    """It is looked up, and logged where nobody's secret fits, before anybody knows who has sent
    it.
    """
    assert told(happened("contact.creation", portalId=portal)) == []


TIMES = {
    "milliseconds": (AT, WHEN),
    "a text of them": (str(AT), WHEN),
    "a float of them": (float(AT), WHEN),
    "null": (None, datetime(1970, 1, 1, tzinfo=UTC)),
    "empty": ("", datetime(1970, 1, 1, tzinfo=UTC)),
    "a word": ("yesterday", datetime(1970, 1, 1, tzinfo=UTC)),
    "a list": ([1], datetime(1970, 1, 1, tzinfo=UTC)),
    "an object": ({}, datetime(1970, 1, 1, tzinfo=UTC)),
    "far too late": (10**30, datetime(1970, 1, 1, tzinfo=UTC)),
    "far too early": (-(10**30), datetime(1970, 1, 1, tzinfo=UTC)),
    "far too many digits": ("9" * 5000, datetime(1970, 1, 1, tzinfo=UTC)),
    "a float far too late": (1e300, datetime(1970, 1, 1, tzinfo=UTC)),
    "infinity": (float("inf"), datetime(1970, 1, 1, tzinfo=UTC)),
    "not a number": (float("nan"), datetime(1970, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize(("value", "expected"), TIMES.values(), ids=TIMES)
def test_when_it_happened(value, expected):
    assert abs(read_event_time(value) - expected) < timedelta(milliseconds=1)


def test_doubled_and_disordered_events_are_all_told():
    rows = [happened("contact.propertyChange", objectId=i, occurredAt=AT - i) for i in (3, 1, 1, 2)]
    assert [(event.contact_id, event.at < WHEN) for event in told(*rows)] == [
        ("3", True),
        ("1", True),
        ("1", True),
        ("2", True),
    ]


def test_nothing_personal_is_taken_from_an_event():
    (event,) = told(
        happened(
            "contact.propertyChange", propertyName="email", propertyValue="aiko@acme.example.jp"
        )
    )
    assert "aiko" not in repr(event)


def test_several_portals_in_one_body():
    assert [
        (event.portal, event.contact_id)
        for event in told(
            happened("contact.creation"), happened("contact.creation", portalId="9", objectId=302)
        )
    ] == [
        ("12345678", "301"),
        ("9", "302"),
    ]


@pytest.mark.parametrize("half", [rb"\ud83d", b"\xed\xa0\xbd"], ids=["an escape", "bytes"])
def test_half_a_character_in_a_value_loses_no_event(half):
    (event,) = read_events(BODY.replace(b"Manager", b"Man" + half + b"ager"))
    assert event.contact_id == "301"
