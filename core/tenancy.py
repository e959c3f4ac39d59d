"""The scope: every row hangs on an account, and a query or a write outside a scope raises.

Reads are kept by django-scopes. It does not guard writes, so the base model and queryset here do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django_scopes import ScopedManager, get_scope, scope, scopes_disabled
from django_scopes.exceptions import ScopeError

from core.models.account import Account

__all__ = ["AccountOwned", "AccountScopeMiddleware", "ScopeError", "all_accounts", "in_account"]


def in_account(account: Account) -> AbstractContextManager[None]:
    """The scope of one account: what a task or a command opens before it does anything."""
    return scope(account=account)


def all_accounts() -> AbstractContextManager[None]:
    """No scope. Only for what serves the whole platform: the tick, the superuser's pages, retention."""
    return scopes_disabled()


def check_write(account_id: int | None) -> None:
    """Raises ScopeError unless the open scope covers the account that is written to."""
    current = get_scope()
    if not current.get("_enabled", True):
        return
    if "account" not in current:
        raise ScopeError("A write needs the scope of an account.")
    allowed = current["account"]
    allowed = allowed if isinstance(allowed, (list, tuple)) else [allowed]
    if account_id not in {account.pk for account in allowed}:
        raise ScopeError("This write belongs to an account outside the open scope.")


class GuardedQuerySet(models.QuerySet[Any]):
    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        objs = list(objs)
        for account_id in {obj.account_id for obj in objs}:
            check_write(account_id)
        return super().bulk_create(objs, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        if "account" in kwargs or "account_id" in kwargs:
            raise ScopeError("A row never moves to another account.")
        return super().update(**kwargs)


class AccountOwned(models.Model):
    """Base of every model that belongs to an account."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+", verbose_name=_("account"))

    objects = ScopedManager(account="account", _manager_class=models.Manager.from_queryset(GuardedQuerySet))

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        check_write(self.account_id)
        self.check_relations()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        check_write(self.account_id)
        return super().delete(*args, **kwargs)

    def check_relations(self) -> None:
        """Raises ScopeError when a foreign key points into another account."""
        for field in self._meta.concrete_fields:
            related = field.related_model
            if not (isinstance(related, type) and issubclass(related, AccountOwned)):
                continue
            key = getattr(self, field.attname)
            if key is not None and not related._base_manager.filter(pk=key, account_id=self.account_id).exists():
                raise ScopeError(f"{self._meta.label}.{field.name} points into another account.")


class AccountScopeMiddleware:
    """Opens the scope of the signed-in user's accounts for the length of the request; nobody has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated and user.is_superuser:
            with all_accounts():
                return self.get_response(request)
        accounts = list(Account.objects.filter(memberships__user=user)) if user.is_authenticated else []
        with scope(account=accounts):
            return self.get_response(request)
