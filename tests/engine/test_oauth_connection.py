"""A HubSpot account that a person signed in to: the code becomes tokens in a worker, tokens are
renewed in time, and none of them is shown.
"""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client
from django.urls import reverse

from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.connections.credentials import make_connector
from integration.connections.properties import ensure_own_properties
from integration.connectors.hubspot.oauth import HubSpotOAuth, OAuthTokens
from integration.models import Connection, FieldMapping, SyncRule
from integration.notes import is_note, note
from integration.rules.file import make_default_mappings
from tests.cast import KEY, member, sync
from tests.core import rows
from tests.engine.oracle import contacts_of, expected
from tests.engine.test_secrets import everything_stored
from tests.engine.test_tasks import (
    queue,  # noqa: F401
    work_off,
)

pytestmark = pytest.mark.django_db
APP, SECRET = "bridge-app", "invented-secret-of-the-app"
PORTAL = f"pat-oauth-{APP}"


@pytest.fixture(autouse=True)
def app(settings, sandbox, queue):  # noqa: F811
    settings.HUBSPOT_CLIENT_ID, settings.HUBSPOT_CLIENT_SECRET, settings.HUBSPOT_APP_URL = (
        APP,
        SECRET,
        sandbox.url,
    )


@pytest.fixture
def account():
    return rows.account()


@pytest.fixture
def aiko(account):
    client = Client()
    client.force_login(member("aiko", account))
    return client


def signed_in(browser: Client, account, **press: str) -> tuple[str, str]:
    """From our page to HubSpot's, and back: (the code, where we led then)."""
    begun = browser.post(
        reverse("admin:integration_setup"),
        {"account": account.pk, "slug": "cards", "action": "oauth"},
    )
    answer = requests.post(begun["Location"], data=press, allow_redirects=False, timeout=5)
    back = urlsplit(answer.headers["Location"])
    led = browser.get(back.path, {name: value[0] for name, value in parse_qs(back.query).items()})
    assert led.status_code == 302
    return parse_qs(back.query).get("code", [""])[0], led["Location"]


def stored(account) -> Connection:
    with in_account(account):
        return Connection.objects.select_related("account").get(system="hubspot")


@pytest.fixture
def connection(aiko, account):
    signed_in(aiko, account)
    work_off()
    return stored(account)


@pytest.fixture
def rule(account, connection):
    rows.connection(account, "sansan", KEY, rate_calls=0)
    made = rows.rule(account, state="active")
    with in_account(account):
        FieldMapping.objects.bulk_create(
            FieldMapping(account=account, rule=made, position=i, **row)
            for i, row in enumerate(make_default_mappings())
        )
        made = SyncRule.objects.select_related(
            "account", "sansan__account", "hubspot__account"
        ).get(pk=made.pk)
        ensure_own_properties(made)
        return made


def token_calls(sandbox) -> int:
    return sum(n for call, n in sandbox.calls["by_call"].items() if "/token" in call)


# The code


def test_the_code_is_exchanged_by_a_worker(sandbox, aiko, account, queue):  # noqa: F811
    code, led = signed_in(aiko, account)
    waiting = stored(account)
    assert f"hubspot={waiting.pk}" in led and "slug=cards" in led and code not in led
    assert (waiting.health, waiting.credentials["code"], waiting.hint) == (
        "untested",
        code,
        "OAuth",
    )
    assert token_calls(sandbox) == 0 and queue() == [("check", (account.pk, waiting.pk))]
    work_off()
    done = stored(account)
    assert (
        done.credentials.keys() == {"access_token", "refresh_token", "expires_at"}
        and token_calls(sandbox) == 1
    )
    assert 1500 < done.credentials["expires_at"] - time.time() <= 1800
    assert (done.health, done.remote_id) == (
        "ok",
        str(sandbox.hubspot.portal(PORTAL).id),
    ) and done.schema


def test_a_code_that_was_spent_is_told(aiko, account, connection):
    with in_account(account):
        second = Connection(account=account, slug="second", system="hubspot")
        second.credentials = {"code": "spent", "redirect_uri": "http://testserver/admin/"}
        second.save()
        tasks.enqueue_check(second)
        work_off()
        second.refresh_from_db()
    assert second.health == "reconnect" and second.health_detail == note("consent_spent")


def test_a_refusal_makes_no_connection(aiko, account, queue):  # noqa: F811
    code, led = signed_in(aiko, account, cancel="1")
    assert code == "" and "hubspot=" not in led and queue() == []
    with in_account(account):
        assert not Connection.objects.exists()


def test_a_vendor_that_is_down_leaves_the_connection_to_be_tried_again(sandbox, aiko, account):
    sandbox.faults.arm("hubspot", "status", match="token", status=503)
    signed_in(aiko, account)
    work_off()
    assert stored(account).health == "unreachable"
    tasks.enqueue_check(stored(account))
    work_off()
    assert stored(account).health == "ok"


# The tokens


def test_a_token_that_lasts_is_not_renewed(sandbox, connection):
    sandbox.reset_calls()
    with in_account(connection.account):
        for _ in range(3):
            make_connector(stored(connection.account))
    assert token_calls(sandbox) == 0


