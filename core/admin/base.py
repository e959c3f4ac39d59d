"""The one base of every page. What the pages need of unfold is here, so that the stock admin stays
possible.

Rows come from the scoped manager: the request's scope is opened by
``core.tenancy.AccountScopeMiddleware``. Rights come from the user's role in the row's account
(``core.roles``), never from Django's permissions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import ForeignKey, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold import admin as unfold
from unfold.decorators import display as unfold_display
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin.buttons import ButtonsMixin, Method, button
from core.admin.changelist import AccountFilter, PagedChangeList, is_id
from core.admin.paginator import CappedPaginator
from core.admin.site import site
from core.encryption import EncryptedJSONField
from core.history import Tracked, give_reason
from core.models.account import Account
from core.roles import EDIT, HISTORY_RIGHT, OPERATE, VIEW, may
from core.switcher import find_chosen_account, select_seen_accounts
from core.tenancy import AccountOwned

__all__ = [
    "AccountFilter",
    "CappedPaginator",
    "PanelAdmin",
    "PlatformRights",
    "ReadOnlyAdmin",
    "ScopedAdmin",
    "ScopedForm",
    "StackedInline",
    "TabularInline",
    "button",
    "display",
    "is_id",
    "site",
]


class Display(Protocol):
    """unfold's decorator, as far as the pages need it: it gives the method back."""

    def __call__(
        self,
        *,
        description: str | Promise,
        ordering: str | None = None,
        label: Mapping[str, str] | None = None,
    ) -> Callable[[Method], Method]: ...


display: Display = unfold_display


def find_account_id(obj: Any) -> int | None:
    """The account that a row hangs on; None asks about any account."""
    if obj is None:
        return None
    return obj.pk if isinstance(obj, Account) else obj.account_id


def defer_secrets(rows: QuerySet[Any]) -> QuerySet[Any]:
    """One credential under a lost key would raise for a whole list, and no page shows one."""
    secret = [
        field.name
        for field in rows.model._meta.concrete_fields
        if isinstance(field, EncryptedJSONField)
    ]
    return rows.defer(*secret) if secret else rows


def is_leaving(obj: Any) -> bool:
    """Whether the row's account is being deleted: its credentials are destroyed already, and nobody
    enters new ones.
    """
    account = obj if isinstance(obj, Account) else getattr(obj, "account", None)
    return account is not None and account.leaving_at is not None


def select_editable_accounts(request: HttpRequest) -> QuerySet[Account]:
    seen = select_seen_accounts(request).filter(leaving_at__isnull=True)
    if request.user.is_superuser:
        return seen
    return Account.objects.filter(
        pk__in=[pk for pk in seen.values_list("pk", flat=True) if may(request.user, pk, EDIT)]
    )


