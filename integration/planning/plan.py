"""From a snapshot of some people to one decision each.

Pure: the same snapshot gives the same plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from integration.planning.blend import blend_cards, list_standing_cards, unite_tags
from integration.planning.decisions import CREATE, HOLD, LINK, SKIP, UPDATE, Decision, Verdict
from integration.planning.filters import (
    find_unmet_card_filter,
    find_unmet_contact_filter,
    write_filter,
)
from integration.planning.judge import Clash, Present, Times, judge_property
from integration.planning.mapping import BadMapping, map_card
from integration.planning.matching import Person, choose_address, find_owners, group_people
from integration.planning.normalize import normalize_email
from integration.planning.rule import CARD_ID, LINK_ID, TAGS_FIELD, Rule
from integration.planning.snapshot import Card, LinkView, Snapshot
from integration.records import ContactRead

# How a contact is gone -> why it is not made again, whatever the rule says.
GONE_REASONS = {"forgotten": "contact_forgotten", "missing": "contact_missing"}
LONGEST_VALUE = 65_536  # characters in a HubSpot text property


def plan_people(snapshot: Snapshot, rule: Rule) -> list[Decision]:
    """One decision for each person, and one for each card that is out of scope."""
    out, kept = [], []
    for card in snapshot.cards:
        verdict = exclude_card(card, rule)
        if verdict:
            out.append(
                Decision(
                    SKIP, verdict.reason, card.record, (verdict,), verdict.detail, link=card.link
                )
            )
        else:
            kept.append(card)
    persons = group_people(kept)
    owner = find_owners(persons)
    taken = choose_links(persons, owner, {key for key, link in snapshot.links.items() if link.gone})
    addresses = {id(person): choose_address(person, owner) for person in persons}
    going = plan_farewells(out, {chosen for chosen in taken.values() if chosen}, snapshot, rule)
    holders = find_address_holders(
        snapshot, {taken[id(person)]: addresses[id(person)] for person in persons}
    )
    return [going.get(one.card, one) for one in out] + [
        decide_person(person, addresses[id(person)], taken[id(person)], snapshot, rule, holders)
        for person in persons
    ]


def exclude_card(card: Card, rule: Rule) -> Verdict | None:
    """Why a card is out of scope by itself, or None."""
    if not card.visible:
        return Verdict(card.record, "unseen", "unseen")
    if not card.in_scope:
        return Verdict(card.record, "excluded", "no_selected_tag")
    if card.barred:
        return Verdict(card.record, "excluded", "never_sync", card.barred)
    row = (
        None
        if card.foreign or (rule.filters_enter and card.link)
        else find_unmet_card_filter(card, rule.filters)
    )
    if row:
        return Verdict(card.record, "excluded", "filtered", write_filter(row))
    return None


def choose_links(
    persons: Iterable[Person], owner: dict[str, Person], gone: Collection[str] = ()
) -> dict[int, str]:
    """id(person) -> the link to use.

    A person keeps the link of their newest linked card whose contact is there. A mailbox that
    passes to somebody with a newer card takes its contact along, because there can be only one
    contact with the address.
    """
    chosen = {
        id(person): next(
            (card.link for card in sorted(person, key=lambda card: card.link in gone) if card.link),
            "",
        )
        for person in persons
    }
    for person in persons:
        if (
            chosen[id(person)]
            and any(card.email for card in person)
            and not choose_address(person, owner)
        ):
            heir = owner[next(card.email for card in person if card.email)]
            if not chosen[id(heir)]:
                chosen[id(heir)] = chosen[id(person)]
            chosen[id(person)] = ""
    return chosen


def find_address_holders(snapshot: Snapshot, wanted: Mapping[str, str]) -> dict[str, str]:
    """Address -> the contact that has it in HubSpot, and will still have it after this plan.

    ``wanted`` is the address that each link's person is to have: a contact that gets another one
    gives its own up.
    """
    moving = {
        snapshot.links[key].contact_id
        for key, address in wanted.items()
        if key in snapshot.links and address
    }
    seen = {
        normalize_email(contact.values.get("email", "")): id
        for id, contact in snapshot.contacts.items()
    }
    held = {**snapshot.by_email, **seen}
    return {
        address: snapshot.contacts[id].id
        for address, id in held.items()
        if id in snapshot.contacts and id not in moving
    }


def decide_person(
    person: Person,
    address: str,
    link_key: str,
    snapshot: Snapshot,
    rule: Rule,
    holders: Mapping[str, str],
) -> Decision:
    """The decision for one person; flat early returns, the first that applies."""
    head = person[0]
    refusal = refuse_person(person, address, rule)
    if refusal:
        return refusal
    values, origin = blend_cards(person)
    origin[TAGS_FIELD] = head.id
    try:
        wanted = map_card(values, unite_tags(person), rule.mappings, rule.tag_names, rule.owners)
    except BadMapping as wrong:
        return hold_person(person, "bad_mapping", str(wrong))
    wanted["email"] = address
    too_long = next((name for name, value in wanted.items() if len(value) > LONGEST_VALUE), None)
    if too_long:
        return hold_person(person, "value_too_long", too_long)
    if not (address or wanted.get("firstname") or wanted.get("lastname")):
        return hold_person(person, "nothing_to_identify")
    link = snapshot.links.get(link_key, LinkView(""))
    contact_id = (link.contact_id if not link.gone else "") or snapshot.by_email.get(address, "")
    contact = snapshot.contacts.get(contact_id)
    source = {
        row.hubspot: origin[field]
        for row in rule.mappings
        for field in row.sansan
        if field in origin
    }
    if contact is None and (contact_id or link.gone):
        reason = GONE_REASONS.get(link.gone, "contact_gone")
        if reason != "contact_gone" or not rule.make_again:
            return hold_person(person, reason, contact_id or link.contact_id)
        link = LinkView("")  # under a key of its own: the deleted one may be restored
    if link.gone and contact:
        link = LinkView(
            link.key
            # Another contact has the address now: what was written to the one that is gone says
            # nothing of it.
        )
    if contact is None:
        return (
            plan_create(person, link, wanted, source, rule)
            if address or rule.link_property
            else hold_person(person, "needs_link_property")
        )
    unmet = (
        None
        if rule.filters_enter and link.written
        else find_unmet_contact_filter(contact, rule.contact_filters)
    )
    if unmet:
        return skip_person(person, "excluded", "contact_filtered", write_filter(unmet))
    return plan_update(
        person, link, contact, wanted, source, rule, holders.get(address, ""), snapshot
    )


def refuse_person(person: Person, address: str, rule: Rule) -> Decision | None:
    """Why this person gets no contact, or None."""
    if address:
        return None
    if any(card.email for card in person):
        return skip_person(person, "merged", "shared_mailbox")
    if rule.require_email:
        typed = any(card.values.get("email", "") for card in person)
        return skip_person(person, "excluded", "invalid_email" if typed else "no_email")
    return None


def plan_create(
    person: Person, link: LinkView, wanted: dict[str, str], source: dict[str, str], rule: Rule
) -> Decision:
    after = {name: value for name, value in wanted.items() if value}
    if rule.link_property:
        # The link id itself is added when the link is made: planning knows no randomness.
        after[CARD_ID] = person[0].id
    return Decision(
        CREATE,
        "new_person",
        person[0].record,
        make_verdicts(person, "new_person"),
        "",
        link.key,
        "",
        {},
        after,
        pick_origin(source, after),
    )


def plan_update(
    person: Person,
    link: LinkView,
    contact: ContactRead,
    wanted: dict[str, str],
    source: dict[str, str],
    rule: Rule,
    holder: str,
    snapshot: Snapshot,
) -> Decision:
    """``holder`` is the contact that has the address.

    Where it is another one, this contact keeps its own, and the rest is written.
    """
    head, taken = person[0], bool(holder) and holder != contact.id
    first_time = not link.contact_id or (
        rule.link_property and contact.values.get(LINK_ID, "") != link.key
    )
    changed_at = max(card.changed_at for card in person)
    # What is no longer seen still counts as the person's: losing sight of a card takes nothing from
    # a contact.
    stands = {card.id for card in list_standing_cards(person)} | {
        card.id for card in snapshot.cards if not card.visible
    }
    after: dict[str, str] = {}
    clashes: dict[str, Clash] = {}
    own = frozenset(row.hubspot for row in rule.mappings) - head.otherwise
    for row in rule.mappings:
        name = row.hubspot
        if name not in own:
            # The rule whose card stands decides, so that two rules never write over each other.
            continue
        orphaned = link.origin.get(name, head.id) not in stands
        present = Present(
            contact.values.get(name, ""), link.written.get(name), link.answered.get(name), orphaned
        )
        times = Times(changed_at, contact.changed.get(name, contact.modified_at))
        judged = judge_property(
            row, wanted[name], present, rule.conflict, times, link.choices.get(name)
        )
        if taken and name == "email":
            continue
        if judged.clash:
            clashes[name] = judged.clash
        if judged.value is not None:
            after[name] = judged.value
    held = [name for name, clash in clashes.items() if clash.winner == "hold"]
    if rule.link_property and contact.values.get(CARD_ID, "") != head.id:
        after[CARD_ID] = head.id
    if not after and not first_time and (taken or held):
        one = (
            hold_person(person, "email_taken", holder)
            if taken
            else hold_person(person, "conflict", ", ".join(held))
        )
        return replace(one, link=link.key, contact_id=contact.id, clashes=clashes, judged=own)
    if not after and not first_time:
        reason = "kept_hubspot" if clashes else "in_sync"
        return Decision(
            SKIP,
            reason,
            head.record,
            make_verdicts(person, reason),
            "",
            link.key,
            contact.id,
            clashes=clashes,
            judged=own,
        )
    before = {name: contact.values.get(name, "") for name in after}
    reason = (
        "email_taken"
        if taken
        else "conflict"
        if held
        else "matched_email"
        if first_time
        else choose_reason(after, before, link)
    )
    detail = holder if taken else ", ".join(held)
    kind, settled = LINK if first_time else UPDATE, make_verdicts(person, reason)
    return Decision(
        kind,
        reason,
        head.record,
        settled,
        detail,
        link.key,
        contact.id,
        before,
        after,
        pick_origin(source, after),
        clashes,
        own,
    )


def plan_farewells(
    out: Iterable[Decision], kept: set[str], snapshot: Snapshot, rule: Rule
) -> dict[int, Decision]:
    """Record -> the last write for people all of whose cards have lost their selected tags: our tag
    property says so, too.
    """
    row = next(
        (row for row in rule.mappings if row.sansan == (TAGS_FIELD,) and not row.expression), None
    )
    found: dict[str, Decision] = {}
    cards = {card.record: card for card in snapshot.cards}
    for one in out:
        link, card = snapshot.links.get(one.link), cards[one.card]
        contact = snapshot.contacts.get(link.contact_id) if link and not link.gone else None
        if (
            row is None
            or link is None
            or contact is None
            or one.reason != "no_selected_tag"
            or card.foreign
            or one.link in kept
            or one.link in found
        ):
            continue
        present = Present(
            contact.values.get(row.hubspot, ""),
            link.written.get(row.hubspot),
            link.answered.get(row.hubspot),
        )
        value = (
            judge_property(
                row, "", present, rule.conflict, Times(card.changed_at, contact.modified_at)
            ).value
            if link.written.get(row.hubspot)
            else None
        )
        if value is not None:
            before, after = {row.hubspot: present.value}, {row.hubspot: value}
            found[one.link] = replace(
                one,
                kind=UPDATE,
                reason="tag_removed",
                contact_id=contact.id,
                before=before,
                after=after,
            )
    return {one.card: one for one in found.values()}


def choose_reason(after: dict[str, str], before: dict[str, str], link: LinkView) -> str:
    edited = any(
        name in link.written and before[name] not in (link.written[name], link.answered.get(name))
        for name in after
    )
    return "contact_differs" if edited else "card_changed"


def pick_origin(source: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {name: source[name] for name in after if name in source}


def make_verdicts(person: Person, reason: str) -> tuple[Verdict, ...]:
    """The newest card is linked; the others say which card stands for them."""
    head, *older = person
    return (
        Verdict(head.record, "linked", reason),
        *(Verdict(card.record, "merged", "older_card", head.id) for card in older),
    )


def skip_person(person: Person, bucket: str, reason: str, detail: str = "") -> Decision:
    return Decision(
        SKIP,
        reason,
        person[0].record,
        tuple(Verdict(card.record, bucket, reason, detail) for card in person),
        detail,
    )


def hold_person(person: Person, reason: str, detail: str = "") -> Decision:
    return Decision(
        HOLD,
        reason,
        person[0].record,
        tuple(Verdict(card.record, "held", reason, detail) for card in person),
        detail,
    )
