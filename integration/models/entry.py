"""AuditEntry: one row per record per attempt. The per-record audit log."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.rule import SyncRule
from integration.models.run import SyncRun


class Outcome(models.TextChoices):
    """How an entry ended; ``""`` while it is open."""

    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CONFLICT = "conflict", _("Refused: contact exists")
    NOT_WRITTEN = "not_written", _("Interrupted: not written")
    NONE = "none", _("Nothing to write")
    PREVIEW = "preview", _("Preview only")


class AuditEntry(AccountOwned):
    """Intent before the call, outcome after. Names are frozen as text, because history outlives its
    subject.

    A closed entry never changes: triggers in the database refuse it (migration 0002), and refuse to
    delete one that is younger than the account's retention.
    """

    class Decision(models.TextChoices):
        CREATE = "create", _("Create")
        UPDATE = "update", _("Update")
        LINK = "link", _("Link")
        SKIP = "skip", _("Skip")
        HOLD = "hold", _("Hold")

    run = models.ForeignKey(
        SyncRun, models.PROTECT, related_name="entries", verbose_name=_("run"), db_index=False
    )
    rule = models.ForeignKey(
        SyncRule, models.PROTECT, related_name="+", verbose_name=_("rule"), db_index=False
    )
    record_id = models.BigIntegerField()
    card_id = models.CharField(_("card"), max_length=64)
    contact_id = models.CharField(_("contact"), max_length=64, default="", blank=True)
    link_key = models.UUIDField(_("link id"), null=True)
    name = models.CharField(_("name"), max_length=200, default="", blank=True)
    email = models.CharField(_("e-mail"), max_length=254, default="", blank=True)
    decision = models.CharField(_("decision"), max_length=8, choices=Decision.choices)
    reason = models.CharField(_("reason"), max_length=64)
    detail = models.CharField(_("detail"), max_length=500, default="", blank=True)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    # property -> the card whose value won
    origin = models.JSONField(_("taken from"), default=dict)
    # property -> [card's value, contact's value, who won, what decided], of what HubSpot's people
    # had edited
    clashes = models.JSONField(null=True)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=Outcome.choices, default="", blank=True
    )
    changed_at = models.DateTimeField(_("changed"), null=True)
    read_at = models.DateTimeField(_("read"), null=True)
    planned_at = models.DateTimeField(_("planned"))
    sent_at = models.DateTimeField(_("sent"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("record_id",),
                condition=Q(closed_at__isnull=True),
                name="one_open_entry_per_record",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, outcome="")
                | (Q(closed_at__isnull=False) & ~Q(outcome="")),
                name="closed_has_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=("account", "-id"), name="entry_account"),
            models.Index(fields=("run", "-id"), name="entry_run"),
            models.Index(fields=("rule", "-id"), name="entry_rule"),
            models.Index(fields=("account", "outcome", "-id"), name="entry_outcome"),
            models.Index(fields=("account", "reason", "-id"), name="entry_reason"),
            models.Index(
                fields=("account", "email", "-id"), condition=~Q(email=""), name="entry_email"
            ),
            models.Index(fields=("account", "card_id", "-id"), name="entry_card"),
            models.Index(fields=("account", "planned_at"), name="entry_date"),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} {self.name or self.card_id}"

    @property
    def changes(self) -> list[tuple[str, str | None, str | None]]:
        """(property, before, after) of each property that the entry writes, in the order of the
        mapping.
        """
        return [(name, self.before.get(name), value) for name, value in self.after.items()]
