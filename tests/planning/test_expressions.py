"""Mapping expressions: what they give, what is wrong with them in a sentence, and that none runs
long or reaches anything else.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.notes import is_note, note, read_note, write_english
from integration.planning.expressions import (
    ExpressionError,
    check_expression,
    list_expression_fields,
    render_expression,
)

CARD = {
    "lastName": "森",
    "firstName": "愛子",
    "companyName": "アクメ株式会社",
    "title": "営業部長",
    "email": "aiko@acme.example.jp",
    "tel": "03-1234-5678",
}
FIELDS = (*CARD, "memo", "exchangeDate", "countryCode", "tags")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{{ lastName }} {{ firstName }}", "森 愛子"),
        ("森", "森"),
        ("  {{ lastName }}\n", "森"),
        ("{{ memo }}", ""),
        ("{{ memo | default: 'なし' }}", "なし"),
        ('{% if title contains "部長" %}Manager{% else %}Staff{% endif %}', "Manager"),
        ('{% if title contains "課長" %}Manager{% else %}Staff{% endif %}', "Staff"),
        ('{% if memo contains "部長" %}Manager{% else %}Staff{% endif %}', "Staff"),
        ("{% case title %}{% when '営業部長' %}Head{% else %}Staff{% endcase %}", "Head"),
        ("{% unless memo %}blank{% endunless %}", "blank"),
        ('{% if tags contains "展示会2026" %}Trade fair{% endif %}', "Trade fair"),
        ('{% if tags contains "展示会" %}Trade fair{% endif %}', ""),
        ("{% for tag in tags %}[{{ tag }}]{% endfor %}", "[VIP][展示会2026]"),
        ("{{ tags | join: ', ' }}", "VIP, 展示会2026"),
        ("{{ tags | size }}", "2"),
        ("{{ companyName | company }}", "アクメ"),
        ("{{ tel | phone }}", "+81312345678"),
        ("{{ tel | phone: 'US' }}", "+10312345678"),
        ("{{ email | domain | upper }}", "ACME.EXAMPLE.JP"),
        ("{{ 'ﾓﾘ' | hiragana }}{{ 'もり' | katakana }}", "もりモリ"),
        ("{{ title | replace: '部長', '課長' }}", "営業課長"),
        ("{{ title | slice: 0, 2 }}", "営業"),
        ("{{ memo | company }}{{ memo | phone }}{{ memo | date: '%Y' }}", ""),
        ("{% assign whole = lastName | append: firstName %}{{ whole }}", "森愛子"),
        ("<b>{{ 'R&D' }}</b>", "<b>R&D</b>"),
        ("{% raw %}{{ lastName }}{% endraw %}", "{{ lastName }}"),
        ("{# as it stands #}", "{# as it stands #}"),
    ],
)
def test_an_expression_gives(expression, value):
    check_expression(expression, FIELDS)
    assert render_expression(expression, CARD, ("VIP", "展示会2026")) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{{ 'now' | date: '%Y' }}", ""),
        ("{{ 'today' | date: '%Y' }}", ""),
        ("{{ '2026-04-01' | date: '%Y/%m/%d' }}", "2026/04/01"),
        ("{{ '2026-04-01T09:00:00+09:00' | date }}", "2026-04-01"),
        ("{{ '2026-02-30' | date: '%Y' }}", ""),
        ("{{ 1 | date: '%Y' }}", ""),
    ],
)
def test_a_date_is_the_cards_and_never_todays(expression, value):
    """What depends on when it is asked for would be a change at every sync."""
    assert render_expression(expression, {}, ()) == value


@pytest.mark.parametrize(
    "expression",
    [
        (
            "{{ lastName }}{{ tags }}{% if title == firstName %}{% endif %}{% for i in tags %}{{ i "
            "}}{% endfor %}"
        )
    ],
)
def test_the_fields_that_an_expression_reads(expression):
    assert list_expression_fields(expression) == ("firstName", "lastName", "tags", "title")


WRONG = {
    "an unknown field": (
        "{{ surname }}",
        note("not_a_field_of_expression", value="surname"),
        "“surname” is not a field of a card. A text stands in quotes.",
    ),
    "a text without quotes": (
        "{% if title contains 部長 %}x{% endif %}",
        note("not_a_field_of_expression", value="部長"),
        "“部長” is not a field of a card. A text stands in quotes.",
    ),
    "an unknown field in a filter": (
        "{{ title | append: surname }}",
        note("not_a_field_of_expression", value="surname"),
        "“surname” is not a field of a card. A text stands in quotes.",
    ),
    "an unknown filter": (
        "{{ title | shout }}",
        note("not_a_filter", value="shout"),
        "“shout” is not a filter.",
    ),
    "an unknown filter where no card comes": (
        "{% if memo == 'x' %}{{ title | shout }}{% endif %}",
        note("not_a_filter", value="shout"),
        "“shout” is not a filter.",
    ),
    "a brace that is missing": (
        "{{ title",
        note("expression_unreadable_at", message="expected '}}', found end of file."),
        "The expression cannot be read: expected '}}', found end of file.",
    ),
    "an end that is missing": (
        "{% if title %}x",
        note(
            "expression_unreadable_at",
            message="expected tag endif, found end of expression.",
        ),
        "The expression cannot be read: expected tag endif, found end of expression.",
    ),
    "an unknown tag": (
        "{% when %}",
        note("expression_unreadable_at", message="unexpected tag 'when'."),
        "The expression cannot be read: unexpected tag 'when'.",
    ),
    "a division by zero": (
        "{{ 1 | divided_by: 0 }}",
        note("expression_unreadable_at", message="divided_by: can't divide by 0."),
        "The expression cannot be read: divided_by: can't divide by 0.",
    ),
    "too many of a filter": (
        "{{ tel | phone: 'JP', 'US' }}",
        note("filter_arguments"),
        "A filter is used with more or fewer arguments than it takes.",
    ),
    "a number beyond all": (
        "{{ 'inf' | ceil }}",
        note("expression_fails", message="cannot convert float infinity to integer"),
        "The expression fails for this card: cannot convert float infinity to integer",
    ),
}


@pytest.mark.parametrize(("expression", "noted", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_a_sentence(expression, noted, said):
    with pytest.raises(ExpressionError) as wrong:
        check_expression(expression, FIELDS)
    assert str(wrong.value) == noted
    text = write_english(noted)
    assert text == said
    assert text[:1].upper() == text[:1] and "\n" not in text and len(text) < 400
    assert "<locals>" not in text and "as_filter" not in text and "object at" not in text


def test_a_filter_that_cannot_take_a_text_apart_says_so():
    with pytest.raises(ExpressionError) as wrong:
        render_expression("{{ lastName | uniq: 3 }}", {"lastName": "森"}, ())
    told = read_note(str(wrong.value))
    assert told is not None and told.code == "expression_fails"
    assert str(told).startswith("The expression fails for this card: ")


@pytest.mark.parametrize(
    "tag",
    [
        "include 'a'",
        "render 'a'",
        "extends 'a'",
        "increment n",
        "decrement n",
        "cycle 'a', 'b'",
        "macro a",
        "call a",
    ],
)
def test_no_tag_reads_other_templates_or_remembers(tag):
    with pytest.raises(ExpressionError) as wrong:
        check_expression(f"{{% {tag} %}}", FIELDS)
    message = f"unexpected tag '{tag.split()[0]}'."
    assert str(wrong.value) == note("expression_unreadable_at", message=message)


@pytest.mark.parametrize(
    "path",
    [
        "lastName.__class__",
        "lastName['__class__']",
        "lastName.upper",
        "lastName.__class__.__mro__",
        "tags.__class__",
        "tags.append",
        "tags[0].__doc__",
    ],
)
def test_nothing_but_the_text_is_reached(path):
    assert render_expression(f"{{{{ {path} }}}}", CARD, ("VIP",)) == ""


@pytest.mark.parametrize(
    "name", ["settings", "request", "self", "_", "__builtins__", "forloop", "context"]
)
def test_nothing_but_the_card_is_known(name):
    with pytest.raises(ExpressionError):
        check_expression(f"{{{{ {name} }}}}", FIELDS)
    assert render_expression(f"{{{{ {name} }}}}", CARD, ()) == ""


def test_one_card_leaves_nothing_to_the_next():
    assert render_expression("{% assign lastName = 'x' %}{{ lastName }}", CARD, ()) == "x"
    assert render_expression("{{ lastName }}", CARD, ()) == "森"
    tags = ["VIP"]
    render_expression("{% assign tags = tags | concat: tags %}", CARD, tags)
    assert tags == ["VIP"]


# Bounds: each in a process of its own, with a gigabyte at most, because what fails here takes the
# machine along.

SECONDS = 3  # of the processor, start included
RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
from integration.planning.expressions import ExpressionError, check_expression, render_expression
card = {"title": "部" * 2000, "memo": "長" * 2000}
checked = lambda: check_expression(sys.argv[1], ("title", "memo", "tags"))
rendered = lambda: render_expression(sys.argv[1], card, ["VIP"] * 50)
for do in (checked, rendered):
    try:
        do()
        print("given")
    except ExpressionError as wrong:
        print("refused", wrong)
"""
REFUSED = {
    "a loop of ten million": "{% for i in (1..10000000) %}{% endfor %}",
    "a table of ten million": "{% tablerow i in (1..10000000) %}{% endtablerow %}",
    "a loop beyond every number": "{% for i in (1..99999999999999999999999) %}x{% endfor %}",
    "loops in loops": (
        "{% for i in (1..900) %}{% for j in (1..900) %}{% for k in (1..900) %}x{% endfor %}{% "
        "endfor %}{% endfor %}"
    ),
    "a text that doubles": "{% assign a = 'aaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 32,
    "a text that doubles in a loop": "{% assign a = 'aa' %}{% for i in (1..900) %}"
    "{% assign a = a | append: a %}{% endfor %}",
    "a list that doubles": "{% assign a = tags %}" + "{% assign a = a | concat: a %}" * 28,
    "a number that doubles": "{% assign a = 9999999999 %}" + "{% assign a = a | times: a %}" * 28,
    "more than a property holds": "{% for i in (1..900) %}{{ title }}{% endfor %}",
    "blocks beyond sense": "{% if true %}" * 40 + "{% endif %}" * 40,
}
QUICK = {
    "replaced over and over": "{{ 'a' " + "| replace: 'a', 'aaaaaaaaaaaaaaaaaaaa' " * 10 + "}}",
    "replaced between all letters": "{{ 'a' "
    + "| replace: '', 'aaaaaaaaaaaaaaaaaaaa' " * 8
    + "| size }}",
    "a range as a list": "{{ (1..100000000) | reverse | first }}",
    "a range summed up": "{{ (1..100000000) | sum }}",
    "a range sorted": "{% assign a = (1..100000000) | sort %}",
    "a range joined": "{{ (1..10000000) | join: 'x' | size }}",
    "a range joined at every turn": "{% for i in (1..1000) %}"
    "{{ (1..100000) | join: 'x' | size }}{% endfor %}",
    "each compared with each": "{{ (1..60000) | join: ',' | split: ',' | uniq | size }}",
    "lists at every turn": (
        "{% assign a = (1..1000) | join: ',' | split: ',' %}{% for i in a %}{% assign b = a | uniq "
        "| sort | join: ',' %}{% endfor %}"
    ),
    "texts at every turn": "{% for i in (1..1000) %}{% assign b = title"
    + " | append: memo" * 50
    + " | size %}{% endfor %}",
    "names in names": "{{ title" + "[title" * 122 + "]" * 122 + " }}",
    "names in names in names": "{{ a" + "[a" * 320 + "]" * 320 + " }}",
    "brackets": "{{ " + "(" * 480 + "1" + ")" * 480 + " }}",
    "one condition after another": "{% if " + "title and " * 96 + "title %}x{% endif %}",
    "tags that never end": "{% " * 333,
    "braces that never end": "{{ '" + "{" * 990,
    "markup that never ends": "{{ '" + "<script" * 130 + "' | strip_html }}",
}


