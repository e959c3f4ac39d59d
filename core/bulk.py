"""Statements over many rows at once, for the tables that a sync writes by the hundred thousand.

``bulk_create`` prepares every value through several layers of field methods, and ``bulk_update``
builds a CASE per row and field; together they cost more than the rest of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import orjson
from django.db import connection, models
from django.db.models.expressions import RawSQL
from django.db.models.options import Options

from core.tenancy import check_keys, check_rows, check_write, list_owned_keys

AnyField: TypeAlias = "models.Field[Any, Any]"
# Well under every database's limit of parameters in a statement, with two dozen fields a row.
ROWS_A_STATEMENT = 200


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Inserts rows of one model and sets their primary keys."""
    check_rows(rows)
    for some in split_rows(rows):
        meta = type(some[0])._meta
        fields = [field for field in meta.concrete_fields if not field.primary_key]
        names = [field.attname for field in fields]
        sql, params = _insert(
            meta, fields, [[getattr(row, name) for name in names] for row in some]
        )
        with connection.cursor() as cursor:
            cursor.execute(f'{sql} RETURNING "{find_key(meta).column}"', params)
            for row, (key,) in zip(some, cursor.fetchall(), strict=True):
                row.pk = key


def upsert_rows(
    model: type[models.Model],
    rows: Sequence[Any],
    unique: Sequence[str],
    replace: Sequence[str],
    account_id: int,
) -> None:
    """Inserts rows; where ``unique`` is taken already, ``replace`` is overwritten.

    A row is a named tuple of the model's fields.
    """
    check_write(account_id)
    for some in split_rows(rows):
        meta = model._meta
        fields = [find_field(meta, name) for name in some[0]._fields]
        check_columns(model, some[0]._fields, some, account_id)
        sql, params = _insert(
            meta, [find_field(meta, "account"), *fields], [(account_id, *row) for row in some]
        )
        taken = ", ".join(f'"{find_field(meta, name).column}"' for name in unique)
        sets = ", ".join(
            f'"{column}" = excluded."{column}"'
            for column in (find_field(meta, name).column for name in replace)
        )
        with connection.cursor() as cursor:
            # Another account's row is never overwritten, whatever the unique key says.
            cursor.execute(
                (
                    f"{sql} ON CONFLICT ({taken}) DO UPDATE SET {sets} WHERE "
                    f'"{meta.db_table}"."account_id" = excluded."account_id"'
                ),
                params,
            )


def _insert(
    meta: Options[Any], fields: Sequence[AnyField], rows: Sequence[Sequence[Any]]
) -> tuple[str, list[Any]]:
    """The statement and its parameters."""
    columns = ", ".join(f'"{field.column}"' for field in fields)
    marks = "(" + ", ".join(["%s"] * len(fields)) + ")"
    adapters = [find_adapter(field) for field in fields]
    params = [
        adapt(value) if adapt else value
        for row in rows
        for adapt, value in zip(adapters, row, strict=True)
    ]
    return (
        f'INSERT INTO "{meta.db_table}" ({columns}) VALUES {", ".join([marks] * len(rows))}',
        params,
    )


def check_columns(
    model: type[models.Model], fields: Sequence[str], rows: Sequence[Sequence[Any]], account_id: int
) -> None:
    """Raises ScopeError unless the foreign keys among these columns stay inside the account."""
    for field in list_owned_keys(model):
        for name in (field.name, field.attname):
            if name in fields:
                at = fields.index(name)
                check_keys(field, (row[at] for row in rows), account_id)


def update_rows(model: type[models.Model], rows: Sequence[NamedTuple], account_id: int) -> int:
    """Sets columns of many rows; returns how many were there.

    A row is a named tuple of the primary key and the columns to be set, by their names in the
    model; all rows are of one kind. Only rows of the account are touched. Raises ScopeError.
    """
    check_write(account_id)
    if not rows:
        return 0
    fields = rows[0]._fields[1:]
    check_columns(model, ("pk", *fields), rows, account_id)
    return sum(_update(model, fields, some, account_id) for some in split_rows(rows))


def update_columns(row: models.Model, fields: Sequence[str], account_id: int) -> int:
    """Stores these columns of one row, without the layers of ``save``."""
    check_write(account_id)
    values = (row.pk, *(getattr(row, name) for name in fields))
    return _update(type(row), fields, [values], account_id)


def _update(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    account_id: int,
) -> int:
    meta = model._meta
    columns = [find_key(meta), *(find_field(meta, name) for name in fields)]
    # Both databases call the columns of VALUES column1, column2, ...; only PostgreSQL must be told
    # their types.
    cast = find_postgres_type if connection.vendor == "postgresql" else lambda field: ""
    sets = ", ".join(f'"{f.column}" = v.column{i}{cast(f)}' for i, f in enumerate(columns[1:], 2))
    values = ", ".join(["(" + ", ".join(["%s"] * len(columns)) + ")"] * len(rows))
    table, key = meta.db_table, columns[0].column
    same = f'"{table}"."{key}" = v.column1{cast(columns[0])} AND "{table}"."account_id" = %s'
    sql = f'UPDATE "{table}" SET {sets} FROM (VALUES {values}) AS v WHERE {same}'
    adapters = [find_adapter(field) for field in columns]
    params = [
        adapt(value) if adapt else value
        for row in rows
        for adapt, value in zip(adapters, row, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, account_id])
        return int(cursor.rowcount)


def any_of(values: Collection[str] | Collection[int]) -> RawSQL:
    """For ``field__in``: many values as one parameter, which Django need not prepare one by one."""
    if connection.vendor == "postgresql" and any(isinstance(value, str) for value in values):
        return RawSQL("SELECT unnest(%s::text[])", [list(values)])
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", [list(values)])
    return RawSQL("SELECT value FROM json_each(%s)", [orjson.dumps(list(values)).decode()])


def split_rows(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while some := list(islice(rows, ROWS_A_STATEMENT)):
        yield some


def find_field(meta: Options[Any], name: str) -> AnyField:
    """A field that has a column."""
    field = meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


def find_key(meta: Options[Any]) -> AnyField:
    assert meta.pk is not None
    return meta.pk


def find_adapter(field: Any) -> Callable[[Any], Any] | None:
    """What turns a value into a parameter of the statement; None where it is one already."""
    kind = (
        field.target_field.get_internal_type() if field.is_relation else field.get_internal_type()
    )
    if kind == "JSONField":
        return lambda value: orjson.dumps(value).decode()
    if kind in (
        "CharField",
        "TextField",
        "IntegerField",
        "BigAutoField",
        "PositiveIntegerField",
        "PositiveSmallIntegerField",
        "BigIntegerField",
    ):
        return None
    # Few values are distinct: most moments of a batch are the same one.
    known: dict[Any, Any] = {None: None}
    # A moment goes to the backend directly: the field's own way there takes three times as long.
    prepare = (
        connection.ops.adapt_datetimefield_value
        if kind == "DateTimeField"
        else partial(field.get_db_prep_save, connection=connection)
    )

    def prepared(value: Any) -> Any:
        if value not in known:
            known[value] = prepare(value)
        return known[value]

    return prepared


def find_postgres_type(field: Any) -> str:
    find_type = field.rel_db_type if field.is_relation else field.cast_db_type
    return f"::{find_type(connection)}"
