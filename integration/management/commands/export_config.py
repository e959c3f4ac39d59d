"""``manage.py export_config ACCOUNT``: the configuration file of an account, secrets left out."""

from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.models import Account
from core.tenancy import in_account
from integration.rules.export_file import as_file_content


class Command(BaseCommand):
    help = (
        "Prints an account's configuration as `configure` takes it, with ${NAME} in place of "
        "secrets."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", help="the account's slug")

    def handle(self, *args: Any, account: str, **options: Any) -> None:
        found = Account.objects.filter(slug=account).first()
        if found is None:
            raise CommandError(f"There is no account “{account}”.", returncode=2)
        with in_account(found):
            content = as_file_content(found)
        self.stdout.write(
            yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120), ending=""
        )
