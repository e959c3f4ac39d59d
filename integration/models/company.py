"""Company: a HubSpot company that cards name, so that none is made twice."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.connection import Connection


class Company(AccountOwned):
    """By web domain, or by folded name where cards have no domain.

    ``company_id`` is "" while it is being looked for or made.
    """

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="+", verbose_name=_("connection"), db_index=False
    )
    key = models.CharField(_("domain or name"), max_length=250)
    name = models.CharField(_("name"), max_length=250, default="", blank=True)
    company_id = models.CharField(_("company"), max_length=64, default="", blank=True)
    made = models.BooleanField(_("made by us"), default=False)
    seen_at = models.DateTimeField(_("last seen"), null=True)

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        constraints = [
            models.UniqueConstraint(fields=("connection", "key"), name="company_once_per_key")
        ]

    def __str__(self) -> str:
        return self.name or self.key
