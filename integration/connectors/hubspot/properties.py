"""What contacts and companies share: answers read by their shape, and properties of ours that are
made where they are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from integration.connectors.base import RetryLater, Unanswered
from integration.connectors.http import Http
from integration.connectors.hubspot import fields, parse
from integration.notes import note
from integration.records import PropertySpec

ShapedValue = TypeVar("ShapedValue")


def read_answer(
    read: Callable[[Any], ShapedValue], value: Any, writes: bool = False
) -> ShapedValue:
    """What ``read`` makes of an answer; an answer of an unknown shape says nothing, and after a
    write not even whether the write was done.
    """
    try:
        return read(value)
    except (AttributeError, TypeError, KeyError, ValueError):
        unknown = note("unknown_shape", vendor="HubSpot")
        if writes:
            raise Unanswered("interrupted", unknown) from None
        raise RetryLater("hubspot_unavailable", unknown) from None


def make_missing_properties(http: Http, path: str, specs: Iterable[PropertySpec]) -> list[str]:
    """Makes the properties that are missing at ``path``, and their group; returns their names.

    Raises LacksRight.
    """
    have = {prop.name for prop in read_answer(parse.read_properties, http.read("GET", path))}
    missing = [spec for spec in specs if spec.name not in have]
    if missing:
        make_property_group(http, path)
    for spec in missing:
        http.write("POST", path, parse.make_property_body(spec, fields.PROPERTY_GROUP))
    return [spec.name for spec in missing]


def make_property_group(http: Http, path: str) -> None:
    groups = read_answer(parse.read_result_rows, http.read("GET", f"{path}/groups"))
    if not any(group.get("name") == fields.PROPERTY_GROUP for group in groups):
        http.write(
            "POST",
            f"{path}/groups",
            {"name": fields.PROPERTY_GROUP, "label": fields.PROPERTY_GROUP_LABEL},
        )
