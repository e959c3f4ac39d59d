"""Sample: a real card, kept for a while so that the set-up can show what the mappings make of
it.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.connection import Connection


class Sample(AccountOwned):
    """A card as Sansan showed it, whole.

    Goes with retention.SAMPLES_KEPT: it is nobody's record.
    """

    connection = models.ForeignKey(
        Connection,
        models.CASCADE,
        related_name="samples",
        verbose_name=_("connection"),
        db_index=False,
    )
    external_id = models.CharField(_("card"), max_length=64)
    values = models.JSONField(_("values"), default=dict)
    tags = models.JSONField(_("tags"), default=list)
    read_at = models.DateTimeField(_("read"), db_index=True)

    class Meta:
        verbose_name = _("sample")
        verbose_name_plural = _("samples")
        constraints = [
            models.UniqueConstraint(
                fields=("connection", "external_id"), name="sample_once_per_connection"
            )
        ]

    def __str__(self) -> str:
        name = f"{self.values.get('lastName', '')} {self.values.get('firstName', '')}".strip()
        return name or self.external_id
