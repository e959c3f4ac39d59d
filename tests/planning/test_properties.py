"""What holds for any cards at all, in any order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from integration.planning.blend import blend_cards, unite_tags
from integration.planning.matching import group_people
from integration.planning.normalize import (
    normalize_email,
    normalize_name,
    normalize_phone,
    normalize_text,
)
from integration.planning.plan import plan_people
from integration.planning.rule import LINK_ID
from integration.planning.snapshot import LinkView, Snapshot
from tests.planning.make import ROWS, at, card, contact, policy, rule

quick = settings(max_examples=120, derandomize=True, deadline=None, database=None)

EMAILS = [
    "",
    "aiko@acme.example.jp",
    "AIKO@acme.example.jp",
    "ben@acme.example.jp",
    "info@acme.example.jp",
    "no address",
]
DAYS = ["", "2026-04-01", "2026-04-02"]
TIMES = ["2026-05-01", "2026-05-02"]
PAPER = {
    "lastName": st.sampled_from(["", "森", "原", "モリ", "もり"]),
    "firstName": st.sampled_from(["", "愛子"]),
    "email": st.sampled_from(EMAILS),
    "companyName": st.sampled_from(["", "アクメ株式会社", "㈱アクメ", "ベータ"]),
    "title": st.sampled_from(["", "部長", "ﾌﾞﾁｮｳ", " 課長 "]),
    "tel": st.sampled_from(["", "03-1234-5678", "０３－１２３４－５６７８"]),
}
TAGS = st.lists(st.sampled_from(["t1", "t2", "t3"]), unique=True, max_size=2).map(tuple)
RULES = st.sampled_from(
    [
        rule(require_email=ask, conflict=conflict, link_property=keyed, *rows)  # noqa: B026
        for ask in (True, False)
        for conflict in ("sansan", "hubspot", "newest")
        for keyed in (True, False)
        for rows in (
            ROWS,
            policy("jobtitle", "append"),
            policy("jobtitle", "if_empty"),
            policy("company", "always", clear=True),
        )
    ]
)


@st.composite
def cards(draw, links=("",)):
    members = {
        "day": st.sampled_from(DAYS),
        "changed": st.sampled_from(TIMES),
        "person_key": st.sampled_from(["", "", "P", "Q"]),
        "link": st.sampled_from(links),
        "tags": TAGS,
        "in_scope": st.sampled_from([True, True, True, False]),
        "visible": st.sampled_from([True, True, True, False]),
    }
    count = draw(st.integers(1, 6))
    return [
        card(n, draw(st.fixed_dictionaries(PAPER)), **draw(st.fixed_dictionaries(members)))
        for n in range(1, count + 1)
    ]


@st.composite
def contacts(draw):
    """At most one contact an address, as HubSpot has it."""
    addresses = draw(
        st.lists(
            st.sampled_from(
                ["aiko@acme.example.jp", "ben@acme.example.jp", "info@acme.example.jp"]
            ),
            unique=True,
        )
    )
    values = {
        "lastname": PAPER["lastName"],
        "company": PAPER["companyName"],
        "jobtitle": PAPER["title"],
        "phone": PAPER["tel"],
    }
    return [
        contact(str(900 + n), draw(st.fixed_dictionaries(values)), email=address)
        for n, address in enumerate(addresses)
    ]


def seen(cards, contacts, links=()):
    by_email = {one.values["email"]: one.id for one in contacts}
    return Snapshot(
        tuple(cards), {one.key: one for one in links}, {one.id: one for one in contacts}, by_email
    )


def by_card(decisions):
    return sorted(decisions, key=lambda one: one.card)


def applied(snapshot, decisions, chosen):
    """The world after the writes: links made, contacts holding what was sent, addresses indexed."""
    links, found, places = (
        dict(snapshot.links),
        dict(snapshot.contacts),
        {one.record: one.link for one in snapshot.cards},
    )
    for decision in decisions:
        key = decision.link or f"new-{decision.card}"
        if decision.writes:
            link = links.get(key, LinkView(key))
            id = decision.contact_id or f"made-{decision.card}"
            old = found[id].values if id in found else {}
            ours = {LINK_ID: key} if chosen.link_property else {}
            found[id] = contact(id, {**old, **decision.after, **ours}, modified="2026-06-01")
            links[key] = replace(link, contact_id=id, written={**link.written, **decision.after})
        for verdict in decision.verdicts:
            if verdict.bucket in ("linked", "merged"):
                places[verdict.record] = key if decision.writes or decision.link else ""
    moved = [replace(one, link=places[one.record]) for one in snapshot.cards]
    return seen(
        moved, [one for one in found.values() if one.values.get("email")], links.values()
    ), found


def after(snapshot, chosen):
    later, found = applied(snapshot, plan_people(snapshot, chosen), chosen)
    return replace(later, contacts=found)


@quick
@given(cards=cards(links=("", "", "L", "M")), contacts=contacts(), chosen=RULES, data=st.data())
def test_any_order_of_cards_gives_the_same_decisions(cards, contacts, chosen, data):
    found = [
        *contacts,
        contact("1", lastname="森", email="old@acme.example.jp"),
        contact("2", lastname="原", email="older@acme.example.jp"),
    ]
    links = [LinkView("L", "1", {"lastname": "森"}), LinkView("M", "2")]
    shuffled = data.draw(st.permutations(cards))
    assert by_card(plan_people(seen(shuffled, found, links), chosen)) == by_card(
        plan_people(seen(cards, found, links), chosen)
    )


@quick
@given(cards=cards(), contacts=contacts(), chosen=RULES)
def test_each_card_gets_one_verdict(cards, contacts, chosen):
    verdicts = [
        verdict.record
        for decision in plan_people(seen(cards, contacts), chosen)
        for verdict in decision.verdicts
    ]
    assert sorted(verdicts) == [one.record for one in cards]


@quick
@given(cards=cards(), contacts=contacts(), chosen=RULES)
def test_no_two_people_write_to_one_contact_or_address(cards, contacts, chosen):
    writes = [one for one in plan_people(seen(cards, contacts), chosen) if one.writes]
    for taken in (
        [one.contact_id for one in writes if one.contact_id],
        [one.after["email"] for one in writes if one.after.get("email")],
    ):
        assert len(taken) == len(set(taken))


@quick
@given(cards=cards(), contacts=contacts(), chosen=RULES)
def test_a_second_plan_writes_nothing(cards, contacts, chosen):
    again = plan_people(after(seen(cards, contacts), chosen), chosen)
    assert [one for one in again if one.writes] == []


@quick
@given(
    cards=cards(),
    contacts=contacts(),
    chosen=RULES,
    title=st.sampled_from(["CTO", "顧問"]),
    data=st.data(),
)
def test_a_second_plan_writes_nothing_after_a_card_changed_either(
    cards, contacts, chosen, title, data
):
    first = after(seen(cards, contacts), chosen)
    at_card = data.draw(st.sampled_from(range(len(cards))))
    changed = [
        replace(one, values={**one.values, "title": title}, changed_at=at("2026-07-01"))
        if i == at_card
        else one
        for i, one in enumerate(first.cards)
    ]
    again = plan_people(after(replace(first, cards=tuple(changed)), chosen), chosen)
    assert [one for one in again if one.writes] == []


@quick
@given(cards=cards(links=("", "L")), data=st.data())
def test_survivors_do_not_depend_on_the_order(cards, data):
    def survivors(some):
        return sorted(
            (person[0].record, *blend_cards(person), unite_tags(person))
            for person in group_people(some)
        )

    assert survivors(data.draw(st.permutations(cards))) == survivors(cards)


letters = "aAzＺ１2@.＠-－・　 ｱァがｶﾞ㈱（株）株式会社有限森髙①"
words = st.text(st.sampled_from(letters), max_size=12)


@quick
@given(value=words)
def test_normal_forms_are_their_own_normal_form(value):
    for fold in (normalize_text, normalize_email, lambda one: normalize_name(one, "")):
        assert fold(fold(value)) == fold(value)


@quick
@given(
    digits=st.from_regex(r"0[1-9]{1,3}-[0-9]{2,4}-[0-9]{4}", fullmatch=True),
    country=st.sampled_from(["JP", "US", "ZZ", ""]),
)
def test_a_normal_telephone_is_its_own_normal_form(digits, country):
    once = normalize_phone(digits, country)
    assert normalize_phone(once, country) == once
