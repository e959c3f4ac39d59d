"""``manage.py sync RULE``: one run in the foreground to its end."""

from __future__ import annotations

import getpass
import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any, NoReturn

import orjson
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core.models import Account
from core.tenancy import in_account
from integration.management.report import make_report, write_report
from integration.models import Record, SyncRule, SyncRun
from integration.notes import write_english
from integration.runs import start_run, work_slice

SLICE_SECONDS = 30.0  # seconds
REFRESH_SECONDS = 0.5  # seconds between two looks at the run for the bar


class Command(BaseCommand):
    help = (
        "Runs a rule to its end. Exit status: 0 all well, 1 some records failed, 2 could not run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rule", help="account-slug/rule-slug")
        parser.add_argument(
            "--full", action="store_true", help="read every card again, not only the changed ones"
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would be written, and write nothing to either vendor",
        )
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        account, rule = self.find(options["rule"])
        stopped: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda signum, _frame: stopped.append(signum))
        with in_account(account):
            run = self.run(rule, options["full"], options["dry_run"], stopped)
            result = make_report(run)
            self.stdout.write(
                orjson.dumps(result).decode()
                if options["format"] == "json"
                else write_report(result, run.detail)
            )
            if result["status"] == "failed" or stopped:
                stopped_early = "Stopped; the next run goes on from here."
                self.stderr.write(write_english(run.detail) or stopped_early)
        sys.exit({"succeeded": 0, "partial": 1}.get(result["status"], 2))

    def run(self, rule: SyncRule, full: bool, dry_run: bool, stopped: list[int]) -> SyncRun:
        """The run that was asked for, at its end.

        Another that is open is seen to its end first: a rule has one at a time.
        """
        while True:
            run = start_run(
                rule, SyncRun.Trigger.COMMAND, who=getpass.getuser(), full=full, preview=dry_run
            )
            if dry_run and not run.is_preview:
                raise CommandError(
                    f"Run {run.pk} of this rule is open; a dry run can start when it has ended.",
                    returncode=2,
                )
            self.work(run.pk, stopped)
            # A scheduled run that found nothing leaves no row behind.
            ended = SyncRun.objects.select_related("rule__account").filter(pk=run.pk).first()
            if ended and (stopped or (ended.is_preview == dry_run and (ended.whole or not full))):
                return ended

    def find(self, name: str) -> tuple[Account, SyncRule]:
        account = Account.objects.filter(slug=name.partition("/")[0]).first()
        if account is not None:
            with in_account(account):
                rule = SyncRule.objects.filter(slug=name.partition("/")[2]).first()
            if rule is not None and not account.active:
                raise CommandError(
                    f"The account “{account.slug}” is switched off: nothing runs for it.",
                    returncode=2,
                )
            if rule is not None:
                return account, rule
        raise CommandError(f"There is no rule “{name}”: give account-slug/rule-slug.", returncode=2)

    def work(self, run_id: int, stopped: list[int]) -> None:
        with tqdm(
            file=sys.stderr, disable=not sys.stderr.isatty(), unit=" cards", dynamic_ncols=True
        ) as bar:
            shown = 0.0

            def stopping() -> bool:
                nonlocal shown
                # Asked between any two batches, so that the bar moves within a slice too.
                if not bar.disable and time.monotonic() > shown + REFRESH_SECONDS:
                    show_progress(bar, run_id)
                    shown = time.monotonic()
                return bool(stopped)

            while not stopped:
                step = work_slice(run_id, SLICE_SECONDS, stopping)
                show_progress(bar, run_id)
                if step.done:
                    return
                until = time.monotonic() + step.wait
                while time.monotonic() < until and not stopped:
                    time.sleep(min(0.2, max(until - time.monotonic(), 0)))


def show_progress(bar: tqdm[NoReturn], run_id: int) -> None:
    run = None if bar.disable else SyncRun.objects.filter(pk=run_id).first()
    if run is None:
        return
    counts = run.counts
    bar.total = estimate_cards(run)
    bar.set_postfix_str(
        f"{counts['created']} created, {counts['updated'] + counts['linked']} updated, "
        f"{counts['failed']} failed"
    )
    bar.update(counts["read"] - counts["waiting"] - bar.n)


def estimate_cards(run: SyncRun) -> int | None:
    """How many cards the run will have read.

    Sansan tells no number: while it is read, the times of the cards tell how far it has come.
    """
    if run.read_done:
        return run.read
    first = (
        Record.objects.filter(rule_id=run.rule_id)
        .order_by("pk")
        .values_list("changed_at", flat=True)
        .first()
    )
    if not (
        run.whole
        and first
        and run.position
        and run.window_to
        and first < run.position < run.window_to
    ):
        return None
    return int(run.read * ((run.window_to - first) / (run.position - first)))
