"""``manage.py demo``: the product over a sandbox, in one foreground process that stops everything
when it ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from core.models import Account, Membership, Role
from core.supervisor import StopSignal
from core.tenancy import in_account
from integration.models import SyncRule
from integration.rules.apply_file import ask_vendors, make_properties, store_configuration
from integration.rules.file import read_configuration
from integration.runs import start_run

DEMO_FOLDER = settings.BASE_DIR / ".demo"
# Set by the first of two processes: settings are read once, and the vendors' addresses are among
# them.
READY_VARIABLE = "MEISHI_DEMO"
DEMO_API_KEY, DEMO_TOKEN = "SandboxKey0123456789abcdefABCDEF", "pat-sandbox-0001"
DEMO_APP_SECRET = "demo-app-only"  # noqa: S105
DEMO_CONFIGURATION = {
    "account": {"slug": "demo", "name": "Demo KK", "timezone": "Asia/Tokyo"},
    "connections": [
        {"slug": "sansan", "system": "sansan", "credentials": {"api_key": DEMO_API_KEY}},
        {"slug": "hubspot", "system": "hubspot", "credentials": {"access_token": DEMO_TOKEN}},
    ],
    "rules": [
        {
            "slug": "cards",
            "sansan": "sansan",
            "hubspot": "hubspot",
            "direction": "both",
            "active": True,
        }
    ],
}


class Command(BaseCommand):
    help = (
        "Starts sandbox, workers and admin, and lets a first sync run before your eyes. Ctrl-C "
        "ends "
        "all of it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cards", type=int, default=2000)

    def handle(self, *args: Any, cards: int, **options: Any) -> None:
        port = read_asked_port()
        if READY_VARIABLE not in os.environ:
            self.restart_for_demo(port)
        self.children: list[subprocess.Popen[bytes]] = []
        stop = StopSignal()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop.set)
        try:
            self.run_all(port, cards, stop)
        finally:
            self.end()

    def restart_for_demo(self, port: int) -> None:
        """Replaces this process by one whose settings point at the demo's own database and
        sandbox.
        """
        if is_port_taken(port):
            raise CommandError(
                f"Port {port} is in use: choose another with `make demo DEMO_PORT=8001`.",
                returncode=2,
            )
        DEMO_FOLDER.mkdir(exist_ok=True)
        url = f"http://127.0.0.1:{choose_sandbox_port()}"
        os.environ.update(
            {
                READY_VARIABLE: url,
                "DATABASE_URL": f"sqlite:///{DEMO_FOLDER / 'demo.sqlite3'}",
                "SANSAN_API_URL": url,
                "HUBSPOT_API_URL": url,
                # The sandbox has a consent page, and shows one card or contact.
                "HUBSPOT_APP_URL": url,
                "HUBSPOT_CLIENT_ID": "demo-app",
                "HUBSPOT_CLIENT_SECRET": DEMO_APP_SECRET,
                "PUBLIC_URL": f"http://127.0.0.1:{port}",
                "SANSAN_CARD_URL": f"{url}/cards/{{id}}",
                "DEBUG": "1",
                "BROKER_URL": "",
            }
        )
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606

    def run_all(self, port: int, cards: int, stop: StopSignal) -> None:
        url = os.environ[READY_VARIABLE]
        self.start(
            "-m",
            "integration.sandbox",
            "--port",
            url.rpartition(":")[2],
            "--cards",
            str(cards),
            "--state",
            str(DEMO_FOLDER / "sandbox.json"),
        )
        if not await_listener(url, stop):
            raise CommandError("The sandbox did not start.")
        call_command("migrate", verbosity=0)
        first = not Account.objects.filter(slug="demo").exists()
        rule = prepare_demo()
        self.start(
            "-m",
            "gunicorn",
            "core.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--threads",
            "8",
            "--log-level",
            "warning",
        )
        await_listener(f"http://127.0.0.1:{port}", stop)
        address = f"http://127.0.0.1:{port}/"
        self.stdout.write(
            f"\n  Meishi Bridge is at {address}\n  sign in as demo, password demo (this demo "
            "only)\n"
        )
        if first:
            self.stdout.write(
                f"  The first sync of {cards:,} cards begins now; watch it there under Runs, or "
                "here:\n"
            )
            with in_account(rule.account):
                start_run(rule, "command", "demo")
            sync = self.start("manage.py", "sync", "demo/cards")
            while sync.poll() is None and not stop.wait(0.1):
                pass
            if stop.is_set():
                return
            self.children.remove(sync)
        self.start("manage.py", "qcluster")
        tell_sandbox(
            url,
            "webhooks",
            {"token": DEMO_TOKEN, "url": f"{address}webhooks/hubspot/", "secret": DEMO_APP_SECRET},
        )
        new = (
            '{"properties": {"email": "new@new.example.jp", "lastname": "New", "company": "New '
            'KK"}}'
        )
        self.stdout.write(
            "  Changes arrive within seconds, both ways. To change a few cards, or to make a "
            "contact that becomes a card:"
        )
        self.stdout.write(f"    curl -X POST {url}/sandbox/sansan/churn -d '{{\"percent\": 1}}'")
        self.stdout.write(f"    curl -X POST {url}/sandbox/hubspot/create -d '{new}'")
        self.stdout.write("  Ctrl-C ends everything; a second start goes on from here.\n")
        while not stop.wait(0.5):
            ended = next((child for child in self.children if child.poll() is not None), None)
            if ended:
                # ``args`` is the list that it was started with.
                raise CommandError(f"Ended by itself: {' '.join(map(str, ended.args))}")  # type: ignore[arg-type]

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, *command], cwd=settings.BASE_DIR, start_new_session=True
        )
        self.children.append(child)
        return child

    def end(self) -> None:
        """Workers first, the sandbox last, so that nobody talks to somebody who has left."""
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


def prepare_demo() -> SyncRule:
    """Account, user, connections and rule, as far as they are not there."""
    file = read_configuration(DEMO_CONFIGURATION, os.environ)
    store_configuration(file, ask_vendors(file))
    make_properties(file)
    account = Account.objects.get(slug="demo")
    user, made = get_user_model().objects.get_or_create(
        username="demo", defaults={"is_staff": True}
    )
    if made:
        user.set_password("demo")
        user.save()
    Membership.objects.get_or_create(user=user, account=account, defaults={"role": Role.OWNER})
    with in_account(account):
        return SyncRule.objects.select_related("account").get(slug="cards")


def tell_sandbox(url: str, verb: str, body: dict[str, Any]) -> None:
    """Tells the sandbox's HubSpot something that its people would."""
    request = urllib.request.Request(f"{url}/sandbox/hubspot/{verb}", json.dumps(body).encode())  # noqa: S310
    urllib.request.urlopen(request).close()  # noqa: S310


def read_asked_port() -> int:
    asked = os.environ.get("DEMO_PORT", "8000")
    if not asked.isdecimal() or not 0 < int(asked) < 65_536:
        raise CommandError(
            f"DEMO_PORT: “{asked}” is not a port; choose a number from 1 to 65535.", returncode=2
        )
    return int(asked)


def is_port_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def choose_sandbox_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_listener(url: str, stop: StopSignal, patience: float = 60.0) -> bool:
    """Waits until somebody listens there."""
    host, _, port = url.removeprefix("http://").partition(":")
    until = time.monotonic() + patience
    while time.monotonic() < until and not stop.wait(0.1):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return True
    return False
