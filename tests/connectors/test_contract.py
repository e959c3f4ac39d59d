"""What every connector must do, whatever the vendor does."""

import inspect
import logging
import traceback
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from integration.connectors.base import (
    CardSource,
    ContactTarget,
    Gone,
    Reconnect,
    Rejected,
    RetryLater,
)
from integration.connectors.registry import make_hubspot, make_sansan
from integration.notes import is_note, note
from integration.planning.decisions import REASONS
from tests.connectors.conftest import SECRETS, Reply


@dataclass(frozen=True)
class Vendor:
    name: str
    make: Any
    credential: str
    version: str
    header: str
    good: Any
    identity: str
    protocol: type
    ask_for_one: Any

    def connect(self, url, limit):
        return self.make({self.credential: SECRETS[self.name]}, url, self.version, limit)


VENDORS = [
    Vendor(
        "sansan",
        make_sansan,
        "api_key",
        "v6.0",
        "X-Sansan-Api-Key",
        {"id": "U1", "name": "Aiko"},
        "U1",
        CardSource,
        lambda c: c.read_card("C1"),
    ),
    Vendor(
        "hubspot",
        make_hubspot,
        "access_token",
        "2026-03",
        "Authorization",
        {"portalId": 4711, "accountType": "STANDARD"},
        "4711",
        ContactTarget,
        lambda c: c.list_properties(),
    ),
]
PASSING = {
    "500": Reply(500, {"message": "oops"}),
    "502 in HTML": Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
    "503": Reply(503),
    "504 without a body": Reply(504),
    "524": Reply(524),
    "HTML instead of JSON": Reply(200, b"<!doctype html><p>Maintenance</p>"),
    "truncated JSON": Reply(200, b'{"id": "U1", "na'),
    "half of the body": Reply(200, {"id": "U1", "name": "Aiko"}, fault="cut"),
    "no body": Reply(200),
    "a JSON string": Reply(200, "an error has occurred"),
    "a JSON list": Reply(200, [{"id": "U1"}]),
    "JSON null": Reply(200, b"null"),
    "a body that does not unpack": Reply(200, b"not gzip at all", {"Content-Encoding": "deflate"}),
    "reset": Reply(fault="reset"),
    "silence": Reply(fault="silent"),
}


@pytest.fixture(params=VENDORS, ids=lambda one: one.name)
def one(request):
    return request.param


@pytest.fixture
def connector(one, vendor, limit):
    return one.connect(vendor.url, limit)


@pytest.fixture
def good(one):
    return Reply(200, one.good)


def test_it_offers_what_its_protocol_names(one, connector):
    methods = {
        name: member
        for kind in one.protocol.__mro__
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and name[0] != "_"
    }
    assert methods
    for name, promised in methods.items():
        offered = inspect.signature(getattr(type(connector), name))
        assert list(offered.parameters.values()) == list(
            inspect.signature(promised).parameters.values()
        ), name
    assert (connector.calls, connector.rate_limited) == (0, 0)


def test_check_says_whose_credentials_they_are(one, connector, good, vendor, limit, waits):
    vendor.says(good)
    assert connector.check().id == one.identity
    assert (connector.calls, connector.rate_limited, limit.waited, waits) == (1, 0, 1, [])
    assert SECRETS[one.name] in vendor.asked[0].headers[one.header]


def test_the_secret_travels_in_a_header_only(one, connector, good, vendor):
    vendor.says(good)
    connector.check()
    (asked,) = vendor.asked
    assert SECRETS[one.name] not in f"{asked.path}{asked.query}{asked.body}"


REFUSALS = {
    "the credentials": (401, "{}_reconnect"),
    "the right to this": (403, "missing_scope"),
}


