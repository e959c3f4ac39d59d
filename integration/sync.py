"""One slice of a run: ingest, plan, open, apply, close. Read this first.

The loops meet in the ledger. ``ingest.read`` stores changed cards as Records that are due, ``contacts.read`` makes those due
whose contact was changed in HubSpot, and ``sweep.read`` those whose tags were; ``deliver`` takes due people to their contacts.
When they are done ``outgoing.deliver`` makes cards of contacts that have none, and ``companies.deliver`` sees to companies.
Each ``yield`` hands a vendor call to the pool; between two of them everything runs in one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.conf import settings

from integration import apply, budget, candidates, closing, companies, contacts, gather, inbox, ingest, ledger, opening, outgoing, preflight, sweep
from integration.batch import Batch
from integration.budget import Held
from integration.connectors.base import ConnectorError, Reconnect, RetryLater
from integration.desk import Desk
from integration.gather import Queue
from integration.planning.plan import plan
from integration.planning.rules import LINK_ID
from integration.pool import Pool, Work


def work(desk: Desk) -> bool:
    """Works until the run is done (True) or the slice is spent (False). Raises what a person or time must mend."""
    queue, pool = Queue(desk), Pool(settings.SYNC_WORKERS)
    try:
        settle(desk)
        # A card that was made and not noted yet must be ours before it is read as anybody's.
        pool.start(outgoing.settle(desk))
        pool.drain()
        for reading in (ingest.read(desk), contacts.read(desk), sweep.read(desk), candidates.walk(desk)):
            pool.start(reading)
        last = [outgoing.deliver, companies.deliver]
        while True:
            idle = not len(pool)
            while len(pool) <= settings.SYNC_WORKERS and queue.open and (batch := queue.next(idle)):
                pool.start(deliver(desk, batch))
            if len(pool):
                pool.step()
                queue.refresh()
            elif desk.unsettled:
                settle(desk)
            elif desk.spent:
                queue.leave()
                return False
            elif queue.again():
                continue
            elif more := afterwards(desk, last):
                pool.start(more)
            else:
                return True
    except (ConnectorError, Held):
        desk.deadline = 0.0
        # What was sent before the trouble gets its outcome; nothing more is begun.
        pool.drain(ConnectorError, Held)
        raise
    finally:
        pool.close()


def afterwards(desk: Desk, last: list[Callable[[Desk], Work]]) -> Work | None:
    """What is begun when everybody who was due has an outcome: what HubSpot told meanwhile, then ``last``, one after the other."""
    if not (desk.run.is_preview or desk.deaf) and inbox.waiting(desk.rule.hubspot_id):
        return contacts.read(desk)
    return last.pop(0)(desk) if last else None


def deliver(desk: Desk, batch: Batch) -> Work:
    """One batch of people, from due to closed."""
    if gather.asks(desk, batch):
        yield partial(gather.contacts, desk, batch)
        gather.adopt(desk, batch)
    decisions = plan(gather.snapshot(desk, batch), desk.plan_rule)
    budget.check(desk, batch, decisions)
    yield from preflight.options(desk, decisions)
    budget.check(desk, batch, decisions)  # other batches were opened meanwhile
    opened = opening.open_entries(desk, batch, decisions)
    if opened.writes:
        sent = yield partial(apply.send, desk.target, opened.writes, key(desk))
        closing.close_entries(desk, opened, sent.results)
        if isinstance(sent.error, (Reconnect, RetryLater)):
            raise sent.error


def settle(desk: Desk) -> None:
    """Entries left open by an interrupted slice, or by an answer that never came: HubSpot is read back, never sent to blindly."""
    desk.unsettled = False
    while writes := ledger.found_open(desk):
        closing.close_entries(desk, ledger.Opened(writes), apply.read_back(desk.target, writes, key(desk)))
    desk.in_flight.clear()


def key(desk: Desk) -> str:
    """The property that an upsert goes by."""
    return LINK_ID if desk.plan_rule.link_property else "email"
