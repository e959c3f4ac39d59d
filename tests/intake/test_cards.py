"""A page of cards: what is stored of it, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.tenancy import in_account
from integration.intake.cards import take_cards
from integration.models import AuditEntry, Record, SyncRule, SyncRun, Tag
from integration.records import CardPage, CardRead, TagSeen
from integration.slice.desk import Desk
from tests.core import rows
from tests.desk import at_desk
from tests.intake.conftest import NOW

YESTERDAY = NOW - timedelta(days=1)
THEN = datetime(2026, 4, 2, tzinfo=UTC)
VIP = TagSeen("T1", "VIP", "public")
AIKO = CardRead(
    id="C1",
    person_key="P1",
    exchanged_on="2026-04-01",
    changed_at=THEN,
    values={"lastName": "森", "firstName": "愛子", "email": "Aiko@Acme.example.jp"},
    tags=(VIP,),
)
BEN = replace(AIKO, id="C2", person_key="P2", values={"lastName": "原"})
# The same cards after a change.
CHANGED = replace(AIKO, changed_at=THEN + timedelta(days=1), values={"lastName": "林"})
AN_HOUR_BEFORE = replace(AIKO, changed_at=THEN - timedelta(hours=1), values={"lastName": "林"})


def take(
    desk: Desk, *cards: CardRead, again: bool = False, unreadable: tuple[tuple[str, str], ...] = ()
) -> dict[str, int]:
    """What the page counts, without the zeros."""
    counted = take_cards(desk, CardPage(cards, "", unreadable), again)
    return {name: n for name, n in counted.items() if n}


def keep(desk: Desk, card: CardRead = AIKO, **state: Any) -> Record:
    """A card that an earlier run has read, and settled unless ``state`` says otherwise."""
    take(desk, card)
    record = Record.objects.get(external_id=card.id)
    settled = {"due_at": None, "run_id": desk.run.pk - 1, "bucket": "linked", "reason": "in_sync"}
    for name, value in {**settled, "read_at": YESTERDAY, **state}.items():
        setattr(record, name, value)
    record.save()
    return record


def fresh(record: Record) -> Record:
    record.refresh_from_db()
    return record


# Cards that are new


def test_a_new_card_waits_for_a_decision(desk: Desk) -> None:
    counted = take(desk, AIKO)
    (record,) = Record.objects.values(
        "external_id",
        "person_key",
        "email_key",
        "name",
        "values",
        "tags",
        "due_at",
        "run_id",
        "bucket",
        "seq",
        "attempts",
    )
    assert counted == {"read": 1}
    assert record == {
        "external_id": "C1",
        "person_key": "P1",
        "email_key": "aiko@acme.example.jp",
        "name": "森 愛子",
        "values": {"lastName": "森", "firstName": "愛子", "email": "Aiko@Acme.example.jp"},
        "tags": ["T1"],
        "due_at": NOW,
        "run_id": desk.run.pk,
        "bucket": "waiting",
        "seq": 1,
        "attempts": 0,
    }


# Cards of a page -> what is counted, the last names that are stored
PAGES: dict[str, tuple[tuple[CardRead, ...], dict[str, int], list[str]]] = {
    "empty": ((), {}, []),
    "one": ((AIKO,), {"read": 1}, ["森"]),
    "two": ((AIKO, BEN), {"read": 2}, ["森", "原"]),
    "the same twice": ((AIKO, AIKO), {"read": 1}, ["森"]),
    "before and after a change": ((AIKO, CHANGED), {"read": 1}, ["林"]),
}


@pytest.mark.parametrize(("cards", "counted", "names"), PAGES.values(), ids=PAGES)
def test_cards_that_nobody_knows(
    desk: Desk, cards: tuple[CardRead, ...], counted: dict[str, int], names: list[str]
) -> None:
    assert take(desk, *cards) == counted
    stored = Record.objects.order_by("external_id").values_list("values__lastName", flat=True)
    assert list(stored) == names


def test_another_rules_copy_is_that_rules(desk: Desk) -> None:
    other = rows.rule(desk.rule.account, "other")
    theirs = rows.record(other, "C1", bucket="linked")
    assert take(desk, AIKO) == {"read": 1}
    assert (fresh(theirs).due_at, theirs.bucket) == (None, "linked")


def test_a_contact_of_the_same_id_is_no_card(desk: Desk) -> None:
    contact = rows.record(desk.rule, "C1", side="contact", bucket="linked")
    assert take(desk, AIKO) == {"read": 1}
    assert (fresh(contact).due_at, contact.bucket) == (None, "linked")


def test_of_a_card_out_of_scope_nothing_is_kept(rule: SyncRule) -> None:
    with in_account(rule.account):
        Tag.objects.create(
            account=rule.account,
            connection=rule.sansan,
            external_id="T9",
            name="T9",
            type="public",
            selected=True,
        )
    with at_desk(rule) as desk:
        assert take(desk, AIKO) == {"read": 1}
        record = Record.objects.get()
    kept = (record.values, record.name, record.email_key, record.person_key, record.tags)
    assert kept == ({}, "", "", "", ["T1"])


# Cards that are as they were

MINE, NOT_MINE = 0, -1  # runs, from this one
# How the card stands -> what is counted, whether it is due afterwards
AS_IT_WAS: dict[str, tuple[dict[str, Any], dict[str, int], bool]] = {
    "in sync": ({}, {"read": 1, "unchanged": 1}, False),
    "merged": ({"bucket": "merged"}, {"read": 1, "unchanged": 1}, False),
    "waiting": ({"bucket": "waiting"}, {"read": 1, "unchanged": 1}, False),
    "excluded": ({"bucket": "excluded"}, {"read": 1, "excluded": 1}, False),
    "held": ({"bucket": "held"}, {"read": 1, "held": 1}, False),
    "failing": ({"bucket": "failing"}, {"read": 1, "failed": 1}, False),
    "due": ({"due_at": YESTERDAY}, {}, True),
    "read by this run, and due": ({"due_at": YESTERDAY, "run": MINE}, {}, True),
    "settled by this run": ({"run": MINE}, {}, False),
    "read by no run": ({"run": None}, {"read": 1, "unchanged": 1}, False),
    "not seen any more": ({"bucket": "unseen"}, {"read": 1}, True),
}


def keep_as(desk: Desk, known: dict[str, Any]) -> Record:
    """``run``: which run took the card up last, counted from this one."""
    run = known.get("run", NOT_MINE)
    state = {name: value for name, value in known.items() if name != "run"}
    return keep(desk, run_id=None if run is None else desk.run.pk + run, **state)


@pytest.mark.parametrize(("known", "counted", "due"), AS_IT_WAS.values(), ids=AS_IT_WAS)
def test_a_card_that_is_as_it_was(
    desk: Desk, known: dict[str, Any], counted: dict[str, int], due: bool
) -> None:
    record = keep_as(desk, known)
    assert take(desk, AIKO) == counted
    assert (fresh(record).due_at is not None) is due


def test_a_card_that_is_as_it_was_is_not_written(desk: Desk) -> None:
    record = keep(desk)
    take(desk, AIKO)
    assert (fresh(record).read_at, record.seq, record.run_id) == (YESTERDAY, 1, desk.run.pk - 1)


# Kind of the run -> what it counts of a card that is as it was, and not due
PREVIEWS = {
    "a preview of what is due": (False, {"read": 1, "unchanged": 1}),
    "a preview of the whole": (True, {}),
}


@pytest.mark.parametrize(("whole", "counted"), PREVIEWS.values(), ids=PREVIEWS)
def test_a_preview_counts_a_card_once(rule: SyncRule, whole: bool, counted: dict[str, int]) -> None:
    with at_desk(rule, kind=SyncRun.Kind.PREVIEW, whole=whole) as desk:
        keep(desk)
        assert take(desk, AIKO) == counted


# A full check: how the card stands -> what is counted, whether this run takes it up
CHECKED: dict[str, tuple[dict[str, Any], dict[str, int], bool]] = {
    "in sync": ({}, {"read": 1}, True),
    "excluded": ({"bucket": "excluded"}, {"read": 1}, True),
    "due since an earlier run": ({"due_at": YESTERDAY}, {"read": 1}, True),
    "read by no run": ({"run": None}, {"read": 1}, True),
    "settled by this run": ({"run": MINE}, {}, False),
    "not seen any more": ({"bucket": "unseen"}, {"read": 1}, True),
}


@pytest.mark.parametrize(("known", "counted", "taken"), CHECKED.values(), ids=CHECKED)
def test_a_full_check_takes_up_every_card_once(
    desk: Desk, known: dict[str, Any], counted: dict[str, int], taken: bool
) -> None:
    record = keep_as(desk, known)
    assert take(desk, AIKO, again=True) == counted
    assert fresh(record).due_at == (NOW if taken else None)
    assert record.run_id == desk.run.pk


def test_a_full_check_takes_all_up_in_one_page(desk: Desk) -> None:
    keep(desk)
    keep(desk, BEN, bucket="held")
    assert take(desk, AIKO, BEN, replace(AIKO, id="C3"), again=True) == {"read": 3}


# Cards that have changed

# How the card stands -> what is counted, where it waits
AFTER_A_CHANGE: dict[str, tuple[dict[str, Any], dict[str, int], str]] = {
    "in sync": ({}, {"read": 1}, "linked"),
    "merged": ({"bucket": "merged"}, {"read": 1}, "merged"),
    "excluded": ({"bucket": "excluded"}, {"read": 1}, "excluded"),
    "held": ({"bucket": "held"}, {"read": 1}, "held"),
    "failing": ({"bucket": "failing"}, {"read": 1}, "waiting"),
    "not seen any more": ({"bucket": "unseen"}, {"read": 1}, "waiting"),
    "due since an earlier run": ({"due_at": YESTERDAY}, {"read": 1}, "linked"),
    "due, and read by no run": ({"due_at": YESTERDAY, "run": None}, {"read": 1}, "linked"),
    "read by this run, and due": ({"due_at": YESTERDAY, "run": MINE}, {}, "linked"),
    "settled by this run": ({"run": MINE}, {"read": 1}, "linked"),
}


@pytest.mark.parametrize(
    ("known", "counted", "bucket"), AFTER_A_CHANGE.values(), ids=AFTER_A_CHANGE
)
@pytest.mark.parametrize("again", [False, True], ids=["a check", "a full check"])
def test_a_card_that_has_changed(
    desk: Desk, again: bool, known: dict[str, Any], counted: dict[str, int], bucket: str
) -> None:
    record = keep_as(desk, known)
    assert take(desk, CHANGED, again=again) == counted
    assert (fresh(record).name, record.bucket) == ("林", bucket)
    assert (record.due_at, record.run_id, record.seq) == (NOW, desk.run.pk, 2)


def test_a_card_that_has_changed_keeps_its_reason_and_its_attempts(desk: Desk) -> None:
    record = keep(desk, reason="bad_value", attempts=4)
    take(desk, CHANGED)
    assert (fresh(record).reason, record.attempts) == ("bad_value", 4)


# What has changed -> whether the card is taken anew
CHANGES: dict[str, tuple[CardRead, bool]] = {
    "nothing": (AIKO, False),
    "a field that nobody reads": (replace(AIKO, values={**AIKO.values, "memo": "x"}), False),
    "the tag's name": (replace(AIKO, tags=(replace(VIP, name="V.I.P."),)), False),
    "a private tag": (replace(AIKO, tags=(VIP, TagSeen("T7", "x", "private"))), False),
    "a field": (replace(AIKO, values={**AIKO.values, "companyName": "アクメ"}), True),
    "a tag": (replace(AIKO, tags=(VIP, TagSeen("T2", "x", "public"))), True),
    "no tag any more": (replace(AIKO, tags=()), True),
    "the day": (replace(AIKO, exchanged_on=""), True),
    "the person": (replace(AIKO, person_key=""), True),
    "only the time": (replace(AIKO, changed_at=THEN + timedelta(milliseconds=1)), True),
}


@pytest.mark.parametrize(("card", "taken"), CHANGES.values(), ids=CHANGES)
def test_what_counts_as_a_change(desk: Desk, card: CardRead, taken: bool) -> None:
    record = keep(desk)
    take(desk, card)
    assert (fresh(record).due_at is not None) is taken


# A page that was answered before another one of this run, which told of the last change

# How the card stands -> whether the older page is heeded
OLDER: dict[str, tuple[dict[str, Any], bool]] = {
    "in sync": ({}, False),
    "due": ({"due_at": YESTERDAY}, False),
    "not seen any more": ({"bucket": "unseen"}, False),
    "made by us": ({"digest": "made"}, True),
    "never readable": ({"digest": "unreadable"}, True),
}


@pytest.mark.parametrize(("known", "heeded"), OLDER.values(), ids=OLDER)
@pytest.mark.parametrize("again", [False, True], ids=["a check", "a full check"])
def test_an_older_page_says_nothing(
    desk: Desk, again: bool, known: dict[str, Any], heeded: bool
) -> None:
    record = keep_as(desk, {**known, "run": MINE})
    assert take(desk, AN_HOUR_BEFORE, again=again) == ({"read": 1} if heeded else {})
    assert fresh(record).name == ("林" if heeded else "森 愛子")


@pytest.mark.parametrize("again", [False, True], ids=["a check", "a full check"])
@pytest.mark.parametrize("run", [NOT_MINE, None], ids=["another run", "no run"])
def test_between_runs_what_was_read_last_counts(desk: Desk, again: bool, run: int | None) -> None:
    """A card's time may go back, by an import or a clock."""
    record = keep_as(desk, {"run": run})
    assert take(desk, AN_HOUR_BEFORE, again=again) == {"read": 1}
    assert fresh(record).name == "林"


