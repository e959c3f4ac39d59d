"""Heartbeat: proof that a cluster does work, not only that its processes stand."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """One row a host, moved by every task that its workers run.

    Belongs to the platform, not to an account.
    """

    host = models.CharField(_("host"), max_length=200, unique=True)
    beat_at = models.DateTimeField(_("last beat"))
    ticked_at = models.DateTimeField(_("last tick"), null=True)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.host
