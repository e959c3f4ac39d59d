"""The cards that we make of contacts: intent before the call, outcome after it, never two cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
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
from integration.models import (
    AuditEntry,
    Bucket,
    DayFigures,
    Link,
    Outcome,
    Record,
    Side,
    SyncRun,
)
from integration.notes import note
from integration.planning.decisions import CREATE, NEW_CARD, Decision
from integration.planning.normalize import normalize_email
from integration.planning.pace import choose_retry_time
from integration.slice.desk import Desk
from integration.slice.rows import MADE_DIGEST, RECORD_KEY, Row, SettledContact


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
    # The run that made the card: a full check does not miss what it made itself.
    run_id: int | None = None


class CardedContact(NamedTuple):
    """A contact that has a card from now on: columns of Record."""

    id: int
    bucket: str
    reason: str
    detail: str
    name: str
    due_at: datetime | None
    attempts: int
    link: int


def count_cards_made_today(desk: Desk) -> int:
    """Of the account's day. Cards whose making is not settled yet count as made: the cap is never
    passed.
    """
    today = DayFigures.objects.filter(rule=desk.rule, day=find_account_day(desk))
    made = today.values_list("cards_made", flat=True).first() or 0
    return made + select_doubtful_entries([desk.rule.pk]).count()


def find_account_day(desk: Desk) -> date:
    return desk.rule.account.find_day(desk.now())


def find_next_midnight(desk: Desk) -> datetime:
    """The next midnight of the account."""
    tomorrow = find_account_day(desk) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), ZoneInfo(desk.rule.account.timezone))


def record_contact_decisions(
    desk: Desk, rows: Mapping[int, Row], decisions: Sequence[Decision], names: Mapping[int, str]
) -> None:
    """Contacts about which was decided without making a card.

    ``names`` are those of the contacts that may be named.
    """
    if not decisions:
        return
    now, preview = desk.now(), desk.run.is_preview
    entries: list[AuditEntry] = []
    settled: list[SettledContact] = []
    counted: Counter[str] = Counter()
    reasons: list[str] = []
    with desk.transaction():
        asked = find_asked_again(rows)
        for decision in decisions:
            (verdict,) = decision.verdicts
            row = rows[verdict.record]._replace(name=names.get(verdict.record, ""))
            if row.id in asked:
                continue
            if verdict.bucket != Bucket.WAITING:
                counted[BUCKET_COUNTERS[verdict.bucket]] += 1
            reasons.append(verdict.reason)
            if is_newly_decided(verdict, row):
                outcome = Outcome.PREVIEW if preview else Outcome.NONE
                entries.append(
                    make_settled_entry(
                        desk, now, row=row, decision=decision, verdict=verdict, outcome=outcome
                    )
                )
            settled.append(
                SettledContact(
                    id=row.id,
                    bucket=verdict.bucket,
                    reason=verdict.reason,
                    detail=verdict.detail,
                    name=row.name,
                    due_at=find_next_midnight(desk) if verdict.reason == "daily_cap" else None,
                    attempts=0,
                )
            )
        insert_rows(entries)
        if not preview:
            update_rows(Record, settled, desk.rule.account_id)
        count_reasons(desk.run, reasons)
        count_outcomes(desk, counted)


def open_card_entry(desk: Desk, row: Row, decision: Decision, name: str) -> AuditEntry:
    """The intent, which is on disk before the call; of a preview, what would be made."""
    now = desk.now()
    with desk.transaction():
        entry = make_entry(desk, now, row._replace(name=name), CREATE)
        entry.reason = NEW_CARD
        # The card has no id yet: the contact's stands in its place, so that the contact's page
        # finds the entry.
        entry.contact_id = decision.contact_id
        entry.email = normalize_email(decision.after.get("email", ""))
        entry.after, entry.sent_at = dict(decision.after), now
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
    now, account_id = desk.now(), desk.rule.account_id
    with desk.transaction():
        link = find_links(desk, [entry.contact_id]).get(entry.contact_id)
        if link is None:
            link = make_card_link(desk, entry.contact_id, card_id, written)
        close_card_entry(entry, Outcome.SUCCEEDED, now, card_id=card_id, link_key=link.key)
        card = CardRow(
            rule_id=desk.rule.pk,
            side=Side.CARD,
            connection_id=desk.rule.sansan_id,
            external_id=card_id,
            link_id=link.pk,
            values=entry.after,
            tags=[],
            digest=MADE_DIGEST,
            changed_at=now,
            read_at=now,
            made_at=now,
            name=entry.name,
            email_key=entry.email,
            run_id=desk.run.pk,
        )
        upsert_rows(Record, [card], RECORD_KEY, ("link_id", "made_at"), account_id)
        contact = CardedContact(
            id=row.id,
            bucket=Bucket.LINKED,
            reason=NEW_CARD,
            detail=note("card", id=card_id),
            name=entry.name,
            due_at=None,
            attempts=0,
            link=link.pk,
        )
        update_rows(Record, [contact], account_id)
        took = []
        if desk.run.kind == SyncRun.Kind.INCREMENTAL and entry.changed_at:
            took.append((now - entry.changed_at).total_seconds())
        counts = {CARDS_MADE: 1}
        if row.run_id == desk.run.pk:
            counts["created"] = 1
        count_reasons(desk.run, [NEW_CARD])
        count_outcomes(desk, counts, took=took)


def make_card_link(desk: Desk, contact_id: str, card_id: str, written: Mapping[str, str]) -> Link:
    """The link of a contact that has had no card before. In the caller's transaction."""
    link = Link(
        account_id=desk.rule.account_id,
        hubspot_id=desk.rule.hubspot_id,
        contact_id=contact_id,
        written=dict(written),
        origin=dict.fromkeys(written, card_id),
        created_at=desk.now(),
    )
    link.save()
    return link


