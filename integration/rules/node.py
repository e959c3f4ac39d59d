"""One mapping of a configuration file, read with the place of each problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from integration.notes import note, write_english

# How people write true and false besides; elsewhere these words are texts.
ON_WORDS = ("yes", "Yes", "YES", "on", "On", "ON")
OFF_WORDS = ("no", "No", "NO", "off", "Off", "OFF")
NUMBER_PATTERN = re.compile(r"[0-9]+(?:\.[0-9]+)?")  # one that YAML left a text, such as 10.0
SLUG_PATTERN = re.compile(r"[-a-zA-Z0-9_]{1,50}")
VARIABLE_PATTERN = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class FileProblem(NamedTuple):
    """What is wrong with a configuration file: the place in it, and a note of what and why."""

    place: str
    note: str

    def __str__(self) -> str:
        return f"{self.place}: {write_english(self.note)}"


class Node:
    """One mapping of the file, with its place; problems are collected, never raised one at a
    time.
    """

    def __init__(
        self, value: Any, place: str, problems: list[FileProblem], environment: Mapping[str, str]
    ) -> None:
        self.place, self.problems, self.environment = place, problems, environment
        if not isinstance(value, dict):
            self.add_problem("", "is_missing" if value is None else "must_be_mapping")
        self.value: dict[str, Any] = value if isinstance(value, dict) else {}

    def name_place(self, name: str) -> str:
        return f"{self.place}.{name}".strip(".") or "the file"

    def add_problem(self, name: str, code: str, /, **parameters: object) -> None:
        """``code`` and ``parameters`` are those of a note."""
        self.problems.append(FileProblem(self.name_place(name), note(code, **parameters)))

    def refuse_others(self, *names: str) -> None:
        """A problem for each name that is not one of these."""
        for name in self.value:
            if name not in names:
                self.add_problem(str(name), "not_known_here", names=", ".join(names))

    def read_node(self, name: str, default: Any = None) -> Node:
        value = self.value.get(name)
        value = default if value is None else value
        return Node(value, self.name_place(name), self.problems, self.environment)

    def read_nodes(self, name: str) -> list[Node]:
        rows = self.value.get(name) or []
        if not isinstance(rows, list):
            self.add_problem(name, "must_be_list")
            return []
        place = self.name_place(name)
        return [
            Node(row, f"{place}[{i}]", self.problems, self.environment)
            for i, row in enumerate(rows)
        ]

    def read_strings(self, name: str) -> tuple[str, ...]:
        rows = self.value.get(name) or []
        if not isinstance(rows, list) or not all(map(is_text, rows)):
            self.add_problem(name, "must_be_texts")
            return ()
        return tuple(dict.fromkeys(str(row) for row in rows))

    def read_text(self, name: str, required: bool = True) -> str:
        value = self.value.get(name)
        if value is None or value == "":
            if required:
                self.add_problem(name, "is_missing")
            return ""
        if not is_text(value):
            self.add_problem(name, "must_be_text")
            return ""
        return VARIABLE_PATTERN.sub(lambda found: self._variable(name, found.group(1)), str(value))

    def _variable(self, name: str, variable: str) -> str:
        value = self.environment.get(variable, "")
        if not value:
            self.add_problem(name, "variable_not_set", variable=variable)
        return value

    def read_slug(self, name: str) -> str:
        return self.read_checked(name, "", find_slug_problem)

    def read_checked(
        self, name: str, default: str, find_problem: Callable[[str], str], required: bool = True
    ) -> str:
        """A text that ``find_problem`` has no note about."""
        given = name in self.value or not default
        value = self.read_text(name, required) if given else default
        problem = find_problem(value) if value else ""
        if problem:
            self.problems.append(FileProblem(self.name_place(name), problem))
        return value

    def read_choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        given = self.value.get(name) is not None
        if default is not None and not given:
            return default
        value = self.read_text(name, required=default != "")
        wanted = bool(value) or (default is None and given)
        if wanted and value not in choices:
            names = ", ".join(choice for choice in choices if choice)
            self.add_problem(name, "not_a_choice", value=value, names=names)
        return value

    def read_boolean(self, name: str, default: bool) -> bool:
        value = self.value.get(name, default)
        if value in (*ON_WORDS, *OFF_WORDS):
            return value in ON_WORDS
        if not isinstance(value, bool):
            self.add_problem(name, "must_be_true_or_false")
            return default
        return value

    def read_number(
        self, name: str, default: int, least: int = 0, most: int = 2_000_000_000
    ) -> float:
        value = self.value.get(name, default)
        if isinstance(value, str) and NUMBER_PATTERN.fullmatch(value):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
            self.add_problem(name, "must_be_at_least", least=least)
            return default
        if value > most:
            self.add_problem(name, "must_be_at_most", most=most)
            return default
        return value


def is_text(value: object) -> bool:
    """Whether a value has one spelling: true and false have many."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def find_slug_problem(value: str) -> str:
    return "" if SLUG_PATTERN.fullmatch(value) else note("not_a_slug", value=value)
