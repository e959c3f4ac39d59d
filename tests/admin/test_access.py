"""No account sees another's at the admin's door: every address there is, found from the URLs, asked
by everybody about everybody's rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import ForeignKey
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule

from core.admin.site import site
from core.models import Account, Departure, Invitation, Membership, Role, User
from core.tenancy import all_accounts, in_account
from integration.models import (
    AuditEntry,
    Connection,
    Heartbeat,
    Link,
    Record,
    SyncRule,
    SyncRun,
    Tag,
)
from tests.admin.conftest import browser
from tests.admin.pages import address, body, form_of, listed, page, press, send, told_and_sent_to
from tests.admin.world import MARKUP, content_type, joins, marks, rows_of, team

pytestmark = pytest.mark.django_db
PLATFORM = (User, Heartbeat, Departure, OrmQ, Failure, Schedule)  # these belong to no account
LISTS = [model for model in site._registry if model not in PLATFORM]
NO_ID = 7_799_998
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
# What regular expressions among the addresses stand for. A new one must be added here, or the walk
# stops.
PATTERNS = {"(?P<url>.*)$": ("no/such/page/",)}
OF_AN_APP = re.compile(r"\^\(\?P<app_label>([\w|]+)\)/\$")


# The walk


def routes(patterns: Any, before: str = "/") -> Iterator[str]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, before + str(one.pattern))
        else:
            yield before + str(one.pattern)


def plain() -> list[str]:
    """Addresses that name no row."""
    found = []
    for route in routes(get_resolver().url_patterns):
        if "(?P" in route:
            start, regex = route.split("/admin/")
            apps_named = OF_AN_APP.fullmatch(regex)
            found += [
                f"{start}/admin/{one}"
                for one in (
                    [f"{app}/" for app in apps_named[1].split("|")]
                    if apps_named
                    else PATTERNS[regex]
                )
            ]
        elif not PLACE.search(route):
            found.append(route)
    return found


# Places in addresses that stand for a row of another kind than the address begins with.
STANDS_FOR = {"rule_id": ("rule", "draft"), "connection_id": ("sansan", "hubspot")}
HOME = "/admin/integration/syncrule/"


def addresses_of(own: SimpleNamespace) -> list[str]:
    """Every address that names one of the customer's rows: each page of each row, each button, and
    what is no button.
    """
    found: dict[str, None] = {}
    for route in routes(get_resolver().url_patterns):
        wanted = set(PLACE.findall(route))
        for place in places(own, route, wanted) if wanted else ():
            found[filled(route, place)] = None
    return list(found)


def filled(route: str, place: dict[str, Any]) -> str:
    return PLACE.sub(lambda at: str(place[at[1]]), route)


def places(own: SimpleNamespace, route: str, wanted: set[str]) -> Iterator[dict[str, Any]]:
    for place in wanted.intersection(STANDS_FOR):
        yield from ({place: getattr(own, name).pk} for name in STANDS_FOR[place])
    for row in () if wanted.intersection(STANDS_FOR) else rows_of(own):
        if (
            f"/{row._meta.app_label}/{row._meta.model_name}/" in route
            or "content_type_id" in wanted
        ):
            for name in (*site.get_model_admin(type(row)).buttons, "no-such-button"):
                yield {
                    "object_id": row.pk,
                    "id": row.pk,
                    "content_type_id": content_type(row),
                    "name": name,
                }


def asking(own: SimpleNamespace) -> list[str]:
    """Addresses that name no row, with questions about the customer's."""
    rule, hubspot = own.rule.pk, own.hubspot.pk
    at = [
        f"{HOME}setup/?account={own.account.pk}",
        f"{HOME}setup/?account={own.account.pk}&sansan={own.sansan.pk}&hubspot={hubspot}&slug=new",
    ]
    at += [
        f"{HOME}setup/hubspot/?state=x&code=y&account={own.account.pk}",
        f"{HOME}history/?before=2999-01-01T00:00:00%2B00:00",
    ]
    at += [
        f"{HOME}history/?kind={kind}&id={pk}"
        for kind, pk in (("rule", rule), ("connection", hubspot), ("account", own.account.pk))
    ]
    at += [f"{HOME}history/?kind={kind}" for kind in ("mapping", "tag", "member", "connection")]
    at += [
        f"{HOME}history/?kind={kind}&id={pk}"
        for kind, pk in zip(("connection", "tag", "mapping"), own.ids_gone, strict=True)
    ]
    return at


