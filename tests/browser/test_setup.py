"""A new owner sets up a sync from two keys to contacts in HubSpot, with the mistakes that people
make on the way.
"""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.test_sync_now import fits, sign_in
from tests.engine.oracle import contacts_of, expected
from tests.process import wait_for

EMPTY = {
    "account": {"slug": "acme", "name": "Acme KK", "timezone": "Asia/Tokyo"},
    "connections": [],
    "rules": [],
}
WRONG_KEY, KEY, TOKEN = (
    "WRONGKey0123456789abcdefABCDEF01",
    "SetupKey0123456789abcdefABCDEF01",
    "pat-browser-0001",
)


def side(page: Page, system: str) -> Locator:
    return page.locator(f"section[aria-labelledby=mb-{system}]")


def connect(page: Page, system: str, label: str, secret: str) -> None:
    details = side(page, system).locator("details")
    if not details.evaluate("details => details.open"):
        details.locator("summary").click()
    details.locator("[name$=label]").fill(label)
    details.locator("[name$=secret]").fill(secret)
    details.get_by_role("button", name="Connect and test").click()
    page.wait_for_load_state()


def go_on(page: Page, step: str) -> None:
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"**/setup/{step}/**")
    fits(page)


def add_mapping(page: Page) -> Locator:
    page.get_by_role("button", name="Add a mapping").click()
    row = page.locator("[data-rows=row] > [data-row]").last
    row.locator("[name$=source]").select_option("=")
    return row


