"""Filters of the lists. Each one ends in an index, because lists can have a million rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any, TypeAlias

from django import forms
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, TextFilter
from unfold.widgets import INPUT_CLASSES

from core.admin.base import is_id
from integration.admin.parts.shown import explain_reason
from integration.models import Bucket, Connection, Side, SyncRule, SyncRun
from integration.planning.reasons import REASONS

Choices: TypeAlias = Iterable[tuple[str, str | Promise]]


class RowFilter(DropdownFilter):
    """Rows that hang on one row of another table."""

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(**{self.parameter_name: self.value()}) if is_id(self.value()) else rows


class ConnectionFilter(RowFilter):
    title = _("connection")
    parameter_name = "connection"
    system = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        rows = Connection.objects.filter(
            **({"system": self.system} if self.system else {})
        ).order_by("account", "slug")
        return list_slug_choices(rows, model_admin.sees_one_account(request))


class RuleFilter(RowFilter):
    title = _("rule")
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list_slug_choices(
            SyncRule.objects.order_by("account", "slug"), model_admin.sees_one_account(request)
        )


class SelectedFilter(DropdownFilter):
    title = _("scope")
    parameter_name = "selected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("1", _("Selected")), ("0", _("Not selected"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(selected=self.value() == "1") if self.value() in ("0", "1") else rows


class DiscardedFilter(DropdownFilter):
    """Drafts that were discarded are in the list only when they are asked for."""

    title = _("discarded")
    parameter_name = "discarded"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("1", _("Discarded drafts"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(discarded_at__isnull=self.value() != "1")


class ReasonFilter(DropdownFilter):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(code, f"{code}: {explain_reason(code)}") for code in REASONS]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(reason=self.value()) if self.value() else rows


class RecordReasonFilter(ReasonFilter):
    """The index of records begins with the rule, so that a reason alone asks each rule of the
    scope.
    """

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return (
            rows.filter(
                reason=self.value(),
                side__in=Side.values,
                bucket__in=Bucket.values,
                rule__in=list_rule_ids(),
            )
            if self.value()
            else rows
        )


class BucketFilter(DropdownFilter):
    title = _("where it stands")
    parameter_name = "bucket"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Bucket.choices

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return (
            rows.filter(bucket=self.value(), side__in=Side.values, rule__in=list_rule_ids())
            if self.value()
            else rows
        )


class SideFilter(DropdownFilter):
    title = _("side")
    parameter_name = "side"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Side.choices

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(side=self.value(), rule__in=list_rule_ids()) if self.value() else rows


class RunFilter(TextFilter):
    title = _("run")
    parameter_name = "run"

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").lstrip("#").strip()
        if not typed:
            return rows
        return rows.filter(run=typed) if is_id(typed) else rows.none()


class DayInput(forms.DateInput):
    input_type = "date"


class DaysForm(forms.Form):
    day_from = forms.CharField(
        label=_("From day"),
        required=False,
        widget=DayInput(attrs={"class": " ".join(INPUT_CLASSES)}),
    )
    day_to = forms.CharField(
        label=_("To day"), required=False, widget=DayInput(attrs={"class": " ".join(INPUT_CLASSES)})
    )


class DaysFilter(SimpleListFilter):
    """The days on which entries were planned.

    The list is then ordered by that time, too (see AuditEntryAdmin.get_ordering).
    """

    title = _("day")
    parameter_name = "day_from"
    template = "unfold/filters/filters_field.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        if "day_to" in params:
            self.used_parameters["day_to"] = params.pop("day_to")[-1]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return ["day_from", "day_to"]

    def choices(self, changelist: Any) -> Any:
        yield {"form": DaysForm(data=self.used_parameters)}

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        first, last = self.read_day("day_from"), self.read_day("day_to")
        if first:
            rows = rows.filter(planned_at__gte=first)
        if last:
            rows = rows.filter(planned_at__lt=last + timedelta(days=1))
        return rows

    def read_day(self, name: str) -> datetime | None:
        try:
            found = parse_date(self.used_parameters.get(name) or "")
        except ValueError:
            return None
        # Nothing was planned in other years, and the calendar's ends have no time of day in every
        # zone.
        return (
            timezone.make_aware(datetime.combine(found, time.min))
            if found and 2000 <= found.year < 3000
            else None
        )


def find_filtered_accounts(request: HttpRequest) -> list[int]:
    """The account of the rule or the run that a list is filtered by: the others' indexes need not
    be searched for it.
    """
    for model, name in ((SyncRun, "run"), (SyncRule, "rule")):
        typed = request.GET.get(name, "").lstrip("#").strip()
        if is_id(typed):
            return list(model.objects.filter(pk=typed).values_list("account_id", flat=True))
    return []


def list_slug_choices(rows: QuerySet[Any], one_account: bool) -> list[tuple[str, str]]:
    """Choices by slug, with the account before it where there are several."""
    found = rows.values_list("pk", "slug", "account__slug")
    return [
        (str(pk), slug if one_account else f"{account} / {slug}") for pk, slug, account in found
    ]


def list_rule_ids() -> list[int]:
    return list(SyncRule.objects.order_by().values_list("pk", flat=True))
