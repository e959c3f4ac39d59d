"""Whether a contact becomes a card in Sansan. Pure: the same candidate gives the same decision."""

from __future__ import annotations

from dataclasses import dataclass

from integration.planning import decisions as d
from integration.planning import normalize
from integration.planning.decisions import Decision, Verdict
from integration.planning.filters import as_text, failing_contact
from integration.planning.reverse import NAMING, card_values, too_long
from integration.planning.rules import Rule
from integration.records import ContactRead


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact without a link. ``contact`` None: it is not there any more. ``card`` is a card that has its address already."""

    record: int
    contact: ContactRead | None
    link: str = ""  # its person's, where there is one by now
    card: str = ""
    barred: str = ""


def address_of(contact: ContactRead) -> str:
    """The folded address, "" where it is none that a card can have."""
    key = normalize.email(contact.values.get("email", ""))
    return key if normalize.is_email(key) else ""


def refused(one: Candidate, rule: Rule) -> Decision | None:
    """Why the contact becomes no card, without asking Sansan; None where it may."""
    if one.contact is None:
        return skip(one, "excluded", "contact_left")
    if one.link:
        return skip(one, "linked", "has_card")
    if one.barred:
        return skip(one, "excluded", "never_sync", one.barred)
    if rule.require_email and not address_of(one.contact):
        return skip(one, "excluded", "contact_no_email")
    unmet = failing_contact(one.contact, rule.contact_filters)
    if unmet:
        return skip(one, "excluded", "contact_not_chosen", as_text(unmet))
    card = card_values(one.contact.values, rule.to_cards)
    if not any(card.get(name) for name in NAMING):
        return hold(one, "nameless")
    return hold(one, "too_long_for_card", too_long(card)) if too_long(card) else None


def decide(one: Candidate, rule: Rule, left: int) -> Decision:
    """``left`` is how many cards may still be made today. To be called after the look whether Sansan has the address."""
    refusal = refused(one, rule)
    if refusal or one.contact is None:
        return refusal or skip(one, "excluded", "contact_left")
    if one.card:
        return skip(one, "linked", "card_exists", one.card)
    if left < 1:
        return skip(one, "waiting", "daily_cap")
    verdicts = (Verdict(one.record, "linked", d.NEW_CARD),)
    return Decision(d.CREATE, d.NEW_CARD, one.record, verdicts, contact_id=one.contact.id, after=card_values(one.contact.values, rule.to_cards))


def skip(one: Candidate, bucket: str, reason: str, detail: str = "") -> Decision:
    return Decision(d.SKIP, reason, one.record, (Verdict(one.record, bucket, reason, detail),), detail, link=one.link, contact_id=contact_id(one))


def hold(one: Candidate, reason: str, detail: str = "") -> Decision:
    return Decision(d.HOLD, reason, one.record, (Verdict(one.record, "held", reason, detail),), detail, contact_id=contact_id(one))


def contact_id(one: Candidate) -> str:
    return one.contact.id if one.contact else ""
