"""HubSpot's OAuth: where a person consents, and how a consent and a refresh token become access.

Keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import requests

from integration.connectors import http
from integration.connectors.base import Reconnect, RetryLater
from integration.connectors.hubspot.client import choose_hubspot_wait
from integration.connectors.hubspot.properties import read_answer

REQUIRED_SCOPES = ("oauth", "crm.objects.contacts.read", "crm.objects.contacts.write")
# Without them the sync works, and only cannot make its properties.
OPTIONAL_SCOPES = ("crm.schemas.contacts.read", "crm.schemas.contacts.write")

PASSING_STATUSES = http.SLOW_DOWN_STATUSES | {408}
SPENT_CONSENT_ADVICE = (
    "This consent was used already or is too old: each works once, within minutes. Connect HubSpot "
    "again."
)
OPERATOR_ADVICE = "The platform's operator must correct HUBSPOT_CLIENT_ID / HUBSPOT_CLIENT_SECRET."
REDIRECT_ADDRESS_ADVICE = (
    "HubSpot refuses the address to return to. The platform's operator must enter it as a redirect "
    "URL of the HubSpot app."
)
# HubSpot's name for a refusal -> what to do. Its own sentences are not passed on, for they may
# quote what was sent.
REFUSAL_ADVICE = {
    "BAD_REFRESH_TOKEN": (
        "HubSpot ended this connection, as it does when the app is removed from the account. "
        "Connect HubSpot again."
    ),
    "BAD_HUB": "This HubSpot account is closed. Connect an account that is open.",
    "BAD_AUTH_CODE": SPENT_CONSENT_ADVICE,
    "EXPIRED_AUTH_CODE": SPENT_CONSENT_ADVICE,
    "BAD_CLIENT_ID": f"HubSpot does not know this app. {OPERATOR_ADVICE}",
    "BAD_CLIENT_SECRET": f"HubSpot refuses the secret of this app. {OPERATOR_ADVICE}",
    "invalid_client": f"HubSpot refuses this app. {OPERATOR_ADVICE}",
    "BAD_REDIRECT_URI": REDIRECT_ADDRESS_ADVICE,
    "MISMATCH_REDIRECT_URI_AUTH_CODE": REDIRECT_ADDRESS_ADVICE,
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
            raise RetryLater(
                "hubspot_unavailable", "HubSpot could not be reached, or its answer broke off."
            ) from None
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
        return http.Answer(response.status_code, decode_json(response.content), response.headers)


def decode_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def read_oauth_answer(answer: http.Answer) -> Any:
    """The answer's JSON object; raises where it is a refusal or none of HubSpot's."""
    if answer.status in PASSING_STATUSES or answer.status >= 500:
        raise RetryLater(
            "hubspot_unavailable",
            f"HubSpot answered {answer.status}.",
            after=choose_hubspot_wait(answer, http.MOST_ATTEMPTS),
        )
    # Only HubSpot itself ends a connection: a proxy's web page says nothing of it, whatever its
    # status.
    if not isinstance(answer.value, dict) or 300 <= answer.status < 400:
        raise RetryLater(
            "hubspot_unavailable",
            f"HubSpot answered {answer.status} without its JSON, as a proxy's web page does.",
        )
    if answer.status >= 400:
        raise Reconnect(
            "hubspot_reconnect", choose_refusal_advice(answer.value, answer.status), "hubspot"
        )
    return answer.value


def choose_refusal_advice(value: Mapping[str, Any], status: int) -> str:
    names = (str(value.get("status")), str(value.get("error")))
    unknown = f"HubSpot refused to connect ({status}). Connect HubSpot again."
    return next((REFUSAL_ADVICE[name] for name in names if name in REFUSAL_ADVICE), unknown)


def read_tokens(value: Mapping[str, Any], old: str = "") -> OAuthTokens:
    """``old`` stays the refresh token where the answer names none.

    Raises ValueError or KeyError where the shape is unknown.
    """
    access, refresh = value["access_token"], value.get("refresh_token") or old
    seconds, hub = value["expires_in"], value.get("hub_id")
    if (
        not all(isinstance(token, str) and token for token in (access, refresh))
        or not isinstance(seconds, int)
        or seconds < 0
    ):
        raise ValueError("no tokens")
    if not isinstance(hub, int | str | None):
        raise ValueError("hub_id is no number")
    return OAuthTokens(access, refresh, seconds, "" if hub is None else str(hub))
