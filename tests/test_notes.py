"""What the engine notes: codes with parameters, whole in every column and every language."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from integration.admin.parts.said import describe_notes
from integration.notes import (
    LONGEST_NOTE,
    LONGEST_RUN_NOTES,
    NOTES,
    export_notes,
    fit_note,
    join_notes,
    list_placeholders,
    note,
    read_note,
    read_parameter,
    write_english,
)

ROOT = Path(__file__).resolve().parents[1] / "integration"
FILES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if not {"migrations", "sandbox", "admin"} & set(path.relative_to(ROOT).parts)
    and path.name != "notes.py"
]
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
# Code -> what stands in its places, where a word of our own has to be known.
WORDS = {"type": "number", "fields": "title", "field": "title", "op": "contains"}


def example(code: str) -> str:
    return note(code, **{name: WORDS.get(name, "7") for name in list_placeholders(code)})


# The catalogue


def calls(path: Path) -> Iterator[tuple[str, set[str]]]:
    """(code, parameters) of every note that a file makes by its name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        at = {"note": 0, "add_problem": 1}.get(name)
        if at is None or len(node.args) <= at:
            continue
        code = node.args[at]
        if isinstance(code, ast.Constant):
            yield str(code.value), {str(keyword.arg) for keyword in node.keywords}


MADE = [(path, code, names) for path in FILES for code, names in calls(path)]


def test_notes_are_made_all_over_the_engine():
    assert len(MADE) > 100
    assert len({path.parent.name for path, _code, _names in MADE}) > 7


@pytest.mark.parametrize(
    ("path", "code", "names"),
    MADE,
    ids=[f"{path.relative_to(ROOT)} {code}" for path, code, _names in MADE],
)
def test_a_note_gives_what_its_sentence_names(path, code, names):
    assert names == list_placeholders(code)


@pytest.mark.parametrize("code", NOTES)
def test_every_note_is_made_somewhere(code):
    assert any(f'"{code}"' in path.read_text(encoding="utf-8") for path in FILES)


def is_in_words(code: str) -> bool:
    """Some notes only join what is filled in."""
    return bool(re.search(r"[a-z]", re.sub(r"%\(\w+\)s", "", NOTES[code])))


@pytest.mark.parametrize("code", NOTES)
def test_every_note_is_shown_in_the_readers_language(code):
    with override("en"):
        english = describe_notes(example(code))
    with override("ja"):
        japanese = describe_notes(example(code))
    assert english and "%(" not in english + japanese
    assert not is_in_words(code) or JAPANESE.search(japanese)


def test_a_code_that_nobody_knows_is_refused():
    with pytest.raises(KeyError):
        note("no_such_note")


@pytest.mark.parametrize(
    "parameters",
    [{}, {"vendor": "Sansan", "status": 500}, {"status": 500}],
    ids=["none", "one too many", "another"],
)
def test_parameters_that_the_sentence_does_not_name_are_refused(parameters):
    with pytest.raises(TypeError):
        note("unreachable", **parameters)


# Stored


def test_a_note_is_a_code_and_its_parameters():
    stored = note("answered", vendor="Sansan", status=503)
    assert json.loads(stored) == {"code": "answered", "vendor": "Sansan", "status": 503}
    assert read_note(stored) == ("answered", {"vendor": "Sansan", "status": 503})


def test_a_note_in_a_note_is_a_part_of_it():
    stored = note("of_property", word="zip", fault=note("no_such_property"))
    assert json.loads(stored)["fault"] == {"code": "no_such_property"}
    assert write_english(stored) == "zip: HubSpot has no such contact property."


