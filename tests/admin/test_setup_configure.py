"""Configure: rows become mappings, and what cannot work is told where it stands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.admin.setup.policies import POLICY_MEANINGS
from integration.models import Connection, FieldMapping, SyncRule, Tag
from integration.notes import note
from tests.admin.pages import body
from tests.admin.setup_pages import (
    add_row,
    again,
    begun,
    form_of,
    mapped,
    previewed,
    problems,
    sampled,
    send,
    url,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(acme):
    return begun(acme, "configure")


def new(rule):
    return again(rule).changed_at > timezone.now() - timedelta(minutes=1)


def row_of(rule, hubspot):
    with in_account(rule.account):
        return FieldMapping.objects.get(rule=rule, hubspot=hubspot)


def place(browser, rule, hubspot):
    """The number that a property's row has on the page."""
    form = form_of(browser.get(url("configure", rule.pk)))
    return next(
        name.split("-")[1]
        for name, value in form.items()
        if name.endswith("-hubspot") and value == [hubspot]
    )


# Keeping


def test_a_row_that_is_added_becomes_a_mapping(acme, aiko, draft):
    form = add_row(
        aiko,
        "configure",
        draft,
        source="title",
        hubspot="salutation",
        transform="upper",
        policy="if_empty",
        table="CEO = Chief\n = none",
    )
    assert aiko.post(url("configure", draft.pk), form | {"reason": "greeting"})["Location"] == url(
        "limit", draft.pk
    )
    made = row_of(draft, "salutation")
    assert (made.sansan, made.transform, made.policy, made.table, made.others) == (
        "title",
        "upper",
        "if_empty",
        [["CEO", "Chief"], ["", "none"]],
        "keep",
    )
    assert (
        new(draft)
        and again(draft).setup_step == "limit"
        and list(mapped(draft))[-1] == "salutation"
    )
    with in_account(acme.account):
        assert made.history.values_list("who", "history_change_reason", "history_type").first() == (
            "aiko",
            "greeting",
            "+",
        )


def test_an_expression_becomes_a_mapping(acme, aiko, draft):
    aiko.post(
        url("configure", draft.pk),
        add_row(
            aiko,
            "configure",
            draft,
            source="=",
            expression="{{ lastName }}様",
            hubspot="salutation",
        ),
    )
    made = row_of(draft, "salutation")
    assert (made.sansan, made.expression) == ("", "{{ lastName }}様")
    shown = form_of(aiko.get(url("configure", draft.pk)))
    n = place(aiko, draft, "salutation")
    assert (shown[f"row-{n}-source"], shown[f"row-{n}-expression"]) == (["="], ["{{ lastName }}様"])
    send(aiko, "configure", draft, **{f"row-{n}-source": "title"})
    made = row_of(draft, "salutation")
    assert (made.sansan, made.expression) == ("title", "")


def test_a_row_is_changed_taken_away_and_switched_off(acme, aiko, draft):
    one, other, third = (place(aiko, draft, name) for name in ("jobtitle", "fax", "company"))
    before = row_of(draft, "fax").pk
    send(
        aiko,
        "configure",
        draft,
        **{
            f"row-{one}-hubspot": "salutation",
            f"row-{other}-DELETE": "on",
            f"row-{third}-active": None,
            "reason": "tidy",
        },
    )
    assert (
        "jobtitle" not in mapped(draft)
        and "fax" not in mapped(draft)
        and mapped(draft)["salutation"] == "title"
    )
    assert row_of(draft, "company").active is False
    with in_account(acme.account):
        gone = FieldMapping.history.filter(id=before).first()
        assert (gone.history_type, gone.history_change_reason, gone.who) == ("-", "tidy", "aiko")


def test_two_rows_swap_their_properties(acme, aiko, draft):
    one, other = place(aiko, draft, "lastname"), place(aiko, draft, "firstname")
    assert (
        send(
            aiko,
            "configure",
            draft,
            **{f"row-{one}-hubspot": "firstname", f"row-{other}-hubspot": "lastname"},
        ).status_code
        == 302
    )
    assert (mapped(draft)["lastname"], mapped(draft)["firstname"]) == ("firstName", "lastName")


