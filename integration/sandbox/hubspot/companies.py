"""Companies. HubSpot does not keep two of them from having one domain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from integration.sandbox.hubspot import owners, properties
from integration.sandbox.hubspot.associations import Associations
from integration.sandbox.hubspot.records import Records

COMPANY_TEXT_PROPERTIES = (
    "name domain website phone city state zip country address address2 industry description".split()
)
COMPANY_GROUP = "companyinformation"


def make_company_properties() -> dict[str, dict[str, Any]]:
    found = {
        name: properties.make_property_definition(name, groupName=COMPANY_GROUP)
        for name in COMPANY_TEXT_PROPERTIES
    }
    found["phone"]["fieldType"] = "phonenumber"
    found["annualrevenue"] = properties.make_property_definition(
        "annualrevenue", "number", "number", groupName=COMPANY_GROUP
    )
    found[owners.OWNER_PROPERTY] = properties.make_owner_property(COMPANY_GROUP)
    for name in ("hs_object_id", "createdate", "hs_lastmodifieddate", "hs_merged_object_ids"):
        moment = name.endswith("date")
        type_, field = ("datetime", "date") if moment else ("string", "text")
        found[name] = properties.make_property_definition(
            name, type_, field, groupName=COMPANY_GROUP, locked=True
        )
    return found


class CompanyRecords(Records):
    TYPE, NAME, SCOPE = "0-2", "COMPANY", "companies"
    DEFAULTS = ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name")
    TEXTS = ("name", "domain", "website", "phone")
    IDENTIFYING = ("name", "domain")
    GROUP = (COMPANY_GROUP, "Company information")
    # Another range than that of the contacts, so that a mistaken kind of id meets nothing.
    FIRST_ID = 50_000

    def __init__(
        self,
        id: int,
        now: Callable[[], datetime],
        switches: dict[str, Any],
        users: owners.Owners,
        links: Associations,
    ) -> None:
        super().__init__(id, now, switches, make_company_properties(), users)
        self.links = links

    def shape_value(self, name: str, value: str, record: dict[str, str]) -> str:
        return (
            value.strip().lower() if name == "domain" else super().shape_value(name, value, record)
        )

    def archive(self, id: str) -> None:
        super().archive(id)
        self.links.drop_company(id)

    def find_by_domain(self, domain: str) -> str | None:
        """The oldest company with this domain."""
        return next(
            (id for id, company in self.records.items() if company.get("domain") == domain), None
        )
