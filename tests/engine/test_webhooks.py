"""Webhooks at the door: who may speak to whom, what is kept in the inbox, and which runs begin."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from structlog.testing import capture_logs

from core.models import Account
from core.tenancy import ScopeError, all_accounts, in_account
from integration import tasks
from integration.intake.inbox import (
    HeardChange,
    has_changes,
    put_changes,
    settle_changes,
    take_changes,
)
from integration.models import Connection, ContactChange, SyncRule, SyncRun
from integration.sandbox.hubspot import delivery
from integration.webhooks import LONGEST_BODY, NOTED_EVERY
from tests.core import rows
from tests.engine.test_tasks import waiting

pytestmark = pytest.mark.django_db
PATH = "/webhooks/hubspot/"
URL = f"http://testserver{PATH}"
APP, OWN, OTHER = (
    "app-client-secret-0001",
    "own-client-secret-of-acme",
    "own-client-secret-of-birch",
)
PORTAL = "12345678"
AT = 1_790_000_000_000


@pytest.fixture
def queue(monkeypatch: Any) -> Callable[[], list[Any]]:
    """A test's transaction never commits, so that what is enqueued goes to the queue at once."""
    monkeypatch.setattr("integration.tasks.transaction.on_commit", lambda call: call())
    return waiting


@pytest.fixture(autouse=True)
def installation(settings: Any) -> Any:
    settings.HUBSPOT_CLIENT_SECRET, settings.PUBLIC_URL, settings.HUBSPOT_WEBHOOK_V1 = (
        APP,
        "",
        False,
    )
    return settings


def connected(slug: str = "acme", own: str = "", portal: str = PORTAL, **values: Any) -> SyncRule:
    """An account whose rule writes to the portal."""
    rule = rows.rule(rows.account(slug), **{"state": "active", **values})
    with in_account(rule.account):
        rule.hubspot.remote_id = portal
        rule.hubspot.set_webhook_secret(own)
        rule.hubspot.save()
    return rule


def event(
    id: Any = 301,
    kind: str = "contact.propertyChange",
    at: int = AT,
    portal: Any = int(PORTAL),
    **more: Any,
) -> dict[str, Any]:
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
    headers = delivery.make_signed_headers(versions, secret, signed, body, stamp)
    return (client or Client(enforce_csrf_checks=True)).post(
        path, body, content_type="application/json", headers=headers, **more
    )


