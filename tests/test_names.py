"""One name, one meaning: no public name of a module stands in two rooms."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Names that are shared on purpose, each with what it means wherever it stands.
SHARED = {
    "Command": "a management command, which Django finds by this name",
    "add_arguments": "the options of a command, or of a scene of bench",
    "application": "what a web server calls (ASGI, WSGI)",
    "log": "the logger of a module",
    "run": "what a scene of bench, or the sandbox's command, does",
    "site": "the admin's site",
    "urlpatterns": "the addresses of an app, which Django finds by this name",
}


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))


def rooms_of_names() -> dict[str, set[str]]:
    """Public name -> the modules that define it."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for folder in ("core", "integration"):
        for path in (ROOT / folder).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            for name in defined(ast.parse(path.read_text(encoding="utf-8"))):
                if not name.startswith("_"):
                    rooms[name].add(path.relative_to(ROOT).as_posix())
    return rooms


def test_no_public_name_has_two_meanings():
    shared = {name: sorted(paths) for name, paths in rooms_of_names().items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SHARED} == {}
    assert set(SHARED) <= set(shared), "no longer shared"