def outcome(expression: str) -> tuple[str, str]:
    """What ``check`` and what ``render`` did: given, or refused and why."""
    assert len(expression) <= 1000
    here = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", RUN, expression, str(SECONDS)],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (
        done.stderr[-300:]
        or f"ended by signal {-done.returncode} (24 is the limit of processor time)"
    )
    checked, rendered = done.stdout.splitlines()
    return checked, rendered


@pytest.mark.parametrize("expression", REFUSED.values(), ids=REFUSED)
def test_a_runaway_is_refused(expression):
    checked, rendered = outcome(expression)
    assert rendered.startswith("refused"), (checked, rendered)


@pytest.mark.parametrize("expression", QUICK.values(), ids=QUICK)
def test_no_expression_takes_long_or_much(expression):
    """Given or refused, but soon: a web page tries it as it is typed, and a run works it out for
    each of a million cards.
    """
    assert all(said.startswith(("given", "refused")) for said in outcome(expression))


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{%-",
        "-%}",
        "|",
        ":",
        ",",
        ".",
        "..",
        "[",
        "]",
        "(",
        ")",
        "'",
        '"',
        "==",
        "if",
        "endif",
        "for",
        "in",
        "endfor",
        "assign",
        "case",
        "when",
        "lastName",
        "tags",
        "title",
        "contains",
        "and",
        "raw",
        "liquid",
        "comment",
        "size",
        "first",
        "replace",
        "date",
        "phone",
        "slice",
        "times",
        "divided_by",
        "split",
        "-1",
        "0",
        "9",
        "1.5",
        "nil",
        "true",
        "\n",
        " ",
        "部",
        "#",
        "=",
        "<",
        "tablerow",
        "capture",
    ]
)


