"""The sweep by tag.

Sansan may not move a card's update time when a tag is put on or taken off, so that cards are looked
at by tag, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db.models import Q

from integration.connections.tags import store_tags
from integration.connectors.base import Gone, LacksRight, Rejected
from integration.intake.cards import take_cards
from integration.ledger.entries import count_outcomes, count_progress
from integration.models import Bucket, Record, Side, SyncRule, Tag
from integration.planning.decisions import EXCLUDED_REASONS
from integration.records import CardPage
from integration.slice.desk import Desk
from integration.slice.options import rename_options
from integration.slice.pool import Work

log = structlog.get_logger()

# A sweep leaves most of the rate limit to what changes: nine tenths of the time none is going on.
PAUSE_FACTOR = 10
LONGEST_PAUSE = 6 * 3600.0
CARDS_A_SLICE = 50  # cards looked at one by one in a slice


def is_sweep_due(desk: Desk) -> bool:
    rule, now = desk.rule, desk.now()
    if not desk.rule.receives or desk.run.is_preview or desk.run.whole or not rule.sweep_every:
        return False
    if rule.sweep:
        return True
    # A sweep that lay about because its rule was paused did not take that long.
    pause = max(rule.sweep_every * 60.0, min(rule.sweep_took * PAUSE_FACTOR, LONGEST_PAUSE))
    last = max((moment for moment in (rule.swept_at, rule.full_at) if moment), default=None)
    return last is None or last < now - timedelta(seconds=pause)


def sweep_tags(desk: Desk) -> Work:
    """Each ``yield`` asks Sansan for a page.

    The place where it stops is stored with what it found.
    """
    if not is_sweep_due(desk):
        return
    rule = desk.rule
    if not rule.sweep:
        yield from begin_sweep(desk)
    while rule.sweep["tags"] and not desk.spent:
        tags, token = rule.sweep["tags"], rule.sweep["token"]
        try:
            page = yield partial(desk.source.list_tagged_cards, tags[0], token)
        except (Rejected, Gone) as refused:
            log.warning("not_swept", rule=rule.slug, tag=tags[0], why=refused.detail)
            # A token that has ended: the tag is begun anew. A tag that is refused from its first
            # page on has no cards.
            left = tags if token else tags[1:]
            with desk.transaction():
                note_sweep(desk, {**rule.sweep, "tags": left, "token": ""})
            continue
        store_swept_page(desk, page)
    yield from read_unswept_cards(desk)


def begin_sweep(desk: Desk) -> Work:
    """The tags as they are now, and which of them are to be walked through."""
    tags = yield desk.source.list_tags
    with desk.transaction():
        store_tags(desk.rule.sansan, tags)
    yield from rename_tags(desk)
    selected = Tag.objects.filter(connection=desk.rule.sansan, selected=True)
    ids = sorted(selected.values_list("external_id", flat=True))
    with desk.transaction():
        began = desk.now().isoformat()
        note_sweep(desk, {"began": began, "tags": ids or [""], "token": ""})


def rename_tags(desk: Desk) -> Work:
    """An old label is no reason to stop anything."""
    try:
        yield from rename_options(desk)
    except (Rejected, Gone, LacksRight) as refused:
        log.warning("options_not_renamed", rule=desk.rule.slug, why=refused.detail)


def note_sweep(desk: Desk, sweep: dict[str, object], **also: object) -> None:
    """Where the sweep stands. In the caller's transaction."""
    desk.rule.sweep = sweep
    SyncRule.objects.filter(pk=desk.rule.pk).update(sweep=sweep, **also)
    for name, value in also.items():
        setattr(desk.rule, name, value)


def store_swept_page(desk: Desk, page: CardPage) -> None:
    """The cards of a page, and where the sweep stands, in one transaction."""
    tags = desk.rule.sweep["tags"]
    left = tags if page.next_token else tags[1:]
    with desk.transaction():
        counted = take_cards(desk, page)
        # What a sweep sees again is no reading: only what changed counts.
        for name in ("unchanged", "excluded", "held", "failed"):
            counted["read"] -= counted.pop(name, 0)
        ids = [card.id for card in page.cards]
        records = Record.objects.filter(rule=desk.rule, side=Side.CARD, external_id__in=ids)
        records.update(swept_at=desk.now())
        count_progress(desk, counted)
        note_sweep(desk, {**desk.rule.sweep, "tags": left, "token": page.next_token})


def read_unswept_cards(desk: Desk) -> Work:
    """Cards in scope that the sweep has not seen: their tags are gone, or they are.

    Sansan is asked for each of them.
    """
    began = datetime.fromisoformat(desk.rule.sweep["began"])
    before = Q(swept_at__lt=began) | Q(swept_at__isnull=True)
    old = Record.objects.filter(
        before, rule=desk.rule, side=Side.CARD, changed_at__lt=began, read_at__lt=began
    )
    in_scope = old.exclude(bucket=Bucket.UNSEEN).exclude(reason__in=EXCLUDED_REASONS)
    unswept = in_scope.order_by("pk")
    for pk, id in unswept.values_list("pk", "external_id")[:CARDS_A_SLICE]:
        if desk.spent:
            return
        record = Record.objects.filter(pk=pk)
        try:
            card = yield partial(desk.source.read_card, id)
        except Gone:
            # Whether the card was deleted or sight of it was lost is the full check's to say.
            with desk.transaction():
                record.update(swept_at=desk.now())
            continue
        with desk.transaction():
            counted = take_cards(desk, CardPage((card,), ""))
            record.update(swept_at=desk.now())
            count_outcomes(desk, {"read": counted["read"] if not counted["unchanged"] else 0})
    if not unswept.exists():
        with desk.transaction():
            finish_sweep(desk, began)


def finish_sweep(desk: Desk, began: datetime) -> None:
    """In the caller's transaction."""
    note_sweep(desk, {}, swept_at=began, sweep_took=(desk.now() - began).total_seconds())
