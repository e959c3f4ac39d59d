"""Invitation: an e-mail address that may become a member of an account."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.models.account import Account, Role

INVITATION_LIFETIME = timedelta(days=7)


def in_a_week() -> datetime:
    return timezone.now() + INVITATION_LIFETIME


def digest_token(token: str) -> str:
    """What is stored of a token: who reads the database cannot accept an invitation."""
    return hashlib.sha256(token.encode()).hexdigest()


class Invitation(models.Model):
    """Open until it is accepted, withdrawn (deleted) or a week old.

    The token is in the mail only.
    """

    account = models.ForeignKey(
        Account, models.CASCADE, related_name="invitations", verbose_name=_("account")
    )
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.VIEWER)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.CharField(_("invited by"), max_length=150, editable=False)
    created_at = models.DateTimeField(_("invited"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"), default=in_a_week, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, editable=False)
    accepted_by = models.CharField(_("accepted by"), max_length=150, default="", editable=False)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=("account", "email"),
                condition=models.Q(accepted_at__isnull=True),
                name="one_open_invitation",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def make_token(self) -> str:
        """Sets a fresh token and its time; returns the token, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        self.token_digest, self.expires_at = digest_token(token), in_a_week()
        return token

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.expires_at > timezone.now()
