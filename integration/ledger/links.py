"""What else becomes of links: cards join a person, contacts are merged, echoes are met, people
choose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from core.bulk import any_of, update_rows
from integration.ledger.rows import MetLink
from integration.models import AuditEntry, Connection, Link, Outcome, Record, Side
from integration.planning.decisions import SKIP
from integration.slice.desk import Desk


def join_cards(desk: Desk, record_ids: Sequence[int], link: Link) -> None:
    """These cards belong to a person that we know already."""
    with desk.transaction():
        Record.objects.filter(pk__in=record_ids).update(link=link)


def record_met_contacts(desk: Desk, met: Sequence[MetLink]) -> None:
    """Contacts that were met in HubSpot. In the caller's transaction."""
    update_rows(Link, met, desk.rule.account_id)


def record_merge(desk: Desk, contact_id: str, links: Sequence[Link], detail: str) -> None:
    """Contacts that were merged into one: the first link stands for it, and the cards of the others
    join that one. In the caller's transaction.
    """
    first, *others = links
    if first.contact_id != contact_id:
        Link.objects.filter(pk=first.pk).update(contact_id=contact_id, gone="", gone_at=None)
    for link in others:
        Record.objects.filter(link=link).update(link=first)
    if others:
        merged = Link.objects.filter(pk__in=[link.pk for link in others])
        merged.update(gone=Link.Gone.MERGED, gone_at=desk.now())
    cards = Record.objects.filter(link=first, side=Side.CARD)
    newest = cards.order_by("-changed_at").first()
    now = desk.now()
    AuditEntry.objects.create(
        account_id=desk.rule.account_id,
        run=desk.run,
        rule=desk.rule,
        record_id=newest.pk if newest else 0,
        card_id=newest.external_id if newest else "",
        contact_id=contact_id,
        link_key=first.key,
        name=newest.name if newest else "",
        email=newest.email_key if newest else "",
        decision=SKIP,
        reason="contact_merged",
        detail=detail,
        outcome=Outcome.NONE,
        read_at=now,
        planned_at=now,
        closed_at=now,
    )


def record_set_apart(
    desk: Desk, link: Link, leaving: Collection[int], cards: Iterable[int]
) -> None:
    """Some cards of a link are another person's by now: they lose the link, and all are planned
    anew. In the caller's transaction.
    """
    now = desk.now()
    for record in Record.objects.filter(pk__in=list(cards)):
        AuditEntry.objects.create(
            account_id=desk.rule.account_id,
            run=desk.run,
            rule_id=record.rule_id,
            record_id=record.pk,
            card_id=record.external_id,
            contact_id="" if record.pk in leaving else link.contact_id,
            link_key=link.key,
            name=record.name,
            email=record.email_key,
            decision=SKIP,
            reason="set_apart",
            outcome=Outcome.NONE,
            read_at=now,
            planned_at=now,
            closed_at=now,
        )
    Record.objects.filter(pk__in=list(leaving)).update(link=None)
    due = Record.objects.filter(pk__in=list(cards), due_at__isnull=True)
    due.update(due_at=now, run_id=None)


def forget_contacts(connection: Connection) -> int:
    """Lets go of every contact of a HubSpot connection; returns of how many. In the caller's
    transaction.

    Who was deleted for privacy stays forgotten.
    """
    links = Link.objects.filter(hubspot=connection)
    links.filter(gone=Link.Gone.FORGOTTEN).update(contact_id="")
    return links.exclude(gone=Link.Gone.FORGOTTEN).update(
        contact_id="",
        written={},
        answered={},
        origin={},
        clashes={},
        choices={},
        refused={},
        awaiting=False,
        modified_at=None,
        confirmed_at=None,
        gone="",
        gone_at=None,
        company_id="",
        company_due_at=None,
        company_note="",
    )


def forget_refusals(records: QuerySet[Record]) -> None:
    """The values of these people that HubSpot refused are tried again."""
    told = records.filter(reason="value_refused", link__isnull=False)
    ids = set(told.values_list("link_id", flat=True))
    if ids:
        Link.objects.filter(pk__in=any_of(ids)).update(refused={})


def store_choices(link: Link, chosen: Mapping[str, Mapping[str, Any]]) -> None:
    """Keeps what a person chose for some properties: {side, card, contact, by, at} of each."""
    Link.objects.filter(pk=link.pk).update(choices={**link.choices, **chosen})
