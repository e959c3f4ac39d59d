"""What HubSpot makes of our values: another form at once or a moment later, or its own value for
good.

A form that means the same is ours. What comes back after it was written once more is left, and
told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from integration.planning.rule import MappingRow
from integration.planning.sameness import is_same_meaning
from integration.planning.snapshot import LinkView
from integration.records import ContactRead, Values

# What HubSpot or a workflow of the customer's does to a value, it does within this time.
HUBSPOT_ACTS_WITHIN = timedelta(minutes=5)


def find_reverted(link: LinkView, contact: ContactRead, after: Values) -> frozenset[str]:
    """The properties that had this very value from us, and lost it as soon as it was written."""
    return frozenset(
        name
        for name, value in after.items()
        if link.written.get(name) == value and is_changed_at_once(name, link, contact)
    )


def is_changed_at_once(name: str, link: LinkView, contact: ContactRead) -> bool:
    changed = contact.changed.get(name, contact.modified_at)
    if changed is None or link.confirmed_at is None:
        return False
    return changed - link.confirmed_at <= HUBSPOT_ACTS_WITHIN


def find_not_taken(
    rows: Iterable[MappingRow],
    wanted: Values,
    present: Values,
    written: Values,
    answered: Values,
) -> list[str]:
    """The properties that HubSpot gives a value of its own, whatever we write: one that means
    something else than the card's.
    """
    return [
        row.hubspot
        for row in rows
        if row.hubspot in answered
        and wanted.get(row.hubspot) == written.get(row.hubspot)
        and present.get(row.hubspot, "") == answered[row.hubspot]
        and written.get(row.hubspot) != answered[row.hubspot]
        and not is_same_meaning(row.kind, written.get(row.hubspot, ""), answered[row.hubspot])
    ]
