"""The rows of the mapping step: from what was typed to a FieldMapping, and what a sampled card
makes of each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integration.admin.parts.fields import check_typed_property
from integration.admin.parts.labels import CARD_FIELDS, TRANSFORM_CHOICES
from integration.admin.parts.said import describe_notes
from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.models import FieldMapping, Sample, SyncRule
from integration.planning.card_values import refuse_row
from integration.planning.expressions import ExpressionError
from integration.planning.fit import find_mapping_problem, find_value_problem, shorten_value
from integration.planning.mapping import OWNER_KIND, fold_table_key, make_value
from integration.planning.rule import TAGS_FIELD
from integration.rules.as_plan import as_plan_row
from integration.rules.file import find_expression_problem, list_field_problems

RowSet = TypeVar("RowSet", bound="AddedRows")

EXPRESSION_SOURCE = "="
MOST_MAPPING_ROWS = 200
BOTH_DIRECTIONS, TO_HUBSPOT, TO_SANSAN = (
    FieldMapping.Direction.BOTH,
    FieldMapping.Direction.TO_HUBSPOT,
    FieldMapping.Direction.TO_SANSAN,
)
# Why a row cannot fill a card: the codes of planning/card_values.py.
LOCKED_ROW_TEXTS: dict[str, Any] = {
    "calculated": gettext_lazy("not for new cards: the value is calculated"),
    "unwritable": gettext_lazy("not for new cards: Sansan sets this field itself"),
    "one_way": gettext_lazy("not for new cards: two of the card's values lead to the same"),
}
ADDRESS_HINT = gettext_lazy(
    "Off: a contact that exists keeps its address. A new one gets the card's all the same: "
    "HubSpot tells people apart by it."
)
OWNER_HINT = gettext_lazy(
    "The HubSpot user with this address becomes the owner; where there is none, the owner is "
    "left alone."
)


class MappingRowForm(forms.Form):
    id = forms.IntegerField(required=False, widget=forms.HiddenInput)
    active = forms.BooleanField(label=gettext_lazy("On"), required=False, initial=True)
    source = forms.CharField(label=gettext_lazy("Sansan field"), max_length=200, required=False)
    expression = forms.CharField(
        label=gettext_lazy("Expression"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    hubspot = forms.CharField(
        label=gettext_lazy("HubSpot property"),
        max_length=100,
        error_messages={"required": gettext_lazy("Choose a property of HubSpot.")},
        widget=forms.TextInput(
            attrs={"list": "mb-properties", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    transform = forms.ChoiceField(
        label=gettext_lazy("Transform"), required=False, choices=TRANSFORM_CHOICES
    )
    policy = forms.ChoiceField(label=gettext_lazy("Update"), choices=FieldMapping.Policy.choices)
    clear = forms.BooleanField(
        label=gettext_lazy("A blank on the card clears the property"), required=False
    )
    table = forms.CharField(
        label=gettext_lazy("Value table"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy("In a value table each line is: card's value = property's value."),
    )
    others = forms.ChoiceField(
        label=gettext_lazy("Values not in the table"),
        required=False,
        choices=FieldMapping.Others.choices,
    )
    direction = forms.ChoiceField(
        label=gettext_lazy("Direction"), required=False, choices=FieldMapping.Direction.choices
    )
    conflict = forms.ChoiceField(
        label=gettext_lazy("When edited in HubSpot"),
        required=False,
        choices=[("", gettext_lazy("As the rule says")), *SyncRule.Conflict.choices],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source = self["source"].value() or ""
        names = list(CARD_FIELDS.items())
        joined = (
            []
            if source in SANSAN_FIELDS or source in ("", EXPRESSION_SOURCE)
            else [
                (source, " + ".join(str(CARD_FIELDS.get(name, name)) for name in source.split(",")))
            ]
        )
        choices = [("", "–"), *names, *joined, (EXPRESSION_SOURCE, gettext_lazy("Expression…"))]
        self.fields["source"].widget = forms.Select(choices=choices)
        self.fields["transform"].initial, self.fields["others"].initial = (
            "",
            FieldMapping.Others.KEEP,
        )
        self.fields["direction"].initial = BOTH_DIRECTIONS

    def clean_hubspot(self) -> str:
        return check_typed_property(self.cleaned_data["hubspot"])

    def clean_table(self) -> list[list[str]]:
        return read_typed_table(self.cleaned_data["table"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        source, expression = cleaned.get("source", ""), cleaned.get("expression", "")
        if source == EXPRESSION_SOURCE:
            self.tell_problem(
                "expression",
                describe_notes(find_expression_problem(expression))
                if expression
                else _("Write an expression, or choose a field."),
            )
        else:
            cleaned["expression"] = ""
            names = [name for name in source.split(",") if name]
            self.tell_problem(
                "source",
                describe_notes(next(iter(list_field_problems(names)), ""))
                if names
                else _("Choose a field of the card."),
            )
        if source == TAGS_FIELD and cleaned.get("transform"):
            self.tell_problem(
                "transform", _("Tags go as they are: use an expression to make a text of them.")
            )
        if cleaned.get("active") and cleaned.get("direction") == TO_SANSAN and not self.errors:
            self.tell_problem("direction", self.find_useless())
        return cleaned

    def find_useless(self) -> str:
        """A row that is for new cards only, and can fill none."""
        locked = LOCKED_ROW_TEXTS.get(refuse_row(as_plan_row(self.make_row(), {})))
        return (
            _("This row would do nothing (%(why)s): choose another direction, or switch it off.")
            % {"why": locked}
            if locked
            else ""
        )

    def tell_problem(self, name: str, problem: str) -> None:
        if problem:
            self.add_error(name, problem)

    def check(self, schema: dict[str, Any]) -> None:
        """Against the properties that HubSpot has now.

        A row that is off may wait for its property.
        """
        if schema and self.cleaned_data.get("active") and not self.errors:
            problem = find_mapping_problem(as_plan_row(self.make_row(), schema), schema)
            self.tell_problem("hubspot", describe_notes(problem.note) if problem else "")

    def list_values(self) -> dict[str, Any]:
        """The columns of FieldMapping."""
        cleaned = self.cleaned_data
        source = "" if cleaned["source"] == EXPRESSION_SOURCE else cleaned["source"]
        names = (
            "expression",
            "hubspot",
            "transform",
            "policy",
            "clear",
            "active",
            "table",
            "conflict",
        )
        blank = {
            "others": cleaned["others"] or FieldMapping.Others.KEEP,
            "direction": cleaned["direction"] or BOTH_DIRECTIONS,
        }
        return {"sansan": source, **blank, **{name: cleaned[name] for name in names}}

    def make_row(self) -> FieldMapping:
        return FieldMapping(**self.list_values())

    @property
    def opened(self) -> bool:
        """Whether the rarely used part is shown: it holds something, or something in it is
        wrong.
        """
        used = any(self[name].value() for name in ("table", "clear", "conflict"))
        return bool(used or {"table", "others", "clear", "conflict"}.intersection(self.errors))

    @property
    def by_expression(self) -> bool:
        return bool(self["source"].value() == EXPRESSION_SOURCE)


class AddedRows(forms.BaseFormSet):  # type: ignore[type-arg]  # takes none at run time
    """Rows that are added and removed on the page."""

    def list_kept(self) -> list[Any]:
        return [
            form
            for form in self.forms
            if hasattr(form, "cleaned_data") and not form.cleaned_data.get("DELETE")
        ]


def make_row_set(
    form: type[forms.Form], rows: type[RowSet], most: int, absolute_most: int
) -> type[RowSet]:
    made = forms.formset_factory(
        form, formset=rows, extra=0, can_delete=True, max_num=most, absolute_max=absolute_most
    )
    assert issubclass(made, rows)
    return made


class UniqueMappingRows(AddedRows):
    def clean(self) -> None:
        seen: set[str] = set()
        for form in self.list_kept():
            name = form.cleaned_data.get("hubspot")
            if name in seen:
                form.add_error(
                    "hubspot", _("Mapped twice: a property takes its value from one row.")
                )
            elif name:
                seen.add(name)


FILLED_FORM_OPTIONS = {"empty_permitted": False}  # a row that was added is meant
MappingRowSet = make_row_set(
    MappingRowForm, UniqueMappingRows, MOST_MAPPING_ROWS, MOST_MAPPING_ROWS + 50
)


def as_form_initial(row: FieldMapping) -> dict[str, Any]:
    """A stored row as its form shows it."""
    table = "\n".join(
        f"{escape_pair_text(have)} = {escape_pair_text(value)}" for have, value in row.table
    )
    names = (
        "id",
        "expression",
        "hubspot",
        "transform",
        "policy",
        "clear",
        "active",
        "others",
        "direction",
        "conflict",
    )
    return {
        "source": EXPRESSION_SOURCE if row.expression else row.sansan,
        "table": table,
        "pairs": row.table,
        **{name: getattr(row, name) for name in names},
    }


def read_typed_table(text: str) -> list[list[str]]:
    """``部長 = Manager``, a pair a line. Raises ValidationError."""
    pairs, seen = [], dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = PAIR_PATTERN.fullmatch(line)
        if not found:
            raise ValidationError(
                _("Line %(n)s: write the card's value, =, and the property's value.")
                % {"n": number}
            )
        have, value = (
            unescape_pair_text(found["have"].strip()),
            unescape_pair_text(found["value"].strip()),
        )
        if first := seen.get(fold_table_key(have)):
            raise ValidationError(
                _("Line %(n)s: “%(have)s” stands in line %(first)s already.")
                % {"n": number, "have": have, "first": first}
            )
        seen[fold_table_key(have)] = number
        pairs.append([have, value])
    return pairs


# The first = that has no backslash before it.
PAIR_PATTERN = re.compile(r"(?P<have>(?:[^=\\]|\\.)*)=(?P<value>.*)")


def escape_pair_text(text: str) -> str:
    """A file may have values with what separates a pair from the next."""
    return text.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n")


def unescape_pair_text(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


@dataclass(frozen=True)
class TriedRow:
    """What a row makes of a card. ``problem`` is "" where it works."""

    value: str = ""
    problem: str = ""


def quote_card_fields(fields: tuple[str, ...], sample: Sample) -> str:
    """What the card says in the fields that an expression reads, to see why it fails."""
    said = [
        f"{CARD_FIELDS.get(name, name)}: {shorten_value(sample.values[name])}"
        for name in fields
        if sample.values.get(name)
    ]
    return f"({'; '.join(said)})" if said else ""


def try_row(
    row: FieldMapping, sample: Sample | None, schema: dict[str, Any], names: dict[str, str]
) -> TriedRow:
    """``names``: tag id -> name."""
    if sample is None:
        return TriedRow()
    plan_row = as_plan_row(row, schema)
    try:
        value = make_value(
            plan_row, sample.values, sample.tags, [names.get(tag, tag) for tag in sample.tags]
        )
    except ExpressionError as wrong:
        quoted = quote_card_fields(plan_row.sansan, sample)
        return TriedRow(problem=f"{describe_notes(str(wrong))} {quoted}".strip())
    prop = schema.get(row.hubspot)
    shown = (
        "; ".join(names.get(tag, tag) for tag in value.split(";"))
        if plan_row.sansan == (TAGS_FIELD,) and not row.expression
        else value
    )
    if prop and prop.get("kind") == "checkbox" and plan_row.sansan == (TAGS_FIELD,):
        return TriedRow(shown)  # the options of our tags are made before they are needed
    return TriedRow(shown, describe_notes(find_value_problem(value, prop)) if prop else "")


def describe_row_for_cards(row: FieldMapping, schema: dict[str, Any]) -> dict[str, Any]:
    """What a row does for new cards, in a few words; ``locked`` where it can do nothing for
    them.
    """
    if not row.active or not (row.sansan or row.expression):
        return {"cards": "", "locked": False}
    if row.direction == TO_HUBSPOT:
        return {"cards": _("not for new cards: this row goes to HubSpot only"), "locked": False}
    plan_row = as_plan_row(row, schema)
    locked = LOCKED_ROW_TEXTS.get(refuse_row(plan_row))
    if locked:
        return {"cards": str(locked), "locked": True}
    words = _("fills new cards only") if row.direction == TO_SANSAN else _("also fills new cards")
    if len(plan_row.sansan) > 1:
        words = _("%(words)s: “%(field)s” takes the whole text") % {
            "words": words,
            "field": CARD_FIELDS[plan_row.sansan[0]],
        }
    return {"cards": words, "locked": False}


def find_row_hint(form: MappingRowForm, prop: dict[str, Any]) -> str:
    if form["hubspot"].value() == "email" and not form["active"].value():
        return str(ADDRESS_HINT)
    return str(OWNER_HINT) if prop.get("kind") == OWNER_KIND else ""
