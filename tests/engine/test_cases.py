"""The corpus: cases that users met, as small files (tests/cases/), each run in every way.

A file says what stands in Sansan and in HubSpot, what people do then, and what must come of it. In
which order the cards come, in how many runs, and whether the runs are incremental or full checks
makes no difference. CONTRIBUTING.md says how to add one.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.tenancy import in_account
from integration.models import AuditEntry, Record, Side, SyncRule
from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db
CASES = {path.stem: path for path in sorted((Path(__file__).parents[1] / "cases").glob("*.yaml"))}
# Members of a case.
KEYS = {"why", "rule", "portal", "cards", "steps", "contacts", "records"}
# A run after this time sees to everything that waited for its next attempt.
MOST_ROUNDS = 8


@dataclass(frozen=True)
class Way:
    """How a case is run."""

    backwards: bool
    card_by_card: bool  # a run after each card, instead of one after all of them
    full: bool  # full checks only


WAYS = {
    f"{order}, {runs}, {kind}": Way(order == "backwards", runs == "card by card", kind == "full")
    for order in ("forwards", "backwards")
    for runs in ("in one run", "card by card")
    for kind in ("incremental", "full")
}


class Play:
    """One case in one way: what people do, and the runs in between."""

    def __init__(self, case: Mapping[str, Any], way: Way, sandbox: Sandbox, later: Any) -> None:
        self.case, self.way, self.sandbox, self.later = case, way, sandbox, later
        self.portal = sandbox.hubspot.portal(TOKEN)
        self.ids: dict[str, str] = {}  # letter of a card -> its id in Sansan
        self.rule = self.configure({})

    def configure(self, settings: Mapping[str, Any]) -> SyncRule:
        rule = configured(file(**{**self.case.get("rule", {}), **settings}))
        self.later(seconds=1)
        return rule

    def perform(self) -> None:
        for number, (letter, values) in enumerate(self.list_cards(self.case["cards"])):
            self.later(seconds=2)
            self.add(letter, values)
            if self.way.card_by_card or number + 1 == len(self.case["cards"]):
                self.run()
        for step in self.case.get("steps", ()):
            self.settle(1)
            for verb, what in step.items():
                getattr(self, f"do_{verb}")(what)
        self.settle(2)

    def list_cards(self, cards: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """In the order of the way. A card without a date is of a later day than the one before."""
        dated = [
            (letter, {"exchangeDate": f"2026-01-{day:02d}", **values})
            for day, (letter, values) in enumerate(cards.items(), 1)
        ]
        return dated[::-1] if self.way.backwards else dated

    def add(self, letter: str, values: Mapping[str, Any]) -> None:
        values = {"personId": letter, **values, "id": letter}
        card = self.sandbox.sansan.add(lengthen_ids(values))
        self.ids[letter] = card["id"]

    def do_add(self, cards: Mapping[str, Any]) -> None:
        for letter, values in self.list_cards(cards):
            self.add(letter, values)

    def do_change(self, cards: Mapping[str, Any]) -> None:
        for letter, values in cards.items():
            self.later(seconds=2)
            wanted = lengthen_ids(values)
            moment = wanted.pop("updatedTime", "")
            self.sandbox.sansan.change(self.ids[letter], wanted)
            if moment:
                set_time_back(self.sandbox, self.ids[letter], moment)

    def do_wait(self, seconds: int) -> None:
        self.later(seconds=seconds)

    def do_full(self, _: bool) -> None:
        self.run(full=True)

    def do_edit(self, contacts: Mapping[str, Any]) -> None:
        for address, values in contacts.items():
            id = self.portal.find(address, "email")
            self.sandbox.hubspot.control("edit", {"token": TOKEN, "id": id, "properties": values})

    def do_secondary(self, contacts: Mapping[str, str]) -> None:
        for address, other in contacts.items():
            id = self.portal.find(address, "email")
            self.sandbox.hubspot.control("address", {"token": TOKEN, "id": id, "address": other})

    def do_merge(self, addresses: list[str]) -> None:
        primary, other = (self.portal.find(address, "email") for address in addresses)
        self.sandbox.hubspot.control("merge", {"token": TOKEN, "primary": primary, "other": other})

    def do_property(self, properties: Mapping[str, Any]) -> None:
        """Nobody looks at the properties again before it is time to."""
        for name, changes in properties.items():
            set_property(self.sandbox, name, changes)

    def do_rule(self, settings: Mapping[str, Any]) -> None:
        self.rule = self.configure(settings)

    def run(self, full: bool = False) -> None:
        run = sync(self.rule, full=full or self.way.full)
        assert run.state in ("succeeded", "partial"), (run.state, run.reason, run.detail)
        counts = run.counts
        assert counts["read"] == sum(counts.values()) - counts["read"], counts
        # What HubSpot does by itself, it does a moment later.
        self.later(seconds=1)
        self.portal.settle()

    def settle(self, rest: int) -> None:
        """Runs until so many of them, one after the other, have written nothing to anybody."""
        quiet = 0
        for _ in range(MOST_ROUNDS):
            self.later(seconds=700)
            before = self.sandbox.hubspot.changes
            self.run()
            quiet = quiet + 1 if self.sandbox.hubspot.changes == before else 0
            if quiet == rest:
                return
        raise AssertionError("the runs do not come to rest")


def lengthen_ids(values: Mapping[str, Any]) -> dict[str, Any]:
    """As long as Sansan's ids are; a blank one stays blank."""
    ids = {name: values[name] for name in ("id", "personId") if values.get(name)}
    return {**values, **{name: id.ljust(32, "0") for name, id in ids.items()}}


