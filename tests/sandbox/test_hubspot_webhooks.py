"""How HubSpot's half tells apps what happened: signed, in batches, and again until it is taken."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hubspot.utils.signature import Signature

from integration.sandbox.hubspot import delivery, webhooks
from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller, until

SECRET = "sim-client-secret-01"
BODY = (
    b'[{"eventId":1001,"subscriptionId":77,"portalId":12345678,"appId":54321,'
    b'"occurredAt":1790000000000,'
    b'"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":301,'
    b'"propertyName":"jobtitle",'
    b'"propertyValue":"Manager","changeSource":"CRM_UI"}]'
)
Verb = Callable[..., Any]


class Receiver:
    """An app's address: keeps what came, and answers the statuses it was given, then 204."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.before_answer: Callable[[], Any] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((dict(self.headers), body))
                receiver.before_answer()
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                """Who asked may have given up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/hubspot?app=%40bridge"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, body in self.came for event in json.loads(body)]


@pytest.fixture
def receiver(both: Sandbox, token: str) -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    both.hubspot.control("webhooks", {"token": token, "url": None})
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def subscribe(act: Verb, receiver: Receiver) -> Verb:
    def one(**args: Any) -> None:
        act("webhooks", **{"url": receiver.url, "secret": SECRET, "retry_seconds": 0.01, **args})

    return one


def test_signatures_are_those_of_the_published_examples() -> None:
    secret, url, body = (
        "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        "https://www.example.com/webhook_uri",
        b"{'example_field':'example_value'}",
    )
    for stamp, expected in (
        ("1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ("1700000300000", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ):
        assert delivery.sign_request_v3(secret, "POST", url, body, stamp) == expected
    url, stamp = "https://sync.example.test/hooks/hubspot", "1790000001000"
    assert (
        delivery.sign_request_v3(SECRET, "POST", url, BODY, stamp)
        == "FIWC9Y9O5SLv3pOOZ/WPSjbOqb8qrCr/4pzF88Amq3c="
    )
    assert (
        delivery.sign_body_v1(SECRET, BODY)
        == "ba8e5d3d4c43368f06504e963eab6b8466a200cdeade4b6587411875aa853d68"
    )
    encoded, plain = (
        "https://a.test/x%2Fy%3az?q=%40%20%E3%81%82",
        "https://a.test/x/y:z?q=@%20%E3%81%82",
    )
    assert delivery.sign_request_v3(
        SECRET, "POST", encoded, b"", stamp
    ) == delivery.sign_request_v3(SECRET, "POST", plain, b"", stamp)


SIGNED_AS = {
    "both versions": ["v1", "v3"],
    "the first": ["v1"],
    "the third": ["v3"],
}


@pytest.mark.parametrize("versions", SIGNED_AS.values(), ids=SIGNED_AS)
def test_what_arrives_is_signed(
    both: Sandbox,
    token: str,
    receiver: Receiver,
    subscribe: Verb,
    act: Verb,
    make: Verb,
    versions: list[str],
) -> None:
    id = make(firstname="before")
    subscribe(versions=versions, app_id=777)
    act("edit", id=id, properties={"jobtitle": "部長"})
    until(lambda: receiver.came and both.hubspot.hooks.pending(token) == 0)
    ((headers, body),) = receiver.came
    assert [(event["propertyName"], event["appId"]) for event in json.loads(body)] == [
        ("jobtitle", 777)
    ], "only what happened since"
    assert headers["Content-Type"] == "application/json"
    signed = {"v1": "X-HubSpot-Signature", "v3": "X-HubSpot-Signature-v3"}
    assert {version for version, name in signed.items() if name in headers} == set(versions)
    if "v1" in versions:
        assert headers["X-HubSpot-Signature-Version"] == "v1"
        assert Signature.is_valid(
            headers[signed["v1"]], SECRET, body.decode(), signature_version="v1"
        )
    if "v3" in versions:
        url, stamp = receiver.url.replace("%40", "@"), headers["X-HubSpot-Request-Timestamp"]
        assert Signature.is_valid(
            headers[signed["v3"]],
            SECRET,
            body.decode(),
            http_method="POST",
            http_uri=url,
            signature_version="v3",
            timestamp=stamp,
        )


def test_a_hundred_at_a_time_and_each_of_them_once(
    both: Sandbox, token: str, receiver: Receiver, subscribe: Verb, act: Verb
) -> None:
    before = len(both.hubspot.hooks.deliveries)
    subscribe()
    made = act("create", contacts=[{"firstname": str(i)} for i in range(250)])
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    assert [len(json.loads(body)) for _, body in receiver.came] == [100, 100, 50]
    assert [str(event["objectId"]) for event in receiver.events] == made
    assert both.hubspot.hooks.deliveries[before:] == [(204, 100), (204, 100), (204, 50)]


def test_some_come_twice_and_not_in_order(
    both: Sandbox, token: str, receiver: Receiver, subscribe: Verb, act: Verb
) -> None:
    subscribe(duplicates=0.5, shuffle=True)
    made = act("create", contacts=[{"firstname": str(i)} for i in range(90)])
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    ids = [str(event["objectId"]) for event in receiver.events]
    times = Counter(ids)
    assert times.keys() == set(made) and set(times.values()) == {1, 2}
    assert ids[:90] != made


def test_only_the_properties_that_were_subscribed(
    both: Sandbox, token: str, receiver: Receiver, subscribe: Verb, act: Verb, make: Verb
) -> None:
    id = make(firstname="Aiko")
    subscribe(properties=["jobtitle"])
    act("edit", id=id, properties={"firstname": "愛子", "jobtitle": "部長"}), act("delete", id=id)
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    assert [
        (event["subscriptionType"], event.get("propertyName")) for event in receiver.events
    ] == [
        ("contact.propertyChange", "jobtitle"),
        ("contact.deletion", None),
    ]


def test_what_was_refused_comes_again(
    both: Sandbox, token: str, receiver: Receiver, subscribe: Verb, make: Verb
) -> None:
    receiver.statuses = [500, 404, 200]
    before = len(both.hubspot.hooks.deliveries)
    subscribe()
    make(firstname="Aiko")
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    assert [event["attemptNumber"] for event in receiver.events] == [0, 1, 2]
    assert len({(event["eventId"], event["occurredAt"]) for event in receiver.events}) == 1
    assert both.hubspot.hooks.deliveries[before:] == [(500, 1), (404, 1), (200, 1)]


def test_after_ten_retries_it_is_given_up(
    both: Sandbox, token: str, receiver: Receiver, subscribe: Verb, make: Verb
) -> None:
    receiver.statuses = [503] * 20
    subscribe(retry_seconds=0.0005)
    make(firstname="Aiko")
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    assert [event["attemptNumber"] for event in receiver.events] == list(range(11))


def test_nobody_there_and_nobody_answering_in_time(
    both: Sandbox,
    token: str,
    receiver: Receiver,
    subscribe: Verb,
    make: Verb,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = len(both.hubspot.hooks.deliveries)
    subscribe(url="http://127.0.0.1:9/nobody")
    make(firstname="Aiko")
    until(lambda: (0, 1) in both.hubspot.hooks.deliveries[before:])
    assert both.hubspot.hooks.pending(token) == 1
    monkeypatch.setattr(delivery, "ANSWER_SECONDS", 0.2)
    may_answer = threading.Event()
    receiver.before_answer = lambda: may_answer.wait(30)
    subscribe()
    assert both.hubspot.hooks.pending(token) == 0, "another subscription begins anew"
    make(firstname="Ben")
    until(lambda: len(receiver.came) > 1)
    may_answer.set()
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    attempts = [event["attemptNumber"] for event in receiver.events]
    assert attempts == list(range(len(attempts))) and both.hubspot.hooks.deliveries[-1] == (204, 1)


def test_an_app_may_ask_before_it_answers(
    both: Sandbox, token: str, hubspot: Caller, receiver: Receiver, subscribe: Verb, make: Verb
) -> None:
    """No lock is held while something is sent."""
    asked: list[int] = []
    other = Caller(both, {"Authorization": f"Bearer {token}"}, hubspot.base)
    receiver.before_answer = lambda: asked.append(other("GET", "", timeout=4).status_code)
    subscribe()
    make(firstname="Aiko")
    until(lambda: both.hubspot.hooks.pending(token) == 0)
    assert asked == [200]


def test_a_delay_and_the_end(
    both: Sandbox, token: str, receiver: Receiver, subscribe: Verb, act: Verb, make: Verb
) -> None:
    subscribe(delay=600)
    make(firstname="Aiko")
    assert (both.hubspot.hooks.pending(token), receiver.came) == (1, [])
    act("webhooks", url=None)
    assert both.hubspot.hooks.pending(token) == 0 and len(both.hubspot.hooks.events(token)) == 1
    until(lambda: both.hubspot.hooks._thread is None)
    subscribe(), make(firstname="Ben")
    until(lambda: len(receiver.events) == 1)


NO_ADDRESSES = {
    "no scheme": "nowhere",
    "another scheme": "ftp://example.test/",
    "no port": "http://example.test:port/",
    "no host": "https:///path",
}


@pytest.mark.parametrize("url", NO_ADDRESSES.values(), ids=NO_ADDRESSES)
def test_an_address_that_is_none_is_refused(control: Caller, token: str, url: str) -> None:
    assert (
        control(
            "POST", "hubspot/webhooks", {"token": token, "url": url, "secret": SECRET}
        ).status_code
        == 400
    )


def test_a_closed_sandbox_sends_no_more(receiver: Receiver) -> None:
    with Sandbox(cards=0) as sandbox:
        sandbox.hubspot.control(
            "webhooks", {"token": "pat-x", "url": receiver.url, "secret": SECRET}
        )
        sandbox.hubspot.control("create", {"token": "pat-x", "contacts": [{"firstname": "Aiko"}]})
        until(lambda: sandbox.hubspot.hooks.pending("pat-x") == 0)
    until(lambda: sandbox.hubspot.hooks._thread is None)
    assert (webhooks.EVENTS_A_BATCH, webhooks.MOST_RETRIES, delivery.ANSWER_SECONDS) == (
        100,
        10,
        5.0,
    )
