"""The account switcher: who is in several accounts looks at one of them alone, on every page, and
at no other.
"""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from core.models import Account, Invitation, Membership, Role, User
from core.switcher import ACCOUNT_SESSION_KEY
from core.tenancy import all_accounts
from integration.models import AuditEntry, Connection, Link, Record, SyncRule, SyncRun, Tag
from tests.admin.conftest import browser
from tests.admin.pages import address, body, errors, form_of, listed, page, rows_on, send
from tests.admin.world import furnish, joins, marks

pytestmark = pytest.mark.django_db
HERS = (Connection, SyncRule, Tag, SyncRun, Record, Link, AuditEntry)
OF_OWNERS = (Membership, Invitation)
PEOPLE = ["emi", "root"]


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
def emi(acme, birch):
    """An owner of both. Every page shows her own address, so that it names neither."""
    user = User.objects.create_user("emi", "emi@example.jp", is_staff=True)
    for own in (acme, birch):
        joins(user, own, Role.OWNER)
    return browser(user)


@pytest.fixture
def root(acme, birch):
    return browser(User.objects.create_superuser("root"))


@pytest.fixture
def who(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def aiko(acme, birch):
    return browser(acme.owner)


def choose(client, account="", next=""):
    return client.post(
        reverse("admin:switch"), {"account": getattr(account, "pk", account), "next": next}
    )


def chosen(client):
    return client.session.get(ACCOUNT_SESSION_KEY)


def accounts_in(client, model):
    return {
        row.pk if model is Account else row.account_id for row in rows_on(client.get(listed(model)))
    }


def both(acme, birch):
    return {acme.account.pk, birch.account.pk}


# What is narrowed


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
@pytest.mark.parametrize("model", [*HERS, *OF_OWNERS, Account], ids=lambda model: model.__name__)
def test_a_choice_narrows_every_list(acme, birch, who, model):
    assert accounts_in(who, model) == both(acme, birch)
    choose(who, birch.account)
    assert accounts_in(who, model) == {birch.account.pk}
    choose(who)
    assert accounts_in(who, model) == both(acme, birch)


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_a_choice_narrows_every_page_that_names_no_row(acme, birch, who):
    """But for the choice itself, which names all."""
    choose(who, birch.account)
    pages = [
        reverse(f"admin:{name}")
        for name in (
            "index",
            "integration_setup",
            "integration_history",
            "integration_auditentry_export",
        )
    ]
    for url in (*pages, *map(listed, (*HERS, *OF_OWNERS))):
        seen = re.sub(
            r'<form method="post" action="/admin/switch/".*?</form>',
            "",
            body(who.get(url)),
            flags=re.DOTALL,
        )
        assert not marks(acme).search(seen), (url, marks(acme).search(seen))
        assert marks(birch).search(seen), url


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_the_other_account_s_rows_are_absent_then(acme, birch, who):
    pages = [
        page(row)
        for row in (
            acme.rule,
            acme.sansan,
            acme.record,
            acme.entry,
            acme.run,
            acme.link,
            acme.membership,
            acme.invitation,
        )
    ]
    pages += [
        reverse(f"admin:integration_{name}", args=[acme.rule.pk])
        for name in ("health", "setup_tags", "setup_review")
    ]
    pages += [reverse("admin:integration_setup_connection", args=[acme.sansan.pk])]
    assert {who.get(url).status_code for url in pages} == {200}
    choose(who, birch.account)
    assert {url: who.get(url).status_code for url in pages} == dict.fromkeys(pages, 404)


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
@pytest.mark.parametrize(
    "model", [Connection, SyncRule, Membership, Invitation], ids=lambda model: model.__name__
)
def test_the_form_of_a_new_row_asks_for_no_account_then(birch, who, model):
    choose(who, birch.account)
    form = who.get(address(model, "add")).context["adminform"].form
    if "account" in form_of(who.get(address(model, "add"))):
        with all_accounts():
            assert list(form.fields["account"].queryset) == [birch.account]


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_a_new_row_is_the_chosen_account_s(acme, birch, who):
    choose(who, birch.account)
    send(who, address(Connection, "add"), slug="new", system="sansan", secret="another-key-0001")
    send(
        who, address(SyncRule, "add"), slug="new", sansan=birch.sansan.pk, hubspot=birch.hubspot.pk
    )
    who.post(
        reverse("admin:integration_setup"),
        {"slug": "guided", "sansan": birch.sansan.pk, "hubspot": birch.hubspot.pk},
    )
    with all_accounts():
        made: list[Connection | SyncRule] = [
            *Connection.objects.filter(slug="new"),
            *SyncRule.objects.filter(slug__in=("new", "guided")),
        ]
        assert [one.account_id for one in made] == [birch.account.pk] * 3


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_choices_of_connections_are_the_chosen_account_s(acme, birch, who):
    choose(who, birch.account)
    form = who.get(address(SyncRule, "add")).context["adminform"].form
    with all_accounts():
        assert {
            one.account_id for name in ("sansan", "hubspot") for one in form.fields[name].queryset
        } == {birch.account.pk}
    wrong = send(
        who, address(SyncRule, "add"), slug="new", sansan=acme.sansan.pk, hubspot=birch.hubspot.pk
    )
    assert "sansan" in errors(wrong)


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_filters_offer_the_chosen_account_only(acme, birch, who):
    choose(who, birch.account)
    for model in HERS:
        response = who.get(listed(model))
        offered = " ".join(
            str(choice)
            for spec in response.context["cl"].filter_specs
            for choice in spec.choices(response.context["cl"])
        )
        assert "acme" not in offered.lower(), model
    assert (
        rows_on(who.get(listed(Record, rule=acme.rule.pk)))
        == rows_on(who.get(listed(AuditEntry, account=acme.account.pk)))
        == []
    )


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_a_search_ends_at_the_chosen_account(acme, birch, who):
    terms = [
        (Record, acme.record.email_key),
        (Record, acme.record.external_id),
        (Link, acme.link.contact_id),
        (AuditEntry, acme.entry.card_id),
    ]
    assert all(rows_on(who.get(listed(model, q=term))) for model, term in terms)
    choose(who, birch.account)
    assert not any(rows_on(who.get(listed(model, q=term))) for model, term in terms)
    health = reverse(
        "admin:integration_health", args=[birch.rule.pk], query={"q": acme.record.email_key}
    )
    assert who.get(health).context["records"] == []


def test_a_role_stays_what_it_is(acme, birch, emi):
    """Choosing is looking: at birch Emi may no more than before."""
    Membership.objects.filter(user__username="emi", account=birch.account).update(role=Role.VIEWER)
    choose(emi, birch.account)
    assert (
        emi.post(page(birch.rule), {}).status_code == 403
        and emi.get(reverse("admin:integration_health", args=[birch.rule.pk])).status_code == 200
    )
    members = emi.get(listed(Membership))
    assert (members.status_code == 403 or not rows_on(members)) and emi.get(
        page(birch.membership)
    ).status_code in (403, 404)


@pytest.mark.parametrize("model", [Connection, SyncRule], ids=lambda model: model.__name__)
def test_where_one_may_only_look_there_is_nothing_to_add(birch, emi, model):
    """She owns Acme, which is not what she looks at."""
    Membership.objects.filter(user__username="emi", account=birch.account).update(role=Role.VIEWER)
    choose(emi, birch.account)
    assert address(model, "add") not in body(emi.get(listed(model)))
    assert "First make an account" not in body(emi.get(address(model, "add"), follow=True))


# Choosing


@pytest.mark.parametrize("who", PEOPLE, indirect=True)
def test_every_page_shows_what_is_chosen_and_what_can_be(acme, birch, who):
    choose(who, birch.account)
    for url in (
        reverse("admin:index"),
        listed(Tag),
        page(birch.rule),
        reverse("admin:integration_setup"),
        reverse("admin:integration_history"),
    ):
        seen = who.get(url)
        assert {pk for pk, _name in seen.context["switcher"]["accounts"]} == both(acme, birch), url
        assert f'<option value="{birch.account.pk}" selected>' in body(
            seen
        ) and f'<option value="{acme.account.pk}">' in body(seen), url


def test_who_is_in_one_account_has_nothing_to_choose(acme, birch, aiko):
    assert aiko.get("/admin/").context["switcher"] == {} and "/admin/switch/" not in body(
        aiko.get("/admin/")
    )


def test_only_a_post_of_our_own_page_chooses(acme, birch, emi):
    assert emi.get(reverse("admin:switch"), {"account": birch.account.pk}).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="emi"))
    assert choose(strict, birch.account).status_code == 403
    assert chosen(emi) is chosen(strict) is None


