"""A portal: its contacts and what is theirs alone (addresses, stages, merges, events), and
everything that belongs to them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import owners, properties
from integration.sandbox.hubspot.associations import Associations, read_wanted_companies
from integration.sandbox.hubspot.auto import AutoCompanies
from integration.sandbox.hubspot.companies import CompanyRecords
from integration.sandbox.hubspot.errors import (
    HubSpotProblem,
    make_exists_problem,
    make_not_found_problem,
    make_taken_value_problem,
)
from integration.sandbox.hubspot.events import EventLog
from integration.sandbox.hubspot.records import Records
from integration.sandbox.hubspot.reformat import Reformatter

Contact = dict[str, str]


class Portal(Records):
    """Contacts; ``companies``, ``links`` between the two, ``owners``, and the ``log`` of what
    happened.
    """

    TYPE, NAME, SCOPE = "0-1", "CONTACT", "contacts"
    MODIFIED = "lastmodifieddate"
    DEFAULTS = ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname")
    TEXTS = ("email", "firstname", "lastname", "company", "phone")
    IDENTIFYING = ("email", "firstname", "lastname")
    INITIAL = {"lifecyclestage": "lead"}
    GROUP = ("contactinformation", "Contact information")

    def __init__(self, id: int, now: Callable[[], datetime], switches: dict[str, Any]) -> None:
        super().__init__(
            id,
            now,
            switches,
            properties.make_contact_properties(),
            owners.make_owners(owners.INVENTED_OWNERS),
        )
        self.lock = threading.RLock()
        self.by_email: dict[str, str] = {}
        self.scopes_missing: set[str] = set()
        self.log = EventLog(now)
        self.links = Associations(self.log)
        self.companies = CompanyRecords(
            id, now, switches=switches, users=self.owners, links=self.links
        )
        self.auto = AutoCompanies(now, switches, self.companies, self.links)
        self.reformatter = Reformatter(switches, self.log)

    @property
    def contacts(self) -> dict[str, Contact]:
        return self.records

    def find(self, key: str, by: str = "") -> str | None:
        """Secondary addresses count too."""
        return self.by_email.get(key.strip().lower()) if by == "email" else super().find(key, by)

    def settle(self) -> None:
        """What HubSpot did by itself in the meantime; to be called before anybody looks."""
        self.auto.settle(self)
        self.reformatter.settle(self)

    # Writing

    def create(self, values: dict[str, Any], ends: list[dict[str, Any]] | None = None) -> str:
        found = read_wanted_companies(ends or [], self.companies.find)  # before anything is made
        id = super().create(values)
        for company, primary in found:
            self.links.add(id, company, primary)
        return id

    def insert(self, clean: Contact) -> str:
        most = self.switches["most_contacts"]
        if most is not None and len(self.records) >= most:
            raise HubSpotProblem(
                400, "VALIDATION_ERROR", f"This account has reached its limit of {most} contacts."
            )
        return super().insert(clean)

    def undo(self, id: str, before: Contact | None) -> None:
        super().undo(id, before)
        if before is None:
            self.links.pairs.pop(id, None)

    def note_made(self, id: str) -> None:
        contact = self.records[id]
        values = [
            (name, value)
            for name, value in contact.items()
            if name not in ("hs_object_id", "createdate", self.MODIFIED)
        ]
        more = (
            [make_property_change(id, *pair) for pair in values]
            if self.switches["creation_tells_values"]
            else []
        )
        self.log.note(("creation", {"objectId": int(id)}), *more)
        self.auto.wait(id, contact.get("email", ""))
        self.reformatter.wait(id)

    def note_changed(self, id: str, values: Contact) -> None:
        if values:
            self.log.note(
                *(make_property_change(id, name, value) for name, value in values.items())
            )
        self.auto.wait(id, values.get("email", ""))
        self.reformatter.wait(id)

    def mark(self) -> tuple[int, int]:
        return len(self.log.events), len(self.auto.awaited)

    def rewind(self, mark: tuple[int, int]) -> None:
        del self.log.events[mark[0] :], self.auto.awaited[mark[1] :]

    def archive(self, id: str) -> None:
        super().archive(id)
        self.links.drop_contact(id)
        self.log.note(("deletion", {"objectId": int(id)}))

    def restore(self, id: str) -> None:
        """Without its associations: whether HubSpot brings those back is not documented.

        Refused where its address is another's now.
        """
        self.check_unique(self.archived[id], id, "create")
        self.lag.remember(id, None)
        contact = self.archived.pop(id)
        self.records[id] = contact
        self.index(id, contact)
        self.changes += 1
        self.log.note(("restore", {"objectId": int(id)}))

    def purge(self, id: str) -> None:
        """A deletion for privacy, of an archived contact too: nothing of it remains.

        It counts as a deletion besides.
        """
        if id in self.records:
            self.archive(id)
        del self.archived[id]
        self.changes += 1
        self.log.note(("privacyDeletion", {"objectId": int(id)}))

    def merge(self, primary: str, other: str) -> str:
        """A third record under a new id; both old ids lead to it. The primary's values win."""
        ids = [self.find(primary), self.find(other)]
        if None in ids or ids[0] == ids[1]:
            raise make_not_found_problem([primary, other])
        winner, loser = str(ids[0]), str(ids[1])
        for old in (winner, loser):
            self.lag.remember(old, self.records[old])
        first, second = self.records.pop(winner), self.records.pop(loser)
        for contact in (first, second):
            self.unindex(contact)
        merged = {**second, **first}
        emails = [part for c in (first, second) for part in list_contact_addresses(c)]
        if self.switches["merge_keeps_primary"]:
            id = winner
        else:
            self.last_id += 1
            id = str(self.last_id)
            self.lag.remember(id, None)
        earlier = [
            old
            for c in (first, second)
            for old in c.get("hs_merged_object_ids", "").split(";")
            if old
        ]
        gone = [old for old in (winner, loser) if old != id]
        merged.update(
            hs_object_id=id,
            hs_merged_object_ids=";".join([*earlier, *gone]),
            lastmodifieddate=self.stamp(),
        )
        if emails:
            merged["email"] = emails[0]
        if emails[1:]:
            merged["hs_additional_emails"] = ";".join(dict.fromkeys(emails[1:]))
        self.moved.update(dict.fromkeys(gone, id))
        self.records[id] = merged
        self.index(id, merged)
        self.links.follow([winner, loser], id)
        self.changes += 1
        self.log.note(
            ("merge", make_merge_members(winner, loser, id, len(second.keys() - first.keys())))
        )
        return id

    def add_address(self, id: str, address: str) -> None:
        """A secondary address, which HubSpot's people add beside the primary one."""
        record = self.records[id]
        self.check_unique({"email": address}, id, "update")
        self.lag.remember(id, record)
        self.unindex(record)
        have = [part for part in record.get("hs_additional_emails", "").split(";") if part]
        record["hs_additional_emails"] = ";".join([*have, address.strip().lower()])
        record[self.MODIFIED] = self.stamp()
        self.index(id, record)
        self.changes += 1
        self.note_changed(id, {"hs_additional_emails": record["hs_additional_emails"]})

    # Values

    def shape_value(self, name: str, value: str, record: Contact) -> str:
        if name == "email":
            return value.strip().lower()
        have = record.get(name, "")
        # A stage moves only forward, unless it is blanked first: HubSpot accepts the write and
        # keeps the old stage.
        if name == "lifecyclestage" and value and rank_stage(value) < rank_stage(have):
            return have
        return self.reformatter.shape_value(name, super().shape_value(name, value, record))

    def calculate_properties(self, record: Contact) -> Contact:
        domain = (
            {"hs_email_domain": record["email"].rsplit("@", 1)[-1]} if "email" in record else {}
        )
        return {**domain, "hs_is_contact": "true"}

    def check_unique(self, clean: Contact, id: str, verb: str) -> None:
        """A taken address is a conflict when somebody is made, a taken value otherwise; at upserts
        recordings show either.
        """
        # The secondary addresses are as unique as the first one.
        for email in list_contact_addresses(clean):
            owner = self.by_email.get(email, id)
            if owner == id:
                continue
            conflict = verb == "create" or (
                verb == "upsert" and self.switches["upsert_conflict"] == "conflict"
            )
            raise (
                make_exists_problem(owner)
                if conflict
                else make_taken_value_problem("email", email, id or str(self.last_id + 1), owner)
            )
        super().check_unique(clean, id, verb)

    def index(self, id: str, record: Contact) -> None:
        super().index(id, record)
        self.by_email.update(dict.fromkeys(list_contact_addresses(record), id))

    def unindex(self, record: Contact) -> None:
        super().unindex(record)
        for email in list_contact_addresses(record):
            self.by_email.pop(email, None)

    # Keeping

    def state(self) -> dict[str, Any]:
        own = {
            "companies": self.companies.state(),
            "associations": self.links.pairs,
            "owners": list(self.owners.values()),
        }
        return {**super().state(), **own}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        # A state of an earlier sandbox has none of these.
        if "companies" in state:
            self.companies.load(state["companies"])
            self.links.pairs = state["associations"]
            self.set_owners(state["owners"])

    def set_owners(self, rows: list[dict[str, Any]]) -> None:
        """In place: the companies have the same ones."""
        found = owners.make_owners(rows)
        self.owners.clear()
        self.owners.update(found)
        self.changes += 1


def list_contact_addresses(contact: Contact) -> list[str]:
    return [
        part
        for part in (contact.get("email", ""), *contact.get("hs_additional_emails", "").split(";"))
        if part
    ]


def make_property_change(id: str, name: str, value: str) -> tuple[str, dict[str, Any]]:
    return "propertyChange", {"objectId": int(id), "propertyName": name, "propertyValue": value}


def make_merge_members(winner: str, loser: str, id: str, moved: int) -> dict[str, Any]:
    """``objectId`` is not documented for merges; the primary's is our choice."""
    return {
        "objectId": int(winner),
        "primaryObjectId": int(winner),
        "mergedObjectIds": [int(loser)],
        "newObjectId": int(id),
        "numberOfPropertiesMoved": moved,
    }


def rank_stage(value: str) -> int:
    return properties.LIFECYCLE_STAGES.index(value) if value in properties.LIFECYCLE_STAGES else -1
