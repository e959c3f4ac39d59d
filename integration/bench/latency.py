"""How long a change takes to arrive, over the whole product: workers, a sandbox with real limits,
changes on both sides.

By polling, and by webhook. What is measured is what the product measures itself: from the change at
one vendor to the other one's answer.
"""

from __future__ import annotations

import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from integration.bench import Say, runs
from integration.bench.runs import BENCH_TOKEN, Product, Scene, find_free_port, send_json

BENCH_APP_SECRET = "bench-app-secret"  # noqa: S105
LATENCY_COLUMN_WIDTHS = (-44, 9, 9, 9, 9)
make_latency_row = partial(runs.make_table_row, widths=LATENCY_COLUMN_WIDTHS)
# What an entry is about, by its reason; everything else that is sent is counted together.
CHANGE_TITLES = {
    "card_changed": "a card changed, its contact follows",
    "new_person": "a new card, its contact is made",
    "contact_differs": "an edit in HubSpot, the card wins",
    "new_card": "a new contact, its card is made",
    "matched_email": "a card that we made, its contact is marked",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, default=3, help="how long changes are made, for the scene latency"
    )
    parser.add_argument(
        "--changes", type=int, default=200, help="changes on each side, for the scene latency"
    )
    parser.add_argument(
        "--people", type=int, default=2000, help="cards at first, for the scene latency"
    )
    parser.add_argument(
        "--settle",
        type=float,
        default=90,
        help="seconds that the last changes are waited for, for the scene latency",
    )
    parser.add_argument(
        "--only", choices=("polling", "webhook"), help="one of the two ways, for the scene latency"
    )


def run(options: dict[str, Any], say: Say) -> None:
    say(make_latency_row("", "changes", "p50 s", "p95 s", "max s"))
    for way in ("polling", "webhook"):
        if options["only"] in (None, way):
            measure_way(way, options, say)


def measure_way(way: str, options: dict[str, Any], say: Say) -> None:
    scene = Scene(way, options["people"], options["latency_ms"], options["limit"])
    with tempfile.TemporaryDirectory() as home, runs.run_sandbox(scene) as url:
        send_json(
            url,
            "/sandbox/switches",
            {"sansan": {"limits": True, "post_cap": 100_000}, "hubspot": {"search_lag": 2}},
            "PATCH",
        )
        product = Product(
            Path(home),
            url,
            scene=scene,
            database_url="",
            rule={"direction": "both", "cards_a_day": 100_000},
            rated=True,
        )
        port = find_free_port()
        address = f"http://127.0.0.1:{port}"
        product.environment |= {
            "PUBLIC_URL": address,
            "HUBSPOT_CLIENT_SECRET": BENCH_APP_SECRET,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "0",
        }
        product.run("migrate", "-v0")
        product.run("configure", str(product.file))
        product.sync()
        with run_process(product, "manage.py", "qcluster"):
            if way == "webhook":
                with run_process(
                    product,
                    "-m",
                    "gunicorn",
                    "core.wsgi",
                    "--bind",
                    f"127.0.0.1:{port}",
                    "--threads",
                    "8",
                    "--log-level",
                    "error",
                ):
                    wait_for_port(port)
                    send_json(
                        url,
                        "/sandbox/hubspot/webhooks",
                        {
                            "token": BENCH_TOKEN,
                            "url": f"{address}/webhooks/hubspot/",
                            "secret": BENCH_APP_SECRET,
                        },
                    )
                    began = make_changes(url, options)
            else:
                began = make_changes(url, options)
        for line in make_latency_lines(way, read_latencies(Path(home) / "bench.sqlite3", began)):
            say(line)


def make_changes(url: str, options: dict[str, Any]) -> str:
    """Makes changes on both sides, evenly spread, and waits until the last ones can have arrived.

    Returns when it began.
    """
    rng, began, pause = random.Random(1), time.time(), options["minutes"] * 60 / options["changes"]
    time.sleep(10)  # the echoes of the first run are read
    start = time.monotonic()
    state = runs.fetch_json(url, "/sandbox/state")
    cards = [card["id"] for card in state["sansan"]["cards"]]
    contacts = list(state["hubspot"][BENCH_TOKEN]["contacts"])
    for n in range(options["changes"]):
        send_json(url, f"/sandbox/sansan/cards/{rng.choice(cards)}", {"title": f"部長{n}"}, "PATCH")
        if n % 5:
            send_json(
                url,
                "/sandbox/hubspot/edit",
                {
                    "token": BENCH_TOKEN,
                    "id": rng.choice(contacts),
                    "properties": {"jobtitle": f"Edited {n}"},
                },
            )
        else:
            person = {
                "email": f"new{n}@new{n}.example.jp",
                "lastname": f"New{n}",
                "firstname": "Person",
                "company": "New KK",
            }
            send_json(url, "/sandbox/hubspot/create", {"token": BENCH_TOKEN, "properties": person})
        time.sleep(max(0.0, start + (n + 1) * pause - time.monotonic()))
    time.sleep(options["settle"])
    return datetime.fromtimestamp(began).astimezone().isoformat()


def read_latencies(database: Path, began: str) -> dict[str, list[float]]:
    """Reason -> seconds from the change to the answer, of all that was written after ``began``."""
    found: dict[str, list[float]] = defaultdict(list)
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT e.reason, e.changed_at, e.closed_at FROM integration_auditentry e JOIN "
            "integration_syncrun r ON r.id = e.run_id "
            "WHERE r.kind = 'incremental' AND e.outcome = 'succeeded' AND e.sent_at IS NOT NULL"
        )
        for reason, changed, closed in rows:
            if datetime.fromisoformat(f"{changed}+00:00") >= datetime.fromisoformat(began):
                found[reason].append(
                    (
                        datetime.fromisoformat(closed) - datetime.fromisoformat(changed)
                    ).total_seconds()
                )
    return found


def make_latency_lines(way: str, took: dict[str, list[float]]) -> Iterator[str]:
    everything = sorted(seconds for some in took.values() for seconds in some)
    yield make_latency_line(f"{way}: all", everything)
    for reason, some in sorted(took.items()):
        yield make_latency_line(f"{way}: {CHANGE_TITLES.get(reason, reason)}", sorted(some))


def make_latency_line(title: str, took: Sequence[float]) -> str:
    if not took:
        return make_latency_row(title, "0", "-", "-", "-")
    return make_latency_row(
        title,
        f"{len(took):,}",
        *(f"{took[min(len(took) - 1, int(len(took) * share))]:.1f}" for share in (0.5, 0.95)),
        f"{took[-1]:.1f}",
    )


@contextmanager
def run_process(product: Product, *command: str) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=product.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_for_port(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("The web server did not start.")
