"""Contact properties: HubSpot's own, and those that are made; how a value is checked against one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from integration.sandbox.hubspot import owners
from integration.sandbox.hubspot.errors import Problem, value_problem

FIELD_TYPES = {
    "string": {"text", "textarea", "html", "phonenumber", "file", "calculation_equation"},
    "number": {"number", "calculation_equation"},
    "bool": {"booleancheckbox"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox"},
    "date": {"date"},
    "datetime": {"date"},
    "phone_number": {"phonenumber"},
}
# A real top level: letters, and not one of the typing errors that HubSpot refuses.
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")
BAD_TOP = ("con", "cmo", "ocm")
LONGEST = 65_536
TEXT = (
    "email firstname lastname company jobtitle phone mobilephone fax zip state city address country website "
    "salutation industry annualrevenue work_email message hs_persona twitterhandle linkedinbio relationship_status "
    "school degree field_of_study seniority company_size date_of_birth gender marital_status military_status "
    "start_date graduation_date job_function hs_language hs_email_domain"
).split()
LOCKED = (
    "hs_object_id createdate lastmodifieddate hs_additional_emails hs_merged_object_ids hs_calculated_merged_vids "
    "hs_created_by_user_id hs_updated_by_user_id hs_all_owner_ids num_notes num_contacted_notes hs_is_contact "
    "hs_lifecyclestage_lead_date notes_last_updated hs_pipeline hs_email_bounce hs_sa_first_engagement_date"
).split()
STAGES = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"]


def definition(name: str, type_: str = "string", field: str = "text", **more: Any) -> dict[str, Any]:
    locked = more.pop("locked", False)
    return {
        "name": name,
        "label": more.pop("label", name.replace("_", " ").capitalize()),
        "type": type_,
        "fieldType": field,
        "description": more.pop("description", ""),
        "groupName": more.pop("groupName", "contactinformation"),
        "options": more.pop("options", []),
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": more.pop("hasUniqueValue", False),
        "hidden": False,
        "hubspotDefined": more.pop("hubspotDefined", True),
        "modificationMetadata": {"archivable": not locked, "readOnlyDefinition": locked, "readOnlyValue": locked, "readOnlyOptions": locked},
        "formField": not locked,
        "dataSensitivity": "non_sensitive",
        "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-01T00:00:00Z",
        "archived": False,
    }


def option(value: str, label: str | None = None, order: int = 0) -> dict[str, Any]:
    return {"value": value, "label": label or value, "displayOrder": order, "hidden": False, "description": ""}


def built_in() -> dict[str, dict[str, Any]]:
    """What a portal has from the start."""
    found = {name: definition(name) for name in TEXT}
    for name in ("phone", "mobilephone", "fax"):
        found[name]["fieldType"] = "phonenumber"
    found["annualrevenue"].update(type="number", fieldType="number")
    found["lifecyclestage"] = definition(
        "lifecyclestage", "enumeration", "radio", options=[option(stage, stage, i) for i, stage in enumerate(STAGES)]
    )
    found["hs_lead_status"] = definition("hs_lead_status", "enumeration", "select", options=[option("NEW"), option("OPEN")])
    found[owners.PROPERTY] = owner()
    for name in LOCKED:
        moment = name.endswith("date")
        found[name] = definition(name, "datetime" if moment else "string", "date" if moment else "text", locked=True)
    return found


def owner(group: str = "contactinformation") -> dict[str, Any]:
    """Its options are the portal's owners, and stand in no list."""
    return {**definition(owners.PROPERTY, "enumeration", "select", groupName=group), "externalOptions": True}


def created(body: dict[str, Any]) -> dict[str, Any]:
    """A new property from a request's body. Raises Problem."""
    missing = [name for name in ("name", "label", "groupName", "type", "fieldType") if not body.get(name)]
    if missing:
        raise Problem(400, "VALIDATION_ERROR", f"Missing required fields: {', '.join(missing)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", body["name"]):
        raise Problem(400, "VALIDATION_ERROR", "Property names are lower case letters, digits and _, and begin with a letter.")
    if body["fieldType"] not in FIELD_TYPES.get(body["type"], ()):
        raise Problem(400, "VALIDATION_ERROR", f"{body['fieldType']} is not a field type of {body['type']}.")
    return definition(
        body["name"],
        body["type"],
        body["fieldType"],
        label=body["label"],
        groupName=body["groupName"],
        description=body.get("description", ""),
        options=options(body.get("options") or []),
        hasUniqueValue=bool(body.get("hasUniqueValue")),
        hubspotDefined=False,
    )


def group(body: dict[str, Any]) -> dict[str, Any]:
    """A new property group from a request's body. Raises Problem."""
    if not body.get("name") or not body.get("label"):
        raise Problem(400, "VALIDATION_ERROR", "A property group needs a name and a label.")
    return {"name": body["name"], "label": body["label"], "displayOrder": body.get("displayOrder", -1), "archived": False}


def options(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    values = [row["value"] for row in rows]
    if len(values) != len(set(values)):
        raise Problem(400, "VALIDATION_ERROR", "Option values must be unique.")
    if len(rows) > 5000:
        raise Problem(400, "VALIDATION_ERROR", "A property has at most 5000 options.")
    return [option(row["value"], row.get("label"), i) for i, row in enumerate(rows)]


Check = Callable[[str], "str | None"]


def checker(prop: dict[str, Any]) -> Check:
    """A function from a value to what is wrong with it, as (code: message) or None; made once a property."""
    name, type_ = prop["name"], prop["type"]
    if prop["modificationMetadata"]["readOnlyValue"]:
        return lambda value: f"READ_ONLY_VALUE:{name} is a read only property; its value cannot be set."
    if name == "email":
        return lambda value: None if good_email(value) else f"INVALID_EMAIL:Email address {value} is invalid"
    if type_ == "enumeration":
        return enumeration(prop)
    if type_ == "number":
        return lambda value: None if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else f"INVALID_INTEGER:{value} was not a valid number."
    if type_ == "bool":
        return lambda value: None if value in ("true", "false") else f"INVALID_BOOLEAN:{value} was not a valid boolean."
    if type_ in ("date", "datetime"):
        return lambda value: None if good_date(value) else f"INVALID_DATE:{value} was not a valid date."
    return lambda value: None if len(value) <= LONGEST else f"PROPERTY_VALUE_TOO_LONG:{name} was too long: {len(value)} of {LONGEST}."


def enumeration(prop: dict[str, Any]) -> Check:
    allowed = {row["value"] for row in prop["options"]}

    def check(value: str) -> str | None:
        parts = [part for part in value.split(";") if part] if prop["fieldType"] == "checkbox" else [value]
        wrong = next((part for part in parts if part not in allowed), None)
        listed = ", ".join(row["value"] for row in prop["options"])
        return None if wrong is None else f"INVALID_OPTION:{wrong} was not one of the allowed options: [{listed}]"

    return check


def good_email(value: str) -> bool:
    return EMAIL.fullmatch(value) is not None and value.rsplit(".", 1)[-1].lower() not in BAD_TOP


def good_date(value: str) -> bool:
    if re.fullmatch(r"-?[0-9]+", value):
        return True
    try:
        (datetime.fromisoformat if "T" in value else date.fromisoformat)(value)
    except ValueError:
        return False
    return True


def problem_of(name: str, said: str) -> dict[str, Any]:
    code, _, message = said.partition(":")
    return value_problem(name, code, message)
