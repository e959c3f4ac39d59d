"""The queue's own tables, to be read by those who run the platform. Whoever could write their rows
could run any code.

That they are empty proves nothing, and what failed is begun anew from the ledger: these pages help
to find out why it did.
"""

from __future__ import annotations

import base64
import io
import pickle
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.signing import BadSignature
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Failure, OrmQ, Schedule
from django_q.signing import SignedPackage

from core.admin.base import PlatformRights, ReadOnlyAdmin, display, site
from integration.admin.parts.shown import make_badge, show_duration, show_moment

# Task -> the page of the row that it takes, and which of its arguments is the row's id.
TASK_PAGES = {
    "work": ("integration_syncrun", 1),
    **dict.fromkeys(
        ("check", "tags", "count_cards", "sample", "heard"), ("integration_connection", 1)
    ),
    "depart": ("core_departure", 0),
}
# How long the queue keeps a task that a worker has taken from the others.
TASK_LOCK_TIME = timedelta(seconds=settings.Q_CLUSTER["retry"])


class PlainUnpickler(pickle.Unpickler):
    """Reads what the queue pickled as long as it is text, numbers and tuples of these: nothing is
    looked up, and nothing is run.
    """

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(name)


def read_pickled_column(stored: str | None) -> Any:
    """What a pickled column holds; None where it is none of ours."""
    try:
        return PlainUnpickler(io.BytesIO(base64.b64decode(stored or ""))).load()
    except Exception:  # whatever bytes can be: a page that explains failures has none of its own
        return None


def name_task(func: str) -> str:
    return func.rpartition(".")[2]


def find_task_row(func: str, args: Any) -> tuple[str, int] | None:
    """(name of the page, id) of the row that a task works on; None where nothing is to be told."""
    page, place = TASK_PAGES.get(name_task(func), ("", 0))
    told = page and isinstance(args, tuple) and len(args) > place and isinstance(args[place], int)
    return (page, args[place]) if told else None


def describe_task(func: str, args: Any) -> str:
    row = find_task_row(func, args)
    return f"{name_task(func)} #{row[1]}" if row else name_task(func)


def link_task_row(func: str, args: Any) -> SafeString:
    """The row may be gone by now."""
    row = find_task_row(func, args)
    return (
        format_html(
            '<a class="text-link" href="{}">#{}</a>',
            reverse(f"admin:{row[0]}_change", args=[row[1]]),
            row[1],
        )
        if row
        else SafeString("–")
    )


@admin.register(OrmQ, site=site)
class QueuedTaskAdmin(PlatformRights, ReadOnlyAdmin):
    empty_text = (
        gettext_lazy("With Redis the queue waits there, and none of it is shown here.")
        if "redis" in settings.Q_CLUSTER
        else gettext_lazy("No task waits.")
    )
    list_display = ("what", "state", "since")
    ordering = ("pk",)
    fields = ("what", "row", "state", "since")
    readonly_fields = fields

    @display(description=gettext_lazy("task"))
    def what(self, obj: OrmQ) -> str:
        sent = read_queued_task(obj)
        return describe_task(*sent) if sent else _("Signed with another key")

    @display(description=gettext_lazy("works on"))
    def row(self, obj: OrmQ) -> SafeString | str:
        sent = read_queued_task(obj)
        return link_task_row(*sent) if sent else "–"

    @display(description=gettext_lazy("state"))
    def state(self, obj: OrmQ) -> SafeString:
        return (
            make_badge("", _("At work"), "good")
            if is_task_taken(obj)
            else make_badge("", _("Waiting"), "info")
        )

    @display(description=gettext_lazy("since"))
    def since(self, obj: OrmQ) -> Any:
        return show_moment(obj.lock - TASK_LOCK_TIME if is_task_taken(obj) else obj.lock)


def read_queued_task(obj: OrmQ) -> tuple[str, Any] | None:
    """(function, arguments); None of a task that was enqueued under another SECRET_KEY: the workers
    throw it away, too.
    """
    try:
        sent = SignedPackage.loads(obj.payload)
    except BadSignature:
        return None
    return str(sent["func"]), sent["args"]


def is_task_taken(obj: OrmQ) -> bool:
    return bool(obj.lock > timezone.now())


@admin.register(Failure, site=site)
class FailedTaskAdmin(PlatformRights, ReadOnlyAdmin):
    empty_text = gettext_lazy("No task has failed in the last three days.")
    list_display = ("what", "failed", "took", "why")
    ordering = ("-stopped", "pk")
    fields = ("what", "row", "failed", "took", "trace")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Failure]:
        """The pickled columns as they are stored: reading them the queue's way would run what is in
        them.
        """
        rows = super().get_queryset(request).defer("args", "kwargs", "result")
        stored: QuerySet[Failure] = rows.annotate(
            stored_args=Cast("args", TextField()), stored_result=Cast("result", TextField())
        )
        return stored

    @display(description=gettext_lazy("task"))
    def what(self, obj: Any) -> str:
        return describe_task(obj.func, read_pickled_column(obj.stored_args))

    @display(description=gettext_lazy("works on"))
    def row(self, obj: Any) -> SafeString:
        return link_task_row(obj.func, read_pickled_column(obj.stored_args))

    @display(description=gettext_lazy("failed"))
    def failed(self, obj: Failure) -> Any:
        return show_moment(obj.stopped)

    @display(description=gettext_lazy("took"))
    def took(self, obj: Failure) -> str:
        return show_duration(obj.time_taken())

    @display(description=gettext_lazy("why"))
    def why(self, obj: Any) -> str:
        return self.describe_failure(obj).partition(" : Traceback")[0][:200]

    @display(description=gettext_lazy("why"))
    def trace(self, obj: Any) -> SafeString:
        return format_html('<pre class="mb-trace">{}</pre>', self.describe_failure(obj))

    def describe_failure(self, obj: Any) -> str:
        said = read_pickled_column(obj.stored_result)
        return said if isinstance(said, str) else "–"


@admin.register(Schedule, site=site)
class ScheduledTaskAdmin(PlatformRights, ReadOnlyAdmin):
    empty_text = gettext_lazy("Nothing is scheduled: the workers make their tick when they start.")
    list_display = ("what", "cron", "due")
    ordering = ("pk",)
    fields = list_display
    readonly_fields = fields

    @display(description=gettext_lazy("task"))
    def what(self, obj: Schedule) -> str:
        return name_task(obj.func)

    @display(description=gettext_lazy("due"))
    def due(self, obj: Schedule) -> Any:
        return show_moment(obj.next_run)
