"""Configure: the rule's policies, and the mappings, each with what a real card makes of it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin.base import is_id
from core.history import give_reason
from integration import tasks
from integration.admin.parts.fields import IN_SYNC_LABEL
from integration.admin.parts.labels import label_property
from integration.admin.parts.said import describe_notes
from integration.admin.setup.policies import PoliciesForm
from integration.admin.setup.rows import (
    EXPRESSION_SOURCE,
    FILLED_FORM_OPTIONS,
    AddedRows,
    MappingRowForm,
    MappingRowSet,
    as_form_initial,
    describe_row_for_cards,
    find_row_hint,
    try_row,
)
from integration.admin.setup.steps import RuleStep
from integration.connectors.hubspot import fields
from integration.models import FieldMapping, Sample
from integration.rules.as_plan import name_tags
from integration.rules.file import make_default_mappings
from integration.rules.options import DECISIVE_COLUMNS
from integration.rules.recheck import find_chosen_tags

LONGEST_CARD_ID = 64


class MappingStep(RuleStep):
    """What the page and its live results share."""

    name = "configure"

    def load_schema(self) -> dict[str, Any]:
        """The live properties, and ours as they will be once they are made."""
        return (
            {**fields.OWN_PROPERTY_DESCRIPTIONS, **self.rule.hubspot.schema}
            if self.rule.hubspot.schema
            else {}
        )

    def list_samples(self) -> list[Sample]:
        return list(
            Sample.objects.filter(connection=self.rule.sansan).order_by("-read_at", "external_id")[
                :30
            ]
        )

    def find_sample(self, asked: str) -> Sample | None:
        samples = self.list_samples()
        found = next(
            (one for one in samples if one.external_id == asked),
            samples[0] if samples and not asked else None,
        )
        selected = find_chosen_tags(self.rule)
        if found and selected:
            # As the sync does: of a card's tags only the selected ones are anybody's.
            found.tags = [tag for tag in found.tags if tag in selected]
        return found

    def is_waiting_for(self, asked: str, sample: Sample | None) -> bool:
        """Whether a worker is reading the card, or the cards, that the results are to be shown
        for.
        """
        return sample is None and (
            (bool(asked) and not self.find_refusal(asked)) or self.rule.sansan.is_being_counted
        )

    def find_refusal(self, asked: str) -> str:
        """Why the card that was asked for cannot be read."""
        why = self.rule.sansan.find_sample_refusal(asked) if asked else ""
        return (
            _("Card %(id)s cannot be read: %(why)s") % {"id": asked, "why": describe_notes(why)}
            if why
            else ""
        )


class ConfigureStep(MappingStep):
    lead = gettext_lazy(
        "Which field of a card fills which property of the contact, and when it may. Each row "
        "shows what it makes of a real card."
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rows = [as_form_initial(row) for row in self.rule.mappings.order_by("position", "pk")]
        return self.show(
            MappingRowSet(initial=rows, prefix="row", form_kwargs=FILLED_FORM_OPTIONS),
            clean_card_id(request.GET.get("sample", "")),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rows = MappingRowSet(request.POST, prefix="row", form_kwargs=FILLED_FORM_OPTIONS)
        sample = clean_card_id(request.POST.get("sample", ""))
        if request.POST.get("action") == "default":
            return self.put_back()
        if request.POST.get("action") == "survey":
            tasks.enqueue_survey_where_wanted(self.rule.sansan)
            return self.show(rows, "")
        if request.POST.get("action") == "sample":
            return self.ask_for_sample(rows, request.POST.get("card", "").strip())
        problem = self.find_rows_problem(rows)
        policies = PoliciesForm(self.rule, request.POST)
        if not policies.is_valid():
            problem = problem or _("Something cannot work as it stands: each place says what.")
        if problem:
            return self.show(rows, sample, problem)
        with transaction.atomic():  # no slice may begin with the new rows before the rule is paused
            if self.store(rows, policies.list_columns(), policies.cleaned_data["reason"]):
                self.mark_changed()
        return self.go_onward()

    def find_rows_problem(self, rows: AddedRows) -> str:
        """What is said above the page where a row cannot work; each row says what is wrong with
        it.
        """
        schema, valid = self.load_schema(), rows.is_valid()
        for form in rows.list_kept():
            form.check(schema)
        self.meet_colleagues(rows)
        if valid and not rows.list_kept():
            return _("A sync needs at least one mapping.")
        wrong = not valid or any(form.errors for form in rows.list_kept())
        return _("Some rows cannot work as they stand: each says why.") if wrong else ""

    def put_back(self) -> HttpResponse:
        """The default rows, shown and not stored: going on stores them."""
        rows = [as_form_initial(FieldMapping(**row)) for row in make_default_mappings()]
        there = dict(self.rule.mappings.values_list("hubspot", "id"))
        initial = [{**row, "id": there.get(row["hubspot"])} for row in rows]
        return self.show(
            MappingRowSet(initial=initial, prefix="row", form_kwargs=FILLED_FORM_OPTIONS), ""
        )

    def ask_for_sample(self, rows: AddedRows, card: str) -> HttpResponse:
        if not clean_card_id(card):
            return self.show(
                rows,
                "",
                _(
                    "A card's id is made of letters and digits: it is in the address of the "
                    "card in Sansan."
                ),
            )
        tasks.enqueue_sample(self.rule.sansan, card)
        # What was typed and not stored yet stays on the page.
        return self.show(rows, card)

    def read_opened(self) -> set[int]:
        """The rows that were there when the page was opened."""
        return {int(pk) for pk in self.request.POST.get("opened", "").split(",") if is_id(pk)}

    def meet_colleagues(self, rows: AddedRows) -> None:
        """A row that somebody has added meanwhile stays, so that its property cannot be mapped
        here.
        """
        posted = {form.cleaned_data.get("id") for form in rows.list_kept()}
        theirs = set(
            self.rule.mappings.exclude(
                pk__in=self.read_opened() | {pk for pk in posted if pk}
            ).values_list("hubspot", flat=True)
        )
        for form in rows.list_kept():
            if form.cleaned_data.get("hubspot") in theirs:
                form.add_error(
                    "hubspot",
                    _("Somebody has mapped it meanwhile: load the page again to see how."),
                )

    def store(self, rows: AddedRows, columns: dict[str, Any], reason: str) -> bool:
        """Makes the rule and its stored rows these; whether anything changed that decides about
        people.
        """
        there = {row.pk: row for row in self.rule.mappings.all()}
        wanted = [{**form.list_values(), "position": i} for i, form in enumerate(rows.list_kept())]
        ids = keep_first_ids([form.cleaned_data.get("id") for form in rows.list_kept()])
        # Rows that somebody else has added since the page was opened are not in it, and stay.
        gone = (there.keys() & self.read_opened()) - {pk for pk in ids if pk}
        for pk in gone:
            give_reason(there[pk], reason).delete()
        moved = [
            pk
            for pk, row in zip(ids, wanted, strict=True)
            if pk in there and there[pk].hubspot != row["hubspot"]
        ]
        for pk in moved:
            # Two rows may have swapped their properties, and the database takes one at a time.
            FieldMapping.objects.filter(pk=pk).update(hubspot=f"~{pk}")
        put = [
            self.put_row(there.get(pk) if pk else None, values, reason)
            for pk, values in zip(ids, wanted, strict=True)
        ]
        return self.put_policies(columns, reason) or bool(gone) or any(put)

    def put_row(self, row: FieldMapping | None, values: dict[str, Any], reason: str) -> bool:
        row = row or FieldMapping(account_id=self.rule.account_id, rule=self.rule)
        if row.pk and all(getattr(row, name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            setattr(row, name, value)
        give_reason(row, reason).save()
        return True

    def put_policies(self, columns: dict[str, Any], reason: str) -> bool:
        differs = [name for name, value in columns.items() if getattr(self.rule, name) != value]
        for name in differs:
            setattr(self.rule, name, columns[name])
        if differs:
            give_reason(self.rule, reason).save(update_fields=differs)
        return not DECISIVE_COLUMNS.isdisjoint(differs)

    def show(self, rows: AddedRows, asked: str, problem: str = "") -> HttpResponse:
        refused = self.find_refusal(asked)
        asked = "" if refused else asked
        sample, schema = self.find_sample(asked), self.load_schema()
        names = name_tags([self.rule.sansan_id], sample.tags if sample else ())
        # What was typed and not stored yet stays on the page.
        policies = PoliciesForm(
            self.rule, self.request.POST if self.request.method == "POST" else None
        )
        return self.render(
            policies=policies,
            in_sync=IN_SYNC_LABEL,
            rows=rows,
            shown=[
                (form, show_row_result(form, sample, schema, names), make_row_notes(form, schema))
                for form in rows.forms
            ],
            blank=MappingRowForm(prefix="row-__prefix__"),
            sample=sample,
            asked=asked,
            refused=refused,
            waiting=self.is_waiting_for(asked, sample),
            samples=self.list_samples(),
            opened=self.request.POST.get("opened")
            or ",".join(str(pk) for pk in self.rule.mappings.values_list("pk", flat=True)),
            properties=[
                (name, label_property(prop))
                for name, prop in sorted(schema.items())
                if not prop["read_only"]
            ],
            schema_known=bool(schema),
            problem=problem,
        )


def clean_card_id(typed: str) -> str:
    """What may be a card's id; "" for anything else."""
    return typed if typed.isascii() and typed.isalnum() and len(typed) <= LONGEST_CARD_ID else ""


