"""Routes, credentials and limits of the HubSpot half."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import batches, properties, search, shapes
from integration.sandbox.hubspot.errors import CORRELATION, Problem, burst, not_found, search_burst
from integration.sandbox.hubspot.oauth import OAuth, portal_of
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.limits import RollingWindow
from integration.sandbox.wire import Request, Response, json_response

CONTACTS = re.compile(r"^/crm/(?:v3/objects|objects/[\d-]+)/(?:contacts|contact|0-1)(?P<rest>/.*)?$")
PROPERTIES = re.compile(r"^/crm/(?:v3/properties|properties/[\d-]+)/(?:contacts|contact|0-1)(?P<rest>/.*)?$")
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

    @property
    def changes(self) -> int:
        return sum(portal.changes for portal in self.portals.values())

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
        if request.path.endswith("/search"):
            return search_burst() if self._search.setdefault(token, RollingWindow(5, 1.0)).take() is None else None
        if self.limit is None:
            return None
        window = self._windows.setdefault(token, RollingWindow(*self.limit))
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
            if found := CONTACTS.match(request.path):
                return self._contacts(portal, request, (found["rest"] or "").strip("/").split("/"))
            if found := PROPERTIES.match(request.path):
                return self._properties(portal, request, (found["rest"] or "").strip("/").split("/"))
        if ACCOUNT.match(request.path):
            return json_response(200, account(portal.id))
        raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")

    def _contacts(self, portal: Portal, request: Request, parts: list[str]) -> Response:
        writes = request.method in ("PATCH", "DELETE") or (request.method == "POST" and parts[-1] not in ("read", "search"))
        needs(portal, f"crm.objects.contacts.{'write' if writes else 'read'}")
        archived = request.one("archived") == "true"
        names = [name for given in request.many("properties") for name in given.split(",")]
        match (request.method, *parts):
            case ("GET", ""):
                return self._list(portal, request, names, archived)
            case ("POST", ""):
                return json_response(201, shapes.written(portal, portal.create(request.json().get("properties") or {})))
            case ("POST", "search"):
                return search.search(portal, request.json())
            case ("POST", "merge"):
                body = request.json()
                return json_response(200, shapes.written(portal, portal.merge(str(body["primaryObjectId"]), str(body["objectIdToMerge"]))))
            case ("POST", "gdpr-delete"):
                body = request.json()
                self._purge(portal, str(body["objectId"]), body.get("idProperty") or "")
                return Response(204)
            case ("POST", "batch", "read"):
                return batches.read(portal, request.json(), archived)
            case ("POST", "batch", "archive"):
                for row in batches.inputs(request.json()):
                    if id := portal.find(str(row["id"])):
                        portal.archive(id)
                return Response(204)
            case ("POST", "batch", "create" | "update" | "upsert"):
                return batches.write(portal, parts[1], request.json())
            case (method, key):
                return self._one(portal, method, key, request, names, archived)
        raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")

    def _one(self, portal: Portal, method: str, key: str, request: Request, names: list[str], archived: bool) -> Response:
        by = request.one("idProperty") or ""
        id = (key if key in portal.archived else None) if archived else portal.find(key, by)
        if id is None and method == "DELETE":
            return Response(204)
        if id is None:
            raise not_found([key])
        if method == "GET":
            return json_response(200, shapes.read(portal, id, names, archived))
        if method == "PATCH":
            portal.update(id, request.json().get("properties") or {})
            return json_response(200, shapes.written(portal, id))
        portal.archive(id)
        return Response(204)

    def _list(self, portal: Portal, request: Request, names: list[str], archived: bool) -> Response:
        limit, after = int(request.one("limit") or 10), int(request.one("after") or 0)
        if not 1 <= limit <= 100:
            raise Problem(400, "VALIDATION_ERROR", "The limit must be between 1 and 100.")
        ids = sorted(int(id) for id in (portal.archived if archived else portal.contacts) if int(id) > after)
        value: dict[str, Any] = {"results": [shapes.read(portal, str(id), names, archived) for id in ids[:limit]]}
        if len(ids) > limit:
            value["paging"] = {"next": {"after": str(ids[limit - 1]), "link": "?"}}
        return json_response(200, value)

    def _purge(self, portal: Portal, key: str, by: str) -> None:
        id = portal.find(key, by)
        if id:
            portal.archive(id)
            portal.archived.pop(id)

    def _properties(self, portal: Portal, request: Request, parts: list[str]) -> Response:
        if request.method != "GET" and parts[-1] != "read":
            needs(portal, "crm.schemas.contacts.write")
        match (request.method, *parts):
            case ("GET", ""):
                return json_response(200, {"results": list(portal.properties.values())})
            case ("POST", ""):
                prop = properties.created(request.json())
                portal.add_property(prop)
                return json_response(201, prop)
            case ("GET", "groups"):
                return json_response(200, {"results": list(portal.groups.values())})
            case ("POST", "groups"):
                return json_response(201, portal.add_group(properties.group(request.json())))
            case ("POST", "batch", "create"):
                made = [properties.created(row) for row in batches.inputs(request.json())]
                for prop in made:
                    portal.add_property(prop)
                return batches.answer(portal, 201, made, [])
            case ("POST", "batch", "read"):
                names = [row["name"] for row in batches.inputs(request.json())]
                return batches.answer(portal, 200, [portal.properties[name] for name in names if name in portal.properties], [])
            case (method, name) if name in portal.properties:
                return self._property(portal, method, portal.properties[name], request)
        raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")

    def _property(self, portal: Portal, method: str, prop: dict[str, Any], request: Request) -> Response:
        if method == "DELETE":
            portal.drop_property(prop["name"])
            return Response(204)
        if method == "PATCH":
            body = request.json()
            changed = {name: body[name] for name in ("label", "description", "groupName", "type", "fieldType", "hidden") if name in body}
            if "options" in body:
                changed["options"] = properties.options(body["options"])
            prop = {**prop, **changed}
            portal.set_property(prop)
        return json_response(200, prop)

    # What people do in HubSpot, for tests and demos

    def control(self, verb: str, args: dict[str, Any]) -> Any:
        token = args.get("token") or next(iter(self.portals), "pat-sandbox-0001")
        portal = self.portal(portal_of(token) or token)
        with portal.lock:
            match verb:
                case "contacts":
                    return [*portal.contacts.values(), *({**contact, "archived": "true"} for contact in portal.archived.values())]
                case "edit":
                    portal.update(str(args["id"]), args["properties"])
                case "create":
                    return [portal.create(values) for values in args.get("contacts") or [args["properties"]]]
                case "delete":
                    portal.archive(str(args["id"]))
                case "restore":
                    portal.restore(str(args["id"]))
                case "merge":
                    return portal.merge(str(args["primary"]), str(args["other"]))
                case "drop_property":
                    portal.drop_property(args["name"])
                case "revoke" | "close":
                    (self.revoked if verb == "revoke" else self.app.closed).add(args["token"])
                case "scopes":
                    portal.scopes_missing = set(args["missing"])
                case "limit":
                    self.limit = tuple(args["limit"]) if args["limit"] else None
                    self._windows.clear()
                case "switch":
                    self.switches.update({name: value for name, value in args.items() if name != "token"})
                case _:
                    raise ValueError(f"no such verb: {verb}")
        return {"ok": True}

    def state(self) -> dict[str, Any]:
        return {token: portal.state() for token, portal in list(self.portals.items())}

    def load(self, state: dict[str, Any]) -> None:
        for token, kept in state.items():
            self.portal(token).load(kept)


def needs(portal: Portal, scope: str) -> None:
    if scope in portal.scopes_missing:
        errors = [{"message": f"One or more of the following scopes are required: [{scope}]", "context": {"requiredGranularScopes": [scope]}}]
        raise Problem(403, "MISSING_SCOPES", f"This app hasn't been granted all required scopes to make this call: {scope}.", errors=errors)


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
