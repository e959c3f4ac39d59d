"""Tags: what is selected is kept and told to every sync of the same key; what cannot be is told on
the page.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.admin.setup import tags
from integration.models import Connection, SyncRule, Tag
from integration.notes import note
from integration.rules.as_plan import make_scopes
from integration.rules.recheck import find_chosen_tags, pick_tags
from tests.admin.pages import body, listed, press, told
from tests.admin.setup_pages import again, begun, form_of, previewed, problems, send, url
from tests.core import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(acme):
    return begun(acme, "tags")


def selected(acme):
    with in_account(acme.account):
        return set(
            Tag.objects.filter(connection=acme.sansan, selected=True).values_list(
                "external_id", flat=True
            )
        )


def many(acme, n):
    with in_account(acme.account):
        Tag.objects.bulk_create(
            Tag(
                account=acme.account,
                connection=acme.sansan,
                external_id=f"M{i:05d}",
                name=f"many {i}",
                type="public",
            )
            for i in range(n)
        )
    return [f"M{i:05d}" for i in range(n)]


def new(rule):
    return again(rule).changed_at > timezone.now() - timedelta(minutes=1)


def saved(acme, aiko, draft, **ticked):
    """Through the review, to the end."""
    with in_account(acme.account):
        SyncRule.objects.filter(pk=draft.pk).update(setup_step="review")
    previewed(draft)
    answer = aiko.post(url("review", draft.pk), {"action": "save", **ticked})
    return again(draft).state == "active", answer


def test_what_is_ticked_is_kept_until_it_is_saved(acme, aiko, draft):
    """Others may be running by the tags of the same key: nothing may change for them before
    somebody says so.
    """
    answer = send(aiko, "tags", draft, tag=["acme-T0", "acme-T1"], every=None)
    assert answer["Location"] == url("configure", draft.pk)
    assert new(draft) and again(draft).setup_step == "configure" and not again(acme.rule).recheck
    assert selected(acme) == set() and find_chosen_tags(again(draft)) == {"acme-T0", "acme-T1"}
    assert form_of(aiko.get(url("tags", draft.pk)))["tag"] == ["acme-T0", "acme-T1"]
    assert saved(acme, aiko, draft, also="1")[0]
    assert selected(acme) == {"acme-T0", "acme-T1"} and again(draft).picked_tags is None
    with in_account(acme.account):
        assert acme.tags[0].history.values_list("who", "selected").first() == ("aiko", True)


def test_what_is_no_longer_ticked_is_taken_away(acme, aiko, draft):
    with in_account(acme.account):
        Tag.objects.filter(external_id="acme-T0").update(selected=True)
    send(aiko, "tags", draft, tag=["acme-T1"])
    assert find_chosen_tags(again(draft)) == {"acme-T1"}
    send(aiko, "tags", draft, tag=["acme-T1"], every="1")
    assert find_chosen_tags(again(draft)) == set() and form_of(aiko.get(url("tags", draft.pk)))[
        "every"
    ] == ["1"]
    assert saved(acme, aiko, draft, also="1")[0] and selected(acme) == set()


def test_what_is_selected_already_needs_no_saving(acme, aiko, draft):
    send(aiko, "tags", draft, tag=["acme-T1"])
    send(aiko, "tags", draft, every="1", tag=None)
    assert again(draft).picked_tags is None


def test_a_running_sync_of_the_same_key_is_changed_only_where_somebody_ticks_it(acme, aiko, draft):
    send(aiko, "tags", draft, tag=["acme-T0"])
    done, answer = saved(acme, aiko, draft)
    seen = aiko.get(answer["Location"])
    assert not done and "acme-cards would follow the new choice of tags" in told(seen)
    assert "acme-cards" in body(seen).split('id="id_also"')[0].split("mb-warn")[-1]
    assert selected(acme) == set() and not again(acme.rule).recheck
    assert (
        saved(acme, aiko, draft, also="1")[0]
        and selected(acme) == {"acme-T0"}
        and again(acme.rule).recheck
    )


def test_nobody_is_asked_where_no_other_sync_runs(acme, aiko, draft):
    with in_account(acme.account):
        SyncRule.objects.exclude(pk=draft.pk).update(state="paused")
    send(aiko, "tags", draft, tag=["acme-T0"])
    assert saved(acme, aiko, draft)[0] and selected(acme) == {"acme-T0"}


def test_a_choice_that_is_not_to_be_had_any_more_is_not_saved(acme, aiko, draft):
    send(aiko, "tags", draft, tag=["acme-T0"])
    with in_account(acme.account):
        Tag.objects.filter(external_id="acme-T0").update(type="private")
    done, answer = saved(acme, aiko, draft, also="1")
    assert not done and answer["Location"] == url("tags", draft.pk) and selected(acme) == set()
    assert "choose again" in told(aiko.get(answer["Location"]))


def test_a_rule_with_a_choice_that_is_not_saved_is_not_resumed(acme, aiko):
    send(aiko, "tags", acme.rule, tag=["acme-T0"], every=None)
    answer = aiko.post(press(acme.rule, "resume"), follow=True)
    assert again(acme.rule).state == "paused" and "not saved yet" in told(answer)


def test_a_preview_goes_by_the_choice_and_a_run_by_what_is_saved(acme, aiko, draft):
    send(aiko, "tags", draft, tag=["acme-T0"])
    with in_account(acme.account):
        rule = again(draft)
        assert make_scopes(rule, preview=True)[rule.pk].selected == frozenset({"acme-T0"})
        assert make_scopes(rule)[rule.pk].selected is None
        pick_tags(rule, {"acme-T1"})
        pick_tags(rule, set())
        assert make_scopes(rule, preview=True)[rule.pk].selected is None


def test_the_same_again_is_no_change(acme, aiko, draft):
    send(aiko, "tags", draft, tag=["acme-T0"])
    with in_account(acme.account):
        SyncRule.objects.filter(pk=draft.pk).update(changed_at=draft.changed_at, recheck=False)
    send(aiko, "tags", draft)
    assert not new(draft) and not again(draft).recheck


# What cannot be


def test_nothing_ticked_is_asked_about(acme, aiko, draft):
    answer = send(aiko, "tags", draft, tag=None, every=None)
    assert answer.status_code == 200 and "Select at least one tag" in problems(answer)
    assert again(draft).setup_step == "tags" and not new(draft)


NOT_TO_BE_HAD = {
    "private": "acme-T2",
    "another account's": "birch-T0",
    "unknown": "no-such-tag",
    "empty": "",
    "a NUL": "a\x00b",
    "very long": "9" * 5000,
    "markup": "<b>",
}


@pytest.mark.parametrize("tag", NOT_TO_BE_HAD.values(), ids=NOT_TO_BE_HAD)
def test_a_tag_that_cannot_be_had_is_told_and_the_others_stay_ticked(acme, birch, aiko, draft, tag):
    """Private, another customer's, none at all."""
    aiko.raise_request_exception = False
    answer = send(aiko, "tags", draft, tag=["acme-T0", tag])
    assert answer.status_code == 200 and "not there any more, or has become private" in problems(
        answer
    )
    assert (
        form_of(answer)["tag"] == ["acme-T0"]
        and selected(acme) == set()
        and "birch" not in body(answer)
    )


