"""A rule as planning reads it: plain values from its rows, and which cards are in its scope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integration.connectors.hubspot import fields
from integration.models import FieldMapping, SyncRule, Tag
from integration.planning.expressions import ExpressionError, list_expression_fields
from integration.planning.fit import MappingProblem, find_mapping_problem
from integration.planning.rule import (
    CARD_ID,
    LINK_ID,
    TAGS_FIELD,
    Filter,
    MappingRow,
    Rule,
    list_differing_properties,
)

# Read for matching and comparing, whatever is mapped.
CORE_FIELDS = (
    "lastName",
    "firstName",
    "lastNameReading",
    "firstNameReading",
    "companyName",
    "email",
    "countryCode",
)
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@dataclass(frozen=True)
class Scope:
    """Which cards of a rule are in scope. ``selected`` are ids of tags, None when every card is.

    ``fields`` are those that the rule keeps of a card, ``otherwise`` the properties that it fills
    in another way than the rule at the desk.
    """

    selected: frozenset[str] | None
    filters: tuple[Filter, ...] = ()
    enter: bool = False
    fields: frozenset[str] = frozenset()
    otherwise: frozenset[str] = frozenset()

    def has(self, tags: Iterable[str]) -> bool:
        return self.selected is None or not self.selected.isdisjoint(tags)

    def select_tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        if self.selected is None:
            return tuple(tags)
        return tuple(tag for tag in tags if tag in self.selected)


def list_rules_beside(rule: SyncRule) -> list[SyncRule]:
    """The rule, and the others that write to its HubSpot connection: their cards may be the same
    people.

    A draft writes nothing but its own preview, and what that read must not reach a contact.
    """
    others = SyncRule.objects.filter(hubspot_id=rule.hubspot_id).exclude(pk=rule.pk)
    writing = others.exclude(state=SyncRule.State.DRAFT).prefetch_related("mappings")
    for other in writing:
        other.hubspot = rule.hubspot
    return [rule, *writing]


def list_watched_properties(rule: SyncRule, plan_rule: Rule) -> tuple[str, ...]:
    """The properties that any rule of the HubSpot connection reads or writes."""
    rows = FieldMapping.objects.filter(rule__hubspot_id=rule.hubspot_id, active=True)
    writing = rows.exclude(rule__state=SyncRule.State.DRAFT)
    names = {*plan_rule.properties, *writing.values_list("hubspot", flat=True)}
    if not plan_rule.link_property:
        names -= {LINK_ID, CARD_ID}
    return tuple(sorted(names))


def name_tags(keys: Sequence[int], ids: Iterable[str] | None = None) -> dict[str, str]:
    """Id -> name of the tags of these Sansan connections; where several see a tag, as the first of
    them calls it.
    """
    tags = Tag.objects.filter(connection__in=keys)
    if ids is not None:
        tags = tags.filter(external_id__in=list(ids))
    rows = tags.values_list("connection", "external_id", "name")
    last_first = sorted(rows, key=lambda row: -keys.index(row[0]))
    return {external_id: name for _key, external_id, name in last_first}


def make_scopes(rule: SyncRule, preview: bool = False) -> dict[int, Scope]:
    return make_scopes_among(list_rules_beside(rule), as_plan_rule(rule, {}, preview), preview)


def make_scopes_among(rules: Sequence[SyncRule], own: Rule, preview: bool) -> dict[int, Scope]:
    """Rule -> its scope. The first rule is the one at the desk, as ``own`` says."""
    selected = find_selected_tags({rule.sansan_id for rule in rules})
    scopes: dict[int, Scope] = {}
    for rule in rules:
        plan_rule = own if rule is rules[0] else as_plan_rule(rule, {})
        decides = rule.state == SyncRule.State.ACTIVE and rule.receives
        tags = selected.get(rule.sansan_id)
        scopes[rule.pk] = Scope(
            selected=None if tags is None else frozenset(tags),
            filters=plan_rule.filters,
            enter=plan_rule.filters_enter,
            fields=list_kept_fields(plan_rule),
            otherwise=list_differing_properties(own, plan_rule) if decides else frozenset(),
        )
    at_desk = rules[0]
    if preview and at_desk.picked_tags is not None:
        # What it would be like once the choice is saved.
        picked = frozenset(at_desk.picked_tags) or None
        scopes[at_desk.pk] = replace(scopes[at_desk.pk], selected=picked)
    return scopes


def find_selected_tags(connections: set[int]) -> dict[int, set[str]]:
    """Connection -> the ids of its selected tags.

    Not there: every card is in scope, with all its tags.
    """
    found: dict[int, set[str]] = {}
    rows = Tag.objects.filter(connection__in=connections, selected=True)
    for connection, id in rows.values_list("connection", "external_id"):
        found.setdefault(connection, set()).add(id)
    return found


def has_entry_filters(rule: SyncRule) -> bool:
    return rule.filters_mean == SyncRule.FiltersMean.ENTER


def list_kept_fields(rule: Rule) -> frozenset[str]:
    """The fields of a card that are kept: those that the rule reads, and those that people are told
    apart by.
    """
    mapped = {name for row in rule.mappings for name in row.sansan if name != TAGS_FIELD}
    return frozenset(mapped | {row.field for row in rule.filters} | set(CORE_FIELDS))


def as_plan_rule(rule: SyncRule, tag_names: Mapping[str, str], preview: bool = False) -> Rule:
    """A preview goes by the properties that the first real run will make."""
    schema = rule.hubspot.schema
    if preview and schema:
        schema = {**fields.OWN_PROPERTY_DESCRIPTIONS, **schema}
    # A property that HubSpot does not have cannot be written; the run says so, and the other fields
    # go on.
    active = [row for row in rule.mappings.all() if row.active]
    rows = [row for row in active if not schema or row.hubspot in schema]
    to_contacts = [row for row in rows if row.direction != FieldMapping.Direction.TO_SANSAN]
    to_cards = [row for row in rows if row.direction != FieldMapping.Direction.TO_HUBSPOT]
    return Rule(
        mappings=tuple(as_plan_row(row, schema) for row in to_contacts),
        to_cards=tuple(as_plan_row(row, schema) for row in to_cards if rule.sends),
        make_again=rule.when_gone == SyncRule.WhenGone.MAKE,
        owners=rule.hubspot.owners,
        require_email=rule.require_email,
        conflict=rule.conflict,
        filters=as_plan_filters(rule, "cards"),
        link_property=rule.hubspot.link_property or preview,
        contact_filters=as_plan_filters(rule, "contacts"),
        filters_enter=has_entry_filters(rule),
        tag_names=tag_names,
        changed_at=rule.changed_at,
        zone=rule.account.timezone,
    )


def list_read_fields(row: FieldMapping) -> tuple[str, ...]:
    """The fields that a row reads.

    Of an expression that cannot be read none: each card says what is wrong with it.
    """
    if not row.expression:
        return tuple(part.strip() for part in row.sansan.split(","))
    try:
        return list_expression_fields(row.expression)
    except ExpressionError:
        return ()


def as_plan_row(row: FieldMapping, schema: Mapping[str, Any]) -> MappingRow:
    prop = schema.get(row.hubspot, {})
    transform = row.transform
    if transform == "country" and JAPANESE.search(prop.get("label", "")):
        # The portal's people read Japanese.
        transform = "country_ja"
    return MappingRow(
        sansan=list_read_fields(row),
        hubspot=row.hubspot,
        transform=transform,
        policy=row.policy,
        clear=row.clear,
        kind=prop.get("kind", "text"),
        expression=row.expression,
        table=tuple((have, value) for have, value in row.table),
        others=row.others,
        conflict=row.conflict,
    )


def as_plan_filters(rule: SyncRule, side: str) -> tuple[Filter, ...]:
    return tuple(
        Filter(row["field"], row["op"], str(row.get("value", "")))
        for row in (rule.filters or {}).get(side, ())
    )


def list_mapping_problems(rule: SyncRule, preview: bool = False) -> list[MappingProblem]:
    """The mappings that cannot work against the properties the portal has; a preview counts ours as
    made.
    """
    schema = rule.hubspot.schema
    if not schema:
        return []
    if preview:
        schema = {**fields.OWN_PROPERTY_DESCRIPTIONS, **schema}
    rows = [as_plan_row(row, schema) for row in rule.mappings.all() if row.active]
    problems = (find_mapping_problem(row, schema) for row in rows)
    return [problem for problem in problems if problem]
