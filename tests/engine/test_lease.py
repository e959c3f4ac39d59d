"""The lease on a HubSpot connection: one holder at a time, and a fence against the one who came too
late.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.models import Connection
from integration.slice.lease import Lease, LeaseLost, claim_lease
from tests.core import rows
from tests.process import ROOT

LATER = 91  # seconds; a lease lasts 90


@pytest.fixture
def hubspot(db, settings):
    settings.SYNC_LEASE_SECONDS = 90
    account = rows.account()
    one = rows.connection(account)
    with in_account(account):
        yield one


def held(connection: Connection) -> tuple[str, bool]:
    connection.refresh_from_db()
    return connection.lease_token, connection.lease_until is not None


def renew(lease: Lease) -> None:
    """A write of a slice, which renews its lease first."""
    with lease.transaction():
        pass


def claimed(connection: Connection) -> Lease:
    """The lease, which nobody holds."""
    lease = claim_lease(connection)
    assert lease
    return lease


def test_one_holder_at_a_time(hubspot):
    first = claimed(hubspot)
    assert held(hubspot) == (first.token, True)
    assert claim_lease(hubspot) is None and held(hubspot) == (first.token, True)
    first.release()
    assert held(hubspot) == ("", False)
    second = claimed(hubspot)
    assert second.token != first.token


def test_another_connection_is_free(hubspot):
    other = rows.connection(hubspot.account, slug="other")
    assert claim_lease(hubspot) and claim_lease(other)


def test_it_ends_by_itself(hubspot, time_machine_later):
    first = claimed(hubspot)
    time_machine_later(seconds=LATER - 2)
    assert claim_lease(hubspot) is None
    time_machine_later(seconds=2)
    second = claimed(hubspot)
    assert second.token != first.token


def test_renewed_it_goes_on(hubspot, time_machine_later):
    first = claimed(hubspot)
    for _ in range(3):
        time_machine_later(seconds=60)
        renew(first)
    assert claim_lease(hubspot) is None
    hubspot.refresh_from_db()
    assert 85 < (hubspot.lease_until - timezone.now()).total_seconds() <= 90


def test_one_that_ended_but_was_not_taken_can_still_be_renewed(hubspot, time_machine_later):
    first = claimed(hubspot)
    time_machine_later(seconds=LATER)
    renew(first)
    assert claim_lease(hubspot) is None


def test_whoever_lost_it_writes_nothing_more(hubspot, time_machine_later):
    first = claimed(hubspot)
    time_machine_later(seconds=LATER)
    second = claimed(hubspot)
    with pytest.raises(LeaseLost):
        renew(first)
    renew(second)


def test_whoever_lost_it_cannot_give_it_away(hubspot, time_machine_later):
    first = claimed(hubspot)
    time_machine_later(seconds=LATER)
    second = claimed(hubspot)
    first.release()
    assert held(hubspot) == (second.token, True) and claim_lease(hubspot) is None


def test_a_lease_that_was_given_back_cannot_be_renewed(hubspot):
    first = claimed(hubspot)
    first.release()
    with pytest.raises(LeaseLost):
        renew(first)


def test_a_connection_that_is_gone_has_none(hubspot):
    first = claimed(hubspot)
    Connection.objects.filter(pk=hubspot.pk).delete()
    assert claim_lease(hubspot) is None
    with pytest.raises(LeaseLost):
        renew(first)


RACE = """
import json, threading
from core.models import Account
from core.tenancy import in_account
from django.db import connections
from integration.slice.lease import claim_lease
from integration.models import Connection
account, _ = Account.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
with in_account(account):
    for i in range(10):
        ends = {"system": "hubspot", "credentials": {}}
        Connection.objects.get_or_create(account=account, slug=str(i), defaults=ends)
got, start = [], threading.Barrier(8)
def race():
    with in_account(account):
        for one in Connection.objects.order_by("pk"):
            start.wait()
            if claim_lease(one):
                got.append(one.slug)
    connections.close_all()
threads = [threading.Thread(target=race) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(got))
"""


def test_of_many_who_ask_at_once_one_gets_it(product):
    done = subprocess.run(
        product.script(RACE),
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == [str(i) for i in range(10)]
