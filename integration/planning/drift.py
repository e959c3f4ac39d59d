"""What has changed of a portal's properties since they were read last. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PropertiesByName = Mapping[str, Mapping[str, Any]]


class Drift(NamedTuple):
    """Names of properties.

    ``renewed`` are there again, or are of another kind: what they hold is looked at anew.
    ``options`` take other values than before.
    """

    renewed: frozenset[str]
    options: frozenset[str]


def find_drift(before: PropertiesByName, after: PropertiesByName) -> Drift:
    """Of properties as ``fields.describe_property`` has them.

    Nothing has drifted while nothing was known. What has vanished needs no other look: its mapping
    is left out.
    """
    if not before:
        return Drift(frozenset(), frozenset())
    renewed = {name for name, now in after.items() if is_renewed(before.get(name), now)}
    options = {
        name
        for name, now in after.items()
        if name not in renewed
        and set(before[name].get("options", ())) != set(now.get("options", ()))
    }
    return Drift(frozenset(renewed), frozenset(options))


def is_renewed(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    kind = ("type", "field_type", "read_only")
    return before is None or any(before.get(name) != now.get(name) for name in kind)
