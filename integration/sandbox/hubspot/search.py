"""Search: filters, one sort, pages of 200, ten thousand at most, in an index that may be behind."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from typing import Any

from integration.sandbox.hubspot import moments, shapes
from integration.sandbox.hubspot.errors import HubSpotProblem
from integration.sandbox.hubspot.lag import StoredRecord
from integration.sandbox.hubspot.records import Records
from integration.sandbox.wire import Response, make_json_response

MOST_SEARCH_RESULTS = 10_000
RecordFilter = Callable[[StoredRecord], bool]
SortKey = tuple[int, float, str]


def search_records(records: Records, body: dict[str, Any]) -> Response:
    limit, after = int(body.get("limit") or 10), int(body.get("after") or 0)
    groups = body.get("filterGroups") or []
    refuse_large_search(body, groups, limit, after)
    wanted, words = (
        [
            [make_record_filter(records, row) for row in group.get("filters") or ()]
            for group in groups
        ],
        (body.get("query") or "").lower(),
    )
    found = [
        record
        for record in records.lag.seen(records.records)
        if (not wanted or any(all(hold(record) for hold in group) for group in wanted))
        and has_text(records, record, words)
    ]
    sort = (body.get("sorts") or ["createdate"])[0]
    name, descending = (
        (sort.lstrip("-"), sort.startswith("-"))
        if isinstance(sort, str)
        else (sort["propertyName"], sort.get("direction") == "DESCENDING")
    )
    found.sort(
        key=lambda record: (make_sort_key(record.get(name, "")), int(record["hs_object_id"])),
        reverse=descending,
    )
    page = found[after : after + limit]
    value: dict[str, Any] = {
        "total": len(found),
        "results": [
            shapes.shape_stored_record(records, row, body.get("properties") or ()) for row in page
        ],
    }
    if after + limit < len(found):
        value["paging"] = {"next": {"after": str(after + limit)}}
    return make_json_response(200, value)


def refuse_large_search(
    body: dict[str, Any], groups: list[dict[str, Any]], limit: int, after: int
) -> None:
    if limit > 200 or after + limit > MOST_SEARCH_RESULTS:
        raise HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            "Paging through more than 10,000 results, or 200 a page, is not supported.",
        )
    filters = [len(group.get("filters") or ()) for group in groups]
    if len(groups) > 5 or sum(filters) > 18 or any(n > 6 for n in filters):
        raise HubSpotProblem(400, "VALIDATION_ERROR", "At most 5 groups of 6 filters, 18 in all.")
    if len(body.get("query") or "") > 3000:
        raise HubSpotProblem(400, "VALIDATION_ERROR", "At most 3000 characters.")


def has_text(records: Records, record: StoredRecord, words: str) -> bool:
    return not words or any(words in record.get(name, "").lower() for name in records.TEXTS)


def make_record_filter(records: Records, row: dict[str, Any]) -> RecordFilter:
    """A filter as a function, made once a search."""
    name, operator, value = row["propertyName"], row["operator"], str(row.get("value", "")).lower()
    # A time is the same time in either writing; anything else is compared as text.
    is_time = records.properties.get(name, {}).get("type") in ("date", "datetime")

    def have(record: StoredRecord) -> str:
        return record.get(name, "").lower()

    def same(record: StoredRecord) -> Any:
        return make_sort_key(have(record)) if is_time else have(record)

    def as_same(text: str) -> Any:
        return make_sort_key(text) if is_time else text

    least = make_sort_key(value)
    match operator:
        case "HAS_PROPERTY":
            return lambda record: bool(have(record))
        case "NOT_HAS_PROPERTY":
            return lambda record: not have(record)
        case "EQ":
            return lambda record: same(record) == as_same(value)
        case "NEQ":
            return lambda record: same(record) != as_same(value)
        case "IN" | "NOT_IN":
            values = {as_same(text) for text in row.get("values", ())}
            return lambda record: (same(record) in values) is (operator == "IN")
        case "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
            token = value.strip("*")
            return lambda record: (token in have(record)) is (operator == "CONTAINS_TOKEN")
        case "BETWEEN":
            most = make_sort_key(str(row["highValue"]))
            return lambda record: least <= make_sort_key(have(record)) <= most
    return make_comparison(operator, have, least)


def make_comparison(
    operator: str, have: Callable[[StoredRecord], str], least: SortKey
) -> RecordFilter:
    """What has no value is neither less nor more than anything."""
    match operator:
        case "LT":
            return lambda record: bool(have(record)) and make_sort_key(have(record)) < least
        case "LTE":
            return lambda record: bool(have(record)) and make_sort_key(have(record)) <= least
        case "GT":
            return lambda record: bool(have(record)) and make_sort_key(have(record)) > least
        case "GTE":
            return lambda record: bool(have(record)) and make_sort_key(have(record)) >= least
    raise HubSpotProblem(400, "VALIDATION_ERROR", f"{operator} is not an operator.")


def make_sort_key(value: str) -> SortKey:
    """Numbers and times before texts; a time may be ISO or milliseconds."""
    try:
        number = float(value)
    except ValueError:
        number = nan
    if isfinite(number):  # a person may be called Nan
        return 0, number, ""
    try:
        return 0, moments.to_epoch_milliseconds(moments.parse_moment(value)), ""
    except ValueError:
        return 1, 0.0, value
