"""SyncRun: one pass of one rule."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.rule import SyncRule

# Every record read ends in exactly one of these; what has none yet is waiting: the numbers add up.
COUNTERS = ("created", "updated", "linked", "unchanged", "merged", "excluded", "held", "failed")


class SyncRun(AccountOwned):
    """One pass, worked in slices.

    Counters move in the transaction that settles the records they count.
    """

    class Kind(models.TextChoices):
        INITIAL = "initial", _("Initial")
        INCREMENTAL = "incremental", _("Incremental")
        FULL = "full", _("Full check")
        UNDO = "undo", _("Undo")
        PREVIEW = "preview", _("Preview")

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", _("Schedule")
        PERSON = "person", _("A person")
        COMMAND = "command", _("Command")
        WEBHOOK = "webhook", _("A change in HubSpot")

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        PARTIAL = "partial", _("Some records failed")
        FAILED = "failed", _("Failed")
        HELD = "held", _("Held")

    OPEN = (State.QUEUED, State.RUNNING)

    rule = models.ForeignKey(
        SyncRule, models.PROTECT, related_name="runs", verbose_name=_("rule"), db_index=False
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    trigger = models.CharField(_("started by"), max_length=16, choices=Trigger.choices)
    started_by = models.CharField(_("who"), max_length=150, default="", blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(_("reason"), max_length=64, default="", blank=True)
    detail = models.CharField(_("detail"), max_length=1000, default="", blank=True)
    # The window of this read. Its end is frozen at the start; position is how far the pages have
    # come.
    window_from = models.DateTimeField(null=True)
    window_to = models.DateTimeField(null=True)
    position = models.DateTimeField(null=True)
    page_token = models.TextField(default="", blank=True)
    # A preview leaves its records due: this is the last one that it has looked at.
    looked_at = models.PositiveBigIntegerField(default=0)
    # Looks at every card, not only at what changed.
    whole = models.BooleanField(default=False)
    read_done = models.BooleanField(default=False)
    # The walk through HubSpot's contacts, where contacts become cards.
    contacts_after = models.CharField(max_length=64, default="", blank=True)
    contacts_done = models.BooleanField(default=False)
    # Changes in HubSpot that were our own writes coming back: recognised and dropped.
    echoes = models.PositiveIntegerField(_("echoes"), default=0)
    read = models.PositiveIntegerField(_("read"), default=0)
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    linked = models.PositiveIntegerField(_("linked"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    merged = models.PositiveIntegerField(_("merged"), default=0)
    excluded = models.PositiveIntegerField(_("excluded"), default=0)
    held = models.PositiveIntegerField(_("held"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    calls_sansan = models.PositiveIntegerField(_("Sansan calls"), default=0)
    calls_hubspot = models.PositiveIntegerField(_("HubSpot calls"), default=0)
    rate_limited = models.PositiveIntegerField(_("times rate-limited"), default=0)
    reasons = models.JSONField(_("reasons"), default=dict)
    attempts = models.PositiveIntegerField(_("slices begun"), default=0)
    # Slices in a row without progress, counted before each begins, and the progress when the last
    # one did.
    idle = models.PositiveIntegerField(default=0)
    mark = models.PositiveIntegerField(default=0)
    # When the next slice may begin. The tick enqueues one for every open run that has passed it.
    next_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(_("asked for"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True)
    progressed_at = models.DateTimeField(_("last progress"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("rule",),
                condition=models.Q(state__in=["queued", "running"]),
                name="one_open_run_per_rule",
            ),
        ]
        indexes = [
            models.Index(fields=("account", "-id"), name="run_account"),
            models.Index(fields=("rule", "-id"), name="run_rule"),
            models.Index(fields=("state",), name="run_state"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()}"

    @property
    def counts(self) -> dict[str, int]:
        """The ten counters of the contract; ``waiting`` is what has no outcome yet."""
        settled = {name: getattr(self, name) for name in COUNTERS}
        return {"read": self.read, **settled, "waiting": self.read - sum(settled.values())}

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def is_preview(self) -> bool:
        return self.kind == self.Kind.PREVIEW

    @property
    def seconds(self) -> float | None:
        """From start to end, or to now while it runs."""
        if self.started_at is None:
            return None
        return ((self.ended_at or timezone.now()) - self.started_at).total_seconds()
