"""The sandbox's own verbs under /sandbox/: its state whole, faults, switches, and what people do at
either vendor.
"""

from __future__ import annotations

from typing import Any

from integration.sandbox.hubspot.errors import HubSpotProblem
from integration.sandbox.vendors import Vendors
from integration.sandbox.wire import Request, Response, make_json_response


def answer_control_call(sandbox: Vendors, request: Request) -> Response:
    try:
        return make_json_response(
            200, perform_control_verb(sandbox, request.method, request.path.split("/")[2:], request)
        )
    except HubSpotProblem as problem:
        return problem.response()
    except (KeyError, ValueError, TypeError) as wrong:
        return make_json_response(400, {"error": f"{type(wrong).__name__}: {wrong}"})


def perform_control_verb(sandbox: Vendors, method: str, parts: list[str], request: Request) -> Any:
    body = request.json()
    match (method, *parts):
        case ("GET", "state"):
            return {"sansan": sandbox.sansan.state(), "hubspot": sandbox.hubspot.state()}
        case ("GET", "calls"):
            return sandbox.calls
        case ("POST", "calls", "reset"):
            sandbox.reset_calls()
        case ("POST", "faults"):
            for fault in body if isinstance(body, list) else [body]:
                sandbox.faults.arm(**fault)
        case ("DELETE", "faults"):
            sandbox.faults.clear()
        case ("GET", "switches"):
            return {
                "latency_ms": sandbox.latency_ms,
                "sansan": sandbox.sansan.switches,
                "hubspot": sandbox.hubspot.switches,
            }
        case ("PATCH", "switches"):
            sandbox.latency_ms = body.get("latency_ms", sandbox.latency_ms)
            sandbox.sansan.switches.update(body.get("sansan", {}))
            sandbox.hubspot.switches.update(body.get("hubspot", {}))
        case ("POST", "hubspot", verb):
            return sandbox.hubspot.control(verb, body)
        case (_, "sansan", *rest):
            return perform_sansan_verb(sandbox, method, rest, body)
        case _:
            raise ValueError(f"no such verb: {method} {request.path}")
    return {"ok": True}


def perform_sansan_verb(sandbox: Vendors, method: str, parts: list[str], body: Any) -> Any:
    half = sandbox.sansan
    match (method, *parts):
        case ("POST", "cards"):
            return [half.add(card)["id"] for card in (body if isinstance(body, list) else [body])]
        case ("PATCH", "cards", id):
            half.change(id, body)
        case ("DELETE", "cards", id):
            half.delete(id)
        case ("POST", "churn"):
            return half.churn(float(body.get("percent", 1)), int(body.get("seed", 1)))
        case ("POST", "merge"):
            half.merge(body["ids"])
        case ("POST", "hide" | "show"):
            return half.hide(parts[0] == "hide", body.get("ids"), float(body.get("percent", 0)))
        case ("POST", "revoke"):
            half.revoked.add(body["key"])
        case _:
            raise ValueError("no such verb")
    return {"ok": True}
