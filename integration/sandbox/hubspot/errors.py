"""HubSpot's error bodies, in the shapes that recordings show."""

from __future__ import annotations

from typing import Any

import orjson

from integration.sandbox.wire import Response, make_json_response

CORRELATION_ID = "00000000-0000-4000-8000-000000000000"


class HubSpotProblem(Exception):
    """An error of one row, or of a whole request when nothing catches it by row."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        context: dict[str, list[str]] | None = None,
        errors: list[Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.category, self.message = status, category, message
        self.context, self.errors = context or {}, errors
        self.values: list[dict[str, Any]] = []  # what is wrong with single properties

    def row(self, trace: str | None, full: bool = False) -> dict[str, Any]:
        """``full`` as the OpenAPI file has it (HubSpot's own client reads nothing less), else as
        the recordings have it.
        """
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace else {})}
        row = {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": context,
        }
        return {**row, "errors": [], "links": {}} if full else row

    def response(self) -> Response:
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": CORRELATION_ID,
            "category": self.category,
        }
        # A refused request tells the owner of an address in its sentence only; rows have it as a
        # member too.
        if context := {
            name: values for name, values in self.context.items() if name != "existingId"
        }:
            body["context"] = context
        if self.errors:
            body["errors"] = self.errors
        return make_json_response(self.status, body)


def make_values_problem(problems: list[dict[str, Any]]) -> HubSpotProblem:
    """``Property values were not valid``: the list is JSON inside the message; e-mail problems have
    no ``errors``.
    """
    errors = [
        {"message": p["message"], "code": p["error"], "context": {"propertyName": [p["name"]]}}
        for p in problems
        if p["error"] != "INVALID_EMAIL"
    ]
    problem = HubSpotProblem(
        400,
        "VALIDATION_ERROR",
        f"Property values were not valid: {orjson.dumps(problems).decode()}",
        errors=errors or None,
    )
    problem.values = problems
    return problem


def join_problems(problems: list[HubSpotProblem]) -> HubSpotProblem:
    """What a batch that is refused whole says of its bad rows: every bad value, or one clash,
    without its owner where there are more.
    """
    first = problems[0]
    if first.values:
        return make_values_problem([value for problem in problems for value in problem.values])
    clashes = sum(problem.category == "CONFLICT" for problem in problems)
    return (
        HubSpotProblem(409, "CONFLICT", "Contact already exists")
        if first.category == "CONFLICT" and clashes > 1
        else first
    )


def as_value_problem(name: str, error: str, message: str) -> dict[str, Any]:
    return {
        "isValid": False,
        "message": message,
        "error": error,
        "name": name,
        "localizedErrorMessage": message,
        "portalId": 0,
    }


def make_exists_problem(owner: str) -> HubSpotProblem:
    return HubSpotProblem(
        409, "CONFLICT", f"Contact already exists. Existing ID: {owner}", {"existingId": [owner]}
    )


def make_taken_value_problem(
    name: str, value: str, mine: str, owner: str, kind: str = "CONTACT"
) -> HubSpotProblem:
    text = (
        f"Cannot set PropertyValueCoordinates{{portalId=0, "
        f"objectTypeId=ObjectTypeId{{legacyObjectType={kind}}}, "
        f"propertyName={name}, value={value}}} on {mine}. {owner} already has that value."
    )
    return HubSpotProblem(400, "VALIDATION_ERROR", text)


def make_not_found_problem(ids: list[str], kind: str = "CONTACT") -> HubSpotProblem:
    text = (
        f"Could not get some {kind} objects, they may be deleted or not exist. Check that ids are "
        "valid."
    )
    return HubSpotProblem(404, "OBJECT_NOT_FOUND", text, {"ids": ids})


def make_limit_response(policy: str = "TEN_SECONDLY_ROLLING") -> Response:
    """``policy`` is that, or DAILY."""
    window = policy.removesuffix("_ROLLING").lower().replace("_", "-")
    return make_json_response(
        429,
        {
            "status": "error",
            "message": f"You have reached your {policy.lower()} limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": CORRELATION_ID,
            "policyName": policy,
            "groupName": f"publicapi:private_app-api-calls-{window}",
        },
    )


def make_search_limit_response() -> Response:
    body = {
        "status": "error",
        "message": "You have reached your secondly limit.",
        "correlationId": CORRELATION_ID,
        "category": "RATE_LIMITS",
    }
    return make_json_response(429, body)


def require_scopes(missing: set[str], *scopes: str) -> None:
    """``missing`` are the scopes that the portal's app was not granted. Raises HubSpotProblem."""
    for scope in scopes:
        if scope in missing:
            errors = [
                {
                    "message": f"One or more of the following scopes are required: [{scope}]",
                    "context": {"requiredGranularScopes": [scope]},
                }
            ]
            raise HubSpotProblem(
                403,
                "MISSING_SCOPES",
                f"This app hasn't been granted all required scopes to make this call: {scope}.",
                errors=errors,
            )
