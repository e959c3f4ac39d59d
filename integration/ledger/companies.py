"""The companies of people: what a link holds of them, and an entry for each that is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.bulk import insert_rows, update_rows
from integration.ledger.entries import count_progress, make_entry
from integration.ledger.rows import CompanyLink
from integration.models import AuditEntry, Link, Outcome, SyncRule
from integration.planning.decisions import UPDATE
from integration.rules.companies import select_links_without_company
from integration.slice.desk import Desk
from integration.slice.rows import Row


class Association(NamedTuple):
    """A contact that HubSpot associates with another company now. ``detail`` names the company."""

    link: Link
    row: Row
    company_id: str
    detail: str


def record_companies(
    desk: Desk, links: Sequence[CompanyLink], associations: Sequence[Association] = ()
) -> None:
    """What became of people's companies. In the caller's transaction."""
    insert_rows([make_association_entry(desk, association) for association in associations])
    update_rows(Link, links, desk.rule.account_id)
    count_progress(desk)


def make_association_entry(desk: Desk, association: Association) -> AuditEntry:
    now, link = desk.now(), association.link
    entry = make_entry(desk, now, association.row, UPDATE, link=link)
    entry.reason, entry.detail = "company_associated", association.detail
    entry.contact_id, entry.outcome = link.contact_id, Outcome.SUCCEEDED
    entry.before = {"company_id": link.company_id}
    entry.after = {"company_id": association.company_id}
    entry.sent_at = entry.closed_at = now
    return entry


def record_companies_for_all(desk: Desk) -> None:
    """Has the company of everybody looked for who was in sync before the rule did so."""
    with desk.transaction():
        if desk.rule.companies != SyncRule.Companies.NONE:
            select_links_without_company(desk.rule).update(company_due_at=desk.now())
        SyncRule.objects.filter(pk=desk.rule.pk).update(companies_for_all=desk.rule.companies)
    desk.rule.companies_for_all = desk.rule.companies
