"""Labels of card fields and transforms in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy

from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.planning.transforms import TRANSFORMS

CARD_FIELDS: dict[str, Any] = {name: gettext_lazy(label) for name, label in SANSAN_FIELDS.items()}
TRANSFORM_NAMES: dict[str, Any] = {
    "": gettext_lazy("As printed"),
    "text": gettext_lazy("Tidied text"),
    "email": gettext_lazy("E-mail address"),
    "phone": gettext_lazy("International telephone"),
    "upper": gettext_lazy("Capitals"),
    "lower": gettext_lazy("Small letters"),
    "joined": gettext_lazy("Joined without spaces"),
    "date": gettext_lazy("Date"),
    "number": gettext_lazy("Number"),
    "yes_no": gettext_lazy("Yes or no"),
    "domain": gettext_lazy("Domain"),
    "country": gettext_lazy("Country's name"),
    "country_ja": gettext_lazy("Country's name in Japanese"),
    "company": gettext_lazy("Company without legal form"),
    "katakana": gettext_lazy("Katakana"),
    "hiragana": gettext_lazy("Hiragana"),
    "capitals": gettext_lazy("First letters large"),
}
TRANSFORM_CHOICES = [(name, TRANSFORM_NAMES.get(name, name)) for name in TRANSFORMS]
# The conditions of a criterion.
OPERATOR_NAMES: dict[str, Any] = {
    "equals": gettext_lazy("is"),
    "not_equals": gettext_lazy("is not"),
    "contains": gettext_lazy("contains"),
    "not_contains": gettext_lazy("does not contain"),
    "starts_with": gettext_lazy("starts with"),
    "blank": gettext_lazy("is blank"),
    "not_blank": gettext_lazy("is not blank"),
    "on_or_after": gettext_lazy("is on or after"),
    "on_or_before": gettext_lazy("is on or before"),
}
# HubSpot's types of properties.
PROPERTY_TYPES: dict[str, Any] = {
    "string": gettext_lazy("text"),
    "phone_number": gettext_lazy("telephone"),
    "number": gettext_lazy("number"),
    "date": gettext_lazy("date"),
    "datetime": gettext_lazy("date and time"),
    "bool": gettext_lazy("yes or no"),
    "enumeration": gettext_lazy("choice"),
}


def label_property(prop: dict[str, Any]) -> str:
    """A property's label in HubSpot, and its type."""
    return " · ".join(
        str(part)
        for part in (prop.get("label", ""), PROPERTY_TYPES.get(prop.get("type", ""), ""))
        if part
    )
