"""Fields that several forms have in common, and what is checked of them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integration.admin.parts.said import describe_notes
from integration.models import Tag
from integration.rules.file import find_property_problem


def check_typed_secret(secret: str) -> str:
    """The secret as it is; raises ValidationError where it cannot be one."""
    if any(sign.isspace() or not sign.isprintable() or not sign.isascii() for sign in secret):
        raise ValidationError(
            _("A key has no spaces, line breaks or signs beyond ASCII: copy it again.")
        )
    return secret


def check_typed_property(typed: str) -> str:
    """The internal name of a property; raises ValidationError where it is none that can be
    mapped.
    """
    name = typed.strip()
    problem = find_property_problem(name)
    if problem:
        raise ValidationError(describe_notes(problem))
    return name


def select_markers(connection: int) -> QuerySet[Tag]:
    """The tags that may be put on a card."""
    return (
        Tag.objects.filter(connection=connection)
        .exclude(type=Tag.Type.PRIVATE)
        .order_by("name", "external_id")
    )


IN_SYNC_LABEL = gettext_lazy("Selected in this sync")


def list_marker_choices(tags: list[Tag], stored: str, selected: set[str]) -> list[Any]:
    """Of tags that share a name each says its id.

    What is stored and no longer there is kept, and says so.
    """
    names = [tag.name for tag in tags]
    named = {
        tag.external_id: tag.name
        if names.count(tag.name) == 1
        else f"{tag.name} ({tag.external_id})"
        for tag in tags
    }
    gone = (
        [(stored, _("%(id)s (no longer seen)") % {"id": stored})]
        if stored and stored not in named
        else []
    )
    chosen = [
        (tag.external_id, named[tag.external_id]) for tag in tags if tag.external_id in selected
    ]
    others = [
        (tag.external_id, named[tag.external_id]) for tag in tags if tag.external_id not in selected
    ]
    grouped = (
        [(IN_SYNC_LABEL, chosen), (_("Other tags"), others)]
        if chosen and others
        else [(IN_SYNC_LABEL, chosen)]
        if chosen
        else others
    )
    return [("", _("None")), *gone, *grouped]
