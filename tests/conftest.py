"""Fixtures shared by the tests that meet a database, a sandbox, or the product as processes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management.commands import migrate
from django.db import connection

from integration.sandbox.server import Sandbox
from tests.process import OwnDatabase, Product, restore_template


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, monkeypatch_session: pytest.MonkeyPatch
) -> None:
    """On SQLite the tests' own database is a copy of the template, too: all migrations take four
    seconds, in each process that runs tests.
    """
    if connection.vendor != "sqlite":
        return

    def restore(command: migrate.Command, *args: Any, **options: Any) -> None:
        monkeypatch_session.undo()
        connection.ensure_connection()
        restore_template(connection.connection)

    monkeypatch_session.setattr(migrate.Command, "handle", restore)


@pytest.fixture(scope="session")
def monkeypatch_session() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def sandbox_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Starts a sandbox that the settings point at; calls run in turn, and the pauses between them
    take no time.
    """
    settings.SYNC_WORKERS = 1
    monkeypatch.setattr("integration.connectors.http.time.sleep", lambda seconds: None)
    running: list[Sandbox] = []

    def start(cards: int = 60, **options: Any) -> Sandbox:
        sandbox = Sandbox(cards=cards, **{"limits": False, **options}).__enter__()
        running.append(sandbox)
        settings.SANSAN_API_URL = settings.HUBSPOT_API_URL = sandbox.url
        return sandbox

    yield start
    for sandbox in running:
        end_at_once(sandbox)


def end_at_once(sandbox: Sandbox) -> None:
    """Its server looks twenty times a second whether it is to end, and a call lets it look at once:
    otherwise each test would wait 25 ms for nothing.
    """
    end = threading.Thread(target=sandbox.__exit__)
    end.start()
    while end.is_alive():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", sandbox.server.server_port), timeout=1).close()
        end.join(0.002)


@pytest.fixture
def sandbox(sandbox_of: Callable[..., Sandbox]) -> Sandbox:
    return sandbox_of()


@pytest.fixture
def time_machine_later(time_machine: Any) -> Callable[..., None]:
    """Moves the clock on and lets it tick."""

    def later(**amount: float) -> None:
        time_machine.move_to(datetime.now(UTC) + timedelta(**amount), tick=True)

    return later


@pytest.fixture(scope="session")
def own_database(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], OwnDatabase]]:
    """What a ``Product`` needs for a database of its own with tables: on PostgreSQL one more on the
    server that the tests run on, on SQLite its file.
    """
    if connection.vendor != "postgresql":
        yield OwnDatabase
        return
    server = os.environ["DATABASE_URL"]
    made: list[str] = []
    with psycopg.connect(server, autocommit=True) as admin:

        def make() -> OwnDatabase:
            name = f"meishi_{uuid.uuid4().hex[:12]}"
            admin.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{made[0]}"' if made else ""))
            made.append(name)
            return {"DATABASE_URL": f"{server.rpartition('/')[0]}/{name}"}

        Product(tmp_path_factory.mktemp("template"), **make()).migrated()
        yield make
        for name in made:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def product(tmp_path: Path, own_database: Callable[[], OwnDatabase]) -> Product:
    return Product(tmp_path, **own_database())
