"""From a snapshot of some people to one decision each.

Pure: the same snapshot gives the same plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from integration.notes import note
from integration.planning.blend import blend_cards, list_standing_cards, unite_tags
from integration.planning.decisions import CREATE, HOLD, LINK, SKIP, UPDATE, Decision, Verdict
from integration.planning.filters import (
    find_unmet_card_filter,
    find_unmet_contact_filter,
    note_card_filter,
    note_contact_filter,
)
from integration.planning.judge import Clash, Present, Times, judge_property
from integration.planning.kept import find_not_taken, find_reverted
from integration.planning.linking import link_people
from integration.planning.mapping import BadMapping, map_card
from integration.planning.matching import (
    Person,
    choose_address,
    find_doubles,
    has_address,
    is_named_like,
)
from integration.planning.normalize import normalize_email
from integration.planning.rings import choose_givers, find_rings, find_staying
from integration.planning.rule import CARD_ID, LINK_ID, TAGS_FIELD, MappingRow, Rule
from integration.planning.snapshot import Card, LinkView, RefusedValue, Snapshot
from integration.records import ContactRead

# How a contact is gone -> why it is not made again, whatever the rule says.
GONE_REASONS = {"forgotten": "contact_forgotten", "missing": "contact_missing"}
LONGEST_VALUE = 65_536  # characters in a HubSpot text property


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision about one person may look at."""

    snapshot: Snapshot
    rule: Rule
    # Address -> the contact that has it in HubSpot, and will still have it after this plan.
    holders: Mapping[str, str]
    # id(person) -> the contact of another one who is the same person by their cards.
    doubles: Mapping[int, str] = field(default_factory=dict)
    # Contacts that give up their address, so that those who wait for one another can move.
    givers: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person's cards want of the contact.

    ``lost``: the address is somebody else's by now.
    """

    address: str
    values: dict[str, str]  # by property
    source: dict[str, str]  # property -> id of the card that the value is from
    lost: bool = False


def plan_people(snapshot: Snapshot, rule: Rule) -> list[Decision]:
    """One decision for each person, and one for each card that is out of scope."""
    out: list[Decision] = []
    kept: list[Card] = []
    for card in snapshot.cards:
        verdict = exclude_card(card, rule)
        if verdict:
            out.append(exclude(card, verdict))
        else:
            kept.append(card)
    gone = {key for key, link in snapshot.links.items() if link.gone}
    unmade = {key for key, link in snapshot.links.items() if not (link.gone or link.contact_id)}
    persons, owners, links = link_people(kept, gone, unmade)
    addresses = {id(person): choose_address(person, owners) for person in persons}
    wanted = {links[id(person)]: addresses[id(person)] for person in persons}
    doubles = {
        one: snapshot.links.get(links[id(other)], LinkView("")).contact_id
        for one, other in find_doubles(persons).items()
    }
    moving = list_moving_contacts(snapshot, wanted)
    waits = find_waiting_contacts(snapshot, moving)
    givers = choose_givers(find_rings({**waits, **snapshot.waits}), waits)
    holders = find_address_holders(snapshot, moving.keys() - find_staying(waits, moving))
    situation = Situation(snapshot, rule, holders, doubles, givers)
    farewells = plan_farewells(out, {key for key in links.values() if key}, situation)
    excluded = [farewells.get(decision.card, decision) for decision in out]
    decided = [
        decide_person(person, addresses[id(person)], links[id(person)], situation)
        for person in persons
    ]
    return excluded + decided


def exclude_card(card: Card, rule: Rule) -> Verdict | None:
    """Why a card is out of scope by itself, or None."""
    if not card.visible:
        return Verdict(card.record, "unseen", "unseen")
    if not card.in_scope:
        return Verdict(card.record, "excluded", "no_selected_tag")
    if card.barred:
        return Verdict(
            card.record, "excluded", "never_sync", note("persons_words", words=card.barred)
        )
    if card.foreign or (rule.filters_enter and card.link):
        return None
    unmet = find_unmet_card_filter(card, rule.filters)
    if unmet:
        return Verdict(card.record, "excluded", "filtered", note_card_filter(unmet))
    return None


def exclude(card: Card, verdict: Verdict) -> Decision:
    """The decision about a card that is out of scope."""
    return Decision(
        kind=SKIP,
        reason=verdict.reason,
        card=card.record,
        verdicts=(verdict,),
        detail=verdict.detail,
        link=card.link,
    )


def find_address_holders(snapshot: Snapshot, leaving: Collection[str]) -> dict[str, str]:
    """Address -> the contact that has it in HubSpot, and will still have it after this plan:
    contacts that are ``leaving`` their address give it up.
    """
    present = {address: id for address, id in map_addresses(snapshot).items() if id not in leaving}
    return {**present, **snapshot.taken}


def map_addresses(snapshot: Snapshot) -> dict[str, str]:
    """Address -> the contact that has it in HubSpot now."""
    seen = {
        normalize_email(contact.values.get("email", "")): id
        for id, contact in snapshot.contacts.items()
    }
    held = {**snapshot.by_email, **seen}
    return {
        address: snapshot.contacts[id].id
        for address, id in held.items()
        if address and id in snapshot.contacts
    }


def list_moving_contacts(snapshot: Snapshot, wanted: Mapping[str, str]) -> dict[str, str]:
    """Contact -> the address that it is to get and does not have. ``wanted``: link -> the address
    that its person is to have.
    """
    return {
        snapshot.contacts[snapshot.links[key].contact_id].id: address
        for key, address in wanted.items()
        if key in snapshot.links and address and is_moving(snapshot, key, address)
    }


def find_waiting_contacts(snapshot: Snapshot, moving: Mapping[str, str]) -> dict[str, str]:
    """Contact -> the one that has the address it is to get (``moving``: contact -> address)."""
    present = find_address_holders(snapshot, leaving=()) if moving else {}
    return {
        contact: present[address]
        for contact, address in moving.items()
        if present.get(address, contact) != contact
    }


def is_moving(snapshot: Snapshot, key: str, address: str) -> bool:
    """Whether a link's contact is there, and is to get an address that it does not have."""
    contact = snapshot.contacts.get(snapshot.links[key].contact_id)
    return contact is not None and not has_address(contact, address)


