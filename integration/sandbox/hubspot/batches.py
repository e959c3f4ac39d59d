"""Batches of a hundred: per-row errors with trace ids, all or nothing without."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from integration.sandbox.hubspot import shapes
from integration.sandbox.hubspot.errors import Problem, not_found
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.wire import Response, json_response

MOST = 100
Row = dict[str, Any]
shuffler = random.Random(7)


def read(portal: Portal, body: Row, archived: bool) -> Response:
    rows, by = inputs(body), body.get("idProperty") or ""
    if body.get("propertiesWithHistory") and len(rows) > 50:
        raise Problem(400, "VALIDATION_ERROR", "The maximum number of inputs supported in a batch request for property histories is 50")
    results, missing = [], []
    for row in rows:
        key = str(row.get("id", ""))
        id = (key if key in portal.archived else None) if archived else portal.find(key, by)
        if id is None:
            missing.append(key)
        else:
            results.append(shapes.read(portal, id, body.get("properties") or (), archived))
    errors = [not_found(missing).row(None)] if missing else []
    return answer(portal, 200, results, errors)


def write(portal: Portal, verb: str, body: Row) -> Response:
    rows = inputs(body)
    one: dict[str, Callable[[Portal, Row], Row]] = {"create": create_row, "update": update_row, "upsert": upsert_row}
    keys = [str(row.get("id", "")).lower() for row in rows if row.get("id")]
    twice = next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None
    if twice:
        raise Problem(400, "VALIDATION_ERROR", f"Duplicate IDs found in batch input: [{twice}]. IDs must be unique", {"ids": [twice]})
    traced = bool(rows) and all(row.get("objectWriteTraceId") for row in rows)
    if not traced or (verb == "update" and not portal.switches["update_rows_stand_alone"]):
        rehearse(portal, verb, rows)
    results, errors = [], []
    for row in rows:
        try:
            results.append(one[verb](portal, row))
        except Problem as problem:
            errors.append(problem.row(row.get("objectWriteTraceId")))
    return answer(portal, 201 if verb == "create" else 200, results, errors)


def rehearse(portal: Portal, verb: str, rows: list[Row]) -> None:
    """Without trace ids the first bad row refuses the whole batch, and nothing is written."""
    for row in rows:
        values = row.get("properties") or {}
        id = portal.find(str(row.get("id", "")), row.get("idProperty") or "") if verb != "create" else None
        if verb == "update" and id is None:
            continue
        clean = portal.checked(values, portal.contacts[id] if id else {})
        owner = portal.by_email.get(clean.get("email", ""))
        if owner and owner != id:
            raise Problem(409, "CONFLICT", f"Contact already exists. Existing ID: {owner}")
        portal.check_unique(clean, id or "")


def create_row(portal: Portal, row: Row) -> Row:
    return shapes.written(portal, portal.create(row.get("properties") or {}))


def update_row(portal: Portal, row: Row) -> Row:
    id = portal.find(str(row.get("id", "")), row.get("idProperty") or "")
    if id is None:
        raise not_found([str(row.get("id", ""))])
    portal.update(id, row.get("properties") or {})
    return shapes.written(portal, id)


def upsert_row(portal: Portal, row: Row) -> Row:
    if not row.get("idProperty"):
        raise Problem(400, "VALIDATION_ERROR", "idProperty is required for an upsert.")
    id, new = portal.upsert(str(row["id"]), row["idProperty"], row.get("properties") or {})
    return {**shapes.written(portal, id), "new": new}


def inputs(body: Row) -> list[Row]:
    """A body without inputs is accepted and does nothing, as HubSpot has it."""
    rows: list[Row] = body.get("inputs") or []
    if len(rows) > MOST:
        raise Problem(400, "VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {MOST}, there were {len(rows)}.")
    return rows


def answer(portal: Portal, status: int, results: list[Row], errors: list[Row]) -> Response:
    stamp = portal.stamp()
    if portal.switches["shuffle"]:
        shuffler.shuffle(results)
    body: Row = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return json_response(207 if errors else status, body)
