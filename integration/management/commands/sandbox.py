"""``manage.py sandbox``: both vendors' APIs on 127.0.0.1."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Runs a local server that behaves like Sansan and HubSpot, over generated cards."
    requires_system_checks: list[str] = []  # it needs no database

    def add_arguments(self, parser: CommandParser) -> None:
        from integration.sandbox.cli import add_arguments

        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        from integration.sandbox.cli import run

        sys.exit(run(options))
