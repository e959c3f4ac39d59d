"""The calls for records of either kind: one, a page, batches, search."""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot import batches, search, shapes
from integration.sandbox.hubspot.errors import (
    HubSpotProblem,
    make_not_found_problem,
    require_scopes,
)
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.hubspot.records import Records
from integration.sandbox.wire import Request, Response, make_json_response


def route_record_call(
    portal: Portal, records: Records, request: Request, parts: list[str]
) -> Response:
    writes = request.method in ("PATCH", "DELETE") or (
        request.method == "POST" and parts[-1] not in ("read", "search")
    )
    require_scopes(
        portal.scopes_missing, f"crm.objects.{records.SCOPE}.{'write' if writes else 'read'}"
    )
    archived = request.one("archived") == "true"
    match (request.method, *parts):
        case ("GET", ""):
            return answer_record_page(records, request, archived)
        case ("POST", ""):
            body = request.json()
            return make_json_response(
                201,
                shapes.shape_written_record(
                    records, records.create(body.get("properties") or {}, body.get("associations"))
                ),
            )
        case ("POST", "search"):
            return search.search_records(records, request.json())
        case ("POST", "merge" | "gdpr-delete") if records is portal:
            return perform_contact_verb(portal, parts[0], request.json())
        case ("POST", "batch", "read"):
            return batches.read_record_batch(records, request.json(), archived)
        case ("POST", "batch", "archive"):
            for row in batches.read_batch_inputs(request.json()):
                if id := records.find(str(row["id"])):
                    records.archive(id)
            return Response(204)
        case ("POST", "batch", "create" | "update" | "upsert"):
            return batches.write_record_batch(records, parts[1], request.json())
        case (method, key):
            return answer_record_call(records, method, key=key, request=request, archived=archived)
    raise HubSpotProblem(404, "OBJECT_NOT_FOUND", "resource not found")


def perform_contact_verb(portal: Portal, verb: str, body: dict[str, Any]) -> Response:
    if verb == "merge":
        return make_json_response(
            200,
            shapes.shape_written_record(
                portal, portal.merge(str(body["primaryObjectId"]), str(body["objectIdToMerge"]))
            ),
        )
    if id := portal.find(str(body["objectId"]), body.get("idProperty") or ""):
        portal.purge(id)
    return Response(204)


def answer_record_call(
    records: Records, method: str, key: str, request: Request, archived: bool
) -> Response:
    by = request.one("idProperty") or ""
    id = (key if key in records.archived else None) if archived else records.find(key, by)
    if id is None and method == "DELETE":
        return Response(204)
    if id is None:
        raise make_not_found_problem([key], records.NAME)
    if method == "GET":
        return make_json_response(
            200, shapes.shape_asked_record(records, id, read_property_names(request), archived)
        )
    if method == "PATCH":
        records.update(id, request.json().get("properties") or {})
        return make_json_response(200, shapes.shape_written_record(records, id))
    records.archive(id)
    return Response(204)


def answer_record_page(records: Records, request: Request, archived: bool) -> Response:
    limit, after = int(request.one("limit") or 10), int(request.one("after") or 0)
    if not 1 <= limit <= 100:
        raise HubSpotProblem(400, "VALIDATION_ERROR", "The limit must be between 1 and 100.")
    ids = sorted(
        int(id) for id in (records.archived if archived else records.records) if int(id) > after
    )
    value: dict[str, Any] = {
        "results": [
            shapes.shape_asked_record(records, str(id), read_property_names(request), archived)
            for id in ids[:limit]
        ]
    }
    if len(ids) > limit:
        value["paging"] = {"next": {"after": str(ids[limit - 1]), "link": "?"}}
    return make_json_response(200, value)


def read_property_names(request: Request) -> list[str]:
    return [name for given in request.many("properties") for name in given.split(",")]
