"""``manage.py configure FILE.yaml``: account, connections, rules and mappings from a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.connectors.base import ConnectorError
from integration.notes import write_english
from integration.rules.apply_file import (
    ask_vendors,
    compare_configuration,
    list_missing_properties,
    make_properties,
    store_configuration,
)
from integration.rules.file import FileRefused, load_file


class Command(BaseCommand):
    help = (
        "Puts a configuration file into effect. Twice changes nothing. Exit status: 0 done, 2 "
        "refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="check the file and ask both vendors, but store and make nothing",
        )

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        try:
            configuration = load_file(file)
            seen = ask_vendors(configuration)
            if dry_run:
                changes = compare_configuration(configuration, seen)
                changes += list_missing_properties(configuration, seen)
            else:
                changes = store_configuration(configuration, seen) + make_properties(configuration)
        except FileRefused as refused:
            raise CommandError(
                "Refused, nothing was changed:\n"
                + "\n".join(f"  {problem}" for problem in refused.problems),
                returncode=2,
            ) from None
        except ConnectorError as error:
            raise CommandError(
                f"Stored, but not finished: {write_english(error.detail)} Run configure again.",
                returncode=2,
            ) from None
        for spec in configuration.connections:
            look = seen[spec.slug]
            shown = (
                f"{len(look.tags)} tags"
                if spec.system == "sansan"
                else f"{len(look.properties)} contact properties"
            )
            self.stdout.write(f"{spec.slug}: {look.identity.name or 'the key works'}, {shown}")
        for line in changes:
            self.stdout.write(line)
        ending = "Nothing was stored." if dry_run else "" if changes else "Nothing to change."
        if ending:
            self.stdout.write(ending)
