"""Invariant 3: a process killed at any moment leaves nothing that the next one does not put right.

The product runs as a command in a process of its own, which kills itself without warning after its nth call to a vendor
or its nth statement to the database, and is started again until a run comes to its end.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml

from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, file
from tests.engine.oracle import contacts_of, expected

ROOT = Path(__file__).resolve().parents[2]
# Runs manage.py with a hidden clock: at the nth event the kernel takes the process away.
KILLER = """
import os, signal, sys
n, kind = int(sys.argv[1]), sys.argv[2]
sys.argv = ["manage.py", *sys.argv[3:]]
def count(*args, **kwargs):
    global n
    n -= 1
    if n == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
import requests
plain = requests.Session.send
def send(self, *args, **kwargs):
    if kind == "before": count()
    answer = plain(self, *args, **kwargs)
    if kind == "after": count()
    return answer
requests.Session.send = send
if kind == "statement":
    from django.db.backends.utils import CursorWrapper
    execute = CursorWrapper.execute
    CursorWrapper.execute = lambda self, *a, **k: (count(), execute(self, *a, **k))[1]
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


class Command:
    def __init__(self, home: Path, url: str) -> None:
        self.database = home / "killed.sqlite3"
        self.environment = {
            **os.environ, "DEBUG": "1", "DATABASE_URL": f"sqlite:///{self.database}", "SANSAN_API_URL": url, "HUBSPOT_API_URL": url,
            "SYNC_LEASE_SECONDS": "21", "SYNC_SLICE_SECONDS": "20", "SYNC_WORKERS": "3",
        }  # fmt: skip

    def run(self, *command: str, kill_at: int = 0, kind: str = "none") -> subprocess.CompletedProcess[bytes]:
        # A lease that a dead process holds ends by itself; a test does not wait for it.
        if self.database.exists():
            with sqlite3.connect(self.database) as database:
                if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'integration_connection'").fetchone():
                    database.execute("UPDATE integration_connection SET lease_until = '2000-01-01'")
        return subprocess.run(
            [sys.executable, "-c", KILLER, str(kill_at), kind, *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.database) as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database with tables, so that each case need not make them."""
    command = Command(tmp_path_factory.mktemp("template"), "http://127.0.0.1:1")
    assert command.run("migrate", "-v0").returncode == 0
    return command.database.read_bytes()


CASES = [(kind, seed) for kind in ("before", "after", "statement") for seed in range(2)]


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_3_killed_at_any_moment(tmp_path, template, kind, seed):
    rng = random.Random(f"{kind}{seed}")
    with Sandbox(cards=400, seed=seed, limits=False, shared_email_percent=20) as sandbox:
        command = Command(tmp_path, sandbox.url)
        command.database.write_bytes(template)
        (tmp_path / "acme.yaml").write_text(yaml.safe_dump(file()))
        assert command.run("configure", str(tmp_path / "acme.yaml")).returncode == 0
        kills = 0
        for _ in range(40):
            done = command.run("sync", "acme/cards", "--format", "json", kill_at=rng.randint(1, 6 if kind != "statement" else 90), kind=kind)
            if done.returncode == 0:
                break
            assert done.returncode == -9, done.stderr.decode()
            kills += 1
        else:
            done = command.run("sync", "acme/cards", "--format", "json")
        assert done.returncode == 0 and kills >= 1
        result = orjson.loads(done.stdout)
        assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
        assert command.rows("SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL") == [(0,)]
        counts = result["counts"]
        assert counts.pop("read") == sum(counts.values()) and counts["waiting"] == 0
        again = orjson.loads(command.run("sync", "acme/cards", "--format", "json").stdout)
        assert again["calls"]["hubspot"] <= 2  # what changed in HubSpot, and a page of echoes
