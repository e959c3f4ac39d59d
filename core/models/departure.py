"""Departure: proof that an account was deleted.

Belongs to the platform, because its account is gone.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Departure(models.Model):
    """One row an account. Names and counts only: nothing of what the account held."""

    slug = models.CharField(_("short name"), max_length=50)
    name = models.CharField(_("name"), max_length=200)
    asked_by = models.CharField(_("asked for by"), max_length=150)
    reason = models.CharField(_("reason"), max_length=500, default="", blank=True)
    asked_at = models.DateTimeField(_("asked for"))
    exported_at = models.DateTimeField(_("exported"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    # Table -> rows deleted so far.
    counts = models.JSONField(_("rows deleted"), default=dict)

    class Meta:
        verbose_name = _("departure")
        verbose_name_plural = _("departures")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.name
