"""Cards, contacts and rules of the few people these tests are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integration.planning.normalize import is_email, normalize_email
from integration.planning.rule import Filter, MappingRow, Rule
from integration.planning.snapshot import Card, LinkView, Snapshot
from integration.records import ContactRead

ROWS = (
    MappingRow(("lastName",), "lastname"),
    MappingRow(("firstName",), "firstname"),
    MappingRow(("email",), "email", transform="email", kind="email"),
    MappingRow(("companyName",), "company"),
    MappingRow(("title",), "jobtitle"),
    MappingRow(("tel",), "phone", kind="phone"),
    MappingRow(("tags",), "sansan_tags", kind="checkbox"),
)
AIKO = {
    "lastName": "森",
    "firstName": "愛子",
    "email": "aiko@acme.example.jp",
    "companyName": "アクメ株式会社",
}
BEN = {
    "lastName": "原",
    "firstName": "弁",
    "email": "ben@acme.example.jp",
    "companyName": "アクメ株式会社",
}
CHIE = {
    "lastName": "辻",
    "firstName": "千恵",
    "email": "chie@beta.example.jp",
    "companyName": "ベータ有限会社",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def card(
    record: int = 1,
    values: dict[str, str] | None = None,
    *,
    day: str = "2026-04-01",
    changed: str = "2026-04-02",
    **more: Any,
) -> Card:
    """``more`` is a member of Card, or else a field of the card."""
    members = {
        name: more.pop(name)
        for name in tuple(more)
        if name in Card.__dataclass_fields__ and name not in ("values", "email")
    }
    fields = {
        name: str(value) for name, value in {**(AIKO if values is None else values), **more}.items()
    }
    folded = normalize_email(fields.get("email", ""))
    email = folded if is_email(folded) else ""
    return Card(record, f"C{record}", fields, at(changed), exchanged_on=day, email=email, **members)


def contact(
    id: str = "101", values: dict[str, str] | None = None, modified: str = "2026-04-03", **more: str
) -> ContactRead:
    return ContactRead(id, {**(values or {}), **more}, at(modified))


def rule(*rows: MappingRow, **members: Any) -> Rule:
    return Rule(rows or ROWS, **members)


def row(sansan: str, hubspot: str, **members: Any) -> MappingRow:
    return MappingRow(tuple(sansan.split("+")), hubspot, **members)


def policy(name: str, policy: str, clear: bool = False) -> tuple[MappingRow, ...]:
    """The usual rows, one of them with another update policy."""
    return tuple(
        replace(one, policy=policy, clear=clear) if one.hubspot == name else one for one in ROWS
    )


def only(field: str, op: str, value: str = "") -> tuple[Filter, ...]:
    return (Filter(field, op, value),)


def snapshot(
    *cards: Card, links: tuple[LinkView, ...] = (), contacts: tuple[ContactRead, ...] = ()
) -> Snapshot:
    by_email = {one.values["email"]: one.id for one in contacts if one.values.get("email")}
    return Snapshot(
        tuple(cards),
        {link.key: link for link in links},
        {one.id: one for one in contacts},
        by_email,
    )
