"""A change of what decides about cards: every card is looked at again, and what was previewed before tells nothing any more."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.history import noted
from integration.models import Connection, SyncRule, SyncRun

State = SyncRule.State


def changed(rule: SyncRule) -> None:
    """After any change of a rule's connections, mappings, filters or policies."""
    SyncRule.objects.filter(pk=rule.pk).update(changed_at=timezone.now(), recheck=True)
    end_runs(rule, preview=True)
    rule.refresh_from_db(fields=["changed_at", "recheck"])


def tags_changed(connection: Connection) -> None:
    """After a change of the selected tags: they are every rule's that reads through the connection."""
    for rule in SyncRule.objects.filter(sansan=connection).only("pk", "account_id", "hubspot_id"):
        changed(rule)


def pause_to_change(rule: SyncRule, user: Any) -> bool:
    """Stops an active rule and its open run, so that nothing of a new configuration is written before somebody reviewed it."""
    with transaction.atomic():
        why = _("Being changed: review it and save.")
        paused = SyncRule.objects.filter(pk=rule.pk, state=State.ACTIVE).update(state=State.PAUSED, state_reason=why)
        ended = end_runs(rule, preview=False)
        rule.refresh_from_db(fields=["state", "state_reason"])
        if paused:
            noted([rule], user, _("Paused to be changed"))
    return bool(paused or ended)


def end_runs(rule: SyncRule, preview: bool) -> int:
    """Ends the open run of this kind. Its lease is taken away, so that a slice under way writes nothing more; what is left stays due."""
    open_runs = SyncRun.objects.filter(rule=rule, state__in=SyncRun.OPEN)
    kind = SyncRun.Kind.PREVIEW
    mine = open_runs.filter(kind=kind) if preview else open_runs.exclude(kind=kind)
    ended = mine.update(state=SyncRun.State.FAILED, reason="superseded", ended_at=timezone.now())
    if ended:
        Connection.objects.filter(pk=rule.hubspot_id).update(lease_token="", lease_until=None)
    return int(ended)
