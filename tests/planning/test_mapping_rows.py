"""One row of a mapping: an expression, a transform and a value table, in this order; and a row that
fails for a card.
"""

from __future__ import annotations

import pytest

from integration.notes import note, write_english
from integration.planning.mapping import BadMapping, map_card
from integration.planning.plan import plan_people
from integration.planning.rule import MappingRow
from integration.planning.transforms import TRANSFORMS
from tests.planning.make import AIKO, ROWS, card, contact, row, rule, snapshot

NAMES = {"t1": "VIP", "t2": "展示会2026"}
TABLE = (("部長", "Manager"), ("ＣＥＯ", "Chief"), ("", "Nobody"))
FAILS = MappingRow(("title",), "score", expression="{{ 1 | divided_by: title }}")


def value(one: MappingRow, tags: tuple[str, ...] = (), **values: str) -> str:
    return map_card(values, tags, [one], NAMES)[one.hubspot]


def by_table(others: str = "keep", **members: object) -> MappingRow:
    return row("title", "jobtitle", table=TABLE, others=others, **members)


@pytest.mark.parametrize(
    ("title", "kept", "blanked"),
    [
        ("部長", "Manager", "Manager"),
        ("　部長 ", "Manager", "Manager"),
        ("CEO", "Chief", "Chief"),
        ("ｃｅｏ", "Chief", "Chief"),
        ("課長", "課長", ""),
        ("副部長", "副部長", ""),
        ("Ｃ Ｅ Ｏ", "Ｃ Ｅ Ｏ", ""),
        ("", "Nobody", "Nobody"),
        (" ", "Nobody", "Nobody"),
    ],
)
def test_a_value_table(title, kept, blanked):
    assert value(by_table("keep"), title=title) == kept
    assert value(by_table("blank"), title=title) == blanked


def test_the_first_line_of_a_table_counts():
    assert (
        value(row("title", "jobtitle", table=(("CEO", "first"), ("ｃｅｏ", "second"))), title="Ceo")
        == "first"
    )


def test_a_table_may_make_a_value_blank():
    assert value(row("title", "jobtitle", table=(("なし", ""),)), title="なし") == ""


def test_a_blank_that_no_line_names_is_blank():
    for others in ("keep", "blank"):
        assert value(row("title", "jobtitle", table=(("部長", "Manager"),), others=others)) == ""


def test_without_a_table_others_means_nothing():
    assert value(row("title", "jobtitle", others="blank"), title="課長") == "課長"


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (row("lastName+firstName", "x", table=(("森 愛子", "A"),)), "A"),
        (row("lastName+firstName", "x", transform="joined", table=(("森愛子", "A"),)), "A"),
        (row("companyName", "x", transform="company", table=(("アクメ", "Acme"),)), "Acme"),
        (
            MappingRow(("lastName",), "x", expression="{{ lastName }}様", table=(("森様", "A"),)),
            "A",
        ),
        (
            MappingRow(
                ("companyName",), "x", expression=" {{ companyName }} ", transform="company"
            ),
            "アクメ",
        ),
        (
            MappingRow(
                ("companyName",),
                "x",
                expression="{{ companyName }}",
                transform="company",
                table=(("ｱｸﾒ", "Acme"),),
            ),
            "Acme",
        ),
        (
            MappingRow(
                ("title",), "x", expression="{% if title %}T{% endif %}", table=(("", "none"),)
            ),
            "none",
        ),
        (
            MappingRow(("email",), "x", expression="{{ email | upper }}", transform="lower"),
            "aiko@acme.example.jp",
        ),
    ],
)
def test_expression_then_transform_then_table(one, wanted):
    assert value(one, (), **AIKO) == wanted


def test_tags_go_as_ids_but_an_expression_reads_names():
    assert value(row("tags", "sansan_tags"), ("t2", "t1")) == "t1;t2"
    assert (
        value(
            MappingRow(
                ("tags",), "x", expression="{% if tags contains '展示会2026' %}fair{% endif %}"
            ),
            ("t2",),
        )
        == "fair"
    )
    assert (
        value(MappingRow(("tags",), "x", expression="{{ tags | join: ',' }}"), ("t1", "t9"))
        == "VIP,t9"
    )


