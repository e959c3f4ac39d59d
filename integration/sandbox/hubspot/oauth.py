"""HubSpot's OAuth: the page on which a person consents, codes that work once, and tokens that
end.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from integration.sandbox.hubspot.errors import CORRELATION_ID, HubSpotProblem
from integration.sandbox.wire import Request, Response, make_json_response

AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = re.compile(r"^/oauth/(?:v1|v3|[\d-]+)/token$")
REFRESH_TOKEN_PATTERN = re.compile(r"^refresh-[0-9a-f]+-(?P<portal>pat-.+)$")
AUTH_CODE_SECONDS = 600
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
# HubSpot's name -> (OAuth's name, sentence).
TOKEN_REFUSALS = {
    "BAD_REFRESH_TOKEN": ("invalid_grant", "missing or invalid refresh token"),
    "BAD_HUB": ("access_denied", "the hub of this token is gone"),
    "BAD_AUTH_CODE": ("invalid_grant", "missing or unknown auth code"),
    "EXPIRED_AUTH_CODE": ("invalid_grant", "auth code was used or has expired"),
    "BAD_CLIENT_ID": ("invalid_client", "missing or invalid client id"),
    "BAD_CLIENT_SECRET": ("invalid_client", "missing or invalid client secret"),
    "BAD_REDIRECT_URI": ("invalid_request", "missing or invalid redirect uri"),
    "MISMATCH_REDIRECT_URI_AUTH_CODE": (
        "invalid_grant",
        "redirect uri does not match the one of the auth code",
    ),
    "BAD_GRANT_TYPE": ("unsupported_grant_type", "missing or unknown grant type"),
}
CONSENT_PAGE_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>HubSpot sandbox</title>
<style>body{{font:16px/1.5 sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;
color:#213343}}
button{{font:inherit;padding:.5rem 1.2rem;border:1px solid #ff5c35;border-radius:4px;
background:#fff;cursor:pointer}}
button.go{{background:#ff5c35;color:#fff}}</style></head>
<body><h1>HubSpot sandbox</h1>{content}</body></html>"""
# Without an action the form goes back to its own address, and so keeps every parameter.
CONSENT_FORM_HTML = """<p>The app <strong>{client}</strong> asks for these rights
in your HubSpot account:</p>
<ul>{scopes}</ul><p>Afterwards you return to {host}.</p>
<form method="post"><button class="go">Connect app</button>
<button name="cancel" value="1">Cancel</button></form>"""


@dataclass(frozen=True)
class Consent:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    ends: datetime


