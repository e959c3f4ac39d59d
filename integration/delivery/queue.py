"""Hands out batches of due people.

Whoever shares an address, a Sansan person or a link comes along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from django.db import transaction
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
        run = self.desk.run
        # A preview changes nothing, so that it can only tell of a person once every card has been
        # read.
        return (not self.desk.spent and (run.read_done or not run.is_preview)) or (
            run.is_preview and any(self.lanes.values())
        )

    def leave(self) -> None:
        """Notes how far a preview has come."""
        if self.desk.run.is_preview:
            self.desk.run.looked_at = self.position
            self.desk.run.save(update_fields=["looked_at"])

    def next(self, idle: bool) -> Batch | None:
        """A full batch; one that is not full only when nobody is at work (``idle``), because every
        call takes a hundred.
        """
        while True:
            for lane, batches in self.lanes.items():
                if batches and batches[0].people >= PEOPLE_A_BATCH and not self._must_wait(lane):
                    return self._hand_out(lane)
            if (
                self.exhausted
                or self._enough
                or (self.desk.run.is_preview and self.desk.spent)
                or not self._fetch()
            ):
                break
        if idle and (self.desk.run.read_done or self.desk.spent):
            for lane, batches in self.lanes.items():
                if batches and not self._must_wait(lane) and (lane != LANE_KNOWN or self.last):
                    return self._hand_out(lane)
        return None

    def refresh(self) -> None:
        """New rows may be due: something was stored, or the last pass left some behind."""
        self.exhausted = False

    def again(self) -> bool:
        """Starts another pass; False when there is nothing left that a pass could take up.

        Known people wait for it: those whose other cards were at work join them, and a hundred
        share a call.
        """
        self.probe_out, self.last = False, True
        left = any(self.lanes.values())
        if self.desk.run.is_preview:
            return left
        if (
            not left
            and not select_due_records(self.desk).exclude(pk__in=self.desk.in_flight).exists()
        ):
            return False
        self.position, self.exhausted = 0, False
        return True

    @property
    def _enough(self) -> bool:
        """What must wait is not piled up."""
        return sum(len(batches) for batches in self.lanes.values()) > MOST_WAITING_BATCHES

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
        desk = self.desk
        rows = list(
            select_due_records(desk)
            .filter(pk__gt=self.position)
            .order_by("pk")
            .values_list(*Row._fields)[:RECORDS_A_FETCH]
        )
        if not rows:
            self.exhausted = True
            return False
        start, self.position = self.position, rows[-1][0]
        found = {row[0]: Row(*row) for row in rows if row[0] not in desk.in_flight}
        add_related_records(desk, found)
        links = {
            link.pk: link
            for link in Link.objects.filter(
                pk__in=any_of({row.link_id for row in found.values() if row.link_id})
            )
        }
        free = [
            (group, batch)
            for group in group_rows(found.values())
            if (batch := self._place(group, start, links))
        ]
        take_up_records(
            desk, [row for group, _ in free for row in group if row.id not in desk.in_flight]
        )
        for group, batch in free:
            self._put(group, batch, links)
        return True

    def _place(self, group: list[Row], start: int, links: dict[int, Link]) -> Batch | None:
        """The batch for a group of cards; None while one of them is at work, or where a preview has
        been already.
        """
        if any(self._seen(row, start) for row in group):
            return None
        busy = {
            id(self.waiting.get(row.id)): self.waiting.get(row.id)
            for row in group
            if row.id in self.desk.in_flight
        }
        if busy:
            # Another card of people who wait for their turn joins them.
            return next(iter(busy.values())) if len(busy) == 1 else None
        batches = self.lanes[choose_lane(self.desk, group, links)]
        if not batches or batches[-1].people >= PEOPLE_A_BATCH:
            batches.append(Batch(choose_lane(self.desk, group, links)))
        batches[-1].people += 1
        return batches[-1]

    def _seen(self, row: Row, start: int) -> bool:
        """A preview leaves its rows due, so that a person whose first card lies behind it was
        looked at already.
        """
        return self.desk.run.is_preview and self.desk.counts(row) and row.id <= start

    def _put(self, group: list[Row], batch: Batch, links: dict[int, Link]) -> None:
        batch.rows.update({row.id: row for row in group if row.id not in self.desk.in_flight})
        batch.links.update({row.link_id: links[row.link_id] for row in group if row.link_id})
        self.waiting.update({row.id: batch for row in group})
        # From here on these cards belong to one batch; a reading that changes one meanwhile is
        # noticed.
        self.desk.in_flight.update(row.id for row in group)


def select_due_records(desk: Desk):  # type: ignore[no-untyped-def]
    """The records of the rule that need a decision now; a preview of the whole looks at all that
    can be seen.
    """
    if not desk.rule.receives:
        return Record.objects.none()  # its cards drive no contact
    if desk.run.is_preview and desk.run.whole:
        return Record.objects.filter(rule=desk.rule, side=Side.CARD).exclude(bucket=Bucket.UNSEEN)
    return Record.objects.filter(rule=desk.rule, side=Side.CARD, due_at__lte=desk.now())


def take_up_records(desk: Desk, rows: Iterable[Row]) -> None:
    """Counts records that were due before this run: they are read by it too, from our own copy."""
    old = [row.id for row in rows if row.run_id != desk.run.pk and desk.counts(row)]
    if old:
        with transaction.atomic():
            desk.lease.renew()
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
        for rows in find_related_records(fresh):
            more.update(
                {row[0]: Row(*row) for row in rows.values_list(*Row._fields) if row[0] not in found}
            )
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
        # A link's records are of its account. Its condition would only lead SQLite to the wrong
        # index (admin/standing.py).
        with all_accounts():
            of_links = Record.objects.filter(link__in=any_of(links), side=Side.CARD)
        # Outside the block: while a generator waits in it, whoever asked would go on without a
        # scope.
        yield of_links


def choose_lane(desk: Desk, group: list[Row], links: dict[int, Link]) -> str:
    if any(
        row.link_id and links[row.link_id].contact_id and not links[row.link_id].gone
        for row in group
    ):
        return LANE_KNOWN
    if any(
        is_in_scope(desk, row) and (row.email_key or not desk.plan_rule.require_email)
        for row in group
    ):
        return LANE_NEW
    return LANE_QUIET


def is_in_scope(desk: Desk, row: Row) -> bool:
    """A card that came back into scope is in it once it was read again: while it was out, none of
    its fields were kept.
    """
    return bool(row.values) and desk.scopes[row.rule_id].has(row.tags)
