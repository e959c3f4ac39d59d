"""Pages of long tables, without ever counting or sorting one whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import cached_property

from core.models.account import Account
from core.tenancy import AccountOwned, list_covered_accounts

# Rows that are counted, and so the last row that pages reach. Filters and search reach the others.
MOST_ROWS_COUNTED = 10_000
# With more accounts than this in the scope, one query over all of them is the cheaper one.
MOST_ACCOUNTS_APART = 20


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # takes none at run time
    """Counts at most 10,000 rows, reads each account apart, and finds the keys of a page before its
    rows.

    An index that begins with the account gives one account's newest rows at once. Over several
    accounts the database reads and sorts all of their rows (1.6 s in a million), so the first rows
    of each are merged here. Keys first, because an index holds them: what has to be sorted is then
    numbers, and not whole rows.
    """

    template_name = "admin/pagination_capped.html"
    object_list: QuerySet[Any]

    def __init__(
        self,
        object_list: QuerySet[Any],
        per_page: int,
        *args: Any,
        accounts: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        """``accounts``: where a filter says already which accounts the rows are of."""
        super().__init__(object_list, per_page, *args, **kwargs)
        self.accounts = accounts

    @cached_property
    def capped(self) -> bool:
        return self._counted > MOST_ROWS_COUNTED

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST_ROWS_COUNTED)

    @cached_property
    def _counted(self) -> int:
        found = 0
        for part in self._parts:
            found += part.order_by()[: MOST_ROWS_COUNTED + 1 - found].count()
            if found > MOST_ROWS_COUNTED:
                break
        return found

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        last = min(first + self.per_page, self.count)
        return Page(self.object_list.filter(pk__in=self._keys(first, last)), number, self)

    @cached_property
    def _parts(self) -> list[QuerySet[Any]]:
        accounts = self.accounts or list_accounts_in_scope(self.object_list)
        if not accounts or not all(self._is_own(term) for term in self.object_list.query.order_by):
            return [self.object_list]
        return [self.object_list.filter(account_id=account) for account in accounts]

    def _is_own(self, term: Any) -> bool:
        """Whether rows are ordered by a column of theirs; a relation would be ordered as its own
        table is.
        """
        name = str(term).lstrip("-")
        return (
            isinstance(term, str)
            and "__" not in name
            and (name == "pk" or not self.object_list.model._meta.get_field(name).is_relation)
        )

    def _keys(self, first: int, last: int) -> list[Any]:
        """Of the rows from ``first`` to ``last`` of all accounts together."""
        parts = [part.prefetch_related(None) for part in self._parts]
        if len(parts) == 1:
            return list(parts[0].values_list("pk", flat=True)[first:last])
        terms = [str(term) for term in self.object_list.query.order_by]
        names = [term.lstrip("-") for term in terms]
        keys = [key for part in parts for key in part.values_list(*names, "pk")[:last]]
        for at in reversed(range(len(terms))):
            # Where the database itself puts what is NULL.
            keys.sort(
                key=lambda key: (
                    (key[at] is None) is connection.features.nulls_order_largest,
                    key[at],
                ),
                reverse=terms[at].startswith("-"),
            )
        return [key[-1] for key in keys[first:last]]


def list_accounts_in_scope(rows: object) -> Sequence[int]:
    """Ids of the accounts that the open scope covers; none where that does not help to read
    ``rows``.
    """
    if not isinstance(rows, QuerySet) or not issubclass(rows.model, AccountOwned):
        return []
    accounts = list_covered_accounts()
    if accounts is None:
        accounts = list(Account.objects.values_list("pk", flat=True)[: MOST_ACCOUNTS_APART + 1])
    return accounts if len(accounts) <= MOST_ACCOUNTS_APART else []
