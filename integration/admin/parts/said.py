"""What the engine noted, in the reader's language.

Planning, connectors and workers know neither Django nor who will read: they store codes with
parameters (integration/notes.py), in rows that never change afterwards. A plain text, such as a row
of an older version has, is shown as it was written.
"""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from integration.admin.parts.labels import CARD_FIELDS, OPERATOR_NAMES, PROPERTY_TYPES
from integration.admin.parts.shown import explain_reason
from integration.notes import NOTES, Note, describe


def describe_notes(text: str) -> str:
    """Stored notes, a line each, as sentences."""
    return describe(text, describe_note)


def describe_note(note: Note) -> str:
    """A note of a code that this version does not know stands for itself."""
    if note.code not in NOTES:
        return note.code
    parts = {name: describe_parameter(name, value) for name, value in note.parameters.items()}
    return (_(NOTES[note.code]) % parts).strip()


def describe_parameter(name: str, value: str | int | Note) -> str:
    """What stands in a place of a sentence, as it is shown.

    A property of a contact keeps the name that HubSpot gives it.
    """
    if isinstance(value, Note):
        return describe_note(value)
    text = str(value)
    if name == "fields":
        return name_card_fields(text)
    labels: dict[str, Any] = {"field": CARD_FIELDS, "op": OPERATOR_NAMES, "type": PROPERTY_TYPES}
    return str(labels.get(name, {}).get(text, text))


def name_card_fields(names: str) -> str:
    return " + ".join(str(CARD_FIELDS.get(name, name)) for name in names.split(","))


def show_reason(row: Any) -> SafeString:
    """The reason of a record or an entry, for a list: what it means, in one line, and its code."""
    if not row.reason:
        return SafeString("–")
    text = f"{explain_reason(row.reason)} {describe_notes(row.detail)}".strip()
    return format_html(
        '<span class="mb-two"><span class="mb-cut" title="{}">{}</span><small>{}</small></span>',
        text,
        text,
        row.reason,
    )


def describe_condition(field: Any, op: str, value: str) -> str:
    """A criterion in words, of a ``field`` that has its name already.

    An operator that this version does not know stands for itself.
    """
    words = {"field": field, "op": OPERATOR_NAMES.get(op, op), "value": value}
    return (_("%(field)s %(op)s %(value)s") % words).strip()
