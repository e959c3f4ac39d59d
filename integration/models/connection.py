"""Connection: one set of credentials to one system, and what is known about the other side."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.encryption import EncryptedJSONField, InvalidToken, mask_secret
from core.history import Tracked
from core.tenancy import AccountOwned, make_owned_history


class Connection(Tracked, AccountOwned):
    """Credentials to ``sansan`` or ``hubspot``. An account may have many of either."""

    class System(models.TextChoices):
        SANSAN = "sansan", "Sansan"
        HUBSPOT = "hubspot", "HubSpot"

    class Health(models.TextChoices):
        UNTESTED = "untested", _("Not tested")
        OK = "ok", _("Working")
        RECONNECT = "reconnect", _("Needs a new key")
        UNREACHABLE = "unreachable", _("Not reachable")

    class SurveyState(models.TextChoices):
        """Where the counting of what a key sees stands."""

        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    # In ``survey``: card id -> the note of why a card that somebody wants to try cannot be read.
    SAMPLE_REFUSALS = "refused"

    slug = models.SlugField(_("short name"))
    system = models.CharField(_("system"), max_length=16, choices=System.choices)
    credentials = EncryptedJSONField(
        _("credentials"), help_text=_("Stored encrypted; never shown again.")
    )
    hint = models.CharField(_("key"), max_length=16, editable=False, default="")
    health = models.CharField(
        _("health"), max_length=16, choices=Health.choices, default=Health.UNTESTED, editable=False
    )
    health_detail = models.CharField(_("what we saw"), max_length=500, default="", editable=False)
    tested_at = models.DateTimeField(_("tested"), null=True, editable=False)
    remote_id = models.CharField(_("owner or portal"), max_length=100, default="", editable=False)
    # The credentials were changed, and nothing has proved yet that they lead where the former ones
    # led.
    unproven = models.BooleanField(default=False, editable=False)
    # Another HubSpot account that the credentials lead to: nothing is written until a person says
    # so.
    found_id = models.CharField(max_length=100, default="", editable=False)
    remote_name = models.CharField(_("whose"), max_length=200, default="", editable=False)
    # Sansan only: what the key sees, counted by connections/survey.py. Null: not counted yet.
    cards = models.PositiveIntegerField(_("cards seen"), null=True, editable=False)
    surveyed_at = models.DateTimeField(_("cards counted"), null=True, editable=False)
    # Where the counting stands: {state, cards, owners, own, token, from, to}.
    survey = models.JSONField(default=dict, editable=False)
    # A person's own limit; blank means the vendor's, and 0 calls no limit at all.
    rate_calls = models.PositiveIntegerField(
        _("calls allowed"),
        null=True,
        blank=True,
        help_text=_("Blank: the vendor's own limit. 0: none."),
    )
    rate_seconds = models.FloatField(_("in seconds"), null=True, blank=True)
    # What HubSpot's headers last said.
    learnt_calls = models.PositiveIntegerField(null=True, editable=False)
    learnt_seconds = models.FloatField(null=True, editable=False)
    # HubSpot only: the properties we found or made, {name: {type, options, ...}}, and the key we
    # may write.
    schema = models.JSONField(default=dict, editable=False)
    schema_at = models.DateTimeField(null=True, editable=False)
    link_property = models.BooleanField(_("has our link property"), default=False, editable=False)
    # HubSpot only: changes are read up to here; when they were last asked for, and when a webhook
    # last told of some.
    changes_to = models.DateTimeField(null=True, editable=False)
    # The echoes of a run that wrote much, read page by page behind what changes now: {from, to,
    # token}.
    behind = models.JSONField(default=dict, editable=False)
    polled_at = models.DateTimeField(_("changes asked for"), null=True, editable=False)
    heard_at = models.DateTimeField(_("last webhook"), null=True, editable=False)
    # The look for deleted contacts: when the last one ended, and how far the present one has come.
    gone_at = models.DateTimeField(null=True, editable=False)
    gone_after = models.CharField(max_length=64, default="", editable=False)
    # Folded address -> id of the HubSpot user.
    owners = models.JSONField(default=dict, editable=False)
    # Whether HubSpot was seen to associate contacts with companies by itself. Null: not known.
    auto_companies = models.BooleanField(null=True, editable=False)
    # What the vendor last said of its daily limit: {limit, left, at}.
    quota = models.JSONField(default=dict, editable=False)
    # Sansan only: when the tags were last read.
    tags_at = models.DateTimeField(null=True, editable=False)
    # The lease: one slice at a time writes to a HubSpot connection.
    lease_token = models.CharField(max_length=36, default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # Of the credentials only the mask: see ``hint``.
    history = make_owned_history(
        "credentials",
        "health",
        "health_detail",
        "tested_at",
        "remote_id",
        "unproven",
        "found_id",
        "remote_name",
        "cards",
        "surveyed_at",
        "survey",
        "learnt_calls",
        "learnt_seconds",
        "schema",
        "schema_at",
        "link_property",
        "lease_token",
        "lease_until",
        "created_at",
        "changes_to",
        "behind",
        "polled_at",
        "heard_at",
        "gone_at",
        "gone_after",
        "owners",
        "auto_companies",
        "quota",
        "tags_at",
    )

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ("account", "system", "slug")
        constraints = [
            models.UniqueConstraint(fields=("account", "slug"), name="connection_slug_once"),
            models.CheckConstraint(
                condition=models.Q(system__in=["sansan", "hubspot"]), name="connection_system_known"
            ),
        ]
        # A webhook names a portal, not an account.
        indexes = [models.Index(fields=("system", "remote_id"), name="connection_remote")]

    def __str__(self) -> str:
        return f"{self.get_system_display()}: {self.slug}"

    @property
    def is_being_counted(self) -> bool:
        return bool(self.survey.get("state") == self.SurveyState.RUNNING)

    def find_sample_refusal(self, card_id: str) -> str:
        """Why a card that somebody wants to try cannot be read, as a note; "" where it can."""
        return str(self.survey.get(self.SAMPLE_REFUSALS, {}).get(card_id, ""))

    @property
    def secret(self) -> str:
        """The one secret string of this system's credentials."""
        return str(
            self.credentials.get(
                "api_key" if self.system == self.System.SANSAN else "access_token", ""
            )
        )

    @property
    def webhook_secret(self) -> str:
        """What HubSpot signs this portal's webhooks with: the client secret of the customer's own
        app. "" where there is none.
        """
        return str(self.credentials.get("webhook_secret", ""))

    def set_webhook_secret(self, secret: str) -> None:
        kept = {name: value for name, value in self.credentials.items() if name != "webhook_secret"}
        self.credentials = {**kept, **({"webhook_secret": secret} if secret else {})}

    def set_secret(self, secret: str) -> None:
        """A new key, in place of whatever the connection was signed in with.

        The secret of its webhooks stays, where it can be read.
        """
        try:
            kept = {
                name: value
                for name, value in (self.credentials or {}).items()
                if name == "webhook_secret"
            }
        except InvalidToken:
            kept = {}
        self.credentials = {
            **kept,
            "api_key" if self.system == self.System.SANSAN else "access_token": secret,
        }
        self.hint, self.unproven = mask_secret(secret), True
        self.health, self.health_detail, self.tested_at = self.Health.UNTESTED, "", None


class RateSlot(AccountOwned):
    """The next free slot of a connection's rate limit, shared by every process (GCRA).

    Times are seconds since 1970.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+", db_index=False)
    # What is counted: "" all calls; HubSpot's searches have a limit of their own.
    kind = models.CharField(max_length=8, default="")
    free_at = models.FloatField(default=0)

    class Meta:
        verbose_name = _("rate slot")
        verbose_name_plural = _("rate slots")
        constraints = [
            models.UniqueConstraint(fields=("connection", "kind"), name="slot_once_per_kind")
        ]
