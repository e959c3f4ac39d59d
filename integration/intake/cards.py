"""A page of changed cards becomes Records, and the cursor moves, in one transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from functools import partial

import orjson
import structlog
from django.conf import settings

from core.bulk import any_of, upsert_rows
from integration.connectors.base import Rejected
from integration.intake.apart import set_cards_apart
from integration.intake.neighbours import wake_former_neighbours
from integration.ledger.entries import count_outcomes, count_progress, record_unreadable
from integration.models import Bucket, Record, Side, SyncRun, Tag
from integration.planning.normalize import is_email, normalize_email
from integration.records import EPOCH, CardPage, CardRead, Window
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import MADE_DIGEST, RECORD_KEY, KnownCard, Reading

log = structlog.get_logger()
TAG_TYPES = frozenset(Tag.Type.values)
# What an unchanged card counts as, by where it stands.
UNCHANGED_COUNTERS: dict[str, str] = {
    Bucket.EXCLUDED: "excluded",
    Bucket.HELD: "held",
    Bucket.FAILING: "failed",
}
# A card that is there already keeps its attempts: they end with its success.
REPLACED_BY_CARD = [
    name
    for name in Reading._fields
    if name not in ("rule_id", "side", "connection_id", "external_id", "attempts")
]


def open_window(desk: Desk) -> None:
    """Freezes the window of this run's read: from the cursor, less an overlap, to this second."""
    run, cursor = desk.run, desk.rule.cursor
    if run.window_to is not None:
        return
    run.window_to = desk.now().replace(microsecond=0)
    run.window_from = EPOCH
    if cursor is not None and not run.whole:
        run.window_from = cursor - timedelta(seconds=settings.SYNC_OVERLAP_SECONDS)
    with desk.transaction():
        run.save(update_fields=["window_from", "window_to"])


def read_cards(desk: Desk) -> Work:
    """Reads the window page by page; each ``yield`` asks Sansan for the next one."""
    run = desk.run
    open_window(desk)
    if not desk.rule.receives and not run.read_done:
        pass_over_cards(desk)
    while not run.read_done and not desk.spent:
        try:
            page = yield partial(desk.source.list_cards, choose_window(run), run.page_token)
        except Rejected:
            if not run.page_token:
                raise
            # The token has ended: the window is asked for again from where its last page stopped.
            run.page_token, run.window_from = "", run.position
            continue
        store_card_page(desk, page)


def choose_window(run: SyncRun) -> Window:
    """The window of the next page.

    The whole query stands beside a token, as it was when the token was given.
    """
    assert run.window_from and run.window_to, "the window is open"
    start = run.window_from if run.page_token else run.position or run.window_from
    return Window(start, run.window_to)


def pass_over_cards(desk: Desk) -> None:
    """Contacts become cards and nothing else: no card is read, and the window counts as read."""
    desk.run.read_done = True
    with desk.transaction():
        if not desk.run.is_preview:
            move_cursor(desk)
        count_outcomes(desk, {}, "read_done")


def store_card_page(desk: Desk, page: CardPage) -> None:
    """The cards of a page, and the cursor behind them, in one transaction."""
    run = desk.run
    with desk.transaction():
        counted = take_cards(desk, page, again=run.kind == run.Kind.FULL)
        if page.cards:
            last = page.cards[-1].changed_at
            run.position = max(run.position or last, last)
        run.page_token, run.read_done = page.next_token, not page.next_token
        if not run.is_preview or run.read_done:
            move_cursor(desk)
        count_progress(desk, counted, "position", "page_token", "read_done", "window_from")


def take_cards(desk: Desk, page: CardPage, again: bool = False) -> Counter[str]:
    """Stores the cards of a page that are new or have changed, ``again`` all others too; returns
    what is to be counted. In the caller's transaction.
    """
    run, now = desk.run, desk.now()
    # A card that changed between two pages can stand on both.
    cards = {card.id: card for card in page.cards}
    known = find_known_cards(desk, [*cards, *(id for id, _ in page.unreadable if id)])
    learn_tags(desk, page)
    rows: list[Reading] = []
    changed: list[tuple[KnownCard, Reading]] = []
    retaken: list[KnownCard] = []
    made: list[str] = []  # cards that we made, met for the first time
    counted: Counter[str] = Counter()
    for card in cards.values():
        reading, ours = as_card_reading(desk, card, now), known.get(card.id)
        if ours and ours.run_id == run.pk and is_outdated(card, ours):
            continue
        if ours and ours.digest == reading.digest and ours.bucket != Bucket.UNSEEN:
            if again:
                retaken.append(ours)
            elif is_counted_unchanged(run, ours):
                counted[UNCHANGED_COUNTERS.get(ours.bucket, "unchanged")] += 1
            continue
        if not (ours and ours.due_at and ours.run_id == run.pk):
            counted["read"] += 1
        if ours:
            bucket = choose_waiting_bucket(ours.bucket)
            reading = reading._replace(seq=ours.seq + 1, bucket=bucket, reason=ours.reason)
            desk.in_flight.touch([ours.id])
            changed.append((ours, reading))
            if ours.made_at and ours.digest == MADE_DIGEST:
                made.append(card.id)
        rows.append(reading)
    counted["read"] += sum(count for name, count in counted.items() if name != "read")
    counted["read"] += retake_cards(desk, retaken, now)
    upsert_rows(Record, rows, RECORD_KEY, REPLACED_BY_CARD, desk.rule.account_id)
    set_cards_apart(desk, changed)
    wake_former_neighbours(desk, changed)
    record_unreadable(desk, page.unreadable, known=known, counted=counted, now=now)
    if made:
        log.info("echo", run=run.pk, cards=made, what="cards that we made, met for the first time")
        counted["echoes"] += len(made)
    return counted


