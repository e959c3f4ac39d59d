"""FieldMapping: one row of a rule."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.rule import SyncRule


class FieldMapping(AccountOwned):
    """Which Sansan field (or fields, joined) fills which HubSpot property, and when it may."""

    class Policy(models.TextChoices):
        ALWAYS = "always", _("Always")
        IF_EMPTY = "if_empty", _("Only if empty")
        ON_CREATE = "on_create", _("Only on create")
        APPEND = "append", _("Append")

    rule = models.ForeignKey(SyncRule, models.CASCADE, related_name="mappings", verbose_name=_("rule"), db_index=False)
    sansan = models.CharField(_("Sansan field"), max_length=100, help_text=_("Several are joined: street,building"))
    hubspot = models.CharField(_("HubSpot property"), max_length=100)
    transform = models.CharField(_("transform"), max_length=32, default="", blank=True)
    policy = models.CharField(_("update"), max_length=16, choices=Policy.choices, default=Policy.ALWAYS)
    clear = models.BooleanField(_("a blank clears"), default=False, help_text=_("Lets an empty card field empty the property."))
    active = models.BooleanField(_("on"), default=True)
    position = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("field mapping")
        verbose_name_plural = _("field mappings")
        ordering = ("position", "pk")
        constraints = [models.UniqueConstraint(fields=("rule", "hubspot"), name="property_mapped_once")]

    def __str__(self) -> str:
        return f"{self.sansan} → {self.hubspot}"