def test_the_same_again_is_no_change(acme, aiko, draft):
    with in_account(acme.account):
        FieldMapping.objects.filter(rule=draft, hubspot="jobtitle").update(
            table=[["部長", "Manager"], ["", "x"]], others="blank"
        )
        before = list(FieldMapping.objects.order_by("pk").values())
    send(aiko, "configure", draft)
    with in_account(acme.account):
        assert list(FieldMapping.objects.order_by("pk").values()) == before
    assert not new(draft)


TABLES = {
    "an equals sign in what is read": [["a=b", "c"]],
    "an equals sign in what is written": [["a", "b=c"]],
    "written as nothing": [["a", ""]],
    "two lines": [["行1\n行2", "x"]],
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_of_a_configuration_file_survives_the_page(acme, aiko, draft, table):
    with in_account(acme.account):
        FieldMapping.objects.filter(rule=draft, hubspot="jobtitle").update(table=table)
    send(aiko, "configure", draft)
    assert row_of(draft, "jobtitle").table == table


@pytest.mark.parametrize("conflict", ["sansan", "hubspot", "newest", "hold"])
def test_who_wins_is_kept(acme, aiko, draft, conflict):
    send(aiko, "configure", draft, conflict=conflict, reason="asked for")
    assert again(draft).conflict == conflict and new(draft) == (conflict != "sansan")
    if new(draft):
        with in_account(acme.account):
            assert draft.history.values_list("conflict", "history_change_reason").first() == (
                conflict,
                "asked for",
            )


CHOICES = [(name, value) for name, means in POLICY_MEANINGS.items() for value in means]


@pytest.mark.parametrize(("name", "value"), CHOICES)
def test_each_choice_is_explained_and_kept(acme, aiko, draft, name, value):
    before = getattr(draft, name)
    assert str(POLICY_MEANINGS[name][value]) in body(aiko.get(url("configure", draft.pk)))
    send(aiko, "configure", draft, **{name: value}, reason="asked for")
    assert getattr(again(draft), name) == value and new(draft) == (value != before)
    assert form_of(aiko.get(url("configure", draft.pk)))[name] == [value]
    if value != before:
        with in_account(acme.account):
            assert draft.history.values_list(name, "who", "history_change_reason").first() == (
                value,
                "aiko",
                "asked for",
            )


DECIDING = {
    "direction": "both",
    "conflict": "hold",
    "when_gone": "make",
    "companies": "find",
    "row": "",
}


@pytest.mark.parametrize("name", DECIDING)
def test_what_decides_about_people_pauses_a_running_sync(acme, aiko, name):
    rule = begun(acme, slug="running", state="active")
    n = place(aiko, rule, "jobtitle")
    send(
        aiko,
        "configure",
        rule,
        **({f"row-{n}-direction": "to_hubspot"} if name == "row" else {name: DECIDING[name]}),
    )
    assert again(rule).state == "paused" and new(rule)


@pytest.mark.parametrize("sent", [{"card_cap": "7"}, {"marker": "acme-T1"}], ids=repr)
def test_how_many_cards_a_day_and_their_tag_need_no_new_review(acme, aiko, sent):
    rule = begun(acme, slug="running", state="active", direction="both")
    previewed(rule)
    send(aiko, "configure", rule, **sent, reason="asked for")
    ((name, value),) = sent.items()
    assert (
        str(getattr(again(rule), name)) == value and again(rule).state == "active" and not new(rule)
    )
    with in_account(acme.account):
        assert rule.history.values_list("who", "history_change_reason").first() == (
            "aiko",
            "asked for",
        )
    assert form_of(aiko.get(url("configure", rule.pk)))[name] == [value]


WRONG = {
    "no direction": ("direction", None, "Choose one of the three directions."),
    "another direction": ("direction", "up", "Choose one of the three directions."),
    "another conflict rule": ("conflict", "coin", "Choose who wins."),
    "nothing for a contact that is gone": ("when_gone", None, "the card of a deleted contact"),
    "something else for a contact that is gone": (
        "when_gone",
        "cry",
        "the card of a deleted contact",
    ),
    "something else for companies": ("companies", "buy", "Choose what happens to companies."),
    "no number of cards": ("card_cap", "", "a number of cards from 0 to 100000"),
    "fewer cards than none": ("card_cap", "-1", "a number of cards from 0 to 100000"),
    "more cards than anybody needs": ("card_cap", "100001", "a number of cards from 0 to 100000"),
    "half a card": ("card_cap", "1.5", "a number of cards from 0 to 100000"),
    "cards in words": ("card_cap", "some", "a number of cards from 0 to 100000"),
    "cards beyond a column": ("card_cap", "9" * 30, "a number of cards from 0 to 100000"),
    "a private tag": ("marker", "acme-T2", "one of the tags that the key sees"),
    "a tag of others": ("marker", "birch-T0", "one of the tags that the key sees"),
    "a tag that is none": ("marker", "x" * 500, "one of the tags that the key sees"),
}


@pytest.mark.parametrize(("name", "typed", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_told_at_its_place_and_what_was_typed_stays(
    acme, birch, aiko, draft, name, typed, said
):
    others = {
        "direction": "both",
        "conflict": "hold",
        "companies": "make",
        "card_cap": "77",
        "reason": "kept",
    }
    answer = send(aiko, "configure", draft, **others | {name: typed})
    assert answer.status_code == 200 and said in problems(answer)
    shown = form_of(answer)
    assert {field: shown[field] for field in others if field != name} == {
        field: [value] for field, value in others.items() if field != name
    }
    assert name != "card_cap" or shown["card_cap"] == [typed]
    stored = again(draft)
    assert (stored.direction, stored.conflict, stored.companies, stored.card_cap) == (
        "to_hubspot",
        "sansan",
        "none",
        500,
    ) and not new(draft)


PARTS = {
    "the cap on new cards": ("card_cap", "mb-sends"),
    "the policy for conflicts": ("conflict", "mb-receives"),
}


@pytest.mark.parametrize(("name", "part"), PARTS.values(), ids=PARTS)
def test_a_part_that_is_hidden_is_shown_while_it_is_wrong(acme, aiko, draft, name, part):
    """What stands behind another direction is hidden by the style sheet."""
    assert f'mb-card {part}"' in body(aiko.get(url("configure", draft.pk)))
    assert f'mb-card {part} mb-wrong"' in body(send(aiko, "configure", draft, **{name: "x"}))


def test_what_was_typed_stays_when_the_default_rows_are_shown(acme, aiko, draft):
    answer = send(
        aiko,
        "configure",
        draft,
        action="default",
        direction="to_sansan",
        card_cap="9",
        companies="find",
    )
    assert {name: form_of(answer)[name] for name in ("direction", "card_cap", "companies")} == {
        "direction": ["to_sansan"],
        "card_cap": ["9"],
        "companies": ["find"],
    }


# The tag of the cards that are made


def warned(answer):
    """Whether it is said that such cards do not come back; None where that is no question."""
    page = body(answer)
    return (
        "hidden" not in page.split("data-outside")[1].split(">")[0]
        if "data-outside" in page
        else None
    )


def test_the_tags_that_others_see_can_be_put_on_cards(acme, birch, aiko, draft):
    page = body(aiko.get(url("configure", draft.pk)))
    options = page.split('name="marker"')[1].split("</select>")[0]
    assert (
        "acme-T0" in options
        and "acme-T1" in options
        and "acme-T2" not in options
        and "birch" not in options
        and "<script>" not in options
    )
    assert "optgroup" not in options and warned(aiko.get(url("configure", draft.pk))) is None


MARKERS = {
    "none": ("", True),
    "a tag that is not selected": ("acme-T0", True),
    "a tag that is selected": ("acme-T1", False),
}


@pytest.mark.parametrize(("marker", "said"), MARKERS.values(), ids=MARKERS)
def test_a_tag_with_which_cards_do_not_come_back_is_warned_of(acme, aiko, draft, marker, said):
    with in_account(acme.account):
        Tag.objects.filter(pk=acme.tags[1].pk).update(selected=True)
        SyncRule.objects.filter(pk=draft.pk).update(marker=marker, direction="both")
    assert warned(aiko.get(url("configure", draft.pk))) is said
    with in_account(acme.account):
        SyncRule.objects.filter(pk=draft.pk).update(marker="", direction="both")
    assert warned(send(aiko, "configure", draft, marker=marker, card_cap="x")) is said
    options = (
        body(aiko.get(url("configure", draft.pk))).split('name="marker"')[1].split("</select>")[0]
    )
    assert (
        options.index("Selected in this sync")
        < options.index("acme-T1")
        < options.index("Other tags")
        < options.index("acme-T0")
    )


def test_tags_of_the_same_name_are_told_apart(acme, aiko, draft):
    with in_account(acme.account):
        acme.sansan.tags.update(name="VIP")
    page = body(aiko.get(url("configure", draft.pk)))
    assert "VIP (acme-T0)" in page and "VIP (acme-T1)" in page


def test_a_tag_that_is_no_longer_seen_stays_until_another_is_chosen(acme, aiko, draft):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=draft.pk).update(marker="acme-T2", direction="both")
    assert "acme-T2 (no longer seen)" in body(aiko.get(url("configure", draft.pk)))
    assert send(aiko, "configure", draft).status_code == 302 and again(draft).marker == "acme-T2"
    assert (
        send(aiko, "configure", draft, marker="").status_code == 302 and again(draft).marker == ""
    )


# Rows in both directions


def test_a_row_has_a_direction_and_a_conflict_rule_of_its_own(acme, aiko, draft):
    n = place(aiko, draft, "jobtitle")
    send(
        aiko,
        "configure",
        draft,
        **{f"row-{n}-direction": "to_sansan", f"row-{n}-conflict": "newest"},
    )
    row = row_of(draft, "jobtitle")
    assert (row.direction, row.conflict) == ("to_sansan", "newest") and new(draft)
    shown = form_of(aiko.get(url("configure", draft.pk)))
    assert (shown[f"row-{n}-direction"], shown[f"row-{n}-conflict"]) == (["to_sansan"], ["newest"])
    send(aiko, "configure", draft, **{f"row-{n}-direction": "both", f"row-{n}-conflict": ""})
    row = row_of(draft, "jobtitle")
    assert (row.direction, row.conflict) == ("both", "")


def test_a_row_without_a_direction_goes_both_ways(acme, aiko, draft):
    aiko.post(
        url("configure", draft.pk),
        add_row(aiko, "configure", draft, source="memo", hubspot="salutation"),
    )
    assert (row_of(draft, "salutation").direction, row_of(draft, "salutation").conflict) == (
        "both",
        "",
    )


# What a row does for new cards

NOTES = {
    "a field": ({"source": "title"}, "also fills new cards", False),
    "another spelling": ({"source": "title", "transform": "upper"}, "also fills new cards", False),
    "fields that are joined": (
        {"source": "street,building"},
        "also fills new cards: “Street” takes the whole text",
        False,
    ),
    "an expression": (
        {"source": "=", "expression": "{{ title }}"},
        "not for new cards: the value is calculated",
        True,
    ),
    "a transform": (
        {"source": "url", "transform": "domain"},
        "not for new cards: the value is calculated",
        True,
    ),
    "tags": ({"source": "tags"}, "not for new cards: Sansan sets this field itself", True),
    "a field of Sansan's own": (
        {"source": "ownerName"},
        "not for new cards: Sansan sets this field itself",
        True,
    ),
    "a table both ways": (
        {"source": "title", "table": "部長 = Manager"},
        "also fills new cards",
        False,
    ),
    "a table one way": (
        {"source": "title", "table": "部長 = Manager\n課長 = Manager"},
        "not for new cards: two of the card's values lead",
        True,
    ),
    "to HubSpot only": (
        {"source": "title", "direction": "to_hubspot"},
        "not for new cards: this row goes to HubSpot only",
        False,
    ),
    "to new cards only": (
        {"source": "title", "direction": "to_sansan"},
        "fills new cards only",
        False,
    ),
    "off": ({"source": "title", "active": ""}, "", False),
    "nothing yet": ({"source": ""}, "", False),
}


@pytest.mark.parametrize(("typed", "said", "locked"), NOTES.values(), ids=NOTES)
def test_each_row_says_what_it_does_for_new_cards(acme, aiko, draft, typed, said, locked):
    form = add_row(aiko, "configure", draft, hubspot="salutation", **typed)
    note = list(
        aiko.post(url("try", draft.pk), {name: value for name, value in form.items() if value})
        .json()["notes"]
        .values()
    )[-1]
    assert (
        note["cards"].startswith(said)
        and bool(note["cards"]) == bool(said)
        and note["locked"] is locked
    )


def test_the_stored_rows_say_it_too_with_a_lock(acme, aiko, draft):
    page = body(aiko.get(url("configure", draft.pk)))
    row = page.split('value="sansan_tags"')[1].split("</li>")[0]
    assert (
        "not for new cards: Sansan sets this field itself" in row
        and "mb-locked" in row
        and ">lock</span>" in row
        and "no call to change one" in row
    )
    row = page.split('value="jobtitle"')[1].split("</li>")[0]
    assert "also fills new cards" in row and "mb-locked" not in row
    assert "an edit in HubSpot never changes a card" in page


USELESS = {
    "calculated": {"source": "=", "expression": "{{ title }}"},
    "unwritable": {"source": "ownerName"},
    "one way": {"source": "title", "table": "部長 = Manager\n課長 = Manager"},
}


@pytest.mark.parametrize("typed", USELESS.values(), ids=USELESS)
def test_a_row_that_would_do_nothing_is_told(acme, aiko, draft, typed):
    form = add_row(aiko, "configure", draft, hubspot="salutation", direction="to_sansan", **typed)
    answer = aiko.post(url("configure", draft.pk), form)
    assert (
        answer.status_code == 200
        and "This row would do nothing (not for new cards" in problems(answer)
        and "salutation" not in mapped(draft)
    )
    off = {
        name: value for name, value in form.items() if name != f"row-{len(mapped(draft))}-active"
    }
    assert aiko.post(url("configure", draft.pk), off).status_code == 302


def test_a_value_that_stands_twice_in_a_table_is_told(acme, aiko, draft):
    """Only the first would count; widths and case make no other value, as when it is looked up."""
    form = add_row(
        aiko,
        "configure",
        draft,
        source="title",
        hubspot="salutation",
        table="部長 = A\n\nVIP = B\nｖｉｐ = C",
    )
    answer = aiko.post(url("configure", draft.pk), form)
    assert (
        answer.status_code == 200
        and "Line 4: “ｖｉｐ” stands in line 3 already." in problems(answer)
        and "salutation" not in mapped(draft)
    )


def test_switching_the_address_off_says_what_that_means(acme, aiko, draft):
    form = form_of(aiko.get(url("configure", draft.pk)))
    (row,) = [
        name.removesuffix("-hubspot")
        for name, value in form.items()
        if name.endswith("-hubspot") and value == ["email"]
    ]
    for off in (False, True):
        sent = {
            name: value for name, value in form.items() if not (off and name == f"{row}-active")
        }
        assert (
            "A new one gets the card's all the same"
            in aiko.post(url("try", draft.pk), sent).json()["notes"][row]["hint"]
        ) is off


# The owner of a contact


def test_the_owner_may_be_mapped(acme, aiko, draft):
    form = add_row(aiko, "configure", draft, source="ownerEmail", hubspot="hubspot_owner_id")
    sampled(acme, "A1", {"lastName": "森", "ownerEmail": "ken@acme.example.jp"}, [])
    n = len(mapped(draft))
    seen = aiko.post(url("try", draft.pk), form).json()
    assert (seen["rows"][f"row-{n}"]["value"], seen["rows"][f"row-{n}"]["problem"]) == (
        "ken@acme.example.jp",
        "",
    )
    assert (
        "where there is none, the owner is left alone" in seen["notes"][f"row-{n}"]["hint"]
        and seen["notes"]["row-0"]["hint"] == ""
    )
    assert (
        aiko.post(url("configure", draft.pk), form).status_code == 302
        and mapped(draft)["hubspot_owner_id"] == "ownerEmail"
    )
    assert "becomes the owner" in body(aiko.get(url("configure", draft.pk)))


def test_tags_are_no_owner(acme, aiko, draft):
    answer = aiko.post(
        url("configure", draft.pk),
        add_row(aiko, "configure", draft, source="tags", hubspot="hubspot_owner_id"),
    )
    assert answer.status_code == 200 and "does not take the text of Tags" in problems(answer)


def test_the_default_rows_are_shown_and_not_stored(acme, aiko, draft):
    with in_account(acme.account):
        draft.mappings.exclude(hubspot="email").delete()
    answer = aiko.post(
        url("configure", draft.pk),
        form_of(aiko.get(url("configure", draft.pk))) | {"action": "default"},
    )
    shown = form_of(answer)
    assert [value for name, value in shown.items() if name.endswith("-hubspot")].count(
        ["lastname"]
    ) == 1
    assert list(mapped(draft)) == ["email"] and not new(draft)
    assert (
        aiko.post(url("configure", draft.pk), shown | {"action": "next"}).status_code == 302
        and len(mapped(draft)) > 10
    )


def test_more_rows_than_anybody_needs_are_still_taken(acme, aiko, draft):
    """Two hundred may be had, as the page says."""
    names = [f"custom_{i}" for i in range(190)]
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.hubspot.pk).update(schema={})
        draft.mappings.all().delete()
        FieldMapping.objects.bulk_create(
            FieldMapping(account=acme.account, rule=draft, sansan="title", hubspot=name, position=i)
            for i, name in enumerate(names)
        )
    aiko.raise_request_exception = False
    answer = send(aiko, "configure", draft, conflict="newest")
    assert answer.status_code == 302 and again(draft).conflict == "newest"


# What cannot be

BAD = {
    "a property that is not there": (
        {"source": "title", "hubspot": "nonsense"},
        "HubSpot has no such contact property",
    ),
    "no property": ({"source": "title", "hubspot": ""}, "Choose a property of HubSpot"),
    "no name of a property": ({"source": "title", "hubspot": "Job Title"}, "not the internal name"),
    "our own key": ({"source": "title", "hubspot": "sansan_link_id"}, "our own key"),
    "a property mapped twice": ({"source": "title", "hubspot": "lastname"}, "Mapped twice"),
    "a property that cannot be written": (
        {"source": "title", "hubspot": "createdate"},
        "does not let this property be written",
    ),
    "another type": (
        {"source": "title", "hubspot": "annualrevenue"},
        "does not take the text of Title",
    ),
    "no field": ({"source": "", "hubspot": "salutation"}, "Choose a field of the card."),
    "another field": ({"source": "shoe", "hubspot": "salutation"}, "is not a field of a card"),
    "tags and another field": (
        {"source": "tags,title", "hubspot": "salutation"},
        "tags cannot be joined",
    ),
    "tags transformed": (
        {"source": "tags", "hubspot": "salutation", "transform": "upper"},
        "Tags go as they are",
    ),
    "no expression": ({"source": "=", "hubspot": "salutation"}, "Write an expression"),
    "an expression that cannot be read": (
        {"source": "=", "expression": "{{ title", "hubspot": "salutation"},
        "found end of file",
    ),
    "an expression of another field": (
        {"source": "=", "expression": "{{ shoe }}", "hubspot": "salutation"},
        "“shoe” is not a field of a card",
    ),
    "an expression too long": (
        {"source": "=", "expression": "x" * 1001, "hubspot": "salutation"},
        "at most 1000",
    ),
    "a runaway": (
        {
            "source": "=",
            "expression": "{% for i in (1..9999999) %}{% endfor %}",
            "hubspot": "salutation",
        },
        "A range such as (1..9) cannot be used here.",
    ),
    "another transform": (
        {"source": "title", "hubspot": "salutation", "transform": "rot13"},
        "Select a valid choice",
    ),
    "another policy": (
        {"source": "title", "hubspot": "salutation", "policy": "never"},
        "Select a valid choice",
    ),
    "no policy": ({"source": "title", "hubspot": "salutation", "policy": ""}, "required"),
    "a table without =": (
        {"source": "title", "hubspot": "salutation", "table": "部長 = Manager\n課長"},
        "Line 2:",
    ),
    "a table too long": (
        {"source": "title", "hubspot": "salutation", "table": "x" * 20_001},
        "at most 20000",
    ),
    "another direction": (
        {"source": "title", "hubspot": "salutation", "direction": "up"},
        "Select a valid choice",
    ),
    "another conflict rule": (
        {"source": "title", "hubspot": "salutation", "conflict": "coin"},
        "Select a valid choice",
    ),
    "other values of a table": (
        {"source": "title", "hubspot": "salutation", "others": "guess"},
        "Select a valid choice",
    ),
    "a control sign": (
        {"source": "=", "expression": "a\x00b", "hubspot": "salutation"},
        "Null characters",
    ),
    "an id that is none": ({"source": "title", "hubspot": "salutation", "id": "x"}, ""),
}


@pytest.mark.parametrize(("typed", "said"), BAD.values(), ids=BAD)
def test_a_row_that_cannot_work_is_told_where_it_stands(acme, aiko, draft, typed, said):
    before = mapped(draft)
    answer = aiko.post(
        url("configure", draft.pk),
        add_row(aiko, "configure", draft, **typed) | {"conflict": "newest", "reason": "kept"},
    )
    shown = form_of(answer)
    assert answer.status_code == 200 and problems(answer) and said in problems(answer)
    assert mapped(draft) == before and again(draft).conflict == "sansan" and not new(draft)
    assert shown["conflict"] == ["newest"] and shown["reason"] == ["kept"]
    n = len(before)
    for name, value in typed.items():
        if name in ("hubspot", "expression", "table") and "\x00" not in value:
            assert shown[f"row-{n}-{name}"] == [value]


def test_a_row_that_is_off_may_wait_for_its_property(acme, aiko, draft):
    form = add_row(aiko, "configure", draft, source="title", hubspot="not_there_yet", active="")
    form.pop(next(name for name in form if name.endswith("-active") and form[name] == ""))
    assert aiko.post(url("configure", draft.pk), form).status_code == 302


def test_a_row_that_is_taken_away_need_not_be_right(acme, aiko, draft):
    assert (
        aiko.post(
            url("configure", draft.pk),
            add_row(aiko, "configure", draft, source="shoe", hubspot="X Y", DELETE="on"),
        ).status_code
        == 302
    )


def test_a_conflict_rule_that_is_none_is_told(acme, aiko, draft):
    answer = send(aiko, "configure", draft, conflict="coin")
    assert (
        answer.status_code == 200
        and "Choose who wins" in problems(answer)
        and again(draft).conflict == "sansan"
    )


FORM = {"conflict": "sansan", "row-INITIAL_FORMS": "0"}
FUZZ = {
    "nothing": {},
    "no management form": {"conflict": "sansan", "row-0-hubspot": "salutation"},
    "words for numbers": FORM | {"row-TOTAL_FORMS": "many", "row-INITIAL_FORMS": "few"},
    "numbers beyond sense": FORM | {"row-TOTAL_FORMS": "9" * 30},
    "numbers below zero": FORM | {"row-TOTAL_FORMS": "-3"},
    "more rows than there may be": FORM | {"row-TOTAL_FORMS": "100000"},
    "a row of nothing": FORM | {"row-TOTAL_FORMS": "1"},
    "a row that is only on": FORM | {"row-TOTAL_FORMS": "1", "row-0-active": "on"},
    "rows that are only on": FORM
    | {
        "row-TOTAL_FORMS": "3",
        "row-0-active": "on",
        "row-1-active": "on",
        "row-2-active": "on",
        "row-2-others": "keep",
    },
    "a row that was there": FORM
    | {"row-TOTAL_FORMS": "1", "row-INITIAL_FORMS": "1", "row-0-active": "on"},
    "a sample that is none": FORM | {"row-TOTAL_FORMS": "1", "sample": "\x00" * 10, "card": "é"},
    "another button": FORM | {"row-TOTAL_FORMS": "x", "action": "\x00"},
}


@pytest.mark.parametrize("sent", FUZZ.values(), ids=FUZZ)
def test_whatever_is_sent_the_page_answers(acme, aiko, draft, sent):
    aiko.raise_request_exception = False
    before = mapped(draft)
    answer = aiko.post(url("configure", draft.pk), sent)
    assert answer.status_code == 200 and problems(answer), answer.status_code
    assert mapped(draft) == before
    live = aiko.post(url("try", draft.pk), sent)
    assert live.status_code == 200 and isinstance(live.json()["rows"], dict)


NO_IDS = {
    "not ASCII": "é",
    "a way up": "../../x",
    "a blank in it": "a b",
    "empty": "",
    "too long": "x" * 65,
    "a NUL": "\x00",
}


@pytest.mark.parametrize("asked", NO_IDS.values(), ids=NO_IDS)
def test_a_card_whose_id_cannot_be_is_told(acme, aiko, draft, queued, asked):
    seen = []
    form = form_of(aiko.get(url("configure", draft.pk))) | {
        "action": "sample",
        "card": asked,
        "reason": "kept",
    }
    assert queued(lambda: seen.append(aiko.post(url("configure", draft.pk), form))) == []
    assert (
        seen[0].status_code == 200
        and "letters and digits" in problems(seen[0])
        and form_of(seen[0])["reason"] == ["kept"]
    )


# Ids of others


def test_a_row_of_another_rule_is_not_taken(acme, birch, aiko, draft):
    theirs, ours = birch.mappings[0], acme.mappings[0]
    for stolen in (theirs, ours):
        aiko.post(
            url("configure", draft.pk),
            add_row(
                aiko, "configure", draft, source="memo", hubspot="salutation", id=str(stolen.pk)
            ),
        )
        n = place(aiko, draft, "salutation")
        send(aiko, "configure", draft, **{f"row-{n}-DELETE": "on", f"row-{n}-id": str(stolen.pk)})
        with in_account(stolen.account):
            kept = FieldMapping.objects.get(pk=stolen.pk)
            assert (kept.rule_id, kept.sansan, kept.hubspot) == (
                stolen.rule_id,
                stolen.sansan,
                stolen.hubspot,
            )


def test_two_rows_of_the_same_id_are_two_rows(acme, aiko, draft):
    """A copied page; none of what was typed is lost without a word."""
    form = add_row(
        aiko,
        "configure",
        draft,
        source="memo",
        hubspot="salutation",
        id=str(row_of(draft, "jobtitle").pk),
    )
    aiko.raise_request_exception = False
    answer = aiko.post(url("configure", draft.pk), form)
    assert answer.status_code == 200 or {"jobtitle", "salutation"} <= mapped(draft).keys(), mapped(
        draft
    )
    assert answer.status_code in (200, 302)


def test_what_a_colleague_added_meanwhile_is_not_taken_away(acme, aiko, draft):
    """Who has never seen a row cannot mean to delete it."""
    form = form_of(aiko.get(url("configure", draft.pk)))
    aiko.post(
        url("configure", draft.pk),
        add_row(aiko, "configure", draft, source="memo", hubspot="salutation"),
    )
    aiko.post(url("configure", draft.pk), form | {"action": "next"})
    assert "salutation" in mapped(draft)


def test_a_row_that_a_colleague_took_away_meanwhile(acme, aiko, draft):
    form = form_of(aiko.get(url("configure", draft.pk)))
    n = place(aiko, draft, "fax")
    send(aiko, "configure", draft, **{f"row-{n}-DELETE": "on"})
    assert aiko.post(url("configure", draft.pk), form | {"action": "next"}).status_code == 302


def test_changed_mappings_pause_a_running_sync(acme, aiko):
    rule = begun(acme, slug="running")
    with in_account(acme.account):
        SyncRule.objects.filter(pk=rule.pk).update(state="active", setup_step="")
    send(aiko, "configure", rule, conflict="newest")
    assert (again(rule).state, again(rule).state_reason) == (
        "paused",
        note("being_changed"),
    )
    with in_account(acme.account):
        assert rule.history.values_list("state", "who").first() == ("paused", "aiko")
