"""Webhooks delivered: HubSpot's sandbox tells a running server, and workers do what is to be
done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from core.tenancy import in_account
from integration.intake.inbox import HeardChange, put_changes
from integration.models import AuditEntry, Connection, Link, Record, Side, SyncRule, SyncRun
from integration.runs import start_run, work_slice
from integration.sandbox.hubspot import delivery
from integration.sandbox.hubspot import webhooks as sender
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected
from tests.engine.test_tasks import work_off
from tests.engine.test_webhooks import APP, PATH, noted

sleep, monotonic = time.sleep, time.monotonic  # before any test takes them away
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}
REAL = pytest.mark.django_db(transaction=True)


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end, "it never came to hold"
        sleep(0.01)


class World:
    """A portal that tells a running server what happens in it."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox, self.url = sandbox, url
        self.working = threading.Lock()
        self.rule: SyncRule

    def begin(self, subscribed: dict[str, Any] | None = None, **rule: Any) -> World:
        """The first sync, its echoes met; from then on changes are heard of."""
        self.rule = configured(file(**{"direction": "both", **rule}))
        sync(self.rule)
        sync(self.rule)
        self.act(
            "webhooks",
            url=f"{self.url}{PATH}",
            secret=APP,
            retry_seconds=0.05,
            **(subscribed or {}),
        )
        return self

    def act(self, verb: str, **args: Any) -> Any:
        return self.sandbox.hubspot.control(verb, {"token": TOKEN, **args})

    def settle(self, most: int = 6) -> int:
        """Until nothing comes any more and nothing is left to do; how many rounds it took."""
        for n in range(most):
            until(lambda: self.sandbox.hubspot.hooks.pending(TOKEN) == 0)
            if not OrmQ.objects.exists():
                return n
            with self.working:
                work_off()
        raise AssertionError("it does not come to rest")

    def sync(self, **how: bool) -> SyncRun:
        with self.working:
            return sync(self.rule, **how)

    @property
    def portal(self) -> Portal:
        return self.sandbox.hubspot.portal(TOKEN)

    def contact(self, id: str) -> dict[str, str]:
        present = self.portal.find(id)
        assert present, f"no contact {id}"
        return self.portal.contacts[present]

    def links(self) -> list[Link]:
        with in_account(self.rule.account):
            return list(Link.objects.exclude(contact_id="").order_by("pk"))

    def titled(self) -> Link:
        """One whose card has a title and a company."""
        return next(
            link
            for link in self.links()
            if link.written.get("jobtitle") and link.written.get("company")
        )

    def link(self, pk: int) -> Link:
        with in_account(self.rule.account):
            return Link.objects.get(pk=pk)

    def cards_of(self, link: Link) -> list[Record]:
        with in_account(self.rule.account):
            return list(Record.objects.filter(link_id=link.pk, side=Side.CARD).order_by("pk"))

    def entries(self, **which: Any) -> list[AuditEntry]:
        with in_account(self.rule.account):
            return list(AuditEntry.objects.filter(**which).order_by("pk"))

    def cards(self) -> list[dict[str, Any]]:
        return list(self.sandbox.sansan.cards.values())

    @property
    def true(self) -> bool:
        return contacts_of(self.sandbox, TOKEN) == expected(self.cards())


@pytest.fixture
def world(live_server: Any, sandbox_of: Any, monkeypatch: Any, settings: Any) -> Any:
    settings.HUBSPOT_CLIENT_SECRET, settings.PUBLIC_URL = APP, ""
    monkeypatch.setattr(sender, "time", SimpleNamespace(sleep=sleep, monotonic=monotonic))
    world, post = World(sandbox_of(12, **PLAIN), live_server.url), delivery.post_events

    def in_turn(*request: Any) -> int:
        """Server and workers share a connection to SQLite's memory here, so that nothing is
        delivered while a task is worked off.
        """
        with world.working:
            return post(*request)

    monkeypatch.setattr(delivery, "post_events", in_turn)
    yield world
    world.act("webhooks", url=None)
    with world.working:
        forget_entries()


