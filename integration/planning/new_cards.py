"""Whether a contact becomes a card in Sansan. Pure: the same candidate gives the same decision."""

from __future__ import annotations

from dataclasses import dataclass

from integration.planning.card_values import NAMING_FIELDS, find_too_long, make_card_values
from integration.planning.decisions import CREATE, HOLD, NEW_CARD, SKIP, Decision, Verdict
from integration.planning.filters import find_unmet_contact_filter, write_filter
from integration.planning.normalize import is_email, normalize_email
from integration.planning.rule import Rule
from integration.records import ContactRead


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact without a link.

    ``contact`` None: it is not there any more. ``card`` is a card that has its address already.
    """

    record: int
    contact: ContactRead | None
    link: str = ""  # its person's, where there is one by now
    card: str = ""
    barred: str = ""


def find_card_address(contact: ContactRead) -> str:
    """The folded address, "" where it is none that a card can have."""
    key = normalize_email(contact.values.get("email", ""))
    return key if is_email(key) else ""


def refuse_candidate(one: Candidate, rule: Rule) -> Decision | None:
    """Why the contact becomes no card, without asking Sansan; None where it may."""
    if one.contact is None:
        return skip_candidate(one, "excluded", "contact_left")
    if one.link:
        return skip_candidate(one, "linked", "has_card")
    if one.barred:
        return skip_candidate(one, "excluded", "never_sync", one.barred)
    if rule.require_email and not find_card_address(one.contact):
        return skip_candidate(one, "excluded", "contact_no_email")
    unmet = find_unmet_contact_filter(one.contact, rule.contact_filters)
    if unmet:
        return skip_candidate(one, "excluded", "contact_not_chosen", write_filter(unmet))
    card = make_card_values(one.contact.values, rule.to_cards)
    if not any(card.get(name) for name in NAMING_FIELDS):
        return hold_candidate(one, "nameless")
    return (
        hold_candidate(one, "too_long_for_card", find_too_long(card))
        if find_too_long(card)
        else None
    )


def decide_candidate(one: Candidate, rule: Rule, left: int) -> Decision:
    """``left`` is how many cards may still be made today.

    To be called after the look whether Sansan has the address.
    """
    refusal = refuse_candidate(one, rule)
    if refusal or one.contact is None:
        return refusal or skip_candidate(one, "excluded", "contact_left")
    if one.card:
        return skip_candidate(one, "linked", "card_exists", one.card)
    if left < 1:
        return skip_candidate(one, "waiting", "daily_cap")
    verdicts = (Verdict(one.record, "linked", NEW_CARD),)
    return Decision(
        CREATE,
        NEW_CARD,
        one.record,
        verdicts,
        contact_id=one.contact.id,
        after=make_card_values(one.contact.values, rule.to_cards),
    )


def skip_candidate(one: Candidate, bucket: str, reason: str, detail: str = "") -> Decision:
    return Decision(
        SKIP,
        reason,
        one.record,
        (Verdict(one.record, bucket, reason, detail),),
        detail,
        link=one.link,
        contact_id=name_candidate(one),
    )


def hold_candidate(one: Candidate, reason: str, detail: str = "") -> Decision:
    return Decision(
        HOLD,
        reason,
        one.record,
        (Verdict(one.record, "held", reason, detail),),
        detail,
        contact_id=name_candidate(one),
    )


def name_candidate(one: Candidate) -> str:
    return one.contact.id if one.contact else ""
