"""A person signs in, presses “Sync now”, watches the run, and reads what became of one card."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.cast import PASSWORD, TOKEN, file
from tests.engine.oracle import contacts_of, expected
from tests.process import wait_for


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    page.fill("[name=username]", "aiko")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def fits(page: Page) -> None:
    """Nothing stands out of the window sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_sync_now_and_what_became_of_a_card(page: Page, installation) -> None:
    # The workers begin the first sync by themselves; then nothing for an hour, unless somebody
    # asks.
    here = installation(file(interval=3600))
    cards = here.sandbox.sansan.cards
    wait_for(lambda: contacts_of(here.sandbox, TOKEN) == expected(list(cards.values())), 40)
    wait_for(
        lambda: here.product.rows("SELECT 1 FROM integration_syncrun WHERE state = 'succeeded'"), 20
    )
    with_address = [card for card in cards.values() if card["email"]]
    for card in with_address[:20]:
        here.sandbox.sansan.change(card["id"], {"title": f"新任部長 {card['id'][:4]}"})
    here.sandbox.latency_ms = 1500  # slow enough to be watched

    sign_in(page, here.url)
    page.goto(f"{here.url}/admin/integration/syncrule/")
    fits(page)
    page.get_by_role("link", name="cards").first.click()
    page.wait_for_url(re.compile(r"/syncrule/\w+/"))  # a click does not wait for what it leads to
    fits(page)
    page.get_by_role("button", name="Sync now").click()

    state = page.locator("[data-part=state]")
    expect(state).to_have_text(re.compile("Queued|Running"))
    # Without a reload: the page follows the run.
    expect(state).to_have_text("Succeeded", timeout=40_000)
    assert contacts_of(here.sandbox, TOKEN) == expected(list(cards.values()))
    expect(page.locator("[data-text=updated]")).not_to_have_text("0")
    numbers = [
        int(text.replace(",", "")) for text in page.locator("[data-tile] b").all_text_contents()
    ]
    assert sum(numbers) == int(page.locator("[data-text=read]").inner_text()) == 20
    fits(page)

    page.get_by_role("link", name="Audit log of this run").click()
    rows = page.locator("#result_list tbody tr")
    expect(rows.first).to_be_visible()
    fits(page)
    page.locator("#result_list a[href*='/change/']").first.click()
    changed = page.locator("tr", has_text="jobtitle").first
    expect(changed).to_contain_text("新任部長")
    expect(page.get_by_text("Sent", exact=True)).to_be_visible()
    fits(page)
