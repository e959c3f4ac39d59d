"""Connections: credentials go in and never come out; what they are good for is tested by the
workers.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminPasswordWidget

from core.admin.base import AccountFilter, ScopedAdmin, ScopedForm, button, display, site
from core.roles import EDIT
from integration import tasks
from integration.admin.parts import rate
from integration.admin.parts.fields import check_typed_secret
from integration.admin.parts.links import make_list_url, make_page_url
from integration.admin.parts.said import describe_notes
from integration.admin.parts.shown import make_badge, make_choice_badge, show_moment, show_number
from integration.admin.setup import oauth
from integration.intake import people
from integration.models import Connection, Link, SyncRule, Tag

TEST_QUEUED_TEXT = gettext_lazy(
    "Queued. The result appears under “What we saw” as soon as a worker has it: reload this "
    "page in a few seconds."
)
SECRET_FIELDS = ["credentials", "hint", "unproven", "health", "health_detail", "tested_at"]


class ConnectionForm(ScopedForm):
    """The secret is asked for apart from the model's field, so that no form can render what is
    stored.
    """

    secret = forms.CharField(
        label=gettext_lazy("API key or access token"),
        max_length=2000,
        widget=UnfoldAdminPasswordWidget(
            attrs={"autocomplete": "new-password", "spellcheck": "false"}
        ),
        help_text=gettext_lazy("Stored encrypted, and never shown again."),
    )

    webhook_secret = forms.CharField(
        label=gettext_lazy("Secret of its webhooks"),
        max_length=200,
        required=False,
        widget=UnfoldAdminPasswordWidget(
            attrs={"autocomplete": "new-password", "spellcheck": "false"}
        ),
        help_text=gettext_lazy(
            "The client secret of the HubSpot app that sends them. Leave blank to keep what is "
            "stored; “none” takes it away."
        ),
    )

    class Meta:
        model = Connection
        exclude = ("credentials",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "secret" in self.fields:
            self.fields["secret"].required = False
            self.fields["secret"].help_text = _(
                "Leave blank to keep %(hint)s. A new one is tested at once."
            ) % {"hint": self.instance.hint or "****"}

    def clean_secret(self) -> str:
        return check_typed_secret(str(self.cleaned_data["secret"]))

    def clean_webhook_secret(self) -> str:
        return check_typed_secret(str(self.cleaned_data["webhook_secret"]))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("rate_seconds") is not None and cleaned["rate_seconds"] <= 0:
            self.add_error("rate_seconds", _("More than 0 seconds."))
        elif cleaned.get("rate_calls") and not cleaned.get("rate_seconds"):
            self.add_error("rate_seconds", _("In how many seconds may these calls be made?"))
        return cleaned


@admin.register(Connection, site=site)
class ConnectionAdmin(ScopedAdmin):
    form = ConnectionForm
    empty_text = gettext_lazy("Connect Sansan and HubSpot here: a rule joins the two.")
    list_display = ("slug", "system_badge", "account", "hint", "health_badge", "seen", "tested")
    list_filter = (
        ("system", ChoicesDropdownFilter),
        ("health", ChoicesDropdownFilter),
        AccountFilter,
    )
    list_select_related = ("account",)
    search_fields = ("slug",)
    ordering = ("account", "system", "slug")
    fieldsets = (
        (None, {"fields": ("account", "system", "slug", "secret")}),
        (
            gettext_lazy("Rate limit"),
            {"fields": ("budget", "speed", ("rate_calls", "rate_seconds"))},
        ),
        (gettext_lazy("Changes in HubSpot"), {"fields": ("webhook_secret", "hears", "by_itself")}),
        (
            gettext_lazy("What we saw"),
            {"fields": (("health_badge", "tested"), "health_text", ("remote_id", "sees"))},
        ),
    )
    readonly_fields = (
        "health_badge",
        "tested",
        "health_text",
        "remote_id",
        "sees",
        "budget",
        "speed",
        "hears",
        "by_itself",
    )
    buttons = ("test_connection", "refresh_tags", "sign_in", "accept_account")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Before a first test there is nothing seen."""
        fieldsets = list(super().get_fieldsets(request, obj))
        hidden = set() if self.has_change_permission(request, obj) else {"secret", "webhook_secret"}
        if obj is None:
            return [fieldsets[0], (fieldsets[1][0], {"fields": ("rate_calls", "rate_seconds")})]
        if obj.system != Connection.System.HUBSPOT:
            del fieldsets[2]
        return [
            (
                title,
                {**options, "fields": [name for name in options["fields"] if name not in hidden]},
            )
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A key of one system says nothing to the other."""
        return (*super().get_readonly_fields(request, obj), *(("system",) if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and is_connection_used(obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Tags go with their connection, though nobody deletes one by hand."""
        to_delete, counts, missing, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, missing - {Tag._meta.verbose_name}, protected

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        secret = form.cleaned_data.get("secret")
        if secret:
            obj.set_secret(secret)
        hook = form.cleaned_data.get("webhook_secret")
        if hook:
            obj.set_webhook_secret("" if hook == "none" else hook)
        # Only what the form asked for: workers write the other columns at the same time.
        fields = [
            name for name in form.changed_data if name not in ("secret", "webhook_secret")
        ] + (SECRET_FIELDS if secret else [])
        fields += ["credentials"] if hook and not secret else []
        obj.save(update_fields=fields if change else None)
        if secret:
            tasks.enqueue_check(obj)
            messages.info(
                request, _("The key of %(connection)s is being tested.") % {"connection": obj.slug}
            )
        if secret and change:
            self.tell_held(request, obj)

    def tell_held(self, request: HttpRequest, obj: Connection) -> None:
        for rule in SyncRule.objects.filter(
            Q(sansan=obj) | Q(hubspot=obj), state=SyncRule.State.HELD
        ).only("slug"):
            messages.warning(
                request,
                format_html(
                    _(
                        "The rule <a href='{}'>{}</a> is held: resume it there once the "
                        "connection works."
                    ),
                    make_page_url(rule),
                    rule.slug,
                ),
            )

    @button(gettext_lazy("Test connection"), icon="network_check", primary=True)
    def test_connection(self, request: HttpRequest, obj: Connection) -> None:
        tasks.enqueue_check(obj)
        messages.info(request, TEST_QUEUED_TEXT)

    @button(
        gettext_lazy("Refresh tags"),
        icon="sell",
        title=gettext_lazy("Reads every tag that the key sees"),
    )
    def refresh_tags(self, request: HttpRequest, obj: Connection) -> None:
        tasks.enqueue_tags(obj)
        messages.info(
            request, _("Queued. The tags appear in their list as soon as a worker has read them.")
        )

    @button(
        gettext_lazy("Sign in to HubSpot"),
        icon="login",
        right=EDIT,
        title=gettext_lazy("In place of the key that it has now"),
    )
    def sign_in(self, request: HttpRequest, obj: Connection) -> HttpResponse:
        return oauth.begin_oauth(request, obj.account, self.make_page_url(obj), obj)

    @button(
        gettext_lazy("Begin anew with this HubSpot account"),
        icon="swap_horiz",
        right=EDIT,
        title=gettext_lazy(
            "Forgets which contacts belonged to whom: they are those of another HubSpot account. "
            "People are looked for by their e-mail address again."
        ),
    )
    def accept_account(self, request: HttpRequest, obj: Connection) -> HttpResponse | None:
        if request.POST.get("confirmed") != obj.found_id:
            return self.ask_to_confirm(request, obj)
        n = people.accept_other_portal(obj)
        tasks.enqueue_check(obj)
        messages.success(
            request,
            _("%(n)s links were let go. Resume the rules of this connection to begin anew.")
            % {"n": show_number(n)},
        )
        self.tell_held(request, obj)
        return None

    def ask_to_confirm(self, request: HttpRequest, obj: Connection) -> HttpResponse:
        linked = Link.objects.filter(hubspot=obj).exclude(contact_id="")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Begin anew with this HubSpot account"),
            "connection": obj,
            "links": show_number(linked.count()),
            "back": self.make_page_url(obj),
            "original": obj,
        }
        return TemplateResponse(request, "admin/integration/connection_confirm.html", context)

    def is_button_fitting(self, name: str, obj: Connection) -> bool:
        if name == "accept_account":
            return bool(obj.found_id)
        if name == "sign_in":
            return obj.system == Connection.System.HUBSPOT and oauth.is_oauth_offered()
        return name != "refresh_tags" or obj.system == Connection.System.SANSAN

    @display(description=gettext_lazy("calls today"))
    def budget(self, obj: Connection) -> Any:
        return rate.show_rate_budget(obj)

    @display(description=gettext_lazy("speed"))
    def speed(self, obj: Connection) -> str:
        return rate.describe_call_speed(obj)

    @display(description=gettext_lazy("heard of"))
    def hears(self, obj: Connection) -> Any:
        """How changes come in, and what to enter in HubSpot so that they come at once."""
        address = f"{settings.PUBLIC_URL or 'https://…'}{reverse('hubspot_webhook')}"
        if obj.heard_at:
            return format_html("{} {}", _("By webhook, last"), show_moment(obj.heard_at))
        asked = (
            format_html("{} {}", _("Asked for, last"), show_moment(obj.polled_at))
            if obj.polled_at
            else _("Not yet: it begins with the first run.")
        )
        return format_html(
            '<span class="mb-two"><span>{}</span><small>{} <code>{}</code></small></span>',
            asked,
            _("For webhooks, enter in HubSpot's app:"),
            address,
        )

    @display(description=gettext_lazy("companies"))
    def by_itself(self, obj: Connection) -> str:
        known = {
            True: _("HubSpot associates contacts with companies by itself."),
            False: "–",
            None: _("Not seen that HubSpot associates contacts by itself."),
        }
        return str(known[obj.auto_companies])

    @display(description=gettext_lazy("system"), ordering="system")
    def system_badge(self, obj: Connection) -> SafeString:
        return make_badge(obj.system, obj.get_system_display())

    @display(description=gettext_lazy("health"), ordering="health")
    def health_badge(self, obj: Connection) -> SafeString:
        return make_choice_badge(obj, "health")

    @display(description=gettext_lazy("what we saw"))
    def seen(self, obj: Connection) -> SafeString:
        text = describe_notes(obj.health_detail)
        return format_html('<span class="mb-cut" title="{}">{}</span>', text, text or "–")

    @display(description=gettext_lazy("what we saw"))
    def health_text(self, obj: Connection) -> str:
        return describe_notes(obj.health_detail) or "–"

    @display(description=gettext_lazy("tested"), ordering="tested_at")
    def tested(self, obj: Connection) -> Any:
        return show_moment(obj.tested_at)

    @display(description=gettext_lazy("sees"))
    def sees(self, obj: Connection) -> Any:
        if obj.system == Connection.System.HUBSPOT:
            return _("%(n)s contact properties") % {"n": show_number(len(obj.schema))}
        tags = Tag.objects.filter(connection=obj)
        text = _("%(all)s tags, %(selected)s selected") % {
            "all": show_number(tags.count()),
            "selected": show_number(tags.filter(selected=True).count()),
        }
        return format_html(
            '<a class="text-link" href="{}">{}</a>', make_list_url(Tag, connection=obj.pk), text
        )


def is_connection_used(connection: Connection) -> bool:
    """Rules and history hang on it."""
    rules = SyncRule.objects.filter(Q(sansan=connection) | Q(hubspot=connection))
    return rules.exists() or Link.objects.filter(hubspot=connection).exists()
