"""The documents are true: names, codes, commands and links that they give are there, and none is
left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from integration.planning.filters import OPERATORS
from integration.planning.reasons import REASONS, TO_DO
from integration.planning.transforms import TRANSFORMS
from integration.sandbox import faults, sansan
from integration.sandbox.hubspot import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def coded(content: str) -> set[str]:
    """Everything that stands in backquotes."""
    return set(re.findall(r"`([^`\n]+)`", content))


def test_every_environment_variable_is_documented():
    read = set(
        re.findall(r'(?:env\.\w+|number|secret)\("(\w+)"', (ROOT / "core/settings.py").read_text())
    )
    table = text("configuration.md").partition("## What syncs")[0]
    assert coded(table) >= read
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in coded(line.split("|")[1])
    }
    assert named == read


def test_every_reason_is_documented_in_its_own_words():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text("reasons.md"), re.MULTILINE))
    assert rows == {code: f"{REASONS[code]} | {TO_DO[code]}" for code in REASONS}


def test_every_command_is_documented():
    ours = {name for name, app in get_commands().items() if app == "integration"}
    assert set(re.findall(r"manage\.py (\w+)", text("commands.md"))) == ours


DOCUMENTED = {
    "operators and transforms": ("configuration.md", set(OPERATORS) | set(TRANSFORMS) - {""}),
    "faults and switches": (
        "sandbox.md",
        faults.FAULT_KINDS | set(sansan.SANSAN_SWITCHES) | set(app.HUBSPOT_SWITCHES),
    ),
}


@pytest.mark.parametrize(("document", "names"), DOCUMENTED.values(), ids=DOCUMENTED)
def test_no_name_is_left_out(document, names):
    assert names <= coded(text(document)), names - coded(text(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target


def test_the_example_file_is_taken(monkeypatch):
    import yaml

    from integration.rules.file import read_configuration

    examples = re.findall(r"```yaml\n(.*?)```", text("configuration.md"), re.DOTALL)
    whole, rows = (yaml.safe_load(example) for example in examples)
    whole["rules"][0]["mappings"] = rows["mappings"]
    configuration = read_configuration(
        whole, {"SANSAN_API_KEY": "k" * 32, "HUBSPOT_TOKEN": "pat-example"}
    )
    assert [row["hubspot"] for row in configuration.rules[0].mappings] == [
        "jobtitle",
        "address",
        "phone",
        "company",
        "seniority",
    ]
