"""Members: who may do what in an account. Its owners manage them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin.base import ScopedAdmin, ScopedForm, display, site
from core.invitations import withdraw_invitation
from core.models import Account, Membership, Role, User
from core.roles import EDIT, EXPORT, HISTORY_RIGHT, MAY, OPERATE, OWN, VIEW, may
from core.switcher import find_chosen_account, select_seen_accounts, select_user_accounts

# What each right is to a person who gives it.
RIGHT_LABELS = {
    VIEW: gettext_lazy("sees everything"),
    HISTORY_RIGHT: gettext_lazy("sees who changed what"),
    EXPORT: gettext_lazy("takes data out"),
    OPERATE: gettext_lazy("runs syncs and retries"),
    EDIT: gettext_lazy("sets up and changes syncs"),
    OWN: gettext_lazy("manages people"),
}
# Every role: of one that is not here the list would show the code instead of the name.
ROLE_TONES: dict[str, str] = {
    **dict.fromkeys(Role, "default"),
    Role.OWNER: "primary",
    Role.EDITOR: "info",
    Role.OPERATOR: "info",
}


class MembershipForm(ScopedForm):
    """The user is typed, not chosen: a list of users would show every other customer's people."""

    who = forms.CharField(
        label=gettext_lazy("User name or e-mail"), widget=UnfoldAdminTextInputWidget()
    )

    class Meta:
        model = Membership
        fields = ("account", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["who"]
        else:
            self.fields["who"].help_text = make_user_help()

    def clean_who(self) -> User:
        typed = self.cleaned_data["who"].strip()
        found = list(
            select_known_users(self.request).filter(
                Q(username=typed) | Q(email__iexact=typed), is_active=True
            )[:2]
        )
        if len(found) != 1:
            raise ValidationError(
                _(
                    "Nobody signs in with this name: check the spelling, or send an invitation "
                    "to somebody new."
                )
            )
        return found[0]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        account, user = (
            cleaned.get("account") or getattr(self.instance, "account", None),
            cleaned.get("who"),
        )
        if account and user and Membership.objects.filter(account=account, user=user).exists():
            self.add_error(
                "who", _("%(user)s is a member already: change the role there.") % {"user": user}
            )
        if self.instance.pk and cleaned.get("role") != Role.OWNER and is_last_owner(self.instance):
            self.add_error(
                "role", _("An account needs an owner: make somebody else an owner first.")
            )
        return cleaned

    def save(self, commit: bool = True) -> Membership:
        if not self.instance.pk:
            self.instance.user = self.cleaned_data["who"]
        member: Membership = super().save(commit)
        return member


def make_user_help() -> SafeString:
    here, link = (
        _("Exactly as the person signs in. Who has no user yet gets in by e-mail:"),
        _("send an invitation"),
    )
    return format_html(
        '{} <a class="text-link mb-link" href="{}">{}</a>.',
        here,
        reverse("admin:core_invitation_add"),
        link,
    )


def select_known_users(request: HttpRequest) -> QuerySet[User]:
    """Whom an owner may add without asking: people of accounts of theirs. Anybody else is invited,
    and accepts.

    Found by name, others would be shown with their address, and tell which names there are. Nor has
    anybody proved that the address that a user was invited by is theirs: found by it, they would
    take the seat of whom it was meant for.
    """
    if request.user.is_superuser:
        return User.objects.all()
    owned = [
        pk
        for pk in select_user_accounts(request.user).values_list("pk", flat=True)
        if may(request.user, pk, OWN)
    ]
    return User.objects.filter(pk__in=Membership.objects.filter(account__in=owned).values("user"))


def is_last_owner(member: Membership) -> bool:
    stored = Membership.objects.filter(account_id=member.account_id, role=Role.OWNER)
    return stored.filter(pk=member.pk).exists() and stored.count() == 1


class OwnersAdmin(ScopedAdmin):
    """Rows that only owners of their account see and change."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return (
            rows
            if is_seeing_all_accounts(request)
            else rows.filter(account_id__in=list_owned_account_ids(request))
        )

    def is_allowed(self, request: HttpRequest, obj: Any, action: str) -> bool:
        return super().is_allowed(request, obj, OWN)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, None, OWN)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "account" and not is_seeing_all_accounts(request):
            field.queryset = Account.objects.filter(pk__in=list_owned_account_ids(request))
        if db_field.name == "account" and len(only := field.queryset[:2]) == 1:
            field.initial = only[0].pk
        return field

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role":
            kwargs["help_text"] = make_roles_help()
        return super().formfield_for_choice_field(db_field, request, **kwargs)


def make_roles_help() -> SafeString:
    """What each role may do, as the table of rights says."""
    told = (
        (
            role.label,
            ", ".join(str(does) for action, does in RIGHT_LABELS.items() if action in MAY[role]),
        )
        for role in Role
    )
    return format_html_join(SafeString("<br>"), "<b>{}</b>: {}", told)


@admin.register(Membership, site=site)
class MembershipAdmin(OwnersAdmin):
    form = MembershipForm
    list_display = ("user", "email", "account", "role_badge")
    list_select_related = ("user", "account")
    search_fields = ("user__username", "user__email")
    fieldsets = ((None, {"fields": ("account", "who", "role")}),)
    ordering = ("account", "user__username")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and is_last_owner(obj))

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        withdraw_invitation(obj.account, obj.user.email)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        """With whatever was left open for the person, or an old link would undo it."""
        withdraw_invitation(obj.account, obj.user.email)
        super().delete_model(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            ((None, {"fields": ("user", "account", "role")}),)
            if obj
            else ((None, {"fields": ("account", "who", "role")}),)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("user", "account") if obj else ()

    @display(description=gettext_lazy("e-mail"))
    def email(self, obj: Membership) -> str:
        return obj.user.email

    @display(description=gettext_lazy("role"), ordering="role", label=ROLE_TONES)
    def role_badge(self, obj: Membership) -> tuple[str, str]:
        return obj.role, obj.get_role_display()


def is_seeing_all_accounts(request: HttpRequest) -> bool:
    """The platform's staff, as long as they have not chosen one account."""
    return bool(request.user.is_superuser) and find_chosen_account(request) is None


def list_owned_account_ids(request: HttpRequest) -> list[int]:
    return [
        pk
        for pk in select_seen_accounts(request).values_list("pk", flat=True)
        if may(request.user, pk, OWN)
    ]
