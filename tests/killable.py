"""The product as a command that takes itself away: killed without warning at its nth call to a
vendor or its nth statement to the database.

A test of it runs some forty commands, and a process needs a second to load the product. So one
process loads it, and each command is a fork of that.
"""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.process import NOWHERE, Product, session

FORKS = """
import json, random, signal, traceback
import integration.management.commands.configure, integration.management.commands.sync
import requests
from django.core.management import execute_from_command_line
from django.db.backends.utils import CursorWrapper

def kill(at, kind):
    left = at
    def count():
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    plain, execute = requests.Session.send, CursorWrapper.execute
    def send(self, *args, **kwargs):
        if kind == "before": count()
        answer = plain(self, *args, **kwargs)
        if kind == "after": count()
        return answer
    requests.Session.send = send
    if kind == "statement":
        def counted(self, *args, **kwargs):
            count()
            return execute(self, *args, **kwargs)
        CursorWrapper.execute = counted

def command(order):
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = ((0, os.devnull, os.O_RDONLY), (1, order["out"], write), (2, order["err"], write))
    for number, name, how in files:
        os.dup2(os.open(name, how), number)
    random.seed()
    kill(order["kill_at"], order["kind"])
    try:
        execute_from_command_line(["manage.py", *order["command"]])
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 70
    return 0

import sys
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = command(json.loads(line))
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Killable(Product):
    """Its commands end as a process does that was killed (-9), or by themselves."""

    forks: subprocess.Popen[str]

    def __init__(self, home: Path, url: str = NOWHERE, **environment: str) -> None:
        super().__init__(
            home,
            url,
            empty=False,
            **{
                "SYNC_LEASE_SECONDS": "21",
                "SYNC_SLICE_SECONDS": "20",
                "SYNC_WORKERS": "3",
                **environment,
            },
        )

    @contextmanager
    def loaded(self) -> Iterator[Self]:
        with session(
            self.script(FORKS), env=self.environment, stdin=subprocess.PIPE, stderr=None
        ) as self.forks:
            yield self

    def run(
        self, *command: str, timeout: float = 120, kill_at: int = 0, kind: str = "none"
    ) -> subprocess.CompletedProcess[str]:
        # A lease that a dead process holds ends by itself; a test does not wait for it.
        self.change(
            "UPDATE integration_connection SET lease_until = '2000-01-01' WHERE lease_until IS "
            "NOT NULL"
        )
        out, err = self.home / "stdout", self.home / "stderr"
        order = {
            "command": command,
            "kill_at": kill_at,
            "kind": kind,
            "out": str(out),
            "err": str(err),
        }
        assert self.forks.stdin and self.forks.stdout
        print(json.dumps(order), file=self.forks.stdin, flush=True)
        assert select.select([self.forks.stdout], [], [], timeout)[0], (
            f"not within {timeout} s: {err.read_text()}"
        )
        return subprocess.CompletedProcess(
            command, int(self.forks.stdout.readline()), out.read_text(), err.read_text()
        )
