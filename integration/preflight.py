"""What must hold on the vendors' side before anything is written: keys that work, tags known, properties there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog
from django.utils import timezone

from integration.connectors.base import ConnectorError, Gone, Reconnect, Rejected, RetryLater
from integration.connectors.hubspot import fields
from integration.credentials import source_for, target_for
from integration.desk import Desk
from integration.models import Connection, SyncRule, Tag
from integration.planning.decisions import Decision
from integration.planning.rules import TAGS
from integration.pool import Work
from integration.records import PropertyRead

log = structlog.get_logger()

SCHEMA_LIVES = timedelta(hours=1)
# Property types that take any text. Others take it only through a transform that makes their form.
TEXT_TYPES = ("string", "phone_number")


def check_connection(connection: Connection) -> Connection:
    """Tries the credentials and stores what was seen. Raises nothing: the result is in ``health``."""
    try:
        if connection.system == Connection.System.SANSAN:
            identity, tags = source_for(connection).check(), len(refresh_tags(connection))
            detail = f"{identity.name or 'The key'} sees {tags} tags."
        else:
            target = target_for(connection)
            identity = target.check()
            store_schema(connection, target.properties())
            detail = f"{identity.name}, {len(connection.schema)} contact properties."
        seen(connection, Connection.Health.OK, detail, identity.id)
    except Reconnect as error:
        seen(connection, Connection.Health.RECONNECT, error.detail)
    except ConnectorError as error:
        seen(connection, Connection.Health.UNREACHABLE, error.detail)
    return connection


def seen(connection: Connection, health: str, detail: str, remote_id: str = "") -> None:
    connection.health, connection.health_detail, connection.tested_at = health, detail[:500], timezone.now()
    connection.remote_id = remote_id[:100] or connection.remote_id
    connection.save(update_fields=["health", "health_detail", "tested_at", "remote_id"])


def refresh_tags(connection: Connection) -> list[Tag]:
    """Reads every tag the key sees. A tag that became private is no longer selected; none is deleted."""
    now = timezone.now()
    have = {tag.external_id: tag for tag in Tag.objects.filter(connection=connection)}
    new = []
    for read in source_for(connection).tags():
        tag = have.get(read.id)
        if tag is None:
            new.append(Tag(account_id=connection.account_id, connection=connection, external_id=read.id, name=read.name, type=read.type or Tag.Type.PUBLIC, seen_at=now))
            continue
        tag.name, tag.type, tag.seen_at = read.name, read.type or tag.type, now
        tag.selected = tag.selected and tag.type != Tag.Type.PRIVATE
        tag.save()
    Tag.objects.bulk_create(new)
    return [*have.values(), *new]


def store_schema(connection: Connection, properties: Iterable[PropertyRead]) -> None:
    connection.schema = {
        prop.name: {
            "type": prop.type,
            "field_type": prop.field_type,
            "kind": fields.kind(prop),
            "read_only": prop.read_only,
            # Only of our own property: its options are kept in step; others can be long.
            "options": dict(prop.options) if prop.name == fields.TAGS.name else {},
        }
        for prop in properties
    }
    connection.link_property = fields.LINK_ID.name in connection.schema
    connection.schema_at = timezone.now()
    connection.save(update_fields=["schema", "schema_at", "link_property"])


def refresh_schema(connection: Connection) -> None:
    """Reads the portal's properties again when what we know is old."""
    if connection.schema_at is None or connection.schema_at < timezone.now() - SCHEMA_LIVES:
        store_schema(connection, target_for(connection).properties())


def ensure_properties(rule: SyncRule) -> list[str]:
    """Makes the missing ones of our own properties; returns their names.

    To be called on consent only. Without the right to make properties the rule goes by e-mail instead, and says so.
    """
    mapped = {row.hubspot for row in rule.mappings.all() if row.active}
    specs = [*fields.KEYS, *(spec for name, spec in fields.OURS.items() if name in mapped and spec not in fields.KEYS)]
    target, connection = target_for(rule.hubspot), rule.hubspot
    try:
        made = target.ensure_properties(specs)
    except (Reconnect, Rejected) as refused:
        if isinstance(refused, Reconnect) and refused.reason != "missing_scope":
            raise
        log.warning("properties_not_made", connection=connection.slug, why=refused.detail)
        made = []
    if made or not connection.schema:
        store_schema(connection, target.properties())
    return made


def options(desk: Desk, decisions: Sequence[Decision]) -> Work:
    """Tag options that the coming writes need are made first: HubSpot refuses values that are not options."""
    for row in desk.plan_rule.mappings:
        if row.sansan != (TAGS,) or row.kind != "checkbox" or desk.run.is_preview:
            continue
        known = desk.rule.hubspot.schema.get(row.hubspot, {}).get("options", {})
        needed = {tag for one in decisions if one.writes for tag in one.after.get(row.hubspot, "").split(";") if tag and tag not in known}
        if not needed:
            continue
        names = dict(Tag.objects.filter(connection_id=desk.rule.sansan_id, external_id__in=needed).values_list("external_id", "name"))
        wanted = [(tag, names.get(tag, tag)) for tag in sorted(needed)]
        try:
            yield lambda name=row.hubspot, wanted=wanted: desk.target.add_options(name, wanted)  # type: ignore[misc]
        except (Rejected, Gone) as refused:
            log.warning("options_not_made", rule=desk.rule.slug, property=row.hubspot, why=refused.detail)
            continue
        remember_options(desk.rule.hubspot, row.hubspot, dict(wanted))


def remember_options(connection: Connection, name: str, added: dict[str, str]) -> None:
    connection.schema.setdefault(name, {}).setdefault("options", {}).update(added)
    connection.save(update_fields=["schema"])


def mapping_problems(rule: SyncRule) -> list[tuple[str, str, str]]:
    """(reason, property, sentence) of each mapping that cannot work against the properties the portal has."""
    schema, problems = rule.hubspot.schema, []
    for row in rule.mappings.all():
        if not row.active or not schema:
            continue
        prop = schema.get(row.hubspot)
        if prop is None:
            problems.append(("unknown_property", row.hubspot, f"{row.hubspot}: HubSpot has no such contact property."))
        elif prop["read_only"]:
            problems.append(("read_only", row.hubspot, f"{row.hubspot}: HubSpot does not let this property be written."))
        elif not fits(row.sansan, row.transform, prop):
            problems.append(("wrong_type", row.hubspot, f"{row.hubspot}: a {prop['type']} property does not take the text of {row.sansan}."))
    return problems


def fits(sansan: str, transform: str, prop: dict[str, str]) -> bool:
    if prop["type"] in TEXT_TYPES:
        return True
    if prop["type"] == "date":
        return transform == "date" or sansan == "exchangeDate"
    if prop["type"] == "enumeration":
        return sansan == TAGS and prop["field_type"] == "checkbox"
    return False


__all__ = ["RetryLater", "check_connection", "ensure_properties", "mapping_problems", "options", "refresh_schema", "refresh_tags"]
