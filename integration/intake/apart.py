"""Cards that were one person's and are no longer: Sansan sets them apart, or a misread address is
corrected. Until then only the link that they share would keep them together.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.bulk import any_of
from integration.ledger.links import record_set_apart
from integration.models import Link, Record, Side
from integration.planning.apart import Ties, find_leaving
from integration.planning.normalize import normalize_name
from integration.slice.desk import Desk
from integration.slice.rows import KnownCard, Reading


def set_cards_apart(desk: Desk, changed: Sequence[tuple[KnownCard, Reading]]) -> None:
    """Looks at cards that have changed whether they still are of the person whose link they share.

    In the caller's transaction, after the readings are stored.
    """
    moved: dict[int, dict[str, tuple[Ties, Ties]]] = {}
    for known, reading in changed:
        before, now = make_ties(known), make_ties(reading)
        if known.link_id and before != now:
            moved.setdefault(known.link_id, {})[reading.external_id] = (before, now)
    if not moved:
        return
    links = {link.pk: link for link in Link.objects.filter(pk__in=any_of(list(moved)))}
    records = Record.objects.filter(link__in=any_of(list(moved)), side=Side.CARD)
    columns = ("id", "link_id", "external_id", "person_key", "email_key", "name")
    ids: dict[int, dict[str, set[int]]] = {}
    ties: dict[int, dict[str, Ties]] = {}
    for id, link_id, card, person, address, name in records.values_list(*columns):
        # Rules that see the same card have a copy each, which may be older than this reading.
        ids.setdefault(link_id, {}).setdefault(card, set()).add(id)
        ties.setdefault(link_id, {})[card] = Ties(person, address, normalize_name(name, ""))
    for link_id, cards in moved.items():
        link = links[link_id]
        present = ties[link_id] | {card: after for card, (_, after) in cards.items()}
        was = {card: before for card, (before, _) in cards.items()}
        leaving = find_leaving(was, present, link.written.get("email", ""))
        if leaving and not link.gone:
            left = {id for card in leaving for id in ids[link_id][card]}
            record_set_apart(desk, link, left, set().union(*ids[link_id].values()))


def make_ties(card: KnownCard | Reading) -> Ties:
    return Ties(card.person_key, card.email_key, normalize_name(card.name, ""))
