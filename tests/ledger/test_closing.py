"""What a batch's answers become: entries, links, records and counters, each written once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.tenancy import in_account
from integration.ledger.closing import Book
from integration.ledger.entries import Write, make_intent
from integration.ledger.rows import ClosedEntry, RefusedLink, WrittenLink
from integration.models import AuditEntry, Link, Record, SyncRule
from integration.planning.decisions import Decision, Verdict
from integration.records import Result
from integration.slice.desk import Desk
from integration.slice.rows import PlacedRecord, PostponedRecord, Row, SettledRecord
from tests.core import rows
from tests.desk import at_desk, bare_desk

NOW = datetime(2026, 4, 2, 9, 30, tzinfo=UTC)
EARLIER = NOW - timedelta(days=1)
A, B = "aiko@acme.example.jp", "a.mori@acme.example.jp"


def write(
    kind: str = "update",
    reason: str = "card_changed",
    link: Link | None = None,
    reading: int | None = 7,
    **entry: Any,
) -> Write:
    """An open write: entry 1, of record 7, to contact 101, by link 5."""
    columns = {"pk": 1, "record_id": 7, "contact_id": "101", "changed_at": EARLIER, **entry}
    opened = AuditEntry(decision=kind, reason=reason, **columns)
    decision = Decision(kind, reason, opened.record_id, ())
    return Write(opened, decision, link or Link(pk=5, contact_id="101"), reading)


def new(**members: Any) -> Write:
    """A contact that is being made."""
    return write(**{"kind": "create", "reason": "new_person", "contact_id": "", **members})


def close(
    one: Write, result: Result, owners: dict[str, Link] | None = None, desk: Desk | None = None
) -> Book:
    book = Book(desk or bare_desk(), NOW)
    book.add(one, result, {} if owners is None else owners)
    return book


def answer(code: str = "", **members: Any) -> Result:
    return Result("101", code=code, **members)


REFUSED = answer("bad_value", detail="why")

# How an entry ends

# The write, the answer -> outcome, contact, reason, detail
ENTRIES: dict[str, tuple[Write, Result, tuple[str, str, str, str]]] = {
    "written": (write(), answer(), ("succeeded", "101", "card_changed", "")),
    "written, with a detail of its own": (
        write(reason="email_taken", detail="who"),
        answer(detail="never shown"),
        ("succeeded", "101", "email_taken", "who"),
    ),
    "made": (new(), answer(contact_id="201"), ("succeeded", "201", "new_person", "")),
    "merged meanwhile": (
        write(),
        answer(contact_id="201"),
        ("succeeded", "201", "card_changed", ""),
    ),
    "not written": (
        write(),
        answer("not_written", detail="why"),
        ("not_written", "101", "interrupted", "why"),
    ),
    "refused": (write(), REFUSED, ("failed", "101", "bad_value", "why")),
    "gone": (write(), answer("contact_gone"), ("failed", "101", "contact_gone", "")),
    "exists, with its owner": (
        new(),
        answer("contact_exists", owner_id="202", detail="why"),
        ("conflict", "202", "contact_exists", "why"),
    ),
    "exists, the first time": (
        new(),
        answer("contact_exists"),
        ("conflict", "", "contact_exists", ""),
    ),
    "exists, the second time": (
        new(attempt=2),
        answer("contact_exists"),
        ("failed", "", "email_taken", ""),
    ),
    "exists, the second time, with its owner": (
        new(attempt=2),
        answer("contact_exists", owner_id="202"),
        ("failed", "", "email_taken", ""),
    ),
    "an update meets another's address": (
        write(),
        answer("contact_exists", owner_id="202"),
        ("failed", "101", "email_taken", ""),
    ),
    "an adoption meets another's address": (
        write(kind="link"),
        answer("contact_exists", owner_id="202"),
        ("failed", "101", "email_taken", ""),
    ),
}


@pytest.mark.parametrize(("one", "result", "end"), ENTRIES.values(), ids=ENTRIES)
def test_how_an_entry_ends(one: Write, result: Result, end: tuple[str, str, str, str]) -> None:
    outcome, contact_id, reason, detail = end
    assert close(one, result).entries == [
        ClosedEntry(1, outcome, contact_id, reason, detail, closed_at=NOW)
    ]


def test_what_went_unanswered_stays_open() -> None:
    book = close(write(), answer("unanswered"))
    assert vars(book) == vars(Book(book.desk, NOW))


def test_what_was_not_written_changes_nothing_but_its_entry() -> None:
    book = close(write(), answer("not_written"))
    untouched = vars(Book(book.desk, NOW))
    assert vars(book) == {**untouched, "entries": book.entries}


# What is counted

# The write, the answer -> counter, reason; None: nothing
COUNTS: dict[str, tuple[Write, Result, tuple[str, str] | None]] = {
    "made": (new(), answer(contact_id="201"), ("created", "new_person")),
    "written": (write(), answer(), ("updated", "card_changed")),
    "adopted": (write("link", "matched_email"), answer(), ("linked", "matched_email")),
    "written, and still held": (write(reason="conflict"), answer(), ("updated", "conflict")),
    "refused": (write(), REFUSED, ("failed", "bad_value")),
    "gone": (write(), answer("contact_gone"), ("held", "contact_gone")),
    "of another card's reading": (write(reading=8), answer(), ("updated", "card_changed")),
    "of nobody's reading": (write(reading=None), answer(), None),
    "refused, of nobody's reading": (write(reading=None), REFUSED, None),
    "exists": (new(), answer("contact_exists", owner_id="202"), None),
    "not written": (write(), answer("not_written"), None),
}


@pytest.mark.parametrize(("one", "result", "counted"), COUNTS.values(), ids=COUNTS)
def test_what_is_counted(one: Write, result: Result, counted: tuple[str, str] | None) -> None:
    book = close(one, result)
    found = [(name, n, *book.reasons) for name, n in book.counted.items()]
    assert found == ([(counted[0], 1, counted[1])] if counted else [])


@pytest.mark.parametrize("result", [answer(), REFUSED], ids=["written", "refused"])
@pytest.mark.parametrize(("changed", "n"), [(7, 0), (8, 1)], ids=["of the card", "of another"])
def test_a_reading_that_a_newer_one_has_overtaken_is_counted_with_that_one(
    result: Result, changed: int, n: int
) -> None:
    desk = bare_desk()
    desk.in_flight.take_up([7, 8])
    desk.in_flight.touch([changed])
    assert close(write(), result, desk=desk).counted.total() == n


# Kind of the run, the write -> seconds from the change to the answer
TIMES: dict[str, tuple[str, Write, list[float]]] = {
    "a check": ("incremental", write(), [86_400.0]),
    "a first sync": ("initial", write(), []),
    "a full check": ("full", write(), []),
    "nobody's reading": ("incremental", write(reading=None), []),
    "nobody knows since when": ("incremental", write(changed_at=None), []),
}


@pytest.mark.parametrize(("kind", "one", "took"), TIMES.values(), ids=TIMES)
def test_how_long_a_change_took(kind: str, one: Write, took: list[float]) -> None:
    assert close(one, answer(), desk=bare_desk(kind)).took == took


def test_a_refused_change_took_no_time() -> None:
    assert close(write(), REFUSED).took == []


# Where a card stands

STANDINGS = {
    "in sync": ("card_changed", []),
    "the address is another's": ("email_taken", [PlacedRecord(7, "held", "email_taken", "")]),
    "a person has to choose": ("conflict", [PlacedRecord(7, "held", "conflict", "")]),
    "out of scope": ("tag_removed", [PlacedRecord(7, "excluded", "no_selected_tag", "")]),
}


@pytest.mark.parametrize(("reason", "placed"), STANDINGS.values(), ids=STANDINGS)
def test_where_a_card_stands_that_was_written(reason: str, placed: list[PlacedRecord]) -> None:
    book = close(write(reason=reason), answer())
    assert (book.written, book.placed, book.records) == ([7], placed, [])


# The write, whether a newer reading came meanwhile -> bucket, reason, seconds until it is tried
FAILURES: dict[str, tuple[Write, Result, bool, tuple[str, str, float | None]]] = {
    "the first time": (write(), REFUSED, False, ("failing", "bad_value", 60)),
    "the second time": (write(attempt=2), REFUSED, False, ("failing", "bad_value", 300)),
    "the sixth time": (write(attempt=6), REFUSED, False, ("failing", "bad_value", 86_400)),
    "the hundredth time": (write(attempt=100), REFUSED, False, ("failing", "bad_value", 86_400)),
    "the address is another's": (
        write(),
        answer("contact_exists", detail="why"),
        False,
        ("failing", "email_taken", 60),
    ),
    "the contact is gone": (
        write(),
        answer("contact_gone", detail="why"),
        False,
        ("held", "contact_gone", None),
    ),
    "a newer reading waits": (write(), REFUSED, True, ("failing", "bad_value", 0)),
    "gone, and a newer reading waits": (
        write(),
        answer("contact_gone", detail="why"),
        True,
        ("held", "contact_gone", 0),
    ),
}


@pytest.mark.parametrize(("one", "result", "touched", "stands"), FAILURES.values(), ids=FAILURES)
def test_where_a_card_stands_that_was_refused(
    one: Write, result: Result, touched: bool, stands: tuple[str, str, float | None]
) -> None:
    desk = bare_desk()
    desk.in_flight.take_up([7])
    desk.in_flight.touch([7] if touched else [])
    bucket, reason, wait = stands
    due_at = None if wait is None else NOW + timedelta(seconds=wait)
    book = close(one, result, desk=desk)
    assert book.records == [SettledRecord(7, bucket, reason, "why", 5, due_at, one.entry.attempt)]
    assert (book.written, book.links) == ([], [])


# The write -> what becomes of another card, whose reading it settles
READINGS: dict[str, tuple[Write, Result, list[PostponedRecord]]] = {
    "written": (write(reading=8), answer(), [PostponedRecord(8, None, 0)]),
    "refused": (
        write(reading=8, attempt=2),
        REFUSED,
        [PostponedRecord(8, NOW + timedelta(seconds=300), 2)],
    ),
    "gone": (write(reading=8), answer("contact_gone"), [PostponedRecord(8, None, 1)]),
    "exists": (new(reading=8), answer("contact_exists", owner_id="202"), []),
    "its own": (write(reading=7), answer(), []),
    "its own, refused": (write(reading=7), REFUSED, []),
    "nobody's": (write(reading=None), answer(), []),
    "nobody's, refused": (write(reading=None), REFUSED, []),
}


@pytest.mark.parametrize(("one", "result", "readings"), READINGS.values(), ids=READINGS)
def test_what_becomes_of_the_card_whose_reading_is_settled(
    one: Write, result: Result, readings: list[PostponedRecord]
) -> None:
    assert close(one, result).readings == readings


# A create that meets a contact


def waits(detail: str = "") -> SettledRecord:
    return SettledRecord(7, "waiting", "contact_exists", detail, 5, due_at=NOW, attempts=1)


OWNER = {"202": Link(pk=9, contact_id="202")}


@pytest.mark.parametrize("owners", [{}, OWNER], ids=["nobody's", "another person's"])
def test_the_owner_of_an_address_is_looked_at_next_and_nobody_is_linked(
    owners: dict[str, Link],
) -> None:
    book = close(new(), answer("contact_exists", owner_id="202", detail="who"), owners)
    assert (book.records, book.links) == ([waits("who")], [])


def test_an_owner_that_is_not_named_is_looked_up_next() -> None:
    book = close(new(), answer("contact_exists"))
    assert (book.records, book.links) == ([waits()], [])


# Values that are refused


def spare(*names: str, **members: Any) -> Write:
    """A write whose other values can do without these."""
    one = new(after={"email": A, "phone": "1", "fax": "2"}, **members)
    return replace(one, decision=replace(one.decision, spare=frozenset(names)))


WHY = ["why", NOW.isoformat()]


def test_a_refused_value_is_left_out_next_time() -> None:
    result = answer("unknown_option", detail="why", properties=("phone",))
    book = close(spare("phone", "fax"), result)
    assert book.refusals == [RefusedLink(5, {"phone": ["1", *WHY]}, {})]
    assert book.records == [
        SettledRecord(7, "waiting", "unknown_option", "why", 5, due_at=NOW, attempts=0)
    ]
    assert [entry.outcome for entry in book.entries] == ["failed"]
    assert not book.counted, "the reading is counted when the rest is written"


def test_what_was_refused_before_stays_refused() -> None:
    link = Link(pk=5, refused={"fax": ["2", "no", "then"]})
    result = answer("unknown_option", detail="why", properties=("phone",))
    book = close(spare("phone", link=link), result)
    assert book.refusals == [RefusedLink(5, {**link.refused, "phone": ["1", *WHY]}, {})]


@pytest.mark.parametrize(
    ("contact_id", "written"),
    [("", {"email": A}), ("101", {"email": A, "phone": "0"})],
    ids=["of a contact that was not made", "of one that has the value of before"],
)
def test_a_refused_value_is_not_written(contact_id: str, written: dict[str, str]) -> None:
    link = Link(pk=5, contact_id=contact_id, written={"email": A, "phone": "0"})
    result = answer("unknown_option", properties=("phone",))
    assert close(spare("phone", link=link), result).refusals[0].written == written


@pytest.mark.parametrize("properties", [(), ("email",)], ids=["not named", "what it needs"])
def test_without_a_value_that_can_be_spared_the_write_has_failed(
    properties: tuple[str, ...],
) -> None:
    book = close(spare("phone"), answer("rejected", properties=properties))
    assert book.refusals == [] and [record.bucket for record in book.records] == ["failing"]


def test_a_value_that_was_taken_is_refused_no_more() -> None:
    link = Link(pk=5, contact_id="101", refused={"fax": ["2", *WHY], "phone": ["9", *WHY]})
    assert hold(write(link=link, after={"phone": "1"}), answer()).refused == {"fax": ["2", *WHY]}


# What a link holds after a write


def hold(one: Write, result: Result, owners: dict[str, Link] | None = None) -> WrittenLink:
    (link,) = close(one, result, owners).links
    return link


def test_what_a_link_holds_after_a_write() -> None:
    link = Link(pk=5, contact_id="101", gone="", gone_at=EARLIER, awaiting=False)
    one = write(link=link, after={"email": A}, origin={"email": "C1"})
    assert hold(one, answer(contact_id="101", modified_at=EARLIER)) == WrittenLink(
        id=5,
        contact_id="101",
        written={"email": A},
        answered={},
        origin={"email": "C1"},
        confirmed_at=NOW,
        modified_at=EARLIER,
        awaiting=True,
        run_id=1,
        gone="",
        gone_at=None,
        company_due_at=None,
        refused={},
    )


# Before, sent, answered by HubSpot -> written, answered
VALUES: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str], tuple[Any, Any]]] = {
    "nothing is sent": (
        {"written": {"city": "港区"}, "answered": {"city": "港"}},
        {},
        {},
        ({"city": "港区"}, {"city": "港"}),
    ),
    "what was written before stays": (
        {"written": {"city": "港区"}},
        {"email": A},
        {},
        ({"city": "港区", "email": A}, {}),
    ),
    "written anew": ({"written": {"email": B}}, {"email": A}, {}, ({"email": A}, {})),
    "blanked": ({"written": {"city": "港区"}}, {"city": ""}, {}, ({"city": ""}, {})),
    "our key is not among it": ({}, {"email": A, "sansan_link_id": "k"}, {}, ({"email": A}, {})),
    "answered as sent": ({}, {"email": A}, {"email": A}, ({"email": A}, {})),
    "answered in another spelling": (
        {},
        {"email": A.upper()},
        {"email": A},
        ({"email": A.upper()}, {"email": A}),
    ),
    "what nobody sent is no answer": ({}, {"email": A}, {"city": "港"}, ({"email": A}, {})),
    "the spelling of before is forgotten": (
        {"written": {"city": "港区"}, "answered": {"city": "港", "title": "長"}},
        {"city": "北区"},
        {},
        ({"city": "北区"}, {"title": "長"}),
    ),
    "the contact was gone": (
        {"written": {"city": "港区"}, "answered": {"city": "港"}, "gone": "deleted"},
        {"email": A},
        {},
        ({"email": A}, {}),
    ),
}


@pytest.mark.parametrize(("before", "sent", "told", "after"), VALUES.values(), ids=VALUES)
def test_what_was_written_and_how_hubspot_spells_it(
    before: dict[str, Any], sent: dict[str, str], told: dict[str, str], after: tuple[Any, Any]
) -> None:
    one = write(link=Link(pk=5, contact_id="101", **before), after=sent)
    held = hold(one, answer(values=told))
    assert (held.written, held.answered) == after


# Before, sent, from which cards -> origin
ORIGINS: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str], dict[str, str]]] = {
    "from a card": ({}, {"city": "港区"}, {"city": "C1"}, {"city": "C1"}),
    "from another card than before": (
        {"written": {"city": "北区"}, "origin": {"city": "C1"}},
        {"city": "港区"},
        {"city": "C2"},
        {"city": "C2"},
    ),
    "as before": (
        {"written": {"city": "港区"}, "origin": {"city": "C1"}},
        {"email": A},
        {"email": "C2"},
        {"city": "C1", "email": "C2"},
    ),
    "a blank is from nowhere": (
        {"written": {"city": "北区"}, "origin": {"city": "C1"}},
        {"city": ""},
        {"city": "C2"},
        {},
    ),
    "the contact was gone": (
        {"written": {"city": "北区"}, "origin": {"city": "C1"}, "gone": "deleted"},
        {"email": A},
        {"email": "C2"},
        {"email": "C2"},
    ),
}


@pytest.mark.parametrize(("before", "sent", "cards", "origin"), ORIGINS.values(), ids=ORIGINS)
def test_which_card_a_value_is_from(
    before: dict[str, Any], sent: dict[str, str], cards: dict[str, str], origin: dict[str, str]
) -> None:
    one = write(link=Link(pk=5, contact_id="101", **before), after=sent, origin=cards)
    assert hold(one, answer()).origin == origin


# The contact that the answer names, whose it is -> the contact of the link
CONTACTS = {
    "none": ("", {}, "101"),
    "the same": ("101", {"101": 5}, "101"),
    "a new one": ("201", {}, "201"),
    "a new one, the link's own already": ("201", {"201": 5}, "201"),
    "another person's": ("201", {"201": 9}, "101"),
}


@pytest.mark.parametrize(("named", "owners", "contact"), CONTACTS.values(), ids=CONTACTS)
def test_two_links_never_share_a_contact(named: str, owners: dict[str, int], contact: str) -> None:
    book = close(write(), answer(contact_id=named), {id: Link(pk=pk) for id, pk in owners.items()})
    assert ([link.contact_id for link in book.links], book.entries[0].contact_id) == (
        [contact],
        contact,
    )


MINUTE = timedelta(minutes=1)
# Kind, the link's company, what is sent -> when the company is seen to
COMPANIES: dict[str, tuple[str, str, dict[str, str], datetime | None]] = {
    "a new contact": ("create", "", {"email": A}, NOW + MINUTE),
    "no company yet": ("update", "", {"city": "港区"}, NOW),
    "adopted, no company yet": ("link", "", {"city": "港区"}, NOW),
    "another company": ("update", "900", {"company": "ベータ"}, NOW),
    "another address": ("update", "900", {"email": A}, NOW),
    "another website": ("update", "900", {"website": "beta.example.jp"}, NOW),
    "nothing of the company": ("update", "900", {"city": "港区"}, EARLIER),
}


@pytest.mark.parametrize(("kind", "company", "sent", "when"), COMPANIES.values(), ids=COMPANIES)
def test_when_a_company_is_seen_to(
    kind: str, company: str, sent: dict[str, str], when: datetime | None
) -> None:
    link = Link(pk=5, contact_id="101", company_id=company, company_due_at=EARLIER)
    book = close(write(kind, link=link, after=sent), answer(), desk=bare_desk(companies=True))
    assert [held.company_due_at for held in book.links] == [when]


def test_no_company_is_seen_to_where_no_rule_wants_it() -> None:
    link = Link(pk=5, contact_id="101", company_due_at=EARLIER)
    assert hold(write(link=link, after={"company": "ベータ"}), answer()).company_due_at is None


# What is stored


@dataclass
class World:
    """Aiko's card and an older one of hers, both due, and an open write about the first."""

    desk: Desk
    card: Record
    older: Record
    write: Write

    def store(self, result: Result, reading: Record | None, asked: set[int] | None = None) -> None:
        book = Book(self.desk, NOW)
        book.asked = asked or set()
        book.add(replace(self.write, reading=reading.pk if reading else None), result, {})
        book.write()
        self.card.refresh_from_db()
        self.older.refresh_from_db()


