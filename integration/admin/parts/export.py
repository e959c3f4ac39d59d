"""The audit log as CSV: streamed, so that a million entries need no more memory than a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from core.admin.paginator import list_accounts_in_scope
from integration.leaving.sheet import BYTE_ORDER_MARK, write_cell, write_csv

EXPORT_COLUMNS = (
    "id",
    "planned_at",
    "account__slug",
    "rule__slug",
    "run",
    "run__kind",
    "card_id",
    "contact_id",
    "link_key",
    "name",
    "email",
    "decision",
    "reason",
    "detail",
    "outcome",
    "attempt",
    "before",
    "after",
    "origin",
    "changed_at",
    "read_at",
    "sent_at",
    "closed_at",
)
EXPORT_ROWS_A_CHUNK = 2000


def as_csv(entries: QuerySet[Any]) -> StreamingHttpResponse:
    """Must be called inside the request's scope: the generator runs after it has ended, on
    querysets that carry its filter.
    """
    # Each account apart: an index gives its entries in order, where several together would be
    # sorted first.
    parts = [entries.filter(account_id=account) for account in list_accounts_in_scope(entries)] or [
        entries
    ]
    response = StreamingHttpResponse(
        stream_csv_lines([part.values_list(*EXPORT_COLUMNS) for part in parts]),
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = (
        f'attachment; filename="audit-log-{timezone.localtime():%Y%m%d-%H%M%S}.csv"'
    )
    response["Cache-Control"] = "no-store"
    return response


def stream_csv_lines(parts: Iterable[QuerySet[Any]]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + write_csv(
        [
            [
                name.replace("__", "_")
                .replace("account_slug", "account")
                .replace("rule_slug", "rule")
                for name in EXPORT_COLUMNS
            ]
        ]
    )
    zone = timezone.get_current_timezone()
    for part in parts:
        rows: list[list[Any]] = []
        for values in part.iterator(chunk_size=EXPORT_ROWS_A_CHUNK):
            rows.append([write_cell(value, zone) for value in values])
            if len(rows) == EXPORT_ROWS_A_CHUNK:
                yield write_csv(rows)
                rows = []
        if rows:
            yield write_csv(rows)
