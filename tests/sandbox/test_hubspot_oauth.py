"""The sandbox's half of OAuth, and the connector against it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from integration.connectors.base import Reconnect, RetryLater
from integration.connectors.http import Unlimited
from integration.connectors.hubspot.client import HubSpot
from integration.connectors.hubspot.oauth import (
    OPTIONAL_SCOPES,
    REQUIRED_SCOPES,
    HubSpotOAuth,
    make_authorize_url,
)
from integration.notes import write_english
from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller
from tests.sandbox.test_openapi import FILES, json_schema, loosened, validate

CALLBACK = "http://127.0.0.1:8000/hubspot/callback"
STATE = "a b&c=d/名刺"
NUMBERS = itertools.count(1)


@contextmanager
def refused(sentence: str) -> Iterator[None]:
    """HubSpot refuses, and a person is told so."""
    with pytest.raises(Reconnect) as caught:
        yield
    assert sentence in write_english(caught.value.detail)


@pytest.fixture
def app() -> str:
    """The id of an app that nobody has used."""
    return f"app-{next(NUMBERS):04d}"


@pytest.fixture
def oauth(both: Sandbox, app: str) -> HubSpotOAuth:
    return HubSpotOAuth(app, "a-secret", both.url, "2026-03")


@pytest.fixture
def browser() -> Iterator[Callable[..., requests.Response]]:
    with requests.Session() as session:
        session.trust_env = False
        yield lambda method, url, **data: session.request(
            method, url, data=data, timeout=30, allow_redirects=False
        )


@pytest.fixture
def consent(
    both: Sandbox, browser: Callable[..., requests.Response], app: str
) -> Callable[[], str]:
    """Has a person consent; gives the code."""
    return lambda: returned(browser("POST", make_authorize_url(both.url, app, CALLBACK, STATE)))[
        "code"
    ]


@pytest.fixture
def later(both: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the sandbox's clock on."""
    now = both.hubspot.now

    def move(seconds: float) -> None:
        monkeypatch.setattr(both.hubspot.app, "now", lambda: now() + timedelta(seconds=seconds))

    return move


def returned(answer: requests.Response) -> dict[str, str]:
    """What the app is told when the person comes back."""
    assert answer.status_code == 302 and not answer.content
    back_to, _, query = answer.headers["Location"].partition("?")
    assert back_to == CALLBACK
    return {name: value for name, (value,) in parse_qs(query, strict_parsing=True).items()}


def details(both: Sandbox, access: str) -> requests.Response:
    return Caller(both, {"Authorization": f"Bearer {access}"})("GET", "/account-info/v3/details")


# The page


def test_the_page_names_the_app_and_its_scopes(
    both: Sandbox, browser: Callable[..., requests.Response]
) -> None:
    answer = browser("GET", make_authorize_url(both.url, "<b>app</b>", CALLBACK, STATE))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<title>HubSpot sandbox</title>" in answer.text and "Connect app</button>" in answer.text
    assert "&lt;b&gt;app&lt;/b&gt;" in answer.text and "<b>app" not in answer.text
    assert all(
        f"<code>{scope}</code>" in answer.text for scope in REQUIRED_SCOPES + OPTIONAL_SCOPES
    )
    assert both.calls["by_call"] == {"hubspot GET /oauth/authorize 200": 1}


def test_consent_returns_with_a_code_and_the_state(
    both: Sandbox, browser: Callable[..., requests.Response], app: str
) -> None:
    first, second = (
        returned(browser("POST", make_authorize_url(both.url, app, CALLBACK, STATE)))
        for _ in range(2)
    )
    assert first.keys() == {"code", "state"} and first["state"] == STATE
    assert first["code"] != second["code"]


def test_cancel_returns_without_a_code(
    both: Sandbox, browser: Callable[..., requests.Response], app: str
) -> None:
    answer = browser("POST", make_authorize_url(both.url, app, CALLBACK, STATE), cancel="1")
    assert returned(answer) == {"error": "access_denied", "state": STATE}


def test_the_callback_keeps_its_own_query(
    both: Sandbox, browser: Callable[..., requests.Response], app: str
) -> None:
    answer = browser("POST", make_authorize_url(both.url, app, f"{CALLBACK}?lang=ja", STATE))
    assert parse_qs(urlsplit(answer.headers["Location"]).query).keys() == {"lang", "code", "state"}


