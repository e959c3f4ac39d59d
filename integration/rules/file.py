"""The configuration file as plain values.

Every problem is told with the place in the file and what to do about it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from django.core.exceptions import ValidationError

from core.models.account import check_timezone
from integration.connectors.hubspot.fields import LINK_ID_PROPERTY
from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.models import FieldMapping, SyncRule
from integration.notes import note
from integration.planning.expressions import ExpressionError, check_expression
from integration.planning.transforms import TRANSFORMS
from integration.rules.node import OFF_WORDS, FileProblem, Node
from integration.rules.options import RULE_OPTIONS, read_option
from integration.rules.plain_yaml import load_plain_yaml

# The mappings that `standard` stands for: (Sansan field or fields, HubSpot property, transform)
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
    ("countryCode", "country", "country"),
    ("url", "website", ""),
    ("exchangeDate", "sansan_exchange_date", "date"),
    ("tags", "sansan_tags", ""),
)
SECRET_NAMES = {"sansan": "api_key", "hubspot": "access_token"}
PROPERTY_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
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
    """The file cannot be put into effect, because of ``problems``."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
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
    """Raises FileRefused."""
    try:
        content = load_plain_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as wrong:
        problem = note("file_unreadable", message=str(wrong))
        raise FileRefused([FileProblem(str(path), problem)]) from None
    except yaml.YAMLError as wrong:
        raise FileRefused([FileProblem(str(path), note_yaml_error(wrong))]) from None
    return read_configuration(content, os.environ)


def note_yaml_error(wrong: yaml.YAMLError) -> str:
    """Not the whole of the error: it quotes the line, which may hold a key."""
    mark = getattr(wrong, "problem_mark", None)
    message = getattr(wrong, "problem", None)
    if mark is None or not message:
        return note("not_yaml")
    return note("not_yaml_at", line=mark.line + 1, column=mark.column + 1, message=message)


def read_configuration(content: Any, environment: Mapping[str, str]) -> Configuration:
    """A configuration from the decoded file, ``${NAME}`` filled in from the environment.

    Raises FileRefused with every problem.
    """
    problems: list[FileProblem] = []
    top = Node(content, "", problems, environment)
    account = top.read_node("account")
    account.refuse_others("slug", "name", "timezone")
    configuration = Configuration(
        slug=account.read_slug("slug"),
        name=account.read_text("name") or account.read_text("slug"),
        timezone=account.read_checked("timezone", "Asia/Tokyo", find_timezone_problem),
        connections=tuple(read_connection(node) for node in top.read_nodes("connections")),
        rules=tuple(read_rule(node) for node in top.read_nodes("rules")),
    )
    top.refuse_others("account", "connections", "rules")
    problems += list_name_problems(configuration)
    if problems:
        raise FileRefused(problems)
    return configuration


def list_name_problems(configuration: Configuration) -> Iterator[FileProblem]:
    """What can only be told from the whole file: names that are used twice, and names that are not
    there.
    """
    for kind, specs in (("connections", configuration.connections), ("rules", configuration.rules)):
        uses = Counter(spec.slug for spec in specs if spec.slug)
        for slug in sorted(slug for slug, n in uses.items() if n > 1):
            yield FileProblem(kind, note("slug_used_twice", slug=slug))
    systems = {spec.slug: spec.system for spec in configuration.connections}
    for rule in configuration.rules:
        for system, slug in (("sansan", rule.sansan), ("hubspot", rule.hubspot)):
            if slug and systems.get(slug) != system:
                there = [name for name, its_system in systems.items() if its_system == system]
                names = ", ".join(there) or "none"
                problem = note("not_a_connection", slug=slug, system=system, names=names)
                yield FileProblem(f"{rule.place}.{system}", problem)


def read_connection(node: Node) -> ConnectionSpec:
    node.refuse_others("slug", "system", "credentials", "tags", "rate")
    system = node.read_choice("system", tuple(SECRET_NAMES))
    credentials = node.read_node("credentials")
    name = SECRET_NAMES.get(system, "api_key")
    credentials.refuse_others(name, *(["webhook_secret"] if system == "hubspot" else []))
    tags = node.read_strings("tags")
    if tags and system == "hubspot":
        node.add_problem("tags", "tags_of_sansan_only")
    return ConnectionSpec(
        slug=node.read_slug("slug"),
        system=system,
        secret=credentials.read_text(name),
        tags=tags,
        rate=read_rate(node),
        place=node.place,
        webhook_secret=credentials.read_text("webhook_secret", required=False),
    )


