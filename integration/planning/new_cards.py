"""Whether a contact becomes a card in Sansan. Pure: the same candidate gives the same decision."""

from __future__ import annotations

from dataclasses import dataclass

from integration.notes import note
from integration.planning.card_values import NAMING_FIELDS, find_too_long, make_card_values
from integration.planning.decisions import CREATE, HOLD, NEW_CARD, SKIP, Decision, Verdict
from integration.planning.filters import find_unmet_contact_filter, note_contact_filter
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


def refuse_candidate(candidate: Candidate, rule: Rule) -> Decision | None:
    """Why the contact becomes no card, without asking Sansan; None where it may."""
    contact = candidate.contact
    if contact is None:
        return skip_candidate(candidate, "excluded", "contact_left")
    if candidate.link:
        return skip_candidate(candidate, "linked", "has_card")
    if candidate.barred:
        why = note("persons_words", words=candidate.barred)
        return skip_candidate(candidate, "excluded", "never_sync", why)
    if rule.require_email and not find_card_address(contact):
        return skip_candidate(candidate, "excluded", "contact_no_email")
    unmet = find_unmet_contact_filter(contact, rule.contact_filters, rule.zone)
    if unmet:
        criterion = note_contact_filter(unmet)
        return skip_candidate(candidate, "excluded", "contact_not_chosen", criterion)
    card = make_card_values(contact.values, rule.to_cards)
    if not any(card.get(name) for name in NAMING_FIELDS):
        return hold_candidate(candidate, "nameless")
    too_long = find_too_long(card)
    if too_long:
        return hold_candidate(candidate, "too_long_for_card", note("card_field", fields=too_long))
    return None


def decide_candidate(candidate: Candidate, rule: Rule, left: int) -> Decision:
    """``left`` is how many cards may still be made today.

    To be called after the look whether Sansan has the address.
    """
    refusal = refuse_candidate(candidate, rule)
    if refusal or candidate.contact is None:
        return refusal or skip_candidate(candidate, "excluded", "contact_left")
    if candidate.card:
        card = note("card", id=candidate.card)
        return skip_candidate(candidate, "linked", "card_exists", card)
    if left < 1:
        return skip_candidate(candidate, "waiting", "daily_cap")
    return Decision(
        kind=CREATE,
        reason=NEW_CARD,
        card=candidate.record,
        verdicts=(Verdict(candidate.record, "linked", NEW_CARD),),
        contact_id=candidate.contact.id,
        after=make_card_values(candidate.contact.values, rule.to_cards),
    )


def skip_candidate(candidate: Candidate, bucket: str, reason: str, detail: str = "") -> Decision:
    """No card is made."""
    return Decision(
        kind=SKIP,
        reason=reason,
        card=candidate.record,
        verdicts=(Verdict(candidate.record, bucket, reason, detail),),
        detail=detail,
        link=candidate.link,
        contact_id=find_contact_id(candidate),
    )


def hold_candidate(candidate: Candidate, reason: str, detail: str = "") -> Decision:
    """No card is made until somebody has done something."""
    return Decision(
        kind=HOLD,
        reason=reason,
        card=candidate.record,
        verdicts=(Verdict(candidate.record, "held", reason, detail),),
        detail=detail,
        contact_id=find_contact_id(candidate),
    )


def find_contact_id(candidate: Candidate) -> str:
    return candidate.contact.id if candidate.contact else ""
