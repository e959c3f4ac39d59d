"""Record: our copy of one external record."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.connection import Connection
from integration.models.link import Link
from integration.models.rule import SyncRule


class Bucket(models.TextChoices):
    """Where a card stands. Each card is in exactly one."""

    WAITING = "waiting", _("Waiting")
    LINKED = "linked", _("In sync")
    MERGED = "merged", _("Merged")
    EXCLUDED = "excluded", _("Excluded")
    HELD = "held", _("Held")
    FAILING = "failing", _("Failing")
    UNSEEN = "unseen", _("No longer visible")


class Side(models.TextChoices):
    """Which system the record is of."""

    CARD = "card", _("Card")
    CONTACT = "contact", _("Contact")


class Record(AccountOwned):
    """A card as one rule sees it, or a contact that may become a card.

    ``due_at`` is set while it needs work: that, not the queue, is what is left to do.
    """

    rule = models.ForeignKey(
        SyncRule, models.PROTECT, related_name="records", verbose_name=_("rule"), db_index=False
    )
    connection = models.ForeignKey(
        Connection, models.PROTECT, related_name="+", verbose_name=_("connection"), db_index=False
    )
    side = models.CharField(_("side"), max_length=8, choices=Side.choices, default=Side.CARD)
    external_id = models.CharField(_("card"), max_length=64)
    person_key = models.CharField(_("person in Sansan"), max_length=64, default="", blank=True)
    email_key = models.CharField(_("e-mail"), max_length=254, default="", blank=True)
    name = models.CharField(_("name"), max_length=200, default="", blank=True)
    values = models.JSONField(_("values"), default=dict)
    tags = models.JSONField(_("tags"), default=list)
    digest = models.CharField(max_length=32)
    exchanged_on = models.DateField(_("exchanged"), null=True)
    changed_at = models.DateTimeField(_("changed in Sansan"))
    read_at = models.DateTimeField(_("read"))
    # When the contact changed in HubSpot, where that is why the record is due.
    prompted_at = models.DateTimeField(null=True)
    swept_at = models.DateTimeField(null=True)  # seen by a sweep by tag
    made_at = models.DateTimeField(_("made by us"), null=True)  # a card that we made of a contact
    # Grows with every change read, so that settling an older reading cannot clear a newer one.
    seq = models.PositiveIntegerField(default=1)
    due_at = models.DateTimeField(_("due"), null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    bucket = models.CharField(
        _("stands"), max_length=16, choices=Bucket.choices, default=Bucket.WAITING
    )
    reason = models.CharField(_("reason"), max_length=64, default="", blank=True)
    detail = models.CharField(_("detail"), max_length=500, default="", blank=True)
    link = models.ForeignKey(
        Link, models.PROTECT, null=True, blank=True, related_name="records", verbose_name=_("link")
    )
    # A person said that it is never synced: {why, by, at}.
    barred = models.JSONField(_("never synced"), null=True, blank=True)
    # The run that took it up last. No foreign key: a quiet poll's row goes again, and nobody should
    # look through all records for it.
    run_id = models.BigIntegerField(_("taken up by"), null=True)

    class Meta:
        verbose_name = _("record")
        verbose_name_plural = _("records")
        constraints = [
            models.UniqueConstraint(
                fields=("rule", "external_id", "side"), name="record_once_per_rule"
            )
        ]
        indexes = [
            models.Index(
                fields=("rule", "id"), condition=Q(due_at__isnull=False), name="record_due"
            ),
            models.Index(
                fields=("account", "email_key"), condition=~Q(email_key=""), name="record_email"
            ),
            models.Index(
                fields=("account", "person_key"), condition=~Q(person_key=""), name="record_person"
            ),
            models.Index(fields=("rule", "side", "bucket", "reason"), name="record_bucket"),
            models.Index(fields=("account", "-id"), name="record_account"),
            # How a name begins: PostgreSQL's own order of text knows no such range.
            models.Index(
                fields=("account", "name"),
                name="record_name",
                opclasses=("int8_ops", "varchar_pattern_ops"),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id
