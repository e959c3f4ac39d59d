"""What Configure asks of the rule itself: its direction, who wins, and what is made where."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import TextChoices
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from integration.admin.parts.fields import list_marker_choices, select_markers
from integration.models import SyncRule
from integration.rules.options import MOST_CARDS_A_DAY
from integration.rules.recheck import find_chosen_tags

RuleDirection, ConflictPolicy, GonePolicy, CompanyPolicy = (
    SyncRule.Direction,
    SyncRule.Conflict,
    SyncRule.WhenGone,
    SyncRule.Companies,
)
EXPLAINED_POLICIES: dict[str, type[TextChoices]] = {
    "direction": RuleDirection,
    "when_gone": GonePolicy,
    "companies": CompanyPolicy,
}
# What each choice means, in a sentence.
POLICY_MEANINGS: dict[str, dict[str, Any]] = {
    "direction": {
        RuleDirection.TO_HUBSPOT: gettext_lazy(
            "Cards become contacts and keep them true. Nothing is written to Sansan."
        ),
        RuleDirection.TO_SANSAN: gettext_lazy(
            "Contacts without a card become cards. Nothing is written to HubSpot."
        ),
        RuleDirection.BOTH: gettext_lazy(
            "Cards keep contacts true, and contacts without a card become cards."
        ),
    },
    "when_gone": {
        GonePolicy.TELL: gettext_lazy("Its card is held until somebody has looked."),
        GonePolicy.MAKE: gettext_lazy(
            "A new contact is made of the card. One that was deleted for privacy never comes back."
        ),
    },
    "companies": {
        CompanyPolicy.NONE: gettext_lazy("Only contacts are written."),
        CompanyPolicy.FIND: gettext_lazy(
            "Found by web domain, then by name. Where there is none, the contact stays without one."
        ),
        CompanyPolicy.MAKE: gettext_lazy(
            "Found by web domain, then by name; made once, however many cards name it."
        ),
    },
}


CARDS_A_DAY_PROBLEM = format_lazy(
    gettext_lazy("Write a number of cards from 0 to {most}."), most=MOST_CARDS_A_DAY
)


class PoliciesForm(forms.Form):
    direction = forms.ChoiceField(
        label=gettext_lazy("Direction"),
        choices=RuleDirection.choices,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), gettext_lazy("Choose one of the three directions.")
        ),
    )
    conflict = forms.ChoiceField(
        label=gettext_lazy("When somebody edited the contact in HubSpot"),
        choices=ConflictPolicy.choices,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), gettext_lazy("Choose who wins.")
        ),
        help_text=gettext_lazy(
            "Where a person decides, the contact keeps its value until one of the two is chosen "
            "on the record's page."
        ),
    )
    when_gone = forms.ChoiceField(
        label=gettext_lazy("When a contact is deleted in HubSpot"),
        choices=GonePolicy.choices,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"),
            gettext_lazy("Choose what happens to the card of a deleted contact."),
        ),
    )
    companies = forms.ChoiceField(
        label=gettext_lazy("Companies"),
        choices=CompanyPolicy.choices,
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), gettext_lazy("Choose what happens to companies.")
        ),
    )
    card_cap = forms.IntegerField(
        label=gettext_lazy("Cards a day, at most"),
        min_value=0,
        max_value=MOST_CARDS_A_DAY,
        help_text=gettext_lazy("The rest waits, in sight, for the next day."),
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), CARDS_A_DAY_PROBLEM
        ),
    )
    marker = forms.ChoiceField(
        label=gettext_lazy("Tag of these cards"),
        required=False,
        help_text=gettext_lazy("Put on each card that is made, so that they are found in Sansan."),
        error_messages={
            "invalid_choice": gettext_lazy("Choose one of the tags that the key sees, or none.")
        },
    )
    reason = forms.CharField(
        label=gettext_lazy("Why (for the history)"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, rule: SyncRule, data: Any = None) -> None:
        super().__init__(
            data,
            initial={name: getattr(rule, name) for name in self.base_fields if name != "reason"},
        )
        tags = list(select_markers(rule.sansan_id))
        self.selected = find_chosen_tags(rule)
        marker = self.fields["marker"]
        assert isinstance(marker, forms.ChoiceField)
        marker.choices = list_marker_choices(tags, rule.marker, self.selected)

    def list_columns(self) -> dict[str, Any]:
        """The columns of SyncRule."""
        return {name: value for name, value in self.cleaned_data.items() if name != "reason"}

    def list_direction_radios(self) -> list[tuple[forms.BoundField, list[dict[str, Any]]]]:
        return self.list_radios("direction")

    def list_contact_radios(self) -> list[tuple[forms.BoundField, list[dict[str, Any]]]]:
        return self.list_radios(*(name for name in EXPLAINED_POLICIES if name != "direction"))

    def list_radios(self, *names: str) -> list[tuple[forms.BoundField, list[dict[str, Any]]]]:
        """Each field with its choices, and what each of these means."""
        return [
            (
                self[name],
                [
                    {"value": value, "label": label, "means": POLICY_MEANINGS[name][value]}
                    for value, label in EXPLAINED_POLICIES[name].choices
                ],
            )
            for name in names
        ]

    @property
    def stays_out(self) -> bool:
        """Cards with this tag do not come back into the sync."""
        return bool(self.selected) and self["marker"].value() not in self.selected

    @property
    def cards_wrong(self) -> bool:
        return not {"card_cap", "marker"}.isdisjoint(self.errors)

    @property
    def contacts_wrong(self) -> bool:
        return not {"conflict", "when_gone", "companies"}.isdisjoint(self.errors)
