"""Old audit entries go, in small pieces, when their account's retention has ended. Nothing else is
ever deleted from history.

The set-up's sampled cards go after a week: they are nobody's record."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.models import Account
from integration.models import AuditEntry, Sample

# Rows in one DELETE: a fraction of a second, so that a tick does it in passing.
ENTRIES_A_DELETE = 2000
SAMPLES_KEPT = timedelta(days=7)


def sweep_history(now: datetime) -> int:
    """Deletes at most a piece an account; returns how many.

    To be called without a scope, every half minute.
    """
    gone = 0
    Sample.objects.filter(read_at__lt=now - SAMPLES_KEPT).delete()
    for account in Account.objects.all():
        ended = now - timedelta(days=account.retention_days, minutes=1)
        # An entry is planned before it is closed, and only the former is in an index.
        old = AuditEntry.objects.filter(account=account, planned_at__lt=ended, closed_at__lt=ended)
        ids = list(old.order_by("planned_at").values_list("pk", flat=True)[:ENTRIES_A_DELETE])
        if ids:
            gone += AuditEntry.objects.filter(pk__in=ids).delete()[0]
    return gone