def close_card_refused(desk: Desk, entry: AuditEntry, row: Row, detail: str) -> None:
    """Sansan refused to make the card."""
    now = desk.now()
    contact = SettledContact(
        id=row.id,
        bucket=Bucket.FAILING,
        reason="card_refused",
        detail=detail,
        name=entry.name,
        due_at=choose_retry_time(entry.attempt, now),
        attempts=entry.attempt,
    )
    with desk.transaction():
        close_card_entry(entry, Outcome.FAILED, now, reason="card_refused", detail=detail)
        update_rows(Record, [contact], desk.rule.account_id)
        count_reasons(desk.run, ["card_refused"])
        count_outcomes(desk, {"failed": 1})


def close_card_not_made(desk: Desk, entry: AuditEntry, detail: str) -> None:
    """Nothing happened: the contact is still due."""
    with desk.transaction():
        close_card_entry(
            entry, Outcome.NOT_WRITTEN, desk.now(), reason="interrupted", detail=detail
        )


def close_card_entry(entry: AuditEntry, outcome: str, now: datetime, **values: Any) -> None:
    """In the caller's transaction."""
    for name, value in {**values, "outcome": outcome, "closed_at": now}.items():
        setattr(entry, name, value)
    entry.save(update_fields=[*values, "outcome", "closed_at"])


def postpone_contacts(desk: Desk, seconds: float) -> None:
    """Sansan takes no more cards for now: those that are due wait a while, and the cards go on
    becoming contacts.
    """
    now = timezone.now()
    due = Record.objects.filter(rule=desk.rule, side=Side.CONTACT, due_at__lte=now)
    with desk.transaction():
        due.update(due_at=now + timedelta(seconds=seconds), reason="sansan_unavailable")


def select_doubtful_entries(rule_ids: Sequence[int]) -> QuerySet[AuditEntry]:
    """The open entries of cards: it is not known whether the cards were made."""
    still_open = AuditEntry.objects.filter(rule__in=rule_ids, closed_at__isnull=True)
    return still_open.filter(reason=NEW_CARD).order_by("record_id")


def load_doubtful_entries(desk: Desk) -> list[AuditEntry]:
    """Those of this rule, which settles them."""
    return list(select_doubtful_entries([desk.rule.pk]))


def list_doubtful_contacts(desk: Desk) -> list[str]:
    """The contacts of which it is not known whether a card was made, by any rule."""
    rules = [rule.pk for rule in desk.senders]
    return list(select_doubtful_entries(rules).values_list("contact_id", flat=True))


def is_entry_open(entry: AuditEntry) -> bool:
    return AuditEntry.objects.filter(pk=entry.pk, closed_at__isnull=True).exists()


def load_rows(entries: Sequence[AuditEntry]) -> dict[int, Row]:
    """Id of the record -> the record that an entry is about."""
    records = Record.objects.filter(pk__in=any_of([entry.record_id for entry in entries]))
    return {row[0]: Row(*row) for row in records.values_list(*Row._fields)}
