"""From a contact's properties to the fields of a new card: a rule's mappings, read the other way
round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from integration.planning.countries import find_country_code
from integration.planning.mapping import OWNER_KIND
from integration.planning.normalize import normalize_text
from integration.planning.rule import TAGS_FIELD, MappingRow
from integration.records import Values

# What Sansan takes for a new card, and how many characters of it.
LONGEST_FIELDS = dict.fromkeys(
    (
        "lastName",
        "firstName",
        "lastNameReading",
        "firstNameReading",
        "departmentName",
        "title",
        "companyName",
        "countryCode",
        "prefecture",
        "city",
        "street",
        "building",
        "email",
        "mobile",
        "tel",
        "secondTel",
        "fax",
        "url",
    ),
    250,
) | {"postalCode": 10, "memo": 2000}
# Sansan works the country out where it is not told as two letters.
AUTO_COUNTRY = "AUTO"
# A card needs one of these.
NAMING_FIELDS = ("companyName", "lastName", "firstName")
# Transforms that change the spelling only: the contact's text is as good a text for the card.
SPELLING_TRANSFORMS = frozenset(
    {
        "",
        "text",
        "email",
        "phone",
        "upper",
        "lower",
        "capitals",
        "katakana",
        "hiragana",
        "joined",
        "company",
        "country",
        "country_ja",
    }
)


def refuse_row(row: MappingRow) -> str:
    """Why a row cannot fill a card, or "": ``calculated`` (an expression), ``unwritable`` (Sansan
    sets the field itself), ``one_way``.
    """
    if not row.expression and (
        not row.sansan
        or row.sansan == (TAGS_FIELD,)
        or any(field not in LONGEST_FIELDS for field in row.sansan)
    ):
        return "unwritable"
    if row.expression or row.transform not in SPELLING_TRANSFORMS or row.kind == OWNER_KIND:
        return "calculated"
    if row.table and not invert_table(row.table):
        return "one_way"
    return ""


def invert_table(table: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Property's value (folded) -> card's value; empty where two of the card's lead to the same."""
    pairs = [(normalize_text(value).casefold(), have) for have, value in table]
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}


def make_card_values(values: Values, rows: Iterable[MappingRow]) -> dict[str, str]:
    """Field -> text of the new card, blanks left out.

    Of fields that were joined for HubSpot the first takes the whole.
    """
    card: dict[str, str] = {}
    for row in rows:
        text = values.get(row.hubspot, "").strip()
        if not text or refuse_row(row) or row.sansan[0] in card:
            continue
        if row.table:
            text = look_up_card_value(row.table, text, row.others)
        if text:
            card[row.sansan[0]] = text
    if card:
        card["countryCode"] = make_country_code(card.get("countryCode", ""))
    return card


def look_up_card_value(table: Iterable[tuple[str, str]], text: str, others: str) -> str:
    return invert_table(table).get(
        normalize_text(text).casefold(), "" if others == "blank" else text
    )


def make_country_code(text: str) -> str:
    """Two letters, or AUTO."""
    return find_country_code(text) or AUTO_COUNTRY


def find_too_long(card: Mapping[str, str]) -> str:
    """The first field that is longer than Sansan takes, or ""."""
    return next((field for field, text in card.items() if len(text) > LONGEST_FIELDS[field]), "")