def open_write(desk: Desk, card: Record, reason: str = "card_changed") -> Write:
    link = Link.objects.create(account=desk.rule.account, hubspot=desk.rule.hubspot)
    decision = Decision(
        "update", reason, card.pk, (Verdict(card.pk, "linked", reason),), after={"email": A}
    )
    (row,) = Record.objects.filter(pk=card.pk).values_list(*Row._fields)
    entry = make_intent(desk, EARLIER, Row(*row), decision, link)
    entry.save()
    return Write(entry, decision, link)


@pytest.fixture
def rule(db: None) -> SyncRule:
    return rows.rule(rows.account())


@pytest.fixture
def world(rule: SyncRule) -> Iterator[World]:
    state = {"due_at": EARLIER, "bucket": "failing", "reason": "bad_value", "attempts": 3}
    with at_desk(rule) as desk:
        card, older = (rows.record(rule, id, run_id=desk.run.pk, **state) for id in ("C1", "C2"))
        yield World(desk, card, older, open_write(desk, card))


def stands(record: Record) -> tuple[str, str, datetime | None, int]:
    return record.bucket, record.reason, record.due_at, record.attempts


IN_SYNC = ("linked", "in_sync", None, 0)
AS_BEFORE = ("failing", "bad_value", EARLIER, 3)
SETTLED = ("failing", "bad_value", None, 0)


