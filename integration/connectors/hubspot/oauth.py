"""HubSpot's OAuth: where a person consents, and how a consent and a refresh token become access.

Keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import requests

from integration.connectors import http
from integration.connectors.base import Reconnect, RetryLater
from integration.connectors.decode import decode_answer
from integration.connectors.hubspot.client import choose_hubspot_wait
from integration.connectors.hubspot.properties import read_answer
from integration.notes import note

REQUIRED_SCOPES = ("oauth", "crm.objects.contacts.read", "crm.objects.contacts.write")
# Without them the sync works, and only cannot make its properties.
OPTIONAL_SCOPES = ("crm.schemas.contacts.read", "crm.schemas.contacts.write")

PASSING_STATUSES = http.SLOW_DOWN_STATUSES | {408}
# HubSpot's name for a refusal -> the note of what to do. Its own sentences are not passed on, for
# they may quote what was sent.
REFUSAL_NOTES = {
    "BAD_REFRESH_TOKEN": "connection_ended",
    "BAD_HUB": "portal_closed",
    "BAD_AUTH_CODE": "consent_spent",
    "EXPIRED_AUTH_CODE": "consent_spent",
    "BAD_CLIENT_ID": "app_unknown",
    "BAD_CLIENT_SECRET": "app_secret_refused",
    "invalid_client": "app_refused",
    "BAD_REDIRECT_URI": "redirect_refused",
    "MISMATCH_REDIRECT_URI_AUTH_CODE": "redirect_refused",
}


@dataclass(frozen=True)
class OAuthTokens:
    """``hub_id`` is "" where the answer does not tell it, which the specification allows."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    hub_id: str


def make_authorize_url(app_url: str, client_id: str, redirect_uri: str, state: str) -> str:
    """The page on which a person consents. ``app_url`` is where people use HubSpot, not the API."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(REQUIRED_SCOPES),
        "optional_scope": " ".join(OPTIONAL_SCOPES),
        "state": state,
    }
    return f"{app_url.rstrip('/')}/oauth/authorize?{urlencode(query, quote_via=quote, safe='')}"


class HubSpotOAuth:
    """One app's way to tokens.

    Asks once and never again by itself: a consent is spent by the first question, answered or not.
    """

    def __init__(self, client_id: str, client_secret: str, url: str, version: str) -> None:
        self._app = {"client_id": client_id.strip(), "client_secret": client_secret.strip()}
        # v1 ends in 2027, and v3 answers the same questions.
        self._url = f"{url.rstrip('/')}/oauth/{'v3' if version.startswith('v') else version}/token"

    def exchange(self, code: str, redirect_uri: str) -> OAuthTokens:
        """What a consent is worth.

        After RetryLater the code may be spent all the same, so that a person must consent again.
        """
        value = self._ask(
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        )
        return read_answer(read_tokens, value)

    def refresh(self, refresh_token: str) -> OAuthTokens:
        value = self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})
        return read_answer(lambda value: read_tokens(value, refresh_token), value)

    def _ask(self, form: Mapping[str, str]) -> Any:
        try:
            answer = self._send({**form, **self._app})
        except requests.RequestException:
            broken = note("answer_broke_off", vendor="HubSpot")
            raise RetryLater("hubspot_unavailable", broken) from None
        return read_oauth_answer(answer)

    def _send(self, form: Mapping[str, str]) -> http.Answer:
        headers = {"Accept": "application/json", "User-Agent": "meishi-bridge"}
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(
                self._url,
                data=form,
                headers=headers,
                timeout=http.CALL_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        return http.Answer(response.status_code, decode_answer(response.content), response.headers)


def read_oauth_answer(answer: http.Answer) -> Any:
    """The answer's JSON object; raises where it is a refusal or none of HubSpot's."""
    status = answer.status
    if status in PASSING_STATUSES or status >= 500:
        answered = note("answered", vendor="HubSpot", status=status)
        wait = choose_hubspot_wait(answer, http.MOST_ATTEMPTS)
        raise RetryLater("hubspot_unavailable", answered, after=wait)
    # Only HubSpot itself ends a connection: a proxy's web page says nothing of it, whatever its
    # status.
    if not isinstance(answer.value, dict) or 300 <= status < 400:
        raise RetryLater("hubspot_unavailable", note("no_json", vendor="HubSpot", status=status))
    if status >= 400:
        advice = choose_refusal_advice(answer.value, status)
        raise Reconnect("hubspot_reconnect", advice, "hubspot")
    return answer.value


def choose_refusal_advice(value: Mapping[str, Any], status: int) -> str:
    for name in (str(value.get("status")), str(value.get("error"))):
        if name in REFUSAL_NOTES:
            return note(REFUSAL_NOTES[name])
    return note("connect_refused", status=status)


def read_tokens(value: Mapping[str, Any], old: str = "") -> OAuthTokens:
    """``old`` stays the refresh token where the answer names none.

    Raises ValueError or KeyError where the shape is unknown.
    """
    access, refresh = value["access_token"], value.get("refresh_token") or old
    seconds, hub = value["expires_in"], value.get("hub_id")
    if not all(isinstance(token, str) and token for token in (access, refresh)):
        raise ValueError("no tokens")
    if not isinstance(seconds, int) or seconds < 0:
        raise ValueError("no tokens")
    if not isinstance(hub, int | str | None):
        raise ValueError("hub_id is no number")
    return OAuthTokens(access, refresh, seconds, "" if hub is None else str(hub))
