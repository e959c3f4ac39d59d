"""Rows as tests need them, made without asking any vendor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import override_settings
from django.utils import timezone

from core.models import Account
from core.tenancy import in_account
from integration.models import AuditEntry, Connection, Record, SyncRule, SyncRun


def account(slug: str = "acme", **values: Any) -> Account:
    return Account.objects.create(slug=slug, name=f"{slug.title()} KK", **values)


def connection(
    owner: Account, system: str = "hubspot", secret: str = "pat-invented-0001", **values: Any
) -> Connection:
    with in_account(owner):
        one = Connection(account=owner, slug=values.pop("slug", system), system=system, **values)
        one.set_secret(secret)
        one.save()
        return one


def rule(owner: Account, slug: str = "cards", **values: Any) -> SyncRule:
    with in_account(owner):
        there = {one.system: one for one in Connection.objects.select_related("account")}
    ends = {
        system: there.get(system) or connection(owner, system) for system in ("sansan", "hubspot")
    }
    with in_account(owner):
        return SyncRule.objects.create(account=owner, slug=slug, **ends, **values)


def run(of: SyncRule, **values: Any) -> SyncRun:
    with in_account(of.account):
        return SyncRun.objects.create(
            account=of.account, rule=of, **{"kind": "incremental", "trigger": "schedule", **values}
        )


def record(of: SyncRule, card: str, **values: Any) -> Record:
    now = timezone.now()
    with in_account(of.account):
        return Record.objects.create(
            account=of.account,
            rule=of,
            connection=of.sansan,
            external_id=card,
            digest="d",
            changed_at=now,
            read_at=now,
            **values,
        )


def entry(of: SyncRun, card: str = "C1", **values: Any) -> AuditEntry:
    with in_account(of.account):
        return AuditEntry.objects.create(
            account=of.account,
            run=of,
            rule=of.rule,
            record_id=1,
            card_id=card,
            decision="skip",
            reason="in_sync",
            **{"planned_at": timezone.now(), **values},
        )


@contextmanager
def fernet_keys(*keys: str) -> Iterator[None]:
    """The process as it would be with these FERNET_KEYS: a field reads them once."""
    field = Connection._meta.get_field("credentials")

    def forget() -> None:
        for name in ("keys", "fernet_keys", "fernet"):
            field.__dict__.pop(name, None)

    forget()
    try:
        with override_settings(FERNET_KEYS=list(keys)):
            yield
    finally:
        forget()
