"""Records: our copy of each card, where it stands and why."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from core.admin.base import AccountFilter, PanelAdmin, display, site
from core.roles import OPERATE
from integration.admin.entry import list_entry_lines
from integration.admin.parts import clash, filters, search
from integration.admin.parts.filters import BucketFilter, RecordReasonFilter, RuleFilter, SideFilter
from integration.admin.parts.labels import CARD_FIELDS
from integration.admin.parts.links import make_health_url, make_list_url, make_page_url
from integration.admin.parts.person import compare_person_cards
from integration.admin.parts.said import describe_notes, show_reason
from integration.admin.parts.shown import (
    advise_on_reason,
    explain_reason,
    make_choice_badge,
    show_moment,
)
from integration.admin.record_buttons import RecordButtons
from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.models import AuditEntry, Bucket, Link, Record, Side
from integration.notes import read_parameter
from integration.rules.as_plan import name_tags


@admin.register(Record, site=site)
class RecordAdmin(RecordButtons, PanelAdmin):
    empty_text = gettext_lazy("Our copy of each card stands here, from the first run on.")
    list_display = (
        "person",
        "account",
        "rule_name",
        "side_name",
        "bucket_badge",
        "why",
        "changed",
        "read",
    )
    list_filter = (RuleFilter, SideFilter, BucketFilter, RecordReasonFilter, AccountFilter)
    # The box is shown for these; what it asks is in get_search_results.
    search_fields = ("external_id",)
    search_help_text = search.SEARCH_HELP
    sortable_by = ()
    ordering = ("-id",)
    change_form_outer_before_template = "admin/integration/record_panel.html"

    def list_accounts_of(self, request: HttpRequest) -> list[int]:
        return filters.find_filtered_accounts(request) or super().list_accounts_of(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Record]:
        rows = super().get_queryset(request).select_related("rule__hubspot", "account", "link")
        return rows.defer("rule__hubspot__credentials", "rule__hubspot__schema")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (
            queryset.filter(pk__in=list(search.find_people(request, term))) if term else queryset
        ), False

    def make_page_context(self, request: HttpRequest, obj: Record) -> dict[str, Any]:
        names = name_tags([obj.connection_id], obj.tags)
        person = compare_person_cards(obj, obj.rule, obj.link)
        # The entry that made the card of a contact goes by that card.
        ids = [obj.external_id]
        if obj.side == Side.CONTACT and obj.bucket == Bucket.LINKED and obj.detail:
            ids.append(read_parameter(obj.detail, "id"))
        # Any rule's: another one that sees the same person may have written to the contact.
        entries = AuditEntry.objects.filter(account=obj.account_id, card_id__in=ids)
        return {
            "record": obj,
            "bucket": self.bucket_badge(obj),
            "sentence": explain_reason(obj.reason) if obj.reason else "",
            "to_do": advise_on_reason(obj.reason),
            "person": person,
            "is_card": obj.side == Side.CARD,
            "health_url": make_health_url(
                obj.rule,
                **make_side_query(obj),
                stand=obj.bucket,
                **({"reason": obj.reason} if obj.reason else {}),
            ),
            "clashes": list_record_clashes(obj),
            "choose_url": reverse("admin:integration_record_choose", args=[obj.pk]),
            "heard": list_hubspot_news(obj.link) if obj.link else [],
            "may_operate": self.is_allowed(request, obj, OPERATE),
            "never_url": reverse("admin:integration_record_never", args=[obj.pk]),
            "values": [
                (CARD_FIELDS.get(name, name), name, obj.values[name])
                for name in sorted(obj.values, key=find_field_place)
            ],
            "tags": [names.get(tag, tag) for tag in obj.tags],
            "rule_url": make_page_url(obj.rule),
            "link_url": make_page_url(obj.link) if obj.link else "",
            "times": [(label, show_moment(moment)) for label, moment in list_record_times(obj)],
            "entries": list_entry_lines(entries[:20], of=obj.rule_id),
            "entries_url": make_list_url(AuditEntry, q=obj.external_id),
        }

    @display(description=gettext_lazy("person"))
    def person(self, obj: Record) -> SafeString:
        return format_html(
            '<span class="mb-two">{}<small>{}</small></span>',
            obj.name or obj.external_id,
            obj.email_key or obj.external_id,
        )

    @display(description=gettext_lazy("side"))
    def side_name(self, obj: Record) -> str:
        return obj.get_side_display()

    @display(description=gettext_lazy("rule"))
    def rule_name(self, obj: Record) -> str:
        return str(obj.rule.slug)

    @display(description=gettext_lazy("stands"))
    def bucket_badge(self, obj: Record) -> SafeString:
        return make_choice_badge(obj, "bucket")

    @display(description=gettext_lazy("reason"))
    def why(self, obj: Record) -> SafeString:
        return show_reason(obj)

    @display(description=gettext_lazy("changed in Sansan"))
    def changed(self, obj: Record) -> Any:
        return show_moment(obj.changed_at)

    @display(description=gettext_lazy("read"))
    def read(self, obj: Record) -> Any:
        return show_moment(obj.read_at)


def find_field_place(name: str) -> tuple[int, str]:
    """Fields stand in the order of the catalogue, as on a card."""
    order = list(SANSAN_FIELDS)
    return (order.index(name) if name in order else len(order), name)


def make_side_query(record: Record) -> dict[str, str]:
    return {"side": record.side} if record.side == Side.CONTACT else {}


def list_record_clashes(record: Record) -> list[dict[str, Any]]:
    link = record.link
    if link is None or record.side != Side.CARD:
        return []
    return clash.list_clash_lines(link.clashes, link.choices, record.rule.hubspot.schema)


def list_hubspot_news(link: Link) -> list[tuple[Any, Any]]:
    """What came back from HubSpot."""
    found: list[tuple[Any, Any]] = []
    if link.gone:
        found.append((link.get_gone_display(), show_moment(link.gone_at)))
    if link.echoes:
        said = gettext("%(n)s in all, last of run %(run)s") % {
            "n": link.echoes,
            "run": link.run_id or "–",
        }
        text = format_html("{} <small>{}</small>", show_moment(link.echo_at), said)
        found.append((gettext_lazy("Echo of our write, dropped"), text))
    if link.company_id or link.company_note:
        company = link.company_id or describe_notes(link.company_note)
        found.append((gettext_lazy("Company in HubSpot"), company))
    return found


def list_record_times(record: Record) -> list[tuple[Any, Any]]:
    changed = (
        gettext_lazy("Changed in Sansan")
        if record.side == Side.CARD
        else gettext_lazy("Changed in HubSpot")
    )
    found = [(changed, record.changed_at), (gettext_lazy("Read"), record.read_at)]
    if record.prompted_at:
        found.append((gettext_lazy("Contact changed in HubSpot"), record.prompted_at))
    if record.made_at:
        found.append((gettext_lazy("Made by us of a contact"), record.made_at))
    return [*found, (gettext_lazy("Tried again"), record.due_at)] if record.due_at else found
