"""Contacts get the company that their card names: found by domain, then by name, made once where
the rule allows it.

Every call here may be sent twice: companies are made by an upsert on our key, and an association
that is there stays as it is. So the entry is written when the call has been answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from core.bulk import insert_rows, update_rows
from integration.connectors.base import LacksRight, Rejected
from integration.ledger.entries import count_progress, make_entry
from integration.models import (
    AuditEntry,
    Bucket,
    Company,
    Connection,
    Link,
    Outcome,
    Record,
    Side,
    SyncRule,
)
from integration.planning.company import NamedCompany, name_company
from integration.planning.decisions import CREATE, UPDATE
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import Row

log = structlog.get_logger()

PEOPLE_A_CALL = 100
STANDING_BUCKETS = (Bucket.LINKED, Bucket.HELD, Bucket.FAILING)
# Where HubSpot associates by itself, a new contact is left to it for so long before a company is
# made.
HUBSPOT_GOES_FIRST = timedelta(minutes=5)
COMPANY_COLUMNS = ("company_id", "company_due_at", "company_note")


class PersonCompany(NamedTuple):
    link: Link
    row: Row
    company: NamedCompany | None


def deliver_companies(desk: Desk) -> Work:
    """Each ``yield`` hands over a vendor call."""
    if desk.run.is_preview or desk.rule.companies == SyncRule.Companies.NONE:
        return
    while not desk.spent and (people := select_due_people(desk)):
        try:
            yield from settle_companies(desk, people)
        except (LacksRight, Rejected) as refused:
            # Contacts go on without their companies; what is missing stands at each of them.
            later = desk.now() + timedelta(hours=1)
            store_company_notes(
                desk,
                [(one.link.pk, one.link.company_id, later, refused.detail[:200]) for one in people],
            )
            log.warning("no_companies", rule=desk.rule.slug, why=refused.detail)
            return


def select_due_people(desk: Desk) -> list[PersonCompany]:
    """The people of this rule whose company is to be seen to; each with the card that stands for
    them, which may be another rule's.
    """
    cards = Record.objects.filter(side=Side.CARD, link__isnull=False)
    mine, standing = (
        cards.filter(rule=desk.rule, bucket__in=(*STANDING_BUCKETS, Bucket.MERGED)),
        cards.filter(bucket__in=STANDING_BUCKETS),
    )
    links = Link.objects.filter(
        hubspot=desk.rule.hubspot, company_due_at__lte=desk.now(), gone=""
    ).exclude(contact_id="")
    links = links.filter(
        Exists(mine.filter(link=OuterRef("pk"))), Exists(standing.filter(link=OuterRef("pk")))
    )
    found = {link.pk: link for link in links.order_by("company_due_at", "pk")[:PEOPLE_A_CALL]}
    rows = [
        Row(*values)
        for values in standing.filter(link__in=list(found)).order_by("pk").values_list(*Row._fields)
    ]
    heads = {row.link_id: row for row in rows if row.link_id}
    return [
        PersonCompany(found[pk], row, name_company(row.values, row.email_key))
        for pk, row in heads.items()
    ]


def settle_companies(desk: Desk, people: Sequence[PersonCompany]) -> Work:
    """One hundred people: what they have, what they should have, and the calls between the two."""
    have = yield lambda: desk.target.companies.of([one.link.contact_id for one in people])
    open_ones = accept_present_companies(desk, people, have)
    wanted = {one.company.key: one.company for one in open_ones if one.company}
    ids = find_known_companies(desk, wanted)
    for by in ("domain", "name"):
        missing = {
            key: company
            for key, company in wanted.items()
            if key not in ids and getattr(company, by)
        }
        if missing:
            values = [getattr(company, by) for company in missing.values()]
            found = yield lambda by=by, values=values: desk.target.companies.find(by, values)  # type: ignore[misc]
            ids |= remember_companies(
                desk,
                missing,
                {
                    key: found[getattr(c, by).lower()]
                    for key, c in missing.items()
                    if getattr(c, by).lower() in found
                },
            )
    missing = {key: company for key, company in wanted.items() if key not in ids}
    if missing and desk.rule.companies == SyncRule.Companies.MAKE:
        yield desk.target.companies.ensure_key
        bodies = {
            key: {"name": c.name or c.domain, **({"domain": c.domain} if c.domain else {})}
            for key, c in missing.items()
        }
        made = yield lambda: desk.target.companies.make(bodies)
        ids |= remember_companies(desk, missing, made, made=True)
    pairs = [
        (one.link.contact_id, ids[one.company.key])
        for one in open_ones
        if one.company and one.company.key in ids
    ]
    done = (yield lambda: desk.target.companies.associate(pairs)) if pairs else set()
    close_associations(desk, open_ones, ids, done)


def accept_present_companies(
    desk: Desk, people: Sequence[PersonCompany], have: Mapping[str, list[str]]
) -> list[PersonCompany]:
    """Settles those who have a company that we did not give them: HubSpot's own association, or a
    person's, is not doubled.
    """
    settled, left, waits = [], [], []
    by_itself = False
    for one in people:
        there = have.get(one.link.contact_id, [])
        if there and one.link.company_id not in there:
            by_itself = True
            settled.append((one.link.pk, there[0], None, ""))
        elif one.company is None:
            settled.append((one.link.pk, one.link.company_id, None, ""))
        elif not there and desk.rule.hubspot.auto_companies and is_left_to_hubspot(desk, one):
            waits.append(
                (
                    one.link.pk,
                    "",
                    desk.now() + timedelta(seconds=60),
                    "HubSpot associates by itself",
                )
            )
        else:
            left.append(one)
    store_company_notes(desk, [*settled, *waits])
    if (
        by_itself
        and desk.rule.hubspot.auto_companies is None
        and has_own_new_contact(desk, people, have)
    ):
        Connection.objects.filter(pk=desk.rule.hubspot_id).update(auto_companies=True)
        desk.rule.hubspot.auto_companies = True
        log.info(
            "auto_companies",
            connection=desk.rule.hubspot.slug,
            what="HubSpot associates contacts with companies by itself",
        )
    return left


def is_left_to_hubspot(desk: Desk, one: PersonCompany) -> bool:
    return (
        one.company is not None
        and bool(one.company.domain)
        and one.link.created_at > desk.now() - HUBSPOT_GOES_FIRST
    )


def has_own_new_contact(
    desk: Desk, people: Sequence[PersonCompany], have: Mapping[str, list[str]]
) -> bool:
    """Whether a contact that we have made ourselves got a company from somebody else."""
    keys = [one.link.key for one in people if have.get(one.link.contact_id)]
    return AuditEntry.objects.filter(
        rule=desk.rule,
        link_key__in=keys,
        decision=CREATE,
        reason="new_person",
        outcome=Outcome.SUCCEEDED,
    ).exists()


def find_known_companies(desk: Desk, wanted: Mapping[str, NamedCompany]) -> dict[str, str]:
    rows = Company.objects.filter(connection=desk.rule.hubspot, key__in=list(wanted)).exclude(
        company_id=""
    )
    return dict(rows.values_list("key", "company_id"))


def remember_companies(
    desk: Desk, companies: Mapping[str, NamedCompany], ids: Mapping[str, str], made: bool = False
) -> dict[str, str]:
    """Keeps whose company has which id, so that it is found at once the next time: HubSpot's search
    lags behind what was just made.
    """
    now, found = desk.now(), {key: id for key, id in ids.items() if key in companies}
    with transaction.atomic():
        desk.lease.renew()
        Company.objects.bulk_create(
            [
                Company(
                    account_id=desk.rule.account_id,
                    connection=desk.rule.hubspot,
                    key=key,
                    name=companies[key].name[:250],
                    company_id=id,
                    made=made,
                    seen_at=now,
                )
                for key, id in sorted(found.items())
            ],
            update_conflicts=True,
            unique_fields=["connection", "key"],
            update_fields=["company_id", "seen_at"],
        )
    return found


def close_associations(
    desk: Desk, people: Sequence[PersonCompany], ids: Mapping[str, str], done: set[tuple[str, str]]
) -> None:
    now, moved, entries, gone = desk.now(), [], [], []
    for one in people:
        assert one.company is not None
        company_id = ids.get(one.company.key, "")
        if not company_id:
            moved.append((one.link.pk, one.link.company_id, None, "HubSpot has no such company"))
            continue
        if (one.link.contact_id, company_id) not in done:
            # The company was deleted in HubSpot, most likely: it is looked for anew.
            gone.append(one.company.key)
            moved.append(
                (
                    one.link.pk,
                    one.link.company_id,
                    now + timedelta(minutes=5),
                    "HubSpot did not confirm the association",
                )
            )
            continue
        moved.append((one.link.pk, company_id, None, ""))
        if company_id != one.link.company_id:
            entry = make_entry(
                desk,
                now,
                one.row,
                UPDATE,
                "company_associated",
                one.company.name or one.company.domain,
                one.link,
            )
            entry.contact_id, entry.before, entry.after = (
                one.link.contact_id,
                {"company_id": one.link.company_id},
                {"company_id": company_id},
            )
            entry.outcome, entry.sent_at, entry.closed_at = Outcome.SUCCEEDED, now, now
            entries.append(entry)
    with transaction.atomic():
        desk.lease.renew()
        insert_rows(entries)
        Company.objects.filter(connection=desk.rule.hubspot, key__in=gone).delete()
        update_rows(Link, COMPANY_COLUMNS, moved, desk.rule.account_id)
        count_progress(desk)


def store_company_notes(desk: Desk, moved: Sequence[tuple[object, ...]]) -> None:
    if moved:
        with transaction.atomic():
            desk.lease.renew()
            update_rows(Link, COMPANY_COLUMNS, list(moved), desk.rule.account_id)
            count_progress(desk)
