"""``rotate_keys``: every credential under the newest key, so that the older ones can be taken
away.
"""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core.encryption import InvalidToken
from core.tenancy import all_accounts, in_account
from integration.models import Connection
from tests.core import rows
from tests.core.rows import fernet_keys

pytestmark = pytest.mark.django_db
OLD, NEW, LOST = ("old-" + "o" * 32, "new-" + "n" * 32, "lost-" + "l" * 32)
SECRETS = ["SansanKey0123456789abcdefABCDEF0", "pat-acme-0001", "pat-birch-0002"]


def stored() -> None:
    """Three connections of two accounts, under the key of the moment."""
    acme, birch = rows.account("acme"), rows.account("birch")
    rows.connection(acme, "sansan", SECRETS[0])
    rows.connection(acme, "hubspot", SECRETS[1])
    rows.connection(birch, "hubspot", SECRETS[2])


def secrets() -> list[str]:
    with all_accounts():
        return [one.secret for one in Connection.objects.order_by("pk")]


def tokens() -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM integration_connection ORDER BY id")
        return [bytes(token) for (token,) in cursor.fetchall()]


def rotate() -> str:
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def test_the_old_key_can_go_afterwards():
    with fernet_keys(OLD):
        stored()
    with fernet_keys(NEW), pytest.raises(InvalidToken):
        secrets()
    with fernet_keys(NEW, OLD):
        assert rotate() == "3 connections now use the newest key.\n"
        assert secrets() == SECRETS
    with fernet_keys(NEW):
        assert secrets() == SECRETS
    with fernet_keys(OLD), pytest.raises(InvalidToken):
        secrets()


def test_twice_is_harmless():
    with fernet_keys(OLD):
        stored()
    with fernet_keys(NEW, OLD):
        rotate()
        rotate()
    with fernet_keys(NEW):
        assert secrets() == SECRETS


def test_without_a_connection_there_is_nothing_to_do():
    with fernet_keys(NEW, OLD):
        assert rotate() == "0 connections now use the newest key.\n"


def test_a_key_that_is_lost_is_told_and_costs_nothing():
    with fernet_keys(LOST):
        stored()
    before = tokens()
    with (
        fernet_keys(NEW, OLD),
        pytest.raises(CommandError, match="add the key it was encrypted with") as error,
    ):
        rotate()
    assert error.value.returncode and tokens() == before
    with fernet_keys(LOST):
        assert secrets() == SECRETS


def test_the_only_key_is_the_wrong_one():
    with fernet_keys(LOST):
        stored()
    # The older key was taken away too early: "0 connections now use the newest key" would send its
    # owner to bed.
    with fernet_keys(NEW), pytest.raises(CommandError, match="add the key it was encrypted with"):
        rotate()


def test_a_secret_that_changes_meanwhile_wins(monkeypatch):
    with fernet_keys(OLD):
        stored()
    with fernet_keys(NEW, OLD):
        fernet = Connection._meta.get_field("credentials").fernet
        plain = fernet.rotate

        def meanwhile(token: bytes) -> bytes:
            """Somebody enters a new key between the reading of the old one and the writing."""
            monkeypatch.setattr(fernet, "rotate", plain)
            with all_accounts():
                first = Connection.objects.select_related("account").order_by("pk")[0]
            with in_account(first.account):
                first.set_secret("OtherKey0123456789abcdefABCDEF01")
                first.save()
            rotated: bytes = plain(token)
            return rotated

        monkeypatch.setattr(fernet, "rotate", meanwhile)
        rotate()
    with fernet_keys(NEW):
        assert secrets() == ["OtherKey0123456789abcdefABCDEF01", *SECRETS[1:]]


def test_nothing_of_a_secret_is_shown(capfd):
    with fernet_keys(OLD):
        stored()
    with fernet_keys(NEW, OLD):
        told = rotate()
    seen = capfd.readouterr()
    assert not any(secret in told + seen.out + seen.err for secret in [*SECRETS, OLD, NEW])
