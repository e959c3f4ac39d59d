"""Encrypted fields and key rotation: the only place that knows the encryption library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.db import connections, models, transaction
from django.db.models.expressions import BaseExpression, Case
from fernet_fields import EncryptedTextField

__all__ = ["EncryptedJSONField", "InvalidToken", "mask_secret", "rotate_column"]


class Sealed(dict[str, Any]):
    """Stands for a value whose key is lost: a list of rows can still be shown, and using or saving
    it raises InvalidToken.
    """

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise InvalidToken

    get = __getitem__ = items = _refuse


class EncryptedJSONField(EncryptedTextField):
    """A JSON object, encrypted at rest under the newest of ``FERNET_KEYS``."""

    if TYPE_CHECKING:
        # What a row holds: the library brings no types.
        def __get__(self, row: models.Model, model: Any) -> dict[str, Any]: ...
        def __set__(self, row: models.Model, value: dict[str, Any]) -> None: ...

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, BaseExpression):
            # bulk_update wraps its values in CASE WHEN, and the library would encrypt that text.
            # The values inside are encrypted one by one when the expression is compiled.
            parts = [value] if isinstance(value, Case) else value.get_source_expressions()
            if parts and all(isinstance(part, Case) for part in parts):
                return value
            raise TypeError("An encrypted field takes plain values only.")
        return super().get_db_prep_save(value, connection)

    def from_db_value(self, value: Any, *args: Any) -> Any:
        try:
            return super().from_db_value(value, *args)
        except InvalidToken:
            return Sealed()

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            raise InvalidToken
        return None if value is None else json.dumps(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value


# A shorter secret shows nothing of itself.
SHORTEST_SHOWN = 12


def mask_secret(secret: str) -> str:
    """``****1234``: enough to tell two keys apart, too little to use."""
    return "****" + secret[-4:] if len(secret) >= SHORTEST_SHOWN else "****"


def rotate_column(model: type[models.Model], field_name: str, using: str = "default") -> int:
    """Re-encrypts one column under the newest key; returns the rows changed. Safe beside running
    workers.

    Works on the raw tokens, and writes back only where the token is still the one that was read.
    """
    meta = model._meta
    assert meta.pk is not None
    field: Any = meta.get_field(field_name)  # the library's, which brings no types
    table, column, pk = meta.db_table, field.column, meta.pk.column
    changed = 0
    with connections[using].cursor() as cursor:
        cursor.execute(f'SELECT "{pk}", "{column}" FROM "{table}"')
        for key, token in cursor.fetchall():
            if len(field.keys) == 1:
                field.fernet.decrypt(bytes(token))  # raises where the one key is not the one
                continue
            fresh = field.fernet.rotate(bytes(token))
            with transaction.atomic(using=using):
                cursor.execute(
                    f'UPDATE "{table}" SET "{column}" = %s WHERE "{pk}" = %s AND "{column}" = %s',
                    [fresh, key, token],
                )
                changed += cursor.rowcount
    return changed
