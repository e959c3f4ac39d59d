"""The watchdog: a child that ends or is stuck is started again, and none outlives its
supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.process import session, wait_for

# Says who it is, and does as its name says. A file tells the test what became of it.
CHILD = """
import os, pathlib, signal, subprocess, sys, time
home, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
def ends(number, frame):
    if kind == "slow":
        time.sleep(0.4)
    (home / "clean").write_text(signal.Signals(number).name)
    sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN if kind == "stubborn" else ends)
if kind == "parent":
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    (home / "grandchild").write_text(str(subprocess.Popen(sleeper).pid))
with (home / "pids").open("a") as pids:
    pids.write(f"{os.getpid()} {time.monotonic()}\\n")
time.sleep(0 if kind == "short" else 60)
"""
SUPERVISOR = """
import pathlib, sys
from core import supervisor
home, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
settle, grace = float(sys.argv[3]), float(sys.argv[4])
supervisor.LOOK_EVERY_SECONDS, supervisor.STOP_GRACE_SECONDS = 0.05, grace
def stuck():
    if (home / "blind").exists():
        (home / "asked").touch()
        raise RuntimeError("the database is away")
    return (home / "stuck").exists()
command = [sys.executable, "-c", sys.argv[5], str(home), kind]
sys.exit(supervisor.supervise_command(command, stuck, settle))
"""


class Watched:
    def __init__(self, home: Path, process) -> None:
        self.home, self.process = home, process

    @property
    def children(self) -> list[tuple[int, float]]:
        """(process id, when it began) of every child so far."""
        path = self.home / "pids"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), float(began)) for pid, began in (line.split() for line in lines)]

    def child(self, number: int = 1, seconds: float = 10) -> int:
        return wait_for(
            lambda: len(self.children) >= number and self.children[number - 1][0], seconds
        )

    def ends(self, seconds: float = 5) -> str:
        """Waits for the end; what was logged."""
        logged = "".join(self.process.communicate(timeout=seconds))
        assert self.process.returncode == 0, logged
        return logged


@pytest.fixture
def watch(tmp_path):
    sessions = []

    def start(kind: str = "good", settle: float = 0.1, grace: float = 10.0) -> Watched:
        command = [
            sys.executable,
            "-c",
            SUPERVISOR,
            str(tmp_path),
            kind,
            str(settle),
            str(grace),
            CHILD,
        ]
        one = session(command)
        watched = Watched(tmp_path, one.__enter__())
        sessions.append((watched, one))
        return watched

    yield start
    for watched, one in sessions:
        watched.process.kill()
        for pid, _ in watched.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        one.__exit__(None, None, None)


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_child_that_is_well_is_left_alone(watch):
    watched = watch()
    pid = watched.child()
    time.sleep(0.6)
    assert alive(pid) and len(watched.children) == 1


def test_a_child_that_dies_is_started_again(watch):
    watched = watch()
    first = watched.child()
    os.kill(first, signal.SIGKILL)
    second = watched.child(2)
    assert second != first and alive(second)
    watched.process.send_signal(signal.SIGTERM)
    assert "cluster_ended" in watched.ends()


def test_a_child_that_ends_by_itself_is_started_again_but_not_in_a_frenzy(watch):
    watched = watch("short")
    watched.child(3)
    began = [moment for _, moment in watched.children]
    assert all(later - earlier >= 0.9 for earlier, later in pairwise(began))
    watched.process.send_signal(signal.SIGTERM)
    watched.ends()


@pytest.mark.parametrize("kind", ["good", "stubborn"])
def test_a_child_that_is_stuck_is_killed_and_started_again(watch, kind):
    watched = watch(kind)
    first = watched.child()
    (watched.home / "stuck").touch()
    wait_for(lambda: not alive(first), 5)
    (watched.home / "stuck").unlink()
    second = watched.child(2)
    assert (
        alive(second) and not (watched.home / "clean").exists()
    )  # a stuck one is not asked to stop cleanly


def test_what_it_left_running_goes_with_it(watch):
    watched = watch("parent")
    first = watched.child()
    grandchild = int((watched.home / "grandchild").read_text())
    os.kill(first, signal.SIGKILL)
    watched.child(2)
    assert not alive(grandchild)


def test_a_child_has_time_to_settle(watch):
    (watched := watch(settle=0.6)).child()
    (watched.home / "stuck").touch()
    watched.child(2)
    (watched.home / "stuck").unlink()
    (_, began), (_, again) = watched.children[:2]
    assert again - began >= 0.6 + 1.0  # and the second before a new start


def test_a_question_that_fails_is_no_reason_to_restart(watch):
    watched = watch()
    pid = watched.child()
    (watched.home / "blind").touch()
    wait_for((watched.home / "asked").exists, 5)
    time.sleep(0.3)
    assert alive(pid) and len(watched.children) == 1
    watched.process.send_signal(signal.SIGTERM)
    assert "watchdog_blind" in watched.ends()


@pytest.mark.parametrize("kind", ["good", "slow"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_both_and_waits_for_the_child(watch, number, kind):
    watched = watch(kind)
    pid = watched.child()
    watched.process.send_signal(number)
    watched.ends()
    assert (
        not alive(pid)
        and (watched.home / "clean").read_text() == "SIGTERM"
        and len(watched.children) == 1
    )


def test_ctrl_c_on_the_terminal_reaches_the_child_once_and_as_a_clean_stop(watch):
    watched = watch("slow")
    pid = watched.child()
    os.killpg(watched.process.pid, signal.SIGINT)
    watched.ends()
    assert not alive(pid) and (watched.home / "clean").read_text() == "SIGTERM"


def test_a_child_that_will_not_stop_is_killed(watch):
    watched = watch("stubborn", grace=0.5)
    pid = watched.child()
    watched.process.send_signal(signal.SIGTERM)
    assert "cluster_would_not_stop" in watched.ends()
    assert not alive(pid)


def test_a_signal_between_two_children_ends_it(watch):
    watched = watch()
    os.kill(watched.child(), signal.SIGKILL)
    time.sleep(0.4)  # within the second before the next start
    watched.process.send_signal(signal.SIGTERM)
    watched.ends()
    assert len(watched.children) == 1


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child that its parent has died"
)
def test_a_supervisor_that_is_killed_takes_its_child_along(watch):
    watched = watch()
    pid = watched.child()
    watched.process.kill()
    wait_for(lambda: not alive(pid), 5)
    assert (watched.home / "clean").read_text() == "SIGTERM"
