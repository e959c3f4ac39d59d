"""Owners: the users whom a record may be given to."""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot.errors import HubSpotProblem
from integration.sandbox.wire import Request, Response, make_json_response

OWNER_PROPERTY = "hubspot_owner_id"
OWNERS_A_PAGE, FIRST_OWNER_ID = 500, 71_000_001
Owners = dict[str, dict[str, Any]]
INVENTED_OWNERS = [
    {"email": "sato@acme.example.jp", "firstName": "太郎", "lastName": "佐藤"},
    {"email": "mori@acme.example.jp", "firstName": "愛", "lastName": "森"},
    {"email": "ishii@acme.example.jp", "firstName": "健", "lastName": "石井"},
]


def make_owners(rows: list[dict[str, Any]]) -> Owners:
    """By id.

    Whatever a row does not say is filled in; an archived owner is a user who was deactivated.
    """
    found: Owners = {}
    for i, row in enumerate(rows):
        id, user = str(row.get("id") or FIRST_OWNER_ID + i), int(row.get("userId") or 500 + i)
        archived = bool(row.get("archived"))
        found[id] = {
            "id": id,
            "email": row.get("email", ""),
            "type": "PERSON",
            "firstName": row.get("firstName", ""),
            "lastName": row.get("lastName", ""),
            "userId": None if archived else user,
            "userIdIncludingInactive": user,
            "createdAt": row.get("createdAt", "2024-01-01T00:00:00.000Z"),
            "updatedAt": row.get("updatedAt", "2024-01-01T00:00:00.000Z"),
            "archived": archived,
        }
    return found


def find_owner_problem(owners: Owners, value: str) -> str | None:
    """What is wrong with a value of hubspot_owner_id.

    The code's name is our choice: HubSpot's is not documented.
    """
    owner = owners.get(value)
    return (
        None
        if owner and not owner["archived"]
        else f"INVALID_OWNER:Owner {value} does not exist or is inactive."
    )


def route_owner_call(owners: Owners, request: Request, parts: list[str]) -> Response:
    archived = request.one("archived") == "true"
    match (request.method, *parts):
        case ("GET", ""):
            return make_json_response(200, read_owners_page(owners, request, archived))
        case ("GET", id):
            by_user = request.one("idProperty") == "userId"
            owner = next(
                (
                    row
                    for row in owners.values()
                    if id == str(row["userIdIncludingInactive" if by_user else "id"])
                ),
                None,
            )
            if owner and owner["archived"] == archived:
                return make_json_response(200, owner)
    raise HubSpotProblem(404, "OBJECT_NOT_FOUND", "resource not found")


def read_owners_page(owners: Owners, request: Request, archived: bool) -> dict[str, Any]:
    limit, after = int(request.one("limit") or 100), int(request.one("after") or 0)
    if not 1 <= limit <= OWNERS_A_PAGE:
        raise HubSpotProblem(
            400, "VALIDATION_ERROR", f"The limit must be between 1 and {OWNERS_A_PAGE}."
        )
    email = (request.one("email") or "").lower()
    found = [
        row
        for row in owners.values()
        if row["archived"] == archived and (not email or row["email"].lower() == email)
    ]
    rest = [row for row in sorted(found, key=lambda row: int(row["id"])) if int(row["id"]) > after]
    value: dict[str, Any] = {"results": rest[:limit]}
    if len(rest) > limit:
        value["paging"] = {"next": {"after": rest[limit - 1]["id"], "link": "?"}}
    return value
