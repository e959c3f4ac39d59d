"""Invitations: how an owner lets in somebody new, without a look at anybody else's people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin.base import ScopedForm, button, display, site
from core.admin.member import OwnersAdmin, is_seeing_all_accounts, list_owned_account_ids
from core.invitations import (
    add_standing,
    check_new_address,
    make_invitation,
    make_invitation_link,
    renew_invitation,
    send_invitation,
)
from core.models import Account, Invitation, User
from core.roles import OWN

if TYPE_CHECKING:
    from core.invitations import StandingInvitation

HIDDEN_SAVE_BUTTONS = {"show_save_and_add_another": False, "show_save_and_continue": False}


def select_owned_accounts(request: HttpRequest) -> QuerySet[Account]:
    if is_seeing_all_accounts(request):
        return Account.objects.all()
    return Account.objects.filter(pk__in=list_owned_account_ids(request))


def find_signed_in_user(request: HttpRequest) -> User:
    """Nobody comes to a page of the admin without having signed in."""
    assert isinstance(request.user, User)
    return request.user


class InvitationForm(ScopedForm):
    class Meta:
        model = Invitation
        fields = ("account", "email", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" not in self.fields and self.instance.pk is None:
            # Get_fieldsets has counted them.
            self.instance.account = select_owned_accounts(self.request).get()

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        account, email = (
            cleaned.get("account") or getattr(self.instance, "account", None),
            cleaned.get("email"),
        )
        if account and email:
            try:
                check_new_address(account, email)
            except ValidationError as member:
                self.add_error("email", member)
        return cleaned

    def validate_constraints(self) -> None:
        """A second invitation of an address is no mistake: it takes the place of the first."""


@admin.register(Invitation, site=site)
class InvitationAdmin(OwnersAdmin):
    form = InvitationForm
    empty_text = gettext_lazy(
        "Whoever you invite gets a link by e-mail, makes a user if there is none yet, and is a "
        "member from then on."
    )
    list_display = ("email", "account", "role_name", "invited_by", "created_at", "state_badge")
    list_select_related = ("account",)
    search_fields = ("email",)
    ordering = ("-pk",)
    buttons = ("send_again",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What stands in a mail that was sent does not change.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting withdraws. What was accepted stays, as the answer to who let somebody in."""
        return super().has_delete_permission(request, obj) and not (obj and obj.accepted_at)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            text = (
                _("“Delete” withdraws it: the link opens nothing from then on.")
                if self.has_delete_permission(request, obj)
                else ""
            )
            return (
                (None, {"fields": self.get_readonly_fields(request, obj), "description": text}),
            )
        several = select_owned_accounts(request).count() > 1
        text = _(
            "Saving sends a mail with a link that is open for a week. Where an invitation is "
            "open already, the new link replaces the old one."
        )
        return (
            (
                None,
                {
                    "fields": ("account", "email", "role") if several else ("email", "role"),
                    "description": text,
                },
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        made = ("email", "account", "role", "invited_by", "created_at", "expires_at")
        return (
            (*made, "accepted_at", "accepted_by")
            if obj and obj.accepted_at
            else made
            if obj
            else ()
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().add_view(
            request, form_url, {**HIDDEN_SAVE_BUTTONS, **(extra_context or {})}
        )
        # Only now is the row committed: a slow mail host must not hold the database.
        invited = getattr(request, "_invited", None)
        return self.hand_over(request, *invited) if invited else response

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        made, token = make_invitation(
            obj.account, obj.email, obj.role, find_signed_in_user(request)
        )
        obj.pk = made.pk
        obj.refresh_from_db()
        vars(request)["_invited"] = (made, token)

    def response_add(
        self, request: HttpRequest, obj: Invitation, post_url_continue: Any = None
    ) -> HttpResponse:
        """Without Django's message: the page that takes this answer's place says what happened."""
        return redirect(self.make_page_url(obj))

    def hand_over(self, request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
        """Shows the link in the answer itself: a message or a session would store it."""
        link = make_invitation_link(request, token)
        field = UnfoldAdminTextInputWidget(
            attrs={"id": "invitation-link", "readonly": True, "onfocus": "this.select()"}
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Invitation of %(email)s") % {"email": invitation.email},
            "invitation": invitation,
            "field": field.render("link", link),
            "sent": send_invitation(invitation, link),
        }
        return TemplateResponse(
            request, "invitation/link.html", context, headers={"Referrer-Policy": "same-origin"}
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        return add_standing(super().get_queryset(request))

    def is_button_fitting(self, name: str, obj: Any) -> bool:
        return obj.accepted_at is None

    @button(
        gettext_lazy("Send again"),
        icon="forward_to_inbox",
        right=OWN,
        title=gettext_lazy("With a new link: the old one opens nothing any more"),
    )
    def send_again(self, request: HttpRequest, obj: Invitation) -> HttpResponse:
        token = renew_invitation(obj, find_signed_in_user(request))
        self.log_change(request, obj, _("Sent again."))
        return self.hand_over(request, obj, token)

    @display(description=gettext_lazy("role"), ordering="role")
    def role_name(self, obj: Invitation) -> str:
        return obj.get_role_display()

    @display(
        description=gettext_lazy("state"),
        label={"open": "info", "accepted": "success", "expired": "warning"},
    )
    def state_badge(self, obj: StandingInvitation) -> tuple[str, Any]:
        if obj.accepted_at:
            return "accepted", _("Accepted")
        return ("open", _("Open")) if obj.stands else ("expired", _("Expired"))
