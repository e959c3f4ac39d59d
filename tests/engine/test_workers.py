"""Real workers: ``qcluster`` as a process, with the database or Redis between its parts, over a
sandbox.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

import psutil
import pytest
import redis

from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, file
from tests.engine.oracle import contacts_of, expected
from tests.process import ROOT, Product, wait_for

REDIS = "redis://127.0.0.1:6379"
QUEUE = "django_q:meishi-bridge:q"
# A change is to be in HubSpot within a minute of its being made.
SOON = 60


class Workers:
    """The watchdog, its cluster, and everything below them."""

    def __init__(self, product: Product) -> None:
        self.log = product.home / "workers.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "qcluster"],
                cwd=ROOT,
                env=product.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def cluster(self) -> psutil.Process | None:
        """The process under the watchdog."""
        return next(iter(psutil.Process(self.process.pid).children()), None)

    @property
    def all(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def told(self) -> str:
        return self.log.read_text()


@pytest.fixture
def served(tmp_path):
    """Starts a sandbox, a configured product and its workers."""
    with contextlib.ExitStack() as stack:

        def start(broker: str = "", **environment: str) -> tuple[Sandbox, Product, Workers]:
            sandbox = stack.enter_context(Sandbox(cards=40, limits=False))
            environment |= {"BROKER_URL": broker, "Q_WORKERS": "2", "SYNC_WORKERS": "2"}
            product = Product(tmp_path, sandbox.url, empty=False, **environment)
            product.configured(file(interval=5))
            workers = Workers(product)
            stack.callback(end, workers)
            return sandbox, product, workers

        yield start


def end(workers: Workers) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(workers.process.pid), *workers.all]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    workers.process.wait(10)


@pytest.fixture
def redis_url(worker_id):
    """A database of Redis for each process of the tests: workers of two installations on one queue
    would take each other's tasks.
    """
    number = 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))
    url = f"{REDIS}/{8 + number % 8}"
    client = redis.from_url(url, socket_connect_timeout=1)
    try:
        client.ping()
    except redis.RedisError:
        pytest.skip("no Redis answers at 127.0.0.1:6379")
    client.delete(QUEUE)
    yield url
    client.delete(QUEUE)


@pytest.fixture
def postgresql(own_database):
    if not (own := own_database()):
        pytest.skip("the tests do not run on PostgreSQL here (DATABASE_URL)")
    return own


def in_step(sandbox: Sandbox) -> bool:
    return contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def somebody(sandbox: Sandbox) -> str:
    """The id of a card that stands for a contact of its own."""
    addresses = [card["email"] for card in sandbox.sansan.cards.values()]
    return next(
        str(id)
        for id, card in sandbox.sansan.cards.items()
        if card["email"] and addresses.count(card["email"]) == 1
    )


def test_a_change_arrives_by_itself(served):
    sandbox, product, workers = served()
    wait_for(lambda: in_step(sandbox), SOON, told=workers.told)
    sandbox.sansan.change(somebody(sandbox), {"title": "昇進しました"})
    wait_for(lambda: in_step(sandbox), SOON, told=workers.told)
    runs = "SELECT kind, started_by, updated FROM integration_syncrun ORDER BY id"
    wait_for(
        lambda: product.rows(runs) == [("initial", "", 0), ("incremental", "", 1)],
        5,
        told=lambda: product.rows(runs),
    )
    assert product.rows("SELECT count(*) FROM django_q_task WHERE success = 0") == [(0,)]
    assert product.rows("SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL") == [
        (0,)
    ]

    below = workers.all
    assert len(below) >= 5  # the cluster, its guard, two workers, and who hands out and who stores
    workers.process.send_signal(signal.SIGTERM)
    assert workers.process.wait(20) == 0
    assert not [
        process
        for process in below
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]
    assert "Traceback" not in workers.told()


def test_with_redis_a_killed_cluster_comes_back_and_goes_on(served, redis_url):
    sandbox, product, workers = served(redis_url)
    wait_for(lambda: in_step(sandbox), SOON, told=workers.told)
    assert product.rows("SELECT count(*) FROM django_q_ormq") == [(0,)]
    first = workers.cluster
    sandbox.sansan.change(somebody(sandbox), {"title": "昇進しました"})
    below = first.children(recursive=True)
    first.kill()
    wait_for(lambda: (now := workers.cluster) and now.pid != first.pid, 20, told=workers.told)
    wait_for(lambda: in_step(sandbox), SOON, told=workers.told)
    # What a killed parent leaves behind would go on taking tasks.
    assert not [
        process
        for process in below
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]
    workers.process.send_signal(signal.SIGTERM)
    assert workers.process.wait(20) == 0
    assert "cluster_ended" in workers.told()


def test_two_hosts_on_postgresql_and_redis(served, postgresql, redis_url):
    sandbox, product, workers = served(redis_url, **postgresql)
    second = Workers(product)
    try:
        wait_for(lambda: in_step(sandbox), SOON, told=workers.told)
        for _ in range(2):
            sandbox.sansan.churn(30)
            wait_for(lambda: in_step(sandbox), SOON, told=workers.told)
        # The contacts are there before their entries are closed and counted.
        wait_for(
            lambda: (
                product.rows("SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL")
                == [(0,)]
            ),
            10,
            told=workers.told,
        )
        assert product.rows("SELECT sum(created) FROM integration_syncrun") == [
            (len(contacts_of(sandbox, TOKEN)),)
        ]
        for one in (workers, second):
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(30) == 0 and "Traceback" not in one.told()
    finally:
        end(second)
