"""What people do with single records: try them again, or say that one is never synced. The engine does the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone

from integration.models import Bucket, Record, SyncRule

# Where a record waits for something to change. A retry looks at it again at once.
RETRIED = (Bucket.FAILING, Bucket.HELD, Bucket.EXCLUDED, Bucket.MERGED, Bucket.LINKED, Bucket.WAITING)

# A run that has settled a record reads it once more. One that has it in hand counts that reading first (ledger.Book).
UNREAD = Case(When(due_at__isnull=True, then=Value(None)), default=F("run_id"))


def retry(records: QuerySet[Any]) -> int:
    """Makes records due now; returns how many. What the key no longer sees has nothing to be tried."""
    return records.filter(bucket__in=RETRIED).update(due_at=timezone.now(), run_id=UNREAD)


def retry_reason(rule: SyncRule, bucket: str, reason: str) -> int:
    return retry(Record.objects.filter(rule=rule, bucket=bucket, reason=reason))


def never_sync(records: Iterable[Record], why: str, who: str) -> int:
    """From now on these cards are left out, whatever they say; their contacts stay as they are."""
    now = timezone.now()
    said = {"why": why.strip()[:300] or "–", "by": who, "at": now.isoformat(timespec="seconds")}
    return Record.objects.filter(pk__in=[record.pk for record in records]).update(barred=said, due_at=now, run_id=UNREAD)


def sync_again(records: Iterable[Record]) -> int:
    return Record.objects.filter(pk__in=[record.pk for record in records]).update(barred=None, due_at=timezone.now(), run_id=UNREAD)
