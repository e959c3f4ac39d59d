"""First, incremental and full runs: records a second, calls, memory.

Sandbox and product each run in a process of their own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from django.conf import settings

from integration.bench import Say

BENCH_TOKEN = "pat-bench-0001"  # noqa: S105
RUN_COLUMN_WIDTHS = (-36, 9, 9, 9, 8, 9, 5, 12, 9)  # of the table's columns; below 0 to the left
BENCH_RULE = {"slug": "cards", "sansan": "sansan", "hubspot": "hubspot", "active": True}


@dataclass(frozen=True)
class Scene:
    """One line of the table."""

    title: str
    cards: int
    latency_ms: int
    limit: str = ""  # HubSpot's, calls/seconds; "" none
    known: bool = False  # the portal has all the people before
    repeat: bool = True  # also an incremental run and a full check


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--cards", default="2000,20000,200000", help="sizes for speed and memory without a limit"
    )
    parser.add_argument("--latency-ms", type=int, default=50)
    parser.add_argument(
        "--limit", default="190/10", help="HubSpot's limit for the limited runs, calls/seconds"
    )
    parser.add_argument("--limited-cards", type=int, default=20_000)
    parser.add_argument(
        "--database-url",
        default="",
        help="another database than a fresh SQLite file (it is migrated and must be empty)",
    )


def run(options: dict[str, Any], say: Say) -> None:
    say(
        make_table_row(
            "", "cards", "seconds", "cards/s", "calls", "per 100", "429", "limit used", "peak MB"
        )
    )
    for cards in (int(part) for part in options["cards"].split(",") if part):
        measure_scene(
            Scene("no limit", cards, options["latency_ms"], repeat=cards <= 20_000), options, say
        )
    for known in (False, True):
        title = "limited, portal " + ("has them all" if known else "empty")
        measure_scene(
            Scene(
                title,
                options["limited_cards"],
                latency_ms=options["latency_ms"],
                limit=options["limit"],
                known=known,
                repeat=False,
            ),
            options,
            say,
        )


def measure_scene(scene: Scene, options: dict[str, Any], say: Say) -> None:
    with tempfile.TemporaryDirectory() as home, run_sandbox(scene) as url:
        product = Product(Path(home), url, scene, options["database_url"])
        if scene.known:
            make_known_contacts(url)
        product.run("migrate", "-v0")
        product.run("configure", str(product.file))
        say(make_scene_line(scene, "first", product.sync()))
        if scene.repeat:
            changed = send_json(url, "/sandbox/sansan/churn", {"percent": 1})
            say(make_scene_line(scene, f"1 % changed ({len(changed)})", product.sync()))
            say(make_scene_line(scene, "nothing changed", product.sync()))
            say(make_scene_line(scene, "full check", product.sync("--full")))


def make_scene_line(scene: Scene, what: str, measured: tuple[dict[str, Any], float]) -> str:
    result, peak = measured
    seconds, read, calls = (
        max(result["seconds"], 0.001),
        result["counts"]["read"],
        result["calls"]["hubspot"],
    )
    people = sum(result["counts"][name] for name in ("created", "updated", "linked", "unchanged"))
    used = ""
    if scene.limit:
        allowed, window = scene.limit.split("/")
        used = f"{calls / (seconds / float(window) * int(allowed)):.0%}"
    per_hundred = f"{calls * 100 / people:.2f}" if people else "-"
    return make_table_row(
        f"{scene.title}, {what}",
        f"{read:,}",
        f"{seconds:.2f}",
        f"{read / seconds:,.0f}",
        f"{calls:,}",
        per_hundred,
        str(result["rate_limited"]),
        used,
        f"{peak:.0f}",
    )


def make_table_row(*cells: str, widths: Sequence[int] = RUN_COLUMN_WIDTHS) -> str:
    return "".join(
        f"{cell:>{width}}" if width > 0 else f"{cell:{-width}}"
        for cell, width in zip(cells, widths, strict=True)
    )


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Product:
    """The product as its user runs it: commands, with an environment of their own."""

    def __init__(
        self,
        home: Path,
        url: str,
        scene: Scene,
        database_url: str,
        rule: dict[str, Any] | None = None,
        rated: bool = False,
    ) -> None:
        """``rule`` are more settings of the rule; ``rated``: Sansan's own limit is kept, too."""
        self.environment = {
            **os.environ,
            "DEBUG": "0",
            "SECRET_KEY": "bench-" + "x" * 50,
            "FERNET_KEYS": "bench-" + "y" * 32,
            "SANSAN_API_URL": url,
            "HUBSPOT_API_URL": url,
            "DATABASE_URL": database_url or f"sqlite:///{home / 'bench.sqlite3'}",
        }
        self.file = home / "bench.yaml"
        key: dict[str, Any] = {
            "slug": "sansan",
            "system": "sansan",
            "credentials": {"api_key": "BenchKey0123456789abcdefABCDEF01"},
        }
        connections = [
            key if rated else {**key, "rate": False},
            {"slug": "hubspot", "system": "hubspot", "credentials": {"access_token": BENCH_TOKEN}},
        ]
        if not scene.limit:
            connections[1]["rate"] = False
        content = {
            "account": {"slug": "bench", "name": "Bench"},
            "connections": connections,
            "rules": [{**BENCH_RULE, **(rule or {})}],
        }
        self.file.write_text(yaml.safe_dump(content))

    def run(self, *command: str) -> tuple[bytes, float]:
        """(standard output, peak memory in MB)."""
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            raise SystemExit(
                f"{' '.join(command)} ended with {process.returncode}: {output.decode()[-500:]}"
            )
        return output, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)

    def sync(self, *options: str) -> tuple[dict[str, Any], float]:
        output, peak = self.run("sync", "bench/cards", "--format", "json", *options)
        return orjson.loads(output), peak


@contextmanager
def run_sandbox(scene: Scene) -> Iterator[str]:
    port = find_free_port()
    limits = ["--hubspot-limit", scene.limit] if scene.limit else ["--no-limits"]
    command = [
        sys.executable,
        "-m",
        "integration.sandbox",
        "--port",
        str(port),
        "--cards",
        str(scene.cards),
        "--latency-ms",
        str(scene.latency_ms),
        *limits,
    ]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        url = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                send_json(url, "/sandbox/calls/reset", {})
                break
            except OSError:
                time.sleep(0.1)
        if scene.limit:
            # Sansan's own limit (1,200 cards a second) would hide HubSpot's.
            send_json(url, "/sandbox/switches", {"sansan": {"limits": False}}, "PATCH")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def fetch_json(url: str, path: str) -> Any:
    with urllib.request.urlopen(url + path) as answer:  # noqa: S310
        return orjson.loads(answer.read())


def make_known_contacts(url: str) -> None:
    """Gives the portal a contact for every address on a card."""
    cards = fetch_json(url, "/sandbox/state")["sansan"]["cards"]
    addresses = sorted({card["email"] for card in cards if card["email"]})
    send_json(
        url,
        "/sandbox/hubspot/create",
        {"token": BENCH_TOKEN, "contacts": [{"email": address} for address in addresses]},
    )


def send_json(url: str, path: str, body: Any, method: str = "POST") -> Any:
    request = urllib.request.Request(  # noqa: S310
        url + path, orjson.dumps(body), {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return orjson.loads(answer.read())
