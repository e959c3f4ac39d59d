"""One person side by side: the contact, every card, which card won each field, and why.

From our own copy: no vendor is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tenancy import all_accounts
from integration.admin.parts.links import (
    make_hubspot_contact_url,
    make_page_url,
    make_sansan_card_url,
)
from integration.admin.parts.shown import make_choice_badge
from integration.models import Bucket, Link, Record, Side, SyncRule
from integration.planning.blend import blend_cards
from integration.planning.expressions import ExpressionError
from integration.planning.mapping import make_value
from integration.planning.matching import rank_card
from integration.planning.rule import TAGS_FIELD, MappingRow
from integration.planning.snapshot import Card
from integration.rules.as_plan import as_plan_rule, find_selected_tags, name_tags

MOST_CARDS_SHOWN = 8
# Their cards say nothing of the contact: planning leaves them out.
UNCOUNTED_BUCKETS = (Bucket.EXCLUDED, Bucket.UNSEEN)
NOT_WRITTEN_TEXTS = {
    "if_empty": gettext_lazy("Only written where the property is empty."),
    "on_create": gettext_lazy("Only written when the contact is made."),
    "append": gettext_lazy("Added to what the property has."),
}


@dataclass(frozen=True)
class CardCell:
    value: str
    won: bool = False


@dataclass(frozen=True)
class PersonLine:
    """One property.

    ``edited``: HubSpot stores something else than we wrote, in its own spelling.
    """

    property: str
    label: str
    contact: str
    answered: str
    cells: list[CardCell]
    why: str


def list_person_cards(record: Record) -> list[Record]:
    """The record and the other cards of its person, the one that stands first."""
    with all_accounts():
        # A link's records are of its account; the scope's condition would only lead SQLite to the
        # wrong index (admin/parts/standing.py).
        others = (
            list(
                Record.objects.filter(link=record.link_id, side=Side.CARD).select_related("rule")[
                    :50
                ]
            )
            if record.link_id
            else []
        )
    found = {one.pk: one for one in (*others, *([record] if record.side == Side.CARD else []))}
    return sorted(found.values(), key=lambda one: rank_card(as_compared_card(one)), reverse=True)


def as_compared_card(record: Record, chosen: set[str] | None = None) -> Card:
    return Card(
        record=record.pk,
        id=record.external_id,
        values=record.values,
        changed_at=record.changed_at,
        exchanged_on=record.exchanged_on.isoformat() if record.exchanged_on else "",
        tags=tuple(tag for tag in record.tags if chosen is None or tag in chosen),
    )


def compare_person_cards(record: Record, rule: SyncRule, link: Link | None) -> dict[str, Any]:
    found = list_person_cards(record)
    shown = found[:MOST_CARDS_SHOWN]
    records = (
        shown
        if record in shown or record.side != Side.CARD
        else [*found[: MOST_CARDS_SHOWN - 1], record]
    )
    chosen = find_selected_tags({one.connection_id for one in records})
    cards = [as_compared_card(one, chosen.get(one.connection_id)) for one in records]
    names = name_tags(
        [one.connection_id for one in records], {tag for one in records for tag in one.tags}
    )
    counted = [
        card
        for one, card in zip(records, cards, strict=True)
        if one.bucket not in UNCOUNTED_BUCKETS and not one.barred
    ]
    origins = blend_cards(tuple(counted))[1] if counted else {}
    rows = as_plan_rule(rule, names).mappings
    return {
        "cards": [
            {
                "record": one,
                "url": make_page_url(one),
                "bucket": make_choice_badge(one, "bucket"),
                "this": one.pk == record.pk,
                "head": card in counted[:1],
                "sansan_url": make_sansan_card_url(one.external_id),
            }
            for one, card in zip(records, cards, strict=True)
        ],
        "more": len(found) - len(records),
        "lines": [
            make_person_line(
                row, cards, counted=counted, origins=origins, link=link, names=names, rule=rule
            )
            for row in rows
        ],
        "hubspot_url": make_hubspot_contact_url(rule, link.contact_id if link else ""),
    }


def make_person_line(
    row: MappingRow,
    cards: list[Card],
    counted: list[Card],
    origins: dict[str, str],
    link: Link | None,
    names: dict[str, str],
    rule: SyncRule,
) -> PersonLine:
    values = [show_card_value(row, card, names) for card in cards]
    written = link.written.get(row.hubspot, "") if link else ""
    winner = next((origins[field] for field in row.sansan if field in origins), "")
    is_tags = row.sansan == (TAGS_FIELD,) and not row.expression
    contact = name_tag_ids(written, names) if is_tags else written
    return PersonLine(
        row.hubspot,
        rule.hubspot.schema.get(row.hubspot, {}).get("label", ""),
        contact=contact,
        answered=link.answered.get(row.hubspot, "") if link else "",
        cells=[
            CardCell(value, bool(value) and card in counted and (is_tags or card.id == winner))
            for value, card in zip(values, cards, strict=True)
        ],
        why=explain_contact_value(
            row,
            cards,
            counted=counted,
            values=values,
            winner=winner,
            written=written,
            is_tags=is_tags,
        ),
    )


def show_card_value(row: MappingRow, card: Card, names: dict[str, str]) -> str:
    try:
        value = make_value(row, card.values, card.tags, [names.get(tag, tag) for tag in card.tags])
    except ExpressionError as wrong:
        return str(wrong)
    return (
        name_tag_ids(value, names) if row.sansan == (TAGS_FIELD,) and not row.expression else value
    )


def name_tag_ids(value: str, names: dict[str, str]) -> str:
    return "; ".join(names.get(tag, tag) for tag in value.split(";")) if value else ""


def explain_contact_value(
    row: MappingRow,
    cards: list[Card],
    counted: list[Card],
    values: list[str],
    winner: str,
    written: str,
    is_tags: bool,
) -> str:
    """Why the contact has this value, in a sentence."""
    wanted = next(
        (value for value, card in zip(values, cards, strict=True) if card.id == winner), ""
    )
    if is_tags:
        return _("The tags of all cards, united.") if written and len(counted) > 1 else ""
    if wanted and written != wanted:
        return str(
            NOT_WRITTEN_TEXTS.get(
                row.policy, _("Not written yet, or kept as somebody edited it in HubSpot.")
            )
        )
    if not wanted or len(counted) < 2:
        return ""
    if winner == counted[0].id:
        return _("The newest card has it.")
    return _("The newest card leaves it blank; this one is of the same company.")
