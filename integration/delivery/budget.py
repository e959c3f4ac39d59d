"""The change budget: more than it allows in one run, and nothing is written until a person has
looked.
"""

from __future__ import annotations

from collections.abc import Sequence

from integration.notes import note
from integration.planning.decisions import CREATE, LINK, UPDATE, Decision
from integration.slice.charges import select_own_writes
from integration.slice.desk import Desk, RunHeld
from integration.slice.rows import Batch

# What a rule's limits name -> (the decisions that count, the note of more than is allowed).
BUDGETS = {
    "creates": ((CREATE,), "creates_exceed_budget"),
    "updates": ((UPDATE, LINK), "updates_exceed_budget"),
}


def check_budget(desk: Desk, batch: Batch, decisions: Sequence[Decision]) -> None:
    """Raises RunHeld before anything is written that the rule's change budget does not cover."""
    if desk.run.is_preview or desk.rule.waived or not desk.rule.limits:
        return
    own = [decision.kind for decision in select_own_writes(desk, decisions, batch)]
    run = desk.run
    done = {"creates": run.created, "updates": run.updated + run.linked}
    for name, (kinds, exceeded) in BUDGETS.items():
        if name not in desk.rule.limits:
            continue
        under_way = desk.in_flight.count_writes(kinds)
        wanted = done[name] + under_way + sum(kind in kinds for kind in own)
        most = int(desk.rule.limits[name])
        if wanted > most:
            raise RunHeld("budget_exceeded", note(exceeded, n=wanted, most=most))


def check_company_budget(desk: Desk, people: int) -> None:
    """The same for people whose contact is to get a company, all at once: each is an update."""
    most = desk.rule.limits.get("updates")
    if most is not None and people > int(most) and not desk.rule.waived:
        raise RunHeld("budget_exceeded", note("companies_exceed_budget", n=people, most=int(most)))
