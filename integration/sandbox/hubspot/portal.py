"""A portal: its contacts, their indexes, and every way in which they change. No HTTP here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import properties
from integration.sandbox.hubspot.errors import Problem, exists, invalid_values, not_found, owned, value_problem

IDENTIFYING = ("email", "firstname", "lastname")


class Portal:
    """Contacts by id, each a dict of property -> text without blanks."""

    def __init__(self, id: int, now: Callable[[], datetime], switches: dict[str, Any]) -> None:
        self.id, self.now, self.switches = id, now, switches
        self.lock = threading.RLock()
        self.contacts: dict[str, dict[str, str]] = {}
        self.archived: dict[str, dict[str, str]] = {}
        self.by_email: dict[str, str] = {}
        self.unique: dict[str, dict[str, str]] = {}
        self.moved: dict[str, str] = {}  # id of a merged contact -> id of what it became
        self.properties = properties.built_in()
        self.checks = {name: properties.checker(prop) for name, prop in self.properties.items()}
        self.groups = {"contactinformation": {"name": "contactinformation", "label": "Contact information", "displayOrder": 0, "archived": False}}
        self.scopes_missing: set[str] = set()
        self.last_id = 9000
        self.changes = 0

    def stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    # Finding

    def find(self, key: str, by: str = "") -> str | None:
        """The id of a contact by id, e-mail (secondary ones too) or a unique property."""
        if by in ("", "hs_object_id"):
            while key in self.moved:
                key = self.moved[key]
            return key if key in self.contacts else None
        if by == "email":
            return self.by_email.get(key.strip().lower())
        if by not in self.unique:
            raise self.not_unique(by)
        return self.unique[by].get(key)

    def not_unique(self, by: str) -> Problem:
        return Problem(400, "VALIDATION_ERROR", f"Unable to perform update/upsert by non-unique 0-1 property {by} in portal ID {self.id}")

    # Writing

    def create(self, values: dict[str, Any]) -> str:
        clean = self.checked(values, {})
        if not any(clean.get(name) for name in IDENTIFYING):
            raise Problem(400, "VALIDATION_ERROR", "A contact needs at least one of email, firstname, lastname.")
        email = clean.get("email", "")
        if email and email in self.by_email:
            raise exists(self.by_email[email])
        self.check_unique(clean, "")
        return self.insert(clean)

    def insert(self, clean: dict[str, str]) -> str:
        self.last_id += 1
        id, stamp = str(self.last_id), self.stamp()
        contact = {"hs_object_id": id, "createdate": stamp, "lastmodifieddate": stamp, "lifecyclestage": "lead"}
        contact.update((name, value) for name, value in clean.items() if value)
        self.contacts[id] = contact
        self.index(id, contact)
        self.changes += 1
        return id

    def update(self, id: str, values: dict[str, Any]) -> None:
        contact = self.contacts[id]
        clean = self.checked(values, contact)
        email = clean.get("email", "")
        if email and self.by_email.get(email, id) != id:
            raise owned("email", email, id, self.by_email[email])
        self.check_unique(clean, id)
        self.unindex(contact)
        for name, value in clean.items():
            if value:
                contact[name] = value
            else:
                contact.pop(name, None)
        contact["lastmodifieddate"] = self.stamp()
        self.index(id, contact)
        self.changes += 1

    def upsert(self, key: str, by: str, values: dict[str, Any]) -> tuple[str, bool]:
        """(id, whether it is new). A new one whose address belongs to somebody is refused, and nothing is made."""
        id = self.find(key, by)
        if id is not None:
            self.update(id, values)
            return id, False
        clean = self.checked({by: key, **values}, {})
        email = clean.get("email", "")
        if email in self.by_email:
            owner = self.by_email[email]
            raise exists(owner) if self.switches["upsert_conflict"] == "conflict" else owned("email", email, str(self.last_id + 1), owner)
        self.check_unique(clean, "")
        return self.insert(clean), True

    def undo(self, id: str, before: dict[str, str] | None) -> None:
        """Takes a write back; the id of a record that was made is not given out again."""
        self.unindex(self.contacts[id])
        if before is None:
            del self.contacts[id]
        else:
            self.contacts[id] = before
            self.index(id, before)

    def archive(self, id: str) -> None:
        contact = self.contacts.pop(id)
        self.unindex(contact)
        self.archived[id] = contact
        self.changes += 1

    def restore(self, id: str) -> None:
        contact = self.archived.pop(id)
        self.contacts[id] = contact
        self.index(id, contact)
        self.changes += 1

    def merge(self, primary: str, other: str) -> str:
        """A third record under a new id; both old ids lead to it. The primary's values win."""
        ids = [self.find(primary), self.find(other)]
        if None in ids or ids[0] == ids[1]:
            raise not_found([primary, other])
        first, second = (self.contacts.pop(str(id)) for id in ids)
        for contact in (first, second):
            self.unindex(contact)
        merged = {**second, **first}
        emails = [part for c in (first, second) for part in (c.get("email", ""), *c.get("hs_additional_emails", "").split(";")) if part]
        if self.switches["merge_keeps_primary"]:
            id = str(ids[0])
        else:
            self.last_id += 1
            id = str(self.last_id)
        earlier = [old for c in (first, second) for old in c.get("hs_merged_object_ids", "").split(";") if old]
        gone = [str(old) for old in ids if old != id]
        merged.update(hs_object_id=id, hs_merged_object_ids=";".join([*earlier, *gone]), lastmodifieddate=self.stamp())
        if emails:
            merged["email"] = emails[0]
        if emails[1:]:
            merged["hs_additional_emails"] = ";".join(dict.fromkeys(emails[1:]))
        self.moved.update(dict.fromkeys(gone, id))
        self.contacts[id] = merged
        self.index(id, merged)
        self.changes += 1
        return id

    # Checking

    def checked(self, values: dict[str, Any], contact: dict[str, str]) -> dict[str, str]:
        """Values as they will be stored. Raises Problem with everything that is wrong."""
        clean, problems, checks = {}, [], self.checks
        for name, value in values.items():
            check = checks.get(name)
            if check is None:
                problems.append(value_problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
                continue
            clean[name] = self.stored(name, "" if value is None else str(value), contact)
            said = check(clean[name]) if clean[name] else None
            if said:
                problems.append(properties.problem_of(name, said))
        if problems:
            raise invalid_values(problems)
        return clean

    def stored(self, name: str, value: str, contact: dict[str, str]) -> str:
        """The value in the form that HubSpot keeps."""
        have = contact.get(name, "")
        if name == "email":
            return value.strip().lower()
        if value[:1] == ";" and self.properties[name]["fieldType"] == "checkbox":
            return ";".join(dict.fromkeys(filter(None, (have + value).split(";"))))
        # A stage moves only forward, unless it is blanked first: HubSpot accepts the write and keeps the old stage.
        if name == "lifecyclestage" and value and stage(value) < stage(have):
            return have
        return value

    def check_unique(self, clean: dict[str, str], id: str) -> None:
        for name, taken in self.unique.items():
            value = clean.get(name)
            if value and taken.get(value, id) != id:
                raise owned(name, value, id or str(self.last_id + 1), taken[value])

    def index(self, id: str, contact: dict[str, str]) -> None:
        for email in (contact.get("email", ""), *contact.get("hs_additional_emails", "").split(";")):
            if email:
                self.by_email[email] = id
        for name, taken in self.unique.items():
            if contact.get(name):
                taken[contact[name]] = id

    def unindex(self, contact: dict[str, str]) -> None:
        for email in (contact.get("email", ""), *contact.get("hs_additional_emails", "").split(";")):
            self.by_email.pop(email, None)
        for name, taken in self.unique.items():
            taken.pop(contact.get(name, ""), None)

    # Properties

    def add_property(self, prop: dict[str, Any]) -> None:
        name = prop["name"]
        if name in self.properties:
            raise Problem(409, "OBJECT_ALREADY_EXISTS", f'A property named "{name}" already exists.')
        if prop["groupName"] not in self.groups:
            raise Problem(400, "VALIDATION_ERROR", f'The property group "{prop["groupName"]}" does not exist.')
        if prop["hasUniqueValue"]:
            if len(self.unique) >= 10:
                raise Problem(400, "VALIDATION_ERROR", "At most 10 unique properties an object.")
            self.unique[name] = {}
        self.set_property(prop)

    def add_group(self, group: dict[str, Any]) -> dict[str, Any]:
        if group["name"] in self.groups:
            raise Problem(409, "OBJECT_ALREADY_EXISTS", f'A property group named "{group["name"]}" already exists.')
        self.groups[group["name"]] = group
        self.changes += 1
        return group

    def set_property(self, prop: dict[str, Any]) -> None:
        self.properties[prop["name"]] = prop
        self.checks[prop["name"]] = properties.checker(prop)
        self.changes += 1

    def drop_property(self, name: str) -> None:
        for registry in (self.properties, self.checks, self.unique):
            registry.pop(name, None)
        self.changes += 1

    # Keeping (HubSpot's own properties only where somebody changed them)

    def state(self) -> dict[str, Any]:
        given = properties.built_in()
        own = [prop for name, prop in self.properties.items() if prop != given.get(name)]
        return {
            "id": self.id,
            "contacts": self.contacts,
            "archived": self.archived,
            "moved": self.moved,
            "groups": self.groups,
            "properties": own,
            "last_id": self.last_id,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.groups, self.moved, self.last_id = state["groups"], state["moved"], state["last_id"]
        for prop in state["properties"]:
            self.properties.pop(prop["name"], None)
            self.add_property(prop)
        self.archived, self.contacts = state["archived"], state["contacts"]
        for id, contact in self.contacts.items():
            self.index(id, contact)


def stage(value: str) -> int:
    return properties.STAGES.index(value) if value in properties.STAGES else -1
