"""The scope: every row hangs on an account, and a query or a write outside a scope raises.

Reads are kept by django-scopes. It does not guard writes, so the base model and queryset here do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import connection, models
from django.db.models import Case
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django_scopes import ScopedManager, get_scope, scope, scopes_disabled
from django_scopes.exceptions import ScopeError
from django_scopes.manager import DisabledQuerySet
from simple_history.manager import HistoryManager

from core.history import Frozen, HistoricalRecords, make_history
from core.models.account import Account
from core.switcher import find_chosen_account, select_seen_accounts

OwnedRow = TypeVar("OwnedRow", bound=models.Model)
# Keys that one query asks for.
KEYS_A_QUERY = 500

__all__ = [
    "AccountOwned",
    "AccountScopeMiddleware",
    "ScopeError",
    "all_accounts",
    "in_account",
    "make_owned_history",
]


def in_account(account: Account) -> AbstractContextManager[None]:
    """The scope of one account: what a task or a command opens before it does anything."""
    opened: AbstractContextManager[None] = scope(account=account)
    return opened


def all_accounts() -> AbstractContextManager[None]:
    """No scope.

    Only for what serves the whole platform: the tick, the superuser's pages, retention.
    """
    opened: AbstractContextManager[None] = scopes_disabled()
    return opened


def list_covered_accounts() -> list[int] | None:
    """Ids of the accounts that the open scope covers; None where it covers all.

    Raises ScopeError outside a scope.
    """
    current = get_scope()
    if not current.get("_enabled", True):
        return None
    if "account" not in current:
        raise ScopeError("A write needs the scope of an account.")
    accounts = current["account"]
    return [
        account.pk for account in (accounts if isinstance(accounts, (list, tuple)) else [accounts])
    ]


def check_write(account_id: int | None) -> None:
    """Raises ScopeError unless the open scope covers the account that is written to."""
    accounts = list_covered_accounts()
    if accounts is not None and account_id not in accounts:
        raise ScopeError("This write belongs to an account outside the open scope.")


@cache
def list_owned_keys(model: type[models.Model]) -> list[Any]:
    """The foreign keys of a model that point at rows of an account."""
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field.related_model, type) and issubclass(field.related_model, AccountOwned)
    ]


def check_keys(field: Any, keys: Iterable[Any], account_id: int | None) -> None:
    """Raises ScopeError unless every row that ``keys`` point at is of the account."""
    wanted = [key for key in set(keys) if key is not None]
    meta = field.related_model._meta
    for start in range(0, len(wanted), KEYS_A_QUERY):
        some = wanted[start : start + KEYS_A_QUERY]
        # Plain SQL: this is asked several times for every hundred records of a sync.
        marks = ", ".join(["%s"] * len(some))
        with connection.cursor() as cursor:
            sql = (
                f'SELECT COUNT(*) FROM "{meta.db_table}" WHERE "account_id" = %s AND '
                f'"{meta.pk.column}" IN ({marks})'
            )
            cursor.execute(sql, [account_id, *some])
            if cursor.fetchone()[0] != len(some):
                raise ScopeError(f"{field} points into another account.")


def check_rows(rows: Iterable[Any], fields: Iterable[Any] | None = None) -> None:
    """Raises ScopeError unless the scope covers the rows' accounts and all their foreign keys stay
    inside them.
    """
    by_account: dict[int | None, list[Any]] = {}
    for row in rows:
        by_account.setdefault(row.account_id, []).append(row)
    for account_id, some in by_account.items():
        check_write(account_id)
        model: type[models.Model] = type(some[0])
        for field in list_owned_keys(model) if fields is None else fields:
            check_keys(field, {getattr(row, field.attname) for row in some}, account_id)


class GuardedQuerySet(models.QuerySet[OwnedRow]):
    """Writes of many rows at once, kept inside their accounts like the single ones."""

    def bulk_create(self, objs: Iterable[OwnedRow], *args: Any, **kwargs: Any) -> list[OwnedRow]:
        objs = list(objs)
        check_rows(objs)
        return super().bulk_create(objs, *args, **kwargs)

    def bulk_update(
        self, objs: Iterable[OwnedRow], fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> int:
        objs, fields = list(objs), list(fields)
        check_rows(objs, [field for field in list_owned_keys(self.model) if field.name in fields])
        return super().bulk_update(objs, fields, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        if "account" in kwargs or "account_id" in kwargs:
            raise ScopeError("A row never moves to another account.")
        for field in list_owned_keys(self.model):
            self._check_target(field, kwargs.get(field.name, kwargs.get(field.attname)))
        return super().update(**kwargs)

    def _check_target(self, field: Any, value: Any) -> None:
        """A foreign key may be set to one row, of the account of all the rows it is set on."""
        if value is None or isinstance(
            value, Case
        ):  # bulk_update has checked what it wraps in CASE
            return
        accounts = list_covered_accounts()
        if accounts is None or len(accounts) != 1:
            accounts = list(self.order_by().values_list("account_id", flat=True).distinct())
        for account_id in accounts:
            check_keys(field, [getattr(value, "pk", value)], account_id)


class ClosedQuerySet(DisabledQuerySet):
    """What a manager gives outside a scope. django-scopes leaves these open."""

    exists = bulk_create = bulk_update = explain = DisabledQuerySet.error


if TYPE_CHECKING:
    ScopedRows = models.Manager
else:
    # Made while the program runs: to whoever reads the types it is a manager like any other.
    ScopedRows = type(
        ScopedManager(
            account="account", _manager_class=models.Manager.from_queryset(GuardedQuerySet)
        )
    )


class AccountManager(ScopedRows[OwnedRow]):
    """Rows of the open scope only; outside one, nothing but an error."""

    def get_queryset(self) -> models.QuerySet[OwnedRow]:
        rows = super().get_queryset()
        if isinstance(rows, DisabledQuerySet):
            return ClosedQuerySet(self.model, using=self._db, missing_scopes=rows.missing_scopes)
        return rows


class AccountOwned(models.Model):
    """Base of every model that belongs to an account."""

    # Each model has the indexes that its questions need. One on the account alone would be taken
    # for them, and read every row.
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="+", verbose_name=_("account"), db_index=False
    )

    objects = AccountManager()
    # As it is in the database; unknown of a row that is not there yet.
    _stored_account: int | None

    class Meta:
        abstract = True

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any
    ) -> Self:
        row = super().from_db(db, field_names, values, **kwargs)
        row._stored_account = row.__dict__.get("account_id")
        return row

    def save(self, *args: Any, **kwargs: Any) -> None:
        if getattr(self, "_stored_account", None) not in (None, self.account_id):
            raise ScopeError("A row never moves to another account.")
        only = kwargs.get("update_fields")
        check_rows(
            [self],
            None
            if only is None
            else [field for field in list_owned_keys(type(self)) if field.name in only],
        )
        super().save(*args, **kwargs)
        self._stored_account = self.account_id

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        check_write(self.account_id)
        return super().delete(*args, **kwargs)


class OwnedHistory(Frozen):
    """Base of the history of rows that belong to an account: read within the scope, like the
    rows.
    """

    objects = AccountManager()

    class Meta:
        abstract = True


class OwnedHistoryManager(HistoryManager):
    """``Model.history`` and ``row.history``: inside the scope, too."""

    def get_super_queryset(self) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_super_queryset()
        accounts = list_covered_accounts()
        return rows if accounts is None else rows.filter(account__in=accounts)


def make_owned_history(*left_out: str) -> HistoricalRecords:
    return make_history(*left_out, bases=(OwnedHistory,), manager=OwnedHistoryManager)


class AccountScopeMiddleware:
    """Opens the scope of the signed-in user's accounts for the length of the request, or of the one
    that was chosen; nobody has none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            request.user.is_authenticated
            and request.user.is_superuser
            and find_chosen_account(request) is None
        ):
            with all_accounts():
                return self.get_response(request)
        with scope(account=list(select_seen_accounts(request))):
            return self.get_response(request)
