"""Links whose contacts are gone, or there again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from core.bulk import update_rows
from integration.models import Link
from integration.slice.desk import Desk

GONE_COLUMNS = ("gone", "gone_at", "written", "answered", "clashes", "choices")


def record_gone_contacts(
    desk: Desk, gone: Iterable[tuple[Link, str]], found: Iterable[Link] = ()
) -> None:
    """Notes of each link how its contact is gone, and of others that it is ``found`` again.

    In the caller's transaction.
    """
    now = desk.now()
    moved = [mark_gone(link, how, now) for link, how in gone]
    moved += [mark_found(link) for link in found]
    update_rows(Link, GONE_COLUMNS, moved, desk.rule.account_id)


def mark_gone(link: Link, how: str, now: datetime) -> tuple[Any, ...]:
    """The row that says that a contact is gone.

    Of one that was deleted for privacy nothing is kept but that it was.
    """
    link.gone, link.gone_at = how, now
    if how == Link.Gone.FORGOTTEN:
        link.written, link.answered, link.clashes, link.choices = {}, {}, {}, {}
    return make_gone_row(link)


def mark_found(link: Link) -> tuple[Any, ...]:
    """The row that says that a contact is there again."""
    link.gone, link.gone_at = "", None
    return make_gone_row(link)


def make_gone_row(link: Link) -> tuple[Any, ...]:
    """(primary key, GONE_COLUMNS ...)"""
    return link.pk, link.gone, link.gone_at, link.written, link.answered, link.clashes, link.choices
