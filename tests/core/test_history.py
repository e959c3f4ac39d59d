"""The history of the configuration: what people decide is kept with who and why; what workers
write, and every secret, is not.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.urls import reverse

from core.admin.site import site
from core.history import Frozen, Tracked, give_reason
from core.models import Account, Membership, Role, User
from core.tenancy import all_accounts, in_account
from integration.connections.check import ask_vendor
from integration.connections.credentials import make_source
from integration.connections.survey import begin_survey, work_survey_slice
from integration.models import Connection, FieldMapping, SyncRule, Tag
from tests import cast
from tests.admin.conftest import browser
from tests.admin.pages import address, form_of, listed, page, press, send
from tests.admin.world import SECRET, furnish, joins

pytestmark = pytest.mark.django_db
# What of each model is kept. Whatever is added here is a decision: a column that workers write
# fills the history with noise.
KEPT = {
    Account: {
        "id",
        "slug",
        "name",
        "timezone",
        "active",
        "retention_days",
        "provider_domains",
        "suspended_for",
    },
    Membership: {"id", "user", "account", "role"},
    Connection: {"id", "account", "slug", "system", "hint", "rate_calls", "rate_seconds"},
    SyncRule: {
        "id",
        "account",
        "slug",
        "sansan",
        "hubspot",
        "direction",
        "state",
        "require_email",
        "conflict",
        "filters_mean",
        "filters",
        "limits",
        "interval",
        "full_every",
        "when_gone",
        "companies",
        "card_cap",
        "marker",
        "sweep_every",
        "discarded_at",
    },
    FieldMapping: {
        "id",
        "account",
        "rule",
        "sansan",
        "hubspot",
        "expression",
        "transform",
        "table",
        "others",
        "policy",
        "clear",
        "active",
        "position",
        "direction",
        "conflict",
    },
    Tag: {"id", "account", "connection", "external_id", "name", "type", "selected"},
}
PAST: list[Any] = [model for model in apps.get_models() if issubclass(model, Frozen)]


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def acme():
    return furnish("acme", "aiko")


@pytest.fixture
def birch():
    return furnish("birch", "chie")


@pytest.fixture
def aiko(acme):
    return browser(acme.owner)


def past(model):
    """Every change that is kept of a model's rows, the oldest first."""
    with all_accounts():
        return list(model.history.model.objects.order_by("history_id"))


def since(model, before):
    return past(model)[len(before) :]


def told(row):
    return row.history_type, row.who, row.history_change_reason or ""


def everything():
    """All that the tables of the history hold, as text."""
    found = []
    with connection.cursor() as cursor:
        for model in PAST:
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            found += cursor.fetchall()
    return str(found)


# What is kept


def test_what_is_tracked():
    assert {
        model: {field.name for field in model.history.model.tracked_fields} for model in KEPT
    } == KEPT
    assert (
        {model.instance_type for model in PAST}
        == set(KEPT)
        == {model for model in apps.get_models() if issubclass(model, Tracked)}
    )


@pytest.mark.parametrize("model", KEPT, ids=lambda model: model.__name__)
def test_what_is_not_kept_leaves_no_row(acme, model):
    row = {
        Account: acme.account,
        Membership: acme.membership,
        Connection: acme.sansan,
        SyncRule: acme.rule,
        FieldMapping: acme.mappings[0],
        Tag: acme.tags[0],
    }
    others = [field.name for field in model._meta.concrete_fields if field.name not in KEPT[model]]
    before = past(model)
    with in_account(acme.account):
        one = model.objects.get(pk=row[model].pk)
        if others:
            one.save(update_fields=others)
        assert since(model, before) == []
        give_reason(one, "now it is").save(
            update_fields=[next(iter(KEPT[model] - {"id"})), *others]
        )
    assert [told(kept) for kept in since(model, before)] == [("~", "", "now it is")]
    assert not hasattr(one, "skip_history_when_saving")


