"""What a key sees, counted: cards in all and for each tag, whose they are, and a few whole ones."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.connections import survey
from integration.connections.check import ask_vendor
from integration.connections.survey import (
    SAMPLES_WANTED,
    begin_survey,
    forget_sample_refusal,
    is_survey_wanted,
    take_sample,
    work_survey_slice,
)
from integration.connectors.base import ConnectorError
from integration.models import Connection, Sample, Tag
from tests.core import rows
from tests.engine.test_tasks import (
    queue,  # noqa: F401
    work_off,
)

pytestmark = pytest.mark.django_db
KEY = "SurveyKey0123456789abcdefABCDEF0"
ME = "佐藤 太郎"


@pytest.fixture
def company(sandbox_of):
    """Three pages of cards."""
    return sandbox_of(cards=700)


def connected(slug: str = "acme", key: str = KEY) -> Connection:
    owner = rows.account(slug)
    one = rows.connection(owner, "sansan", key)
    with in_account(owner):
        ask_vendor(one)()
    return one


@pytest.fixture
def connection(company):
    return connected()


def counted(connection: Connection, seconds: float = 60.0, most: int = 20) -> Connection:
    """Slice after slice, each with what the one before has left."""
    with in_account(connection.account):
        begin_survey(connection)
        for _ in range(most):
            connection = Connection.objects.select_related("account").get(pk=connection.pk)
            if work_survey_slice(connection, seconds) is None:
                return Connection.objects.select_related("account").get(pk=connection.pk)
    raise AssertionError("the count does not end")


@pytest.fixture
def hurried(monkeypatch):
    """Each look at the clock takes a second, so that a slice of a second and a half reads one
    page.
    """
    clock = iter(range(10_000))
    monkeypatch.setattr(survey, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))


def told(connection: Connection) -> tuple[object, ...]:
    with in_account(connection.account):
        tags = dict(Tag.objects.filter(connection=connection).values_list("external_id", "cards"))
        samples = list(
            Sample.objects.filter(connection=connection)
            .order_by("external_id")
            .values_list("external_id", "tags")
        )
    return (
        connection.cards,
        tags,
        connection.survey["own_only"],
        sorted(connection.survey["owners"]),
        samples,
    )


def test_every_card_is_counted_and_every_tag(company, connection):
    done = counted(connection)
    want = Counter(tag["id"] for card in company.sansan.cards.values() for tag in card["tags"])
    assert (done.cards, done.survey["state"], done.surveyed_at is not None) == (700, "done", True)
    with in_account(done.account):
        assert {tag.external_id: tag.cards for tag in Tag.objects.all()} == {
            id: want.get(id, 0) for id in company.sansan.tags
        }
    assert set(done.survey["owners"]) == {
        card["owner"]["name"] for card in company.sansan.cards.values()
    }


def test_slices_end_in_the_same(company, connection, hurried):
    slowly = counted(connection, seconds=1.5)
    assert slowly.cards == 700
    assert told(slowly) == told(counted(connection, seconds=10_000))


def test_a_slice_stores_how_far_it_came(connection, hurried):
    with in_account(connection.account):
        begin_survey(connection)
        assert work_survey_slice(connection, 1.5) == 0.0
        connection.refresh_from_db()
        assert (connection.survey["state"], connection.survey["cards"]) == ("running", 300)
        assert connection.cards is None and Sample.objects.count() == SAMPLES_WANTED


def test_a_slice_that_begins_late_still_reads_a_page(connection):
    """Or a busy machine would count for ever."""
    with in_account(connection.account):
        begin_survey(connection)
        work_survey_slice(connection, 0)
        assert connection.survey["cards"] == 300


def test_what_changes_meanwhile_does_not_count_twice(
    company, connection, hurried, time_machine_later
):
    with in_account(connection.account):
        begin_survey(connection)
        work_survey_slice(connection, 1.5)
        time_machine_later(seconds=3)
        for card in list(company.sansan.cards.values())[:50]:
            company.sansan.change(card["id"], {"title": "昇進"})
        while work_survey_slice(connection, 1.5) is not None:
            pass
    assert 650 <= connection.cards <= 700


def test_without_any_card(sandbox_of):
    sandbox_of(cards=0)
    done = counted(connected())
    assert (done.cards, done.survey["own_only"]) == (0, False)


# Whose cards


@pytest.mark.parametrize("own", [True, False])
def test_a_key_that_sees_its_own_cards_only_is_told(company, connection, own):
    company.sansan.switches["own_cards_only"] = own
    done = counted(connection)
    assert done.remote_name == ME and done.survey["own_only"] is own
    assert (done.survey["owners"] == [ME]) is own
    assert done.cards == sum(
        1 for card in company.sansan.cards.values() if not own or card["owner"]["id"] == "1000"
    )


# Samples


def test_the_samples_are_the_fullest_and_two_without_an_address(company, connection):
    counted(connection)
    with in_account(connection.account):
        samples = list(Sample.objects.all())
    assert len(samples) == 12 and sum(not one.values.get("email") for one in samples) == 2
    for one in samples:
        card = company.sansan.cards[one.external_id]
        assert {
            name: value for name, value in one.values.items() if card.get(name) == value
        } and one.values["lastName"] == card["lastName"]
    filled = [
        sum(
            bool(card[name])
            for name in ("mobile", "fax", "building", "memo", "title", "departmentName")
        )
        for card in (
            company.sansan.cards[one.external_id] for one in samples if one.values.get("email")
        )
    ]
    assert min(filled) >= 4


@pytest.mark.parametrize(
    ("options", "n", "bare"),
    [
        ({"no_email_percent": 100, "shared_email_percent": 0}, 2, 2),
        ({"no_email_percent": 0}, 12, 0),
    ],
)
def test_there_are_no_more_samples_than_there_are_cards_of_a_kind(sandbox_of, options, n, bare):
    sandbox_of(cards=60, **options)
    connection = connected()
    counted(connection)
    with in_account(connection.account):
        found = [bool(one.values.get("email")) for one in Sample.objects.all()]
    assert (len(found), found.count(False)) == (n, bare)


def test_a_sample_is_read_again_with_the_next_count(company, connection):
    counted(connection)
    with in_account(connection.account):
        kept = set(Sample.objects.values_list("external_id", flat=True))
    for id in kept:
        company.sansan.change(id, {"title": "改めて部長"})
    counted(connection)
    with in_account(connection.account):
        assert {one.values["title"] for one in Sample.objects.filter(external_id__in=kept)} == {
            "改めて部長"
        }


def test_no_sample_holds_a_private_tag(company, connection):
    """It is of one Sansan user, and what a sample shows is what the sync would write."""
    counted(connection)
    with in_account(connection.account):
        assert [id for one in Sample.objects.all() for id in one.tags if id.startswith("P")] == []


def test_one_card_by_its_id(company, connection):
    card = company.sansan.add({"lastName": "森", "email": "mori@example.jp", "tags": ["T0001"]})
    with in_account(connection.account):
        take_sample(connection, card["id"])
        take_sample(connection, card["id"])
        (one,) = Sample.objects.all()
    assert (one.external_id, one.values["lastName"], one.tags) == (card["id"], "森", ["T0001"])


def test_a_card_that_nobody_has_is_noted_until_it_is_asked_for_again(company, connection):
    """Or the page would wait for it for ever."""
    with in_account(connection.account):
        with pytest.raises(ConnectorError):
            take_sample(connection, "99999999")
        connection = Connection.objects.get(pk=connection.pk)
        assert (
            "404" in connection.find_sample_refusal("99999999")
            and connection.find_sample_refusal("another") == ""
        )
        forget_sample_refusal(connection)
        assert Connection.objects.get(pk=connection.pk).find_sample_refusal("99999999") == ""


# What goes wrong


def test_a_key_that_is_revoked_midway_is_told(company, connection, hurried):
    with in_account(connection.account):
        begin_survey(connection)
        work_survey_slice(connection, 1.5)
        company.sansan.revoked.add(KEY)
        assert work_survey_slice(connection, 1.5) is None
        connection.refresh_from_db()
        assert (connection.survey["state"], connection.health) == ("failed", "reconnect")
        assert (
            connection.survey["why"] == connection.health_detail != ""
            and KEY not in connection.health_detail
        )
        assert connection.cards is None
        assert work_survey_slice(connection, 1.5) is None  # and it is not asked again
    company.sansan.revoked.clear()
    assert counted(connection, seconds=10_000).cards == 700


def test_a_vendor_that_is_down_for_a_while_is_asked_later(company, connection, time_machine_later):
    company.faults.arm("sansan", "rate_limit", match="bizCards", times=20, retry_after=90)
    with in_account(connection.account):
        begin_survey(connection)
        wait = work_survey_slice(connection, 5)
        assert wait and 0 < wait <= 60
        assert connection.survey["state"] == "running"
        company.faults.clear()
        time_machine_later(seconds=120)
        assert work_survey_slice(connection, 60) is None
    assert connection.cards == 700


def test_a_count_that_nobody_has_begun_does_nothing(company, connection):
    company.reset_calls()
    with in_account(connection.account):
        assert work_survey_slice(connection, 5) is None
    assert company.calls["sansan"] == 0


def test_no_other_account_is_touched(company, connection):
    birch = connected("birch", KEY[::-1])
    with all_accounts():
        before = (
            Connection.objects.values("cards", "survey", "health", "surveyed_at").get(pk=birch.pk),
            list(Tag.objects.filter(account=birch.account).order_by("pk").values()),
        )
    counted(connection)
    with all_accounts():
        assert before == (
            Connection.objects.values("cards", "survey", "health", "surveyed_at").get(pk=birch.pk),
            list(Tag.objects.filter(account=birch.account).order_by("pk").values()),
        )
        assert set(Sample.objects.values_list("account", flat=True)) == {connection.account_id}


# By the workers


def test_a_key_that_works_is_counted_by_itself(company, queue):  # noqa: F811
    one = rows.connection(rows.account(), "sansan", KEY)
    with in_account(one.account):
        tasks.enqueue_check(one)
    assert set(work_off()) == {"check", "count_cards"}
    with in_account(one.account):
        one.refresh_from_db()
        assert (one.health, one.cards, one.survey["state"]) == ("ok", 700, "done")


def test_no_page_sees_a_working_key_whose_count_has_not_begun(company, queue, monkeypatch):  # noqa: F811
    """A page stops to follow a test once the key works and nothing is being counted: between the
    two it would stop too early.
    """
    one = rows.connection(rows.account(), "sansan", KEY)
    monkeypatch.setattr(tasks, "begin_survey", lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tasks.check(one.account_id, one.pk)
    with in_account(one.account):
        one.refresh_from_db()
        assert one.health == "untested"


def test_a_key_that_does_not_work_is_not_counted(company, queue):  # noqa: F811
    one = rows.connection(rows.account(), "sansan", "WRONGKey0123456789abcdefABCDEF01")
    with in_account(one.account):
        tasks.enqueue_check(one)
    assert work_off() == ["check"]


def test_an_account_that_is_suspended_or_gone_is_not_counted(company, queue):  # noqa: F811
    one = rows.connection(rows.account(active=False), "sansan", KEY)
    company.reset_calls()
    tasks.count_cards(one.account_id, one.pk)
    tasks.sample(one.account_id, one.pk, "0")
    tasks.count_cards(999_999, one.pk)
    tasks.count_cards(one.account_id, 999_999)
    assert company.calls["sansan"] == 0


def test_a_sample_of_a_card_that_nobody_has_is_no_failure(company, connection, queue):  # noqa: F811
    for id in ("0" * 32, "nosuch"):
        tasks.sample(connection.account_id, connection.pk, id)
    with in_account(connection.account):
        assert not Sample.objects.exists()


def test_a_key_whose_samples_are_gone_is_counted_again(connection):
    """They are kept for a week, and what a mapping makes of a card is to be seen after a year,
    too.
    """
    connection = counted(connection)
    with in_account(connection.account):
        assert not is_survey_wanted(connection)
        Sample.objects.all().delete()
        assert is_survey_wanted(connection)
        begin_survey(connection)
        assert not is_survey_wanted(connection)  # somebody is at it
