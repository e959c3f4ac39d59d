"""Imports that must never be: the contracts stand in pyproject.toml."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_no_import_breaks_a_rule():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


# Contract -> (a file, an import there that would break the contract).
BREACHES = {
    "Rooms stand on each other": ("integration/slice/lease.py", "import integration.runs"),
    "Pages enter by doors": ("integration/admin/run.py", "import integration.ledger.entries"),
    "What writes does not decide": (
        "integration/ledger/gone.py",
        "import integration.planning.gone",
    ),
    "The platform knows no sync": ("core/apps.py", "import integration.records"),
    "Judgement is pure": ("integration/planning/plan.py", "import django.conf"),
    "The edge knows neither Django nor judgement": (
        "integration/connectors/http.py",
        "import integration.planning.sameness",
    ),
    "One vendor does not know the other": (
        "integration/connectors/sansan/parse.py",
        "import integration.connectors.hubspot.parse",
    ),
    "Only tasks.py knows the queue, and the page that shows it": (
        "integration/runs.py",
        "import django_q.tasks",
    ),
    "The product runs without the sandbox and without tests": (
        "integration/delivery/gather.py",
        "import integration.sandbox.people",
    ),
}


def test_every_rule_is_able_to_fail(tmp_path):
    for name in ("core", "integration", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in BREACHES.values():
        with (tmp_path / file).open("a") as module:
            module.write(f"\n{line}\n")
    said = lint(tmp_path).stdout
    assert {name for name in BREACHES if f"{name} BROKEN" in said} == set(BREACHES), said
