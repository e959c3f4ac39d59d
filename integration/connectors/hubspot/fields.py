"""Our own properties in HubSpot, and how a property's type decides how values compare."""

from typing import Any

from integration.records import PropertyRead, PropertySpec

PROPERTY_GROUP = "sansan"
PROPERTY_GROUP_LABEL = "Sansan"

LINK_ID_PROPERTY = PropertySpec(
    "sansan_link_id",
    "Sansan link ID",
    "string",
    "text",
    unique=True,
    description="Joins this contact to its cards. Do not edit.",
)
CARD_ID_PROPERTY = PropertySpec(
    "sansan_card_id",
    "Sansan card ID",
    "string",
    "text",
    description="The card that this contact follows.",
)
DEPARTMENT_PROPERTY = PropertySpec("sansan_department", "Department (Sansan)", "string", "text")
EXCHANGE_DATE_PROPERTY = PropertySpec(
    "sansan_exchange_date", "Exchange date (Sansan)", "date", "date"
)
TAGS_PROPERTY = PropertySpec("sansan_tags", "Sansan tags", "enumeration", "checkbox")

# A company property, the key of every company that we make.
COMPANY_KEY_PROPERTY = PropertySpec(
    "sansan_company_key",
    "Sansan company key",
    "string",
    "text",
    unique=True,
    description="Domain or name of the company.",
)

KEY_PROPERTIES = (LINK_ID_PROPERTY, CARD_ID_PROPERTY)
OWN_PROPERTIES = {
    spec.name: spec
    for spec in (
        LINK_ID_PROPERTY,
        CARD_ID_PROPERTY,
        DEPARTMENT_PROPERTY,
        EXCHANGE_DATE_PROPERTY,
        TAGS_PROPERTY,
    )
}


OWNER_ID_PROPERTY = "hubspot_owner_id"  # the property that says which user has a contact

MOST_OPTIONS_KEPT = 200  # of a property's options, that many are kept


def find_value_kind(prop: PropertyRead) -> str:
    """The kind that planning/sameness.py compares by."""
    if prop.name == "email":
        return "email"
    if prop.name == OWNER_ID_PROPERTY:
        return "owner"
    if prop.name == "country":
        return "country"
    if (
        prop.type == "phone_number"
        or prop.field_type == "phonenumber"
        or prop.name in ("phone", "mobilephone", "fax")
    ):
        return "phone"
    if prop.field_type == "checkbox":
        return "checkbox"
    return "number" if prop.type == "number" else "text"


def describe_property(prop: PropertyRead) -> dict[str, Any]:
    """A property as ``Connection.schema`` keeps it.

    A list of options that is cut short is not kept: nothing could be checked by it.
    """
    return {
        "type": prop.type,
        "field_type": prop.field_type,
        "kind": find_value_kind(prop),
        "label": prop.label,
        "read_only": prop.read_only,
        "options": dict(prop.options)
        if prop.name == TAGS_PROPERTY.name or len(prop.options) <= MOST_OPTIONS_KEPT
        else {},
    }


# Our own properties, as they will be once they are made.
OWN_PROPERTY_DESCRIPTIONS = {
    spec.name: describe_property(
        PropertyRead(spec.name, spec.type, spec.field_type, label=spec.label)
    )
    for spec in OWN_PROPERTIES.values()
}
