"""Limit: which cards and contacts take part. Criteria are rows; all of them must hold."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.history import give_reason
from integration import tasks
from integration.admin.parts.labels import CARD_FIELDS, OPERATOR_NAMES, label_property
from integration.admin.setup.policies import RuleDirection
from integration.admin.setup.review import find_latest_preview
from integration.admin.setup.rows import FILLED_FORM_OPTIONS, AddedRows, make_row_set
from integration.admin.setup.steps import RuleStep
from integration.models import Sample, SyncRule
from integration.planning.filters import OPERATORS, find_first_unmet_filter
from integration.planning.rule import Filter
from integration.rules.options import FILTER_FIELDS

OPERATORS_WITHOUT_VALUE = ("blank", "not_blank")
DATE_OPERATORS = ("on_or_after", "on_or_before")


CARDS_MUST_MEET_TEXT = gettext_lazy("Which cards take part: a card must meet all of these.")
# What the criteria decide, by the rule's direction.
CARD_CRITERIA_TEXTS: dict[str, Promise] = {
    RuleDirection.TO_HUBSPOT: CARDS_MUST_MEET_TEXT,
    RuleDirection.BOTH: CARDS_MUST_MEET_TEXT,
    RuleDirection.TO_SANSAN: gettext_lazy(
        "This sync only makes cards and follows none: criteria for cards are kept for when its "
        "direction changes."
    ),
}
CONTACT_CRITERIA_TEXTS: dict[str, Promise] = {
    RuleDirection.TO_HUBSPOT: gettext_lazy(
        "Which existing contacts may be touched: a contact that is there already must meet all "
        "of these to be changed."
    ),
    RuleDirection.TO_SANSAN: gettext_lazy(
        "Which contacts of HubSpot may become cards: a contact must meet all of these."
    ),
    RuleDirection.BOTH: gettext_lazy(
        "Which contacts of HubSpot may become cards, and which existing contacts may be "
        "touched: a contact must meet all of these for either."
    ),
}


class CriterionForm(forms.Form):
    field: forms.Field = forms.CharField(label=gettext_lazy("Field"), max_length=100)
    op = forms.ChoiceField(
        label=gettext_lazy("Condition"),
        choices=[(name, OPERATOR_NAMES[name]) for name in OPERATORS],
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        op, value = cleaned.get("op"), cleaned.get("value", "")
        if op in OPERATORS_WITHOUT_VALUE:
            cleaned["value"] = ""
        elif op and not value:
            self.add_error("value", _("What should it be compared with?"))
        elif op in DATE_OPERATORS and not is_day(value):
            self.add_error("value", _("A date such as 2026-04-01."))
        return cleaned

    def as_filter(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("field", "op", "value")}


class CardCriterionForm(CriterionForm):
    field = forms.ChoiceField(
        label=gettext_lazy("Field of the card"),
        choices=[(name, CARD_FIELDS[name]) for name in FILTER_FIELDS],
    )


class ContactCriterionForm(CriterionForm):
    field = forms.CharField(
        label=gettext_lazy("Property of the contact"),
        max_length=100,
        widget=forms.TextInput(
            attrs={"list": "mb-properties", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def check(self, schema: dict[str, Any]) -> None:
        name = self.cleaned_data.get("field", "")
        if schema and name and name not in schema:
            self.add_error(
                "field", _("HubSpot has no contact property “%(name)s”.") % {"name": name}
            )


CardCriteriaSet = make_row_set(CardCriterionForm, AddedRows, 50, 60)
ContactCriteriaSet = make_row_set(ContactCriterionForm, AddedRows, 50, 60)


class RuleLimits(forms.Form):
    require_email = forms.BooleanField(
        label=gettext_lazy("Only people with a valid e-mail address"),
        required=False,
        help_text=gettext_lazy(
            "Unticked, people without one are synced too; only our own key keeps them from "
            "being made twice."
        ),
    )
    filters_mean = forms.ChoiceField(
        label=gettext_lazy("What a criterion means"),
        choices=SyncRule.FiltersMean.choices,
        widget=forms.RadioSelect,
    )
    limit_creates = forms.IntegerField(
        label=gettext_lazy("New contacts in one run, at most"),
        required=False,
        min_value=0,
        max_value=2_000_000_000,
    )
    limit_updates = forms.IntegerField(
        label=gettext_lazy("Changed contacts in one run, at most"),
        required=False,
        min_value=0,
        max_value=2_000_000_000,
        help_text=gettext_lazy(
            "Blank: no limit. A run that would go past it is held until somebody has looked."
        ),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why (for the history)"), required=False, max_length=500
    )

    def list_columns(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        limits = {"creates": cleaned["limit_creates"], "updates": cleaned["limit_updates"]}
        return {
            "require_email": cleaned["require_email"],
            "filters_mean": cleaned["filters_mean"],
            "limits": {name: most for name, most in limits.items() if most is not None},
        }


class LimitStep(RuleStep):
    name = "limit"
    lead = gettext_lazy(
        "Without criteria, everybody takes part. Whoever is left out is listed with the reason, "
        "never dropped."
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rule = self.rule
        limits = {
            "limit_creates": rule.limits.get("creates"),
            "limit_updates": rule.limits.get("updates"),
        }
        form = RuleLimits(
            initial={
                "require_email": rule.require_email,
                "filters_mean": rule.filters_mean,
                **limits,
            }
        )
        return self.show(
            form,
            CardCriteriaSet(
                initial=rule.filters.get("cards", []),
                prefix="card",
                form_kwargs=FILLED_FORM_OPTIONS,
            ),
            self.make_contact_rows(None),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form, cards, contacts = (
            RuleLimits(request.POST),
            CardCriteriaSet(request.POST, prefix="card", form_kwargs=FILLED_FORM_OPTIONS),
            self.make_contact_rows(request.POST),
        )
        valid = all([form.is_valid(), cards.is_valid(), contacts.is_valid()])
        for row in contacts.list_kept():
            row.check(self.rule.hubspot.schema)
        if not valid or any(row.errors for row in contacts.list_kept()):
            return self.show(
                form,
                cards,
                contacts,
                _("Something cannot work as it stands: each place says what."),
            )
        filters = {
            "cards": [row.as_filter() for row in cards.list_kept()],
            "contacts": [row.as_filter() for row in contacts.list_kept()],
        }
        with transaction.atomic():
            self.store({**form.list_columns(), "filters": filters}, form.cleaned_data["reason"])
        return self.to_review()

    def make_contact_rows(self, data: QueryDict | None) -> AddedRows:
        return ContactCriteriaSet(
            data,
            initial=self.rule.filters.get("contacts", []) if data is None else None,
            prefix="contact",
            form_kwargs=FILLED_FORM_OPTIONS,
        )

    def store(self, values: dict[str, Any], reason: str) -> None:
        rule = self.rule
        differs = [name for name, value in values.items() if value != as_form_value(rule, name)]
        for name in differs:
            setattr(rule, name, values[name])
        if differs:
            give_reason(rule, reason).save(update_fields=differs)
        if set(differs) - {"limits"}:
            self.mark_changed()

    def to_review(self) -> HttpResponse:
        """The review begins with a dry run, unless the last one still tells how things are."""
        preview = find_latest_preview(self.rule)
        if preview is None or preview.state == preview.State.FAILED:
            tasks.enqueue_sync(self.rule, who=self.request.user.get_username(), preview=True)
        return self.go_onward()

    def show(
        self, form: RuleLimits, cards: AddedRows, contacts: AddedRows, problem: str = ""
    ) -> HttpResponse:
        schema = self.rule.hubspot.schema
        return self.render(
            form=form,
            sets=[
                {
                    "rows": cards,
                    "blank": CardCriterionForm(prefix="card-__prefix__"),
                    "title": _("Cards"),
                    "note": CARD_CRITERIA_TEXTS[self.rule.direction],
                },
                {
                    "rows": contacts,
                    "blank": ContactCriterionForm(prefix="contact-__prefix__"),
                    "title": _("Contacts"),
                    "note": CONTACT_CRITERIA_TEXTS[self.rule.direction],
                },
            ],
            properties=[(name, label_property(prop)) for name, prop in sorted(schema.items())],
            lets_in=self.count_let_in() if not problem else None,
            problem=problem,
        )

    def count_let_in(self) -> tuple[int, int] | None:
        """How many of the sampled cards the stored criteria let in."""
        filters = [
            Filter(row["field"], row["op"], row.get("value", ""))
            for row in self.rule.filters.get("cards", [])
        ]
        samples = list(Sample.objects.filter(connection=self.rule.sansan)[:30])
        if not samples or not filters:
            return None
        met = [one for one in samples if meets_filters(one, filters)]
        return len(met), len(samples)


def meets_filters(sample: Sample, filters: list[Filter]) -> bool:
    return find_first_unmet_filter(tuple(filters), lambda name: sample.values.get(name, "")) is None


def as_form_value(rule: SyncRule, name: str) -> Any:
    """A stored value as the form gives it back."""
    return (
        {"cards": [], "contacts": [], **rule.filters} if name == "filters" else getattr(rule, name)
    )


def is_day(value: str) -> bool:
    try:
        forms.DateField(input_formats=["%Y-%m-%d"]).clean(value)
    except ValidationError:
        return False
    return True
