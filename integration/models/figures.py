"""DayFigures: what a rule did on one day, for charts and usage.

Moves with the run's counters, in the same transaction.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.rule import SyncRule


class DayFigures(AccountOwned):
    """One row a rule and day (in the account's time zone).

    Times are seconds from a change at one vendor to the other one's answer.
    """

    rule = models.ForeignKey(
        SyncRule, models.CASCADE, related_name="+", verbose_name=_("rule"), db_index=False
    )
    day = models.DateField(_("day"))
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    linked = models.PositiveIntegerField(_("linked"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    cards_made = models.PositiveIntegerField(_("cards made"), default=0)
    echoes = models.PositiveIntegerField(_("echoes"), default=0)
    calls_sansan = models.PositiveIntegerField(_("Sansan calls"), default=0)
    calls_hubspot = models.PositiveIntegerField(_("HubSpot calls"), default=0)
    # How many changes took how long: counts by the edges of planning/latency.py.
    latency = models.JSONField(default=list)
    slowest = models.FloatField(default=0)

    class Meta:
        verbose_name = _("figures of a day")
        verbose_name_plural = _("figures of days")
        constraints = [models.UniqueConstraint(fields=("rule", "day"), name="figures_once_a_day")]
        indexes = [models.Index(fields=("account", "day"), name="figures_account")]
