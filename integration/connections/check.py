"""What must hold on the vendors' side before anything is written: keys that work, tags known,
properties there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import structlog
from django.utils import timezone

from integration.connections.credentials import make_source, make_target
from integration.connections.properties import store_schema
from integration.connections.tags import store_tags
from integration.connectors.base import ConnectorError, Reconnect
from integration.models import Connection
from integration.records import Identity, PropertyRead, TagSeen

log = structlog.get_logger()


def check_connection(connection: Connection) -> Connection:
    """Tries the credentials and stores what was seen.

    Raises nothing: the result is in ``health``.
    """
    ask_vendor(connection)()
    return connection


def ask_vendor(connection: Connection) -> Callable[[], None]:
    """Calls the vendor; what is returned stores what was seen, so that it can stand in the caller's
    transaction.
    """
    try:
        if connection.system == Connection.System.SANSAN:
            source = make_source(connection)
            identity, tags = source.check(), source.tags()
            return partial(store_check, connection, identity, tags=tags)
        target = make_target(connection)
        return partial(store_check, connection, target.check(), properties=target.properties())
    except ConnectorError as error:
        health = (
            Connection.Health.RECONNECT
            if isinstance(error, Reconnect)
            else Connection.Health.UNREACHABLE
        )
        return partial(store_health, connection, health, error.detail)


def store_check(
    connection: Connection,
    identity: Identity,
    tags: Sequence[TagSeen] = (),
    properties: Iterable[PropertyRead] = (),
) -> None:
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
    connection.health, connection.health_detail, connection.tested_at = (
        health,
        detail[:500],
        timezone.now(),
    )
    connection.remote_id = remote_id[:100] or connection.remote_id
    connection.save(update_fields=["health", "health_detail", "tested_at", "remote_id"])


def refresh_tags(connection: Connection) -> None:
    """Reads every tag that the key sees."""
    store_tags(connection, make_source(connection).tags())
