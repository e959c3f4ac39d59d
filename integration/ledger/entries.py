"""What the files of the ledger have in common: entries, the counters of a run, and what is open.

Only this room writes AuditEntry and Link. The intent of a write is on disk before the call, its
outcome after it. What a caller does not open a transaction for itself is written in one that begins
by renewing the lease, so that a slice which lost it cannot settle anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from core.bulk import any_of, update_columns
from core.tenancy import all_accounts
from integration.ledger.figures import add_figures
from integration.models import (
    COUNTERS,
    AuditEntry,
    Bucket,
    Link,
    Outcome,
    Record,
    Side,
    SyncRule,
    SyncRun,
)
from integration.planning.decisions import (
    CREATE,
    HOLD,
    LINK,
    NEW_CARD,
    SKIP,
    UPDATE,
    Decision,
    Verdict,
)
from integration.planning.rule import LINK_ID
from integration.slice.desk import Desk
from integration.slice.rows import KnownCard, Row

DECISION_COUNTERS = {CREATE: "created", UPDATE: "updated", LINK: "linked"}
CARDS_MADE = "cards_made"
# What moves with the counters.
RUN_COLUMNS = (
    "read",
    *COUNTERS,
    "echoes",
    "calls_sansan",
    "calls_hubspot",
    "rate_limited",
    "reasons",
    "progressed_at",
)
# A card that needed no write counts as what it stands in.
BUCKET_COUNTERS = {
    "linked": "unchanged",
    "merged": "merged",
    "excluded": "excluded",
    "held": "held",
    "unseen": "excluded",
}


@dataclass
class Write:
    """One person being written: the open entry and everything that its closing settles."""

    entry: AuditEntry
    decision: Decision
    link: Link
    # The record whose reading this write settles: it stays due until the write is closed. None:
    # nobody's.
    reading: int | None = None


@dataclass
class Opened:
    """Entries of one batch whose intent is on disk."""

    writes: list[Write] = field(default_factory=list)
    lane: str = ""
    optimistic: bool = False


def count_outcomes(
    desk: Desk, counted: Mapping[str, int], *also: str, took: Sequence[float] = ()
) -> None:
    """Moves the run's counters and the day's figures, inside the caller's transaction.

    ``also`` names further fields to save.
    """
    run = desk.run
    for name, n in counted.items():
        if name != CARDS_MADE:  # counted as created, too
            setattr(run, name, getattr(run, name) + n)
    calls = desk.in_flight.count_calls(desk.source, desk.target)
    run.calls_sansan += calls.sansan
    run.calls_hubspot += calls.hubspot
    run.rate_limited += calls.rate_limited
    run.progressed_at = desk.now()
    update_columns(run, (*RUN_COLUMNS, *also), run.account_id)
    add_figures(desk, counted, calls, took)


def count_progress(desk: Desk, counted: Mapping[str, int] | None = None, *also: str) -> None:
    """Like ``count_outcomes``, for a step that brings the run nearer to its end though no record
    has an outcome by it: the run is not idle.
    """
    desk.run.idle = 0
    count_outcomes(desk, counted or {}, "idle", *also)


def count_reasons(run: SyncRun, reasons: Iterable[str]) -> None:
    for reason, n in Counter(reasons).items():
        run.reasons[reason] = run.reasons.get(reason, 0) + n


def list_clashes(decision: Decision) -> dict[str, list[str]]:
    """Property -> [card's value, contact's value, who wins, what decided]."""
    return {
        name: [clash.card, clash.contact, clash.winner, clash.by]
        for name, clash in decision.clashes.items()
    }


def find_asked_again(rows: Mapping[int, Row]) -> set[int]:
    """The records that a person wants looked at again, or never synced, and said so after these
    were read.
    """
    due = Record.objects.filter(pk__in=any_of(list(rows))).values_list("pk", "due_at")
    return {pk for pk, due_at in due if due_at != rows[pk].due_at}


def list_busy_records(opened: Opened) -> set[int]:
    """The records whose writes are under way."""
    return {id for write in opened.writes for id in (write.entry.record_id, write.reading) if id}


def is_newly_decided(verdict: Verdict, row: Row) -> bool:
    return (verdict.bucket, verdict.reason) != (row.bucket, row.reason)


def make_intent(
    desk: Desk, now: datetime, row: Row, decision: Decision, link: Link | None
) -> AuditEntry:
    """The entry of a write, open: what is to be sent, and what was there before."""
    entry = make_entry(desk, now, row, decision.kind, link=link)
    entry.reason, entry.detail = decision.reason, decision.detail
    entry.contact_id, entry.sent_at = decision.contact_id, entry.planned_at
    entry.before, entry.after = dict(decision.before), dict(decision.after)
    entry.origin = dict(decision.origin)
    if desk.plan_rule.link_property and link and decision.kind in (CREATE, LINK):
        entry.after[LINK_ID] = str(link.key)
    entry.clashes = list_clashes(decision) or None
    return entry


def make_settled_entry(
    desk: Desk,
    now: datetime,
    row: Row,
    decision: Decision,
    verdict: Verdict,
    *,
    link: Link | None = None,
    outcome: str = Outcome.NONE,
) -> AuditEntry:
    """An entry for a card about which something was newly decided that needs no write."""
    own = decision.kind == HOLD or verdict.record == decision.card
    entry = make_entry(desk, now, row, decision.kind if own else SKIP, link=link)
    entry.reason, entry.detail = verdict.reason, verdict.detail
    entry.contact_id, entry.outcome = decision.contact_id, outcome
    entry.closed_at = entry.planned_at
    entry.clashes = list_clashes(decision) or None
    return entry


def make_entry(
    desk: Desk, now: datetime, row: Row, kind: str, *, link: Link | None = None
) -> AuditEntry:
    """What every entry says of its record; the caller adds reason, values and outcome."""
    return AuditEntry(
        account_id=desk.rule.account_id,
        run_id=desk.run.pk,
        rule_id=desk.rule.pk,
        record_id=row.id,
        card_id=row.external_id,
        link_key=link.key if link else None,
        name=row.name,
        email=row.email_key,
        decision=kind,
        attempt=row.attempts + 1,
        changed_at=row.since,
        read_at=row.read_at,
        planned_at=now,
    )


def find_links(desk: Desk, contact_ids: Iterable[str]) -> dict[str, Link]:
    """Contact id -> the link of the HubSpot connection that has it."""
    wanted = [id for id in dict.fromkeys(contact_ids) if id]
    if not wanted:
        return {}
    # A connection's links are of its account. The condition that the scope adds would only lead
    # SQLite to the wrong index.
    with all_accounts():
        links = Link.objects.filter(hubspot=desk.rule.hubspot, contact_id__in=wanted)
        return {link.contact_id: link for link in links.exclude(contact_id="")}


def wake_records(desk: Desk, ids: Collection[int]) -> None:
    """Has these records looked at again, those too that are at work now. In the caller's
    transaction.
    """
    if ids:
        desk.in_flight.touch(ids)
        Record.objects.filter(pk__in=any_of(ids)).update(due_at=desk.now(), run_id=None)


def load_open_writes(desk: Desk, limit: int = 100) -> list[Write]:
    """Entries that an interrupted slice left open: it is not known whether HubSpot did what they
    intend.

    Any rule's of the HubSpot connection: of one that stands still nobody else would settle them,
    and a record has one open entry at most.
    """
    # In the order of the index that holds open entries only; by their ids the database would go
    # through all of the rule's.
    rules = list(SyncRule.objects.filter(hubspot=desk.rule.hubspot_id).values_list("pk", flat=True))
    still_open = AuditEntry.objects.filter(rule__in=rules, closed_at__isnull=True)
    entries = list(still_open.exclude(reason=NEW_CARD).order_by("record_id")[:limit])
    keys = [entry.link_key for entry in entries if entry.link_key]
    links = {link.key: link for link in Link.objects.filter(key__in=keys)}
    taken_up = Record.objects.filter(
        pk__in=[entry.record_id for entry in entries], run_id=desk.run.pk, due_at__isnull=False
    )
    read = set(taken_up.values_list("pk", flat=True))
    return [
        Write(
            entry,
            as_decision(entry),
            links[entry.link_key],
            reading=entry.record_id if entry.record_id in read else None,
        )
        for entry in entries
        if entry.link_key
    ]


def as_decision(entry: AuditEntry) -> Decision:
    """As much of its decision as an open entry tells."""
    return Decision(
        kind=entry.decision,
        reason=entry.reason,
        card=entry.record_id,
        verdicts=(),
        link=str(entry.link_key or ""),
        contact_id=entry.contact_id,
    )


def record_unreadable(
    desk: Desk,
    unreadable: Sequence[tuple[str, str]],
    known: Mapping[str, KnownCard],
    counted: Counter[str],
    now: datetime,
) -> None:
    """Rows of a page that cannot be read: each has an outcome all the same, once for as long as it
    stays as it is.
    """
    for id, wrong in unreadable:
        known_card = known.get(id)
        # A card that this run has read already, and not settled yet, is counted as read once.
        if not (known_card and known_card.due_at and known_card.run_id == desk.run.pk):
            counted["read"] += 1
        counted["failed"] += 1
        if known_card and known_card.reason == "unreadable":
            continue
        record = store_unreadable(desk, id, wrong, now) if id else None
        AuditEntry.objects.create(
            account=desk.rule.account,
            run=desk.run,
            rule=desk.rule,
            record_id=record.pk if record else 0,
            card_id=id[:64],
            decision=HOLD,
            reason="unreadable",
            detail=wrong,
            outcome=Outcome.FAILED,
            read_at=now,
            planned_at=now,
            closed_at=now,
        )
        count_reasons(desk.run, ["unreadable"])


def store_unreadable(desk: Desk, id: str, wrong: str, now: datetime) -> Record:
    """The record of a card whose id is all that can be read of it."""
    record, _made = Record.objects.update_or_create(
        rule=desk.rule,
        side=Side.CARD,
        external_id=id[:64],
        defaults={
            "account": desk.rule.account,
            "connection": desk.rule.sansan,
            "digest": "unreadable",
            "changed_at": now,
            "read_at": now,
            "run_id": desk.run.pk,
            "bucket": Bucket.FAILING,
            "reason": "unreadable",
            "detail": wrong,
            "due_at": None,
        },
    )
    return record


def record_unseen(desk: Desk, rows: Sequence[Row]) -> None:
    """Cards that the key sees no more: marked and told; their contacts stay as they are."""
    now, entries = timezone.now(), []
    for row in rows:
        verdict = Verdict(row.id, Bucket.UNSEEN, "unseen")
        decision = Decision(SKIP, "unseen", row.id, (verdict,))
        entries.append(make_settled_entry(desk, now, row=row, decision=decision, verdict=verdict))
    with desk.transaction():
        AuditEntry.objects.bulk_create(entries)
        Record.objects.filter(pk__in=[row.id for row in rows]).update(
            bucket=Bucket.UNSEEN, reason="unseen", detail="", due_at=None, read_at=now
        )
        count_reasons(desk.run, ["unseen"] * len(rows))
        count_outcomes(desk, {})
