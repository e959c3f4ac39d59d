"""``manage.py rotate_keys``: every credential under the newest key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.encryption import InvalidToken, rotate_column
from core.tenancy import all_accounts
from integration.models import Connection


class Command(BaseCommand):
    help = (
        "Re-encrypts all credentials under the first of FERNET_KEYS; afterwards the older keys can "
        "be taken away."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with all_accounts():
            try:
                changed = rotate_column(Connection, "credentials")
            except InvalidToken:
                raise CommandError(
                    "A stored credential cannot be decrypted with any of FERNET_KEYS: add the "
                    "key it was encrypted with."
                ) from None
        self.stdout.write(f"{changed} connections now use the newest key.")
