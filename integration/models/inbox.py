"""ContactChange: that something happened to a contact in HubSpot, until a run has seen to it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.tenancy import AccountOwned
from integration.models.connection import Connection


class ContactChange(AccountOwned):
    """One row a contact, however many events told of it: what is true now is read from HubSpot, so
    that their order says nothing.

    ``version`` grows with every event, so that settling an older look cannot drop a newer one.
    """

    connection = models.ForeignKey(
        Connection, models.CASCADE, related_name="+", verbose_name=_("connection"), db_index=False
    )
    contact_id = models.CharField(_("contact"), max_length=64)
    # A privacy deletion cannot be told from another one by looking, so that it is remembered.
    forgotten = models.BooleanField(default=False)
    changed_at = models.DateTimeField(_("changed"))
    heard_at = models.DateTimeField(_("heard"))
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("change in HubSpot")
        verbose_name_plural = _("changes in HubSpot")
        constraints = [
            models.UniqueConstraint(
                fields=("connection", "contact_id"), name="change_once_per_contact"
            )
        ]

    def __str__(self) -> str:
        return self.contact_id
