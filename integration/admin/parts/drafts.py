"""Drafts of rules that a person may go on with."""

from __future__ import annotations

from django.db.models import QuerySet

from integration.admin.setup.steps import RuleState
from integration.models import SyncRule


def select_open_drafts() -> QuerySet[SyncRule]:
    """Those that somebody may still go on with."""
    return SyncRule.objects.filter(state=RuleState.DRAFT, discarded_at__isnull=True).select_related(
        "account"
    )
