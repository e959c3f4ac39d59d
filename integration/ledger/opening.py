"""The intents of a batch: what is on disk before any call, and what is settled without one, in one
transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from core.bulk import insert_rows, update_rows
from integration.ledger.entries import (
    BUCKET_COUNTERS,
    DECISION_COUNTERS,
    Opened,
    Write,
    count_outcomes,
    count_reasons,
    find_asked_again,
    is_newly_decided,
    list_busy_records,
    list_clashes,
    make_intent,
    make_settled_entry,
)
from integration.ledger.rows import ClashingLink
from integration.models import AuditEntry, Bucket, Link, Outcome, Record
from integration.planning.decisions import CREATE, Decision, Verdict
from integration.slice.charges import charge_readings, select_own_writes
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row, SettledRecord


def open_entries(desk: Desk, batch: Batch, decisions: Sequence[Decision]) -> Opened:
    """Writes the intents, and settles at once what needs no call.

    People that changed meanwhile are left for the next pass.
    """
    opened, now = Opened(lane=batch.lane, optimistic=desk.optimistic), desk.now()
    with desk.transaction():
        changed = batch.list_gathered_with(desk.in_flight.touched | find_asked_again(batch.rows))
        decisions = [each for each in decisions if changed.isdisjoint(each.records)]
        if desk.run.is_preview:
            record_preview(desk, now, batch, decisions)
            return opened
        links = {str(link.key): link for link in batch.links.values()}
        decisions = make_links(desk, now, decisions, links)
        intents = Intents(desk, now, charge_readings(desk, decisions, batch))
        for decision in decisions:
            for verdict in decision.verdicts:
                row = batch.rows[verdict.record]
                intents.add(decision, verdict, row, links.get(decision.link))
        intents.write()
        clashes = list_changed_clashes(desk, decisions, links)
        update_rows(Link, clashes, desk.rule.account_id)
        opened.writes = intents.writes
    desk.in_flight.begin_writes({write.entry.pk: write.decision.kind for write in opened.writes})
    desk.in_flight.release(set(batch.rows) - list_busy_records(opened))
    return opened


class Intents:
    """Collects what an opening transaction writes, so that each table is written once.

    ``readings``: card -> the reading that the card's write settles.
    """

    def __init__(self, desk: Desk, now: datetime, readings: Mapping[int, Row]) -> None:
        self.desk, self.now, self.readings = desk, now, readings
        self.charged = {reading.id for reading in readings.values()}
        self.writes: list[Write] = []
        self.entries: list[AuditEntry] = []
        self.records: list[SettledRecord] = []
        self.unread: list[int] = []  # due, and read by no run
        self.counted: Counter[str] = Counter()
        self.reasons: list[str] = []

    def add(self, decision: Decision, verdict: Verdict, row: Row, link: Link | None) -> None:
        """One card of a person. Of another rule's card that rule says where it stands."""
        if decision.writes and verdict.record == decision.card:
            self.add_write(decision, row, link)
        elif row.rule_id == self.desk.rule.pk:
            self.add_settled(decision, verdict, row, link)
        elif verdict.reason == "shared_mailbox" and row.link_id:
            # The other rule's card has lost its contact to somebody else: as long as the card went
            # by that contact's link, the two would be one person.
            self.make_due(row, None, row.due_at or self.now)

    def add_write(self, decision: Decision, row: Row, link: Link | None) -> None:
        """The card that a write is about. The card stays where it is until the write is closed."""
        reading = self.readings.get(decision.card)
        if link and (reading or row.rule_id == self.desk.rule.pk):
            entry = make_intent(self.desk, self.now, row=row, decision=decision, link=link)
            self.entries.append(entry)
            self.writes.append(Write(entry, decision, link, reading.id if reading else None))
        if reading is None:
            # Nobody's reading brought this write about: the record is due, so that a crash cannot
            # lose the write.
            self.make_due(row, link.pk if link else None, self.now)
        elif link and row.link_id != link.pk:
            self.make_due(row, link.pk, row.due_at)

    def add_settled(
        self, decision: Decision, verdict: Verdict, row: Row, link: Link | None
    ) -> None:
        """A card that needs no write of its own.

        A card whose reading another card's write settles stays due until that write is closed.
        """
        waits = row.id in self.charged
        if row.due_at is not None and not waits:
            self.counted[BUCKET_COUNTERS[verdict.bucket]] += 1
            self.reasons.append(verdict.reason)
        if is_newly_decided(verdict, row):
            entry = make_settled_entry(
                self.desk, self.now, row=row, decision=decision, verdict=verdict, link=link
            )
            self.entries.append(entry)
        self.records.append(
            SettledRecord(
                id=row.id,
                bucket=verdict.bucket,
                reason=verdict.reason,
                detail=verdict.detail,
                link=choose_link_after(verdict, row, link),
                due_at=row.due_at if waits else None,
                attempts=row.attempts if waits else 0,
            )
        )

    def make_due(self, row: Row, link_id: int | None, due_at: datetime | None) -> None:
        """A card that stays where it is, and is looked at again."""
        self.records.append(
            SettledRecord(
                row.id,
                row.bucket,
                reason=row.reason,
                detail=row.detail,
                link=link_id,
                due_at=due_at,
                attempts=row.attempts,
            )
        )
        if due_at != row.due_at:
            self.unread.append(row.id)

    def write(self) -> None:
        """Every table once, in the caller's transaction."""
        insert_rows(self.entries)
        update_rows(Record, self.records, self.desk.rule.account_id)
        if self.unread:
            Record.objects.filter(pk__in=self.unread).update(run_id=None)
        count_reasons(self.desk.run, self.reasons)
        count_outcomes(self.desk, self.counted)