def test_a_phone_is_read_by_the_country_of_the_card():
    assert (
        value(
            MappingRow(("tel",), "phone", expression="{{ tel }}", transform="phone"),
            tel="(212) 555-0123",
            countryCode="US",
        )
        == "+12125550123"
    )


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("number", "従業員　１，２００名", "1200"),
        ("number", "-1.5 度", "-1.5"),
        ("number", "約3.5億円から4億円", "3.5"),
        ("number", "未定", ""),
        ("yes_no", "はい", "true"),
        ("yes_no", "いいえ", "false"),
        ("yes_no", "×", "false"),
        ("yes_no", "ＮＯ", "false"),
        ("yes_no", "要", "true"),
        ("domain", "Aiko@Acme.Example.JP", "acme.example.jp"),
        ("domain", "https://www.acme.example.jp:8080/a?b=c", "acme.example.jp"),
        ("domain", "www.acme.example.jp", "acme.example.jp"),
        ("domain", "https://acme.example.jp?from=card", "acme.example.jp"),
        ("domain", "https://acme.example.jp/@aiko", "acme.example.jp"),
        ("company", "株式会社アクメ", "アクメ"),
        ("company", "㈱アクメ", "アクメ"),
        ("company", "アクメ（株）", "アクメ"),
        ("company", "Acme Trading Co., Ltd.", "Acme Trading"),
        ("company", "株式会社", "株式会社"),
        ("company", "Incubator Lab", "Incubator Lab"),
        ("katakana", "もり　あいこ", "モリ アイコ"),
        ("katakana", "ﾓﾘ", "モリ"),
        ("hiragana", "モリ", "もり"),
        ("hiragana", "ﾓﾘ ヴィトン", "もり ゔぃとん"),
        ("capitals", "YAMADA taro", "Yamada Taro"),
        ("capitals", "森 愛子", "森 愛子"),
    ],
)
def test_the_newer_transforms(name, text, wanted):
    assert TRANSFORMS[name]([text], "JP") == wanted


# A row that fails

DIVIDED_BY_ZERO = note(
    "of_property",
    word="score",
    fault=note("expression_unreadable_at", message="divided_by: can't divide by 0."),
)


def test_a_failing_row_names_its_property_and_what_is_wrong():
    with pytest.raises(BadMapping) as wrong:
        map_card(AIKO, (), [*ROWS, FAILS])
    assert str(wrong.value) == DIVIDED_BY_ZERO
    assert write_english(str(wrong.value)) == (
        "score: The expression cannot be read: divided_by: can't divide by 0."
    )


def test_the_person_of_a_failing_row_is_held_and_the_others_go_on():
    fails = MappingRow(
        ("title",), "score", expression="{% if title == '割る' %}{{ 1 | divided_by: 0 }}{% endif %}"
    )
    decisions = plan_people(
        snapshot(
            card(1, title="割る"),
            card(2, email="ben@acme.example.jp", lastName="原", firstName="弁"),
        ),
        rule(*ROWS, fails),
    )
    held, made = sorted(decisions, key=lambda one: one.card)
    assert (held.kind, held.reason, held.detail) == ("hold", "bad_mapping", DIVIDED_BY_ZERO)
    assert [(one.bucket, one.reason) for one in held.verdicts] == [("held", "bad_mapping")]
    assert made.kind == "create" and "score" not in made.after


def test_nothing_of_a_held_persons_contact_is_written_half():
    seen = contact("101", email=AIKO["email"], lastname="古い")
    (held,) = plan_people(snapshot(card(1, title="0"), contacts=(seen,)), rule(*ROWS, FAILS))
    assert (held.reason, held.after, held.writes) == ("bad_mapping", {}, False)


def test_an_address_by_expression_is_still_the_match_key():
    rows = tuple(
        MappingRow(("email",), "email", expression="{{ email | upcase }}", kind="email")
        if one.hubspot == "email"
        else one
        for one in ROWS
    )
    (made,) = plan_people(snapshot(card(1)), rule(*rows))
    assert made.after["email"] == AIKO["email"]
