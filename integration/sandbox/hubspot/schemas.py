"""The calls for properties and their groups."""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot import batches, properties
from integration.sandbox.hubspot.errors import HubSpotProblem, require_scopes
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.hubspot.records import Records
from integration.sandbox.wire import Request, Response, make_json_response


def route_property_call(
    portal: Portal, records: Records, request: Request, parts: list[str]
) -> Response:
    if request.method != "GET" and parts[-1] != "read":
        require_scopes(portal.scopes_missing, f"crm.schemas.{records.SCOPE}.write")
    match (request.method, *parts):
        case ("GET", ""):
            return make_json_response(200, {"results": list(records.properties.values())})
        case ("POST", ""):
            prop = properties.read_new_property(request.json())
            records.add_property(prop)
            return make_json_response(201, prop)
        case ("GET", "groups"):
            return make_json_response(200, {"results": list(records.groups.values())})
        case ("POST", "groups"):
            return make_json_response(
                201, records.add_group(properties.read_new_group(request.json()))
            )
        case ("POST", "batch", "create"):
            made = [
                properties.read_new_property(row)
                for row in batches.read_batch_inputs(request.json())
            ]
            for prop in made:
                records.add_property(prop)
            return batches.make_batch_answer(records, 201, made, [])
        case ("POST", "batch", "read"):
            names = [row["name"] for row in batches.read_batch_inputs(request.json())]
            return batches.make_batch_answer(
                records,
                200,
                [records.properties[name] for name in names if name in records.properties],
                [],
            )
        case (method, name) if name in records.properties:
            return answer_property_call(records, method, records.properties[name], request)
    raise HubSpotProblem(404, "OBJECT_NOT_FOUND", "resource not found")


def answer_property_call(
    records: Records, method: str, prop: dict[str, Any], request: Request
) -> Response:
    if method == "DELETE":
        records.drop_property(prop["name"])
        return Response(204)
    if method == "PATCH":
        body = request.json()
        changed = {
            name: body[name]
            for name in ("label", "description", "groupName", "type", "fieldType", "hidden")
            if name in body
        }
        if "options" in body:
            changed["options"] = properties.read_options(body["options"])
        prop = {**prop, **changed}
        records.set_property(prop)
    return make_json_response(200, prop)
