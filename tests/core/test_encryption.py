"""What is encrypted stays so: at rest, under a lost key, and while keys change."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import FieldError
from django.db import connection as database
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Lower

from core import encryption
from core.encryption import InvalidToken, mask_secret, rotate_column
from core.tenancy import all_accounts, in_account
from integration.models import Connection
from tests.core import rows
from tests.core.rows import fernet_keys

pytestmark = pytest.mark.django_db
OLD, NEW, OTHER = (
    "the-old-key-of-32-characters-or-more",
    "the-new-key-of-32-characters-or-more",
    "another-key-of-32-characters-or-more",
)


def tokens() -> list[bytes]:
    with database.cursor() as cursor:
        cursor.execute("SELECT credentials FROM integration_connection ORDER BY id")
        return [bytes(token) for (token,) in cursor.fetchall()]


def secrets() -> list[str]:
    with all_accounts():
        return [one.secret for one in Connection.objects.order_by("pk")]


@pytest.fixture
def acme():
    return rows.account()


@pytest.fixture
def one(acme):
    with fernet_keys(OLD):
        yield rows.connection(acme, secret="秘密-invented-0001")


# At rest


def test_what_is_stored_says_nothing(one):
    (token,) = tokens()
    assert token.startswith(b"gAAAA") and "秘密".encode() not in token and b"0001" not in token
    assert secrets() == ["秘密-invented-0001"]


def test_the_same_secret_is_never_the_same_token(acme, one):
    rows.connection(acme, secret="秘密-invented-0001", slug="second")
    assert len(set(tokens())) == 2


@pytest.mark.parametrize(
    "value",
    [{}, {"api_key": ""}, {"api_key": "x" * 5000}, {"a": {"b": [1, None, "漢"]}}],
    ids=["nothing", "blank", "long", "nested"],
)
def test_a_value_comes_back_as_it_went(acme, one, value):
    with in_account(acme):
        one.credentials = value
        one.save()
        assert Connection.objects.get().credentials == value


def test_many_rows_are_encrypted_too(acme, one):
    with in_account(acme):
        second = Connection(
            account=acme,
            slug="second",
            system="hubspot",
            credentials={"access_token": "second-secret"},
        )
        Connection.objects.bulk_create([second])
        one.credentials, second.credentials = (
            {"access_token": "first-changed"},
            {"access_token": "second-changed"},
        )
        Connection.objects.bulk_update([one, second], ["credentials"])
    assert secrets() == ["first-changed", "second-changed"] and all(
        token.startswith(b"gAAAA") for token in tokens()
    )


@pytest.mark.parametrize(
    "expression", [Lower(Value("PLAIN")), Value("plain")], ids=["a function", "a plain value"]
)
def test_the_database_never_computes_one(acme, one, expression):
    """It would be stored as it is."""
    with in_account(acme), pytest.raises(TypeError):
        Connection.objects.create(
            account=acme, slug="second", system="hubspot", credentials=expression
        )


@pytest.mark.parametrize("lookup", ["exact", "startswith", "contains", "in", "gt"])
def test_nobody_searches_in_it(acme, one, lookup):
    with in_account(acme), pytest.raises(FieldError):
        list(Connection.objects.filter(**{f"credentials__{lookup}": "gAAAA"}))


# A lost key


def test_under_a_lost_key_rows_are_read_and_their_secret_is_not(acme, one):
    with fernet_keys(OTHER), in_account(acme):
        found = Connection.objects.get()
        assert (found.slug, found.hint) == ("hubspot", "****0001")
        for use in (
            lambda: found.secret,
            lambda: found.credentials["access_token"],
            found.credentials.items,
        ):
            with pytest.raises(InvalidToken):
                use()


def test_what_cannot_be_read_is_not_written_over(acme, one):
    before = tokens()
    with fernet_keys(OTHER), in_account(acme):
        found = Connection.objects.get()
        with pytest.raises(InvalidToken), transaction.atomic():
            found.save()
        found.slug = "renamed"
        found.save(update_fields=["slug"])
    assert tokens() == before and secrets() == ["秘密-invented-0001"]


def test_a_new_secret_takes_its_place(acme, one):
    with fernet_keys(OTHER), in_account(acme):
        found = Connection.objects.get()
        found.set_secret("new-secret-0002")
        found.save()
        assert secrets() == ["new-secret-0002"]


# Rotation


def test_rotation_makes_the_old_key_needless(acme, one):
    with fernet_keys(NEW, OLD):
        assert secrets() == ["秘密-invented-0001"]
        assert rotate_column(Connection, "credentials") == 1
    with fernet_keys(NEW):
        assert secrets() == ["秘密-invented-0001"]
        rows.connection(acme, secret="under-the-new", slug="second")
    with fernet_keys(OLD), pytest.raises(InvalidToken):
        secrets()


def test_with_one_key_there_is_nothing_to_rotate(one):
    with fernet_keys(OLD):
        before = tokens()
        assert rotate_column(Connection, "credentials") == 0 and tokens() == before


def test_with_one_key_that_is_not_the_one_rotation_says_so(one):
    with fernet_keys(OTHER), pytest.raises(InvalidToken):
        rotate_column(Connection, "credentials")


def test_rotation_keeps_what_was_written_meanwhile(acme, one, monkeypatch):
    """A worker, or a person with a new key, stores another secret between the reading and the
    writing.
    """
    with fernet_keys(NEW, OLD):
        fernet = Connection._meta.get_field("credentials").fernet
        rotated = type(fernet).rotate

        def meanwhile(self, token):
            with in_account(acme):
                found = Connection.objects.get()
                found.set_secret("newer-secret-0003")
                found.save()
            return rotated(self, token)

        monkeypatch.setattr(type(fernet), "rotate", meanwhile)
        assert rotate_column(Connection, "credentials") == 0 and secrets() == ["newer-secret-0003"]


def test_rotation_stops_at_a_token_of_an_unknown_key_and_says_so(acme, one):
    with fernet_keys(OTHER):
        rows.connection(acme, secret="under-another", slug="second")
    with fernet_keys(NEW, OLD), pytest.raises(InvalidToken):
        rotate_column(Connection, "credentials")
    with fernet_keys(OTHER, OLD, NEW):
        assert secrets() == ["秘密-invented-0001", "under-another"], "nothing is lost"


# Masks


MASKS = {
    "long": ("pat-invented-0001", "****0001"),
    "just long enough": ("123456789012", "****9012"),
    "just too short": ("12345678901", "****"),
    "short": ("key", "****"),
    "empty": ("", "****"),
}


@pytest.mark.parametrize(("secret", "shown"), MASKS.values(), ids=MASKS)
def test_a_mask_shows_the_end_of_a_long_secret_and_nothing_of_a_short_one(secret, shown):
    assert mask_secret(secret) == shown


def test_json_is_what_is_encrypted(one):
    field = Connection._meta.get_field("credentials")
    assert json.loads(field.fernet.decrypt(tokens()[0])) == {"access_token": "秘密-invented-0001"}
    assert set(encryption.__all__) == {
        "EncryptedJSONField",
        "InvalidToken",
        "mask_secret",
        "rotate_column",
    }
