"""``demo``: the product over a sandbox in one foreground process, which ends everything that it
began.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from tests.process import ROOT, free_port, wait_for

LOGIN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Demo:
    """A copy of the product, because a demo keeps its state beside the code."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        for name in ("core", "integration", "templates"):
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "manage.py", home)
        (home / "output").touch()
        dropped = ("DATABASE_URL", "BROKER_URL", "SANSAN_API_URL", "HUBSPOT_API_URL", "MEISHI_DEMO")
        self.environment = {
            name: value for name, value in os.environ.items() if name not in dropped
        }
        self.environment |= {"DEMO_PORT": str(self.port), "PYTHONUNBUFFERED": "1", "DEBUG": "1"}

    def start(self, cards: int = 60) -> subprocess.Popen[bytes]:
        with (self.home / "output").open("w") as output:
            command = [sys.executable, "manage.py", "demo", "--cards", str(cards)]
            return subprocess.Popen(
                command,
                cwd=self.home,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return (self.home / "output").read_text()

    def says(self, words: str, seconds: float = 30) -> None:
        wait_for(lambda: words in self.output, seconds, told=lambda: self.output)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with contextlib.closing(
            sqlite3.connect(self.home / ".demo" / "demo.sqlite3", timeout=20)
        ) as database:
            return database.execute(query).fetchall()

    def processes(self) -> list[psutil.Process]:
        """Everything that runs in the copy's folder, whatever became of its parent."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def demo(tmp_path):
    demo = Demo(tmp_path / "demo")
    yield demo
    for process in demo.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()


def ends(
    demo: Demo, process: subprocess.Popen[bytes], number: int = signal.SIGINT, seconds: float = 20
) -> None:
    process.send_signal(number)
    wait_for(lambda: process.poll() is not None, seconds, told=lambda: demo.output)
    wait_for(lambda: not demo.processes(), 3, told=demo.processes)
    assert process.returncode == 0 and "Traceback" not in demo.output and not demo.answers()


def test_the_first_start_the_end_and_the_second_start(demo):
    address = f"http://127.0.0.1:{demo.port}/"
    process = demo.start()
    demo.says("Ctrl-C ends everything")
    assert (
        f"Meishi Bridge is at {address}" in demo.output
        and "sign in as demo, password demo" in demo.output
    )
    assert (
        "The first sync of 60 cards begins now" in demo.output
        and "demo/cards: initial run 1 succeeded" in demo.output
    )

    browser = requests.Session()
    browser.trust_env = False
    page = browser.get(address, timeout=10)
    assert page.status_code == 200 and "/admin/login/" in page.url
    login = LOGIN.search(page.text)
    assert login
    form = {
        "csrfmiddlewaretoken": login[1],
        "username": "demo",
        "password": "demo",
        "next": "/admin/",
    }
    inside = browser.post(page.url, form, headers={"Referer": page.url}, timeout=10)
    assert (
        inside.status_code == 200
        and inside.url == f"{address}admin/"
        and "/admin/logout/" in inside.text
    )

    assert demo.rows("SELECT kind, state, read FROM integration_syncrun") == [
        ("initial", "succeeded", 60)
    ]
    # The workers work.
    wait_for(
        lambda: demo.rows("SELECT ticked_at FROM integration_heartbeat"),
        15,
        told=lambda: demo.output,
    )
    assert len(demo.processes()) >= 5
    ends(demo, process)

    links = demo.rows("SELECT count(*) FROM integration_link")
    process = demo.start()
    demo.says("Ctrl-C ends everything")
    assert f"Meishi Bridge is at {address}" in demo.output and "The first sync" not in demo.output
    assert demo.rows("SELECT count(*) FROM integration_syncrun WHERE kind = 'initial'") == [(1,)]
    assert demo.rows("SELECT count(*) FROM integration_link") == links
    ends(demo, process, signal.SIGTERM)


def test_ended_in_the_middle_of_the_first_sync(demo):
    process = demo.start(cards=20_000)
    demo.says("The first sync of 20,000 cards begins now")
    wait_for(
        lambda: demo.rows("SELECT 1 FROM integration_syncrun WHERE state = 'running'"),
        20,
        told=lambda: demo.output,
    )
    ends(demo, process, seconds=12)


def test_a_port_that_is_taken(demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        assert demo.start().wait(15) == 2
    assert (
        f"Port {demo.port} is in use: choose another with `make demo DEMO_PORT=" in demo.output
        and "Traceback" not in demo.output
    )
    assert not (demo.home / ".demo").exists()


@pytest.mark.parametrize("port", ["http", "99999"])
def test_a_port_that_is_none(demo, port):
    demo.environment["DEMO_PORT"] = port
    assert demo.start().wait(15) == 2
    assert "DEMO_PORT" in demo.output and "Traceback" not in demo.output
