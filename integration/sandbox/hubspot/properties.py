"""Contact properties: HubSpot's own, and those that are made; how a value is checked against
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from integration.sandbox.hubspot import owners
from integration.sandbox.hubspot.errors import HubSpotProblem, as_value_problem

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
EMAIL_PATTERN = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
REFUSED_TOP_DOMAINS = ("con", "cmo", "ocm")
LONGEST_PROPERTY_VALUE = 65_536
CONTACT_TEXT_PROPERTIES = (
    "email firstname lastname company jobtitle phone mobilephone fax zip state city address "
    "country website "
    "salutation industry annualrevenue work_email message hs_persona twitterhandle linkedinbio "
    "relationship_status "
    "school degree field_of_study seniority company_size date_of_birth gender marital_status "
    "military_status "
    "start_date graduation_date job_function hs_language hs_email_domain"
).split()
LOCKED_CONTACT_PROPERTIES = (
    "hs_object_id createdate lastmodifieddate hs_additional_emails hs_merged_object_ids "
    "hs_calculated_merged_vids "
    "hs_created_by_user_id hs_updated_by_user_id hs_all_owner_ids num_notes num_contacted_notes "
    "hs_is_contact hs_lifecyclestage_lead_date notes_last_updated hs_pipeline hs_email_bounce "
    "hs_sa_first_engagement_date"
).split()
LIFECYCLE_STAGES = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
]


def make_property_definition(
    name: str, type_: str = "string", field: str = "text", **more: Any
) -> dict[str, Any]:
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
        "modificationMetadata": {
            "archivable": not locked,
            "readOnlyDefinition": locked,
            "readOnlyValue": locked,
            "readOnlyOptions": locked,
        },
        "formField": not locked,
        "dataSensitivity": "non_sensitive",
        "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-01T00:00:00Z",
        "archived": False,
    }


def make_option(value: str, label: str | None = None, order: int = 0) -> dict[str, Any]:
    return {
        "value": value,
        "label": label or value,
        "displayOrder": order,
        "hidden": False,
        "description": "",
    }


def make_contact_properties() -> dict[str, dict[str, Any]]:
    """What a portal has from the start."""
    found = {name: make_property_definition(name) for name in CONTACT_TEXT_PROPERTIES}
    for name in ("phone", "mobilephone", "fax"):
        found[name]["fieldType"] = "phonenumber"
    found["annualrevenue"].update(type="number", fieldType="number")
    found["lifecyclestage"] = make_property_definition(
        "lifecyclestage",
        "enumeration",
        "radio",
        options=[make_option(stage, stage, i) for i, stage in enumerate(LIFECYCLE_STAGES)],
    )
    found["hs_lead_status"] = make_property_definition(
        "hs_lead_status", "enumeration", "select", options=[make_option("NEW"), make_option("OPEN")]
    )
    found[owners.OWNER_PROPERTY] = make_owner_property()
    for name in LOCKED_CONTACT_PROPERTIES:
        moment = name.endswith("date")
        found[name] = make_property_definition(
            name, "datetime" if moment else "string", "date" if moment else "text", locked=True
        )
    return found


def make_owner_property(group: str = "contactinformation") -> dict[str, Any]:
    """Its options are the portal's owners, and stand in no list."""
    return {
        **make_property_definition(owners.OWNER_PROPERTY, "enumeration", "select", groupName=group),
        "externalOptions": True,
    }


def read_new_property(body: dict[str, Any]) -> dict[str, Any]:
    """A new property from a request's body. Raises HubSpotProblem."""
    missing = [
        name for name in ("name", "label", "groupName", "type", "fieldType") if not body.get(name)
    ]
    if missing:
        raise HubSpotProblem(
            400, "VALIDATION_ERROR", f"Missing required fields: {', '.join(missing)}"
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", body["name"]):
        raise HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            "Property names are lower case letters, digits and _, and begin with a letter.",
        )
    if body["fieldType"] not in FIELD_TYPES.get(body["type"], ()):
        raise HubSpotProblem(
            400, "VALIDATION_ERROR", f"{body['fieldType']} is not a field type of {body['type']}."
        )
    return make_property_definition(
        body["name"],
        body["type"],
        body["fieldType"],
        label=body["label"],
        groupName=body["groupName"],
        description=body.get("description", ""),
        options=read_options(body.get("options") or []),
        hasUniqueValue=bool(body.get("hasUniqueValue")),
        hubspotDefined=False,
    )


