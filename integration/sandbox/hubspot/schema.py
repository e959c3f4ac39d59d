"""The properties of one kind of record, their groups, and how values are checked against them."""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot import owners, properties
from integration.sandbox.hubspot.errors import HubSpotProblem, as_value_problem, make_values_problem


class Schema:
    TYPE = NAME = ""  # such as 0-1, CONTACT
    GROUP = ("", "")  # name and label of the one that is there from the start

    def __init__(self, own: dict[str, dict[str, Any]], users: owners.Owners) -> None:
        self.given, self.owners = own, users  # HubSpot's own properties
        self.properties = dict(own)
        self.checks = {name: self.choose_check(prop) for name, prop in own.items()}
        self.unique: dict[str, dict[str, str]] = {}  # unique property -> value -> id of its record
        name, label = self.GROUP
        self.groups: dict[str, dict[str, Any]] = {
            name: {"name": name, "label": label, "displayOrder": 0, "archived": False}
        }
        self.changes = 0

    # Values

    def check_values(self, values: dict[str, Any], record: dict[str, str]) -> dict[str, str]:
        """Values as they will be stored. Raises HubSpotProblem with everything that is wrong."""
        clean, problems, checks = {}, [], self.checks
        for name, value in values.items():
            check = checks.get(name)
            if check is None:
                problems.append(
                    as_value_problem(
                        name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
                    )
                )
                continue
            clean[name] = self.shape_value(name, "" if value is None else str(value), record)
            said = check(clean[name]) if clean[name] else None
            if said:
                problems.append(properties.as_property_problem(name, said))
        if problems:
            raise make_values_problem(problems)
        return clean

    def shape_value(self, name: str, value: str, record: dict[str, str]) -> str:
        """The value in the form that HubSpot keeps: what begins with a semicolon is added to a
        list.
        """
        if value[:1] == ";" and self.properties[name]["fieldType"] == "checkbox":
            return ";".join(dict.fromkeys(filter(None, (record.get(name, "") + value).split(";"))))
        return value

    # Properties

    def choose_check(self, prop: dict[str, Any]) -> properties.ValueCheck:
        if prop["name"] == owners.OWNER_PROPERTY:
            return lambda value: owners.find_owner_problem(self.owners, value)
        return properties.make_value_check(prop)

    def add_property(self, prop: dict[str, Any]) -> None:
        name = prop["name"]
        if name in self.properties:
            raise HubSpotProblem(
                409, "OBJECT_ALREADY_EXISTS", f'A property named "{name}" already exists.'
            )
        if prop["groupName"] not in self.groups:
            raise HubSpotProblem(
                400, "VALIDATION_ERROR", f'The property group "{prop["groupName"]}" does not exist.'
            )
        if prop["hasUniqueValue"]:
            if len(self.unique) >= 10:
                raise HubSpotProblem(
                    400, "VALIDATION_ERROR", "At most 10 unique properties an object."
                )
            self.unique[name] = {}
        self.set_property(prop)

    def add_group(self, group: dict[str, Any]) -> dict[str, Any]:
        if group["name"] in self.groups:
            raise HubSpotProblem(
                409,
                "OBJECT_ALREADY_EXISTS",
                f'A property group named "{group["name"]}" already exists.',
            )
        self.groups[group["name"]] = group
        self.changes += 1
        return group

    def set_property(self, prop: dict[str, Any]) -> None:
        self.properties[prop["name"]] = prop
        self.checks[prop["name"]] = self.choose_check(prop)
        self.changes += 1

    def drop_property(self, name: str) -> None:
        for registry in (self.properties, self.checks, self.unique):
            registry.pop(name, None)
        self.changes += 1