def forget_entries() -> None:
    """The database itself keeps the entries, from the flush after a test, too."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = "
            "'integration_auditentry'"
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        cursor.execute("DELETE FROM integration_auditentry")
        for _, sql in triggers:
            cursor.execute(sql)


@REAL
def test_an_edit_is_put_right(world):
    world.begin()
    link = world.titled()
    world.act(
        "edit", id=link.contact_id, properties={"jobtitle": "edited", "company": "edited, too"}
    )
    assert not world.true
    world.settle()
    assert world.true
    (entry,) = world.entries(reason="contact_differs")
    assert entry.run.trigger == "webhook" and set(entry.clashes) == {"jobtitle", "company"}
    assert noted() == [], "the inbox is empty again"
    assert world.link(link.pk).clashes["jobtitle"][2] == "sansan"


@REAL
def test_what_we_write_comes_back_and_is_nothing_new(world):
    world.begin()
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    world.settle()
    before, entries = world.sandbox.hubspot.changes, len(world.entries())
    world.sync()
    world.settle()
    assert (world.sandbox.hubspot.changes, len(world.entries())) == (before, entries)
    assert not world.link(link.pk).awaiting


@REAL
def test_a_card_that_changed_is_written_once_though_every_property_comes_back(world):
    world.begin()
    world.sandbox.sansan.churn(50)
    world.sync()
    written = world.sandbox.hubspot.changes
    world.settle()
    assert world.true and world.sandbox.hubspot.changes == written
    assert noted() == []


@REAL
def test_doubled_shuffled_and_refused_at_first(world, settings):
    world.begin({"duplicates": 1.0, "shuffle": True})
    settings.HUBSPOT_CLIENT_SECRET = "not yet the right one"
    for n, link in enumerate(world.links()):
        world.act("edit", id=link.contact_id, properties={"lastname": f"edited {n}"})
    until(lambda: any(status == 401 for status, _ in world.sandbox.hubspot.hooks.deliveries))
    settings.HUBSPOT_CLIENT_SECRET = APP
    world.settle()
    assert world.true and noted() == []
    assert len(world.entries(reason="contact_differs")) == len(world.links())


@REAL
@pytest.mark.parametrize(
    ("how", "kept", "bucket"),
    [("hubspot", "edited", "linked"), ("hold", "edited", "held"), ("newest", "edited", "linked")],
)
def test_an_edit_that_the_rule_keeps(world, how, kept, bucket):
    world.begin(conflict=how)
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    before = world.sandbox.hubspot.changes
    world.settle()
    assert (world.contact(link.contact_id)["jobtitle"], world.sandbox.hubspot.changes) == (
        kept,
        before,
    )
    assert [record.bucket for record in world.cards_of(link)] == [bucket]
    assert world.link(link.pk).clashes["jobtitle"][1:3] == [
        "edited",
        "hold" if how == "hold" else "hubspot",
    ]


@REAL
def test_a_person_chooses_and_the_contact_follows(world):
    world.begin(conflict="hold")
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    world.settle()
    link = world.link(link.pk)
    card, theirs = link.clashes["jobtitle"][:2]
    with in_account(world.rule.account):
        Link.objects.filter(pk=link.pk).update(
            choices={
                "jobtitle": {
                    "side": "sansan",
                    "card": card,
                    "contact": theirs,
                    "by": "aiko",
                    "at": "",
                }
            }
        )
        Record.objects.filter(link=link).update(due_at=timezone.now())
    world.sync()
    assert world.true and [record.bucket for record in world.cards_of(link)] == ["linked"]
    sync_again = world.sandbox.hubspot.changes
    world.settle()
    assert world.sandbox.hubspot.changes == sync_again


@REAL
def test_a_property_that_nobody_maps_concerns_nobody(world):
    """HubSpot's people and machines move much that we neither read nor write."""
    world.begin()
    link = world.links()[0]
    world.act("edit", id=link.contact_id, properties={"lifecyclestage": "customer"})
    until(lambda: world.sandbox.hubspot.hooks.pending(TOKEN) == 0)
    world.sandbox.reset_calls()
    world.settle()
    assert noted() == []
    reads = {call: n for call, n in world.sandbox.calls["by_call"].items() if "batch" in call}
    assert sum(reads.values()) == 1, (
        "the contact is looked at, and its people are not planned again"
    )


@REAL
def test_a_contact_that_is_made_becomes_a_card(world):
    world.begin()
    (id,) = world.act(
        "create",
        properties={
            "email": "dan@delta.example.jp",
            "firstname": "Dan",
            "lastname": "Delta",
            "company": "Delta KK",
        },
    )
    world.settle()
    (card,) = [card for card in world.cards() if card["email"] == "dan@delta.example.jp"]
    assert (card["lastName"], card["companyName"]) == ("Delta", "Delta KK")
    with in_account(world.rule.account):
        assert Link.objects.get(contact_id=id)


@REAL
def test_a_deletion_is_told_and_a_restore_takes_it_back(world):
    world.begin()
    link = world.links()[0]
    world.act("delete", id=link.contact_id)
    world.settle()
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [
        ("held", "contact_gone")
    ]
    assert world.link(link.pk).gone == "deleted" and world.link(link.pk).written
    world.act("restore", id=link.contact_id)
    world.settle()
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [
        ("linked", "in_sync")
    ]
    assert world.link(link.pk).gone == "" and world.true


