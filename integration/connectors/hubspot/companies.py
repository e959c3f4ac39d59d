"""Calls about companies and about whose contacts they have.

HubSpot itself makes two companies of one domain without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integration.connectors.base import Rejected
from integration.connectors.http import Http
from integration.connectors.hubspot import fields, parse
from integration.connectors.hubspot.properties import make_missing_properties, read_answer

COMPANIES_A_CALL = 100
COMPANIES_A_SEARCH_PAGE = 200  # the most that a search answers
ASSOCIATIONS_A_CALL = 1000  # associations


class HubSpotCompanies:
    """Found by domain or by name; made by an upsert on a unique property of ours, so that sending
    twice makes one.
    """

    def __init__(self, http: Http, searches: Http, version: str) -> None:
        dated = not version.startswith("v")
        self._http, self._searches = http, searches
        self._companies = (
            f"/crm/objects/{version}/companies" if dated else f"/crm/{version}/objects/companies"
        )
        self._properties = (
            f"/crm/properties/{version}/companies"
            if dated
            else f"/crm/{version}/properties/companies"
        )
        self._of_contacts = (
            f"/crm/associations/{version}/contact/company/batch"
            if dated
            else "/crm/v4/associations/contact/company/batch"
        )

    def ensure_key(self) -> None:
        """Makes our unique property where it is missing. Raises LacksRight."""
        make_missing_properties(self._http, self._properties, (fields.COMPANY_KEY_PROPERTY,))

    def find(self, by: str, values: Iterable[str]) -> dict[str, str]:
        """Value (lower case) -> id of the oldest company whose ``by`` (domain or name) it is."""
        wanted = sorted({value.lower() for value in values})
        found: dict[str, str] = {}
        for i in range(0, len(wanted), COMPANIES_A_CALL):
            after = ""
            while True:
                body = {
                    "filterGroups": [
                        {
                            "filters": [
                                {
                                    "propertyName": by,
                                    "operator": "IN",
                                    "values": wanted[i : i + COMPANIES_A_CALL],
                                }
                            ]
                        }
                    ],
                    "sorts": [{"propertyName": "createdate", "direction": "ASCENDING"}],
                    "limit": COMPANIES_A_SEARCH_PAGE,
                    "properties": [by],
                    **({"after": after} if after else {}),
                }
                page = read_answer(
                    parse.read_contact_page,
                    self._searches.read("POST", f"{self._companies}/search", body=body),
                )
                for company in page.contacts:
                    found.setdefault(company.values.get(by, "").lower(), company.id)
                after = page.next_token
                if not after:
                    break
        return found

    def make(self, companies: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Our key -> id.

        ``companies`` is our key -> properties. Those that HubSpot refuses are left out.
        """
        made: dict[str, str] = {}
        keys = sorted(companies)
        for i in range(0, len(keys), COMPANIES_A_CALL):
            some = keys[i : i + COMPANIES_A_CALL]
            rows = [
                {
                    "id": key,
                    "idProperty": fields.COMPANY_KEY_PROPERTY.name,
                    "properties": dict(companies[key]),
                    "objectWriteTraceId": key,
                }
                for key in some
            ]
            try:
                value = self._http.write(
                    "POST", f"{self._companies}/batch/upsert", {"inputs": rows}
                ).value
            except Rejected:
                continue
            made |= {
                key: id
                for key, id in read_answer(index_company_ids, value, writes=True).items()
                if key in companies
            }
        return made

    def find_of_contacts(self, contact_ids: Sequence[str]) -> dict[str, list[str]]:
        """Contact -> its companies, those without any left out."""
        found: dict[str, list[str]] = {}
        for i in range(0, len(contact_ids), ASSOCIATIONS_A_CALL):
            value = self._http.read(
                "POST",
                f"{self._of_contacts}/read",
                body={"inputs": [{"id": id} for id in contact_ids[i : i + ASSOCIATIONS_A_CALL]]},
            )
            found |= read_answer(read_contact_companies, value)
        return found

    def associate(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Associates (contact, company) each; returns those that HubSpot confirmed.

        Idempotent: sending twice changes nothing.
        """
        done: set[tuple[str, str]] = set()
        for i in range(0, len(pairs), COMPANIES_A_CALL):
            some = pairs[i : i + COMPANIES_A_CALL]
            rows = [{"from": {"id": contact}, "to": {"id": company}} for contact, company in some]
            value = self._http.write(
                "POST", f"{self._of_contacts}/associate/default", {"inputs": rows}
            ).value
            told = read_answer(read_association_ends, value, writes=True)
            done.update(pair for pair in some if pair in told or pair[::-1] in told)
        return done


def index_company_ids(value: Any) -> dict[str, str]:
    """Our key -> id of each company in the answer to a write."""
    return {
        str((row.get("properties") or {}).get(fields.COMPANY_KEY_PROPERTY.name) or ""): str(
            row["id"]
        )
        for row in parse.read_result_rows(value)
    }


def read_contact_companies(value: Any) -> dict[str, list[str]]:
    """Contact -> its companies. Their ids are numbers in one version and texts in the other."""
    return {
        str((row.get("from") or {}).get("id") or ""): [
            str(to["toObjectId"]) for to in row.get("to") or ()
        ]
        for row in parse.read_result_rows(value)
    }


def read_association_ends(value: Any) -> set[tuple[str, str]]:
    """The two ends of each association in the answer to a write."""
    return {(str(row["from"]["id"]), str(row["to"]["id"])) for row in parse.read_result_rows(value)}
