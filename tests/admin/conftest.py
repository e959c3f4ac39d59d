"""The cast at the admin's door: Aiko owns Acme, Ben is on her team, Chie is of birch, Dan of
nobody's, Emi of both, root of the platform.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django_q.conf import Conf
from django_q.models import OrmQ

from core.models import Role, User
from tests.admin.world import furnish, joins, team


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # It looks for every static file whenever a client is made.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    cache.clear()


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """No page calls a vendor, whatever it does with the answer."""
    tried: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise ConnectionRefusedError(address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield tried
    assert tried == []


def browser(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


@pytest.fixture
def acme(db: None) -> SimpleNamespace:
    return furnish("acme", "aiko")


@pytest.fixture
def birch(db: None) -> SimpleNamespace:
    return furnish("birch", "chie")


@pytest.fixture
def aiko(acme: SimpleNamespace) -> Client:
    return browser(acme.owner)


@pytest.fixture
def ben(acme: SimpleNamespace, request: pytest.FixtureRequest) -> Client:
    """A viewer, unless the test says otherwise: ``parametrize("ben", [...], indirect=True)``."""
    return browser(team(acme, "ben", getattr(request, "param", Role.VIEWER)))


@pytest.fixture
def chie(birch: SimpleNamespace) -> Client:
    return browser(birch.owner)


@pytest.fixture
def dan(db: None) -> Client:
    """On the staff, and a member of no account."""
    return browser(User.objects.create_user("dan", is_staff=True))


@pytest.fixture
def emi(acme: SimpleNamespace, birch: SimpleNamespace) -> Client:
    """Owns Acme, and may only look at birch."""
    user = team(acme, "emi", Role.OWNER)
    joins(user, birch, Role.VIEWER)
    return browser(user)


@pytest.fixture
def root(db: None) -> Client:
    return browser(User.objects.create_superuser("root"))


@pytest.fixture
def queued(django_capture_on_commit_callbacks: Any) -> Callable[[Callable[[], Any]], list[Any]]:
    """Does something, commits it, and returns the tasks that it enqueued."""

    def do(something: Callable[[], Any]) -> list[Any]:
        with django_capture_on_commit_callbacks(execute=True):
            something()
        return [
            (row.task["func"], row.task["args"])
            for row in OrmQ.objects.filter(key=Conf.PREFIX).order_by("pk")
        ]

    return do
