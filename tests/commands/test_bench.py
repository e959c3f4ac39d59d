"""``bench`` runs and prints a line for each scene.

What the figures are is nobody's business here.
"""

from __future__ import annotations

import re

from tests.process import Product

FIGURES = re.compile(r"(\s+[\d,.%-]+){5,}$")


def test_runs(tmp_path):
    done = Product(tmp_path, empty=True).run(
        "bench", "--cards", "150", "--limited-cards", "150", "--latency-ms", "0", timeout=120
    )
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split()[:3] == ["cards", "seconds", "cards/s"]
    wanted = (
        "no limit, first",
        "no limit, 1 % changed (2)",
        "no limit, nothing changed",
        "no limit, full check",
        "limited, portal empty, first",
        "limited, portal has them all, first",
    )
    assert [line[:36].strip() for line in lines] == list(wanted)
    assert all(FIGURES.search(line) for line in lines), done.stdout


def test_latency(tmp_path):
    scene = (
        "--only",
        "webhook",
        "--people",
        "30",
        "--changes",
        "2",
        "--minutes",
        "0.02",
        "--settle",
        "8",
        "--latency-ms",
        "0",
    )
    done = Product(tmp_path, empty=True).run("bench", "latency", *scene, timeout=120)
    assert done.returncode == 0, done.stderr
    head, whole, *sorts = done.stdout.splitlines()
    assert head.split() == ["changes", "p50", "s", "p95", "s", "max", "s"] and whole.startswith(
        "webhook: all"
    )
    assert (
        sorts
        and int(whole.split()[2]) == sum(int(re.split(r"\s{2,}", line)[1]) for line in sorts) >= 3
    )


def test_pages(tmp_path):
    done = Product(tmp_path, empty=True).run(
        "bench", "pages", "--entries", "300", "--accounts", "3", "--tries", "1", timeout=120
    )
    assert done.returncode == 0, done.stderr
    told, _, *lines = done.stdout.splitlines()
    assert told.startswith("300 audit entries of 3 accounts were written")
    assert len(lines) > 40 and "answered" not in done.stdout
    assert {line.partition(":")[0] for line in lines} == {"owner", "superuser"}