def test_a_card_that_was_written_is_in_sync(world: World) -> None:
    world.store(answer(), world.card)
    assert (stands(world.card), stands(world.older)) == (IN_SYNC, AS_BEFORE)


def test_another_cards_reading_is_settled_with_it(world: World) -> None:
    world.store(answer(), world.older)
    assert (stands(world.card), stands(world.older)) == (IN_SYNC, SETTLED)


def test_what_is_stored_of_the_entry_and_the_link(world: World) -> None:
    world.store(answer(contact_id="101"), world.card)
    entry = AuditEntry.objects.get(pk=world.write.entry.pk)
    link = Link.objects.get(pk=world.write.link.pk)
    assert (entry.outcome, entry.contact_id, entry.closed_at) == ("succeeded", "101", NOW)
    assert (link.contact_id, link.written, link.awaiting) == ("101", {"email": A}, True)


def test_what_the_run_has_counted(world: World) -> None:
    world.store(answer(), world.card)
    world.desk.run.refresh_from_db()
    assert (world.desk.run.updated, world.desk.run.reasons) == (1, {"card_changed": 1})


def test_a_card_stands_elsewhere_where_its_reason_says_so(world: World) -> None:
    world.write.decision = replace(world.write.decision, reason="conflict")
    world.store(answer(), world.card)
    assert stands(world.card) == ("held", "conflict", None, 0)