def list_changed_clashes(
    desk: Desk, decisions: Iterable[Decision], links: Mapping[str, Link]
) -> list[ClashingLink]:
    """The people whose clashes are others than before; clashes that another rule judges stay."""
    found = []
    for decision in decisions:
        link = links.get(decision.link)
        if link is None or not decision.contact_id:
            continue
        stay = {
            name: clash
            for name, clash in link.clashes.items()
            if name not in decision.judged and name in desk.watched
        }
        clashes = stay | list_clashes(decision)
        if clashes != link.clashes:
            found.append(ClashingLink(link.pk, clashes))
    return found


def choose_link_after(verdict: Verdict, row: Row, link: Link | None) -> int | None:
    """A card out of scope keeps its link, should the card come back; a card that lost its mailbox
    does not.
    """
    if verdict.bucket in (Bucket.EXCLUDED, Bucket.UNSEEN, Bucket.HELD):
        return row.link_id
    return link.pk if link else None


def make_links(
    desk: Desk, now: datetime, decisions: Iterable[Decision], links: dict[str, Link]
) -> list[Decision]:
    """A person without a link gets one before the write: its key is what makes sending twice
    harmless. Adds the new ones to ``links``.
    """
    linked: list[Decision] = []
    new: list[Link] = []
    for decision in decisions:
        if not decision.writes or decision.link in links:
            linked.append(decision)
            continue
        link = Link(
            account_id=desk.rule.account_id,
            hubspot_id=desk.rule.hubspot_id,
            written=dict(decision.after) if decision.kind == CREATE else {},
            created_at=now,
        )
        new.append(link)
        links[str(link.key)] = link
        linked.append(replace(decision, link=str(link.key)))
    insert_rows(new)
    return linked


def record_preview(desk: Desk, now: datetime, batch: Batch, decisions: Sequence[Decision]) -> None:
    """A preview's entries say what would happen. Nothing else changes."""
    entries: list[AuditEntry] = []
    counted: Counter[str] = Counter()
    reasons: list[str] = []
    links = {str(link.key): link for link in batch.links.values()}
    readings = charge_readings(desk, decisions, batch)
    # The record whose reading a write settles counts as that write.
    kinds = {
        readings[decision.card].id: decision.kind
        for decision in decisions
        if decision.card in readings
    }
    own = {decision.card for decision in select_own_writes(desk, decisions, batch)}
    for decision in decisions:
        link = links.get(decision.link)
        for verdict in decision.verdicts:
            row = batch.rows[verdict.record]
            writes = decision.writes and verdict.record == decision.card
            if writes and decision.card not in own:
                continue  # for the rule whose card stands
            if desk.counts(row):
                counter = BUCKET_COUNTERS[verdict.bucket]
                if row.id in kinds:
                    counter = DECISION_COUNTERS[kinds[row.id]]
                counted[counter] += 1
                reasons.append(verdict.reason)
            if writes:
                entry = make_intent(desk, now, row=row, decision=decision, link=link)
                entry.outcome, entry.sent_at = Outcome.PREVIEW, None
                entry.closed_at = entry.planned_at
                entries.append(entry)
            elif is_newly_decided(verdict, row) and desk.counts(row):
                entries.append(
                    make_settled_entry(
                        desk,
                        now,
                        row=row,
                        decision=decision,
                        verdict=verdict,
                        link=link,
                        outcome=Outcome.PREVIEW,
                    )
                )
    insert_rows(entries)
    count_reasons(desk.run, reasons)
    count_outcomes(desk, counted)
    desk.in_flight.release(list(batch.rows))