def decide_person(person: Person, address: str, link_key: str, situation: Situation) -> Decision:
    """The decision for one person; flat early returns, the first that applies."""
    snapshot, rule = situation.snapshot, situation.rule
    link = snapshot.links.get(link_key, LinkView(""))
    own_contact = "" if link.gone else link.contact_id
    refusal = refuse_person(person, address, rule, served=own_contact in snapshot.contacts)
    if refusal:
        return refusal
    try:
        wanted = make_wanted(person, address, rule)
    except BadMapping as wrong:
        return hold_person(person, "bad_mapping", str(wrong))
    refusal = refuse_values(person, wanted)
    if refusal:
        return refusal
    contact_id = own_contact or snapshot.by_email.get(address, "")
    contact = snapshot.contacts.get(contact_id)
    refusal = refuse_contact(person, address, contact, bool(own_contact), snapshot)
    if refusal:
        return refusal
    if contact is None and (contact_id or link.gone):
        reason = GONE_REASONS.get(link.gone, "contact_gone")
        if reason != "contact_gone" or not rule.make_again:
            return hold_person(person, reason, note("contact", id=contact_id or link.contact_id))
        link = LinkView("")  # under a key of its own: the deleted one may be restored
    if contact is None:
        if not (address or rule.link_property):
            return hold_person(person, "needs_link_property")
        return plan_create(person, link, wanted, rule)
    if link.gone:
        # Another contact has the address now: what was written to the one that is gone says nothing
        # of this one.
        link = LinkView(link.key)
    if not (rule.filters_enter and link.written):
        unmet = find_unmet_contact_filter(contact, rule.contact_filters, rule.zone)
        if unmet:
            return skip_person(person, "excluded", "contact_filtered", note_contact_filter(unmet))
    return plan_update(person, link, contact=contact, wanted=wanted, situation=situation)


def refuse_contact(
    person: Person, address: str, contact: ContactRead | None, own: bool, snapshot: Snapshot
) -> Decision | None:
    """Why a contact that was found is not to be this person's, or None. ``own``: by their link."""
    stranger = "" if own else find_stranger(person, address, contact, snapshot)
    if stranger:
        return hold_person(person, "email_taken", note("contact", id=stranger))
    if contact is not None and contact.id in snapshot.elsewhere:
        return hold_person(person, "other_account", note("contact", id=contact.id))
    return None