def read_rate(node: Node) -> tuple[int | None, float | None]:
    """``rate: off`` means no limit at all, for a sandbox; ``{calls, seconds}`` a limit of one's
    own.
    """
    if node.value.get("rate") is None:
        return None, None
    if node.value["rate"] in (False, *OFF_WORDS):
        return 0, None
    limit = node.read_node("rate")
    limit.refuse_others("calls", "seconds")
    # Without seconds: the vendor's own window.
    return int(limit.read_number("calls", 0)) or None, float(
        limit.read_number("seconds", 0)
    ) or None


def read_rule(node: Node) -> RuleSpec:
    options = [option.name for option in RULE_OPTIONS]
    node.refuse_others("slug", "sansan", "hubspot", "active", "mappings", *options)
    return RuleSpec(
        slug=node.read_slug("slug"),
        sansan=node.read_text("sansan"),
        hubspot=node.read_text("hubspot"),
        active=node.read_boolean("active", False),
        place=node.place,
        fields={option.column: option.read(node, option.name) for option in RULE_OPTIONS},
        mappings=read_mappings(node),
    )


def read_mappings(node: Node) -> tuple[dict[str, Any], ...]:
    given = node.value.get("mappings", "default")
    if given == "default":
        return make_default_mappings()
    # Both `mappings: [...]` and `mappings: {rows: [...]}` say the same.
    if isinstance(given, dict):
        nodes = node.read_node("mappings").read_nodes("rows")
    else:
        nodes = node.read_nodes("mappings")
    rows = tuple(read_mapping(row) for row in nodes)
    uses = Counter(row["hubspot"] for row in rows)
    for name in sorted(name for name, n in uses.items() if n > 1):
        node.add_problem("mappings", "mapped_twice", property=name)
    return rows


def make_default_mappings() -> tuple[dict[str, Any], ...]:
    """Rows as ``read_mapping`` reads them."""
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
    row.refuse_others(*ROW_COLUMNS)
    expression = row.read_checked("expression", "", find_expression_problem, required=False)
    parts = row.read_text("sansan", required=not expression).split(",")
    names = [part.strip() for part in parts if part.strip()]
    if expression and names:
        row.add_problem("sansan", "stands_in_expression")
    for problem in list_field_problems(names):
        row.problems.append(FileProblem(row.name_place("sansan"), problem))
    return {
        "sansan": ",".join(names),
        "hubspot": row.read_checked("hubspot", "", find_property_problem),
        "expression": expression,
        "transform": row.read_choice("transform", tuple(TRANSFORMS), ""),
        "table": read_value_table(row),
        "others": read_option(row, "others", FieldMapping.Others.KEEP),
        "policy": read_option(row, "policy", FieldMapping.Policy.ALWAYS),
        "clear": row.read_boolean("clear", False),
        "active": row.read_boolean("active", True),
        "direction": read_option(row, "direction", FieldMapping.Direction.BOTH),
        "conflict": row.read_choice("conflict", ("", *SyncRule.Conflict.values), ""),
    }


def list_field_problems(names: list[str]) -> list[str]:
    """What is wrong with the fields of a mapping, as notes."""
    known = ", ".join(SANSAN_FIELDS)
    unknown = [name for name in names if name not in SANSAN_FIELDS]
    problems = [note("not_a_field", value=name, names=known) for name in unknown]
    if "tags" in names and len(names) > 1:
        problems.append(note("tags_joined"))
    return problems


def read_value_table(row: Node) -> list[list[str]]:
    """``table: {部長: Manager}``, or a list of pairs as the export writes it."""
    given = row.value.get("table") or []
    pairs = list(given.items()) if isinstance(given, dict) else given
    if not isinstance(pairs, list) or not all(map(is_pair, pairs)):
        row.add_problem("table", "must_be_table")
        return []
    return [["" if part is None else str(part) for part in pair] for pair in pairs]


def is_pair(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    return not any(isinstance(part, (bool, dict, list)) for part in value)


def find_expression_problem(text: str) -> str:
    """As a note; "" where the expression can be used."""
    try:
        check_expression(text, tuple(SANSAN_FIELDS))
    except ExpressionError as wrong:
        return str(wrong)
    return ""


def find_timezone_problem(name: str) -> str:
    try:
        check_timezone(name)
    except ValidationError:
        return note("not_a_timezone", name=name)
    return ""


def find_property_problem(name: str) -> str:
    """As a note; "" where the name can be that of a property."""
    if name == LINK_ID_PROPERTY.name:
        return note("own_key", word=name)
    return "" if PROPERTY_NAME.fullmatch(name) else note("not_a_property_name", value=name)
