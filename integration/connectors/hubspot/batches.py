"""A batch that HubSpot refuses whole: which rows are to blame, in few calls.

Pure but for ``send``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from integration.connectors.hubspot.parse import Refusal
from integration.records import Change, Result

# Sends rows as one batch: a Result a row, or why the whole batch was refused.
Send = Callable[[Sequence[Change]], list[Result] | Refusal]
# So many rows stand for a batch that is refused for no reason of a row's own (the portal is full).
PROBES = 4
# Refusals of a property, whatever its value.
VALUE_BLIND_CODES = ("unknown_property", "read_only")


def write_rows(send: Send, changes: Sequence[Change]) -> list[Result]:
    """One Result a change, in their order."""
    answer = send(changes)
    if not isinstance(answer, Refusal):
        return answer
    if len(changes) == 1:
        return [answer.as_result(changes[0].key)]
    if answer.properties:
        results = write_by_value(send, changes, answer)
    elif answer.code == "rejected" and len(changes) > PROBES:
        results = write_by_probes(send, changes)
    else:
        results = write_by_halves(send, changes)
    found = {result.key: result for result in results}
    return [found[change.key] for change in changes]


def write_by_halves(send: Send, changes: Sequence[Change]) -> list[Result]:
    half = len(changes) // 2
    return [*write_rows(send, changes[:half]), *write_rows(send, changes[half:])]


def write_by_value(send: Send, changes: Sequence[Change], refusal: Refusal) -> list[Result]:
    """Rows with the same values of the properties that were refused are refused alike: one of them
    is tried for all.
    """
    blind = refusal.code in VALUE_BLIND_CODES
    groups: dict[tuple[tuple[str, str], ...], list[Change]] = {}
    for change in changes:
        named = tuple(
            (name, "" if blind else change.values[name])
            for name in refusal.properties
            if name in change.values
        )
        groups.setdefault(named, []).append(change)
    rest = groups.pop((), [])
    if not groups or len(groups) == len(changes):
        return write_by_halves(send, changes)
    results = write_rows(send, [group[0] for group in groups.values()])
    for result, (values, group) in zip(list(results), groups.items(), strict=True):
        known = {name for name, _ in values}.intersection(result.properties)
        if known and (not blind or result.code in VALUE_BLIND_CODES):
            results += [replace(result, key=change.key) for change in group[1:]]
        else:
            rest += group[1:]
    return results + (write_rows(send, rest) if rest else [])


def write_by_probes(send: Send, changes: Sequence[Change]) -> list[Result]:
    """Tries single rows. Where they are refused alike, so is everything else.

    Other rows at each time, so that a good one among many bad ones gets through in the end.
    """
    results: list[Result] = []
    for change in random.sample(list(changes), PROBES):
        results += write_rows(send, [change])
        if not is_refused_alike(results[0], results[-1]):
            break
    tried = {result.key for result in results}
    rest = [change for change in changes if change.key not in tried]
    if is_refused_alike(results[0], results[-1]):
        return results + [replace(results[0], key=change.key) for change in rest]
    return results + write_by_halves(send, rest)


def is_refused_alike(one: Result, other: Result) -> bool:
    """Whether both are refused, in the same words but for numbers."""
    words = [re.sub(r"\d+", "", result.detail) for result in (one, other)]
    return one.code == other.code == "rejected" and words[0] == words[1]
