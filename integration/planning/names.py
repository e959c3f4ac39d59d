"""Whether two names can be one person's: the two sides of a card, a reading beside the kanji.

Latin letters and kana say how a name sounds; kanji do so only where the card gives the reading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import NamedTuple

import jaconv

from integration.planning.normalize import KATAKANA_TO_HIRAGANA, normalize_name
from integration.records import Values

KANJI = re.compile(r"[々〆\u3400-\u9fff\U00020000-\U0003ffff]")
BETWEEN_WORDS = re.compile(r"[\s・･.,]+")
SHORTEST_TELLING = 3  # letters: a shorter word is found in too many addresses
# Hepburn and what people write for it -> one spelling. A long vowel is as good as a short one.
SPELLINGS = (
    (re.compile(r"[^a-z]"), ""),
    (re.compile(r"[ct]ch"), "tty"),
    (re.compile(r"shi"), "si"),
    (re.compile(r"chi"), "ti"),
    (re.compile(r"tsu"), "tu"),
    (re.compile(r"fu"), "hu"),
    (re.compile(r"d?ji"), "zi"),
    (re.compile(r"sh"), "sy"),
    (re.compile(r"ch"), "ty"),
    (re.compile(r"jy?"), "zy"),
    (re.compile(r"dz"), "z"),
    (re.compile(r"m(?=[bmp])"), "n"),
    (re.compile(r"([ou])h(?![aiueoy])"), r"\1"),
    (re.compile(r"ou|oo"), "o"),
    (re.compile(r"([aiue])\1"), r"\1"),
    (re.compile(r"yi"), "i"),
)


class Name(NamedTuple):
    """A name as it is written (``normalize_name``) and as it sounds.

    ``spoken`` is its words in Latin letters, in alphabetical order; "" where that is not known.
    """

    written: str
    spoken: str
    kanji: bool


def read_card_name(values: Values) -> Name:
    """The name on a card, with its reading."""
    return read_name(
        values.get("lastName", ""),
        values.get("firstName", ""),
        f"{values.get('lastNameReading', '')} {values.get('firstNameReading', '')}",
    )


def read_name(last: str, first: str, reading: str = "") -> Name:
    kanji = KANJI.search(last + first) is not None
    spoken = reading if kanji else f"{last} {first}"
    return Name(normalize_name(last, first), spell_words(spoken), kanji)


def spell_words(text: str) -> str:
    """How words sound, in one of the many ways to write that."""
    words = BETWEEN_WORDS.split(unicodedata.normalize("NFKC", text))
    return " ".join(sorted(filter(None, map(spell_word, words))))


def spell_word(word: str) -> str:
    latin = jaconv.kana2alphabet(word.translate(KATAKANA_TO_HIRAGANA))
    spelled = unicodedata.normalize("NFKD", latin).casefold()
    for pattern, usual in SPELLINGS:
        spelled = pattern.sub(usual, spelled)
    return spelled


def is_same_name(one: Name, other: Name) -> bool:
    """Two names in kanji are the same only as they are written: many sound alike."""
    if one.written == other.written:
        return True
    return not (one.kanji and other.kanji) and one.spoken == other.spoken != ""


def unite_names(address: str, names: Collection[Name]) -> Mapping[str, str]:
    """Written name -> what stands for it among the names at one address.

    A name in Latin letters or kana is that of the one name in kanji that sounds like it. Where no
    card says how the kanji are read, an address that has the name in it is that person's own.
    """
    kanji = [name for name in names if name.kanji]
    others = [name for name in names if not name.kanji]
    found = {name.written: name.written for name in kanji}
    for other in others:
        alike = {name.written for name in kanji if is_same_name(name, other)}
        if not alike and not any(name.spoken for name in kanji) and is_telling(address, other):
            alike = set(found)
        stands = alike.pop() if len(alike) == 1 else other.spoken
        found[other.written] = stands or other.written
    return found


def is_telling(address: str, name: Name) -> bool:
    """Whether an address has a word of the name in it."""
    local = spell_word(address.partition("@")[0])
    return any(len(word) >= SHORTEST_TELLING and word in local for word in name.spoken.split())
