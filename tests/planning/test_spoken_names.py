"""Whether names in kanji, kana and Latin letters are one person's (planning/names.py)."""

from __future__ import annotations

import pytest

from integration.planning.names import is_same_name, read_name, spell_words, unite_names

TARO = read_name("田中", "太郎", "タナカ タロウ")
TARO_UNREAD = read_name("田中", "太郎")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("おおの ゆうき", "Yuki Ono"),
        ("オオノ ユウキ", "OHNO, Yuuki"),
        ("さとう しょうた", "Syota Sato"),
        ("つちや ちづこ", "Tuchiya Tizuko"),
        ("ほんま じゅん", "Homma Jun"),
        ("こんどう しんいち", "Shin'ichi KONDŌ"),
        ("はっちょう ふみ", "Humi Hatcho"),
    ],
)
def test_words_that_sound_the_same(one, other):
    assert spell_words(one) == spell_words(other) != ""


@pytest.mark.parametrize(
    ("one", "other"), [("おの", "おに"), ("たなか", "たなべ"), ("さとう", "さいとう")]
)
def test_words_that_sound_otherwise(one, other):
    assert spell_words(one) != spell_words(other)


SAME = {
    "a reading and Latin letters": (TARO, read_name("Tanaka", "Taro"), True),
    "Latin letters in the other order": (TARO, read_name("Taro", "TANAKA"), True),
    "all in one field": (TARO, read_name("Taro Tanaka", ""), True),
    "kana": (TARO, read_name("タナカ", "タロウ"), True),
    "another reading": (TARO, read_name("Tanaka", "Jiro"), False),
    "kanji that sound alike": (
        read_name("伊藤", "太郎", "イトウ タロウ"),
        read_name("伊東", "太郎", "イトウ タロウ"),
        False,
    ),
    "kanji that nobody has read": (TARO_UNREAD, read_name("Tanaka", "Taro"), False),
    "a surname alone": (TARO, read_name("Tanaka", ""), False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME)
def test_whether_two_names_are_one(one, other, same):
    assert is_same_name(one, other) is is_same_name(other, one) is same


UNITED = {
    "both sides of a card": ("info@acme.example.jp", [TARO, read_name("Tanaka", "Taro")], 1),
    "an address that says the name": (
        "t.tanaka@acme.example.jp",
        [TARO_UNREAD, read_name("Tanaka", "Taro")],
        1,
    ),
    "a mailbox of two people": (
        "info@acme.example.jp",
        [TARO_UNREAD, read_name("Smith", "John")],
        2,
    ),
    "a mailbox that says nobody's name": (
        "info@acme.example.jp",
        [TARO_UNREAD, read_name("Tanaka", "Taro")],
        2,
    ),
    "an address of another reading": (
        "tanaka@acme.example.jp",
        [TARO, read_name("Tanaka", "Jiro")],
        2,
    ),
    "two in kanji, either of whom it may be": (
        "ito@acme.example.jp",
        [
            read_name("伊藤", "太郎", "イトウ タロウ"),
            read_name("伊東", "太郎", "イトウ タロウ"),
            read_name("Ito", "Taro"),
        ],
        3,
    ),
    "kana and Latin letters": (
        "info@acme.example.jp",
        [read_name("たなか", "たろう"), read_name("Tanaka", "Taro"), read_name("Taro", "Tanaka")],
        1,
    ),
}


@pytest.mark.parametrize(("address", "names", "people"), UNITED.values(), ids=UNITED)
def test_how_many_people_an_address_has(address, names, people):
    assert len(set(unite_names(address, names).values())) == people
    assert unite_names(address, names) == unite_names(address, names[::-1])