def test_nobody_who_is_not_signed_in_chooses(birch):
    client = Client()
    assert (
        choose(client, birch.account).url.startswith(reverse("admin:login"))
        and chosen(client) is None
    )


FORGED = ["", "0", "-1", "x", "1 OR 1=1", "9" * 19, "9" * 40, "٣", "\0", "1.0", " ", "None"]


@pytest.mark.parametrize("account", FORGED)
def test_a_forged_id_chooses_nothing(acme, birch, emi, account):
    choose(emi, acme.account)
    assert choose(emi, account).status_code == 302
    assert chosen(emi) is None and accounts_in(emi, SyncRule) == both(acme, birch)


def test_another_s_account_cannot_be_chosen(acme, birch, aiko):
    for wrong in (birch.account, birch.account.pk + 77):
        choose(aiko, wrong)
        assert chosen(aiko) is None and accounts_in(aiko, SyncRule) == {acme.account.pk}
        assert not marks(birch).search(body(aiko.get("/admin/")))


@pytest.mark.parametrize("asked", ["theirs", "none"])
def test_what_an_old_session_holds_opens_nothing(acme, birch, aiko, asked):
    session = aiko.session
    session[ACCOUNT_SESSION_KEY] = birch.account.pk if asked == "theirs" else 7_999_999
    session.save()
    assert accounts_in(aiko, SyncRule) == {acme.account.pk}


