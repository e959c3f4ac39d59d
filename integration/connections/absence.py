"""Contacts that HubSpot does not show, asked for again before anybody counts as gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from integration.connectors.base import ContactTarget, RetryLater
from integration.notes import note
from integration.planning.gone import is_vendors_fault
from integration.records import ContactRead


def read_contacts_surely(
    target: ContactTarget,
    ids: Sequence[str],
    properties: Sequence[str],
    history: Sequence[str] = (),
    told: Collection[str] = (),
) -> tuple[dict[str, ContactRead], set[str]]:
    """(id that was asked for -> contact, those of the others that are in the recycle bin).

    What one answer leaves out is asked for once more: an answer may be empty by a fault. Where many
    are neither there nor in the bin, nor ``told`` to be gone, that is the vendor's fault, too.
    Raises RetryLater then, and any other ConnectorError.
    """
    found = target.read(ids, properties, history=history)
    missing = sorted(set(ids).difference(found))
    if not missing:
        return found, set()
    found |= target.read(missing, properties, history=history)
    missing = sorted(set(ids).difference(found))
    binned = target.find_deleted_contacts(missing) if missing else set()
    lost = set(missing).difference(binned, told)
    if is_vendors_fault(len(lost), len(ids)):
        n = note("contacts_not_shown", n=len(lost), all=len(ids))
        raise RetryLater("hubspot_unavailable", n)
    return found, binned