def test_a_row_is_kept_when_it_is_made_changed_and_deleted(acme):
    before = past(Tag)
    with in_account(acme.account):
        one = Tag.objects.create(
            account=acme.account, connection=acme.sansan, external_id="T7", name="T7", type="public"
        )
        one.selected = True
        give_reason(one, "for the fair").save()
        one.delete()
    kept = since(Tag, before)
    assert [(row.history_type, row.selected) for row in kept] == [
        ("+", False),
        ("~", True),
        ("-", True),
    ]


def test_a_long_reason_is_cut_and_a_blank_one_is_none(acme):
    before = past(SyncRule)
    with in_account(acme.account):
        give_reason(acme.rule, "x" * 600).save(update_fields=["slug"])
        give_reason(acme.rule, "").save(update_fields=["slug"])
    assert [row.history_change_reason for row in since(SyncRule, before)] == ["x" * 500, None]


def test_a_change_that_is_taken_back_is_not_kept(acme, aiko):
    before = past(SyncRule)
    send(aiko, page(acme.rule), interval="1")
    assert since(SyncRule, before) == []


# Who and why


def test_a_form_keeps_who_and_why(acme, aiko):
    before = {model: past(model) for model in (Account, Connection, SyncRule, FieldMapping)}
    send(aiko, page(acme.account), name="Acme Holdings", change_reason="a merger")
    send(aiko, page(acme.sansan), slug="renamed", change_reason="a clearer name")
    send(
        aiko,
        page(acme.rule),
        interval="60",
        change_reason="often enough",
        **{"mappings-0-policy": "if_empty", "mappings-1-DELETE": "on"},
    )
    assert [told(row) for row in since(Account, before[Account])] == [("~", "aiko", "a merger")]
    assert [told(row) for row in since(Connection, before[Connection])] == [
        ("~", "aiko", "a clearer name")
    ]
    assert [told(row) for row in since(SyncRule, before[SyncRule])] == [
        ("~", "aiko", "often enough")
    ]
    assert sorted(told(row) for row in since(FieldMapping, before[FieldMapping])) == [
        ("-", "aiko", "often enough"),
        ("~", "aiko", "often enough"),
    ]


def test_a_form_that_changes_nothing_keeps_nothing(acme, aiko):
    before = {model: past(model) for model in KEPT}
    for row in (acme.sansan, acme.rule):
        send(aiko, page(row), change_reason="just so")
    assert {model: since(model, kept) for model, kept in before.items()} == {
        model: [] for model in KEPT
    }


def test_members_are_kept(acme, aiko):
    two = Account.objects.create(slug="acme-two", name="Acme two")
    joins(acme.owner, two, "owner")
    joins(User.objects.create_user("dan"), two, "viewer")
    before = past(Membership)
    send(aiko, address(Membership, "add"), account=acme.account.pk, who="dan", role="viewer")
    one = Membership.objects.get(user__username="dan", account=acme.account)
    send(aiko, page(one), role="operator", change_reason="he is on call")
    aiko.post(address(one, "delete"), {"post": "yes"})
    kept = since(Membership, before)
    assert [(*told(row), row.role) for row in kept] == [
        ("+", "aiko", "", "viewer"),
        ("~", "aiko", "he is on call", "operator"),
        ("-", "aiko", "", "operator"),
    ]


def test_many_tags_at_once_are_kept_each(acme, aiko):
    before = past(Tag)
    chosen = [tag.pk for tag in acme.tags]
    aiko.post(listed(Tag), {"action": "select_tags", "_selected_action": chosen})
    assert [(*told(row), row.id, row.selected) for row in since(Tag, before)] == [
        ("~", "aiko", "", pk, True) for pk in chosen[:2]
    ]
    aiko.post(listed(Tag), {"action": "deselect_tags", "_selected_action": [chosen[0]]})
    assert [(*told(row)[:2], row.id, row.selected) for row in since(Tag, before)[2:]] == [
        ("~", "aiko", chosen[0], False)
    ]


