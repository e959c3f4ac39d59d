"""The account switcher: whoever is in several accounts can look at one of them alone, on every
page.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from core.models.account import Account

ACCOUNT_SESSION_KEY = "account"
LONGEST_ID = 18  # digits that any database takes for a key


def select_user_accounts(user: Any) -> QuerySet[Account]:
    """Every account that a user may look at."""
    if not user.is_authenticated:
        return Account.objects.none()
    return (
        Account.objects.all()
        if user.is_superuser
        else Account.objects.filter(memberships__user=user)
    )


def find_chosen_account(request: HttpRequest) -> Account | None:
    """The account that was chosen, as long as the user is still in it; None: all of them."""
    known = vars(request)
    if "_chosen_account" not in known:
        asked = request.session.get(ACCOUNT_SESSION_KEY) if hasattr(request, "session") else None
        known["_chosen_account"] = (
            select_user_accounts(request.user).filter(pk=asked).first() if asked else None
        )
    found: Account | None = known["_chosen_account"]
    return found


def select_seen_accounts(request: HttpRequest) -> QuerySet[Account]:
    """The accounts that the pages are about at the moment."""
    chosen = find_chosen_account(request)
    return Account.objects.filter(pk=chosen.pk) if chosen else select_user_accounts(request.user)


def make_account_choices(request: HttpRequest) -> dict[str, Any]:
    """For the header of every page; empty where there is nothing to choose."""
    accounts = list(
        select_user_accounts(request.user).order_by("name").values_list("pk", "name")[:2000]
    )
    chosen = find_chosen_account(request)
    return (
        {"accounts": accounts, "chosen": chosen.pk if chosen else None} if len(accounts) > 1 else {}
    )


def switch_account(request: HttpRequest) -> HttpResponse:
    """Goes back to a list: the row of a page may not be the chosen account's."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    asked = request.POST.get("account", "")
    known = (
        select_user_accounts(request.user).filter(pk=int(asked)).first()
        if asked.isascii() and asked.isdecimal() and len(asked) <= LONGEST_ID
        else None
    )
    if known:
        request.session[ACCOUNT_SESSION_KEY] = known.pk
    else:
        request.session.pop(ACCOUNT_SESSION_KEY, None)
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(back if safe else reverse("admin:index"))
