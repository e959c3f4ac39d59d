"""Batches of a hundred: per-row errors with trace ids, all or nothing without."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from integration.sandbox.hubspot import shapes
from integration.sandbox.hubspot.errors import Problem, not_found, together
from integration.sandbox.hubspot.records import Records
from integration.sandbox.wire import Response, json_response

MOST = 100
Row = dict[str, Any]
shuffler = random.Random(7)


def read(records: Records, body: Row, archived: bool) -> Response:
    rows, by = inputs(body), body.get("idProperty") or ""
    if body.get("propertiesWithHistory") and len(rows) > 50:
        raise Problem(400, "VALIDATION_ERROR", "The maximum number of inputs supported in a batch request for property histories is 50")
    results, missing = [], []
    for row in rows:
        key = str(row.get("id", ""))
        id = (key if key in records.archived else None) if archived else records.find(key, by)
        if id is None:
            missing.append(key)
        else:
            seen = shapes.read(records, id, body.get("properties") or (), archived)
            results.append(seen | shapes.history(records, id, body.get("propertiesWithHistory") or ()))
    errors = [not_found(missing, records.NAME).row(None, records.switches["full_error_rows"])] if missing else []
    return answer(records, 200, results, errors)


def write(records: Records, verb: str, body: Row) -> Response:
    rows = inputs(body)
    refuse_keys(records, verb, rows)
    traced = bool(rows) and all(row.get("objectWriteTraceId") for row in rows)
    stand_alone = traced and (verb != "update" or records.switches["update_rows_stand_alone"])
    results, missing, refused, done, mark = [], [], [], [], records.mark()
    for row in rows:
        try:
            results.append(write_row(records, verb, row, done))
        except Problem as problem:
            if problem.category == "OBJECT_NOT_FOUND":
                missing.append(str(row.get("id", "")))
            else:
                refused.append((problem, row.get("objectWriteTraceId")))
    if refused and not stand_alone:
        # All or nothing without trace ids: one bad row takes the good ones with it.
        for id, before in reversed(done):
            records.undo(id, before)
        records.rewind(mark)
        raise together([problem for problem, _ in refused])
    full = records.switches["full_error_rows"]
    errors = [problem.row(trace, full) for problem, trace in refused]
    # Records that are not there are one error for all of them, under their ids instead of trace ids; they never stop the others.
    return answer(
        records, 201 if verb == "create" else 200, results, errors + ([not_found(missing, records.NAME).row(None, full)] if missing else [])
    )


def refuse_keys(records: Records, verb: str, rows: list[Row]) -> None:
    """What is wrong with how rows name their records refuses the batch, trace ids or not."""
    keys = Counter(str(row["id"]).lower() for row in rows if row.get("id"))
    twice = next((key for key, times in keys.items() if times > 1), None)
    if twice:
        raise Problem(400, "VALIDATION_ERROR", f"Duplicate IDs found in batch input: [{twice}]. IDs must be unique", {"ids": [twice]})
    for by in {row.get("idProperty") or "" for row in rows} if verb != "create" else ():
        if verb == "upsert" and not by:
            raise Problem(400, "VALIDATION_ERROR", "idProperty is required for an upsert.")
        # Updates go by record id without an idProperty; field reports say that even the e-mail is refused there.
        if by and by not in records.unique and not (verb == "upsert" and by == "email"):
            raise records.not_unique(by)


def write_row(records: Records, verb: str, row: Row, done: list[tuple[str, dict[str, str] | None]]) -> Row:
    """Writes one row, and notes in ``done`` what its record was before."""
    key, by, values = str(row.get("id", "")), row.get("idProperty") or "", row.get("properties") or {}
    id = records.find(key, by) if verb != "create" else None
    before = dict(records.records[id]) if id else None
    new = {}
    if verb == "create":
        id = records.create(values, row.get("associations"))
    elif verb == "upsert":
        id, made = records.upsert(key, by, values)
        new = {"new": made}
    elif id is None:
        raise not_found([key], records.NAME)
    else:
        records.update(id, values)
    done.append((id, before))
    return {**shapes.written(records, id), **new}


def inputs(body: Row) -> list[Row]:
    """A body without inputs is accepted and does nothing, as HubSpot has it."""
    rows: list[Row] = body.get("inputs") or []
    if len(rows) > MOST:
        raise Problem(400, "VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {MOST}, there were {len(rows)}.")
    return rows


def answer(records: Records, status: int, results: list[Row], errors: list[Row]) -> Response:
    stamp = records.stamp()
    if records.switches["shuffle"]:
        shuffler.shuffle(results)
    body: Row = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return json_response(207 if errors else status, body)
