"""What the engine wrote down, in the reader's language.

Planning, connectors and workers know neither Django nor who will read: they store plain English
sentences, in rows that never change afterwards. Each of these sentences stands here as a template.
What fits none, such as a vendor's own message, is shown as it was written.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from integration.admin.parts.labels import CARD_FIELDS, OPERATOR_NAMES, PROPERTY_TYPES
from integration.admin.parts.shown import explain_reason
from integration.planning.filters import OPERATORS

ENGINE_SENTENCES = (
    # a vendor's answer
    gettext_noop("%(vendor)s could not be reached."),
    gettext_noop("%(vendor)s did not answer in time."),
    gettext_noop(
        "%(vendor)s answered %(status)s with something that is not JSON, such as a proxy's web "
        "page."
    ),
    gettext_noop("%(vendor)s answered %(status)s, which does not say whether the write was done."),
    gettext_noop("%(vendor)s answered %(status)s without its JSON, as a proxy's web page does."),
    gettext_noop("%(vendor)s answered something that is not a JSON object."),
    gettext_noop("%(vendor)s answered %(status)s."),
    gettext_noop("%(vendor)s's answer is not of the known shape."),
    gettext_noop("%(vendor)s's answer cannot be read: %(fault)s."),
    gettext_noop("The connection to %(vendor)s broke before it answered."),
    gettext_noop("%(vendor)s refused the credentials (401). Enter new ones in the connection."),
    gettext_noop("%(vendor)s says that the credentials lack a right (403): %(message)s"),
    gettext_noop("%(vendor)s does not have it (%(status)s)."),
    gettext_noop("%(vendor)s refused the request (%(status)s): %(message)s"),
    gettext_noop(
        "The %(vendor)s key has characters that no key has: paste it again, in half-width letters."
    ),
    gettext_noop("The rate limit is used up for now."),
    gettext_noop("No key has been entered."),
    gettext_noop(
        "The stored key cannot be decrypted: FERNET_KEYS lacks the key it was encrypted with."
    ),
    # Sansan
    gettext_noop("The key sees %(n)s tags."),
    gettext_noop("%(name)s sees %(n)s tags."),
    gettext_noop("Sansan has a card that cannot be read: %(fault)s."),
    gettext_noop("Sansan made the card without saying which one it is."),
    gettext_noop("Sansan does not have the card."),
    gettext_noop("the card is not a JSON object"),
    gettext_noop("the page has no list called data"),
    gettext_noop("there are more pages, and no token for the next one"),
    gettext_noop("tags is not a list"),
    gettext_noop("“%(value)s” is not a time"),
    gettext_noop("“%(value)s” has no time zone"),
    gettext_noop("%(word)s is not a text"),
    gettext_noop("%(word)s is missing"),
    # HubSpot
    gettext_noop("Portal %(name)s."),
    gettext_noop("The answer does not mention this row."),
    gettext_noop("HubSpot gave no reason."),
    gettext_noop("HubSpot does not have this contact any more."),
    gettext_noop("Contact %(id)s has this address."),
    gettext_noop("Another contact has this address."),
    gettext_noop("HubSpot could not be reached, or its answer broke off."),
    gettext_noop("HubSpot refused to connect (%(status)s). Connect HubSpot again."),
    gettext_noop(
        "This consent was used already or is too old: each works once, within minutes. Connect "
        "HubSpot again."
    ),
    gettext_noop(
        "HubSpot ended this connection, as it does when the app is removed from the account. "
        "Connect HubSpot again."
    ),
    gettext_noop("This HubSpot account is closed. Connect an account that is open."),
    gettext_noop(
        "HubSpot does not know this app. The platform's operator must correct HUBSPOT_CLIENT_ID / "
        "HUBSPOT_CLIENT_SECRET."
    ),
    gettext_noop(
        "HubSpot refuses the secret of this app. The platform's operator must correct "
        "HUBSPOT_CLIENT_ID / HUBSPOT_CLIENT_SECRET."
    ),
    gettext_noop(
        "HubSpot refuses this app. The platform's operator must correct HUBSPOT_CLIENT_ID / "
        "HUBSPOT_CLIENT_SECRET."
    ),
    gettext_noop(
        "HubSpot refuses the address to return to. The platform's operator must enter it as a "
        "redirect URL of the HubSpot app."
    ),
    # a rule and its runs
    gettext_noop("At least %(n)s creates in this run, and the change budget allows %(most)s."),
    gettext_noop("At least %(n)s updates in this run, and the change budget allows %(most)s."),
    gettext_noop(
        "The key no longer sees %(n)s of %(all)s cards. Nothing was changed: check the key's "
        "rights "
        "in Sansan."
    ),
    gettext_noop(
        "The connection %(slug)s leads to the same HubSpot account, and other rules go by it."
    ),
    gettext_noop("Being changed: review it and save."),
    # a mapping and its values
    gettext_noop("HubSpot has no such contact property."),
    gettext_noop("HubSpot does not let this property be written."),
    gettext_noop("a property of type %(type)s does not take the text of %(fields)s."),
    gettext_noop("“%(value)s” is not an address that a contact can have."),
    gettext_noop(
        "“%(value)s” is not an option of the property: add it in HubSpot, or put it into the value "
        "table."
    ),
    gettext_noop("“%(value)s” is not a number."),
    gettext_noop("“%(value)s” is not a date (YYYY-MM-DD)."),
    gettext_noop("“%(value)s” is not a date and time."),
    gettext_noop("“%(value)s” is not true or false."),
    gettext_noop("“%(value)s” is not a field of a card. A text stands in quotes."),
    gettext_noop("“%(value)s” is not a field of a card; the fields are %(names)s."),
    gettext_noop("tags cannot be joined with other fields."),
    gettext_noop("“%(value)s” is not a filter."),
    gettext_noop("The expression takes too long."),
    gettext_noop("The expression makes a text that is too long."),
    gettext_noop("A range such as (1..9) cannot be used here."),
    gettext_noop("The expression is nested too deeply."),
    gettext_noop("A filter is used with more or fewer arguments than it takes."),
    gettext_noop("The expression cannot be read."),
    gettext_noop("The expression cannot be read: %(message)s"),
    gettext_noop("The expression fails for this card: %(message)s"),
    gettext_noop("%(word)s is our own key and cannot be mapped."),
    gettext_noop(
        "“%(value)s” is not the internal name of a property (small letters, digits and _)."
    ),
    # a file, or a form that reads as one
    gettext_noop("is missing."),
    gettext_noop("must be a list."),
    gettext_noop("must be a text."),
    gettext_noop("must be a mapping (name: value)."),
    gettext_noop("is not known here; known are %(names)s."),
    gettext_noop("“%(value)s” is not known; choose one of %(names)s."),
    # of one property or place: anything above
    gettext_noop("%(word)s: %(fault)s"),
)


def name_card_fields(names: str) -> str:
    return " + ".join(str(CARD_FIELDS.get(name, name)) for name in names.split(","))


# A word is a field's or property's name; a status is a number of HTTP.
PLACE_FORMS = {
    "word": r"[\w.\[\]]+",
    "status": r"\d+",
    "vendor": "Sansan|HubSpot",
    "n": r"\d+",
    "all": r"\d+",
    "most": r"\d+",
}


def compile_sentence(template: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", template)
    made = [
        re.escape(part) if i % 2 == 0 else f"(?P<{part}>{PLACE_FORMS.get(part, '.+')})"
        for i, part in enumerate(parts)
    ]
    return re.compile("".join(made))


SENTENCE_PATTERNS = [(compile_sentence(template), template) for template in ENGINE_SENTENCES]


def fill_place(place: str, value: str) -> str:
    """What stands in a place of a sentence, as it is shown."""
    if place == "fault":
        return translate_text(value)
    if place == "type":
        return str(PROPERTY_TYPES.get(value, value))
    return name_card_fields(value) if place == "fields" else value


def translate_text(text: str) -> str:
    """The text, line by line, in the reader's language."""
    return "\n".join(translate_line(line) for line in text.splitlines())


