"""A person's page: the contact and every card side by side, which card won each field, and why."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core.models import Account
from core.tenancy import in_account
from integration.admin.parts.person import compare_person_cards
from integration.models import Connection, FieldMapping, Link, Record, SyncRun, Tag
from integration.planning.reasons import REASONS, TO_DO
from tests.admin.pages import body, page, press, told
from tests.admin.world import entry
from tests.core import rows

pytestmark = pytest.mark.django_db
NEWEST = {
    "lastName": "森",
    "title": "部長",
    "companyName": "アクメ株式会社",
    "email": "aiko@acme.example.jp",
}
OLDER = {
    "lastName": "森",
    "title": "課長",
    "companyName": "㈱アクメ",
    "mobile": "090-1",
    "email": "mori@acme.example.jp",
}
ROWS = {
    "lastName": "lastname",
    "title": "jobtitle",
    "mobile": "mobilephone",
    "companyName": "company",
    "tags": "sansan_tags",
}


@pytest.fixture
def rule(acme):
    with in_account(acme.account):
        FieldMapping.objects.filter(rule=acme.rule).delete()
        for n, (sansan, hubspot) in enumerate(ROWS.items()):
            FieldMapping.objects.create(
                account=acme.account, rule=acme.rule, sansan=sansan, hubspot=hubspot, position=n
            )
        SyncRun.objects.filter(pk=acme.open_run.pk).update(state="succeeded")
    return acme.rule


@pytest.fixture
def link(rule):
    written = {
        "lastname": "森",
        "jobtitle": "部長",
        "mobilephone": "090-1",
        "company": "アクメ株式会社",
        "sansan_tags": "acme-T0;acme-T1",
    }
    with in_account(rule.account):
        return Link.objects.create(
            account=rule.account, hubspot=rule.hubspot, contact_id="501", written=written
        )


@pytest.fixture
def two(rule, link):
    """The newest card, and an older one of the same company that has what the newest leaves
    blank.
    """
    linked = {"link": link, "bucket": "linked", "reason": "in_sync"}
    newest = rows.record(
        rule,
        "N1",
        name="森",
        values=NEWEST,
        exchanged_on=date(2026, 2, 1),
        tags=["acme-T0"],
        **linked,
    )
    merged = {"link": link, "bucket": "merged", "reason": "older_card", "detail": "N1"}
    older = rows.record(
        rule,
        "O1",
        name="森",
        values=OLDER,
        exchanged_on=date(2025, 2, 1),
        tags=["acme-T1"],
        **merged,
    )
    return newest, older


def mapping(rule, hubspot, **values):
    with in_account(rule.account):
        FieldMapping.objects.filter(rule=rule, hubspot=hubspot).update(**values)


def change(row, **values):
    with in_account(row.account):
        type(row).objects.filter(pk=row.pk).update(**values)


def stored(row):
    with in_account(row.account):
        return type(row).objects.get(pk=row.pk)


def sides(record):
    """Property -> its line, and the cards in their order."""
    with in_account(record.account):
        one = Record.objects.select_related("rule__hubspot", "rule__account", "link").get(
            pk=record.pk
        )
        found = compare_person_cards(one, one.rule, one.link)
    return {line.property: line for line in found["lines"]}, found


def cells(line):
    return [(cell.value, cell.won) for cell in line.cells]


def seen_table(client, record):
    """The cells of the page's table, row by row, as a reader meets them."""
    html = re.search(
        r'<table class="mb-table mb-side">.*?</table>', body(client.get(page(record))), re.DOTALL
    )
    assert html
    table = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        for row in re.findall(r"<tr>(.*?)</tr>", html[0], re.DOTALL)
    ]
    return [
        [" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in table
    ]


# One card


def test_one_card_stands_for_itself(rule, link, aiko):
    one = rows.record(
        rule, "N1", name="森", values=NEWEST, link=link, bucket="linked", reason="in_sync"
    )
    lines, found = sides(one)
    assert [(card["record"].pk, card["this"], card["head"]) for card in found["cards"]] == [
        (one.pk, True, True)
    ]
    assert (
        cells(lines["jobtitle"]) == [("部長", True)]
        and lines["jobtitle"].why == ""
        and lines["jobtitle"].contact == "部長"
    )
    assert "this card" in body(aiko.get(page(one))) and ">newest card<" not in body(
        aiko.get(page(one))
    )


def test_a_person_without_a_contact_has_a_page(rule, aiko):
    one = rows.record(rule, "N1", values=NEWEST, bucket="failing", reason="rejected")
    lines, found = sides(one)
    assert lines["jobtitle"].contact == "" and found["hubspot_url"] == ""
    assert lines["jobtitle"].why == "Not written yet, or kept as somebody edited it in HubSpot."
    assert aiko.get(page(one)).status_code == 200


def test_a_card_out_of_scope_has_a_page_without_values(rule, aiko):
    one = rows.record(rule, "N1", bucket="excluded", reason="no_selected_tag")
    assert all(cell == ("", False) for line in sides(one)[0].values() for cell in cells(line))
    assert aiko.get(page(one)).status_code == 200


def test_a_rule_without_mappings_has_an_empty_table(rule, aiko):
    with in_account(rule.account):
        FieldMapping.objects.all().delete()
    one = rows.record(rule, "N1", values=NEWEST)
    assert sides(one)[1]["lines"] == [] and aiko.get(page(one)).status_code == 200


# Several cards


def test_the_newest_card_wins_and_an_older_one_fills_its_blanks(two):
    lines, found = sides(two[0])
    assert [card["record"].external_id for card in found["cards"]] == ["N1", "O1"] and found[
        "more"
    ] == 0
    assert (
        cells(lines["jobtitle"]) == [("部長", True), ("課長", False)]
        and lines["jobtitle"].why == "The newest card has it."
    )
    assert cells(lines["mobilephone"]) == [("", False), ("090-1", True)]
    assert (
        lines["mobilephone"].why
        == "The newest card leaves it blank; this one is of the same company."
    )


def test_both_cards_show_the_same_person(two, aiko):
    newest, older = (seen_table(aiko, one) for one in two)
    assert [row[1:] for row in newest[1:]] == [row[1:] for row in older[1:]]
    assert (
        "this card" in newest[0][2]
        and "newest card" in newest[0][2]
        and "this card" in older[0][3]
        and "newest card" not in older[0][3]
    )


def test_the_page_says_in_words_which_card_won(two, aiko):
    table = {row[0].split()[-1]: row for row in seen_table(aiko, two[0])[1:]}
    assert table["jobtitle"][1:] == ["部長", "部長 (won)", "課長", "The newest card has it."]
    assert table["mobilephone"][2:4] == ["–", "090-1 (won)"]


def test_another_company_s_card_fills_nothing(two):
    change(two[1], values={**OLDER, "companyName": "ベータ"})
    lines, _ = sides(two[0])
    assert (
        cells(lines["mobilephone"]) == [("", False), ("090-1", False)]
        and lines["mobilephone"].why == ""
    )


def test_the_order_goes_by_the_day_of_exchange(two):
    change(two[1], exchanged_on=date(2026, 3, 1))
    lines, found = sides(two[0])
    assert [card["record"].external_id for card in found["cards"]] == ["O1", "N1"] and found[
        "cards"
    ][0]["head"]
    assert cells(lines["jobtitle"]) == [("課長", True), ("部長", False)]


def test_the_tags_of_all_cards_are_united_and_have_their_names(two):
    lines, _ = sides(two[0])
    tags = lines["sansan_tags"]
    assert tags.why == "The tags of all cards, united." and all(won for _, won in cells(tags))
    assert (
        "acme public" in tags.contact
        and "acme shared" in tags.contact
        and "acme-T0" not in tags.contact
    )
    assert "acme public" in cells(tags)[0][0] and "acme shared" in cells(tags)[1][0]


def test_of_the_tags_only_those_that_are_synced_are_shown(two):
    """The others never reach the contact: shown, they would look like something that is still to be
    written.
    """
    with in_account(two[0].account):
        Tag.objects.filter(external_id="acme-T0").update(selected=True)
    tags = sides(two[0])[0]["sansan_tags"]
    assert cells(tags)[0][0].startswith("acme public") and cells(tags)[1] == ("", False)


def test_a_tag_that_is_gone_is_called_by_its_id(two):
    change(two[0], tags=["gone"])
    assert cells(sides(two[0])[0]["sansan_tags"])[0][0] == "gone"


def test_many_cards_are_cut_and_the_rest_is_counted(rule, link, aiko):
    cards = [
        rows.record(
            rule,
            f"C{n:02}",
            values={**NEWEST, "title": str(n)},
            link=link,
            bucket="merged",
            exchanged_on=date(2026, 1, n + 1),
        )
        for n in range(11)
    ]
    _, found = sides(cards[10])
    assert [card["record"].external_id for card in found["cards"]] == [
        f"C{n:02}" for n in range(10, 2, -1)
    ] and found["more"] == 3
    assert "3 older cards are not shown." in body(aiko.get(page(cards[10])))


def test_the_card_whose_page_it_is_is_always_shown(rule, link):
    cards = [
        rows.record(
            rule,
            f"C{n:02}",
            values=NEWEST,
            link=link,
            bucket="merged",
            exchanged_on=date(2026, 1, n + 1),
        )
        for n in range(11)
    ]
    assert any(card["this"] for card in sides(cards[0])[1]["cards"])


def test_a_card_that_is_never_synced_neither_stands_nor_wins(two):
    """The sync leaves it out, so that the contact is the older card's."""
    change(
        two[0],
        bucket="excluded",
        reason="never_sync",
        barred={"why": "x", "by": "ben", "at": "2026-03-01T00:00:00+00:00"},
    )
    change(two[1], bucket="linked", reason="in_sync")
    lines, found = sides(two[1])
    assert [card["record"].external_id for card in found["cards"] if card["head"]] == ["O1"]
    assert ("課長", True) in cells(lines["jobtitle"]) and ("部長", True) not in cells(
        lines["jobtitle"]
    )


@pytest.mark.parametrize(
    "stands",
    [{"bucket": "unseen", "reason": "unseen"}, {"bucket": "excluded", "reason": "filtered"}],
    ids=str,
)
def test_a_card_that_the_sync_leaves_out_neither_stands_nor_wins(two, stands):
    change(two[0], **stands)
    change(two[1], bucket="linked", reason="in_sync")
    lines, found = sides(two[1])
    assert [card["record"].external_id for card in found["cards"] if card["head"]] == ["O1"]
    assert ("課長", True) in cells(lines["jobtitle"]) and ("部長", True) not in cells(
        lines["jobtitle"]
    )


def test_another_account_s_cards_are_never_beside_mine(two, birch, aiko):
    rows.record(birch.rule, "N1", values={**NEWEST, "title": "birch secret"}, link=birch.link)
    assert (
        "birch secret" not in body(aiko.get(page(two[0])))
        and aiko.get(page(birch.record)).status_code == 404
    )


# What the mapping makes of them


POLICIES = {
    "always written": ("always", "Not written yet, or kept as somebody edited it in HubSpot."),
    "only where empty": ("if_empty", "Only written where the property is empty."),
    "only when made": ("on_create", "Only written when the contact is made."),
    "added to": ("append", "Added to what the property has."),
}


@pytest.mark.parametrize(("policy", "says"), POLICIES.values(), ids=POLICIES)
def test_a_value_that_was_not_written_says_why(two, link, rule, policy, says):
    mapping(rule, "jobtitle", policy=policy)
    change(link, written={**link.written, "jobtitle": "社長"})
    line = sides(two[0])[0]["jobtitle"]
    assert (line.contact, line.why) == ("社長", says)


def test_hubspot_s_own_spelling_is_shown(two, link, aiko):
    change(link, answered={"mobilephone": "+81901"})
    assert sides(two[0])[0][
        "mobilephone"
    ].answered == "+81901" and "stored by HubSpot as +81901" in body(aiko.get(page(two[0])))


def test_an_expression_shows_what_it_makes(two, rule):
    mapping(
        rule,
        "jobtitle",
        sansan="",
        expression='{{ title }}{% if tags contains "nobody\'s" %}!{% endif %} ({{ lastName }})',
    )
    assert cells(sides(two[0])[0]["jobtitle"]) == [("部長 (森)", True), ("課長 (森)", False)]


def test_an_expression_that_fails_for_a_card_says_so(two, rule, aiko):
    mapping(
        rule, "jobtitle", sansan="", expression="{% for i in (1..5000) %}{{ title }}{% endfor %}"
    )
    value, _ = cells(sides(two[0])[0]["jobtitle"])[0]
    assert value and "部長部長" not in value and aiko.get(page(two[0])).status_code == 200


def test_an_expression_that_cannot_be_read_does_not_take_the_page_down(two, rule, aiko):
    mapping(rule, "jobtitle", sansan="", expression="{{ title | nonsense")
    assert aiko.get(page(two[0])).status_code == 200


def test_a_value_table_is_applied(two, rule):
    mapping(rule, "jobtitle", table=[["部長", "Manager"]])
    assert [value for value, _ in cells(sides(two[0])[0]["jobtitle"])] == ["Manager", "課長"]


def test_a_transform_is_applied(two, rule):
    mapping(rule, "lastname", transform="upper", sansan="email")
    assert cells(sides(two[0])[0]["lastname"])[0] == ("AIKO@ACME.EXAMPLE.JP", True)


def test_a_mapping_that_is_off_is_not_shown(two, rule):
    mapping(rule, "jobtitle", active=False)
    assert "jobtitle" not in sides(two[0])[0]


def test_a_property_has_its_label(two, rule, aiko):
    with in_account(rule.account):
        schema = {name: {"label": f"Label of {name}", "kind": "text"} for name in ROWS.values()}
        Connection.objects.filter(pk=rule.hubspot_id).update(schema=schema)
    assert sides(two[0])[0][
        "jobtitle"
    ].label == "Label of jobtitle" and "Label of jobtitle" in body(aiko.get(page(two[0])))


def test_what_is_on_a_card_is_never_markup(two, link, aiko):
    change(two[0], values={**NEWEST, "title": "<img src=x>"})
    change(
        link,
        written={**link.written, "jobtitle": "<img src=y>"},
        answered={"jobtitle": "<img src=z>"},
    )
    seen = body(aiko.get(page(two[0])))
    assert (
        "<img src=x" not in seen
        and "<img src=y" not in seen
        and "<img src=z" not in seen
        and "&lt;img src=x&gt;" in seen
    )


# Where it leads


def test_the_contact_is_opened_in_hubspot(two, aiko, settings):
    settings.HUBSPOT_APP_URL = "https://app-eu1.example.com/"
    wanted = "https://app-eu1.example.com/contacts/acme-portal/record/0-1/501"
    assert f'href="{wanted}" target="_blank" rel="noopener noreferrer"' in body(
        aiko.get(page(two[0]))
    ) and "Open in HubSpot" in body(aiko.get(page(two[0])))


@pytest.mark.parametrize("lacking", ["portal", "contact", "link"])
def test_without_a_contact_or_a_tested_connection_nothing_leads_to_hubspot(
    two, link, rule, aiko, lacking
):
    if lacking == "portal":
        with in_account(rule.account):
            Connection.objects.filter(pk=rule.hubspot_id).update(remote_id="")
    elif lacking == "contact":
        change(link, contact_id="")
    else:
        change(two[0], link=None)
    assert "Open in HubSpot" not in body(aiko.get(page(two[0])))


PATTERNS = {
    "an address for each card": (
        "https://ap.example.com/card/{id}/show",
        "https://ap.example.com/card/N1/show",
    ),
    "one address for all": ("https://ap.example.com/", "https://ap.example.com/"),
}


@pytest.mark.parametrize(("pattern", "wanted"), PATTERNS.values(), ids=PATTERNS)
def test_a_card_is_opened_in_sansan(two, aiko, settings, pattern, wanted):
    settings.SANSAN_CARD_URL = pattern
    assert f'href="{wanted}" target="_blank" rel="noopener noreferrer"' in body(
        aiko.get(page(two[0]))
    )


def test_where_no_address_of_a_card_is_known_nothing_leads_to_sansan(two, aiko, settings):
    settings.SANSAN_CARD_URL = ""
    assert ">Sansan</a>" not in body(aiko.get(page(two[0])))


def test_an_id_that_is_no_plain_word_stays_in_its_place_in_the_address(rule, aiko, settings):
    settings.SANSAN_CARD_URL = "https://ap.example.com/card/{id}"
    one = rows.record(rule, 'a/../b?c"d', values=NEWEST)
    assert "https://ap.example.com/card/a%2F..%2Fb%3Fc%22d" in body(aiko.get(page(one)))


def test_the_other_cards_and_all_that_stand_so_are_one_click_away(two, rule, aiko):
    seen = unescape(body(aiko.get(page(two[1]))))
    assert (
        page(two[0]) in seen
        and f"{reverse('admin:integration_health', args=[rule.pk])}?stand=merged&reason=older_card"
        in seen
    )


# What to do


@pytest.mark.parametrize("reason", ["unknown_option", "contact_gone", "never_sync", "filtered"])
def test_it_says_what_to_do(rule, aiko, reason):
    one = rows.record(rule, "N1", values=NEWEST, bucket="held", reason=reason)
    seen = unescape(body(aiko.get(page(one))))
    assert REASONS[reason] in seen and f"What to do:</strong> {TO_DO[reason]}" in seen


def test_a_card_that_is_never_synced_says_why_who_and_when(rule, aiko):
    barred = {"why": "<b>asked</b>", "by": "ben", "at": "2026-03-01T00:00:00+00:00"}
    one = rows.record(
        rule, "N1", values=NEWEST, bucket="excluded", reason="never_sync", barred=barred
    )
    seen = body(aiko.get(page(one)))
    assert "Never synced:</strong> &lt;b&gt;asked&lt;/b&gt;" in seen and "ben, 2026-03-01" in seen


BARRED = {"why": "x", "by": "ben", "at": "2026-03-01T00:00:00+00:00"}
BUTTONS = {
    "linked": ({"bucket": "linked"}, "active", ["retry"], True),
    "failing": ({"bucket": "failing"}, "active", ["retry"], True),
    "unseen": ({"bucket": "unseen"}, "active", [], True),
    "never synced": ({"bucket": "excluded", "barred": BARRED}, "active", ["sync_again"], False),
    "never synced, not there yet": (
        {"bucket": "linked", "barred": BARRED},
        "active",
        ["sync_again"],
        False,
    ),
    "paused": ({"bucket": "failing"}, "paused", ["retry"], True),
    "held": ({"bucket": "failing"}, "held", ["retry"], True),
    "draft": ({"bucket": "waiting"}, "draft", [], True),
}


@pytest.mark.parametrize(("values", "state", "buttons", "never"), BUTTONS.values(), ids=BUTTONS)
def test_buttons_fit_the_state(rule, aiko, values, state, buttons, never):
    change(rule, state=state)
    one = rows.record(rule, "N1", values=NEWEST, **values)
    seen = aiko.get(page(one))
    assert [button.name for button in seen.context["buttons"]] == buttons
    assert ('name="why" required' in body(seen)) is never


@pytest.mark.parametrize(
    ("ben", "may"),
    [("viewer", False), ("auditor", False), ("operator", True), ("editor", True), ("owner", True)],
    indirect=["ben"],
)
def test_who_may_press_them(rule, ben, queued, may):
    one, gone = (
        rows.record(rule, "N1", bucket="linked"),
        rows.record(rule, "N2", bucket="excluded", barred=BARRED),
    )
    seen = ben.get(page(one))
    assert bool(seen.context["buttons"]) is may is ('name="why"' in body(seen))
    queued(lambda: None)
    codes = {
        ben.post(press(one, "retry")).status_code,
        ben.post(press(gone, "sync_again")).status_code,
        ben.post(never_url(one), {"why": "x"}).status_code,
    }
    assert codes == ({302} if may else {403})
    assert bool(stored(one).barred) is may and bool(stored(gone).barred) is not may


def never_url(record):
    return reverse("admin:integration_record_never", args=[record.pk])


def test_never_sync_asks_why_and_keeps_it(rule, aiko, queued):
    one, answers = rows.record(rule, "N1", bucket="linked"), []
    assert (
        told(aiko.post(never_url(one), {"why": " \0 "}, follow=True))
        == "Say why this card is never synced: somebody will ask."
    )
    assert stored(one).barred is None and queued(lambda: None) == []
    tasks = queued(
        lambda: answers.append(aiko.post(never_url(one), {"why": "  Asked us to.\0 "}, follow=True))
    )
    assert "left out from now on" in told(answers[0]) and len(tasks) == 1
    kept = stored(one)
    assert (kept.barred["why"], kept.barred["by"]) == (
        "Asked us to.",
        "aiko",
    ) and kept.due_at <= timezone.now()


def test_never_sync_is_only_for_a_post(rule, aiko):
    one = rows.record(rule, "N1", bucket="linked")
    assert aiko.get(never_url(one)).status_code == 405 and stored(one).barred is None


def test_others_records_cannot_be_barred(acme, birch, aiko):
    assert (
        aiko.post(never_url(birch.record), {"why": "x"}).status_code == 404
        and stored(birch.record).barred is None
    )
    assert aiko.post(press(birch.record, "retry")).status_code == 404


def test_check_again_makes_it_due_and_starts_a_run(rule, aiko, queued):
    one, answers = (
        rows.record(
            rule,
            "N1",
            bucket="failing",
            reason="rejected",
            due_at=timezone.now() + timedelta(hours=3),
        ),
        [],
    )
    tasks = queued(lambda: answers.append(aiko.post(press(one, "retry"), follow=True)))
    assert (
        stored(one).due_at <= timezone.now() and len(tasks) == 1 and "Under way" in told(answers[0])
    )


def test_sync_it_again_takes_never_back(rule, aiko, queued):
    one, answers = (
        rows.record(rule, "N1", bucket="excluded", reason="never_sync", barred=BARRED),
        [],
    )
    tasks = queued(lambda: answers.append(aiko.post(press(one, "sync_again"), follow=True)))
    assert stored(one).barred is None and stored(one).due_at <= timezone.now() and len(tasks) == 1


@pytest.mark.parametrize("state", ["paused", "held"])
def test_while_the_rule_does_not_run_it_is_said(rule, aiko, queued, state):
    change(rule, state=state)
    one, answers = rows.record(rule, "N1", bucket="failing", reason="rejected"), []
    assert queued(lambda: answers.append(aiko.post(press(one, "retry"), follow=True))) == []
    assert "The rule is not active" in told(answers[0]) and stored(one).due_at


def test_a_card_of_a_suspended_account_is_left_as_it_is(acme, rule, aiko):
    one = rows.record(rule, "N1", bucket="failing", reason="rejected")
    Account.objects.filter(pk=acme.account.pk).update(active=False)
    for address, data in ((never_url(one), {"why": "x"}), (press(one, "retry"), {})):
        assert "nothing runs for it" in told(aiko.post(address, data, follow=True))
    assert (stored(one).due_at, stored(one).barred) == (None, None)


# The timeline


def test_the_timeline_has_the_stages_and_how_long_each_took(acme, rule, two, aiko):
    start = timezone.now() - timedelta(minutes=5)
    at = {"changed_at": 0, "read_at": 12, "planned_at": 13, "sent_at": 13.5, "closed_at": 14.5}
    entry(
        acme.run, two[0], **{name: start + timedelta(seconds=after) for name, after in at.items()}
    )
    (line,) = aiko.get(page(two[0])).context["entries"]
    assert [(stage["label"], stage["delay"]) for stage in line["stages"]] == [
        ("Changed", ""),
        ("Read", "+12 s"),
        ("Planned", "+1.0 s"),
        ("Sent", "+0.5 s"),
        ("Confirmed", "+1.0 s"),
    ]
    seen = body(aiko.get(page(two[0])))
    assert all(f"{label}" in seen for label in ("Changed", "Sent", "Confirmed", "+12 s"))


def test_an_entry_that_is_under_way_shows_the_stages_that_it_has_passed(acme, two, aiko):
    entry(acme.run, two[0], closed_at=None, outcome="")
    (line,) = aiko.get(page(two[0])).context["entries"]
    assert [stage["label"] for stage in line["stages"]][-1] == "Sent"


def test_what_needed_no_write_has_no_stages(acme, two, aiko):
    entry(acme.run, two[0], decision="skip", outcome="none", sent_at=None, before={}, after={})
    (line,) = aiko.get(page(two[0])).context["entries"]
    assert line["stages"] == []


def test_the_page_costs_few_queries_whatever_the_person_has(acme, rule, two, link, aiko):
    def asked():
        with CaptureQueriesContext(connection) as seen:
            assert aiko.get(page(two[0])).status_code == 200
        return len(seen.captured_queries)

    asked()
    few = asked()
    for n in range(30):
        rows.record(rule, f"C{n}", values=OLDER, link=link, bucket="merged", tags=["acme-T1"])
        entry(acme.run, two[0])
    assert asked() <= few + 1 <= 30
