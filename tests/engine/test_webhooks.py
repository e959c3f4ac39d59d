"""Webhooks from the request to the contact that was put right: who may speak to whom, what is kept, and what becomes of it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from structlog.testing import capture_logs

from core.models import Account
from core.tenancy import ScopeError, all_accounts, in_account
from integration import inbox, runs, tasks
from integration.inbox import Heard
from integration.models import AuditEntry, Connection, ContactChange, Link, Record, Side, SyncRule, SyncRun
from integration.sandbox.hubspot import delivery
from integration.sandbox.hubspot import webhooks as sender
from integration.webhooks import LONGEST, NOTED
from tests.cast import TOKEN, configured, file, sync
from tests.core import rows
from tests.engine.oracle import contacts_of, expected
from tests.engine.test_tasks import waiting, work_off

pytestmark = pytest.mark.django_db
sleep, monotonic = time.sleep, time.monotonic  # before any test takes them away
PATH = "/webhooks/hubspot/"
URL = f"http://testserver{PATH}"
APP, OWN, OTHER = "app-client-secret-0001", "own-client-secret-of-acme", "own-client-secret-of-birch"
PORTAL = "12345678"
AT = 1_790_000_000_000


@pytest.fixture
def queue(monkeypatch: Any) -> Callable[[], list[Any]]:
    """A test's transaction never commits, so that what is enqueued goes to the queue at once."""
    monkeypatch.setattr(tasks.transaction, "on_commit", lambda call: call())
    return waiting


@pytest.fixture(autouse=True)
def installation(settings: Any) -> Any:
    settings.HUBSPOT_CLIENT_SECRET, settings.PUBLIC_URL, settings.HUBSPOT_WEBHOOK_V1 = APP, "", False
    return settings


def connected(slug: str = "acme", own: str = "", portal: str = PORTAL, **values: Any) -> SyncRule:
    """An account whose rule writes to the portal."""
    rule = rows.rule(rows.account(slug), **{"state": "active", **values})
    with in_account(rule.account):
        rule.hubspot.remote_id = portal
        rule.hubspot.set_webhook_secret(own)
        rule.hubspot.save()
    return rule


def event(id: Any = 301, kind: str = "contact.propertyChange", at: int = AT, portal: Any = int(PORTAL), **more: Any) -> dict[str, Any]:
    return {
        "eventId": 1,
        "subscriptionId": 7,
        "portalId": portal,
        "occurredAt": at,
        "subscriptionType": kind,
        "objectId": id,
        "attemptNumber": 0,
        **more,
    }


def send(
    *events: Any,
    secret: str = APP,
    signed: str = URL,
    path: str = PATH,
    age: float = 0,
    versions: tuple[str, ...] = ("v1", "v3"),
    body: bytes | None = None,
    client: Client | None = None,
    **more: Any,
) -> Any:
    body = json.dumps(events).encode() if body is None else body
    stamp = str(int((timezone.now().timestamp() - age) * 1000))
    headers = delivery.signed(versions, secret, signed, body, stamp)
    return (client or Client(enforce_csrf_checks=True)).post(path, body, content_type="application/json", headers=headers, **more)


def noted() -> list[tuple[str, str, int, bool]]:
    """(account, contact, version, forgotten) of everything in the inbox."""
    with all_accounts():
        return [
            (one.account.slug, one.contact_id, one.version, one.forgotten) for one in ContactChange.objects.order_by("pk").select_related("account")
        ]


# Who may speak to whom


@pytest.mark.parametrize("secret", [APP, OWN])
def test_what_is_signed_is_noted_and_a_worker_is_told(queue, secret):
    rule = connected(own=OWN)
    answer = send(event(), secret=secret)
    assert (answer.status_code, answer.content) == (204, b"")
    assert noted() == [("acme", "301", 1, False)]
    assert queue() == [("heard", (rule.account_id, rule.hubspot_id))]


REFUSED = {
    "another secret": {"secret": "no-secret-of-anybodys"},
    "another connection's": {"secret": OTHER},
    "no secret at all": {"secret": ""},
    "old": {"age": 301},
    "of the future": {"age": -301},
    "another address": {"signed": "https://elsewhere.example.test/webhooks/hubspot/"},
    "https": {"signed": f"https://testserver{PATH}"},
    "version 1 alone": {"versions": ("v1",)},
    "unsigned": {"versions": ()},
}


@pytest.mark.parametrize("how", REFUSED.values(), ids=REFUSED)
def test_what_is_not_signed_leaves_nothing_behind(queue, how):
    connected(own=OWN), connected("birch", own=OTHER, portal="99")
    answer = send(event(), **how)
    assert answer.status_code == 401
    assert noted() == queue() == []
    with all_accounts():
        assert not Connection.objects.filter(heard_at__isnull=False).exists()