def bodies(own: SimpleNamespace, url: str) -> list[dict[str, Any]]:
    """What the pages' own forms send, each with the customer's rows; a button needs nothing."""
    row = {
        "id": own.mappings[0].pk,
        "active": "on",
        "source": "title",
        "hubspot": "jobtitle",
        "policy": "always",
        "others": "keep",
    }
    opened = ",".join(str(one.pk) for one in own.mappings)
    mappings = {
        "opened": opened,
        "row-TOTAL_FORMS": 1,
        "row-INITIAL_FORMS": 0,
        **{f"row-0-{name}": value for name, value in row.items()},
    }
    policies = {
        "direction": "both",
        "conflict": "newest",
        "when_gone": "make",
        "companies": "find",
        "card_cap": 5,
        "marker": own.tags[0].external_id,
    }
    criteria = {
        "card-TOTAL_FORMS": 0,
        "card-INITIAL_FORMS": 0,
        "contact-TOTAL_FORMS": 0,
        "contact-INITIAL_FORMS": 0,
    }
    ends = {"account": own.account.pk, "sansan": own.sansan.pk, "hubspot": own.hubspot.pk}
    key = {"sansan-label": f"{own.slug}-new", "sansan-secret": "another-key-0001"}
    connect = [
        {**ends, "slug": "renamed"},
        {**ends, "action": "test"},
        {**ends, "action": "sansan", **key},
        {**ends, "action": "oauth"},
    ]
    records = [own.failing.pk, own.record.pk, own.barred.pk]
    sent: dict[str, list[dict[str, Any]]] = {
        "/setup/": connect,
        "/setup/connect/": connect,
        "/setup/tags/": [
            {"tag": [own.tags[0].external_id, own.tags[1].external_id]},
            {"every": 1},
            {"action": "count"},
        ],
        "/setup/configure/": [
            {**policies, "reason": "because", "sample": own.sample.external_id, **mappings},
            {**policies, "sample": own.sample.external_id},
            {"action": "default"},
            {"action": "sample", "card": f"{own.slug}C1", **mappings},
        ],
        "/setup/configure/try/": [{"sample": own.sample.external_id, **mappings}, {**mappings}],
        "/setup/limit/": [
            {
                "require_email": "on",
                "filters_mean": "leave",
                "limit_creates": 5,
                "reason": "because",
                **criteria,
            }
        ],
        "/setup/review/": [{"action": "preview"}, {}],
        "/health/": [
            {"action": "retry_reason", "stand": "failing", "reason": "email_taken"},
            {"action": "retry", "record": records},
        ],
        "/never/": [{"why": "because"}, {}],
        "/suspend/": [
            {"slug": own.account.slug, "reason": "because"},
            {"slug": "typed", "reason": ""},
        ],
        "/leave/": [
            {"slug": own.account.slug, "reason": "because"},
            {"slug": "typed", "reason": ""},
        ],
        "/switch/": [
            {"account": own.account.pk},
            {"account": own.account.pk, "next": page(own.rule)},
        ],
        "/setlang/": [{"language": "ja", "next": page(own.rule)}],
    }
    return next(
        (
            some
            for end, some in sorted(sent.items(), key=lambda one: -len(one[0]))
            if url.endswith(end)
        ),
        [{"post": "yes"}],
    )


def ask(
    session: Any, method: str, url: str, data: dict[str, Any] | None = None
) -> tuple[int, str, str]:
    """(status, content type, text) of the answer, with the message and the address that it sends
    on. What the request did is undone,
    so that each one finds everything in place."""
    cookies = session.cookies.copy()
    with transaction.atomic():
        response = getattr(session, method)(url, data)
        text = f"{body(response)} {told_and_sent_to(response)}"
        transaction.set_rollback(True)
    session.cookies = cookies
    return response.status_code, response.get("Content-Type", ""), without(text, url, data or {})


def without(text: str, url: str, data: dict[str, Any]) -> str:
    """The answer without what only repeats the question."""
    typed = [
        one for value in data.values() for one in (value if isinstance(value, list) else [value])
    ]
    typed += [value for _name, value in parse_qsl(urlsplit(url).query)]
    for one in sorted(
        (url, url.split("?", maxsplit=1)[0], *map(str, typed)), key=len, reverse=True
    ):
        for spelt in (one, quote(one), quote_plus(one)) if len(one) > 5 else ():
            text = text.replace(spelt, "")
    return text


def as_ben(role: str) -> Callable[[Any, Any], User | None]:
    return lambda acme, birch: team(acme, "ben", role)


