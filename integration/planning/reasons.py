"""Every reason code: what it means, and what a person can do about it.

Shown in the admin, in the reader's language.
"""

from __future__ import annotations

from integration.notes import gettext_noop

REASONS: dict[str, str] = {
    # written
    "new_person": gettext_noop("No contact has this person's address: a new one is made."),
    "matched_email": gettext_noop("A contact with this address exists and is linked."),
    "card_changed": gettext_noop("The card changed, and the contact follows."),
    "tag_removed": gettext_noop(
        "The card lost its selected tags, and the contact's tag property says so."
    ),
    "new_card": gettext_noop("The contact has no card: one is made in Sansan."),
    "company_associated": gettext_noop("The contact belongs to the company that the card names."),
    "contact_differs": gettext_noop(
        "The contact differed from the card, and the rule lets the card win."
    ),
    # nothing to write
    "in_sync": gettext_noop("The contact already says what the card says."),
    "not_taken": gettext_noop(
        "HubSpot keeps a value of its own, whatever is written. All else is as on the card."
    ),
    "kept_hubspot": gettext_noop(
        "The contact was edited in HubSpot, and the rule keeps such edits."
    ),
    "older_card": gettext_noop("A newer card of the same person stands for this one."),
    "same_card": gettext_noop(
        "Another rule sees the same card through another key, and keeps the contact up to date."
    ),
    "shared_mailbox": gettext_noop(
        "Somebody else's newer card has the same address, and two people are never blended."
    ),
    "has_card": gettext_noop("The contact has a card: it needs no new one."),
    "card_exists": gettext_noop("Sansan has a card with this address already: none is made."),
    "contact_merged": gettext_noop(
        "The contact was merged into another one in HubSpot; the link follows."
    ),
    "daily_cap": gettext_noop(
        "As many cards as the rule allows were made today: this one waits for tomorrow."
    ),
    # excluded
    "contact_no_email": gettext_noop(
        "The contact has no e-mail address that a card can have, and the rule asks for one."
    ),
    "contact_not_chosen": gettext_noop("The contact does not meet a criterion of the rule."),
    "contact_left": gettext_noop("The contact was deleted before it became a card."),
    "no_email": gettext_noop("The card has no e-mail address, and the rule asks for one."),
    "invalid_email": gettext_noop("The card's e-mail address is not one that a contact can have."),
    "no_selected_tag": gettext_noop("The card carries none of the selected tags."),
    "filtered": gettext_noop("The card does not meet a filter of the rule."),
    "never_sync": gettext_noop(
        "Somebody decided that this card is never synced; the detail says why."
    ),
    "contact_filtered": gettext_noop(
        "The contact that this card belongs to does not meet a filter of the rule, so it is "
        "left alone."
    ),
    "unseen": gettext_noop("The key no longer sees this card; its contact was left as it is."),
    # held
    "contact_gone": gettext_noop(
        "The contact was deleted in HubSpot; it is not made again by itself."
    ),
    "contact_forgotten": gettext_noop(
        "The contact was deleted in HubSpot for privacy. It is never made again."
    ),
    "contact_missing": gettext_noop(
        "The contact is neither in HubSpot nor in its recycle bin. It may have been deleted for "
        "privacy, so it is not made again."
    ),
    "conflict": gettext_noop(
        "Somebody edited in HubSpot what the card says otherwise, and the rule leaves the "
        "choice to a person."
    ),
    "nameless": gettext_noop(
        "The contact has neither a name nor a company, and Sansan makes no card without one."
    ),
    "too_long_for_card": gettext_noop("A value is longer than Sansan takes on a card."),
    "nothing_to_identify": gettext_noop(
        "The card has neither a name nor an address, so HubSpot could not tell whose contact it is."
    ),
    "needs_link_property": gettext_noop(
        "Without an address only our link property can keep this contact from being made twice."
    ),
    "value_too_long": gettext_noop("A value is longer than HubSpot stores."),
    "value_refused": gettext_noop(
        "HubSpot does not take a value of this card. All else of the card is written."
    ),
    "other_account": gettext_noop(
        "Another account of this platform syncs the same HubSpot account, and had this contact "
        "first. It is left to that one."
    ),
    "two_contacts": gettext_noop(
        "Another contact belongs to the same person, as Sansan or the cards say. Both are kept up "
        "to date."
    ),
    "set_apart": gettext_noop(
        "Sansan or the cards no longer say that this is the same person: each has a contact."
    ),
    "value_taken": gettext_noop(
        "Another contact has a value that no two contacts may share. All else of the card is "
        "written."
    ),
    "email_taken": gettext_noop(
        "Another contact already has this address. All else of the card is written."
    ),
    "address_passed_on": gettext_noop(
        "Several contacts are to get one another's address. This one gives up its own, so that all "
        "can have theirs in a moment."
    ),
    # failed
    "contact_exists": gettext_noop(
        "The address belongs to another contact, which is read and updated instead."
    ),
    "unknown_property": gettext_noop("HubSpot does not have this property."),
    "wrong_type": gettext_noop("The value does not fit the property's type."),
    "unknown_option": gettext_noop("The value is not an option of this property."),
    "read_only": gettext_noop("HubSpot does not let this property be written."),
    "rejected": gettext_noop("HubSpot refused the value."),
    "card_refused": gettext_noop("Sansan refused to make the card."),
    "not_confirmed": gettext_noop("HubSpot answered without saying what became of this record."),
    "interrupted": gettext_noop(
        "The work was cut off before HubSpot answered; what happened was settled by reading "
        "HubSpot back."
    ),
    "unreadable": gettext_noop("Sansan sent this card in a form that cannot be read."),
    "sansan_unavailable": gettext_noop("Sansan did not answer properly."),
    "hubspot_unavailable": gettext_noop("HubSpot did not answer properly."),
    "sansan_reconnect": gettext_noop("Sansan refused the API key."),
    "hubspot_reconnect": gettext_noop("HubSpot refused the key or the consent."),
    "missing_scope": gettext_noop("The HubSpot key lacks a right."),
    "budget_exceeded": gettext_noop(
        "More would have changed than the rule's change budget allows."
    ),
    "sight_lost": gettext_noop(
        "The key sees far fewer cards than before; nothing is changed until a person has looked."
    ),
    "same_portal": gettext_noop(
        "Two connections lead to the same HubSpot account, and each contact would be two people."
    ),
    "other_portal": gettext_noop(
        "The key leads to another HubSpot account than before; nothing is written until a person "
        "has looked."
    ),
    "other_company": gettext_noop(
        "The new Sansan key sees none of the cards that are known; nothing is written until a "
        "person has looked."
    ),
    "no_progress": gettext_noop(
        "The run was cut off several times without getting any further, and was given up."
    ),
    "superseded": gettext_noop(
        "The rule was changed while this run was going on, and the run was stopped."
    ),
    "bad_mapping": gettext_noop("A mapping cannot work for this card."),
}

