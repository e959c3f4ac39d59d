"""Routes, credentials and limits of the HubSpot half."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import links, objects, owners, schemas, verbs
from integration.sandbox.hubspot.errors import CORRELATION, Problem, burst, needs, search_burst
from integration.sandbox.hubspot.oauth import OAuth
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.hubspot.webhooks import Hooks
from integration.sandbox.limits import RollingWindow
from integration.sandbox.wire import Request, Response, json_response

KIND = r"(?:(?P<contacts>contacts|contact|0-1)|companies|company|0-2)"
OBJECTS = re.compile(rf"^/crm/(?:v3/objects|objects/[\d-]+)/{KIND}(?P<rest>/.*)?$")
PROPERTIES = re.compile(rf"^/crm/(?:v3/properties|properties/[\d-]+)/{KIND}(?P<rest>/.*)?$")
OWNERS = re.compile(r"^/crm/(?:v3/owners|owners/[\d-]+)(?P<rest>/.*)?$")
ACCOUNT = re.compile(r"^/account-info/(?:v3|[\d-]+)/details$")
DAILY = 625_000
REFUSED_WORDS = ("wrong", "invalid", "revoked")
SWITCHES: dict[str, Any] = {
    "shuffle": True,
    "upsert_conflict": "validation",  # or "conflict"
    "update_rows_stand_alone": True,
    "merge_keeps_primary": False,
    "retry_after": False,
    "daily_left": None,  # calls until the daily limit; None is a full day's worth
    "full_error_rows": False,  # rows of a 207 with errors and links too: as the OpenAPI file says, unlike the recordings
    "oauth_seconds": 1800,  # how long an access token works
    "search_lag": 0,  # seconds that the search index is behind
    "search_flap": False,  # within these seconds a new record is found by every second search
    "auto_companies": False,  # HubSpot makes and associates companies by the domains of addresses
    "auto_companies_delay": 0.5,  # seconds
    "creation_tells_values": False,  # a creation fires propertyChange events too; whether HubSpot does so is not documented
}


class HubSpotSandbox:
    """Any token that begins with ``pat-`` is a portal of its own, unless it says that it is wrong."""

    def __init__(self, now: Callable[[], datetime], limit: tuple[int, float] | None = (190, 10.0)) -> None:
        self.now, self.limit = now, limit
        self.switches = dict(SWITCHES)
        self.portals: dict[str, Portal] = {}
        self.revoked: set[str] = set()
        self.app = OAuth(now, self.switches, self.revoked, lambda token: self.portal(token).id)
        self.oauth = self.app.access
        self._windows: dict[str, RollingWindow] = {}
        self._search: dict[str, RollingWindow] = {}
        self._lock = threading.Lock()
        self.hooks = Hooks(self.portal, now)

    @property
    def changes(self) -> int:
        return sum(portal.changes + portal.companies.changes + portal.links.changes for portal in list(self.portals.values()))

    def portal(self, token: str) -> Portal:
        with self._lock:
            if token not in self.portals:
                self.portals[token] = Portal(10_000_000 + zlib.crc32(token.encode()) % 80_000_000, self.now, self.switches)
            return self.portals[token]

    def handle(self, request: Request) -> Response:
        headers: dict[str, str] = {}
        try:
            if answer := self.app.handle(request):
                return answer
            given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            token = self._admit(given)
            limited = self._limited(token, request, headers) or (self._daily(request, headers) if given == token else None)
            response = limited or self._route(self.portal(token), request)
        except Problem as problem:
            response = problem.response()
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            response = json_response(400, {"status": "error", "message": f"Invalid input JSON: {wrong}", "correlationId": CORRELATION})
        return Response(
            response.status, response.body, {**headers, "X-HubSpot-Correlation-Id": CORRELATION, **response.headers}, response.content_type
        )

    def _admit(self, token: str) -> str:
        if token.startswith("oauth-"):
            return self.app.admit(token)
        gone = token in self.revoked or token in self.app.closed
        if gone or not token.startswith("pat-") or any(word in token.lower() for word in REFUSED_WORDS):
            raise Problem(401, "INVALID_AUTHENTICATION", "Authentication credentials not found. This API supports OAuth 2.0 authentication.")
        return token

    def _limited(self, token: str, request: Request, headers: dict[str, str]) -> Response | None:
        if self.limit is None:
            return None
        if request.path.endswith("/search"):
            return search_burst() if self._search.setdefault(token, RollingWindow(5, 1.0)).take() is None else None
        # Associations have a limit of their own; the sandbox gives it the same size.
        window = self._windows.setdefault(f"{token} {links.is_one(request.path)}", RollingWindow(*self.limit))
        left = window.take()
        headers.update(
            {
                "X-HubSpot-RateLimit-Max": str(self.limit[0]),
                "X-HubSpot-RateLimit-Remaining": str(left or 0),
                "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(self.limit[1] * 1000)),
                "X-HubSpot-RateLimit-Secondly": str(self.limit[0] // 10),
            }
        )
        if left is None and self.switches["retry_after"]:
            headers["Retry-After"] = "1"
        return burst() if left is None else None

    def _daily(self, request: Request, headers: dict[str, str]) -> Response | None:
        """Only static keys have a daily limit. Searches count, but their answers mention no limit at all."""
        left = self.switches["daily_left"]
        if not request.path.endswith("/search"):
            headers.update({"X-HubSpot-RateLimit-Daily": str(DAILY), "X-HubSpot-RateLimit-Daily-Remaining": str(DAILY if left is None else left)})
        if left is None:
            return None
        self.switches["daily_left"] = max(left - 1, 0)
        return None if left else burst("DAILY")

    def _route(self, portal: Portal, request: Request) -> Response:
        with portal.lock:
            portal.settle()
            if answer := links.route(portal, request):
                return answer
            for pattern, route in ((OBJECTS, objects.route), (PROPERTIES, schemas.route)):
                if found := pattern.match(request.path):
                    return route(portal, portal if found["contacts"] else portal.companies, request, parts(found["rest"]))
            if found := OWNERS.match(request.path):
                needs(portal.scopes_missing, "crm.objects.owners.read")
                return owners.route(portal.owners, request, parts(found["rest"]))
        if ACCOUNT.match(request.path):
            return json_response(200, account(portal.id))
        raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")

    def control(self, verb: str, args: dict[str, Any]) -> Any:
        return verbs.control(self, verb, args)

    def forget_limits(self) -> None:
        self._windows.clear()

    def state(self) -> dict[str, Any]:
        portals = list(self.portals.items())
        for _, portal in portals:
            with portal.lock:
                portal.settle()
        return {token: portal.state() for token, portal in portals}

    def load(self, state: dict[str, Any]) -> None:
        for token, kept in state.items():
            self.portal(token).load(kept)


def parts(rest: str | None) -> list[str]:
    """What follows the kind in a path; [""] where nothing does."""
    return (rest or "").strip("/").split("/")


def account(id: int) -> dict[str, Any]:
    return {
        "portalId": id,
        "accountType": "STANDARD",
        "timeZone": "Asia/Tokyo",
        "companyCurrency": "JPY",
        "additionalCurrencies": [],
        "utcOffset": "+09:00",
        "utcOffsetMilliseconds": 32_400_000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }
