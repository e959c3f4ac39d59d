"""``manage.py bench``: how fast it is here. Prints figures, asserts none."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from integration.bench import latency, pages, runs

SCENES = {"runs": runs, "pages": pages, "latency": latency}


class Command(BaseCommand):
    help = (
        "Measures runs, how long changes take to arrive, or the admin's pages over a long history, "
        "each in a database of its own."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scene", nargs="?", choices=SCENES, default="runs")
        for scene in SCENES.values():
            scene.add_arguments(parser)

    def handle(self, *args: Any, scene: str, **options: Any) -> None:
        SCENES[scene].run(options, self.say)

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