def test_a_token_that_ends_soon_is_renewed_before_it_is_used(
    sandbox, connection, time_machine_later
):
    old = connection.credentials
    time_machine_later(seconds=1800 - 119)
    with in_account(connection.account):
        make_connector(stored(connection.account))
    new = stored(connection.account).credentials
    assert new["access_token"] != old["access_token"] and new["expires_at"] > old["expires_at"]
    assert token_calls(sandbox) == 2


def test_a_run_that_outlives_its_token_goes_on(sandbox, rule):
    """Each slice, and each look at the portal, begins with a token that lasts."""
    sandbox.hubspot.switches["oauth_seconds"] = 100
    run = sync(rule)
    assert (run.state, contacts_of(sandbox, PORTAL)) == (
        "succeeded",
        expected(list(sandbox.sansan.cards.values())),
    )


def test_a_sync_by_oauth(sandbox, rule):
    run = sync(rule)
    assert (run.state, contacts_of(sandbox, PORTAL)) == (
        "succeeded",
        expected(list(sandbox.sansan.cards.values())),
    )
    assert sync(rule, full=True).counts["updated"] == 0


def test_a_new_refresh_token_replaces_the_old_one(
    sandbox, connection, monkeypatch, time_machine_later
):
    monkeypatch.setattr(
        HubSpotOAuth,
        "refresh",
        lambda self, old: OAuthTokens("access-2", "refresh-2", 1800, ""),
    )
    time_machine_later(seconds=1800)
    with in_account(connection.account):
        make_connector(stored(connection.account))
    assert (
        stored(connection.account).credentials["refresh_token"],
        stored(connection.account).secret,
    ) == ("refresh-2", "access-2")


# The end of a connection


@pytest.mark.parametrize("how", ["revoke", "close"])
def test_a_connection_that_hubspot_has_ended_holds_its_rule(sandbox, rule, time_machine_later, how):
    sync(rule)
    sandbox.hubspot.control(how, {"token": PORTAL})
    time_machine_later(seconds=1800)
    sandbox.sansan.churn(20)
    run = sync(rule)
    assert (run.state, run.reason) == ("failed", "hubspot_reconnect")
    with in_account(rule.account):
        held, lost = SyncRule.objects.get(), stored(rule.account)
    assert (held.state, lost.health) == ("held", "reconnect")
    assert held.state_reason == lost.health_detail and is_note(held.state_reason)


def test_a_token_that_stopped_working_before_its_time_holds_the_rule_too(sandbox, rule):
    sync(rule)
    sandbox.hubspot.revoked.add(PORTAL)
    sandbox.sansan.churn(20)
    assert sync(rule).reason == "hubspot_reconnect"


def test_a_vendor_that_is_down_while_a_token_is_renewed_holds_nothing(
    sandbox, rule, time_machine_later
):
    sync(rule)
    time_machine_later(seconds=1800)
    sandbox.faults.arm("hubspot", "status", match="token", status=503)
    sandbox.sansan.churn(20)
    assert sync(rule).state == "succeeded"
    with in_account(rule.account):
        assert (SyncRule.objects.get().state, stored(rule.account).health) == ("active", "ok")
    assert contacts_of(sandbox, PORTAL) == expected(list(sandbox.sansan.cards.values()))


def test_two_workers_renew_the_same_token(sandbox, connection, time_machine_later):
    time_machine_later(seconds=1800)
    with in_account(connection.account):
        one, other = stored(connection.account), stored(connection.account)
        assert make_connector(one).check().id == make_connector(other).check().id


# Nothing is shown


def test_no_token_leaves_encryption(sandbox, aiko, rule, time_machine_later, capfd):
    first = stored(rule.account).credentials
    sync(rule)
    time_machine_later(seconds=1700)
    tasks.enqueue_check(rule.hubspot)
    sandbox.faults.arm(
        "hubspot",
        "status",
        match="batch",
        times=1,
        status=400,
        body={"message": f"bad {first['access_token']}", "category": "X"},
    )
    sandbox.sansan.churn(50)
    sync(rule)
    work_off()
    sandbox.hubspot.revoked.add(PORTAL)
    time_machine_later(seconds=1800)
    sync(rule)
    secret = {
        SECRET,
        first["access_token"],
        first["refresh_token"],
        *stored(rule.account).credentials.values(),
    }
    secret = {str(one) for one in secret if isinstance(one, str)}
    assert len(secret) == 4
    pages = [
        reverse("admin:integration_setup"),
        reverse("admin:integration_connection_changelist"),
        reverse("admin:index"),
        reverse("admin:integration_connection_change", args=[rule.hubspot_id]),
        reverse("admin:integration_setup_connect", args=[rule.pk]),
        reverse("admin:integration_syncrule_change", args=[rule.pk]),
        reverse("admin:integration_syncrun_changelist"),
        reverse("admin:integration_setup_connection", args=[rule.hubspot_id]),
    ]
    seen = capfd.readouterr()
    for text in (
        everything_stored(),
        seen.out,
        seen.err,
        *(aiko.get(url).content.decode() for url in pages),
    ):
        assert not [one for one in secret if one in text]


def test_a_code_is_stored_encrypted_too(aiko, account):
    code, _led = signed_in(aiko, account)
    session = dict(aiko.session)
    assert code and code not in everything_stored() and code not in str(session)
    assert "hubspot_oauth" not in session
    with all_accounts():
        assert "redirect_uri" not in str(Connection.history.values())
