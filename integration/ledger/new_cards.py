"""The ledger of the cards that we make: intent before the call, outcome after, and never a second
card for a contact.

Part of the ledger: besides integration/ledger.py, opening.py and closing.py the only writer of
AuditEntry and Link.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from core.bulk import any_of, insert_rows, update_rows, upsert_rows
from integration.ledger.entries import (
    BUCKET_COUNTERS,
    CARDS_MADE,
    count_outcomes,
    count_reasons,
    find_asked_again,
    find_links,
    is_newly_decided,
    make_entry,
    make_settled_entry,
)
from integration.models import AuditEntry, Bucket, DayFigures, Link, Outcome, Record, Side, SyncRun
from integration.planning.decisions import CREATE, NEW_CARD, Decision
from integration.planning.normalize import normalize_email
from integration.planning.pace import choose_retry_time
from integration.slice.desk import Desk
from integration.slice.rows import MADE_DIGEST, RECORD_KEY, Row

DECIDED_COLUMNS = ("bucket", "reason", "detail", "name", "due_at", "attempts")


class CardRow(NamedTuple):
    """A card that we have made, as a record of its rule: columns of Record."""

    rule_id: int
    side: str
    connection_id: int
    external_id: str
    link_id: int
    values: Mapping[str, str]
    tags: list[str]
    digest: str
    changed_at: datetime
    read_at: datetime
    made_at: datetime
    name: str
    email_key: str
    exchanged_on: str | None = None
    bucket: str = Bucket.LINKED.value
    reason: str = NEW_CARD
    person_key: str = ""
    detail: str = ""
    seq: int = 1
    attempts: int = 0
    run_id: int | None = None  # a full check does not miss what it made itself


def count_cards_made_today(desk: Desk) -> int:
    figures = (
        DayFigures.objects.filter(rule=desk.rule, day=find_account_day(desk))
        .values_list("cards_made", flat=True)
        .first()
    )
    # Those whose making is not settled yet count as made: the cap is never passed.
    return (figures or 0) + AuditEntry.objects.filter(
        rule=desk.rule, closed_at__isnull=True, reason=NEW_CARD
    ).count()


def find_account_day(desk: Desk) -> date:
    return desk.rule.account.day_of(desk.now())


def find_next_midnight(desk: Desk) -> datetime:
    """The next midnight of the account."""
    return datetime.combine(
        find_account_day(desk) + timedelta(days=1), time(), ZoneInfo(desk.rule.account.timezone)
    )


def record_contact_decisions(
    desk: Desk, rows: Mapping[int, Row], decisions: Sequence[Decision], names: Mapping[int, str]
) -> None:
    """Contacts about which was decided without making a card.

    ``names`` are those of the contacts that may be named.
    """
    if not decisions:
        return
    now, entries, moved, counted, reasons = desk.now(), [], [], Counter[str](), []
    with transaction.atomic():
        desk.lease.renew()
        asked = find_asked_again(rows)
        for decision in decisions:
            (verdict,) = decision.verdicts
            row = rows[verdict.record]._replace(name=names.get(verdict.record, ""))
            if row.id in asked:
                continue
            preview = desk.run.is_preview
            if verdict.bucket != Bucket.WAITING:
                counted[BUCKET_COUNTERS[verdict.bucket]] += 1
            reasons.append(verdict.reason)
            if is_newly_decided(verdict, row):
                entry = make_settled_entry(
                    desk,
                    now,
                    row,
                    decision,
                    verdict,
                    None,
                    Outcome.PREVIEW if preview else Outcome.NONE,
                )
                entries.append(entry)
            due = find_next_midnight(desk) if verdict.reason == "daily_cap" else None
            moved.append(
                (row.id, verdict.bucket, verdict.reason, verdict.detail[:500], row.name, due, 0)
            )
        insert_rows(entries)
        if not desk.run.is_preview:
            update_rows(Record, DECIDED_COLUMNS, moved, desk.rule.account_id)
        count_reasons(desk.run, reasons)
        count_outcomes(desk, counted)


def open_card_entry(desk: Desk, row: Row, decision: Decision, name: str) -> AuditEntry:
    """The intent is on disk before the call."""
    now = desk.now()
    with transaction.atomic():
        desk.lease.renew()
        entry = make_entry(desk, now, row._replace(name=name), CREATE, NEW_CARD, "", None)
        # Its card has no id yet: the contact's stands in its place, so that the contact's page
        # finds it.
        entry.contact_id, entry.email = (
            decision.contact_id,
            normalize_email(decision.after.get("email", "")),
        )
        entry.after, entry.sent_at = dict(decision.after), now
        entry.outcome = ""
        if desk.run.is_preview:
            entry.sent_at, entry.outcome, entry.closed_at = None, Outcome.PREVIEW, now
        entry.save()
        if desk.run.is_preview:
            count_reasons(desk.run, [NEW_CARD])
            count_outcomes(desk, {"created": 1})
    return entry


def close_card_made(
    desk: Desk, entry: AuditEntry, row: Row, card_id: str, written: Mapping[str, str]
) -> None:
    """The card is there: the contact and the card are one person from now on.

    ``written`` are the properties that the card would write as they are: what HubSpot's people
    change later counts as edited.
    """
    now = desk.now()
    with transaction.atomic():
        desk.lease.renew()
        owner = find_links(desk, [entry.contact_id]).get(entry.contact_id)
        link = owner or Link(
            account_id=desk.rule.account_id,
            hubspot_id=desk.rule.hubspot_id,
            contact_id=entry.contact_id,
            created_at=now,
        )
        if owner is None:
            link.written, link.origin = dict(written), dict.fromkeys(written, card_id)
            link.save()
        close_card_entry(entry, Outcome.SUCCEEDED, now, card_id=card_id, link_key=link.key)
        card = CardRow(
            desk.rule.pk,
            Side.CARD,
            desk.rule.sansan_id,
            card_id,
            link.pk,
            entry.after,
            [],
            MADE_DIGEST,
            now,
            now,
            now,
            entry.name,
            entry.email,
            run_id=desk.run.pk,
        )
        upsert_rows(Record, [card], RECORD_KEY, ("link_id", "made_at"), desk.rule.account_id)
        update_rows(
            Record,
            (*DECIDED_COLUMNS, "link"),
            [(row.id, Bucket.LINKED, NEW_CARD, card_id, entry.name, None, 0, link.pk)],
            desk.rule.account_id,
        )
        counts = {"created": 1, CARDS_MADE: 1}
        took = (
            [(now - entry.changed_at).total_seconds()]
            if desk.run.kind == SyncRun.Kind.INCREMENTAL and entry.changed_at
            else []
        )
        count_reasons(desk.run, [NEW_CARD])
        count_outcomes(desk, counts if row.run_id == desk.run.pk else {CARDS_MADE: 1}, took=took)


def close_card_refused(desk: Desk, entry: AuditEntry, row: Row, detail: str) -> None:
    now, said = desk.now(), detail[:500]
    stands = (
        Bucket.FAILING,
        "card_refused",
        said,
        entry.name,
        choose_retry_time(entry.attempt, now),
        entry.attempt,
    )
    with transaction.atomic():
        desk.lease.renew()
        close_card_entry(entry, Outcome.FAILED, now, reason="card_refused", detail=said)
        update_rows(Record, DECIDED_COLUMNS, [(row.id, *stands)], desk.rule.account_id)
        count_reasons(desk.run, ["card_refused"])
        count_outcomes(desk, {"failed": 1})


def close_card_not_made(desk: Desk, entry: AuditEntry, detail: str) -> None:
    """Nothing happened: the contact is still due."""
    with transaction.atomic():
        desk.lease.renew()
        close_card_entry(
            entry, Outcome.NOT_WRITTEN, desk.now(), reason="interrupted", detail=detail[:500]
        )


def close_card_entry(entry: AuditEntry, outcome: str, now: datetime, **values: Any) -> None:
    for name, value in {**values, "outcome": outcome, "closed_at": now}.items():
        setattr(entry, name, value)
    entry.save(update_fields=[*values, "outcome", "closed_at"])


def postpone_contacts(desk: Desk, seconds: float) -> None:
    """Sansan takes no more cards for now: those that are due wait a while, and the cards go on
    becoming contacts.
    """
    now = timezone.now()
    due = Record.objects.filter(rule=desk.rule, side=Side.CONTACT, due_at__lte=now)
    due.update(due_at=now + timedelta(seconds=seconds), reason="sansan_unavailable")


def load_doubtful_entries(desk: Desk) -> list[AuditEntry]:
    """Cards of which it is not known whether they were made."""
    return list(
        AuditEntry.objects.filter(rule=desk.rule, closed_at__isnull=True, reason=NEW_CARD).order_by(
            "record_id"
        )
    )


def list_doubtful_contacts(desk: Desk) -> list[str]:
    """The contacts of which it is not known whether a card was made."""
    open_ones = AuditEntry.objects.filter(
        rule__in=[rule.pk for rule in desk.senders], closed_at__isnull=True, reason=NEW_CARD
    )
    return list(open_ones.order_by("record_id").values_list("contact_id", flat=True))


def is_entry_open(entry: AuditEntry) -> bool:
    return AuditEntry.objects.filter(pk=entry.pk, closed_at__isnull=True).exists()


def load_rows(desk: Desk, entries: Sequence[AuditEntry]) -> dict[int, Row]:
    found = Record.objects.filter(
        pk__in=any_of([entry.record_id for entry in entries])
    ).values_list(*Row._fields)
    return {row[0]: Row(*row) for row in found}
