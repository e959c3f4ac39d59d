"""A vendor's rate limit, kept ahead of time: never more than the limit in any window, and hardly
less.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Iterable

import pytest
from django.db import connection as database

from core.tenancy import in_account
from integration.connections import limiter
from integration.connections.limiter import LONGEST_WAIT, SharedLimiter, make_limiter
from integration.connectors.base import RetryLater
from integration.connectors.http import Limiter, Unlimited
from integration.models import Connection, RateSlot
from integration.notes import note
from tests.core import rows
from tests.process import session

RATES = [(4, 1.0), (100, 10.0), (190, 10.0), (20, 2.0), (1, 1.0), (3, 0.5), (10, 60.0)]


class Clock:
    """Stands for the module ``time``: a sleep is over at once, and as late as a machine may be."""

    def __init__(self, late: float = 0.0) -> None:
        self.now, self.late, self.random = 1_800_000_000.0, late, random.Random(1)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.random.random() * self.late


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(limiter, "time", clock)
    return clock


@pytest.fixture
def limited(db):
    """A limiter over a stored connection."""

    def make(
        calls: int | None = None, seconds: float | None = None, system: str = "hubspot", **values
    ) -> Limiter:
        slug = f"c{Connection._base_manager.count()}"
        there = Connection._base_manager.first()
        account = there.account if there else rows.account()
        return make_limiter(
            rows.connection(
                account, system, slug=slug, rate_calls=calls, rate_seconds=seconds, **values
            )
        )

    return make


def again(one: SharedLimiter) -> SharedLimiter:
    """The same connection as another process finds it."""
    with in_account(one.connection.account):
        found = Connection.objects.select_related("account").get(pk=one.connection.pk)
        same = make_limiter(found)
    assert isinstance(same, SharedLimiter)
    return same


def most_in_a_window(moments: Iterable[float], seconds: float) -> int:
    """The most calls that any window of this length holds, its end left out, as the vendors
    count.
    """
    moments = sorted(moments)
    return max(bisect_left(moments, start + seconds) - i for i, start in enumerate(moments))


# Never more


@pytest.mark.parametrize(("calls", "seconds"), RATES)
def test_never_more_than_the_limit_in_any_window(limited, clock, calls, seconds):
    one, rng, sent = limited(calls, seconds), random.Random(calls), []
    for _ in range(max(calls * 3, 12)):
        if rng.random() < 0.1:
            clock.now += rng.random() * seconds  # nothing to do for a while, and then much at once
        one.wait()
        sent.append(clock.now)
    # A hair's breadth: the sums of many floats.
    assert most_in_a_window(sent, seconds - 1e-4) <= calls


@pytest.mark.parametrize(("calls", "seconds"), [(100, 10.0), (190, 10.0), (20, 2.0)])
def test_late_threads_do_not_bunch_beyond_it(limited, clock, calls, seconds):
    clock.late = seconds / calls / 2
    one, sent = limited(calls, seconds), []
    for _ in range(calls * 3):
        one.wait()
        sent.append(clock.now)
    assert most_in_a_window(sent, seconds - 1e-4) <= calls


@pytest.mark.parametrize(("calls", "seconds"), [rate for rate in RATES if rate[0] > 1])
def test_hardly_less_than_the_limit(limited, clock, calls, seconds):
    one, began = limited(calls, seconds), clock.now
    for _ in range(calls * 4):
        one.wait()
    assert calls * 4 / (clock.now - began) >= 0.85 * calls / seconds


def test_a_lone_call_does_not_wait(limited, clock):
    one, began = limited(4, 1.0), clock.now
    for _ in range(3):
        one.wait()
        assert clock.now == began
        clock.now = began = began + 5


def test_a_few_calls_may_go_ahead(limited, clock):
    one, began = limited(190, 10.0), clock.now
    for _ in range(5):
        one.wait()
    assert clock.now == began
    one.wait()
    assert clock.now > began


def test_two_processes_share_one_limit(limited, clock):
    one, sent = limited(20, 2.0), []
    other = again(one)
    for i in range(60):
        (one if i % 3 else other).wait()
        sent.append(clock.now)
    assert most_in_a_window(sent, 2.0 - 1e-4) <= 20


def test_two_connections_do_not(limited, clock):
    one, other, began = limited(1, 10.0), limited(1, 10.0), clock.now
    one.wait()
    other.wait()
    assert clock.now == began


# Pause and learn


def test_a_pause_holds_everybody(limited, clock):
    one, began = limited(190, 10.0), clock.now
    one.wait()
    one.pause(7.0)
    again(one).wait()
    assert clock.now - began >= 7.0


def test_a_pause_never_shortens_another(limited, clock):
    one, began = limited(190, 10.0), clock.now
    one.wait()
    one.pause(15.0)
    one.pause(1.0)
    one.wait()
    assert clock.now - began >= 15.0


def test_a_long_pause_goes_back_to_the_engine(limited, clock):
    one = limited(190, 10.0)
    one.wait()
    one.pause(3600.0)
    began = clock.now
    with pytest.raises(RetryLater) as later:
        one.wait()
    assert clock.now == began and 3590 < later.value.after < 3610
    assert (later.value.reason, later.value.detail) == (
        "hubspot_unavailable",
        note("rate_limit_used_up"),
    )


def test_the_longest_wait_is_still_sat_out(limited, clock):
    one, began = limited(190, 10.0), clock.now
    one.wait()
    one.pause(LONGEST_WAIT - 1)
    one.wait()
    assert LONGEST_WAIT - 1 <= clock.now - began <= LONGEST_WAIT + 1


def test_what_the_vendor_tells_is_learnt_and_stored(limited, clock):
    one = limited()
    assert one.limit == (100, 10.0)
    one.learn(190, 10.0)
    assert one.limit == again(one).limit == (190, 10.0)
    sent = []
    for _ in range(400):
        one.wait()
        sent.append(clock.now)
    assert 150 < most_in_a_window(sent, 10.0 - 1e-4) <= 190


def test_the_same_again_costs_no_query(limited, django_assert_num_queries):
    one = limited()
    one.learn(190, 10.0)
    with django_assert_num_queries(0):
        one.learn(190, 10.0)
        one.learn(0, 10.0)
    assert one.limit == (190, 10.0)


def test_a_persons_own_limit_stands(limited):
    one = limited(50, 10.0)
    one.learn(190, 10.0)
    assert one.limit == again(one).limit == (50, 10.0)


@pytest.mark.parametrize(
    ("system", "values", "limit"),
    [
        ("sansan", {}, (4, 1.0)),
        ("hubspot", {}, (100, 10.0)),
        ("hubspot", {"learnt_calls": 190, "learnt_seconds": 10.0}, (190, 10.0)),
        ("hubspot", {"calls": 50}, (50, 10.0)),
        ("sansan", {"calls": 2}, (2, 1.0)),
        (
            "hubspot",
            {"calls": 50, "seconds": 5.0, "learnt_calls": 190, "learnt_seconds": 10.0},
            (50, 5.0),
        ),
    ],
    ids=[
        "Sansan's",
        "HubSpot's",
        "what was learnt",
        "a person's calls",
        "a person's calls to Sansan",
        "a person's before what was learnt",
    ],
)
def test_which_limit_holds(limited, system, values, limit):
    assert limited(system=system, **values).limit == limit


def test_none_for_a_sandbox_and_for_what_is_not_stored_yet(limited, db):
    assert isinstance(limited(0), Unlimited)
    assert isinstance(make_limiter(Connection(system="sansan")), Unlimited)


def test_sansans_limits_a_minute_are_kept_too(limited, clock):
    one, sent = limited(system="sansan"), []
    for _ in range(600):
        one.wait()
        sent.append(clock.now)
    assert most_in_a_window(sent, 60.0) <= 270 and most_in_a_window(sent, 1.0 - 1e-4) <= 4


def test_the_wait_is_outside_any_transaction(limited, monkeypatch):
    one, inside = limited(1, 5.0), []
    depth = len(database.savepoint_ids)
    monkeypatch.setattr(
        "integration.connections.limiter.time.sleep",
        lambda seconds: inside.append(len(database.savepoint_ids) - depth),
    )
    one.wait()
    one.wait()
    assert inside == [0]


def test_one_row_a_connection(limited, clock):
    one = limited(20, 2.0)
    for _ in range(5):
        one.wait()
    with in_account(one.connection.account):
        assert RateSlot.objects.count() == 1


# For real

CALLS, SECONDS, THREADS, EACH = 20, 1.0, 6, 6
REAL = """
import json, sys, threading, time
from core.models import Account
from core.tenancy import in_account
from django.db import connections
from integration.connections.limiter import make_limiter
from integration.models import Connection
account = Account.objects.get()
with in_account(account):
    one = make_limiter(Connection.objects.select_related("account").get())
