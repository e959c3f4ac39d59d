"""Only ``integration/ledger/`` writes AuditEntry and Link, and every write of a slice stands in a
transaction that renews its lease. Read from the syntax, and proven able to fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "integration"
LEDGER_MODELS = {"AuditEntry", "Link"}
WRITES = {
    "create",
    "get_or_create",
    "update_or_create",
    "bulk_create",
    "bulk_update",
    "update",
    "delete",
    "_raw_delete",
}
BULK = {"insert_rows", "update_rows", "upsert_rows"}
# The retention rule deletes closed entries when their time has come; bench invents a history.
EXCUSED = {"leaving/retention.py", "bench/pages.py"}
PRODUCT = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if not {"migrations", "sandbox"} & set(path.relative_to(ROOT).parts)
]
# Rooms that work under a lease; a door of the inbox is HubSpot's, starting a run is nobody's slice,
# and what a person asks for (intake/people.py) comes from a page.
UNDER_LEASE = ("intake", "delivery", "ledger", "slice", "sync.py")
OWN_TRANSACTIONS = {"slice/lease.py", "intake/inbox.py", "intake/people.py"}


def models_behind(node: ast.AST) -> set[str]:
    """The names of ledger models that an expression begins with, through its calls."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return {node.id} & LEDGER_MODELS if isinstance(node, ast.Name) else set()


def assigned(function: ast.AST) -> dict[str, set[str]]:
    """Local name -> the ledger models whose rows it selects."""
    names: dict[str, set[str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                start: ast.AST = node.value
                while isinstance(start, ast.Attribute | ast.Call):
                    start = start.value if isinstance(start, ast.Attribute) else start.func
                known = names.get(start.id, set()) if isinstance(start, ast.Name) else set()
                found = models_behind(node.value) | known
                if found and isinstance(node.value, ast.Call):
                    names[target.id] = found
    return names


def ledger_writes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of everything in a file that writes a row of the ledger."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names: dict[str, set[str]] = {}
    for function in functions:
        names |= assigned(function)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in LEDGER_MODELS:
            yield node.lineno, f"{node.func.id}(...)"
        if isinstance(node.func, ast.Name) and node.func.id in BULK and node.args:
            first = node.args[0]
            if isinstance(first, ast.Name) and first.id in LEDGER_MODELS:
                yield node.lineno, f"{node.func.id}({first.id})"
        if isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            start: ast.AST = node.func.value
            while isinstance(start, ast.Attribute | ast.Call):
                start = start.value if isinstance(start, ast.Attribute) else start.func
            of_name = names.get(start.id, set()) if isinstance(start, ast.Name) else set()
            if models_behind(node.func.value) | of_name:
                yield node.lineno, f"{ast.unparse(node.func)}(...)"


def parse(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_only_the_ledger_writes_its_rows():
    writing = {
        f"{path.relative_to(ROOT)}:{line} {what}"
        for path in PRODUCT
        if path.relative_to(ROOT).parts[0] != "ledger"
        and path.relative_to(ROOT).as_posix() not in EXCUSED
        for line, what in ledger_writes(parse(path))
    }
    assert writing == set()


def test_the_ledger_is_seen_to_write():
    found = {
        path.name
        for path in PRODUCT
        if path.parent.name == "ledger"
        for _ in ledger_writes(parse(path))
    }
    assert {
        "entries.py",
        "opening.py",
        "closing.py",
        "links.py",
        "gone.py",
        "new_cards.py",
    } <= found


BREACHES = {
    "an entry": "AuditEntry(reason='x').save()",
    "a row made": "Link.objects.create(key=1)",
    "rows changed": "Link.objects.filter(pk=1).exclude(gone='').update(gone='x')",
    "rows of a bulk statement": "update_rows(Link, rows, 1)",
    "rows that have a name": "def f():\n links = Link.objects.filter(pk=1)\n links.update(a=1)",
}


@pytest.mark.parametrize("code", BREACHES.values(), ids=BREACHES)
def test_a_breach_would_be_seen(code):
    assert list(ledger_writes(ast.parse(code)))


def own_transactions(path: Path) -> list[str]:
    """Transactions that a file opens by itself, without a lease."""
    spelt = (ast.unparse(node) for node in ast.walk(parse(path)) if isinstance(node, ast.Call))
    return [call for call in spelt if call.endswith("atomic()")]


@pytest.mark.parametrize(
    "path",
    [path for path in PRODUCT if path.relative_to(ROOT).parts[0] in UNDER_LEASE],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_slice_opens_no_transaction_but_through_its_lease(path):
    own = own_transactions(path)
    assert bool(own) is (path.relative_to(ROOT).as_posix() in OWN_TRANSACTIONS), own
