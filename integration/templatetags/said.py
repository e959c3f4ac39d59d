"""What the engine wrote down, in the reader's language: ``{% load engine %}``, then ``{{
rule.state_reason|said }}`` or ``{{ record|detail }}``.
"""

from __future__ import annotations

from typing import Any

from django import template

# integration.admin is imported when a filter is used: libraries are loaded while unfold's admin is
# being imported itself.
register = template.Library()


@register.filter
def said(text: str) -> str:
    from integration.admin.parts.said import translate_text as in_own_language

    return in_own_language(text)


@register.filter
def detail(row: Any) -> str:
    """Of a record, an entry or a run."""
    from integration.admin.parts.said import translate_detail

    return translate_detail(row.reason, row.detail)
