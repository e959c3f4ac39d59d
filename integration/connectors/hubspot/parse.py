"""HubSpot's JSON to values and back.

Pure. Reads the body, not the status: which of the two tells varies by version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from integration.connectors.hubspot import fields
from integration.notes import note
from integration.records import (
    Change,
    ContactPage,
    ContactRead,
    Identity,
    PropertyRead,
    PropertySpec,
    Result,
)

# The contact that owns a value, in either of the two sentences that HubSpot uses for it.
OWNING_CONTACT_PATTERN = re.compile(r"Existing ID:\s*(\d+)|(\d+) already has that value")
# What an upsert answers whose key property is archived, or unique no more.
LOST_KEY_PATTERN = re.compile(r"by non-unique \S+ property (\w+)")
TAKEN_PROPERTY_PATTERN = re.compile(r"propertyName=(\w+)")
# The values that a contact is found by: whoever has one of them is the person's contact.
MATCH_PROPERTIES = frozenset({"email", fields.LINK_ID_PROPERTY.name})
INNER_ERRORS_PATTERN = re.compile(r"Property values were not valid:\s*(\[.*\])", re.DOTALL)
REASON_CODES = {
    "PROPERTY_DOESNT_EXIST": "unknown_property",
    "INVALID_EMAIL": "invalid_email",
    "INVALID_OPTION": "unknown_option",
    "READ_ONLY_VALUE": "read_only",
    "READ_ONLY": "read_only",
}
WRONG_TYPE_ERRORS = (
    "INVALID_INTEGER",
    "INVALID_LONG",
    "INVALID_NUMBER",
    "INVALID_NUMERIC",
    "INVALID_DATE",
    "INVALID_BOOLEAN",
    "INVALID_TIMESTAMP",
)
LONGEST_MESSAGE = 300  # characters of HubSpot's own words


def read_contact(row: Mapping[str, Any]) -> ContactRead:
    values = {
        name: "" if value is None else str(value)
        for name, value in (row.get("properties") or {}).items()
    }
    merged = tuple(split_values(values.get("hs_merged_object_ids", "")))
    id, modified = (
        str(row.get("id") or values.get("hs_object_id", "")),
        read_iso_time(values.get("lastmodifieddate") or row.get("updatedAt")),
    )
    addresses = tuple(
        filter(
            None, (values.get("email", ""), *split_values(values.get("hs_additional_emails", "")))
        )
    )
    return ContactRead(
        id,
        values,
        modified_at=modified,
        was=merged,
        addresses=addresses,
        changed=read_change_times(row.get("propertiesWithHistory")),
    )


def read_change_times(history: Any) -> dict[str, datetime]:
    """Property -> when it got its present value, from the versions that HubSpot tells."""
    found = {}
    for name, versions in history.items() if isinstance(history, dict) else ():
        times = (
            [read_iso_time(one.get("timestamp")) for one in versions if isinstance(one, dict)]
            if isinstance(versions, list)
            else []
        )
        if known := [time for time in times if time]:
            found[str(name)] = max(known)
    return found


def read_iso_time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def index_contacts(rows: Iterable[Any], keys: Sequence[str], by: str) -> dict[str, ContactRead]:
    """Asked key -> contact.

    A merged contact answers under its old id, an address may be a secondary one.
    """
    asked = {key.casefold(): key for key in keys}
    found: dict[str, ContactRead] = {}
    for row in rows:
        if not isinstance(row, dict):
            continue
        read = read_contact(row)
        for name in list_contact_keys(read, by):
            key = asked.get(name.casefold())
            if key is not None:
                found.setdefault(key, read)
    return found


def list_contact_keys(read: ContactRead, by: str) -> list[str]:
    if not by:
        return [read.id, *read.was]
    if by == "email":
        return list(read.addresses)
    return [read.values.get(by, "")]


def split_values(value: str) -> list[str]:
    return [part for part in value.split(";") if part]


def make_batch_rows(
    changes: Sequence[Change], by: str = "", update: bool = False
) -> list[dict[str, Any]]:
    """Rows of a batch.

    Every one carries a trace id, which is what lets good rows through beside bad ones.
    """
    rows = []
    for change in changes:
        row: dict[str, Any] = {"properties": dict(change.values), "objectWriteTraceId": change.key}
        if by:
            row.update(id=change.key, idProperty=by)
        elif update:
            row["id"] = change.key
        rows.append(row)
    return rows


def read_write_results(
    value: Mapping[str, Any], changes: Sequence[Change], by: str
) -> list[Result]:
    """One Result a change, whatever the order and shape of the answer; what it does not mention is
    ``not_confirmed``.
    """
    done: dict[str, Result] = {}
    for row in value.get("errors") or ():
        done.update({result.key: result for result in read_refused_rows(row, changes)})
    written = [row for row in value.get("results") or () if isinstance(row, dict)]
    missing = [change.key for change in changes if change.key not in done]
    for key, read in index_contacts(written, missing, by).items():
        done[key] = Result(key, read.id, read.values, modified_at=read.modified_at)
    unmentioned = note("row_not_mentioned")
    return [
        done.get(change.key) or Result(change.key, code="not_confirmed", detail=unmentioned)
        for change in changes
    ]


def read_refused_rows(row: Any, changes: Sequence[Change]) -> list[Result]:
    if not isinstance(row, dict):
        return []
    context = row.get("context") or {}
    refusal = read_refusal(row)
    keys = [
        str(key)
        for name in ("objectWriteTraceId", "ids", "id")
        for key in as_list(context.get(name))
    ]
    if not keys and len(changes) == 1:
        keys = [changes[0].key]
    return [refusal.as_result(key) for key in keys]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


class Refusal(NamedTuple):
    """What HubSpot says of a row that it did not write.

    ``owner`` is the contact that has the value already, ``properties`` are those whose values were
    refused.
    """

    code: str
    detail: str
    owner: str = ""
    properties: tuple[str, ...] = ()

    def as_result(self, key: str) -> Result:
        return Result(
            key,
            code=self.code,
            detail=self.detail,
            owner_id=self.owner,
            properties=self.properties,
        )


def read_refusal(body: Any) -> Refusal:
    """The refusal in an error row or an error body."""
    if not isinstance(body, dict):
        return Refusal("rejected", note("no_reason"))
    message, context = str(body.get("message") or ""), body.get("context") or {}
    owner = find_owning_contact(message, context)
    if owner or body.get("category") == "CONFLICT":
        return read_conflict(owner, find_taken_property(message, context))
    lost = LOST_KEY_PATTERN.search(message)
    if lost:
        said = note("vendor_said_of", word=lost.group(1), message=message[:LONGEST_MESSAGE])
        return Refusal("unknown_property", said, properties=(lost.group(1),))
    if body.get("category") == "OBJECT_NOT_FOUND":
        return Refusal("contact_gone", note("contact_gone"))
    problems = [
        problem
        for problem in [*read_inner_errors(message), *as_list(body.get("errors"))]
        if isinstance(problem, dict)
    ]
    if problems:
        names = dict.fromkeys(filter(None, map(find_problem_property, problems)))
        code, detail = find_reason_code(problems[0]), note_problem(problems[0])
        return Refusal(code, detail, properties=tuple(names))
    said = note("vendor_said", message=message[:LONGEST_MESSAGE]) if message else note("no_reason")
    return Refusal("rejected", said)


def read_conflict(owner: str, taken: str) -> Refusal:
    """The refusal of a value that another contact has.

    ``taken`` is its property, "" where HubSpot does not say: then it is the address.
    """
    if taken and taken not in MATCH_PROPERTIES:
        # A property of the customer's that no two contacts share: its owner is somebody else.
        return Refusal("value_taken", note("value_taken", word=taken), properties=(taken,))
    if owner:
        return Refusal("contact_exists", note("contact_has_address", id=owner), owner)
    return Refusal("contact_exists", note("address_taken"))


def find_taken_property(message: str, context: Any) -> str:
    """The property whose value another contact has, "" where HubSpot does not name it."""
    told = as_list(context.get("propertyName")) if isinstance(context, dict) else []
    quoted = TAKEN_PROPERTY_PATTERN.search(message)
    return str(next(iter(told), "") or (quoted.group(1) if quoted else ""))


def find_owning_contact(message: str, context: Mapping[str, Any]) -> str:
    """The contact that has a value already, "" where HubSpot does not name it."""
    told = as_list(context.get("existingId"))
    quoted = (one or other for one, other in OWNING_CONTACT_PATTERN.findall(message))
    return str(next(iter(told), None) or next(quoted, ""))


def read_inner_errors(message: str) -> list[Any]:
    """The list of problems that HubSpot hides as JSON inside the message."""
    found = INNER_ERRORS_PATTERN.search(message)
    try:
        return list(orjson.loads(found.group(1))) if found else []
    except orjson.JSONDecodeError:
        return []


def find_reason_code(problem: Mapping[str, Any]) -> str:
    code = str(problem.get("error") or problem.get("code") or "")
    return (
        "wrong_type" if code.startswith(WRONG_TYPE_ERRORS) else REASON_CODES.get(code, "rejected")
    )


def note_problem(problem: Mapping[str, Any]) -> str:
    """HubSpot's own words about one property, as a note."""
    name = find_problem_property(problem)
    said = str(problem.get("message") or problem.get("localizedErrorMessage") or "")
    message = said[:LONGEST_MESSAGE]
    if name:
        return note("vendor_said_of", word=name, message=message)
    return note("vendor_said", message=message) if message else note("no_reason")


