"""Invitations: made by an owner, sent by mail, accepted once. Nothing here stores or logs a token."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.contrib.auth.forms import BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.core.mail import get_connection, send_mail
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from core.history import because
from core.models import Account, Invitation, Membership, User
from core.models.invitation import digest

log = structlog.get_logger()
# A person waits for the page while the mail host is asked.
MAIL_SECONDS = 10
NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"


class Closed(Exception):
    """The token is unknown, used, replaced, withdrawn or too old."""


def check_new(account: Account, email: str) -> None:
    """Raises ValidationError for the address of a member."""
    if Membership.objects.filter(account=account, user__email__iexact=email).exists():
        raise ValidationError(_("%(email)s belongs to a member already: change the role under Members."), params={"email": email})


def invite(account: Account, email: str, role: str, by: User) -> tuple[Invitation, str]:
    """The open invitation of this address, new or renewed, and its token."""
    email = email.strip().lower()
    check_new(account, email)
    fresh = Invitation(role=role, invited_by=by.get_username(), created_at=timezone.now())
    token = fresh.new_token()
    names = ("role", "invited_by", "created_at", "token_digest", "expires_at")
    values = {name: getattr(fresh, name) for name in names}
    invitation, _made = Invitation.objects.update_or_create(account=account, email=email, accepted_at=None, defaults=values)
    open_door(email)
    return invitation, token


def open_door(email: str) -> None:
    """Who has a user accepts after signing in, and only staff can. Without a membership all pages stay empty to them."""
    User.objects.filter(email__iexact=email, is_active=True, is_staff=False).update(is_staff=True)


def renew(invitation: Invitation) -> str:
    """A fresh token in place of the old one, which opens nothing from now on."""
    token = invitation.new_token()
    # Not save(): between the page and the press the row may have been withdrawn.
    fresh = {"token_digest": invitation.token_digest, "expires_at": invitation.expires_at}
    Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(**fresh)
    return token


def link_of(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("invitation", args=[token]))


def send(invitation: Invitation, link: str) -> bool:
    """Whether the mail went out. Whatever a mail host answers, the page must still show the link."""
    if settings.EMAIL_BACKEND == NO_MAIL:
        return False
    named = {"by": invitation.invited_by, "account": " ".join(invitation.account.name.split())}
    subject = _("%(by)s invites you to %(account)s") % named
    try:
        text = render_to_string("invitation/mail.txt", {**named, "invitation": invitation, "link": link})
        return send_mail(subject, text, None, [invitation.email], connection=get_connection(timeout=MAIL_SECONDS)) == 1
    except Exception as error:  # by name only: its text may quote the mail
        log.warning("invitation_not_sent", invitation=invitation.pk, error=type(error).__name__)
        return False


def found(token: str) -> Invitation | None:
    return Invitation.objects.select_related("account").filter(token_digest=digest(token)).first()


def locked(token: str) -> Invitation:
    """The open invitation, held until the transaction ends; raises Closed where there is none."""
    invitation = Invitation.objects.select_for_update().filter(token_digest=digest(token)).first()
    if invitation is None or not invitation.is_open:
        raise Closed
    return invitation


@transaction.atomic
def accept(token: str, user: User) -> Membership:
    """The membership that the token gives, once. Who is a member already keeps the role."""
    # The person is held, too: two invitations of two addresses may be accepted at once.
    User.objects.select_for_update().get(pk=user.pk)
    invitation = locked(token)
    member = Membership.objects.filter(user=user, account=invitation.account).first() or join(invitation, user)
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user.get_username()
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    log.info("invitation_accepted", invitation=invitation.pk, account=invitation.account_id, user=user.pk)
    return member


def join(invitation: Invitation, user: User) -> Membership:
    member = Membership(user=user, account=invitation.account, role=invitation.role)
    # Who signs up just now is not yet the user of the request.
    member._history_user = user
    because(member, _("Invited by %(by)s.") % {"by": invitation.invited_by}).save()
    return member


@transaction.atomic
def enrol(token: str, form: BaseUserCreationForm[User]) -> Membership:
    """Makes the form's user and accepts. The invitation is held first: a form sent twice at once makes one user."""
    locked(token)
    return accept(token, form.save())
