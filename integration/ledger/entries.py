"""The only writer of AuditEntry and Link, and of a run's counters. Intent before the call, outcome
after.

Every function that writes does so in one transaction that begins by renewing the lease, so that a
slice which lost it cannot settle anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from core.bulk import any_of, update_rows
from integration.ledger.figures import add_figures
from integration.models import (
    COUNTERS,
    AuditEntry,
    Bucket,
    Link,
    Outcome,
    Record,
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
    calls = (
        desk.source.calls,
        desk.target.calls,
        desk.source.rate_limited + desk.target.rate_limited,
    )
    made = (calls[0] - desk.calls_seen[0], calls[1] - desk.calls_seen[1])
    run.calls_sansan += made[0]
    run.calls_hubspot += made[1]
    run.rate_limited += calls[2] - desk.calls_seen[2]
    desk.calls_seen = calls
    run.progressed_at = desk.now()
    fields = (
        "read",
        *COUNTERS,
        "echoes",
        "calls_sansan",
        "calls_hubspot",
        "rate_limited",
        "reasons",
        "progressed_at",
        *also,
    )
    update_rows(
        SyncRun, fields, [(run.pk, *(getattr(run, name) for name in fields))], run.account_id
    )
    add_figures(desk, counted, made, took)


def count_progress(desk: Desk, counted: Mapping[str, int] | None = None, *also: str) -> None:
    """Like ``count``, for a step that brings the run nearer to its end though no record has an
    outcome by it: the run is not idle.
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
    entry = make_entry(desk, now, row, decision.kind, decision.reason, decision.detail, link)
    entry.before, entry.after, entry.origin = (
        dict(decision.before),
        dict(decision.after),
        dict(decision.origin),
    )
    if desk.plan_rule.link_property and link and decision.kind in (CREATE, LINK):
        entry.after[LINK_ID] = str(link.key)
    entry.contact_id, entry.sent_at = decision.contact_id, entry.planned_at
    entry.clashes = list_clashes(decision) or None
    return entry


def make_settled_entry(
    desk: Desk,
    now: datetime,
    row: Row,
    decision: Decision,
    verdict: Verdict,
    link: Link | None,
    outcome: str,
) -> AuditEntry:
    """An entry for a card about which something was newly decided that needs no write."""
    kind = decision.kind if decision.kind == HOLD or verdict.record == decision.card else SKIP
    entry = make_entry(desk, now, row, kind, verdict.reason, verdict.detail, link)
    entry.outcome, entry.closed_at, entry.contact_id = (
        outcome,
        entry.planned_at,
        decision.contact_id,
    )
    entry.clashes = list_clashes(decision) or None
    return entry


def make_entry(
    desk: Desk, now: datetime, row: Row, kind: str, reason: str, detail: str, link: Link | None
) -> AuditEntry:
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
        reason=reason,
        detail=detail[:500],
        attempt=row.attempts + 1,
        changed_at=row.since,
        read_at=row.read_at,
        planned_at=now,
    )


def release_records(desk: Desk, ids: Iterable[int]) -> None:
    for id in ids:
        desk.in_flight.discard(id)
        desk.touched.discard(id)


def find_links(desk: Desk, contact_ids: Sequence[str]) -> dict[str, Link]:
    if not contact_ids:
        return {}
    return {
        link.contact_id: link
        for link in Link.objects.filter(
            hubspot=desk.rule.hubspot, contact_id__in=contact_ids
        ).exclude(contact_id="")
    }


def join_cards(desk: Desk, record_ids: Sequence[int], link: Link) -> None:
    """These cards belong to a person that we know already."""
    with transaction.atomic():
        desk.lease.renew()
        Record.objects.filter(pk__in=record_ids).update(link=link)


def load_open_writes(desk: Desk, limit: int = 100) -> list[Write]:
    """Entries that an interrupted slice left open: it is not known whether HubSpot did what they
    intend.

    Any rule's of the HubSpot connection: of one that stands still nobody else would settle them,
    and a record has one open entry at most.
    """
    # In the order of the index that holds open entries only; by their ids the database would go
    # through all of the rule's.
    rules = list(SyncRule.objects.filter(hubspot=desk.rule.hubspot_id).values_list("pk", flat=True))
    ours = AuditEntry.objects.filter(rule__in=rules, closed_at__isnull=True).exclude(
        reason=NEW_CARD
    )
    entries = list(ours.order_by("record_id")[:limit])
    links = {
        link.key: link
        for link in Link.objects.filter(
            key__in=[entry.link_key for entry in entries if entry.link_key]
        )
    }
    read = set(
        Record.objects.filter(
            pk__in=[entry.record_id for entry in entries], run_id=desk.run.pk, due_at__isnull=False
        ).values_list("pk", flat=True)
    )
    return [
        Write(
            entry,
            Decision(
                entry.decision,
                entry.reason,
                entry.record_id,
                (),
                link=str(entry.link_key or ""),
                contact_id=entry.contact_id,
            ),
            links[entry.link_key],
            reading=entry.record_id if entry.record_id in read else None,
        )
        for entry in entries
    ]


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
        held = known.get(id)
        counted["read"] += 1
        counted["failed"] += 1
        if held and held.reason == "unreadable":
            continue
        record = None
        if id:
            record, _ = Record.objects.update_or_create(
                rule=desk.rule,
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
                    "detail": wrong[:500],
                    "due_at": None,
                },
            )
        AuditEntry.objects.create(
            account=desk.rule.account,
            run=desk.run,
            rule=desk.rule,
            record_id=record.pk if record else 0,
            card_id=id[:64],
            decision=HOLD,
            reason="unreadable",
            detail=wrong[:500],
            outcome=Outcome.FAILED,
            read_at=now,
            planned_at=now,
            closed_at=now,
        )
        count_reasons(desk.run, ["unreadable"])


def record_unseen(desk: Desk, rows: Sequence[Row]) -> None:
    """Cards that the key sees no more: marked and told; their contacts stay as they are."""
    now = timezone.now()
    with transaction.atomic():
        desk.lease.renew()
        verdicts = [(row, Verdict(row.id, "unseen", "unseen")) for row in rows]
        AuditEntry.objects.bulk_create(
            [
                make_settled_entry(
                    desk,
                    now,
                    row,
                    Decision(SKIP, "unseen", row.id, (verdict,)),
                    verdict,
                    None,
                    Outcome.NONE,
                )
                for row, verdict in verdicts
            ]
        )
        Record.objects.filter(pk__in=[row.id for row in rows]).update(
            bucket=Bucket.UNSEEN, reason="unseen", detail="", due_at=None, read_at=now
        )
        count_reasons(desk.run, ["unseen"] * len(rows))
        count_outcomes(desk, {})
