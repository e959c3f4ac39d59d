"""The configuration file as plain values.

Every problem is told with the place in the file and what to do about it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from django.core.exceptions import ValidationError

from core.models.account import check_timezone
from integration.connectors.hubspot.fields import LINK_ID_PROPERTY
from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.models import FieldMapping, SyncRule
from integration.planning.expressions import ExpressionError, check_expression
from integration.planning.filters import OPERATORS
from integration.planning.transforms import TRANSFORMS
from integration.rules.node import Node

# DESIGN section 6: (Sansan field or fields, HubSpot property, transform)
DEFAULT_MAPPINGS = (
    ("lastName", "lastname", ""),
    ("firstName", "firstname", ""),
    ("email", "email", "email"),
    ("companyName", "company", ""),
    ("title", "jobtitle", ""),
    ("departmentName", "sansan_department", ""),
    ("tel", "phone", ""),
    ("mobile", "mobilephone", ""),
    ("fax", "fax", ""),
    ("postalCode", "zip", ""),
    ("prefecture", "state", ""),
    ("city", "city", ""),
    ("street,building", "address", ""),
    ("countryCode", "country", ""),
    ("url", "website", ""),
    ("exchangeDate", "sansan_exchange_date", "date"),
    ("tags", "sansan_tags", ""),
)
SECRET_NAMES = {"sansan": "api_key", "hubspot": "access_token"}
# Which tags are in scope is said at the connection.
FILTER_FIELDS = tuple(name for name in SANSAN_FIELDS if name != "tags")
PROPERTY_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
SHORTEST_INTERVAL, LONGEST_INTERVAL = 5, 86_400  # seconds
LONGEST_FULL_EVERY = 8760  # hours
LONGEST_SWEEP_EVERY = 10_080  # minutes
MOST_CARDS_A_DAY = 100_000
LIMIT_NAMES = ("creates", "updates")
ROW_COLUMNS = (
    "sansan",
    "hubspot",
    "expression",
    "transform",
    "table",
    "others",
    "policy",
    "clear",
    "active",
    "direction",
    "conflict",
)


class FileRefused(Exception):
    """The file cannot be put into effect; ``problems`` are sentences that name the place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class ConnectionSpec:
    slug: str
    system: str
    secret: str
    tags: tuple[str, ...]
    rate: tuple[int | None, float | None]
    place: str
    webhook_secret: str = ""  # "": what is stored stays