def noted() -> list[tuple[str, str, int, bool]]:
    """(account, contact, version, forgotten) of everything in the inbox."""
    with all_accounts():
        return [
            (one.account.slug, one.contact_id, one.version, one.forgotten)
            for one in ContactChange.objects.order_by("pk").select_related("account")
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


@pytest.mark.parametrize(
    ("secret", "spoken_to"), [(APP, ["acme", "birch"]), (OWN, ["acme"]), (OTHER, ["birch"])]
)
def test_a_connections_own_secret_speaks_for_it_alone(queue, secret, spoken_to):
    one, other = connected(own=OWN), connected("birch", own=OTHER)
    assert send(event(), secret=secret).status_code == 204
    assert sorted(slug for slug, *_ in noted()) == spoken_to
    assert sorted(args for _, args in queue()) == sorted(
        (rule.account_id, rule.hubspot_id)
        for rule in (one, other)
        if rule.account.slug in spoken_to
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
    """HubSpot sends what was refused ten times more: an app may have subscribed to companies,
    too.
    """
    connected(own=OWN)
    assert send(event(kind=kind), secret=secret).status_code == 204
    assert noted() == queue() == []


def test_a_new_secret_takes_the_place_of_the_old_one(queue):
    rule = connected(own=OWN)
    with in_account(rule.account):
        rule.hubspot.set_webhook_secret("another-secret-0001")
        rule.hubspot.save()
    assert (
        send(event(), secret=OWN).status_code,
        send(event(), secret="another-secret-0001").status_code,
    ) == (401, 204)
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
    assert (
        send(
            event(), signed=f"http://evil.example.test{PATH}", HTTP_HOST="evil.example.test"
        ).status_code
        == 400
    )
    assert noted() == []


# What is no webhook


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
def test_only_a_post_is_answered(queue, method):
    connected()
    assert getattr(Client(), method)(PATH).status_code == 405
    assert noted() == []


@pytest.mark.parametrize(
    "body", [b"", b"not JSON", b"{}", b"null", b"[1]", b"[null]", b"\xff\xfe", b"<html>"], ids=repr
)
@pytest.mark.parametrize("secret", [APP, "wrong"])
def test_a_body_that_is_none(queue, body, secret):
    connected()
    answer = send(body=body, secret=secret)
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")
    assert noted() == queue() == []


def test_a_body_that_is_too_long_is_not_read(queue):
    connected()
    assert send(body=b"[" + b" " * LONGEST_BODY + b"]").status_code == 413
    assert send(body=b"[" + b" " * (LONGEST_BODY - 2) + b"]").status_code == 204
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
    assert delivery.sign_body_v1(APP, json.dumps([event()]).encode()) not in seen


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
    time_machine_later(seconds=NOTED_EVERY.total_seconds() + 1)
    send(event())
    assert heard_at() > first


def test_settling_an_older_look_drops_nothing_newer():
    rule = connected()
    with in_account(rule.account):
        put_changes(
            rule.hubspot,
            [HeardChange("1", timezone.now()), HeardChange("2", timezone.now())],
            timezone.now(),
        )
        taken = take_changes(rule.hubspot_id)
        put_changes(rule.hubspot, [HeardChange("2", timezone.now(), True)], timezone.now())
        settle_changes(taken)
        assert [
            (one.contact_id, one.version, one.forgotten) for one in take_changes(rule.hubspot_id)
        ] == [("2", 2, True)]
        assert has_changes(rule.hubspot_id)
        settle_changes(take_changes(rule.hubspot_id))
        assert not has_changes(rule.hubspot_id)


def test_a_hundred_at_a_time_oldest_first():
    rule = connected()
    with in_account(rule.account):
        assert (
            put_changes(
                rule.hubspot,
                [HeardChange(str(i), timezone.now()) for i in range(250)],
                timezone.now(),
            )
            == 250
        )
        assert len(take_changes(rule.hubspot_id)) == 100
        assert put_changes(rule.hubspot, [], timezone.now()) == 0


def test_two_connections_have_an_inbox_each():
    one, other = connected(), connected("birch")
    for rule in (one, other):
        with in_account(rule.account):
            put_changes(rule.hubspot, [HeardChange("301", timezone.now())], timezone.now())
    with in_account(one.account):
        settle_changes(take_changes(one.hubspot_id))
    assert noted() == [("birch", "301", 1, False)]


def test_nobody_puts_anything_into_anothers_inbox():
    one, other = connected(), connected("birch")
    with in_account(one.account), pytest.raises(ScopeError):
        put_changes(other.hubspot, [HeardChange("301", timezone.now())], timezone.now())


# The task


def runs_of(rule: SyncRule) -> list[SyncRun]:
    with all_accounts():
        return list(SyncRun.objects.filter(rule=rule).order_by("pk"))


@pytest.mark.parametrize(
    ("state", "begun"), [("active", 1), ("paused", 0), ("draft", 0), ("held", 0)]
)
def test_the_rules_that_are_active_look_at_once(queue, state, begun):
    rule = connected(state=state)
    tasks.heard(rule.account_id, rule.hubspot_id)
    assert [run.trigger for run in runs_of(rule)] == ["webhook"] * begun
    assert queue() == [("work", (rule.account_id, run.pk)) for run in runs_of(rule)]


def test_each_rule_of_the_connection_and_no_other(queue):
    rule = connected()
    with in_account(rule.account):
        SyncRule.objects.create(
            account=rule.account,
            slug="second",
            state="active",
            sansan=rule.sansan,
            hubspot=rule.hubspot,
        )
    other = connected("birch", portal="99")
    tasks.heard(rule.account_id, rule.hubspot_id)
    assert len(queue()) == 2 and runs_of(other) == []


def test_an_open_run_takes_it_along(queue):
    rule = connected()
    for _ in range(2):
        tasks.heard(rule.account_id, rule.hubspot_id)
    assert len(runs_of(rule)) == 1


def test_a_connection_that_is_gone_or_suspended_is_no_fault(queue):
    rule = connected()
    tasks.heard(rule.account_id, 999_999)
    tasks.heard(999_999, rule.hubspot_id)
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
    tasks.start_due_runs()
    assert runs_of(rule) == [], "the task may still come"
    time_machine_later(seconds=6)
    tasks.start_due_runs()
    assert [run.trigger for run in runs_of(rule)] == ["webhook"]
    assert [name for name, _ in queue()] == ["work"]