WRONG_QUESTIONS = {
    "no app": {"client_id": ""},
    "another app": {"client_id": "wrong-app"},
    "nowhere to return to": {"redirect_uri": ""},
    "a script to return to": {"redirect_uri": "javascript:alert(1)"},
    "a path to return to": {"redirect_uri": "/elsewhere"},
    "a line feed to return to": {"redirect_uri": "http://127.0.0.1/\r\nSet-Cookie: a=b"},
    "no scope": {"scope": " "},
}


@pytest.mark.parametrize("changed", WRONG_QUESTIONS.values(), ids=WRONG_QUESTIONS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_question_returns_to_nobody(
    both: Sandbox, browser: Callable[..., requests.Response], method: str, changed: dict[str, str]
) -> None:
    asked = {"client_id": "app", "redirect_uri": CALLBACK, "scope": "oauth", **changed}
    url = requests.Request(method, f"{both.url}/oauth/authorize", params=asked).prepare().url
    answer = browser(method, str(url))
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert (
        "Location" not in answer.headers
        and "Set-Cookie" not in answer.headers
        and "cannot be made" in answer.text
    )


# Codes and tokens


def test_a_code_becomes_access_to_the_portal_of_the_app(
    both: Sandbox, oauth: HubSpotOAuth, consent: Callable[[], str], app: str
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    portal = both.hubspot.portal(f"pat-oauth-{app}")
    assert (tokens.expires_in, tokens.hub_id) == (1800, str(portal.id))
    assert len(tokens.access_token) >= 300 and tokens.refresh_token not in both.hubspot.portals
    client = HubSpot(tokens.access_token, both.url, "2026-03", Unlimited())
    assert client.check().id == tokens.hub_id
    portal.create({"email": "aiko@example.jp"})
    assert client.read(["aiko@example.jp"], ["email"], by="email")


def test_a_code_works_once(oauth: HubSpotOAuth, consent: Callable[[], str]) -> None:
    code = consent()
    oauth.exchange(code, CALLBACK)
    with refused("works once"):
        oauth.exchange(code, CALLBACK)


def test_a_code_works_once_whoever_is_first(
    oauth: HubSpotOAuth, consent: Callable[[], str]
) -> None:
    code = consent()

    def ask(_: int) -> bool:
        try:
            return bool(oauth.exchange(code, CALLBACK))
        except Reconnect:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1


def test_a_code_is_of_one_app_and_one_address(
    both: Sandbox, oauth: HubSpotOAuth, consent: Callable[[], str]
) -> None:
    with refused("Connect HubSpot again"):
        HubSpotOAuth("another-app", "a-secret", both.url, "v3").exchange(consent(), CALLBACK)
    with refused("redirect URL"):
        oauth.exchange(consent(), f"{CALLBACK}/elsewhere")


CODE_AGES = {
    "just before": (599, True),
    "just after": (601, False),
}


@pytest.mark.parametrize(("seconds", "works"), CODE_AGES.values(), ids=CODE_AGES)
def test_a_code_lasts_ten_minutes(
    oauth: HubSpotOAuth,
    consent: Callable[[], str],
    later: Callable[[float], None],
    seconds: int,
    works: bool,
) -> None:
    code = consent()
    later(seconds)
    if works:
        assert oauth.exchange(code, CALLBACK).access_token
    else:
        with refused("too old"):
            oauth.exchange(code, CALLBACK)


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03"])
def test_a_refresh_gives_another_access_to_the_same_portal(
    both: Sandbox, consent: Callable[[], str], app: str, version: str
) -> None:
    oauth = HubSpotOAuth(app, "a-secret", both.url, version)
    first = oauth.exchange(consent(), CALLBACK)
    second = oauth.refresh(first.refresh_token)
    assert (second.refresh_token, second.hub_id) == (first.refresh_token, first.hub_id)
    assert second.access_token != first.access_token
    assert [
        details(both, tokens.access_token).json()["portalId"] for tokens in (first, second)
    ] == [int(first.hub_id)] * 2


def test_a_refresh_token_is_of_one_app(
    both: Sandbox, oauth: HubSpotOAuth, consent: Callable[[], str]
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    with refused("Connect HubSpot again"):
        HubSpotOAuth("another-app", "a-secret", both.url, "v3").refresh(tokens.refresh_token)


def test_tokens_outlive_a_restart(
    both: Sandbox, oauth: HubSpotOAuth, consent: Callable[[], str], app: str
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    with Sandbox(cards=1) as again:
        assert details(again, tokens.access_token).json()["category"] == "EXPIRED_AUTHENTICATION"
        fresh = HubSpotOAuth(app, "a-secret", again.url, "v3").refresh(tokens.refresh_token)
        assert details(again, fresh.access_token).json()["portalId"] == int(tokens.hub_id)


# The end


def test_a_revoked_refresh_token_is_refused_and_leaves_no_portal(
    both: Sandbox, control: Caller, oauth: HubSpotOAuth, consent: Callable[[], str]
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    control("POST", "hubspot/revoke", {"token": tokens.refresh_token})
    with refused("HubSpot ended this connection"):
        oauth.refresh(tokens.refresh_token)
    assert tokens.refresh_token not in both.hubspot.portals


def test_an_app_that_is_removed_loses_everything_until_it_is_connected_again(
    both: Sandbox, control: Caller, oauth: HubSpotOAuth, consent: Callable[[], str], app: str
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    control("POST", "hubspot/revoke", {"token": f"pat-oauth-{app}"})
    assert details(both, tokens.access_token).json()["category"] == "INVALID_AUTHENTICATION"
    with refused("HubSpot ended this connection"):
        oauth.refresh(tokens.refresh_token)
    assert details(both, oauth.exchange(consent(), CALLBACK).access_token).status_code == 200


def test_a_closed_portal(
    both: Sandbox, control: Caller, oauth: HubSpotOAuth, consent: Callable[[], str], app: str
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    control("POST", "hubspot/close", {"token": f"pat-oauth-{app}"})
    assert [
        details(both, token).status_code for token in (tokens.access_token, f"pat-oauth-{app}")
    ] == [401, 401]
    with refused("account is closed"):
        oauth.refresh(tokens.refresh_token)


def test_access_ends_after_the_seconds_of_the_switch(
    both: Sandbox, oauth: HubSpotOAuth, consent: Callable[[], str], later: Callable[[float], None]
) -> None:
    both.hubspot.switches["oauth_seconds"] = 60
    tokens = oauth.exchange(consent(), CALLBACK)
    assert tokens.expires_in == 60
    later(30)
    assert details(both, tokens.access_token).status_code == 200
    later(75)
    answer = details(both, tokens.access_token)
    assert (answer.status_code, answer.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert "expired 1" in answer.json()["message"] and answer.json()["context"]["expire time"]
    with pytest.raises(Reconnect):
        HubSpot(tokens.access_token, both.url, "v3", Unlimited()).check()
    assert details(both, oauth.refresh(tokens.refresh_token).access_token).status_code == 200


def test_access_of_no_seconds_has_ended_at_once(
    both: Sandbox, control: Caller, oauth: HubSpotOAuth, consent: Callable[[], str]
) -> None:
    control("PATCH", "switches", {"hubspot": {"oauth_seconds": 0}})
    tokens = oauth.exchange(consent(), CALLBACK)
    assert tokens.expires_in == 0
    assert details(both, tokens.access_token).json()["category"] == "EXPIRED_AUTHENTICATION"


# Bodies of the token endpoint

FORM = {"client_id": "app", "client_secret": "a-secret"}
EXCHANGE = {**FORM, "grant_type": "authorization_code", "code": "unknown", "redirect_uri": CALLBACK}
REFRESH = {**FORM, "grant_type": "refresh_token", "refresh_token": "unknown"}


REFUSALS = {
    "a refresh token of nobody": (REFRESH, "BAD_REFRESH_TOKEN", "invalid_grant"),
    "no refresh token": ({**REFRESH, "refresh_token": ""}, "BAD_REFRESH_TOKEN", "invalid_grant"),
    "a code of nobody": (EXCHANGE, "BAD_AUTH_CODE", "invalid_grant"),
    "no code": ({**EXCHANGE, "code": ""}, "BAD_AUTH_CODE", "invalid_grant"),
    "nowhere to return to": (
        {**EXCHANGE, "redirect_uri": ""},
        "BAD_REDIRECT_URI",
        "invalid_request",
    ),
    "another app": ({**EXCHANGE, "client_id": "the-wrong-app"}, "BAD_CLIENT_ID", "invalid_client"),
    "no app": ({**EXCHANGE, "client_id": ""}, "BAD_CLIENT_ID", "invalid_client"),
    "another secret": (
        {**REFRESH, "client_secret": "Wrong"},
        "BAD_CLIENT_SECRET",
        "invalid_client",
    ),
    "no secret": ({**REFRESH, "client_secret": ""}, "BAD_CLIENT_SECRET", "invalid_client"),
    "a password": ({**FORM, "grant_type": "password"}, "BAD_GRANT_TYPE", "unsupported_grant_type"),
    "no kind of grant": (FORM, "BAD_GRANT_TYPE", "unsupported_grant_type"),
    "nothing": ({}, "BAD_CLIENT_ID", "invalid_client"),
}


@pytest.mark.parametrize(("form", "status", "error"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_name_themselves(
    both: Sandbox,
    browser: Callable[..., requests.Response],
    form: dict[str, str],
    status: str,
    error: str,
) -> None:
    answer = browser("POST", f"{both.url}/oauth/v3/token", **form)
    assert answer.status_code == 400
    assert (answer.json()["status"], answer.json()["error"]) == (status, error)
    assert answer.json()["message"] and answer.json()["correlationId"]


def test_json_is_no_form(control: Caller) -> None:
    assert control("POST", "/oauth/v3/token", REFRESH).json()["status"] == "BAD_CLIENT_ID"


@pytest.mark.parametrize("version", ["v3", "2026-03"])
@pytest.mark.skipif(
    not (FILES / "oauth.v3.json").exists(), reason="HubSpot's OpenAPI files are not here"
)
def test_tokens_have_the_shape_of_hubspots_file(
    both: Sandbox,
    browser: Callable[..., requests.Response],
    consent: Callable[[], str],
    app: str,
    version: str,
) -> None:
    path = f"/oauth/{version}/token"
    answer = browser("POST", both.url + path, **{**EXCHANGE, "client_id": app, "code": consent()})
    said: dict[str, Any] = answer.json()
    schema = json_schema(
        loosened(f"oauth.{version}.json")["components"]["schemas"]["AccessTokenResponse"]
    )
    validate(said, schema)
    assert said["scopes"] == [*REQUIRED_SCOPES, *OPTIONAL_SCOPES]
    again = browser(
        "POST",
        both.url + path,
        **{**REFRESH, "client_id": app, "refresh_token": said["refresh_token"]},
    ).json()
    assert again == {**said, "access_token": again["access_token"]}


# Faults


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ({"kind": "rate_limit", "retry_after": 3}, 3.0),
        ({"kind": "rate_limit"}, 10.0),
        ({"kind": "status", "status": 502}, 10.0),
        ({"kind": "html"}, 60.0),
        ({"kind": "reset"}, 60.0),
        ({"kind": "truncated"}, 60.0),
        ({"kind": "wrong_type"}, 60.0),
    ],
    ids=str,
)
def test_a_refresh_survives_a_fault(
    both: Sandbox,
    oauth: HubSpotOAuth,
    consent: Callable[[], str],
    fault: dict[str, Any],
    seconds: float,
) -> None:
    tokens = oauth.exchange(consent(), CALLBACK)
    both.faults.arm("hubspot", match="oauth/.*/token", **fault)
    with pytest.raises(RetryLater) as caught:
        oauth.refresh(tokens.refresh_token)
    assert caught.value.after == seconds
    assert oauth.refresh(tokens.refresh_token).hub_id == tokens.hub_id


def test_a_code_whose_answer_was_lost_is_spent(
    both: Sandbox, oauth: HubSpotOAuth, consent: Callable[[], str]
) -> None:
    code = consent()
    both.faults.arm("hubspot", "reset_after", match="oauth/.*/token")
    with pytest.raises(RetryLater):
        oauth.exchange(code, CALLBACK)
    with refused("Connect HubSpot again"):
        oauth.exchange(code, CALLBACK)
