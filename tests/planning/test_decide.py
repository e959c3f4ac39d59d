import pytest

from integration.planning.judge import Present, Times, judge_property
from tests.planning.make import at, row

OLD, NEW = at("2026-04-01"), at("2026-04-02")
CARD_NEWER, CONTACT_NEWER = Times(NEW, OLD), Times(OLD, NEW)


def title(**members):
    return row("title", "jobtitle", **members)


EMPTY = Present("")
OURS = Present("課長", written="課長")
OURS_RESPELT = Present("課長 ", written="ｶﾁｮｳ", answered="課長 ")
EDITED = Present("主任", written="課長")
THEIRS = Present("主任")


@pytest.mark.parametrize(
    ("policy", "present", "conflict", "value"),
    [
        ("always", EMPTY, "sansan", "部長"),
        ("always", EMPTY, "hubspot", "部長"),
        ("always", OURS, "sansan", "部長"),
        ("always", OURS, "hubspot", "部長"),
        ("always", OURS_RESPELT, "hubspot", "部長"),
        ("always", EDITED, "sansan", "部長"),
        ("always", EDITED, "hubspot", None),
        ("always", THEIRS, "sansan", "部長"),
        ("always", THEIRS, "hubspot", None),
        ("always", Present("部長"), "sansan", None),
        ("if_empty", EMPTY, "sansan", "部長"),
        ("if_empty", EDITED, "sansan", None),
        ("if_empty", THEIRS, "sansan", None),
        ("on_create", EMPTY, "sansan", None),
        ("on_create", OURS, "sansan", None),
        ("on_create", THEIRS, "sansan", None),
    ],
)
def test_what_a_new_title_does(policy, present, conflict, value):
    assert (
        judge_property(title(policy=policy), "部長", present, conflict, CARD_NEWER).value == value
    )


@pytest.mark.parametrize(
    ("times", "wins"),
    [
        (CARD_NEWER, True),
        (CONTACT_NEWER, False),
        (Times(OLD, OLD), False),
        (Times(OLD, None), True),
    ],
)
def test_newest_compares_times(times, wins):
    assert (judge_property(title(), "部長", EDITED, "newest", times).value == "部長") is wins


@pytest.mark.parametrize(
    ("present", "value"),
    [
        (OURS_RESPELT, None),
        (Present("ｶﾁｮｳ", written="ｶﾁｮｳ"), None),
        (Present("カチョウ", written="カチョウ"), "ｶﾁｮｳ"),
        (Present("カチョウ"), None),
    ],
)
def test_a_spelling_follows_the_card_only_where_it_is_ours(present, value):
    assert judge_property(title(), "ｶﾁｮｳ", present, "sansan", CARD_NEWER).value == value


@pytest.mark.parametrize("policy", ["always", "if_empty", "on_create", "append"])
@pytest.mark.parametrize("present", [EMPTY, OURS, EDITED, THEIRS])
@pytest.mark.parametrize("conflict", ["sansan", "hubspot", "newest"])
def test_a_blank_never_overwrites(policy, present, conflict):
    assert judge_property(title(policy=policy), "", present, conflict, CARD_NEWER).value is None


@pytest.mark.parametrize(
    ("policy", "present", "conflict", "value"),
    [
        ("always", OURS, "hubspot", ""),
        ("always", EDITED, "sansan", ""),
        ("always", EDITED, "hubspot", None),
        ("always", EMPTY, "sansan", None),
        ("if_empty", OURS, "sansan", None),
        ("on_create", OURS, "sansan", None),
        ("append", OURS, "sansan", None),
    ],
)
def test_a_blank_overwrites_where_the_field_says_so(policy, present, conflict, value):
    assert (
        judge_property(title(policy=policy, clear=True), "", present, conflict, CARD_NEWER).value
        == value
    )


@pytest.mark.parametrize("key", ["email", "sansan_link_id"])
@pytest.mark.parametrize("policy", ["always", "append"])
def test_a_key_is_never_blanked(key, policy):
    present = Present("aiko@acme.example.jp", written="aiko@acme.example.jp")
    assert (
        judge_property(
            row("email", key, clear=True, policy=policy), "", present, "sansan", CARD_NEWER
        ).value
        is None
    )


def test_a_key_is_never_appended_to():
    present = Present("old@acme.example.jp", written="old@acme.example.jp")
    assert (
        judge_property(
            row("email", "email", policy="append", kind="email"),
            "new@acme.example.jp",
            present,
            "sansan",
            CARD_NEWER,
        ).value
        == "new@acme.example.jp"
    )


@pytest.mark.parametrize(
    ("kind", "wanted", "present", "value"),
    [
        ("checkbox", "t1", "", "t1"),
        ("checkbox", "t1", "t1;t2", None),
        ("checkbox", "t3;t1", "t2;t1", "t1;t2;t3"),
        ("checkbox", "t1;t2", "t2;t1", None),
        ("text", "展示会", "", "展示会"),
        ("text", "展示会", "セミナー", "セミナー\n展示会"),
        ("text", "展示会", "セミナー\n展示会", None),
        ("text", "ＡＢＣ", "ABC", None),
    ],
)
@pytest.mark.parametrize("conflict", ["sansan", "hubspot"])
def test_append(kind, wanted, present, value, conflict):
    assert (
        judge_property(
            row("tags", "notes", policy="append", kind=kind),
            wanted,
            Present(present),
            conflict,
            CARD_NEWER,
        ).value
        == value
    )


@pytest.mark.parametrize(
    ("present", "ours"),
    [
        (EMPTY, False),
        (OURS, True),
        (OURS_RESPELT, True),
        (EDITED, False),
        (THEIRS, False),
        (Present("", written=""), True),
    ],
)
def test_ours_is_what_we_last_wrote(present, ours):
    assert present.ours is ours
