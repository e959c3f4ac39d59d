"""A stored record as HubSpot answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration.sandbox.hubspot.lag import StoredRecord
from integration.sandbox.hubspot.records import Records


def shape_asked_record(
    records: Records, id: str, names: Sequence[str], archived: bool = False
) -> dict[str, Any]:
    """Asked properties that exist, unset ones as null; the id is the record's present one."""
    return shape_stored_record(
        records, (records.archived if archived else records.records)[id], names, archived
    )


def shape_stored_record(
    records: Records, record: StoredRecord, names: Sequence[str], archived: bool = False
) -> dict[str, Any]:
    wanted = (*records.DEFAULTS, *(name for name in names if name in records.properties))
    return wrap_values(records, record, {name: record.get(name) for name in wanted}, archived)


def shape_history(records: Records, id: str, names: Sequence[str]) -> dict[str, Any]:
    """The present value of each property and when it came; what was before is not kept."""
    record, since = (records.records.get(id) or records.archived[id]), records.since.get(id, {})
    told = {
        name: [
            {
                "value": record.get(name, ""),
                "timestamp": since.get(name, record["createdate"]),
                "sourceType": "CRM_UI",
            }
        ]
        for name in names
        if name in records.properties and (name in record or name in since)
    }
    return {"propertiesWithHistory": told} if names else {}


def shape_written_record(records: Records, id: str) -> dict[str, Any]:
    """Writes answer everything that is set, and some calculated ones."""
    record = records.records[id]
    return wrap_values(records, record, {**record, **records.calculate_properties(record)})


def wrap_values(
    records: Records, record: StoredRecord, values: dict[str, Any], archived: bool = False
) -> dict[str, Any]:
    id = record["hs_object_id"]
    row = {
        "id": id,
        "properties": values,
        "createdAt": record["createdate"],
        "updatedAt": record[records.MODIFIED],
        "archived": archived,
        "url": f"https://app.hubspot.com/contacts/{records.id}/record/{records.TYPE}/{id}",
    }
    if archived:
        row["archivedAt"] = record[records.MODIFIED]
    return row
