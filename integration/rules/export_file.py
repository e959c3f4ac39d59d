"""The account's configuration, as a file would say it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count
from typing import Any

from core.models import Account
from integration.models import Connection, SyncRule, Tag
from integration.rules.file import ROW_COLUMNS, SECRET_NAMES, make_default_mappings
from integration.rules.options import FILTER_SIDES, RULE_OPTIONS


def as_file_content(account: Account) -> dict[str, Any]:
    """The account's configuration as the file would say it, secrets as ``${NAME}``."""
    connections = Connection.objects.defer("credentials").order_by("system", "slug")
    return {
        "account": {"slug": account.slug, "name": account.name, "timezone": account.timezone},
        "connections": as_file_connections(
            sorted(connections, key=lambda one: (one.system != "sansan", one.slug))
        ),
        "rules": [
            as_file_rule(rule)
            for rule in SyncRule.objects.select_related("sansan", "hubspot").order_by("slug")
        ],
    }


def as_file_connections(connections: Iterable[Connection]) -> list[dict[str, Any]]:
    """Each with an environment variable of its own, though two slugs may differ only in what a
    variable cannot say.
    """
    rows, taken = [], set[str]()
    for connection in connections:
        variable = plain = name_variable(connection)
        for n in count(2):
            if variable not in taken:
                break
            variable = f"{plain}_{n}"
        taken.add(variable)
        rows.append(as_file_connection(connection, variable))
    return rows


def name_variable(connection: Connection) -> str:
    name = re.sub(
        r"\W",
        "_",
        f"{connection.slug}_{'API_KEY' if connection.system == 'sansan' else 'TOKEN'}".upper(),
    )
    return f"{connection.system.upper()}_{name}" if name[0].isdigit() else name


def as_file_connection(connection: Connection, variable: str) -> dict[str, Any]:
    credentials = {SECRET_NAMES[connection.system]: f"${{{variable}}}"}
    row: dict[str, Any] = {
        "slug": connection.slug,
        "system": connection.system,
        "credentials": credentials,
    }
    tags = list(Tag.objects.filter(connection=connection).order_by("name", "external_id"))
    names = [tag.name for tag in tags if tag.type != Tag.Type.PRIVATE]
    chosen = [
        tag.name if names.count(tag.name) == 1 else tag.external_id for tag in tags if tag.selected
    ]
    if chosen:
        row["tags"] = chosen
    if connection.rate_calls is not None:
        seconds = {} if connection.rate_seconds is None else {"seconds": connection.rate_seconds}
        row["rate"] = (
            {"calls": connection.rate_calls, **seconds} if connection.rate_calls else False
        )
    return row


def as_file_mapping(row: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing, so that a file stays readable."""
    quiet = {"expression": "", "table": [], "others": "keep", "direction": "both", "conflict": ""}
    shown = {
        name: value for name, value in row.items() if name not in quiet or value != quiet[name]
    }
    if row["expression"]:
        del shown["sansan"]
    return shown


def as_file_rule(rule: SyncRule) -> dict[str, Any]:
    rows = [
        {name: getattr(row, name) for name in ROW_COLUMNS}
        for row in rule.mappings.order_by("position")
    ]
    options = {option.name: getattr(rule, option.column) for option in RULE_OPTIONS}
    options["filters"] = {**{side: [] for side in FILTER_SIDES}, **rule.filters}
    return {
        "slug": rule.slug,
        "sansan": rule.sansan.slug,
        "hubspot": rule.hubspot.slug,
        "direction": rule.direction,
        "active": rule.state in (SyncRule.State.ACTIVE, SyncRule.State.HELD),
        **options,
        "mappings": "default"
        if tuple(rows) == make_default_mappings()
        else [as_file_mapping(row) for row in rows],
    }
