"""A run as the contract's JSON object, and as text for a terminal."""

from __future__ import annotations

from typing import Any

from integration.models import SyncRun
from integration.notes import export_notes, write_english

# How a run that is still open looks to a script: it has not failed, and it is not done.
OPEN_STATUS: dict[str, str] = {SyncRun.State.QUEUED: "failed", SyncRun.State.RUNNING: "failed"}


def make_report(run: SyncRun) -> dict[str, Any]:
    """The JSON object of docs/commands.md. ``status`` is succeeded, partial, failed or held.

    ``detail`` is there only where the run has something to say: each note as a code with its
    parameters, and as a sentence.
    """
    reasons = dict(run.reasons)
    if run.reason:
        # What stopped a run is why the others wait.
        reasons.setdefault(run.reason, run.counts["waiting"])
    report = {
        "run": run.pk,
        "rule": f"{run.rule.account.slug}/{run.rule.slug}",
        "kind": run.kind,
        "status": OPEN_STATUS.get(run.state, run.state),
        "dry_run": run.is_preview,
        "counts": run.counts,
        "calls": {"sansan": run.calls_sansan, "hubspot": run.calls_hubspot},
        "rate_limited": run.rate_limited,
        "seconds": round(run.seconds or 0.0, 3),
        "cursor": run.rule.cursor.isoformat() if run.rule.cursor else None,
        "reasons": reasons,
    }
    return {**report, "detail": export_notes(run.detail)} if run.detail else report


def write_report(result: dict[str, Any], detail: str) -> str:
    """The same for a terminal. ``detail`` are the run's notes as they are stored."""
    counts = join_counts({name: n for name, n in result["counts"].items() if n or name == "read"})
    calls = result["calls"]
    lines = [
        f"{result['rule']}: {result['kind']} run {result['run']} {result['status']} "
        f"in {result['seconds']:.1f} s",
        f"  {counts}",
        f"  {join_counts(dict(sorted(result['reasons'].items())))}",
        f"  calls: Sansan {calls['sansan']:,}, HubSpot {calls['hubspot']:,}; "
        f"rate-limited {result['rate_limited']}",
        f"  {write_english(detail)}",
    ]
    return "\n".join(line for line in lines if line.strip())


def join_counts(counts: dict[str, int]) -> str:
    return "  ".join(f"{name} {n:,}" for name, n in counts.items())
