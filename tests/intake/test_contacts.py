"""What changes in HubSpot mean for our people, and what becomes of their cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.tenancy import in_account
from integration.intake.contacts import Meaning, apply_contact_changes, find_meaning
from integration.models import AuditEntry, Link, Record, SyncRule
from integration.notes import read_parameter
from integration.records import ContactRead
from integration.slice.desk import Desk
from tests.core import rows
from tests.desk import at_desk
from tests.intake.conftest import NOW

BEFORE, THEN, AFTER, TOLD = (NOW - timedelta(hours=hours) for hours in (4, 3, 2, 1))
A, B = "aiko@acme.example.jp", "a.mori@acme.example.jp"


def read(id: str = "101", email: str = A, at: datetime | None = AFTER, **more: Any) -> ContactRead:
    """A contact as HubSpot has it now."""
    return ContactRead(id, {"email": email}, at, **more)


def link(desk: Desk, contact_id: str = "101", **values: Any) -> Link:
    """A person whose contact got its address from us, at ``THEN``."""
    known = {"written": {"email": A}, "modified_at": THEN, **values}
    return Link.objects.create(
        account=desk.rule.account,
        **{"hubspot": desk.rule.hubspot, "contact_id": contact_id, **known},
    )


# What a contact is to us


@dataclass(frozen=True)
class Told:
    """What a page of contacts means, by the ids of the contacts."""

    strangers: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    met: tuple[str, ...] = ()
    echoed: tuple[str, ...] = ()
    merged: tuple[tuple[str, tuple[str, ...]], ...] = ()
    edited: Mapping[str, datetime] | None = None


def tell(meaning: Meaning) -> Told:
    """Links by the contact that they had."""
    had = dict(Link.objects.values_list("pk", "contact_id"))
    return Told(
        strangers=tuple(contact.id for contact in meaning.strangers),
        changed=tuple(contact.id for contact in meaning.changed),
        met=tuple(had[each.id] for each in meaning.met),
        echoed=tuple(each.contact_id for each in meaning.echoed),
        merged=tuple(
            (contact.id, tuple(each.contact_id for each in own)) for contact, own in meaning.merged
        ),
        edited={had[pk]: when for pk, when in meaning.edited.items()} or None,
    )


Links = dict[str, dict[str, Any]]
ONE: Links = {"101": {}}
OURS: Links = {"101": {"awaiting": True}}
TWO: Links = {"101": {}, "102": {}}


def edit(id: str = "101", when: datetime = AFTER) -> Told:
    return Told(changed=(id,), met=(id,), edited={id: when})


def merge(id: str, *had: str, when: datetime = AFTER) -> Told:
    return Told(changed=(id,), merged=((id, had),), edited={had[0]: when})


# Links by their contacts, the contacts of the page -> what they mean
MEANINGS: dict[str, tuple[Links, tuple[ContactRead, ...], Told]] = {
    "nothing": (ONE, (), Told()),
    "nobody knows it": ({}, (read(),), Told(strangers=("101",))),
    "another one is known": (ONE, (read("102"),), Told(strangers=("102",))),
    # One contact of ours.
    "known already": (ONE, (read(at=THEN),), Told()),
    "from before our write": (OURS, (read(email=B, at=BEFORE),), Told()),
    "nothing of ours": (ONE, (read(),), Told(met=("101",))),
    "our echo": (OURS, (read(at=THEN),), Told(met=("101",), echoed=("101",))),
    "our echo, later": (OURS, (read(),), Told(met=("101",), echoed=("101",))),
    "an edit": (ONE, (read(email=B),), edit()),
    "blanked": (ONE, (read(email=""),), edit()),
    "an edit over our write": (
        OURS,
        (read(email=B, at=THEN),),
        replace(edit(when=THEN), echoed=("101",)),
    ),
    "an edit before we met our echo": (OURS, (read(email=B),), edit()),
    "HubSpot does not say when": (ONE, (read(email=B, at=None),), edit(when=NOW)),
    "deleted, and there again": ({"101": {"gone": "deleted"}}, (read(at=THEN),), edit(when=THEN)),
    "missed, and there again": ({"101": {"gone": "missing"}}, (read(),), edit()),
    # Merges.
    "merged under a new id": (TWO, (read("201", was=("101", "102")),), merge("201", "101", "102")),
    "merged, in the other order": (
        TWO,
        (read("201", was=("102", "101")),),
        merge("201", "102", "101"),
    ),
    "merged into one of ours": (TWO, (read("101", was=("102",)),), merge("101", "101", "102")),
    "merged into a stranger": (ONE, (read("201", was=("101",)),), merge("201", "101")),
    "merged with a stranger, under a new id": (
        ONE,
        (read("201", was=("999", "101")),),
        merge("201", "101"),
    ),
    "a stranger is merged into ours": (ONE, (read("101", was=("999",)),), Told(met=("101",))),
    "an edit after a stranger was merged into ours": (
        ONE,
        (read("101", email=B, was=("999",)),),
        edit(),
    ),
    "a merge that is known": (
        {"101": {}, "102": {"gone": "merged"}},
        (read("101", was=("102",)),),
        Told(met=("101",)),
    ),
    "merged with one that was deleted": (
        {"101": {}, "102": {"gone": "deleted"}},
        (read("101", was=("102",)),),
        merge("101", "101", "102"),
    ),
    "merged, and not known any more": (
        {"102": {"gone": "merged"}},
        (read("102"),),
        Told(strangers=("102",)),
    ),
    "strangers are merged": (ONE, (read("201", was=("998", "999")),), Told(strangers=("201",))),
    # Several of them.
    "the same twice": (ONE, (read(email=B), read(email=B)), edit()),
    "the same stranger twice": ({}, (read(), read()), Told(strangers=("101",))),
    "the last reading counts": (ONE, (read(email=B), read(email=A)), Told(met=("101",))),
    "each by itself": (
        {"101": {"awaiting": True}, "102": {}},
        (read("102", email=B), read("103"), read("101")),
        Told(
            strangers=("103",),
            changed=("102",),
            met=("102", "101"),
            echoed=("101",),
            edited={"102": AFTER},
        ),
    ),
}


@pytest.mark.parametrize(("links", "contacts", "told"), MEANINGS.values(), ids=MEANINGS)
def test_what_contacts_are_to_us(
    desk: Desk, links: Links, contacts: tuple[ContactRead, ...], told: Told
) -> None:
    for contact_id, values in links.items():
        link(desk, contact_id, **values)
    assert tell(find_meaning(desk, contacts, {})) == told


# The contact -> when its person's contact changed, where HubSpot's event said so
WHEN = {
    "an edit": (read(email=B), {"101": TOLD}, TOLD),
    "a merge": (read("201", was=("101",)), {"201": TOLD}, TOLD),
    "of another contact": (read(email=B), {"102": TOLD}, AFTER),
    "by the id that it had": (read("201", was=("101",)), {"101": TOLD}, AFTER),
}


@pytest.mark.parametrize(("contact", "at", "when"), WHEN.values(), ids=WHEN)
def test_the_event_knows_best_when(
    desk: Desk, contact: ContactRead, at: dict[str, datetime], when: datetime
) -> None:
    one = link(desk)
    assert find_meaning(desk, [contact], at).edited == {one.pk: when}


def test_a_link_of_another_portal_is_not_met(desk: Desk) -> None:
    link(desk, hubspot=rows.connection(desk.rule.account, slug="another-portal"))
    assert tell(find_meaning(desk, [read(email=B)], {})) == Told(strangers=("101",))


def test_what_is_noted_of_a_contact_that_was_met(desk: Desk) -> None:
    one = link(desk, awaiting=True, echoes=3, echo_at=BEFORE)
    (met,) = find_meaning(desk, [read()], {}).met
    assert met == (one.pk, AFTER, False, 4, NOW)


def test_an_edit_is_no_echo(desk: Desk) -> None:
    one = link(desk, echoes=3, echo_at=BEFORE)
    (met,) = find_meaning(desk, [read(email=B)], {}).met
    assert met == (one.pk, AFTER, False, 3, BEFORE)


def test_finding_the_meaning_writes_nothing(
    desk: Desk, django_assert_num_queries: Callable[[int], Any]
) -> None:
    link(desk, awaiting=True)
    with django_assert_num_queries(1) as asked:
        find_meaning(desk, [read(), read("102")], {})
    assert asked.captured_queries[0]["sql"].startswith("SELECT")


# What becomes of the cards


def card(desk: Desk, of: Link | None = None, id: str = "C1", **values: Any) -> Record:
    return rows.record(values.pop("rule", desk.rule), id, link=of, **values)


def prompted(record: Record) -> tuple[datetime | None, datetime | None, int | None]:
    """When it is due, when its contact changed, and by which run it was read."""
    record.refresh_from_db()
    return record.due_at, record.prompted_at, record.run_id


@pytest.mark.parametrize(
    ("due_at", "run_id"), [(None, None), (BEFORE, 77)], ids=["settled", "read, and not settled yet"]
)
def test_after_an_edit_the_persons_cards_are_due(
    desk: Desk, due_at: datetime | None, run_id: int | None
) -> None:
    one = card(desk, link(desk), due_at=due_at, run_id=77)
    apply_contact_changes(desk, [read(email=B)])
    assert prompted(one) == (NOW, AFTER, run_id)


def test_all_cards_of_the_person_are_due(desk: Desk) -> None:
    hers = link(desk)
    cards = [card(desk, hers), card(desk, hers, "C2", bucket="merged")]
    apply_contact_changes(desk, [read(email=B)], {"101": TOLD})
    assert [prompted(each) for each in cards] == [(NOW, TOLD, None)] * 2


UNTOUCHED: dict[str, tuple[dict[str, Any], ContactRead]] = {
    "an echo": ({"awaiting": True}, read()),
    "known already": ({}, read(at=THEN)),
    "nothing of ours": ({}, read()),
    "an edit of somebody else": ({}, read("102", email=B)),
}


@pytest.mark.parametrize(("held", "contact"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_nothing_else_makes_a_card_due(
    desk: Desk, held: dict[str, Any], contact: ContactRead
) -> None:
    one = card(desk, link(desk, **held))
    apply_contact_changes(desk, [contact])
    assert prompted(one) == (None, None, None)


# The rule that a card is of -> whether it is due after an edit
DIRECTIONS = {
    "cards drive contacts": ("to_hubspot", "card", True),
    "both ways": ("both", "card", True),
    "contacts become cards": ("to_sansan", "card", False),
    "the contact's own record": ("both", "contact", False),
}


@pytest.mark.parametrize(("direction", "side", "due"), DIRECTIONS.values(), ids=DIRECTIONS)
def test_cards_of_any_rule_that_drives_the_contact_are_due(
    desk: Desk, direction: str, side: str, due: bool
) -> None:
    other = rows.rule(desk.rule.account, "other", direction=direction)
    one = card(desk, link(desk), rule=other, side=side)
    apply_contact_changes(desk, [read(email=B)])
    assert prompted(one)[0] == (NOW if due else None)


def test_the_batch_at_work_learns_of_an_edit(desk: Desk) -> None:
    edited, calm = card(desk, link(desk)), card(desk, link(desk, "102"), "C2")
    desk.in_flight.take_up([edited.pk, calm.pk])
    apply_contact_changes(desk, [read(email=B), read("102")])
    assert desk.in_flight.touched == {edited.pk}


def test_a_second_telling_says_nothing(desk: Desk) -> None:
    one = card(desk, link(desk))
    apply_contact_changes(desk, [read(email=B)])
    Record.objects.update(due_at=None)
    apply_contact_changes(desk, [read(email=B)])
    assert prompted(one)[0] is None


def test_what_is_stored_of_a_contact_that_was_met(desk: Desk) -> None:
    one = link(desk, awaiting=True)
    apply_contact_changes(desk, [read()])
    one.refresh_from_db()
    assert (one.modified_at, one.awaiting, one.echoes, one.echo_at) == (AFTER, False, 1, NOW)


def test_echoes_are_counted_once(desk: Desk) -> None:
    link(desk, awaiting=True)
    link(desk, "102", awaiting=True)
    link(desk, "104")
    contacts = [read(), read("102"), read("103"), read("104", email=B)]
    apply_contact_changes(desk, contacts)
    apply_contact_changes(desk, contacts)
    desk.run.refresh_from_db()
    assert desk.run.echoes == 2


def test_nobody_changed(desk: Desk) -> None:
    one = card(desk, link(desk, awaiting=True))
    apply_contact_changes(desk, [])
    assert prompted(one) == (None, None, None)


# Merges


def test_merged_people_are_one_person(desk: Desk) -> None:
    first, second = link(desk), link(desk, "102")
    cards = [card(desk, first), card(desk, second, "C2")]
    apply_contact_changes(desk, [read("201", was=("101", "102"))])
    for each in (first, second):
        each.refresh_from_db()
    assert (first.contact_id, first.gone) == ("201", "")
    assert (second.contact_id, second.gone, second.gone_at) == ("102", "merged", NOW)
    assert [prompted(each)[:2] for each in cards] == [(NOW, AFTER)] * 2
    assert {each.link_id for each in cards} == {first.pk}


# The merge -> the ids that are told
MERGES = {
    "under a new id": (read("201", was=("101", "102")), "101, 102", "201"),
    "into one of ours": (read("101", was=("102",)), "102", "101"),
    "into the other": (read("102", was=("101",)), "101", "102"),
}


@pytest.mark.parametrize(("contact", "old", "new"), MERGES.values(), ids=MERGES)
def test_a_merge_is_told(desk: Desk, contact: ContactRead, old: str, new: str) -> None:
    card(desk, link(desk))
    card(desk, link(desk, "102"), "C2")
    apply_contact_changes(desk, [contact])
    (entry,) = AuditEntry.objects.all()
    assert (entry.reason, entry.contact_id) == ("contact_merged", new)
    assert [read_parameter(entry.detail, name) for name in ("old", "new")] == [old, new]


def test_a_merge_is_told_once(desk: Desk) -> None:
    card(desk, link(desk))
    card(desk, link(desk, "102"), "C2")
    for _ in range(3):
        apply_contact_changes(desk, [read("201", was=("101", "102"))])
    assert AuditEntry.objects.count() == 1


# Contacts that nobody knows


def test_a_stranger_wakes_the_cards_that_wait_for_its_address(desk: Desk) -> None:
    hers = card(desk, None, "C1", email_key=A, bucket="held")
    his = card(desk, None, "C2", email_key="ben@acme.example.jp", bucket="held")
    apply_contact_changes(desk, [read("900", addresses=("Aiko@Acme.example.jp",))])
    assert (prompted(hers)[0], prompted(his)[0]) == (NOW, None)


def test_a_contact_that_gave_an_address_up_or_took_one_wakes_cards_too(desk: Desk) -> None:
    link(desk)
    waiting = card(desk, None, "C2", email_key=B, bucket="held")
    apply_contact_changes(desk, [read(email=B, addresses=(B,))])
    assert prompted(waiting)[0] == NOW


def test_an_echo_wakes_nobody(desk: Desk) -> None:
    link(desk, awaiting=True)
    waiting = card(desk, None, "C2", email_key=A, bucket="held")
    apply_contact_changes(desk, [read(addresses=(A,))])
    assert prompted(waiting)[0] is None


# The rule's direction -> the contacts that may become cards
CANDIDATES: dict[str, tuple[str, list[str]]] = {
    "cards drive contacts": ("to_hubspot", []),
    "both ways": ("both", ["900"]),
    "contacts become cards": ("to_sansan", ["900"]),
}


@pytest.mark.parametrize(("direction", "candidates"), CANDIDATES.values(), ids=CANDIDATES)
def test_a_stranger_may_become_a_card(
    rule: SyncRule, direction: str, candidates: list[str]
) -> None:
    with in_account(rule.account):
        rule.direction = direction
        rule.save()
    with at_desk(rule) as desk:
        link(desk)
        apply_contact_changes(desk, [read(email=B), read("900")])
        found = Record.objects.filter(side="contact", due_at=NOW)
        assert list(found.values_list("external_id", flat=True)) == candidates