# What to do, by the same codes.
TO_DO: dict[str, str] = {
    # written
    "new_person": gettext_noop("Nothing to do."),
    "matched_email": gettext_noop("Nothing to do."),
    "card_changed": gettext_noop("Nothing to do."),
    "tag_removed": gettext_noop("Nothing to do."),
    "new_card": gettext_noop("Nothing to do."),
    "company_associated": gettext_noop("Nothing to do."),
    "contact_differs": gettext_noop(
        "Nothing to do. If such edits should stay, choose “HubSpot's edit stays” in the rule."
    ),
    # nothing to write
    "in_sync": gettext_noop("Nothing to do."),
    "not_taken": gettext_noop(
        "Nothing to do where HubSpot is right. Else look for a workflow in HubSpot, or switch the "
        "mapping off."
    ),
    "kept_hubspot": gettext_noop("Nothing to do. If the card should win, choose so in the rule."),
    "older_card": gettext_noop("Nothing to do. The newer card is on the person's page."),
    "same_card": gettext_noop("Nothing to do."),
    "shared_mailbox": gettext_noop(
        "If this person needs a contact, enter an address of their own on the card in Sansan."
    ),
    "has_card": gettext_noop("Nothing to do."),
    "card_exists": gettext_noop(
        "Nothing to do. If the card should be synced, see that it meets the rule's tags and "
        "criteria."
    ),
    "contact_merged": gettext_noop("Nothing to do."),
    "daily_cap": gettext_noop(
        "Nothing to do: it is made when the day has ended. The number a day is set on the page "
        "“Configure”."
    ),
    # excluded
    "contact_no_email": gettext_noop(
        "Enter the address on the contact in HubSpot, or let people without one in on the page "
        "“Limit”."
    ),
    "contact_not_chosen": gettext_noop(
        "If the contact should become a card, change the criterion that the detail names."
    ),
    "contact_left": gettext_noop("Nothing to do."),
    "no_email": gettext_noop(
        "Enter the address on the card in Sansan, or let people without one in on the page “Limit”."
    ),
    "invalid_email": gettext_noop("Correct the address on the card in Sansan."),
    "no_selected_tag": gettext_noop(
        "Put a selected tag on the card in Sansan, or select one of its tags."
    ),
    "filtered": gettext_noop(
        "If the card should be synced, change the criterion that the detail names."
    ),
    "never_sync": gettext_noop(
        "If it should be synced after all, press “Sync it again” on the record's page."
    ),
    "contact_filtered": gettext_noop(
        "If the contact should follow the card, change the criterion that the detail names."
    ),
    "unseen": gettext_noop(
        "Look in Sansan whether the card was deleted or the key lost sight of it."
    ),
    # held
    "contact_gone": gettext_noop(
        "Restore the contact in HubSpot and retry, or set the record to “Never sync”."
    ),
    "contact_forgotten": gettext_noop(
        "Delete the card in Sansan too, if the person asked for that, or set the record to "
        "“Never sync”."
    ),
    "contact_missing": gettext_noop(
        "Look in HubSpot. If the person should have a contact, make it there with the card's "
        "address: it is linked by itself."
    ),
    "conflict": gettext_noop("Choose the card's or the contact's value on the record's page."),
    "nameless": gettext_noop("Enter a name or a company on the contact in HubSpot."),
    "too_long_for_card": gettext_noop(
        "Shorten the value in HubSpot, or switch the mapping off for new cards."
    ),
    "nothing_to_identify": gettext_noop("Enter a name or an address on the card in Sansan."),
    "needs_link_property": gettext_noop(
        "Give the HubSpot key the right to make contact properties "
        "(crm.schemas.contacts.write), then check everything."
    ),
    "value_too_long": gettext_noop("Shorten the value in Sansan, or switch the mapping off."),
    "value_refused": gettext_noop(
        "Correct the value in Sansan, or the mapping; then it is tried again. Or press “Check "
        "again now”."
    ),
    "other_account": gettext_noop(
        "Let one account write to this HubSpot account: pause the other one's sync, or connect it "
        "to another HubSpot account. The platform's operator knows which it is."
    ),
    "two_contacts": gettext_noop("Merge the two contacts in HubSpot, if they are one person."),
    "set_apart": gettext_noop("Nothing to do."),
    "value_taken": gettext_noop("Correct the value in Sansan, or switch the mapping off."),
    "email_taken": gettext_noop(
        "Merge the two contacts in HubSpot, or correct the address on the card."
    ),
    "address_passed_on": gettext_noop("Nothing to do."),
    # failed
    "contact_exists": gettext_noop("Nothing to do: it is tried again by itself."),
    "unknown_property": gettext_noop("Make the property in HubSpot, or switch the mapping off."),
    "wrong_type": gettext_noop("Choose a transform that fits the property, or another property."),
    "unknown_option": gettext_noop(
        "Add the option in HubSpot, or put the value into the mapping's value table."
    ),
    "read_only": gettext_noop("Switch the mapping off, or choose another property."),
    "rejected": gettext_noop("Correct what the detail names, then retry."),
    "card_refused": gettext_noop(
        "Correct what the detail names on the contact in HubSpot, then retry."
    ),
    "not_confirmed": gettext_noop("Nothing to do: it is read back and tried again by itself."),
    "interrupted": gettext_noop("Nothing to do: it is tried again by itself."),
    "unreadable": gettext_noop(
        "Open the card in Sansan and save it again. If it stays so, tell the platform's "
        "administrator."
    ),
    "sansan_unavailable": gettext_noop(
        "Nothing to do: it is tried again by itself. If it lasts, look at Sansan's status page."
    ),
    "hubspot_unavailable": gettext_noop(
        "Nothing to do: it is tried again by itself. If it lasts, look at HubSpot's status page."
    ),
    "sansan_reconnect": gettext_noop(
        "Enter a new API key in the connection, then resume the rule."
    ),
    "hubspot_reconnect": gettext_noop(
        "Enter a new key in the connection or sign in to HubSpot again, then resume the rule."
    ),
    "missing_scope": gettext_noop(
        "Add the right that the detail names to the key in HubSpot, then resume the rule."
    ),
    "budget_exceeded": gettext_noop(
        "Look at a preview. If the changes are meant, resume the rule: the next run goes past "
        "the budget once."
    ),
    "sight_lost": gettext_noop(
        "Check the rights of the key's user in Sansan. If the cards are really gone, resume the "
        "rule."
    ),
    "same_portal": gettext_noop(
        "Make a new rule that goes by the other connection, or enter a key of another HubSpot "
        "account in this one."
    ),
    "other_portal": gettext_noop(
        "Enter a key of the former HubSpot account, or begin anew with this one at the "
        "connection; then resume the rule."
    ),
    "other_company": gettext_noop(
        "Enter a key of the same company. If this key is right, resume the rule."
    ),
    "no_progress": gettext_noop(
        "Nothing to do: it is begun anew by itself. If it happens again, tell the platform's "
        "administrator: the log of the workers says why."
    ),
    "superseded": gettext_noop("Review the change, then save and sync: what was left is taken up."),
    "bad_mapping": gettext_noop("Correct the mapping that the detail names."),
}
