"""Hands out batches of due people.

Whoever shares an address, a Sansan person or a link comes along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from core.bulk import any_of
from core.tenancy import all_accounts
from integration.ledger.entries import count_outcomes
from integration.models import Bucket, Link, Record, Side
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row, group_rows

PEOPLE_A_BATCH = 100  # people, which is also the most that HubSpot takes in a call
RECORDS_A_FETCH = 300  # due records looked at in one go
MOST_WAITING_BATCHES = 12  # batches that may wait for their turn

# Lanes: people whose contact is known, people who are new, and people who need no vendor at all.
LANE_KNOWN, LANE_NEW, LANE_QUIET = "known", "new", "quiet"


class Queue:
    """Hands out batches of due people.

    ``next`` gives None when there is nothing to hand out now.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.position = desk.run.looked_at
        self.exhausted = False
        self.lanes: dict[str, deque[Batch]] = {
            LANE_QUIET: deque(),
            LANE_KNOWN: deque(),
            LANE_NEW: deque(),
        }
        self.waiting: dict[int, Batch] = {}  # record id -> the batch in a lane that holds it
        self.probe_out = False
        self.last = False

    @property
    def open(self) -> bool:
        """A spent slice hands out nothing more; a preview first hands out what it has fetched, to
        know where it stopped.
        """
        if not self.desk.run.is_preview:
            return not self.desk.spent
        # A preview changes nothing, so that it can only tell of a person once every card has been
        # read.
        begun = self.desk.run.read_done and not self.desk.spent
        return begun or any(self.lanes.values())

    def leave(self) -> None:
        """Notes how far a preview has come."""
        if self.desk.run.is_preview:
            self.desk.run.looked_at = self.position
            with self.desk.transaction():
                self.desk.run.save(update_fields=["looked_at"])

    def take_batch(self, idle: bool) -> Batch | None:
        """A full batch; one that is not full only when nobody is at work (``idle``), because every
        call takes a hundred.
        """
        while True:
            for lane, batches in self.lanes.items():
                if batches and batches[0].people >= PEOPLE_A_BATCH and not self._must_wait(lane):
                    return self._hand_out(lane)
            if not self._may_fetch or not self._fetch():
                break
        if idle and (self.desk.run.read_done or self.desk.spent):
            for lane, batches in self.lanes.items():
                if batches and not self._must_wait(lane) and (lane != LANE_KNOWN or self.last):
                    return self._hand_out(lane)
        return None

    def refresh(self) -> None:
        """New rows may be due: something was stored, or the last pass left some behind."""
        self.exhausted = False

    def start_pass(self) -> bool:
        """Starts another pass; False when there is nothing left that a pass could take up.

        Known people wait for it: those whose other cards were at work join them, and a hundred
        share a call.
        """
        self.probe_out, self.last = False, True
        left = any(self.lanes.values())
        if self.desk.run.is_preview:
            return left
        at_work = self.desk.in_flight.records
        if not left and not select_due_records(self.desk).exclude(pk__in=at_work).exists():
            return False
        self.position, self.exhausted = 0, False
        return True

    @property
    def _may_fetch(self) -> bool:
        """What must wait is not piled up, and a preview that is spent stops where it is."""
        if self.exhausted or (self.desk.run.is_preview and self.desk.spent):
            return False
        return sum(len(batches) for batches in self.lanes.values()) <= MOST_WAITING_BATCHES

    def _must_wait(self, lane: str) -> bool:
        """While it is unknown whether the portal has the new people, one batch goes ahead to find
        out.
        """
        return lane == LANE_NEW and self.desk.probing and self.probe_out

    def _hand_out(self, lane: str) -> Batch:
        self.probe_out, self.last = self.probe_out or lane == LANE_NEW, False
        batch = self.lanes[lane].popleft()
        for id in batch.rows:
            del self.waiting[id]
        return batch

    def _fetch(self) -> bool:
        """Sorts some more due people into the lanes; False where nobody is left."""
        desk, in_flight = self.desk, self.desk.in_flight
        due = select_due_records(desk).filter(pk__gt=self.position).order_by("pk")
        rows = list(due.values_list(*Row._fields)[:RECORDS_A_FETCH])
        if not rows:
            self.exhausted = True
            return False
        start, self.position = self.position, rows[-1][0]
        found = {row[0]: Row(*row) for row in rows if not in_flight.holds(row[0])}
        add_related_records(desk, found)
        links = find_links_of(found.values())
        placed = []
        for group in group_rows(found.values()):
            batch = self._place(group, start, links)
            if batch:
                placed.append((group, batch))
        fresh = [row for group, _ in placed for row in group if not in_flight.holds(row.id)]
        take_up_records(desk, fresh)
        for group, batch in placed:
            self._put(group, batch, links)
        return True

    def _place(self, group: list[Row], start: int, links: dict[int, Link]) -> Batch | None:
        """The batch for a group of cards; None while one of them is at work, or where a preview has
        been already.
        """
        if any(self._was_seen(row, start) for row in group):
            return None
        at_work = [row.id for row in group if self.desk.in_flight.holds(row.id)]
        if at_work:
            # Another card of people who wait for their turn joins them.
            batches = {id(batch): batch for batch in map(self.waiting.get, at_work)}
            return next(iter(batches.values())) if len(batches) == 1 else None
        lane = choose_lane(self.desk, group, links)
        waiting = self.lanes[lane]
        if not waiting or waiting[-1].people >= PEOPLE_A_BATCH:
            waiting.append(Batch(lane))
        waiting[-1].people += 1
        return waiting[-1]

    def _was_seen(self, row: Row, start: int) -> bool:
        """A preview leaves its rows due, so that a person whose first card lies behind it was
        looked at already.
        """
        return self.desk.run.is_preview and self.desk.counts(row) and row.id <= start

    def _put(self, group: list[Row], batch: Batch, links: dict[int, Link]) -> None:
        in_flight = self.desk.in_flight
        batch.rows.update({row.id: row for row in group if not in_flight.holds(row.id)})
        batch.links.update({row.link_id: links[row.link_id] for row in group if row.link_id})
        self.waiting.update({row.id: batch for row in group})
        # A reading that changes one of these cards meanwhile is noticed.
        in_flight.take_up(row.id for row in group)


def select_due_records(desk: Desk) -> QuerySet[Record]:
    """The records of the rule that need a decision now; a preview of the whole looks at all that
    can be seen.
    """
    if not desk.rule.receives:
        return Record.objects.none()  # its cards drive no contact
    cards = Record.objects.filter(rule=desk.rule, side=Side.CARD)
    if desk.run.is_preview and desk.run.whole:
        return cards.exclude(bucket=Bucket.UNSEEN)
    return cards.filter(due_at__lte=desk.now())


def find_links_of(rows: Iterable[Row]) -> dict[int, Link]:
    """Primary key -> the link, of these records."""
    links = Link.objects.filter(pk__in=any_of({row.link_id for row in rows if row.link_id}))
    return {link.pk: link for link in links}


def take_up_records(desk: Desk, rows: Iterable[Row]) -> None:
    """Counts records that were due before this run: they are read by it too, from our own copy."""
    old = [row.id for row in rows if row.run_id != desk.run.pk and desk.counts(row)]
    if old:
        with desk.transaction():
            if not desk.run.is_preview:
                Record.objects.filter(pk__in=any_of(old)).update(run_id=desk.run.pk)
            count_outcomes(desk, {"read": len(old)})


def add_related_records(desk: Desk, found: dict[int, Row]) -> None:
    """Adds every card that shares an address, a Sansan person or a link with one that is here,
    until there is none.
    """
    fresh: Iterable[Row] = list(found.values())
    while fresh:
        more: dict[int, Row] = {}
        for records in find_related_records(fresh):
            rows = (Row(*values) for values in records.values_list(*Row._fields))
            more.update({row.id: row for row in rows if row.id not in found})
        fresh = [row for row in more.values() if row.rule_id in desk.scopes]
        found.update({row.id: row for row in fresh})


def find_related_records(rows: Iterable[Row]) -> Iterator[QuerySet[Record]]:
    """The records that share an address, a Sansan person or a link with one of these.

    Each question has its index.
    """
    if emails := {row.email_key for row in rows if row.email_key}:
        yield Record.objects.filter(email_key__in=any_of(emails)).exclude(email_key="")
    if persons := {row.person_key for row in rows if row.person_key}:
        yield Record.objects.filter(person_key__in=any_of(persons)).exclude(person_key="")
    if links := {row.link_id for row in rows if row.link_id}:
        # A link's records are of its account. The condition that the scope adds would only lead
        # SQLite to the wrong index (admin/parts/standing.py).
        with all_accounts():
            of_links = Record.objects.filter(link__in=any_of(links), side=Side.CARD)
        # Outside the block: while a generator waits in the block, whoever asked would go on without
        # a scope.
        yield of_links


def choose_lane(desk: Desk, group: list[Row], links: dict[int, Link]) -> str:
    """By what HubSpot has to be asked about these people."""
    linked = [links[row.link_id] for row in group if row.link_id]
    if any(link.contact_id and not link.gone for link in linked):
        return LANE_KNOWN
    require_email = desk.plan_rule.require_email
    if any(is_in_scope(desk, row) and (row.email_key or not require_email) for row in group):
        return LANE_NEW
    return LANE_QUIET


def is_in_scope(desk: Desk, row: Row) -> bool:
    """A card that came back into scope is in it once it was read again: while it was out, none of
    its fields were kept.
    """
    return bool(row.values) and desk.scopes[row.rule_id].has(row.tags)