@REAL
def test_a_card_that_changed_meanwhile_reaches_the_restored_contact(world):
    world.begin()
    link = world.links()[0]
    world.act("delete", id=link.contact_id)
    world.settle()
    (record,) = world.cards_of(link)
    world.sandbox.sansan.change(record.external_id, {"title": "new title"})
    world.sync()
    assert world.portal.find(link.contact_id) is None
    world.act("restore", id=link.contact_id)
    world.settle()
    assert world.contact(link.contact_id)["jobtitle"] == "new title" and world.true


@REAL
def test_a_deleted_contact_is_made_again_once_where_the_rule_says_so(world):
    world.begin(when_gone="make")
    link, count = world.links()[0], len(world.portal.contacts)
    world.act("delete", id=link.contact_id)
    world.settle()
    assert len(world.portal.contacts) == count and world.true
    world.sync()
    assert len(world.portal.contacts) == count


@REAL
@pytest.mark.parametrize("when", ["tell", "make"])
@pytest.mark.parametrize("binned", [False, True], ids=["at once", "from the recycle bin"])
def test_a_deletion_for_privacy_is_for_ever(world, when, binned):
    world.begin(when_gone=when)
    link, count = world.links()[0], len(world.portal.contacts)
    if binned:
        world.act("webhooks", url=None)
        world.act("delete", id=link.contact_id)
        world.act("webhooks", url=f"{world.url}{PATH}", secret=APP)
    world.act("purge", id=link.contact_id)
    world.settle()
    gone = world.link(link.pk)
    assert (gone.gone, gone.written, gone.answered, gone.clashes, gone.choices) == (
        "forgotten",
        {},
        {},
        {},
        {},
    )
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [
        ("held", "contact_forgotten")
    ]
    (record,) = world.cards_of(link)
    world.sandbox.sansan.change(record.external_id, {"title": "new title"})
    world.sync()
    world.sync(full=True)
    assert len(world.portal.contacts) == count - 1, "never made again"
    assert world.link(link.pk).gone == "forgotten" and world.link(link.pk).written == {}
    assert [(record.bucket, record.reason) for record in world.cards_of(link)] == [
        ("held", "contact_forgotten")
    ]


@REAL
def test_a_deletion_for_privacy_that_is_told_too_early_is_not_forgotten(world):
    """HubSpot promises no order: the event may come while the contact can still be read."""
    world.begin(when_gone="make")
    link, count = world.links()[0], len(world.portal.contacts)
    world.act("webhooks", url=None)
    with in_account(world.rule.account):
        put_changes(
            world.rule.hubspot, [HeardChange(link.contact_id, timezone.now(), True)], timezone.now()
        )
    world.sync()
    world.act("purge", id=link.contact_id)
    world.sync(full=True)
    gone = world.link(link.pk)
    assert (gone.gone, gone.written) == ("forgotten", {}) and len(
        world.portal.contacts
    ) == count - 1


@REAL
def test_how_long_a_contact_took_that_is_made_again_is_told_from_its_deletion(
    world, time_machine_later
):
    """And not from when it had last been edited, which may be years ago.

    Without webhooks: the recycle bin is looked through.
    """
    world.begin(when_gone="make")
    world.act("webhooks", url=None)
    link = world.links()[0]
    world.act("stamp", at=(timezone.now() - timedelta(days=400)).isoformat(), ids=[link.contact_id])
    with in_account(world.rule.account):
        Record.objects.filter(link=link).update(changed_at=timezone.now() - timedelta(days=400))
    world.act("delete", id=link.contact_id)
    time_machine_later(minutes=6)
    run = world.sync()
    (entry,) = world.entries(run=run, decision="create")
    assert entry.changed_at > timezone.now() - timedelta(hours=1)


@REAL
@pytest.mark.parametrize("keeps", [False, True], ids=["a third record", "the primary stays"])
@pytest.mark.parametrize("first", [0, 1], ids=["into the older", "into the newer"])
def test_a_merge_makes_one_person_of_two(world, keeps, first):
    world.sandbox.hubspot.switches["merge_keeps_primary"] = keeps
    world.begin()
    one, other = world.links()[first], world.links()[1 - first]
    id = world.act("merge", primary=one.contact_id, other=other.contact_id)
    world.settle()
    links = {link.pk: (link.contact_id, link.gone) for link in world.links()}
    assert sorted((links[one.pk], links[other.pk])) == sorted(
        [(id, ""), (links[other.pk][0] if links[one.pk][0] == id else links[one.pk][0], "merged")]
    )
    (left,) = [link for link in (one, other) if links[link.pk][1] == ""]
    assert len(world.cards_of(left)) == 2
    assert {record.bucket for record in world.cards_of(left)} == {"linked", "merged"}
    assert world.contact(id)["sansan_link_id"] == str(left.key)
    assert len(world.entries(reason="contact_merged")) == 1, (
        "told once, however many ids the event names"
    )


