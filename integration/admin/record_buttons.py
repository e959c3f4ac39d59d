"""The buttons of a record: try it again, never sync it, sync it again."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import button
from core.admin.buttons import ButtonsMixin
from core.roles import OPERATE
from integration.admin.health import start_sync_if_active
from integration.admin.parts.links import make_page_url
from integration.intake.people import bar_cards, choose_side, retry_records, unbar_cards
from integration.models import Bucket, Record, SyncRule


class RecordButtons(ButtonsMixin):
    buttons = ("retry", "sync_again")

    def is_button_fitting(self, name: str, obj: Record) -> bool:
        if obj.rule.state == SyncRule.State.DRAFT:
            return False
        return (
            bool(obj.barred)
            if name == "sync_again"
            else obj.bucket != Bucket.UNSEEN and not obj.barred
        )

    @button(
        gettext_lazy("Check again now"),
        icon="refresh",
        primary=True,
        title=gettext_lazy("Reads the contact and plans this card once more"),
    )
    def retry(self, request: HttpRequest, obj: Record) -> None:
        self.tell_prompted(request, obj, retry_records(Record.objects.filter(pk=obj.pk)))

    @button(
        gettext_lazy("Sync it again"),
        icon="undo",
        primary=True,
        title=gettext_lazy("Takes back “Never sync”"),
    )
    def sync_again(self, request: HttpRequest, obj: Record) -> None:
        self.tell_prompted(request, obj, unbar_cards([obj]))

    def tell_prompted(self, request: HttpRequest, obj: Record, n: int) -> None:
        start_sync_if_active(obj.rule, request)
        if obj.rule.state == SyncRule.State.ACTIVE:
            messages.success(request, _("Under way: reload this page in a few seconds."))
        else:
            messages.warning(
                request, _("The rule is not active: this card is looked at as soon as it is.")
            )

    def make_button_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        never = path("<int:object_id>/never/", view(self.bar_card), name="integration_record_never")
        choose = path(
            "<int:object_id>/choose/", view(self.choose), name="integration_record_choose"
        )
        return [never, choose, *super().make_button_urls()]

    def choose(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Left or right: whose value stands where somebody edited the contact."""
        obj = self.find_asked_record(request, object_id)
        if isinstance(obj, HttpResponse):
            return obj
        side, name = (
            request.POST.get("side", ""),
            request.POST.get("property", "").replace("\0", ""),
        )
        if not obj.account.active:
            messages.error(
                request,
                _("%(account)s is suspended: nothing runs for it.") % {"account": obj.account},
            )
        elif side not in ("sansan", "hubspot") or obj.link is None:
            messages.error(request, _("Choose the card's value or HubSpot's."))
        elif choose_side(obj.link, [name], side, request.user.get_username()):
            self.tell_prompted(request, obj, 1)
        else:
            messages.info(
                request,
                _("There is nothing to choose any more: the values have changed meanwhile."),
            )
        return redirect(make_page_url(obj))

    def find_asked_record(self, request: HttpRequest, object_id: int) -> Record | HttpResponse:
        """The record of a button that asks for something, or the answer that refuses."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        obj: Record | None = self.get_object(request, str(object_id))
        if obj is None:
            raise Http404
        if not self.is_allowed(request, obj, OPERATE):
            raise PermissionDenied
        return obj

    def bar_card(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Like a button, but it asks why."""
        obj = self.find_asked_record(request, object_id)
        if isinstance(obj, HttpResponse):
            return obj
        why = request.POST.get("why", "").replace("\0", "").strip()
        if not obj.account.active:
            messages.error(
                request,
                _("%(account)s is suspended: nothing runs for it.") % {"account": obj.account},
            )
        elif not why:
            messages.error(request, _("Say why this card is never synced: somebody will ask."))
        else:
            bar_cards([obj], why, request.user.get_username())
            messages.success(
                request,
                _("This card is left out from now on. Its contact stays in HubSpot as it is."),
            )
            start_sync_if_active(obj.rule, request)
        return redirect(make_page_url(obj))
