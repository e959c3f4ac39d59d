"""What people do with single records: try them again, never sync them, sync them again.

Nothing that they ask for is lost.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

import integration.sync
from core.tenancy import in_account
from integration.delivery.gather import read_contacts
from integration.delivery.send import send_writes
from integration.intake.people import bar_cards, retry_reason, retry_records, unbar_cards
from integration.models import AuditEntry, Bucket, Record
from integration.notes import note
from tests.cast import TOKEN, configured, file, sync
from tests.core import rows

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}
WHY = "Asked us to stop."


def of(rule, card):
    with in_account(rule.account):
        return Record.objects.select_related("link").get(rule=rule, external_id=card["id"])


def stands(rule, card):
    one = of(rule, card)
    return one.bucket, one.reason


def contact(sandbox, address):
    return next(
        one
        for one in sandbox.hubspot.portal(TOKEN).contacts.values()
        if one.get("email") == address
    )


def due(rule):
    with in_account(rule.account):
        return set(
            Record.objects.filter(rule=rule, due_at__isnull=False).values_list(
                "external_id", flat=True
            )
        )


def asked(rule, action, *records, **more):
    with in_account(rule.account):
        return action(Record.objects.filter(pk__in=[one.pk for one in records]), **more)


def barred(rule, *cards, why=WHY):
    with in_account(rule.account):
        return bar_cards([of(rule, card) for card in cards], why, "ben")


def adds_up(run):
    counts = run.counts
    assert counts["waiting"] == 0 and min(counts.values()) >= 0, counts
    return counts


def refused(sandbox, call="batch/upsert"):
    sandbox.faults.arm(
        "hubspot",
        "status",
        match=call,
        times=0,
        status=400,
        body={"status": "error", "category": "VALIDATION_ERROR", "message": "no"},
    )


@pytest.fixture
def aiko_and_ben(sandbox_of):
    """Two people; Aiko has an older card, too, of the same company."""
    sandbox = sandbox_of(0)
    # Changed long ago, so that the overlap of two windows does not show them again.
    add = lambda values: sandbox.sansan.add({**values, "updatedTime": "2026-01-05T09:00:00+09:00"})  # noqa: E731
    aiko = {"lastName": "森", "companyName": "アクメ", "personId": "P-aiko"}
    newest = add(
        {**aiko, "email": "aiko@acme.example.jp", "title": "部長", "exchangeDate": "2026-02-01"}
    )
    older = add(
        {
            **aiko,
            "email": "mori@acme.example.jp",
            "title": "課長",
            "mobile": "090-1111-2222",
            "exchangeDate": "2025-02-01",
        }
    )
    ben = add(
        {
            "lastName": "原",
            "email": "ben@acme.example.jp",
            "title": "係長",
            "exchangeDate": "2026-01-01",
        }
    )
    rule = configured(file())
    assert adds_up(sync(rule))["created"] == 2
    return sandbox, rule, newest, older, ben


# Trying again


@pytest.mark.parametrize("bucket", [bucket for bucket in Bucket.values if bucket != "unseen"])
def test_a_record_is_due_at_once_wherever_it_stands(db, bucket):
    rule = rows.rule(rows.account())
    one = rows.record(rule, "C1", bucket=bucket, due_at=timezone.now() + timedelta(hours=9))
    assert asked(rule, retry_records, one) == 1 and of(rule, {"id": "C1"}).due_at <= timezone.now()


def test_what_the_key_no_longer_sees_is_not_tried(db):
    rule = rows.rule(rows.account())
    one = rows.record(rule, "C1", bucket="unseen", reason="unseen")
    assert asked(rule, retry_records, one) == 0 and due(rule) == set()


def test_one_is_tried_and_the_others_wait_their_time(sandbox_of):
    sandbox = sandbox_of(3, **PLAIN)
    refused(sandbox)
    rule = configured(file())
    assert sync(rule).failed == 3
    sandbox.faults.clear()
    assert adds_up(sync(rule))["read"] <= 3  # nobody's time has come
    first = next(iter(sandbox.sansan.cards.values()))
    assert asked(rule, retry_records, of(rule, first)) == 1
    assert adds_up(sync(rule))["created"] == 1 and stands(rule, first) == ("linked", "in_sync")
    assert len(sandbox.hubspot.portal(TOKEN).contacts) == 1


def test_all_of_a_reason_are_tried_and_nobody_else(db):
    rule, other = rows.rule(account := rows.account()), rows.rule(account, "other")
    hour = timezone.now() + timedelta(hours=1)
    for n, (of_rule, bucket, reason) in enumerate(
        [
            (rule, "failing", "rejected"),
            (rule, "failing", "rejected"),
            (rule, "held", "rejected"),
            (rule, "failing", "email_taken"),
            (other, "failing", "rejected"),
        ]
    ):
        rows.record(of_rule, f"C{n}", bucket=bucket, reason=reason, due_at=hour)
    with in_account(account):
        assert retry_reason(rule, "card", "failing", "rejected") == 2
        assert set(
            Record.objects.filter(due_at__lt=hour).values_list("external_id", flat=True)
        ) == {"C0", "C1"}


def test_of_a_reason_that_nobody_has_nobody_is_tried(db):
    rule = rows.rule(rows.account())
    rows.record(rule, "C1", bucket="failing", reason="rejected")
    with in_account(rule.account):
        assert (
            retry_reason(rule, "card", "failing", "no_such")
            == retry_reason(rule, "card", "nowhere", "rejected")
            == 0
        )
        assert retry_reason(rule, "card", "unseen", "unseen") == 0


def test_a_held_card_is_looked_at_again(aiko_and_ben):
    sandbox, rule, _, _, ben = aiko_and_ben
    old = of(rule, ben).link.contact_id
    sandbox.hubspot.control("delete", {"token": TOKEN, "id": old})
    sandbox.sansan.change(ben["id"], {"title": "次長"})
    adds_up(sync(rule))
    assert stands(rule, ben) == ("held", "contact_gone")
    assert asked(rule, retry_records, of(rule, ben)) == 1
    counts = adds_up(sync(rule))
    assert counts["held"] == 1 and stands(rule, ben) == ("held", "contact_gone")


def test_a_card_in_sync_is_read_back_and_found_to_be_so(aiko_and_ben):
    sandbox, rule, _, _, ben = aiko_and_ben
    sync(rule)  # our own write is met
    contact(sandbox, "ben@acme.example.jp")["jobtitle"] = (
        "社長"  # an edit that HubSpot does not tell of
    )
    assert adds_up(sync(rule))["updated"] == 0
    asked(rule, retry_records, of(rule, ben))
    counts = adds_up(sync(rule))
    assert (counts["read"], counts["updated"]) == (1, 1) and contact(
        sandbox, "ben@acme.example.jp"
    )["jobtitle"] == "係長"


# Asked while something is under way


def at_first(monkeypatch, name, do):
    """Does something right before the first call of a function of the engine: what a person does on
    a page meanwhile.
    """
    plain = getattr(integration.sync, name)
    done: list[bool] = []

    def meanwhile(*args, **kwargs):
        if not done:
            done.append(True)
            do()
        return plain(*args, **kwargs)

    monkeypatch.setattr(integration.sync, name, meanwhile)
    return done


def test_a_retry_during_the_write_is_not_lost(aiko_and_ben, monkeypatch):
    """The card is tried once more after the write, in the same run or the next."""
    sandbox, rule, _, _, ben = aiko_and_ben
    sandbox.sansan.change(ben["id"], {"title": "次長"})
    done = at_first(monkeypatch, "send_writes", lambda: asked(rule, retry_records, of(rule, ben)))
    reads = []

    def read(desk, batch):
        reads.append(set(batch.rows))
        return read_contacts(desk, batch)

    monkeypatch.setattr("integration.sync.read_contacts", read)
    sync(rule)
    sync(rule)
    assert done and sum(of(rule, ben).pk in ids for ids in reads) >= 2
    assert stands(rule, ben) == ("linked", "in_sync") and due(rule) == set()


def test_a_retry_during_the_write_does_not_upset_the_counters(aiko_and_ben, monkeypatch):
    sandbox, rule, _, _, ben = aiko_and_ben
    sandbox.sansan.change(ben["id"], {"title": "次長"})
    done = at_first(monkeypatch, "send_writes", lambda: asked(rule, retry_records, of(rule, ben)))
    adds_up(sync(rule))
    adds_up(sync(rule))
    assert done


def test_a_retry_of_a_card_that_this_run_has_settled_does_not_upset_the_counters(
    sandbox_of, monkeypatch
):
    """A first sync of a million runs for an hour, and people look at what it did."""
    sandbox = sandbox_of(250, **PLAIN)
    rule = configured(file())
    plain, calls = send_writes, []

    def send(*args):
        calls.append(True)
        if len(calls) == 3:
            with in_account(rule.account):
                assert retry_records(Record.objects.filter(bucket="linked")) > 0
        return plain(*args)

    monkeypatch.setattr("integration.sync.send_writes", send)
    counts = adds_up(sync(rule))
    assert (
        counts["created"] == 250 == len(sandbox.hubspot.portal(TOKEN).contacts)
        and due(rule) == set()
    )


WHILE = {"it is being written": "send_writes", "its contact is being read": "read_contacts"}


@pytest.mark.parametrize("name", WHILE.values(), ids=WHILE)
def test_never_sync_is_not_lost_while(aiko_and_ben, monkeypatch, name):
    sandbox, rule, _, _, ben = aiko_and_ben
    sandbox.sansan.change(ben["id"], {"title": "次長"})
    done = at_first(monkeypatch, name, lambda: barred(rule, ben))
    sync(rule)
    sync(rule)
    assert done and stands(rule, ben) == ("excluded", "never_sync") and due(rule) == set()


@pytest.mark.parametrize("name", WHILE.values(), ids=WHILE)
def test_never_sync_of_a_new_person_is_not_lost_while(sandbox_of, monkeypatch, name):
    sandbox = sandbox_of(0)
    card = sandbox.sansan.add({"lastName": "新", "email": "new@acme.example.jp"})
    rule = configured(file())
    sandbox.hubspot.control(
        "create", {"token": TOKEN, "contacts": [{"email": "new@acme.example.jp"}]}
    )
    with in_account(rule.account):
        # So that contacts are looked up before any is made.
        type(rule).objects.update(known_share=1.0)
    done = at_first(monkeypatch, name, lambda: barred(rule, card))
    sync(rule)
    sync(rule)
    assert done and stands(rule, card) == ("excluded", "never_sync") and due(rule) == set()


def test_never_sync_of_a_card_that_needs_no_write_is_not_lost_while_its_contact_is_read(
    aiko_and_ben, monkeypatch
):
    _, rule, _, _, ben = aiko_and_ben
    asked(rule, retry_records, of(rule, ben))
    done = at_first(monkeypatch, "read_contacts", lambda: barred(rule, ben))
    sync(rule)
    sync(rule)
    assert done and stands(rule, ben) == ("excluded", "never_sync") and due(rule) == set()


@pytest.mark.parametrize("name", WHILE.values(), ids=WHILE)
def test_never_sync_of_an_older_card_is_not_lost_while_the_person(aiko_and_ben, monkeypatch, name):
    sandbox, rule, newest, older, _ = aiko_and_ben
    sandbox.sansan.change(older["id"], {"mobile": "090-9999-9999"})
    done = at_first(monkeypatch, name, lambda: barred(rule, older))
    sync(rule)
    sync(rule)
    assert done and stands(rule, older) == ("excluded", "never_sync") and due(rule) == set()
    assert stands(rule, newest) == ("linked", "in_sync")


def test_never_sync_is_not_lost_when_the_write_that_was_under_way_fails(
    aiko_and_ben, monkeypatch, time_machine_later
):
    sandbox, rule, _, _, ben = aiko_and_ben
    sandbox.sansan.change(ben["id"], {"title": "次長"})
    refused(sandbox, "batch/update")
    done = at_first(monkeypatch, "send_writes", lambda: barred(rule, ben))
    sync(rule)
    time_machine_later(minutes=2)
    adds_up(sync(rule))
    assert done and stands(rule, ben) == ("excluded", "never_sync") and due(rule) == set()


def test_never_sync_is_not_lost_when_the_contact_goes_during_the_write(aiko_and_ben, monkeypatch):
    sandbox, rule, _, _, ben = aiko_and_ben
    gone = of(rule, ben).link.contact_id
    sandbox.sansan.change(ben["id"], {"title": "次長"})

    def meanwhile():
        barred(rule, ben)
        sandbox.hubspot.control("delete", {"token": TOKEN, "id": gone})

    done = at_first(monkeypatch, "send_writes", meanwhile)
    sync(rule)
    sync(rule)
    assert done and stands(rule, ben) == ("excluded", "never_sync") and due(rule) == set()


# Never


def test_never_sync_leaves_the_contact_as_it_is_and_says_why(aiko_and_ben):
    sandbox, rule, _, _, ben = aiko_and_ben
    before, changes = dict(contact(sandbox, "ben@acme.example.jp")), sandbox.hubspot.changes
    assert barred(rule, ben) == 1
    counts = adds_up(sync(rule))
    assert (counts["read"], counts["excluded"]) == (1, 1)
    one = of(rule, ben)
    said = note("persons_words", words=WHY)
    assert (one.bucket, one.reason, one.detail) == ("excluded", "never_sync", said)
    assert one.due_at is None
    assert (one.barred["why"], one.barred["by"]) == (WHY, "ben") and one.barred["at"][:2] == "20"
    assert contact(sandbox, "ben@acme.example.jp") == before and sandbox.hubspot.changes == changes
    with in_account(rule.account):
        entry = AuditEntry.objects.filter(card_id=ben["id"]).latest("pk")
    assert (entry.decision, entry.reason, entry.detail, entry.outcome) == (
        "skip",
        "never_sync",
        said,
        "none",
    )


def test_it_survives_a_change_of_the_card_and_a_full_check(aiko_and_ben):
    sandbox, rule, _, _, ben = aiko_and_ben
    barred(rule, ben)
    sync(rule)
    before, changes = dict(contact(sandbox, "ben@acme.example.jp")), sandbox.hubspot.changes
    sandbox.sansan.change(ben["id"], {"title": "社長", "companyName": "ベータ"})
    for how in ({}, {"full": True}, {}):
        adds_up(sync(rule, **how))
        assert (
            stands(rule, ben) == ("excluded", "never_sync")
            and of(rule, ben).values["title"] == "社長"
        )
    assert contact(sandbox, "ben@acme.example.jp") == before and sandbox.hubspot.changes == changes


def test_a_preview_leaves_it_out_too(aiko_and_ben):
    sandbox, rule, _, _, ben = aiko_and_ben
    barred(rule, ben)
    sandbox.sansan.change(ben["id"], {"title": "社長"})
    counts = adds_up(sync(rule, preview=True))
    assert counts["updated"] == 0 and counts["excluded"] >= 1 and of(rule, ben).barred


def test_the_other_cards_of_the_person_still_stand(aiko_and_ben):
    sandbox, rule, newest, older, _ = aiko_and_ben
    link = of(rule, newest).link_id
    barred(rule, newest)
    adds_up(sync(rule))
    assert stands(rule, newest) == ("excluded", "never_sync") and stands(rule, older) == (
        "linked",
        "in_sync",
    )
    assert of(rule, older).link_id == link and len(sandbox.hubspot.portal(TOKEN).contacts) == 2
    kept = contact(sandbox, "mori@acme.example.jp")
    assert (kept["jobtitle"], kept["mobilephone"]) == ("課長", "090-1111-2222")


def test_an_older_card_that_is_never_synced_fills_no_blank(aiko_and_ben):
    sandbox, rule, newest, older, _ = aiko_and_ben
    assert contact(sandbox, "aiko@acme.example.jp")["mobilephone"]
    barred(rule, older)
    adds_up(sync(rule))
    assert stands(rule, older) == ("excluded", "never_sync") and stands(rule, newest) == (
        "linked",
        "in_sync",
    )
    sandbox.sansan.change(older["id"], {"mobile": "090-9999-9999", "fax": "03-9"})
    adds_up(sync(rule))
    assert "9999" not in contact(sandbox, "aiko@acme.example.jp").get(
        "mobilephone", ""
    ) and not contact(sandbox, "aiko@acme.example.jp").get("fax")


def test_a_new_person_who_is_never_synced_gets_no_contact(sandbox_of):
    sandbox = sandbox_of(0)
    card = sandbox.sansan.add({"lastName": "新", "email": None})
    rule = configured(file())
    sync(rule)
    barred(rule, card)
    sandbox.sansan.change(card["id"], {"email": "new@acme.example.jp"})
    adds_up(sync(rule))
    assert (
        stands(rule, card) == ("excluded", "never_sync")
        and not sandbox.hubspot.portal(TOKEN).contacts
    )


def test_sync_again_puts_it_back(aiko_and_ben):
    sandbox, rule, _, _, ben = aiko_and_ben
    contact_id = of(rule, ben).link.contact_id
    barred(rule, ben)
    sync(rule)
    sandbox.sansan.change(ben["id"], {"title": "社長"})
    sync(rule)
    with in_account(rule.account):
        assert unbar_cards([of(rule, ben)]) == 1
    counts = adds_up(sync(rule))
    one = of(rule, ben)
    assert counts["updated"] == 1 and (one.bucket, one.reason, one.detail, one.barred) == (
        "linked",
        "in_sync",
        "",
        None,
    )
    assert (
        one.link.contact_id == contact_id
        and contact(sandbox, "ben@acme.example.jp")["jobtitle"] == "社長"
    )
    with in_account(rule.account):
        assert not Record.objects.filter(barred__isnull=False).exists()


def test_sync_again_gives_the_person_their_newest_card_back(aiko_and_ben):
    sandbox, rule, newest, older, _ = aiko_and_ben
    barred(rule, newest)
    sync(rule)
    with in_account(rule.account):
        unbar_cards([of(rule, newest)])
    adds_up(sync(rule))
    assert stands(rule, newest) == ("linked", "in_sync") and stands(rule, older) == (
        "merged",
        "older_card",
    )
    assert (
        contact(sandbox, "aiko@acme.example.jp")["jobtitle"] == "部長"
        and len(sandbox.hubspot.portal(TOKEN).contacts) == 2
    )


def test_a_reason_longer_than_anybody_reads_is_cut(aiko_and_ben):
    _, rule, _, _, ben = aiko_and_ben
    barred(rule, ben, why=" " + "あ" * 1000)
    adds_up(sync(rule))
    cut = "あ" * 300
    assert stands(rule, ben) == ("excluded", "never_sync")
    assert of(rule, ben).barred["why"] == cut
    assert of(rule, ben).detail == note("persons_words", words=cut)


def test_without_a_reason_the_card_is_left_out_all_the_same(aiko_and_ben):
    """The page asks for one; the record says that it is never synced, whatever was said."""
    _, rule, _, _, ben = aiko_and_ben
    barred(rule, ben, why="  ")
    adds_up(sync(rule))
    assert of(rule, ben).barred and stands(rule, ben) == ("excluded", "never_sync")


# Whose they are


def test_records_of_other_accounts_are_left_as_they_are(db):
    mine, theirs = rows.rule(rows.account()), rows.rule(rows.account("birch"))
    one = rows.record(theirs, "C1", bucket="failing", reason="rejected")
    with in_account(mine.account):
        assert (
            retry_records(Record.objects.filter(pk=one.pk))
            == retry_reason(theirs, "card", "failing", "rejected")
            == 0
        )
        assert bar_cards([one], WHY, "ben") == unbar_cards([one]) == 0
    left = of(theirs, {"id": "C1"})
    assert (left.due_at, left.barred) == (None, None)


@pytest.mark.parametrize(
    "action", [retry_records, bar_cards, unbar_cards], ids=["retry", "never sync", "sync again"]
)
def test_nothing_chosen_changes_nothing(db, action):
    rule = rows.rule(rows.account())
    rows.record(rule, "C1", bucket="failing")
    with in_account(rule.account):
        none = Record.objects.none()
        assert action(none, *((WHY, "ben") if action is bar_cards else ())) == 0
    assert due(rule) == set()
