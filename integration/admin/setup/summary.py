"""What a sync is about to do, in a few lines: each leads back to the page where it is decided."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integration.admin.parts.labels import CARD_FIELDS
from integration.admin.parts.links import SETUP_STEPS, make_step_url
from integration.admin.parts.said import describe_condition
from integration.admin.parts.shown import show_number
from integration.models import Connection, SyncRule, SyncRun, Tag
from integration.planning.decisions import NEW_CARD
from integration.rules.as_plan import make_scopes
from integration.rules.recheck import find_chosen_tags

MOST_SUMMARY_ITEMS = 5


def summarize_rule(rule: SyncRule) -> list[dict[str, Any]]:
    parts = {
        "connect": [
            f"{name_connection_end(rule.sansan)} ⇄ {name_connection_end(rule.hubspot)}"
            if rule.sends and rule.receives
            else " → ".join(name_both_ends(rule))
        ],
        "tags": [summarize_tags(rule)],
        "configure": [str(rule.get_direction_display()), *summarize_mappings(rule)],
        "limit": summarize_limits(rule),
    }
    return [
        {"title": SETUP_STEPS[step], "url": make_step_url(step, rule), "texts": texts}
        for step, texts in parts.items()
    ]


def list_differing_rules(rule: SyncRule) -> list[tuple[str, str]]:
    """(running sync to the same HubSpot account, properties that it fills in another way)."""
    differing = {
        pk: scope.otherwise
        for pk, scope in make_scopes(rule, preview=True).items()
        if scope.otherwise
    }
    slugs = (
        SyncRule.objects.filter(pk__in=list(differing)).order_by("slug").values_list("pk", "slug")
    )
    return [
        (
            slug,
            ", ".join(
                sorted(
                    rule.hubspot.schema.get(name, {}).get("label") or name for name in differing[pk]
                )
            ),
        )
        for pk, slug in slugs
    ]


def name_both_ends(rule: SyncRule) -> list[str]:
    both = [name_connection_end(rule.sansan), name_connection_end(rule.hubspot)]
    return both if rule.receives else both[::-1]


def name_connection_end(connection: Connection) -> str:
    """The system, and whose it is."""
    return f"{connection.get_system_display()} {connection.remote_name or connection.slug}"


def summarize_tags(rule: SyncRule) -> str:
    chosen = find_chosen_tags(rule)
    if not chosen:
        return _("Every card, whatever its tags")
    rows = Tag.objects.filter(connection=rule.sansan, external_id__in=chosen).order_by("name")
    names = list(rows.values_list("name", flat=True)[:MOST_SUMMARY_ITEMS])
    more = len(chosen) - len(names)
    listed = ", ".join(names)
    return (
        _("%(names)s and %(n)s more") % {"names": listed, "n": show_number(more)}
        if more > 0
        else listed
    )


def summarize_mappings(rule: SyncRule) -> list[str]:
    n = sum(row.active for row in rule.mappings.all())
    texts = [ngettext("%(n)s mapping", "%(n)s mappings", n) % {"n": show_number(n)}]
    if rule.receives:
        texts.append(str(rule.get_conflict_display()))
    if rule.sends:
        texts.append(_("At most %(n)s cards a day") % {"n": show_number(rule.card_cap)})
    return texts


def summarize_limits(rule: SyncRule) -> list[str]:
    texts = [
        _("Only people with a valid e-mail address")
        if rule.require_email
        else _("People without an e-mail address, too")
    ]
    rows = [row for side in ("cards", "contacts") for row in rule.filters.get(side, [])]
    texts += [
        describe_condition(
            CARD_FIELDS.get(row["field"], row["field"]), row["op"], row.get("value", "")
        )
        for row in rows[:MOST_SUMMARY_ITEMS]
    ]
    if len(rows) > MOST_SUMMARY_ITEMS:
        texts.append(_("and %(n)s more") % {"n": show_number(len(rows) - MOST_SUMMARY_ITEMS)})
    budget = {
        "creates": _("At most %(n)s new contacts in one run"),
        "updates": _("At most %(n)s changed contacts in one run"),
    }
    return texts + [
        text % {"n": show_number(rule.limits[name])}
        for name, text in budget.items()
        if name in rule.limits
    ]


def describe_preview_effect(rule: SyncRule, preview: SyncRun) -> str:
    """What the button beside it will do, by the preview."""
    cards = int(preview.reasons.get(NEW_CARD, 0))
    made, changed = preview.created - cards, preview.updated + preview.linked
    texts = []
    if made:
        texts.append(
            ngettext("%(n)s new contact", "%(n)s new contacts", made) % {"n": show_number(made)}
        )
    if changed:
        texts.append(
            ngettext("%(n)s contact changed", "%(n)s contacts changed", changed)
            % {"n": show_number(changed)}
        )
    where = (
        [
            _("%(what)s in %(where)s")
            % {"what": ", ".join(texts), "where": name_connection_end(rule.hubspot)}
        ]
        if texts
        else []
    )
    if cards:
        made_there = ngettext("%(n)s new card", "%(n)s new cards", cards) % {
            "n": show_number(cards)
        }
        where.append(
            _("%(what)s in %(where)s")
            % {"what": made_there, "where": name_connection_end(rule.sansan)}
        )
    return "; ".join(where) or _("Nothing to write for now")