def test_an_installation_without_an_app_takes_no_empty_secret(queue, installation):
    installation.HUBSPOT_CLIENT_SECRET = ""
    connected()
    assert send(event(), secret="").status_code == 401
    assert send(secret="").status_code == 401
    assert noted() == queue() == []


@pytest.mark.parametrize(("allowed", "status"), [(False, 401), (True, 204)])
def test_version_1_only_where_it_is_allowed(queue, installation, allowed, status):
    installation.HUBSPOT_WEBHOOK_V1 = allowed
    connected()
    assert send(event(), versions=("v1",)).status_code == status
    assert len(noted()) == allowed


@pytest.mark.parametrize(("secret", "spoken_to"), [(APP, ["acme", "birch"]), (OWN, ["acme"]), (OTHER, ["birch"])])
def test_a_connections_own_secret_speaks_for_it_alone(queue, secret, spoken_to):
    one, other = connected(own=OWN), connected("birch", own=OTHER)
    assert send(event(), secret=secret).status_code == 204
    assert sorted(slug for slug, *_ in noted()) == spoken_to
    assert sorted(args for _, args in queue()) == sorted(
        (rule.account_id, rule.hubspot_id) for rule in (one, other) if rule.account.slug in spoken_to
    )


def test_nobodys_secret_speaks_for_another_portal(queue):
    connected(own=OWN), connected("birch", own=OTHER, portal="99")
    assert send(event(1), event(2, portal=99), secret=OWN).status_code == 204
    assert noted() == [("acme", "1", 1, False)]
    assert send(event(2, portal=99), secret=OWN).status_code == 401


def test_two_connections_of_one_account(queue):
    rule = connected(own=OWN)
    rows.connection(rule.account, slug="second", remote_id=PORTAL)
    rows.connection(rule.account, "sansan", slug="third", remote_id=PORTAL)
    send(event())
    assert len(noted()) == 2 == len(queue())


@pytest.mark.parametrize(("secret", "status"), [(APP, 204), (OWN, 401)])
def test_a_suspended_account_hears_nothing(queue, secret, status):
    connected(own=OWN)
    Account.objects.update(active=False)
    assert send(event(), secret=secret).status_code == status
    assert noted() == queue() == []


def test_a_suspended_account_does_not_silence_another(queue):
    connected(own=OWN), connected("birch")
    Account.objects.filter(slug="acme").update(active=False)
    send(event())
    assert [slug for slug, *_ in noted()] == ["birch"]


def test_a_portal_that_nobody_connected_is_taken_and_forgotten(queue):
    connected(portal="99")
    assert send(event()).status_code == 204
    assert noted() == queue() == []


def test_a_secret_that_cannot_be_decrypted_is_nobodys(queue):
    with rows.fernet_keys("an-invented-key-0000000000000000000000000001"):
        connected(own=OWN)
    with rows.fernet_keys("an-invented-key-0000000000000000000000000002"):
        assert send(event(), secret=OWN).status_code == 401
        assert send(event()).status_code == 204
    assert len(noted()) == 1


@pytest.mark.parametrize("kind", ["company.creation", "deal.propertyChange", "object.creation"])
@pytest.mark.parametrize("secret", [APP, OWN])
def test_what_is_of_no_contact_is_taken_so_that_it_does_not_come_again(queue, kind, secret):
    """HubSpot sends what was refused ten times more: an app may have subscribed to companies, too."""
    connected(own=OWN)
    assert send(event(kind=kind), secret=secret).status_code == 204
    assert noted() == queue() == []


def test_a_new_secret_takes_the_place_of_the_old_one(queue):
    rule = connected(own=OWN)
    with in_account(rule.account):
        rule.hubspot.set_webhook_secret("another-secret-0001")
        rule.hubspot.save()
    assert (send(event(), secret=OWN).status_code, send(event(), secret="another-secret-0001").status_code) == (401, 204)
    with in_account(rule.account):
        rule.hubspot.set_webhook_secret("")
        rule.hubspot.save()
        assert "webhook_secret" not in Connection.objects.get(pk=rule.hubspot_id).credentials
    assert send(event(), secret="another-secret-0001").status_code == 401


def test_a_new_key_keeps_the_webhooks_secret():
    rule = connected(own=OWN)
    with in_account(rule.account):
        rule.hubspot.set_secret("pat-invented-0002")
        rule.hubspot.save()
        one = Connection.objects.get(pk=rule.hubspot_id)
    assert (one.webhook_secret, one.secret) == (OWN, "pat-invented-0002")


