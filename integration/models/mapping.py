"""FieldMapping: one row of a rule."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.history import Tracked
from core.tenancy import AccountOwned, make_owned_history
from integration.models.rule import SyncRule


class FieldMapping(Tracked, AccountOwned):
    """Which Sansan field (or fields, joined) fills which HubSpot property, and when it may."""

    class Policy(models.TextChoices):
        ALWAYS = "always", _("Always")
        IF_EMPTY = "if_empty", _("Only if empty")
        ON_CREATE = "on_create", _("Only on create")
        APPEND = "append", _("Append")

    class Direction(models.TextChoices):
        BOTH = "both", _("Both ways")
        TO_HUBSPOT = "to_hubspot", _("To HubSpot only")
        TO_SANSAN = "to_sansan", _("To new cards only")

    class Others(models.TextChoices):
        KEEP = "keep", _("Keep as they are")
        BLANK = "blank", _("Leave blank")

    rule = models.ForeignKey(
        SyncRule, models.CASCADE, related_name="mappings", verbose_name=_("rule"), db_index=False
    )
    sansan = models.CharField(
        _("Sansan field"),
        max_length=200,
        blank=True,
        help_text=_("Several are joined: street,building"),
    )
    hubspot = models.CharField(_("HubSpot property"), max_length=100)
    # Blank: the fields are joined as the transform does it. Else a Liquid template over the card's
    # fields (planning/expressions.py).
    expression = models.CharField(_("expression"), max_length=1000, default="", blank=True)
    transform = models.CharField(_("transform"), max_length=32, default="", blank=True)
    # [[card's value, property's value], ...]; a value that is not in it is kept, or left blank.
    table = models.JSONField(_("value table"), default=list, blank=True)
    others = models.CharField(
        _("values not in the table"), max_length=8, choices=Others.choices, default=Others.KEEP
    )
    policy = models.CharField(
        _("update"), max_length=16, choices=Policy.choices, default=Policy.ALWAYS
    )
    direction = models.CharField(
        _("direction"), max_length=16, choices=Direction.choices, default=Direction.BOTH
    )
    # Who wins this property when it was edited in HubSpot; blank: as the rule says.
    conflict = models.CharField(
        _("when edited in HubSpot"),
        max_length=16,
        choices=SyncRule.Conflict.choices,
        default="",
        blank=True,
    )
    clear = models.BooleanField(
        _("a blank clears"),
        default=False,
        help_text=_("Lets an empty card field empty the property."),
    )
    active = models.BooleanField(_("on"), default=True)
    position = models.PositiveSmallIntegerField(_("order"), default=0)
    history = make_owned_history()

    class Meta:
        verbose_name = _("field mapping")
        verbose_name_plural = _("field mappings")
        ordering = ("position", "pk")
        constraints = [
            models.UniqueConstraint(fields=("rule", "hubspot"), name="property_mapped_once")
        ]

    def __str__(self) -> str:
        return f"{self.expression or self.sansan} → {self.hubspot}"
