"""What the engine writes down in English is shown in the reader's language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation import gettext, override

from integration.admin.parts.said import ENGINE_SENTENCES, translate_detail, translate_text
from integration.connectors.hubspot.oauth import OPERATOR_ADVICE

ROOT = Path(__file__).resolve().parents[2] / "integration"
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")
# Where sentences are written that a page shows; what other files say goes to a terminal, a log or a
# caller.
FILES = [
    *sorted((ROOT / "planning").glob("*.py")),
    *sorted((ROOT / "connectors").rglob("*.py")),
    *(
        ROOT / f"{name}.py"
        for name in (
            "apply budget card_ledger changes closing companies contacts credentials gather ingest "
            "ledger limiter outgoing preflight runs survey sweep sync"
        ).split()
    ),
]
# What an expression in a sentence may stand for, by how it is spelt in the code.
STANDS_FOR = {
    "limits": "9",
    "kind": "creates",
    "status": "503",
    "name": "Sansan",
    "len(": "7",
    "missing": "7",
    "total": "9",
    "wanted": "7",
}


def shown(node: ast.expr) -> str:
    spelt = ast.unparse(node)
    return next((value for part, value in STANDS_FOR.items() if part in spelt), "jobtitle")


def sentences(path: Path) -> Iterator[str]:
    """Every text of the file that is a sentence: it has a blank, ends with a full stop, and is no
    docstring and no text for translation.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr | ast.JoinedStr):
            out.update(
                id(one)
                for one in ast.walk(node)
                if one is not node and isinstance(one, ast.Constant | ast.JoinedStr)
            )
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "gettext_noop",
            "PropertySpec",
        ):
            out.update(id(one) for one in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in out:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else shown(part.value)
                for part in node.values
            )  # type: ignore[attr-defined]
        else:
            text = (
                node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            )
        if (
            " " in text and text.endswith(".") and text != OPERATOR_ADVICE
        ):  # which only ends other sentences
            yield text.replace("{}", "value")


WRITTEN = sorted({text for path in FILES for text in sentences(path)})


def test_the_walk_finds_what_is_written():
    assert len(WRITTEN) > 45
    assert {
        "“value” is not a number.",
        "Sansan could not be reached.",
        "No key has been entered.",
    } <= set(WRITTEN)


@pytest.mark.parametrize("text", WRITTEN)
def test_every_sentence_of_the_engine_is_shown_in_the_readers_language(text):
    with override("ja"):
        assert JAPANESE.search(translate_text(text)), text
    with override("en"):
        assert translate_text(text) == text


@pytest.mark.parametrize("template", ENGINE_SENTENCES)
def test_every_template_fits_what_it_stands_for(template):
    """None hides behind one above it."""
    values = {
        "vendor": "HubSpot",
        "status": "503",
        "n": "7",
        "all": "9",
        "most": "9",
        "type": "nothing",
        "fields": "nothing",
    }
    text = re.sub(r"%\((\w+)\)s", lambda found: values.get(found[1], "nothing"), template)
    with override("ja"):
        assert translate_text(text) == re.sub(
            r"%\((\w+)\)s", lambda found: values.get(found[1], "nothing"), gettext(template)
        )


def test_what_nobody_knows_is_shown_as_it_was_written():
    with override("ja"):
        assert translate_text("Property “foo” was not happy") == "Property “foo” was not happy"
        assert translate_text("") == ""


def test_several_sentences_and_a_sentence_in_a_sentence():
    text = (
        "jobtitle: HubSpot has no such contact property.\nzip: a property of type number does not "
        "take the text of postalCode,city."
    )
    with override("en"):
        assert translate_text(text).splitlines() == [
            "jobtitle: HubSpot has no such contact property.",
            "zip: a property of type number does not take the text of Postal code + City.",
        ]
    with override("ja"):
        first, second = translate_text(text).splitlines()
        assert first.startswith("jobtitle：") and second.startswith("zip：")
        assert "郵便番号 + " in second and "数値" in second


@pytest.mark.parametrize(
    ("reason", "detail", "english"),
    [
        ("filtered", "title contains 部長", "Title contains 部長"),
        ("filtered", "title not_blank", "Title is not blank"),
        ("contact_not_chosen", "lifecyclestage equals two words", "lifecyclestage is two words"),
        ("filtered", "what nobody knows", "what nobody knows"),
        ("email_taken", "501", "Contact 501"),
        ("older_card", "0123456789abcdef", "Card 0123456789abcdef"),
        ("too_long_for_card", "title", "Title"),
        ("never_sync", "title contains 部長", "title contains 部長"),
        ("in_sync", "", ""),
        ("bad_mapping", "salutation: “x” is not a filter.", "salutation: “x” is not a filter."),
    ],
)
def test_a_detail_is_told_by_its_reason(reason, detail, english):
    with override("en"):
        assert translate_detail(reason, detail) == english
