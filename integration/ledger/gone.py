"""Links whose contacts are gone, or there again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from core.bulk import update_rows
from integration.ledger.rows import GoneLink
from integration.models import Link
from integration.slice.desk import Desk


def record_gone_contacts(
    desk: Desk, gone: Iterable[tuple[Link, str]], found: Iterable[Link] = ()
) -> None:
    """Notes of each link how its contact is gone, and of others that it is ``found`` again.

    In the caller's transaction.
    """
    now = desk.now()
    rows = [mark_gone(link, how, now) for link, how in gone]
    rows += [mark_found(link) for link in found]
    update_rows(Link, rows, desk.rule.account_id)


def mark_gone(link: Link, how: str, now: datetime) -> GoneLink:
    """Of a contact that was deleted for privacy nothing is kept but that it was."""
    link.gone, link.gone_at = how, now
    if how == Link.Gone.FORGOTTEN:
        link.written, link.answered, link.clashes, link.choices = {}, {}, {}, {}
    return as_gone_link(link)


def mark_found(link: Link) -> GoneLink:
    link.gone, link.gone_at = "", None
    return as_gone_link(link)


def as_gone_link(link: Link) -> GoneLink:
    return GoneLink(
        id=link.pk,
        gone=link.gone,
        gone_at=link.gone_at,
        written=link.written,
        answered=link.answered,
        clashes=link.clashes,
        choices=link.choices,
    )


def record_told_forgotten(desk: Desk, contact_ids: Iterable[str]) -> None:
    """HubSpot has told of a privacy deletion, and still shows the contact.

    In the caller's transaction.
    """
    links = Link.objects.filter(hubspot=desk.rule.hubspot, contact_id__in=list(contact_ids))
    links.filter(gone="").update(gone_at=desk.now())
