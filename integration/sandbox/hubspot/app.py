"""Routes, credentials and limits of the HubSpot half."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import events, links, objects, owners, schemas, verbs
from integration.sandbox.hubspot.errors import (
    CORRELATION_ID,
    HubSpotProblem,
    make_limit_response,
    make_search_limit_response,
    require_scopes,
)
from integration.sandbox.hubspot.oauth import OAuthSandbox, find_portal_token
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.hubspot.webhooks import WebhookSender
from integration.sandbox.limits import RollingWindow
from integration.sandbox.wire import Request, Response, make_json_response

KIND_IN_PATH = r"(?:(?P<contacts>contacts|contact|0-1)|companies|company|0-2)"
OBJECTS_PATH = re.compile(rf"^/crm/(?:v3/objects|objects/[\d-]+)/{KIND_IN_PATH}(?P<rest>/.*)?$")
PROPERTIES_PATH = re.compile(
    rf"^/crm/(?:v3/properties|properties/[\d-]+)/{KIND_IN_PATH}(?P<rest>/.*)?$"
)
OWNERS_PATH = re.compile(r"^/crm/(?:v3/owners|owners/[\d-]+)(?P<rest>/.*)?$")
ACCOUNT_PATH = re.compile(r"^/account-info/(?:v3|[\d-]+)/details$")
DAILY_CALL_LIMIT = 625_000
REFUSED_TOKEN_WORDS = ("wrong", "invalid", "revoked")
HUBSPOT_SWITCHES: dict[str, Any] = {
    "shuffle": True,
    "upsert_conflict": "validation",  # or "conflict"
    "update_rows_stand_alone": True,
    "upsert_rows_stand_alone": True,
    "most_contacts": None,  # how many a portal takes; None is any number
    "merge_keeps_primary": False,
    "retry_after": False,
    "daily_left": None,  # calls until the daily limit; None is a full day's worth
    # Rows of a 207 with errors and links too: as the OpenAPI file says, unlike the recordings.
    "full_error_rows": False,
    "reformats": "",  # what HubSpot makes of values shows at_once, or later
    "oauth_seconds": 1800,  # how long an access token works
    "search_lag": 0,  # seconds that the search index is behind
    "search_flap": False,  # within these seconds a new record is found by every second search
    "auto_companies": False,  # HubSpot makes and associates companies by the domains of addresses
    "auto_companies_delay": 0.5,  # seconds
    # A creation fires propertyChange events too; whether HubSpot does so is not documented.
    "creation_tells_values": False,
}


class HubSpotSandbox:
    """Any token that begins with ``pat-`` is a portal of its own, unless it says that it is
    wrong.
    """

    def __init__(
        self, now: Callable[[], datetime], limit: tuple[int, float] | None = (190, 10.0)
    ) -> None:
        self.now, self.limit = now, limit
        self.switches = dict(HUBSPOT_SWITCHES)
        self.portals: dict[str, Portal] = {}
        self.revoked: set[str] = set()
        self.app = OAuthSandbox(
            now, self.switches, self.revoked, lambda token: self.portal(token).id
        )
        self.oauth = self.app.access
        self._windows: dict[str, RollingWindow] = {}
        self._search: dict[str, RollingWindow] = {}
        self._lock = threading.Lock()
        self.hooks = WebhookSender(self.portal, now)

    @property
    def changes(self) -> int:
        return sum(
            portal.changes + portal.companies.changes + portal.links.changes
            for portal in list(self.portals.values())
        )

    def portal(self, token: str) -> Portal:
        with self._lock:
            if token not in self.portals:
                self.portals[token] = Portal(
                    10_000_000 + zlib.crc32(token.encode()) % 80_000_000, self.now, self.switches
                )
            return self.portals[token]

    def handle(self, request: Request) -> Response:
        headers: dict[str, str] = {}
        try:
            if answer := self.app.handle(request):
                return answer
            given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            token = self._admit(given)
            limited = self._limited(token, request, headers) or (
                self._daily(request, headers) if given == token else None
            )
            response = limited or self._route(self.portal(token), request)
        except HubSpotProblem as problem:
            response = problem.response()
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            response = make_json_response(
                400,
                {
                    "status": "error",
                    "message": f"Invalid input JSON: {wrong}",
                    "correlationId": CORRELATION_ID,
                },
            )
        return Response(
            response.status,
            response.body,
            {**headers, "X-HubSpot-Correlation-Id": CORRELATION_ID, **response.headers},
            response.content_type,
        )

    def _admit(self, token: str) -> str:
        if token.startswith("oauth-"):
            return self.app.admit(token)
        gone = token in self.revoked or token in self.app.closed
        if (
            gone
            or not token.startswith("pat-")
            or any(word in token.lower() for word in REFUSED_TOKEN_WORDS)
        ):
            raise HubSpotProblem(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
            )
        return token

    def _limited(self, token: str, request: Request, headers: dict[str, str]) -> Response | None:
        if self.limit is None:
            return None
        if request.path.endswith("/search"):
            return (
                make_search_limit_response()
                if self._search.setdefault(token, RollingWindow(5, 1.0)).take() is None
                else None
            )
        # Associations have a limit of their own; the sandbox gives it the same size.
        window = self._windows.setdefault(
            f"{token} {links.is_association_path(request.path)}", RollingWindow(*self.limit)
        )
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
        return make_limit_response() if left is None else None

    def _daily(self, request: Request, headers: dict[str, str]) -> Response | None:
        """Only static keys have a daily limit.

        Searches count, but their answers mention no limit at all.
        """
        left = self.switches["daily_left"]
        if not request.path.endswith("/search"):
            headers.update(
                {
                    "X-HubSpot-RateLimit-Daily": str(DAILY_CALL_LIMIT),
                    "X-HubSpot-RateLimit-Daily-Remaining": str(
                        DAILY_CALL_LIMIT if left is None else left
                    ),
                }
            )
        if left is None:
            return None
        self.switches["daily_left"] = max(left - 1, 0)
        return None if left else make_limit_response("DAILY")

    def _route(self, portal: Portal, request: Request) -> Response:
        with portal.lock:
            portal.settle()
            if answer := links.route_association_call(portal, request):
                return answer
            for pattern, route in (
                (OBJECTS_PATH, objects.route_record_call),
                (PROPERTIES_PATH, schemas.route_property_call),
            ):
                if found := pattern.match(request.path):
                    return route(
                        portal,
                        portal if found["contacts"] else portal.companies,
                        request,
                        split_path(found["rest"]),
                    )
            if found := OWNERS_PATH.match(request.path):
                require_scopes(portal.scopes_missing, "crm.objects.owners.read")
                return owners.route_owner_call(portal.owners, request, split_path(found["rest"]))
        if ACCOUNT_PATH.match(request.path):
            return make_json_response(200, describe_portal(portal.id))
        raise HubSpotProblem(404, "OBJECT_NOT_FOUND", "resource not found")

    def control(self, verb: str, args: dict[str, Any]) -> Any:
        """Keys, limits, switches and apps; what people do in one portal is in ``verbs``."""
        token = args.get("token") or next(iter(self.portals), "pat-sandbox-0001")
        token = find_portal_token(token) or token
        portal = self.portal(token)
        with portal.lock:
            portal.settle()
            match verb:
                case "revoke" | "close":
                    (self.revoked if verb == "revoke" else self.app.closed).add(args["token"])
                case "limit":
                    self.limit = tuple(args["limit"]) if args["limit"] else None
                    self.forget_limits()
                case "switch":
                    self.switches.update({key: args[key] for key in args if key != "token"})
                case "webhooks":
                    self.hooks.subscribe(token, args)
                case _:
                    with portal.log.by(events.UI_SOURCE):
                        return verbs.perform_portal_verb(portal, verb, args)
        return {"ok": True}

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


def split_path(rest: str | None) -> list[str]:
    """What follows the kind in a path; [""] where nothing does."""
    return (rest or "").strip("/").split("/")


def describe_portal(id: int) -> dict[str, Any]:
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
