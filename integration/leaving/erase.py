"""An account leaves: everything it holds as one file, its credentials overwritten, its rows erased
in small pieces.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from time import monotonic
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import DEFAULT_DB_ALIAS, models, transaction
from django.db.models.functions import Cast
from django.utils import timezone

from core.history import Frozen
from core.models import Account, Departure, Membership, User
from core.tenancy import in_account
from integration.models import Connection, Sample

# Rows in one DELETE: a fraction of a second, as in leaving/retention.py.
ROWS_A_DELETE = 2000


def destroy_credentials(account: Account) -> int:
    """Overwrites the credentials of the account's connections and lets go of what was read with
    them; returns how many connections.
    """
    blank: dict[str, Any] = {
        "credentials": {},
        "hint": "",
        "health": Connection.Health.UNTESTED,
        "health_detail": "",
        "tested_at": None,
    }
    with in_account(account), transaction.atomic():
        Sample.objects.filter(account=account).delete()
        return Connection.objects.filter(account=account).update(
            **blank, survey={}, schema={}, schema_at=None
        )


def erase_piece(departure: Departure, account: Account, seconds: float) -> bool:
    """Erases the account's rows for about so long; True when nothing is left.

    May be killed at any moment and called again. Raises ValueError unless ``leaving_at`` is stored,
    and IntegrityError when somebody wrote new rows behind it: the next call finds them.
    """
    until = monotonic() + seconds
    departure.refresh_from_db()
    if departure.ended_at is not None:
        return True
    # As it is stored, not as the caller has it: the triggers of the audit log look there too.
    if not Account.objects.filter(pk=account.pk, leaving_at__isnull=False).exists():
        raise ValueError(f"{account.slug} is not being deleted.")
    for model, column in list_owned_models():
        while erase_chunk(departure, account, model, column):
            if departure.ended_at is None and monotonic() >= until:
                return False
    return True


def erase_chunk(
    departure: Departure, account: Account, model: type[models.Model], column: str
) -> int:
    """Deletes and counts, in one transaction, at most ROWS_A_DELETE rows of one table.

    Returns how many.
    """
    with transaction.atomic():
        stored = Departure.objects.select_for_update().get(pk=departure.pk)
        chunk = model._base_manager.filter(**{column: account.pk}).order_by("pk")
        if model is Membership:
            deactivate_lone_members(account)
        log = erase_admin_log(model, chunk[:ROWS_A_DELETE])
        gone = delete_rows_silently(
            model._base_manager.filter(pk__in=chunk.values("pk")[:ROWS_A_DELETE])
        )
        if gone:
            note_erased(stored, {model: gone, LogEntry: log}, ended=model is Account)
    departure.counts, departure.ended_at = stored.counts, stored.ended_at
    return gone


def note_erased(departure: Departure, gone: dict[type[models.Model], int], ended: bool) -> None:
    for model, rows in gone.items():
        if rows:
            table = model._meta.db_table
            departure.counts[table] = departure.counts.get(table, 0) + rows
    departure.ended_at = timezone.now() if ended else None
    departure.save(update_fields=["counts", "ended_at"])


def delete_rows_silently(rows: models.QuerySet[Any]) -> int:
    """One DELETE: nothing is read, no signal is sent, so no history is made of it."""
    return rows._raw_delete(DEFAULT_DB_ALIAS)


def deactivate_lone_members(account: Account) -> None:
    """A member of no other account can no longer sign in.

    Before the memberships go, because they say who it is.
    """
    elsewhere = Membership.objects.exclude(account=account).values("user")
    User.objects.filter(memberships__account=account, is_superuser=False).exclude(
        pk__in=elsewhere
    ).update(is_active=False)


def erase_admin_log(model: type[models.Model], chunk: models.QuerySet[Any]) -> int:
    """Deletes what Django's admin noted about these rows, or about the rows that these history rows
    tell of: it has their names.
    """
    subject, key = (model.instance_type, "id") if issubclass(model, Frozen) else (model, "pk")
    keys = chunk.annotate(told=Cast(key, models.TextField())).values("told")
    kind = {
        "content_type__app_label": subject._meta.app_label,
        "content_type__model": subject._meta.model_name,
    }
    return delete_rows_silently(LogEntry.objects.filter(**kind, object_id__in=keys))


def list_owned_models() -> list[tuple[type[models.Model], str]]:
    """Every model with rows of an account, and its column with the account's id; children before
    their parents, the account last.
    """
    found = {
        model: column
        for model in apps.get_models(include_auto_created=True)
        if (column := find_account_column(model))
    }
    parents = {
        model: [one for one in list_parents(model) if one in found and one is not model]
        for model in found
    }
    parents[Account.history.model].append(Account)
    return [
        (model, found[model]) for model in reversed([*TopologicalSorter(parents).static_order()])
    ]


def list_parents(model: type[models.Model]) -> list[Any]:
    return [field.related_model for field in model._meta.concrete_fields if field.is_relation]


def find_account_column(model: type[models.Model]) -> str | None:
    """None where the rows belong to no account. An account's history knows it by its key alone."""
    if model in (Account, Account.history.model):
        return "id"
    keys = [
        field.attname for field in model._meta.concrete_fields if field.related_model is Account
    ]
    return keys[0] if keys and not model._meta.proxy else None
