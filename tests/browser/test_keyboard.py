"""Without a mouse: whatever can be pressed is reached with Tab, shows that it is, and is pressed
with Enter or the space bar.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

STEPS = ("connect", "tags", "configure", "limit", "review")
# Marks what is to be reached (a group of radio buttons is one stop), and how each looks without the
# focus.
MARK = """
() => {
  const look = (one) => {
    const style = getComputedStyle(one);
    return `${style.outline} ${style.boxShadow} ${style.borderColor}`;
  };
  const marked = [], groups = new Set();
  const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, " +
    "[x-on\\\\:click]:not(nav, #changelist-filter-close)";
  for (const one of document.querySelectorAll(all)) {
    const group = one.type === "radio" ? `${one.form?.id}/${one.name}` : "";
    if (one.disabled || one.ariaHidden === "true") continue;
    if (!one.checkVisibility({ visibilityProperty: true })) continue;
    if (group && groups.has(group)) continue;
    groups.add(group);
    one.dataset.stop = marked.push(group || one.outerHTML.slice(0, 120)) - 1;
    if (group)
      document.getElementsByName(one.name)
        .forEach((other) => (other.dataset.stop = one.dataset.stop));
    one.dataset.look = look(one);
  }
  window.look = look;
  return marked;
}
"""
# [which stop, whether it looks focused] of where the focus is; null outside the page.
AT = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const plain = one.dataset.look, stop = one.dataset.stop;
  const changed = plain === undefined || window.look(one) !== plain;
  const seen = one.matches(":focus-visible") && changed;
  return [stop === undefined ? -1 : Number(stop), seen, one.outerHTML.slice(0, 120)];
}
"""


@pytest.fixture
def page(chromium: Any, furnished: Any) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.add_cookies(
        [{"name": "sessionid", "value": furnished.cookies["aiko"], "url": furnished.url}]
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def walk(page: Page) -> tuple[list[str], list[str]]:
    """(what Tab never came to, what does not show that it has the focus)."""
    stops = page.evaluate(MARK)
    missed = dict(enumerate(stops))
    blind: dict[str, None] = {}
    for _ in range(2 * len(stops) + 20):
        page.keyboard.press("Tab")
        at = page.evaluate(AT)
        if at is None:
            break
        stop, seen, html = at
        missed.pop(stop, None)
        if not seen:
            blind[html] = None
    else:
        blind["a trap"] = None
    return list(missed.values()), list(blind)


@pytest.mark.parametrize("place", ["", *STEPS, "health", "record", "list"])
def test_everything_is_reached_and_shows_it(page: Page, furnished: Any, place: str) -> None:
    steps = {step: f"{furnished.draft}setup/{step}/" for step in STEPS}
    path = {
        "": "/admin/",
        "health": f"{furnished.rule}health/",
        "record": f"{furnished.record}change/",
        "list": "/admin/integration/record/",
    } | steps
    page.goto(f"{furnished.url}{path[place]}")
    assert walk(page) == ([], [])


@pytest.mark.parametrize("key", ["Enter", " "])
def test_the_menu_of_the_user_opens_and_escape_closes_it(
    page: Page, furnished: Any, key: str
) -> None:
    page.goto(f"{furnished.url}/admin/")
    opener, leave = (
        page.locator("[x-data*=openUserLinks] > [role=button]"),
        page.locator("#logout-form button"),
    )
    opener.focus()
    page.keyboard.press(key)
    expect(leave).to_be_visible()
    page.keyboard.press("Escape")
    expect(leave).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_menu_of_a_small_window(page: Page, furnished: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{furnished.url}/admin/")
    page.get_by_role("button", name="Menu").locator("visible=true").first.focus()
    page.keyboard.press("Enter")
    menu = page.locator("#nav-sidebar a").first
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


def test_the_filters_of_a_list(page: Page, furnished: Any) -> None:
    page.goto(f"{furnished.url}/admin/integration/record/")
    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#changelist-filter")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#changelist-filter")).to_be_hidden()


def test_tags_are_ticked_and_taken_away(page: Page, furnished: Any) -> None:
    page.goto(f"{furnished.url}{furnished.draft}setup/tags/")
    box = page.locator("[data-pane=all] input:enabled").first
    before = box.is_checked()
    box.focus()
    page.keyboard.press(" ")
    expect(box).to_be_checked(checked=not before)
    if before:
        page.keyboard.press(" ")
    take = page.locator("[data-pane=chosen] button").first
    take.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-pane=all] input:focus")).to_be_visible()
    expect(page.locator("[data-pane=all] input:focus")).not_to_be_checked()


def test_a_mapping_is_added(page: Page, furnished: Any) -> None:
    page.goto(f"{furnished.url}{furnished.draft}setup/configure/")
    rows = page.locator("[data-rows=row] > [data-row]")
    n = rows.count()
    page.get_by_role("button", name="Add a mapping").focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(n + 1)
    expect(rows.last.locator("select:focus, input:focus")).to_be_visible()
    more = rows.last.locator("summary")
    more.focus()
    page.keyboard.press(" ")
    expect(rows.last.locator("[name$=table]")).to_be_visible()


ONWARD = {
    "from connecting": ("connect", "#id_slug", "tags"),
    "from configuring": ("configure", "[name$=hubspot] >> nth=1", "limit"),
}


@pytest.mark.parametrize(("step", "field", "onward"), ONWARD.values(), ids=ONWARD)
def test_enter_goes_on_whatever_else_a_page_can_do(
    page: Page, furnished: Any, step: str, field: str, onward: str
) -> None:
    page.goto(f"{furnished.url}{furnished.draft}setup/{step}/")
    page.locator(field).press("Enter")
    page.wait_for_url(f"**/setup/{onward}/**")
