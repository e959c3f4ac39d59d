"""Makes integration/planning/kanji_variants.txt anew from its two sources.

    python tools/make_kanji_variants.py kanjidic2.xml Unihan_OtherMappings.txt Unihan_Variants.txt

KANJIDIC2 is kept by the Electronic Dictionary Research and Development Group
(https://www.edrdg.org/wiki/index.php/KANJIDIC_Project), the other two are files of Unihan.zip of
the Unicode Character Database (https://www.unicode.org/Public/UCD/latest/ucd/). Debian has them in
the packages kanjidic-xml and unicode-data. Packed files (.gz, .bz2) are read as they are.
"""

from __future__ import annotations

import bz2
import gzip
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree import ElementTree

TARGET = Path(__file__).resolve().parents[1] / "integration/planning/kanji_variants.txt"
# What Unihan calls two characters of one meaning, or of one shape.
UNIHAN_VARIANTS = ("kSemanticVariant", "kZVariant", "kSpoofingVariant")
# The lists of characters that names in Japan's registers may have.
UNIHAN_LISTS = ("kJoyoKanji", "kJinmeiyoKanji")
HEAD = """\
# Kanji that are written for each other, a family a line, the usual one first.
# Made by tools/make_kanji_variants.py from KANJIDIC2, (c) The Electronic Dictionary Research and
# Development Group, used in conformance with its licence (CC BY-SA 4.0, which holds for this file,
# too), and from the Unicode Character Database, (c) Unicode, Inc.
# (https://www.unicode.org/license.txt).
"""

Pair = tuple[str, str]


def open_file(path: str) -> BinaryIO:
    if path.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path))
    return cast(BinaryIO, bz2.open(path)) if path.endswith(".bz2") else Path(path).open("rb")


def list_kanjidic_pairs(path: str) -> Iterator[Pair]:
    """(character, one of its variants). A variant is told by its place in one of the standards."""
    # A file that whoever runs this has chosen.
    dictionary = ElementTree.parse(open_file(path))  # noqa: S314
    characters = list(dictionary.iter("character"))
    places = {
        (point.get("cp_type"), point.text): read_literal(character)
        for character in characters
        for point in character.iter("cp_value")
    }
    for character in characters:
        for variant in character.iter("variant"):
            other = places.get((variant.get("var_type"), variant.text))
            if other:
                yield read_literal(character), other


def read_literal(character: ElementTree.Element) -> str:
    return character.findtext("literal") or ""


def list_unihan_rows(path: str, kinds: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(character, kind, value)."""
    for line in open_file(path).read().decode().splitlines():
        point, _, rest = line.partition("\t")
        kind, _, value = rest.partition("\t")
        if point.startswith("U+") and kind in kinds:
            yield read_point(point), kind, value


def read_point(point: str) -> str:
    """U+9AD9 or U+9AD9<kFenn."""
    return chr(int(point.partition("<")[0][2:], 16))


def join_families(pairs: Iterable[Pair], usual: Iterable[str]) -> list[str]:
    """The families, each in the order: characters of the lists, then by code point."""
    family: dict[str, set[str]] = {}
    for one, other in pairs:
        joined = family.get(one, {one}) | family.get(other, {other})
        family.update(dict.fromkeys(joined, joined))
    rank = {character: place for place, character in enumerate(usual)}
    return sorted(
        {
            "".join(sorted(members, key=lambda one: (rank.get(one, len(rank)), one)))
            for members in family.values()
        }
    )


def main(kanjidic: str, mappings: str, variants: str) -> None:
    rows = list(list_unihan_rows(mappings, UNIHAN_LISTS))
    usual = [one for listed in UNIHAN_LISTS for one, kind, _ in rows if kind == listed]
    pairs = list(list_kanjidic_pairs(kanjidic))
    known = {one for pair in pairs for one in pair} | set(usual)
    # Unihan's own pairs join much that is only of like meaning. They count for a character that is
    # in no list and has no family in KANJIDIC2.
    for one, _, value in list_unihan_rows(variants, UNIHAN_VARIANTS):
        others = {read_point(point) for point in value.split()} & set(usual)
        if one not in known and others:
            pairs += [(one, other) for other in others]
    families = join_families(pairs, usual)
    TARGET.write_text(HEAD + "".join(f"{family}\n" for family in families), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
