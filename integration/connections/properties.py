"""The properties and owners that a HubSpot account has, and the making of our own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.conf import settings
from django.utils import timezone

from integration.connections.credentials import make_target
from integration.connectors.base import ContactTarget, Gone, LacksRight, Rejected
from integration.connectors.hubspot import fields
from integration.models import Connection, SyncRule, Tag
from integration.planning.rule import TAGS_FIELD
from integration.records import PropertyRead

log = structlog.get_logger()


SCHEMA_LIFETIME = timedelta(hours=1)


def store_schema(connection: Connection, properties: Iterable[PropertyRead]) -> None:
    connection.schema = {prop.name: fields.describe_property(prop) for prop in properties}
    connection.link_property = fields.LINK_ID_PROPERTY.name in connection.schema
    connection.schema_at = timezone.now()
    connection.save(update_fields=["schema", "schema_at", "link_property"])


def refresh_schema(rule: SyncRule) -> None:
    """Reads the portal's properties again when what we know is old, and its users where a mapping
    names owners.
    """
    connection = rule.hubspot
    if connection.schema_at is None or connection.schema_at < timezone.now() - SCHEMA_LIFETIME:
        target = make_target(connection)
        store_schema(connection, target.properties())
        refresh_owners(rule, target)
    elif not connection.owners:
        refresh_owners(rule, None)


def refresh_owners(rule: SyncRule, target: ContactTarget | None) -> None:
    """Without the right to read them nobody's contact gets an owner; everything else goes on."""
    if not any(
        row.hubspot == fields.OWNER_ID_PROPERTY for row in rule.mappings.all() if row.active
    ):
        return
    try:
        rule.hubspot.owners = dict((target or make_target(rule.hubspot)).owners())
    except (LacksRight, Rejected, Gone) as refused:
        log.warning("no_owners", connection=rule.hubspot.slug, why=refused.detail)
        rule.hubspot.owners = {"": ""}  # asked for again with the properties, not with every slice
    rule.hubspot.save(update_fields=["owners"])


def needs_own_properties(rule: SyncRule) -> bool:
    """Whether a property of ours that the rule needs is not there yet."""
    needed = {spec.name for spec in fields.KEY_PROPERTIES} | {
        row.hubspot
        for row in rule.mappings.all()
        if row.active and row.hubspot in fields.OWN_PROPERTIES
    }
    return not needed <= set(rule.hubspot.schema)


def ensure_own_properties(rule: SyncRule) -> list[str]:
    """Makes the missing ones of our own properties; returns their names.

    To be called on consent only. Without the right to make properties the rule goes by e-mail
    instead, and says so.
    """
    mapped = {row.hubspot for row in rule.mappings.all() if row.active}
    specs = [
        *fields.KEY_PROPERTIES,
        *(
            spec
            for name, spec in fields.OWN_PROPERTIES.items()
            if name in mapped and spec not in fields.KEY_PROPERTIES
        ),
    ]
    target, connection = make_target(rule.hubspot), rule.hubspot
    try:
        made = target.ensure_properties(specs)
    except (LacksRight, Rejected) as refused:
        log.warning("properties_not_made", connection=connection.slug, why=refused.detail)
        made = []
    if made or not connection.schema:
        store_schema(connection, target.properties())
    offer_tag_options(rule, target)
    return made


def offer_tag_options(rule: SyncRule, target: ContactTarget) -> None:
    """The tags in scope become options of our tag property before the first card needs them."""
    tags = Tag.objects.filter(connection_id=rule.sansan_id).exclude(type=Tag.Type.PRIVATE)
    chosen = tags.filter(selected=True) if tags.filter(selected=True).exists() else tags
    for name in [
        row.hubspot for row in rule.mappings.all() if row.active and row.sansan == TAGS_FIELD
    ]:
        prop = rule.hubspot.schema.get(name, {})
        known = prop.get("options", {})
        wanted = [
            (id, label)
            for id, label in chosen.order_by("pk").values_list("external_id", "name")[
                : settings.SYNC_MAX_TAGS
            ]
            if id not in known
        ]
        if wanted and prop.get("kind") == "checkbox" and name == fields.TAGS_PROPERTY.name:
            target.add_options(name, wanted)
            remember_options(rule.hubspot, name, dict(wanted))


def remember_options(connection: Connection, name: str, added: dict[str, str]) -> None:
    connection.schema.setdefault(name, {}).setdefault("options", {}).update(added)
    connection.save(update_fields=["schema"])
