"""The calls for associations of contacts and companies, in either direction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from integration.sandbox.hubspot import batches
from integration.sandbox.hubspot.associations import PRIMARY_TYPE, UNLABELLED_TYPE
from integration.sandbox.hubspot.errors import (
    HubSpotProblem,
    make_not_found_problem,
    require_scopes,
)
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.wire import Request, Response, make_json_response

ASSOCIATION_BATCH_PATH = re.compile(
    r"^/crm/(?:v4/associations|associations/(?P<dated>[\d-]+))/(?P<one>[\w-]+)/(?P<other>[\w-]+)"
    r"/batch/(?P<verb>read|create|archive|associate/default)$"
)
SINGLE_ASSOCIATION_PATH = re.compile(
    r"^/crm/(?:v4/objects|objects/(?P<dated>[\d-]+))/(?P<one>[\w-]+)/(?P<id>\w+)"
    r"/associations/(?P<default>default/)?(?P<other>[\w-]+)(?:/(?P<to>\w+))?$"
)
OBJECT_KINDS = {
    "contact": "contact",
    "contacts": "contact",
    "0-1": "contact",
    "company": "company",
    "companies": "company",
    "0-2": "company",
}
OBJECT_TYPE_IDS = {"contact": "0-1", "company": "0-2"}
MOST_ASSOCIATIONS_READ, MOST_ASSOCIATIONS_WRITTEN = 1000, 2000
AssociationRow = dict[str, Any]


@dataclass(frozen=True)
class AssociationDirection:
    """From contacts to companies, or the other way round."""

    portal: Portal
    one: str
    other: str
    dated: bool

    @property
    def types(self) -> tuple[int, int]:
        """(unlabelled, primary)"""
        return (UNLABELLED_TYPE, PRIMARY_TYPE) if self.one == "contact" else (280, 2)

    def make_pair(self, one: str, other: str) -> tuple[str, str]:
        """(contact, company) by their present ids. Raises HubSpotProblem if one is missing."""
        contact, company = (one, other) if self.one == "contact" else (other, one)
        found = self.portal.find(contact), self.portal.companies.find(company)
        if found[0] is None or found[1] is None:
            kind, id = ("CONTACT", contact) if found[0] is None else ("COMPANY", company)
            raise HubSpotProblem(400, "VALIDATION_ERROR", f"{kind} {id} is not valid", {"id": [id]})
        return found[0], found[1]

    def list_of(self, id: str) -> list[AssociationRow]:
        """What a record is associated with."""
        portal, key = (
            self.portal,
            self.portal.find(id) if self.one == "contact" else self.portal.companies.find(id),
        )
        links = (
            portal.links.pairs.get(key or "", {})
            if self.one == "contact"
            else portal.links.list_contacts_of(key or "")
        )
        # The files have the id as a text, the answers of v4 that people show have a number: each
        # style gets one of the two.
        return [
            {
                "toObjectId": id if self.dated else int(id),
                "associationTypes": self.list_shown(first),
            }
            for id, first in links.items()
        ]

    def list_shown(self, primary: bool) -> list[AssociationRow]:
        kinds = [(self.types[0], None), *([(self.types[1], "Primary")] if primary else [])]
        return [
            {"category": "HUBSPOT_DEFINED", "typeId": id, "label": label} for id, label in kinds
        ]

    def asks_primary(self, types: list[AssociationRow]) -> bool:
        wrong = [
            row["associationTypeId"] for row in types if row["associationTypeId"] not in self.types
        ]
        if wrong or not types:
            raise HubSpotProblem(
                400,
                "VALIDATION_ERROR",
                f"{wrong} are no association types from {self.one} to {self.other}",
            )
        return any(row["associationTypeId"] == self.types[1] for row in types)


def is_association_path(path: str) -> bool:
    return bool(ASSOCIATION_BATCH_PATH.match(path) or SINGLE_ASSOCIATION_PATH.match(path))


def route_association_call(portal: Portal, request: Request) -> Response | None:
    """None where the path is none of these."""
    found = ASSOCIATION_BATCH_PATH.match(request.path) or SINGLE_ASSOCIATION_PATH.match(
        request.path
    )
    if not found:
        return None
    if {OBJECT_KINDS.get(found["one"]), OBJECT_KINDS.get(found["other"])} != {"contact", "company"}:
        raise HubSpotProblem(
            404, "OBJECT_NOT_FOUND", "The sandbox associates contacts and companies only."
        )
    direction = AssociationDirection(
        portal, OBJECT_KINDS[found["one"]], OBJECT_KINDS[found["other"]], bool(found["dated"])
    )
    verb = "read" if request.method == "GET" or request.path.endswith("/batch/read") else "write"
    require_scopes(
        portal.scopes_missing, f"crm.objects.contacts.{verb}", f"crm.objects.companies.{verb}"
    )
    if "verb" in found.groupdict():
        return (
            answer_association_batch(direction, found["verb"], request.json().get("inputs") or [])
            if request.method == "POST"
            else None
        )
    return answer_association_call(
        direction, request, id=found["id"], to=found["to"], default=bool(found["default"])
    )


def answer_association_batch(
    direction: AssociationDirection, verb: str, rows: list[AssociationRow]
) -> Response:
    most = MOST_ASSOCIATIONS_READ if verb == "read" else MOST_ASSOCIATIONS_WRITTEN
    if len(rows) > most:
        raise HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            (
                f"The maximum number of inputs supported in a batch request is {most}, there were "
                f"{len(rows)}."
            ),
        )
    if verb == "read":
        return read_associations(direction, [str(row["id"]) for row in rows])
    if verb == "archive":
        for row in rows:
            remove_associations(
                direction, str(row["from"]["id"]), [str(to["id"]) for to in row["to"]]
            )
        return Response(204)
    results, errors, default = [], [], verb == "associate/default"
    for row in rows:
        try:
            results.append(
                add_association(
                    direction,
                    str(row["from"]["id"]),
                    str(row["to"]["id"]),
                    None if default else row["types"],
                )
            )
        except HubSpotProblem as problem:
            errors.append(as_refused_row(direction, problem, "crm.associations.INVALID_IDENTIFIER"))
    return batches.make_batch_answer(direction.portal, 200 if default else 201, results, errors)


def answer_association_call(
    direction: AssociationDirection, request: Request, id: str, to: str | None, default: bool
) -> Response:
    match (request.method, to):
        case ("GET", None):
            return make_json_response(200, {"results": direction.list_of(id)})
        case ("PUT", str(other)) if default:
            return answer_association_batch(
                direction, "associate/default", [{"from": {"id": id}, "to": {"id": other}}]
            )
        case ("PUT", str(other)):
            return make_json_response(201, add_association(direction, id, other, request.json()))
        case ("DELETE", str(other)):
            remove_associations(direction, id, [other])
            return Response(204)
    raise HubSpotProblem(404, "OBJECT_NOT_FOUND", "resource not found")


def read_associations(direction: AssociationDirection, ids: list[str]) -> Response:
    """A record that has none is an error row, and the answer a 207: so HubSpot answers, of records
    that do not exist too.
    """
    results, errors = [], []
    for id in ids:
        if links := direction.list_of(id):
            results.append({"from": {"id": id}, "to": links})
            continue
        context = {
            "fromObjectId": [id],
            "fromObjectType": [direction.one],
            "toObjectType": [direction.other],
        }
        problem = make_not_found_problem([])
        problem.message, problem.context = (
            f"No {direction.other} is associated with {direction.one} {id}.",
            context,
        )
        errors.append(as_refused_row(direction, problem, "crm.associations.NO_ASSOCIATIONS_FOUND"))
    return batches.make_batch_answer(direction.portal, 200, results, errors)


def add_association(
    direction: AssociationDirection, one: str, other: str, types: list[AssociationRow] | None
) -> AssociationRow:
    """Without types the default association, which is the unlabelled one."""
    primary = direction.asks_primary(types) if types is not None else False
    direction.portal.links.add(*direction.make_pair(one, other), primary=primary)
    if types is None:
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": direction.types[0]}
        return {"from": {"id": one}, "to": {"id": other}, "associationSpec": spec}
    ends = {
        "fromObjectTypeId": OBJECT_TYPE_IDS[direction.one],
        "fromObjectId": one,
        "toObjectTypeId": OBJECT_TYPE_IDS[direction.other],
        "toObjectId": other,
    }
    return {**ends, "labels": ["Primary"] if primary else []}


def remove_associations(direction: AssociationDirection, one: str, others: list[str]) -> None:
    for other in others:
        try:
            direction.portal.links.remove(*direction.make_pair(one, other))
        except HubSpotProblem:
            continue  # nothing to take away, which is no error at HubSpot


def as_refused_row(
    direction: AssociationDirection, problem: HubSpotProblem, sub: str
) -> AssociationRow:
    return {**problem.row(None, direction.portal.switches["full_error_rows"]), "subCategory": sub}
