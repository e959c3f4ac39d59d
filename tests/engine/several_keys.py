"""Two rules over a few cards of one's own, which two tenants may see apart."""

from __future__ import annotations

from typing import Any

import pytest

from core.tenancy import in_account
from integration.models import Record, SyncRule
from integration.sandbox.server import Sandbox
from integration.sandbox.wire import Request
from tests.cast import TOKEN, sync

TITLE = {"sansan": "title", "hubspot": "jobtitle"}
ANA = {
    "lastName": "森",
    "firstName": "愛",
    "email": "ana@acme.example.jp",
    "companyName": "森商店",
    "title": "課長",
    "exchangeDate": "2025-01-01",
}


@pytest.fixture
def empty(sandbox_of: Any) -> Any:
    return sandbox_of(0)


@pytest.fixture
def only(empty: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Card id -> the one key that sees it: two tenants."""
    seen: dict[str, str] = {}
    shown = empty.sansan._shown

    def by_key(card: dict[str, Any], request: Request) -> bool:
        key = request.headers["x-sansan-api-key"]
        return seen.get(card["id"], key) == key and shown(card, request)

    monkeypatch.setattr(empty.sansan, "_shown", by_key)
    return seen


def add(sandbox: Any, only: dict[str, str], key: str, **values: Any) -> str:
    id = str(sandbox.sansan.add({**ANA, **values})["id"])
    only[id] = key
    return id


def contacts(sandbox: Any, token: str = TOKEN) -> list[dict[str, str]]:
    return list(sandbox.hubspot.portal(token).contacts.values())


def by_name(sandbox: Any) -> dict[str, dict[str, str]]:
    return {one["lastname"]: one for one in contacts(sandbox)}


def rests(sandbox: Any, *rules: SyncRule) -> None:
    """A second and a third full run of each write nothing to either vendor."""
    before = sandbox.sansan.changes, sandbox.hubspot.changes
    for _ in range(2):
        for rule in rules:
            assert sync(rule, full=True).state == "succeeded"
    assert (sandbox.sansan.changes, sandbox.hubspot.changes) == before


def stands(rule: SyncRule, card: str) -> tuple[str, str]:
    with in_account(rule.account):
        record = Record.objects.get(rule=rule, external_id=card)
        return record.bucket, record.reason


def edited(sandbox: Any, **properties: str) -> None:
    sandbox.hubspot.control(
        "edit",
        {"token": TOKEN, "id": contacts(sandbox)[0]["hs_object_id"], "properties": properties},
    )
