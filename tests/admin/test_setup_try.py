"""Each mapping says at once what a real card makes of it.

Nothing is stored by that, and nobody is asked.
"""

from __future__ import annotations

from html import escape

import pytest

from core.tenancy import in_account
from integration.models import Connection, Tag
from tests.admin.pages import body
from tests.admin.setup_pages import add_row, again, begun, form_of, mapped, sampled, send, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(acme):
    return begun(acme, "configure")


def tried(browser, rule, **values):
    """What /try/ says of one more row."""
    answer = browser.post(url("try", rule.pk), add_row(browser, "configure", rule, **values))
    assert answer.status_code == 200
    return list(answer.json()["rows"].values())[-1]


ROWS = {
    "a field as it is": ({"source": "title", "hubspot": "salutation"}, "営業部長", ""),
    "a field that the card leaves blank": ({"source": "memo", "hubspot": "salutation"}, "", ""),
    "two fields joined": (
        {"source": "lastName,firstName", "hubspot": "salutation", "transform": "joined"},
        "森愛子",
        "",
    ),
    "an expression": (
        {
            "source": "=",
            "expression": "{{ lastName }} {{ companyName | company }}",
            "hubspot": "salutation",
        },
        "森 アクメ",
        "",
    ),
    "a table that has the value": (
        {"source": "title", "hubspot": "salutation", "table": "営業部長 = Manager"},
        "Manager",
        "",
    ),
    "a table that has another": (
        {
            "source": "title",
            "hubspot": "salutation",
            "table": "課長 = Manager",
            "others": "blank",
        },
        "",
        "",
    ),
    "tags": (
        {"source": "tags", "hubspot": "salutation"},
        "acme public <script>made()</script>",
        "",
    ),
    "an expression that fails": (
        {"source": "=", "expression": "{{ 1 | divided_by: memo }}", "hubspot": "salutation"},
        "",
        "can't divide by",
    ),
    "an expression of an unknown field": (
        {"source": "=", "expression": "{{ shoe }}", "hubspot": "salutation"},
        "",
        "“shoe” is not a field of a card",
    ),
    "a property that is not there": (
        {"source": "title", "hubspot": "nonsense"},
        "",
        "no such contact property",
    ),
    "text for a number": (
        {"source": "title", "hubspot": "annualrevenue", "transform": "number"},
        "",
        "",
    ),
    "an expression that is no number": (
        {"source": "=", "expression": "many", "hubspot": "annualrevenue"},
        "many",
        "“many” is not a number",
    ),
    "an expression that is no option": (
        {"source": "=", "expression": "NEXT", "hubspot": "hs_lead_status"},
        "NEXT",
        "not an option",
    ),
    "an expression that is an option": (
        {"source": "=", "expression": "NEW", "hubspot": "hs_lead_status"},
        "NEW",
        "",
    ),
    "mapped already by default": ({"source": "title", "hubspot": "lastname"}, "", "Mapped twice"),
    "a text mapped already by default": (
        {"source": "exchangeDate", "hubspot": "sansan_exchange_date"},
        "",
        "Mapped twice",
    ),
}


@pytest.mark.parametrize(("typed", "value", "problem"), ROWS.values(), ids=ROWS)
def test_what_a_card_makes_of_a_row(acme, aiko, draft, typed, value, problem):
    before = mapped(draft)
    said = tried(aiko, draft, **typed)
    assert said["value"] == value and (
        problem in said["problem"] if problem else said["problem"] == ""
    )
    assert (
        said.keys() == {"value", "problem", "kind"}
        and mapped(draft) == before
        and again(draft).changed_at == draft.changed_at
    )


def test_the_kind_of_the_property_is_told(acme, aiko, draft):
    assert tried(aiko, draft, source="title", hubspot="salutation")["kind"] == "Salutation · text"


def test_the_page_shows_the_same_as_the_live_results(acme, aiko, draft):
    shown = body(aiko.get(url("configure", draft.pk)))
    live = aiko.post(url("try", draft.pk), form_of(aiko.get(url("configure", draft.pk)))).json()
    assert live["sample"] == "森 愛子" and not live["waiting"]
    for prefix, result in live["rows"].items():
        row = shown.split(f'data-row="{prefix}"')[1].split("</li>")[0]
        assert (
            f"<output data-value>{escape(result['value']) or '–'}</output>" in row
            and result["problem"] == ""
        )


def test_only_what_the_sync_would_write_of_the_tags_is_shown(acme, aiko, draft):
    """The selected ones, if any are."""
    sampled(acme, "A1", {"lastName": "森", "email": "aiko@acme.example.jp"}, ["acme-T0", "acme-T1"])
    with in_account(acme.account):
        Tag.objects.filter(pk=acme.tags[1].pk).update(selected=True)
    assert tried(aiko, draft, source="tags", hubspot="salutation")["value"].startswith(
        "acme shared"
    )
    assert (
        "acme shared"
        in tried(aiko, draft, source="=", expression="{{ tags | first }}", hubspot="salutation")[
            "value"
        ]
    )


