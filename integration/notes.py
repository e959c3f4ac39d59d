"""What the engine notes for a person: a code and its parameters, never a sentence.

Connectors, planning and workers know neither who will read a note nor in which language. They write
``note("unreachable", vendor="HubSpot")``, which is stored as it is; whoever shows the note makes a
sentence of it. A vendor's own words are a parameter. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

# Columns that hold notes have room for 500 characters, a run's for 1,000.
LONGEST_NOTE = 500
LONGEST_RUN_NOTES = 1000
ELLIPSIS = "…"
# The parameter that may be a note itself.
NESTED = "fault"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def gettext_noop(text: str) -> str:
    """Marks a text for translation. Pure code knows no Django; whoever shows the text translates
    it.
    """
    return text


# Code -> the sentence in English. A parameter is a text or a number; ``fault`` is a note itself.
NOTES: dict[str, str] = {
    # a vendor's answer
    "unreachable": gettext_noop("%(vendor)s could not be reached."),
    "no_answer": gettext_noop("%(vendor)s did not answer in time."),
    "not_json": gettext_noop(
        "%(vendor)s answered %(status)s with something that is not JSON, such as a proxy's web "
        "page."
    ),
    "write_unsure": gettext_noop(
        "%(vendor)s answered %(status)s, which does not say whether the write was done."
    ),
    "no_json": gettext_noop(
        "%(vendor)s answered %(status)s without its JSON, as a proxy's web page does."
    ),
    "not_an_object": gettext_noop("%(vendor)s answered something that is not a JSON object."),
    "answered": gettext_noop("%(vendor)s answered %(status)s."),
    "unknown_shape": gettext_noop("%(vendor)s's answer is not of the known shape."),
    "unreadable_answer": gettext_noop("%(vendor)s's answer cannot be read: %(fault)s."),
    "connection_broke": gettext_noop("The connection to %(vendor)s broke before it answered."),
    "answer_broke_off": gettext_noop("%(vendor)s could not be reached, or its answer broke off."),
    "credentials_refused": gettext_noop(
        "%(vendor)s refused the credentials (401). Enter new ones in the connection."
    ),
    "right_lacking": gettext_noop(
        "%(vendor)s says that the credentials lack a right (403): %(message)s"
    ),
    "not_there": gettext_noop("%(vendor)s does not have it (%(status)s)."),
    "request_refused": gettext_noop("%(vendor)s refused the request (%(status)s): %(message)s"),
    "vendor_said": "%(message)s",
    "vendor_said_of": "%(word)s: %(message)s",
    "no_message": gettext_noop("no message"),
    "key_characters": gettext_noop(
        "The %(vendor)s key has characters that no key has: paste it again, in half-width letters."
    ),
    "rate_limit_used_up": gettext_noop("The rate limit is used up for now."),
    "no_key": gettext_noop("No key has been entered."),
    "key_not_decrypted": gettext_noop(
        "The stored key cannot be decrypted: FERNET_KEYS lacks the key it was encrypted with."
    ),
    # Sansan
    "key_sees_tags": gettext_noop("The key sees %(n)s tags."),
    "owner_sees_tags": gettext_noop("%(name)s sees %(n)s tags."),
    "unreadable_card": gettext_noop("Sansan has a card that cannot be read: %(fault)s."),
    "card_without_id": gettext_noop("Sansan made the card without saying which one it is."),
    "card_not_found": gettext_noop("Sansan does not have the card."),
    "card_not_an_object": gettext_noop("the card is not a JSON object"),
    "page_without_data": gettext_noop("the page has no list called data"),
    "page_without_token": gettext_noop("there are more pages, and no token for the next one"),
    "tags_not_a_list": gettext_noop("tags is not a list"),
    "not_a_time": gettext_noop("“%(value)s” is not a time"),
    "no_time_zone": gettext_noop("“%(value)s” has no time zone"),
    "not_a_text": gettext_noop("%(word)s is not a text"),
    "missing": gettext_noop("%(word)s is missing"),
    # HubSpot
    "portal": gettext_noop("Portal %(name)s."),
    "row_not_mentioned": gettext_noop("The answer does not mention this row."),
    "no_reason": gettext_noop("HubSpot gave no reason."),
    "contact_gone": gettext_noop("HubSpot does not have this contact any more."),
    "contact_has_address": gettext_noop("Contact %(id)s has this address."),
    "address_taken": gettext_noop("Another contact has this address."),
    "contacts_not_shown": gettext_noop(
        "HubSpot shows %(n)s of %(all)s contacts neither among its contacts nor in its recycle "
        "bin. So many at once are taken for a fault of HubSpot's."
    ),
    "other_portal": gettext_noop(
        "The key leads to another HubSpot account (%(found)s) than before (%(known)s), where the "
        "contacts that are linked are not. Nothing is written. Enter a key of the former account, "
        "or begin anew with this one at the connection."
    ),
    "strange_portal": gettext_noop(
        "None of %(n)s contacts that were made here before carries our key: this seems to be "
        "another HubSpot account. Nothing is written. Enter a key of the former account."
    ),
    "other_company": gettext_noop(
        "The new Sansan key sees none of %(n)s cards that the former one saw: it seems to be "
        "another company's. Nothing is written. Enter another key, or resume the rule if this one "
        "is right."
    ),
    "value_taken": gettext_noop(
        "Another contact has this value of %(word)s, which no two contacts may share."
    ),
    "value_refused": gettext_noop("HubSpot does not take the card's value of %(word)s: %(fault)s"),
    "value_too_long": gettext_noop("It is longer than HubSpot stores."),
    "connect_refused": gettext_noop(
        "HubSpot refused to connect (%(status)s). Connect HubSpot again."
    ),
    "consent_spent": gettext_noop(
        "This consent was used already or is too old: each works once, within minutes. Connect "
        "HubSpot again."
    ),
    "connection_ended": gettext_noop(
        "HubSpot ended this connection, as it does when the app is removed from the account. "
        "Connect HubSpot again."
    ),
    "portal_closed": gettext_noop(
        "This HubSpot account is closed. Connect an account that is open."
    ),
    "app_unknown": gettext_noop(
        "HubSpot does not know this app. The platform's operator must correct HUBSPOT_CLIENT_ID / "
        "HUBSPOT_CLIENT_SECRET."
    ),
    "app_secret_refused": gettext_noop(
        "HubSpot refuses the secret of this app. The platform's operator must correct "
        "HUBSPOT_CLIENT_ID / HUBSPOT_CLIENT_SECRET."
    ),
    "app_refused": gettext_noop(
        "HubSpot refuses this app. The platform's operator must correct HUBSPOT_CLIENT_ID / "
        "HUBSPOT_CLIENT_SECRET."
    ),
    "redirect_refused": gettext_noop(
        "HubSpot refuses the address to return to. The platform's operator must enter it as a "
        "redirect URL of the HubSpot app."
    ),
    # a rule and its runs
    "creates_exceed_budget": gettext_noop(
        "At least %(n)s creates in this run, and the change budget allows %(most)s."
    ),
    "companies_exceed_budget": gettext_noop(
        "Up to %(n)s contacts that are in sync would get a company, and the change budget allows "
        "%(most)s updates."
    ),
    "updates_exceed_budget": gettext_noop(
        "At least %(n)s updates in this run, and the change budget allows %(most)s."
    ),
    "sight_lost": gettext_noop(
        "The key no longer sees %(n)s of %(all)s cards. Nothing was changed: check the key's "
        "rights in Sansan."
    ),
    "same_portal": gettext_noop(
        "The connection %(slug)s leads to the same HubSpot account, and other rules go by it."
    ),
    "being_changed": gettext_noop("Being changed: review it and save."),
    "not_taken": gettext_noop("HubSpot has not taken %(word)s: it keeps a value of its own."),
    # what a reason is about
    "card": gettext_noop("Card %(id)s"),
    "contact": gettext_noop("Contact %(id)s"),
    "property": gettext_noop("In HubSpot: %(id)s"),
    "card_field": "%(fields)s",
    "criterion": "%(field)s %(op)s %(value)s",
    "contact_criterion": "%(property)s %(op)s %(value)s",
    "persons_words": "%(words)s",
    "company": "%(name)s",
    "merged_contacts": "%(old)s → %(new)s",
    # a person's company
    "hubspot_associates": gettext_noop("HubSpot associates by itself"),
    "no_such_company": gettext_noop("HubSpot has no such company"),
    "association_unconfirmed": gettext_noop("HubSpot did not confirm the association"),
    # a mapping and its values
    "of_property": gettext_noop("%(word)s: %(fault)s"),
    "no_such_property": gettext_noop("HubSpot has no such contact property."),
    "property_read_only": gettext_noop("HubSpot does not let this property be written."),
    "type_does_not_take": gettext_noop(
        "a property of type %(type)s does not take the text of %(fields)s."
    ),
    "not_an_address": gettext_noop("“%(value)s” is not an address that a contact can have."),
    "not_an_option": gettext_noop(
        "“%(value)s” is not an option of the property: add it in HubSpot, or put it into the value "
        "table."
    ),
    "not_a_number": gettext_noop("“%(value)s” is not a number."),
    "not_a_date": gettext_noop("“%(value)s” is not a date (YYYY-MM-DD)."),
    "not_a_moment": gettext_noop("“%(value)s” is not a date and time."),
    "not_a_truth": gettext_noop("“%(value)s” is not true or false."),
    "not_a_field_of_expression": gettext_noop(
        "“%(value)s” is not a field of a card. A text stands in quotes."
    ),
    "not_a_field": gettext_noop("“%(value)s” is not a field of a card; the fields are %(names)s."),
    "tags_joined": gettext_noop("tags cannot be joined with other fields."),
    "not_a_filter": gettext_noop("“%(value)s” is not a filter."),
    "expression_too_slow": gettext_noop("The expression takes too long."),
    "expression_too_long": gettext_noop("The expression makes a text that is too long."),
    "expression_range": gettext_noop("A range such as (1..9) cannot be used here."),
    "expression_too_deep": gettext_noop("The expression is nested too deeply."),
    "filter_arguments": gettext_noop(
        "A filter is used with more or fewer arguments than it takes."
    ),
    "expression_unreadable": gettext_noop("The expression cannot be read."),
    "expression_unreadable_at": gettext_noop("The expression cannot be read: %(message)s"),
    "expression_fails": gettext_noop("The expression fails for this card: %(message)s"),
    "own_key": gettext_noop("%(word)s is our own key and cannot be mapped."),
    "not_a_property_name": gettext_noop(
        "“%(value)s” is not the internal name of a property (small letters, digits and _)."
    ),
    # a configuration file
    "is_missing": gettext_noop("is missing."),
    "must_be_list": gettext_noop("must be a list."),
    "must_be_texts": gettext_noop("must be a list of texts. Put true and false in quotes."),
    "must_be_text": gettext_noop("must be a text. Put true and false in quotes."),
    "must_be_mapping": gettext_noop("must be a mapping (name: value)."),
    "must_be_table": gettext_noop(
        "must be a mapping (card's value: property's value). Put true and false in quotes."
    ),
    "must_be_at_least": gettext_noop("must be a number of at least %(least)s."),
    "must_be_at_most": gettext_noop("must be a number of at most %(most)s."),
    "must_be_true_or_false": gettext_noop("must be true or false."),
    "not_known_here": gettext_noop("is not known here; known are %(names)s."),
    "not_a_choice": gettext_noop("“%(value)s” is not known; choose one of %(names)s."),
    "not_a_slug": gettext_noop("“%(value)s” must be 1 to 50 letters, digits, - or _."),
    "variable_not_set": gettext_noop("the environment variable %(variable)s is not set."),
    "slug_used_twice": gettext_noop("the slug “%(slug)s” is used twice."),
    "mapped_twice": gettext_noop("“%(property)s” is mapped twice."),
    "not_a_connection": gettext_noop(
        "“%(slug)s” is not a %(system)s connection of this file (there is: %(names)s)."
    ),
    "tags_of_sansan_only": gettext_noop("belong to a Sansan connection."),
    "stands_in_expression": gettext_noop("stands in the expression: leave it out here."),
    "not_a_timezone": gettext_noop("“%(name)s” is not a time zone; use a name such as Asia/Tokyo."),
    "file_unreadable": gettext_noop("cannot be read: %(message)s"),
    "not_yaml": gettext_noop("is not YAML: it cannot be read."),
    "not_yaml_at": gettext_noop("is not YAML at line %(line)s, column %(column)s: %(message)s."),
    "other_system": gettext_noop(
        "“%(slug)s” is a %(system)s connection already; choose another slug."
    ),
    "no_such_tag": gettext_noop("the key sees no tag called “%(name)s”."),
    "private_tag": gettext_noop(
        "“%(name)s” is a private tag, which belongs to one Sansan user and cannot be selected."
    ),
    "tag_name_shared": gettext_noop(
        "%(n)s tags are called “%(name)s”; write the id instead: %(names)s."
    ),
    "too_many_tags": gettext_noop("%(n)s tags are selected, and at most %(most)s may be."),
    "no_contact_property": gettext_noop("HubSpot has no contact property “%(name)s”."),
    "twin_connection": gettext_noop(
        "“%(slug)s” is the same HubSpot account as “%(other)s”, which other rules go by: use that "
        "connection."
    ),
    "keeps_connections": gettext_noop(
        "has run already and keeps its connections; make a new rule for others."
    ),
    "marker_names_several": gettext_noop("“%(name)s” names several tags: write its id."),
    "marker_unknown": gettext_noop("“%(name)s” is not a public or shared tag that the key sees."),
}


class Note(NamedTuple):
    """A note as it was made. A parameter is a text, a number, or another note."""

    code: str
    parameters: Mapping[str, str | int | Note]

    def __str__(self) -> str:
        """The sentence in English, for terminals and spreadsheets."""
        template = NOTES.get(self.code)
        return (template % self.parameters).strip() if template else self.code


@cache
def list_placeholders(code: str) -> frozenset[str]:
    """The names of the parameters that a note takes. Raises KeyError for an unknown code."""
    return frozenset(PLACEHOLDER.findall(NOTES[code]))


def note(code: str, /, **parameters: object) -> str:
    """A note as it is stored: JSON of at most LONGEST_NOTE characters.

    Long parameters are shortened. Only ``fault`` may be a stored note: any other parameter can be a
    vendor's or a person's words, which are text whatever they look like. Raises KeyError for an
    unknown code, TypeError for parameters that its sentence does not name.
    """
    if list_placeholders(code) != parameters.keys():
        raise TypeError(f"the note {code} takes {sorted(list_placeholders(code))}")
    content: dict[str, Any] = {"code": code}
    for name, value in parameters.items():
        nested = name == NESTED and read_note(str(value))
        content[name] = json.loads(str(value)) if nested else as_parameter(value)
    return write_fitting(content, LONGEST_NOTE)


def fit_note(stored: str, most: int) -> str:
    """A stored note, for a column with room for ``most`` characters."""
    return write_fitting(json.loads(stored), most) if read_note(stored) else stored[:most]


def write_fitting(content: dict[str, Any], most: int) -> str:
    """JSON of at most ``most`` characters: long texts are shortened, the structure stays."""
    stored = as_json(content)
    while len(stored) > most and shorten_longest(content, len(stored) - most):
        stored = as_json(content)
    return stored


def as_parameter(value: object) -> str | int:
    return value if isinstance(value, (int, str)) else str(value)


def as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def shorten_longest(content: dict[str, Any], excess: int) -> bool:
    """Takes about ``excess`` characters from the longest text. False where none is left."""
    texts = [(holder, name) for holder, name in list_texts(content) if holder[name]]
    if not texts:
        return False
    holder, name = max(texts, key=lambda place: len(place[0][place[1]]))
    text = holder[name]
    # A character may take several in JSON: at least one goes, and the caller looks again.
    keep = max(len(text) - max(excess // 2, 1) - len(ELLIPSIS), 0)
    holder[name] = f"{text[:keep]}{ELLIPSIS}" if keep else ""
    return True


def list_texts(content: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Where the texts of a note are, those of the note in it as well."""
    texts = [(content, name) for name, value in content.items() if isinstance(value, str)]
    inner = content.get(NESTED)
    if isinstance(inner, dict):
        texts += list_texts(inner)
    return [(holder, name) for holder, name in texts if name != "code"]


