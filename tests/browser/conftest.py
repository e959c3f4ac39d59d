"""The whole installation as its users meet it: web server, workers and database in processes of
their own, and a real browser.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from integration.sandbox.server import Sandbox
from tests.cast import PASSWORD
from tests.process import ROOT, Product, free_port, session, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Without these Chromium talks to the world as soon as it starts.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AIKO = """
import sys
from core.models import Account, Membership, Role, User
user = User.objects.create_user("aiko", password=sys.argv[1], is_staff=True)
Membership.objects.create(user=user, account=Account.objects.get(slug="acme"), role=Role.OWNER)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(
                pytest.mark.skipif(
                    CHROMIUM is None,
                    reason="chromium is not installed (Debian: apt-get install chromium)",
                )
            )


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Callable[..., SimpleNamespace]]:
    """Starts everything over a sandbox; ``file`` is the configuration. Aiko owns Acme."""
    with contextlib.ExitStack() as stack:

        def start(
            content: dict[str, Any], cards: int = 300, latency_ms: float = 0
        ) -> SimpleNamespace:
            sandbox = stack.enter_context(Sandbox(cards=cards, limits=False))
            product = Product(tmp_path, sandbox.url).configured(content)
            stack.enter_context(
                session(product.script(AIKO, PASSWORD), env=product.environment)
            ).wait(30)
            port = free_port()
            command = [
                *product.script("from gunicorn.app.wsgiapp import run; run()"),
                "core.wsgi",
                "--bind",
                f"127.0.0.1:{port}",
                "--threads",
                "8",
            ]
            stack.enter_context(session(command, env=product.environment))
            stack.enter_context(product.running("qcluster"))
            wait_for(lambda: listens(port), 30)
            sandbox.latency_ms = latency_ms
            return SimpleNamespace(url=f"http://127.0.0.1:{port}", sandbox=sandbox, product=product)

        yield start


# Errors as users see them, not Django's own pages for developers; and an address that fails.
SERVE = """
from django.conf import settings
from django.urls import path
from core import urls
settings.DEBUG = False
urls.urlpatterns.insert(0, path("fails/", lambda request: 1 / 0))
from gunicorn.app.wsgiapp import run
run()
"""


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A web server over a database in which everything is there to be looked at (places.py), and no
    worker.
    """
    product, port = Product(tmp_path_factory.mktemp("furnished")), free_port()
    made = subprocess.run(
        product.script(
            "import json; from tests.browser.places import make; print(json.dumps(make()))"
        ),
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    command = [*product.script(SERVE), "core.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "8"]
    with session(
        command, env=product.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ):
        wait_for(lambda: listens(port), 30)
        yield SimpleNamespace(
            url=f"http://127.0.0.1:{port}",
            product=product,
            **json.loads(made.stdout.splitlines()[-1]),
        )


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Ends with its file: while it runs, Django takes every query of this process for one of an
    event loop.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(params=[1440, 390], ids=["desk", "telephone"])
def page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of either width. What the browser itself complains of fails the test."""
    context = chromium.new_context(viewport={"width": request.param, "height": 900})
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.set_default_timeout(20_000)
    yield page
    context.close()
    assert complaints == []
