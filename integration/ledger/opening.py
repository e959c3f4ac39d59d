"""The intents of a batch: what is on disk before any call, and what is settled without one, in one
transaction.

Part of the ledger: besides integration/ledger.py and closing.py the only writer of AuditEntry and
Link.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

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
    release_records,
)
from integration.models import AuditEntry, Link, Outcome, Record
from integration.planning.decisions import CREATE, Decision, Verdict
from integration.slice.charges import charge_readings, select_own_writes
from integration.slice.desk import Desk
from integration.slice.rows import Batch, Row

MOVED_COLUMNS = ("bucket", "reason", "detail", "link", "due_at", "attempts")


def open_entries(desk: Desk, batch: Batch, decisions: Sequence[Decision]) -> Opened:
    """Writes the intents, and settles at once what needs no call.

    People that changed meanwhile are left for the next pass.
    """
    opened, now = Opened(lane=batch.lane, optimistic=desk.optimistic), desk.now()
    with transaction.atomic():
        desk.lease.renew()
        left = batch.with_any(desk.touched | find_asked_again(batch.rows))
        decisions = [
            one for one in decisions if not any(verdict.record in left for verdict in one.verdicts)
        ]
        if desk.run.is_preview:
            record_preview(desk, now, batch, decisions)
            return opened
        links = {str(link.key): link for link in batch.links.values()}
        decisions = make_links(desk, now, decisions, links)
        intents = Intents(desk, now, charge_readings(desk, decisions, batch))
        for decision in decisions:
            link = links.get(decision.link)
            for verdict in decision.verdicts:
                row = batch.rows[verdict.record]
                if decision.writes and verdict.record == decision.card:
                    intents.written(decision, row, link)
                elif row.rule_id == desk.rule.pk:
                    intents.settled(decision, verdict, row, link)
                elif verdict.reason == "shared_mailbox" and row.link_id:
                    intents.left_without(row)
                # Else another rule's record: that rule says where it stands.
        intents.write()
        update_rows(
            Link, ("clashes",), list_changed_clashes(desk, decisions, links), desk.rule.account_id
        )
        opened.writes = intents.writes
    desk.sending.update({write.entry.pk: write.decision.kind for write in opened.writes})
    release_records(desk, set(batch.rows).difference(list_busy_records(opened)))
    return opened


class Intents:
    """Collects what an opening transaction writes, so that each table is written once.

    ``readings``: card -> the reading that its write settles.
    """

    def __init__(self, desk: Desk, now: datetime, readings: Mapping[int, Row]) -> None:
        self.desk, self.now, self.readings = desk, now, readings
        self.charged = {reading.id for reading in readings.values()}
        self.writes: list[Write] = []
        self.entries: list[AuditEntry] = []
        self.moved: list[tuple[Any, ...]] = []
        self.unread: list[int] = []  # due, and read by no run
        self.counted: Counter[str] = Counter()
        self.reasons: list[str] = []

    def written(self, decision: Decision, row: Row, link: Link | None) -> None:
        """The card that a write is about. It stays where it is until the write is closed."""
        reading = self.readings.get(decision.card)
        if reading or row.rule_id == self.desk.rule.pk:
            entry = make_intent(self.desk, self.now, row, decision, link)
            self.entries.append(entry)
            self.writes.append(Write(entry, decision, link, reading and reading.id))  # type: ignore[arg-type]
        if reading is None:
            # Nobody's reading brought this write about: the record is due, so that a crash cannot
            # lose it.
            self.make_due(row, link and link.pk, self.now)
        elif link and row.link_id != link.pk:
            self.make_due(row, link.pk, row.due_at)

    def settled(self, decision: Decision, verdict: Verdict, row: Row, link: Link | None) -> None:
        """A card that needs no write of its own; one that another one's write is charged to stays
        due until that is closed.
        """
        waits = row.id in self.charged
        if row.due_at is not None and not waits:
            self.counted[BUCKET_COUNTERS[verdict.bucket]] += 1
            self.reasons.append(verdict.reason)
        if is_newly_decided(verdict, row):
            self.entries.append(
                make_settled_entry(self.desk, self.now, row, decision, verdict, link, Outcome.NONE)
            )
        due, attempts = (row.due_at, row.attempts) if waits else (None, 0)
        self.moved.append(
            (
                row.id,
                verdict.bucket,
                verdict.reason,
                verdict.detail[:500],
                choose_link_after(verdict, row, link),
                due,
                attempts,
            )
        )

    def left_without(self, row: Row) -> None:
        """Another rule's card whose contact has passed to somebody else: as long as it went by
        their link, the two would be one person.
        """
        self.make_due(row, None, row.due_at or self.now)

    def make_due(self, row: Row, link_id: int | None, due_at: datetime | None) -> None:
        self.moved.append(
            (row.id, row.bucket, row.reason, row.detail, link_id, due_at, row.attempts)
        )
        if due_at != row.due_at:
            self.unread.append(row.id)

    def write(self) -> None:
        account_id = self.desk.rule.account_id
        insert_rows(self.entries)
        update_rows(Record, MOVED_COLUMNS, self.moved, account_id)
        if self.unread:
            Record.objects.filter(pk__in=self.unread).update(run_id=None)
        count_reasons(self.desk.run, self.reasons)
        count_outcomes(self.desk, self.counted)


def list_changed_clashes(
    desk: Desk, decisions: Iterable[Decision], links: Mapping[str, Link]
) -> list[tuple[int, dict[str, list[str]]]]:
    """(link, its clashes) of the people whose clashes are others than before.

    Those that another rule judges stay.
    """
    found = []
    for one in decisions:
        link = links.get(one.link)
        if link is None or not one.contact_id:
            continue
        stay = {
            name: clash
            for name, clash in link.clashes.items()
            if name not in one.judged and name in desk.watched
        }
        if (clashes := stay | list_clashes(one)) != link.clashes:
            found.append((link.pk, clashes))
    return found


def choose_link_after(verdict: Verdict, row: Row, link: Link | None) -> int | None:
    """A card out of scope keeps its link, should it come back; a card that lost its mailbox does
    not.
    """
    if verdict.bucket in ("excluded", "unseen", "held"):
        return row.link_id
    return link.pk if link else None


def make_links(
    desk: Desk, now: datetime, decisions: Iterable[Decision], links: dict[str, Link]
) -> list[Decision]:
    """A person without a link gets one before the write: its key is what makes sending twice
    harmless.
    """
    linked, new = [], []
    for decision in decisions:
        if not decision.writes or decision.link in links:
            linked.append(decision)
            continue
        written = dict(decision.after) if decision.kind == CREATE else {}
        link = Link(
            account_id=desk.rule.account_id,
            hubspot_id=desk.rule.hubspot_id,
            written=written,
            created_at=now,
        )
        new.append(link)
        links[str(link.key)] = link
        linked.append(replace(decision, link=str(link.key)))
    insert_rows(new)
    return linked


def record_preview(desk: Desk, now: datetime, batch: Batch, decisions: Sequence[Decision]) -> None:
    """A preview's entries say what would happen. Nothing else changes."""
    entries, counted, reasons = [], Counter[str](), []
    links = {str(link.key): link for link in batch.links.values()}
    readings = charge_readings(desk, decisions, batch)
    kinds = {readings[one.card].id: one.kind for one in decisions if one.card in readings}
    written = {one.card for one in select_own_writes(desk, decisions, batch)}
    for decision in decisions:
        link = links.get(decision.link)
        for verdict in decision.verdicts:
            row = batch.rows[verdict.record]
            writes = decision.writes and verdict.record == decision.card
            if writes and decision.card not in written:
                continue  # for the rule whose card stands
            if desk.counts(row):
                counted[
                    DECISION_COUNTERS[kinds[row.id]]
                    if row.id in kinds
                    else BUCKET_COUNTERS[verdict.bucket]
                ] += 1
                reasons.append(verdict.reason)
            if writes:
                entry = make_intent(desk, now, row, decision, link)
                entry.sent_at, entry.outcome, entry.closed_at = (
                    None,
                    Outcome.PREVIEW,
                    entry.planned_at,
                )
                entries.append(entry)
            elif is_newly_decided(verdict, row) and desk.counts(row):
                entries.append(
                    make_settled_entry(desk, now, row, decision, verdict, link, Outcome.PREVIEW)
                )
    insert_rows(entries)
    count_reasons(desk.run, reasons)
    count_outcomes(desk, counted)
    release_records(desk, list(batch.rows))
