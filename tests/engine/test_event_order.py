"""HubSpot's events in any order, doubled, late or never: the same final state of both vendors and
of our own books.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.intake.inbox import HeardChange, put_changes
from integration.models import AuditEntry, ContactChange, Link, Record, Side, SyncRule
from integration.planning.normalize import normalize_email
from tests.cast import TOKEN, configured, file, sync
from tests.engine.test_both_ways import person, quiet

pytestmark = pytest.mark.django_db
Events = list[dict[str, Any]]
Told = Callable[[Events], Events]
ORDERS: dict[str, Told] = {
    "as they happened": lambda events: events,
    "backwards": lambda events: events[::-1],
    "shuffled": lambda events: random.Random(3).sample(events, len(events)),
    "shuffled otherwise": lambda events: random.Random(4).sample(events, len(events)),
    "doubled": lambda events: [event for event in events for _ in (0, 1)],
    "doubled and shuffled": lambda events: random.Random(5).sample(events * 2, 2 * len(events)),
    "only the last half": lambda events: events[len(events) // 2 :],
    "not at all": lambda events: [],
}


def heard(event: dict[str, Any]) -> list[HeardChange]:
    """As the webhook reads an event: whom it is about, when, and whether for privacy."""
    at = datetime.fromtimestamp(event["occurredAt"] / 1000, UTC)
    ids = {event["objectId"], event.get("newObjectId"), *event.get("mergedObjectIds", ())} - {None}
    return [
        HeardChange(str(id), at, event["subscriptionType"].endswith("privacyDeletion"))
        for id in sorted(ids)
    ]


class Telling:
    """Passes events on to a rule, in an order of its own."""

    def __init__(self, rule: SyncRule, sandbox: Any, order: Told) -> None:
        self.rule, self.sandbox, self.order, self.taken = (
            rule,
            sandbox,
            order,
            len(sandbox.hubspot.hooks.events(TOKEN)),
        )

    def tell(self, batch: int = 10) -> None:
        events = self.sandbox.hubspot.hooks.events(TOKEN)
        news, self.taken = self.order(events[self.taken :]), len(events)
        for i in range(0, len(news), batch):
            with in_account(self.rule.account):
                put_changes(
                    self.rule.hubspot,
                    [one for event in news[i : i + batch] for one in heard(event)],
                    timezone.now(),
                )
            if i % 3 == 0:
                sync(self.rule)
        sync(self.rule)


def linked(rule: SyncRule) -> list[str]:
    with in_account(rule.account):
        return list(
            Link.objects.filter(gone="")
            .exclude(contact_id="")
            .order_by("pk")
            .values_list("contact_id", flat=True)
        )


def afternoon(sandbox: Any, rule: SyncRule) -> None:
    """What people do in HubSpot, in short: all kinds of things, some of them to the same
    contacts.
    """
    ids = linked(rule)
    for i, id in enumerate(ids[:8]):
        person(
            sandbox,
            "edit",
            id=id,
            properties={"jobtitle": f"edited {i}", "lifecyclestage": "customer"},
        )
    person(sandbox, "edit", id=ids[0], properties={"jobtitle": "edited twice"})
    person(sandbox, "edit", id=ids[1], properties={"email": "moved@contact.example.jp"})
    for i in range(4):
        person(
            sandbox,
            "create",
            properties={
                "email": f"new{i}@contact.example.jp",
                "lastname": f"New{i}",
                "company": "New KK",
            },
        )
    (short,) = person(
        sandbox, "create", properties={"email": "short@contact.example.jp", "lastname": "Short"}
    )
    person(sandbox, "delete", id=short)
    person(sandbox, "delete", id=ids[8])
    person(sandbox, "delete", id=ids[9])
    person(sandbox, "restore", id=ids[9])
    person(sandbox, "edit", id=ids[9], properties={"jobtitle": "restored"})
    person(sandbox, "merge", primary=ids[10], other=ids[11])
    (stray,) = person(
        sandbox, "create", properties={"email": "stray@contact.example.jp", "lastname": "Stray"}
    )
    person(sandbox, "merge", primary=ids[12], other=stray)
    person(sandbox, "purge", id=ids[13])
    (forgotten,) = person(
        sandbox,
        "create",
        properties={"email": "forgotten@contact.example.jp", "lastname": "Forgotten"},
    )
    person(sandbox, "purge", id=forgotten)


def state(sandbox: Any, rule: SyncRule) -> dict[str, Any]:
    """What must not depend on how it was told.

    Ids given out at random are left out, and dates that the sandbox counts from today.
    """
    portal = sandbox.hubspot.portal(TOKEN)
    ours = (
        "sansan_link_id",
        "sansan_card_id",
        "sansan_exchange_date",
        "lastmodifieddate",
        "createdate",
        "hs_object_id",
    )
    names = {id: (card["lastName"], card["email"]) for id, card in sandbox.sansan.cards.items()}
    with in_account(rule.account):
        rows = Record.objects.filter(rule=rule).select_related("link")
        books = {
            (row.side, names.get(row.external_id, row.external_id)): (
                row.bucket,
                row.reason,
                row.link.contact_id if row.link else "",
                row.link.gone if row.link else "",
                row.due_at,
            )
            for row in rows
            if row.bucket != "excluded" or row.side == Side.CARD
        }
        assert (
            not AuditEntry.objects.filter(closed_at__isnull=True).exists()
            and not ContactChange.objects.exists()
        )
    return {
        "contacts": {
            id: {name: value for name, value in one.items() if name not in ours}
            for id, one in portal.contacts.items()
        },
        "cards": sorted(
            (card["lastName"], normalize_email(card["email"] or ""), card["title"] or "")
            for card in sandbox.sansan.cards.values()
        ),
        "books": books,
    }


def told(
    sandbox_of: Any,
    later: Callable[..., None],
    order: Told,
    slug: str = "acme",
    hours: float = 0,
    **rule: Any,
) -> dict[str, Any]:
    sandbox = sandbox_of(30, no_email_percent=0, shared_email_percent=0)
    configured_rule = configured(file(slug, direction="both", **rule))
    sync(configured_rule)
    quiet(configured_rule, sandbox)
    telling = Telling(configured_rule, sandbox, order)
    afternoon(sandbox, configured_rule)
    if hours:
        sync(configured_rule)
        later(hours=hours)
    telling.tell()
    # Polling finds out the rest: the recycle bin is looked into every few minutes, everything once
    # a day; who is missing for a day is forgotten.
    for amount, full in ((6, False), (6, True), (25 * 60, True), (6, False)):
        later(minutes=amount)
        sync(configured_rule, full=full)
    telling.taken = len(sandbox.hubspot.hooks.events(TOKEN))
    quiet(configured_rule, sandbox)
    found = state(sandbox, configured_rule)
    with in_account(configured_rule.account):
        # The next afternoon is another account's, in a portal that says it is the same one.
        SyncRule.objects.update(state=SyncRule.State.PAUSED)
    return found


@pytest.fixture(scope="module")
def known() -> dict[str, dict[str, Any]]:
    """What each test compares with: the same afternoon ends the same way, so it is played once."""
    return {}


@pytest.mark.parametrize("conflict", ["sansan", "hubspot"])
@pytest.mark.parametrize("order", [name for name in ORDERS if name != "as they happened"])
def test_the_order_says_nothing(sandbox_of, time_machine_later, known, order, conflict):
    if conflict not in known:
        known[conflict] = told(
            sandbox_of, time_machine_later, ORDERS["as they happened"], conflict=conflict
        )
    wanted = known[conflict]
    have = told(sandbox_of, time_machine_later, ORDERS[order], "other", conflict=conflict)
    assert have.keys() == wanted.keys()
    for part in wanted:
        assert have[part] == wanted[part], part


@pytest.mark.parametrize("order", ["as they happened", "backwards"])
def test_an_hour_late(sandbox_of, time_machine_later, known, order):
    if "not at all" not in known:
        known["not at all"] = told(sandbox_of, time_machine_later, ORDERS["not at all"])
    wanted = known["not at all"]
    have = told(sandbox_of, time_machine_later, ORDERS[order], "other", hours=1)
    assert have.keys() == wanted.keys()
    for part in wanted:
        assert have[part] == wanted[part], part


def test_an_event_heard_twice_costs_no_entry(sandbox_of):
    sandbox = sandbox_of(10, no_email_percent=0, shared_email_percent=0)
    rule = configured(file(direction="both"))
    sync(rule)
    quiet(rule, sandbox)
    telling = Telling(rule, sandbox, ORDERS["doubled"])
    person(sandbox, "edit", id=linked(rule)[0], properties={"company": "edited"})
    telling.tell()
    with in_account(rule.account):
        assert AuditEntry.objects.filter(reason="contact_differs").count() == 1
    telling.tell()  # our own write comes back
    before = sandbox.hubspot.changes
    with in_account(rule.account):
        entries = AuditEntry.objects.count()
        put_changes(
            rule.hubspot,
            [one for event in sandbox.hubspot.hooks.events(TOKEN) for one in heard(event)],
            timezone.now(),
        )
    sync(rule)
    with in_account(rule.account):
        assert AuditEntry.objects.count() == entries and sandbox.hubspot.changes == before


def test_a_privacy_deletion_is_heard_of_by_webhook_alone(sandbox_of, time_machine_later):
    sandbox = sandbox_of(10, no_email_percent=0, shared_email_percent=0)
    rule = configured(file(direction="both", when_gone="make"))
    sync(rule)
    quiet(rule, sandbox)
    telling = Telling(rule, sandbox, ORDERS["backwards"])
    id = linked(rule)[0]
    person(sandbox, "purge", id=id)
    telling.tell()
    with in_account(rule.account):
        link = Link.objects.get(contact_id=id)
        assert (link.gone, link.written) == ("forgotten", {})
        card = Record.objects.get(link=link, side=Side.CARD)
        assert (card.bucket, card.reason) == ("held", "contact_forgotten")
    sandbox.sansan.change(card.external_id, {"title": "新任"})
    time_machine_later(minutes=6)
    sync(rule, full=True)
    assert len(sandbox.hubspot.portal(TOKEN).contacts) == 9


def test_an_event_of_our_own_write_is_an_echo_however_late(sandbox_of, time_machine_later):
    sandbox = sandbox_of(10, no_email_percent=0, shared_email_percent=0)
    rule = configured(file(direction="both", conflict="hubspot"))
    telling = Telling(rule, sandbox, ORDERS["backwards"])
    sync(rule)
    time_machine_later(hours=2)
    before = sandbox.hubspot.changes
    telling.tell()
    with in_account(rule.account):
        assert sandbox.hubspot.changes == before and not Link.objects.filter(awaiting=True).exists()
        assert set(Link.objects.values_list("echoes", flat=True)) == {1}
