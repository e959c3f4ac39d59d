"""The calls for records of either kind: one, a page, batches, search."""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot import batches, search, shapes
from integration.sandbox.hubspot.errors import Problem, needs, not_found
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.hubspot.records import Records
from integration.sandbox.wire import Request, Response, json_response


def route(portal: Portal, records: Records, request: Request, parts: list[str]) -> Response:
    writes = request.method in ("PATCH", "DELETE") or (request.method == "POST" and parts[-1] not in ("read", "search"))
    needs(portal.scopes_missing, f"crm.objects.{records.SCOPE}.{'write' if writes else 'read'}")
    archived = request.one("archived") == "true"
    match (request.method, *parts):
        case ("GET", ""):
            return page(records, request, archived)
        case ("POST", ""):
            body = request.json()
            return json_response(201, shapes.written(records, records.create(body.get("properties") or {}, body.get("associations"))))
        case ("POST", "search"):
            return search.search(records, request.json())
        case ("POST", "merge" | "gdpr-delete") if records is portal:
            return people_only(portal, parts[0], request.json())
        case ("POST", "batch", "read"):
            return batches.read(records, request.json(), archived)
        case ("POST", "batch", "archive"):
            for row in batches.inputs(request.json()):
                if id := records.find(str(row["id"])):
                    records.archive(id)
            return Response(204)
        case ("POST", "batch", "create" | "update" | "upsert"):
            return batches.write(records, parts[1], request.json())
        case (method, key):
            return one(records, method, key, request, archived)
    raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")


def people_only(portal: Portal, verb: str, body: dict[str, Any]) -> Response:
    if verb == "merge":
        return json_response(200, shapes.written(portal, portal.merge(str(body["primaryObjectId"]), str(body["objectIdToMerge"]))))
    if id := portal.find(str(body["objectId"]), body.get("idProperty") or ""):
        portal.purge(id)
    return Response(204)


def one(records: Records, method: str, key: str, request: Request, archived: bool) -> Response:
    by = request.one("idProperty") or ""
    id = (key if key in records.archived else None) if archived else records.find(key, by)
    if id is None and method == "DELETE":
        return Response(204)
    if id is None:
        raise not_found([key], records.NAME)
    if method == "GET":
        return json_response(200, shapes.read(records, id, names(request), archived))
    if method == "PATCH":
        records.update(id, request.json().get("properties") or {})
        return json_response(200, shapes.written(records, id))
    records.archive(id)
    return Response(204)


def page(records: Records, request: Request, archived: bool) -> Response:
    limit, after = int(request.one("limit") or 10), int(request.one("after") or 0)
    if not 1 <= limit <= 100:
        raise Problem(400, "VALIDATION_ERROR", "The limit must be between 1 and 100.")
    ids = sorted(int(id) for id in (records.archived if archived else records.records) if int(id) > after)
    value: dict[str, Any] = {"results": [shapes.read(records, str(id), names(request), archived) for id in ids[:limit]]}
    if len(ids) > limit:
        value["paging"] = {"next": {"after": str(ids[limit - 1]), "link": "?"}}
    return json_response(200, value)


def names(request: Request) -> list[str]:
    return [name for given in request.many("properties") for name in given.split(",")]
