"""Links: one person each, the HubSpot contact and the cards that are that person."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from core.admin.base import PanelAdmin, display, site
from integration.admin import search
from integration.admin.entry import brief
from integration.admin.filters import ConnectionFilter
from integration.admin.shown import choice_badge, list_url, number, page_url, when
from integration.models import AuditEntry, Connection, Link, Record


class PortalFilter(ConnectionFilter):
    system = Connection.System.HUBSPOT
    parameter_name = "hubspot"


@admin.register(Link, site=site)
class LinkAdmin(PanelAdmin):
    list_display = ("person", "account", "contact", "cards", "portal", "confirmed", "made")
    list_filter = (PortalFilter, "account")
    # The box is shown for these; what it asks is in get_search_results.
    search_fields = ("contact_id",)
    search_help_text = search.HELP
    sortable_by = ()
    ordering = ("-id",)
    change_form_outer_before_template = "admin/integration/link_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Link]:
        return super().get_queryset(request).select_related("account", "hubspot").defer("hubspot__credentials", "hubspot__schema")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        people = Record.objects.filter(pk__in=list(search.find(request, term)), link__isnull=False).values_list("link", flat=True)
        return queryset.filter(pk__in={*people, *search.links(term).values_list("pk", flat=True)[: search.MOST]}), False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Names and cards of the links on this page, in one query each."""
        changelist = super().get_changelist_instance(request)
        keys = [link.pk for link in changelist.result_list]
        records = Record.objects.filter(link__in=keys).order_by("exchanged_on", "pk")
        names = dict(records.exclude(name="").values_list("link", "name"))
        counts = dict(records.order_by().values_list("link").annotate(n=Count("pk")))
        for link in changelist.result_list:
            link.shown_name, link.card_count = names.get(link.pk, ""), counts.get(link.pk, 0)
        return changelist

    def page_context(self, request: HttpRequest, obj: Link) -> dict[str, Any]:
        records = list(Record.objects.filter(link=obj).select_related("rule").order_by("-exchanged_on", "pk")[:50])
        entries = AuditEntry.objects.filter(account=obj.account_id, card_id__in=[record.external_id for record in records], link_key=obj.key)
        return {
            "link": obj,
            "records": [{"url": page_url(one), "record": one, "bucket": choice_badge(one, "bucket")} for one in records],
            "written": [(name, value, obj.answered.get(name, "")) for name, value in obj.written.items()],
            "portal_url": page_url(obj.hubspot),
            "confirmed": when(obj.confirmed_at),
            "entries": brief(entries[:20]),
            "entries_url": list_url(AuditEntry, q=obj.key),
        }

    @display(description=gettext_lazy("person"))
    def person(self, obj: Link) -> SafeString:
        return format_html('<span class="mb-two">{}<small>{}</small></span>', getattr(obj, "shown_name", "") or "–", obj.key)

    @display(description=gettext_lazy("contact"))
    def contact(self, obj: Link) -> str:
        return obj.contact_id or "–"

    @display(description=gettext_lazy("cards"))
    def cards(self, obj: Link) -> str:
        return number(getattr(obj, "card_count", 0))

    @display(description="HubSpot")
    def portal(self, obj: Link) -> str:
        return str(obj.hubspot.slug)

    @display(description=gettext_lazy("last confirmed"))
    def confirmed(self, obj: Link) -> Any:
        return when(obj.confirmed_at)

    @display(description=gettext_lazy("made"))
    def made(self, obj: Link) -> Any:
        return when(obj.created_at)
