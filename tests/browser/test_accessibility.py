"""Every page there is, found from the URLs, light and dark, on a desk and on a telephone: nothing
that axe-core calls serious or critical.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Response

from core.admin.site import site
from tests.cast import PASSWORD

WIDTHS = (390, 1440)
LISTS = [model._meta.model_name for model in site._registry]
SCRIPT = Axe().axe_script
# What is severe, as [rule, impact, what is wrong, element].
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
RUN = """
async (only) => {
  const found = await axe.run(document, { resultTypes: ["violations"], preload: false, ...only });
  const severe = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  const wrong = (node) =>
    [...node.any, ...node.all, ...node.none].map((check) => check.message)[0] || "";
  return severe.flatMap((one) =>
    one.nodes.map((node) => [one.id, one.impact, wrong(node), node.html]));
}
"""
# As the switch in the menu does it; pages without one follow the browser.
THEME = (
    "(theme) => { if (window.Alpine) Alpine.$data(document.documentElement).adminTheme = theme; }"
)
WIDER = """
() => {
  const root = document.documentElement;
  if (root.scrollWidth <= window.innerWidth) return "";
  const out = [...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1);
  const last = out.slice(-3).map((one) => one.outerHTML.slice(0, 120));
  return `${root.scrollWidth}: ${last.join(" | ")}`;
}
"""


class Looks:
    """What is wrong, told once with every page that has it."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home
        # What -> (elements, pages).
        self.found: dict[tuple[str, ...], tuple[dict[str, None], dict[str, None]]] = {}
        self.seen: list[str] = []
        page.on("pageerror", lambda error: self.wrong("script", str(error)))
        page.on("console", self.said)

    def said(self, message: ConsoleMessage) -> None:
        """That the page itself was answered with an error is no complaint: ``at`` knows what it
        asked for.
        """
        if message.type == "error" and message.location["url"] != self.page.url:
            self.wrong("console", message.text, element=message.location["url"])

    def wrong(self, *what: str, element: str = "") -> None:
        elements, pages = self.found.setdefault(what, ({}, {}))
        elements[re.sub(r"\d+", "N", " ".join(element.split())[:200])] = pages[
            self.seen[-1] if self.seen else ""
        ] = None

    def at(self, path: str, status: int = 200) -> None:
        self.shown(path, self.page.goto(f"{self.home}{path}"), status)

    def shown(self, name: str, answer: Response | None, status: int = 200) -> None:
        self.now(name)
        if answer is None or answer.status != status:
            self.wrong("answered", str(answer and answer.status))

    def now(self, name: str) -> None:
        """The page as it stands, in each width; and what is dark, which differs from what is light
        by its colours only, in the wider one.
        """
        self.page.evaluate(SCRIPT)
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.judge(f"{name} ({width})", {})
            if wider := self.page.evaluate(WIDER):
                self.wrong("wider than the window", element=wider)
        self.switch("dark")
        self.judge(f"{name} (dark)", COLOURS)
        self.switch("light")

    def judge(self, name: str, rules: dict[str, Any]) -> None:
        self.seen.append(name)
        self.page.wait_for_function(
            "document.getAnimations().every((one) => one.playState === 'finished')"
        )
        for *what, element in self.page.evaluate(RUN, rules):
            self.wrong(*what, element=element)

    def switch(self, theme: Literal["dark", "light"]) -> None:
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        self.page.evaluate(THEME, theme)

    def report(self) -> str:
        lines = []
        for what, (elements, pages) in self.found.items():
            lines += [
                "",
                " | ".join(what),
                f"    on {', '.join(pages)}",
                *(f"    {html}" for html in list(elements)[:4]),
            ]
        return "\n".join(lines)


@pytest.fixture
def looks(chromium: Any, furnished: Any) -> Iterator[Callable[..., Looks]]:
    """Looks as somebody; as nobody where no name is given."""
    contexts = []

    def look(who: str = "") -> Looks:
        context = chromium.new_context(color_scheme="light", reduced_motion="reduce")
        contexts.append(context)
        if who:
            context.add_cookies(
                [{"name": "sessionid", "value": furnished.cookies[who], "url": furnished.url}]
            )
        page = context.new_page()
        page.set_default_timeout(20_000)
        return Looks(page, furnished.url)

    yield look
    for context in contexts:
        context.close()