def test_of_one_moment_the_later_page_is_heeded(desk: Desk) -> None:
    record = keep(desk)
    assert take(desk, replace(AIKO, values={"lastName": "林"})) == {"read": 1}
    assert fresh(record).name == "林"


# Cards that we made

# The card -> whether it is an echo
MADE: dict[str, tuple[dict[str, Any], bool]] = {
    "met for the first time": ({"digest": "made", "made_at": YESTERDAY}, True),
    "met before": ({"made_at": YESTERDAY}, False),
    "met for the first time, of another's making": ({"digest": "made"}, False),
    "never made": ({}, False),
}


@pytest.mark.parametrize(("known", "echo"), MADE.values(), ids=MADE)
def test_a_card_that_we_made_is_an_echo_once(desk: Desk, known: dict[str, Any], echo: bool) -> None:
    keep(desk, **known)
    assert take(desk, CHANGED) == ({"read": 1, "echoes": 1} if echo else {"read": 1})


# What a batch at work learns

# The card, whether all are taken up -> whether the batch's outcome is not the last
NEWS = {
    "a change": (CHANGED, False, True),
    "nothing": (AIKO, False, False),
    "a full check": (AIKO, True, True),
    "an older page": (AN_HOUR_BEFORE, True, False),
    "another card": (BEN, False, False),
}


