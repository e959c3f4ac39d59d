"""Every page of ours, light and dark, by axe-core: nothing that it calls serious or critical."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.test_sync_now import sign_in
from tests.cast import TOKEN, file
from tests.engine.oracle import contacts_of
from tests.process import wait_for

LISTS = (
    "integration/syncrule", "integration/syncrun", "integration/auditentry", "integration/record", "integration/link", "integration/connection",
    "integration/tag", "core/account", "core/membership", "core/invitation", "core/user", "integration/heartbeat",
)  # fmt: skip
FORMS = ("integration/syncrule", "integration/connection", "core/membership", "core/invitation")
STEPS = ("connect", "tags", "configure", "limit", "review")
# Says what is wrong with a page before any rule of axe's does: a page that did not come must not pass.
SEVERE = ("serious", "critical")


@pytest.fixture(params=["light", "dark"])
def page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def found(page: Page, name: str) -> list[str]:
    """What is severe on the page as it stands: a line for each element."""
    page.wait_for_load_state("networkidle")
    lines = []
    for one in Axe().run(page).response["violations"]:
        if one["impact"] in SEVERE:
            nodes = [f"    {node['target']} {' '.join(node['html'].split())[:160]} :: {told(node)}" for node in one["nodes"][:4]]
            lines.append(f"{name}: {one['id']} ({one['impact']}, {len(one['nodes'])}×)\n" + "\n".join(nodes))
    return lines


def told(node: dict[str, Any]) -> str:
    checks = [check for kind in ("any", "all", "none") for check in node[kind]]
    return "; ".join(check["message"] for check in checks)[:200]


def first_row(page: Page) -> str:
    link = page.locator("#result_list a[href*='/change/']").first
    return str(link.get_attribute("href") or "") if link.count() else ""


def test_no_page_has_a_serious_violation(page: Page, installation) -> None:
    here = installation(file(interval=3600, filters={"cards": [{"field": "title", "op": "not_blank"}], "contacts": []}), cards=120)
    wait_for(lambda: here.product.rows("SELECT 1 FROM integration_syncrun WHERE state = 'succeeded'"), 60)
    assert contacts_of(here.sandbox, TOKEN)
    home, lines, seen = f"{here.url}/admin/", [], 0

    def look(path: str, name: str = "") -> None:
        nonlocal seen
        answer = page.goto(path if path.startswith("http") else f"{home}{path}")
        assert answer and answer.status == 200, (path, answer and answer.status)
        lines.extend(found(page, name or path))
        seen += 1

    look("login/")
    sign_in(page, here.url)
    look("", "overview")
    for model in LISTS:
        look(f"{model}/")
        link = first_row(page)
        if link:
            look(f"{here.url}{link}", f"{model} page")
    for model in FORMS:
        look(f"{model}/add/")
    ((rule,),) = here.product.rows("SELECT id FROM integration_syncrule")
    look("integration/syncrule/setup/")
    for step in STEPS:
        look(f"integration/syncrule/{rule}/setup/{step}/")
    page.get_by_role("button", name="Run the preview").click()
    page.locator("[data-tile=excluded]").wait_for(timeout=60_000)
    lines += found(page, "review with a preview")
    page.locator("[data-tile=excluded]").click()
    lines += found(page, "review with its rows")
    page.goto(f"{home}integration/syncrule/{rule}/setup/configure/")
    page.get_by_role("button", name="Add a mapping").click()
    page.get_by_role("button", name="Continue").click()
    lines += found(page, "configure with mistakes")
    look("integration/record/?bucket__exact=excluded", "record list, filtered")
    look(f"integration/auditentry/?q=nobody", "audit log, empty")  # noqa: F541
    assert seen > 30
    assert lines == [], "\n" + "\n".join(lines)
