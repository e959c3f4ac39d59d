"""Trying a connection's credentials, and what is stored of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from django.utils import timezone

from integration.connections.credentials import make_source, make_target
from integration.connections.proof import find_other_portal, note_other_portal
from integration.connections.properties import store_schema
from integration.connections.tags import store_tags
from integration.connectors.base import ConnectorError, Reconnect
from integration.models import Connection
from integration.notes import note
from integration.records import Identity, PropertyRead, TagSeen


def ask_vendor(connection: Connection) -> Callable[[], None]:
    """Calls the vendor; what is returned stores what was seen, so that it can stand in the caller's
    transaction. Raises nothing: the result is in ``health``.
    """
    try:
        if connection.system == Connection.System.SANSAN:
            source = make_source(connection)
            identity, tags = source.check(), source.list_tags()
            return partial(store_check, connection, identity, tags=tags)
        target = make_target(connection)
        return partial(store_check, connection, target.check(), properties=target.list_properties())
    except ConnectorError as error:
        return partial(store_health, connection, find_health(error), error.detail)


def find_health(error: ConnectorError) -> Connection.Health:
    """What a vendor's refusal says of its connection."""
    if isinstance(error, Reconnect):
        return Connection.Health.RECONNECT
    return Connection.Health.UNREACHABLE


def store_check(
    connection: Connection,
    identity: Identity,
    tags: Sequence[TagSeen] = (),
    properties: Iterable[PropertyRead] = (),
) -> None:
    """The credentials work; notes whose they are and what they see.

    Of another HubSpot account than the one that people are linked to, nothing is taken over.
    """
    hubspot = connection.system == Connection.System.HUBSPOT
    connection.found_id = find_other_portal(connection, identity) if hubspot else ""
    connection.save(update_fields=["found_id"])
    if connection.found_id:
        wrong = note_other_portal(connection, connection.found_id)
        store_health(connection, Connection.Health.RECONNECT, wrong)
        return
    if connection.system == Connection.System.HUBSPOT:
        store_schema(connection, properties)
        detail = note("portal", name=identity.name)
    else:
        store_tags(connection, tags)
        detail = note("key_sees_tags", n=len(tags))
        if identity.name:
            detail = note("owner_sees_tags", name=identity.name, n=len(tags))
    connection.remote_name = identity.name[:200]
    connection.save(update_fields=["remote_name"])
    store_health(connection, Connection.Health.OK, detail, identity.id)


def store_health(connection: Connection, health: str, detail: str, remote_id: str = "") -> None:
    """``detail`` is a note of what the vendor answered."""
    connection.health, connection.health_detail = health, detail
    connection.tested_at = timezone.now()
    connection.remote_id = remote_id[:100] or connection.remote_id
    connection.save(update_fields=["health", "health_detail", "tested_at", "remote_id"])
