"""The sandbox's options, shared by ``manage.py sandbox`` and ``python -m integration.sandbox`` (which loads no Django)."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration.sandbox.server import Sandbox, banner, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8990)
    parser.add_argument("--cards", type=int, default=2000, help="how many cards are made")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same cards")
    parser.add_argument("--tags", type=int, default=12)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--shared-email-percent", type=float, default=5)
    parser.add_argument("--no-email-percent", type=float, default=10)
    parser.add_argument("--no-limits", action="store_true", help="no rate limits at either vendor")
    parser.add_argument("--hubspot-limit", default="190/10", help="calls/seconds")
    parser.add_argument("--state", type=Path, help="a file that keeps what happened")


def run(options: Mapping[str, Any]) -> int:
    """Serves until SIGTERM or SIGINT; 2 when it cannot start."""
    calls, seconds = str(options["hubspot_limit"]).split("/")
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
            hubspot_limit=(int(calls), float(seconds)),
        )
    except OSError as taken:
        print(f"The sandbox cannot listen on port {options['port']}: {taken.strerror}. Choose another with --port.", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print(banner(sandbox), file=sys.stderr, flush=True)
    serve(sandbox, options["state"], stop)
    return 0
