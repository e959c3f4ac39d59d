"""Tags: selected in any number up to 300 a connection, and never a private one."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from core.tenancy import in_account
from integration.models import Connection, SyncRule, Tag
from tests.admin.pages import address, body, listed, page, rows_on, told
from tests.core import rows

pytestmark = pytest.mark.django_db


def act(browser, action, tags, **more):
    return browser.post(
        listed(Tag),
        {"action": action, "_selected_action": [tag.pk for tag in tags], **more},
        follow=True,
    )


def selected(acme):
    with in_account(acme.account):
        return set(Tag.objects.filter(selected=True).values_list("external_id", flat=True))


def many(acme, n, connection=None, type="public"):
    connection = connection or acme.sansan
    made = [
        Tag(
            account=acme.account,
            connection=connection,
            external_id=f"{connection.pk}-{i}",
            name=f"tag {i:03}",
            type=type,
        )
        for i in range(n)
    ]
    with in_account(acme.account):
        return Tag.objects.bulk_create(made)


def rechecked(acme):
    with in_account(acme.account):
        return set(SyncRule.objects.filter(recheck=True).values_list("slug", flat=True))


# Selecting


def test_public_and_shared_tags_are_selected_and_deselected(acme, aiko):
    public, shared, _ = acme.tags
    assert "acme-sansan: 2 tags selected" in told(act(aiko, "select_tags", [public, shared]))
    assert selected(acme) == {"acme-T0", "acme-T1"}
    assert "acme-sansan: 1 tags selected" in told(act(aiko, "deselect_tags", [shared]))
    assert selected(acme) == {"acme-T0"}


def test_every_card_is_looked_at_again_by_the_rules_of_the_connection(acme, aiko):
    other = rows.connection(acme.account, "sansan", slug="other-sansan")
    with in_account(acme.account):
        SyncRule.objects.create(
            account=acme.account, slug="elsewhere", sansan=other, hubspot=acme.hubspot
        )
    act(aiko, "select_tags", acme.tags[:1])
    assert rechecked(acme) == {"acme-cards", "acme-draft"}


def test_a_private_tag_is_left_out_and_named(acme, aiko):
    said = told(act(aiko, "select_tags", acme.tags))
    assert "acme private" in said and "cannot be selected" in said and "acme public" not in said
    assert selected(acme) == {"acme-T0", "acme-T1"}


def test_a_private_tag_alone_changes_nothing(acme, aiko):
    said = told(act(aiko, "select_tags", acme.tags[2:]))
    assert "cannot be selected" in said and "Nothing to change" in said
    assert selected(acme) == set() == rechecked(acme)


def test_of_many_private_tags_some_are_named(acme, aiko):
    private = many(acme, 5, type="private")
    assert (
        "acme private" in (said := told(act(aiko, "select_tags", [acme.tags[2], *private])))
        and "and 1 more" in said
    )


def test_the_database_refuses_a_private_tag_whoever_selects_it(acme):
    with in_account(acme.account), pytest.raises(IntegrityError), transaction.atomic():
        Tag.objects.filter(pk=acme.tags[2].pk).update(selected=True)


def test_what_is_as_one_wants_it_is_not_written(acme, aiko):
    assert "Nothing to change" in told(act(aiko, "deselect_tags", acme.tags))
    assert rechecked(acme) == set()


def test_the_last_deselected_tag_opens_the_scope_and_that_is_said(acme, aiko):
    act(aiko, "select_tags", acme.tags[:1])
    assert "every card that its key sees is in scope" in told(
        act(aiko, "deselect_tags", acme.tags[:1])
    )
    assert "every card that its key sees is in scope" not in told(
        act(aiko, "select_tags", acme.tags[:1])
    )


# At most 300


def test_three_hundred_tags_are_selected_and_no_more(acme, aiko):
    tags = many(acme, 301)
    said = told(act(aiko, "select_tags", tags))
    assert "301 selected tags" in said and "at most 300" in said and "nothing was changed" in said
    assert selected(acme) == set() == rechecked(acme)
    act(aiko, "select_tags", tags[:300])
    assert len(selected(acme)) == 300
    assert "301 selected tags with these 1" in told(act(aiko, "select_tags", tags[300:]))
    assert len(selected(acme)) == 300
    act(aiko, "deselect_tags", tags[:1])
    act(aiko, "select_tags", tags[300:])
    assert len(selected(acme)) == 300


def test_tags_that_are_selected_already_count_once(acme, aiko):
    tags = many(acme, 300)
    act(aiko, "select_tags", tags[:299])
    act(aiko, "select_tags", tags)
    assert len(selected(acme)) == 300


def test_the_limit_is_each_connection_s(acme, aiko, settings):
    settings.SYNC_MAX_TAGS = 2
    other = rows.connection(acme.account, "sansan", slug="other-sansan")
    said = told(act(aiko, "select_tags", [*acme.tags[:2], *many(acme, 3, other)]))
    assert (
        "acme-sansan: 2 tags selected" in said and "other-sansan would have 3 selected tags" in said
    )
    assert selected(acme) == {"acme-T0", "acme-T1"}


def test_all_that_a_filter_shows_can_be_selected_at_once(acme, aiko):
    """More than a page of them, and none that the filter leaves out."""
    many(acme, 150)
    shown = listed(Tag, q="tag ")
    first = rows_on(aiko.get(shown))[0]
    aiko.post(
        shown, {"action": "select_tags", "_selected_action": [first.pk], "select_across": "1"}
    )
    assert len(selected(acme)) == 150 and "acme-T0" not in selected(acme)


# Who


def test_who_may_not_select_has_no_way_to(acme, ben, aiko):
    assert 'value="select_tags"' in body(aiko.get(listed(Tag))) and "select_tags" not in body(
        ben.get(listed(Tag))
    )
    act(ben, "select_tags", acme.tags)
    assert selected(acme) == set()


def test_nobody_makes_changes_or_deletes_a_tag_by_hand(acme, aiko, root):
    for one in (aiko, root):
        assert (
            one.get(address(Tag, "add")).status_code
            == one.post(address(Tag, "add"), {"name": "mine"}).status_code
            == 403
        )
        assert one.post(page(acme.tags[2]), {"selected": "on", "type": "public"}).status_code == 403
        assert one.post(address(acme.tags[0], "delete"), {"post": "yes"}).status_code == 403
        act(one, "delete_selected", acme.tags, post="yes")
    with in_account(acme.account):
        assert Tag.objects.count() == 3


# The list


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["acme-T1", "acme-T2", "acme-T0"]),
        ({"selected": "1"}, ["acme-T1"]),
        ({"selected": "0"}, ["acme-T2", "acme-T0"]),
        ({"type__exact": "private"}, ["acme-T2"]),
        ({"q": "shared"}, ["acme-T1"]),
        ({"q": "acme-T2"}, ["acme-T2"]),
        ({"q": "T2"}, []),
        ({"q": "nobody"}, []),
    ],
    ids=str,
)
def test_the_list_has_what_is_selected_first(acme, aiko, query, found):
    act(aiko, "select_tags", [acme.tags[1]])
    assert [tag.external_id for tag in rows_on(aiko.get(listed(Tag, **query)))] == found


def test_the_list_of_one_connection(acme, aiko):
    other = rows.connection(acme.account, "sansan", slug="other-sansan")
    many(acme, 2, other)
    assert {tag.connection_id for tag in rows_on(aiko.get(listed(Tag, connection=other.pk)))} == {
        other.pk
    }
    choices = body(aiko.get(listed(Tag)))
    assert (
        f'<option value="{other.pk}"' in choices
        and f'<option value="{acme.hubspot.pk}"' not in choices
    )


def test_the_scope_of_each_connection_is_told(acme, aiko):
    def said() -> str:
        return " ".join(body(aiko.get(listed(Tag))).split())

    assert "None of 3 tags selected: every card that the key sees is in scope." in said()
    act(aiko, "select_tags", acme.tags[:2])
    assert "2 of 3 tags selected (at most 300): only cards with one of them are in scope." in said()
    rows.connection(acme.account, "sansan", slug="unread")
    assert "No tags read yet" in said()


def test_without_a_connection_the_way_to_one_is_shown(root):
    seen = body(root.get(listed(Tag)))
    assert "connect it first" in seen and listed(Connection) in seen