def translate_line(line: str) -> str:
    for form, template in SENTENCE_PATTERNS:
        found = form.fullmatch(line)
        if found:
            return _(template) % {
                name: fill_place(name, value) for name, value in found.groupdict().items()
            }
    return line


# What a record's or an entry's detail is, by its reason, where it is no sentence.
CRITERION_PATTERN = re.compile(rf"(\S+) ({'|'.join(OPERATORS)})(?: (.*))?")
CONTACT_DETAIL, CARD_DETAIL, PROPERTY_DETAIL = (
    gettext_lazy("Contact %(id)s"),
    gettext_lazy("Card %(id)s"),
    gettext_lazy("In HubSpot: %(id)s"),
)
DETAIL_TEXTS: dict[str, Any] = {
    "email_taken": CONTACT_DETAIL,
    "contact_gone": CONTACT_DETAIL,
    "contact_forgotten": CONTACT_DETAIL,
    "contact_missing": CONTACT_DETAIL,
    "older_card": CARD_DETAIL,
    "card_exists": CARD_DETAIL,
    "new_card": CARD_DETAIL,
    "value_too_long": PROPERTY_DETAIL,
    "conflict": PROPERTY_DETAIL,
}


def translate_detail(reason: str, detail: str) -> str:
    """The detail that goes with a reason: a criterion, the id of the other contact or card, a
    property, or sentences.
    """
    if not detail:
        return ""
    if reason in ("filtered", "contact_filtered", "contact_not_chosen"):
        return translate_criterion(detail)
    if reason == "too_long_for_card":
        return name_card_fields(detail)
    if reason == "never_sync":  # a person's own words
        return detail
    return (
        str(DETAIL_TEXTS[reason]) % {"id": detail}
        if reason in DETAIL_TEXTS
        else translate_text(detail)
    )


def show_reason(row: Any) -> SafeString:
    """The reason of a record or an entry, for a list: what it means, in one line, and its code."""
    if not row.reason:
        return SafeString("–")
    text = f"{explain_reason(row.reason)} {translate_detail(row.reason, row.detail)}".strip()
    return format_html(
        '<span class="mb-two"><span class="mb-cut" title="{}">{}</span><small>{}</small></span>',
        text,
        text,
        row.reason,
    )


def translate_criterion(text: str) -> str:
    """A criterion as the page “Limit” has it.

    A property of the contact keeps the name that HubSpot gives it.
    """
    found = CRITERION_PATTERN.fullmatch(text)
    if not found:
        return text
    name, op, value = found.groups(default="")
    return describe_condition(CARD_FIELDS.get(name, name), op, value)


def describe_condition(field: Any, op: str, value: str) -> str:
    """A criterion in words, of a ``field`` that has its name already.

    An operator that this version does not know stands for itself.
    """
    return (
        _("%(field)s %(op)s %(value)s")
        % {"field": field, "op": OPERATOR_NAMES.get(op, op), "value": value}
    ).strip()