def find_stranger(
    person: Person, address: str, contact: ContactRead | None, snapshot: Snapshot
) -> str:
    """The contact that has the person's address and is not theirs, "" where there is none.

    An address is a contact's own where it is the primary one. A secondary one (info@ of somebody's)
    tells nothing of who a contact is, unless the names agree.
    """
    if address in snapshot.taken:
        return snapshot.taken[address]
    if contact is None or normalize_email(contact.values.get("email", "")) == address:
        return ""
    named_like = is_named_like(contact.values, (card.values for card in person))
    return "" if named_like else contact.id


def refuse_person(person: Person, address: str, rule: Rule, served: bool) -> Decision | None:
    """Why this person gets no contact, or None. ``served``: they have one.

    Who has one is served by it, though their address went to somebody else.
    """
    if address:
        return None
    if any(card.email for card in person):
        return None if served else skip_person(person, "merged", "shared_mailbox")
    if rule.require_email:
        typed = any(card.values.get("email", "") for card in person)
        return skip_person(person, "excluded", "invalid_email" if typed else "no_email")
    return None


def make_wanted(person: Person, address: str, rule: Rule) -> Wanted:
    """Raises BadMapping."""
    wished = address or next((card.email for card in person if card.email), "")
    fields, origin = blend_cards(person)
    origin[TAGS_FIELD] = person[0].id
    values = map_card(
        fields, unite_tags(person), rows=rule.mappings, tag_names=rule.tag_names, owners=rule.owners
    )
    values["email"] = wished
    source = {
        row.hubspot: origin[field]
        for row in rule.mappings
        for field in row.sansan
        if field in origin
    }
    return Wanted(wished, values, source, lost=wished != address)


def refuse_values(person: Person, wanted: Wanted) -> Decision | None:
    """Why a contact cannot have these values, or None."""
    named = wanted.values.get("firstname") or wanted.values.get("lastname")
    return None if wanted.address or named else hold_person(person, "nothing_to_identify")


def plan_create(person: Person, link: LinkView, wanted: Wanted, rule: Rule) -> Decision:
    """A contact that is made."""
    wished = {name: value for name, value in wanted.values.items() if value}
    if rule.link_property:
        # The link id itself is added when the link is made: planning knows no randomness.
        wished[CARD_ID] = person[0].id
    after, refused = leave_out_refused(wished, link, rule)
    needed = "" if rule.link_property and not rule.require_email else "email"
    reason = "value_refused" if refused else "new_person"
    return Decision(
        kind=CREATE,
        reason=reason,
        card=person[0].record,
        verdicts=make_verdicts(person, reason),
        detail=describe_refused(refused),
        link=link.key,
        after=after,
        origin=pick_origin(wanted.source, after),
        spare=frozenset(after) - {needed},
    )


def leave_out_refused(
    wished: Mapping[str, str], link: LinkView, rule: Rule
) -> tuple[dict[str, str], dict[str, str]]:
    """(what is written, property -> note of what HubSpot said of its value).

    A value that HubSpot has refused is left out until the card says another one, or the rule
    changes.
    """
    after: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name, value in wished.items():
        known = link.refused.get(name)
        if len(value) > LONGEST_VALUE:
            refused[name] = note("value_too_long")
        elif known and known.value == value and not is_tried_again(known, rule):
            refused[name] = known.detail
        else:
            after[name] = value
    return after, refused


def is_tried_again(refused: RefusedValue, rule: Rule) -> bool:
    """Whether the rule was changed after HubSpot refused a value."""
    return rule.changed_at is not None and refused.at < rule.changed_at


def describe_refused(refused: Mapping[str, str]) -> str:
    """A note of the properties whose values are not written, and why the first of them is not."""
    if not refused:
        return ""
    return note("value_refused", word=", ".join(refused), fault=next(iter(refused.values())))


