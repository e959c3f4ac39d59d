"""Every page of ours that an owner comes to, light and dark, by axe-core: nothing that it calls serious or critical."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.test_sync_now import sign_in
from tests.cast import file
from tests.process import wait_for

LISTS = (
    "integration/syncrule", "integration/syncrun", "integration/auditentry", "integration/record", "integration/link", "integration/connection",
    "integration/tag", "core/account", "core/membership", "core/invitation",
)  # fmt: skip
FORMS = ("integration/syncrule", "integration/connection", "core/membership", "core/invitation")
STEPS = ("connect", "tags", "configure", "limit", "review")
SEVERE = ("serious", "critical")


class Looks:
    """What is severe, told once with every page that has it."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home
        self.found: dict[tuple[str, ...], tuple[dict[str, None], dict[str, None]]] = {}  # what -> (elements, pages)
        self.seen: list[str] = []

    def at(self, path: str, name: str = "", status: int = 200) -> None:
        answer = self.page.goto(path if path.startswith("http") else f"{self.home}{path}")
        if answer is None or answer.status != status:
            self.found[(f"answered {answer and answer.status}", path)] = ({}, {})
        self.now(name or path)

    def now(self, name: str) -> None:
        """The page as it stands."""
        self.page.wait_for_load_state("networkidle")
        self.seen.append(name)
        for one in Axe().run(self.page).response["violations"]:
            if one["impact"] in SEVERE:
                for node in one["nodes"]:
                    elements, pages = self.found.setdefault((one["id"], one["impact"], told(node)), ({}, {}))
                    elements[re.sub(r"\d+", "N", " ".join(node["html"].split())[:160])] = pages[name] = None

    def report(self) -> str:
        lines = []
        for what, (elements, pages) in self.found.items():
            lines += [" | ".join(what), f"    on {', '.join(pages)}", *(f"    {html}" for html in list(elements)[:3])]
        return "\n".join(lines)


def told(node: dict[str, Any]) -> str:
    checks = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    return checks[0][:150] if checks else ""


@pytest.fixture(params=["light", "dark"])
def page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def test_no_page_has_a_serious_violation(page: Page, installation) -> None:
    filters = {"cards": [{"field": "title", "op": "not_blank"}], "contacts": []}
    here = installation(file(interval=3600, filters=filters), cards=120)
    wait_for(lambda: here.product.rows("SELECT 1 FROM integration_syncrun WHERE state = 'succeeded'"), 60)
    looks = Looks(page, f"{here.url}/admin/")
    looks.at("login/")
    sign_in(page, here.url)
    looks.at("", "overview")
    for model in LISTS:
        looks.at(f"{model}/")
        link = page.locator("#result_list a[href*='/change/']").first
        if link.count():
            looks.at(f"{here.url}{link.get_attribute('href')}", f"{model} page")
    for model in FORMS:
        looks.at(f"{model}/add/")
    rule = f"integration/syncrule/{here.product.rows('SELECT id FROM integration_syncrule')[0][0]}"
    looks.at("integration/syncrule/setup/")
    for step in STEPS:
        looks.at(f"{rule}/setup/{step}/", f"set-up, {step}")
    for path in (
        "integration/syncrule/history/",
        "integration/record/?bucket__exact=excluded",
        "integration/auditentry/?q=nobody",
        "password_change/",
    ):
        looks.at(path)
    looks.at(f"{rule}/health/", "health of a rule")
    looks.at("core/user/", "refused", 403)
    looks.at("no/such/page/", "not there", 404)
    page.goto(f"{looks.home}{rule}/setup/review/")
    page.get_by_role("button", name="Run the preview").click()
    page.locator("[data-tile=excluded]").click(timeout=60_000)
    page.locator("#rows").wait_for()
    looks.now("set-up, review with its rows")
    page.goto(f"{looks.home}{rule}/setup/configure/")
    page.get_by_role("button", name="Add a mapping").click()
    page.locator("[data-rows=row] [name$=hubspot]").last.fill("no_such_property")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").first.wait_for()
    looks.now("set-up, configure with a mistake")
    assert len(looks.seen) > 35, looks.seen
    assert looks.found == {}, "\n" + looks.report()
