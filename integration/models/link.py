"""Link: one person."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.connection import Connection


class Link(AccountOwned):
    """One HubSpot contact and the Sansan cards that are that person. ``key`` is our key in HubSpot."""

    key = models.UUIDField(_("link id"), default=uuid.uuid4, unique=True, editable=False)
    hubspot = models.ForeignKey(Connection, models.PROTECT, related_name="+", verbose_name="HubSpot", db_index=False)
    contact_id = models.CharField(_("contact"), max_length=64, default="", blank=True)
    # What we last wrote, by property: a contact that differs from it was edited in HubSpot.
    written = models.JSONField(_("last written"), default=dict)
    # Property -> the card whose value that was.
    origin = models.JSONField(default=dict)
    # How HubSpot stored it, only where that differs: our own value in its spelling is not an edit.
    answered = models.JSONField(default=dict)
    confirmed_at = models.DateTimeField(_("last confirmed"), null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(fields=("hubspot", "contact_id"), condition=~models.Q(contact_id=""), name="one_link_per_contact"),
        ]
        indexes = [models.Index(fields=("account", "-id"), name="link_account")]

    def __str__(self) -> str:
        return str(self.key)
