"""Edited in HubSpot: who wins a property, what a person's choice is worth, and what is done when
the contact is gone or the tags are.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.notes import note
from integration.planning.judge import (
    NEVER_BLANKED,
    Choice,
    Clash,
    Present,
    Times,
    choose_winner,
    judge_property,
)
from integration.planning.plan import plan_people
from integration.planning.rule import MappingRow
from integration.planning.snapshot import LinkView
from tests.planning.make import (
    AIKO,
    BEN,
    ROWS,
    at,
    card,
    contact,
    only,
    policy,
    row,
    rule,
    snapshot,
)

quick = settings(max_examples=300, derandomize=True, deadline=None, database=None)
OLD, NEW = at("2026-04-01"), at("2026-04-02")
CARD_NEWER, CONTACT_NEWER = Times(NEW, OLD), Times(OLD, NEW)
EDITED = Present("主任", written="課長")
SEEN = (
    Choice("sansan", "部長", "主任"),
    Choice("hubspot", "部長", "主任"),
    Choice("hold", "部長", "主任"),
)
POLICIES = ("always", "if_empty", "on_create", "append")
SIDES = ("sansan", "hubspot", "newest", "hold")


def title(**members: object) -> MappingRow:
    return row("title", "jobtitle", **members)


# Who wins

RULES = [
    ("sansan", CARD_NEWER, "sansan"),
    ("sansan", CONTACT_NEWER, "sansan"),
    ("hubspot", CARD_NEWER, "hubspot"),
    ("hubspot", CONTACT_NEWER, "hubspot"),
    ("newest", CARD_NEWER, "sansan"),
    ("newest", CONTACT_NEWER, "hubspot"),
    ("newest", Times(OLD, OLD), "hubspot"),
    ("newest", Times(OLD, None), "sansan"),
    ("hold", CARD_NEWER, "hold"),
    ("hold", CONTACT_NEWER, "hold"),
]


@pytest.mark.parametrize(("how", "times", "side"), RULES)
def test_the_rule_says_who_wins(how, times, side):
    judged = judge_property(title(), "部長", EDITED, how, times)
    assert judged == ("部長" if side == "sansan" else None, Clash("部長", "主任", side, "rule"))


@pytest.mark.parametrize("general", SIDES)
@pytest.mark.parametrize(("how", "times", "side"), RULES)
def test_a_field_of_its_own_mind_goes_before_the_rule(general, how, times, side):
    judged = judge_property(title(conflict=how), "部長", EDITED, general, times)
    assert judged == ("部長" if side == "sansan" else None, Clash("部長", "主任", side, "field"))


@pytest.mark.parametrize(("general", "own", "choice"), list(product(SIDES, ("", *SIDES), SEEN)))
def test_a_person_goes_before_both(general, own, choice):
    judged = judge_property(title(conflict=own), "部長", EDITED, general, CARD_NEWER, choice)
    assert judged == (
        "部長" if choice.side == "sansan" else None,
        Clash("部長", "主任", choice.side, "person"),
    )


@pytest.mark.parametrize(
    "choice",
    [
        Choice("hubspot", "課長", "主任"),
        Choice("hubspot", "部長", "係長"),
        Choice("hubspot", "部長 ", "主任"),
        Choice("hubspot", "主任", "部長"),
        Choice("hubspot", "", "主任"),
        Choice("hubspot", "部長", ""),
        None,
    ],
    ids=[
        "another card's",
        "another contact's",
        "a space more",
        "the sides mixed up",
        "no card's",
        "no contact's",
        "no choice",
    ],
)
def test_a_choice_is_worth_nothing_once_either_value_is_another(choice):
    assert judge_property(title(), "部長", EDITED, "sansan", CARD_NEWER, choice) == (
        "部長",
        Clash("部長", "主任", "sansan", "rule"),
    )


def test_a_choice_for_a_blank_on_the_card_counts_where_the_field_lets_it_clear():
    clearing, chosen = title(clear=True), Choice("hubspot", "", "主任")
    assert judge_property(clearing, "", EDITED, "sansan", CARD_NEWER) == (
        "",
        Clash("", "主任", "sansan", "rule"),
    )
    assert judge_property(clearing, "", EDITED, "sansan", CARD_NEWER, chosen) == (
        None,
        Clash("", "主任", "hubspot", "person"),
    )


# Where it was edited

EDITS = {
    "nowhere": ("課長", Present("課長", "課長"), None, False),
    "on the card only": ("部長", Present("課長", "課長"), "部長", False),
    "on the card only, HubSpot spells it its own way": (
        "部長",
        Present("課長 ", "ｶﾁｮｳ", "課長 "),
        "部長",
        False,
    ),
    "in HubSpot only": ("課長", Present("主任", "課長"), "課長", True),
    "on both": ("部長", Present("主任", "課長"), "部長", True),
    "on both, to the same": ("主任", Present("主任", "課長"), None, False),
    "on both, to two spellings of the same": ("Ａ主任", Present("A主任", "課長"), None, False),
    "blanked in HubSpot": ("課長", Present("", "課長"), "課長", True),
    "blanked in HubSpot, and the card has another": ("部長", Present("", "課長"), "部長", True),
    "never written, and HubSpot has none": ("課長", Present(""), "課長", False),
    "never written, and HubSpot has one": ("課長", Present("主任"), "課長", True),
    "blank on the card": ("", Present("主任", "課長"), None, False),
    "we left it blank, and HubSpot did not": ("課長", Present("主任", ""), "課長", True),
    "we left it blank, and so did HubSpot": ("課長", Present("", ""), "課長", False),
}


@pytest.mark.parametrize(("wanted", "present", "value", "clashes"), EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("how", ["sansan", "hubspot", "hold"])
def test_where_it_was_edited(wanted, present, value, clashes, how):
    judged = judge_property(title(), wanted, present, how, CARD_NEWER)
    assert judged.value == (value if how == "sansan" or not clashes else None)
    assert judged.clash == (Clash(wanted, present.value, how, "rule") if clashes else None)


@pytest.mark.parametrize("name", ["if_empty", "on_create", "append"])
@pytest.mark.parametrize("how", SIDES)
@pytest.mark.parametrize("present", [EDITED, Present("主任"), Present("", "課長"), Present("")])
def test_the_other_policies_make_no_clash(name, how, present):
    assert judge_property(title(policy=name), "部長", present, how, CARD_NEWER).clash is None


@pytest.mark.parametrize(
    ("key", "how", "name", "choice"),
    list(
        product(
            sorted(NEVER_BLANKED),
            SIDES,
            POLICIES,
            [None, Choice("sansan", "", "x@acme.example.jp")],
        )
    ),
)
def test_a_key_is_never_blanked_whatever_is_chosen(key, how, name, choice):
    for present in (
        Present("x@acme.example.jp", "x@acme.example.jp"),
        Present("x@acme.example.jp", "y@acme.example.jp", orphaned=True),
    ):
        judged = judge_property(
            row("email", key, clear=True, policy=name, conflict=how, kind="email"),
            "",
            present,
            how,
            CARD_NEWER,
            choice,
        )
        assert judged == (None, None)


def test_an_orphan_is_blanked_only_while_it_is_as_we_wrote_it():
    assert judge_property(
        title(), "", Present("課長", "課長", orphaned=True), "hubspot", CARD_NEWER
    ) == ("", None)
    assert judge_property(
        title(), "", Present("主任", "課長", orphaned=True), "sansan", CARD_NEWER
    ) == (None, None)


@pytest.mark.parametrize(("how", "times", "side"), RULES)
def test_winner_alone(how, times, side):
    assert choose_winner(title(), "部長", EDITED, how, times, None) == (side, "rule")


# Judging again

TEXTS = st.sampled_from(
    [
        "",
        "部長",
        "課長",
        "ｶﾁｮｳ",
        "カチョウ",
        "a\nb",
        "a\r\nb",
        "b",
        "a",
        "x\na\nb\ny",
        "t1;t2",
        "t2;t1",
        ";",
        "t1;",
        "1",
        "1.0",
        "１",
        " ",
        "03-1234-5678",
        "０３－１２３４－５６７８",
        "A@x.jp",
        "a@x.jp",
        "a\x0bb",
        "a\u2028b",
        "a\x85b",
        "nan",
    ]
)


@quick
@given(
    wanted=TEXTS,
    value=TEXTS,
    written=st.none() | TEXTS,
    name=st.sampled_from(POLICIES),
    kind=st.sampled_from(["text", "phone", "email", "checkbox"]),
    how=st.sampled_from(SIDES),
    clear=st.booleans(),
    orphaned=st.booleans(),
    property=st.sampled_from(["jobtitle", "email"]),
)
def test_what_is_written_and_judged_again_is_left_alone(
    wanted, value, written, name, kind, how, clear, orphaned, property
):
    one = row("title", property, policy=name, kind=kind, clear=clear)
    first = judge_property(one, wanted, Present(value, written, orphaned=orphaned), how, CARD_NEWER)
    if first.value is not None:
        assert judge_property(
            one, wanted, Present(first.value, first.value, orphaned=orphaned), how, CONTACT_NEWER
        ) == (None, None)


@pytest.mark.parametrize(
    "lines", ["一行目\n二行目", "一行目\r\n二行目", "一行目\x0b二行目", "一行目\u2028二行目"]
)
@pytest.mark.parametrize("before", ["", "前から"])
def test_several_lines_are_appended_once(lines, before):
    one = row("memo", "notes", policy="append")
    value = judge_property(one, lines, Present(before), "sansan", CARD_NEWER).value
    assert value is not None and value.endswith(lines)
    assert judge_property(one, lines, Present(value, value), "sansan", CARD_NEWER).value is None


def test_a_part_of_a_line_is_no_line():
    one = row("memo", "notes", policy="append")
    assert (
        judge_property(one, "部長", Present("副部長"), "sansan", CARD_NEWER).value == "副部長\n部長"
    )
    assert (
        judge_property(one, "a\nb", Present("xa\nb"), "sansan", CARD_NEWER).value == "xa\nb\na\nb"
    )


# Whole people

WRITTEN = {
    "lastname": "森",
    "firstname": "愛子",
    "email": AIKO["email"],
    "company": "アクメ株式会社",
    "jobtitle": "課長",
    "sansan_card_id": "C1",
}
LINK = LinkView("L", "101", WRITTEN)


def aikos(title: str = "課長", **values: Any):
    return card(link="L", title=title, **values)


def hers(**values: str):
    return contact("101", WRITTEN, sansan_link_id="L", **values)


def decided(one, theirs, link: LinkView = LINK, *rows: MappingRow, **members: object):
    (decision,) = plan_people(
        snapshot(one, links=(link,), contacts=(theirs,)), rule(*rows, **members)
    )
    return decision


def own(name: str, **members: Any) -> tuple[MappingRow, ...]:
    """The usual rows, one of them with members of its own."""
    return tuple(replace(one, **members) if one.hubspot == name else one for one in ROWS)


AT_JOB_TITLE = note("property", id="jobtitle")
WHOLE = {
    "sansan": ("update", "contact_differs", {"jobtitle": "課長"}, "linked"),
    "hubspot": ("skip", "kept_hubspot", {}, "linked"),
    "newest": ("skip", "kept_hubspot", {}, "linked"),
    "hold": ("hold", "conflict", {}, "held"),
}


@pytest.mark.parametrize("how", SIDES)
def test_one_edit_and_nothing_else(how):
    kind, reason, after, bucket = WHOLE[how]
    one = decided(aikos(), hers(jobtitle="主任"), conflict=how)
    assert (one.kind, one.reason, dict(one.after), one.link, one.contact_id) == (
        kind,
        reason,
        after,
        "L",
        "101",
    )
    assert [(verdict.bucket, verdict.reason) for verdict in one.verdicts] == [(bucket, reason)]
    side = {"newest": "hubspot"}.get(how, how)
    assert dict(one.clashes) == {"jobtitle": Clash("課長", "主任", side, "rule")}
    assert one.detail == (AT_JOB_TITLE if how == "hold" else "")


BESIDES = {
    "the card wins": (
        "sansan",
        "update",
        "contact_differs",
        {"jobtitle": "課長", "phone": "03-1234-5678"},
        "",
    ),
    "HubSpot wins": ("hubspot", "update", "card_changed", {"phone": "03-1234-5678"}, ""),
    "a person decides": ("hold", "update", "conflict", {"phone": "03-1234-5678"}, AT_JOB_TITLE),
}


@pytest.mark.parametrize(
    ("how", "kind", "reason", "after", "detail"), BESIDES.values(), ids=BESIDES
)
def test_the_other_fields_are_written(how, kind, reason, after, detail):
    one = decided(aikos(tel="03-1234-5678"), hers(jobtitle="主任"), conflict=how)
    assert (one.kind, one.reason, dict(one.after), one.detail) == (kind, reason, after, detail)
    assert set(one.clashes) == {"jobtitle"} and set(one.before) == set(after)


def test_each_field_by_its_own():
    rows = own("jobtitle", conflict="hold")
    one = decided(
        aikos(),
        hers(jobtitle="主任", company="ベータ", lastname="盛"),
        LINK,
        *rows,
        conflict="hubspot",
    )
    assert (one.kind, one.reason, one.detail) == ("hold", "conflict", AT_JOB_TITLE)
    assert {name: (clash.winner, clash.by) for name, clash in one.clashes.items()} == {
        "jobtitle": ("hold", "field"),
        "company": ("hubspot", "rule"),
        "lastname": ("hubspot", "rule"),
    }


def test_two_fields_that_wait_for_a_person_are_both_named():
    one = decided(aikos(), hers(jobtitle="主任", company="ベータ"), conflict="hold")
    assert (one.kind, one.detail) == ("hold", note("property", id="company, jobtitle"))


@pytest.mark.parametrize(
    ("choice", "kind", "reason", "after", "by"),
    [
        (
            Choice("sansan", "課長", "主任"),
            "update",
            "contact_differs",
            {"jobtitle": "課長"},
            "person",
        ),
        (Choice("hubspot", "課長", "主任"), "skip", "kept_hubspot", {}, "person"),
        (Choice("sansan", "課長", "係長"), "hold", "conflict", {}, "rule"),
        (Choice("sansan", "部長", "主任"), "hold", "conflict", {}, "rule"),
    ],
)
def test_a_persons_choice_ends_the_waiting(choice, kind, reason, after, by):
    one = decided(
        aikos(), hers(jobtitle="主任"), replace(LINK, choices={"jobtitle": choice}), conflict="hold"
    )
    assert (one.kind, one.reason, dict(one.after), one.clashes["jobtitle"].by) == (
        kind,
        reason,
        after,
        by,
    )


def test_a_choice_for_one_field_says_nothing_of_another():
    link = replace(LINK, choices={"jobtitle": Choice("sansan", "課長", "主任")})
    one = decided(aikos(), hers(jobtitle="主任", company="ベータ"), link, conflict="hold")
    assert (one.reason, one.detail, dict(one.after)) == (
        "conflict",
        note("property", id="company"),
        {"jobtitle": "課長"},
    )


@pytest.mark.parametrize(
    ("name", "after"), [("if_empty", {}), ("on_create", {}), ("append", {"jobtitle": "主任\n課長"})]
)
def test_policies_that_never_fight(name, after):
    one = decided(aikos(), hers(jobtitle="主任"), LINK, *policy("jobtitle", name), conflict="hold")
    assert (dict(one.after), dict(one.clashes), one.reason in ("in_sync", "contact_differs")) == (
        after,
        {},
        True,
    )


def test_a_contact_met_for_the_first_time_is_linked_and_waits():
    there = contact("101", WRITTEN, jobtitle="主任")
    (one,) = plan_people(snapshot(card(title="課長"), contacts=(there,)), rule(conflict="hold"))
    assert (one.kind, one.reason, one.detail) == ("link", "conflict", AT_JOB_TITLE)
    assert "jobtitle" not in one.after and one.clashes["jobtitle"].winner == "hold"


def test_an_address_that_another_contact_has_is_no_clash():
    others = contact("102", email="new@acme.example.jp")
    (one,) = plan_people(
        snapshot(
            aikos(email="new@acme.example.jp"),
            links=(LINK,),
            contacts=(hers(email="edited@acme.example.jp"), others),
        ),
        rule(conflict="hold"),
    )
    assert (one.kind, one.reason, one.detail, dict(one.clashes)) == (
        "hold",
        "email_taken",
        note("contact", id="102"),
        {},
    )


def test_a_clash_that_is_over_is_told_no_more():
    assert dict(decided(aikos(), hers(), conflict="hold").clashes) == {}


def test_hold_comes_to_rest():
    """What was written besides is not written again, and the person waits as before."""
    first = decided(aikos(tel="03-1234-5678"), hers(jobtitle="主任"), conflict="hold")
    link = replace(LINK, written={**WRITTEN, **first.after})
    again = decided(
        aikos(tel="03-1234-5678"), hers(jobtitle="主任", **first.after), link, conflict="hold"
    )
    assert (again.kind, again.reason, dict(again.after), again.clashes) == (
        "hold",
        "conflict",
        {},
        first.clashes,
    )


# Contacts that are gone

GONE = replace(LINK, gone="deleted")


def gone(how: str = "deleted", *contacts, **members: object):
    (decision,) = plan_people(
        snapshot(aikos(), links=(replace(LINK, gone=how),), contacts=contacts), rule(**members)
    )
    return decision


WENT = {
    "deleted": ("deleted", False, "hold", "contact_gone"),
    "deleted, and made again": ("deleted", True, "create", "new_person"),
    "forgotten": ("forgotten", False, "hold", "contact_forgotten"),
    "forgotten, and never made again": ("forgotten", True, "hold", "contact_forgotten"),
    "merged": ("merged", False, "hold", "contact_gone"),
    "nobody knows how": ("", False, "hold", "contact_gone"),
    "nobody knows how, and made again": ("", True, "create", "new_person"),
}


@pytest.mark.parametrize(("how", "again", "kind", "reason"), WENT.values(), ids=WENT)
def test_a_contact_that_is_gone(how, again, kind, reason):
    one = gone(how, make_again=again)
    detail = "" if kind == "create" else note("contact", id="101")
    assert (one.kind, one.reason, one.detail) == (kind, reason, detail)
    assert one.link == "", "under a new link: the deleted one may be restored"
    if kind == "create":
        assert one.after["jobtitle"] == "課長" and one.contact_id == ""


@pytest.mark.parametrize("how", ["deleted", "merged"])
@pytest.mark.parametrize("again", [False, True])
def test_another_contact_has_the_address_now(how, again):
    one = gone(how, contact("202", email=AIKO["email"], jobtitle="主任"), make_again=again)
    assert (one.kind, one.reason, one.link, one.contact_id) == ("link", "matched_email", "L", "202")
    assert dict(one.clashes) == {"jobtitle": Clash("課長", "主任", "sansan", "rule")}


def test_what_was_written_to_the_one_that_is_gone_makes_no_edit_of_the_other():
    """The other contact's blank was not blanked by anybody."""
    one = gone("deleted", contact("202", email=AIKO["email"]), conflict="hubspot")
    assert one.after["jobtitle"] == "課長" and dict(one.clashes) == {}


