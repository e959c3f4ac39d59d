"""The sweep by tag: what Sansan's update times do not tell of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from core.tenancy import in_account
from integration.connections.credentials import make_source
from integration.connectors.base import Gone, Rejected
from integration.connectors.sansan.client import Sansan
from integration.intake.tags import store_swept_page
from integration.models import AuditEntry, Record, SyncRule, SyncRun, Tag
from integration.records import CardPage
from integration.runs import start_run, work_slice
from tests.cast import TOKEN, configured, file, sync
from tests.engine.oracle import contacts_of, expected

pytestmark = pytest.mark.django_db
PLAIN = {"no_email_percent": 0, "shared_email_percent": 0}


class Killed(BaseException):
    """The process ends here, without any clean-up of its own."""


@pytest.fixture
def sandbox(sandbox_of: Any) -> Any:
    sandbox = sandbox_of(12, **PLAIN)
    for i, card in enumerate(cards(sandbox)):
        tag(sandbox, card, "T0001" if i < 6 else "T0002")
    return sandbox


def cards(sandbox: Any) -> list[dict[str, Any]]:
    return list(sandbox.sansan.cards.values())


def tag(sandbox: Any, card: dict[str, Any], *tags: str) -> None:
    """Without the update time moving: the switch tag_bumps_updated is off."""
    sandbox.sansan.change(card["id"], {"tags": list(tags)})


def swept(rule: SyncRule, later: Any, **how: Any) -> SyncRun:
    later(minutes=11)
    return sync(rule, **how)


def selected(*tags: str, **more: Any) -> SyncRule:
    rule = configured(file(tags=list(tags), **more))
    sync(rule)
    return rule


def tags_of(sandbox: Any, card: dict[str, Any]) -> str | None:
    one = next(
        (
            one
            for one in sandbox.hubspot.portal(TOKEN).contacts.values()
            if one.get("email") == card["email"]
        ),
        None,
    )
    return one and one.get("sansan_tags", "")


def place(rule: SyncRule, card: dict[str, Any]) -> tuple[str, str]:
    with in_account(rule.account):
        return Record.objects.values_list("bucket", "reason").get(rule=rule, external_id=card["id"])


def test_a_tag_that_is_put_on_brings_the_card_in(sandbox, time_machine_later):
    rule = selected("T0001")
    card = cards(sandbox)[8]
    assert tags_of(sandbox, card) is None
    tag(sandbox, card, "T0001", "T0002")
    assert sync(rule).created == 0  # not yet due
    run = swept(rule, time_machine_later)
    assert (run.created, run.read, tags_of(sandbox, card)) == (1, 1, "T0001")


def test_a_tag_that_is_taken_off_is_taken_off_the_contact(sandbox, time_machine_later):
    rule = selected("T0001", "T0002")
    one, other = cards(sandbox)[:2]
    tag(sandbox, one)
    tag(sandbox, other, "T0002")
    run = swept(rule, time_machine_later)
    assert (tags_of(sandbox, one), tags_of(sandbox, other)) == ("", "T0002")
    assert place(rule, one) == ("excluded", "no_selected_tag") and run.counts["waiting"] == 0
    before = sandbox.hubspot.changes
    for _ in range(2):
        swept(rule, time_machine_later)
    assert sandbox.hubspot.changes == before


def test_a_tag_that_comes_back(sandbox, time_machine_later):
    rule = selected("T0001")
    card = cards(sandbox)[0]
    for carried, said in (((), ""), (("T0001",), "T0001"), ((), ""), (("T0001", "T0003"), "T0001")):
        tag(sandbox, card, *carried)
        swept(rule, time_machine_later)
        assert tags_of(sandbox, card) == said
    with in_account(rule.account):
        assert (
            len(
                {
                    entry.contact_id
                    for entry in AuditEntry.objects.filter(card_id=card["id"], outcome="succeeded")
                }
            )
            == 1
        )


def test_without_selected_tags_every_card_is_looked_at(sandbox, time_machine_later):
    rule = selected()
    for card in cards(sandbox)[:3]:
        tag(sandbox, card, "T0004")
    tag(sandbox, cards(sandbox)[3])
    run = swept(rule, time_machine_later)
    assert (
        run.read == 4 and [tags_of(sandbox, card) for card in cards(sandbox)[:3]] == ["T0004"] * 3
    )
    assert place(rule, cards(sandbox)[3])[0] == "linked"


def test_the_last_selected_tag_of_a_person_with_two_cards(sandbox, time_machine_later):
    """As long as one of them carries a selected tag the contact says so."""
    first = cards(sandbox)[0]
    same = {
        name: first[name] for name in ("lastName", "firstName", "email", "companyName", "personId")
    }
    second = sandbox.sansan.add({**same, "exchangeDate": "2001-01-01", "tags": ["T0002"]})
    rule = selected("T0001", "T0002")
    assert tags_of(sandbox, first) == "T0001;T0002"
    tag(sandbox, first)
    swept(rule, time_machine_later)
    assert tags_of(sandbox, first) == "T0002"
    tag(sandbox, second)
    swept(rule, time_machine_later)
    assert tags_of(sandbox, first) == ""


def test_a_renamed_tag_renames_its_option_and_removes_none(sandbox, time_machine_later):
    rule = selected("T0001", "T0002")
    before, wrote = options(sandbox), len(sandbox.hubspot.hooks.events(TOKEN))
    sandbox.sansan.tags["T0001"]["name"] = "展示会2027"
    del sandbox.sansan.tags["T0009"]
    swept(rule, time_machine_later)
    assert options(sandbox) == {**before, "T0001": "展示会2027"}
    assert (
        len(sandbox.hubspot.hooks.events(TOKEN)) == wrote
    )  # it goes by the tag's id: no contact is touched
    calls = sandbox.calls["hubspot"]
    swept(rule, time_machine_later)
    assert options(sandbox)["T0001"] == "展示会2027" and sandbox.calls["hubspot"] - calls <= 3


def options(sandbox: Any) -> dict[str, str]:
    return {
        option["value"]: option["label"]
        for option in sandbox.hubspot.portal(TOKEN).properties["sansan_tags"]["options"]
    }


@pytest.mark.parametrize("status", [400, 403])
def test_an_option_that_may_not_be_renamed_stops_no_sync(sandbox, time_machine_later, status):
    rule = selected("T0001")
    sandbox.faults.arm("hubspot", "status", match="PATCH .*properties", status=status, times=0)
    sandbox.sansan.tags["T0001"]["name"] = "展示会2027"
    tag(sandbox, cards(sandbox)[8], "T0001")
    sandbox.sansan.change(cards(sandbox)[0]["id"], {"title": "社長"})
    run = swept(rule, time_machine_later)
    assert (run.state, run.created, run.updated) == ("succeeded", 1, 1)
    rule.refresh_from_db()
    assert rule.state == "active"


# Over several slices


def test_more_cards_than_a_page_holds(sandbox_of, time_machine_later):
    sandbox = sandbox_of(320, **PLAIN)
    for card in cards(sandbox):
        tag(sandbox, card, "T0001")
    rule = selected("T0001")
    sandbox.reset_calls()
    oldest = min(cards(sandbox), key=lambda card: (card["registeredTime"], card["id"]))
    newest = max(cards(sandbox), key=lambda card: (card["registeredTime"], card["id"]))
    tag(sandbox, oldest, "T0001", "T0002")
    tag(sandbox, newest)
    run = swept(rule, time_machine_later)
    # 320 cards minus one are two pages; the one that is not there is asked for by its id.
    assert sum(n for call, n in sandbox.calls["by_call"].items() if "bizCards/search" in call) == 2
    assert (run.read, tags_of(sandbox, newest)) == (2, "")


def test_a_sweep_goes_on_where_its_slice_ended(sandbox_of, time_machine_later, monkeypatch):
    sandbox = sandbox_of(40, **PLAIN)
    for i, card in enumerate(cards(sandbox)):
        tag(sandbox, card, "T0001" if i % 2 else "T0002")
    rule = selected("T0001", "T0002")
    monkeypatch.setattr("integration.connectors.sansan.client.CARDS_A_PAGE", 5)
    for card in cards(sandbox)[:4]:
        tag(sandbox, card, "T0001", "T0002")
    for card in cards(sandbox)[4:8]:
        tag(sandbox, card)
    time_machine_later(minutes=11)
    sandbox.reset_calls()
    slices = by_slices(rule, sandbox)
    assert slices > 3
    assert [tags_of(sandbox, card) for card in cards(sandbox)[:8]] == ["T0001;T0002"] * 4 + [""] * 4
    # No page is asked for twice: 20 and 22 cards by fives, and one empty look each at most.
    assert sum(n for call, n in sandbox.calls["by_call"].items() if "bizCards/search" in call) <= 11


def by_slices(rule: SyncRule, sandbox: Any) -> int:
    """A run whose slices are stopped after a call: each does one thing, and the next goes on."""

    def calls() -> int:
        return int(sum(sandbox.calls["by_call"].values()))

    def at_the_next_call() -> Callable[[], bool]:
        before = calls()
        return lambda: calls() > before

    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.COMMAND, "test")
        for n in range(1, 200):
            if work_slice(run.pk, 60.0, at_the_next_call()).done:
                ended = SyncRun.objects.get(pk=run.pk)
                assert ended.state == "succeeded", (ended.reason, ended.detail)
                return n
    raise AssertionError("the run does not end")


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_killed_in_the_middle(sandbox, time_machine_later, monkeypatch, after):
    rule = selected("T0001", "T0002")
    monkeypatch.setattr("integration.connectors.sansan.client.CARDS_A_PAGE", 3)
    tag(sandbox, cards(sandbox)[0])
    tag(sandbox, cards(sandbox)[1], "T0002")
    store, left = store_swept_page, [after]

    def dying(*args: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed
        store(*args)

    time_machine_later(minutes=11)
    with monkeypatch.context() as patch:
        patch.setattr("integration.intake.tags.store_swept_page", dying)
        with pytest.raises(Killed):
            sync(rule)
    sync(rule)
    assert (tags_of(sandbox, cards(sandbox)[0]), tags_of(sandbox, cards(sandbox)[1])) == (
        "",
        "T0002",
    )
    rule.refresh_from_db()
    assert rule.sweep == {} and rule.swept_at


def refusing(patch: pytest.MonkeyPatch, error: type[Exception], tag: str, token: bool) -> None:
    """Sansan refuses pages of this tag: with any token, or from the first one on."""
    tagged = Sansan.list_tagged_cards

    def refuse(self: Sansan, which: str, where: str = "") -> Any:
        if which == tag and bool(where) is token:
            raise error(
                *(("rejected", "no", 400) if error is Rejected else ("sansan_unavailable", "no"))
            )
        return tagged(self, which, where)

    patch.setattr(Sansan, "list_tagged_cards", refuse)


def test_a_place_in_the_sweep_that_sansan_no_longer_knows(sandbox, time_machine_later, monkeypatch):
    """How long a page's token lives is not known: the tag is begun anew, and nothing else stands
    still.
    """
    rule = selected("T0001", "T0002")
    tag(sandbox, cards(sandbox)[1])
    time_machine_later(minutes=11)
    with in_account(rule.account):
        began = timezone.now().isoformat()
        SyncRule.objects.filter(pk=rule.pk).update(
            sweep={"began": began, "tags": ["T0001", "T0002"], "token": "ended"}
        )
    sandbox.sansan.change(cards(sandbox)[0]["id"], {"title": "社長"})
    refusing(monkeypatch, Rejected, "T0001", token=True)
    run = sync(rule)
    assert (run.state, run.updated) == ("succeeded", 2)
    rule.refresh_from_db()
    assert rule.sweep == {}


@pytest.mark.parametrize("error", [Rejected, Gone])
def test_a_tag_that_sansan_no_longer_knows(sandbox, time_machine_later, monkeypatch, error):
    """Deleted there, and selected here still: it has no cards, and the rest goes on."""
    rule = selected("T0001", "T0002")
    refusing(monkeypatch, error, "T0001", token=False)
    sandbox.sansan.change(cards(sandbox)[0]["id"], {"title": "社長"})
    tag(sandbox, cards(sandbox)[7], "T0002", "T0001")
    run = swept(rule, time_machine_later)
    assert (run.state, run.updated) == ("succeeded", 2)
    rule.refresh_from_db()
    assert rule.sweep == {}


def test_a_card_that_changes_while_it_is_swept(sandbox, time_machine_later, monkeypatch):
    """What the sweep's page says is from before the change: it must not undo it."""
    rule = selected("T0001")
    card = cards(sandbox)[0]
    store = store_swept_page

    def slow(desk: Any, page: Any) -> None:
        if sandbox.sansan.cards[card["id"]]["title"] != "社長":
            sandbox.sansan.change(card["id"], {"title": "社長"})
        store(desk, page)

    tag(sandbox, card, "T0001", "T0002")
    time_machine_later(minutes=11)
    with monkeypatch.context() as patch:
        patch.setattr("integration.intake.tags.store_swept_page", slow)
        sync(rule)
    sync(rule)
    assert contacts_of(sandbox, TOKEN)[card["email"]]["jobtitle"] == "社長"
    before = sandbox.hubspot.changes
    swept(rule, time_machine_later)
    assert sandbox.hubspot.changes == before