@pytest.mark.parametrize("n", [3, 1200])
def test_too_many_are_told_with_both_numbers_and_stay_ticked(acme, aiko, draft, settings, n):
    """Two thousand are shown, so that as many can be ticked."""
    settings.SYNC_MAX_TAGS = 2
    aiko.raise_request_exception = False
    answer = send(aiko, "tags", draft, tag=many(acme, n))
    assert (
        answer.status_code == 200
        and f"{n:,}" in problems(answer)
        and "2 can be" in problems(answer)
    )
    assert len(form_of(answer)["tag"]) == n and selected(acme) == set()


def test_as_many_as_the_limit_are_taken(acme, aiko, draft, settings):
    settings.SYNC_MAX_TAGS = 2
    assert send(aiko, "tags", draft, tag=["acme-T0", "acme-T1"]).status_code == 302


# What the page says


def test_a_private_tag_says_why_it_cannot_be_had(acme, aiko, draft):
    answer = body(aiko.get(url("tags", draft.pk)))
    line = answer.split('value="acme-T2"')[1].split("</li>")[0]
    assert "disabled" in line.split(">")[0] and "belongs to one Sansan user" in line


CARDS = {
    "none": (0, "0 cards"),
    "one": (1, "1 card"),
    "several": (7, "7 cards"),
    "not counted": (None, "–"),
}


