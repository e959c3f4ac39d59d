"""The form of a rule and of its mappings: a problem is told at its field, in the words of the
configuration file.
"""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import PaginationFormSetMixin
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from core.admin.base import ScopedForm, TabularInline
from integration.admin.parts.fields import (
    check_typed_property,
    list_marker_choices,
    select_markers,
)
from integration.admin.parts.labels import CARD_FIELDS, TRANSFORM_CHOICES
from integration.admin.parts.said import describe_notes
from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.models import FieldMapping, SyncRule
from integration.planning.filters import OPERATORS
from integration.planning.rule import TAGS_FIELD
from integration.rules.node import FileProblem, Node
from integration.rules.options import (
    DECISIVE_COLUMNS,
    LONGEST_FULL_EVERY,
    LONGEST_INTERVAL,
    LONGEST_SWEEP_EVERY,
    MOST_CARDS_A_DAY,
    SHORTEST_INTERVAL,
    read_filters,
)
from integration.rules.recheck import find_chosen_tags

NO_FILTERS: dict[str, list[dict[str, str]]] = {"cards": [], "contacts": []}
FILTERS_EXAMPLE = (
    '{"cards": [{"field": "companyName", "op": "contains", "value": "株式会社"}], "contacts": []}'
)
# What decides which cards become what: a change of any of these means looking at every card again.
DECISIVE_FIELDS = DECISIVE_COLUMNS | {"sansan", "hubspot"}


