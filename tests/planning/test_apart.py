"""Which cards of one link are another person's by now."""

import pytest

from integration.planning.apart import Ties, find_leaving

A, B = "ichiro@acme.example.jp", "jiro@acme.example.jp"
ONE, OTHER = Ties("P", A, "田中一郎"), Ties("P", B, "田中次郎")


def card(person="", address="", name="田中一郎"):
    return Ties(person, address, name)


# What the changed cards were, what all are now, the contact's address -> who leaves
CASES = {
    "another person in Sansan": (
        {"2": OTHER},
        {"1": ONE, "2": OTHER._replace(person="Q")},
        A,
        {"2"},
    ),
    "and the contact has its address": (
        {"2": OTHER},
        {"1": ONE, "2": OTHER._replace(person="Q")},
        B,
        {"1"},
    ),
    "and of three the two others": (
        {"2": OTHER},
        {"1": ONE, "2": OTHER._replace(person="Q"), "3": ONE},
        B,
        {"1", "3"},
    ),
    "nothing is known of the contact's address": (
        {"2": OTHER},
        {"1": ONE, "2": OTHER._replace(person="Q")},
        "",
        {"2"},
    ),
    "another person, the same address and name": (
        {"2": card("P", A)},
        {"1": card("P", A), "2": card("Q", A)},
        A,
        set(),
    ),
    "another person, the same address and no name": (
        {"2": card("P", A)},
        {"1": card("P", A), "2": card("Q", A, "")},
        A,
        set(),
    ),
    "a corrected address": ({"2": card("", A)}, {"1": card("", A), "2": card("", B)}, A, {"2"}),
    "a corrected name at a mailbox": (
        {"2": card("", A)},
        {"1": card("", A), "2": card("", A, "鈴木花子")},
        B,
        {"2"},
    ),
    "a corrected address of one person in Sansan": (
        {"2": card("P", A)},
        {"1": card("P", A), "2": card("P", B)},
        A,
        set(),
    ),
    "both went along": (
        {"1": card("P", A), "2": card("P", A)},
        {"1": card("Q", B), "2": card("Q", B)},
        A,
        set(),
    ),
    "joined by a merge only": (
        {"2": card("Q", B)},
        {"1": card("P", A), "2": card("R", B)},
        A,
        set(),
    ),
    "nothing is said any more": ({"2": card("P", A)}, {"1": card("P", A), "2": card()}, A, set()),
    "alone": ({"1": card("P", A)}, {"1": card("Q", B)}, A, set()),
}


@pytest.mark.parametrize(("before", "now", "address", "leaving"), CASES.values(), ids=CASES)
def test_who_leaves_a_link(before, now, address, leaving):
    assert find_leaving(before, now, address) == leaving