@pytest.mark.parametrize(("cards", "said"), CARDS.values(), ids=CARDS)
def test_each_tag_says_how_many_cards_it_has(acme, aiko, draft, cards, said):
    with in_account(acme.account):
        Tag.objects.filter(pk=acme.tags[0].pk).update(cards=cards)
        Connection.objects.filter(pk=acme.sansan.pk).update(cards=None, survey={})
    line = body(aiko.get(url("tags", draft.pk))).split('value="acme-T0"')[1].split("</li>")[0]
    assert f'mb-count">{said}<' in line


def test_while_cards_are_counted_the_page_follows(acme, aiko, draft):
    with in_account(acme.account):
        Connection.objects.filter(pk=acme.sansan.pk).update(
            survey={"state": "running", "cards": 300, "tags": {"acme-T0": 12}}, cards=None
        )
    for address in (url("tags", draft.pk), url("tags_count", draft.pk)):
        seen = body(aiko.get(address))
        assert "300 cards so far" in seen and 'data-done="0"' in seen
    assert "12 cards" in body(aiko.get(url("tags", draft.pk)))


def test_refresh_counts_again_and_reads_the_tags(acme, aiko, draft, queued):
    tasks = queued(lambda: aiko.post(url("tags", draft.pk), {"action": "count", "tag": "acme-T0"}))
    assert {name for name, _args in tasks} == {
        "integration.tasks.count_cards",
        "integration.tasks.tags",
    }
    with in_account(acme.account):
        assert Connection.objects.get(pk=acme.sansan.pk).survey["state"] == "running"
    assert selected(acme) == set()


def test_refresh_keeps_what_was_ticked(acme, aiko, draft, queued):
    """It was not stored, and is not lost either."""
    seen = []
    queued(
        lambda: seen.append(
            aiko.post(url("tags", draft.pk), {"action": "count", "tag": ["acme-T0"]}, follow=True)
        )
    )
    assert form_of(seen[0]).get("tag") == ["acme-T0"]


def test_refresh_keeps_that_every_card_was_asked_for(acme, aiko, draft, queued):
    seen = []
    queued(
        lambda: seen.append(
            aiko.post(url("tags", draft.pk), {"action": "count", "every": "1"}, follow=True)
        )
    )
    assert form_of(seen[0])["every"] == ["1"] and "tag" not in form_of(seen[0])


# Others


def test_the_syncs_of_the_same_key_are_named(acme, aiko, draft):
    assert "acme-cards" in body(aiko.get(url("tags", draft.pk)))


def test_the_other_syncs_of_the_key_look_at_every_card_again(acme, aiko, draft):
    other = rows.rule(acme.account, "elsewhere", state="active")
    with in_account(acme.account):
        another = rows.connection(acme.account, "sansan", slug="another")
        apart = SyncRule.objects.create(
            account=acme.account, slug="apart", sansan=another, hubspot=acme.hubspot
        )
    send(aiko, "tags", draft, tag=["acme-T0"])
    saved(acme, aiko, draft, also="1")
    assert again(other).recheck and again(acme.rule).recheck and not again(apart).recheck


def test_the_preview_of_another_draft_of_the_key_is_old_then(acme, aiko, draft):
    """It would begin with cards that nobody has looked at."""
    other = begun(acme, slug="elsewhere")
    previewed(other)
    send(aiko, "tags", draft, tag=["acme-T0"])
    saved(acme, aiko, draft, also="1")
    aiko.post(url("review", other.pk), {"action": "save"})
    assert again(other).state == "draft"


def test_tags_that_are_selected_on_their_own_page_make_a_preview_old(acme, aiko):
    rule = begun(acme)
    previewed(rule)
    assert "disabled" not in save_button(aiko, rule)
    aiko.post(listed(Tag), {"action": "select_tags", "_selected_action": [acme.tags[0].pk]})
    assert selected(acme) == {"acme-T0"} and "disabled" in save_button(aiko, rule)


def save_button(browser, rule):
    return body(browser.get(url("review", rule.pk))).split('value="save"')[1].split(">")[0]


def test_a_tag_that_becomes_private_meanwhile_is_told(acme, aiko, draft):
    form = form_of(aiko.get(url("tags", draft.pk)))
    send(aiko, "tags", draft, tag=["acme-T0"])
    with in_account(acme.account):
        Tag.objects.filter(pk=acme.tags[0].pk).update(type="private", selected=False)
    answer = aiko.post(url("tags", draft.pk), form | {"tag": ["acme-T0"], "action": "next"})
    assert "has become private" in problems(answer) and selected(acme) == set()


