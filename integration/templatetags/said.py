"""What the engine noted, in the reader's language: ``{% load said %}``, then
``{{ rule.state_reason|said }}`` or ``{{ record.detail|said }}``.
"""

from __future__ import annotations

from django import template

# integration.admin is imported when the filter is used: libraries are loaded while unfold's admin
# is being imported itself.
register = template.Library()


@register.filter
def said(text: str) -> str:
    from integration.admin.parts.said import describe_notes

    return describe_notes(text)
