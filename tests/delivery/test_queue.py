"""Which people are handed out, when, and with whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.tenancy import in_account
from integration.delivery import queue as queue_module
from integration.delivery.queue import Queue
from integration.models import Link, Record, SyncRule, Tag
from integration.slice.desk import Desk
from integration.slice.rows import Batch
from tests.core import rows
from tests.desk import at_desk

NOW = datetime(2026, 4, 10, 9, tzinfo=UTC)
A_BATCH, A_FETCH = 2, 3  # people, records: enough to tell full from not full


@pytest.fixture
def rule(db: None, time_machine: Any, monkeypatch: pytest.MonkeyPatch) -> SyncRule:
    time_machine.move_to(NOW, tick=False)
    monkeypatch.setattr(queue_module, "PEOPLE_A_BATCH", A_BATCH)
    monkeypatch.setattr(queue_module, "RECORDS_A_FETCH", A_FETCH)
    return rows.rule(rows.account())


class World:
    """A desk, its queue, and cards with single letters for ids."""

    def __init__(self, desk: Desk, spent: list[bool]) -> None:
        self.desk, self.spent = desk, spent
        self.queue = Queue(desk)

    def stop(self) -> None:
        """The slice is spent."""
        self.spent.append(True)

    def go_on(self) -> None:
        """The next slice of the same run."""
        self.spent.clear()
        self.desk.in_flight.release_all()
        self.desk.run.refresh_from_db()
        self.queue = Queue(self.desk)

    def card(self, id: str, contact: str = "", **values: Any) -> Record:
        """A card that is due and new; or one whose person has this contact."""
        if contact:
            values["link"] = self.link(contact)
        address = f"{id.lower()}@acme.example.jp"
        known = {"due_at": NOW, "values": {"lastName": id}, "email_key": address}
        return rows.record(values.pop("rule", self.desk.rule), id, **{**known, **values})

    def cards(self, ids: str, **values: Any) -> None:
        for id in ids:
            self.card(id, **values)

    def link(self, contact: str = "", **values: Any) -> Link:
        account, hubspot = self.desk.rule.account, self.desk.rule.hubspot
        owned: dict[str, Any] = {"account": account, "hubspot": hubspot, "contact_id": contact}
        if contact and not values:
            return Link.objects.get_or_create(**owned)[0]
        return Link.objects.create(**owned, **values)

    def next(self, idle: bool = True) -> str | None:
        """The ids of the cards of the next batch."""
        return spell(self.queue.take_batch(idle))

    def rest(self) -> list[str]:
        """All batches that can be had now."""
        return [*iter(self.next, None)]


def spell(batch: Batch | None) -> str | None:
    if batch is None:
        return None
    return "".join(sorted(row.external_id for row in batch.rows.values()))


@pytest.fixture
def open_world(rule: SyncRule) -> Iterator[Callable[..., World]]:
    """At the desk of a run that has read all its cards, unless it is told otherwise."""
    opened = []

    def start(**run: Any) -> World:
        spent: list[bool] = []
        at = at_desk(rule, lambda: bool(spent), **{"read_done": True, **run})
        opened.append(at)
        return World(at.__enter__(), spent)

    yield start
    for at in opened:
        at.__exit__(None, None, None)


@pytest.fixture
def world(open_world: Callable[..., World]) -> World:
    return open_world()


# Who is due

# The card, with what differs -> whether it is handed out
DUE: dict[str, tuple[dict[str, Any], bool]] = {
    "due": ({}, True),
    "due for long": ({"due_at": NOW - timedelta(days=9)}, True),
    "due later": ({"due_at": NOW + timedelta(seconds=1)}, False),
    "settled": ({"due_at": None}, False),
    "a contact that may become a card": ({"side": "contact"}, False),
    "not seen any more, and due": ({"bucket": "unseen"}, True),
    "never synced": ({"barred": {"why": "x"}}, True),
}


@pytest.mark.parametrize(("card", "due"), DUE.values(), ids=DUE)
def test_who_is_due(world: World, card: dict[str, Any], due: bool) -> None:
    world.card("A", **card)
    assert world.next() == ("A" if due else None)


# The run -> the cards that a preview looks at, of one due, one settled, one not seen, one due later
PREVIEWS = {
    "of what is due": (False, ["A"]),
    "of the whole": (True, ["AB", "D"]),
}


@pytest.mark.parametrize(("whole", "batches"), PREVIEWS.values(), ids=PREVIEWS)
def test_whom_a_preview_looks_at(
    open_world: Callable[..., World], whole: bool, batches: list[str]
) -> None:
    world = open_world(kind="preview", whole=whole)
    world.card("A")
    world.card("B", due_at=None)
    world.card("C", due_at=None, bucket="unseen")
    world.card("D", due_at=NOW + timedelta(days=1))
    assert world.rest() == batches


# The rule's direction -> whether its cards are handed out
@pytest.mark.parametrize(
    ("direction", "batch"), [("to_hubspot", "A"), ("both", "A"), ("to_sansan", None)]
)
def test_cards_that_drive_no_contact_are_nobodys(
    rule: SyncRule, open_world: Callable[..., World], direction: str, batch: str | None
) -> None:
    rule.direction = direction
    world = open_world()
    world.card("A")
    assert (world.next(), world.queue.start_pass()) == (batch, False)


def test_another_rules_cards_are_that_rules(rule: SyncRule, world: World) -> None:
    world.card("A", rule=rows.rule(rule.account, "other", state="active"))
    assert (world.next(), world.queue.start_pass()) == (None, False)


# When a batch is handed out

# Cards, how long ago the read ended, whether nobody is at work -> the batches
FULL: dict[str, tuple[str, bool, bool, list[str]]] = {
    "nobody": ("", True, True, []),
    "not full, while others work": ("A", True, False, []),
    "not full, while cards are read": ("A", False, True, []),
    "not full, at the end": ("A", True, True, ["A"]),
    "full, while others work": ("AB", True, False, ["AB"]),
    "full, while cards are read": ("AB", False, False, ["AB"]),
    "full and one more, while others work": ("ABC", True, False, ["AB"]),
    "full and one more, at the end": ("ABC", True, True, ["AB", "C"]),
    "more than a fetch": ("ABCDEFG", True, True, ["AB", "CD", "EF", "G"]),
    "more than a fetch, while others work": ("ABCDEFG", True, False, ["AB", "CD", "EF"]),
}


@pytest.mark.parametrize(("cards", "done", "idle", "batches"), FULL.values(), ids=FULL)
def test_a_batch_is_full_unless_nobody_is_at_work(
    open_world: Callable[..., World], cards: str, done: bool, idle: bool, batches: list[str]
) -> None:
    world = open_world(read_done=done)
    world.cards(cards)
    assert [*iter(lambda: world.next(idle), None)] == batches


def test_what_is_stored_later_is_handed_out_after_a_look(world: World) -> None:
    assert world.next() is None
    world.card("A")
    assert world.next() is None
    world.queue.refresh()
    assert world.next() == "A"


def test_nobody_is_handed_out_twice(world: World) -> None:
    world.cards("AB")
    assert world.next() == "AB"
    world.queue.refresh()
    assert world.next() is None
    assert not world.queue.start_pass()


def test_a_spent_slice_hands_nothing_out(world: World) -> None:
    assert world.queue.open
    world.stop()
    assert not world.queue.open


# Lanes

OUT_OF_SCOPE: dict[str, Any] = {"values": {}, "email_key": ""}


def lane_of(world: World) -> str | None:
    """Where the only batch waits."""
    world.queue._fetch()
    return next((lane for lane, batches in world.queue.lanes.items() if batches), None)


# A card, how its contact is gone (None: it has none) -> its lane
LANES: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "a new person": ({}, None, "new"),
    "a contact": ({}, "", "known"),
    "a contact that was deleted": ({}, "deleted", "new"),
    "a contact, and out of scope": (OUT_OF_SCOPE, "", "known"),
    "out of scope": (OUT_OF_SCOPE, None, "quiet"),
    "out of scope, and the contact is gone": (OUT_OF_SCOPE, "forgotten", "quiet"),
    "no address": ({"email_key": ""}, None, "quiet"),
}


@pytest.mark.parametrize(("card", "gone", "lane"), LANES.values(), ids=LANES)
def test_lanes_are_by_what_hubspot_has_to_be_asked(
    world: World, card: dict[str, Any], gone: str | None, lane: str
) -> None:
    link = None if gone is None else world.link("101", gone=gone)
    world.card("A", link=link, **card)
    assert lane_of(world) == lane


def test_a_link_without_a_contact_is_a_new_person(world: World) -> None:
    world.card("A", link=world.link())
    assert lane_of(world) == "new"


def test_without_an_address_a_person_may_be_new_where_the_rule_says_so(
    rule: SyncRule, open_world: Callable[..., World]
) -> None:
    rule.require_email = False
    world = open_world()
    world.card("A", email_key="")
    assert lane_of(world) == "new"


def test_without_its_tag_a_card_is_quiet(rule: SyncRule, open_world: Callable[..., World]) -> None:
    tag = {"account": rule.account, "connection": rule.sansan, "external_id": "T1"}
    with in_account(rule.account):
        Tag.objects.create(name="VIP", type="public", selected=True, **tag)
    world = open_world()
    world.card("A", tags=["T2"])
    world.card("B", tags=["T1"])
    assert [world.next(), world.next()] == ["A", "B"]


def test_lanes_do_not_mix(world: World) -> None:
    world.card("A", "101")
    world.card("B")
    world.card("C", **OUT_OF_SCOPE)
    # Known people who are no full batch wait for another pass.
    assert world.rest() == ["C", "B"]
    assert world.queue.start_pass()
    assert world.rest() == ["A"]


def test_known_people_who_fill_a_batch_wait_for_nobody(world: World) -> None:
    world.card("A", "101")
    world.card("B", "102")
    world.card("C", "103")
    assert world.next(idle=False) == "AB"
    assert world.next() is None


def test_another_pass_hands_out_one_batch_of_known_people_that_is_not_full(world: World) -> None:
    world.card("A", "101")
    assert world.queue.start_pass()
    assert world.next() == "A"
    world.card("B", "102")
    world.queue.refresh()
    assert world.next() is None


# Another pass


def test_another_pass_finds_who_is_due_again(world: World) -> None:
    one = world.card("A")
    world.card("B")
    assert world.next() == "AB"
    world.desk.in_flight.release([one.pk])
    assert world.queue.start_pass()
    assert world.next() == "A"


def test_there_is_no_other_pass_for_who_is_at_work(world: World) -> None:
    world.cards("AB")
    assert world.next() == "AB"
    assert not world.queue.start_pass()


def test_there_is_another_pass_while_somebody_waits(world: World) -> None:
    world.card("A", "101")
    assert world.next() is None
    assert world.queue.start_pass()


def test_a_preview_has_another_pass_only_while_somebody_waits(
    open_world: Callable[..., World],
) -> None:
    world = open_world(kind="preview")
    world.card("A")
    assert world.next() == "A"
    # The card is due still: a preview changes nothing.
    world.desk.in_flight.release_all()
    assert not world.queue.start_pass()


def test_a_preview_has_another_pass_for_known_people(open_world: Callable[..., World]) -> None:
    world = open_world(kind="preview")
    world.card("A", "101")
    assert world.next() is None
    assert world.queue.start_pass()
    assert world.next() == "A"


# Whether the portal has the new people


@pytest.fixture
def probing(rule: SyncRule, open_world: Callable[..., World]) -> World:
    """Nobody knows yet whether the portal has the new people."""
    rule.hubspot.link_property = True
    return open_world()


def test_one_batch_of_new_people_goes_ahead(probing: World) -> None:
    probing.cards("ABCD")
    assert probing.rest() == ["AB"]


def test_the_others_follow_once_it_is_known(probing: World) -> None:
    probing.cards("ABCD")
    assert probing.next() == "AB"
    probing.desk.in_flight.learn_share(1, 2)
    assert probing.rest() == ["CD"]


def test_another_pass_sends_the_next_one_ahead(probing: World) -> None:
    probing.cards("ABCDEF")
    assert probing.next() == "AB"
    assert probing.queue.start_pass()
    assert probing.rest() == ["CD"]


def test_known_people_and_quiet_ones_pass_by(probing: World) -> None:
    probing.cards("ABCD")
    probing.card("E", "101")
    probing.card("F", "102")
    probing.card("G", **OUT_OF_SCOPE)
    assert probing.rest() == ["AB", "EF", "G"]


# Who comes along


def test_cards_of_a_person_come_along_and_count_as_one(world: World) -> None:
    hers = world.link("101")
    world.card("A", email_key="x@acme.example.jp", person_key="P1")
    world.card("B", email_key="x@acme.example.jp", due_at=None)
    world.card("C", person_key="P1", link=hers, due_at=None)
    world.card("D", link=hers, due_at=None)
    world.card("E", "102")
    # Two people fill a batch.
    assert world.next(idle=False) == "ABCDE"


# A card that is not due, next to one that is -> whether it comes along
ALONG: dict[str, tuple[dict[str, Any], bool]] = {
    "the same address": ({"email_key": "a@acme.example.jp"}, True),
    "the same person in Sansan": ({"person_key": "P1"}, True),
    "nothing in common": ({}, False),
    "no address either": ({"email_key": "", "person_key": ""}, False),
    "not seen any more": ({"email_key": "a@acme.example.jp", "bucket": "unseen"}, True),
}


@pytest.mark.parametrize(("other", "along"), ALONG.values(), ids=ALONG)
def test_who_comes_along(world: World, other: dict[str, Any], along: bool) -> None:
    world.card("A", person_key="P1")
    world.card("B", **{"due_at": None, **other})
    assert world.next() == ("AB" if along else "A")


def test_cards_without_anything_to_be_known_by_are_no_person(world: World) -> None:
    for id in "ABC":
        world.card(id, email_key="", person_key="", due_at=NOW if id == "A" else None)
    assert world.next() == "A"


# The other rule's state -> whether its cards come along
@pytest.mark.parametrize(
    ("state", "batch"), [("active", "AB"), ("paused", "AB"), ("held", "AB"), ("draft", "A")]
)
def test_cards_of_other_rules_come_along(
    rule: SyncRule, open_world: Callable[..., World], state: str, batch: str
) -> None:
    other = rows.rule(rule.account, "other", state=state)
    world = open_world()
    world.card("A")
    world.card("B", rule=other, email_key="a@acme.example.jp", due_at=None)
    assert world.next() == batch


def test_links_come_along(world: World) -> None:
    world.card("A", "101")
    world.card("B", "102")
    batch = world.queue.take_batch(False)
    assert batch is not None
    assert sorted(link.contact_id for link in batch.links.values()) == ["101", "102"]


def test_who_joins_a_person_at_work_waits_for_the_next_pass(world: World) -> None:
    world.cards("AB")
    assert world.next() == "AB"
    late = world.card("C", email_key="a@acme.example.jp")
    world.queue.refresh()
    assert world.next() is None
    assert not world.desk.in_flight.holds(late.pk)
    world.desk.in_flight.release_all()
    Record.objects.filter(external_id__in="AB").update(due_at=None)
    assert world.queue.start_pass()
    assert world.next() == "AC"


def test_who_joins_a_person_that_waits_joins_its_batch(world: World) -> None:
    world.card("A", email_key="x@acme.example.jp")
    assert world.next(idle=False) is None
    world.card("B", email_key="x@acme.example.jp")
    world.queue.refresh()
    # Still one person, so that the batch is not full.
    assert world.next(idle=False) is None
    assert world.next() == "AB"


def test_who_would_join_two_batches_waits_for_the_next_pass(world: World) -> None:
    world.card("A", "101", email_key="x@acme.example.jp")
    world.card("B", person_key="P2")
    assert world.next(idle=False) is None  # one batch of known people, one of new ones
    world.card("C", email_key="x@acme.example.jp", person_key="P2")
    world.queue.refresh()
    assert world.next() == "B"
    assert world.queue.start_pass()
    assert world.next() == "A"


# What is taken up

# The run that has read the card -> what is counted as read, whose the card is afterwards
TAKEN_UP: dict[str, tuple[dict[str, Any], int | None, int, int | None]] = {
    "an earlier run": ({}, -1, 1, 0),
    "no run": ({}, None, 1, 0),
    "this run": ({}, 0, 0, 0),
    "a preview": ({"kind": "preview"}, -1, 1, -1),
}


@pytest.mark.parametrize(("run", "by", "read", "after"), TAKEN_UP.values(), ids=TAKEN_UP)
def test_what_was_due_before_is_read_by_this_run(
    open_world: Callable[..., World],
    run: dict[str, Any],
    by: int | None,
    read: int,
    after: int | None,
) -> None:
    world = open_world(**run)
    one = world.card("A", run_id=None if by is None else world.desk.run.pk + by)
    assert world.next() == "A"
    one.refresh_from_db()
    world.desk.run.refresh_from_db()
    assert world.desk.run.read == read
    assert (one.run_id or 0) - world.desk.run.pk == after


def test_who_only_comes_along_is_not_read(rule: SyncRule, open_world: Callable[..., World]) -> None:
    other = rows.rule(rule.account, "other", state="active")
    world = open_world()
    world.card("A")
    world.card("B", email_key="a@acme.example.jp", due_at=None)
    world.card("C", email_key="a@acme.example.jp", rule=other)
    assert world.next() == "ABC"
    world.desk.run.refresh_from_db()
    assert world.desk.run.read == 1


def test_a_batch_holds_its_records(world: World) -> None:
    one, two = world.card("A"), world.card("B", email_key="a@acme.example.jp", due_at=None)
    assert world.next() == "AB"
    assert world.desk.in_flight.records == {one.pk, two.pk}


# A preview, which leaves its records due


def test_a_preview_waits_until_every_card_was_read(open_world: Callable[..., World]) -> None:
    world = open_world(kind="preview", read_done=False)
    world.card("A")
    assert not world.queue.open
    world.desk.run.read_done = True
    assert world.queue.open


def test_a_spent_preview_hands_out_what_it_has_fetched_and_no_more(
    open_world: Callable[..., World],
) -> None:
    world = open_world(kind="preview")
    world.cards("ABCDE")
    assert world.next() == "AB"  # of the three that were fetched
    world.stop()
    assert world.queue.open
    assert world.rest() == ["C"]
    assert not world.queue.open


def test_the_next_slice_of_a_preview_goes_on_where_it_stopped(
    open_world: Callable[..., World],
) -> None:
    world = open_world(kind="preview")
    world.cards("ABCDE")
    assert world.next() == "AB"
    world.stop()
    assert world.rest() == ["C"]
    world.queue.leave()
    world.go_on()
    assert world.rest() == ["DE"]


@pytest.mark.parametrize("whose", ["x", "c"], ids=["the first card's", "the last one's"])
def test_a_preview_looks_at_a_person_once(open_world: Callable[..., World], whose: str) -> None:
    world = open_world(kind="preview")
    world.cards("AB", email_key="x@acme.example.jp")
    world.card("C")
    world.card("D", email_key=f"{whose}@acme.example.jp")
    world.card("E")
    # D came along with a card of the first fetch, and is not looked at by itself.
    assert world.next() == "ABCD"
    world.desk.in_flight.release_all()
    assert world.rest() == ["E"]


def test_only_a_preview_notes_how_far_it_has_come(world: World) -> None:
    world.cards("AB")
    assert world.next() == "AB"
    world.queue.leave()
    world.desk.run.refresh_from_db()
    assert world.desk.run.looked_at == 0


# What waits is not piled up


def test_who_must_wait_is_not_fetched_without_end(
    probing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "MOST_WAITING_BATCHES", 1)
    probing.cards("ABCDEFGHIJKL")
    assert probing.rest() == ["AB"]
    assert sum(len(batches) for batches in probing.queue.lanes.values()) == 2