def test_the_mappings_of_a_new_rule_are_kept(acme, aiko):
    before = past(FieldMapping)
    ends = {"sansan": acme.sansan.pk, "hubspot": acme.hubspot.pk}
    aiko.post(reverse("admin:integration_setup"), {"slug": "guided", **ends})
    send(aiko, address(SyncRule, "add"), slug="plain", **ends)
    kept = since(FieldMapping, before)
    with in_account(acme.account):
        rules = dict(
            SyncRule.objects.filter(slug__in=("guided", "plain")).values_list("slug", "pk")
        )
        mappings = {
            slug: set(FieldMapping.objects.filter(rule=pk).values_list("pk", flat=True))
            for slug, pk in rules.items()
        }
    assert {told(row)[:2] for row in kept} == {("+", "aiko")}
    assert {
        slug: {row.id for row in kept if row.rule_id == pk} for slug, pk in rules.items()
    } == mappings


def test_mappings_that_change_in_a_set_up_are_kept_with_the_reason(acme, aiko):
    before = past(FieldMapping), past(SyncRule)
    row = {
        "id": acme.mappings[0].pk,
        "active": "on",
        "source": "title",
        "hubspot": "salutation",
        "policy": "always",
        "others": "keep",
    }
    sent = {
        "direction": "to_hubspot",
        "conflict": "newest",
        "when_gone": "tell",
        "companies": "none",
        "card_cap": "500",
        "opened": ",".join(str(one.pk) for one in acme.mappings),
        "reason": "as the fair asked",
        "row-TOTAL_FORMS": 1,
        "row-INITIAL_FORMS": 0,
        **{f"row-0-{name}": v for name, v in row.items()},
    }
    aiko.post(reverse("admin:integration_setup_configure", args=[acme.rule.pk]), sent)
    mapped = sorted((*told(one), one.hubspot) for one in since(FieldMapping, before[0]))
    why = ("aiko", "as the fair asked")
    assert mapped == [("-", *why, "acme_memo"), ("-", *why, "company"), ("~", *why, "salutation")]
    assert [(*told(one), one.conflict) for one in since(SyncRule, before[1])][:1] == [
        ("~", *why, "newest")
    ]


BUTTONS = {
    "pause": ("rule", "paused"),
    "switch_on": ("draft", "active"),
    "resume": ("paused", "active"),
}


@pytest.mark.parametrize("name", BUTTONS)
def test_a_button_that_moves_a_rule_leaves_a_row(acme, aiko, name):
    row, state = BUTTONS[name]
    with in_account(acme.account):
        acme.paused = SyncRule.objects.create(
            account=acme.account,
            slug="paused",
            state="paused",
            sansan=acme.sansan,
            hubspot=acme.hubspot,
        )
    before = past(SyncRule)
    aiko.post(press(getattr(acme, row), name))
    assert [(*told(one)[:2], one.state, one.id) for one in since(SyncRule, before)] == [
        ("~", "aiko", state, getattr(acme, row).pk)
    ]
    aiko.post(press(getattr(acme, row), name))
    assert len(since(SyncRule, before)) == 1, "pressed twice, moved once"


def test_a_button_that_moves_nothing_leaves_none(acme, aiko):
    before = past(SyncRule)
    for name in ("sync_now", "preview", "check_everything"):
        aiko.post(press(acme.rule, name))
    assert since(SyncRule, before) == []


def test_save_and_sync_leaves_a_row_that_says_so(acme, aiko):
    with in_account(acme.account):
        SyncRule.objects.filter(pk=acme.draft.pk).update(setup_step="review")
        acme.draft.runs.create(
            account=acme.account, kind="preview", trigger="person", state="succeeded"
        )
    before = past(SyncRule)
    aiko.post(reverse("admin:integration_setup_review", args=[acme.draft.pk]), {"action": "save"})
    assert [(*told(one), one.state) for one in since(SyncRule, before)] == [
        ("~", "aiko", "Save and sync", "active")
    ]


def test_suspending_leaves_a_row_with_its_reason(acme):
    root = User.objects.create_superuser("root")
    before = past(Account)
    client = browser(root)
    client.post(
        reverse("admin:core_account_suspend", args=[acme.account.pk]),
        {"slug": "acme", "reason": "has not paid"},
    )
    client.post(press(acme.account, "resume"))
    assert [(*told(row)[:2], row.active, row.suspended_for) for row in since(Account, before)] == [
        ("~", "root", False, "has not paid"),
        ("~", "root", True, ""),
    ]


