"""The change budget: more than this in one run, and nothing is written until a person has
looked.
"""

from __future__ import annotations

from collections.abc import Sequence

from integration.planning.decisions import CREATE, LINK, UPDATE, Decision
from integration.slice.charges import select_own_writes
from integration.slice.desk import Desk, RunHeld
from integration.slice.rows import Batch

BUDGET_KINDS = {"creates": (CREATE,), "updates": (UPDATE, LINK)}


def check_budget(desk: Desk, batch: Batch, decisions: Sequence[Decision]) -> None:
    """Raises RunHeld before anything is written that the rule's change budget does not cover."""
    limits = desk.rule.limits or {}
    for kind, decided in BUDGET_KINDS.items():
        if kind not in limits or desk.run.is_preview or desk.rule.waived:
            continue
        done = desk.run.created if kind == "creates" else desk.run.updated + desk.run.linked
        under_way = sum(one in decided for one in desk.sending.values())
        wanted = (
            done
            + under_way
            + sum(one.kind in decided for one in select_own_writes(desk, decisions, batch))
        )
        if wanted > int(limits[kind]):
            raise RunHeld(
                "budget_exceeded",
                (
                    f"At least {wanted} {kind} in this run, and the change budget allows "
                    f"{limits[kind]}."
                ),
            )