def test_from_two_keys_to_contacts(page: Page, installation) -> None:
    here = installation(EMPTY, cards=120)
    sandbox = here.sandbox
    cards = sandbox.sansan.cards
    sign_in(page, here.url)
    page.goto(f"{here.url}/admin/integration/syncrule/setup/")
    fits(page)
    page.fill("#id_slug", "cards")

    # A key with a blank in it, then one that Sansan refuses, then the right one.
    connect(page, "sansan", "company", "not a key")
    expect(side(page, "sansan").locator(".mb-error").first).to_be_visible()
    expect(page.locator("#id_slug")).to_have_value("cards")
    connect(page, "sansan", "company", WRONG_KEY)
    # Without a reload: the page follows the test.
    expect(side(page, "sansan").get_by_text("Needs a new key")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(side(page, "sansan").locator(".mb-error")).to_contain_text("does not work yet")
    fits(page)
    connect(page, "sansan", "administrator", KEY)
    connect(page, "hubspot", "portal", TOKEN)
    expect(side(page, "sansan").locator(".mb-choice", has_text="administrator")).to_contain_text(
        "120 cards"
    )
    expect(side(page, "hubspot").locator(".mb-choice")).to_contain_text("HubSpot account")
    expect(
        side(page, "sansan").locator(".mb-choice", has_text="administrator").locator("input")
    ).to_be_checked()
    page.reload()
    expect(page.locator("#id_slug")).to_have_value("cards")
    expect(
        side(page, "sansan").locator(".mb-choice", has_text="administrator").locator("input")
    ).to_be_checked()
    assert not [secret for secret in (WRONG_KEY, KEY, TOKEN) if secret in page.content()]
    go_on(page, "tags")

    # Back and on again comes to the same draft.
    draft = page.url
    page.go_back()
    expect(page.locator("#id_slug")).to_have_value("cards")
    go_on(page, "tags")
    assert page.url == draft

    # Tags: two ticked, one taken away again on the right, and in the end every card.
    left, right = page.locator("[data-pane=all]"), page.locator("[data-pane=chosen]")
    page.get_by_label("Search tags").fill("ｖｉｐ")
    expect(left.locator("li:visible")).to_have_count(1)
    left.get_by_text("VIP").click()
    page.get_by_label("Search tags").fill("")
    left.get_by_text("東京").click()
    expect(right.locator("li")).to_have_count(2)
    right.get_by_role("button", name=re.compile("VIP")).click()
    expect(page.locator("[data-chosen]")).to_have_text("1")
    expect(left.locator("li", has_text="個人メモ0").locator("input")).to_be_disabled()
    # Counted again: the cards of each tag are there without a reload, and what is ticked stays.
    sandbox.sansan.churn(1)
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_text("The key sees 120 cards.")).to_be_visible()
    expect(left.locator("li", has_text="東京").locator("input")).to_be_checked()
    expect(left.locator("li", has_text="東京").locator(".mb-count")).to_have_text(
        re.compile(r"^\d+ cards?$")
    )
    expect(right.locator("li")).to_have_count(1)
    # Every card after all, and not after all: what was chosen is there again.
    page.get_by_label("Every card, whatever its tags").check()
    expect(right.locator("li")).to_have_count(0)
    page.get_by_label("Every card, whatever its tags").uncheck()
    expect(right.locator("li")).to_have_count(1)
    page.goto(draft)
    page.get_by_label("Every card, whatever its tags").check()
    go_on(page, "configure")

    # A mapping whose expression is wrong is told while it is typed; a reload before Continue
    # forgets only that row.
    row = add_mapping(page)
    row.locator("[name$=hubspot]").fill("salutation")
    row.locator("[name$=expression]").fill("{{ surname }}")
    expect(row.locator("[data-problem]")).to_contain_text("“surname” is not a field of a card")
    fits(page)
    page.reload()
    expect(page.locator("[name$=hubspot][value=salutation]")).to_have_count(0)
    row = add_mapping(page)
    row.locator("[name$=hubspot]").fill("salutation")
    row.locator("[name$=expression]").fill("{{ lastName }")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert").first).to_contain_text("each says why")
    row = page.locator("[data-rows=row] > [data-row]").last
    row.locator("[name$=expression]").fill("{{ lastName }}様")
    expect(row.locator("[data-value]")).to_have_text(re.compile(".様"))
    expect(row.locator("[data-problem]")).to_be_hidden()
    fits(page)
    go_on(page, "limit")

    # A criterion that lacks its value, taken away again.
    page.locator("[data-add=card]").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("What should it be compared with?")).to_be_visible()
    # A date is picked; what asks for no value shows none.
    criterion = page.locator("[data-rows=card] .mb-criterion")
    criterion.locator("[name$=field]").select_option("exchangeDate")
    criterion.locator("[name$=op]").select_option("on_or_after")
    expect(criterion.locator("[name$=value]")).to_have_attribute("type", "date")
    criterion.locator("[name$=op]").select_option("not_blank")
    expect(criterion.locator("[name$=value]")).to_be_hidden()
    page.locator("[data-rows=card] [name$=DELETE]").check()
    go_on(page, "review")

    # The dry run comes to its end before our eyes, and nothing has been written so far.
    tile = page.locator("[data-tile=created]")
    expect(tile).to_be_visible(timeout=60_000)
    wanted = expected(list(cards.values()))
    expect(tile.locator("b")).to_have_text(str(len(wanted)))
    assert sandbox.hubspot.changes == 0
    fits(page)
    tile.click()
    expect(page.locator("#rows .mb-people li").first).to_contain_text("salutation")
    fits(page)
    page.get_by_role("link", name="Back").click()
    page.wait_for_url("**/setup/limit/**")
    go_on(page, "review")

    page.get_by_role("button", name="Save and sync").click()
    page.wait_for_url("**/syncrun/**")
    expect(page.locator("[data-part=state]")).to_have_text("Succeeded", timeout=60_000)
    fits(page)
    wait_for(lambda: contacts_of(sandbox, TOKEN) == wanted, 20)
    assert {
        contact["salutation"] for contact in sandbox.hubspot.portal(TOKEN).contacts.values()
    } == {f"{contact['lastname']}様" for contact in wanted.values()}

    # From now on by itself.
    contact = next(
        one for one in sandbox.hubspot.portal(TOKEN).contacts.values() if one.get("jobtitle")
    )
    id = contact["sansan_card_id"]
    sandbox.sansan.change(id, {"title": "新任部長"})
    wait_for(lambda: contacts_of(sandbox, TOKEN) == expected(list(cards.values())), 60)
