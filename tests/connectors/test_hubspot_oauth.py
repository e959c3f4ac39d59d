"""The connector's half of OAuth, against a vendor that answers from a script."""

from __future__ import annotations

import io
import logging
import threading
import traceback
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import pytest
from structlog.testing import capture_logs

from integration.connectors.base import Reconnect, RetryLater
from integration.connectors.hubspot.oauth import (
    OPTIONAL_SCOPES,
    REQUIRED_SCOPES,
    HubSpotOAuth,
    OAuthTokens,
    make_authorize_url,
)
from integration.notes import note, write_english
from integration.planning.decisions import REASONS
from tests.connectors.conftest import Handler, Reply

SECRET, CODE, REFRESH, ACCESS = (
    "invented-secret-of-the-app",
    "invented-code-0001",
    "invented-refresh-0001",
    "invented-access-0001",
)
CALLBACK = "https://bridge.example.jp/hubspot/callback?lang=ja"
GOOD = {
    "access_token": ACCESS,
    "refresh_token": "invented-refresh-0002",
    "expires_in": 1800,
    "token_type": "bearer",
    "hub_id": 4711,
    "user_id": 1,
}


class FormHandler(Handler):
    """Lets the script read a form as it reads JSON."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.rfile.close()
        form = orjson.dumps(dict(parse_qsl(sent, keep_blank_values=True, strict_parsing=True)))
        self.headers.replace_header("Content-Length", str(len(form)))
        self.rfile = io.BytesIO(form)
        self.answer()


@pytest.fixture(scope="module")
def _server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), FormHandler)
    server.daemon_threads = True
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def oauth(vendor):
    return HubSpotOAuth("invented-app", SECRET, vendor.url, "2026-03")


def exchange(oauth):
    return oauth.exchange(CODE, CALLBACK)


def refresh(oauth):
    return oauth.refresh(REFRESH)


both_ways = pytest.mark.parametrize("ask", [exchange, refresh])


# Where a person is sent


def test_the_page_of_consent_is_quoted_whole():
    url = make_authorize_url("https://app.hubspot.com/", "app&id=1", CALLBACK, "a b+c/d=&e#名刺")
    parts = urlsplit(url)
    assert url.isascii() and "+" not in url and not parts.fragment
    assert (
        f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://app.hubspot.com/oauth/authorize"
    )
    assert {
        name: value for name, (value,) in parse_qs(parts.query, strict_parsing=True).items()
    } == {
        "client_id": "app&id=1",
        "redirect_uri": CALLBACK,
        "scope": " ".join(REQUIRED_SCOPES),
        "optional_scope": " ".join(OPTIONAL_SCOPES),
        "state": "a b+c/d=&e#名刺",
    }


# What is asked and what is understood


VERSIONS = {
    "v3": ("v3", "/oauth/v3/token"),
    "v1, which has none": ("v1", "/oauth/v3/token"),
    "dated": ("2026-03", "/oauth/2026-03/token"),
    "dated later": ("2026-09", "/oauth/2026-09/token"),
}


@pytest.mark.parametrize(("version", "path"), VERSIONS.values(), ids=VERSIONS)
def test_every_value_of_an_exchange_is_in_the_body(vendor, version, path):
    vendor.says(Reply(200, GOOD))
    assert exchange(
        HubSpotOAuth(" invented-app\n", f"{SECRET} ", f"{vendor.url}/", version)
    ) == OAuthTokens(ACCESS, "invented-refresh-0002", 1800, "4711")
    (asked,) = vendor.asked
    assert (asked.method, asked.path, asked.query) == ("POST", path, {})
    assert (
        asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
        and "Authorization" not in asked.headers
    )
    app = {"client_id": "invented-app", "client_secret": SECRET}
    assert asked.body == {
        **app,
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": CALLBACK,
    }


def test_every_value_of_a_refresh_is_in_the_body(oauth, vendor):
    vendor.says(Reply(200, GOOD))
    assert refresh(oauth).refresh_token == "invented-refresh-0002"
    app = {"client_id": "invented-app", "client_secret": SECRET}
    assert vendor.asked[0].body == {**app, "grant_type": "refresh_token", "refresh_token": REFRESH}


UNNAMED = {
    "left out": {name: GOOD[name] for name in ("access_token", "expires_in")},
    "null": {**GOOD, "refresh_token": None, "hub_id": None},
}


@pytest.mark.parametrize("answer", UNNAMED.values(), ids=UNNAMED)
def test_a_refresh_that_names_no_refresh_token_keeps_the_old_one(oauth, vendor, answer):
    vendor.says(Reply(200, answer))
    assert refresh(oauth) == OAuthTokens(ACCESS, REFRESH, 1800, "")


def test_tokens_do_not_show_themselves():
    tokens = OAuthTokens(ACCESS, REFRESH, 1800, "4711")
    assert repr(tokens) == "OAuthTokens(expires_in=1800, hub_id='4711')"


# Refusals: a person must act


# Case -> (HubSpot's answer, the note of what to do, words of its sentence).
REFUSALS = {
    "the app was removed": (
        {"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant", "message": REFRESH},
        note("connection_ended"),
        "Connect HubSpot again",
    ),
    "the account is closed": (
        {"status": "BAD_HUB", "error": "access_denied"},
        note("portal_closed"),
        "account is closed",
    ),
    "an old consent": (
        {"status": "EXPIRED_AUTH_CODE", "message": f"code {CODE} is old"},
        note("consent_spent"),
        "works once, within minutes. Connect HubSpot again",
    ),
    "a spent consent": (
        {"status": "BAD_AUTH_CODE", "message": "missing or unknown auth code"},
        note("consent_spent"),
        "works once, within minutes. Connect HubSpot again",
    ),
    "an unknown app": (
        {"status": "BAD_CLIENT_ID"},
        note("app_unknown"),
        "HUBSPOT_CLIENT_ID / HUBSPOT_CLIENT_SECRET",
    ),
    "a wrong secret": (
        {"status": "BAD_CLIENT_SECRET", "message": SECRET},
        note("app_secret_refused"),
        "HUBSPOT_CLIENT_ID / HUBSPOT_CLIENT_SECRET",
    ),
    "a refused app": (
        {"error": "invalid_client", "error_description": SECRET},
        note("app_refused"),
        "HUBSPOT_CLIENT_ID / HUBSPOT_CLIENT_SECRET",
    ),
    "a wrong address": ({"status": "BAD_REDIRECT_URI"}, note("redirect_refused"), "redirect URL"),
    "another address": (
        {"status": "MISMATCH_REDIRECT_URI_AUTH_CODE"},
        note("redirect_refused"),
        "redirect URL",
    ),
    "an unknown refusal": (
        {"status": "error", "category": "VALIDATION_ERROR", "message": CODE},
        note("connect_refused", status=400),
        "refused to connect (400). Connect HubSpot again",
    ),
    "names that are no texts": (
        {"status": ["?"], "error": {"?": 1}},
        note("connect_refused", status=400),
        "refused to connect (400). Connect HubSpot again",
    ),
    "nothing": (
        {},
        note("connect_refused", status=400),
        "refused to connect (400). Connect HubSpot again",
    ),
}


@both_ways
@pytest.mark.parametrize(("body", "noted", "what_to_do"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_what_to_do(oauth, vendor, ask, body, noted, what_to_do):
    vendor.says(Reply(400, body))
    with pytest.raises(Reconnect) as caught:
        ask(oauth)
    assert caught.value.detail == noted
    assert what_to_do in write_english(noted)
    assert caught.value.reason == "hubspot_reconnect" in REASONS
    assert (caught.value.system, len(vendor.asked)) == ("hubspot", 1)


@both_ways
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 415, 422])
def test_every_other_refusal_is_one_too(oauth, vendor, ask, status):
    vendor.says(Reply(status, {"status": "BAD_REFRESH_TOKEN"}))
    with pytest.raises(Reconnect):
        ask(oauth)


# Passing faults: nobody must act


WAITS = {
    "as long as asked for": (Reply(429, {"message": "slow down"}, {"Retry-After": "7"}), 7.0),
    "ten seconds where nothing is said": (Reply(429, {"message": "slow down"}), 10.0),
    "ten seconds where no number is said": (
        Reply(429, b"<html>slow down</html>", {"Retry-After": "soon"}),
        10.0,
    ),
    "a service that is away": (Reply(503, {}, {"Retry-After": "30"}), 30.0),
    "an account that moves": (
        Reply(
            477,
            {"message": "the account moves to another data centre"},
            {"Retry-After": "7200"},
        ),
        7200.0,
    ),
}


@both_ways
@pytest.mark.parametrize(("reply", "seconds"), WAITS.values(), ids=WAITS)
def test_how_long_to_wait_is_passed_on(oauth, vendor, ask, reply, seconds):
    vendor.says(reply)
    with pytest.raises(RetryLater) as caught:
        ask(oauth)
    assert (caught.value.reason, caught.value.after, len(vendor.asked)) == (
        "hubspot_unavailable",
        seconds,
        1,
    )


PASSING = {
    "408": Reply(408, {"message": "too slow"}),
    "423": Reply(423, {"message": "locked"}),
    "500": Reply(500, {"status": "BAD_REFRESH_TOKEN"}),
    "502 in HTML": Reply(502, b"<html>Bad Gateway</html>"),
    "504 without a body": Reply(504),
    "a redirect": Reply(302, GOOD, {"Location": "http://127.0.0.1:9/elsewhere"}),
    "a proxy's refusal": Reply(403, b"<html>Blocked</html>"),
    "HTML instead of JSON": Reply(200, b"<!doctype html><p>Maintenance</p>"),
    "truncated JSON": Reply(200, orjson.dumps(GOOD)[:-9]),
    "half of the body": Reply(200, GOOD, fault="cut"),
    "no body": Reply(200),
    "a JSON string": Reply(200, "an error has occurred"),
    "a JSON list": Reply(200, [GOOD]),
    "no access token": Reply(200, {**GOOD, "access_token": None}),
    "an access token that is no text": Reply(200, {**GOOD, "access_token": 7}),
    "a refresh token that is no text": Reply(200, {**GOOD, "refresh_token": [REFRESH]}),
    "no end": Reply(
        200, {name: GOOD[name] for name in ("access_token", "refresh_token", "hub_id")}
    ),
    "an end that is no number": Reply(200, {**GOOD, "expires_in": "soon"}),
    "a portal that is no number": Reply(200, {**GOOD, "hub_id": [4711]}),
    "a body that does not unpack": Reply(200, b"not gzip at all", {"Content-Encoding": "deflate"}),
    "reset": Reply(fault="reset"),
    "silence": Reply(fault="silent"),
}


@both_ways
@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_for_later(oauth, vendor, ask, reply):
    vendor.says(reply)
    with pytest.raises(RetryLater) as caught:
        ask(oauth)
    assert caught.value.reason == "hubspot_unavailable" in REASONS
    assert (caught.value.after > 0, len(vendor.asked)) == (True, 1)


def test_an_exchange_without_a_refresh_token_gives_none_that_lasts(oauth, vendor):
    vendor.says(Reply(200, {**GOOD, "refresh_token": ""}))
    with pytest.raises(RetryLater):
        exchange(oauth)


@both_ways
def test_nobody_there(nowhere, ask):
    with pytest.raises(RetryLater):
        ask(HubSpotOAuth("invented-app", SECRET, nowhere, "v3"))


# Secrets

QUOTING = {
    "status": "BAD_CLIENT_SECRET",
    "error": SECRET,
    "message": f"{SECRET} {CODE} {REFRESH} {ACCESS}",
}
REFUSING = {str(status): Reply(status, QUOTING) for status in (400, 401, 403, 429, 503)} | {
    "named by a secret": Reply(400, {"status": SECRET})
}


@both_ways
@pytest.mark.parametrize(
    "reply", [*REFUSING.values(), *PASSING.values()], ids=[*REFUSING, *PASSING]
)
def test_no_secret_is_in_an_error_or_a_log(oauth, vendor, capfd, caplog, ask, reply):
    caplog.set_level(logging.DEBUG)
    vendor.says(reply)
    with capture_logs() as logs, pytest.raises((Reconnect, RetryLater)) as caught:
        ask(oauth)
    said = (
        "".join(traceback.format_exception(caught.value))
        + repr(caught.value)
        + str(vars(caught.value))
        + repr(oauth)
    )
    said += str(logs) + caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in (SECRET, CODE, REFRESH, ACCESS) if secret in said]
