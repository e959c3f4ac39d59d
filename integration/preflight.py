"""What must hold on the vendors' side before anything is written: keys that work, tags known, properties there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from integration.budget import RunHeld
from integration.connectors.base import ConnectorError, ContactTarget, Gone, LacksRight, Reconnect, Rejected
from integration.connectors.hubspot import fields
from integration.credentials import make_source, make_target
from integration.desk import Desk, as_plan_row, name_tags
from integration.models import Connection, SyncRule, Tag
from integration.planning.decisions import Decision
from integration.planning.fit import find_mapping_problem
from integration.planning.rules import TAGS
from integration.pool import Work
from integration.records import Identity, PropertyRead, TagSeen

log = structlog.get_logger()

SCHEMA_LIFETIME = timedelta(hours=1)


def check_connection(connection: Connection) -> Connection:
    """Tries the credentials and stores what was seen. Raises nothing: the result is in ``health``."""
    ask_vendor(connection)()
    return connection


def ask_vendor(connection: Connection) -> Callable[[], None]:
    """Calls the vendor; what is returned stores what was seen, so that it can stand in the caller's transaction."""
    try:
        if connection.system == Connection.System.SANSAN:
            source = make_source(connection)
            identity, tags = source.check(), source.tags()
            return partial(store_check, connection, identity, tags=tags)
        target = make_target(connection)
        return partial(store_check, connection, target.check(), properties=target.properties())
    except ConnectorError as error:
        health = Connection.Health.RECONNECT if isinstance(error, Reconnect) else Connection.Health.UNREACHABLE
        return partial(store_health, connection, health, error.detail)


def store_check(connection: Connection, identity: Identity, tags: Sequence[TagSeen] = (), properties: Iterable[PropertyRead] = ()) -> None:
    """The credentials work; notes whose they are and what they see."""
    if connection.system == Connection.System.SANSAN:
        store_tags(connection, tags)
        detail = f"{identity.name or 'The key'} sees {len(tags)} tags."
    else:
        store_schema(connection, properties)
        detail = f"Portal {identity.name}."
    connection.remote_name = identity.name[:200]
    connection.save(update_fields=["remote_name"])
    store_health(connection, Connection.Health.OK, detail, identity.id)


def store_health(connection: Connection, health: str, detail: str, remote_id: str = "") -> None:
    connection.health, connection.health_detail, connection.tested_at = health, detail[:500], timezone.now()
    connection.remote_id = remote_id[:100] or connection.remote_id
    connection.save(update_fields=["health", "health_detail", "tested_at", "remote_id"])


def find_twins(connection: Connection) -> QuerySet[Connection]:
    """Other connections to the same HubSpot account that rules go by. Contacts are told apart by connection: with two, each would be two people."""
    used = SyncRule.objects.filter(hubspot=OuterRef("pk")).exclude(state=SyncRule.State.DRAFT)
    same = Connection.objects.filter(account=connection.account_id, system=Connection.System.HUBSPOT, remote_id=connection.remote_id)
    return same.exclude(pk=connection.pk).exclude(remote_id="").filter(Exists(used)).order_by("pk")


def refuse_twin(rule: SyncRule) -> None:
    """Raises Held where an older connection to the same HubSpot account is in use: this one must not begin to write beside it."""
    if twin := find_twins(rule.hubspot).filter(pk__lt=rule.hubspot_id).first():
        raise RunHeld("same_portal", f"The connection {twin.slug} leads to the same HubSpot account, and other rules go by it.")


def refresh_tags(connection: Connection) -> None:
    """Reads every tag that the key sees."""
    store_tags(connection, make_source(connection).tags())


def store_tags(connection: Connection, tags: Iterable[TagSeen]) -> None:
    """A tag that became private is no longer selected; none is deleted, because cards and history name them."""
    now = timezone.now()
    had_selected = set(Tag.objects.filter(connection=connection, selected=True).values_list("external_id", flat=True))
    turned_private = {tag.id for tag in tags if tag.type == Tag.Type.PRIVATE} & had_selected
    rows = [
        Tag(
            account_id=connection.account_id,
            connection=connection,
            external_id=tag.id[:64],
            name=tag.name[:200],
            type=tag.type if tag.type in Tag.Type.values else Tag.Type.PUBLIC,
            seen_at=now,
        )
        for tag in tags
    ]
    with transaction.atomic():
        Tag.objects.filter(connection=connection, external_id__in=turned_private).update(selected=False)
        Tag.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["connection", "external_id"], update_fields=["name", "type", "seen_at"], batch_size=500
        )
        if turned_private:
            SyncRule.objects.filter(sansan=connection).update(recheck=True)


def store_schema(connection: Connection, properties: Iterable[PropertyRead]) -> None:
    connection.schema = {prop.name: fields.described(prop) for prop in properties}
    connection.link_property = fields.LINK_ID.name in connection.schema
    connection.schema_at = timezone.now()
    connection.save(update_fields=["schema", "schema_at", "link_property"])