def test_an_older_page_does_not_take_a_card_back(sandbox, time_machine_later):
    """Pages are asked for in parallel: one that was answered earlier may be stored later."""
    rule = selected("T0001")
    card = cards(sandbox)[0]
    tagged = Sansan.list_tagged_cards
    old: dict[str, CardPage] = {}

    def early(self: Sansan, tag: str, token: str = "") -> CardPage:
        return old.setdefault("page", tagged(self, tag, token))

    with in_account(rule.account):
        source = make_source(rule.sansan)
        assert isinstance(source, Sansan)
        early(source, "T0001")
    time_machine_later(minutes=11)
    sandbox.sansan.change(card["id"], {"title": "社長"})
    time_machine_later(seconds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sansan, "list_tagged_cards", early)
        sync(rule)
    assert contacts_of(sandbox, TOKEN)[card["email"]]["jobtitle"] == "社長"


# How often


def test_never_where_the_rule_says_so(sandbox, time_machine_later):
    rule = selected("T0001", sweep_every=0)
    tag(sandbox, cards(sandbox)[8], "T0001")
    for _ in range(3):
        assert swept(rule, time_machine_later).created == 0
    assert sync(rule, full=True).created == 1


def test_a_sweep_that_waited_for_its_next_slice_for_days_does_not_make_sweeps_rare(
    sandbox, time_machine_later
):
    """The pause follows the work that a sweep was, not the time for which its rule was paused
    meanwhile.
    """
    rule = selected("T0001")
    time_machine_later(minutes=11)
    with in_account(rule.account):
        run = start_run(rule, SyncRun.Trigger.COMMAND, "test")
        while not rule.sweep:
            work_slice(run.pk, 0.002)
            rule.refresh_from_db()
    time_machine_later(days=3)
    sync(rule)
    tag(sandbox, cards(sandbox)[8], "T0001")
    time_machine_later(hours=1)
    assert sync(rule).created == 1


