"""HubSpot's own setting "create and associate companies with contacts": it acts some time after a contact got an address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from integration.sandbox.hubspot import events

if TYPE_CHECKING:
    from integration.sandbox.hubspot.portal import Portal

AwaitedContact = tuple[datetime, str]  # (from when on, contact)
FREE_MAIL_DOMAINS = set(
    "gmail.com googlemail.com yahoo.com yahoo.co.jp ymail.ne.jp outlook.com outlook.jp hotmail.com hotmail.co.jp live.com live.jp msn.com "
    "icloud.com me.com mac.com aol.com proton.me protonmail.com gmx.com mail.com "
    "docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp".split()
)


def await_company(portal: Portal, id: str, email: str) -> None:
    """Notes that a contact got this address, if it is one that says anything of a company."""
    if email and portal.switches["auto_companies"]:
        portal.awaited.append((portal.now() + timedelta(seconds=portal.switches["auto_companies_delay"]), id))


def associate_due_contacts(portal: Portal) -> None:
    if not portal.awaited:
        return
    now = portal.now()
    due = [id for at, id in portal.awaited if at <= now]
    if not due:
        return
    portal.awaited = [row for row in portal.awaited if row[0] > now]
    with portal.log.by(events.AUTOMATION_SOURCE):
        for key in due:
            if id := portal.find(key):  # merged ones too; one that is gone meanwhile gets nothing
                associate_company(portal, id)


def associate_company(portal: Portal, id: str) -> None:
    domain = portal.contacts[id].get("email", "").rsplit("@", 1)[-1]
    if not domain or domain in FREE_MAIL_DOMAINS:
        return
    company = portal.companies.of_domain(domain)
    if company is None:
        # The name that HubSpot would find for a domain comes from a directory of its own; the first part must do here.
        company = portal.companies.create({"domain": domain, "name": domain.split(".")[0].capitalize()})
    # A contact that has a primary company keeps it: that a new address would take it away is nowhere said.
    portal.links.add(id, company, primary=portal.links.primary(id) is None)