def refresh_schema(rule: SyncRule) -> None:
    """Reads the portal's properties again when what we know is old, and its users where a mapping names owners."""
    connection = rule.hubspot
    if connection.schema_at is None or connection.schema_at < timezone.now() - SCHEMA_LIFETIME:
        target = make_target(connection)
        store_schema(connection, target.properties())
        refresh_owners(rule, target)
    elif not connection.owners:
        refresh_owners(rule, None)


def refresh_owners(rule: SyncRule, target: ContactTarget | None) -> None:
    """Without the right to read them nobody's contact gets an owner; everything else goes on."""
    if not any(row.hubspot == fields.OWNER for row in rule.mappings.all() if row.active):
        return
    try:
        rule.hubspot.owners = dict((target or make_target(rule.hubspot)).owners())
    except (LacksRight, Rejected, Gone) as refused:
        log.warning("no_owners", connection=rule.hubspot.slug, why=refused.detail)
        rule.hubspot.owners = {"": ""}  # asked for again with the properties, not with every slice
    rule.hubspot.save(update_fields=["owners"])


def lacks_own_properties(rule: SyncRule) -> bool:
    """Whether a property of ours that the rule needs is not there yet."""
    needed = {spec.name for spec in fields.KEYS} | {row.hubspot for row in rule.mappings.all() if row.active and row.hubspot in fields.OURS}
    return not needed <= set(rule.hubspot.schema)


def ensure_own_properties(rule: SyncRule) -> list[str]:
    """Makes the missing ones of our own properties; returns their names.

    To be called on consent only. Without the right to make properties the rule goes by e-mail instead, and says so.
    """
    mapped = {row.hubspot for row in rule.mappings.all() if row.active}
    specs = [*fields.KEYS, *(spec for name, spec in fields.OURS.items() if name in mapped and spec not in fields.KEYS)]
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
    for name in [row.hubspot for row in rule.mappings.all() if row.active and row.sansan == TAGS]:
        prop = rule.hubspot.schema.get(name, {})
        known = prop.get("options", {})
        wanted = [(id, label) for id, label in chosen.order_by("pk").values_list("external_id", "name")[: settings.SYNC_MAX_TAGS] if id not in known]
        if wanted and prop.get("kind") == "checkbox" and name == fields.TAGS.name:
            target.add_options(name, wanted)
            remember_options(rule.hubspot, name, dict(wanted))


def make_options(desk: Desk, decisions: Sequence[Decision]) -> Work:
    """Tag options that the coming writes need are made first: HubSpot refuses values that are not options."""
    for row in desk.plan_rule.mappings:
        if row.sansan != (TAGS,) or row.kind != "checkbox" or desk.run.is_preview:
            continue
        known = desk.rule.hubspot.schema.get(row.hubspot, {}).get("options", {})
        needed = {tag for one in decisions if one.writes for tag in one.after.get(row.hubspot, "").split(";") if tag and tag not in known}
        if not needed:
            continue
        names = name_tags(desk.keys, needed)
        wanted = [(tag, names.get(tag, tag)) for tag in sorted(needed)]
        try:
            yield lambda name=row.hubspot, wanted=wanted: desk.target.add_options(name, wanted)  # type: ignore[misc]
        except (Rejected, Gone, LacksRight) as refused:
            log.warning("options_not_made", rule=desk.rule.slug, property=row.hubspot, why=refused.detail)
            continue
        remember_options(desk.rule.hubspot, row.hubspot, dict(wanted))


def rename_options(desk: Desk) -> Work:
    """Options whose tag has another name by now. They go by the tag's id, so that no contact is touched; none is ever removed."""
    names = dict(Tag.objects.filter(connection_id=desk.rule.sansan_id).values_list("external_id", "name"))
    for row in desk.plan_rule.mappings:
        known = desk.rule.hubspot.schema.get(row.hubspot, {}).get("options", {}) if row.sansan == (TAGS,) and row.kind == "checkbox" else {}
        renamed = [(id, names[id]) for id, label in known.items() if names.get(id, label) != label]
        if renamed:
            yield lambda name=row.hubspot, renamed=renamed: desk.target.add_options(name, renamed)  # type: ignore[misc]
            remember_options(desk.rule.hubspot, row.hubspot, dict(renamed))


def remember_options(connection: Connection, name: str, added: dict[str, str]) -> None:
    connection.schema.setdefault(name, {}).setdefault("options", {}).update(added)
    connection.save(update_fields=["schema"])


def list_mapping_problems(rule: SyncRule, preview: bool = False) -> list[tuple[str, str]]:
    """(reason, sentence) of each mapping that cannot work against the properties the portal has; a preview counts ours as made."""
    schema = rule.hubspot.schema
    if not schema:
        return []
    if preview:
        schema = {**fields.DESCRIBED, **schema}
    found = (find_mapping_problem(as_plan_row(row, schema), schema) for row in rule.mappings.all() if row.active)
    return [problem for problem in found if problem]