def test_a_membership_that_is_gone_is_no_choice_any_more(acme, birch, emi):
    choose(emi, birch.account)
    Membership.objects.filter(user__username="emi", account=birch.account).delete()
    assert accounts_in(emi, SyncRule) == {acme.account.pk}
    assert emi.get(page(birch.rule)).status_code == 404 and not marks(birch).search(
        body(emi.get("/admin/"))
    )


def test_an_account_that_is_gone_is_no_choice_any_more(acme, root):
    cedar = Account.objects.create(slug="cedar", name="Cedar")
    choose(root, cedar)
    assert accounts_in(root, SyncRule) == set()
    Account.objects.filter(pk=cedar.pk).delete()
    assert acme.account.pk in accounts_in(root, SyncRule)


def test_a_choice_is_one_person_s(acme, birch, emi, root):
    choose(emi, birch.account)
    assert accounts_in(root, SyncRule) == both(acme, birch)
    emi.logout()
    emi.force_login(User.objects.get(username="emi"))
    assert accounts_in(emi, SyncRule) == both(acme, birch)


def test_what_is_the_platform_s_stays_in_sight_of_its_staff(acme, birch, root):
    choose(root, birch.account)
    assert root.get(listed(User)).context["cl"].result_count >= 5
    assert (
        root.get(page(acme.owner)).status_code == root.get(page(acme.departure)).status_code == 200
    )


# Going on


CHOSEN_ON = {
    "a list": "/admin/integration/tag/",
    "a search": "/admin/integration/record/?q=x",
}


@pytest.mark.parametrize("next", CHOSEN_ON.values(), ids=CHOSEN_ON)
def test_it_comes_back_to_where_it_was_chosen(birch, emi, next):
    assert choose(emi, birch.account, next).url == next


ELSEWHERE = [
    "https://evil.example.com/",
    "//evil.example.com/",
    "///evil.example.com",
    "/\\evil.example.com",
    "\\\\evil.example.com",
    "http:///evil.example.com",
    "javascript:alert(1)",
    " //evil.example.com",
    "/\t/evil.example.com",
    "https:evil.example.com",
    "//testserver@evil.example.com/",
    "\0",
    "",
]


@pytest.mark.parametrize("next", ELSEWHERE)
def test_it_leads_to_no_other_site(birch, emi, next):
    assert choose(emi, birch.account, next).url == reverse("admin:index")
    answer = emi.post(
        reverse("set_language"),
        {"language": "ja", "next": next},
        headers={"referer": "https://evil.example.com/"},
    )
    assert "evil" not in answer.url and answer.url.startswith("/")


@pytest.mark.parametrize("row", ["rule", "sansan", "record", "membership"])
def test_a_page_of_one_row_goes_on_to_the_first_page(acme, birch, emi, row):
    """Which may not be there in the account that is chosen."""
    seen = (
        body(emi.get(page(getattr(acme, row))))
        .split('action="/admin/switch/"')[1]
        .split("</form>")[0]
    )
    assert 'name="next" value="/admin/"' in seen
