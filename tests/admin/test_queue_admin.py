"""The queue's pages: read by those who run the platform, written by nobody, for whoever could write
its rows could run any code.
"""

from __future__ import annotations

import base64
import pickle
import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Failure, OrmQ, Schedule, Task
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from core.admin.base import ReadOnlyAdmin
from core.admin.site import site
from integration import tasks
from integration.admin.queue import read_pickled_column
from tests.admin.pages import address, body, listed, page

QUEUE = list(apps.get_app_config("django_q").get_models())
SHOWN = (OrmQ, Failure, Schedule)
TRACE = (
    'no such column : Traceback (most recent call last):\n  File "sync.py", line '
    "1\n<script>alert(1)</script>"
)

pytestmark = pytest.mark.django_db


def resolvers(patterns):
    for one in patterns:
        yield one
        if isinstance(one, URLResolver):
            yield from resolvers(one.url_patterns)


def failed(**values: Any) -> Failure:
    now = timezone.now()
    row = {
        "id": "f" * 32,
        "name": "echo-nine",
        "func": "integration.tasks.work",
        "args": (7, 41),
        "result": TRACE,
        "success": False,
    }
    return Failure.objects.create(
        **{
            **row,
            "started": now - timedelta(seconds=95),
            "stopped": now - timedelta(seconds=5),
            **values,
        }
    )


@pytest.fixture
def rows() -> dict[Any, Any]:
    tasks.ensure_tick()
    return {
        Failure: failed(),
        Schedule: Schedule.objects.get(name="tick"),
        OrmQ: OrmQ.objects.get(key=Conf.PREFIX),
    }


# Who may what


@pytest.mark.parametrize("model", SHOWN)
def test_who_runs_the_platform_reads_it(root, rows, model):
    seen = root.get(listed(model))
    assert seen.status_code == root.get(page(rows[model])).status_code == 200
    assert listed(model) in body(root.get("/admin/")) and not seen.context["has_add_permission"]


@pytest.mark.parametrize("model", SHOWN)
def test_nobody_else_does(aiko, rows, model):
    assert aiko.get(listed(model)).status_code == aiko.get(page(rows[model])).status_code == 403
    assert listed(model) not in body(aiko.get("/admin/"))


@pytest.mark.parametrize("model", SHOWN)
def test_nobody_writes_it(root, rows, model):
    before = [
        list(one.objects.order_by("pk").values_list("pk", "func" if one is not OrmQ else "payload"))
        for one in SHOWN
    ]
    row = {
        "func": "os.system",
        "args": "'true'",
        "schedule_type": "O",
        "repeats": "1",
        "name": "x",
        "key": "x",
        "payload": "x",
    }
    assert (
        root.get(address(model, "add")).status_code
        == root.post(address(model, "add"), row).status_code
        == 403
    )
    assert root.post(page(rows[model]), row).status_code == 403
    assert root.post(address(rows[model], "delete"), {"post": "yes"}).status_code == 403
    for action in ("retry_failed", "resubmit_task", "delete_selected"):
        root.post(listed(model), {"action": action, "_selected_action": [str(rows[model].pk)]})
    assert before == [
        list(one.objects.order_by("pk").values_list("pk", "func" if one is not OrmQ else "payload"))
        for one in SHOWN
    ]
    assert isinstance(site._registry[model], ReadOnlyAdmin) and not site._registry[model].actions


@pytest.mark.parametrize(
    "model", [model for model in QUEUE if model not in SHOWN], ids=lambda model: model.__name__
)
@pytest.mark.parametrize("kind", ["changelist", "add"])
def test_no_address_leads_to_the_rest_of_it(model, kind):
    with pytest.raises(NoReverseMatch):
        reverse(f"admin:django_q_{model._meta.model_name}_{kind}")


def test_the_stock_site_is_not_routed():
    """It has the queue's pages, whose author registered them there."""
    assert any(model._meta.app_label == "django_q" for model in admin.site._registry), (
        "then nothing would be tested here"
    )
    found = [one for one in resolvers(get_resolver().url_patterns) if isinstance(one, URLResolver)]
    assert [one.app_name for one in found if one.app_name] == ["admin"]
    stock = {view for one in admin.site.urls[0] if (view := getattr(one, "callback", None))}
    assert not stock & {
        getattr(one, "callback", None) for one in resolvers(get_resolver().url_patterns)
    }


