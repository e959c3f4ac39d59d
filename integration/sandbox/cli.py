"""The sandbox's options, shared by ``manage.py sandbox`` and ``python -m integration.sandbox``
(which loads no Django).
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from integration.sandbox import store
from integration.sandbox.server import Sandbox, make_banner, serve_sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=make_number_reader(1, 65_535), default=8990)
    parser.add_argument(
        "--cards", type=make_number_reader(0), default=2000, help="how many cards are made"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same cards")
    parser.add_argument("--tags", type=make_number_reader(0), default=12)
    parser.add_argument("--latency-ms", type=make_number_reader(0), default=0)
    parser.add_argument("--shared-email-percent", type=make_number_reader(0, 100), default=5)
    parser.add_argument("--no-email-percent", type=make_number_reader(0, 100), default=10)
    parser.add_argument("--no-limits", action="store_true", help="no rate limits at either vendor")
    parser.add_argument(
        "--hubspot-limit",
        type=read_call_limit,
        default=(190, 10.0),
        help="calls/seconds, such as 190/10",
    )
    parser.add_argument("--state", type=Path, help="a file that keeps what happened")


def make_number_reader(least: int, most: int = 10_000_000) -> Callable[[str], int]:
    def within(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"“{text}” is not a whole number from {least} to {most}"
            )
        return int(text)

    return within


def read_call_limit(text: str) -> tuple[int, float]:
    calls, _, seconds = text.partition("/")
    try:
        found = int(calls), float(seconds)
    except ValueError:
        found = 0, 0.0
    if found[0] < 1 or not 0 < found[1] < 86_400:
        raise argparse.ArgumentTypeError(f"“{text}” is not calls/seconds, such as 190/10")
    return found


def run(options: Mapping[str, Any]) -> int:
    """Serves until SIGTERM or SIGINT; 2 when it cannot start."""
    state: Path | None = options["state"]
    try:
        sandbox = Sandbox(
            cards=options["cards"],
            seed=options["seed"],
            port=options["port"],
            latency_ms=options["latency_ms"],
            tags=options["tags"],
            shared_email_percent=options["shared_email_percent"],
            no_email_percent=options["no_email_percent"],
            limits=not options["no_limits"],
            hubspot_limit=options["hubspot_limit"],
        )
    except OSError as taken:
        print(
            (
                f"The sandbox cannot listen on port {options['port']}: {taken.strerror}. Choose "
                "another with --port."
            ),
            file=sys.stderr,
        )
        return 2
    if state and not resume_state(sandbox, state):
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print(make_banner(sandbox), file=sys.stderr, flush=True)
    serve_sandbox(sandbox, state, stop)
    return 0


def resume_state(sandbox: Sandbox, state: Path) -> bool:
    """Goes on with a state that is there; says what is wrong where that cannot be, or where none
    could be kept.
    """
    if not state.parent.is_dir():
        print(f"--state: there is no folder {state.parent}.", file=sys.stderr)
        return False
    try:
        store.load_state(sandbox, state)
    except (OSError, ValueError, KeyError, TypeError):
        print(
            f"--state: {state} is not a state that a sandbox has kept. Delete it to begin anew.",
            file=sys.stderr,
        )
        return False
    return True
