"""The calls for associations of contacts and companies, in either direction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from integration.sandbox.hubspot import batches
from integration.sandbox.hubspot.associations import PRIMARY, UNLABELLED
from integration.sandbox.hubspot.errors import Problem, needs, not_found
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.wire import Request, Response, json_response

BATCH = re.compile(
    r"^/crm/(?:v4/associations|associations/(?P<dated>[\d-]+))/(?P<one>[\w-]+)/(?P<other>[\w-]+)/batch/(?P<verb>read|create|archive|associate/default)$"
)
SINGLE = re.compile(
    r"^/crm/(?:v4/objects|objects/(?P<dated>[\d-]+))/(?P<one>[\w-]+)/(?P<id>\w+)/associations/(?P<default>default/)?(?P<other>[\w-]+)(?:/(?P<to>\w+))?$"
)
KINDS = {"contact": "contact", "contacts": "contact", "0-1": "contact", "company": "company", "companies": "company", "0-2": "company"}
TYPE_IDS = {"contact": "0-1", "company": "0-2"}
MOST_READ, MOST_WRITTEN = 1000, 2000
Row = dict[str, Any]


@dataclass(frozen=True)
class Direction:
    """From contacts to companies, or the other way round."""

    portal: Portal
    one: str
    other: str
    dated: bool

    @property
    def types(self) -> tuple[int, int]:
        """(unlabelled, primary)"""
        return (UNLABELLED, PRIMARY) if self.one == "contact" else (280, 2)

    def pair(self, one: str, other: str) -> tuple[str, str]:
        """(contact, company) by their present ids. Raises Problem where either is missing."""
        contact, company = (one, other) if self.one == "contact" else (other, one)
        found = self.portal.find(contact), self.portal.companies.find(company)
        if found[0] is None or found[1] is None:
            kind, id = ("CONTACT", contact) if found[0] is None else ("COMPANY", company)
            raise Problem(400, "VALIDATION_ERROR", f"{kind} {id} is not valid", {"id": [id]})
        return found[0], found[1]

    def of(self, id: str) -> list[Row]:
        """What a record is associated with."""
        portal, key = self.portal, self.portal.find(id) if self.one == "contact" else self.portal.companies.find(id)
        links = portal.links.pairs.get(key or "", {}) if self.one == "contact" else portal.links.of_company(key or "")
        # The files have the id as a text, the answers of v4 that people show have a number: each style gets one of the two.
        return [{"toObjectId": id if self.dated else int(id), "associationTypes": self.shown(first)} for id, first in links.items()]

    def shown(self, primary: bool) -> list[Row]:
        kinds = [(self.types[0], None), *([(self.types[1], "Primary")] if primary else [])]
        return [{"category": "HUBSPOT_DEFINED", "typeId": id, "label": label} for id, label in kinds]

    def asks_primary(self, types: list[Row]) -> bool:
        wrong = [row["associationTypeId"] for row in types if row["associationTypeId"] not in self.types]
        if wrong or not types:
            raise Problem(400, "VALIDATION_ERROR", f"{wrong} are no association types from {self.one} to {self.other}")
        return any(row["associationTypeId"] == self.types[1] for row in types)


def is_one(path: str) -> bool:
    return bool(BATCH.match(path) or SINGLE.match(path))


def route(portal: Portal, request: Request) -> Response | None:
    """None where the path is none of these."""
    found = BATCH.match(request.path) or SINGLE.match(request.path)
    if not found:
        return None
    if {KINDS.get(found["one"]), KINDS.get(found["other"])} != {"contact", "company"}:
        raise Problem(404, "OBJECT_NOT_FOUND", "The sandbox associates contacts and companies only.")
    direction = Direction(portal, KINDS[found["one"]], KINDS[found["other"]], bool(found["dated"]))
    verb = "read" if request.method == "GET" or request.path.endswith("/batch/read") else "write"
    needs(portal.scopes_missing, f"crm.objects.contacts.{verb}", f"crm.objects.companies.{verb}")
    if "verb" in found.groupdict():
        return batch(direction, found["verb"], request.json().get("inputs") or []) if request.method == "POST" else None
    return single(direction, request, found["id"], found["to"], bool(found["default"]))


def batch(direction: Direction, verb: str, rows: list[Row]) -> Response:
    most = MOST_READ if verb == "read" else MOST_WRITTEN
    if len(rows) > most:
        raise Problem(400, "VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {most}, there were {len(rows)}.")
    if verb == "read":
        return read(direction, [str(row["id"]) for row in rows])
    if verb == "archive":
        for row in rows:
            remove(direction, str(row["from"]["id"]), [str(to["id"]) for to in row["to"]])
        return Response(204)
    results, errors, default = [], [], verb == "associate/default"
    for row in rows:
        try:
            results.append(add(direction, str(row["from"]["id"]), str(row["to"]["id"]), None if default else row["types"]))
        except Problem as problem:
            errors.append(refused(direction, problem, "crm.associations.INVALID_IDENTIFIER"))
    return batches.answer(direction.portal, 200 if default else 201, results, errors)


def single(direction: Direction, request: Request, id: str, to: str | None, default: bool) -> Response:
    match (request.method, to):
        case ("GET", None):
            return json_response(200, {"results": direction.of(id)})
        case ("PUT", str(other)) if default:
            return batch(direction, "associate/default", [{"from": {"id": id}, "to": {"id": other}}])
        case ("PUT", str(other)):
            return json_response(201, add(direction, id, other, request.json()))
        case ("DELETE", str(other)):
            remove(direction, id, [other])
            return Response(204)
    raise Problem(404, "OBJECT_NOT_FOUND", "resource not found")


def read(direction: Direction, ids: list[str]) -> Response:
    """A record that has none is an error row, and the answer a 207: so HubSpot answers, of records that do not exist too."""
    results, errors = [], []
    for id in ids:
        if links := direction.of(id):
            results.append({"from": {"id": id}, "to": links})
            continue
        context = {"fromObjectId": [id], "fromObjectType": [direction.one], "toObjectType": [direction.other]}
        problem = not_found([])
        problem.message, problem.context = f"No {direction.other} is associated with {direction.one} {id}.", context
        errors.append(refused(direction, problem, "crm.associations.NO_ASSOCIATIONS_FOUND"))
    return batches.answer(direction.portal, 200, results, errors)


def add(direction: Direction, one: str, other: str, types: list[Row] | None) -> Row:
    """Without types the default association, which is the unlabelled one."""
    primary = direction.asks_primary(types) if types is not None else False
    direction.portal.links.add(*direction.pair(one, other), primary=primary)
    if types is None:
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": direction.types[0]}
        return {"from": {"id": one}, "to": {"id": other}, "associationSpec": spec}
    ends = {"fromObjectTypeId": TYPE_IDS[direction.one], "fromObjectId": one, "toObjectTypeId": TYPE_IDS[direction.other], "toObjectId": other}
    return {**ends, "labels": ["Primary"] if primary else []}


def remove(direction: Direction, one: str, others: list[str]) -> None:
    for other in others:
        try:
            direction.portal.links.remove(*direction.pair(one, other))
        except Problem:
            continue  # nothing to take away, which is no error at HubSpot


def refused(direction: Direction, problem: Problem, sub: str) -> Row:
    return {**problem.row(None, direction.portal.switches["full_error_rows"]), "subCategory": sub}