def test_a_refused_card_is_tried_again(world: World) -> None:
    world.store(REFUSED, world.card)
    # It has failed three times before.
    assert stands(world.card) == ("failing", "bad_value", NOW + timedelta(hours=2), 4)


def test_a_newer_reading_stays_due(world: World) -> None:
    world.desk.in_flight.take_up([world.card.pk])
    world.desk.in_flight.touch([world.card.pk])
    world.store(answer(), world.card)
    assert stands(world.card) == ("linked", "in_sync", EARLIER, 0)


def test_a_newer_reading_of_the_other_card_stays_due(world: World) -> None:
    world.desk.in_flight.take_up([world.older.pk])
    world.desk.in_flight.touch([world.older.pk])
    world.store(answer(), world.older)
    assert (stands(world.card), stands(world.older)) == (IN_SYNC, AS_BEFORE)


def test_what_a_person_wants_looked_at_again_is_due_now(world: World) -> None:
    world.store(answer(), world.card, asked={world.card.pk})
    assert (stands(world.card), world.card.run_id) == (("linked", "in_sync", NOW, 0), None)


def test_what_a_person_wants_tried_again_is_due_now(world: World) -> None:
    world.store(REFUSED, world.card, asked={world.card.pk})
    assert (stands(world.card), world.card.run_id) == (("failing", "bad_value", NOW, 4), None)