class OAuthSandbox:
    """Every app has a portal of its own.

    Refresh tokens name theirs, so that they outlive a restart.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        switches: dict[str, Any],
        revoked: set[str],
        hub_id: Callable[[str], int],
    ) -> None:
        self.now, self.switches, self.revoked, self.hub_id = now, switches, revoked, hub_id
        # Access token -> (portal's token, when it ends).
        self.access: dict[str, tuple[str, datetime]] = {}
        self.closed: set[str] = set()  # portals that were deleted
        self._consents: dict[str, Consent] = {}
        self._spent: set[str] = set()
        self._scopes: dict[str, tuple[str, ...]] = {}  # of a portal's latest consent

    def handle(self, request: Request) -> Response | None:
        """None where the path is none of OAuth's."""
        if request.path == AUTHORIZE_PATH:
            return self._authorize(request)
        return self._token(request) if TOKEN_PATH.match(request.path) else None

    def admit(self, access: str) -> str:
        """The portal's token.

        One that is not known was given before a restart and counts as expired, which its client can
        mend.
        """
        portal, ends = self.access.get(access, ("", LONG_AGO))
        if {portal} & (self.revoked | self.closed):
            raise HubSpotProblem(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
            )
        if ends <= self.now():
            ago = int((self.now() - ends).total_seconds())
            text = f"The OAuth token used to make this call expired {ago} second(s) ago."
            raise HubSpotProblem(
                401, "EXPIRED_AUTHENTICATION", text, {"expire time": [ends.isoformat()]}
            )
        return portal

    # What people see

    def _authorize(self, request: Request) -> Response:
        wrong = find_consent_problem(request)
        if wrong:
            return render_consent_page(
                400, f"<p>The connection cannot be made: {escape(wrong)}.</p>"
            )
        client, back_to, state = (
            request.one(name) or "" for name in ("client_id", "redirect_uri", "state")
        )
        scopes = tuple(
            f"{request.one('scope') or ''} {request.one('optional_scope') or ''}".split()
        )
        if request.method != "POST":
            return render_consent_page(200, render_consent_form(client, back_to, scopes))
        if "cancel" in read_form(request):
            return make_redirect(back_to, {"error": "access_denied", "state": state})
        code = secrets.token_urlsafe(24)
        self._consents[code] = Consent(
            client, back_to, scopes, self.now() + timedelta(seconds=AUTH_CODE_SECONDS)
        )
        return make_redirect(back_to, {"code": code, "state": state})

    # What apps ask

    def _token(self, request: Request) -> Response:
        given = read_form(request)
        # A key taken for a refresh token needs no app, which is how a test comes by an access token
        # without a consent.
        optional = given.get("refresh_token", "").startswith("pat-")
        for name, refused_as in (
            ("client_id", "BAD_CLIENT_ID"),
            ("client_secret", "BAD_CLIENT_SECRET"),
        ):
            if "wrong" in given.get(name, "").lower() or not (given.get(name) or optional):
                return make_token_refusal(refused_as)
        match given.get("grant_type"):
            case "authorization_code":
                return self._exchange(given)
            case "refresh_token":
                return self._refresh(given)
        return make_token_refusal("BAD_GRANT_TYPE")

    def _exchange(self, given: dict[str, str]) -> Response:
        code, redirect_uri = given.get("code", ""), given.get("redirect_uri", "")
        if not redirect_uri:
            return make_token_refusal("BAD_REDIRECT_URI")
        consent = self._consents.pop(code, None)
        if consent is None or consent.client_id != given["client_id"]:
            return make_token_refusal(
                "EXPIRED_AUTH_CODE" if code in self._spent else "BAD_AUTH_CODE"
            )
        self._spent.add(code)
        if consent.ends <= self.now():
            return make_token_refusal("EXPIRED_AUTH_CODE")
        if consent.redirect_uri != redirect_uri:
            return make_token_refusal("MISMATCH_REDIRECT_URI_AUTH_CODE")
        portal = name_app_portal(consent.client_id)
        self.revoked.discard(portal)  # an app that was removed may be connected again
        self._scopes[portal] = consent.scopes
        return self._issue(portal, f"refresh-{secrets.token_hex(8)}-{portal}")

    def _refresh(self, given: dict[str, str]) -> Response:
        token = given.get("refresh_token", "")
        portal = find_portal_token(token)
        foreign = token != portal and portal != name_app_portal(given.get("client_id", ""))
        if not portal or foreign or {token, portal} & self.revoked:
            return make_token_refusal("BAD_REFRESH_TOKEN")
        return (
            make_token_refusal("BAD_HUB") if portal in self.closed else self._issue(portal, token)
        )

    def _issue(self, portal: str, refresh: str) -> Response:
        # Longer than 300 letters, as HubSpot may send them.
        access = f"oauth-{portal}-{secrets.token_urlsafe(240)}"
        self.access[access] = (
            portal,
            self.now() + timedelta(seconds=self.switches["oauth_seconds"]),
        )
        body = {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": int(self.switches["oauth_seconds"]),
            "token_type": "bearer",
            "token_use": "access_token",
            "hub_id": self.hub_id(portal),
            "user_id": 1,
            "scopes": list(
                self._scopes.get(
                    portal, ("oauth", "crm.objects.contacts.read", "crm.objects.contacts.write")
                )
            ),
        }
        return make_json_response(200, body)


def name_app_portal(client_id: str) -> str:
    return f"pat-oauth-{quote(client_id, safe='')}"


def find_portal_token(token: str) -> str:
    """The portal's token behind a refresh token; a portal's token is its own; "" for anything
    else.
    """
    found = REFRESH_TOKEN_PATTERN.match(token)
    return found["portal"] if found else token if token.startswith("pat-") else ""


def find_consent_problem(request: Request) -> str:
    """Why HubSpot would not even ask; "" where it would.

    None of it may be told to an address that is itself in doubt.
    """
    client, back_to = request.one("client_id") or "", request.one("redirect_uri") or ""
    if not client or "wrong" in client.lower():
        return "there is no app with this client_id"
    if not (
        back_to.isascii()
        and back_to.isprintable()
        and urlsplit(back_to).scheme in ("http", "https")
        and urlsplit(back_to).netloc
    ):
        return "redirect_uri is no web address"
    return "" if (request.one("scope") or "").split() else "the app asks for no scope"


def render_consent_form(client: str, back_to: str, scopes: tuple[str, ...]) -> str:
    rows = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in scopes)
    return CONSENT_FORM_HTML.format(
        client=escape(client), scopes=rows, host=escape(urlsplit(back_to).netloc)
    )


def render_consent_page(status: int, content: str) -> Response:
    return Response(
        status,
        CONSENT_PAGE_HTML.format(content=content).encode(),
        {"Cache-Control": "no-store"},
        "text/html; charset=utf-8",
    )


def make_redirect(to: str, more: dict[str, str]) -> Response:
    query = urlencode({name: value for name, value in more.items() if value}, quote_via=quote)
    return Response(
        302,
        b"",
        {"Location": f"{to}{'&' if '?' in to else '?'}{query}", "Cache-Control": "no-store"},
        "",
    )


def make_token_refusal(name: str) -> Response:
    error, message = TOKEN_REFUSALS[name]
    return make_json_response(
        400, {"status": name, "error": error, "message": message, "correlationId": CORRELATION_ID}
    )


def read_form(request: Request) -> dict[str, str]:
    return {
        name: values[-1]
        for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()
    }
