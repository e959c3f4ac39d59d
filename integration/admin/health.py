"""Sync health of one rule: where every card in scope stands, why, and what to do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Concat
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from core.admin.base import is_id
from core.roles import OPERATE, VIEW, may
from core.tenancy import all_accounts
from integration import tasks
from integration.admin.parts import search
from integration.admin.parts.chart import CHART_DAYS, draw_chart, summarize_days
from integration.admin.parts.links import (
    make_list_url,
    make_page_url,
    make_resume_url,
    make_step_url,
)
from integration.admin.parts.shown import (
    TONES,
    advise_on_reason,
    explain_reason,
    make_choice_badge,
    show_moment,
    show_number,
)
from integration.admin.parts.standing import count_records_by_bucket
from integration.intake.people import choose_side_for_all, retry_reason, retry_records
from integration.models import Bucket, DayFigures, Record, Side, SyncRule

HEALTH_TABS = (
    Bucket.LINKED,
    Bucket.EXCLUDED,
    Bucket.FAILING,
    Bucket.MERGED,
    Bucket.HELD,
    Bucket.WAITING,
    Bucket.UNSEEN,
)
HEALTH_ROWS_A_PAGE = 25
# More cards of one reason than this are not gone through to tell how many people they are.
MOST_CARDS_TO_COUNT_PEOPLE = 20_000


class HealthMixin:
    """For the ModelAdmin of the rules."""

    admin_site: AdminSite  # the page's

    def make_health_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:rule_id>/health/",
                self.admin_site.admin_view(HealthView.as_view(page=self)),
                name="integration_health",
            )
        ]


class HealthView(View):
    page: Any = None
    side: Side = Side.CARD

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.rule: SyncRule = self.page.get_object(request, str(kwargs["rule_id"]))
        if self.rule is None or not may(request.user, self.rule.account_id, VIEW):
            raise Http404
        self.side = Side.CONTACT if request.GET.get("side") == Side.CONTACT else Side.CARD
        self.bucket = as_known_bucket(request.GET.get("stand", ""))
        self.reason = request.GET.get("reason", "")[:64].replace("\0", "")
        self.term = request.GET.get("q", "").replace("\0", "").strip()[:200]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        stand = count_records_by_bucket([self.rule.pk], self.side).get(self.rule.pk, {})
        bucket = self.bucket or choose_first_bucket(stand)
        records = self.list_records(bucket)
        days = self.load_days()
        context = {
            **self.page.admin_site.each_context(request),
            "title": _("Sync health"),
            "rule": self.rule,
            "rule_url": make_page_url(self.rule),
            "state_badge": make_choice_badge(self.rule, "state"),
            "setup_url": make_resume_url(self.rule)
            if self.rule.state == SyncRule.State.DRAFT
            else make_step_url("review", self.rule),
            "checked": show_moment(self.rule.checked_at),
            "sides": self.describe_sides(),
            "contacts": self.side == Side.CONTACT,
            "tabs": self.make_tabs(stand, bucket),
            "total": sum(stand.values()),
            "bucket": bucket,
            "bucket_label": Bucket(bucket).label,
            "reasons": [] if self.term else self.count_reasons(bucket),
            "reason": self.reason,
            "reason_says": (explain_reason(self.reason), advise_on_reason(self.reason))
            if self.reason
            else (),
            "q": self.term,
            "records": records,
            "next": self.make_next_url(records, bucket),
            "may_operate": may(request.user, self.rule.account_id, OPERATE),
            "chart": draw_chart(days, self.find_today()),
            "latency": summarize_days(days),
            "days": CHART_DAYS,
            "list_url": make_list_url(
                Record, rule=self.rule.pk, bucket=bucket, side=self.side.value
            ),
            "made_today": self.count_made_today(days),
        }
        return TemplateResponse(request, "admin/integration/health.html", context)

    def find_today(self) -> Any:
        return self.rule.account.find_day(timezone.now())

    def load_days(self) -> list[DayFigures]:
        return list(
            DayFigures.objects.filter(
                rule=self.rule, day__gt=self.find_today() - timedelta(days=CHART_DAYS)
            )
        )

    def describe_sides(self) -> list[dict[str, Any]]:
        """Cards, and contacts that may become cards; for a rule of one direction there is nothing
        to choose.
        """
        if not self.rule.sends:
            return []
        labels = ((Side.CARD, _("Cards to contacts")), (Side.CONTACT, _("Contacts to cards")))
        return [
            {
                "label": label,
                "url": f"?{urlencode({'side': side.value})}",
                "current": side == self.side,
            }
            for side, label in labels
        ]

    def count_made_today(self, days: list[DayFigures]) -> int:
        return next((one.cards_made for one in days if one.day == self.find_today()), 0)

    def make_stand_url(self, **shown: str) -> str:
        """The query of this page with other things shown."""
        side = {"side": self.side.value} if self.side == Side.CONTACT else {}
        return f"?{urlencode({**side, **shown})}"

    def make_tabs(self, stand: dict[str, int], current: str) -> list[dict[str, Any]]:
        return [
            {
                "code": tab.value,
                "label": tab.label,
                "n": show_number(stand.get(tab, 0)),
                "zero": not stand.get(tab, 0),
                "tone": TONES.get(tab, "plain"),
                "url": self.make_stand_url(stand=tab.value),
                "current": tab == current and not self.term,
            }
            for tab in HEALTH_TABS
        ]

    def select_rows(self, bucket: str) -> QuerySet[Any]:
        """The rule was found within the scope.

        Its condition would only lead SQLite to the wrong index (see standing.py).
        """
        with all_accounts():
            return Record.objects.filter(rule=self.rule, side=self.side, bucket=bucket)

    def count_reasons(self, bucket: str) -> list[dict[str, Any]]:
        rows = self.select_rows(bucket).order_by().values("reason").annotate(n=Count("pk"))
        found = sorted(
            ((row["reason"], row["n"]) for row in rows), key=lambda pair: (-pair[1], pair[0])
        )
        people = (
            self.count_people(
                bucket, [reason for reason, n in found if n <= MOST_CARDS_TO_COUNT_PEOPLE]
            )
            if bucket != Bucket.LINKED
            else {}
        )
        return [
            {
                "code": reason,
                "n": show_number(n),
                "people": show_number(people[reason])
                if reason in people
                else show_number(n)
                if bucket == Bucket.LINKED
                else "",
                "sentence": explain_reason(reason) if reason else _("Not looked at yet."),
                "to_do": advise_on_reason(reason),
                "url": self.make_stand_url(stand=bucket, reason=reason),
                "current": reason == self.reason,
            }
            for reason, n in found
        ]

    def count_people(self, bucket: str, reasons: list[str]) -> dict[str, int]:
        """Cards of one link, of one Sansan person or of one address are one person."""
        who = Case(
            When(link__isnull=False, then=Concat(Value("l"), Cast("link_id", CharField()))),
            When(~Q(person_key=""), then=Concat(Value("p"), F("person_key"))),
            When(~Q(email_key=""), then=Concat(Value("e"), F("email_key"))),
            default=Concat(Value("r"), Cast("pk", CharField())),
            output_field=CharField(),
        )
        rows = (
            self.select_rows(bucket)
            .filter(reason__in=reasons)
            .order_by()
            .values("reason")
            .annotate(people=Count(who, distinct=True))
        )
        return {row["reason"]: row["people"] for row in rows}

    def list_records(self, bucket: str) -> list[dict[str, Any]]:
        """One more than a page, to know whether there is another.

        In the order of the index that finds them.
        """
        if self.term:
            ids = list(search.find_people(self.request, self.term))
            rows = Record.objects.filter(rule=self.rule, side=self.side, pk__in=ids).order_by("pk")[
                : HEALTH_ROWS_A_PAGE + 1
            ]
        else:
            rows = self.select_rows(bucket)
            if self.reason:
                rows = rows.filter(reason=self.reason)
            rows = self.select_after(rows).order_by("reason", "pk")[: HEALTH_ROWS_A_PAGE + 1]
        columns = (
            "pk",
            "external_id",
            "name",
            "email_key",
            "bucket",
            "reason",
            "detail",
            "changed_at",
            "due_at",
            "attempts",
            "barred",
        )
        return [as_record_row(record) for record in rows.only(*columns)]

    def select_after(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        reason, _sep, pk = self.request.GET.get("after", "").replace("\0", "").rpartition("|")
        return (
            rows.filter(Q(reason__gt=reason) | Q(reason=reason, pk__gt=int(pk)))
            if is_id(pk)
            else rows
        )

    def make_next_url(self, records: list[dict[str, Any]], bucket: str) -> str:
        if len(records) <= HEALTH_ROWS_A_PAGE:
            return ""
        records.pop()
        if self.term:
            messages.warning(
                self.request,
                _("More than %(n)s cards: only some are shown. Type more of the name.")
                % {"n": HEALTH_ROWS_A_PAGE},
            )
            return ""
        last = records[-1]["record"]
        kept = {"stand": bucket, "reason": self.reason, "after": f"{last.reason}|{last.pk}"}
        return self.make_stand_url(**{name: value for name, value in kept.items() if value})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may(request.user, self.rule.account_id, OPERATE):
            raise PermissionDenied
        if not self.rule.account.active:
            messages.error(
                request,
                _("%(account)s is suspended: nothing runs for it.")
                % {"account": self.rule.account},
            )
        elif request.POST.get("action") == "retry_reason":
            stand, reason = (
                as_known_bucket(request.POST.get("stand", "")),
                request.POST.get("reason", "").replace("\0", ""),
            )
            self.tell_prompted(retry_reason(self.rule, self.side, stand, reason))
        elif request.POST.get("action") in ("choose_sansan", "choose_hubspot"):
            self.tell_prompted(
                choose_side_for_all(
                    self.rule,
                    request.POST["action"].removeprefix("choose_"),
                    request.user.get_username(),
                )
            )
        elif request.POST.get("action") == "retry":
            chosen = [int(pk) for pk in request.POST.getlist("record") if is_id(pk)]
            self.tell_prompted(retry_records(Record.objects.filter(rule=self.rule, pk__in=chosen)))
        return redirect(request.get_full_path())

    def tell_prompted(self, n: int) -> None:
        if not n:
            messages.info(self.request, _("Nothing to try again: it stands elsewhere by now."))
            return
        start_sync_if_active(self.rule, self.request)
        text = ngettext("%(n)s card is tried again now.", "%(n)s cards are tried again now.", n) % {
            "n": show_number(n)
        }
        if self.rule.state == SyncRule.State.ACTIVE:
            messages.success(self.request, text)
        else:
            messages.warning(
                self.request,
                _("The rule is not active: what was chosen is tried as soon as it is."),
            )


def as_known_bucket(code: str) -> str:
    return code if code in Bucket.values else ""


def start_sync_if_active(rule: SyncRule, request: HttpRequest) -> None:
    if rule.state == SyncRule.State.ACTIVE:
        tasks.enqueue_sync(rule, who=request.user.get_username())


def choose_first_bucket(stand: dict[str, int]) -> str:
    """What needs a person comes first."""
    for bucket in (Bucket.FAILING, Bucket.HELD):
        if stand.get(bucket):
            return bucket.value
    return Bucket.LINKED.value


def as_record_row(record: Record) -> dict[str, Any]:
    return {
        "record": record,
        "url": make_page_url(record),
        "bucket": make_choice_badge(record, "bucket"),
        "sentence": explain_reason(record.reason) if record.reason else "",
        "changed": show_moment(record.changed_at),
        "again": show_moment(record.due_at)
        if record.due_at and record.bucket in (Bucket.FAILING, Bucket.WAITING)
        else "",
    }
