"""Normal forms, for matching and comparing only: what is written is the card's own text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import idna
import phonenumbers

# Katakana to hiragana, so that a reading typed in either is the same.
KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
NOT_IN_NAMES = re.compile(r"[\s・･.,'’\-‐]+")
# Which form of a character is meant is told by another one behind it, which nobody sees.
VARIATION_SELECTORS = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
# The forms a Japanese or foreign company puts before or after its name. NFKC has folded widths and
# ㈱ before this.
LEGAL_FORM = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|(?:一般|公益)?(?:社団|財団)法人|"
    r"特定非営利活動法人|独立行政法人|学校法人|医療法人|"
    r"\((?:株|有|同|資|名|社|財|独|学|医)\)|"
    r"(?<![a-z])(?:co\.?,?\s*ltd\.?|k\.?k\.?|inc\.?|ltd\.?|llc|corp(?:oration)?\.?|gmbh|limited|"
    r"company|pte\.?\s*ltd\.?|pte\.?|co\.?$)(?![a-z])",
    re.IGNORECASE,
)
NOT_IN_COMPANIES = re.compile(r"[\s・･.,'’\"“”&＆\-‐]+")
LONGEST_EMAIL = 254
# One @, a dotted domain, a top level of letters (or punycode): what HubSpot accepts, no more.
EMAIL_FORM = re.compile(
    r"(?!\.)[a-z0-9.!#$%&'*+/=?^_`{|}~-]+(?<!\.)@"
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)"
)
# What parts an address from what stands beside it.
NOT_IN_EMAILS = re.compile(r"[\s<>()\[\]\"“”「」『』【】〈〉:,;、|]+")
# An address behind one of these may be the second half of a longer one.
OPEN_ENDS = (".", "_", "-", "+")
EXTENSION = re.compile(
    r"\s*\(?(?:内線|(?<![a-z])ext(?:ension)?\.?|(?<=\d)\s*x)\)?\s*[:：]?\s*\d*.*$", re.IGNORECASE
)
# "(代)" marks the switchboard; labels come before the number.
AROUND_PHONE = re.compile(
    r"\s*\(?(?:代表|代)\)?\s*|^\s*(?:tel|fax|phone|電話)\s*[.:：]?\s*", re.IGNORECASE
)


def read_kanji_variants() -> dict[int, str]:
    """Character -> the usual one of its family (tools/make_kanji_variants.py)."""
    lines = Path(__file__).with_name("kanji_variants.txt").read_text(encoding="utf-8").splitlines()
    return {ord(one): line[0] for line in lines if not line.startswith("#") for one in line[1:]}


# Two letters are written large or small among kanji (霞ヶ関, 霞ケ関).
KANJI_VARIANTS = read_kanji_variants() | str.maketrans("ヵヶゕゖ", "カケかけ")


def fold_kanji(text: str) -> str:
    """髙 becomes 高, 渡邉 becomes 渡辺, whichever form of the character is meant."""
    return VARIATION_SELECTORS.sub("", text).translate(KANJI_VARIANTS)


def normalize_text(value: str) -> str:
    """NFKC, one space between words, none around."""
    return " ".join(unicodedata.normalize("NFKC", value).split())


def normalize_email(value: str) -> str:
    """The address as a match key: NFKC, lower case, its domain in ASCII. Not necessarily valid.

    What a reader of cards puts beside the address (a label, a name, brackets) is left out, and a
    space within its domain. Two addresses are none, and neither is what may be half of one.
    """
    plain = value.lower()
    if EMAIL_FORM.fullmatch(plain):
        return plain
    text = strip_invisible(unicodedata.normalize("NFKC", value)).lower()
    found = find_addresses(text) or find_addresses(close_gaps(text))
    return next(iter(found)) if len(found) == 1 else " ".join(text.split())


def strip_invisible(text: str) -> str:
    """Without characters that nobody sees: zero width, direction marks, soft hyphens, controls."""
    return "".join(
        letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf")
    )


def find_addresses(text: str) -> set[str]:
    """The addresses in a folded text."""
    parts = NOT_IN_EMAILS.split(text)
    keys = {
        index: encode_domain(part.strip(".。")) for index, part in enumerate(parts) if "@" in part
    }
    return {
        key
        for index, key in keys.items()
        if EMAIL_FORM.fullmatch(key) and not (index and parts[index - 1].endswith(OPEN_ENDS))
    }


def close_gaps(text: str) -> str:
    """Without the spaces around an @, and around the dots behind it."""
    name, at, domain = text.rpartition("@")
    return name.rstrip() + at + re.sub(r"\s*\.\s*", ".", domain.lstrip())


def encode_domain(address: str) -> str:
    """An international domain in ASCII (punycode), which HubSpot takes for certain."""
    name, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return name + at + idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return address


def is_email(key: str) -> bool:
    """Whether a folded address (see ``email``) is one that a contact can have."""
    return len(key) <= LONGEST_EMAIL and ".." not in key and EMAIL_FORM.fullmatch(key) is not None


@lru_cache(maxsize=4096)
def normalize_name(last: str, first: str) -> str:
    """A person's name as a match key: width, kana, variants of kanji, case, spaces, dots folded."""
    folded = strip_invisible(fold_kanji(unicodedata.normalize("NFKC", last + first)))
    return NOT_IN_NAMES.sub("", folded.translate(KATAKANA_TO_HIRAGANA).casefold())


@lru_cache(maxsize=4096)
def normalize_company(value: str) -> str:
    """A company's name without its legal form, width, variants of kanji, case, punctuation."""
    folded = fold_kanji(unicodedata.normalize("NFKC", value)).casefold()
    return NOT_IN_COMPANIES.sub("", LEGAL_FORM.sub("", folded))


@lru_cache(maxsize=4096)
def normalize_phone(value: str, country: str = "JP") -> str:
    """E.164 where the number can be read as one, else its digits. An extension is left out."""
    plain = EXTENSION.sub("", AROUND_PHONE.sub("", unicodedata.normalize("NFKC", value))).strip()
    if not plain:
        return ""
    try:
        number = phonenumbers.parse(plain, country.upper() or "JP")
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", plain)
