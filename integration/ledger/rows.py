"""The rows of Link and AuditEntry that the ledger writes by the hundred.

A name is a column of the model; "id" stands for its primary key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from integration.records import Values

# Property -> [card's value, contact's value, who wins, what decided]
Clashes = Mapping[str, list[str]]
# Property -> [value, note, when]
Refusals = Mapping[str, list[str]]


class ClosedEntry(NamedTuple):
    """How an entry ended."""

    id: int
    outcome: str
    contact_id: str
    reason: str
    detail: str
    closed_at: datetime


class WrittenLink(NamedTuple):
    """What a link holds of its contact after a write."""

    id: int
    contact_id: str
    written: Values
    answered: Values
    origin: Values
    confirmed_at: datetime | None
    modified_at: datetime | None
    awaiting: bool
    run_id: int | None
    gone: str
    gone_at: datetime | None
    company_due_at: datetime | None
    refused: Refusals


class RefusedLink(NamedTuple):
    """The values of a person's cards that HubSpot did not take, and what it holds of ours."""

    id: int
    refused: Refusals
    written: Values


class ClashingLink(NamedTuple):
    """What HubSpot's people edited and the card says otherwise."""

    id: int
    clashes: Clashes


class GoneLink(NamedTuple):
    """How a link's contact is gone, with what is kept of it."""

    id: int
    gone: str
    gone_at: datetime | None
    written: Values
    answered: Values
    clashes: Clashes
    choices: Mapping[str, Mapping[str, str]]


class MetLink(NamedTuple):
    """A contact that was met as we left it, or with an edit over our own write."""

    id: int
    modified_at: datetime | None
    awaiting: bool
    echoes: int
    echo_at: datetime | None


class CompanyLink(NamedTuple):
    """A person's company in HubSpot, and when it is seen to again."""

    id: int
    company_id: str
    company_due_at: datetime | None
    company_note: str