@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(PIECES, max_size=60).map(" ".join).map(lambda text: text[:200]),
    )
)
def test_any_text_is_a_value_or_a_sentence(expression):
    for do in (
        lambda: render_expression(expression, CARD, ("VIP",)),
        lambda: check_expression(expression, FIELDS),
    ):
        try:
            assert isinstance(do(), str | None)
        except ExpressionError as wrong:
            assert is_note(str(wrong)) and write_english(str(wrong))


FILTERS = st.sampled_from(
    "abs append at_least base64_decode base64_url_safe_decode capitals ceil compact company "
    "concat date default divided_by domain escape find first floor "
    "has join katakana map minus modulo number phone plus reject remove_last replace_first "
    "reverse round slice sort sort_natural split squish sum times "
    "truncate truncatewords uniq url_decode url_encode where yes_no".split()
)
ARGUMENTS = st.sampled_from(
    [
        "",
        ": 'x'",
        ": 3",
        ": -1",
        ": lastName",
        ": tags",
        ": 'x', 'y'",
        ": 0",
        ": 1.5",
        ": nil",
        ": '', ''",
        ": true",
    ]
)
START = st.sampled_from(
    [
        "lastName",
        "tags",
        "memo",
        "'-1e9'",
        "'12.5'",
        "nil",
        "true",
        "(1..3)",
        "tags.first",
        "'Ａ％'",
    ]
)


@given(START, st.lists(st.tuples(FILTERS, ARGUMENTS), min_size=1, max_size=4))
def test_any_filters_give_a_value_or_a_sentence(start, filters):
    expression = (
        "{{ " + start + "".join(f" | {name}{argument}" for name, argument in filters) + " }}"
    )
    try:
        assert isinstance(render_expression(expression, CARD, ("VIP",)), str)
    except ExpressionError as wrong:
        assert is_note(str(wrong)) and write_english(str(wrong))
