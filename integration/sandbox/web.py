"""What people would see at either vendor in a browser: one card, one contact.

For the links of a demo; no program reads these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from integration.sandbox.vendors import Vendors
from integration.sandbox.wire import Request, Response

CONTACT_PAGE_PATH = re.compile(r"/contacts/(?P<portal>\d+)/record/0-1/(?P<id>\d+)")
CARD_PAGE_PATH = re.compile(r"/cards/(?P<id>[0-9A-F]{32})")


def open_record_page(sandbox: Vendors, request: Request) -> Response | None:
    """None for any other address."""
    contact, card = (
        CONTACT_PAGE_PATH.fullmatch(request.path),
        CARD_PAGE_PATH.fullmatch(request.path),
    )
    if request.method != "GET" or not (contact or card):
        return None
    if card:
        return render_record_page("Sansan sandbox", sandbox.sansan.cards.get(card["id"]))
    assert contact
    portal = next(
        (one for one in sandbox.hubspot.portals.values() if str(one.id) == contact["portal"]), None
    )
    return render_record_page(
        "HubSpot sandbox", portal.contacts.get(portal.find(contact["id"]) or "") if portal else None
    )


def render_record_page(title: str, values: Mapping[str, Any] | None) -> Response:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in (values or {}).items()
        if value
    )
    body = f"<table>{rows}</table>" if values else "<p>There is no such record, or no more.</p>"
    style = (
        "body{font:16px/1.5 sans-serif;margin:2rem auto;max-width:60rem;padding:0 "
        "1rem}th{text-align:left;padding-right:2rem;font-weight:500}"
    )
    html = (
        "<!doctype html><meta "
        f'charset="utf-8"><title>{title}</title><style>{style}</style><h1>{title}</h1>{body}'
    )
    return Response(200 if values else 404, html.encode(), content_type="text/html; charset=utf-8")