def test_a_user_who_is_deleted_keeps_the_name(acme, aiko):
    before = past(SyncRule)
    ben = cast.member("ben", acme.account, Role.EDITOR)
    aiko.force_login(ben)
    send(aiko, page(acme.rule), interval="60")
    (row,), key = since(SyncRule, before), ben.pk
    assert (row.who, row.history_user_id) == ("ben", key)
    ben.delete()
    (row,) = since(SyncRule, before)
    assert (row.who, row.history_user_id) == ("ben", None)
    assert [row.history_type for row in past(Membership) if row.user_id == key] == ["+", "-"], (
        "nor is it forgotten that he was a member"
    )


def test_a_name_that_changes_later_stays_what_it_was(acme, aiko):
    before = past(SyncRule)
    send(aiko, page(acme.rule), interval="60")
    User.objects.filter(username="aiko").update(username="aiko.mori")
    assert [row.who for row in since(SyncRule, before)] == ["aiko"]


# What is not


def test_workers_leave_no_row(sandbox):
    """A check, a count of what the key sees, a first sync and a second one."""
    rule = cast.configured(cast.file())
    before = {model: past(model) for model in KEPT}
    with in_account(rule.account):
        for one in (rule.sansan, rule.hubspot):
            ask_vendor(one)()
        begin_survey(rule.sansan)
        work_survey_slice(rule.sansan, 60.0)
        make_source(rule.sansan)
    cast.sync(rule)
    cast.sync(rule, full=True)
    kept = {model: since(model, rows) for model, rows in before.items()}
    assert {model: rows for model, rows in kept.items() if rows} == {}


def test_a_command_changes_as_nobody(sandbox):
    rule = cast.configured(cast.file())
    before = past(SyncRule)
    cast.configured(cast.file(interval=60))
    assert [(*told(row)[:2], row.id) for row in since(SyncRule, before)] == [("~", "", rule.pk)]


def test_no_secret_is_in_any_table_of_the_history(acme, birch, aiko):
    typed = {
        "form": "another-key-0001",
        "new": "pat-na1-brand-new-0002",
        "set-up": "SetUpKey0123456789abcdefABCDEF99",
    }
    send(aiko, page(acme.sansan), secret=typed["form"], slug="renamed")
    send(aiko, address(Connection, "add"), slug="new", system="hubspot", secret=typed["new"])
    aiko.post(
        reverse("admin:integration_setup"),
        {"action": "sansan", "sansan-label": "guided", "sansan-secret": typed["set-up"]},
    )
    with in_account(acme.account):
        stored = {one.slug: (one.secret, one.hint) for one in Connection.objects.all()}
    assert {stored[slug][0] for slug in ("renamed", "new", "guided")} == set(typed.values())
    told = everything()
    assert all(stored[slug][1] in told for slug in ("renamed", "new", "guided")), "the mask is kept"
    for secret in (
        *typed.values(),
        SECRET.format("acme"),
        SECRET.format("birch"),
        "very-secret",
        acme.owner.password,
    ):
        assert secret not in told
    columns = {field.name for model in PAST for field in model._meta.get_fields()}
    assert not columns & {"credentials", "password", "token_digest", "survey", "lease_token"}


def test_a_key_that_changes_is_seen_by_its_mask(acme, aiko):
    before = past(Connection)
    send(aiko, page(acme.sansan), secret="another-key-0001", change_reason="the old one leaked")
    (row,) = since(Connection, before)
    assert (
        told(row) == ("~", "aiko", "the old one leaked")
        and row.hint.endswith("0001")
        and "another" not in row.hint
    )


def test_a_form_of_history_is_not_there(acme, aiko):
    """Nobody changes what was."""
    assert not set(PAST) & set(site._registry)
    assert not [name for name in form_of(aiko.get(page(acme.rule))) if "history" in name]