PEOPLE: dict[str, Callable[[Any, Any], User | None]] = {
    "nobody": lambda acme, birch: None,
    "dan, of no account": lambda acme, birch: User.objects.create_user("dan", is_staff=True),
    **{f"ben, {role} of acme": as_ben(role) for role in Role.values},
    "chie of birch": lambda acme, birch: birch.owner,
    "root": lambda acme, birch: User.objects.create_superuser("root"),
}


def sees(who: str, own: SimpleNamespace) -> bool:
    return who == "root" or who.endswith(f" of {own.slug}")


def wrong(who: str, own: SimpleNamespace, named: bool, answer: tuple[int, str, str]) -> str:
    """What must not be, of an answer about a customer's rows (``named``) or about none."""
    status, kind, text = answer
    if status >= 500:
        return "fails"
    if "very-secret" in text:
        return "shows a credential"
    if MARKUP in text and "html" in kind:
        return "does not escape"
    if not sees(who, own) and (shown := marks(own).search(text)):
        return f"shows {own.slug}'s {shown[0]}"
    return "opens" if named and status == 200 and not sees(who, own) else ""


@pytest.mark.parametrize("who", PEOPLE)
def test_every_address_keeps_to_who_asks(acme, birch, who):
    session = browser(PEOPLE[who](acme, birch))
    session.raise_request_exception = False
    found = []

    def check(
        method: str,
        url: str,
        named: SimpleNamespace | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        answer = ask(session, method, url, data)
        for own in (named,) if named else (acme, birch):
            if said := wrong(who, own, bool(named), answer):
                found.append(f"{method} {url} {data or ''} {said}")

    for url in (*plain(), *asking(acme), *asking(birch)):
        check("get", url)
    # What is sent to a list has tests of its own, below.
    lists = {
        reverse("admin:index"),
        *map(listed, site._registry),
    }
    for url in sorted(set(plain()) - lists):
        for data in (*bodies(acme, url), *bodies(birch, url)):
            check("post", url, None, data)
    for own, other in ((acme, birch), (birch, acme)):
        for url in addresses_of(own):
            check("get", url, own)
            for data in bodies(own, url):
                check("post", url, own, data)
        # A page of one account, asked about rows of the other.
        for url in addresses_of(own) if sees(who, own) else ():
            for data in bodies(other, url) if bodies(other, url) != [{"post": "yes"}] else ():
                check("post", url, None, data)
    assert not found, "\n".join(dict.fromkeys(found))


def test_the_walk_meets_every_page(acme):
    """What the walk is worth: it has a row for every model, and knows each kind of page."""
    assert {type(row) for row in rows_of(acme)} == set(site._registry)
    pages = {url.rstrip("/").split("/")[-1] for url in (*plain(), *addresses_of(acme))}
    assert pages >= {
        "add",
        "change",
        "delete",
        "history",
        "password",
        "progress",
        "export",
        "autocomplete",
        "sync_now",
        "refresh_tags",
        "logout",
        "switch",
        "setlang",
        "setup",
        "connect",
        "tags",
        "count",
        "configure",
        "try",
        "limit",
        "review",
        "state",
        "hubspot",
        "health",
        "retry",
        "sync_again",
        "never",
        "suspend",
        "leave",
        "resume",
        "send_again",
    }
    assert len(addresses_of(acme)) > 100


def test_the_walk_opens_what_it_asks_for(acme, birch, root):
    """An address that answers nobody would prove nothing."""
    closed = {
        url
        for url in addresses_of(acme)
        if "/press/" not in url
        and "/admin/r/" not in url
        and root.get(url).status_code not in (200, 302, 405)
    }
    assert {url.split("/")[-2] for url in closed} == {"delete"}, closed
    assert {root.get(url).status_code for url in (*asking(acme), *asking(birch))} <= {200, 302}
    assert marks(acme).search(body(root.get(f"{HOME}history/")))


def test_an_owner_opens_every_page_of_her_account(acme, aiko):
    hers = [row for row in rows_of(acme) if not isinstance(row, PLATFORM)]
    assert {(page(row), aiko.get(page(row)).status_code) for row in hers} == {
        (page(row), 200) for row in hers
    }
    assert all(marks(acme).search(body(aiko.get(page(row)))) for row in hers)
    assert {
        aiko.get(page(row)).status_code for row in rows_of(acme) if isinstance(row, PLATFORM)
    } == {403}


def test_nobody_is_asked_to_sign_in(acme):
    for url in (
        reverse("admin:index"),
        page(acme.rule),
        listed(Record),
        address(AuditEntry, "export"),
        address(acme.run, "progress"),
    ):
        assert Client().get(url)["Location"] == f"{reverse('admin:login')}?next={url}"


def test_another_account_s_row_is_as_absent_as_none(aiko, birch):
    """Nor does an answer tell how many users and hosts the platform has."""
    told = []
    for row in rows_of(birch):
        for name in ("change", "history", "delete"):
            theirs, none = (
                aiko.get(address(row, name)),
                aiko.get(address(type(row)(pk=NO_ID), name)),
            )
            told += (
                [address(row, name)]
                if (theirs.status_code, body(theirs)) != (none.status_code, body(none))
                else []
            )
    assert told == []


def test_who_leaves_sees_nothing_from_then_on(acme, ben):
    assert ben.get(page(acme.rule)).status_code == 200
    Membership.objects.filter(user__username="ben").delete()
    assert ben.get(page(acme.rule)).status_code == 403
    assert acme.rule.slug not in body(ben.get(reverse("admin:index")))


# What each role may do


def sent(form: str, **changed: Any) -> Any:
    """Sends the owner's form of a page, whoever asks: what a tampering browser would do."""

    def do(client: Client, own: SimpleNamespace) -> None:
        row = getattr(own, form, None)
        url = page(row) if row else address(MODELS[form], "add")
        values = {name: value(own) if callable(value) else value for name, value in changed.items()}
        client.post(url, form_of(browser(own.owner).get(url)) | values)

    return do


def deleted(row: str) -> Any:
    return lambda client, own: client.post(address(getattr(own, row), "delete"), {"post": "yes"})


def pressed(row: str, name: str) -> Any:
    return lambda client, own: client.post(press(getattr(own, row), name))


def posted(name: str, row: str = "", which: int = 0) -> Any:
    """The first (or another) of the bodies that the walk sends to a page of the rule, or of one of
    the account's rows.
    """

    def do(client: Client, own: SimpleNamespace) -> None:
        url = reverse(f"admin:{name}", args=[getattr(own, row).pk] if row else [])
        body(client.post(url, bodies(own, url)[which]))

    return do


def exported(client: Client, own: SimpleNamespace) -> None:
    """Who takes everything out leaves a trace once the last byte has gone."""
    body(client.post(press(own.account, "export")))


def selected(client: Client, own: SimpleNamespace) -> None:
    client.post(listed(Tag), {"action": "select_tags", "_selected_action": [own.tags[0].pk]})


MODELS = {
    "new member": Membership,
    "new invitation": Invitation,
    "new connection": Connection,
    "new rule": SyncRule,
}
ATTEMPTS = {
    "rename the account": ({"owner"}, sent("account", name="Renamed KK")),
    "keep the log for less long": ({"owner"}, sent("account", retention_days="31")),
    "add a member": (
        {"owner"},
        sent(
            "new member",
            account=lambda own: own.account.pk,
            who=lambda own: own.elsewhere.username,
            role="owner",
        ),
    ),
    "change a member's role": ({"owner"}, sent("colleague_membership", role="owner")),
    "remove a member": ({"owner"}, deleted("colleague_membership")),
    "invite somebody": ({"owner"}, sent("new invitation", email="new@example.jp", role="owner")),
    "send an invitation again": ({"owner"}, pressed("invitation", "send_again")),
    "withdraw an invitation": ({"owner"}, deleted("invitation")),
    "change an invitation": (
        set(),
        lambda client, own: client.post(
            page(own.invitation), {"email": "other@example.jp", "role": "owner"}
        ),
    ),
    "add a connection": (
        {"owner", "editor"},
        sent("new connection", slug="new", system="sansan", secret="another-key-0001"),
    ),
    "change a key": ({"owner", "editor"}, sent("hubspot", secret="another-token-0001")),
    "delete a connection": ({"owner", "editor"}, deleted("spare")),
    "add a rule": (
        {"owner", "editor"},
        sent(
            "new rule",
            slug="new",
            sansan=lambda own: own.sansan.pk,
            hubspot=lambda own: own.hubspot.pk,
        ),
    ),
    "change a rule": ({"owner", "editor"}, sent("rule", interval="60")),
    "change a mapping": ({"owner", "editor"}, sent("rule", **{"mappings-0-policy": "if_empty"})),
    "delete a rule": ({"owner", "editor"}, deleted("draft")),
    "select a tag": ({"owner", "editor"}, selected),
    **{
        f"press {name}": ({"owner", "editor", "operator"}, pressed(row, name))
        for row, name in (
            ("sansan", "test_connection"),
            ("sansan", "refresh_tags"),
            ("rule", "sync_now"),
            ("rule", "pause"),
            ("rule", "preview"),
            ("rule", "check_everything"),
            ("draft", "switch_on"),
            ("held", "resume"),
            ("failing", "retry"),
            ("barred", "sync_again"),
        )
    },
    "begin a set-up": ({"owner", "editor"}, posted("integration_setup")),
    "enter a key in a set-up": ({"owner", "editor"}, posted("integration_setup", which=2)),
    "give a set-up another name": (
        {"owner", "editor"},
        posted("integration_setup_connect", "draft"),
    ),
    "choose tags in a set-up": ({"owner", "editor"}, posted("integration_setup_tags", "draft")),
    "map fields in a set-up": ({"owner", "editor"}, posted("integration_setup_configure", "rule")),
    "ask for a card in a set-up": (
        {"owner", "editor"},
        posted("integration_setup_configure", "rule", 3),
    ),
    "limit a set-up": ({"owner", "editor"}, posted("integration_setup_limit", "rule")),
    "preview a set-up": ({"owner", "editor"}, posted("integration_setup_review", "rule")),
    "try the cards of a reason again": (
        {"owner", "editor", "operator"},
        posted("integration_health", "rule"),
    ),
    "try some cards again": (
        {"owner", "editor", "operator"},
        posted("integration_health", "rule", 1),
    ),
    "never sync a card": (
        {"owner", "editor", "operator"},
        posted("integration_record_never", "record"),
    ),
    "take everything out": ({"owner", "editor", "auditor"}, exported),
    "suspend the account": (set(), posted("core_account_suspend", "account")),
    "let the account go": (set(), posted("core_account_leave", "suspended")),
    "resume the account": (set(), pressed("suspended", "resume")),
    "change what became of an account": (
        set(),
        lambda client, own: client.post(page(own.departure), {"name": "nobody"}),
    ),
    "delete what became of an account": (set(), deleted("departure")),
    "change what happened": (
        set(),
        lambda client, own: client.post(page(own.entry), {"outcome": "failed", "name": "nobody"}),
    ),
    "delete what happened": (
        set(),
        lambda client, own: [
            deleted(row)(client, own) for row in ("entry", "run", "record", "link")
        ],
    ),
    "delete the account": (set(), deleted("account")),
    "change a tag": (
        set(),
        lambda client, own: client.post(page(own.tags[0]), {"selected": "on", "name": "renamed"}),
    ),
    "change a user": (
        set(),
        lambda client, own: client.post(
            page(own.colleague), {"username": "renamed", "is_superuser": "on"}
        ),
    ),
    "change a user's password": (
        set(),
        lambda client, own: client.post(
            reverse("admin:auth_user_password_change", args=[own.colleague.pk]),
            {"password1": "a" * 20, "password2": "a" * 20},
        ),
    ),
}

OF_THE_SUSPENDED = ("let the account go", "resume the account", "add a member")


def stored() -> dict[str, list[Any]]:
    """Every row of every table as it is on disk, but for who signed in when."""
    found = {}
    with connection.cursor() as cursor:
        for table in set(connection.introspection.table_names()) - {"django_session"}:
            cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1')
            columns = [column[0] for column in cursor.description]
            found[table] = [
                [value for name, value in zip(columns, row, strict=True) if name != "last_login"]
                for row in cursor.fetchall()
            ]
    return found


@pytest.fixture
def attempted(acme, birch, dan, queued):
    """Whether an attempt changes anything at all: an ``attempt`` of ``client`` on rows of
    ``own``.
    """
    for own in (acme, birch):
        own.colleague_membership = own.colleague.memberships.get()
        with in_account(own.account):
            own.held = SyncRule.objects.create(
                account=own.account,
                slug="held",
                state="held",
                sansan=own.sansan,
                hubspot=own.hubspot,
            )
            SyncRun.objects.filter(pk=own.open_run.pk).update(state="succeeded")
        # Another account, ready to be deleted. Only who asks for it is a member: with two accounts
        # the forms ask which.
        left = {"active": False, "suspended_for": "it leaves", "exported_at": timezone.now()}
        own.suspended = Account.objects.create(
            slug=f"{own.slug}-two", name=f"{own.slug} two", **left
        )
        own.elsewhere = User.objects.create_user(f"{own.slug}-elsewhere")
        joins(own.elsewhere, own.suspended, Role.VIEWER)

    def changes(client: Client, own: SimpleNamespace, attempt: Any) -> list[str]:
        """The tables that the attempt changes, which is then undone."""
        client.raise_request_exception = False
        before = stored()
        with transaction.atomic():
            queued(lambda: attempt(client, own))
            after = stored()
            transaction.set_rollback(True)
        return [table for table, rows in before.items() if rows != after[table]]

    return changes


@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_role_does_what_it_may_and_nothing_else(acme, attempted, what):
    may, attempt = ATTEMPTS[what]
    people = {role: team(acme, f"ben-{role}", role) for role in Role.values}
    for role, user in people.items() if what in OF_THE_SUSPENDED else ():
        joins(user, acme.suspended, role)
    team_of = {role: browser(user) for role, user in people.items()}
    assert {role for role, client in team_of.items() if attempted(client, acme, attempt)} == may


@pytest.mark.parametrize("who", ["nobody", "dan", "chie", "emi"])
def test_who_may_not_changes_nothing(acme, birch, attempted, dan, who):
    """Emi owns Acme, and that gives her nothing at birch."""
    emi = team(acme, "emi", Role.OWNER)
    joins(emi, birch, Role.VIEWER)
    client, own = {
        "nobody": (Client(), acme),
        "dan": (dan, acme),
        "chie": (browser(birch.owner), acme),
        "emi": (browser(emi), birch),
    }[who]
    # Whoever may add a connection or invite somebody does so in an account of their own.
    others = {
        what: attempt
        for what, (_, attempt) in ATTEMPTS.items()
        if what not in ("add a connection", "enter a key in a set-up", "invite somebody")
    }
    assert {
        what: changed
        for what, attempt in others.items()
        if (changed := attempted(client, own, attempt))
    } == {}


# Guessing: an answer about another account's row is the answer about no row


# What differs from one answer to the next, and what only repeats the question.
FLEETING = re.compile(
    r'<time.*?</time>|name="csrfmiddlewaretoken" value="\w+"|_changelist_filters=[^"&]*', re.DOTALL
)


def seen(client: Client, url: str, *terms: Any) -> tuple[int, str]:
    response = client.get(url)
    text = FLEETING.sub("", body(response)) + response.get("Location", "")
    for term in (str(term) for term in terms):
        for spelt in (term, quote(term), quote_plus(term)):
            text = text.replace(spelt, "~")
    return response.status_code, text


FILTERS = {
    "rule": "rule",
    "rule__id__exact": "rule",
    "run": "run",
    "account": "account",
    "account__id__exact": "account",
    "connection": "sansan",
    "sansan": "sansan",
    "hubspot": "hubspot",
    "link": "link",
    "record_id": "record",
}


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_no_filter_tells_an_id_of_another_account(aiko, birch, model):
    asked = [(name, getattr(birch, row).pk) for name, row in FILTERS.items()]
    asked += [
        (name, row.pk) for name in ("id", "pk__in") for row in rows_of(birch) if type(row) is model
    ]
    told = [
        (name, pk)
        for name, pk in asked
        if seen(aiko, listed(model, **{name: pk}), pk)
        != seen(aiko, listed(model, **{name: NO_ID}), NO_ID)
    ]
    assert told == []


TERMS = {
    "e-mail": lambda own: own.record.email_key,
    "card": lambda own: own.record.external_id,
    "name": lambda own: f"{own.slug} per",
    "contact": lambda own: own.link.contact_id,
    "link": lambda own: own.link.key,
    "slug": lambda own: own.rule.slug,
    "tag": lambda own: own.tags[0].external_id,
    "person": lambda own: own.owner.username,
}


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_no_search_tells_what_another_account_has(aiko, birch, model):
    none = {
        nothing: seen(aiko, listed(model, q=nothing), nothing)
        for nothing in ("one@nowhere.example.jp", "00000000-0000-4000-8000-000000000000")
    }
    for term in (str(find(birch)) for find in TERMS.values()):
        assert seen(aiko, listed(model, q=term), term) == next(
            answer for nothing, answer in none.items() if ("@" in nothing) == ("@" in term)
        )


def test_what_is_searched_for_there_finds_something_here(aiko, acme, birch):
    """Or the test above would prove nothing; and no export finds more than its list."""
    for find in TERMS.values():
        assert any(
            aiko.get(listed(model, q=find(acme))).context["cl"].result_count for model in LISTS
        )
        assert body(aiko.get(address(AuditEntry, "export", q=find(birch)))).count("\n") == 1


def test_a_search_across_the_site_names_no_row(aiko, birch):
    for term in ("birch", "rule"):
        for more in ("", "&extended=1"):
            assert not marks(birch).search(
                body(aiko.get(f"/admin/search/?s={term}{more}")).replace(term, "")
            )


def test_autocomplete_ends_at_the_scope(acme, birch, aiko):
    """No field of ours asks for it, but the address is there for every foreign key."""
    answered = 0
    for model in apps.get_models():
        for field in (field for field in model._meta.get_fields() if isinstance(field, ForeignKey)):
            for term in ("", "birch", "chie"):
                at = {
                    "app_label": model._meta.app_label,
                    "model_name": model._meta.model_name,
                    "field_name": field.name,
                    "term": term,
                }
                response = aiko.get(reverse("admin:autocomplete", query=at))
                assert response.status_code in (200, 403, 404), at
                assert response.status_code != 200 or not marks(birch).search(body(response)), at
                answered += response.status_code == 200
    assert answered > 10


def test_choices_end_at_the_scope(acme, birch, aiko):
    form = aiko.get(address(SyncRule, "add")).context["adminform"].form
    with all_accounts():
        assert {
            one.account_id for name in ("sansan", "hubspot") for one in form.fields[name].queryset
        } == {acme.account.pk}
        member_form = aiko.get(address(Membership, "add")).context["adminform"].form
        assert list(member_form.fields["account"].queryset) == [acme.account]


# People of two accounts


def test_emi_sees_both_and_changes_one(acme, birch, emi):
    hers, theirs = (emi.get(page(own.rule)) for own in (acme, birch))
    assert (hers.status_code, theirs.status_code) == (200, 200)
    assert 'name="_save"' in body(hers) and 'name="_save"' not in body(theirs)
    assert hers.context["buttons"] and not theirs.context["buttons"]


def test_a_rule_never_joins_two_accounts(acme, birch, emi):
    Membership.objects.filter(user__username="emi").update(role=Role.OWNER)
    wrongs = {
        "account": acme.account.pk,
        "slug": "crossed",
        "sansan": acme.sansan.pk,
        "hubspot": birch.hubspot.pk,
    }
    response = send(emi, address(SyncRule, "add"), **wrongs)
    assert "another account" in str(response.context["adminform"].form.errors["hubspot"])
    with all_accounts():
        assert not SyncRule.objects.filter(slug="crossed").exists()


def test_a_tag_of_an_account_that_one_may_only_look_at_stays(acme, birch, emi):
    chosen = [acme.tags[0].pk, birch.tags[0].pk]
    response = emi.post(
        listed(Tag), {"action": "select_tags", "_selected_action": chosen}, follow=True
    )
    assert "birch-sansan: your role may look" in " ".join(map(str, response.context["messages"]))
    with all_accounts():
        assert list(Tag.objects.filter(selected=True)) == [acme.tags[0]]


def test_an_inline_row_of_another_account_is_refused(aiko, acme, birch):
    form = form_of(aiko.get(page(acme.rule)))
    theirs = {"mappings-0-id": birch.mappings[0].pk, "mappings-0-hubspot": "stolen"}
    moved = {"mappings-0-rule": birch.rule.pk, "mappings-0-hubspot": "stolen"}
    extra = {
        "mappings-TOTAL_FORMS": 4,
        "mappings-3-rule": birch.rule.pk,
        "mappings-3-sansan": "title",
        "mappings-3-hubspot": "stolen",
    }
    before = stored()
    for changed in (theirs, moved, extra):
        assert aiko.post(page(acme.rule), form | changed).status_code == 200
    assert stored() == before


# Nonsense

HUGE = "9" * 40
NONSENSE = {
    "page": ["p=abc", "p=-1", "p=0", "p=99999999999999999999", "e=1", "_popup=1"],
    "order": ["o=x", "o=-99.1", "o=1.-2.3.4.5.6.7", "o=--1"],
    "search": ["q=%00", "q=%FF%FE", "q=@", "q=%F0%9F%92%B3", "q='", f"q={HUGE}", "q=" + "x" * 5000],
    "run": ["run=%00", "run=abc", "run=%D9%A3", "run=%23", "run=-1", f"run={HUGE}"],
    "rule": [
        "rule=abc",
        "rule=-1",
        "rule=%00",
        "rule=",
        f"rule={HUGE}",
        f"rule=%20{HUGE}",
        f"rule=9_{HUGE}",
        f"e=1&rule={HUGE}",
    ],
    "account": [
        "account=abc",
        "account=-1",
        "account=%00",
        f"account={HUGE}",
        f"account=%20{HUGE}",
        f"account__in=1,{HUGE}",
    ],
    "connection": ["connection=x", "hubspot=x", "hubspot=%00", f"hubspot={HUGE}"],
    "choice": [
        "selected=2",
        "bucket=%00",
        "reason=%00",
        "outcome__exact=x",
        "state__exact=%00",
        "kind__exact=x",
    ],
    "first day": [
        "day_from=nonsense",
        "day_from=%00",
        "day_from=2026-02-31",
        "day_from=9999-12-31",
        "day_from=0001-01-01",
    ],
    "last day": [
        "day_to=nonsense",
        "day_to=0001-01-01",
        "day_to=2026-01-01&day_from=2026-12-31",
        "day_to=9999-12-31",
    ],
    "field": [
        "id=abc",
        "id__in=1,x",
        f"id__in=1,{HUGE}",
        f"id__range=0,{HUGE}",
        "id__isnull=x",
        "nosuchfield=1",
        "account__nosuch=1",
        "credentials__startswith=g",
        "values__a__b=1",
    ],
    "way around": [
        "account__memberships__user__password__startswith=p",
        "_to_field=slug",
        "_to_field=id",
        "_changelist_filters=%00",
    ],
}

# The lists that have such a filter or such a column: for the others it is one more field that is
# not there.
KNOWN_TO = {
    "run": (AuditEntry, Record),
    "rule": (AuditEntry, Record, SyncRun),
    "connection": (Link, Record, SyncRule, Tag),
    "choice": (AuditEntry, Connection, Record, SyncRule, SyncRun, Tag),
    "first day": (AuditEntry,),
    "last day": (AuditEntry,),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_in_an_address_is_no_failure(acme, aiko, emi, kind):
    """In the lists of one account and in the export; and, where pages are put together from two
    accounts, in those.
    """
    aiko.raise_request_exception = emi.raise_request_exception = False
    asked = [
        (aiko, listed(model)) for model in LISTS if kind not in KNOWN_TO or model in KNOWN_TO[kind]
    ]
    asked += [(aiko, address(AuditEntry, "export"))]
    asked += [
        (emi, listed(model))
        for model in (Tag, AuditEntry)
        if kind in ("page", "order", "account", "last day")
    ]
    failing = [
        f"{url}?{query}"
        for query in NONSENSE[kind]
        for client, url in asked
        if client.get(f"{url}?{query}").status_code >= 500
    ]
    assert not failing, "\n".join(failing)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "s=",
        "s=rule",
        "s=rule&page=2",
        "s=rule&page=abc",
        "s=rule&page=0",
        "s=%00",
        "s=rule&extended=1",
    ],
)
def test_nonsense_in_a_search_across_the_site_is_no_failure(aiko, query):
    aiko.raise_request_exception = False
    assert aiko.get(f"/admin/search/?{query}").status_code < 500


