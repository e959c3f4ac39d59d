"""A batch that is refused whole: the right rows are blamed, and in few calls
(connectors/hubspot/batches.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.connectors.hubspot.batches import write_rows
from integration.connectors.hubspot.parse import Refusal
from integration.notes import note
from integration.records import Change, Result

Judge = Callable[[Change], Refusal | None]


class Portal:
    """Refuses a batch whole, and says of it what is wrong with its rows."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.calls = judge, 0

    def send(self, changes: Sequence[Change]) -> list[Result] | Refusal:
        self.calls += 1
        refusals = [refusal for change in changes if (refusal := self.judge(change))]
        if not refusals:
            return [Result(change.key, contact_id=f"9{change.key}") for change in changes]
        names = dict.fromkeys(name for refusal in refusals for name in refusal.properties)
        return refusals[0]._replace(properties=tuple(names))


def make_changes(n: int, **values: str) -> list[Change]:
    return [Change(str(i), {"lastname": f"森{i}", **values}) for i in range(n)]


def full(change: Change) -> Refusal:
    return Refusal("rejected", note("vendor_said", message=f"Limit of 50 reached ({change.key})"))


def refuse_option(change: Change) -> Refusal | None:
    wrong = change.values.get("rank") == "不明"
    return Refusal("unknown_option", note("no_reason"), properties=("rank",)) if wrong else None


def refuse_archived(change: Change) -> Refusal | None:
    there = "old" in change.values
    return Refusal("unknown_property", note("no_reason"), properties=("old",)) if there else None


def refuse_third(change: Change) -> Refusal | None:
    return full(change) if change.key == "3" else None


def mix(n: int, wrong: int, **values: str) -> list[Change]:
    """The last ones have the values."""
    return [*make_changes(n - wrong), *[Change(f"x{i}", {**values}) for i in range(wrong)]]


CASES: Mapping[str, tuple[Judge, list[Change], int, int]] = {
    "everybody is through": (lambda change: None, make_changes(50), 0, 1),
    "the portal is full": (full, make_changes(50), 50, 5),
    "few rows": (full, make_changes(4), 4, 7),
    "one of fifty": (refuse_third, make_changes(50), 1, 25),
    "one option, all": (refuse_option, make_changes(50, rank="不明"), 50, 2),
    "one option, some": (refuse_option, mix(50, 20, rank="不明"), 20, 5),
    "an archived property, other values": (
        refuse_archived,
        [Change(str(i), {"old": f"value {i}"}) for i in range(50)],
        50,
        2,
    ),
    "an archived property, some": (refuse_archived, mix(50, 5, old="a value"), 5, 5),
}


@pytest.mark.parametrize(("judge", "changes", "refused", "most"), CASES.values(), ids=CASES)
def test_few_calls_find_who_is_to_blame(judge, changes, refused, most):
    portal = Portal(judge)
    results = write_rows(portal.send, changes)
    assert [result.key for result in results] == [change.key for change in changes]
    assert {one.key for one in results if one.code} == {one.key for one in changes if judge(one)}
    assert sum(bool(result.code) for result in results) == refused
    assert portal.calls <= most


@given(
    st.lists(
        st.sampled_from([{}, {"rank": "A"}, {"rank": "不明"}, {"old": "1"}, {"old": "2"}]),
        min_size=1,
        max_size=60,
    )
)
def test_values_that_are_refused_cost_nobody_else(rows):
    def judge(change: Change) -> Refusal | None:
        return refuse_option(change) or refuse_archived(change)

    changes = [Change(str(i), values) for i, values in enumerate(rows)]
    results = write_rows(Portal(judge).send, changes)
    assert [bool(one.code) for one in results] == [judge(one) is not None for one in changes]
    assert all(set(one.properties) <= {"rank", "old"} for one in results)
