"""SyncRule: joins one Sansan and one HubSpot connection."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.history import Tracked
from core.tenancy import AccountOwned, make_owned_history
from integration.models.connection import Connection


class SyncRule(Tracked, AccountOwned):
    """What syncs from where to where, how, and how far it has come."""

    class Direction(models.TextChoices):
        TO_HUBSPOT = "to_hubspot", _("Sansan to HubSpot")
        TO_SANSAN = "to_sansan", _("HubSpot to Sansan")
        BOTH = "both", _("Both ways")

    class Conflict(models.TextChoices):
        SANSAN = "sansan", _("The card wins")
        HUBSPOT = "hubspot", _("HubSpot's edit stays")
        NEWEST = "newest", _("The newer value wins")
        HOLD = "hold", _("A person decides")

    class WhenGone(models.TextChoices):
        TELL = "tell", _("Tell, and make none again")
        MAKE = "make", _("Make the contact again")

    class Companies(models.TextChoices):
        NONE = "none", _("Leave companies alone")
        FIND = "find", _("Associate with a company that exists")
        MAKE = "make", _("Associate, and make the company where there is none")

    class FiltersMean(models.TextChoices):
        LEAVE = "leave", _("Who no longer matches leaves the sync")
        ENTER = "enter", _("Who has entered stays in the sync")

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft: not running")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        HELD = "held", _("Held: needs a person")

    slug = models.SlugField(_("short name"))
    sansan = models.ForeignKey(
        Connection,
        models.PROTECT,
        related_name="+",
        verbose_name="Sansan",
        limit_choices_to={"system": "sansan"},
    )
    hubspot = models.ForeignKey(
        Connection,
        models.PROTECT,
        related_name="+",
        verbose_name="HubSpot",
        limit_choices_to={"system": "hubspot"},
    )
    direction = models.CharField(
        _("direction"), max_length=16, choices=Direction.choices, default=Direction.TO_HUBSPOT
    )
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.DRAFT)
    # A person has looked at why the rule was held, and lets the next run go past that limit once.
    waived = models.BooleanField(default=False, editable=False)
    state_reason = models.CharField(
        _("why"), max_length=500, default="", blank=True, editable=False
    )
    require_email = models.BooleanField(
        _("only cards with a valid e-mail"),
        default=True,
        help_text=_(
            "Unticked, people without an e-mail become contacts too; only our link keeps them "
            "from being made twice."
        ),
    )
    conflict = models.CharField(
        _("when edited in HubSpot"),
        max_length=16,
        choices=Conflict.choices,
        default=Conflict.SANSAN,
    )
    filters_mean = models.CharField(
        _("a filter means"),
        max_length=8,
        choices=FiltersMean.choices,
        default=FiltersMean.LEAVE,
        help_text=_(
            "Whether a card that is synced already goes on when it no longer meets the filters."
        ),
    )
    when_gone = models.CharField(
        _("when a contact is deleted in HubSpot"),
        max_length=8,
        choices=WhenGone.choices,
        default=WhenGone.TELL,
    )
    companies = models.CharField(
        _("companies"), max_length=8, choices=Companies.choices, default=Companies.NONE
    )
    # Which of these settings the people who were in sync already have been looked at under.
    companies_for_all = models.CharField(max_length=8, default="", editable=False)
    card_cap = models.PositiveIntegerField(
        _("cards made in Sansan a day"),
        default=500,
        help_text=_(
            "At most. The others wait, in sight, for the next day. Only for HubSpot to Sansan."
        ),
    )
    marker = models.CharField(
        _("tag of the cards we make"),
        max_length=64,
        default="",
        blank=True,
        help_text=_("Only cards with a selected tag come back into this sync."),
    )
    filters = models.JSONField(_("filters"), default=dict, blank=True)
    limits = models.JSONField(_("change budget"), default=dict, blank=True)
    interval = models.PositiveIntegerField(_("seconds between checks"), default=25)
    full_every = models.PositiveIntegerField(
        _("hours between full checks"), default=24, help_text=_("0 means never.")
    )
    sweep_every = models.PositiveIntegerField(
        _("minutes between looks at the tags"),
        default=10,
        help_text=_("Sansan may not tell of a tag that was put on or taken off. 0 means never."),
    )
    # The sweep by tag: {began, tags, token} while it goes on; when the last one began, and how long
    # it took in seconds.
    sweep = models.JSONField(default=dict, editable=False)
    swept_at = models.DateTimeField(_("tags looked at"), null=True, editable=False)
    sweep_took = models.FloatField(default=0, editable=False)
    # Seconds to the next check: short while things change, growing to ``interval`` while they are
    # quiet.
    pace = models.FloatField(null=True, editable=False)
    # Everything up to here is stored as Records. Moves only in the transaction that stores them.
    cursor = models.DateTimeField(_("read up to"), null=True, editable=False)
    # Share of new people whom the portal already had, from the last batches: chooses how contacts
    # are found. None: unknown.
    known_share = models.FloatField(null=True, editable=False)
    recheck = models.BooleanField(
        _("everything is checked again at the next run"), default=False, editable=False
    )
    due_at = models.DateTimeField(_("next check"), null=True, editable=False)
    checked_at = models.DateTimeField(_("last check"), null=True, editable=False)
    full_at = models.DateTimeField(_("last full check"), null=True, editable=False)
    # Guided set-up: how far the draft has come, and when what decides about cards was changed last.
    setup_step = models.CharField(max_length=16, default="", blank=True, editable=False)
    # Ids of the tags that were chosen there and not saved yet: they are the connection's, and other
    # rules may be running by them. None: no choice.
    picked_tags = models.JSONField(null=True, editable=False)
    # A draft that nobody goes on with. What its previews found is part of the audit log, so that it
    # cannot be deleted.
    discarded_at = models.DateTimeField(_("discarded"), null=True, editable=False)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    history = make_owned_history(
        "waived",
        "state_reason",
        "cursor",
        "known_share",
        "recheck",
        "due_at",
        "checked_at",
        "full_at",
        "setup_step",
        "picked_tags",
        "changed_at",
        "created_at",
        "companies_for_all",
        "sweep",
        "swept_at",
        "sweep_took",
        "pace",
    )

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("account", "slug")
        constraints = [models.UniqueConstraint(fields=("account", "slug"), name="rule_slug_once")]
        indexes = [models.Index(fields=("state", "due_at"), name="rule_due")]

    def __str__(self) -> str:
        return self.slug

    @property
    def receives(self) -> bool:
        """Cards drive contacts."""
        return self.direction != self.Direction.TO_SANSAN

    @property
    def sends(self) -> bool:
        """Contacts without a card become cards."""
        return self.direction != self.Direction.TO_HUBSPOT