def test_a_persons_choice_about_the_one_that_is_gone_is_not_about_the_other():
    link = replace(GONE, choices={"jobtitle": Choice("hubspot", "課長", "主任")})
    (one,) = plan_people(
        snapshot(
            aikos(), links=(link,), contacts=(contact("202", email=AIKO["email"], jobtitle="主任"),)
        ),
        rule(),
    )
    assert one.after["jobtitle"] == "課長" and one.clashes["jobtitle"].by == "rule"


def test_made_again_without_an_address_needs_our_key():
    link = replace(GONE, written={})
    nobody = {"lastName": "森", "firstName": "愛子"}
    for keyed, reason in ((True, "new_person"), (False, "needs_link_property")):
        (one,) = plan_people(
            snapshot(card(1, nobody, link="L"), links=(link,)),
            rule(require_email=False, make_again=True, link_property=keyed),
        )
        assert one.reason == reason


# Farewells

TAGGED = {**WRITTEN, "sansan_tags": "t1;t2"}
BYE = policy("sansan_tags", "always", clear=True)


def parted(
    *cards,
    tags: str = "t1;t2",
    written: dict[str, str] | None = None,
    rows=BYE,
    links: tuple[LinkView, ...] | None = None,
    contacts=None,
    **members: object,
):
    links = (
        links
        if links is not None
        else (replace(LINK, written=TAGGED if written is None else written),)
    )
    contacts = contacts if contacts is not None else (hers(sansan_tags=tags),)
    return plan_people(snapshot(*cards, links=links, contacts=contacts), rule(*rows, **members))