# The address


@pytest.mark.parametrize(
    ("public", "signed", "status"),
    [
        ("", URL, 204),
        ("https://sync.example.test", f"https://sync.example.test{PATH}", 204),
        ("https://sync.example.test", URL, 401),
        ("https://sync.example.test/behind", f"https://sync.example.test/behind{PATH}", 204),
        ("", f"https://sync.example.test{PATH}", 401),
    ],
)
def test_the_address_that_hubspot_calls(queue, installation, public, signed, status):
    installation.PUBLIC_URL = public
    connected()
    assert send(event(), signed=signed).status_code == status
    assert len(noted()) == (status == 204)


@pytest.mark.parametrize("question", ["?app=%40bridge", "?a=1&b=%2Fx%3Fy", "?q=%E3%81%82", "?"])
def test_a_question_in_the_address_is_signed_too(queue, installation, question):
    installation.PUBLIC_URL = "https://sync.example.test"
    connected()
    signed = f"https://sync.example.test{PATH}{question.rstrip('?')}"
    assert send(event(), path=f"{PATH}{question}", signed=signed).status_code == 204
    assert send(event(), path=f"{PATH}{question}x=2", signed=signed).status_code == 401


def test_a_name_that_is_not_ours_is_refused(queue):
    connected()
    assert send(event(), signed=f"http://evil.example.test{PATH}", HTTP_HOST="evil.example.test").status_code == 400
    assert noted() == []


# What is no webhook


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
def test_only_a_post_is_answered(queue, method):
    connected()
    assert getattr(Client(), method)(PATH).status_code == 405
    assert noted() == []


@pytest.mark.parametrize("body", [b"", b"not JSON", b"{}", b"null", b"[1]", b"[null]", b"\xff\xfe", b"<html>"], ids=repr)
@pytest.mark.parametrize("secret", [APP, "wrong"])
def test_a_body_that_is_none(queue, body, secret):
    connected()
    answer = send(body=body, secret=secret)
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")
    assert noted() == queue() == []


def test_a_body_that_is_too_long_is_not_read(queue):
    connected()
    assert send(body=b"[" + b" " * LONGEST + b"]").status_code == 413
    assert send(body=b"[" + b" " * (LONGEST - 2) + b"]").status_code == 204
    assert noted() == []


@pytest.mark.parametrize("length", ["abc", "-1", "1.5", " ", "9" * 30])
def test_a_length_that_is_none_is_no_fault_of_ours(queue, length):
    connected()
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    assert send(event(), client=client, CONTENT_LENGTH=length).status_code < 500


@pytest.mark.parametrize("portal", ["1\x00", "x" * 5000, {"a": 1}])
def test_a_portal_of_a_strangers_making_is_no_fault_of_ours_and_fills_no_log(queue, portal):
    """On PostgreSQL no text with a NUL can even be asked for."""
    connected(own=OWN)
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    with capture_logs() as logs:
        assert send(event(portal=portal), secret="wrong", client=client).status_code == 401
    assert len(str(logs)) < 500


def test_nothing_is_taken_from_a_session(client):
    """Signed in or not, it is the signature that counts."""
    connected()
    rows.account("birch")
    assert send(event(), client=Client()).status_code == 204
    assert "Set-Cookie" not in send(event(), client=Client()).headers