@dataclass(frozen=True)
class RuleSpec:
    slug: str
    sansan: str
    hubspot: str
    active: bool
    place: str
    fields: Mapping[str, Any]  # the columns of SyncRule that the file decides
    mappings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Configuration:
    slug: str
    name: str
    timezone: str
    connections: tuple[ConnectionSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = field(default=())


def load_file(path: Path) -> Configuration:
    """Raises Refused."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as wrong:
        raise FileRefused([f"{path}: cannot be read: {wrong}"]) from None
    except yaml.YAMLError as wrong:
        # Not the whole of the error: it quotes the line, which may hold a key.
        mark = getattr(wrong, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FileRefused(
            [
                (
                    f"{path}: is not YAML{place}: "
                    f"{getattr(wrong, 'problem', None) or 'it cannot be read'}."
                )
            ]
        ) from None
    return read_configuration(content, os.environ)


def read_configuration(content: Any, environment: Mapping[str, str]) -> Configuration:
    """A configuration from the decoded file, ``${NAME}`` filled in from the environment.

    Raises Refused with every problem.
    """
    problems: list[str] = []
    top = Node(content, "", problems, environment)
    account = top.node("account")
    account.only("slug", "name", "timezone")
    configuration = Configuration(
        account.slug("slug"),
        account.text("name") or account.text("slug"),
        account.checked("timezone", "Asia/Tokyo", find_timezone_problem),
        tuple(read_connection(node) for node in top.nodes("connections")),
        tuple(read_rule(node) for node in top.nodes("rules")),
    )
    top.only("account", "connections", "rules")
    check_names(configuration, problems)
    if problems:
        raise FileRefused(problems)
    return configuration


def check_names(configuration: Configuration, problems: list[str]) -> None:
    """What can only be told from the whole file: names that are used twice, and names that are not
    there.
    """
    for kind, specs in (("connections", configuration.connections), ("rules", configuration.rules)):
        slugs = [spec.slug for spec in specs]
        problems += [
            f"{kind}: the slug “{slug}” is used twice."
            for slug in sorted({slug for slug in slugs if slug and slugs.count(slug) > 1})
        ]
    systems = {spec.slug: spec.system for spec in configuration.connections}
    for spec in configuration.rules:
        for system, slug in (("sansan", spec.sansan), ("hubspot", spec.hubspot)):
            if slug and systems.get(slug) != system:
                there = ", ".join(name for name, its in systems.items() if its == system) or "none"
                problems.append(
                    f"{spec.place}.{system}: “{slug}” is not a {system} connection of this file "
                    f"(there is: {there})."
                )


def read_connection(node: Node) -> ConnectionSpec:
    node.only("slug", "system", "credentials", "tags", "rate")
    system = node.choice("system", tuple(SECRET_NAMES))
    credentials = node.node("credentials")
    name = SECRET_NAMES.get(system, "api_key")
    credentials.only(name, *(["webhook_secret"] if system == "hubspot" else []))
    tags = node.strings("tags")
    if tags and system == "hubspot":
        node.problem("tags", "belong to a Sansan connection.")
    secret, hook = credentials.text(name), credentials.text("webhook_secret", required=False)
    return ConnectionSpec(
        node.slug("slug"), system, secret, tags, read_rate(node), node.place, hook
    )


def read_rate(node: Node) -> tuple[int | None, float | None]:
    """``rate: off`` means no limit at all, for a sandbox; ``{calls, seconds}`` a limit of one's
    own.
    """
    if node.value.get("rate") is None:
        return None, None
    if node.value["rate"] is False:  # YAML reads `off` as false
        return 0, None
    limit = node.node("rate")
    limit.only("calls", "seconds")
    # Without seconds: the vendor's own window.
    return int(limit.number("calls", 0)) or None, float(limit.number("seconds", 0)) or None


def read_rule(node: Node) -> RuleSpec:
    node.only(
        "slug",
        "sansan",
        "hubspot",
        "direction",
        "active",
        "require_email",
        "conflict",
        "filters",
        "limits",
        "mappings",
        "interval",
        "full_every",
        "filters_mean",
        "when_gone",
        "companies",
        "cards_a_day",
        "marker",
        "sweep_every",
    )
    direction = node.choice(
        "direction", tuple(SyncRule.Direction.values), SyncRule.Direction.TO_HUBSPOT
    )
    limits = node.node("limits", {})
    limits.only(*LIMIT_NAMES)
    filters = node.node("filters", {})
    filters.only("cards", "contacts")
    fields = {
        "direction": direction,
        "require_email": node.boolean("require_email", True),
        "conflict": node.choice(
            "conflict", tuple(SyncRule.Conflict.values), SyncRule.Conflict.SANSAN
        ),
        "filters": {
            side: [read_filter(row, side) for row in filters.nodes(side)]
            for side in ("cards", "contacts")
        },
        "limits": {
            name: int(limits.number(name, 0)) for name in LIMIT_NAMES if name in limits.value
        },
        "filters_mean": node.choice(
            "filters_mean", tuple(SyncRule.FiltersMean.values), SyncRule.FiltersMean.LEAVE
        ),
        "interval": int(node.number("interval", 25, SHORTEST_INTERVAL, LONGEST_INTERVAL)),
        "full_every": int(node.number("full_every", 24, most=LONGEST_FULL_EVERY)),
        "when_gone": node.choice(
            "when_gone", tuple(SyncRule.WhenGone.values), SyncRule.WhenGone.TELL
        ),
        "companies": node.choice(
            "companies", tuple(SyncRule.Companies.values), SyncRule.Companies.NONE
        ),
        "card_cap": int(node.number("cards_a_day", 500, most=MOST_CARDS_A_DAY)),
        "marker": node.text("marker", required=False),
        "sweep_every": int(node.number("sweep_every", 10, most=LONGEST_SWEEP_EVERY)),
    }
    return RuleSpec(
        node.slug("slug"),
        node.text("sansan"),
        node.text("hubspot"),
        node.boolean("active", False),
        node.place,
        fields,
        read_mappings(node),
    )


def read_filter(row: Node, side: str) -> dict[str, str]:
    row.only("field", "op", "value")
    name = row.choice("field", FILTER_FIELDS) if side == "cards" else row.text("field")
    return {
        "field": name,
        "op": row.choice("op", tuple(OPERATORS)),
        "value": row.text("value", required=False),
    }


def read_mappings(node: Node) -> tuple[dict[str, Any], ...]:
    given = node.value.get("mappings", "default")
    if given == "default":
        return make_default_mappings()
    # Both `mappings: [...]` and `mappings: {rows: [...]}` say the same.
    rows = tuple(
        read_mapping(row)
        for row in (
            node.node("mappings").nodes("rows")
            if isinstance(given, dict)
            else node.nodes("mappings")
        )
    )
    names = [row["hubspot"] for row in rows]
    for name in sorted({name for name in names if names.count(name) > 1}):
        node.problem("mappings", f"“{name}” is mapped twice.")
    return rows


def make_default_mappings() -> tuple[dict[str, Any], ...]:
    """Rows as ``mapping`` reads them."""
    return tuple(
        # The tags' property is nobody's but ours: without tags it is empty.
        {
            "sansan": sansan,
            "hubspot": hubspot,
            "expression": "",
            "transform": transform,
            "table": [],
            "others": FieldMapping.Others.KEEP,
            "policy": FieldMapping.Policy.ALWAYS,
            "clear": sansan == "tags",
            "active": True,
            "direction": FieldMapping.Direction.BOTH,
            "conflict": "",
        }
        for sansan, hubspot, transform in DEFAULT_MAPPINGS
    )


def read_mapping(row: Node) -> dict[str, Any]:
    row.only(*ROW_COLUMNS)
    expression = row.checked("expression", "", find_expression_problem, required=False)
    names = [
        part.strip()
        for part in row.text("sansan", required=not expression).split(",")
        if part.strip()
    ]
    if expression and names:
        row.problem("sansan", "stands in the expression: leave it out here.")
    for problem in list_field_problems(names):
        row.problem("sansan", problem)
    return {
        "sansan": ",".join(names),
        "hubspot": row.checked("hubspot", "", find_property_problem),
        "expression": expression,
        "transform": row.choice("transform", tuple(TRANSFORMS), ""),
        "table": read_value_table(row),
        "others": row.choice("others", tuple(FieldMapping.Others.values), FieldMapping.Others.KEEP),
        "policy": row.choice(
            "policy", tuple(FieldMapping.Policy.values), FieldMapping.Policy.ALWAYS
        ),
        "clear": row.boolean("clear", False),
        "active": row.boolean("active", True),
        "direction": row.choice(
            "direction", tuple(FieldMapping.Direction.values), FieldMapping.Direction.BOTH
        ),
        "conflict": row.choice("conflict", ("", *SyncRule.Conflict.values), ""),
    }


def list_field_problems(names: list[str]) -> list[str]:
    unknown = [
        f"“{name}” is not a field of a card; the fields are {', '.join(SANSAN_FIELDS)}."
        for name in names
        if name not in SANSAN_FIELDS
    ]
    return unknown + (
        ["tags cannot be joined with other fields."] if "tags" in names and len(names) > 1 else []
    )


def read_value_table(row: Node) -> list[list[str]]:
    """``table: {部長: Manager}``, or a list of pairs as the export writes it."""
    given = row.value.get("table") or []
    pairs = list(given.items()) if isinstance(given, dict) else given
    if not isinstance(pairs, list) or not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs
    ):
        row.problem("table", "must be a mapping (card's value: property's value).")
        return []
    return [["" if part is None else str(part) for part in pair] for pair in pairs]


def find_expression_problem(text: str) -> str:
    try:
        check_expression(text, tuple(SANSAN_FIELDS))
    except ExpressionError as wrong:
        return str(wrong)
    return ""


def find_timezone_problem(name: str) -> str:
    try:
        check_timezone(name)
    except ValidationError as wrong:
        return str(wrong.messages[0])
    return ""


def find_property_problem(name: str) -> str:
    if name == LINK_ID_PROPERTY.name:
        return "is our own key and cannot be mapped."
    return (
        ""
        if PROPERTY_NAME.fullmatch(name)
        else f"“{name}” is not the internal name of a property (small letters, digits and _)."
    )


__all__ = [
    "DEFAULT_MAPPINGS",
    "Configuration",
    "ConnectionSpec",
    "FileRefused",
    "RuleSpec",
    "load_file",
    "make_default_mappings",
    "read_configuration",
]