def out(record: int = 1, link: str = "L", **members: Any):
    return card(record, link=link, in_scope=False, **members)


def test_the_last_write_says_that_the_tags_are_gone():
    (one,) = parted(out())
    assert (one.kind, one.reason, one.link, one.contact_id) == ("update", "tag_removed", "L", "101")
    assert (dict(one.before), dict(one.after)) == ({"sansan_tags": "t1;t2"}, {"sansan_tags": ""})
    assert [(verdict.bucket, verdict.reason) for verdict in one.verdicts] == [
        ("excluded", "no_selected_tag")
    ]


STAYS = {
    "another card keeps a tag": {
        "cards": (out(), card(2, link="L", tags=("t1",), day="2025-01-01"))
    },
    "another rule's card keeps a tag": {
        "cards": (out(), card(2, link="L", tags=("t9",), foreign=True))
    },
    "only another rule's card": {"cards": (out(foreign=True),)},
    "out of sight": {"cards": (out(visible=False),)},
    "filtered, not untagged": {
        "cards": (card(link="L"),),
        "filters": only("companyName", "contains", "ベータ"),
    },
    "never synced": {"cards": (card(link="L", barred="asked for it"),)},
    "never linked": {"cards": (out(link=""),)},
    "a blank may not clear": {"cards": (out(),), "rows": ROWS},
    "tags are only added": {"cards": (out(),), "rows": policy("sansan_tags", "append", clear=True)},
    "tags are not mapped": {"cards": (out(),), "rows": ROWS[:-1]},
    "we never wrote a tag": {"cards": (out(),), "written": WRITTEN, "tags": ""},
    "we have taken leave already": {
        "cards": (out(),),
        "written": {**TAGGED, "sansan_tags": ""},
        "tags": "",
    },
    "blanked by HubSpot's people": {"cards": (out(),), "tags": ""},
    "edited, and HubSpot wins": {"cards": (out(),), "tags": "t2;mine", "conflict": "hubspot"},
    "edited, and nobody has chosen": {"cards": (out(),), "tags": "t2;mine", "conflict": "hold"},
    "edited later than the card": {"cards": (out(),), "tags": "t2;mine", "conflict": "newest"},
    "the contact is gone": {
        "cards": (out(),),
        "links": (replace(LINK, written=TAGGED, gone="deleted"),),
        "contacts": (),
    },
    "the contact was not found": {"cards": (out(),), "contacts": ()},
}