def test_every_page(looks: Callable[..., Looks], furnished: Any) -> None:
    """Whatever an address leads to: the platform's staff see all of it, an owner her account, and a
    newcomer what is empty.
    """
    walks = {who: looks(who) for who in furnished.pages}
    for who, pages in furnished.pages.items():
        for path in pages:
            walks[who].at(path)
    seen = {path for pages in furnished.pages.values() for path in pages}
    kinds = {re.sub(r".*/(?=[a-z])", "", path.partition("?")[0].rstrip("/")) for path in seen}
    assert kinds >= {
        *LISTS,
        *(
            "add change delete history password done suspend leave setup connect tags configure "
            "limit review health"
        ).split(),
    }
    assert len(seen) > 80
    assert not any(walk.found for walk in walks.values()), "\n".join(
        walk.report() for walk in walks.values()
    )


def test_what_one_comes_to_by_pressing(looks: Callable[..., Looks], furnished: Any) -> None:
    guest, aiko, root = looks(), looks("aiko"), looks("root")
    for token, status in (
        ("acme-token", 200),
        ("acme-known", 200),
        ("acme-late", 410),
        ("acme-done", 410),
        ("acme-none", 404),
    ):
        guest.at(f"/invitation/{token}/", status)
    aiko.at("/invitation/acme-token/")
    aiko.at("/invitation/acme-known/")
    for path, status in (("/admin/core/user/", 403), ("/no/such/page/", 404), ("/fails/", 500)):
        aiko.at(path, status)
    signing_up(guest)
    signing_in_and_out(guest)
    mistakes(aiko, furnished.draft)
    menus(aiko)
    root.at(f"{furnished.invitation}change/")
    root.page.get_by_role("button", name="Send again").click()
    root.page.locator("#invitation-link").wait_for()
    root.now("the link of an invitation, shown once")
    root.at(f"{furnished.account}suspend/")
    root.page.fill("#id_slug", "typed")
    root.page.fill("#id_reason", "because")
    root.page.locator(".mb-danger").click()
    root.page.locator(".mb-error").wait_for()
    root.now("suspending, with a mistake")
    walks = (guest, aiko, root)
    assert not any(walk.found for walk in walks), "\n".join(walk.report() for walk in walks)


def signing_up(guest: Looks) -> None:
    page = guest.page
    guest.at("/invitation/acme-token/")
    for name, value in (("username", "no good"), ("password1", "short"), ("password2", "other")):
        page.fill(f"[name={name}]", value)
    page.get_by_role("button", name="Join").click()
    page.get_by_role("alert").wait_for()
    guest.now("signing up, with mistakes")
    page.context.clear_cookies()
    page.locator("form").evaluate("form => form.submit()")
    page.get_by_text("open for too long").wait_for()
    guest.now("a form that was open for too long")


def signing_in_and_out(guest: Looks) -> None:
    page = guest.page
    guest.at("/admin/login/")
    page.fill("[name=username]", "ben")
    page.fill("[name=password]", "wrong")
    page.get_by_role("button", name="Log in").click()
    page.locator(".errornote, [role=alert], .bg-red-100").first.wait_for()
    guest.now("signing in, with a mistake")
    page.fill("[name=username]", "ben")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    guest.now("the overview of a viewer")
    page.locator("#logout-form").evaluate("form => form.requestSubmit()")
    page.wait_for_url("**/logout/")
    guest.now("signed out")


def mistakes(aiko: Looks, draft: str) -> None:
    page = aiko.page
    for step, act, name in (
        ("connect", lambda: page.fill("#id_slug", "no good"), "a name"),
        ("configure", lambda: bad_mapping(page), "a mapping"),
        ("limit", lambda: page.locator("[data-add=card]").click(), "a criterion"),
    ):
        page.goto(f"{aiko.home}{draft}setup/{step}/")
        act()
        page.get_by_role("button", name="Continue").click()
        page.locator(".mb-error:visible").first.wait_for()
        aiko.now(f"set-up with a mistake in {name}")
    page.goto(f"{aiko.home}{draft}setup/tags/")
    page.locator("[data-pane=all] label", has_text="public").first.click()
    aiko.now("set-up with a tag chosen")


def bad_mapping(page: Page) -> None:
    page.get_by_role("button", name="Add a mapping").click()
    page.locator("[data-rows=row] [name$=hubspot]").last.fill("no_such_property")


def menus(aiko: Looks) -> None:
    """What opens over a page."""
    page = aiko.page
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{aiko.home}/admin/integration/record/")
    page.get_by_role("button", name="Filters").click()
    page.locator("#changelist-filter").wait_for()
    aiko.now("filters of a list")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{aiko.home}/admin/")
    page.locator("#nav-sidebar [x-data*=openUserLinks] > [role=button]").click()
    page.locator("#logout-form").wait_for()
    aiko.now("the menu of the user")
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{aiko.home}/admin/")
    page.locator("[x-on\\:click*=sidebarMobileOpen]:visible").click()
    aiko.now("the menu of a small window")