def test_a_card_that_is_gone_is_asked_for_once_in_a_sweep(sandbox, time_machine_later):
    rule = selected("T0001")
    sandbox.sansan.delete(cards(sandbox)[0]["id"])
    sandbox.sansan.hide(True, [cards(sandbox)[1]["id"]])
    sandbox.reset_calls()
    swept(rule, time_machine_later)
    sync(rule)
    assert (
        sum(
            n
            for call, n in sandbox.calls["by_call"].items()
            if call.startswith("sansan GET") and "bizCards/{id}" in call
        )
        == 2
    )
    with in_account(rule.account):
        assert not Record.objects.filter(
            bucket="unseen"
        ).exists()  # that is the full check's to say


def test_a_quiet_sweep_writes_nothing_and_counts_nothing(sandbox, time_machine_later):
    rule = selected("T0001", "T0002")
    before = sandbox.hubspot.changes
    run = swept(rule, time_machine_later)
    assert run.counts == dict.fromkeys(run.counts, 0) and sandbox.hubspot.changes == before
    with in_account(rule.account):
        assert not AuditEntry.objects.filter(run=run).exists()
        assert Tag.objects.filter(selected=True).count() == 2


def test_everything_agrees_in_the_end(sandbox, time_machine_later):
    rule = selected()
    for i, card in enumerate(cards(sandbox)):
        tag(sandbox, card, *[("T0001",), ("T0003", "T0004"), ("T0001", "T0005")][i % 3])
    swept(rule, time_machine_later)
    assert contacts_of(sandbox, TOKEN) == expected(cards(sandbox))
