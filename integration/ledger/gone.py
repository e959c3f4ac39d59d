"""Links whose contacts are gone, or there again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from core.bulk import update_rows
from integration.models import Link
from integration.planning.absence import judge_gone
from integration.slice.desk import Desk
from integration.slice.rows import Batch


def record_gone_contacts(desk: Desk, batch: Batch) -> None:
    """What the reading of a batch's contacts showed: some are gone, others are there again."""
    if desk.run.is_preview:
        for link in batch.links.values():
            link.gone = batch.gone.get(
                link.contact_id, "" if link.contact_id in batch.contacts else link.gone
            )
        return
    moved = []
    for link in batch.links.values():
        if link.contact_id in batch.contacts and link.gone:
            moved.append(mark_found(link))
        elif (how := batch.gone.get(link.contact_id, "")) and (
            news := judge_gone(link, how, desk.now())
        ):
            moved.append(mark_gone(link, news, desk.now()))
    if moved:
        with transaction.atomic():
            desk.lease.renew()
            update_rows(Link, GONE_COLUMNS, moved, desk.rule.account_id)


GONE_COLUMNS = ("gone", "gone_at", "written", "answered", "clashes", "choices")


def mark_gone(link: Link, how: str, now: datetime) -> tuple[Any, ...]:
    """The row that says that a contact is gone.

    Of one that was deleted for privacy nothing is kept but that it was.
    """
    link.gone, link.gone_at = how, now
    if how == Link.Gone.FORGOTTEN:
        link.written, link.answered, link.clashes, link.choices = {}, {}, {}, {}
    return make_gone_row(link)


def mark_found(link: Link) -> tuple[Any, ...]:
    link.gone, link.gone_at = "", None
    return make_gone_row(link)


def make_gone_row(link: Link) -> tuple[Any, ...]:
    return link.pk, link.gone, link.gone_at, link.written, link.answered, link.clashes, link.choices
