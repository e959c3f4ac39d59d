"""A configuration put into effect: the vendors are asked first, and nothing is stored unless all of
it can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import models, transaction

from core.encryption import InvalidToken
from core.history import create_with_history, update_with_history
from core.models import Account
from core.tenancy import in_account
from integration.connections.check import store_check
from integration.connections.credentials import make_source, make_target
from integration.connections.proof import note_other_portal
from integration.connections.properties import ensure_own_properties
from integration.connectors.base import ConnectorError, Reconnect
from integration.connectors.hubspot import fields
from integration.models import Connection, FieldMapping, SyncRule, Tag
from integration.notes import note
from integration.planning.fit import find_mapping_problem
from integration.records import Identity, PropertyRead, TagSeen
from integration.rules.as_plan import as_plan_row
from integration.rules.changes import Changed, describe_changes, tell_changes
from integration.rules.file import (
    SECRET_NAMES,
    Configuration,
    ConnectionSpec,
    FileRefused,
    RuleSpec,
)
from integration.rules.node import FileProblem
from integration.rules.options import DECISIVE_COLUMNS
from integration.rules.recheck import require_recheck, require_recheck_of_readers
from integration.rules.twins import find_twins

# What is changed of a rule, for every card to be looked at again.
DECISIVE_CHANGES = DECISIVE_COLUMNS | {"sansan", "hubspot"}


@dataclass(frozen=True)
class VendorView:
    """What the vendor showed for one connection of the file."""

    identity: Identity
    tags: tuple[TagSeen, ...] = ()
    properties: tuple[PropertyRead, ...] = ()


def ask_vendors(configuration: Configuration) -> dict[str, VendorView]:
    """Slug -> what each connection's vendor shows.

    Changes nothing. Raises FileRefused with every problem.
    """
    problems = list_system_problems(configuration)
    seen: dict[str, VendorView] = {}
    for spec in configuration.connections:
        try:
            seen[spec.slug] = look_at_vendor(spec)
        except ConnectorError as error:
            problems.append(FileProblem(f"{spec.place}.credentials", error.detail))
            continue
        if spec.tags:
            problems += list_tag_problems(spec, seen[spec.slug].tags)
    for rule in configuration.rules:
        if rule.hubspot in seen:
            problems += list_property_problems(rule, seen[rule.hubspot].properties)
    if problems:
        raise FileRefused(problems)
    return seen


def list_system_problems(configuration: Configuration) -> list[FileProblem]:
    """A slug that is stored already keeps its system."""
    account = Account.objects.filter(slug=configuration.slug).first()
    if account is None:
        return []
    with in_account(account):
        stored = dict(Connection.objects.values_list("slug", "system"))
    problems = []
    for spec in configuration.connections:
        system = stored.get(spec.slug, spec.system)
        if system != spec.system:
            problem = note("other_system", slug=spec.slug, system=system)
            problems.append(FileProblem(f"{spec.place}.system", problem))
    return problems


def look_at_vendor(spec: ConnectionSpec) -> VendorView:
    """Raises ConnectorError."""
    connection = Connection(
        slug=spec.slug, system=spec.system, credentials={SECRET_NAMES[spec.system]: spec.secret}
    )
    if spec.system == Connection.System.SANSAN:
        source = make_source(connection)
        return VendorView(source.check(), tags=tuple(source.list_tags()))
    target = make_target(connection)
    return VendorView(target.check(), properties=tuple(target.list_properties()))


def list_tag_problems(spec: ConnectionSpec, tags: Iterable[TagSeen]) -> list[FileProblem]:
    """A tag is named by its name or, where two share one, by its id."""
    chosen, most = select_tag_ids(spec, tags), settings.SYNC_MAX_TAGS
    problems = [find_tag_problem(name, tags) for name in spec.tags]
    if len(chosen) > most:
        problems.append(note("too_many_tags", n=len(chosen), most=most))
    return [FileProblem(f"{spec.place}.tags", problem) for problem in problems if problem]


def find_tag_problem(name: str, tags: Iterable[TagSeen]) -> str:
    """Why a tag cannot be selected by this name, as a note."""
    named = [tag for tag in tags if name in (tag.name, tag.id)]
    usable = [tag.id for tag in named if tag.type != Tag.Type.PRIVATE]
    if not named:
        return note("no_such_tag", name=name)
    if not usable:
        return note("private_tag", name=name)
    if len(usable) > 1:
        return note("tag_name_shared", name=name, n=len(usable), names=", ".join(usable))
    return ""


def select_tag_ids(spec: ConnectionSpec, tags: Iterable[TagSeen]) -> set[str]:
    return {
        tag.id
        for tag in tags
        if tag.type != Tag.Type.PRIVATE and (tag.id in spec.tags or tag.name in spec.tags)
    }


def list_property_problems(
    rule: RuleSpec, properties: Iterable[PropertyRead]
) -> Iterator[FileProblem]:
    """Mappings that cannot work against what the portal has.

    Our own properties are made when they are missing.
    """
    have = {prop.name: fields.describe_property(prop) for prop in properties}
    schema = {**fields.OWN_PROPERTY_DESCRIPTIONS, **have}
    for i, row in enumerate(rule.mappings):
        plan_row = as_plan_row(FieldMapping(**row), schema)
        problem = find_mapping_problem(plan_row, schema) if row["active"] else None
        if problem:
            yield FileProblem(f"{rule.place}.mappings[{i}].hubspot", problem.note)
    for i, row in enumerate(rule.fields["filters"]["contacts"]):
        if row["field"] not in schema:
            place = f"{rule.place}.filters.contacts[{i}].field"
            yield FileProblem(place, note("no_contact_property", name=row["field"]))


def compare_configuration(configuration: Configuration, seen: dict[str, VendorView]) -> list[str]:
    """The lines of ``store_configuration``, which is done and taken back. Raises FileRefused."""
    with transaction.atomic():
        changes = store_configuration(configuration, seen)
        transaction.set_rollback(True)
    return changes


def store_configuration(configuration: Configuration, seen: dict[str, VendorView]) -> list[str]:
    """Makes the rows say what the file says, in one transaction; returns a line for each setting
    that changed. Raises FileRefused.
    """
    changes: list[str] = []
    values = {"name": configuration.name, "timezone": configuration.timezone}
    with transaction.atomic():
        account, made = Account.objects.get_or_create(slug=configuration.slug, defaults=values)
        changed = ["made"] if made else describe_changes(set_values(account, values))
        tell_changes(changes, f"account {account.slug}", changed)
        with in_account(account):
            renewed: set[str] = set()
            connections = {
                spec.slug: store_connection(
                    account, spec, seen=seen[spec.slug], changes=changes, renewed=renewed
                )
                for spec in configuration.connections
            }
            for rule in configuration.rules:
                with_new_key = bool(renewed & {rule.sansan, rule.hubspot})
                store_rule(
                    account, rule, connections=connections, changes=changes, renewed=with_new_key
                )
    return changes


def set_values(row: models.Model, values: dict[str, Any]) -> Changed:
    """Sets and saves what differs."""
    differs = {
        name: (getattr(row, name), value)
        for name, value in values.items()
        if getattr(row, name) != value
    }
    for name, (_, value) in differs.items():
        setattr(row, name, value)
    if differs:
        row.save(update_fields=list(differs))
    return differs


def store_connection(
    account: Account, spec: ConnectionSpec, seen: VendorView, changes: list[str], renewed: set[str]
) -> Connection:
    values: dict[str, Any] = {"rate_calls": spec.rate[0], "rate_seconds": spec.rate[1]}
    connection = Connection.objects.filter(slug=spec.slug).first()
    if connection is None:
        connection = Connection(account=account, slug=spec.slug, system=spec.system, **values)
        connection.set_secret(spec.secret)
        connection.save()
        changed = ["made"]
    else:
        changed = describe_changes(set_values(connection, values))
        if read_stored_secret(connection) != spec.secret:
            connection.set_secret(spec.secret)
            connection.save()
            changed.append("credentials")
            renewed.add(spec.slug)
    if spec.webhook_secret and spec.webhook_secret != connection.webhook_secret:
        connection.set_webhook_secret(spec.webhook_secret)
        connection.save(update_fields=["credentials"])
        changed.append("webhook secret")
    store_check(connection, seen.identity, seen.tags, seen.properties)
    if spec.system == Connection.System.SANSAN:
        changed += select_tags(connection, select_tag_ids(spec, seen.tags))
    tell_changes(changes, f"connection {spec.slug}", changed)
    return connection


def read_stored_secret(connection: Connection) -> str:
    try:
        return connection.secret
    except InvalidToken:
        return ""  # encrypted under a key that is lost: the file's one takes its place


def select_tags(connection: Connection, ids: set[str]) -> list[str]:
    """Selects exactly these tags; returns a line for each that is another one than before.

    What is in scope changes with them, so every card is looked at again.
    """
    tags = Tag.objects.filter(connection=connection)
    if set(tags.filter(selected=True).values_list("external_id", flat=True)) == ids:
        return []
    changing = [tag for tag in tags if tag.selected != (tag.external_id in ids)]
    for tag in changing:
        tag.selected = tag.external_id in ids
    update_with_history(changing, ["selected"])
    require_recheck_of_readers(connection)
    names = sorted((tag.name, "selected" if tag.selected else "no longer") for tag in changing)
    return [f"tag {name}: {how}" for name, how in names]


def store_rule(
    account: Account,
    spec: RuleSpec,
    connections: dict[str, Connection],
    changes: list[str],
    renewed: bool,
) -> None:
    values = {
        **spec.fields,
        "sansan": connections[spec.sansan],
        "hubspot": connections[spec.hubspot],
    }
    values["marker"] = find_marker(values["marker"], values["sansan"], spec.place)
    if spec.active:
        refuse_twin_in_use(spec, values["hubspot"])
    rule = SyncRule.objects.filter(slug=spec.slug).first()
    made, changed = rule is None, Changed()
    if rule is None:
        rule = SyncRule(account=account, slug=spec.slug, **values)
        rule.save()
    else:
        ends = (values["sansan"].pk, values["hubspot"].pk)
        if rule.runs.exists() and (rule.sansan_id, rule.hubspot_id) != ends:
            raise FileRefused([FileProblem(spec.place, note("keeps_connections"))])
        changed = set_values(rule, values)
    mapped = store_mappings(rule, spec.mappings)
    if mapped or not DECISIVE_CHANGES.isdisjoint(changed):
        require_recheck(rule)
    lines = ["made"] if made else [*describe_changes(changed), *mapped]
    lines += describe_changes(set_state(rule, spec.active, renewed))
    tell_changes(changes, f"rule {spec.slug}", lines)


def refuse_twin_in_use(spec: RuleSpec, hubspot: Connection) -> None:
    """Raises FileRefused."""
    twin = find_twins(hubspot).first()
    if twin:
        problem = note("twin_connection", slug=spec.hubspot, other=twin.slug)
        raise FileRefused([FileProblem(f"{spec.place}.hubspot", problem)])


def find_marker(named: str, sansan: Connection, place: str) -> str:
    """The tag that a file names by its name or its id."""
    if not named:
        return ""
    tags = Tag.objects.filter(connection=sansan).exclude(type=Tag.Type.PRIVATE)
    ids = set(tags.filter(external_id=named).values_list("external_id", flat=True))
    ids = ids or set(tags.filter(name=named).values_list("external_id", flat=True))
    if len(ids) != 1:
        wrong = "marker_names_several" if ids else "marker_unknown"
        raise FileRefused([FileProblem(f"{place}.marker", note(wrong, name=named))])
    return str(ids.pop())


def set_state(rule: SyncRule, active: bool, renewed: bool) -> Changed:
    """A held rule stays held, unless the file brought new credentials: a person has to look at
    why.
    """
    state = SyncRule.State
    if active and (
        rule.state in (state.DRAFT, state.PAUSED) or (rule.state == state.HELD and renewed)
    ):
        return set_values(rule, {"state": state.ACTIVE, "state_reason": "", "discarded_at": None})
    if not active and rule.state == state.ACTIVE:
        return set_values(rule, {"state": state.PAUSED})
    return {}


def store_mappings(rule: SyncRule, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each row by its property, so that the history tells what changed and not that everything was
    made anew. Returns a line for each change.
    """
    wanted = {row["hubspot"]: {**row, "position": i} for i, row in enumerate(rows)}
    there = {row.hubspot: row for row in rule.mappings.all()}
    gone = [row for name, row in there.items() if name not in wanted]
    for row in gone:
        row.delete()
    new = [
        FieldMapping(account_id=rule.account_id, rule=rule, **row)
        for name, row in wanted.items()
        if name not in there
    ]
    create_with_history(new)
    lines = [f"mapping {row.hubspot}: new" for row in new]
    lines += [f"mapping {row.hubspot}: taken out" for row in gone]
    for name, stored in there.items():
        if name in wanted:
            changed = describe_changes(set_values(stored, wanted[name]))
            lines += [f"mapping {name}: {line}" for line in changed]
    return lines