@pytest.mark.parametrize("known", STAYS.values(), ids=STAYS)
def test_no_farewell(known):
    decisions = parted(
        *known["cards"], **{name: value for name, value in known.items() if name != "cards"}
    )
    assert "tag_removed" not in {one.reason for one in decisions}


@pytest.mark.parametrize(("how", "changed"), [("sansan", "2026-04-02"), ("newest", "2026-06-01")])
def test_edited_tags_go_too_where_the_card_wins(how, changed):
    (one,) = parted(out(changed=changed), tags="t2;mine", conflict=how)
    assert (one.reason, dict(one.before), dict(one.after)) == (
        "tag_removed",
        {"sansan_tags": "t2;mine"},
        {"sansan_tags": ""},
    )


def test_the_same_tags_in_another_order_are_no_edit():
    (one,) = parted(out(), tags="t2;t1", conflict="hubspot")
    assert dict(one.after) == {"sansan_tags": ""}


def test_one_farewell_for_all_cards_of_a_person():
    decisions = parted(out(1), out(2, day="2025-01-01"))
    assert sorted((one.reason, one.writes) for one in decisions) == [
        ("no_selected_tag", False),
        ("tag_removed", True),
    ]


def test_a_foreign_card_that_is_out_as_well_does_not_stop_it():
    decisions = parted(out(2, foreign=True), out(1))
    assert {one.card: one.reason for one in decisions} == {1: "tag_removed", 2: "no_selected_tag"}


