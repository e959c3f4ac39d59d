"""Tags: which cards are in scope. Sansan makes and removes tags; here they are only selected."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin.base import AccountFilter, ReadOnlyAdmin, display, site
from core.history import update_with_history
from core.roles import EDIT, may
from integration.admin.parts.filters import ConnectionFilter, SelectedFilter
from integration.admin.parts.shown import make_badge, make_choice_badge, show_moment, show_number
from integration.models import Connection, Tag
from integration.rules.recheck import require_recheck_of_readers


class SansanFilter(ConnectionFilter):
    system = Connection.System.SANSAN


@admin.register(Tag, site=site)
class TagAdmin(ReadOnlyAdmin):
    empty_text = gettext_lazy("Sansan's tags stand here once a connection has read them.")
    list_display = (
        "name",
        "connection_name",
        "account",
        "type_badge",
        "selected_badge",
        "external_id",
        "seen",
    )
    list_display_links = None
    list_per_page = 100
    list_filter = (SansanFilter, SelectedFilter, ("type", ChoicesDropdownFilter), AccountFilter)
    list_before_template = "admin/integration/tag_scope.html"
    search_fields = ("name", "=external_id")
    search_help_text = gettext_lazy("Name, or id in Sansan")
    # What is selected stands first.
    ordering = ("connection", "-selected", "name")
    actions = ("select_tags", "deselect_tags")
    fields = ("name", "external_id", "connection_name", "type_badge", "selected_badge", "seen")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        # A credential under a lost key must not raise for a list of tags.
        return (
            super()
            .get_queryset(request)
            .select_related("connection", "account")
            .defer("connection__credentials", "connection__schema")
        )

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return may(request.user, None, EDIT)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        return super().changelist_view(
            request,
            {
                "scopes": select_tag_scopes(),
                "most": settings.SYNC_MAX_TAGS,
                **(extra_context or {}),
            },
        )

    @admin.action(
        permissions=["edit"], description=gettext_lazy("Select: cards with these tags are in scope")
    )
    def select_tags(self, request: HttpRequest, tags: QuerySet[Tag]) -> None:
        private = list(tags.filter(type=Tag.Type.PRIVATE).values_list("name", flat=True)[:100])
        if private:
            sentence = ngettext(
                (
                    "%(names)s was left out: a private tag belongs to one Sansan user and "
                    "cannot be "
                    "selected."
                ),
                (
                    "%(names)s were left out: a private tag belongs to one Sansan user and cannot "
                    "be selected."
                ),
                len(private),
            )
            messages.warning(request, sentence % {"names": shorten_names(private)})
        self.change(request, tags.exclude(type=Tag.Type.PRIVATE), selected=True)

    @admin.action(permissions=["edit"], description=gettext_lazy("Deselect"))
    def deselect_tags(self, request: HttpRequest, tags: QuerySet[Tag]) -> None:
        self.change(request, tags, selected=False)

    def change(self, request: HttpRequest, tags: QuerySet[Tag], selected: bool) -> None:
        chosen: dict[int, list[int]] = {}
        for pk, connection_id in (
            tags.filter(selected=not selected).order_by().values_list("pk", "connection_id")
        ):
            chosen.setdefault(connection_id, []).append(pk)
        if not chosen:
            messages.info(request, _("Nothing to change: these tags were as you want them."))
        for connection in Connection.objects.filter(pk__in=chosen).only(
            "slug", "system", "account_id"
        ):
            if may(request.user, connection.account_id, EDIT):
                self.change_one(request, connection, chosen[connection.pk], selected)
            else:
                messages.error(
                    request,
                    _("%(connection)s: your role may look at these tags, not select them.")
                    % {"connection": connection.slug},
                )

    def change_one(
        self, request: HttpRequest, connection: Connection, chosen: list[int], selected: bool
    ) -> None:
        """All or nothing for each connection: which of too many tags to drop is not ours to
        choose.
        """
        with transaction.atomic():
            # Two people who select at once take turns, or the sum of theirs could pass the limit.
            Connection.objects.select_for_update().only("pk").get(pk=connection.pk)
            tags = Tag.objects.filter(connection=connection)
            after = (
                tags.filter(Q(selected=True) | Q(pk__in=chosen)).count()
                if selected
                else tags.filter(selected=True).exclude(pk__in=chosen).count()
            )
            if selected and after > settings.SYNC_MAX_TAGS:
                messages.error(request, explain_too_many_tags(connection, after, len(chosen)))
                return
            changing = list(tags.filter(pk__in=chosen))
            for tag in changing:
                tag.selected = selected
            update_with_history(changing, ["selected"])
            require_recheck_of_readers(connection)
        messages.success(
            request,
            _("%(connection)s: %(n)s tags selected. The next run looks at every card again.")
            % {"connection": connection.slug, "n": show_number(after)},
        )
        if after == 0:
            messages.warning(
                request,
                _(
                    "%(connection)s has no selected tag now: every card that its key sees is in "
                    "scope."
                )
                % {"connection": connection.slug},
            )

    @display(description=gettext_lazy("connection"), ordering="connection__slug")
    def connection_name(self, obj: Tag) -> str:
        return str(obj.connection.slug)

    @display(description=gettext_lazy("type"), ordering="type")
    def type_badge(self, obj: Tag) -> SafeString:
        return make_choice_badge(obj, "type")

    @display(description=gettext_lazy("scope"), ordering="selected")
    def selected_badge(self, obj: Tag) -> SafeString:
        return make_badge("", _("Selected"), "good") if obj.selected else SafeString("–")

    @display(description=gettext_lazy("last seen"), ordering="seen_at")
    def seen(self, obj: Tag) -> Any:
        return show_moment(obj.seen_at)


def select_tag_scopes() -> QuerySet[Connection]:
    """The Sansan connections, each with what its tags say of the scope."""
    rows = (
        Connection.objects.filter(system=Connection.System.SANSAN)
        .only("slug", "account__name")
        .select_related("account")
    )
    return rows.annotate(
        all_tags=Count("tags"), chosen=Count("tags", filter=Q(tags__selected=True))
    ).order_by("account", "slug")[:20]


def explain_too_many_tags(connection: Connection, after: int, adding: int) -> str:
    return _(
        "%(connection)s would have %(after)s selected tags with these %(adding)s, and at most "
        "%(most)s can be selected: nothing was changed."
    ) % {
        "connection": connection.slug,
        "after": show_number(after),
        "adding": show_number(adding),
        "most": show_number(settings.SYNC_MAX_TAGS),
    }


def shorten_names(names: list[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (_(" and %(n)s more") % {"n": rest} if rest > 0 else "")
