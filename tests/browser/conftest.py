"""The whole installation as its users meet it: web server, workers and database in processes of their own, and a real browser."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from integration.sandbox.server import Sandbox
from tests.cast import PASSWORD
from tests.process import Product, free_port, session, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Without these Chromium talks to the world as soon as it starts.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
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
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Callable[..., SimpleNamespace]]:
    """Starts everything over a sandbox; ``file`` is the configuration. Aiko owns Acme."""
    with contextlib.ExitStack() as stack:

        def start(content: dict[str, Any], cards: int = 300, latency_ms: float = 0) -> SimpleNamespace:
            sandbox = stack.enter_context(Sandbox(cards=cards, limits=False))
            product = Product(tmp_path, sandbox.url).configured(content)
            stack.enter_context(session(product.script(AIKO, PASSWORD), env=product.environment)).wait(30)
            port = free_port()
            command = [*product.script("from gunicorn.app.wsgiapp import run; run()"), "core.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "8"]
            stack.enter_context(session(command, env=product.environment))
            stack.enter_context(product.running("qcluster"))
            wait_for(lambda: listens(port), 30)
            sandbox.latency_ms = latency_ms
            return SimpleNamespace(url=f"http://127.0.0.1:{port}", sandbox=sandbox, product=product)

        yield start


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Ends with its file: while it runs, Django takes every query of this process for one of an event loop."""
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
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.set_default_timeout(20_000)
    yield page
    context.close()
    assert complaints == []