def test_two_people_take_leave_each():
    links = (
        replace(LINK, written=TAGGED),
        LinkView("M", "102", {"email": BEN["email"], "sansan_tags": "t3"}),
    )
    contacts = (
        hers(sansan_tags="t1;t2"),
        contact("102", BEN, email=BEN["email"], sansan_tags="t3", sansan_link_id="M"),
    )
    decisions = parted(
        out(1), card(2, BEN, link="M", in_scope=False), links=links, contacts=contacts
    )
    assert {one.card: (one.reason, one.contact_id, dict(one.after)) for one in decisions} == {
        1: ("tag_removed", "101", {"sansan_tags": ""}),
        2: ("tag_removed", "102", {"sansan_tags": ""}),
    }


def test_one_person_takes_leave_while_another_stays():
    links = (
        replace(LINK, written=TAGGED),
        LinkView("M", "102", {"email": BEN["email"], "sansan_tags": "t3"}),
    )
    contacts = (
        hers(sansan_tags="t1;t2"),
        contact("102", BEN, email=BEN["email"], sansan_tags="t3", sansan_link_id="M"),
    )
    decisions = parted(out(1), card(2, BEN, link="M", tags=("t4",)), links=links, contacts=contacts)
    assert {one.card: (one.reason, one.after.get("sansan_tags")) for one in decisions} == {
        1: ("tag_removed", ""),
        2: ("card_changed", "t4"),
    }


def test_a_farewell_comes_to_rest():
    (first,) = parted(out())
    again = parted(out(), tags="", written={**TAGGED, **first.after})
    assert [(one.kind, one.reason, dict(one.after)) for one in again] == [
        ("skip", "no_selected_tag", {})
    ]


def test_a_card_that_comes_back_writes_its_tags_again():
    (one,) = parted(
        card(link="L", title="課長", tags=("t1",)),
        tags="",
        written={**TAGGED, "sansan_tags": ""},
        conflict="hubspot",
    )
    assert (one.kind, dict(one.after), dict(one.clashes)) == ("update", {"sansan_tags": "t1"}, {})
