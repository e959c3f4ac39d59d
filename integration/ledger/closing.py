"""The outcomes of a batch: what closes its entries and settles its records and links, in one
transaction.

Part of the ledger: besides integration/ledger.py and opening.py the only writer of AuditEntry and
Link.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.bulk import any_of, update_rows
from integration.ledger.entries import (
    DECISION_COUNTERS,
    Opened,
    Write,
    count_outcomes,
    count_reasons,
    find_links,
    list_busy_records,
    release_records,
)
from integration.models import AuditEntry, Bucket, Link, Outcome, Record, SyncRun
from integration.planning.decisions import CREATE, LINK, STANDING_BY_REASON
from integration.planning.pace import choose_retry_time
from integration.planning.rule import LINK_ID
from integration.records import Result
from integration.slice.desk import Desk


def close_entries(desk: Desk, opened: Opened, results: Mapping[int, Result]) -> None:
    """Outcomes of a batch, by entry id.

    What went unanswered stays open, to be settled by reading HubSpot back.
    """
    now = desk.now()
    book = Book(desk, now)
    with transaction.atomic():
        desk.lease.renew()
        if opened.writes:
            planned = max(write.entry.planned_at for write in opened.writes)
            book.asked = set(
                Record.objects.filter(
                    pk__in=list_busy_records(opened), due_at__gt=planned, due_at__lte=now
                ).values_list("pk", flat=True)
            )
        owners = find_links(desk, list_claimed_contacts(opened, results))
        for write in opened.writes:
            result = results[write.entry.pk]
            if result.code == "unanswered":
                desk.unsettled = True
            elif result.ok:
                book.succeeded(write, result, owners)
            elif result.code == "not_written":
                book.not_written(write, result)
            elif (
                result.code == "contact_exists"
                and write.decision.kind == CREATE
                and (result.owner_id or write.entry.attempt == 1)
            ):
                book.conflict(write, result, owners)
            else:
                book.failed(write, result)
        book.write()
    if opened.lane == "new":
        learn_known_share(desk, opened, results)
    for write in opened.writes:
        if results[write.entry.pk].code != "unanswered":
            desk.sending.pop(write.entry.pk, None)
    release_records(desk, list_busy_records(opened))


def list_claimed_contacts(opened: Opened, results: Mapping[int, Result]) -> list[str]:
    """Contacts that an answer names and that may belong to another link: owners of an address,
    survivors of a merge.
    """
    named = [result.owner_id for result in results.values() if result.owner_id]
    for write in opened.writes:
        contact_id = results[write.entry.pk].contact_id
        if write.entry.contact_id and contact_id not in ("", write.entry.contact_id):
            named.append(contact_id)
    return named


def learn_known_share(desk: Desk, opened: Opened, results: Mapping[int, Result]) -> None:
    """How many of the new people the portal had: found by address, or refused because they
    exist.
    """
    if opened.optimistic:
        desk.met(sum(result.code == "contact_exists" for result in results.values()), len(results))
    else:
        desk.met(sum(write.decision.kind == LINK for write in opened.writes), len(opened.writes))


# What says which company a contact belongs to, and how long HubSpot may take to associate a new
# contact by itself.
COMPANY_PROPERTIES = frozenset({"company", "email", "website"})
ASSOCIATES_WITHIN = timedelta(seconds=60)
# What a link holds of its contact after a write.
LINK_COLUMNS = (
    "contact_id",
    "written",
    "answered",
    "origin",
    "confirmed_at",
    "modified_at",
    "awaiting",
    "run_id",
    "gone",
    "gone_at",
    "company_due_at",
)


class Book:
    """Collects what a closing transaction writes, so that each table is written once."""

    def __init__(self, desk: Desk, now: datetime) -> None:
        self.desk, self.now = desk, now
        self.entries: list[tuple[Any, ...]] = []
        self.links: list[tuple[Any, ...]] = []
        self.settled: list[int] = []
        # Written, and standing elsewhere than in sync.
        self.elsewhere: list[tuple[int, str, str]] = []
        self.older: list[tuple[Any, ...]] = []
        self.records: list[tuple[Any, ...]] = []
        self.counted: Counter[str] = Counter()
        self.reasons: list[str] = []
        self.took: list[float] = []
        # A person wants them looked at again, and said so while the write was under way.
        self.asked: set[int] = set()

    def succeeded(self, write: Write, result: Result, owners: Mapping[str, Link]) -> None:
        contact_id = result.contact_id or write.entry.contact_id
        if contact_id in owners and owners[contact_id].pk != write.link.pk:
            # Merged in HubSpot with another person's contact. The old id still resolves, and two
            # links never share one.
            contact_id = write.entry.contact_id
        self._entry(write, Outcome.SUCCEEDED, contact_id, write.entry.reason, write.entry.detail)
        sent = {name: value for name, value in write.entry.after.items() if name != LINK_ID}
        # What was written to a contact that is gone says nothing of this one.
        kept = write.link.gone == ""
        written = {**(write.link.written if kept else {}), **sent}
        answered = {
            name: value
            for name, value in (write.link.answered if kept else {}).items()
            if name not in sent
        }
        answered.update(
            {
                name: result.values[name]
                for name, value in sent.items()
                if result.values.get(name, value) != value
            }
        )
        origin = {
            name: card
            for name, card in {**write.link.origin, **write.entry.origin}.items()
            if written.get(name)
        }
        kept_of = (result.modified_at, True, self.desk.run.pk, "", None, self._company_due(write))
        self.links.append(
            (write.link.pk, contact_id, written, answered, origin, self.now, *kept_of)
        )
        if write.decision.reason in STANDING_BY_REASON:
            self.elsewhere.append(
                (write.entry.record_id, *STANDING_BY_REASON[write.decision.reason])
            )
        self.settled.append(write.entry.record_id)
        if write.reading and write.reading != write.entry.record_id:
            self.older.append((write.reading, None, 0))
        self._count(write, DECISION_COUNTERS[write.decision.kind], write.decision.reason)
        if (
            self.desk.run.kind == SyncRun.Kind.INCREMENTAL
            and write.reading
            and write.entry.changed_at
        ):
            # A first sync or a full check brings what changed long ago: that says nothing of how
            # fast changes arrive.
            self.took.append((self.now - write.entry.changed_at).total_seconds())

    def _company_due(self, write: Write) -> datetime | None:
        """When to see to the person's company.

        A new contact is left to HubSpot for a moment, which may associate it by itself.
        """
        if not self.desk.companies:
            return None
        if write.link.company_id and not COMPANY_PROPERTIES.intersection(write.entry.after):
            return write.link.company_due_at
        return self.now + (ASSOCIATES_WITHIN if write.decision.kind == CREATE else timedelta(0))

    def conflict(self, write: Write, result: Result, owners: dict[str, Link]) -> None:
        """The address has an owner: the person's link points there now, and the next pass reads and
        updates it.
        """
        self._entry(write, Outcome.CONFLICT, result.owner_id, "contact_exists", result.detail)
        owner = owners.get(result.owner_id)
        if owner:
            self.records.append(
                (write.entry.record_id, Bucket.WAITING, "contact_exists", "", owner.pk, self.now, 1)
            )
            return
        if result.owner_id:
            owners[result.owner_id] = write.link
            self.links.append(
                (
                    write.link.pk,
                    result.owner_id,
                    {},
                    {},
                    {},
                    None,
                    None,
                    False,
                    None,
                    "",
                    None,
                    write.link.company_due_at,
                )
            )
        # An attempt is noted, so that the address is looked up even where HubSpot did not name the
        # owner.
        self.records.append(
            (
                write.entry.record_id,
                Bucket.WAITING,
                "contact_exists",
                "",
                write.link.pk,
                self.now,
                1,
            )
        )

    def not_written(self, write: Write, result: Result) -> None:
        """A write that did not happen: the record is still due, and is planned afresh."""
        self._entry(
            write, Outcome.NOT_WRITTEN, write.entry.contact_id, "interrupted", result.detail
        )

    def failed(self, write: Write, result: Result) -> None:
        reason = "email_taken" if result.code == "contact_exists" else result.code
        attempts = write.entry.attempt
        self._entry(write, Outcome.FAILED, write.entry.contact_id, reason, result.detail)
        if reason == "contact_gone":
            again, bucket, counter = None, Bucket.HELD, "held"
        else:
            again, bucket, counter = choose_retry_time(attempts, self.now), Bucket.FAILING, "failed"
        if write.entry.record_id in self.desk.touched:
            again = self.now
        self.records.append(
            (
                write.entry.record_id,
                bucket,
                reason,
                result.detail[:500],
                write.link.pk,
                again,
                attempts,
            )
        )
        if write.reading and write.reading != write.entry.record_id:
            self.older.append((write.reading, again, attempts))
        self._count(write, counter, reason)

    def _entry(self, write: Write, outcome: str, contact_id: str, reason: str, detail: str) -> None:
        self.entries.append((write.entry.pk, outcome, contact_id, reason, detail[:500], self.now))

    def _count(self, write: Write, counter: str, reason: str) -> None:
        # A card that a newer reading changed meanwhile is counted when that one is settled.
        if write.reading and write.reading not in self.desk.touched:
            self.counted[counter] += 1
            self.reasons.append(reason)

    def write(self) -> None:
        account_id = self.desk.rule.account_id
        update_rows(
            AuditEntry,
            ("outcome", "contact_id", "reason", "detail", "closed_at"),
            self.entries,
            account_id,
        )
        update_rows(Link, LINK_COLUMNS, self.links, account_id)
        update_rows(
            Record,
            ("bucket", "reason", "detail", "link", "due_at", "attempts"),
            self.records,
            account_id,
        )
        Record.objects.filter(pk__in=any_of(self.settled)).update(
            bucket=Bucket.LINKED, reason="in_sync", detail="", attempts=0
        )
        update_rows(Record, ("bucket", "reason"), self.elsewhere, account_id)
        # Where a newer reading is waiting already, it stays due; so does a record that another rule
        # reads.
        untouched = set(self.settled).difference(self.desk.touched)
        Record.objects.filter(
            pk__in=any_of(untouched.difference(self.asked)), rule=self.desk.rule
        ).update(due_at=None)
        older = [row for row in self.older if row[0] not in self.desk.touched | self.asked]
        update_rows(Record, ("due_at", "attempts"), older, account_id)
        if self.asked:
            Record.objects.filter(pk__in=self.asked, rule=self.desk.rule).update(
                due_at=self.now, run_id=None
            )
        count_reasons(self.desk.run, self.reasons)
        count_outcomes(self.desk, self.counted, took=self.took)
