"""Who plays in the tests: Aiko owns Acme, Ben is on her team, Chie is of another account."""

from __future__ import annotations

import os
from typing import Any

from core.models import Account, Membership, Role, User
from core.tenancy import in_account
from integration.models import SyncRule, SyncRun
from integration.rules.apply_file import ask_vendors, make_properties, store_configuration
from integration.rules.file import read_configuration
from integration.runs import start_run, work_slice

KEY = "TestKey0123456789abcdefABCDEF012"
TOKEN = "pat-test-0001"
PASSWORD = "correct horse battery"


def file(
    slug: str = "acme",
    tags: list[str] | None = None,
    key: str = KEY,
    token: str = TOKEN,
    **rule: Any,
) -> dict[str, Any]:
    """A configuration file as decoded YAML; no rate limit, because the sandbox of a test has
    none.
    """
    return {
        "account": {"slug": slug, "name": slug.title() + " KK", "timezone": "Asia/Tokyo"},
        "connections": [
            {
                "slug": "sansan",
                "system": "sansan",
                "credentials": {"api_key": key},
                "tags": tags or [],
                "rate": False,
            },
            {
                "slug": "hubspot",
                "system": "hubspot",
                "credentials": {"access_token": token},
                "rate": False,
            },
        ],
        "rules": [
            {"slug": "cards", "sansan": "sansan", "hubspot": "hubspot", "active": True, **rule}
        ],
    }


def configured(content: dict[str, Any]) -> SyncRule:
    """Puts a configuration into effect and returns its (first) rule, with everything that a run
    looks at.
    """
    read = read_configuration(content, os.environ)
    store_configuration(read, ask_vendors(read))
    make_properties(read)
    with in_account(Account.objects.get(slug=read.slug)):
        return SyncRule.objects.select_related(
            "account", "sansan__account", "hubspot__account"
        ).get(slug=read.rules[0].slug)


def sync(rule: SyncRule, slices: int = 50, **how: bool) -> SyncRun:
    """One run to its end, as the command works it, but without waiting."""
    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.COMMAND, "test", **how)
        for _ in range(slices):
            if work_slice(run.pk, 60.0).done:
                break
        else:
            raise AssertionError("the run does not end")
        return SyncRun.objects.select_related("rule").get(pk=run.pk)


def member(name: str, account: Account, role: str = Role.OWNER) -> User:
    user = User.objects.create_user(
        name, f"{name}@{account.slug}.example.jp", PASSWORD, is_staff=True
    )
    Membership.objects.create(user=user, account=account, role=role)
    return user
