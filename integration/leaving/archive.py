"""Everything that an account holds, as one ZIP file, in chunks."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from time import localtime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import yaml
from django.db import models

from core.bulk import ROWS_A_STATEMENT, split_rows
from core.encryption import EncryptedJSONField
from core.history import Frozen
from core.models import Account, Membership, User
from core.tenancy import in_account
from integration.leaving.erase import list_owned_models
from integration.leaving.sheet import BYTE_ORDER_MARK, write_cell, write_csv
from integration.models import (
    AuditEntry,
    Connection,
    DayFigures,
    Link,
    Record,
    SyncRule,
    SyncRun,
    Tag,
)
from integration.rules.export_file import as_file_content

SHEETS = {
    "records.csv": Record,
    "links.csv": Link,
    "audit.csv": AuditEntry,
    "runs.csv": SyncRun,
    "figures.csv": DayFigures,
    "tags.csv": Tag,
}
# Bookkeeping of the engine that tells a person nothing.
COLUMNS_LEFT_OUT = {"account", "digest", "seq", "page_token", "looked_at", "idle", "mark"}
# What a person calls the row that a foreign key points at; any other is given by its number.
NAMED_BY = {Connection: "slug", SyncRule: "slug", Link: "key", User: "username"}
MEMBER_COLUMNS = {
    "username": "user__username",
    "email": "user__email",
    "first_name": "user__first_name",
    "last_name": "user__last_name",
    "role": "role",
    "active": "user__is_active",
    "joined": "user__date_joined",
    "last_login": "user__last_login",
}
HISTORY_COLUMNS = ("when", "who", "object", "id", "type", "reason", "fields")
CHANGE_KINDS = {"+": "created", "~": "changed", "-": "deleted"}


class Sink:
    """A file that can only be written to: holds what zipfile writes until it is taken."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Asked for by zipfile."""

    def take_chunks(self) -> list[bytes]:
        """What came since the last time, as one chunk, or nothing."""
        chunk, self.held = b"".join(self.held), []
        return [chunk] if chunk else []


def write_archive(account: Account) -> Iterator[bytes]:
    """A ZIP of everything the account holds, in chunks.

    An error cuts it off before its directory, so that it cannot pass for whole.
    """
    sink = Sink()
    # The stubs ask for more of a file than writing needs.
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:  # type: ignore[call-overload]
        for name, parts in list_members(account).items():
            # The size is not known beforehand, and without ZIP64 a member ends at 2 GB.
            with bundle.open(describe_member(name), "w", force_zip64=True) as member:
                for part in read_parts_in_scope(account, parts):
                    member.write(part.encode())
                    yield from sink.take_chunks()
    yield from sink.take_chunks()


def describe_member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, localtime()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def read_parts_in_scope(account: Account, parts: Iterator[str]) -> Iterator[str]:
    """Each part is made inside the account's scope and handed out outside: a scope open across a
    yield would be the caller's too.
    """
    while True:
        with in_account(account):
            part = next(parts, None)
        if part is None:
            return
        yield part


def list_members(account: Account) -> dict[str, Iterator[str]]:
    """Name -> its text in parts. Nothing is read before the first part is asked for."""
    zone = ZoneInfo(account.timezone)
    return {
        "configuration.yaml": write_configuration(account),
        "history.csv": write_history(account, zone),
        "members.csv": write_sheet(account, Membership, MEMBER_COLUMNS, zone),
        **{
            name: write_sheet(account, model, list_columns(model), zone)
            for name, model in SHEETS.items()
        },
    }


def write_configuration(account: Account) -> Iterator[str]:
    yield yaml.safe_dump(as_file_content(account), allow_unicode=True, sort_keys=False, width=120)


def list_columns(model: type[models.Model]) -> dict[str, str]:
    """Heading -> path of its value.

    Made from the model, so that a new column is in the archive too.
    """
    return {
        field.name: find_path(field)
        for field in model._meta.concrete_fields
        if field.name not in COLUMNS_LEFT_OUT and not is_secret(field)
    }


def find_path(field: Any) -> str:
    called = NAMED_BY.get(field.related_model)
    return f"{field.name}__{called}" if called else field.attname


def is_secret(field: Any) -> bool:
    return isinstance(field, EncryptedJSONField)


def write_sheet(account: Account, model: Any, paths: dict[str, str], zone: tzinfo) -> Iterator[str]:
    yield BYTE_ORDER_MARK + write_csv([paths])
    rows = model.objects.filter(account=account).order_by("pk").values_list(*paths.values())
    for some in split_rows(rows.iterator(chunk_size=ROWS_A_STATEMENT)):
        yield write_csv([show_value(value, zone) for value in row] for row in some)


def show_value(value: Any, zone: tzinfo) -> str:
    """As in the CSV of the audit log; a list is JSON, like an object."""
    if isinstance(value, list):
        value = orjson.dumps(value).decode() if value else ""
    return write_cell(value, zone)


def write_history(account: Account, zone: tzinfo) -> Iterator[str]:
    yield BYTE_ORDER_MARK + write_csv([HISTORY_COLUMNS])
    for model, column in list_owned_models():
        if issubclass(model, Frozen):
            history: Any = model
            rows = history.objects.filter(**{column: account.pk}).order_by("pk")
            yield from write_changes(model, rows, zone)


def write_changes(model: Any, rows: models.QuerySet[Any], zone: tzinfo) -> Iterator[str]:
    """The changes of one kind of object.

    What a row points at may be gone and is given by its number; users are not, and have a name.
    """
    fields = [
        field
        for field in model.tracked_fields
        if field.name not in {"id", "account"} and not is_secret(field)
    ]
    names = [find_path(field) if field.related_model is User else field.attname for field in fields]
    told = rows.values_list(
        "history_date", "who", "id", "history_type", "history_change_reason", *names
    )
    for some in split_rows(told.iterator(chunk_size=ROWS_A_STATEMENT)):
        yield write_csv(
            write_change(model.instance_type._meta.model_name, names, row, zone) for row in some
        )


def write_change(kind: str, names: Iterable[str], row: tuple[Any, ...], zone: tzinfo) -> list[str]:
    when, who, key, type_, reason, *values = row
    fields = orjson.dumps(dict(zip(names, values, strict=True)), default=str).decode()
    return [
        show_value(value, zone)
        for value in (when, who, kind, key, CHANGE_KINDS.get(type_, type_), reason, fields)
    ]
