"""Link: one person."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.connection import Connection


class Link(AccountOwned):
    """One HubSpot contact and the Sansan cards that are that person.

    ``key`` is our key in HubSpot.
    """

    class Gone(models.TextChoices):
        DELETED = "deleted", _("Deleted in HubSpot")
        MISSING = "missing", _("Not in HubSpot, nor in its recycle bin")
        FORGOTTEN = "forgotten", _("Deleted in HubSpot for privacy")
        MERGED = "merged", _("Merged into another contact")

    key = models.UUIDField(_("link id"), default=uuid.uuid4, unique=True, editable=False)
    hubspot = models.ForeignKey(
        Connection, models.PROTECT, related_name="+", verbose_name="HubSpot", db_index=False
    )
    contact_id = models.CharField(_("contact"), max_length=64, default="", blank=True)
    # What we last wrote, by property: a contact that differs from it was edited in HubSpot.
    written = models.JSONField(_("last written"), default=dict)
    # Property -> the card whose value that was.
    origin = models.JSONField(default=dict)
    # How HubSpot stored it, only where that differs: our own value in its spelling is not an edit.
    answered = models.JSONField(default=dict)
    # HubSpot's time of change when we last wrote or looked, and whether that was a write of ours
    # whose echo has not been met.
    modified_at = models.DateTimeField(null=True)
    awaiting = models.BooleanField(default=False)
    run_id = models.BigIntegerField(null=True)  # the run that wrote last
    echoes = models.PositiveIntegerField(_("echoes"), default=0)
    echo_at = models.DateTimeField(_("last echo"), null=True)
    gone = models.CharField(_("gone"), max_length=16, choices=Gone.choices, default="", blank=True)
    # With ``gone`` blank: HubSpot has told of a privacy deletion, and still shows the contact.
    gone_at = models.DateTimeField(_("gone since"), null=True)
    # Property -> [card's value, contact's value, who wins, what decided]: where they differ because
    # HubSpot was edited.
    clashes = models.JSONField(default=dict)
    # Property -> [value, note, when]: the card's values that HubSpot did not take.
    refused = models.JSONField(default=dict)
    # Property -> {side, card, contact, by, at}: what a person chose, as long as both values are
    # those that they saw.
    choices = models.JSONField(default=dict)
    # The company that the contact was associated with; due_at while that is to be seen to.
    company_id = models.CharField(_("company"), max_length=64, default="", blank=True)
    company_due_at = models.DateTimeField(null=True)
    company_note = models.CharField(max_length=200, default="", blank=True)
    confirmed_at = models.DateTimeField(_("last confirmed"), null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(
                fields=("hubspot", "contact_id"),
                condition=~models.Q(contact_id=""),
                name="one_link_per_contact",
            ),
        ]
        indexes = [
            models.Index(fields=("account", "-id"), name="link_account"),
            models.Index(
                fields=("hubspot", "company_due_at"),
                condition=models.Q(company_due_at__isnull=False),
                name="link_company_due",
            ),
            models.Index(
                fields=("hubspot", "gone_at"), condition=~models.Q(gone=""), name="link_gone"
            ),
        ]

    def __str__(self) -> str:
        return str(self.key)
