"""Decision: what planning says of one person, always with a reason code."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration.records import Values

CREATE, UPDATE, LINK, SKIP, HOLD = "create", "update", "link", "skip", "hold"
WRITES = (CREATE, UPDATE, LINK)

# Code -> what it means, in a sentence a person can act on. The admin shows these.
REASONS: dict[str, str] = {
    # written
    "new_person": "No contact has this person's address: a new one is made.",
    "matched_email": "A contact with this address exists and is linked.",
    "matched_secondary": "A contact that already belongs to this person is found and linked.",
    "card_changed": "The card changed, and the contact follows.",
    "contact_differs": "The contact differed from the card, and the rule lets the card win.",
    # nothing to write
    "in_sync": "The contact already says what the card says.",
    "kept_hubspot": "The contact was edited in HubSpot, and the rule keeps such edits.",
    "older_card": "A newer card of the same person stands for this one.",
    "shared_mailbox": "Somebody else's newer card has the same address, and two people are never blended.",
    # excluded
    "no_email": "The card has no e-mail address, and the rule asks for one.",
    "invalid_email": "The card's e-mail address is not one that a contact can have: correct it in Sansan.",
    "no_selected_tag": "The card carries none of the selected tags.",
    "filtered": "The card does not meet a filter of the rule.",
    "never_sync": "Somebody decided that this card is never synced; the detail says why.",
    "contact_filtered": "The contact that this card belongs to does not meet a filter of the rule, so it is left alone.",
    "unseen": "The key no longer sees this card; its contact was left as it is.",
    # held
    "contact_gone": "The contact was deleted in HubSpot; it is not made again by itself.",
    "nothing_to_identify": "The card has neither a name nor an address, so HubSpot could not tell whose contact it is.",
    "needs_link_property": "Without an address only our link property can keep this contact from being made twice.",
    "value_too_long": "A value is longer than HubSpot stores; shorten it or switch the mapping off.",
    "email_taken": "Another contact already has this address: merge the two in HubSpot or correct the card. All else of the card is written.",
    "two_contacts": "This person's cards belong to two contacts: merge them in HubSpot.",
    # failed
    "contact_exists": "The address belongs to another contact, which is read and updated instead.",
    "unknown_property": "HubSpot does not have this property: make it or switch the mapping off.",
    "wrong_type": "The value does not fit the property's type: change the mapping or its transform.",
    "unknown_option": "The value is not an option of this property: add it in HubSpot or change the mapping.",
    "read_only": "HubSpot does not let this property be written: switch the mapping off.",
    "rejected": "HubSpot refused the value; the detail says why.",
    "not_confirmed": "HubSpot answered without saying what became of this record; it is read back and tried again.",
    "interrupted": "The work was cut off before HubSpot answered; what happened was settled by reading HubSpot back.",
    "unreadable": "Sansan sent this card in a form that cannot be read.",
    "sansan_unavailable": "Sansan did not answer properly; tried again by itself.",
    "hubspot_unavailable": "HubSpot did not answer properly; tried again by itself.",
    "sansan_reconnect": "Sansan refused the API key: enter a new one in the connection.",
    "hubspot_reconnect": "HubSpot refused the token: enter a new one in the connection.",
    "missing_scope": "The HubSpot token lacks a right: add the scope that the detail names.",
    "budget_exceeded": "More would have changed than the rule's change budget allows.",
    "sight_lost": "The key sees far fewer cards than before; nothing is changed until a person has looked.",
    "bad_mapping": "A mapping cannot work as it stands; the detail names it.",
}

# Reasons of a card that another one stands for, and of one that is out of scope.
MERGED = ("older_card", "shared_mailbox")
EXCLUDED = ("no_email", "invalid_email", "no_selected_tag", "filtered", "never_sync", "contact_filtered", "unseen")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one card of the person. ``bucket`` is where it stands afterwards."""

    record: int
    bucket: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One person: what to write to which contact, and where each card stands once that is done.

    ``card`` is the record that the entry is about (the surviving card). ``before`` and ``after`` hold changed
    properties only. ``link`` is "" where a new one is to be made. ``origin`` names the card whose value won.
    """

    kind: str
    reason: str
    card: int
    verdicts: tuple[Verdict, ...]
    detail: str = ""
    link: str = ""
    contact_id: str = ""
    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)
    origin: Values = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        return self.kind in WRITES
