"""From a Connection to a connector: decrypt, refresh where tokens end, build."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from core.encryption import InvalidToken
from integration.connections.limiter import SEARCH_KIND, make_limiter
from integration.connectors.base import CardSource, ContactTarget, Reconnect
from integration.connectors.hubspot.oauth import HubSpotOAuth
from integration.connectors.registry import make_hubspot, make_sansan
from integration.models import Connection
from integration.notes import note

# Seconds: no slice begins with a token that ends within it.
TOKEN_MARGIN = 120


def make_connector(connection: Connection) -> Any:
    """The connector of either system.

    Raises Reconnect when the stored credentials cannot be used.
    """
    try:
        secret = connection.secret
    except InvalidToken:
        lost = note("key_not_decrypted")
        raise Reconnect(f"{connection.system}_reconnect", lost, connection.system) from None
    if connection.system == Connection.System.HUBSPOT and needs_tokens(connection.credentials):
        secret = fetch_tokens(connection)
    if not secret:
        raise Reconnect(f"{connection.system}_reconnect", note("no_key"), connection.system)
    limiter = make_limiter(connection)
    if connection.system == Connection.System.SANSAN:
        return make_sansan(
            connection.credentials, settings.SANSAN_API_URL, settings.SANSAN_API_VERSION, limiter
        )
    return make_hubspot(
        connection.credentials,
        settings.HUBSPOT_API_URL,
        version=settings.HUBSPOT_API_VERSION,
        limiter=limiter,
        searches=make_limiter(connection, SEARCH_KIND),
    )


def needs_tokens(credentials: Mapping[str, Any]) -> bool:
    """OAuth only: the code is still to be exchanged, or the access token ends soon.

    By the clock: a 401 is no reliable sign.
    """
    return "code" in credentials or (
        "refresh_token" in credentials and credentials["expires_at"] < time.time() + TOKEN_MARGIN
    )


def fetch_tokens(connection: Connection) -> str:
    """Fresh tokens, stored before they are used. Raises Reconnect or RetryLater.

    No lock is held over the call: a refresh token may be used twice, and a code that somebody else
    has just exchanged is found by reading the row again.
    """
    app = HubSpotOAuth(
        settings.HUBSPOT_CLIENT_ID,
        settings.HUBSPOT_CLIENT_SECRET,
        settings.HUBSPOT_API_URL,
        settings.HUBSPOT_API_VERSION,
    )
    given = connection.credentials
    try:
        tokens = (
            app.exchange(given["code"], given["redirect_uri"])
            if "code" in given
            else app.refresh(given["refresh_token"])
        )
    except Reconnect:
        connection.refresh_from_db(fields=["credentials"])
        if needs_tokens(connection.credentials):
            raise
        return connection.secret
    connection.credentials = {
        **{name: value for name, value in given.items() if name == "webhook_secret"},
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": time.time() + tokens.expires_in,
    }
    connection.save(update_fields=["credentials"])
    return connection.secret


def make_source(connection: Connection) -> CardSource:
    source: CardSource = make_connector(connection)
    return source


def make_target(connection: Connection) -> ContactTarget:
    target: ContactTarget = make_connector(connection)
    return target