@pytest.mark.parametrize("id", ["abc", "0", "-1", "9" * 40, "5504000_2F", "%00", "1/../2", "٣"])
def test_nonsense_in_place_of_an_id_is_no_row(aiko, root, id):
    aiko.raise_request_exception = root.raise_request_exception = False
    assert {
        root.get(f"{listed(User)}{id}/{name}/", follow=True).status_code
        for name in ("change", "password")
    } <= {403, 404}
    for model in LISTS:
        home = listed(model)
        assert {
            aiko.get(f"{home}{id}/{name}/").status_code for name in ("change", "history", "delete")
        } <= {403, 404}, model
        assert aiko.post(f"{home}{id}/press/sync_now/", follow=True).status_code in (403, 404), (
            model
        )


SENT_TO_A_LIST = {
    "nothing": {},
    "no row for an action": {"action": "delete_selected"},
    "an action that is none": {"action": "no_such"},
    "rows that are none": {"action": "select_tags", "_selected_action": ["x", "\0"]},
}


@pytest.mark.parametrize("data", SENT_TO_A_LIST.values(), ids=SENT_TO_A_LIST)
def test_nonsense_sent_to_a_list_is_no_failure(acme, aiko, data):
    aiko.raise_request_exception = False
    before = stored()
    for model in LISTS:
        some = {
            "_selected_action": [row.pk for row in rows_of(acme) if type(row) is model],
            "post": "yes",
        }
        assert aiko.post(listed(model), some | data).status_code < 500
    assert stored() == before


@pytest.mark.parametrize(
    "model", [Account, Membership, Connection, SyncRule, User], ids=lambda model: model.__name__
)
def test_a_form_that_says_nothing_is_sent_back(acme, root, model):
    root.raise_request_exception = False
    management = {f"mappings-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    assert root.post(address(model, "add"), {}).status_code == 200
    mine = next(row for row in rows_of(acme) if type(row) is model)
    assert root.post(page(mine), management).status_code in (200, 302)