@REAL
@pytest.mark.parametrize("keeps", [False, True], ids=["a third record", "the primary stays"])
def test_after_a_merge_all_comes_to_rest(world, keeps):
    world.sandbox.hubspot.switches["merge_keeps_primary"] = keeps
    world.begin()
    one, other = world.links()[:2]
    id = world.act("merge", primary=one.contact_id, other=other.contact_id)
    world.settle()
    world.sync()
    world.settle()
    before, entries = world.sandbox.hubspot.changes, len(world.entries())
    world.act("edit", id=id, properties={"lifecyclestage": "customer"})
    world.settle()
    world.sync()
    assert world.sandbox.hubspot.changes == before + 1
    assert [entry.reason for entry in world.entries()[entries:]] == [], (
        "nothing that is ours has changed"
    )


@REAL
@pytest.mark.parametrize("keeps", [False, True], ids=["a third record", "the primary stays"])
def test_a_merge_with_a_stranger_keeps_the_link(world, keeps):
    """The linked contact is the one that disappears into the other."""
    world.sandbox.hubspot.switches["merge_keeps_primary"] = keeps
    world.begin(direction="to_hubspot")
    link = world.links()[0]
    (stranger,) = world.act(
        "create", properties={"email": "stranger@delta.example.jp", "lastname": "Stranger"}
    )
    id = world.act("merge", primary=stranger, other=link.contact_id)
    world.settle()
    link = world.link(link.pk)
    assert (link.contact_id, link.gone) == (id, "")
    assert [record.bucket for record in world.cards_of(link)] == ["linked"]
    contact = world.contact(id)
    assert contact["sansan_link_id"] == str(link.key)
    # Which of its addresses is the primary one is HubSpot's to say.
    assert contact["email"] == "stranger@delta.example.jp"
    (mine,) = world.cards_of(link)
    assert contact["hs_additional_emails"] == mine.email_key
    assert contact["lastname"] == mine.values["lastName"]


@REAL
def test_a_secondary_address_is_the_same_person(world):
    """A second address comes in by a merge in HubSpot; a card that carries it makes no second
    contact.
    """
    world.begin(direction="to_hubspot")
    link = world.titled()
    (stranger,) = world.act(
        "create", properties={"email": "second@delta.example.jp", "lastname": "Stranger"}
    )
    world.act("merge", primary=link.contact_id, other=stranger)
    world.settle()
    count = len(world.portal.contacts)
    (mine,) = world.cards_of(link)
    named = {
        name: world.sandbox.sansan.cards[mine.external_id][name]
        for name in ("lastName", "firstName", "companyName")
    }
    card = world.sandbox.sansan.add(
        {**named, "email": "second@delta.example.jp", "exchangeDate": "2020-01-01"}
    )
    world.sync()
    world.sync()
    assert len(world.portal.contacts) == count
    with in_account(world.rule.account):
        assert Record.objects.get(external_id=card["id"], side=Side.CARD).link_id == link.pk
    world.act("edit", id=world.link(link.pk).contact_id, properties={"jobtitle": "edited"})
    world.settle()
    assert world.contact(link.contact_id).get("jobtitle") != "edited"


@REAL
def test_many_contacts_of_one_time_do_not_stop_a_small_slice(world: World):
    """HubSpot's own jobs stamp thousands at once: slice after slice, the question gets through them
    all.
    """
    world.begin(direction="to_hubspot")
    world.act("webhooks", url=None)
    with in_account(world.rule.account):
        Connection.objects.filter(pk=world.rule.hubspot_id).update(heard_at=None)
    world.act("create", contacts=[{"lastname": f"n{i}"} for i in range(900)])
    made = [
        id
        for id, one in world.portal.contacts.items()
        if one.get("lastname", "").startswith("n") and "sansan_link_id" not in one
    ]
    moment = timezone.now()
    world.act("stamp", at=moment.isoformat(), ids=made)
    link = world.titled()
    world.act("edit", id=link.contact_id, properties={"jobtitle": "edited"})
    world.act("stamp", at=(moment + timedelta(milliseconds=5)).isoformat(), ids=[link.contact_id])

    def searches() -> int:
        return sum(
            n
            for call, n in world.sandbox.calls["by_call"].items()
            if "search" in call and "hubspot" in call
        )

    def put_right() -> bool:
        return world.contact(link.contact_id)["jobtitle"] != "edited"

    def after_three_searches() -> Callable[[], bool]:
        before = searches()
        return lambda: searches() - before >= 3

    ended: list[bool] = []
    with in_account(world.rule.account):
        while not put_right() and len(ended) < 12:
            run = start_run(world.rule, SyncRun.Trigger.COMMAND, "test")
            ended.append(work_slice(run.pk, 60.0, after_three_searches()).done)
    assert put_right() and ended.count(False) >= 2, ended
