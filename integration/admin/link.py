"""Links: one person each, the HubSpot contact and the cards that are that person."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from core.admin.base import AccountFilter, PanelAdmin, display, site
from core.tenancy import all_accounts
from integration.admin.entry import list_entry_lines
from integration.admin.parts import search
from integration.admin.parts.filters import ConnectionFilter
from integration.admin.parts.links import make_list_url, make_page_url
from integration.admin.parts.shown import make_choice_badge, show_moment, show_number
from integration.models import AuditEntry, Connection, Link, Record


class PortalFilter(ConnectionFilter):
    system = Connection.System.HUBSPOT
    parameter_name = "hubspot"


@admin.register(Link, site=site)
class LinkAdmin(PanelAdmin):
    empty_text = gettext_lazy(
        "A link joins a contact and the cards of one person. The first run makes them."
    )
    list_display = ("person", "account", "contact", "cards", "portal", "confirmed", "made")
    list_filter = (PortalFilter, AccountFilter)
    # The box is shown for these; what it asks is in get_search_results.
    search_fields = ("contact_id",)
    search_help_text = search.SEARCH_HELP
    sortable_by = ()
    ordering = ("-id",)
    change_form_outer_before_template = "admin/integration/link_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Link]:
        return (
            super()
            .get_queryset(request)
            .select_related("account", "hubspot")
            .defer("hubspot__credentials", "hubspot__schema")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        people = Record.objects.filter(
            pk__in=list(search.find_people(request, term)), link__isnull=False
        ).values_list("link", flat=True)
        return queryset.filter(
            pk__in={
                *people,
                *search.select_links_by_term(term).values_list("pk", flat=True)[
                    : search.MOST_PEOPLE_FOUND
                ],
            }
        ), False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Names and cards of the links on this page, in one query."""
        changelist = super().get_changelist_instance(request)
        cards: dict[int, list[str]] = {}
        # The links were read within the scope; its condition would only lead SQLite to the wrong
        # index (admin/parts/standing.py).
        with all_accounts():
            rows = Record.objects.filter(
                link__in=[link.pk for link in changelist.result_list], side="card"
            ).order_by("exchanged_on", "pk")
            for link, name in rows.values_list("link", "name"):
                cards.setdefault(link, []).append(name)
        for link in changelist.result_list:
            names = cards.get(link.pk, [])
            link.shown_name, link.card_count = (
                next((name for name in reversed(names) if name), ""),
                len(names),
            )
        return changelist

    def make_page_context(self, request: HttpRequest, obj: Link) -> dict[str, Any]:
        records = list(
            Record.objects.filter(link=obj)
            .select_related("rule")
            .order_by("-exchanged_on", "pk")[:50]
        )
        entries = AuditEntry.objects.filter(
            account=obj.account_id,
            card_id__in=[record.external_id for record in records],
            link_key=obj.key,
        )
        return {
            "link": obj,
            "records": [
                {
                    "url": make_page_url(one),
                    "record": one,
                    "bucket": make_choice_badge(one, "bucket"),
                }
                for one in records
            ],
            "written": [
                (name, value, obj.answered.get(name, "")) for name, value in obj.written.items()
            ],
            "portal_url": make_page_url(obj.hubspot),
            "confirmed": show_moment(obj.confirmed_at),
            "entries": list_entry_lines(entries[:20]),
            "entries_url": make_list_url(AuditEntry, q=obj.key),
        }

    @display(description=gettext_lazy("person"))
    def person(self, obj: Link) -> SafeString:
        return format_html(
            '<span class="mb-two">{}<small>{}</small></span>',
            getattr(obj, "shown_name", "") or "–",
            obj.key,
        )

    @display(description=gettext_lazy("contact"))
    def contact(self, obj: Link) -> str:
        return obj.contact_id or "–"

    @display(description=gettext_lazy("cards"))
    def cards(self, obj: Link) -> str:
        return show_number(getattr(obj, "card_count", 0))

    @display(description="HubSpot")
    def portal(self, obj: Link) -> str:
        return str(obj.hubspot.slug)

    @display(description=gettext_lazy("last confirmed"))
    def confirmed(self, obj: Link) -> Any:
        return show_moment(obj.confirmed_at)

    @display(description=gettext_lazy("made"))
    def made(self, obj: Link) -> Any:
        return show_moment(obj.created_at)
