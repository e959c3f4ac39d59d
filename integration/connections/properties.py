"""The properties and owners that a HubSpot account has, and the making of our own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.db.transaction import atomic
from django.utils import timezone

from integration.connections.credentials import make_target
from integration.connectors.base import ContactTarget, Gone, LacksRight, Rejected
from integration.connectors.hubspot import fields
from integration.models import Connection, FieldMapping, Record, Side, SyncRule, Tag
from integration.planning.drift import find_drift
from integration.planning.rule import TAGS_FIELD
from integration.records import PropertyRead, PropertySpec

log = structlog.get_logger()

SCHEMA_LIFETIME = timedelta(hours=1)
# How a write is made: in a transaction of its own, or in one of a slice that renews its lease.
Transaction = Callable[[], AbstractContextManager[None]]


def store_schema(
    connection: Connection,
    properties: Iterable[PropertyRead],
    transaction: Transaction = atomic,
    made: Collection[str] = (),
) -> None:
    """Keeps what the portal has, and whether our link property is among it. ``made`` are the
    properties that we have just made.
    """
    before, now = connection.schema, timezone.now()
    connection.schema = {prop.name: fields.describe_property(prop) for prop in properties}
    connection.link_property = fields.LINK_ID_PROPERTY.name in connection.schema
    connection.schema_at = now
    renewed, options = find_drift(before, connection.schema)
    with transaction():
        connection.save(update_fields=["schema", "schema_at", "link_property"])
        look_again_at(connection, renewed.difference(made), options)


def look_again_at(
    connection: Connection, renewed: Collection[str], options: Collection[str]
) -> None:
    """The running rules try again what HubSpot did not take: everybody, where a property is there
    again or of another kind; those whose value was refused, where it has other options.
    """
    running = SyncRule.objects.filter(hubspot=connection, state=SyncRule.State.ACTIVE)
    keys = {spec.name for spec in fields.KEY_PROPERTIES}
    if renewed:
        mapped = select_rules_mapping(running, renewed)
        concerned = running if keys.intersection(renewed) else mapped
        concerned.update(changed_at=timezone.now(), recheck=True)
    refused = list(select_rules_mapping(running, options)) if options else []
    for rule in refused:
        held = Record.objects.filter(rule=rule, side=Side.CARD, reason="value_refused")
        if held.filter(due_at__isnull=True).update(due_at=timezone.now(), run_id=None):
            running.filter(pk=rule.pk).update(changed_at=timezone.now())


def select_rules_mapping(rules: QuerySet[SyncRule], names: Collection[str]) -> QuerySet[SyncRule]:
    mapped = FieldMapping.objects.filter(rule=OuterRef("pk"), active=True, hubspot__in=list(names))
    return rules.filter(Exists(mapped))


def refresh_schema(rule: SyncRule, transaction: Transaction = atomic) -> None:
    """Reads the portal's properties again when what we know is old, and its users where a mapping
    names owners.
    """
    connection = rule.hubspot
    if connection.schema_at is None or connection.schema_at < timezone.now() - SCHEMA_LIFETIME:
        target = make_target(connection)
        store_schema(connection, target.list_properties(), transaction)
        refresh_owners(rule, target, transaction)
    elif not connection.owners:
        refresh_owners(rule, None, transaction)


def refresh_owners(
    rule: SyncRule, target: ContactTarget | None, transaction: Transaction = atomic
) -> None:
    """Without the right to read them nobody's contact gets an owner; everything else goes on."""
    mapped = {row.hubspot for row in rule.mappings.all() if row.active}
    if fields.OWNER_ID_PROPERTY not in mapped:
        return
    try:
        rule.hubspot.owners = dict((target or make_target(rule.hubspot)).list_owners())
    except (LacksRight, Rejected, Gone) as refused:
        log.warning("no_owners", connection=rule.hubspot.slug, why=refused.detail)
        rule.hubspot.owners = {"": ""}  # asked for again with the properties, not with every slice
    with transaction():
        rule.hubspot.save(update_fields=["owners"])


def list_needed_properties(rule: SyncRule) -> list[PropertySpec]:
    """Those of our own properties that the rule needs: its keys, and those that it maps to."""
    mapped = {row.hubspot for row in rule.mappings.all() if row.active}
    keys = fields.KEY_PROPERTIES
    own = fields.OWN_PROPERTIES.values()
    return [*keys, *(spec for spec in own if spec.name in mapped and spec not in keys)]


def needs_own_properties(rule: SyncRule) -> bool:
    """Whether a property of ours that the rule needs is not there yet."""
    return any(spec.name not in rule.hubspot.schema for spec in list_needed_properties(rule))


def ensure_own_properties(rule: SyncRule, transaction: Transaction = atomic) -> list[str]:
    """Makes the missing ones of our own properties; returns their names.

    To be called on consent only. Without the right to make properties the rule goes by e-mail
    instead, and says so.
    """
    target, connection = make_target(rule.hubspot), rule.hubspot
    try:
        made = target.ensure_properties(list_needed_properties(rule))
    except (LacksRight, Rejected) as refused:
        log.warning("properties_not_made", connection=connection.slug, why=refused.detail)
        made = []
    if made or not connection.schema:
        store_schema(connection, target.list_properties(), transaction, made)
    offer_tag_options(rule, target, transaction)
    return made


def offer_tag_options(
    rule: SyncRule, target: ContactTarget, transaction: Transaction = atomic
) -> None:
    """The tags in scope become options of our tag property before the first card needs them."""
    name = fields.TAGS_PROPERTY.name
    mapped = [row for row in rule.mappings.all() if row.active and row.hubspot == name]
    prop = rule.hubspot.schema.get(name, {})
    if not any(row.sansan == TAGS_FIELD for row in mapped) or prop.get("kind") != "checkbox":
        return
    tags = Tag.objects.filter(connection_id=rule.sansan_id).exclude(type=Tag.Type.PRIVATE)
    chosen = tags.filter(selected=True)
    offered = (chosen if chosen.exists() else tags).order_by("pk")
    labels = offered.values_list("external_id", "name")[: settings.SYNC_MAX_TAGS]
    known = prop.get("options", {})
    wanted = [(id, label) for id, label in labels if id not in known]
    if wanted:
        target.add_options(name, wanted)
        with transaction():
            remember_options(rule.hubspot, name, dict(wanted))


def remember_options(connection: Connection, name: str, added: dict[str, str]) -> None:
    """In the caller's transaction."""
    connection.schema.setdefault(name, {}).setdefault("options", {}).update(added)
    connection.save(update_fields=["schema"])
