"""A stored contact as HubSpot answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration.sandbox.hubspot.portal import Portal

DEFAULTS = ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname")


def read(portal: Portal, id: str, names: Sequence[str], archived: bool = False) -> dict[str, Any]:
    """Asked properties that exist, unset ones as null; the id is the contact's present one."""
    contact = (portal.archived if archived else portal.contacts)[id]
    wanted = (*DEFAULTS, *(name for name in names if name in portal.properties))
    return envelope(portal, contact, {name: contact.get(name) for name in wanted}, archived)


def written(portal: Portal, id: str) -> dict[str, Any]:
    """Writes answer everything that is set, and some calculated ones."""
    contact = portal.contacts[id]
    values: dict[str, Any] = dict(contact)
    if "email" in contact:
        values["hs_email_domain"] = contact["email"].rsplit("@", 1)[-1]
    values["hs_is_contact"] = "true"
    return envelope(portal, contact, values)


def envelope(portal: Portal, contact: dict[str, str], values: dict[str, Any], archived: bool = False) -> dict[str, Any]:
    id = contact["hs_object_id"]
    row = {
        "id": id,
        "properties": values,
        "createdAt": contact["createdate"],
        "updatedAt": contact["lastmodifieddate"],
        "archived": archived,
        "url": f"https://app.hubspot.com/contacts/{portal.id}/record/0-1/{id}",
    }
    if archived:
        row["archivedAt"] = contact["lastmodifieddate"]
    return row