def keep_first_ids(ids: list[int | None]) -> list[int | None]:
    """An id that came twice names one row; the second is a new one."""
    return [pk if pk not in ids[:i] else None for i, pk in enumerate(ids)]


class TryMappings(MappingStep):
    """The results for what is typed right now. Nothing is stored, nobody is asked."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rows = MappingRowSet(request.POST, prefix="row", form_kwargs=FILLED_FORM_OPTIONS)
        asked = clean_card_id(request.POST.get("sample", ""))
        sample, schema = self.find_sample(asked), self.load_schema()
        names = name_tags([self.rule.sansan_id], sample.tags if sample else ())
        rows.is_valid()
        for form in rows.list_kept():
            form.check(schema)
        results = {form.prefix: show_row_result(form, sample, schema, names) for form in rows.forms}
        notes = {form.prefix: make_row_notes(form, schema) for form in rows.forms}
        return JsonResponse(
            {
                "sample": str(sample) if sample else "",
                "waiting": self.is_waiting_for(asked, sample),
                "refused": self.find_refusal(asked),
                "rows": results,
                "notes": notes,
            }
        )


def show_row_result(
    form: MappingRowForm, sample: Sample | None, schema: dict[str, Any], names: dict[str, str]
) -> dict[str, str]:
    """The result beside a row: its value, or the first thing that is wrong with it."""
    prop = schema.get(form["hubspot"].value() or "", {})
    kind = label_property(prop)
    if form.is_bound and not (form["source"].value() or form["hubspot"].value()):
        return {"value": "", "problem": "", "kind": ""}  # nothing has been chosen yet
    if form.is_bound and form.errors:
        return {
            "value": "",
            "problem": " ".join(str(text) for texts in form.errors.values() for text in texts),
            "kind": kind,
        }
    result = try_row(as_field_mapping(form), sample, schema, names)
    return {"value": result.value, "problem": result.problem, "kind": kind}


def make_row_notes(form: MappingRowForm, schema: dict[str, Any]) -> dict[str, Any]:
    """What is said of a row whatever the card: what it does for new cards, and who becomes the
    owner.
    """
    said = find_row_hint(form, schema.get(form["hubspot"].value() or "", {}))
    if form.is_bound and form.errors:
        return {"hint": said, "cards": "", "locked": False}
    return {"hint": said, **describe_row_for_cards(as_field_mapping(form), schema)}


def as_field_mapping(form: MappingRowForm) -> FieldMapping:
    return form.make_row() if form.is_bound else as_stored_field_mapping(form)


def as_stored_field_mapping(form: MappingRowForm) -> FieldMapping:
    """A form that was not sent shows a stored row."""
    shown = form.initial
    source = "" if shown["source"] == EXPRESSION_SOURCE else shown["source"]
    names = ("expression", "hubspot", "transform", "others", "active", "direction")
    return FieldMapping(
        sansan=source, table=shown["pairs"], **{name: shown[name] for name in names}
    )