def is_outdated(card: CardRead, ours: KnownCard) -> bool:
    """Whether the page was answered before another one of this run, which told of the card's last
    change.

    Between runs what was read last counts: a card's time may go back, by an import or a clock.
    """
    if ours.digest in (MADE_DIGEST, "unreadable") or ours.changed_at is None:
        return False
    return card.changed_at < ours.changed_at


def is_counted_unchanged(run: SyncRun, ours: KnownCard) -> bool:
    """Whether this run counts the reading of a card that is as it was.

    What is due is counted when it is settled; a preview of the whole looks at every card later.
    """
    if ours.due_at is not None or ours.run_id == run.pk:
        return False
    return not (run.is_preview and run.whole)


def choose_waiting_bucket(bucket: str) -> str:
    """A card that changed keeps its place while it waits, unless its place said that it was
    gone.
    """
    return Bucket.WAITING if bucket in (Bucket.UNSEEN, Bucket.FAILING) else bucket


def find_known_cards(desk: Desk, ids: list[str]) -> dict[str, KnownCard]:
    """Id in Sansan -> what we hold of the card."""
    records = Record.objects.filter(rule=desk.rule, side=Side.CARD, external_id__in=ids)
    rows = records.values_list("external_id", *KnownCard._fields)
    return {external_id: KnownCard(*rest) for external_id, *rest in rows}


def retake_cards(desk: Desk, known: list[KnownCard], now: datetime) -> int:
    """A full check takes up every card it sees, changed or not; returns how many were not taken up
    already.
    """
    fresh = [card.id for card in known if card.run_id != desk.run.pk]
    if fresh:
        desk.in_flight.touch(fresh)
        records = Record.objects.filter(pk__in=any_of(fresh))
        records.update(run_id=desk.run.pk, due_at=now, read_at=now)
    return len(fresh)


def move_cursor(desk: Desk) -> None:
    """The cursor follows what is stored; it ends at the frozen end of the window, never at the
    moment of the answer.
    """
    run, rule = desk.run, desk.rule
    reached = run.window_to if run.read_done else run.position
    if reached and (rule.cursor is None or reached > rule.cursor):
        rule.cursor = reached
        rule.save(update_fields=["cursor"])


def learn_tags(desk: Desk, page: CardPage) -> None:
    """Tags that are met for the first time on a card; the picker and the option labels need their
    names.
    """
    tags = {tag.id: tag for card in page.cards for tag in card.tags if tag.type in TAG_TYPES}
    new = desk.in_flight.meet_tags(tags)
    if not new:
        return
    sansan, now = desk.rule.sansan_id, desk.now()
    stored = Tag.objects.filter(connection_id=sansan, external_id__in=new)
    have = set(stored.values_list("external_id", flat=True))
    Tag.objects.bulk_create(
        [
            Tag(
                account_id=desk.rule.account_id,
                connection_id=sansan,
                external_id=tag.id,
                name=tag.name,
                type=tag.type,
                seen_at=now,
            )
            for tag in tags.values()
            if tag.id in new - have
        ]
    )


def as_card_reading(desk: Desk, card: CardRead, now: datetime) -> Reading:
    """The row for a card.

    Of a card out of scope nothing is kept but its id, its times and its tags: it has no ``values``
    at all.
    """
    tags = sorted(
        tag.id for tag in card.tags if tag.type != Tag.Type.PRIVATE and tag.id not in desk.private
    )
    in_scope = desk.scopes[desk.rule.pk].has(tags)
    # A card in scope always has values, be they blank: without any, a row is known to be out of it.
    kept = {name: value for name, value in card.values.items() if name in desk.fields}
    values = (kept or {"lastName": ""}) if in_scope else {}
    address = normalize_email(values.get("email", ""))
    # The time of change belongs to the content: of two cards of one day the later changed one
    # stands, whatever was changed.
    content = (
        values,
        tags,
        card.person_key,
        card.exchanged_on,
        in_scope,
        card.changed_at.timestamp(),
    )
    packed = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Reading(
        rule_id=desk.rule.pk,
        side=Side.CARD.value,
        connection_id=desk.rule.sansan_id,
        external_id=card.id,
        person_key=card.person_key if in_scope else "",
        email_key=address if is_email(address) else "",
        name=f"{values.get('lastName', '')} {values.get('firstName', '')}".strip()[:200],
        values=values,
        tags=tags,
        digest=hashlib.blake2b(packed, digest_size=16).hexdigest(),
        exchanged_on=card.exchanged_on or None,
        changed_at=card.changed_at,
        read_at=now,
        due_at=now,
        run_id=desk.run.pk,
    )