def find_problem_property(problem: Mapping[str, Any]) -> str:
    context = problem.get("context") or {}
    told = as_list(context.get("propertyName")) if isinstance(context, dict) else []
    return str(problem.get("name") or next(iter(told), ""))


def read_result_rows(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of an answer's ``results``. Raises TypeError where it has none."""
    results = value["results"]
    if not isinstance(results, list):
        raise TypeError("results is not a list")
    return [row for row in results if isinstance(row, dict)]


def read_contact_page(value: Mapping[str, Any]) -> ContactPage:
    """A page of a list, with the token that HubSpot gives for the next one."""
    after = ((value.get("paging") or {}).get("next") or {}).get("after")
    return ContactPage(
        tuple(read_contact(row) for row in read_result_rows(value)), str(after or "")
    )


def read_owners(value: Mapping[str, Any]) -> dict[str, str]:
    """Folded address -> id of the HubSpot user."""
    return {
        str(row["email"]).strip().lower(): str(row["id"])
        for row in read_result_rows(value)
        if row.get("email") and row.get("id")
    }


def read_properties(value: Mapping[str, Any]) -> list[PropertyRead]:
    return [read_property(row) for row in read_result_rows(value) if row.get("name")]


def read_property(row: Mapping[str, Any]) -> PropertyRead:
    options = tuple(
        (str(o.get("value")), str(o.get("label")))
        for o in row.get("options") or ()
        if isinstance(o, dict)
    )
    locked = bool(
        (row.get("modificationMetadata") or {}).get("readOnlyValue") or row.get("calculated")
    )
    return PropertyRead(
        str(row["name"]),
        str(row.get("type") or ""),
        field_type=str(row.get("fieldType") or ""),
        options=options,
        read_only=locked,
        unique=bool(row.get("hasUniqueValue")),
        label=str(row.get("label") or ""),
    )


def make_property_body(spec: PropertySpec, group: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": spec.name,
        "label": spec.label,
        "groupName": group,
        "type": spec.type,
        "fieldType": spec.field_type,
        "hasUniqueValue": spec.unique,
        "description": spec.description,
    }
    if spec.type == "enumeration":
        body["options"] = []
    return body


def make_options_body(options: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The whole list: HubSpot replaces the options as one."""
    return {
        "options": [
            {"value": value, "label": label, "displayOrder": i, "hidden": False}
            for i, (value, label) in enumerate(options)
        ]
    }


def read_portal_identity(value: Mapping[str, Any]) -> Identity:
    portal = str(value["portalId"])
    kind = value.get("accountType")
    return Identity(portal, f"{portal} ({kind})" if kind else portal)


def read_quota(headers: Mapping[str, str]) -> tuple[int, int] | None:
    """(calls a day, calls left of them); HubSpot tells it to static keys only, and not with a
    search.
    """
    try:
        return int(headers["X-HubSpot-RateLimit-Daily"]), int(
            headers["X-HubSpot-RateLimit-Daily-Remaining"]
        )
    except (KeyError, ValueError):
        return None


def read_rate_limit(headers: Mapping[str, str]) -> tuple[int, float] | None:
    """(calls, seconds) that the headers tell; None where they do not."""
    try:
        return int(headers["X-HubSpot-RateLimit-Max"]), int(
            headers["X-HubSpot-RateLimit-Interval-Milliseconds"]
        ) / 1000
    except (KeyError, ValueError):
        return None
