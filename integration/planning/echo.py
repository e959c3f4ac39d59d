"""What a change in HubSpot is to us: our own write coming back, nothing of ours, or an edit."""

from __future__ import annotations

from collections.abc import Iterable

from integration.planning.rule import LINK_ID
from integration.planning.snapshot import LinkView
from integration.records import ContactRead

ECHO, OLD, UNTOUCHED, EDITED, ECHO_AND_EDIT = "echo", "old", "untouched", "edited", "both"
OWN_CHANGES, PEOPLES_CHANGES = (ECHO, ECHO_AND_EDIT), (EDITED, ECHO_AND_EDIT)


def judge_change(link: LinkView, contact: ContactRead, watched: Iterable[str]) -> str:
    """ECHO: our last write, met for the first time. OLD: known already. UNTOUCHED: nothing that is
    mapped. EDITED: look at the person. BOTH: our last write, over which an edit shows that was made
    between our reading and our writing.

    ``watched`` are the properties that any rule of the connection reads or writes. HubSpot moves a
    contact's time of change for much that concerns nobody (a calculated property, an opened
    e-mail), so that the values decide, not the time.
    """
    if contact.id != link.contact_id:
        return EDITED  # merged: it has another id now
    known = (
        contact.modified_at is not None
        and link.modified_at is not None
        and contact.modified_at <= link.modified_at
    )
    if known and contact.modified_at != link.modified_at:
        return OLD  # from before our write: the search lags behind
    if (
        known
        and link.awaiting
        and not is_contact_as_left(
            link, contact, (name for name in watched if name in link.written)
        )
    ):
        return ECHO_AND_EDIT
    if known or is_contact_as_left(link, contact, watched):
        return ECHO if link.awaiting else OLD if known else UNTOUCHED
    return EDITED


def is_contact_as_left(link: LinkView, contact: ContactRead, names: Iterable[str]) -> bool:
    return all(is_value_as_left(link, name, contact.values.get(name, "")) for name in names)


def is_value_as_left(link: LinkView, name: str, value: str) -> bool:
    """Whether a property is as we left it: what we wrote, that in HubSpot's spelling, or blank
    where we wrote nothing.
    """
    if name == LINK_ID:  # the link's own name is not among what it has written
        return value == link.key
    return value in (link.written.get(name, ""), link.answered.get(name))