def join_notes(notes: Iterable[str]) -> str:
    """Several notes for one column, as many as there is room for."""
    lines: list[str] = []
    for stored in notes:
        if sum(map(len, lines)) + len(lines) + len(stored) > LONGEST_RUN_NOTES:
            break
        lines.append(stored)
    return "\n".join(lines)


def is_note(text: str) -> bool:
    return text.startswith('{"code":')


def read_note(text: str) -> Note | None:
    """None where the text is none: rows of before this version hold plain sentences, and a vendor's
    words may look like a note.
    """
    if not is_note(text):
        return None
    try:
        return as_note(json.loads(text))
    except (ValueError, TypeError, KeyError):
        return None


def as_note(content: Mapping[str, Any]) -> Note:
    """Raises ValueError where the sentence of a known code names a parameter that is not there."""
    code = str(content["code"])
    parameters: dict[str, str | int | Note] = {}
    for name, value in content.items():
        if name != "code":
            nested = name == NESTED and isinstance(value, dict)
            parameters[name] = as_note(value) if nested else as_parameter(value)
    if code in NOTES and not list_placeholders(code) <= parameters.keys():
        raise ValueError(f"the note {code} takes {sorted(list_placeholders(code))}")
    return Note(code, parameters)


def read_parameter(text: str, name: str) -> str:
    """One parameter of a stored note. A row of before this version is the parameter itself."""
    found = read_note(text)
    return str(found.parameters.get(name, "")) if found else text


def write_english(text: str) -> str:
    """Stored notes, a line each, as sentences in English; a plain text stays as it is."""
    return describe(text, str)


def describe(text: str, write: Callable[[Note], str]) -> str:
    """Stored notes, a line each, as ``write`` puts them; a plain text stays as it is."""
    if not is_note(text):
        return text
    notes = [(line, read_note(line)) for line in text.split("\n")]
    return "\n".join(write(found) if found else line for line, found in notes)


def export_notes(text: str) -> list[dict[str, object]]:
    """Stored notes for a machine and for a person: code, parameters, and the sentence."""
    exported: list[dict[str, object]] = []
    for line in filter(None, text.split("\n")):
        found = read_note(line)
        parameters = as_plain(found.parameters) if found else {}
        code = found.code if found else ""
        exported.append({"code": code, "parameters": parameters, "text": str(found or line)})
    return exported


def as_plain(parameters: Mapping[str, str | int | Note]) -> dict[str, object]:
    """Nested notes as objects, as they are stored."""
    return {
        name: {"code": value.code, **as_plain(value.parameters)}
        if isinstance(value, Note)
        else value
        for name, value in parameters.items()
    }
