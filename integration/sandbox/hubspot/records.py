"""Records of one kind: their indexes, and every way in which they change. No HTTP here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import moments, owners
from integration.sandbox.hubspot.errors import HubSpotProblem, make_taken_value_problem
from integration.sandbox.hubspot.lag import SearchLag
from integration.sandbox.hubspot.schema import Schema


class Records(Schema):
    """Records by id, each a dict of property -> text without blanks.

    A kind says in its class what is its own.
    """

    SCOPE = ""  # such as contacts
    MODIFIED = "hs_lastmodifieddate"
    DEFAULTS: tuple[str, ...] = ()  # what a read answers unasked
    TEXTS: tuple[str, ...] = ()  # where a search for words looks
    IDENTIFYING: tuple[str, ...] = ()  # a record needs one of these
    INITIAL: dict[str, str] = {}
    FIRST_ID = 9000

    def __init__(
        self,
        id: int,
        now: Callable[[], datetime],
        switches: dict[str, Any],
        own: dict[str, dict[str, Any]],
        users: owners.Owners,
    ) -> None:
        super().__init__(own, users)
        self.id, self.now, self.switches = id, now, switches
        self.records: dict[str, dict[str, str]] = {}
        self.archived: dict[str, dict[str, str]] = {}
        self.moved: dict[str, str] = {}  # id of a merged record -> id of what it became
        self.lag = SearchLag(now, switches)
        self.last_id = self.FIRST_ID
        # Record -> property -> when it got its present value.
        self.since: dict[str, dict[str, str]] = {}

    def stamp(self) -> str:
        return moments.as_iso_text(self.now())

    # Finding

    def find(self, key: str, by: str = "") -> str | None:
        """The id of a record by id or a unique property."""
        if by in ("", "hs_object_id"):
            while key in self.moved:
                key = self.moved[key]
            return key if key in self.records else None
        if by not in self.unique:
            raise self.make_not_unique(by)
        return self.unique[by].get(key)

    def make_not_unique(self, by: str) -> HubSpotProblem:
        return HubSpotProblem(
            400,
            "VALIDATION_ERROR",
            (
                f"Unable to perform update/upsert by non-unique {self.TYPE} property {by} in "
                "portal "
                f"ID {self.id}"
            ),
        )

    # Writing

    def create(self, values: dict[str, Any], ends: list[dict[str, Any]] | None = None) -> str:
        """``ends`` are the associations in a request's body."""
        if ends:
            raise HubSpotProblem(
                400, "VALIDATION_ERROR", "The sandbox makes associations along with contacts only."
            )
        clean = self.check_values(values, {})
        if not any(clean.get(name) for name in self.IDENTIFYING):
            raise HubSpotProblem(
                400,
                "VALIDATION_ERROR",
                f"A {self.NAME.lower()} needs at least one of {', '.join(self.IDENTIFYING)}.",
            )
        self.check_unique(clean, "", "create")
        return self.insert(clean)

    def insert(self, clean: dict[str, str]) -> str:
        self.last_id += 1
        id, stamp = str(self.last_id), self.stamp()
        record = {"hs_object_id": id, "createdate": stamp, self.MODIFIED: stamp, **self.INITIAL}
        record.update((name, value) for name, value in clean.items() if value)
        self.lag.remember(id, None)
        self.records[id] = record
        self.since[id] = dict.fromkeys(clean, stamp)
        self.index(id, record)
        self.changes += 1
        self.note_made(id)
        return id

    def update(self, id: str, values: dict[str, Any]) -> None:
        record = self.records[id]
        clean = self.check_values(values, record)
        self.check_unique(clean, id, "update")
        changed = {name: value for name, value in clean.items() if value != record.get(name, "")}
        self.lag.remember(id, record)
        self.unindex(record)
        for name, value in clean.items():
            if value:
                record[name] = value
            else:
                record.pop(name, None)
        record[self.MODIFIED] = self.stamp()
        self.since.setdefault(id, {}).update(dict.fromkeys(changed, record[self.MODIFIED]))
        self.index(id, record)
        self.changes += 1
        self.note_changed(id, changed)

    def upsert(self, key: str, by: str, values: dict[str, Any]) -> tuple[str, bool]:
        """(id, whether it is new).

        A new one with a value that belongs to somebody is refused, and nothing is made.
        """
        id = self.find(key, by)
        if id is not None:
            self.update(id, values)
            return id, False
        clean = self.check_values({by: key, **values}, {})
        self.check_unique(clean, "", "upsert")
        return self.insert(clean), True

    def undo(self, id: str, before: dict[str, str] | None) -> None:
        """Takes a write back; the id of a record that was made is not given out again."""
        self.unindex(self.records[id])
        self.lag.forget(id)
        if before is None:
            del self.records[id]
        else:
            self.records[id] = before
            self.index(id, before)

    def archive(self, id: str) -> None:
        self.lag.remember(id, self.records[id])
        record = self.records.pop(id)
        self.unindex(record)
        self.archived[id] = record
        self.changes += 1

    # What a kind does besides

    def note_made(self, id: str) -> None:
        """After a record was made."""

    def note_changed(self, id: str, values: dict[str, str]) -> None:
        """After a record got these values, which it did not have; "" is a value that went."""

    def mark(self) -> Any:
        """A point to which ``rewind`` goes back: what is remembered of writes besides the records
        themselves.
        """

    def rewind(self, mark: Any) -> None:
        """Forgets what was remembered since."""

    def calculate_properties(self, record: dict[str, str]) -> dict[str, str]:
        """What HubSpot works out for an answer to a write."""
        return {}

    # Unique values

    def check_unique(self, clean: dict[str, str], id: str, verb: str) -> None:
        for name, taken in self.unique.items():
            value = clean.get(name)
            if value and taken.get(value, id) != id:
                raise make_taken_value_problem(
                    name,
                    value,
                    mine=id or str(self.last_id + 1),
                    owner=taken[value],
                    kind=self.NAME,
                )

    def index(self, id: str, record: dict[str, str]) -> None:
        for name, taken in self.unique.items():
            if record.get(name):
                taken[record[name]] = id

    def unindex(self, record: dict[str, str]) -> None:
        for name, taken in self.unique.items():
            taken.pop(record.get(name, ""), None)

    # Keeping (HubSpot's own properties only where somebody changed them)

    def state(self) -> dict[str, Any]:
        return {
            "id": self.id,
            self.SCOPE: self.records,
            "archived": self.archived,
            "moved": self.moved,
            "groups": self.groups,
            "properties": [
                prop for name, prop in self.properties.items() if prop != self.given.get(name)
            ],
            "last_id": self.last_id,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.groups, self.moved, self.last_id = state["groups"], state["moved"], state["last_id"]
        for prop in state["properties"]:
            self.properties.pop(prop["name"], None)
            self.add_property(prop)
        self.archived, self.records = state["archived"], state[self.SCOPE]
        for id, record in self.records.items():
            self.index(id, record)