class CriteriaField(forms.JSONField):
    """JSON that a person can read. Nested beyond all sense it is none."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


class RuleForm(ScopedForm):
    # No Meta: it would ask for the choices of connections while this file is imported, outside any
    # scope.
    limit_creates = forms.IntegerField(
        label=gettext_lazy("New contacts, at most"),
        required=False,
        min_value=0,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=gettext_lazy(
            "In one run. Blank: no limit. A run that would make more is held before it goes "
            "past it."
        ),
    )
    limit_updates = forms.IntegerField(
        label=gettext_lazy("Changed contacts, at most"),
        required=False,
        min_value=0,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=gettext_lazy("In one run, too. Blank: no limit."),
    )
    filters = CriteriaField(
        label=gettext_lazy("Criteria"),
        required=False,
        initial=NO_FILTERS,
        widget=UnfoldAdminTextareaWidget(
            attrs={"class": "mb-code", "rows": 5, "spellcheck": "false"}
        ),
        error_messages={
            "invalid": gettext_lazy("This is not JSON: look for a missing comma, quote or bracket.")
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("limit_creates", self.instance.limits.get("creates"))
        self.initial.setdefault("limit_updates", self.instance.limits.get("updates"))
        if "marker" in self.fields:
            self.fields["marker"] = self.make_marker_field()
        if "filters" in self.fields:
            self.initial["filters"] = {**NO_FILTERS, **self.instance.filters}
            words = {"example": FILTERS_EXAMPLE, "operators": ", ".join(OPERATORS)}
            self.fields["filters"].help_text = (
                _("All must hold. Example: %(example)s. Operators: %(operators)s.") % words
            )

    def make_marker_field(self) -> forms.ChoiceField:
        """The tags that the key sees and others see, too."""
        asked = self.fields["marker"]
        choices = list_marker_choices(
            list(select_markers(self.instance.sansan_id)),
            self.instance.marker,
            find_chosen_tags(self.instance),
        )
        return forms.ChoiceField(
            label=asked.label,
            help_text=asked.help_text,
            required=False,
            choices=choices,
            widget=UnfoldAdminSelectWidget(),
        )

    def clean_interval(self) -> int:
        interval = int(self.cleaned_data["interval"])
        if interval < SHORTEST_INTERVAL:
            raise ValidationError(_("At least %(n)s seconds.") % {"n": SHORTEST_INTERVAL})
        if interval > LONGEST_INTERVAL:
            raise ValidationError(
                _("At most %(n)s seconds, which is a day.") % {"n": LONGEST_INTERVAL}
            )
        return interval

    def clean_full_every(self) -> int:
        hours = int(self.cleaned_data["full_every"])
        if hours > LONGEST_FULL_EVERY:
            raise ValidationError(
                _("At most %(n)s hours, or 0 for never.") % {"n": LONGEST_FULL_EVERY}
            )
        return hours

    def clean_sweep_every(self) -> int:
        minutes = int(self.cleaned_data["sweep_every"])
        if minutes > LONGEST_SWEEP_EVERY:
            raise ValidationError(
                _("At most %(n)s minutes, which is a week, or 0 for never.")
                % {"n": LONGEST_SWEEP_EVERY}
            )
        return minutes

    def clean_card_cap(self) -> int:
        cards = int(self.cleaned_data["card_cap"])
        if cards > MOST_CARDS_A_DAY:
            raise ValidationError(_("At most %(n)s cards a day.") % {"n": MOST_CARDS_A_DAY})
        return cards

    def clean_filters(self) -> dict[str, Any]:
        """Read as the configuration file reads them, so that both take the same and say the
        same.
        """
        problems: list[FileProblem] = []
        value = self.cleaned_data["filters"]
        node = Node(NO_FILTERS if value is None else value, "filters", problems, {})
        rows = read_filters(node)
        if problems:
            raise ValidationError(
                [f"{problem.place}: {describe_notes(problem.note)}" for problem in problems]
            )
        return rows

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("sansan", "hubspot"):
            if cleaned.get(name) and cleaned[name].system != name:
                self.add_error(
                    name,
                    _("This is a connection to %(system)s.")
                    % {"system": cleaned[name].get_system_display()},
                )
        if self.is_marker_of_another(cleaned):
            self.add_error(
                "marker",
                _(
                    "This is a tag of the connection before: choose None, save, and choose one "
                    "of the new connection's."
                ),
            )
        limits = {"creates": cleaned.get("limit_creates"), "updates": cleaned.get("limit_updates")}
        self.instance.limits = {name: limit for name, limit in limits.items() if limit is not None}
        return cleaned

    def is_marker_of_another(self, cleaned: dict[str, Any]) -> bool:
        marker, sansan = cleaned.get("marker"), cleaned.get("sansan")
        if not marker or not sansan or "sansan" not in self.changed_data:
            return False
        return not select_markers(sansan.pk).filter(external_id=marker).exists()

    @property
    def decisive(self) -> bool:
        return bool(DECISIVE_FIELDS.intersection(self.changed_data))

    @property
    def columns(self) -> list[str]:
        """The columns of the rule that the form changed."""
        limits = {"limit_creates", "limit_updates"}.intersection(self.changed_data)
        return [name for name in self.changed_data if not name.startswith("limit_")] + (
            ["limits"] if limits else []
        )


class MappingForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none at run time
    transform = forms.ChoiceField(
        label=gettext_lazy("transform"),
        required=False,
        choices=TRANSFORM_CHOICES,
        widget=UnfoldAdminSelectWidget(),
    )
    direction = forms.ChoiceField(
        label=gettext_lazy("direction"),
        required=False,
        choices=FieldMapping.Direction.choices,
        initial=FieldMapping.Direction.BOTH,
        widget=UnfoldAdminSelectWidget(),
    )
    conflict = forms.ChoiceField(
        label=gettext_lazy("who wins"),
        required=False,
        choices=[("", gettext_lazy("As the rule says")), *SyncRule.Conflict.choices],
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = FieldMapping
        fields = (
            "sansan",
            "hubspot",
            "direction",
            "transform",
            "policy",
            "conflict",
            "clear",
            "active",
            "position",
        )
        widgets = {
            "sansan": UnfoldAdminTextInputWidget(
                attrs={"list": "mb-card-fields", "autocomplete": "off", "spellcheck": "false"}
            ),
            "hubspot": UnfoldAdminTextInputWidget(
                attrs={"list": "mb-properties", "autocomplete": "off", "spellcheck": "false"}
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            # unfold's rows have headings, which a screen reader does not read with a field.
            field.widget.attrs.setdefault("aria-label", str(field.label or name))
        if self.instance.expression and "sansan" in self.fields:
            self.fields["sansan"].widget.attrs["placeholder"] = self.instance.expression

    def clean_sansan(self) -> str:
        names = [part.strip() for part in self.cleaned_data["sansan"].split(",") if part.strip()]
        blank = not self.cleaned_data["sansan"].strip()
        if blank and self.instance.expression:
            return ""  # written on the set-up's page, which shows what it makes of a card
        if blank:
            raise ValidationError(self.fields["sansan"].error_messages["required"])
        unknown = [name for name in names if name not in SANSAN_FIELDS]
        if unknown or not names:
            raise ValidationError(
                _("No field of a card: “%(names)s”. The fields are suggested as you type.")
                % {"names": ", ".join(unknown)}
            )
        if TAGS_FIELD in names and len(names) > 1:
            raise ValidationError(_("Tags cannot be joined with other fields."))
        return ",".join(names)

    def clean_hubspot(self) -> str:
        return check_typed_property(self.cleaned_data["hubspot"])

    def clean_direction(self) -> str:
        return self.cleaned_data["direction"] or FieldMapping.Direction.BOTH


class MappingFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]  # takes none at run time
    def validate_unique(self) -> None:
        """Told below at the second of the two rows, where Django would say only that something is
        twice there.
        """

    def clean(self) -> None:
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            name = (
                form.cleaned_data.get("hubspot")
                if hasattr(form, "cleaned_data") and not form.cleaned_data.get("DELETE")
                else None
            )
            if name in seen:
                form.add_error(
                    "hubspot", _("Mapped twice: a property takes its value from one row.")
                )
            elif name:
                seen.add(name)

    def save(self, commit: bool = True) -> Any:
        """Two rows may have swapped their properties, and the database takes one row at a time:
        those that move step aside first.
        """
        for form in self.initial_forms if commit else ():
            if "hubspot" in form.changed_data or form in self.deleted_forms:
                FieldMapping.objects.filter(pk=form.instance.pk).update(
                    hubspot=f"~{form.instance.pk}"
                )
        return super().save(commit)


class OrderedMappingFormSet(PaginationFormSetMixin, MappingFormSet):
    """unfold's inlines hand over arguments of their own."""


class MappingInline(TabularInline):
    model = FieldMapping
    form = MappingForm
    formset = OrderedMappingFormSet
    fields = MappingForm.Meta.fields
    ordering_field = "position"
    hide_ordering_field = True
    hide_title = True
    template_after = "admin/integration/mapping_suggestions.html"
    card_fields = CARD_FIELDS
