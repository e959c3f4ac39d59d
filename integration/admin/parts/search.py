"""Search over a million people: exact by e-mail, card, contact or link id, or by how a name begins.

Each question has its index.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.models import Account
from core.tenancy import all_accounts
from integration.admin.parts.filters import list_rule_ids
from integration.models import Connection, Link, Record
from integration.planning.normalize import normalize_email

SEARCH_HELP = gettext_lazy("E-mail, card id, contact id, or how the name begins")
# A name that begins so for more people than this is not what anybody looks for.
MOST_PEOPLE_FOUND = 500
AFTER_ANY_LETTER = "\U0010ffff"


def find_people(request: HttpRequest, term: str) -> dict[int, str]:
    """Record -> its card, of everybody whom the term may mean."""
    found: dict[int, str] = {}
    for rows in list_search_queries(term):
        found.update(rows.order_by().values_list("pk", "external_id")[: MOST_PEOPLE_FOUND + 1])
    if len(found) > MOST_PEOPLE_FOUND:
        messages.warning(
            request,
            _("More than %(n)s people: only some are shown. Type more of the name.")
            % {"n": MOST_PEOPLE_FOUND},
        )
    return dict(list(found.items())[:MOST_PEOPLE_FOUND])


def list_search_queries(term: str) -> Iterator[QuerySet[Any]]:
    # An index that begins with the account serves a superuser, too, once the accounts are named.
    people = Record.objects.filter(account__in=list(Account.objects.values_list("pk", flat=True)))
    if "@" in term:
        yield people.filter(email_key=normalize_email(term)).exclude(email_key="")
        return
    rules, found = (
        list_rule_ids(),
        list(select_links_by_term(term).values_list("pk", flat=True)[:MOST_PEOPLE_FOUND]),
    )
    with all_accounts():
        # Rules and links were read within the scope; its condition would only lead SQLite to the
        # wrong index (admin/parts/standing.py).
        of_card, of_link = (
            Record.objects.filter(rule__in=rules, external_id=term),
            Record.objects.filter(link__in=found),
        )
    yield of_card
    yield of_link
    yield people.filter(**make_prefix_condition(term))


def select_links_by_term(term: str) -> QuerySet[Link]:
    """The links of a contact, or the one with this id."""
    try:
        return Link.objects.filter(key=UUID(term))
    except ValueError:
        portals = (
            Connection.objects.filter(system=Connection.System.HUBSPOT)
            .order_by()
            .values_list("pk", flat=True)
        )
        return Link.objects.filter(hubspot__in=list(portals), contact_id=term).exclude(
            contact_id=""
        )


def make_prefix_condition(term: str) -> dict[str, str]:
    """SQLite's LIKE ignores case and therefore the index; PostgreSQL's order of text knows no such
    range.
    """
    return (
        {"name__gte": term, "name__lt": term + AFTER_ANY_LETTER}
        if connection.vendor == "sqlite"
        else {"name__startswith": term}
    )
