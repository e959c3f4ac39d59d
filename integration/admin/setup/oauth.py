"""HubSpot's consent page, and the way back from it.

The code is exchanged by a worker, like every other call.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views import View

from core.models import Account
from core.roles import EDIT, may
from core.tenancy import in_account
from integration import tasks
from integration.admin.setup.steps import find_free_slug
from integration.connectors.hubspot.oauth import make_authorize_url
from integration.models import Connection

OAUTH_SESSION_KEY = "hubspot_oauth"


def is_oauth_offered() -> bool:
    return bool(settings.HUBSPOT_CLIENT_ID and settings.HUBSPOT_CLIENT_SECRET)


def make_return_url(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("admin:integration_setup_oauth"))


def begin_oauth(
    request: HttpRequest, account: Account, here: str, connection: Connection | None = None
) -> HttpResponse:
    """To HubSpot, for a new connection or to sign in again.

    What comes back is believed only with the state that this session was given.
    """
    if not is_oauth_offered():
        raise PermissionDenied
    state = secrets.token_urlsafe(32)
    request.session[OAUTH_SESSION_KEY] = {
        "state": state,
        "account": account.pk,
        "here": here,
        "connection": connection.pk if connection else None,
    }
    return redirect(
        make_authorize_url(
            settings.HUBSPOT_APP_URL, settings.HUBSPOT_CLIENT_ID, make_return_url(request), state
        )
    )


class OAuthReturn(View):
    """Where HubSpot sends the person back to, with a code or a refusal."""

    page: Any = None

    def get(self, request: HttpRequest) -> HttpResponse:
        begun = request.session.pop(OAUTH_SESSION_KEY, None)
        if not begun or not secrets.compare_digest(
            begun["state"].encode(), request.GET.get("state", "").encode()
        ):
            messages.error(
                request,
                _(
                    "HubSpot's answer does not belong to a connection that was begun here: "
                    "begin again."
                ),
            )
            return redirect("admin:integration_setup")
        if not may(request.user, begun["account"], EDIT):
            raise PermissionDenied
        account = Account.objects.get(pk=begun["account"])
        if not account.active:
            messages.warning(request, _("The account is suspended: nothing can be set up for it."))
            return redirect("admin:integration_syncrule_changelist")
        here = (
            begun["here"]
            if url_has_allowed_host_and_scheme(begun["here"], None)
            else reverse("admin:integration_setup")
        )
        code = request.GET.get("code", "")
        if not code:
            messages.warning(request, _("HubSpot was not connected: the consent was not given."))
            return redirect(here)
        connection = store_oauth_connection(
            account, begun["connection"], code, make_return_url(request)
        )
        tasks.enqueue_check(connection)
        return redirect(
            f"{here}{'&' if '?' in here else '?'}{urlencode({'hubspot': connection.pk})}"
        )


def store_oauth_connection(
    account: Account, pk: int | None, code: str, redirect_uri: str
) -> Connection:
    """A connection whose tokens a worker has still to fetch; the one that is signed in to again, or
    a new one.
    """
    with in_account(account):
        hubspot = Connection.System.HUBSPOT
        connection = Connection.objects.filter(pk=pk, system=hubspot).first() if pk else None
        connection = connection or Connection(
            account=account, slug=find_free_slug(Connection, account, "hubspot"), system=hubspot
        )
        connection.credentials, connection.hint = (
            {"code": code, "redirect_uri": redirect_uri},
            "OAuth",
        )
        connection.health, connection.health_detail = Connection.Health.UNTESTED, ""
        connection.unproven = True
        connection.save()
        return connection