def read_new_group(body: dict[str, Any]) -> dict[str, Any]:
    """A new property group from a request's body. Raises HubSpotProblem."""
    if not body.get("name") or not body.get("label"):
        raise HubSpotProblem(400, "VALIDATION_ERROR", "A property group needs a name and a label.")
    return {
        "name": body["name"],
        "label": body["label"],
        "displayOrder": body.get("displayOrder", -1),
        "archived": False,
    }


def read_options(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    values = [row["value"] for row in rows]
    if len(values) != len(set(values)):
        raise HubSpotProblem(400, "VALIDATION_ERROR", "Option values must be unique.")
    if len(rows) > 5000:
        raise HubSpotProblem(400, "VALIDATION_ERROR", "A property has at most 5000 options.")
    return [make_option(row["value"], row.get("label"), i) for i, row in enumerate(rows)]


ValueCheck = Callable[[str], "str | None"]


def make_value_check(prop: dict[str, Any]) -> ValueCheck:
    """A function from a value to what is wrong with it, as (code: message) or None; made once a
    property.
    """
    name, type_ = prop["name"], prop["type"]
    if prop["modificationMetadata"]["readOnlyValue"]:
        return lambda value: (
            f"READ_ONLY_VALUE:{name} is a read only property; its value cannot be set."
        )
    if name == "email":
        return lambda value: (
            None if is_good_email(value) else f"INVALID_EMAIL:Email address {value} is invalid"
        )
    if type_ == "enumeration":
        return make_options_check(prop)
    if type_ == "number":
        return lambda value: (
            None
            if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value)
            else f"INVALID_INTEGER:{value} was not a valid number."
        )
    if type_ == "bool":
        return lambda value: (
            None
            if value in ("true", "false")
            else f"INVALID_BOOLEAN:{value} was not a valid boolean."
        )
    if type_ in ("date", "datetime"):
        return lambda value: (
            None if is_good_date(value) else f"INVALID_DATE:{value} was not a valid date."
        )
    return lambda value: (
        None
        if len(value) <= LONGEST_PROPERTY_VALUE
        else (
            f"PROPERTY_VALUE_TOO_LONG:{name} was too long: {len(value)} of "
            f"{LONGEST_PROPERTY_VALUE}."
        )
    )


def make_options_check(prop: dict[str, Any]) -> ValueCheck:
    allowed = {row["value"] for row in prop["options"]}

    def check(value: str) -> str | None:
        parts = (
            [part for part in value.split(";") if part]
            if prop["fieldType"] == "checkbox"
            else [value]
        )
        wrong = next((part for part in parts if part not in allowed), None)
        listed = ", ".join(row["value"] for row in prop["options"])
        return (
            None
            if wrong is None
            else f"INVALID_OPTION:{wrong} was not one of the allowed options: [{listed}]"
        )

    return check


def is_good_email(value: str) -> bool:
    return (
        EMAIL_PATTERN.fullmatch(value) is not None
        and value.rsplit(".", 1)[-1].lower() not in REFUSED_TOP_DOMAINS
    )


def is_good_date(value: str) -> bool:
    if re.fullmatch(r"-?[0-9]+", value):
        return True
    try:
        (datetime.fromisoformat if "T" in value else date.fromisoformat)(value)
    except ValueError:
        return False
    return True


def as_property_problem(name: str, said: str) -> dict[str, Any]:
    code, _, message = said.partition(":")
    return as_value_problem(name, code, message)