def test_no_secret_is_told_anybody(queue, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    connected(own=OWN)
    told = []
    with capture_logs() as logs:
        for secret in (APP, OWN, "wrong"):
            for how in ({}, {"body": b"no"}, {"age": 900}):
                answer = send(event(), secret=secret, **how)
                told.append(f"{answer.content!r}{dict(answer.headers)}")
    seen = "".join(told) + str(logs) + caplog.text + "".join(capfd.readouterr()) + str(queue())
    assert APP not in seen and OWN not in seen
    assert delivery.signature_v1(APP, json.dumps([event()]).encode()) not in seen


# The inbox


def row(contact: str = "301") -> ContactChange:
    with all_accounts():
        return ContactChange.objects.get(contact_id=contact)


def test_doubled_and_disordered_events_end_in_one_row(queue):
    connected()
    send(event(at=AT + 5000), event(at=AT), event(at=AT + 9000), event(302))
    send(event(at=AT + 2000)), send(event(at=AT - 7000))
    assert noted() == [("acme", "301", 3, False), ("acme", "302", 1, False)]
    assert row().changed_at == datetime.fromtimestamp((AT - 7000) / 1000, UTC)


def test_the_same_request_again_and_again(queue):
    connected()
    for _ in range(5):
        assert send(event()).status_code == 204
    assert noted() == [("acme", "301", 5, False)]


@pytest.mark.parametrize(
    "kinds",
    [
        ("contact.deletion", "contact.privacyDeletion"),
        ("contact.privacyDeletion", "contact.deletion"),
        ("contact.privacyDeletion", "contact.restore"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_what_was_deleted_for_privacy_stays_so(queue, kinds, together):
    connected()
    found = [event(kind=kind, at=AT + i) for i, kind in enumerate(kinds)]
    for some in [found] if together else [[one] for one in found]:
        send(*some)
    assert row().forgotten is True and len(noted()) == 1


def test_when_it_was_first_heard_is_kept(queue, time_machine_later):
    connected()
    send(event())
    before = row().heard_at
    time_machine_later(minutes=2)
    send(event())
    assert row().heard_at == before and row().version == 2


def test_that_webhooks_come_in_is_noted_now_and_then(queue, time_machine_later):
    rule = connected()

    def heard_at() -> Any:
        with all_accounts():
            return Connection.objects.get(pk=rule.hubspot_id).heard_at

    send(event())
    first = heard_at()
    send(event())
    assert heard_at() == first and first is not None
    time_machine_later(seconds=NOTED.total_seconds() + 1)
    send(event())
    assert heard_at() > first


def test_settling_an_older_look_drops_nothing_newer():
    rule = connected()
    with in_account(rule.account):
        inbox.put(rule.hubspot, [Heard("1", timezone.now()), Heard("2", timezone.now())], timezone.now())
        taken = inbox.take(rule.hubspot_id)
        inbox.put(rule.hubspot, [Heard("2", timezone.now(), True)], timezone.now())
        inbox.settle(taken)
        assert [(one.contact_id, one.version, one.forgotten) for one in inbox.take(rule.hubspot_id)] == [("2", 2, True)]
        assert inbox.waiting(rule.hubspot_id)
        inbox.settle(inbox.take(rule.hubspot_id))
        assert not inbox.waiting(rule.hubspot_id)


def test_a_hundred_at_a_time_oldest_first():
    rule = connected()
    with in_account(rule.account):
        assert inbox.put(rule.hubspot, [Heard(str(i), timezone.now()) for i in range(250)], timezone.now()) == 250
        assert len(inbox.take(rule.hubspot_id)) == 100
        assert inbox.put(rule.hubspot, [], timezone.now()) == 0


def test_two_connections_have_an_inbox_each():
    one, other = connected(), connected("birch")
    for rule in (one, other):
        with in_account(rule.account):
            inbox.put(rule.hubspot, [Heard("301", timezone.now())], timezone.now())
    with in_account(one.account):
        inbox.settle(inbox.take(one.hubspot_id))
    assert noted() == [("birch", "301", 1, False)]


def test_nobody_puts_anything_into_anothers_inbox():
    one, other = connected(), connected("birch")
    with in_account(one.account), pytest.raises(ScopeError):
        inbox.put(other.hubspot, [Heard("301", timezone.now())], timezone.now())


# The task


def runs_of(rule: SyncRule) -> list[SyncRun]:
    with all_accounts():
        return list(SyncRun.objects.filter(rule=rule).order_by("pk"))


@pytest.mark.parametrize(("state", "begun"), [("active", 1), ("paused", 0), ("draft", 0), ("held", 0)])
def test_the_rules_that_are_active_look_at_once(queue, state, begun):
    rule = connected(state=state)
    tasks.heard(rule.account_id, rule.hubspot_id)
    assert [run.trigger for run in runs_of(rule)] == ["webhook"] * begun
    assert queue() == [("work", (rule.account_id, run.pk)) for run in runs_of(rule)]


def test_each_rule_of_the_connection_and_no_other(queue):
    rule = connected()
    with in_account(rule.account):
        SyncRule.objects.create(account=rule.account, slug="second", state="active", sansan=rule.sansan, hubspot=rule.hubspot)
    other = connected("birch", portal="99")
    tasks.heard(rule.account_id, rule.hubspot_id)
    assert len(queue()) == 2 and runs_of(other) == []


def test_an_open_run_takes_it_along(queue):
    rule = connected()
    tasks.heard(rule.account_id, rule.hubspot_id), tasks.heard(rule.account_id, rule.hubspot_id)
    assert len(runs_of(rule)) == 1


def test_a_connection_that_is_gone_or_suspended_is_no_fault(queue):
    rule = connected()
    tasks.heard(rule.account_id, 999_999), tasks.heard(999_999, rule.hubspot_id)
    Account.objects.update(active=False)
    tasks.heard(rule.account_id, rule.hubspot_id)
    assert queue() == runs_of(rule) == []


def test_anothers_connection_is_not_looked_up(queue):
    one, other = connected(), connected("birch")
    tasks.heard(one.account_id, other.hubspot_id)
    assert queue() == runs_of(other) == runs_of(one) == []


def test_a_task_that_was_lost_is_made_up_for(queue, time_machine_later):
    rule = connected(due_at=timezone.now() + timedelta(hours=1))
    send(event())
    OrmQ.objects.all().delete()
    tasks.start_due()
    assert runs_of(rule) == [], "the task may still come"
    time_machine_later(seconds=6)
    tasks.start_due()
    assert [run.trigger for run in runs_of(rule)] == ["webhook"]
    assert [name for name, _ in queue()] == ["work"]


# The real thing: HubSpot's sandbox delivers to a server, and workers do what is to be done

PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}
REAL = pytest.mark.django_db(transaction=True)


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end, "it never came to hold"
        sleep(0.01)


class World:
    """A portal that tells a running server what happens in it."""

    def __init__(self, sandbox: Any, url: str) -> None:
        self.sandbox, self.url = sandbox, url
        self.working = threading.Lock()
        self.rule: SyncRule

    def begin(self, subscribed: dict[str, Any] | None = None, **rule: Any) -> World:
        """The first sync, its echoes met; from then on changes are heard of."""
        self.rule = configured(file(**{"direction": "both", **rule}))
        sync(self.rule)
        sync(self.rule)
        self.act("webhooks", url=f"{self.url}{PATH}", secret=APP, retry_seconds=0.05, **(subscribed or {}))
        return self

    def act(self, verb: str, **args: Any) -> Any:
        return self.sandbox.hubspot.control(verb, {"token": TOKEN, **args})

    def settle(self, most: int = 6) -> int:
        """Until nothing comes any more and nothing is left to do; how many rounds it took."""
        for n in range(most):
            until(lambda: self.sandbox.hubspot.hooks.pending(TOKEN) == 0)
            if not OrmQ.objects.exists():
                return n
            with self.working:
                work_off()
        raise AssertionError("it does not come to rest")

    def sync(self, **how: bool) -> SyncRun:
        with self.working:
            return sync(self.rule, **how)

    @property
    def portal(self) -> Any:
        return self.sandbox.hubspot.portal(TOKEN)

    def contact(self, id: str) -> dict[str, str]:
        return self.portal.contacts[self.portal.find(id)]

    def links(self) -> list[Link]:
        with in_account(self.rule.account):
            return list(Link.objects.exclude(contact_id="").order_by("pk"))

    def titled(self) -> Link:
        """One whose card has a title and a company."""
        return next(link for link in self.links() if link.written.get("jobtitle") and link.written.get("company"))

    def link(self, pk: int) -> Link:
        with in_account(self.rule.account):
            return Link.objects.get(pk=pk)

    def cards_of(self, link: Link) -> list[Record]:
        with in_account(self.rule.account):
            return list(Record.objects.filter(link_id=link.pk, side=Side.CARD).order_by("pk"))

    def entries(self, **which: Any) -> list[AuditEntry]:
        with in_account(self.rule.account):
            return list(AuditEntry.objects.filter(**which).order_by("pk"))

    def cards(self) -> list[dict[str, Any]]:
        return list(self.sandbox.sansan.cards.values())

    @property
    def true(self) -> bool:
        return contacts_of(self.sandbox, TOKEN) == expected(self.cards())


@pytest.fixture
def world(live_server: Any, sandbox_of: Any, monkeypatch: Any, settings: Any) -> Any:
    settings.HUBSPOT_CLIENT_SECRET, settings.PUBLIC_URL = APP, ""
    monkeypatch.setattr(sender, "time", SimpleNamespace(sleep=sleep, monotonic=monotonic))
    world, post = World(sandbox_of(12, **PLAIN), live_server.url), delivery.post

    def in_turn(*request: Any) -> int:
        """Server and workers share a connection to SQLite's memory here, so that nothing is delivered while a task is worked off."""
        with world.working:
            return post(*request)

    monkeypatch.setattr(delivery, "post", in_turn)
    yield world
    world.act("webhooks", url=None)
    with world.working:
        forget_entries()


def forget_entries() -> None:
    """The database itself keeps the entries, from the flush after a test, too."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'integration_auditentry'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        cursor.execute("DELETE FROM integration_auditentry")
        for _, sql in triggers:
            cursor.execute(sql)


@REAL
def test_an_edit_is_put_right(world):
    world.begin()
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited", "company": "edited, too"})
    assert not world.true
    world.settle()
    assert world.true
    (entry,) = world.entries(reason="contact_differs")
    assert entry.run.trigger == "webhook" and set(entry.clashes) == {"jobtitle", "company"}
    assert noted() == [], "the inbox is empty again"
    assert world.link(link.pk).clashes["jobtitle"][2] == "sansan"


@REAL
def test_what_we_write_comes_back_and_is_nothing_new(world):
    world.begin()
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    world.settle()
    before, entries = world.sandbox.hubspot.changes, len(world.entries())
    world.sync()
    world.settle()
    assert (world.sandbox.hubspot.changes, len(world.entries())) == (before, entries)
    assert not world.link(link.pk).awaiting


@REAL
def test_a_card_that_changed_is_written_once_though_every_property_comes_back(world):
    world.begin()
    world.sandbox.sansan.churn(50)
    world.sync()
    written = world.sandbox.hubspot.changes
    world.settle()
    assert world.true and world.sandbox.hubspot.changes == written
    assert noted() == []


@REAL
def test_doubled_shuffled_and_refused_at_first(world, settings):
    world.begin({"duplicates": 1.0, "shuffle": True})
    settings.HUBSPOT_CLIENT_SECRET = "not yet the right one"
    for n, link in enumerate(world.links()):
        world.act("edit", id=link.contact_id, properties={"lastname": f"edited {n}"})
    until(lambda: any(status == 401 for status, _ in world.sandbox.hubspot.hooks.deliveries))
    settings.HUBSPOT_CLIENT_SECRET = APP
    world.settle()
    assert world.true and noted() == []
    assert len(world.entries(reason="contact_differs")) == len(world.links())


@REAL
@pytest.mark.parametrize(("how", "kept", "bucket"), [("hubspot", "edited", "linked"), ("hold", "edited", "held"), ("newest", "edited", "linked")])
def test_an_edit_that_the_rule_keeps(world, how, kept, bucket):
    world.begin(conflict=how)
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    before = world.sandbox.hubspot.changes
    world.settle()
    assert (world.contact(link.contact_id)["jobtitle"], world.sandbox.hubspot.changes) == (kept, before)
    assert [record.bucket for record in world.cards_of(link)] == [bucket]
    assert world.link(link.pk).clashes["jobtitle"][1:3] == ["edited", "hold" if how == "hold" else "hubspot"]


@REAL
def test_a_person_chooses_and_the_contact_follows(world):
    world.begin(conflict="hold")
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    world.settle()
    link = world.link(link.pk)
    card, theirs = link.clashes["jobtitle"][:2]
    with in_account(world.rule.account):
        Link.objects.filter(pk=link.pk).update(choices={"jobtitle": {"side": "sansan", "card": card, "contact": theirs, "by": "aiko", "at": ""}})
        Record.objects.filter(link=link).update(due_at=timezone.now())
    world.sync()
    assert world.true and [record.bucket for record in world.cards_of(link)] == ["linked"]
    sync_again = world.sandbox.hubspot.changes
    world.settle()
    assert world.sandbox.hubspot.changes == sync_again


@REAL
def test_a_property_that_nobody_maps_concerns_nobody(world):
    """HubSpot's people and machines move much that we neither read nor write."""
    world.begin()
    link = world.links()[0]
    world.act("edit", id=link.contact_id, properties={"lifecyclestage": "customer"})
    until(lambda: world.sandbox.hubspot.hooks.pending(TOKEN) == 0)
    world.sandbox.reset_calls()
    world.settle()
    assert noted() == []
    reads = {call: n for call, n in world.sandbox.calls["by_call"].items() if "batch" in call}
    assert sum(reads.values()) == 1, "the contact is looked at, and its people are not planned again"


@REAL
def test_a_contact_that_is_made_becomes_a_card(world):
    world.begin()
    (id,) = world.act("create", properties={"email": "dan@delta.example.jp", "firstname": "Dan", "lastname": "Delta", "company": "Delta KK"})
    world.settle()
    (card,) = [card for card in world.cards() if card["email"] == "dan@delta.example.jp"]
    assert (card["lastName"], card["companyName"]) == ("Delta", "Delta KK")
    with in_account(world.rule.account):
        assert Link.objects.get(contact_id=id)


@REAL
def test_a_deletion_is_told_and_a_restore_takes_it_back(world):
    world.begin()
    link = world.links()[0]
    world.act("delete", id=link.contact_id)
    world.settle()
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [("held", "contact_gone")]
    assert world.link(link.pk).gone == "deleted" and world.link(link.pk).written
    world.act("restore", id=link.contact_id)
    world.settle()
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [("linked", "in_sync")]
    assert world.link(link.pk).gone == "" and world.true


@REAL
def test_a_card_that_changed_meanwhile_reaches_the_restored_contact(world):
    world.begin()
    link = world.links()[0]
    world.act("delete", id=link.contact_id)
    world.settle()
    (record,) = world.cards_of(link)
    world.sandbox.sansan.change(record.external_id, {"title": "new title"})
    world.sync()
    assert world.portal.find(link.contact_id) is None
    world.act("restore", id=link.contact_id)
    world.settle()
    assert world.contact(link.contact_id)["jobtitle"] == "new title" and world.true


@REAL
def test_a_deleted_contact_is_made_again_once_where_the_rule_says_so(world):
    world.begin(when_gone="make")
    link, count = world.links()[0], len(world.portal.contacts)
    world.act("delete", id=link.contact_id)
    world.settle()
    assert len(world.portal.contacts) == count and world.true
    world.sync()
    assert len(world.portal.contacts) == count


@REAL
@pytest.mark.parametrize("when", ["tell", "make"])
@pytest.mark.parametrize("binned", [False, True], ids=["at once", "from the recycle bin"])
def test_a_deletion_for_privacy_is_for_ever(world, when, binned):
    world.begin(when_gone=when)
    link, count = world.links()[0], len(world.portal.contacts)
    if binned:
        world.act("webhooks", url=None)
        world.act("delete", id=link.contact_id)
        world.act("webhooks", url=f"{world.url}{PATH}", secret=APP)
    world.act("purge", id=link.contact_id)
    world.settle()
    gone = world.link(link.pk)
    assert (gone.gone, gone.written, gone.answered, gone.clashes, gone.choices) == ("forgotten", {}, {}, {}, {})
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [("held", "contact_forgotten")]
    (record,) = world.cards_of(link)
    world.sandbox.sansan.change(record.external_id, {"title": "new title"})
    world.sync()
    world.sync(full=True)
    assert len(world.portal.contacts) == count - 1, "never made again"
    assert world.link(link.pk).gone == "forgotten" and world.link(link.pk).written == {}
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [("held", "contact_forgotten")]


@REAL
def test_a_deletion_for_privacy_that_is_told_too_early_is_not_forgotten(world):
    """HubSpot promises no order: the event may come while the contact can still be read."""
    world.begin(when_gone="make")
    link, count = world.links()[0], len(world.portal.contacts)
    world.act("webhooks", url=None)
    with in_account(world.rule.account):
        inbox.put(world.rule.hubspot, [Heard(link.contact_id, timezone.now(), True)], timezone.now())
    world.sync()
    world.act("purge", id=link.contact_id)
    world.sync(full=True)
    gone = world.link(link.pk)
    assert (gone.gone, gone.written) == ("forgotten", {}) and len(world.portal.contacts) == count - 1


@REAL
def test_how_long_a_contact_took_that_is_made_again_is_told_from_its_deletion(world, time_machine_later):
    """And not from when it had last been edited, which may be years ago. Without webhooks: the recycle bin is looked through."""
    world.begin(when_gone="make")
    world.act("webhooks", url=None)
    link = world.links()[0]
    world.act("stamp", at=(timezone.now() - timedelta(days=400)).isoformat(), ids=[link.contact_id])
    with in_account(world.rule.account):
        Record.objects.filter(link=link).update(changed_at=timezone.now() - timedelta(days=400))
    world.act("delete", id=link.contact_id)
    time_machine_later(minutes=6)
    run = world.sync()
    (entry,) = world.entries(run=run, decision="create")
    assert entry.changed_at > timezone.now() - timedelta(hours=1)


@REAL
@pytest.mark.parametrize("keeps", [False, True], ids=["a third record", "the primary stays"])
@pytest.mark.parametrize("first", [0, 1], ids=["into the older", "into the newer"])
def test_a_merge_makes_one_person_of_two(world, keeps, first):
    world.sandbox.hubspot.switches["merge_keeps_primary"] = keeps
    world.begin()
    one, other = world.links()[first], world.links()[1 - first]
    id = world.act("merge", primary=one.contact_id, other=other.contact_id)
    world.settle()
    links = {link.pk: (link.contact_id, link.gone) for link in world.links()}
    assert sorted((links[one.pk], links[other.pk])) == sorted(
        [(id, ""), (links[other.pk][0] if links[one.pk][0] == id else links[one.pk][0], "merged")]
    )
    (left,) = [link for link in (one, other) if links[link.pk][1] == ""]
    assert len(world.cards_of(left)) == 2
    assert {record.bucket for record in world.cards_of(left)} == {"linked", "merged"}
    assert world.contact(id)["sansan_link_id"] == str(left.key)
    assert len(world.entries(reason="contact_merged")) == 1, "told once, however many ids the event names"


@REAL
@pytest.mark.parametrize("keeps", [False, True], ids=["a third record", "the primary stays"])
def test_after_a_merge_all_comes_to_rest(world, keeps):
    world.sandbox.hubspot.switches["merge_keeps_primary"] = keeps
    world.begin()
    one, other = world.links()[:2]
    id = world.act("merge", primary=one.contact_id, other=other.contact_id)
    world.settle()
    world.sync()
    world.settle()
    before, entries = world.sandbox.hubspot.changes, len(world.entries())
    world.act("edit", id=id, properties={"lifecyclestage": "customer"})
    world.settle()
    world.sync()
    assert world.sandbox.hubspot.changes == before + 1
    assert [entry.reason for entry in world.entries()[entries:]] == [], "nothing that is ours has changed"


@REAL
@pytest.mark.parametrize("keeps", [False, True], ids=["a third record", "the primary stays"])
def test_a_merge_with_a_stranger_keeps_the_link(world, keeps):
    """The linked contact is the one that disappears into the other."""
    world.sandbox.hubspot.switches["merge_keeps_primary"] = keeps
    world.begin(direction="to_hubspot")
    link = world.links()[0]
    (stranger,) = world.act("create", properties={"email": "stranger@delta.example.jp", "lastname": "Stranger"})
    id = world.act("merge", primary=stranger, other=link.contact_id)
    world.settle()
    link = world.link(link.pk)
    assert (link.contact_id, link.gone) == (id, "")
    assert [record.bucket for record in world.cards_of(link)] == ["linked"]
    assert world.contact(id)["sansan_link_id"] == str(link.key) and world.true


@REAL
def test_a_secondary_address_is_the_same_person(world):
    """A second address comes in by a merge in HubSpot; a card that carries it makes no second contact."""
    world.begin(direction="to_hubspot")
    link = world.titled()
    (stranger,) = world.act("create", properties={"email": "second@delta.example.jp", "lastname": "Stranger"})
    world.act("merge", primary=link.contact_id, other=stranger)
    world.settle()
    count = len(world.portal.contacts)
    (mine,) = world.cards_of(link)
    named = {name: world.sandbox.sansan.cards[mine.external_id][name] for name in ("lastName", "firstName", "companyName")}
    card = world.sandbox.sansan.add({**named, "email": "second@delta.example.jp", "exchangeDate": "2020-01-01"})
    world.sync()
    world.sync()
    assert len(world.portal.contacts) == count
    with in_account(world.rule.account):
        assert Record.objects.get(external_id=card["id"], side=Side.CARD).link_id == link.pk
    world.act("edit", id=world.link(link.pk).contact_id, properties={"jobtitle": "edited"})
    world.settle()
    assert world.contact(link.contact_id).get("jobtitle") != "edited"


@REAL
def test_many_contacts_of_one_time_do_not_stop_a_small_slice(world):
    """HubSpot's own jobs stamp thousands at once: slice after slice, the question gets through them all."""
    world.begin(direction="to_hubspot")
    world.act("webhooks", url=None)
    with in_account(world.rule.account):
        Connection.objects.filter(pk=world.rule.hubspot_id).update(heard_at=None)
    world.act("create", contacts=[{"lastname": f"n{i}"} for i in range(900)])
    made = [id for id, one in world.portal.contacts.items() if one.get("lastname", "").startswith("n") and "sansan_link_id" not in one]
    moment = timezone.now()
    world.act("stamp", at=moment.isoformat(), ids=made)
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    world.act("stamp", at=(moment + timedelta(milliseconds=5)).isoformat(), ids=[link.contact_id])

    def searches() -> int:
        return sum(n for call, n in world.sandbox.calls["by_call"].items() if "search" in call and "hubspot" in call)

    def put_right() -> bool:
        return world.contact(link.contact_id)["jobtitle"] != "edited"

    ended = []
    with in_account(world.rule.account):
        while not put_right() and len(ended) < 12:
            run = runs.start(world.rule, SyncRun.Trigger.COMMAND, "test")
            before = searches()
            ended.append(runs.work_slice(run.pk, 60.0, lambda before=before: searches() - before >= 3).done)
    assert put_right() and ended.count(False) >= 2, ended
