"""Decision: what planning says of one person, always with a reason code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from integration.planning.judge import Clash
from integration.planning.reasons import REASONS
from integration.records import Values

CREATE, UPDATE, LINK, SKIP, HOLD = "create", "update", "link", "skip", "hold"
WRITE_KINDS = (CREATE, UPDATE, LINK)

# Reasons of a card that another one stands for, and of one that is out of scope.
MERGED_REASONS = ("older_card", "same_card", "shared_mailbox")
EXCLUDED_REASONS = (
    "no_email",
    "invalid_email",
    "no_selected_tag",
    "filtered",
    "never_sync",
    "contact_filtered",
    "unseen",
    "contact_no_email",
    "contact_not_chosen",
    "contact_left",
)
# Where a card stands once its write has succeeded; for any other reason it is in sync.
STANDING_BY_REASON = {
    "email_taken": ("held", "email_taken"),
    "address_passed_on": ("held", "email_taken"),
    "conflict": ("held", "conflict"),
    "value_refused": ("held", "value_refused"),
    "two_contacts": ("held", "two_contacts"),
    "tag_removed": ("excluded", "no_selected_tag"),
}
# The entry makes a card in Sansan, not a contact in HubSpot.
NEW_CARD = "new_card"


__all__ = [
    "CREATE",
    "EXCLUDED_REASONS",
    "HOLD",
    "LINK",
    "MERGED_REASONS",
    "NEW_CARD",
    "REASONS",
    "SKIP",
    "STANDING_BY_REASON",
    "UPDATE",
    "WRITE_KINDS",
    "Clash",
    "Decision",
    "Verdict",
]


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

    ``card`` is the record that the entry is about (the surviving card). ``before`` and ``after``
    hold changed properties only. ``link`` is "" where a new one is to be made. ``origin`` names the
    card whose value won.
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
    # What HubSpot's people edited and the card says otherwise, by property.
    clashes: Mapping[str, Clash] = field(default_factory=dict)
    # The properties that were judged: of no other one this decision knows whether it clashes.
    judged: frozenset[str] = frozenset()
    # The properties that had the same value from us and lost it at once. ``before`` says to what.
    reverted: frozenset[str] = frozenset()
    # The properties that HubSpot gives a value of its own, and that are left so.
    not_taken: tuple[str, ...] = ()
    # The properties without which the rest may be written, should HubSpot refuse their values.
    spare: frozenset[str] = frozenset()

    @property
    def records(self) -> frozenset[int]:
        """The cards of the person, by the ids of their records."""
        return frozenset(verdict.record for verdict in self.verdicts)

    @property
    def writes(self) -> bool:
        return self.kind in WRITE_KINDS
