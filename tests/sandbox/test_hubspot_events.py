"""What HubSpot's half has to tell apps of its contacts: which events, by whom, with which
members.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller, Clock

Verb = Callable[..., Any]


def told(both: Sandbox, token: str) -> list[tuple[Any, ...]]:
    """(kind, object, property, value, who) of every event."""
    names = ("subscriptionType", "objectId", "propertyName", "propertyValue", "changeSource")
    return [tuple(event.get(name) for name in names) for event in both.hubspot.hooks.events(token)]


def test_people_and_apps_are_told_apart(
    both: Sandbox, token: str, hubspot: Caller, act: Verb
) -> None:
    (mine,) = act("create", contacts=[{"email": "aiko@example.jp", "firstname": "Aiko"}])
    act("edit", id=mine, properties={"firstname": "愛子", "jobtitle": "部長", "lastname": ""})
    theirs = hubspot("POST", "", {"properties": {"email": "ben@example.jp"}}).json()["id"]
    hubspot("PATCH", theirs, {"properties": {"email": "BEN@example.jp", "firstname": "Ben"}})
    hubspot("PATCH", theirs, {"properties": {"firstname": "Ben"}})
    hubspot("PATCH", theirs, {"properties": {"firstname": ""}})
    assert told(both, token) == [
        ("contact.creation", int(mine), None, None, "CRM_UI"),
        ("contact.propertyChange", int(mine), "firstname", "愛子", "CRM_UI"),
        ("contact.propertyChange", int(mine), "jobtitle", "部長", "CRM_UI"),
        ("contact.creation", int(theirs), None, None, "INTEGRATION"),
        ("contact.propertyChange", int(theirs), "firstname", "Ben", "INTEGRATION"),
        ("contact.propertyChange", int(theirs), "firstname", "", "INTEGRATION"),
    ]
    assert both.hubspot.hooks.pending(token) == 0, "nobody subscribed"


def test_deletions_restores_and_deletions_for_privacy(
    both: Sandbox, token: str, hubspot: Caller, act: Verb, make: Verb
) -> None:
    aiko, ben, chie = (make(firstname=name) for name in ("Aiko", "Ben", "Chie"))
    before = len(told(both, token))
    act("delete", id=aiko), act("restore", id=aiko), act("purge", id=aiko)
    hubspot("DELETE", ben), act("purge", id=ben)
    hubspot("POST", "gdpr-delete", {"objectId": chie})
    assert [
        (kind.removeprefix("contact."), str(id), who)
        for kind, id, _, _, who in told(both, token)[before:]
    ] == [
        ("deletion", aiko, "CRM_UI"),
        ("restore", aiko, "CRM_UI"),
        ("deletion", aiko, "CRM_UI"),
        ("privacyDeletion", aiko, "CRM_UI"),
        ("deletion", ben, "INTEGRATION"),
        ("privacyDeletion", ben, "CRM_UI"),
        ("deletion", chie, "INTEGRATION"),
        ("privacyDeletion", chie, "INTEGRATION"),
    ]
    assert act("contacts") == [], "nothing is left, in the recycle bin neither"


def test_no_restore_takes_an_address_away(
    both: Sandbox, token: str, control: Caller, hubspot: Caller, make: Verb
) -> None:
    old = make(email="aiko@example.jp")
    hubspot("DELETE", old)
    new = make(email="aiko@example.jp")
    assert control("POST", "hubspot/restore", {"token": token, "id": old}).status_code == 409
    assert hubspot("GET", "aiko@example.jp", idProperty="email").json()["id"] == new


@pytest.mark.parametrize("keeps", [False, True])
def test_a_merge_is_one_event_of_its_own(
    both: Sandbox, token: str, act: Verb, make: Verb, keeps: bool
) -> None:
    both.hubspot.switches["merge_keeps_primary"] = keeps
    aiko, ben = make(firstname="Aiko"), make(firstname="Ben", jobtitle="部長", phone="03-0000-0001")
    before = len(told(both, token))
    merged = act("merge", primary=aiko, other=ben)
    (event,) = both.hubspot.hooks.events(token)[before:]
    names = (
        "subscriptionType",
        "primaryObjectId",
        "mergedObjectIds",
        "newObjectId",
        "numberOfPropertiesMoved",
        "changeSource",
    )
    assert [event[name] for name in names] == [
        "contact.merge",
        int(aiko),
        [int(ben)],
        int(merged),
        2,
        "CRM_UI",
    ]
    assert (merged == aiko) is keeps


def test_a_refused_batch_tells_nothing(
    both: Sandbox, token: str, hubspot: Caller, make: Verb
) -> None:
    id = make(firstname="Aiko")
    before = told(both, token)
    for verb, good, bad in (
        ("create", {"properties": {"firstname": "Ben"}}, {"properties": {"no_such": "x"}}),
        (
            "update",
            {"id": id, "properties": {"firstname": "Ai"}},
            {"id": make(firstname="x"), "properties": {"no_such": "x"}},
        ),
    ):
        before = told(both, token)
        assert hubspot("POST", f"batch/{verb}", {"inputs": [good, bad]}).status_code == 400
        assert told(both, token) == before


def test_the_members_of_an_item(
    both: Sandbox, clock: Clock, token: str, make: Verb, act: Verb
) -> None:
    id = make(firstname="Aiko")
    act("edit", id=id, properties={"jobtitle": "部長"})
    creation, change = both.hubspot.hooks.events(token)
    assert creation == {
        "eventId": 1,
        "subscriptionId": creation["subscriptionId"],
        "portalId": both.hubspot.portal(token).id,
        "appId": 54321,
        "occurredAt": 1_790_823_600_123,
        "subscriptionType": "contact.creation",
        "attemptNumber": 0,
        "objectId": int(id),
        "changeSource": "INTEGRATION",
        "sourceId": "54321",
        "changeFlag": "NEW",
    }
    assert (
        change.keys() - creation.keys() == {"propertyName", "propertyValue"}
        and "changeFlag" not in change
    )
    assert change["subscriptionId"] != creation["subscriptionId"]


def test_the_values_of_a_creation_by_switch(both: Sandbox, token: str, make: Verb) -> None:
    both.hubspot.switches["creation_tells_values"] = True
    id = int(make(firstname="Aiko"))
    assert {row[:4] for row in told(both, token)} == {
        ("contact.creation", id, None, None),
        ("contact.propertyChange", id, "firstname", "Aiko"),
        ("contact.propertyChange", id, "lifecyclestage", "lead"),
    }
    assert len({event["eventId"] for event in both.hubspot.hooks.events(token)}) == 1, (
        "an eventId alone tells no event from another"
    )
