"""Limit: criteria and budgets are kept as the engine reads them; what cannot be is told at its
place and what was typed stays.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.models import SyncRule
from integration.planning.filters import OPERATORS
from tests.admin.pages import body
from tests.admin.setup_pages import (
    add_row,
    again,
    begun,
    form_of,
    previewed,
    problems,
    sampled,
    send,
    url,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(acme):
    return begun(acme, "limit")


def new(rule):
    return again(rule).changed_at > timezone.now() - timedelta(minutes=1)


def test_a_criterion_for_cards_and_one_for_contacts(acme, aiko, draft):
    form = add_row(aiko, "limit", draft, "card", field="prefecture", op="equals", value="東京都")
    form |= {
        "contact-TOTAL_FORMS": "1",
        "contact-0-field": "lifecyclestage",
        "contact-0-op": "not_blank",
        "contact-0-value": "ignored",
    }
    assert aiko.post(
        url("limit", draft.pk), form | {"filters_mean": "enter", "reason": "Tokyo first"}
    )["Location"] == url("review", draft.pk)
    stored = again(draft)
    assert stored.filters == {
        "cards": [{"field": "prefecture", "op": "equals", "value": "東京都"}],
        "contacts": [{"field": "lifecyclestage", "op": "not_blank", "value": ""}],
    }
    assert (stored.filters_mean, stored.recheck) == ("enter", True) and new(draft)
    with in_account(acme.account):
        assert stored.history.values_list("who", "history_change_reason").first() == (
            "aiko",
            "Tokyo first",
        )
    shown = form_of(aiko.get(url("limit", draft.pk)))
    assert (shown["card-0-field"], shown["card-0-value"], shown["contact-0-op"]) == (
        ["prefecture"],
        ["東京都"],
        ["not_blank"],
    )
    assert shown["filters_mean"] == ["enter"]


TOLD = {
    "to_hubspot": (
        "a card must meet all of these",
        "Which existing contacts may be touched",
        "may become cards",
        False,
    ),
    "to_sansan": (
        "This sync only makes cards",
        "Which contacts of HubSpot may become cards",
        "may be touched",
        True,
    ),
    "both": (
        "a card must meet all of these",
        "may become cards, and which existing contacts may be touched",
        "This sync only makes",
        True,
    ),
}


@pytest.mark.parametrize("direction", TOLD)
def test_what_the_criteria_decide_is_told_by_the_direction(acme, aiko, draft, direction):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=draft.pk).update(direction=direction)
    seen = body(aiko.get(url("limit", draft.pk)))
    cards, contacts, other, sends = TOLD[direction]
    assert cards in seen and contacts in seen and other not in seen
    assert ("Cards made in Sansan have a limit of their own" in seen) == sends


def test_a_criterion_is_taken_away(acme, aiko, draft):
    aiko.post(
        url("limit", draft.pk), add_row(aiko, "limit", draft, "card", field="title", op="blank")
    )
    send(aiko, "limit", draft, **{"card-0-DELETE": "on"})
    assert again(draft).filters["cards"] == []


def test_a_criterion_that_is_taken_away_need_not_be_right(acme, aiko, draft):
    form = add_row(aiko, "limit", draft, "card", field="shoe", op="like", value="", DELETE="on")
    assert aiko.post(url("limit", draft.pk), form).status_code == 302


@pytest.mark.parametrize("op", OPERATORS)
def test_every_condition_has_a_name_and_is_kept(acme, aiko, draft, op):
    value = "" if op in ("blank", "not_blank") else "2026-04-01"
    aiko.post(
        url("limit", draft.pk),
        add_row(aiko, "limit", draft, "card", field="exchangeDate", op=op, value="2026-04-01"),
    )
    assert again(draft).filters["cards"] == [{"field": "exchangeDate", "op": op, "value": value}]


BAD = {
    "another field": ({"field": "shoe", "op": "equals", "value": "x"}, "Select a valid choice"),
    "no field": ({"field": "", "op": "equals", "value": "x"}, "required"),
    "another condition": ({"field": "title", "op": "like", "value": "x"}, "Select a valid choice"),
    "no condition": ({"field": "title", "op": "", "value": "x"}, "required"),
    "nothing to compare with": (
        {"field": "title", "op": "equals", "value": " "},
        "What should it be compared with?",
    ),
    "no date": ({"field": "exchangeDate", "op": "on_or_after", "value": "April"}, "A date such as"),
    "a date in other letters": (
        {"field": "exchangeDate", "op": "on_or_before", "value": "2026/04/01"},
        "A date such as",
    ),
    "a day that is none": (
        {"field": "exchangeDate", "op": "on_or_before", "value": "2026-02-30"},
        "A date such as",
    ),
    "too long": ({"field": "title", "op": "equals", "value": "x" * 201}, "at most 200"),
    "a control sign": ({"field": "title", "op": "equals", "value": "a\x00b"}, "Null characters"),
}


@pytest.mark.parametrize(("typed", "said"), BAD.values(), ids=BAD)
def test_a_criterion_that_cannot_be_is_told_at_its_place(acme, aiko, draft, typed, said):
    form = add_row(aiko, "limit", draft, "card", **typed) | {
        "limit_creates": "77",
        "reason": "kept",
        "filters_mean": "enter",
    }
    answer = aiko.post(url("limit", draft.pk), form)
    shown = form_of(answer)
    assert (
        answer.status_code == 200
        and said in problems(answer)
        and again(draft).filters == {}
        and not new(draft)
    )
    assert (shown["limit_creates"], shown["reason"], shown["filters_mean"]) == (
        ["77"],
        ["kept"],
        ["enter"],
    )
    assert "\x00" in typed["value"] or shown["card-0-value"] == [typed["value"]]


NO_PROPERTIES = {
    "unknown": "nonsense",
    "spelt as a label": "E-Mail",
    "empty": "",
    "too long": "x" * 101,
    "a NUL": "a\x00",
}


@pytest.mark.parametrize("name", NO_PROPERTIES.values(), ids=NO_PROPERTIES)
def test_a_property_that_hubspot_does_not_have_is_told(acme, aiko, draft, name):
    answer = aiko.post(
        url("limit", draft.pk),
        add_row(aiko, "limit", draft, "contact", field=name, op="equals", value="x"),
    )
    assert answer.status_code == 200 and problems(answer) and again(draft).filters == {}


NUMBERS = ["-1", "1.5", "many", "9" * 30, "2000000001", "1e3", "１\x00"]


@pytest.mark.parametrize("field", ["limit_creates", "limit_updates"])
@pytest.mark.parametrize("typed", NUMBERS)
def test_a_budget_that_cannot_be_is_told_at_the_field(acme, aiko, draft, field, typed):
    answer = send(aiko, "limit", draft, **{field: typed})
    assert answer.status_code == 200 and problems(answer) and again(draft).limits == {}
    assert "\x00" in typed or form_of(answer)[field] == [typed]


def test_budgets_are_kept_and_outdate_no_preview(acme, aiko, draft):
    previewed(draft)
    send(aiko, "limit", draft, limit_creates="100", limit_updates="0")
    assert again(draft).limits == {"creates": 100, "updates": 0} and not new(draft)
    send(aiko, "limit", draft, limit_creates="", limit_updates="")
    assert again(draft).limits == {}


def test_people_without_an_address_may_be_let_in(acme, aiko, draft):
    send(aiko, "limit", draft, require_email=None)
    assert again(draft).require_email is False and new(draft)
    send(aiko, "limit", draft)
    assert again(draft).require_email is False


FUZZ = {
    "nothing": {},
    "only the button": {"action": "next"},
    "no management form": {"filters_mean": "leave", "card-0-field": "title"},
    "words for numbers": {
        "card-TOTAL_FORMS": "many",
        "card-INITIAL_FORMS": "few",
        "contact-TOTAL_FORMS": "x",
        "contact-INITIAL_FORMS": "",
    },
    "numbers beyond sense": {
        "card-TOTAL_FORMS": "9" * 30,
        "card-INITIAL_FORMS": "9" * 30,
        "contact-TOTAL_FORMS": "1",
        "contact-INITIAL_FORMS": "0",
    },
    "numbers below zero": {
        "card-TOTAL_FORMS": "-5",
        "card-INITIAL_FORMS": "-5",
        "contact-TOTAL_FORMS": "-1",
        "contact-INITIAL_FORMS": "-1",
    },
    "another meaning": {
        "filters_mean": "coin",
        "card-TOTAL_FORMS": "0",
        "card-INITIAL_FORMS": "0",
        "contact-TOTAL_FORMS": "0",
        "contact-INITIAL_FORMS": "0",
    },
    "rows without a field": {
        "filters_mean": "leave",
        "card-TOTAL_FORMS": "3",
        "card-INITIAL_FORMS": "0",
        "contact-TOTAL_FORMS": "2",
        "contact-INITIAL_FORMS": "0",
    },
    "rows that were there": {
        "filters_mean": "leave",
        "card-TOTAL_FORMS": "3",
        "card-INITIAL_FORMS": "3",
        "contact-TOTAL_FORMS": "2",
        "contact-INITIAL_FORMS": "2",
    },
    "more rows than there may be": {
        "filters_mean": "leave",
        "card-TOTAL_FORMS": "1000",
        "card-INITIAL_FORMS": "0",
        "contact-TOTAL_FORMS": "0",
        "contact-INITIAL_FORMS": "0",
    },
}


@pytest.mark.parametrize("sent", FUZZ.values(), ids=FUZZ)
def test_whatever_is_sent_the_page_answers(acme, aiko, draft, sent):
    aiko.raise_request_exception = False
    answer = aiko.post(url("limit", draft.pk), sent)
    assert answer.status_code == 200 and problems(answer), answer.status_code
    assert again(draft).filters == {} and not new(draft)


def test_what_the_criteria_let_in_is_told(acme, aiko, draft):
    sampled(acme, "A2", {"lastName": "原", "prefecture": "大阪府"}, [])
    sampled(acme, "A3", {"lastName": "辻", "prefecture": "大阪府"}, [])
    assert "sampled cards" not in body(aiko.get(url("limit", draft.pk)))
    aiko.post(
        url("limit", draft.pk),
        add_row(aiko, "limit", draft, "card", field="prefecture", op="equals", value="東京都"),
    )
    assert "lets in 1 of 3 sampled cards" in body(aiko.get(url("limit", draft.pk)))


# On to the review


def test_a_preview_begins_once(acme, aiko, draft, queued):
    assert len(queued(lambda: send(aiko, "limit", draft))) == 1
    with in_account(acme.account):
        (run,) = draft.runs.all()
    assert (run.kind, run.state, run.started_by) == ("preview", "queued", "aiko")
    assert len(queued(lambda: send(aiko, "limit", draft))) == 1


PREVIEWS = {
    "succeeded": ("succeeded", 0),
    "ended in part": ("partial", 0),
    "running": ("running", 0),
    "failed": ("failed", 1),
}


@pytest.mark.parametrize(("state", "again_"), PREVIEWS.values(), ids=PREVIEWS)
def test_a_preview_that_still_tells_how_things_are_is_not_made_again(
    acme, aiko, draft, queued, state, again_
):
    previewed(draft, state)
    assert len(queued(lambda: send(aiko, "limit", draft))) == again_


def test_an_older_preview_is_made_again(acme, aiko, draft, queued):
    previewed(draft)
    tasks = queued(lambda: send(aiko, "limit", draft, require_email=None))
    assert len(tasks) == 1


def test_changed_criteria_pause_a_running_sync(acme, aiko):
    begun(acme)
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(state="active")
    send(aiko, "limit", acme.rule, limit_creates="5")
    assert again(acme.rule).state == "active"
    aiko.post(
        url("limit", acme.rule.pk),
        add_row(aiko, "limit", acme.rule, "card", field="title", op="not_blank"),
    )
    assert again(acme.rule).state == "paused"
