"""Heartbeats: whether the workers work, for those who run the platform."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integration.models import Heartbeat
from tests.admin.pages import address, body, listed, page

pytestmark = pytest.mark.django_db


BEATS = {
    "just now": (0, "Working"),
    "two minutes ago": (2, "Working"),
    "four minutes ago": (4, "Quiet"),
    "three days ago": (60 * 24 * 3, "Quiet"),
}


@pytest.mark.parametrize(("minutes", "state"), BEATS.values(), ids=BEATS)
def test_a_host_works_or_is_quiet(root, minutes, state):
    Heartbeat.objects.create(host="worker-1", beat_at=timezone.now() - timedelta(minutes=minutes))
    seen = body(root.get(listed(Heartbeat)))
    assert "worker-1" in seen and f">{state}</span>" in seen


def test_a_host_whose_clock_is_ahead_is_no_failure(root):
    one = Heartbeat.objects.create(
        host="worker-1", beat_at=timezone.now() + timedelta(minutes=5), ticked_at=None
    )
    assert root.get(listed(Heartbeat)).status_code == root.get(page(one)).status_code == 200


def test_only_a_superuser_sees_them(acme, root, aiko):
    assert aiko.get(listed(Heartbeat)).status_code == 403 and listed(Heartbeat) not in body(
        aiko.get("/admin/")
    )
    assert listed(Heartbeat) in body(root.get("/admin/"))


def test_nobody_makes_or_changes_one(root, acme):
    assert root.post(address(Heartbeat, "add"), {"host": "x"}).status_code == 403
    assert root.post(page(acme.heartbeat), {"host": "x"}).status_code == 403
    assert root.post(address(acme.heartbeat, "delete"), {"post": "yes"}).status_code == 403
