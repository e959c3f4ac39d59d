"""``manage.py qcluster``: the workers, under a watchdog.

Takes the place of django-q2's command of the same name.
"""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from core import supervisor
from integration import tasks

# Nothing that a worker does takes longer than the queue's timeout; beyond that, silence means that
# it is stuck.
LONGEST_SILENCE = 150.0


class Command(BaseCommand):
    help = "Runs the workers until SIGTERM, and starts them again if they stop doing anything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--unwatched",
            action="store_true",
            help="without the watchdog (what the watchdog itself starts)",
        )

    def handle(self, *args: Any, unwatched: bool, **options: Any) -> None:
        if unwatched:
            tasks.ensure_tick()
            tasks.run_cluster()
            return
        command = [sys.executable, os.path.abspath(sys.argv[0]), "qcluster", "--unwatched"]  # noqa: PTH100
        sys.exit(
            supervisor.supervise_command(
                command, is_cluster_stuck, settle=LONGEST_SILENCE, pulse=beat_pulse
            )
        )


def beat_pulse() -> None:
    """Between two ticks, which the queue's schedule brings only twice a minute: what is due starts
    at once.
    """
    try:
        tasks.start_due_runs()
    finally:
        connections.close_all()


def is_cluster_stuck() -> bool:
    try:
        return tasks.is_stuck(LONGEST_SILENCE)
    finally:
        connections.close_all()
