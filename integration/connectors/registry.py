"""Which client speaks to which vendor, built from plain values."""

from __future__ import annotations

from collections.abc import Mapping

from integration.connectors.base import CardSource, ContactTarget
from integration.connectors.http import Limiter
from integration.connectors.hubspot.client import HubSpot
from integration.connectors.sansan.client import Sansan


def make_sansan(
    credentials: Mapping[str, str], url: str, version: str, limiter: Limiter
) -> CardSource:
    return Sansan(credentials["api_key"], url, version, limiter)


def make_hubspot(
    credentials: Mapping[str, str],
    url: str,
    version: str,
    limiter: Limiter,
    searches: Limiter | None = None,
) -> ContactTarget:
    return HubSpot(
        credentials["access_token"], url, version=version, limiter=limiter, searches=searches
    )
