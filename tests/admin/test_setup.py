"""The guided set-up: who may take it, in which order, and where it leads."""

from __future__ import annotations

from itertools import product

import pytest
from django_q.conf import Conf
from django_q.models import OrmQ

from core.models import Account, Role
from core.tenancy import in_account
from integration.models import SyncRule
from tests.admin.conftest import browser
from tests.admin.pages import body, told
from tests.admin.setup_pages import STEPS, again, begun, everything, previewed, send, url
from tests.admin.world import joins, team

pytestmark = pytest.mark.django_db
OF_A_RULE = (*STEPS, "tags_count", "try", "review_state")


def addresses(own, rule) -> list[str]:
    return [
        *(url(name, rule.pk) for name in OF_A_RULE),
        url("connection", own.sansan.pk),
        url("connection", own.hubspot.pk),
    ]


# Who may


@pytest.mark.parametrize("ben", [Role.OWNER, Role.EDITOR], indirect=True)
def test_an_owner_and_an_editor_may_take_every_step(acme, ben):
    rule = begun(acme)
    previewed(rule)
    assert ben.get(url("")).status_code == 200
    for address in addresses(acme, rule):
        assert ben.get(address).status_code == (405 if "/try/" in address else 200), address


@pytest.mark.parametrize("ben", [Role.OPERATOR, Role.VIEWER, Role.AUDITOR], indirect=True)
def test_nobody_else_of_the_account_may_take_any(acme, ben):
    rule = begun(acme)
    previewed(rule)
    refused(acme, ben, [url(""), *addresses(acme, rule)], (403, 404))


def test_nobody_of_another_account_learns_that_it_is_there(acme, birch, chie):
    rule = begun(acme)
    previewed(rule)
    refused(acme, chie, addresses(acme, rule), (404,))


def test_who_only_looks_at_an_account_may_not_change_it(acme, birch, emi):
    """Emi owns Acme and may only look at birch."""
    rule = begun(birch)
    previewed(rule)
    refused(birch, emi, addresses(birch, rule), (403, 404))


def test_who_is_of_no_account_and_who_is_nobody(acme, dan):
    rule = begun(acme)
    refused(acme, dan, [url(""), *addresses(acme, rule)], (403, 404))
    nobody = browser(None)
    for address in [url(""), url("oauth"), *addresses(acme, rule)]:
        for answer in (nobody.get(address), nobody.post(address, {"action": "next"})):
            assert answer.status_code == 302 and "/login/" in answer["Location"]


def refused(own, client, every: list[str], statuses: tuple[int, ...]) -> None:
    """Neither seen nor done, whatever is pressed."""
    client.raise_request_exception = False
    before = everything(own)
    actions = (
        "next",
        "save",
        "preview",
        "count",
        "sansan",
        "hubspot",
        "test",
        "oauth",
        "default",
        "sample",
        "",
    )
    for address in every:
        assert client.get(address).status_code in statuses, address
    for address, action in product(every, actions):
        sent = {
            "action": action,
            "account": own.account.pk,
            "slug": "stolen",
            "sansan": own.sansan.pk,
            "hubspot": own.hubspot.pk,
            "every": "1",
            "sansan-label": "stolen",
            "sansan-secret": "SandboxKey0123456789abcdefABCDEF",
            "card": "A1",
            "conflict": "hubspot",
        }
        answer = client.post(address, sent)
        assert answer.status_code in (*statuses, 405), (address, action, answer.status_code)
    assert everything(own) == before and not OrmQ.objects.filter(key=Conf.PREFIX).exists()


ABSENT = {
    **{f"{name} of no rule": url(name, 999_999_999) for name in OF_A_RULE},
    "no connection": url("connection", 999_999_999),
    "a number beyond any": url("tags", 10**30),
}


@pytest.mark.parametrize("address", ABSENT.values(), ids=ABSENT)
def test_what_is_not_there_is_a_404(acme, aiko, address):
    aiko.raise_request_exception = False
    for answer in (aiko.get(address), aiko.post(address, {})):
        assert answer.status_code in (404, 405)


def test_a_suspended_account_cannot_be_set_up(acme, aiko):
    rule = begun(acme)
    Account.objects.filter(pk=acme.account.pk).update(active=False)
    before = everything(acme)
    for step in STEPS:
        for answer in (
            aiko.get(url(step, rule.pk), follow=True),
            aiko.post(url(step, rule.pk), {"every": "1", "action": "save"}, follow=True),
        ):
            assert answer.status_code == 200 and "suspended" in told(answer)
    assert everything(acme) == before


def test_a_superuser_sets_up_any_account_and_says_which(acme, birch, root):
    said = root.post(url(""), {"slug": "x", "action": "next"})
    assert said.status_code == 200 and "Choose the account" in body(said)
    assert acme.sansan.slug not in body(root.get(url("")))
    assert acme.sansan.slug in body(
        root.get(url(""), {"account": acme.account.pk})
    ) and birch.sansan.slug not in body(said)
    rule = begun(acme)
    previewed(rule)
    for step in STEPS:
        assert root.get(url(step, rule.pk)).status_code == 200


