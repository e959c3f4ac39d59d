"""Who is here: users, accounts (tenants), and the role that joins the two."""

import zoneinfo
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.history import Tracked, make_history


def check_timezone(name: str) -> None:
    """Raises ValidationError when ``name`` is not an IANA time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as unknown:
        raise ValidationError(
            _("“%(name)s” is not a time zone; use a name such as Asia/Tokyo."),
            params={"name": name},
        ) from unknown


def check_domains(text: str) -> None:
    """Raises ValidationError when a line is not a domain."""
    for domain in text.split():
        try:
            DomainNameValidator()(domain)
        except ValidationError as wrong:
            raise ValidationError(
                _("“%(domain)s” is not a domain; write one a line, such as zaq.example.jp."),
                params={"domain": domain},
            ) from wrong


def default_retention() -> int:
    return int(settings.AUDIT_RETENTION_DAYS)


class User(AbstractUser):
    """A person who signs in.

    What they may do hangs on their memberships; superusers run the platform.
    """

    # Kept for the length of a request by core.roles.read_roles.
    _roles: dict[int, str]


class Account(Tracked):
    """A tenant: one customer company."""

    slug = models.SlugField(_("short name"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    timezone = models.CharField(
        _("time zone"), max_length=64, default="Asia/Tokyo", validators=[check_timezone]
    )
    active = models.BooleanField(
        _("active"), default=True, help_text=_("Nothing runs for an account that is not active.")
    )
    retention_days = models.PositiveIntegerField(
        _("audit retention"),
        default=default_retention,
        validators=[MinValueValidator(30), MaxValueValidator(36_500)],
        help_text=_(
            "Days that audit entries are kept. The database itself refuses to delete younger ones."
        ),
    )
    provider_domains = models.TextField(
        _("domains of providers"),
        default="",
        blank=True,
        validators=[check_domains],
        help_text=_(
            "One a line, as zaq.example.jp. Addresses there are of people of many companies, so "
            "that a contact's company goes by its name. The usual providers are known already."
        ),
    )
    suspended_for = models.CharField(
        _("suspended because"), max_length=500, default="", blank=True, editable=False
    )
    exported_at = models.DateTimeField(_("exported"), null=True, editable=False)
    # Set when its deletion begins: from then on the database lets go of its audit log.
    leaving_at = models.DateTimeField(_("being deleted since"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    history = make_history("exported_at", "leaving_at", "created_at")

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ("slug",)

    def find_day(self, moment: datetime) -> date:
        """The date in the account's time zone."""
        return moment.astimezone(zoneinfo.ZoneInfo(self.timezone)).date()

    def list_provider_domains(self) -> frozenset[str]:
        return frozenset(self.provider_domains.lower().split())

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """From most to least. core/roles.py says what each may do."""

    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    OPERATOR = "operator", _("Operator")
    VIEWER = "viewer", _("Viewer")
    AUDITOR = "auditor", _("Auditor")


class Membership(Tracked):
    """One user's role in one account."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    account = models.ForeignKey(
        Account, models.CASCADE, related_name="memberships", verbose_name=_("account")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.VIEWER)
    history = make_history()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=("user", "account"), name="one_role_per_account")
        ]

    def __str__(self) -> str:
        return f"{self.user} @ {self.account}: {self.get_role_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A member must be able to open the admin, which asks for ``is_staff``."""
        super().save(*args, **kwargs)
        if not self.user.is_staff:
            self.user.is_staff = True
            self.user.save(update_fields=["is_staff"])
