"""What every list shares: pages that the paginator reads, and a filter by account that ends at the
user's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeGuard

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.views import ChangeList

from core.switcher import select_seen_accounts


def is_id(value: str | None) -> TypeGuard[str]:
    """Whether a value from an address can be a row's id."""
    return value is not None and value.isascii() and value.isdecimal() and len(value) < 19


# Digits of a number that no column of ours holds.
TOO_LONG_NUMBER = re.compile(r"\d{19}")


class PagedChangeList(ChangeList):
    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """What would fail in the database only: a list that is asked wrongly goes back to the whole
        of it.
        """
        if any(
            "\0" in value or (TOO_LONG_NUMBER.search(value) and name != SEARCH_VAR)
            for name, value in request.GET.items()
            if isinstance(value, str)
        ):
            raise IncorrectLookupParameters
        rows: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        return rows

    def get_results(self, request: HttpRequest) -> None:
        """Django reads a list of one page around the paginator, which alone knows how to read a
        long table.
        """
        super().get_results(request)
        if not (self.show_all and self.can_show_all):
            self.result_list = self.paginator.page(
                max(1, min(self.page_num, self.paginator.num_pages))
            ).object_list
        if not self.has_active_filters and not self.query:
            # Nothing was left out, so that there is no way back to "all" to offer.
            self.full_result_count = self.result_count


class AccountFilter(DropdownFilter):
    """Only the user's accounts are choices: Django's own filter would name every customer."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (str(pk), name)
            for pk, name in select_seen_accounts(request).order_by("name").values_list("pk", "name")
        ]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(account=self.value()) if is_id(self.value()) else rows
