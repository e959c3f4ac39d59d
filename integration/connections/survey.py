"""What a Sansan key sees, counted: cards in all and for each tag, whose they are, and a few whole
ones to try mappings on.

Sansan tells no totals, so that the pages are walked. Like a run this is worked in slices, and the
page that waits shows how far it is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from integration.connections.check import find_health
from integration.connections.credentials import make_source
from integration.connectors.base import ConnectorError, RetryLater
from integration.models import Connection, Sample, Tag
from integration.records import EPOCH, CardPage, CardRead, Window

SAMPLES_WANTED = 12
SAMPLES_WITHOUT_ADDRESS = 2  # of them: what becomes of these is worth a look, too
MOST_OWNERS = 50
SurveyState = Connection.SurveyState


def is_survey_wanted(connection: Connection) -> bool:
    """Whether there is nothing to show of a key that works: never counted, or its sampled cards
    have been deleted since; and nobody is at it.
    """
    works = connection.health == Connection.Health.OK
    if connection.system != Connection.System.SANSAN or not works or connection.is_being_counted:
        return False
    if connection.surveyed_at is None:
        return True
    return not Sample.objects.filter(connection=connection).exists()


def begin_survey(connection: Connection) -> None:
    """A count that is going on begins anew."""
    now = timezone.now().replace(microsecond=0)
    store_survey(
        connection,
        {
            "state": SurveyState.RUNNING,
            "cards": 0,
            "tags": {},
            "owners": [],
            "token": "",
            "to": now.isoformat(),
        },
    )


def work_survey_slice(connection: Connection, seconds: float) -> float | None:
    """Counts on for a while; returns the seconds until the next slice, or None when there is
    nothing left to do.
    """
    state = dict(connection.survey)
    if state.get("state") != SurveyState.RUNNING:
        return None
    until = time.monotonic() + seconds
    try:
        source = make_source(connection)
        read = False  # one page at least, or a busy machine would count for ever
        while state["state"] == SurveyState.RUNNING and (time.monotonic() < until or not read):
            page = source.list_cards(
                Window(EPOCH, datetime.fromisoformat(state["to"])), state["token"]
            )
            count_page(connection, state, page)
            read = True
    except RetryLater as later:
        return min(later.after, 60.0)
    except ConnectorError as error:
        store_survey(connection, {**state, "state": SurveyState.FAILED, "why": error.detail})
        Connection.objects.filter(pk=connection.pk).update(
            health=find_health(error), health_detail=error.detail, tested_at=timezone.now()
        )
        return None
    return 0.0 if state["state"] == SurveyState.RUNNING else None


def count_page(connection: Connection, state: dict[str, Any], page: CardPage) -> None:
    """Adds a page. What it found is stored with where it stopped."""
    tags = Counter(state["tags"])
    tags.update(tag.id for card in page.cards for tag in card.tags)
    owners = dict.fromkeys(
        (*state["owners"], *filter(None, (card.values.get("ownerName", "") for card in page.cards)))
    )
    state.update(
        cards=state["cards"] + len(page.cards),
        tags=dict(tags),
        owners=list(owners)[:MOST_OWNERS],
        token=page.next_token,
    )
    with transaction.atomic():
        keep_samples(connection, page.cards)
        if not page.next_token:
            state["state"] = SurveyState.DONE
            finish_survey(connection, state)
        store_survey(connection, state)


def finish_survey(connection: Connection, state: dict[str, Any]) -> None:
    tags = list(Tag.objects.filter(connection=connection).only("pk", "external_id", "account_id"))
    for tag in tags:
        tag.cards = state["tags"].get(tag.external_id, 0)
    Tag.objects.bulk_update(tags, ["cards"], batch_size=500)
    connection.cards, connection.surveyed_at = state["cards"], timezone.now()
    connection.save(update_fields=["cards", "surveyed_at"])
    state.update(tags={}, own_only=state["owners"] == [connection.remote_name])


def store_survey(connection: Connection, state: dict[str, Any]) -> None:
    connection.survey = state
    connection.save(update_fields=["survey"])


def keep_samples(connection: Connection, cards: Iterable[CardRead]) -> None:
    """The fullest cards say most about mappings; one without an address, what becomes of those."""
    there = {sample.external_id: sample for sample in Sample.objects.filter(connection=connection)}
    private = find_private_tags(connection)
    there.update({card.id: as_sample(connection, card, private) for card in cards})
    best = sorted(there.values(), key=lambda one: (len(one.values), one.external_id), reverse=True)
    bare = [one for one in best if not one.values.get("email")][:SAMPLES_WITHOUT_ADDRESS]
    kept = [one for one in best if one.values.get("email")][: SAMPLES_WANTED - len(bare)] + bare
    Sample.objects.filter(connection=connection).exclude(
        external_id__in=[one.external_id for one in kept]
    ).delete()
    store_samples([one for one in kept if one.pk is None])


def as_sample(connection: Connection, card: CardRead, private: Collection[str]) -> Sample:
    """A private tag is one Sansan user's own, and is never written."""
    return Sample(
        account_id=connection.account_id,
        connection=connection,
        external_id=card.id,
        values=dict(card.values),
        tags=[
            tag.id for tag in card.tags if tag.type != Tag.Type.PRIVATE and tag.id not in private
        ],
        read_at=timezone.now(),
    )


def find_private_tags(connection: Connection) -> set[str]:
    return set(
        Tag.objects.filter(connection=connection, type=Tag.Type.PRIVATE).values_list(
            "external_id", flat=True
        )
    )


def store_samples(rows: list[Sample]) -> None:
    Sample.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "external_id"],
        update_fields=["values", "tags", "read_at"],
    )


def forget_sample_refusal(connection: Connection) -> None:
    """Somebody wants to try a card: what became of the one before is forgotten."""
    kept = {
        name: value
        for name, value in connection.survey.items()
        if name != Connection.SAMPLE_REFUSALS
    }
    store_survey(connection, kept)


def take_sample(connection: Connection, card_id: str) -> None:
    """Reads one card that somebody wants to try, or notes why it cannot be read.

    Raises ConnectorError.
    """
    try:
        card = make_source(connection).read_card(card_id)
    except ConnectorError as error:
        refused = {card_id: error.detail}
        store_survey(connection, {**connection.survey, Connection.SAMPLE_REFUSALS: refused})
        raise
    store_samples([as_sample(connection, card, find_private_tags(connection))])
