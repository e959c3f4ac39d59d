"""Invitations: made by an owner, sent by mail, accepted once.

Nothing here stores or logs a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import structlog
from django.conf import settings
from django.contrib.auth.forms import BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.core.mail import get_connection, send_mail
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from core.history import give_reason
from core.models import Account, Invitation, Membership, Role, User
from core.models.invitation import digest_token

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Standing(TypedDict):
        stands: bool

    StandingInvitation = WithAnnotations[Invitation, Standing]

log = structlog.get_logger()
# A person waits for the page while the mail host is asked.
MAIL_TIMEOUT_SECONDS = 10
NO_MAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"


class InvitationClosed(Exception):
    """The token is unknown, used, replaced, withdrawn or too old, or whoever made it may invite
    nobody any more.
    """


def check_new_address(account: Account, email: str) -> None:
    """Raises ValidationError for the address of a member."""
    if Membership.objects.filter(account=account, user__email__iexact=email).exists():
        raise ValidationError(
            _("%(email)s belongs to a member already: change the role under Members."),
            params={"email": email},
        )


def make_invitation(account: Account, email: str, role: str, by: User) -> tuple[Invitation, str]:
    """The open invitation of this address, new or renewed, and its token."""
    email = email.strip().lower()
    check_new_address(account, email)
    fresh = Invitation(role=role, invited_by=by.get_username(), created_at=timezone.now())
    token = fresh.make_token()
    names = ("role", "invited_by", "created_at", "token_digest", "expires_at")
    values = {name: getattr(fresh, name) for name in names}
    invitation, _made = Invitation.objects.update_or_create(
        account=account, email=email, accepted_at=None, defaults=values
    )
    grant_admin_access(email)
    return invitation, token


def grant_admin_access(email: str) -> None:
    """Who has a user accepts after signing in, and only staff can.

    Without a membership all pages stay empty to them.
    """
    User.objects.filter(email__iexact=email, is_active=True, is_staff=False).update(is_staff=True)


def renew_invitation(invitation: Invitation, by: User | None = None) -> str:
    """A fresh token in place of the old one, which opens nothing from now on.

    It is the invitation of whoever asks for it (``by``).
    """
    token = invitation.make_token()
    invitation.invited_by = by.get_username() if by else invitation.invited_by
    # Not save(): between the page and the press the row may have been withdrawn.
    fresh = {
        name: getattr(invitation, name) for name in ("token_digest", "expires_at", "invited_by")
    }
    Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(**fresh)
    return token


def make_invitation_link(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("invitation", args=[token]))


def send_invitation(invitation: Invitation, link: str) -> bool:
    """Whether the mail went out.

    Whatever a mail host answers, the page must still show the link.
    """
    if settings.EMAIL_BACKEND == NO_MAIL_BACKEND:
        return False
    named = {"by": invitation.invited_by, "account": " ".join(invitation.account.name.split())}
    subject = _("%(by)s invites you to %(account)s") % named
    try:
        text = render_to_string(
            "invitation/mail.txt", {**named, "invitation": invitation, "link": link}
        )
        return (
            send_mail(
                subject,
                text,
                None,
                [invitation.email],
                connection=get_connection(timeout=MAIL_TIMEOUT_SECONDS),
            )
            == 1
        )
    except Exception as error:  # by name only: its text may quote the mail
        log.warning("invitation_not_sent", invitation=invitation.pk, error=type(error).__name__)
        return False


def find_invitation(token: str) -> StandingInvitation | None:
    return (
        add_standing(Invitation.objects.select_related("account"))
        .filter(token_digest=digest_token(token))
        .first()
    )


def select_standing_invitations() -> QuerySet[Invitation]:
    """Those that are open, and made by somebody who may still let people in.

    The link is shown to whoever makes it: it must not be the way back of an owner who was removed,
    demoted or switched off.
    """
    inviter = User.objects.filter(username=OuterRef("invited_by"), is_active=True)
    owner = inviter.filter(memberships__account=OuterRef("account"), memberships__role=Role.OWNER)
    rows = Invitation.objects.filter(accepted_at=None, expires_at__gt=timezone.now())
    return rows.filter(Exists(owner) | Exists(inviter.filter(is_superuser=True)))


def add_standing(rows: QuerySet[Invitation]) -> QuerySet[StandingInvitation]:
    """Each with ``stands``, at no query more."""
    return rows.annotate(stands=Exists(select_standing_invitations().filter(pk=OuterRef("pk"))))


def withdraw_invitation(account: Account, email: str) -> None:
    """Takes back what is open for an address.

    Of a member it would be a way back in, once the member is removed.
    """
    if email:
        Invitation.objects.filter(account=account, email=email.lower(), accepted_at=None).delete()


def lock_invitation(token: str) -> Invitation:
    """The open invitation, held until the transaction ends; raises Closed where there is none."""
    invitation = (
        select_standing_invitations()
        .select_for_update()
        .filter(token_digest=digest_token(token))
        .first()
    )
    if invitation is None:
        raise InvitationClosed
    return invitation


@transaction.atomic
def accept_invitation(token: str, user: User) -> Membership:
    """The membership that the token gives, once. Who is a member already keeps the role."""
    # The person is held, too: two invitations of two addresses may be accepted at once.
    User.objects.select_for_update().get(pk=user.pk)
    invitation = lock_invitation(token)
    member = Membership.objects.filter(
        user=user, account=invitation.account
    ).first() or make_membership(invitation, user)
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user.get_username()
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    withdraw_invitation(invitation.account, user.email)
    log.info(
        "invitation_accepted", invitation=invitation.pk, account=invitation.account_id, user=user.pk
    )
    return member


def make_membership(invitation: Invitation, user: User) -> Membership:
    member = Membership(user=user, account=invitation.account, role=invitation.role)
    # Who signs up just now is not yet the user of the request.
    member._history_user = user
    give_reason(member, _("Invited by %(by)s.") % {"by": invitation.invited_by}).save()
    return member


@transaction.atomic
def enrol_user(token: str, form: BaseUserCreationForm[User]) -> Membership:
    """Makes the form's user and accepts.

    The invitation is held first: a form sent twice at once makes one user.
    """
    lock_invitation(token)
    return accept_invitation(token, form.save())
