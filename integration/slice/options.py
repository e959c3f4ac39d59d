"""Tag options in HubSpot: made before the first write that needs them, renamed with their tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

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
    if desk.run.is_preview:
        return
    for name, known in list_tag_properties(desk):
        values = {decision.after.get(name, "") for decision in decisions if decision.writes}
        needed = {tag for value in values for tag in value.split(";") if tag and tag not in known}
        if not needed:
            continue
        names = name_tags(desk.keys, needed)
        wanted = [(tag, names.get(tag, tag)) for tag in sorted(needed)]
        try:
            yield partial(desk.target.add_options, name, wanted)
        except (Rejected, Gone, LacksRight) as refused:
            log.warning("options_not_made", rule=desk.rule.slug, property=name, why=refused.detail)
            continue
        with desk.transaction():
            remember_options(desk.rule.hubspot, name, dict(wanted))


def rename_options(desk: Desk) -> Work:
    """Options whose tag has another name by now.

    They go by the tag's id, so that no contact is touched; none is ever removed.
    """
    tags = Tag.objects.filter(connection_id=desk.rule.sansan_id)
    names = dict(tags.values_list("external_id", "name"))
    for name, known in list_tag_properties(desk):
        renamed = [(id, names[id]) for id, label in known.items() if names.get(id, label) != label]
        if renamed:
            yield partial(desk.target.add_options, name, renamed)
            with desk.transaction():
                remember_options(desk.rule.hubspot, name, dict(renamed))


def list_tag_properties(desk: Desk) -> Iterator[tuple[str, dict[str, str]]]:
    """(property, its options as id -> label) of the properties that the rule fills with tags."""
    for row in desk.plan_rule.mappings:
        if row.sansan == (TAGS_FIELD,) and row.kind == "checkbox":
            yield row.hubspot, desk.rule.hubspot.schema.get(row.hubspot, {}).get("options", {})