def make_properties(configuration: Configuration) -> list[str]:
    """Makes our own properties where the portal lacks them; returns a line for each.

    Raises ConnectorError.
    """
    changes = []
    with in_account(Account.objects.get(slug=configuration.slug)):
        for spec in configuration.rules:
            rule = SyncRule.objects.select_related("hubspot__account").get(slug=spec.slug)
            if rule.hubspot.found_id:
                wrong = note_other_portal(rule.hubspot, rule.hubspot.found_id)
                raise Reconnect("other_portal", wrong, "hubspot")
            changes += [f"HubSpot property {name}: made" for name in ensure_own_properties(rule)]
            if not rule.hubspot.link_property:
                changes.append(
                    f"rule {rule.slug}: the token may not make properties, so contacts are "
                    "matched by e-mail only"
                )
    return changes


def list_missing_properties(configuration: Configuration, seen: dict[str, VendorView]) -> list[str]:
    """What ``make_properties`` would make, for a dry run."""
    found: dict[str, None] = {}
    for rule in configuration.rules:
        have = {prop.name for prop in seen[rule.hubspot].properties}
        mapped = {row["hubspot"] for row in rule.mappings if row["active"]}
        for spec in fields.OWN_PROPERTIES.values():
            if spec.name not in have and (spec in fields.KEY_PROPERTIES or spec.name in mapped):
                found[f"HubSpot property {spec.name}: made"] = None
    return list(found)