class RoleRights:
    """Django's permission methods, answered by the user's role in the object's account."""

    def is_allowed(self, request: HttpRequest, obj: Any, action: str) -> bool:
        """Without an object: in the account that was chosen, or in any."""
        chosen = find_chosen_account(request) if obj is None else None
        if action in (OPERATE, EDIT) and is_leaving(obj):
            return False
        return may(request.user, chosen.pk if chosen else find_account_id(obj), action)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, None, VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_allowed(request, obj, VIEW)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_allowed(request, obj, EDIT)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_allowed(request, obj, EDIT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_allowed(request, obj, EDIT)


if TYPE_CHECKING:
    # What comes after it in every page.
    FieldsBase = BaseModelAdmin[Any]
else:
    FieldsBase = object


class ScopedFields(FieldsBase):
    """Choices end at the scope."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        related = db_field.related_model
        if related is Account:
            kwargs["queryset"] = select_editable_accounts(request)
        elif isinstance(related, type) and issubclass(related, AccountOwned):
            kwargs.setdefault("queryset", defer_secrets(related.objects.all()))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Other rows are made, changed and deleted on their own pages, not in a popup beside a
        choice.
        """
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field


class ScopedForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none at run time
    """Gives a new row its account where there is no choice, and keeps all its foreign keys inside
    that account.
    """

    request: HttpRequest
    change_reason = forms.CharField(
        label=gettext_lazy("Why (for the history)"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not needs_change_reason(self.instance):
            self.fields.pop("change_reason", None)
        if (
            "account" not in self.fields
            and self.instance.pk is None
            and isinstance(self.instance, AccountOwned)
        ):
            # Add_view has seen to it that there is one.
            self.instance.account = select_editable_accounts(self.request).get()

    def _get_validation_exclusions(self) -> set[str]:
        # Uniqueness within an account can only be told with the account, also where the form does
        # not ask for it.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # no stub
        return excluded - ({"account"} - self.errors.keys())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        give_reason(self.instance, cleaned.pop("change_reason", ""))
        account = cleaned.get("account") or getattr(self.instance, "account", None)
        for name, value in list(cleaned.items()):
            if account and isinstance(value, AccountOwned) and value.account_id != account.pk:
                self.add_error(
                    name,
                    ValidationError(
                        _("This belongs to another account: choose one of %(account)s."),
                        params={"account": account},
                    ),
                )
        return cleaned

    @property
    def changed_data(self) -> list[str]:
        """A reason alone changes nothing."""
        return [name for name in super().changed_data if name != "change_reason"]


def needs_change_reason(obj: Any) -> bool:
    """Whether a change of the row is kept in a history, with a reason."""
    return isinstance(obj, Tracked) and obj.pk is not None


class ScopedAdmin(ButtonsMixin, RoleRights, ScopedFields, unfold.ModelAdmin):
    """A page of rows of the user's accounts."""

    form = ScopedForm
    paginator: ClassVar[type[CappedPaginator]] = CappedPaginator
    list_per_page = 50
    # "Show all" on one page, beside unfold's "show all" that takes the filters away, would confuse.
    list_max_show_all = 0
    show_full_result_count = False
    # Counts beside filters would each count the whole table.
    show_facets = admin.ShowFacets.NEVER
    list_filter_submit = True
    list_fullwidth = True
    # What an empty list says: what would stand there, and how it comes about.
    empty_text: Any = ""
    # Its button, where a new row is not made by the plain form: (text, name of the address).
    empty_begin: tuple[Any, str] | None = None
    list_prefetch: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return defer_secrets(super().get_queryset(request)).prefetch_related(*self.list_prefetch)

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        per_page: int,
        *args: Any,
        **kwargs: Any,
    ) -> Paginator[Any]:
        return self.paginator(
            queryset, per_page, *args, accounts=self.list_accounts_of(request), **kwargs
        )

    def list_accounts_of(self, request: HttpRequest) -> list[int]:
        """The accounts that a list can hold rows of, where its filters tell; none where they do
        not.
        """
        chosen = request.GET.get("account", "")
        return [int(chosen)] if is_id(chosen) else []

    def get_urls(self) -> list[URLPattern]:
        return [*self.make_button_urls(), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PagedChangeList]:
        return PagedChangeList

    def get_list_display(self, request: HttpRequest) -> list[str | Callable[[Any], str | bool]]:
        """The account is a column only for those who see more than one."""
        shown = list(super().get_list_display(request))
        return (
            [name for name in shown if name != "account"]
            if self.sees_one_account(request)
            else shown
        )

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        shown = list(super().get_list_filter(request))
        return (
            [one for one in shown if one is not AccountFilter]
            if self.sees_one_account(request)
            else shown
        )

    def sees_one_account(self, request: HttpRequest) -> bool:
        known = vars(request)
        if "_one_account" not in known:
            known["_one_account"] = len(select_seen_accounts(request).values_list("pk")[:2]) < 2
        return bool(known["_one_account"])

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ScopedForm]:
        form: type[ScopedForm] = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without a choice of accounts there is nothing to ask; the read-only account goes without
        saying, too.
        """
        fieldsets = list(super().get_fieldsets(request, obj))
        if needs_change_reason(obj) and self.has_change_permission(request, obj):
            fieldsets.append((None, {"fields": ("change_reason",)}))
        if (
            not self.has_account_field
            or (obj and not self.sees_one_account(request))
            or (not obj and select_editable_accounts(request).count() > 1)
        ):
            return fieldsets
        return [
            (title, {**options, "fields": [f for f in options["fields"] if f != "account"]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "account") if obj and self.has_account_field else fields

    @property
    def has_account_field(self) -> bool:
        try:
            self.model._meta.get_field("account")
        except FieldDoesNotExist:
            return False
        return True

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting many at once is nobody's wish here, and it would go around the rows' own
        guards.
        """
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """An id that is none chooses nothing."""
        posted = request.POST.copy()
        posted.setlist(
            ACTION_CHECKBOX_NAME, list(filter(is_id, posted.getlist(ACTION_CHECKBOX_NAME)))
        )
        request.POST = posted  # type: ignore[assignment]  # to the stubs it never changes
        return super().response_action(request, queryset, *args, **kwargs)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """On an empty platform there is nothing that a row could hang on."""
        if (
            self.has_account_field
            and self.has_add_permission(request)
            and not select_editable_accounts(request).exists()
        ):
            messages.info(request, _("First make an account: everything else belongs to one."))
            return redirect(f"{self.admin_site.name}:core_account_add")
        page: HttpResponse = super().add_view(request, *args, **kwargs)
        return page

    def history_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Asked before the row is looked for: an answer must not tell whether it is there."""
        obj = self.get_object(request, str(object_id))
        if not self.is_allowed(request, obj, HISTORY_RIGHT):
            raise PermissionDenied
        page: HttpResponse = super().history_view(request, object_id, *args, **kwargs)
        return page

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Rows of an inline belong to their parent's account."""
        for row in formset.forms:
            if isinstance(row.instance, AccountOwned) and row.instance.pk is None:
                row.instance.account_id = form.instance.account_id
            give_reason(row.instance, form.instance._change_reason or "")
        super().save_formset(request, form, formset, change)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None:
            context["buttons"] = self.list_buttons(request, obj)
            context["press_url"] = f"{self.admin_site.name}:{self._press_name}"
            context.update(self.make_page_context(request, obj))
        page: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return page

    def make_page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the detail page's own template needs."""
        return {}

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        # Django would go to the overview and repeat the id; another account's row is as absent as
        # none.
        raise Http404


class ReadOnlyAdmin(ScopedAdmin):
    """History: nobody adds, changes or deletes it by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PanelAdmin(ReadOnlyAdmin):
    """History whose detail page shows itself whole in its own template, without a form's fields."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return []


class PlatformRights:
    """Of rows that belong to no account: who runs the platform sees them, and nobody else."""

    def is_allowed(self, request: HttpRequest, obj: Any, action: str) -> bool:
        return bool(request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.is_allowed(request, None, VIEW)


class TabularInline(RoleRights, ScopedFields, unfold.TabularInline):
    extra = 0
    exclude = ("account",)


class StackedInline(RoleRights, ScopedFields, unfold.StackedInline):
    extra = 0
    exclude = ("account",)
