"""What stands in a configuration file is the text that was typed."""

import pytest

from integration.rules.file import read_value_table
from integration.rules.node import FileProblem, Node
from integration.rules.options import read_filter
from integration.rules.plain_yaml import load_plain_yaml

TEXTS = (
    "NO Yes on off 03 060 0x1F 1_000 1e3 1.50 .5 +3 12:30 190:20:30 2026-08-01 .inf .nan =".split()
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stands_as_it_was_typed(text):
    assert load_plain_yaml(f"value: {text}") == {"value": text}
    assert load_plain_yaml(f"{text}: x") == {text: "x"}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("~", None),
        ("", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("2.5", 2.5),
    ],
)
def test_what_is_no_text(typed, value):
    assert load_plain_yaml(f"value: {typed}") == {"value": value}


def node(text, problems):
    return Node(load_plain_yaml(text), "rule", problems, {})


@pytest.mark.parametrize("text", [*TEXTS, "7", "2.5"])
def test_a_filters_value_and_a_tables_key_are_that_text(text):
    problems: list[FileProblem] = []
    row = node(f"{{field: memo, op: equals, value: {text}}}", problems)
    assert read_filter(row, "cards")["value"] == text
    assert read_value_table(node(f"table: {{{text}: {text}}}", problems)) == [[text, text]]
    assert problems == []


@pytest.mark.parametrize("typed", ["true", "False"])
def test_true_and_false_are_refused_with_their_place(typed):
    problems: list[FileProblem] = []
    read_filter(node(f"{{field: memo, op: equals, value: {typed}}}", problems), "cards")
    read_value_table(node(f"table: {{a: {typed}}}", problems))
    assert [problem.place for problem in problems] == ["rule.value", "rule.table"]
    assert all("in quotes" in str(problem) for problem in problems)


@pytest.mark.parametrize(
    ("typed", "value"), [("yes", True), ("On", True), ("no", False), ("OFF", False)]
)
def test_where_true_or_false_is_wanted_other_words_mean_it(typed, value):
    problems: list[FileProblem] = []
    assert node(f"active: {typed}", problems).read_boolean("active", not value) is value
    assert problems == []
