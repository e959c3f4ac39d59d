"""The pool: vendor calls in threads, everything else in this one; with one worker, calls in
turn.
"""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connections

from integration.slice.pool import Pool

BOTH = pytest.mark.parametrize("workers", [1, 4])
HERE = threading.get_ident


@pytest.fixture
def pool_of():
    pools = []

    def make(workers: int) -> Pool:
        pools.append(Pool(workers))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@BOTH
def test_an_answer_comes_back_to_who_asked(pool_of, workers):
    pool, got = pool_of(workers), {}

    def work(name: str):
        got[name] = [(yield lambda: name + "1")]
        got[name].append((yield lambda: name + "2"))

    for name in "abcdef":
        pool.start(work(name))
    assert len(pool) == 6
    pool.drain()
    assert len(pool) == 0 and got == {name: [name + "1", name + "2"] for name in "abcdef"}


@BOTH
def test_everything_but_the_calls_is_in_this_thread(pool_of, workers):
    pool, between, calls = pool_of(workers), set(), set()

    def work():
        between.add(HERE())
        yield lambda: calls.add(HERE())
        between.add(HERE())
        yield lambda: calls.add(HERE())
        between.add(HERE())

    for _ in range(8):
        pool.start(work())
    pool.drain()
    assert between == {HERE()}
    assert calls == {HERE()} if workers == 1 else HERE() not in calls


def test_calls_run_side_by_side(pool_of):
    pool, together = pool_of(4), threading.Barrier(4, timeout=10)

    def work():
        yield together.wait  # goes on only when four are there

    for _ in range(4):
        pool.start(work())
    pool.drain()
    assert not together.broken


def test_no_more_calls_than_workers(pool_of):
    pool, lock, now, most = pool_of(2), threading.Lock(), [0], [0]

    def call() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1

    def work():
        yield call

    for _ in range(8):
        pool.start(work())
    pool.drain()
    assert most == [2]


@BOTH
def test_an_error_is_thrown_into_the_work_that_asked(pool_of, workers):
    pool, seen = pool_of(workers), []

    def careful():
        try:
            yield lambda: 1 / 0
        except ZeroDivisionError:
            seen.append("caught")
        seen.append((yield lambda: "went on"))

    pool.start(careful())
    pool.drain()
    assert seen == ["caught", "went on"]


@BOTH
def test_an_error_that_nobody_catches_comes_out_of_step_and_the_others_go_on(pool_of, workers):
    pool, done = pool_of(workers), []

    def fails():
        yield lambda: 1 / 0

    def works():
        done.append((yield lambda: "done"))

    pool.start(fails())
    with pytest.raises(ZeroDivisionError):
        pool.drain()
    pool.start(works())
    pool.drain()
    assert done == ["done"] and len(pool) == 0


@BOTH
def test_work_without_a_call_is_done_at_once(pool_of, workers):
    pool = pool_of(workers)

    def work():
        return
        yield

    pool.start(work())
    assert len(pool) == 0
    pool.drain()


@BOTH
def test_one_step_is_one_call(pool_of, workers):
    pool, got = pool_of(workers), []

    def work():
        for i in range(3):
            got.append((yield lambda i=i: i))

    pool.start(work())
    for steps in range(1, 4):
        pool.step()
        assert len(got) == steps
    assert len(pool) == 0


def test_with_one_worker_no_thread_is_started(pool_of):
    before = threading.active_count()
    pool = pool_of(1)

    def work():
        yield lambda: None

    pool.start(work())
    pool.drain()
    assert threading.active_count() == before


def test_closing_waits_for_calls_under_way_and_ends_their_work():
    pool, ended, under_way = Pool(3), [], threading.Event()

    def call() -> None:
        under_way.set()
        time.sleep(0.1)
        ended.append("call")

    def work():
        try:
            yield call
            ended.append("must not be reached")
        finally:
            ended.append("work")

    pool.start(work())
    under_way.wait(5)
    pool.close()
    assert ended == ["call", "work"]


def test_closing_drops_a_call_that_has_not_begun():
    pool, ended = Pool(1), []

    def work():
        try:
            yield lambda: ended.append("must not be reached")
        finally:
            ended.append("work")

    pool.start(work())
    pool.close()
    assert ended == ["work"]


@pytest.mark.django_db
def test_closing_leaves_no_thread_and_closes_their_connections(monkeypatch):
    closed = []
    monkeypatch.setattr(connections, "close_all", lambda: closed.append(HERE()))
    before, pool = threading.active_count(), Pool(4)

    def work():
        yield lambda: None

    pool.start(work())
    pool.drain()
    pool.close()
    assert threading.active_count() == before
    assert len(set(closed)) == 4 and HERE() not in closed
