"""A run as the contract's JSON object, and as text for a terminal."""

from __future__ import annotations

from typing import Any

from integration.models import SyncRun

# How a run that is still open looks to a script: it has not failed, and it is not done.
OPEN_STATUS = {SyncRun.State.QUEUED: "failed", SyncRun.State.RUNNING: "failed"}


def make_report(run: SyncRun) -> dict[str, Any]:
    """DESIGN section 6. ``status`` is succeeded, partial, failed or held."""
    return {
        "run": run.pk,
        "rule": f"{run.rule.account.slug}/{run.rule.slug}",
        "kind": run.kind,
        "status": OPEN_STATUS.get(run.state, run.state),  # type: ignore[call-overload]
        "dry_run": run.is_preview,
        "counts": run.counts,
        "calls": {"sansan": run.calls_sansan, "hubspot": run.calls_hubspot},
        "rate_limited": run.rate_limited,
        "seconds": round(run.seconds or 0.0, 3),
        "cursor": run.rule.cursor.isoformat() if run.rule.cursor else None,
        # What stopped a run is why the others wait.
        "reasons": {
            **run.reasons,
            **(
                {run.reason: run.counts["waiting"]}
                if run.reason and run.reason not in run.reasons
                else {}
            ),
        },
    }


def write_report(result: dict[str, Any], detail: str) -> str:
    counts = "  ".join(
        f"{name} {n:,}" for name, n in result["counts"].items() if n or name == "read"
    )
    lines = [
        (
            f"{result['rule']}: {result['kind']} run {result['run']} {result['status']} in "
            f"{result['seconds']:.1f} s"
        ),
        f"  {counts}",
    ]
    if result["reasons"]:
        lines.append(
            "  " + "  ".join(f"{name} {n:,}" for name, n in sorted(result["reasons"].items()))
        )
    lines.append(
        f"  calls: Sansan {result['calls']['sansan']:,}, HubSpot "
        f"{result['calls']['hubspot']:,}; rate-limited {result['rate_limited']}"
    )
    return "\n".join([*lines, f"  {detail}"] if detail else lines)
