"""Tag: a Sansan tag seen through one connection."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.history import Tracked
from core.tenancy import AccountOwned, make_owned_history
from integration.models.connection import Connection


class Tag(Tracked, AccountOwned):
    """Keyed by id, never by name: two tags with the same text can sit on one card."""

    class Type(models.TextChoices):
        PUBLIC = "public", _("Public")
        SHARED = "shared", _("Shared")
        PRIVATE = "private", _("Private")

    connection = models.ForeignKey(
        Connection,
        models.CASCADE,
        related_name="tags",
        verbose_name=_("connection"),
        db_index=False,
    )
    external_id = models.CharField(_("id in Sansan"), max_length=64)
    name = models.CharField(_("name"), max_length=200)
    type = models.CharField(_("type"), max_length=16, choices=Type.choices)
    selected = models.BooleanField(_("selected"), default=False)
    cards = models.PositiveIntegerField(_("cards"), null=True, editable=False)
    seen_at = models.DateTimeField(_("last seen"), null=True)
    history = make_owned_history("cards", "seen_at")

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ("connection", "name")
        indexes = [models.Index(fields=("account", "name"), name="tag_account")]
        constraints = [
            models.UniqueConstraint(
                fields=("connection", "external_id"), name="tag_once_per_connection"
            ),
            models.CheckConstraint(
                condition=~models.Q(type="private", selected=True),
                name="private_tag_not_selected",
                violation_error_message=_("A private tag cannot be selected."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.selected and self.type == self.Type.PRIVATE:
            raise ValidationError(
                {"selected": _("A private tag belongs to one Sansan user and cannot be selected.")}
            )