def plan_update(
    person: Person, link: LinkView, contact: ContactRead, wanted: Wanted, situation: Situation
) -> Decision:
    """A contact that exists: what is written to it, and what is left as people have it.

    Where another contact has the address, this contact keeps its own, and the rest is written.
    """
    head, rule = person[0], situation.rule
    holder = situation.holders.get(wanted.address, "")
    # The rule whose card stands decides, so that two rules never write over each other.
    own = frozenset(row.hubspot for row in rule.mappings) - head.otherwise
    taken = wanted.lost or (bool(holder) and holder != contact.id)
    if has_address(contact, wanted.address):
        # Which of its addresses is the primary one is HubSpot's to say.
        own, taken = own - {"email"}, False
    after, clashes = judge_values(
        person, link, contact=contact, wanted=wanted, situation=situation, own=own
    )
    gives = taken and contact.id in situation.givers and "email" in after
    if taken:
        after.pop("email", None)
        clashes.pop("email", None)
    if gives:
        after["email"] = ""
    if rule.link_property and contact.values.get(CARD_ID, "") != head.id:
        after[CARD_ID] = head.id
    after, refused = leave_out_refused(after, link, rule)
    waiting = [name for name, clash in clashes.items() if clash.winner == "hold"]
    adopted = is_adopted(link, contact, rule)
    before = {name: contact.values.get(name, "") for name in after}
    kept = find_not_taken(
        [row for row in rule.mappings if row.hubspot in own],
        wanted=wanted.values,
        present=contact.values,
        written=link.written,
        answered=link.answered,
    )
    reason, detail = choose_reason(after, before, link, clashes, kept)
    if adopted:
        reason, detail = "matched_email", ""
    if refused:
        reason, detail = "value_refused", describe_refused(refused)
    if waiting:
        reason, detail = "conflict", note("property", id=", ".join(waiting))
    double = situation.doubles.get(id(person), "")
    if double:
        reason, detail = "two_contacts", note("contact", id=double)
    if taken:
        reason = "email_taken"
        detail = note("contact", id=holder) if holder else note("address_taken")
    if gives:
        reason = "address_passed_on"
    if not after and not adopted:
        stays = taken or waiting or refused or double
        settle = hold_served_person if stays else settle_person
        decision = settle(person, reason, detail)
        return replace(decision, link=link.key, contact_id=contact.id, clashes=clashes, judged=own)
    return Decision(
        kind=LINK if adopted else UPDATE,
        reason=reason,
        card=head.record,
        verdicts=make_verdicts(person, reason),
        detail=detail,
        link=link.key,
        contact_id=contact.id,
        before=before,
        after=after,
        origin=pick_origin(wanted.source, after),
        clashes=clashes,
        judged=own,
        reverted=find_reverted(link, contact, after),
        not_taken=tuple(kept),
        spare=frozenset(after),
    )


def is_adopted(link: LinkView, contact: ContactRead, rule: Rule) -> bool:
    """Whether the contact becomes the person's by this decision: it does not carry our key yet."""
    if not link.contact_id:
        return True
    return rule.link_property and contact.values.get(LINK_ID, "") != link.key


def judge_values(
    person: Person,
    link: LinkView,
    contact: ContactRead,
    wanted: Wanted,
    situation: Situation,
    own: Collection[str],
) -> tuple[dict[str, str], dict[str, Clash]]:
    """(property -> the value to write, property -> its clash), of the properties that are ``own``
    to the rule whose card stands.
    """
    rule = situation.rule
    changed_at = max(card.changed_at for card in person)
    stands = {card.id for card in list_standing_cards(person)}
    # What is no longer seen still counts as the person's: losing sight of a card takes nothing from
    # a contact.
    stands |= {card.id for card in situation.snapshot.cards if not card.visible}
    after: dict[str, str] = {}
    clashes: dict[str, Clash] = {}
    for row in rule.mappings:
        name = row.hubspot
        if name not in own:
            continue
        orphaned = link.origin.get(name, person[0].id) not in stands
        present = look_at_property(name, link, contact, orphaned)
        times = Times(changed_at, contact.changed.get(name, contact.modified_at))
        choice = link.choices.get(name)
        judged = judge_property(
            row,
            wanted.values[name],
            present=present,
            conflict=rule.conflict,
            times=times,
            choice=choice,
        )
        if judged.clash:
            clashes[name] = judged.clash
        if judged.value is not None:
            after[name] = judged.value
    return after, clashes


def look_at_property(
    name: str, link: LinkView, contact: ContactRead, orphaned: bool = False
) -> Present:
    """A property as HubSpot has it, and what we last wrote there."""
    return Present(
        value=contact.values.get(name, ""),
        written=link.written.get(name),
        answered=link.answered.get(name),
        orphaned=orphaned,
    )


