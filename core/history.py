"""Who changed what in the configuration, when, and why: a row for each change, made by
django-simple-history.

Only what people decide is kept. What workers write on the same rows (cursors, health, leases) and
every secret is left out: of a key its mask is in the history, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _
from simple_history.manager import HistoryManager
from simple_history.models import HistoricalRecords
from simple_history.signals import pre_create_historical_record
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

if TYPE_CHECKING:
    from core.models import User

__all__ = [
    "Frozen",
    "HistoricalRecords",
    "Tracked",
    "create_with_history",
    "give_reason",
    "keep_history",
    "make_history",
    "update_with_history",
]


class Frozen(models.Model):
    """Base of every history row: the name of who did it outlives the user."""

    # What the rows tell of; simple_history sets it.
    instance_type: ClassVar[type[models.Model]]

    who = models.CharField(_("who"), max_length=150, default="")

    class Meta:
        abstract = True


def make_history(
    *left_out: str, bases: tuple[type[models.Model], ...] = (Frozen,), manager: Any = HistoryManager
) -> HistoricalRecords:
    """The history of a model, without the columns that no person decides."""
    why = models.CharField(_("reason"), max_length=500, null=True)
    return HistoricalRecords(
        excluded_fields=list(left_out),
        bases=bases,
        history_manager=manager,
        history_change_reason_field=why,
    )


class Tracked(models.Model):
    """For models with a ``history``: a save of other columns than the kept ones leaves no row in
    it.
    """

    history: ClassVar[Any]
    # What the library looks for on a row: who is changing it, and why.
    _history_user: User
    _change_reason: str | None

    class Meta:
        abstract = True

    @classmethod
    def list_kept_fields(cls) -> set[str]:
        return {field.name for field in cls.history.model.tracked_fields}

    def save(self, *args: Any, **kwargs: Any) -> None:
        only = kwargs.get("update_fields")
        if only is None or self.list_kept_fields().intersection(only):
            super().save(*args, **kwargs)
            return
        self.skip_history_when_saving = True
        try:
            super().save(*args, **kwargs)
        finally:
            del self.skip_history_when_saving


@receiver(pre_create_historical_record)
def freeze_name(sender: Any, history_instance: Any, **kwargs: Any) -> None:
    user = history_instance.history_user
    history_instance.who = history_instance.who or (user.get_username() if user else "")


def give_reason(row: Any, reason: str) -> Any:
    """Gives the reason that the row's next change is kept with; returns the row."""
    row._change_reason = reason[:500] or None
    return row


def keep_history(rows: Iterable[Any], user: Any, reason: str = "") -> None:
    """Keeps how rows stand after an UPDATE that went around ``save``."""
    rows = list(rows)
    if rows:
        type(rows[0]).history.bulk_history_create(
            rows, update=True, **make_history_arguments(user, reason)
        )


def create_with_history(rows: list[Any], reason: str = "") -> None:
    if rows:
        bulk_create_with_history(
            rows, type(rows[0]), **make_history_arguments(find_asking_user(), reason)
        )


def update_with_history(rows: list[Any], fields: list[str], reason: str = "") -> None:
    if rows:
        bulk_update_with_history(
            rows, type(rows[0]), fields, **make_history_arguments(find_asking_user(), reason)
        )


def find_asking_user() -> Any:
    """The user of the request that is being answered; None in commands and workers."""
    return getattr(getattr(HistoricalRecords.context, "request", None), "user", None)


def make_history_arguments(user: Any, reason: str) -> dict[str, Any]:
    """For many rows at once the library sends no signal, so that the name is given here."""
    known = user if getattr(user, "pk", None) else None
    who = {"who": known.get_username() if known else ""}
    return {
        "default_user": known,
        "default_change_reason": reason[:500] or None,
        "custom_historical_attrs": who,
    }