sent = []
def call():
    for _ in range(int(sys.argv[2])):
        one.wait()
        sent.append(time.time())
    connections.close_all()
threads = [threading.Thread(target=call) for _ in range(int(sys.argv[1]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(sent))
"""
STORED = """
from core.models import Account
from core.tenancy import in_account
from integration.models import Connection
import sys
account = Account.objects.create(slug="acme", name="Acme")
with in_account(account):
    rate = {"rate_calls": sys.argv[1], "rate_seconds": sys.argv[2]}
    Connection.objects.create(account=account, slug="h", system="hubspot", credentials={}, **rate)
"""


def test_threads_of_two_processes_keep_to_one_limit(product):
    with session(product.script(STORED, CALLS, SECONDS), env=product.environment) as stored:
        assert stored.wait(30) == 0
    command = product.script(REAL, THREADS, EACH)
    with (
        session(command, env=product.environment) as one,
        session(command, env=product.environment) as other,
    ):
        outputs = [process.communicate(timeout=60) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    each = [json.loads(out) for out, _ in outputs]
    sent = sorted([*each[0], *each[1]])
    assert len(sent) == 2 * THREADS * EACH
    # One more than the limit at the most: a thread that the machine woke late comes close before
    # those of the next moment.
    assert most_in_a_window(sent, SECONDS) <= CALLS + 1
    assert len(sent) / (sent[-1] - sent[0]) > 0.6 * CALLS / SECONDS
    # Both had their share: neither waited for the other to end.
    assert min(map(max, each)) > max(map(min, each))
