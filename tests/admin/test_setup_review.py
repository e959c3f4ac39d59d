"""Review: what a dry run says, row by row, and the one button that begins to write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from core.models import Role
from core.tenancy import in_account
from integration.models import AuditEntry, Connection, FieldMapping, Link, SyncRule, SyncRun
from integration.notes import note
from tests.admin.conftest import browser
from tests.admin.pages import body, page, told
from tests.admin.pages import send as send_page
from tests.admin.setup_pages import add_row, again, begun, previewed, send, url
from tests.admin.world import MARKUP, team
from tests.core import rows

pytestmark = pytest.mark.django_db
COUNTS: dict[str, Any] = {
    "read": 10,
    "created": 3,
    "updated": 1,
    "linked": 1,
    "merged": 1,
    "excluded": 2,
    "held": 1,
    "unchanged": 1,
}


@pytest.fixture
def draft(acme):
    return begun(acme)


def save(browser, rule, **sent):
    return browser.post(url("review", rule.pk), {"action": "save", **sent}, follow=True)


def button(browser, rule):
    """Whether “Save and sync” can be pressed."""
    return (
        "disabled"
        not in body(browser.get(url("review", rule.pk))).split('value="save"')[1].split(">")[0]
    )


def runs(rule):
    with in_account(rule.account):
        return list(SyncRun.objects.filter(rule=rule).exclude(kind="preview").order_by("pk"))


# The one button


def test_save_and_sync(acme, aiko, draft, queued):
    previewed(draft)
    assert button(aiko, draft)
    seen = []
    tasks = queued(lambda: seen.append(save(aiko, draft)))
    (run,) = runs(draft)
    assert (run.kind, run.state, run.trigger, run.started_by) == (
        "initial",
        "queued",
        "person",
        "aiko",
    )
    assert tasks == [("integration.tasks.work", (acme.account.pk, run.pk))]
    assert seen[0].redirect_chain[-1][0] == page(run) and "The sync is on" in told(seen[0])
    assert (again(draft).state, again(draft).setup_step) == ("active", "")
    with in_account(acme.account):
        assert draft.history.values_list("state", "who", "history_change_reason").first() == (
            "active",
            "aiko",
            "Save and sync",
        )


@pytest.mark.parametrize("state", [None, "queued", "running", "failed", "held"])
def test_nothing_begins_without_a_finished_preview(acme, aiko, draft, queued, state):
    if state:
        previewed(draft, state)
    assert not button(aiko, draft)
    seen = []
    assert queued(lambda: seen.append(save(aiko, draft))) == []
    assert (
        "Look at a finished preview first" in told(seen[0])
        and again(draft).state == "draft"
        and runs(draft) == []
    )


def test_a_preview_that_met_some_failures_is_one(acme, aiko, draft):
    previewed(draft, "partial", failed=1)
    assert button(aiko, draft) and "The sync is on" in told(save(aiko, draft))


@pytest.mark.parametrize(
    "sent", [{"action": ""}, {"action": "next"}, {"action": "Save"}, {}], ids=repr
)
def test_only_its_own_button_saves(acme, aiko, draft, queued, sent):
    previewed(draft)
    assert queued(lambda: aiko.post(url("review", draft.pk), sent)) == []
    assert again(draft).state == "draft"


def test_an_older_preview_tells_nothing_any_more(acme, aiko, draft):
    changes = {
        "configure": lambda: send(aiko, "configure", draft, conflict="newest"),
        "limit": lambda: send(aiko, "limit", draft, require_email=None),
        "tags": lambda: send(aiko, "tags", draft, tag=["acme-T0"], every=None),
        "expression": lambda: aiko.post(
            url("configure", draft.pk),
            add_row(aiko, "configure", draft, source="=", expression="x", hubspot="salutation"),
        ),
    }
    for name, change in changes.items():
        with in_account(acme.account):
            SyncRun.objects.filter(rule=draft).delete()
        previewed(draft)
        assert button(aiko, draft), name
        change()
        assert not button(aiko, draft), name
        save(aiko, draft)
        assert again(draft).state == "draft", name


def test_what_is_changed_on_the_rules_own_page_outdates_it_too(acme, aiko, draft):
    previewed(draft)
    with in_account(acme.account):
        FieldMapping.objects.filter(rule=draft).exclude(hubspot="email").delete()
    send_page(aiko, page(draft), conflict="newest")
    assert again(draft).conflict == "newest" and not button(aiko, draft)


def test_what_decides_about_no_card_outdates_nothing(acme, aiko, draft):
    previewed(draft)
    send(aiko, "limit", draft, limit_creates="100")
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.hubspot.pk).update(tested_at=timezone.now())
    assert button(aiko, draft)


def test_the_preview_is_asked_for(acme, aiko, draft, queued):
    tasks = queued(lambda: aiko.post(url("review", draft.pk), {"action": "preview"}))
    with in_account(acme.account):
        (run,) = SyncRun.objects.filter(rule=draft)
    assert (
        run.kind == "preview"
        and tasks == [("integration.tasks.work", (acme.account.pk, run.pk))]
        and again(draft).state == "draft"
    )
    aiko.post(url("review", draft.pk), {"action": "preview"})
    with in_account(acme.account):
        assert SyncRun.objects.filter(rule=draft).count() == 1


def test_two_people_at_once_come_to_the_same_run(acme, aiko, draft, queued):
    previewed(draft)
    fumi = browser(team(acme, "fumi", Role.EDITOR))
    seen = []
    queued(lambda: seen.extend([save(aiko, draft), save(fumi, draft), save(aiko, draft)]))
    (run,) = runs(draft)
    assert {one.redirect_chain[-1][0] for one in seen} == {page(run)}
    with in_account(acme.account):
        assert draft.history.filter(history_change_reason="Save and sync").count() == 1


@pytest.mark.parametrize("end", ["sansan", "hubspot"])
def test_a_key_that_was_refused_since_begins_nothing(acme, aiko, draft, end):
    previewed(draft)
    with in_account(acme.account):
        Connection.objects.filter(pk=getattr(acme, end).pk).update(health="reconnect")
    answer = save(aiko, draft)
    assert (
        f"acme-{end} needs a new key first" in told(answer)
        and again(draft).state == "draft"
        and runs(draft) == []
    )


def test_a_paused_sync_is_started_again(acme, aiko):
    begun(acme)
    with in_account(acme.account):
        SyncRun.objects.filter(rule=acme.rule).exclude(pk=acme.run.pk).delete()
        SyncRule.objects.filter(pk=acme.rule.pk).update(
            state="paused", state_reason=note("being_changed")
        )
    previewed(acme.rule)
    save(aiko, acme.rule)
    assert (again(acme.rule).state, again(acme.rule).state_reason) == ("active", "")


def test_what_holds_a_rule_is_not_passed_over(acme, aiko):
    """Somebody must have looked; the review is not where it is said why."""
    begun(acme)
    with in_account(acme.account):
        SyncRun.objects.filter(rule=acme.rule).exclude(pk=acme.run.pk).delete()
        SyncRule.objects.filter(pk=acme.rule.pk).update(
            state="held", state_reason="The key sees far fewer cards."
        )
    previewed(acme.rule)
    answer = save(aiko, acme.rule)
    assert again(acme.rule).state == "active" or "The sync is on" not in told(answer)


# What it says


def planned(run, n, **values):
    person = {
        "record_id": n + 1,
        "card_id": f"C{n}",
        "name": f"person {n} {MARKUP}",
        "email": f"p{n}@example.jp",
    }
    with in_account(run.account):
        return AuditEntry.objects.create(
            account=run.account,
            run=run,
            rule=run.rule,
            outcome="planned",
            planned_at=timezone.now(),
            closed_at=timezone.now(),
            **{"before": {}, "after": {}, **person, **values},
        )


@pytest.fixture
def preview(acme, draft):
    run = previewed(
        draft, **COUNTS, reasons={"no_email": 2, "older_card": 1, "in_sync": 1, "new_person": 3}
    )
    for n in range(3):
        planned(run, n, decision="create", reason="new_person", after={"lastname": f"name {n}"})
    planned(
        run,
        3,
        decision="update",
        reason="card_changed",
        before={"jobtitle": "old title"},
        after={"jobtitle": "new title"},
        contact_id="42",
    )
    planned(run, 4, decision="link", reason="matched_email", after={"jobtitle": "x"})
    planned(run, 5, decision="skip", reason="older_card")
    planned(run, 6, decision="skip", reason="no_email")
    planned(run, 7, decision="skip", reason="filtered", detail="Prefecture is 東京都")
    planned(run, 8, decision="hold", reason="bad_mapping", detail="score: no")
    planned(run, 9, decision="skip", reason="in_sync")
    return run


def test_the_sum_of_the_tiles_is_what_was_read(acme, aiko, draft, preview):
    answer = aiko.get(url("review", draft.pk))
    numbers = {tile["name"]: int(tile["n"]) for tile in answer.context["tiles"]}
    assert (
        numbers == {name: n for name, n in COUNTS.items() if name != "read"}
        and sum(numbers.values()) == 10
    )


@pytest.mark.parametrize(
    ("shown", "n"), [(name, n) for name, n in COUNTS.items() if name != "read"]
)
def test_each_number_opens_its_cards(acme, aiko, draft, preview, shown, n):
    answer = aiko.get(url("review", draft.pk), {"show": shown})
    assert len(answer.context["entries"].rows) == n and "<script>made()" not in body(answer)


@pytest.fixture
def both(acme):
    """A preview in both directions: two new contacts, three new cards, and four more that wait."""
    draft = begun(acme, direction="both", card_cap=3)
    run = previewed(
        draft,
        read=13,
        created=5,
        excluded=1,
        unchanged=3,
        reasons={"new_person": 2, "new_card": 3, "daily_cap": 4, "has_card": 2},
    )
    for n in range(2):
        planned(run, n, decision="create", reason="new_person", after={"lastname": f"name {n}"})
    for n in range(2, 5):
        card = {"lastName": f"name {n}", "companyName": f"company {n}", "shoeSize": "42"}
        planned(
            run, n, decision="create", reason="new_card", after=card, card_id="", contact_id=f"9{n}"
        )
    for n in range(5, 9):
        planned(run, n, decision="skip", reason="daily_cap", card_id="", contact_id=f"9{n}")
    for n, reason in enumerate(("in_sync", "has_card", "card_exists"), 9):
        planned(run, n, decision="skip", reason=reason)
    planned(run, 12, decision="skip", reason="contact_not_chosen")
    return draft


def tiles_of(answer):
    return {tile["name"]: int(tile["n"]) for tile in answer.context["tiles"] if not tile["zero"]}


def test_new_cards_are_counted_beside_new_contacts(acme, aiko, both):
    answer = aiko.get(url("review", both.pk))
    assert (
        tiles_of(answer) == {"created": 2, "cards": 3, "excluded": 1, "unchanged": 3, "waiting": 4}
        and sum(tiles_of(answer).values()) == 13
    )
    assert (
        "new contacts" in body(answer)
        and "new cards" in body(answer)
        and "Preview done: 13 cards and contacts" in body(answer)
    )


OPENED = {
    "contacts to be made": ("created", 2),
    "cards to be made": ("cards", 3),
    "people left out": ("excluded", 1),
    "people unchanged": ("unchanged", 3),
    "people who wait": ("waiting", 4),
}


@pytest.mark.parametrize(("shown", "n"), OPENED.values(), ids=OPENED)
def test_each_of_them_opens_its_own_rows(acme, aiko, both, shown, n):
    answer = aiko.get(url("review", both.pk), {"show": shown})
    assert len(answer.context["entries"].rows) == n and "<script>made()" not in body(answer)


def test_a_new_card_is_shown_by_the_names_of_its_fields(acme, aiko, both):
    answer = aiko.get(url("review", both.pk), {"show": "cards"})
    seen = body(answer).split('id="rows"')[1]
    assert (
        "Cards to be made in Sansan" in seen
        and "<td>Last name</td>" in seen
        and "<td>Company</td>" in seen
        and "<code>lastName</code>" not in seen
    )
    assert (
        "3 fields of the card" in seen
        and "Field of the card" in seen
        and "<td>shoeSize</td>" in seen
        and "HubSpot 92" in seen
    )
    seen = body(aiko.get(url("review", both.pk), {"show": "created"})).split('id="rows"')[1]
    assert "<code>lastname</code>" in seen and "1 property" in seen


def test_cards_beyond_those_of_a_day_are_warned_of(acme, aiko, both):
    seen = body(aiko.get(url("review", both.pk)))
    assert (
        "At most 3 cards are made a day: 4 wait for the following days." in seen
        and "?show=waiting#rows" in seen
    )
    with in_account(acme.account):
        SyncRun.objects.filter(rule=both).update(reasons={"daily_cap": 1})
    assert "1 waits for the next day." in body(aiko.get(url("review", both.pk)))
    with in_account(acme.account):
        SyncRun.objects.filter(rule=both).update(reasons={})
    assert "cards are made a day" not in body(aiko.get(url("review", both.pk)))


def test_the_reasons_of_what_stays_as_it_is(acme, aiko, both):
    assert [
        one["code"]
        for one in aiko.get(url("review", both.pk), {"show": "unchanged"}).context["reasons"]
    ] == ["has_card"]


def test_no_cards_are_counted_where_none_are_made(acme, aiko, draft, preview):
    answer = aiko.get(url("review", draft.pk))
    assert "cards" not in {
        tile["name"] for tile in answer.context["tiles"]
    } and "new cards" not in body(answer)


def test_a_change_is_shown_before_and_after(acme, aiko, draft, preview):
    seen = body(aiko.get(url("review", draft.pk), {"show": "updated"}))
    assert (
        "jobtitle" in seen
        and "<del>old</del>" in seen
        and "<ins>new</ins>" in seen
        and "42" in seen
    )
    assert "Prefecture is 東京都" in body(aiko.get(url("review", draft.pk), {"show": "excluded"}))


def test_the_rows_of_one_reason(acme, aiko, draft, preview):
    answer = aiko.get(url("review", draft.pk), {"show": "excluded", "reason": "no_email"})
    assert [row["entry"].reason for row in answer.context["entries"].rows] == ["no_email"]
    assert [one["code"] for one in answer.context["reasons"]] == ["no_email"]


ODD = [
    {"show": "nonsense"},
    {"show": "created", "page": "x"},
    {"show": "created", "page": "9" * 40},
    {"show": "created", "page": "-1"},
    {"show": "held", "reason": "é\x00"},
    {"show": "created", "reason": "x" * 5000},
    {"page": "2"},
    {"show": ["created", "held"]},
]


@pytest.mark.parametrize("query", ODD, ids=range(len(ODD)))
def test_an_odd_address_is_answered(acme, aiko, draft, preview, query):
    aiko.raise_request_exception = False
    assert aiko.get(url("review", draft.pk), query).status_code == 200
    with in_account(acme.account):
        SyncRun.objects.filter(pk=preview.pk).update(kind="full")
    assert aiko.get(url("review", draft.pk), query).status_code == 200


def test_pages_of_many_rows(acme, aiko, draft):
    run = previewed(draft, read=60, created=60)
    for n in range(60):
        planned(run, n, decision="create", reason="new_person")
    pages = [
        aiko.get(url("review", draft.pk), {"show": "created", "page": n}).context["entries"].rows
        for n in (1, 2, 3)
    ]
    assert [len(one) for one in pages] == [25, 25, 10]
    assert len({row["entry"].pk for one in pages for row in one}) == 60


PREVIEWS = {
    "queued": ("queued", "", "0"),
    "running": ("running", "", "0"),
    "succeeded": ("succeeded", "Preview done: 10 cards", "1"),
    "failed": ("failed", "could not be finished", "1"),
    "none": (None, "there was none", "1"),
}


@pytest.mark.parametrize(("state", "said", "done"), PREVIEWS.values(), ids=PREVIEWS)
def test_the_page_follows_the_preview(acme, aiko, draft, state, said, done):
    if state:
        previewed(draft, state, **COUNTS, detail="Sansan was away" if state == "failed" else "")
    for address in (url("review", draft.pk), url("review_state", draft.pk)):
        seen = body(aiko.get(address))
        assert said in seen and f'data-done="{done}"' in seen


def test_the_previews_of_others_are_not_shown(acme, aiko, draft):
    other = begun(acme, slug="elsewhere")
    previewed(other)
    rows.run(
        draft, kind="full", state="succeeded", started_at=timezone.now(), ended_at=timezone.now()
    )
    assert aiko.get(url("review", draft.pk)).context["preview"] is None


def test_mappings_that_cannot_work_are_told_before_anything_begins(acme, aiko, draft):
    """Also before the first run has made our properties; those themselves are no problem."""
    previewed(draft)
    assert "cannot work as they stand" not in body(aiko.get(url("review", draft.pk)))
    with in_account(acme.account):
        FieldMapping.objects.filter(rule=draft, hubspot="jobtitle").update(hubspot="gone_since")
    assert "gone_since: HubSpot has no such contact property." in body(
        aiko.get(url("review", draft.pk))
    )


def test_properties_that_a_running_sync_fills_otherwise_are_named(acme, aiko, draft):
    """Of a person whom both see one of the two decides: that should be known before."""
    assert "in another way" not in body(aiko.get(url("review", draft.pk)))
    other = begun(acme, slug="elsewhere", state="active")
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(state="paused")
        FieldMapping.objects.filter(rule=other, hubspot="jobtitle").update(transform="upper")
    seen = body(aiko.get(url("review", draft.pk)))
    assert "<li>elsewhere: Jobtitle</li>" in seen and "whose newest card stands" in seen
    with in_account(acme.account):
        SyncRule.objects.filter(pk=other.pk).update(state="paused")
    assert "in another way" not in body(aiko.get(url("review", draft.pk))), (
        "a rule that stands still decides nothing"
    )


def test_a_running_sync_says_so_and_is_not_saved_again(acme, aiko):
    rule = begun(acme, state="active", changed_at=timezone.now() - timedelta(days=1))
    previewed(rule)
    seen = body(aiko.get(url("review", rule.pk)))
    assert (
        "This sync is running" in seen
        and 'value="save"' not in seen
        and reverse("admin:integration_health", args=[rule.pk]) in seen
    )
    rows.run(rule, state="succeeded")
    seen = aiko.get(url("review", rule.pk))
    assert seen.context["preview"] is None and "what the next run would do" in body(seen), (
        "a run has come after it"
    )


def test_what_is_about_to_begin_is_summed_up(acme, aiko):
    filters = {"cards": [{"field": "title", "op": "contains", "value": "部長"}], "contacts": []}
    rule = begun(
        acme,
        direction="both",
        filters=filters,
        limits={"creates": 500},
        card_cap=20,
        picked_tags=["acme-T0", "acme-T1"],
    )
    previewed(rule, created=7, updated=2, linked=1, reasons={"new_card": 3})
    seen = aiko.get(url("review", rule.pk))
    lines = {line["url"]: " · ".join(line["texts"]) for line in seen.context["summary"]}
    assert (
        "acme public" in lines[url("tags", rule.pk)] or "acme shared" in lines[url("tags", rule.pk)]
    )
    assert (
        "17 mappings" in lines[url("configure", rule.pk)]
        and "At most 20 cards a day" in lines[url("configure", rule.pk)]
    )
    assert lines[url("limit", rule.pk)] == (
        "Only people with a valid e-mail address · Title contains 部長 · At most 500 new "
        "contacts in one run"
    )
    assert (
        "Sansan" in lines[url("connect", rule.pk)] and "HubSpot" in lines[url("connect", rule.pk)]
    )
    assert (
        seen.context["effect"].startswith("4 new contacts, 3 contacts changed in HubSpot")
        and "3 new cards in Sansan" in seen.context["effect"]
    )


def test_of_many_tags_and_criteria_a_few_are_named(acme, aiko):
    filters = {"cards": [{"field": "title", "op": "not_blank", "value": ""}] * 7, "contacts": []}
    rule = begun(acme, filters=filters, picked_tags=["acme-T0", *(f"gone-{n}" for n in range(9))])
    lines = [line["texts"] for line in aiko.get(url("review", rule.pk)).context["summary"]]
    assert lines[1][0].endswith("and 9 more") and lines[3][-1] == "and 2 more"


@pytest.mark.parametrize(
    ("companies", "before", "told_of"),
    [("make", "", True), ("find", "none", True), ("make", "make", False), ("none", "", False)],
)
def test_people_who_are_to_get_a_company_are_counted(acme, aiko, draft, companies, before, told_of):
    previewed(draft)
    owner = draft.account
    with in_account(owner):
        SyncRule.objects.update(companies=companies, companies_for_all=before)
        link = Link.objects.create(account=owner, hubspot=draft.hubspot, contact_id="901")
        done = Link.objects.create(
            account=owner, hubspot=draft.hubspot, contact_id="902", company_id="5"
        )
    rows.record(draft, "C1", bucket="linked", reason="in_sync", link=link)
    rows.record(draft, "C2", bucket="linked", reason="in_sync", link=done)
    shown = body(aiko.get(url("review", draft.pk)))
    assert ("1 contact that is in sync has no company yet" in shown) is told_of
