"""One slice of a run: take in, plan, open, send, close. Read this first.

The loops meet in the ledger. ``read_cards`` stores changed cards as Records that are due,
``read_contact_changes`` makes those due whose contact was changed in HubSpot, ``sweep_tags`` those
whose tags were; ``deliver_batch`` takes due people to their contacts. When they are done,
``deliver_new_cards`` makes cards of contacts that have none, and ``deliver_companies`` sees to
companies. Each ``yield`` hands a vendor call to the pool; between two of them everything runs in
one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.conf import settings

from integration.connectors.base import ConnectorError, Reconnect, RetryLater
from integration.delivery.budget import check_budget
from integration.delivery.companies import deliver_companies
from integration.delivery.gather import (
    adopt_found_contacts,
    needs_contacts,
    read_contacts,
    take_snapshot,
)
from integration.delivery.new_cards import deliver_new_cards, settle_doubtful_cards
from integration.delivery.queue import Queue
from integration.delivery.send import read_back_writes, send_writes
from integration.intake.candidates import walk_contacts
from integration.intake.cards import read_cards
from integration.intake.contacts import read_contact_changes
from integration.intake.inbox import has_changes
from integration.intake.tags import sweep_tags
from integration.ledger.closing import close_entries
from integration.ledger.entries import Opened, load_open_writes
from integration.ledger.opening import open_entries
from integration.notes import note
from integration.planning.plan import plan_people
from integration.planning.rule import LINK_ID
from integration.slice.desk import Desk, RunHeld
from integration.slice.options import make_options
from integration.slice.pool import Pool, Work
from integration.slice.rows import Batch

# So many times in a row writes may go unanswered, and not be done, before the slice gives up.
MOST_DOUBTS = 3


def advance_run(desk: Desk) -> bool:
    """Works until the run is done (True) or the slice is spent (False).

    Raises what a person or time must mend.
    """
    queue, pool = Queue(desk), Pool(settings.SYNC_WORKERS)
    try:
        settle_open_entries(desk)
        # A card that was made and not noted yet must be ours before it is read as anybody's.
        pool.start(settle_doubtful_cards(desk))
        pool.drain()
        for reading in (
            read_cards(desk),
            read_contact_changes(desk),
            sweep_tags(desk),
            walk_contacts(desk),
        ):
            pool.start(reading)
        last: list[Callable[[Desk], Work]] = [deliver_new_cards, deliver_companies]
        while True:
            idle = not len(pool)
            while (
                len(pool) <= settings.SYNC_WORKERS
                and queue.open
                and (batch := queue.take_batch(idle))
            ):
                pool.start(deliver_batch(desk, batch))
            if len(pool):
                pool.step()
                queue.refresh()
            elif desk.in_flight.in_doubt:
                settle_open_entries(desk)
            elif desk.spent:
                queue.leave()
                return False
            elif queue.start_pass():
                continue
            elif more := find_more_work(desk, last):
                pool.start(more)
            else:
                return True
    except (ConnectorError, RunHeld):
        desk.in_flight.stop()
        # What was sent before the trouble gets its outcome; nothing more is begun.
        pool.drain(ConnectorError, RunHeld)
        raise
    finally:
        pool.close()


def find_more_work(desk: Desk, last: list[Callable[[Desk], Work]]) -> Work | None:
    """What is begun when everybody who was due has an outcome: what HubSpot told meanwhile, then
    what is ``last``, one after the other.
    """
    if not (desk.run.is_preview or desk.in_flight.inbox_refused) and has_changes(
        desk.rule.hubspot_id
    ):
        return read_contact_changes(desk)
    return last.pop(0)(desk) if last else None


def deliver_batch(desk: Desk, batch: Batch) -> Work:
    """One batch of people, from due to closed."""
    if needs_contacts(desk, batch):
        yield partial(read_contacts, desk, batch)
        adopt_found_contacts(desk, batch)
    decisions = plan_people(take_snapshot(desk, batch), desk.plan_rule)
    check_budget(desk, batch, decisions)
    yield from make_options(desk, decisions)
    check_budget(desk, batch, decisions)  # other batches were opened meanwhile
    opened = open_entries(desk, batch, decisions)
    if opened.writes:
        sent = yield partial(send_writes, desk.target, opened.writes, choose_upsert_key(desk))
        close_entries(desk, opened, sent.results)
        if isinstance(sent.error, (Reconnect, RetryLater)):
            raise sent.error


def settle_open_entries(desk: Desk) -> None:
    """Entries left open by an interrupted slice, or by an answer that never came: HubSpot is read
    back, never sent to blindly.
    """
    desk.in_flight.settle_doubt()
    while writes := load_open_writes(desk):
        results = read_back_writes(desk.target, writes, choose_upsert_key(desk))
        close_entries(desk, Opened(writes), results)
    desk.in_flight.release_all()
    if desk.in_flight.doubts >= MOST_DOUBTS:
        # HubSpot is read and does not write: asked at once again, it would be asked without end.
        raise RetryLater("hubspot_unavailable", note("unreachable", vendor="HubSpot"))


def choose_upsert_key(desk: Desk) -> str:
    """The property that an upsert goes by."""
    return LINK_ID if desk.plan_rule.link_property else "email"
