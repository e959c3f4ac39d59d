"""One mapping of a configuration file, read with the place of each problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

SLUG_PATTERN = re.compile(r"[-a-zA-Z0-9_]{1,50}")
VARIABLE_PATTERN = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Node:
    """One mapping of the file, with its place; problems are collected, never raised one at a
    time.
    """

    def __init__(
        self, value: Any, place: str, problems: list[str], environment: Mapping[str, str]
    ) -> None:
        self.place, self.problems, self.environment = place, problems, environment
        if not isinstance(value, dict):
            self.problem("", "is missing." if value is None else "must be a mapping (name: value).")
        self.value: dict[str, Any] = value if isinstance(value, dict) else {}

    def at(self, name: str) -> str:
        return f"{self.place}.{name}".strip(".") or "the file"

    def problem(self, name: str, sentence: str) -> None:
        self.problems.append(f"{self.at(name)}: {sentence}")

    def only(self, *names: str) -> None:
        for name in self.value:
            if name not in names:
                self.problem(str(name), f"is not known here; known are {', '.join(names)}.")

    def node(self, name: str, default: Any = None) -> Node:
        return Node(
            self.value.get(name) if self.value.get(name) is not None else default,
            self.at(name),
            self.problems,
            self.environment,
        )

    def nodes(self, name: str) -> list[Node]:
        rows = self.value.get(name) or []
        if not isinstance(rows, list):
            self.problem(name, "must be a list.")
            return []
        return [
            Node(row, f"{self.at(name)}[{i}]", self.problems, self.environment)
            for i, row in enumerate(rows)
        ]

    def strings(self, name: str) -> tuple[str, ...]:
        rows = self.value.get(name) or []
        if not isinstance(rows, list) or not all(isinstance(row, (str, int)) for row in rows):
            self.problem(name, "must be a list of texts.")
            return ()
        return tuple(dict.fromkeys(str(row) for row in rows))

    def text(self, name: str, required: bool = True) -> str:
        value = self.value.get(name)
        if value is None or value == "":
            if required:
                self.problem(name, "is missing.")
            return ""
        if isinstance(value, (dict, list)):
            self.problem(name, "must be a text.")
            return ""
        return VARIABLE_PATTERN.sub(lambda found: self._variable(name, found.group(1)), str(value))

    def _variable(self, name: str, variable: str) -> str:
        value = self.environment.get(variable, "")
        if not value:
            self.problem(name, f"the environment variable {variable} is not set.")
        return value

    def slug(self, name: str) -> str:
        return self.checked(
            name,
            "",
            lambda value: (
                ""
                if SLUG_PATTERN.fullmatch(value)
                else f"“{value}” must be 1 to 50 letters, digits, - or _."
            ),
        )

    def checked(
        self, name: str, default: str, wrong: Callable[[str], str], required: bool = True
    ) -> str:
        value = self.text(name, required) if name in self.value or not default else default
        found = wrong(value) if value else ""
        if found:
            self.problem(name, found)
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        if default is not None and self.value.get(name) is None:
            return default
        value = self.text(name, required=default != "")
        if (
            (value or default is None)
            and value not in choices
            and not (value == "" and self.value.get(name) is None)
        ):
            self.problem(
                name,
                (
                    f"“{value}” is not known; choose one of "
                    f"{', '.join(one for one in choices if one)}."
                ),
            )
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self.value.get(name, default)
        if not isinstance(value, bool):
            self.problem(name, "must be true or false.")
            return default
        return value

    def number(self, name: str, default: int, least: int = 0, most: int = 2_000_000_000) -> float:
        value = self.value.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
            self.problem(name, f"must be a number of at least {least}.")
            return default
        if value > most:
            self.problem(name, f"must be a number of at most {most}.")
            return default
        return value