def test_the_other_card_is_due_now_where_a_person_wants_it_so(world: World) -> None:
    world.store(answer(), world.older, asked={world.older.pk})
    assert (stands(world.card), stands(world.older)) == (IN_SYNC, ("failing", "bad_value", NOW, 3))


def test_another_rules_card_stays_due_for_that_rule(rule: SyncRule) -> None:
    other = rows.rule(rule.account, "other")
    card = rows.record(other, "C9", due_at=EARLIER)
    with at_desk(rule) as desk:
        book = Book(desk, NOW)
        book.add(open_write(desk, card), answer(), {})
        book.write()
    with in_account(rule.account):
        card.refresh_from_db()
    assert stands(card) == ("linked", "in_sync", EARLIER, 0)


def test_an_empty_book_writes_nothing(world: World) -> None:
    Book(world.desk, NOW).write()
    assert not AuditEntry.objects.filter(closed_at__isnull=False).exists()
    world.card.refresh_from_db()
    assert stands(world.card) == AS_BEFORE


# An address that a contact gives up


@pytest.mark.parametrize(
    ("before", "after", "freed"),
    [
        ({"email": "Old@Acme.example.jp"}, {"email": A}, {"old@acme.example.jp"}),
        ({"email": ""}, {"email": A}, set()),
        ({"jobtitle": "x"}, {"jobtitle": "y"}, set()),
    ],
    ids=["given up", "there was none", "another property"],
)
def test_what_address_is_free_again(
    before: dict[str, str], after: dict[str, str], freed: set[str]
) -> None:
    assert close(write(before=before, after=after), answer()).freed == freed
