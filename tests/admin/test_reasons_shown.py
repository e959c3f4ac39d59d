"""Every reason that anything can have is one that the pages can explain."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

from integration.admin.parts.shown import advise_on_reason, explain_reason
from integration.connectors.hubspot.parse import REASON_CODES
from integration.ledger.entries import BUCKET_COUNTERS
from integration.planning.decisions import EXCLUDED_REASONS, MERGED_REASONS
from integration.planning.reasons import REASONS, TO_DO

ROOT = Path(__file__).resolve().parents[2] / "integration"
# Where a reason is given: whatever is not a page, a command, a model or the sandbox.
ROOMS = (
    "planning connectors connections delivery intake ledger slice rules runs.py sync.py"
).split()
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))] + [
    ROOT / name for name in ROOMS if name.endswith(".py")
]
# Function -> which of its arguments is a reason.
REASON_AT = {
    "Reconnect": 0,
    "LacksRight": 0,
    "RetryLater": 0,
    "Unanswered": 0,
    "Rejected": 0,
    "Gone": 0,
    "RunHeld": 0,
    "ConnectorError": 0,
    "MappingProblem": 0,
    "hold_person": 1,
    "skip_person": 2,
    "settle_person": 1,
    "hold_candidate": 1,
    "skip_candidate": 2,
    "Verdict": 2,
    "Decision": 1,
    "make_verdicts": 1,
    "_close": 2,
}
# Codes by which the engine tells itself what to do with an answer. No row and no page has them.
INWARD = {"unanswered", "not_written"}
WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")


def texts(node: ast.expr | None) -> set[str]:
    """The words that an expression can be: a text, either side of a choice, or a text with the
    vendor's name in it.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return texts(node.body) | texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return {
            "".join(
                str(part.value) if isinstance(part, ast.Constant) else vendor
                for part in node.values
            )
            for vendor in ("sansan", "hubspot")
        }
    if isinstance(node, ast.List | ast.Tuple):
        return set().union(*(texts(one) for one in node.elts))
    return set()


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def used(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            at = REASON_AT.get(called(node))
            found |= texts(node.args[at]) if at is not None and len(node.args) > at else set()
            found |= set().union(
                *(texts(one.value) for one in node.keywords if one.arg in ("reason", "code")), set()
            )
        elif isinstance(node, ast.Assign) and any(
            getattr(one, "id", getattr(one, "attr", "")) in ("reason", "code")
            for one in node.targets
        ):
            found |= texts(node.value)
        elif isinstance(node, ast.Compare) and getattr(
            node.left, "attr", getattr(node.left, "id", "")
        ) in ("reason", "code"):
            found |= set().union(*(texts(one) for one in node.comparators))
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found |= set().union(
                *(texts(value) for key, value in pairs if "reason" in texts(key)), set()
            )
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            found |= texts(reason_with_note(node.value))
    return {word for word in found if WORD.fullmatch(word)}


def reason_with_note(node: ast.Tuple) -> ast.expr | None:
    """The first of (reason, note, ...)"""
    match node.elts:
        case [reason, ast.Call() as second, *_] if called(second) == "note":
            return reason
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_reason_that_the_code_gives_is_in_the_table(path):
    assert used(ast.parse(path.read_text())) - INWARD - set(REASONS) == set()


def test_the_search_above_finds_the_reasons():
    """All but those that the code puts together: where it says which of two it is, and in its
    tables.
    """
    found = set().union(
        *(used(ast.parse(path.read_text())) for path in FILES if path.name != "reasons.py")
    )
    assert len(found & set(REASONS)) > 25


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_in_the_table_is_given_somewhere(code):
    assert any(
        f'"{code}"' in path.read_text() or f'{{key}}_{code.partition("_")[2]}"' in path.read_text()
        for path in FILES
        if path.name != "reasons.py"
    )


def test_what_the_tables_name_is_explained():
    named = {*REASON_CODES.values(), *MERGED_REASONS, *EXCLUDED_REASONS}
    assert named <= set(REASONS) and set(BUCKET_COUNTERS) == {
        "linked",
        "merged",
        "excluded",
        "held",
        "unseen",
    }


def test_every_reason_has_something_to_do_and_nothing_else_has():
    assert set(TO_DO) == set(REASONS) and list(TO_DO) == list(REASONS)


@pytest.mark.parametrize("code", REASONS)
def test_a_reason_and_what_to_do_are_whole_sentences(code):
    for text in (REASONS[code], TO_DO[code]):
        assert (
            text.endswith(".")
            and not text.endswith("..")
            and text[0].isupper()
            and text == text.strip()
            and "  " not in text
        )
    assert WORD.fullmatch(code) and len(code) <= 64


@pytest.mark.parametrize("code", REASONS)
def test_the_pages_show_them(code):
    with translation.override("en"):
        assert (explain_reason(code), advise_on_reason(code)) == (REASONS[code], TO_DO[code])


@pytest.mark.parametrize("code", ["from_the_future", "", "UPPER", "a b"])
def test_of_a_code_that_nobody_knows_nothing_is_advised(code):
    assert advise_on_reason(code) == "" and isinstance(explain_reason(code), str)
