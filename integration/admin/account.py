"""Accounts as the platform's staff see them: how each one fares, and the way out: suspend, export,
delete.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.account import AccountAdmin
from core.admin.base import button, display, site
from core.history import give_reason
from core.models import Account, Departure
from core.roles import EXPORT, OWN
from core.tenancy import all_accounts
from integration import tasks
from integration.admin.parts.links import make_page_url
from integration.admin.parts.shown import make_badge, make_choice_badge, show_moment, show_number
from integration.leaving.archive import write_archive
from integration.leaving.erase import destroy_credentials
from integration.models import Bucket, Connection, DayFigures, Record, SyncRule, SyncRun

# An export that is older than this may lack what came since.
EXPORT_LIFETIME = timedelta(days=1)
USAGE_DAYS = 30


def measure_accounts(ids: list[int]) -> dict[int, dict[str, Any]]:
    """Account -> how it fares.

    A handful of queries, however many accounts; each ends in an index.
    """
    found: dict[int, dict[str, Any]] = {pk: {} for pk in ids}
    since = timezone.now().date() - timedelta(days=USAGE_DAYS)
    with all_accounts():
        rules = dict(SyncRule.objects.filter(account__in=ids).values_list("pk", "account"))
        states = (
            SyncRule.objects.filter(account__in=ids, discarded_at__isnull=True)
            .order_by()
            .values_list("account")
            .annotate(
                active=Count("pk", filter=Q(state="active")),
                held=Count("pk", filter=Q(state="held")),
                n=Count("pk"),
                checked=Max("checked_at"),
            )
        )
        broken = (
            Connection.objects.filter(account__in=ids, health__in=("reconnect", "unreachable"))
            .order_by()
            .values_list("account")
        )
        failing = (
            Record.objects.filter(rule__in=list(rules), bucket=Bucket.FAILING)
            .order_by()
            .values_list("rule")
            .annotate(n=Count("pk"))
        )
        usage = (
            DayFigures.objects.filter(account__in=ids, day__gte=since)
            .order_by()
            .values_list("account")
        )
        for pk, active, held, n, checked in states:
            found[pk].update(active=active, held=held, rules=n, checked=checked)
        for pk, n in broken.annotate(n=Count("pk")):
            found[pk]["broken"] = n
        for rule, n in failing:
            found[rules[rule]]["failing"] = found[rules[rule]].get("failing", 0) + n
        for pk, calls, written in usage.annotate(
            calls=Sum("calls_sansan") + Sum("calls_hubspot"),
            written=Sum("created") + Sum("updated") + Sum("linked"),
        ):
            found[pk].update(calls=calls, written=written)
    for run in find_last_runs(ids):
        found[run.account_id]["run"] = run
    return found


def find_last_runs(ids: list[int]) -> list[SyncRun]:
    """One look into the index for each account: the greatest of a group would be found by reading
    all of its runs.
    """
    last = SyncRun.objects.filter(account=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    with all_accounts():
        found = (
            Account.objects.filter(pk__in=ids)
            .annotate(run=Subquery(last))
            .values_list("run", flat=True)
        )
        return list(SyncRun.objects.filter(pk__in=[pk for pk in found if pk]))


class AccountHealthAdmin(AccountAdmin):
    list_display = (
        "name",
        "slug",
        "health",
        "last_run",
        "last_check",
        "failing",
        "usage",
        "members",
        "active",
    )
    list_filter = ("active",)
    buttons = ("export", "resume")
    change_form_outer_before_template = "admin/integration/account_panel.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:object_id>/suspend/",
                self.admin_site.admin_view(self.suspend),
                name="core_account_suspend",
            ),
            path(
                "<int:object_id>/leave/",
                self.admin_site.admin_view(self.leave),
                name="core_account_leave",
            ),
            *super().get_urls(),
        ]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        found = measure_accounts([account.pk for account in changelist.result_list])
        for account in changelist.result_list:
            account.fares = found[account.pk]
        return changelist

    def make_page_context(self, request: HttpRequest, obj: Account) -> dict[str, Any]:
        mine = bool(request.user.is_superuser)
        return {
            "account": obj,
            "fares": measure_accounts([obj.pk])[obj.pk],
            "health": self.health(obj),
            "suspend_url": reverse("admin:core_account_suspend", args=[obj.pk])
            if mine and obj.active
            else "",
            "leave_url": reverse("admin:core_account_leave", args=[obj.pk])
            if mine and not obj.active and not obj.leaving_at
            else "",
            "exported": show_moment(obj.exported_at),
        }

    # Suspending

    def is_button_fitting(self, name: str, obj: Account) -> bool:
        return obj.leaving_at is None and (name == "export" or not obj.active)

    def list_buttons(self, request: HttpRequest, obj: Any) -> Any:
        shown = super().list_buttons(request, obj)
        return [one for one in shown if one.name != "resume" or request.user.is_superuser]

    @button(
        gettext_lazy("Export everything"),
        icon="download",
        right=EXPORT,
        title=gettext_lazy(
            "A ZIP of configuration, records, links, audit log and history, without secrets"
        ),
    )
    def export(self, request: HttpRequest, obj: Account) -> HttpResponseBase:
        response = StreamingHttpResponse(stream_archive(obj), content_type="application/zip")
        response["Content-Disposition"] = (
            f'attachment; filename="{obj.slug}-{timezone.localtime():%Y%m%d-%H%M}.zip"'
        )
        return response

    @button(gettext_lazy("Resume"), icon="play_arrow", right=OWN, primary=True)
    def resume(self, request: HttpRequest, obj: Account) -> None:
        self.require_staff(request)
        obj.active, obj.suspended_for = True, ""
        give_reason(obj, _("Resumed")).save(update_fields=["active", "suspended_for"])
        messages.success(
            request,
            _("%(account)s is active again: its rules go on by themselves.") % {"account": obj},
        )

    def suspend(self, request: HttpRequest, object_id: int) -> HttpResponse:
        obj = self.find_account(request, object_id)
        problems = self.describe_confirmation(request, obj) if request.method == "POST" else {}
        if not obj.active:
            return redirect(self.make_page_url(obj))
        if request.method == "POST" and not problems:
            reason = read_typed_reason(request)
            obj.active, obj.suspended_for = False, reason
            give_reason(obj, reason).save(update_fields=["active", "suspended_for"])
            messages.success(
                request,
                _(
                    "%(account)s is suspended: nothing runs for it. A slice that is under way "
                    "ends first."
                )
                % {"account": obj},
            )
            return redirect(self.make_page_url(obj))
        return self.confirm(request, obj, "suspend", problems)

    # Deleting

    def leave(self, request: HttpRequest, object_id: int) -> HttpResponse:
        obj = self.find_account(request, object_id)
        if obj.leaving_at:
            return redirect("admin:core_departure_changelist")
        problems = self.describe_confirmation(request, obj) if request.method == "POST" else {}
        if obj.active:
            problems["all"] = _("Suspend the account first.")
        elif obj.exported_at is None or obj.exported_at < timezone.now() - EXPORT_LIFETIME:
            problems["all"] = _(
                "Export everything first: after the deletion nothing can be brought back. An "
                "export counts for a day."
            )
        if request.method == "POST" and not problems:
            self.begin_to_leave(request, obj, read_typed_reason(request))
            return redirect("admin:core_departure_changelist")
        return self.confirm(request, obj, "leave", problems)

    def begin_to_leave(self, request: HttpRequest, obj: Account, reason: str) -> None:
        """The credentials go at once, the rows by and by; the row of the departure outlives
        them.
        """
        with transaction.atomic():
            begun = Account.objects.filter(pk=obj.pk, leaving_at__isnull=True).update(
                leaving_at=timezone.now()
            )
            if not begun:
                return
            destroy_credentials(obj)
            asked = {
                "asked_by": request.user.get_username(),
                "reason": reason,
                "asked_at": timezone.now(),
            }
            departure = Departure.objects.create(
                slug=obj.slug, name=obj.name, exported_at=obj.exported_at, **asked
            )
            tasks.enqueue_departure(departure, obj)
        messages.success(
            request,
            _("%(account)s is being deleted. Its credentials are destroyed already.")
            % {"account": obj},
        )

    def find_account(self, request: HttpRequest, object_id: int) -> Account:
        self.require_staff(request)
        obj: Account | None = self.get_object(request, str(object_id))
        if obj is None:
            raise Http404
        return obj

    def require_staff(self, request: HttpRequest) -> None:
        """Stopping or deleting a customer is the platform's decision."""
        if not request.user.is_superuser:
            raise PermissionDenied

    def describe_confirmation(self, request: HttpRequest, obj: Account) -> dict[str, Any]:
        problems = {}
        if request.POST.get("slug", "").strip() != obj.slug:
            problems["slug"] = _("Type %(slug)s, exactly as it stands here.") % {"slug": obj.slug}
        if not read_typed_reason(request):
            problems["reason"] = _("Say why: it stands in the history.")
        return problems

    def confirm(
        self, request: HttpRequest, obj: Account, what: str, problems: dict[str, Any]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Suspend %(account)s") % {"account": obj}
            if what == "suspend"
            else _("Delete %(account)s") % {"account": obj},
            "account": obj,
            "what": what,
            "problems": problems,
            "typed": request.POST,
            "refused": request.method == "POST",
            "export_url": reverse("admin:core_account_press", args=[obj.pk, "export"])
            if what == "leave" and not obj.active
            else "",
            "back": self.make_page_url(obj),
            "original": obj,
        }
        return TemplateResponse(request, "admin/integration/account_confirm.html", context)

    # Columns

    @display(description=gettext_lazy("health"))
    def health(self, obj: Any) -> SafeString:
        told = getattr(obj, "fares", None) or measure_accounts([obj.pk])[obj.pk]
        if obj.leaving_at:
            return make_badge("", _("Being deleted"), "bad")
        if not obj.active:
            return make_badge("", _("Suspended"), "warn")
        if told.get("broken") or told.get("held"):
            return make_badge("", _("Needs a person"), "bad")
        if not told.get("active"):
            return make_badge("", _("No active rule"), "plain")
        return (
            make_badge("", _("Some records failing"), "warn")
            if told.get("failing")
            else make_badge("", _("Working"), "good")
        )

    @display(description=gettext_lazy("last run"))
    def last_run(self, obj: Any) -> SafeString:
        run = obj.fares.get("run")
        return (
            format_html('<a href="{}">{}</a>', make_page_url(run), make_choice_badge(run, "state"))
            if run
            else SafeString("–")
        )

    @display(description=gettext_lazy("last check"))
    def last_check(self, obj: Any) -> Any:
        return show_moment(obj.fares.get("checked"))

    @display(description=gettext_lazy("failing"))
    def failing(self, obj: Any) -> SafeString:
        n = obj.fares.get("failing", 0)
        return format_html(
            '<span class="mb-pair mb-text-{}">{}</span>', "bad" if n else "muted", show_number(n)
        )

    @display(description=gettext_lazy("30 days: written / calls"))
    def usage(self, obj: Any) -> SafeString:
        return format_html(
            '<span class="mb-pair">{} / {}</span>',
            show_number(obj.fares.get("written", 0)),
            show_number(obj.fares.get("calls", 0)),
        )


def read_typed_reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\0", "").strip()[:500]


def stream_archive(account: Account) -> Iterator[bytes]:
    """The archive; that it was taken is noted once its last byte has gone out."""
    yield from write_archive(account)
    Account.objects.filter(pk=account.pk).update(exported_at=timezone.now())


site.unregister(Account)
admin.register(Account, site=site)(AccountHealthAdmin)