# What they show


def test_a_failed_task_says_what_it_worked_on_and_why_it_failed(root):
    one = failed()
    seen = body(root.get(listed(Failure)))
    assert "no such column" in seen and "Traceback" not in seen and "1 min 30 s" in seen
    assert "work #41" in seen
    seen = body(root.get(page(one)))
    assert f'href="{reverse("admin:integration_syncrun_change", args=[41])}"' in seen
    assert (
        "Traceback (most recent call last)" in seen
        and "<script>alert(1)" not in seen
        and "&lt;script&gt;alert(1)" in seen
    )


def test_what_was_pickled_is_never_run(root, tmp_path):
    """A row that somebody else put there. The queue itself would run it."""

    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    one = failed()
    bad = base64.b64encode(pickle.dumps(Harm())).decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_task SET args = %s, result = %s", [bad, bad])
    assert root.get(listed(Failure)).status_code == root.get(page(one)).status_code == 200
    assert not (tmp_path / "written").exists()


NO_PICKLES = {
    "none": None,
    "empty": "",
    "no base64": "nonsense",
    "a pickle cut short": "gASV",
    "a pickle of nothing": base64.b64encode(b"\x80\x04.").decode(),
}


@pytest.mark.parametrize("stored", NO_PICKLES.values(), ids=NO_PICKLES)
def test_bytes_that_are_nothing(stored):
    assert read_pickled_column(stored) is None


LEADING_NOWHERE = {
    "none": (),
    "a single one": (7,),
    "texts": ("a", "b"),
    "not a tuple": None,
}


@pytest.mark.parametrize("args", LEADING_NOWHERE.values(), ids=LEADING_NOWHERE)
def test_arguments_that_lead_nowhere(root, args):
    one = failed(args=args)
    assert "work" in body(root.get(listed(Failure))) and root.get(page(one)).status_code == 200


def test_a_queued_task_waits_or_is_at_work(root):
    async_task("integration.tasks.work", 7, 41)
    async_task("integration.tasks.heard", 7, 3)
    last = OrmQ.objects.order_by("pk").last()
    OrmQ.objects.filter(pk=last.pk).update(lock=timezone.now() + timedelta(seconds=290))
    seen = body(root.get(listed(OrmQ)))
    assert "Waiting" in seen and "At work" in seen and ">5 min ago<" in seen
    assert "work #41" in seen and "heard #3" in seen
    assert reverse("admin:integration_connection_change", args=[3]) in body(root.get(page(last)))


def test_a_task_of_another_secret_key_is_told(root, settings):
    async_task("integration.tasks.work", 7, 41)
    OrmQ.objects.update(
        payload=SignedPackage.dumps({"func": "integration.tasks.work"})[:-3] + "AAA"
    )
    assert all(
        "Signed with another key" in body(root.get(url))
        for url in (listed(OrmQ), page(OrmQ.objects.get()))
    )


def test_a_task_that_is_no_name_but_a_function(root):
    """As somebody at a Python prompt enqueues it."""
    async_task(print, "hello")
    assert (
        "print" in body(root.get(listed(OrmQ)))
        and root.get(page(OrmQ.objects.get())).status_code == 200
    )


def test_the_tick_stands_among_the_scheduled_tasks(root):
    tasks.ensure_tick()
    assert re.search(r">\s*tick\s*<", body(root.get(listed(Schedule))))
    assert re.search(r">\s*tick\s*<", body(root.get(page(Schedule.objects.get()))))


def test_empty_lists_say_what_that_means(root):
    assert "No task waits." in body(root.get(listed(OrmQ)))
    assert "No task has failed in the last three days." in body(root.get(listed(Failure)))
    assert "Nothing is scheduled" in body(root.get(listed(Schedule)))


def test_what_succeeded_is_not_kept(settings):
    """The ledger tells of it; a row for each slice would only have to be deleted again."""
    assert settings.Q_CLUSTER["save_limit"] < 0 and Task not in site._registry