@pytest.mark.parametrize(("card", "again", "touched"), NEWS.values(), ids=NEWS)
def test_the_batch_at_work_learns_of_a_newer_reading(
    desk: Desk, card: CardRead, again: bool, touched: bool
) -> None:
    record = keep_as(desk, {"run": MINE if card is AN_HOUR_BEFORE else NOT_MINE})
    desk.in_flight.take_up([record.pk])
    take(desk, card, again=again)
    assert desk.in_flight.is_touched(record.pk) is touched


# Cards that cannot be read

BAD = (("C1", "no date"),)


def test_a_card_that_cannot_be_read_fails_and_says_why(desk: Desk) -> None:
    assert take(desk, unreadable=BAD) == {"read": 1, "failed": 1}
    record, entry = Record.objects.get(), AuditEntry.objects.get()
    assert (record.bucket, record.reason, record.detail) == ("failing", "unreadable", "no date")
    assert record.due_at is None
    assert (entry.card_id, entry.outcome, entry.detail) == ("C1", "failed", "no date")


def test_it_is_counted_each_time_and_told_once(desk: Desk) -> None:
    take(desk, unreadable=BAD)
    assert take(desk, unreadable=BAD) == {"read": 1, "failed": 1}
    assert AuditEntry.objects.count() == 1


