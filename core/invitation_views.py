"""The page behind an invitation's link.

Looking at it changes nothing, because mail programs look, too.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from core.invitations import InvitationClosed, accept_invitation, enrol_user, find_invitation
from core.models import Invitation, Membership, User


class SignUpForm(UserCreationForm):  # type: ignore[type-arg]  # takes none at run time
    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username",)
        help_texts = {
            "username": gettext_lazy("Letters, digits and . + - _ only, or your e-mail address.")
        }

    def clean_username(self) -> str:
        """Owners add members by user name or e-mail: nobody may take somebody else's address for a
        name.
        """
        username = super().clean_username()
        if username and "@" in username and username.lower() != self.instance.email:
            raise ValidationError(
                _("With “@” only the address that was invited can be a user name.")
            )
        return username


@method_decorator(sensitive_post_parameters("password1", "password2"), name="dispatch")
class InvitationView(View):
    http_method_names = ["get", "head", "post"]
    token: str
    invitation: Invitation

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Neither a cache nor the next site learns the address, which is the key."""
        try:
            self.find(kwargs["token"])
            response = super().dispatch(request, *args, **kwargs)
        except InvitationClosed:
            response = self.show_closed()
        response["Cache-Control"], response["Referrer-Policy"] = "no-store", "same-origin"
        return response

    def find(self, token: str) -> None:
        there = find_invitation(token)
        if there is None or not there.stands:
            raise InvitationClosed
        self.token, self.invitation = token, there

    def show_closed(self) -> HttpResponse:
        """Asked again: it may have been accepted while this request was under way.

        Tells nothing about the account.
        """
        there = find_invitation(self.kwargs["token"])
        if there and there.is_open and not there.stands:
            there = None  # as good as withdrawn
        return render(
            self.request,
            "invitation/closed.html",
            {"invitation": there},
            status=410 if there else 404,
        )

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.user.is_authenticated:
            return self.show_page(
                "join",
                member=self.find_membership(request.user),
                other=request.user.email.lower() != self.invitation.email,
            )
        if self.has_user():
            return self.show_page(
                "sign_in", login_url=reverse("admin:login", query={"next": request.path})
            )
        return self.show_page("sign_up", form=SignUpForm())

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.user.is_authenticated:
            return self.join(request, request.user)
        return self.get(request, token) if self.has_user() else self.sign_up(request)

    def join(self, request: HttpRequest, user: User) -> HttpResponse:
        """``as``: in another tab somebody else may have signed in, whom this page has told nothing
        yet.
        """
        if request.POST.get("as") != user.get_username() or self.find_membership(user):
            return self.get(request, self.token)
        return self.welcome(accept_invitation(self.token, user))

    def sign_up(self, request: HttpRequest) -> HttpResponse:
        form = SignUpForm(request.POST, instance=User(email=self.invitation.email, is_staff=True))
        if not form.is_valid():
            return self.show_page("sign_up", form=form)
        member = enrol_user(self.token, form)
        login(request, member.user)
        return self.welcome(member)

    def has_user(self) -> bool:
        """Also one that is switched off: an invitation is no way around that."""
        return User.objects.filter(email__iexact=self.invitation.email).exists()

    def find_membership(self, user: User) -> Membership | None:
        return user.memberships.filter(account=self.invitation.account).first()

    def welcome(self, member: Membership) -> HttpResponse:
        said = {"account": member.account, "role": member.get_role_display()}
        messages.success(
            self.request, _("Welcome: you are now a member of %(account)s, as %(role)s.") % said
        )
        return redirect("admin:index")

    def show_page(self, name: str, **context: Any) -> HttpResponse:
        return render(
            self.request, f"invitation/{name}.html", {"invitation": self.invitation, **context}
        )
