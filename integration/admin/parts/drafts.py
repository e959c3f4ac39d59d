"""Drafts of rules that a person may go on with."""

from __future__ import annotations

from django.db.models import QuerySet

from integration.models import SyncRule
from integration.rules.recheck import RuleState


def select_open_drafts() -> QuerySet[SyncRule]:
    """Those that somebody may still go on with."""
    return SyncRule.objects.filter(state=RuleState.DRAFT, discarded_at__isnull=True).select_related(
        "account"
    )