def test_who_has_two_accounts_chooses_one(acme, birch, emi):
    joins_as_editor = team(acme, "fumi", Role.OWNER)
    joins(joins_as_editor, birch, Role.EDITOR)
    fumi = browser(joins_as_editor)
    assert body(fumi.get(url(""))).count("<option value=") >= 3
    assert birch.sansan.slug in body(fumi.get(url(""), {"account": birch.account.pk}))
    # Emi may only look at birch, so there is nothing to choose.
    assert birch.sansan.slug not in body(emi.get(url(""), {"account": birch.account.pk}))


# The order


@pytest.mark.parametrize("reached", STEPS[1:])
def test_a_step_cannot_be_skipped_in_a_draft(acme, aiko, reached):
    rule, last = begun(acme, reached), STEPS.index(reached)
    for name in STEPS[: last + 1]:
        assert aiko.get(url(name, rule.pk)).status_code == 200
    before = everything(acme)
    for name in STEPS[last + 1 :]:
        for answer in (
            aiko.get(url(name, rule.pk)),
            aiko.post(url(name, rule.pk), {"action": "save"}),
        ):
            assert (answer.status_code, answer["Location"]) == (302, url(reached, rule.pk))
    assert everything(acme) == before


@pytest.mark.parametrize("step", ["", "nonsense"])
def test_a_draft_that_was_made_elsewhere_begins_with_its_tags(acme, aiko, step):
    rule = begun(acme, step)
    assert aiko.get(url("review", rule.pk))["Location"] == url("tags", rule.pk)


def test_a_draft_is_gone_on_with_where_it_was_left(acme, aiko):
    rule = begun(acme, "configure")
    page = body(aiko.get(url("")))
    assert "Go on with a draft" in page and url("configure", rule.pk) in page
    with in_account(acme.account):
        SyncRule.objects.filter(pk=rule.pk).update(state="paused")
    assert url("configure", rule.pk) not in body(aiko.get(url("")))


def test_nobody_elses_drafts_are_shown(acme, birch, aiko, root):
    rule = begun(birch, "configure")
    assert url("configure", rule.pk) not in body(aiko.get(url("")))
    assert url("configure", rule.pk) in body(root.get(url("")))


def test_every_step_links_back_and_ahead_only_as_far_as_it_came(acme, aiko):
    rule = begun(acme, "limit")
    for place, step in enumerate(STEPS[:4]):
        page = body(aiko.get(url(step, rule.pk)))
        assert place == 0 or f'href="{url(STEPS[place - 1], rule.pk)}"' in page
        for other in STEPS:
            linked = f'href="{url(other, rule.pk)}"' in page
            assert linked == (other != step and other != "review"), (step, other)
        assert page.count('aria-current="step"') == 1


def test_going_back_forgets_no_step(acme, aiko):
    """Continue on an earlier page does not take away what was reached."""
    rule = begun(acme, "review")
    send(aiko, "tags", rule, every="1")
    assert again(rule).setup_step == "review" and aiko.get(url("limit", rule.pk)).status_code == 200


def test_the_whole_way(acme, aiko, queued):
    """What each page leads to when nothing is touched, from a fresh draft to the preview."""
    rule = begun(acme, "tags")
    led = [
        send(aiko, "tags", rule, every="1")["Location"],
        send(aiko, "configure", rule)["Location"],
    ]
    tasks = queued(lambda: led.append(send(aiko, "limit", rule)["Location"]))
    assert led == [url(step, rule.pk) for step in ("configure", "limit", "review")]
    ((name, (account, _run)),) = tasks
    assert (name, account) == ("integration.tasks.work", acme.account.pk)
    assert "Save and sync" in body(aiko.get(led[-1]))


# A rule that runs


@pytest.mark.parametrize("state", ["active", "paused", "held"])
def test_a_rule_that_has_run_opens_at_every_step(acme, aiko, state):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.rule.pk).update(state=state)
    for step in STEPS:
        assert aiko.get(url(step, acme.rule.pk)).status_code == 200
    assert "Change a sync" in body(aiko.get(url("tags", acme.rule.pk)))


def test_going_through_every_page_untouched_changes_nothing(acme, aiko):
    """Nor does it pause the sync."""
    begun(acme)  # gives the portal its properties
    with in_account(acme.account):
        acme.rule.mappings.filter(hubspot="acme_memo").update(hubspot="salutation")
    before = everything(acme)
    assert send(aiko, "connect", acme.rule).status_code == 302
    every = {} if any(tag.selected for tag in acme.tags) else {"every": "1"}
    assert send(aiko, "tags", acme.rule, **every).status_code == 302
    assert send(aiko, "configure", acme.rule).status_code == 302
    assert send(aiko, "limit", acme.rule).status_code == 302
    after = everything(acme)
    assert before[0] == after[0] and before[1] == after[1] and before[4] == after[4]


def test_what_no_page_shows_is_not_found_in_any(acme, aiko):
    """Texts of people are escaped wherever they stand."""
    rule = begun(acme)
    previewed(rule)
    for step in STEPS:
        assert "<script>made()" not in body(aiko.get(url(step, rule.pk)))