# What stood when the page was opened, what a colleague saves then, what is saved here, what stands
# in the end, and what is told.
MEANWHILE = {
    "one more each": (
        ["M00001"],
        ["M00001", "M00002"],
        ["M00001", "M00003"],
        ["M00001", "M00002", "M00003"],
        "selected: many 2. It is kept",
    ),
    "the same one": (
        ["M00001"],
        ["M00001", "M00002"],
        ["M00001", "M00002"],
        ["M00001", "M00002"],
        "",
    ),
    "theirs is gone": (
        ["M00001", "M00002"],
        ["M00001"],
        ["M00001", "M00002", "M00003"],
        ["M00001", "M00003"],
        "taken away: many 2.",
    ),
    "ours is gone": (
        ["M00001", "M00002"],
        ["M00001", "M00002", "M00003"],
        ["M00001"],
        ["M00001", "M00003"],
        "selected: many 3. It is kept",
    ),
    "both take it": (["M00001", "M00002"], ["M00001"], ["M00001"], ["M00001"], ""),
    "they ask for all": (["M00001"], [], ["M00001", "M00002"], ["M00001", "M00002"], ""),
    "we ask for all": (["M00001"], ["M00001", "M00002"], [], [], ""),
    "all before": (
        [],
        ["M00001"],
        ["M00002"],
        ["M00001", "M00002"],
        "selected: many 1. It is kept",
    ),
    "nothing else": (["M00001"], ["M00001"], ["M00002"], ["M00002"], ""),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_of_two_who_choose_at_once_neither_undoes_the_other(acme, aiko, draft, what):
    stood, theirs, ours, stands, says = MEANWHILE[what]
    many(acme, 4)

    def asked(ids):
        return {"tag": ids or None, "every": None if ids else "1"}

    send(aiko, "tags", draft, **asked(stood))
    form = {
        name: value
        for name, value in (form_of(aiko.get(url("tags", draft.pk))) | asked(ours)).items()
        if value
    }
    send(aiko, "tags", draft, **asked(theirs))
    answer = aiko.post(url("tags", draft.pk), form | {"action": "next"}, follow=True)
    with in_account(acme.account):
        assert find_chosen_tags(again(draft)) == set(stands)
    assert says in told(answer) and bool(says) == ("Meanwhile" in told(answer))


def test_what_a_colleague_chose_is_ticked_where_the_page_is_shown_again(
    acme, aiko, draft, settings
):
    settings.SYNC_MAX_TAGS = 2
    many(acme, 4)
    form = {
        name: value
        for name, value in form_of(aiko.get(url("tags", draft.pk))).items()
        if name != "every"
    }
    send(aiko, "tags", draft, tag=["M00001"])
    answer = aiko.post(
        url("tags", draft.pk), form | {"tag": ["M00002", "M00003"], "action": "next"}
    )
    shown = form_of(answer)
    assert "3 tags are selected" in problems(answer)
    assert shown["tag"] == ["M00001", "M00002", "M00003"] and shown["opened"] == ["M00001"]
    aiko.post(url("tags", draft.pk), shown | {"tag": ["M00002", "M00003"], "action": "next"})
    assert find_chosen_tags(again(draft)) == {"M00002", "M00003"}, "seen, and taken away"


def test_what_is_chosen_is_shown_however_many_tags_there_are(acme, aiko, draft, monkeypatch):
    """A picked tag that the page left out would be taken away by going on."""
    many(acme, 4)
    send(aiko, "tags", draft, tag=["M00003"])
    monkeypatch.setattr(tags, "MOST_TAGS_SHOWN", 2)
    send(aiko, "tags", draft)
    assert find_chosen_tags(again(draft)) == {"M00003"}


def test_the_selection_of_a_running_sync_pauses_it(acme, aiko):
    answer = send(aiko, "tags", acme.rule, tag=["acme-T0"], every=None)
    changed = again(acme.rule)
    assert (changed.state, changed.state_reason, changed.recheck) == (
        "paused",
        note("being_changed"),
        True,
    )
    assert "paused while you change it" in told(aiko.get(answer["Location"]))
