"""Tag options in HubSpot: made before the first write that needs them, and renamed with their
tags.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from integration.connections.properties import remember_options
from integration.connectors.base import Gone, LacksRight, Rejected
from integration.models import Tag
from integration.planning.decisions import Decision
from integration.planning.rule import TAGS_FIELD
from integration.rules.as_plan import name_tags
from integration.slice.desk import Desk
from integration.slice.pool import Work

log = structlog.get_logger()


def make_options(desk: Desk, decisions: Sequence[Decision]) -> Work:
    """Tag options that the coming writes need are made first: HubSpot refuses values that are not
    options.
    """
    for row in desk.plan_rule.mappings:
        if row.sansan != (TAGS_FIELD,) or row.kind != "checkbox" or desk.run.is_preview:
            continue
        known = desk.rule.hubspot.schema.get(row.hubspot, {}).get("options", {})
        needed = {
            tag
            for one in decisions
            if one.writes
            for tag in one.after.get(row.hubspot, "").split(";")
            if tag and tag not in known
        }
        if not needed:
            continue
        names = name_tags(desk.keys, needed)
        wanted = [(tag, names.get(tag, tag)) for tag in sorted(needed)]
        try:
            yield lambda name=row.hubspot, wanted=wanted: desk.target.add_options(name, wanted)  # type: ignore[misc]
        except (Rejected, Gone, LacksRight) as refused:
            log.warning(
                "options_not_made", rule=desk.rule.slug, property=row.hubspot, why=refused.detail
            )
            continue
        remember_options(desk.rule.hubspot, row.hubspot, dict(wanted))


def rename_options(desk: Desk) -> Work:
    """Options whose tag has another name by now.

    They go by the tag's id, so that no contact is touched; none is ever removed.
    """
    names = dict(
        Tag.objects.filter(connection_id=desk.rule.sansan_id).values_list("external_id", "name")
    )
    for row in desk.plan_rule.mappings:
        known = (
            desk.rule.hubspot.schema.get(row.hubspot, {}).get("options", {})
            if row.sansan == (TAGS_FIELD,) and row.kind == "checkbox"
            else {}
        )
        renamed = [(id, names[id]) for id, label in known.items() if names.get(id, label) != label]
        if renamed:
            yield lambda name=row.hubspot, renamed=renamed: desk.target.add_options(name, renamed)  # type: ignore[misc]
            remember_options(desk.rule.hubspot, row.hubspot, dict(renamed))