def plan_farewells(
    out: Iterable[Decision], kept: Collection[str], situation: Situation
) -> dict[int, Decision]:
    """Record -> the last write for people all of whose cards have lost their selected tags: our tag
    property says so, too. ``kept`` are the links of people who stay.
    """
    tag_rows = (row for row in situation.rule.mappings if row.sansan == (TAGS_FIELD,))
    row = next((row for row in tag_rows if not row.expression), None)
    cards = {card.record: card for card in situation.snapshot.cards}
    farewells: dict[str, Decision] = {}
    for decision in out:
        card = cards[decision.card]
        if row is None or decision.reason != "no_selected_tag" or card.foreign:
            continue
        if decision.link in kept or decision.link in farewells:
            continue
        farewell = plan_farewell(decision, card, row, situation)
        if farewell:
            farewells[decision.link] = farewell
    return {decision.card: decision for decision in farewells.values()}


def plan_farewell(
    decision: Decision, card: Card, row: MappingRow, situation: Situation
) -> Decision | None:
    """The write that takes our tags from the contact; None where there is nothing to take."""
    link = situation.snapshot.links.get(decision.link)
    if link is None or link.gone or not link.written.get(row.hubspot):
        return None
    contact = situation.snapshot.contacts.get(link.contact_id)
    if contact is None or contact.id in situation.snapshot.elsewhere:
        return None
    present = look_at_property(row.hubspot, link, contact)
    times = Times(card.changed_at, contact.modified_at)
    value = judge_property(
        row, "", present=present, conflict=situation.rule.conflict, times=times
    ).value
    if value is None:
        return None
    return replace(
        decision,
        kind=UPDATE,
        reason="tag_removed",
        contact_id=contact.id,
        before={row.hubspot: present.value},
        after={row.hubspot: value},
    )


def choose_reason(
    after: Mapping[str, str],
    before: Mapping[str, str],
    link: LinkView,
    clashes: Mapping[str, Clash],
    not_taken: Iterable[str],
) -> tuple[str, str]:
    """(reason, detail) of a contact that is the person's already and needs nobody's choice."""
    if not after and not_taken:
        return "not_taken", note("property", id=", ".join(not_taken))
    if not after:
        return ("kept_hubspot" if clashes else "in_sync"), ""
    edited = any(
        name in link.written and before[name] not in (link.written[name], link.answered.get(name))
        for name in after
    )
    return ("contact_differs" if edited else "card_changed"), ""


def pick_origin(source: Mapping[str, str], after: Iterable[str]) -> dict[str, str]:
    """The cards of the values that are written."""
    return {name: source[name] for name in after if name in source}


def make_verdicts(person: Person, reason: str) -> tuple[Verdict, ...]:
    """The newest card is linked; the others say which card stands for them. Another rule's copy of
    that card is no other card.
    """
    head, *older = person
    verdicts = [Verdict(head.record, "linked", reason)]
    if older:
        stands = note("card", id=head.id)
        verdicts += [
            Verdict(card.record, "merged", "same_card")
            if card.id == head.id
            else Verdict(card.record, "merged", "older_card", stands)
            for card in older
        ]
    return tuple(verdicts)


def settle_person(person: Person, reason: str, detail: str = "") -> Decision:
    """Nothing is written, and the person is in sync."""
    head, *older = make_verdicts(person, reason)
    verdicts = (replace(head, detail=detail), *older)
    return Decision(SKIP, reason, card=person[0].record, verdicts=verdicts, detail=detail)


def skip_person(person: Person, bucket: str, reason: str, detail: str = "") -> Decision:
    """Nothing is written, and every card stands in the same bucket."""
    verdicts = tuple(Verdict(card.record, bucket, reason, detail) for card in person)
    return Decision(SKIP, reason, card=person[0].record, verdicts=verdicts, detail=detail)


def hold_served_person(person: Person, reason: str, detail: str) -> Decision:
    """Something waits for somebody; the person's contact is as it should be but for that, so that
    only the card that stands for them is held.
    """
    head, *older = make_verdicts(person, reason)
    verdicts = (replace(head, bucket="held", detail=detail), *older)
    return Decision(HOLD, reason, card=person[0].record, verdicts=verdicts, detail=detail)


def hold_person(person: Person, reason: str, detail: str = "") -> Decision:
    """Nothing is written until somebody has done something."""
    verdicts = tuple(Verdict(card.record, "held", reason, detail) for card in person)
    return Decision(HOLD, reason, card=person[0].record, verdicts=verdicts, detail=detail)
