"""Contacts get the company that their card names: found by domain, then by name, made once where
the rule allows it.

Every call here may be sent twice: companies are made by an upsert on our key, and an association
that is there stays as it is. So the entry is written when the call has been answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import structlog
from django.db.models import Exists, OuterRef

from integration.connectors.base import LacksRight, Rejected
from integration.delivery.budget import check_company_budget
from integration.ledger.companies import (
    Association,
    record_companies,
    record_companies_for_all,
)
from integration.ledger.rows import CompanyLink
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
from integration.notes import fit_note, note
from integration.planning.company import NamedCompany, name_company
from integration.planning.decisions import CREATE
from integration.rules.companies import PERSON_BUCKETS, select_links_without_company
from integration.slice.desk import Desk
from integration.slice.pool import Work
from integration.slice.rows import Row

log = structlog.get_logger()

PEOPLE_A_CALL = 100
STANDING_BUCKETS = (Bucket.LINKED, Bucket.HELD, Bucket.FAILING)
# Where HubSpot associates by itself, a new contact is left to it for so long before a company is
# made.
HUBSPOT_GOES_FIRST = timedelta(minutes=5)
NOTE_LENGTH = 200  # characters in the column
# When a person is looked at again: whom HubSpot may associate, whose company it did not confirm,
# and where it refused.
SOON, LATER, MUCH_LATER = timedelta(seconds=60), timedelta(minutes=5), timedelta(hours=1)


class PersonCompany(NamedTuple):
    """A person, the card that stands for them, and the company that it names."""

    link: Link
    row: Row
    company: NamedCompany | None


def deliver_companies(desk: Desk) -> Work:
    """Each ``yield`` hands over a vendor call."""
    if desk.run.is_preview:
        return
    if desk.rule.companies_for_all != desk.rule.companies:
        begin_companies(desk)
    if desk.rule.companies == SyncRule.Companies.NONE:
        return
    while not desk.spent and (people := select_due_people(desk)):
        try:
            yield from settle_companies(desk, people)
        except (LacksRight, Rejected) as refused:
            # Contacts go on without their companies; what is missing stands at each of them.
            later, why = desk.now() + MUCH_LATER, fit_note(refused.detail, NOTE_LENGTH)
            store_companies(
                desk,
                [
                    CompanyLink(person.link.pk, person.link.company_id, later, why)
                    for person in people
                ],
            )
            log.warning("no_companies", rule=desk.rule.slug, why=refused.detail)
            return


def begin_companies(desk: Desk) -> None:
    """The rule has just begun to see to companies, or to make them, or has stopped.

    Raises RunHeld where more contacts would get a company than the change budget allows changes.
    """
    if desk.rule.companies != SyncRule.Companies.NONE:
        check_company_budget(desk, select_links_without_company(desk.rule).count())
    record_companies_for_all(desk)


def select_due_people(desk: Desk) -> list[PersonCompany]:
    """The people of this rule whose company is to be seen to; each with the card that stands for
    them, which may be another rule's.
    """
    cards = Record.objects.filter(side=Side.CARD, link__isnull=False)
    own = cards.filter(rule=desk.rule, bucket__in=PERSON_BUCKETS)
    standing = cards.filter(bucket__in=STANDING_BUCKETS)
    due = Link.objects.filter(hubspot=desk.rule.hubspot, company_due_at__lte=desk.now(), gone="")
    due = due.exclude(contact_id="").filter(
        Exists(own.filter(link=OuterRef("pk"))), Exists(standing.filter(link=OuterRef("pk")))
    )
    links = {link.pk: link for link in due.order_by("company_due_at", "pk")[:PEOPLE_A_CALL]}
    rows = standing.filter(link__in=list(links)).order_by("pk").values_list(*Row._fields)
    heads = {row.link_id: row for row in (Row(*values) for values in rows) if row.link_id}
    providers = desk.rule.account.list_provider_domains()
    return [
        PersonCompany(links[link_id], row, name_company(row.values, row.email_key, providers))
        for link_id, row in heads.items()
    ]


def settle_companies(desk: Desk, people: Sequence[PersonCompany]) -> Work:
    """One hundred people: what they have, what they should have, and the calls between the two."""
    contact_ids = [person.link.contact_id for person in people]
    present = yield partial(desk.target.companies.find_of_contacts, contact_ids)
    without = accept_present_companies(desk, people, present)
    wanted = {person.company.key: person.company for person in without if person.company}
    ids = find_known_companies(desk, wanted)
    for by in ("domain", "name"):
        names = {
            key: getattr(company, by)
            for key, company in wanted.items()
            if key not in ids and getattr(company, by)
        }
        if names:
            found = yield partial(desk.target.companies.find, by, list(names.values()))
            named = {
                key: found[name.lower()] for key, name in names.items() if name.lower() in found
            }
            ids |= remember_companies(desk, wanted, named)
    missing = {key: company for key, company in wanted.items() if key not in ids}
    if missing and desk.rule.companies == SyncRule.Companies.MAKE:
        yield desk.target.companies.ensure_key
        bodies = {key: make_company_body(company) for key, company in missing.items()}
        made = yield partial(desk.target.companies.make, bodies)
        ids |= remember_companies(desk, missing, made, made=True)
    pairs = [
        (person.link.contact_id, ids[person.company.key])
        for person in without
        if person.company and person.company.key in ids
    ]
    done = (yield partial(desk.target.companies.associate, pairs)) if pairs else set()
    close_associations(desk, without, ids, done)


def make_company_body(company: NamedCompany) -> dict[str, str]:
    """The properties of a company that is made."""
    body = {"name": company.name or company.domain}
    return {**body, "domain": company.domain} if company.domain else body


def accept_present_companies(
    desk: Desk, people: Sequence[PersonCompany], present: Mapping[str, list[str]]
) -> list[PersonCompany]:
    """Settles those who have a company that we did not give them: HubSpot's own association, or a
    person's, is not doubled. Returns the others.
    """
    settled: list[CompanyLink] = []
    without: list[PersonCompany] = []
    by_others = False
    for person in people:
        link, there = person.link, present.get(person.link.contact_id, [])
        if there and link.company_id not in there:
            by_others = True
            settled.append(CompanyLink(link.pk, there[0], None, ""))
        elif person.company is None:
            settled.append(CompanyLink(link.pk, link.company_id, None, ""))
        elif not there and desk.rule.hubspot.auto_companies and is_left_to_hubspot(desk, person):
            waits = note("hubspot_associates")
            settled.append(CompanyLink(link.pk, "", desk.now() + SOON, waits))
        else:
            without.append(person)
    store_companies(desk, settled)
    unknown = desk.rule.hubspot.auto_companies is None
    if by_others and unknown and has_own_new_contact(desk, people, present):
        learn_auto_companies(desk)
    return without


def learn_auto_companies(desk: Desk) -> None:
    """HubSpot gave a contact of ours a company: it associates contacts with companies by itself."""
    hubspot = desk.rule.hubspot
    with desk.transaction():
        Connection.objects.filter(pk=hubspot.pk).update(auto_companies=True)
    hubspot.auto_companies = True
    log.info("auto_companies", connection=hubspot.slug)


def is_left_to_hubspot(desk: Desk, person: PersonCompany) -> bool:
    """Whether HubSpot may still associate the contact by itself."""
    if person.company is None or not person.company.domain:
        return False
    return person.link.created_at > desk.now() - HUBSPOT_GOES_FIRST


def has_own_new_contact(
    desk: Desk, people: Sequence[PersonCompany], present: Mapping[str, list[str]]
) -> bool:
    """Whether a contact that we have made ourselves got a company from somebody else."""
    keys = [person.link.key for person in people if present.get(person.link.contact_id)]
    made = AuditEntry.objects.filter(rule=desk.rule, link_key__in=keys, decision=CREATE)
    return made.filter(reason="new_person", outcome=Outcome.SUCCEEDED).exists()


def find_known_companies(desk: Desk, wanted: Mapping[str, NamedCompany]) -> dict[str, str]:
    """Key of a company -> its id in HubSpot, of those that were met before."""
    known = Company.objects.filter(connection=desk.rule.hubspot, key__in=list(wanted))
    return dict(known.exclude(company_id="").values_list("key", "company_id"))


def remember_companies(
    desk: Desk, companies: Mapping[str, NamedCompany], ids: Mapping[str, str], made: bool = False
) -> dict[str, str]:
    """Keeps whose company has which id, so that it is found at once the next time: HubSpot's search
    lags behind what was just made.
    """
    now, found = desk.now(), {key: id for key, id in ids.items() if key in companies}
    rows = [
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
    ]
    with desk.transaction():
        Company.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["connection", "key"],
            update_fields=["company_id", "seen_at"],
        )
    return found


def close_associations(
    desk: Desk, people: Sequence[PersonCompany], ids: Mapping[str, str], done: set[tuple[str, str]]
) -> None:
    """What became of the associations. ``done`` are the pairs that HubSpot has confirmed."""
    links: list[CompanyLink] = []
    associations: list[Association] = []
    deleted: list[str] = []
    for link, row, company in people:
        assert company is not None
        company_id = ids.get(company.key, "")
        if not company_id:
            links.append(CompanyLink(link.pk, link.company_id, None, note("no_such_company")))
        elif (link.contact_id, company_id) not in done:
            # The company was deleted in HubSpot, most likely: it is looked for anew.
            deleted.append(company.key)
            unconfirmed = note("association_unconfirmed")
            links.append(CompanyLink(link.pk, link.company_id, desk.now() + LATER, unconfirmed))
        else:
            links.append(CompanyLink(link.pk, company_id, None, ""))
            if company_id != link.company_id:
                name = note("company", name=company.name or company.domain)
                associations.append(Association(link, row, company_id, name))
    with desk.transaction():
        Company.objects.filter(connection=desk.rule.hubspot, key__in=deleted).delete()
        record_companies(desk, links, associations)


def store_companies(desk: Desk, links: Sequence[CompanyLink]) -> None:
    if links:
        with desk.transaction():
            record_companies(desk, links)
