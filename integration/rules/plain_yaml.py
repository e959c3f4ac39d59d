"""YAML in which a text stands as it was typed.

YAML 1.1, which PyYAML reads, takes NO for false, 03 for 3, 060 for 48, 12:30 for 750, and a day for
a date: values of a filter or of a value table, as people write them.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

# What is no text: null, true and false, and decimal numbers as they are written out.
PLAIN_KINDS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    ("tag:yaml.org,2002:int", r"-?(?:0|[1-9][0-9]*)", tuple("-0123456789")),
    ("tag:yaml.org,2002:float", r"-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9]", tuple("-0123456789")),
    ("tag:yaml.org,2002:merge", r"<<", ("<",)),
)


class PlainLoader(yaml.SafeLoader):
    """A number keeps its text, too: one that would be spelt otherwise (1.50) is a text."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012


for tag, pattern, starts in PLAIN_KINDS:
    PlainLoader.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), list(starts))


def load_plain_yaml(text: str) -> Any:
    """Raises yaml.YAMLError."""
    return yaml.load(text, Loader=PlainLoader)  # noqa: S506 (a SafeLoader)
