"""A change of what decides about cards: every card is looked at again, and what was previewed
before tells nothing any more. The next run is a full one (``runs.choose_kind``), which takes up
every card that it reads (``intake/cards.py``).
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.history import keep_history, update_with_history
from integration.models import Connection, SyncRule, SyncRun, Tag
from integration.notes import note

RuleState = SyncRule.State
# Why a rule is paused while somebody changes it.
BEING_CHANGED = note("being_changed")


def require_recheck(rule: SyncRule) -> None:
    """After any change of a rule's connections, mappings, filters or policies."""
    SyncRule.objects.filter(pk=rule.pk).update(changed_at=timezone.now(), recheck=True)
    end_runs(rule, preview=True)
    rule.refresh_from_db(fields=["changed_at", "recheck"])


def find_chosen_tags(rule: SyncRule) -> set[str]:
    """Ids of the tags that the rule goes by: those chosen in its set-up, or the selected ones.

    None at all means every card.
    """
    if rule.picked_tags is not None:
        return set(rule.picked_tags)
    return set(
        Tag.objects.filter(connection=rule.sansan_id, selected=True).values_list(
            "external_id", flat=True
        )
    )


def pick_tags(rule: SyncRule, ids: set[str]) -> bool:
    """Keeps a choice of tags until it is saved; whether it is another one than before."""
    if ids == find_chosen_tags(rule):
        return False
    rule.picked_tags = None
    rule.picked_tags = None if ids == find_chosen_tags(rule) else sorted(ids)
    rule.save(update_fields=["picked_tags"])
    return True


def list_rules_by_tags(rule: SyncRule) -> list[str]:
    """The running rules that a saved choice of tags would change, too: they read through the same
    connection.
    """
    if rule.picked_tags is None:
        return []
    others = SyncRule.objects.filter(sansan=rule.sansan_id, state=RuleState.ACTIVE).exclude(
        pk=rule.pk
    )
    return list(others.order_by("slug").values_list("slug", flat=True))


def save_tags(rule: SyncRule) -> bool:
    """Selects exactly what was chosen; to be called in a transaction.

    False where a chosen tag is not to be had any more.
    """
    if rule.picked_tags is None:
        return True
    Connection.objects.select_for_update().only("pk").get(pk=rule.sansan_id)
    wanted, tags = set(rule.picked_tags), list(Tag.objects.filter(connection=rule.sansan_id))
    if not wanted <= {tag.external_id for tag in tags if tag.type != Tag.Type.PRIVATE}:
        return False
    moved = [tag for tag in tags if tag.selected != (tag.external_id in wanted)]
    for tag in moved:
        tag.selected = tag.external_id in wanted
    update_with_history(moved, ["selected"])
    rule.picked_tags = None
    rule.save(update_fields=["picked_tags"])
    if moved:
        # The rule itself was told when they were picked.
        require_recheck_of_readers(rule.sansan, but=rule.pk)
    return True


def require_recheck_of_readers(connection: Connection, but: int = 0) -> None:
    """After a change of the selected tags: they are every rule's that reads through the
    connection.
    """
    for rule in (
        SyncRule.objects.filter(sansan=connection)
        .exclude(pk=but)
        .only("pk", "account_id", "hubspot_id")
    ):
        require_recheck(rule)


def pause_rule_for_change(rule: SyncRule, user: Any) -> bool:
    """Stops an active rule and its open run, so that nothing of a new configuration is written
    before somebody reviewed it.
    """
    with transaction.atomic():
        paused = SyncRule.objects.filter(pk=rule.pk, state=RuleState.ACTIVE).update(
            state=RuleState.PAUSED, state_reason=BEING_CHANGED
        )
        ended = end_runs(rule, preview=False)
        rule.refresh_from_db(fields=["state", "state_reason"])
        if paused:
            keep_history([rule], user, _("Paused to be changed"))
    return bool(paused or ended)


def end_runs(rule: SyncRule, preview: bool) -> int:
    """Ends the open run of this kind.

    Its lease is taken away, so that a slice under way writes nothing more; what is left stays due.
    """
    open_runs = SyncRun.objects.filter(rule=rule, state__in=SyncRun.OPEN)
    kind = SyncRun.Kind.PREVIEW
    mine = open_runs.filter(kind=kind) if preview else open_runs.exclude(kind=kind)
    ended = mine.update(state=SyncRun.State.FAILED, reason="superseded", ended_at=timezone.now())
    if ended:
        Connection.objects.filter(pk=rule.hubspot_id).update(lease_token="", lease_until=None)
    return int(ended)
