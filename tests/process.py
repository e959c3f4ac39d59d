"""The product as its user runs it: ``manage.py`` in a process of its own, over a database file of
its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self, TypedDict, TypeVar

import psycopg
import yaml

from tests.cast import file
from tests.environment import SHARED_FOLDER

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
NOWHERE = "http://127.0.0.1:1"
SETUP = """
import os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
django.setup()
"""


class OwnDatabase(TypedDict, total=False):
    """A database with tables as the environment of a ``Product``; nothing where its file is one."""

    DATABASE_URL: str


@cache
def template() -> Path:
    """A database file with tables, made once for all processes that run tests, so that none of them
    need make them.
    """
    home = Path(os.environ[SHARED_FOLDER])
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        product = Product(home, empty=True)
        if not (made := home / "template.sqlite3").exists():
            product.migrated().database.rename(made)
    return made


def restore_template(database: sqlite3.Connection) -> None:
    """Fills an empty database from the template."""
    with contextlib.closing(sqlite3.connect(template())) as source:
        source.backup(database)


class Product:
    """Commands that share a database file and an environment; nothing of the tests' own database is
    touched.
    """

    def __init__(
        self, home: Path, url: str = NOWHERE, empty: bool = False, **environment: str
    ) -> None:
        """``DATABASE_URL`` in ``environment`` names a database with tables to be used instead of
        the file (own_database in tests/conftest.py makes some).
        """
        self.home, self.database = home, home / "product.sqlite3"
        self.environment = {
            **os.environ,
            "DEBUG": "1",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "BROKER_URL": "",
            "SANSAN_API_URL": url,
            "HUBSPOT_API_URL": url,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        if not empty and "DATABASE_URL" not in environment:
            shutil.copyfile(template(), self.database)

    def migrated(self) -> Self:
        made = self.run("migrate", "-v0")
        assert made.returncode == 0, made.stderr
        return self

    def configured(self, content: dict[str, Any] | None = None) -> Self:
        path = self.home / "acme.yaml"
        path.write_text(yaml.safe_dump(content or file()))
        done = self.run("configure", str(path))
        assert done.returncode == 0, done.stderr
        return self

    def run(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def script(self, code: str, *args: object) -> list[str]:
        """The command of a process that runs ``code`` inside the product."""
        return [sys.executable, "-c", SETUP + code, *map(str, args)]

    @contextlib.contextmanager
    def running(self, *command: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
        """A command while it runs; whatever it left behind is gone afterwards."""
        with session(
            [sys.executable, "manage.py", *command], env=self.environment, **how
        ) as process:
            yield process

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connected() as database:
            found: list[tuple[Any, ...]] = database.execute(query).fetchall()
            return found

    def change(self, *statements: str) -> None:
        with self.connected() as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def connected(self) -> contextlib.closing[Any]:
        if self.environment["DATABASE_URL"].startswith("postgres"):
            return contextlib.closing(psycopg.connect(self.environment["DATABASE_URL"]))
        return contextlib.closing(sqlite3.connect(self.database, timeout=20))


@contextlib.contextmanager
def session(command: list[str], **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A process at the head of a session of its own, which ends as a whole."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(
        command, text=True, start_new_session=True, **{"cwd": ROOT, **pipes, **how}
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(
    what: Callable[[], T],
    seconds: float,
    every: float = 0.05,
    told: Callable[[], object] = lambda: "",
) -> T:
    """The first answer that is true; fails with ``told`` when there is none in time."""
    until = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < until, f"not within {seconds} s {told()}"
        time.sleep(every)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
