"""The platform's look at its accounts: how each one fares, and the way out: suspend, export,
delete.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from core.models import Account, Departure, Membership, Role, User
from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.leaving import archive
from integration.models import Bucket, Connection, DayFigures, Record, Sample, SyncRule, SyncRun
from tests.admin.pages import address, body, form_of, listed, page, press, rows_on, send, told
from tests.admin.test_access import stored
from tests.admin.world import MARKUP, QUEUE_TABLES, marks, team
from tests.core import rows

pytestmark = pytest.mark.django_db


def again(own):
    return Account.objects.get(pk=own.account.pk)


def suspend(client, own, **typed):
    return client.post(
        address(own.account, "suspend"),
        {"slug": own.slug, "reason": "has not paid", **typed},
        follow=True,
    )


def leave(client, own, **typed):
    return client.post(
        address(own.account, "leave"),
        {"slug": own.slug, "reason": "the contract ended", **typed},
        follow=True,
    )


def problems(response):
    return {name: str(text) for name, text in response.context["problems"].items()}


def ready(own, ago=timedelta(minutes=5)):
    """Suspended, and exported not long ago."""
    Account.objects.filter(pk=own.account.pk).update(
        active=False, suspended_for="it leaves", exported_at=timezone.now() - ago
    )


def depart(departure, account):
    """What the workers do, one task after the other."""
    for n in range(200):
        tasks.depart(departure.pk, account.pk)
        departure.refresh_from_db()
        if departure.ended_at:
            return n + 1
    raise AssertionError("it does not end")


# Suspending


def test_suspending_asks_for_the_slug_and_the_reason(acme, root):
    assert address(acme.account, "suspend") in body(root.get(page(acme.account)))
    assert "Type acme to confirm" in body(root.get(address(acme.account, "suspend")))
    response = suspend(root, acme)
    assert (again(acme).active, again(acme).suspended_for) == (
        False,
        "has not paid",
    ) and "nothing runs for it" in told(response)
    assert response.redirect_chain[-1][0] == page(acme.account)
    seen = body(response)
    assert (
        "has not paid" in seen
        and address(acme.account, "suspend") not in seen
        and address(acme.account, "leave") in seen
    )


WRONG = {
    "nothing": ({"slug": "", "reason": ""}, {"slug", "reason"}),
    "no slug": ({"slug": ""}, {"slug"}),
    "another's slug": ({"slug": "birch"}, {"slug"}),
    "the slug in capitals": ({"slug": "ACME"}, {"slug"}),
    "the name": ({"slug": "Acme KK"}, {"slug"}),
    "no reason": ({"reason": ""}, {"reason"}),
    "a blank reason": ({"reason": " \n "}, {"reason"}),
}


@pytest.mark.parametrize("do", [suspend, leave])
@pytest.mark.parametrize(("typed", "wrong"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_and_what_was_typed_stays(acme, birch, root, do, typed, wrong):
    if do is leave:
        ready(acme)
    before = stored()
    response = do(root, acme, **typed)
    assert problems(response).keys() == wrong and stored() == before
    kept = {
        "slug": "acme",
        "reason": "has not paid" if do is suspend else "the contract ended",
    } | typed
    for name, text in kept.items():
        assert f'name="{name}" value="{text}"' in body(response)


def test_what_is_typed_is_taken_for_no_markup(acme, root):
    assert MARKUP not in body(suspend(root, acme, slug=MARKUP, reason=MARKUP))
    assert MARKUP not in body(suspend(root, acme, reason=MARKUP)) + body(
        root.get(listed(Account))
    ) + body(root.get(page(acme.account)))


def test_a_reason_is_cut_and_holds_no_nul(acme, root):
    """PostgreSQL stores none."""
    suspend(root, acme, reason=f"  a\0b{'x' * 600}  ")
    assert "\0" not in again(acme).suspended_for and len(again(acme).suspended_for) == 500
    assert all("\0" not in (row.history_change_reason or "") for row in Account.history.all())


def test_looking_suspends_nothing(acme, root):
    before = stored()
    root.get(address(acme.account, "suspend"), {"slug": "acme", "reason": "x"})
    assert stored() == before


def test_suspending_twice_keeps_the_first_reason(acme, root):
    suspend(root, acme)
    assert (
        suspend(root, acme, reason="another").redirect_chain
        and again(acme).suspended_for == "has not paid"
    )


def test_nothing_runs_for_a_suspended_account(acme, birch, aiko, root):
    with all_accounts():
        SyncRun.objects.update(state="succeeded")
        SyncRule.objects.filter(state="active").update(due_at=timezone.now() - timedelta(minutes=5))
        waiting = rows.run(
            acme.draft, state="running", next_at=timezone.now() - timedelta(minutes=5)
        )
    suspend(root, acme)
    OrmQ.objects.all().delete()
    with all_accounts():
        before = SyncRun.objects.filter(account=acme.account).count()
    tasks.tick()
    tasks.work(acme.account.pk, waiting.pk)
    for row, name in (
        (acme.rule, "sync_now"),
        (acme.rule, "preview"),
        (acme.sansan, "test_connection"),
        (acme.failing, "retry"),
    ):
        assert "switched off" in told(aiko.post(press(row, name), follow=True))
    with all_accounts():
        assert SyncRun.objects.filter(account=acme.account).count() == before
        assert SyncRun.objects.get(pk=waiting.pk).started_at is None
        assert SyncRun.objects.filter(account=birch.account, state="queued").count() == 1, (
            "the others go on"
        )


def test_its_people_still_look_and_export(acme, aiko, root):
    suspend(root, acme)
    for row in (acme.rule, acme.record, acme.run, acme.entry, acme.account):
        assert aiko.get(page(row)).status_code == 200
    assert body(aiko.post(press(acme.account, "export")))
    assert aiko.get(reverse("admin:integration_health", args=[acme.rule.pk])).status_code == 200
    assert "suspended" in told(
        aiko.get(reverse("admin:integration_setup_tags", args=[acme.rule.pk]), follow=True)
    )


def test_it_is_resumed(acme, aiko, root):
    suspend(root, acme)
    assert [one.name for one in root.get(page(acme.account)).context["buttons"]] == [
        "export",
        "resume",
    ]
    assert [one.name for one in aiko.get(page(acme.account)).context["buttons"]] == ["export"]
    assert "active again" in told(root.post(press(acme.account, "resume"), follow=True))
    assert (again(acme).active, again(acme).suspended_for) == (True, "")
    assert [one.name for one in root.get(page(acme.account)).context["buttons"]] == ["export"]


@pytest.mark.parametrize("ben", Role.values, indirect=True)
def test_nobody_of_the_account_stops_or_deletes_it(acme, ben):
    before = stored()
    for name in ("suspend", "leave"):
        assert ben.get(address(acme.account, name)).status_code == 403
        assert (
            ben.post(address(acme.account, name), {"slug": "acme", "reason": "x"}).status_code
            == 403
        )
    assert address(acme.account, "suspend") not in body(ben.get(page(acme.account)))
    assert stored() == before
    ready(acme)
    before = stored()
    assert ben.post(press(acme.account, "resume")).status_code == 403
    assert (
        ben.post(address(acme.account, "leave"), {"slug": "acme", "reason": "x"}).status_code == 403
    )
    assert (
        address(acme.account, "leave") not in body(ben.get(page(acme.account)))
        and stored() == before
    )


@pytest.mark.parametrize("name", ["suspend", "leave"])
def test_another_site_s_page_does_neither(acme, root, name):
    ready(acme) if name == "leave" else None
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="root"))
    assert (
        strict.post(address(acme.account, name), {"slug": "acme", "reason": "x"}).status_code == 403
    )
    assert again(acme).leaving_at is None and again(acme).active == (name == "suspend")


@pytest.mark.parametrize("name", ["suspend", "leave"])
def test_an_account_that_is_not_there(root, name):
    root.raise_request_exception = False
    for pk in (0, 7_999_999, int("9" * 18), int("9" * 40)):
        assert root.get(reverse(f"admin:core_account_{name}", args=[pk])).status_code == 404


# Export


def archived(response):
    return zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))


def test_an_export_is_everything_in_one_file(acme, birch, aiko):
    response = aiko.post(press(acme.account, "export"))
    assert (
        response.streaming
        and response["Content-Type"] == "application/zip"
        and "no-store" in response["Cache-Control"]
    )
    assert re.fullmatch(
        r'attachment; filename="acme-\d{8}-\d{4}\.zip"', response["Content-Disposition"]
    )
    bundle = archived(response)
    assert bundle.testzip() is None and {
        "configuration.yaml",
        "records.csv",
        "audit.csv",
        "history.csv",
        "members.csv",
    } <= set(bundle.namelist())
    text = "\n".join(bundle.read(name).decode() for name in bundle.namelist())
    assert "acme-C1" in text and "very-secret" not in text and not marks(birch).search(text)


def test_it_is_noted_once_its_last_byte_has_gone(acme, root):
    response = root.post(press(acme.account, "export"))
    chunks = iter(response.streaming_content)
    next(chunks)
    assert again(acme).exported_at is None
    list(chunks)
    assert timezone.now() - again(acme).exported_at < timedelta(minutes=1)
    assert "ago" in body(root.get(page(acme.account))).split("Last export")[1][:200]


def test_an_export_that_breaks_off_is_none(acme, root, monkeypatch):
    monkeypatch.setattr(archive, "list_columns", lambda model: {"no": "such_column"})
    with pytest.raises(Exception, match="such_column"):
        list(root.post(press(acme.account, "export")).streaming_content)
    assert again(acme).exported_at is None


def test_only_a_press_exports(acme, aiko):
    assert aiko.get(press(acme.account, "export")).status_code == 405


@pytest.mark.parametrize("ben", ["operator", "viewer"], indirect=True)
def test_who_may_not_export_does_not(acme, ben):
    assert (
        ben.post(press(acme.account, "export")).status_code == 403
        and ben.get(page(acme.account)).context["buttons"] == []
    )
    assert again(acme).exported_at is None


def test_another_account_is_not_exported(acme, birch, emi):
    """Emi owns Acme; at birch she only looks."""
    assert emi.post(press(birch.account, "export")).status_code == 403
    assert b"PK" in b"".join(emi.post(press(acme.account, "export")).streaming_content)


# Deleting


def test_an_active_account_is_not_deleted(acme, root):
    ready(acme)
    Account.objects.filter(pk=acme.account.pk).update(active=True)
    before = stored()
    assert "Suspend the account first" in problems(root.get(address(acme.account, "leave")))["all"]
    assert "Suspend the account first" in problems(leave(root, acme))["all"] and stored() == before


NOT_FRESH = {
    "never exported": None,
    "a minute too old": timedelta(days=1, minutes=1),
    "more than a year old": timedelta(days=400),
}


@pytest.mark.parametrize("ago", NOT_FRESH.values(), ids=NOT_FRESH)
def test_without_a_fresh_export_it_is_not_deleted(acme, root, ago):
    ready(acme, ago or timedelta())
    if ago is None:
        Account.objects.filter(pk=acme.account.pk).update(exported_at=None)
    before = stored()
    asked = root.get(address(acme.account, "leave"))
    assert 'mb-alert mb-warn" role="alert">Export everything first' in body(asked)
    refused = leave(root, acme)
    assert "Export everything first" in problems(refused)["all"] and stored() == before
    assert 'mb-alert mb-bad" role="alert">Export everything first' in body(refused), (
        "the button was pressed, and must not seem to do nothing"
    )
    assert press(acme.account, "export") in body(refused) and "mb-export" in body(refused)


def test_an_export_of_yesterday_still_counts(acme, root):
    ready(acme, timedelta(hours=23))
    leave(root, acme)
    assert again(acme).leaving_at


def test_the_credentials_are_destroyed_at_once(acme, birch, root):
    ready(acme)
    with in_account(birch.account):
        theirs = [one.secret for one in Connection.objects.order_by("pk")]
    response = leave(root, acme)
    assert "destroyed already" in told(response) and response.redirect_chain[-1][0] == listed(
        Departure
    )
    with in_account(acme.account):
        assert {(one.secret, one.hint) for one in Connection.objects.all()} == {
            ("", "")
        } and not Sample.objects.exists()
    with in_account(birch.account):
        assert [one.secret for one in Connection.objects.order_by("pk")] == theirs and all(theirs)
    assert not [rows for name, rows in stored().items() if "very-secret-7Q" in str(rows)]


def test_a_departure_says_who_asked_and_why(acme, root, queued):
    ready(acme)
    sent = queued(lambda: leave(root, acme))
    departure = Departure.objects.get(slug="acme")
    assert (departure.asked_by, departure.reason, departure.ended_at) == (
        "root",
        "the contract ended",
        None,
    )
    assert departure.exported_at == again(acme).exported_at and again(acme).leaving_at
    assert sent == [("integration.tasks.depart", (departure.pk, acme.account.pk))]
    seen = root.get(listed(Departure))
    assert "Being deleted" in body(seen) and departure in rows_on(seen)


def test_the_workers_erase_all_of_it_and_the_departure_says_so(acme, birch, root):
    everybody_else = {
        name: [row for row in some if marks(birch).search(str(row))]
        for name, some in stored().items()
    }
    ready(acme)
    leave(root, acme)
    departure = Departure.objects.get(slug="acme")
    depart(departure, acme.account)
    assert not Account.objects.filter(slug="acme").exists() and departure.ended_at
    kept = {
        "core_departure",
        "core_user",
        "django_admin_log",
        "integration_heartbeat",
        "django_session",
        *QUEUE_TABLES,
    }
    ids = acme.ids - {acme.owner.pk, acme.heartbeat.pk, acme.departure.pk}
    of_acme = "|".join(map(str, ids))
    gone = re.compile(rf"\bacme-(?!host|staff|former|colleague)|\b({of_acme})\b")
    assert {
        name: some for name, some in stored().items() if name not in kept and gone.search(str(some))
    } == {}
    assert (
        departure.counts["integration_record"] == 3
        and departure.counts["core_account"] == 1
        and departure.counts["integration_auditentry"] == 1
    )
    assert sum(departure.counts.values()) > 40
    shown = body(root.get(page(departure)))
    assert "Deleted" in shown and "integration_record: 3" in shown and "the contract ended" in shown
    now = stored()
    for name, some in everybody_else.items():
        if name not in ("core_departure", "django_session"):
            assert [row for row in now[name] if marks(birch).search(str(row))] == some, name


def test_who_stays_without_an_account_no_longer_signs_in(acme, birch, root, emi):
    ready(acme)
    leave(root, acme)
    depart(Departure.objects.get(slug="acme"), acme.account)
    active = dict(User.objects.values_list("username", "is_active"))
    assert (active["aiko"], active["emi"], active["chie"], active["root"]) == (
        False,
        True,
        True,
        True,
    )
    assert {rule.account_id for rule in rows_on(emi.get(listed(SyncRule)))} == {birch.account.pk}


def test_a_tick_takes_up_what_a_crash_lost(acme, root, queued):
    ready(acme)
    leave(root, acme)
    OrmQ.objects.all().delete()
    departure = Departure.objects.get(slug="acme")
    assert ("integration.tasks.depart", (departure.pk, acme.account.pk)) in queued(tasks.tick)


def test_deleting_twice_is_one_departure(acme, root, queued):
    ready(acme)
    sent = queued(lambda: (leave(root, acme), leave(root, acme, reason="again")))
    assert [one.reason for one in Departure.objects.filter(slug="acme")] == [
        "the contract ended"
    ] and len(sent) == 1


def test_an_account_that_is_being_deleted_comes_back_in_no_way(acme, root):
    ready(acme)
    leave(root, acme)
    assert root.get(page(acme.account)).context[
        "buttons"
    ] == [] and "This account is being deleted." in body(root.get(page(acme.account)))
    root.post(press(acme.account, "resume"))
    if "active" in form_of(root.get(page(acme.account))):
        send(root, page(acme.account), active="on")
    assert not again(acme).active
    assert suspend(root, acme).redirect_chain and again(acme).suspended_for == "it leaves"


def test_the_slug_is_free_again(acme, root):
    ready(acme)
    leave(root, acme)
    depart(Departure.objects.get(slug="acme"), acme.account)
    send(
        root,
        address(Account, "add"),
        slug="acme",
        name="Acme again",
        timezone="Asia/Tokyo",
        retention_days="400",
        active="on",
    )
    assert Account.objects.get(slug="acme").leaving_at is None
    tasks.tick()
    assert Account.objects.filter(slug="acme").exists()


def test_departures_are_the_platform_s_alone(acme, birch, aiko, root):
    for client in (aiko, *(Client() for _ in range(1))):
        assert client.get(listed(Departure)).status_code in (302, 403) and client.get(
            page(acme.departure)
        ).status_code in (302, 403)
    assert listed(Departure) in body(root.get("/admin/")) and listed(Departure) not in body(
        aiko.get("/admin/")
    )
    assert (
        root.post(page(acme.departure), {"name": "x"}).status_code
        == root.post(address(acme.departure, "delete"), {"post": "yes"}).status_code
        == 403
    )


# How each one fares


def line(client, own):
    """The row of the list, as text, by its columns."""
    seen = body(client.get(listed(Account)))
    (found,) = [
        row
        for row in re.findall(r"<tr.*?</tr>", seen, re.DOTALL)
        if address(own.account, "change") in row
    ]
    cells = re.findall(
        r'<t[hd][^>]*class="[^"]*field-(\w+)[^"]*"[^>]*>(.*?)</t[hd]>', found, re.DOTALL
    )
    return {name: " ".join(re.sub(r"<[^>]+>", " ", text).split()) for name, text in cells}


def changed(model, pk, **values):
    with all_accounts():
        model.objects.filter(pk=pk).update(**values)


HEALTH = {
    "works": (lambda own: changed(Record, own.failing.pk, bucket=Bucket.LINKED), "Working"),
    "records fail": (lambda own: None, "Some records failing"),
    "a key is refused": (
        lambda own: changed(Connection, own.sansan.pk, health="reconnect"),
        "Needs a person",
    ),
    "a vendor is not reachable": (
        lambda own: changed(Connection, own.hubspot.pk, health="unreachable"),
        "Needs a person",
    ),
    "a rule is held": (lambda own: changed(SyncRule, own.rule.pk, state="held"), "Needs a person"),
    "nothing runs": (lambda own: changed(SyncRule, own.rule.pk, state="paused"), "No active rule"),
    "suspended": (lambda own: changed(Account, own.account.pk, active=False), "Suspended"),
    "being deleted": (
        lambda own: changed(Account, own.account.pk, active=False, leaving_at=timezone.now()),
        "Being deleted",
    ),
}


@pytest.mark.parametrize(("happens", "said"), HEALTH.values(), ids=HEALTH)
def test_the_list_says_how_an_account_fares(acme, birch, root, happens, said):
    happens(acme)
    assert (
        line(root, acme)["health"] == said and line(root, birch)["health"] == "Some records failing"
    )
    assert f">{said}</span>" in body(root.get(page(acme.account)))


def test_the_list_counts_what_fails_and_what_was_written_and_called(acme, birch, root):
    long_ago = timezone.now().date() - timedelta(days=31)
    with in_account(acme.account):
        DayFigures.objects.create(
            account=acme.account,
            rule=acme.draft,
            day=timezone.now().date(),
            created=1000,
            updated=200,
            linked=30,
            calls_sansan=5,
        )
        DayFigures.objects.create(
            account=acme.account,
            rule=acme.rule,
            day=long_ago,
            created=7_000_000,
            calls_hubspot=7_000_000,
        )
    for n in range(4):
        rows.record(acme.draft, f"more-{n}", bucket=Bucket.FAILING)
    mine, theirs = line(root, acme), line(root, birch)
    assert (mine["failing"], mine["usage"]) == ("5", "1,242 / 39") and (
        theirs["failing"],
        theirs["usage"],
    ) == ("1", "12 / 34")
    assert mine["last_check"].endswith("ago") and mine["last_run"] == "Running"


def test_an_account_of_nothing_has_its_line_too(root):
    Account.objects.create(slug="cedar", name="Cedar")
    seen = body(root.get(listed(Account)))
    assert "No active rule" in seen and "0 / 0" in seen


@pytest.mark.parametrize("ben", ["owner", "viewer"], indirect=True)
def test_a_member_sees_how_their_own_fares(acme, birch, ben):
    assert line(ben, acme)["health"] == "Some records failing" and not marks(birch).search(
        body(ben.get(listed(Account)))
    )


def test_the_list_asks_little_however_many_there_are(acme, birch, root):
    for n in range(60):
        one = Account.objects.create(slug=f"cedar-{n}", name=f"Cedar {n}")
        rule = rows.rule(one, state="active")
        rows.record(rule, "C1", bucket=Bucket.FAILING)
        rows.run(rule)
        with in_account(one):
            DayFigures.objects.create(account=one, rule=rule, day=timezone.now().date(), created=n)
        Membership.objects.create(
            user=team(acme, f"owner-{n}", Role.VIEWER), account=one, role=Role.OWNER
        )
    root.get(listed(Account))
    with CaptureQueriesContext(database) as queries:
        assert len(rows_on(root.get(listed(Account)))) == 50
    assert len(queries) < 25, len(queries)
    with CaptureQueriesContext(database) as queries:
        assert len(rows_on(root.get(listed(Account, p=2)))) == 12
    assert len(queries) < 25, len(queries)
