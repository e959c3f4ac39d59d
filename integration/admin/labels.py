"""Labels of card fields and transforms in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy

from integration.connectors.sansan.fields import FIELDS
from integration.planning.transforms import TRANSFORMS

CARD_FIELDS: dict[str, Any] = {name: gettext_lazy(label) for name, label in FIELDS.items()}
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
    "company": gettext_lazy("Company without legal form"),
    "katakana": gettext_lazy("Katakana"),
    "hiragana": gettext_lazy("Hiragana"),
    "capitals": gettext_lazy("First letters large"),
}
TRANSFORM_CHOICES = [(name, TRANSFORM_NAMES.get(name, name)) for name in TRANSFORMS]