# What a vendor answered or a person wrote may look like a note of ours.
FOREIGN = {
    "cut": '{"code":"answered","vendor":"San',
    "a number for a code": '{"code":403,"message":"no"}',
    "a code of its own": '{"code":"E1","message":{"text":"no"}}',
    "a list": '{"code":["a"],"b":[1]}',
    "one of our codes without its parameters": '{"code":"answered"}',
    "a note word for word": note("answered", vendor="Sansan", status=503),
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_foreign_text_that_looks_like_a_note_stays_text(text):
    stored = note("persons_words", words=text)
    assert read_note(stored) == ("persons_words", {"words": text})
    assert text in write_english(stored) and text in describe_notes(stored)


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_foreign_text_alone_and_as_a_fault_upsets_nobody(text):
    assert write_english(text) and describe_notes(text) and export_notes(text)
    assert len(fit_note(text, 20)) <= 20 or read_note(text)
    assert describe_notes(note("of_property", word="zip", fault=text))


@pytest.mark.parametrize("inner", ['"', "x", "\\"], ids=["quotes", "letters", "backslashes"])
def test_a_long_text_that_looks_like_a_note_is_shortened(inner):
    stored = note("persons_words", words='{"code":"' + inner * 2000)
    assert len(stored) <= LONGEST_NOTE and read_note(stored)


@given(st.text(max_size=2000), st.text(max_size=2000))
def test_whatever_a_vendor_says_fits_the_column_and_stays_a_note(message, word):
    stored = note("vendor_said_of", word=word, message=message)
    found = read_note(stored)
    assert found is not None and found.code == "vendor_said_of"
    assert len(stored) <= LONGEST_NOTE
    if len(message) + len(word) < 60 and json.dumps([message, word], ensure_ascii=False).isalnum():
        assert found.parameters == {"word": word, "message": message}


@given(st.text(max_size=600))
def test_a_note_can_be_made_to_fit_a_smaller_column(message):
    shorter = fit_note(note("vendor_said", message=message), 200)
    found = read_note(shorter)
    assert len(shorter) <= 200 and found is not None and found.code == "vendor_said"


def test_several_notes_are_kept_whole_as_far_as_there_is_room():
    long = note("vendor_said", message="x" * 460)
    joined = join_notes([long, long, long])
    assert len(joined) <= LONGEST_RUN_NOTES
    assert joined.split("\n") == [long, long]


SIGNS = {"a line break": "\n", "a line separator": "\u2028", "a quote": '"', "a backslash": "\\"}


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_no_sign_takes_two_notes_apart(sign):
    text = join_notes([note("vendor_said", message=f"a{sign}b"), note("no_reason")])
    assert [each["text"] for each in export_notes(text)] == [f"a{sign}b", "HubSpot gave no reason."]


BEFORE = {
    "a sentence": "Property “foo” was not happy",
    "two lines": "one: no.\r\ntwo: no.\n",
    "an id": "501",
    "half a note": '{"code":"answ',
    "nothing": "",
}


@pytest.mark.parametrize("text", BEFORE.values(), ids=BEFORE)
def test_rows_of_before_keep_their_text_and_show_it(text):
    with override("ja"):
        assert describe_notes(text) == text
    assert write_english(text) == text


def test_one_parameter_is_read_from_a_note_and_from_a_row_of_before():
    assert read_parameter(note("card", id="C7"), "id") == "C7"
    assert read_parameter("C7", "id") == "C7"


def test_a_machine_gets_the_code_and_the_sentence():
    stored = note("type_does_not_take", type="number", fields="title")
    nested = note("of_property", word="zip", fault=stored)
    assert export_notes(nested) == [
        {
            "code": "of_property",
            "parameters": {
                "word": "zip",
                "fault": {"code": "type_does_not_take", "type": "number", "fields": "title"},
            },
            "text": "zip: a property of type number does not take the text of title.",
        }
    ]


# Shown

SHOWN = {
    "a criterion of a card": (
        note("criterion", field="title", op="contains", value="部長"),
        "Title contains 部長",
    ),
    "a criterion without a value": (
        note("criterion", field="title", op="not_blank", value=""),
        "Title is not blank",
    ),
    "a criterion of a contact": (
        note("contact_criterion", property="lifecyclestage", op="equals", value="two words"),
        "lifecyclestage is two words",
    ),
    "a property that is called like a field": (
        note("contact_criterion", property="title", op="not_blank", value=""),
        "title is not blank",
    ),
    "a contact": (note("contact", id="501"), "Contact 501"),
    "a card": (note("card", id="0123456789abcdef"), "Card 0123456789abcdef"),
    "fields of a card": (note("card_field", fields="postalCode,city"), "Postal code + City"),
    "a person's own words": (
        note("persons_words", words="title contains 部長"),
        "title contains 部長",
    ),
    "a note in a note": (
        note("of_property", word="salutation", fault=note("not_a_filter", value="x")),
        "salutation: “x” is not a filter.",
    ),
    "a code of a newer version": ('{"code":"from_tomorrow","n":7}', "from_tomorrow"),
    "several": (
        join_notes(
            [
                note("of_property", word="jobtitle", fault=note("no_such_property")),
                note(
                    "of_property",
                    word="zip",
                    fault=note("type_does_not_take", type="number", fields="postalCode,city"),
                ),
            ]
        ),
        "jobtitle: HubSpot has no such contact property.\n"
        "zip: a property of type number does not take the text of Postal code + City.",
    ),
}


@pytest.mark.parametrize(("stored", "english"), SHOWN.values(), ids=SHOWN)
def test_what_a_reader_of_english_sees(stored, english):
    with override("en"):
        assert describe_notes(stored) == english


def test_words_inside_a_note_are_translated_too():
    with override("ja"):
        first, second = describe_notes(SHOWN["several"][0]).split("\n")
    assert first.startswith("jobtitle：") and second.startswith("zip：")
    assert "郵便番号 + " in second and "数値" in second
