"""From a Connection to a connector: decrypt, build."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from core.encryption import InvalidToken
from integration.connectors import registry
from integration.connectors.base import CardSource, ContactTarget, Reconnect
from integration.limiter import limiter_for
from integration.models import Connection


def connector_for(connection: Connection) -> Any:
    """The connector of either system. Raises Reconnect when the stored credentials cannot be used."""
    try:
        secret = connection.secret
    except InvalidToken:
        raise Reconnect(
            f"{connection.system}_reconnect",
            "The stored key cannot be decrypted: FERNET_KEYS lacks the key it was encrypted with.",
            connection.system,
        ) from None
    if not secret:
        raise Reconnect(f"{connection.system}_reconnect", "No key has been entered.", connection.system)
    limiter = limiter_for(connection)
    if connection.system == Connection.System.SANSAN:
        return registry.sansan(connection.credentials, settings.SANSAN_API_URL, settings.SANSAN_API_VERSION, limiter)
    return registry.hubspot(connection.credentials, settings.HUBSPOT_API_URL, settings.HUBSPOT_API_VERSION, limiter)


def source_for(connection: Connection) -> CardSource:
    source: CardSource = connector_for(connection)
    return source


def target_for(connection: Connection) -> ContactTarget:
    target: ContactTarget = connector_for(connection)
    return target
