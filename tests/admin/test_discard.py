"""A draft that nobody goes on with: out of every list, kept for the audit log, and brought back by
a button.
"""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from core.tenancy import in_account
from integration.models import SyncRule, SyncRun
from integration.rules.recheck import save_tags
from tests.admin.pages import body, listed, page, press, rows_on, told
from tests.admin.setup_pages import again, begun, previewed, url

pytestmark = pytest.mark.django_db
OVERVIEW, CONNECT = "/admin/", reverse("admin:integration_setup")


@pytest.fixture
def draft(acme):
    rule = begun(acme, slug="abandoned")
    previewed(rule)
    return rule


@pytest.fixture
def gone(draft):
    with in_account(draft.account):
        SyncRule.objects.filter(pk=draft.pk).update(discarded_at=timezone.now())
    return again(draft)


def buttons(browser, rule):
    return [one.name for one in browser.get(page(rule)).context["buttons"]]


def shown(browser):
    """Whether it is among the rules of the overview and its drafts, the drafts of the set-up, and
    the list of rules.
    """
    overview = browser.get(OVERVIEW).context
    lists = [overview["rules"], overview["drafts"], browser.get(CONNECT).context["drafts"]]
    return ["abandoned" in [one["rule"].slug for one in rows] for rows in lists] + [
        "abandoned" in map(str, rows_on(browser.get(listed(SyncRule))))
    ]


def test_it_leaves_the_lists(acme, draft, aiko):
    assert shown(aiko) == [True] * 4
    answer = aiko.post(press(draft, "discard"))
    assert answer.url == listed(SyncRule)
    assert "“abandoned” is discarded" in told(aiko.get(answer.url))
    assert shown(aiko) == [False] * 4
    assert rows_on(aiko.get(listed(SyncRule, discarded=1))) == [draft]
    assert acme.rule in rows_on(aiko.get(listed(SyncRule, discarded="nonsense")))


def test_its_previews_stay(draft, gone):
    with in_account(draft.account):
        assert SyncRun.objects.filter(rule=draft).count() == 1
        assert SyncRule.history.filter(id=draft.pk).count() >= 1


def test_who_discarded_it_is_kept(draft, aiko, acme):
    aiko.post(press(draft, "discard"))
    with in_account(draft.account):
        last = SyncRule.history.filter(id=draft.pk).latest("history_date")
    assert last.discarded_at and last.history_user == acme.owner
    assert "abandoned" in body(aiko.get(f"{listed(SyncRule)}history/?kind=rule&id={draft.pk}"))


def test_it_comes_back_as_it_was(gone, aiko):
    assert buttons(aiko, gone) == ["bring_back"]
    assert aiko.post(press(gone, "bring_back")).url == page(gone)
    assert again(gone).discarded_at is None and again(gone).setup_step == gone.setup_step
    assert aiko.get(url("review", gone.pk)).status_code == 200
    assert "discard" in buttons(aiko, gone)


def test_what_no_preview_has_seen_is_deleted_instead(acme, aiko):
    rule = begun(acme, slug="untouched")
    assert "discard" not in buttons(aiko, rule)
    aiko.post(press(rule, "discard"))
    assert again(rule).discarded_at is None
    assert aiko.get(page(rule)).context["has_delete_permission"]


@pytest.mark.parametrize("step", ["connect", "tags", "configure", "limit", "review"])
def test_its_set_up_asks_to_bring_it_back(gone, aiko, queued, step):
    place = url(step, gone.pk)
    assert aiko.get(place).url == page(gone)
    assert queued(lambda: aiko.post(place, {"action": "save"})) == []
    assert again(gone).state == "draft" and "bring it back first" in told(aiko.get(page(gone)))


def test_its_page_leads_nowhere_else(gone, aiko):
    seen = body(aiko.get(page(gone)))
    assert (
        "Discarded." in seen and "Go on with the set-up" not in seen and "Not running." not in seen
    )


@pytest.mark.parametrize("name", ["switch_on", "preview", "discard"])
def test_nothing_of_it_is_set_going(gone, aiko, queued, name):
    assert queued(lambda: aiko.post(press(gone, name))) == []
    assert "is not possible any more" in told(aiko.get(page(gone))) and again(gone).state == "draft"


def test_a_sync_that_was_switched_on_meanwhile_is_not_discarded(draft, aiko):
    """Between the question whether it may be and the answer."""
    with in_account(draft.account):
        SyncRule.objects.filter(pk=draft.pk).update(state="active")
    aiko.post(press(draft, "discard"))
    assert again(draft).discarded_at is None and again(draft).state == "active"


def test_who_saves_it_is_heard_above_who_discards_it(draft, aiko, queued, monkeypatch):
    """Both at once: the one has looked at what it would write, and wants it."""

    def meanwhile(rule):
        SyncRule.objects.filter(pk=rule.pk).update(discarded_at=timezone.now())
        return save_tags(rule)

    monkeypatch.setattr("integration.admin.setup.review.save_tags", meanwhile)
    assert len(queued(lambda: aiko.post(url("review", draft.pk), {"action": "save"}))) == 1
    assert again(draft).state == "active" and again(draft).discarded_at is None


def test_its_name_is_told_to_be_taken(acme, gone, aiko):
    ends = {
        "account": acme.account.pk,
        "sansan": gone.sansan_id,
        "hubspot": gone.hubspot_id,
        "slug": "abandoned",
    }
    seen = body(aiko.post(CONNECT, ends))
    assert "A draft that was discarded has this name" in seen


def test_a_viewer_is_not_asked(draft, gone, ben):
    assert buttons(ben, draft) == []
    assert ben.post(press(gone, "bring_back")).status_code == 403 and again(gone).discarded_at
