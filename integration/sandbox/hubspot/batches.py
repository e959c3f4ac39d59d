"""Batches of a hundred: per-row errors with trace ids, all or nothing without."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from integration.sandbox.hubspot import shapes
from integration.sandbox.hubspot.errors import Problem, not_found, together
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
    errors = [not_found(missing).row(None, portal.switches["full_error_rows"])] if missing else []
    return answer(portal, 200, results, errors)


def write(portal: Portal, verb: str, body: Row) -> Response:
    rows = inputs(body)
    refuse_keys(portal, verb, rows)
    traced = bool(rows) and all(row.get("objectWriteTraceId") for row in rows)
    stand_alone = traced and (verb != "update" or portal.switches["update_rows_stand_alone"])
    results, missing, refused, done = [], [], [], []
    for row in rows:
        try:
            results.append(write_row(portal, verb, row, done))
        except Problem as problem:
            if problem.category == "OBJECT_NOT_FOUND":
                missing.append(str(row.get("id", "")))
            else:
                refused.append((problem, row.get("objectWriteTraceId")))
    if refused and not stand_alone:
        # All or nothing without trace ids: one bad row takes the good ones with it.
        for id, before in reversed(done):
            portal.undo(id, before)
        raise together([problem for problem, _ in refused])
    full = portal.switches["full_error_rows"]
    errors = [problem.row(trace, full) for problem, trace in refused]
    # Records that are not there are one error for all of them, under their ids instead of trace ids; they never stop the others.
    return answer(portal, 201 if verb == "create" else 200, results, errors + ([not_found(missing).row(None, full)] if missing else []))


def refuse_keys(portal: Portal, verb: str, rows: list[Row]) -> None:
    """What is wrong with how rows name their records refuses the batch, trace ids or not."""
    keys = Counter(str(row["id"]).lower() for row in rows if row.get("id"))
    twice = next((key for key, times in keys.items() if times > 1), None)
    if twice:
        raise Problem(400, "VALIDATION_ERROR", f"Duplicate IDs found in batch input: [{twice}]. IDs must be unique", {"ids": [twice]})
    for by in {row.get("idProperty") or "" for row in rows} if verb != "create" else ():
        if verb == "upsert" and not by:
            raise Problem(400, "VALIDATION_ERROR", "idProperty is required for an upsert.")
        # Updates go by record id without an idProperty; field reports say that even the e-mail is refused there.
        if by and by not in portal.unique and not (verb == "upsert" and by == "email"):
            raise portal.not_unique(by)


def write_row(portal: Portal, verb: str, row: Row, done: list[tuple[str, dict[str, str] | None]]) -> Row:
    """Writes one row, and notes in ``done`` what its contact was before."""
    key, by, values = str(row.get("id", "")), row.get("idProperty") or "", row.get("properties") or {}
    id = portal.find(key, by) if verb != "create" else None
    before = dict(portal.contacts[id]) if id else None
    new = {}
    if verb == "create":
        id = portal.create(values)
    elif verb == "upsert":
        id, made = portal.upsert(key, by, values)
        new = {"new": made}
    elif id is None:
        raise not_found([key])
    else:
        portal.update(id, values)
    done.append((id, before))
    return {**shapes.written(portal, id), **new}


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
