"""Opened entries -> vendor writes -> results.

Never decides. Runs in the pool's threads: no database here.
"""

from __future__ import annotations

from collections.abc import Sequence

from integration.connectors.base import ConnectorError, ContactTarget, Unanswered
from integration.ledger.entries import Write
from integration.planning.decisions import CREATE
from integration.planning.rule import LINK_ID
from integration.planning.sameness import is_loosely_same, is_same_email, is_same_set
from integration.records import Change, Result, Values


class Sent:
    """Results by entry id, and the error that cut the sending short, if any."""

    def __init__(self) -> None:
        self.results: dict[int, Result] = {}
        self.error: ConnectorError | None = None


def send_writes(target: ContactTarget, writes: Sequence[Write], by: str) -> Sent:
    """One update call for the known people and one upsert call for the new, each up to a hundred.

    The known go first: an address that a known person gives up may be a new person's.
    """
    sent = Sent()
    new = {name_write_key(write, by): write for write in writes if write.decision.kind == CREATE}
    known = {write.entry.contact_id: write for write in writes if write.decision.kind != CREATE}
    for batch, call in ((known, target.update), (new, lambda changes: target.upsert(changes, by))):
        if not batch:
            continue
        changes = [Change(key, write.entry.after) for key, write in batch.items()]
        try:
            for result in call(changes):
                sent.results[batch[result.key].entry.pk] = result
        except ConnectorError as error:
            # Any error but Unanswered says that nothing was done, and none of these people is to
            # blame for it.
            code = "unanswered" if isinstance(error, Unanswered) else "not_written"
            sent.error = error
            for key, write in batch.items():
                sent.results[write.entry.pk] = Result(key, code=code, detail=error.detail)
    return mark_unanswered(sent)


def mark_unanswered(sent: Sent) -> Sent:
    """A row that the answer does not mention may have been written all the same: it is read back
    like an unanswered one.
    """
    for pk, result in sent.results.items():
        if result.code == "not_confirmed":
            sent.results[pk] = Result(result.key, code="unanswered", detail=result.detail)
    return sent


def name_write_key(write: Write, by: str) -> str:
    return str(write.link.key) if by == LINK_ID else write.entry.after["email"]


def read_back_writes(target: ContactTarget, writes: Sequence[Write], by: str) -> dict[int, Result]:
    """What became of writes whose answer never came: written where the contact says so now, else
    not written.
    """
    found: dict[int, Result] = {}
    for new in (True, False):
        part = {
            name_write_key(write, by) if new else write.entry.contact_id: write
            for write in writes
            if (write.decision.kind == CREATE) is new
        }
        names = sorted({name for write in part.values() for name in write.entry.after})
        contacts = target.read(list(part), names, by=by if new else "") if part else {}
        for key, write in part.items():
            contact = contacts.get(key)
            result = Result(key, code="not_written")
            if contact and has_values(contact.values, write.entry.after):
                modified_at = contact.modified_at
                result = Result(key, contact.id, contact.values, modified_at=modified_at)
            found[write.entry.pk] = result
    return found


def has_values(present: Values, sent: Values) -> bool:
    return all(is_stored_as_sent(present.get(name, ""), value) for name, value in sent.items())


def is_stored_as_sent(present: str, sent: str) -> bool:
    """HubSpot folds addresses and may order options its own way."""
    if is_loosely_same(present, sent) or is_same_email(present, sent):
        return True
    return ";" in sent and is_same_set(present, sent)
