"""What a configuration file changes, setting by setting, in lines for a terminal."""

from __future__ import annotations

from typing import Any

import orjson
from django.db.models import Model

# Setting -> (what it was, what it is).
Changed = dict[str, tuple[Any, Any]]


def describe_changes(changed: Changed) -> list[str]:
    return [
        f"{name}: {show_setting(before)} → {show_setting(after)}"
        for name, (before, after) in changed.items()
    ]


def show_setting(value: Any) -> str:
    if isinstance(value, Model):
        return str(getattr(value, "slug", value))
    if isinstance(value, str):
        return str(value) or "(blank)"
    return orjson.dumps(value).decode()


def tell_changes(changes: list[str], what: str, lines: list[str]) -> None:
    changes += [f"{what}: {line}" for line in lines]
