"""Where HubSpot tells of changes.

The request is verified, noted and answered; the work is a worker's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from core.encryption import InvalidToken
from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.connectors.hubspot import webhooks
from integration.intake.inbox import HeardChange, put_changes
from integration.models import Connection

log = structlog.get_logger()

LONGEST_BODY = 2_000_000  # bytes; a hundred events are some fifty thousand
# That webhooks come in is noted so seldom: the row is a busy one.
NOTED_EVERY = timedelta(seconds=30)


@method_decorator(csrf_exempt, name="dispatch")
class HubSpotWebhook(View):
    """HubSpot's own signature takes the place of a session.

    One address for all portals: the body says whose it is.
    """

    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        length = request.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdecimal()):
            return HttpResponse("The length is none.", status=400, content_type="text/plain")
        if len(length) > 15 or int(length) > LONGEST_BODY:
            return HttpResponse("The body is too long.", status=413, content_type="text/plain")
        try:
            events, portals = (
                webhooks.read_events(request.body),
                webhooks.read_portals(request.body),
            )
        except webhooks.NotEvents as wrong:
            return HttpResponse(f"Not understood: {wrong}.", status=400, content_type="text/plain")
        with all_accounts():
            named = list(find_connections(portals))
        connections = list_genuine_connections(request, named)
        if connections is None:
            log.warning("webhook_refused", portals=sorted(portals)[:10])
            return HttpResponse(
                "The signature does not fit.", status=401, content_type="text/plain"
            )
        for connection in connections:
            note_changes(
                connection,
                [
                    HeardChange(event.contact_id, event.at, event.forgotten)
                    for event in events
                    if event.portal == connection.remote_id
                ],
            )
        return HttpResponse(status=204)


def find_connections(portals: Iterable[str]) -> Iterable[Connection]:
    portals = sorted(portals)[:100]
    return Connection.objects.select_related("account").filter(
        system=Connection.System.HUBSPOT, remote_id__in=portals, account__active=True
    )


def list_genuine_connections(
    request: HttpRequest, named: list[Connection]
) -> list[Connection] | None:
    """The connections that the request may speak to, None where nobody's secret fits.

    The app's secret speaks for every portal that installed it, a connection's own for that
    connection alone.
    """
    uri = (
        f"{settings.PUBLIC_URL}{request.get_full_path()}"
        if settings.PUBLIC_URL
        else request.build_absolute_uri()
    )

    def fits(secret: str) -> bool:
        return bool(secret) and webhooks.is_genuine(
            secret,
            request.headers,
            request.method or "",
            uri,
            request.body,
            timezone.now(),
            settings.HUBSPOT_WEBHOOK_V1,
        )

    if fits(settings.HUBSPOT_CLIENT_SECRET):
        return named
    return [connection for connection in named if fits(read_webhook_secret(connection))] or None


def read_webhook_secret(connection: Connection) -> str:
    try:
        return connection.webhook_secret
    except InvalidToken:
        return ""


def note_changes(connection: Connection, heard: list[HeardChange]) -> None:
    if not heard:
        return
    now = timezone.now()
    with in_account(connection.account):
        put_changes(connection, heard, now)
        stale = Q(heard_at__isnull=True) | Q(heard_at__lt=now - NOTED_EVERY)
        Connection.objects.filter(stale, pk=connection.pk).update(heard_at=now)
        tasks.enqueue_heard_changes(connection)