@pytest.mark.parametrize(("status", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_refused_credentials(one, connector, vendor, waits, status, reason):
    refusal = Reply(status, {"message": "Requires crm.objects.contacts.read"})
    # Sansan is asked a second question, which a key without the right to the first may ask.
    vendor.says(refusal, refusal)
    with pytest.raises(Reconnect) as caught:
        connector.check()
    assert caught.value.reason == reason.format(one.name) in REASONS
    assert (caught.value.system, waits) == (one.name, [])


def test_a_missing_right_is_named(connector, vendor):
    message = "Requires crm.objects.contacts.read"
    vendor.says(*[Reply(403, {"message": message})] * 2)
    with pytest.raises(Reconnect) as caught:
        connector.check()
    name = connector._http.vendor.name
    assert caught.value.detail == note("right_lacking", vendor=name, message=message)


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_gone(one, connector, vendor, status):
    vendor.says(Reply(status, {"message": "not found"}))
    with pytest.raises(Gone):
        one.ask_for_one(connector)
    assert connector.calls == 1


@pytest.mark.parametrize("status", [302, 400, 409, 415, 422])
def test_a_refused_request_is_not_sent_again(connector, vendor, status):
    vendor.says(Reply(status, {"message": "no"}, {"Location": "http://127.0.0.1:9/elsewhere"}))
    with pytest.raises(Rejected) as caught:
        connector.check()
    assert (caught.value.status, caught.value.body, connector.calls) == (
        status,
        {"message": "no"},
        1,
    )


WAITS = {
    "as long as asked for": ({"Retry-After": "7"}, 7.0),
    "no shorter than a tenth of a second": ({"Retry-After": "0"}, 0.1),
    "ten seconds where nothing is said": ({}, 10.0),
    "ten seconds where no number is said": ({"Retry-After": "soon"}, 10.0),
}


@pytest.mark.parametrize(("headers", "seconds"), WAITS.values(), ids=WAITS)
def test_429_is_waited_for(connector, good, vendor, limit, waits, headers, seconds):
    vendor.says(Reply(429, {"message": "slow down"}, headers), good)
    connector.check()
    assert waits == limit.paused == [seconds]
    assert (connector.calls, connector.rate_limited, limit.waited) == (2, 1, 2)


def test_a_long_wait_goes_back_to_the_engine(one, connector, vendor, limit, waits):
    vendor.says(Reply(429, {}, {"Retry-After": "120"}))
    with pytest.raises(RetryLater) as caught:
        connector.check()
    assert (caught.value.after, caught.value.reason) == (120.0, f"{one.name}_unavailable")
    assert (connector.calls, connector.rate_limited, waits, limit.paused) == (1, 1, [], [120.0])


def test_429_for_ever_is_given_up(connector, vendor):
    vendor.says(*[Reply(429, {}, {"Retry-After": "1"})] * 9)
    with pytest.raises(RetryLater):
        connector.check()
    assert connector.calls == connector.rate_limited == 5


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_asked_again(one, connector, good, vendor, waits, reply):
    vendor.says(reply, good)
    assert connector.check().id == one.identity
    assert (connector.calls, connector.rate_limited, len(waits)) == (2, 0, 1)


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_a_lasting_fault_is_for_later(one, connector, vendor, reply):
    vendor.says(*[reply] * 9)
    with pytest.raises(RetryLater) as caught:
        connector.check()
    assert caught.value.reason == f"{one.name}_unavailable" in REASONS
    assert is_note(caught.value.detail)
    assert (caught.value.after > 0, connector.calls) == (True, 5)


def test_nobody_there(one, nowhere, limit):
    with pytest.raises(RetryLater) as caught:
        one.connect(nowhere, limit).check()
    assert caught.value.reason == f"{one.name}_unavailable"


def test_gzip_is_understood(one, connector, vendor):
    vendor.says(Reply(200, one.good, {"Content-Encoding": "gzip"}))
    assert connector.check().id == one.identity
    assert "gzip" in vendor.asked[0].headers["Accept-Encoding"]


REFUSING = {str(status): Reply(status, {"message": "no"}) for status in (400, 401, 403, 404, 429)}


@pytest.mark.parametrize(
    "reply", [*REFUSING.values(), *PASSING.values()], ids=[*REFUSING, *PASSING]
)
def test_the_secret_is_in_no_error_and_no_log(one, connector, vendor, capfd, caplog, reply):
    caplog.set_level(logging.DEBUG)
    vendor.says(*[reply] * 9)
    with capture_logs() as logs, pytest.raises((Reconnect, Rejected, Gone, RetryLater)) as caught:
        connector.check()
    said = (
        "".join(traceback.format_exception(caught.value))
        + repr(caught.value)
        + str(vars(caught.value))
        + repr(connector)
        + repr(connector._http)
    )
    assert SECRETS[one.name] not in said + str(logs) + caplog.text + "".join(capfd.readouterr())
