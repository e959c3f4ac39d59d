"""Which contact belongs to which company."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from integration.sandbox.hubspot.errors import HubSpotProblem
from integration.sandbox.hubspot.events import EventLog

UNLABELLED_TYPE, PRIMARY_TYPE = 279, 1  # from a contact to a company


class Associations:
    """``pairs``: contact -> company -> whether it is the primary one.

    A primary one is an unlabelled one as well.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.pairs: dict[str, dict[str, bool]] = {}
        self.changes = 0

    def primary(self, contact: str) -> str | None:
        return next(
            (company for company, first in self.pairs.get(contact, {}).items() if first), None
        )

    def list_contacts_of(self, company: str) -> dict[str, bool]:
        """Contact -> whether this is its primary company."""
        return {
            contact: companies[company]
            for contact, companies in self.pairs.items()
            if company in companies
        }

    def add(self, contact: str, company: str, primary: bool = False) -> None:
        """Idempotent.

        A contact has one primary company: the one before stays, as an unlabelled one.
        """
        companies = self.pairs.setdefault(contact, {})
        happened = []
        if company not in companies:
            companies[company] = False
            happened.append(make_association_change(contact, company))
        if primary and not companies[company]:
            for other in [other for other, first in companies.items() if first]:
                companies[other] = False
                happened.append(make_association_change(contact, other, primary=True, removed=True))
            companies[company] = True
            happened.append(make_association_change(contact, company, primary=True))
        self._noted(happened)

    def remove(self, contact: str, company: str) -> None:
        companies = self.pairs.get(contact, {})
        if company not in companies:
            return
        happened = (
            [make_association_change(contact, company, primary=True, removed=True)]
            if companies.pop(company)
            else []
        )
        if not companies:
            del self.pairs[contact]
        self._noted([*happened, make_association_change(contact, company, removed=True)])

    def drop_contact(self, contact: str) -> None:
        """Without an event: the contact's deletion says it all."""
        self.changes += self.pairs.pop(contact, None) is not None

    def drop_company(self, company: str) -> None:
        for contact in self.list_contacts_of(company):
            self.remove(contact, company)

    def follow(self, merged: list[str], id: str) -> None:
        """What merged contacts had belongs to what they became, with the first one's primary
        company. No events: the merge is one.
        """
        found: dict[str, bool] = {}
        for old in merged:
            taken = any(found.values())
            for company, first in self.pairs.pop(old, {}).items():
                found[company] = found.get(company, False) or (first and not taken)
        if found:
            self.pairs[id] = found
            self.changes += 1

    def _noted(self, happened: list[tuple[str, dict[str, Any]]]) -> None:
        if happened:
            self.log.note(*happened)
            self.changes += 1


def read_wanted_companies(
    rows: list[dict[str, Any]], find: Callable[[str], str | None]
) -> list[tuple[str, bool]]:
    """(company, whether as the primary one) of the associations with which a contact is to be made.

    Raises HubSpotProblem.
    """
    found = []
    for row in rows:
        key, types = str(row["to"]["id"]), {kind["associationTypeId"] for kind in row["types"]}
        company = find(key)
        if company is None or not types or types - {UNLABELLED_TYPE, PRIMARY_TYPE}:
            raise HubSpotProblem(
                400,
                "VALIDATION_ERROR",
                f"A contact cannot be associated with {key} as {sorted(types)}",
                {"id": [key]},
            )
        found.append((company, PRIMARY_TYPE in types))
    return found


def make_association_change(
    contact: str, company: str, primary: bool = False, removed: bool = False
) -> tuple[str, dict[str, Any]]:
    """The documented members; an objectId is not among them."""
    return "associationChange", {
        "associationType": "CONTACT_TO_COMPANY",
        "fromObjectId": int(contact),
        "toObjectId": int(company),
        "associationRemoved": removed,
        "isPrimaryAssociation": primary,
    }
