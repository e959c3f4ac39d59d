"""The tags that a Sansan key sees, as rows."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from integration.models import Connection, SyncRule, Tag
from integration.records import TagSeen


def store_tags(connection: Connection, tags: Iterable[TagSeen]) -> None:
    """A tag that became private is no longer selected; none is deleted, because cards and history
    name them.
    """
    now = timezone.now()
    had_selected = set(
        Tag.objects.filter(connection=connection, selected=True).values_list(
            "external_id", flat=True
        )
    )
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
        Tag.objects.filter(connection=connection, external_id__in=turned_private).update(
            selected=False
        )
        Tag.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["connection", "external_id"],
            update_fields=["name", "type", "seen_at"],
            batch_size=500,
        )
        if turned_private:
            SyncRule.objects.filter(sansan=connection).update(recheck=True)
