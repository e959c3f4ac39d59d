"""Batches of a hundred: per-row errors with trace ids, all or nothing without."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from integration.sandbox.hubspot import shapes
from integration.sandbox.hubspot.errors import HubSpotProblem, join_problems, make_not_found_problem
from integration.sandbox.hubspot.records import Records
from integration.sandbox.wire import Response, make_json_response

MOST_BATCH_INPUTS = 100
BatchRow = dict[str, Any]
shuffler = random.Random(7)


def read_record_batch(records: Records, body: BatchRow, archived: bool) -> Response:
    rows, by = read_batch_inputs(body), body.get("idProperty") or ""
    if body.get("propertiesWithHistory") and len(rows) > 50:
        raise HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            (
                "The maximum number of inputs supported in a batch request for property histories "
                "is 50"
            ),
        )
    results, missing = [], []
    for row in rows:
        key = str(row.get("id", ""))
        id = (key if key in records.archived else None) if archived else records.find(key, by)
        if id is None:
            missing.append(key)
        else:
            seen = shapes.shape_asked_record(records, id, body.get("properties") or (), archived)
            results.append(
                seen | shapes.shape_history(records, id, body.get("propertiesWithHistory") or ())
            )
    errors = (
        [
            make_not_found_problem(missing, records.NAME).row(
                None, records.switches["full_error_rows"]
            )
        ]
        if missing
        else []
    )
    return make_batch_answer(records, 200, results, errors)


def write_record_batch(records: Records, verb: str, body: BatchRow) -> Response:
    rows = read_batch_inputs(body)
    refuse_keys(records, verb, rows)
    traced = bool(rows) and all(row.get("objectWriteTraceId") for row in rows)
    stand_alone = traced and records.switches.get(f"{verb}_rows_stand_alone", True)
    results, missing, refused, mark = [], [], [], records.mark()
    done: list[Any] = []
    for row in rows:
        try:
            results.append(write_row(records, verb, row, done))
        except HubSpotProblem as problem:
            if problem.category == "OBJECT_NOT_FOUND":
                missing.append(str(row.get("id", "")))
            else:
                refused.append((problem, row.get("objectWriteTraceId")))
    if refused and not stand_alone:
        # All or nothing without trace ids: one bad row takes the good ones with it.
        for id, before in reversed(done):
            records.undo(id, before)
        records.rewind(mark)
        raise join_problems([problem for problem, _ in refused])
    full = records.switches["full_error_rows"]
    errors = [problem.row(trace, full) for problem, trace in refused]
    # Records that are not there are one error for all of them, under their ids instead of trace
    # ids; they never stop the others.
    return make_batch_answer(
        records,
        201 if verb == "create" else 200,
        results,
        errors
        + ([make_not_found_problem(missing, records.NAME).row(None, full)] if missing else []),
    )


def refuse_keys(records: Records, verb: str, rows: list[BatchRow]) -> None:
    """What is wrong with how rows name their records refuses the batch, trace ids or not."""
    keys = Counter(str(row["id"]).lower() for row in rows if row.get("id"))
    twice = next((key for key, times in keys.items() if times > 1), None)
    if twice:
        raise HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            f"Duplicate IDs found in batch input: [{twice}]. IDs must be unique",
            {"ids": [twice]},
        )
    for by in {row.get("idProperty") or "" for row in rows} if verb != "create" else ():
        if verb == "upsert" and not by:
            raise HubSpotProblem(400, "VALIDATION_ERROR", "idProperty is required for an upsert.")
        # Updates go by record id without an idProperty; field reports say that even the e-mail is
        # refused there.
        if by and by not in records.unique and not (verb == "upsert" and by == "email"):
            raise records.make_not_unique(by)


def write_row(
    records: Records, verb: str, row: BatchRow, done: list[tuple[str, dict[str, str] | None]]
) -> BatchRow:
    """Writes one row, and notes in ``done`` what its record was before."""
    key, by, values = (
        str(row.get("id", "")),
        row.get("idProperty") or "",
        row.get("properties") or {},
    )
    id = records.find(key, by) if verb != "create" else None
    before = dict(records.records[id]) if id else None
    new = {}
    if verb == "create":
        id = records.create(values, row.get("associations"))
    elif verb == "upsert":
        id, made = records.upsert(key, by, values)
        new = {"new": made}
    elif id is None:
        raise make_not_found_problem([key], records.NAME)
    else:
        records.update(id, values)
    done.append((id, before))
    return {**shapes.shape_written_record(records, id), **new}


def read_batch_inputs(body: BatchRow) -> list[BatchRow]:
    """A body without inputs is accepted and does nothing, as HubSpot has it."""
    rows: list[BatchRow] = body.get("inputs") or []
    if len(rows) > MOST_BATCH_INPUTS:
        raise HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            (
                "The maximum number of inputs supported in a batch request is "
                f"{MOST_BATCH_INPUTS}, "
                f"there were {len(rows)}."
            ),
        )
    return rows


def make_batch_answer(
    records: Records, status: int, results: list[BatchRow], errors: list[BatchRow]
) -> Response:
    stamp = records.stamp()
    if records.switches["shuffle"]:
        shuffler.shuffle(results)
    body: BatchRow = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": stamp,
        "completedAt": stamp,
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return make_json_response(207 if errors else status, body)
