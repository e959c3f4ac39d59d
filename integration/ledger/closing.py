"""The outcomes of a batch: what closes its entries and settles its records and links, in one
transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from core.bulk import any_of, update_rows
from integration.ledger.entries import (
    DECISION_COUNTERS,
    Opened,
    Write,
    count_outcomes,
    count_reasons,
    find_links,
    list_busy_records,
    wake_records,
)
from integration.ledger.rows import ClosedEntry, RefusedLink, WrittenLink
from integration.models import AuditEntry, Bucket, Connection, Link, Outcome, Record, Side, SyncRun
from integration.notes import note
from integration.planning.decisions import CREATE, LINK, STANDING_BY_REASON
from integration.planning.kept import find_not_taken
from integration.planning.normalize import normalize_email
from integration.planning.pace import choose_retry_time
from integration.planning.rule import LINK_ID
from integration.records import Result, Values
from integration.slice.desk import Desk
from integration.slice.rows import PlacedRecord, PostponedRecord, SettledRecord

# What says which company a contact belongs to, and how long HubSpot may take to associate a new
# contact by itself.
# Refusals that tell that the properties are other ones than when we looked last.
OF_THE_SCHEMA = frozenset({"unknown_property", "unknown_option", "wrong_type", "read_only"})
COMPANY_PROPERTIES = frozenset({"company", "email", "website"})
ASSOCIATES_WITHIN = timedelta(seconds=60)


def close_entries(desk: Desk, opened: Opened, results: Mapping[int, Result]) -> None:
    """Outcomes of a batch, by entry id.

    What went unanswered stays open, to be settled by reading HubSpot back.
    """
    book = Book(desk, desk.now())
    with desk.transaction():
        book.asked = find_asked_meanwhile(opened, book.now)
        owners = find_links(desk, list_claimed_contacts(opened, results))
        for write in opened.writes:
            book.add(write, results[write.entry.pk], owners)
        book.write()
    if opened.lane == "new":
        learn_known_share(desk, opened, results)
    answered = [entry_id for entry_id, result in results.items() if result.code != "unanswered"]
    if any(result.ok for result in results.values()):
        desk.in_flight.trust()
    if len(answered) < len(opened.writes):
        desk.in_flight.doubt()
    desk.in_flight.end_writes(answered)
    desk.in_flight.release(list_busy_records(opened))


def find_asked_meanwhile(opened: Opened, now: datetime) -> set[int]:
    """The records that a person wants looked at again, and said so while they were written."""
    if not opened.writes:
        return set()
    planned = max(write.entry.planned_at for write in opened.writes)
    due = Record.objects.filter(
        pk__in=list_busy_records(opened), due_at__gt=planned, due_at__lte=now
    )
    return set(due.values_list("pk", flat=True))


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
        existed = sum(result.code == "contact_exists" for result in results.values())
    else:
        existed = sum(write.decision.kind == LINK for write in opened.writes)
    desk.in_flight.learn_share(existed, len(opened.writes))


class Book:
    """Collects what a closing transaction writes, so that each table is written once."""

    def __init__(self, desk: Desk, now: datetime) -> None:
        self.desk, self.now = desk, now
        self.entries: list[ClosedEntry] = []
        self.links: list[WrittenLink] = []
        self.refusals: list[RefusedLink] = []
        self.records: list[SettledRecord] = []
        self.written: list[int] = []  # records whose write succeeded
        self.placed: list[PlacedRecord] = []  # of these, what stands elsewhere than in sync
        self.readings: list[PostponedRecord] = []  # of other cards, that a write has settled
        self.counted: Counter[str] = Counter()
        self.reasons: list[str] = []
        self.took: list[float] = []
        self.freed: set[str] = set()  # addresses that a contact has given up
        # A person wants these looked at again, and said so while the write was under way.
        self.asked: set[int] = set()
        # HubSpot's properties are other ones than when we looked last; these are gone.
        self.schema_is_old = False
        self.lost_properties: set[str] = set()

    def add(self, write: Write, result: Result, owners: dict[str, Link]) -> None:
        """What became of one write; flat, the first that applies."""
        if result.code == "unanswered":
            return
        self.schema_is_old |= result.code in OF_THE_SCHEMA
        if result.code == "unknown_property":
            self.lost_properties.update(result.properties)
        if result.ok:
            self.add_success(write, result, owners)
        elif result.code == "not_written":
            # The record is still due, and is planned afresh.
            self._close(write, Outcome.NOT_WRITTEN, "interrupted", detail=result.detail)
        elif is_without_key_property(write, result):
            self.add_without_key_property(write, result)
        elif is_conflict(write, result):
            self.add_conflict(write, result)
        elif refused := write.decision.spare.intersection(result.properties):
            self.add_refused_values(write, result, refused)
        else:
            self.add_failure(write, result)

    def add_success(self, write: Write, result: Result, owners: Mapping[str, Link]) -> None:
        """The contact has the values."""
        entry, link, reason = write.entry, write.link, write.decision.reason
        contact_id = result.contact_id or entry.contact_id
        if contact_id in owners and owners[contact_id].pk != link.pk:
            # Merged in HubSpot with another person's contact. The old id still resolves, and two
            # links never share one.
            contact_id = entry.contact_id
        not_taken = self._note_not_taken(write, result)
        self._close(
            write,
            Outcome.SUCCEEDED,
            reason=entry.reason,
            detail=entry.detail or not_taken,
            contact_id=contact_id,
        )
        self.links.append(self._make_link(write, result, contact_id))
        if reason in STANDING_BY_REASON:
            stands = STANDING_BY_REASON[reason]
            self.placed.append(PlacedRecord(entry.record_id, *stands, entry.detail))
        elif not_taken:
            self.placed.append(PlacedRecord(entry.record_id, Bucket.LINKED, "not_taken", not_taken))
        self.written.append(entry.record_id)
        if write.reading and write.reading != entry.record_id:
            self.readings.append(PostponedRecord(write.reading, None, 0))
        if "email" in entry.after and entry.before.get("email"):
            self.freed.add(normalize_email(entry.before["email"]))
        self._count(write, DECISION_COUNTERS[write.decision.kind], reason)
        incremental = self.desk.run.kind == SyncRun.Kind.INCREMENTAL
        # A first sync or a full check brings what changed long ago: that says nothing of how fast
        # changes arrive.
        if incremental and write.reading and entry.changed_at:
            self.took.append((self.now - entry.changed_at).total_seconds())

    def add_conflict(self, write: Write, result: Result) -> None:
        """The address has an owner, whom the next pass reads: who that is, planning says."""
        self._close(
            write,
            Outcome.CONFLICT,
            reason="contact_exists",
            detail=result.detail,
            contact_id=result.owner_id,
        )
        # An attempt is noted, so that the address is looked up even where HubSpot did not name the
        # owner.
        self._look_again(write, "contact_exists", result.detail, attempts=write.entry.attempt)

    def add_without_key_property(self, write: Write, result: Result) -> None:
        """Our link property is gone from HubSpot: the slice ends, and the next one looks at the
        properties and goes by e-mail.
        """
        self._close(write, Outcome.FAILED, result.code, result.detail)
        self._look_again(write, result.code, result.detail, attempts=write.entry.attempt)
        self.desk.in_flight.stop()

    def add_refused_values(self, write: Write, result: Result, refused: Collection[str]) -> None:
        """HubSpot does not take some values: the next pass writes the rest."""
        self._close(write, Outcome.FAILED, result.code, result.detail)
        why = [result.detail, self.now.isoformat()]
        values = {name: [write.entry.after[name], *why] for name in refused}
        link = write.link
        # What a contact that is made was to have counts as written from the start (opening.py).
        written = {
            name: value
            for name, value in link.written.items()
            if link.contact_id or name not in refused
        }
        self.refusals.append(RefusedLink(link.pk, {**link.refused, **values}, written))
        self._look_again(write, result.code, result.detail, attempts=write.entry.attempt - 1)

    def _look_again(self, write: Write, reason: str, detail: str, attempts: int) -> None:
        self.records.append(
            SettledRecord(
                id=write.entry.record_id,
                bucket=Bucket.WAITING,
                reason=reason,
                detail=detail,
                link=write.link.pk,
                due_at=self.now,
                attempts=attempts,
            )
        )

    def add_failure(self, write: Write, result: Result) -> None:
        """HubSpot refused the write."""
        entry = write.entry
        reason = "email_taken" if result.code == "contact_exists" else result.code
        self._close(write, Outcome.FAILED, reason, result.detail)
        bucket, counter = Bucket.FAILING, "failed"
        again: datetime | None = choose_retry_time(entry.attempt, self.now)
        if reason == "contact_gone":
            bucket, counter, again = Bucket.HELD, "held", None
        if self.desk.in_flight.is_touched(entry.record_id):
            again = self.now
        self.records.append(
            SettledRecord(
                id=entry.record_id,
                bucket=bucket,
                reason=reason,
                detail=result.detail,
                link=write.link.pk,
                due_at=again,
                attempts=entry.attempt,
            )
        )
        if write.reading and write.reading != entry.record_id:
            self.readings.append(PostponedRecord(write.reading, again, entry.attempt))
        self._count(write, counter, reason)

    def _note_not_taken(self, write: Write, result: Result) -> str:
        """A note of the properties to which HubSpot gives a value of its own, "" for none."""
        sent = write.entry.after
        answered = {
            name: value for name, value in result.values.items() if sent.get(name, value) != value
        }
        names = find_not_taken(
            self.desk.plan_rule.mappings,
            wanted=sent,
            present=answered,
            written=sent,
            answered=answered,
        )
        kept = [*write.decision.not_taken, *names]
        return note("not_taken", word=", ".join(kept)) if kept else ""

    def _make_link(self, write: Write, result: Result, contact_id: str) -> WrittenLink:
        """What the link holds after a write that succeeded."""
        link = write.link
        sent = {name: value for name, value in write.entry.after.items() if name != LINK_ID}
        # What was written to a contact that is gone says nothing of this one.
        written_before: Values = {} if link.gone else link.written
        answered_before: Values = {} if link.gone else link.answered
        written = {**written_before, **sent}
        answered = {n: value for n, value in answered_before.items() if n not in sent}
        answered |= {name: write.entry.before[name] for name in write.decision.reverted}
        for name, value in sent.items():
            if result.values.get(name, value) != value:
                answered[name] = result.values[name]
        origin = {**link.origin, **write.entry.origin}
        return WrittenLink(
            id=link.pk,
            contact_id=contact_id,
            written=written,
            answered=answered,
            origin={name: card for name, card in origin.items() if written.get(name)},
            confirmed_at=self.now,
            modified_at=result.modified_at,
            awaiting=True,
            run_id=self.desk.run.pk,
            gone="",
            gone_at=None,
            company_due_at=self._choose_company_time(write),
            refused={name: why for name, why in link.refused.items() if name not in sent},
        )

    def _choose_company_time(self, write: Write) -> datetime | None:
        """When to see to the person's company.

        A new contact is left to HubSpot for a moment, which may associate it by itself.
        """
        if not self.desk.companies:
            return None
        if write.link.company_id and not COMPANY_PROPERTIES.intersection(write.entry.after):
            return write.link.company_due_at
        return self.now + (ASSOCIATES_WITHIN if write.decision.kind == CREATE else timedelta(0))

    def _close(
        self,
        write: Write,
        outcome: Outcome,
        reason: str,
        detail: str = "",
        contact_id: str | None = None,
    ) -> None:
        """Without a ``contact_id`` the entry keeps its own."""
        if contact_id is None:
            contact_id = write.entry.contact_id
        self.entries.append(
            ClosedEntry(
                write.entry.pk,
                outcome,
                contact_id=contact_id,
                reason=reason,
                detail=detail,
                closed_at=self.now,
            )
        )

    def _count(self, write: Write, counter: str, reason: str) -> None:
        # A card that a newer reading changed meanwhile is counted when that one is settled.
        if write.reading and not self.desk.in_flight.is_touched(write.reading):
            self.counted[counter] += 1
            self.reasons.append(reason)

    def write(self) -> None:
        """Every table once, in the caller's transaction."""
        account_id = self.desk.rule.account_id
        update_rows(AuditEntry, self.entries, account_id)
        update_rows(Link, self.links, account_id)
        update_rows(Link, self.refusals, account_id)
        update_rows(Record, self.records, account_id)
        Record.objects.filter(pk__in=any_of(self.written)).update(
            bucket=Bucket.LINKED, reason="in_sync", detail="", attempts=0
        )
        update_rows(Record, self.placed, account_id)
        # Where a newer reading is waiting already, its record stays due; so does a record that
        # another rule reads.
        wanted = self.desk.in_flight.touched | self.asked
        done = any_of(set(self.written) - wanted)
        Record.objects.filter(pk__in=done, rule=self.desk.rule).update(due_at=None)
        readings = [reading for reading in self.readings if reading.id not in wanted]
        update_rows(Record, readings, account_id)
        if self.asked:
            again = Record.objects.filter(pk__in=self.asked, rule=self.desk.rule)
            again.update(due_at=self.now, run_id=None)
        self._wake_waiting()
        if self.schema_is_old:
            self._forget_schema()
        count_reasons(self.desk.run, self.reasons)
        count_outcomes(self.desk, self.counted, took=self.took)

    def _forget_schema(self) -> None:
        """The properties are read again before the next slice. A lost one counts as not there: that
        it is back is told by the next reading alone.
        """
        hubspot = self.desk.rule.hubspot
        schema = {k: prop for k, prop in hubspot.schema.items() if k not in self.lost_properties}
        Connection.objects.filter(pk=hubspot.pk).update(schema=schema, schema_at=None)

    def _wake_waiting(self) -> None:
        """Whoever waits for an address that a contact has given up is looked at again."""
        if self.freed:
            waiting = Record.objects.filter(
                email_key__in=any_of(self.freed), side=Side.CARD, reason="email_taken"
            )
            wake_records(
                self.desk, list(waiting.exclude(email_key="").values_list("pk", flat=True))
            )


def is_without_key_property(write: Write, result: Result) -> bool:
    """Whether a write was refused because our link property is not there, for the first time."""
    lacks = result.code == "unknown_property" and LINK_ID in result.properties
    return lacks and write.entry.attempt == 1


def is_conflict(write: Write, result: Result) -> bool:
    """Whether a create met a contact that exists, which has not been looked for yet."""
    first = result.code == "contact_exists" and write.entry.attempt == 1
    return first and write.decision.kind == CREATE
