"""One statement that sets different values in many rows.

``bulk_update`` builds a CASE per row and field, which costs more than the rest of a batch together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models

# Well under every database's limit of parameters in a statement, with a dozen fields a row.
ROWS = 200


def update_rows(model: type[models.Model], fields: Sequence[str], rows: Sequence[tuple[Any, ...]], account_id: int) -> int:
    """Sets ``fields`` of each row; a row is (primary key, value, ...). Only rows of the account are touched."""
    return sum(_update(model, fields, rows[i : i + ROWS], account_id) for i in range(0, len(rows), ROWS))


def _update(model: type[models.Model], fields: Sequence[str], rows: Sequence[tuple[Any, ...]], account_id: int) -> int:
    columns = [model._meta.get_field(name) for name in ("pk" if model._meta.pk is None else model._meta.pk.name, *fields)]
    # Both databases call the columns of VALUES column1, column2, ...; only PostgreSQL must be told their types.
    cast = (lambda f: f"::{f.rel_db_type(connection) if f.is_relation else f.cast_db_type(connection)}") if connection.vendor == "postgresql" else lambda f: ""
    sets = ", ".join(f'"{f.column}" = v.column{i}{cast(f)}' for i, f in enumerate(columns[1:], 2))  # type: ignore[union-attr]
    values = ", ".join("(" + ", ".join(["%s"] * len(columns)) + ")" for _ in rows)
    table, pk = model._meta.db_table, columns[0]
    sql = f'UPDATE "{table}" SET {sets} FROM (VALUES {values}) AS v WHERE "{table}"."{pk.column}" = v.column1{cast(pk)} AND "{table}"."account_id" = %s'  # type: ignore[union-attr]
    params = [f.get_db_prep_save(value, connection) for row in rows for f, value in zip(columns, row, strict=True)]  # type: ignore[union-attr]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, account_id])
        return int(cursor.rowcount)
