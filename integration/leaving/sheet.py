"""Rows as CSV for spreadsheets: no cell is a formula, and Japanese opens as such."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

import orjson

from integration.notes import write_english

# A cell that begins so is a formula to a spreadsheet.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Excel takes the file for UTF-8 only with this at its head.
BYTE_ORDER_MARK = "\ufeff"


def write_csv(rows: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def write_cell(value: Any, zone: tzinfo) -> str:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="milliseconds")
    if isinstance(value, dict):
        return orjson.dumps(value).decode() if value else ""
    shown = "" if value is None else write_english(str(value))
    return f"'{shown}" if shown.startswith(FORMULA_STARTS) else shown