def set_time_back(sandbox: Sandbox, id: str, moment: str) -> None:
    """As an import or a clock does."""
    kept, index = sandbox.sansan.cards[id], sandbox.sansan.index
    del index[bisect.bisect_left(index, (kept["updatedTime"], id))]
    kept["updatedTime"] = datetime.fromisoformat(moment).astimezone(UTC)
    bisect.insort(index, (kept["updatedTime"], id))


def set_property(sandbox: Sandbox, name: str, changes: Mapping[str, Any] | None) -> None:
    """Makes or changes a property of the customer's; None takes it away."""
    portal = sandbox.hubspot.portal(TOKEN)
    if changes is None:
        portal.drop_property(name)
        return
    known = portal.properties.get(name, {**portal.properties["jobtitle"], "name": name})
    if name not in portal.properties:
        portal.add_property({**known, "label": name, **changes})
    portal.set_property({**known, "label": name, **changes})


def furnish(sandbox: Sandbox, portal: Mapping[str, Any]) -> None:
    sandbox.hubspot.switches.update(portal.get("switches", {}))
    for name, changes in portal.get("properties", {}).items():
        set_property(sandbox, name, changes)
    for values in portal.get("contacts", ()):
        properties = {name: value for name, value in values.items() if name != "secondary"}
        (id,) = sandbox.hubspot.control("create", {"token": TOKEN, "properties": properties})
        for address in values.get("secondary", ()):
            sandbox.hubspot.control("address", {"token": TOKEN, "id": id, "address": address})


def match(wanted: list[dict[str, str]], found: list[dict[str, str]]) -> list[Any]:
    """What of the two has no counterpart: a contact must say what is wanted, and may say more."""
    left = list(found)
    missing = []
    for values in wanted:
        same = [
            contact
            for contact in left
            if all(contact.get(name, "") == str(value or "") for name, value in values.items())
        ]
        if same:
            left.remove(same[0])
        else:
            missing.append(values)
    return missing + [{"not wanted": contact} for contact in left]


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(case) <= KEYS and case["why"], path.name
    assert case.get("contacts") is not None or case.get("records"), f"{path.name} wants nothing"
    return case


@pytest.fixture
def play(
    sandbox_of: Callable[..., Sandbox], time_machine_later: Callable[..., None]
) -> Iterator[Callable[[Mapping[str, Any], Way], Play]]:
    def perform(case: Mapping[str, Any], way: Way) -> Play:
        sandbox = sandbox_of(0)
        furnish(sandbox, case.get("portal", {}))
        played = Play(case, way, sandbox, time_machine_later)
        played.perform()
        return played

    yield perform


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("path", CASES.values(), ids=CASES)
def test_a_case_ends_as_it_must(play, path, way):
    case = load(path)
    played = play(case, way)
    contacts = list(played.portal.contacts.values())
    if "contacts" in case:
        assert match(case["contacts"], contacts) == [], case["why"]
    with in_account(played.rule.account):
        cards = Record.objects.filter(side=Side.CARD)
        reasons = dict(cards.values_list("external_id", "reason"))
        assert not AuditEntry.objects.filter(closed_at__isnull=True).exists()
    wanted = {played.ids[letter]: reason for letter, reason in case.get("records", {}).items()}
    assert {id: reasons[id] for id in wanted} == wanted, case["why"]