def test_another_card_is_tried(acme, aiko, draft, queued):
    sampled(acme, "B2", {"lastName": "原"}, [])
    form = form_of(aiko.get(url("configure", draft.pk), {"sample": "B2"}))
    assert (
        form["sample"] == ["B2"] and aiko.post(url("try", draft.pk), form).json()["sample"] == "原"
    )
    tasks = queued(
        lambda: aiko.post(url("configure", draft.pk), form | {"action": "sample", "card": "C3"})
    )
    assert tasks == [("integration.tasks.sample", (acme.account.pk, acme.sansan.pk, "C3"))]
    assert aiko.post(url("try", draft.pk), form | {"sample": "C3"}).json()["waiting"] is True
    sampled(acme, "C3", {"lastName": "辻"}, [])
    answer = aiko.post(url("try", draft.pk), form | {"sample": "C3"}).json()
    assert (answer["sample"], answer["waiting"]) == ("辻", False)


def test_asking_for_a_card_keeps_what_was_typed(acme, aiko, draft):
    form = add_row(aiko, "configure", draft, source="title", hubspot="salutation") | {
        "action": "sample",
        "card": "C3",
        "reason": "kept",
    }
    shown = form_of(aiko.post(url("configure", draft.pk), form))
    assert (
        shown[f"row-{len(mapped(draft))}-hubspot"] == ["salutation"]
        and shown["reason"] == ["kept"]
        and shown["sample"] == ["C3"]
    )


def test_the_cards_of_others_are_not_tried(acme, birch, aiko, draft):
    sampled(birch, "B9", {"lastName": "birch"}, [])
    assert (
        aiko.post(
            url("try", draft.pk), {"row-TOTAL_FORMS": "0", "row-INITIAL_FORMS": "0", "sample": "B9"}
        ).json()["sample"]
        == ""
    )


def test_without_samples_and_without_properties_the_page_still_works(acme, aiko, draft):
    with in_account(acme.account):
        acme.sansan.samples.all().delete()
        Connection.objects.filter(pk=acme.hubspot.pk).update(schema={})
    page = body(aiko.get(url("configure", draft.pk)))
    assert "No card has been read yet" in page and "have not been read yet" in page
    assert tried(aiko, draft, source="title", hubspot="whatever") == {
        "value": "",
        "problem": "",
        "kind": "",
    }
    assert send(aiko, "configure", draft).status_code == 302


def test_cards_are_read_where_none_is_kept(acme, aiko, draft, queued):
    """From the page itself, with what was typed still on it; it waits for them, and then shows what
    they become.
    """
    with in_account(acme.account):
        acme.sansan.samples.all().delete()
    form = add_row(aiko, "configure", draft, source="title", hubspot="typed_now") | {
        "action": "survey"
    }
    seen = aiko.get(url("configure", draft.pk))
    assert not seen.context["waiting"] and "Read a few cards" in body(seen)
    asked = queued(lambda: aiko.post(url("configure", draft.pk), form))
    assert [name for name, _args in asked] == ["integration.tasks.count_cards"]
    seen = aiko.post(url("configure", draft.pk), form)
    assert (
        seen.context["waiting"]
        and "typed_now" in body(seen)
        and "Read a few cards" not in body(seen)
    )
    assert aiko.post(url("try", draft.pk), form).json()["waiting"] is True
    sampled(acme, "C9", {"lastName": "辻"}, [])
    answer = aiko.post(url("try", draft.pk), form).json()
    assert (answer["sample"], answer["waiting"]) == ("辻", False)


def test_a_card_that_cannot_be_read_is_told_and_another_one_is_tried(acme, aiko, draft):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            survey={"state": "done", "refused": {"C3": "Sansan does not have it (404)."}}
        )
    form = form_of(aiko.get(url("configure", draft.pk)))
    answer = aiko.post(url("try", draft.pk), form | {"sample": "C3"}).json()
    assert (
        answer["refused"] == "Card C3 cannot be read: Sansan does not have it (404)."
        and not answer["waiting"]
    )
    seen = aiko.get(url("configure", draft.pk), {"sample": "C3"})
    assert (
        answer["refused"] in body(seen)
        and str(seen.context["sample"]) == "森 愛子"
        and not seen.context["waiting"]
    )
    aiko.post(url("configure", draft.pk), form | {"action": "sample", "card": "C3"})
    assert aiko.post(url("try", draft.pk), form | {"sample": "C3"}).json()["waiting"], (
        "asked for once more"
    )


def test_a_mistake_in_one_row_hides_none_in_another(acme, aiko, draft):
    form = add_row(
        aiko, "configure", draft, source="=", expression="{{ lastName }", hubspot="salutation"
    )
    form = {
        name: "no_such_property" if value in ("jobtitle", ["jobtitle"]) else value
        for name, value in form.items()
    }
    tried = aiko.post(url("try", draft.pk), form).json()["rows"].values()
    assert {one["problem"].split(":")[0] for one in tried if one["problem"]} == {
        "no_such_property",
        "The expression cannot be read",
    }


def test_a_row_that_was_only_just_added_is_no_mistake(acme, aiko, draft):
    assert tried(aiko, draft, source="", hubspot="") == {"value": "", "problem": "", "kind": ""}
    assert (
        tried(aiko, draft, source="title", hubspot="")["problem"] == "Choose a property of HubSpot."
    )
