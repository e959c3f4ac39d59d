"""HubSpot's own setting "create and associate companies with contacts": it acts some time after a
contact got an address.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from integration.sandbox.hubspot import events
from integration.sandbox.hubspot.associations import Associations
from integration.sandbox.hubspot.companies import CompanyRecords
from integration.sandbox.hubspot.records import Records

AwaitedContact = tuple[datetime, str]  # (from when on, contact)
FREE_MAIL_DOMAINS = set(
    "gmail.com googlemail.com yahoo.com yahoo.co.jp ymail.ne.jp outlook.com outlook.jp "
    "hotmail.com hotmail.co.jp live.com live.jp msn.com "
    "icloud.com me.com mac.com aol.com proton.me protonmail.com gmx.com mail.com "
    "docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp".split()
)


class AutoCompanies:
    def __init__(
        self,
        now: Callable[[], datetime],
        switches: dict[str, Any],
        companies: CompanyRecords,
        links: Associations,
    ) -> None:
        self.now, self.switches, self.companies, self.links = now, switches, companies, links
        self.awaited: list[AwaitedContact] = []

    def wait(self, id: str, email: str) -> None:
        """Notes that a contact got this address, if it is one that says anything of a company."""
        if email and self.switches["auto_companies"]:
            delay = timedelta(seconds=self.switches["auto_companies_delay"])
            self.awaited.append((self.now() + delay, id))

    def settle(self, contacts: Records) -> None:
        if not self.awaited:
            return
        now = self.now()
        due = [id for at, id in self.awaited if at <= now]
        if not due:
            return
        self.awaited = [row for row in self.awaited if row[0] > now]
        with self.links.log.by(events.AUTOMATION_SOURCE):
            for key in due:
                # Merged ones too; one that is gone meanwhile gets nothing.
                if id := contacts.find(key):
                    self.associate(id, contacts.records[id].get("email", ""))

    def associate(self, id: str, email: str) -> None:
        domain = email.rsplit("@", 1)[-1]
        if not domain or domain in FREE_MAIL_DOMAINS:
            return
        company = self.companies.find_by_domain(domain)
        if company is None:
            # The name that HubSpot would find for a domain comes from a directory of its own; the
            # first part must do here.
            name = domain.split(".")[0].capitalize()
            company = self.companies.create({"domain": domain, "name": name})
        # A contact that has a primary company keeps it: that a new address would take it away is
        # nowhere said.
        self.links.add(id, company, primary=self.links.primary(id) is None)
