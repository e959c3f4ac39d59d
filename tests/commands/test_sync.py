"""``sync``: one run in the foreground to its end, told to people, to scripts and by its exit
status.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import termios
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command

from core.tenancy import all_accounts, in_account
from integration.management.commands import sync as command
from integration.models import SyncRule, SyncRun
from integration.notes import NOTES
from integration.runs import start_run
from integration.sandbox.server import Sandbox
from integration.slice.lease import claim_lease
from tests.cast import TOKEN, configured, file
from tests.engine.oracle import contacts_of, expected
from tests.process import NOWHERE, Product, wait_for

COUNTS = (
    "read",
    "created",
    "updated",
    "linked",
    "unchanged",
    "merged",
    "excluded",
    "held",
    "failed",
    "waiting",
)
KEYS = {
    "run": int,
    "rule": str,
    "kind": str,
    "status": str,
    "dry_run": bool,
    "counts": dict,
    "calls": dict,
    "rate_limited": int,
    "seconds": float,
    "cursor": str,
    "reasons": dict,
}
# What a note of ``detail`` is made of.
NOTE_KEYS = {"code": str, "parameters": dict, "text": str}


@pytest.fixture(autouse=True)
def signals_as_they_were():
    """The command sets handlers of its own, and a process that it does not own goes on after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def sync(*options: str, rule: str = "acme/cards") -> tuple[int, dict[str, Any], str]:
    """(exit status, the JSON object, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("sync", rule, "--format", "json", *options, stdout=out, stderr=err)
    assert isinstance(ended.value.code, int)
    return ended.value.code, orjson.loads(out.getvalue()), err.getvalue()


def adds_up(result: dict[str, Any]) -> bool:
    counts = dict(result["counts"])
    return bool(counts.pop("read") == sum(counts.values()))


def of_the_contract(result: dict[str, Any]) -> bool:
    keys = KEYS | ({"detail": list} if "detail" in result else {})
    assert {name: type(value) for name, value in result.items()} == keys
    for told in result.get("detail", ()):
        assert {name: type(value) for name, value in told.items()} == NOTE_KEYS
        assert told["code"] in NOTES and told["text"]
    assert result.get("detail") != [], "there only where the run has something to say"
    assert tuple(result["counts"]) == COUNTS and set(result["calls"]) == {"sansan", "hubspot"}
    numbers = [*result["counts"].values(), *result["calls"].values(), *result["reasons"].values()]
    assert all(type(number) is int and number >= 0 for number in numbers)
    assert result["status"] in ("succeeded", "partial", "failed", "held")
    return adds_up(result)


# What a script is told


@pytest.mark.django_db
def test_the_object_of_the_contract(sandbox):
    rule = configured(file())
    status, result, _ = sync()
    assert status == 0 and of_the_contract(result)
    wanted = expected(list(sandbox.sansan.cards.values()))
    assert contacts_of(sandbox, TOKEN) == wanted
    assert (result["rule"], result["kind"], result["status"], result["dry_run"]) == (
        "acme/cards",
        "initial",
        "succeeded",
        False,
    )
    assert (result["counts"]["read"], result["counts"]["created"], result["counts"]["waiting"]) == (
        60,
        len(wanted),
        0,
    )
    rule.refresh_from_db()
    assert rule.cursor and result["cursor"] == rule.cursor.isoformat()
    assert result["calls"] == {"sansan": 1, "hubspot": 1} and result["rate_limited"] == 0
    with in_account(rule.account):
        run = SyncRun.objects.get(pk=result["run"])
        assert (run.trigger, bool(run.started_by), run.state) == ("command", True, "succeeded")
    assert result["reasons"] == run.reasons != {}


@pytest.mark.django_db
def test_the_kind_says_what_was_read(sandbox):
    rule = configured(file())
    kinds = [
        sync(*options)[1]["kind"]
        for options in ([], [], ["--full"], ["--dry-run"], ["--dry-run", "--full"])
    ]
    assert kinds == ["initial", "incremental", "full", "preview", "preview"]
    with in_account(rule.account):
        SyncRule.objects.update(recheck=True)
    assert sync()[1]["kind"] == "full"


@pytest.mark.django_db
def test_a_full_run_reads_what_did_not_change(sandbox):
    configured(file())
    sync()
    assert sync()[1]["counts"]["read"] == 0
    _, result, _ = sync("--full")
    assert (
        result["counts"]["read"] == 60
        and result["counts"]["unchanged"] > 0
        and result["counts"]["updated"] == 0
    )


@pytest.mark.django_db
def test_a_dry_run_writes_nothing_at_either_side(sandbox):
    configured(file())
    before, cards = sandbox.hubspot.changes, sandbox.sansan.changes
    sandbox.reset_calls()
    status, result, _ = sync("--dry-run")
    assert status == 0 and of_the_contract({**result, "cursor": result["cursor"] or ""})
    assert (result["dry_run"], result["kind"], result["counts"]["created"]) == (
        True,
        "preview",
        len(expected(list(sandbox.sansan.cards.values()))),
    )
    assert (sandbox.hubspot.changes, sandbox.sansan.changes, contacts_of(sandbox, TOKEN)) == (
        before,
        cards,
        {},
    )
    assert not [
        call for call in sandbox.calls["by_call"] if " GET " not in call and "/read " not in call
    ]
    assert sync()[1]["counts"] == result["counts"]


@pytest.mark.django_db
def test_a_run_in_which_a_record_fails(sandbox):
    configured(file())
    sandbox.sansan.add({"lastName": "佐藤", "email": "sato@acme.example.con"})
    status, result, _ = sync()
    assert (status, result["status"], result["counts"]["failed"]) == (1, "partial", 1)
    assert of_the_contract(result) and result["counts"]["created"] > 0


@pytest.mark.django_db
def test_a_run_that_the_budget_holds(sandbox):
    configured(file(limits={"creates": 10}))
    status, result, _ = sync()
    assert (status, result["status"], contacts_of(sandbox, TOKEN)) == (2, "held", {})
    assert (
        of_the_contract(result)
        and result["reasons"]["budget_exceeded"] == result["counts"]["waiting"] > 0
    )
    (why,) = result["detail"]
    n = why["parameters"]["n"]
    assert n > 10 and why == {
        "code": "creates_exceed_budget",
        "parameters": {"n": n, "most": 10},
        "text": f"At least {n} creates in this run, and the change budget allows 10.",
    }


@pytest.mark.django_db
def test_a_revoked_key_cannot_run(sandbox):
    configured(file())
    sandbox.hubspot.revoked.add(TOKEN)
    status, result, told = sync()
    assert (status, result["status"]) == (2, "failed") and "hubspot_reconnect" in result["reasons"]
    assert of_the_contract(result)
    sentence = "HubSpot refused the credentials (401). Enter new ones in the connection."
    assert told == f"{sentence}\n"
    assert result["detail"] == [
        {"code": "credentials_refused", "parameters": {"vendor": "HubSpot"}, "text": sentence}
    ]


@pytest.mark.django_db
def test_a_vendor_that_is_away_ends_in_a_reason(sandbox, settings, monkeypatch):
    configured(file())
    settings.SANSAN_API_URL = NOWHERE
    # The pauses between the slices pass at once.
    clock = iter(range(0, 10**9, 60))
    monkeypatch.setattr(
        command, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: None)
    )
    status, result, told = sync()
    assert (status, result["status"], list(result["reasons"])) == (
        2,
        "failed",
        ["sansan_unavailable"],
    )
    assert told == "Sansan could not be reached.\n"
    assert result["detail"] == [
        {
            "code": "unreachable",
            "parameters": {"vendor": "Sansan"},
            "text": "Sansan could not be reached.",
        }
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "acme/nothing",
        "nobody/cards",
        "acme",
        "acme/",
        "/cards",
        "",
        "acme/cards/more",
        "ACME/cards",
    ],
)
def test_a_rule_that_is_not_there(sandbox, name):
    configured(file())
    with pytest.raises(
        CommandError, match=r"There is no rule .*: give account-slug/rule-slug"
    ) as error:
        call_command("sync", name)
    assert error.value.returncode == 2
    with all_accounts():
        assert not SyncRun.objects.exists()


@pytest.mark.django_db
def test_the_text_for_people(sandbox):
    configured(file())
    sandbox.sansan.add({"lastName": "佐藤", "email": "sato@acme.example.con"})
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("sync", "acme/cards", stdout=out)
    first, counts, reasons, calls = out.getvalue().splitlines()
    assert ended.value.code == 1
    assert re.fullmatch(r"acme/cards: initial run \d+ partial in \d+\.\d s", first)
    assert (
        counts.split()[:2] == ["read", "61"]
        and re.search(r"created \d+ .*failed 1", counts)
        and " updated 0" not in counts
    )
    assert "no_email" in reasons
    assert re.fullmatch(r"  calls: Sansan 1, HubSpot \d+; rate-limited 0", calls)


@pytest.mark.django_db
def test_the_text_says_why_a_run_was_held(sandbox):
    configured(file(limits={"creates": 10}))
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("sync", "acme/cards", stdout=out)
    lines = out.getvalue().splitlines()
    assert "held" in lines[0] and re.fullmatch(
        r"  At least \d+ creates in this run, and the change budget allows 10\.", lines[-1]
    )


# Runs that are open already


def opened(rule, **how: Any) -> SyncRun:
    with in_account(rule.account):
        return start_run(rule, how.pop("trigger", "schedule"), **how)


@pytest.mark.django_db
def test_an_open_run_is_seen_to_its_end(sandbox):
    run = opened(configured(file()))
    status, result, _ = sync()
    assert (status, result["run"], result["status"]) == (0, run.pk, "succeeded")


@pytest.mark.django_db
def test_a_quiet_poll_that_is_open_is_no_trouble(sandbox):
    rule = configured(file())
    sync()
    # The tick asked for it a moment ago; it finds nothing, and leaves no row behind.
    opened(rule)
    status, result, _ = sync()
    assert (status, result["status"], result["counts"]["read"]) == (0, "succeeded", 0)


@pytest.mark.django_db
def test_a_full_check_is_not_swallowed_by_an_open_run(sandbox):
    rule = configured(file())
    sync()
    sandbox.sansan.churn(5)
    opened(rule)
    try:
        _, result, _ = sync("--full")
    except CommandError as refused:
        assert refused.returncode == 2
    else:
        assert (result["kind"], result["counts"]["read"]) == ("full", 60)


@pytest.mark.django_db
@pytest.mark.parametrize("options", [[], ["--full"]], ids=["plain", "full"])
def test_a_sync_is_not_swallowed_by_an_open_preview(sandbox, options):
    preview = opened(configured(file()), trigger="person", preview=True)
    try:
        status, result, _ = sync(*options)
    except CommandError as refused:
        assert refused.returncode == 2 and str(preview.pk) in str(refused)
    else:
        assert (status, result["dry_run"]) == (0, False)
        assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


@pytest.mark.django_db
def test_a_dry_run_waits_for_an_open_run(sandbox):
    run = opened(configured(file()))
    with pytest.raises(CommandError, match=f"Run {run.pk} of this rule is open") as error:
        call_command("sync", "acme/cards", "--dry-run")
    assert error.value.returncode == 2


@pytest.mark.django_db
def test_a_worker_at_the_connection_is_waited_for(sandbox, monkeypatch):
    rule = configured(file())
    with in_account(rule.account):
        held = claim_lease(rule.hubspot)
    assert held is not None
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            held.release()

    monkeypatch.setattr("integration.management.commands.sync.time.sleep", sleep)
    with in_account(rule.account):
        status, result, _ = sync()
    assert (status, result["status"]) == (0, "succeeded") and len(slept) >= 3


# As a process


@pytest.fixture
def served(tmp_path, own_database):
    """A sandbox and a configured product of its own; ``latency`` begins after the configuration."""
    running = []

    def start(
        cards: int = 60,
        latency_ms: float = 0,
        content: dict[str, Any] | None = None,
        **environment: str,
    ) -> tuple[Sandbox, Product]:
        sandbox = Sandbox(cards=cards, limits=False, shared_email_percent=20).__enter__()
        running.append(sandbox)
        product = Product(tmp_path, sandbox.url, False, **own_database(), **environment).configured(
            content
        )
        sandbox.latency_ms = latency_ms
        return sandbox, product

    yield start
    for sandbox in running:
        sandbox.__exit__()


def test_standard_output_is_one_json_object_and_logs_go_elsewhere(served):
    _, product = served()
    done = product.run("sync", "acme/cards", "--format", "json")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    assert of_the_contract(orjson.loads(done.stdout))
    assert (
        "run_ended" in done.stderr and "cards/s" not in done.stderr
    )  # no bar where there is no terminal
    unknown = product.run("sync", "acme/nothing", "--format", "json")
    assert (
        (unknown.returncode, unknown.stdout) == (2, "")
        and "There is no rule" in unknown.stderr
        and "Traceback" not in unknown.stderr
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_stopped_in_the_middle_and_gone_on_with(served, number):
    sandbox, product = served(600, latency_ms=250, SYNC_WORKERS="2")
    contacts = sandbox.hubspot.portal(TOKEN).contacts
    with product.running("sync", "acme/cards", "--format", "json") as process:
        wait_for(lambda: len(contacts) >= 100, 30)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    stopped = orjson.loads(out)
    assert process.returncode == 2 and of_the_contract(
        {**stopped, "cursor": stopped["cursor"] or ""}
    )
    assert "the next run goes on from here" in err and "Traceback" not in err
    assert 0 < len(contacts) < len(expected(list(sandbox.sansan.cards.values())))
    assert product.rows("SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL") == [
        (0,)
    ]
    assert product.rows("SELECT count(*) FROM integration_connection WHERE lease_token != ''") == [
        (0,)
    ]
    sandbox.latency_ms = 0
    done = product.run("sync", "acme/cards", "--format", "json")
    result = orjson.loads(done.stdout)
    assert (done.returncode, result["run"], result["status"]) == (0, stopped["run"], "succeeded")
    assert result["counts"]["read"] == 600 and adds_up(result)
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))


def test_two_at_once_make_no_duplicates(served):
    sandbox, product = served(400, latency_ms=200)
    with (
        product.running("sync", "acme/cards", "--format", "json") as one,
        product.running("sync", "acme/cards", "--format", "json") as other,
    ):
        outputs = [process.communicate(timeout=60) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    results = [orjson.loads(out) for out, _ in outputs]
    assert [result["status"] for result in results] == ["succeeded"] * 2 and results[0][
        "run"
    ] == results[1]["run"]
    assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
    assert product.rows("SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL") == [
        (0,)
    ]
    assert product.rows("SELECT sum(created) FROM integration_syncrun") == [
        (len(contacts_of(sandbox, TOKEN)),)
    ]


def test_a_bar_with_rate_and_remaining_time_on_a_terminal(served):
    _, product = served(1000, latency_ms=550, SYNC_WORKERS="1")
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    with product.running("sync", "acme/cards", "--format", "json", stderr=terminal) as process:
        os.close(terminal)
        seen = read_all(screen)
        out = process.communicate(timeout=30)[0]
    os.close(screen)
    assert (
        process.returncode == 0
        and orjson.loads(out)["counts"]["read"] == 1000
        and len(out.splitlines()) == 1
    )
    # For example " 61%|██████    | 611/1000 [00:05<00:03, 115.54 cards/s, 540 created, 0 updated, 0
    # failed]"
    moving = re.findall(
        r"(\d+)%\|.*?\| *(\d+)/1000 \[\d\d:\d\d<(\d\d:\d\d), +[\d.]+ cards/s, (\d+) created", seen
    )
    assert any(
        0 < int(percent) < 100 and left != "00:00" and int(created) > 0
        for percent, _, left, created in moving
    ), seen
    assert moving[-1][:3] == ("100", "1000", "00:00")


def read_all(screen: int) -> str:
    """What is written to a terminal until its other end closes."""
    seen = b""
    while True:
        ready, _, _ = select.select([screen], [], [], 30)
        assert ready, seen.decode()
        try:
            seen += os.read(screen, 65_536)
        except OSError:  # how Linux says that nobody writes any more
            return seen.decode()