def test_a_row_without_an_id_is_told_and_not_kept(desk: Desk) -> None:
    assert take(desk, unreadable=(("", "no id"),)) == {"read": 1, "failed": 1}
    assert (AuditEntry.objects.count(), Record.objects.count()) == (1, 0)


def test_a_row_that_cannot_be_read_does_not_stop_the_page(desk: Desk) -> None:
    assert take(desk, BEN, unreadable=BAD) == {"read": 2, "failed": 1}
    assert sorted(Record.objects.values_list("external_id", flat=True)) == ["C1", "C2"]


def test_a_card_that_can_be_read_again_waits_for_a_decision(desk: Desk) -> None:
    take(desk, unreadable=BAD)
    assert take(desk, AIKO) == {"read": 1}
    record = Record.objects.get()
    assert (record.bucket, record.due_at, record.name) == ("waiting", NOW, "森 愛子")


def test_a_card_that_was_in_sync_and_cannot_be_read_any_more_fails(desk: Desk) -> None:
    record = keep(desk)
    assert take(desk, unreadable=BAD) == {"read": 1, "failed": 1}
    assert (fresh(record).bucket, record.reason, record.due_at) == ("failing", "unreadable", None)


def test_a_contact_of_the_same_id_is_not_unreadable(desk: Desk) -> None:
    contact = rows.record(desk.rule, "C1", side="contact", bucket="linked")
    take(desk, unreadable=BAD)
    assert fresh(contact).bucket == "linked"


def test_a_card_that_cannot_be_read_any_more_within_a_run_is_read_once(desk: Desk) -> None:
    assert take(desk, AIKO) == {"read": 1}
    assert take(desk, unreadable=BAD) == {"failed": 1}


# Tags


def test_tags_that_are_met_for_the_first_time_get_their_names(desk: Desk) -> None:
    tags = (VIP, TagSeen("T7", "私", "private"), TagSeen("T8", "?", ""))
    take(desk, replace(AIKO, tags=tags), BEN)
    take(desk, CHANGED)
    found = Tag.objects.order_by("external_id").values_list("external_id", "name", "type")
    assert list(found) == [("T1", "VIP", "public"), ("T7", "私", "private")]


def test_a_tag_that_is_known_stays_as_it_is(desk: Desk) -> None:
    connection = desk.rule.sansan
    known = Tag.objects.create(
        account=desk.rule.account, connection=connection, external_id="T1", name="鍵", type="public"
    )
    take(desk, AIKO)
    assert list(Tag.objects.values_list("pk", "name")) == [(known.pk, "鍵")]
