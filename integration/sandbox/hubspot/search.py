"""Search: filters, one sort, pages of 200, ten thousand at most."""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot import shapes
from integration.sandbox.hubspot.errors import Problem
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.wire import Response, json_response

REACH = 10_000


def search(portal: Portal, body: dict[str, Any]) -> Response:
    limit, after = int(body.get("limit") or 10), int(body.get("after") or 0)
    groups = body.get("filterGroups") or []
    if limit > 200 or after + limit > REACH:
        raise Problem(400, "VALIDATION_ERROR", "Paging through more than 10,000 results, or 200 a page, is not supported.")
    filters = [len(group.get("filters") or ()) for group in groups]
    if len(groups) > 5 or sum(filters) > 18 or any(n > 6 for n in filters):
        raise Problem(400, "VALIDATION_ERROR", "At most 5 groups of 6 filters, 18 in all.")
    if len(body.get("query") or "") > 3000:
        raise Problem(400, "VALIDATION_ERROR", "At most 3000 characters.")
    found = [contact for contact in portal.contacts.values() if meets(contact, groups) and has_text(contact, body.get("query"))]
    sort = (body.get("sorts") or ["createdate"])[0]
    name, descending = (
        (sort.lstrip("-"), sort.startswith("-")) if isinstance(sort, str) else (sort["propertyName"], sort.get("direction") == "DESCENDING")
    )
    found.sort(key=lambda contact: (order(contact.get(name, "")), int(contact["hs_object_id"])), reverse=descending)
    page = found[after : after + limit]
    value: dict[str, Any] = {"total": len(found), "results": [shapes.read(portal, c["hs_object_id"], body.get("properties") or ()) for c in page]}
    if after + limit < len(found):
        value["paging"] = {"next": {"after": str(after + limit)}}
    return json_response(200, value)


def has_text(contact: dict[str, str], query: str | None) -> bool:
    return not query or any(query.lower() in contact.get(name, "").lower() for name in ("email", "firstname", "lastname", "company", "phone"))


def meets(contact: dict[str, str], groups: list[dict[str, Any]]) -> bool:
    return not groups or any(all(holds(contact, row) for row in group.get("filters") or ()) for group in groups)


def holds(contact: dict[str, str], row: dict[str, Any]) -> bool:
    have, value = contact.get(row["propertyName"], "").lower(), str(row.get("value", "")).lower()
    match row["operator"]:
        case "HAS_PROPERTY":
            return bool(have)
        case "NOT_HAS_PROPERTY":
            return not have
        case "EQ":
            return have == value
        case "NEQ":
            return have != value
        case "IN":
            return have in row.get("values", ())
        case "NOT_IN":
            return have not in row.get("values", ())
        case "CONTAINS_TOKEN":
            return value.strip("*") in have
        case "NOT_CONTAINS_TOKEN":
            return value.strip("*") not in have
        case "BETWEEN":
            return order(value) <= order(have) <= order(str(row["highValue"]))
        case "LT" | "LTE" | "GT" | "GTE" as operator:
            if not have:
                return False
            return {
                "LT": order(have) < order(value),
                "LTE": order(have) <= order(value),
                "GT": order(have) > order(value),
                "GTE": order(have) >= order(value),
            }[operator]
    raise Problem(400, "VALIDATION_ERROR", f"{row['operator']} is not an operator.")


def order(value: str) -> tuple[int, float, str]:
    """Numbers and times before texts; a time may be ISO or milliseconds."""
    from datetime import datetime

    try:
        return 0, float(value), ""
    except ValueError:
        pass
    try:
        return 0, datetime.fromisoformat(value.upper()).timestamp() * 1000, ""
    except ValueError:
        return 1, 0.0, value
