"""HubSpot's error bodies, in the shapes that recordings show."""

from __future__ import annotations

from typing import Any

import orjson

from integration.sandbox.wire import Response, json_response

CORRELATION = "00000000-0000-4000-8000-000000000000"


class Problem(Exception):
    """An error of one row, or of a whole request when nothing catches it by row."""

    def __init__(self, status: int, category: str, message: str, context: dict[str, list[str]] | None = None, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.category, self.message = status, category, message
        self.context, self.errors = context or {}, errors

    def row(self, trace: str | None) -> dict[str, Any]:
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace else {})}
        return {"status": "error", "category": self.category, "message": self.message, "context": context}

    def response(self) -> Response:
        body: dict[str, Any] = {"status": "error", "message": self.message, "correlationId": CORRELATION, "category": self.category}
        if self.context:
            body["context"] = self.context
        if self.errors:
            body["errors"] = self.errors
        return json_response(self.status, body)


def invalid_values(problems: list[dict[str, Any]]) -> Problem:
    """``Property values were not valid``: the list is JSON inside the message; e-mail problems have no ``errors``."""
    errors = [
        {"message": p["message"], "code": p["error"], "context": {"propertyName": [p["name"]]}} for p in problems if p["error"] != "INVALID_EMAIL"
    ]
    return Problem(400, "VALIDATION_ERROR", f"Property values were not valid: {orjson.dumps(problems).decode()}", errors=errors or None)


def value_problem(name: str, error: str, message: str) -> dict[str, Any]:
    return {"isValid": False, "message": message, "error": error, "name": name, "localizedErrorMessage": message, "portalId": 0}


def exists(owner: str) -> Problem:
    return Problem(409, "CONFLICT", f"Contact already exists. Existing ID: {owner}", {"existingId": [owner]})


def owned(name: str, value: str, mine: str, owner: str) -> Problem:
    text = (
        "Cannot set PropertyValueCoordinates{portalId=0, objectTypeId=ObjectTypeId{legacyObjectType=CONTACT}, "
        f"propertyName={name}, value={value}}} on {mine}. {owner} already has that value."
    )
    return Problem(400, "VALIDATION_ERROR", text)


def not_found(ids: list[str]) -> Problem:
    text = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    return Problem(404, "OBJECT_NOT_FOUND", text, {"ids": ids})


def burst() -> Response:
    return json_response(
        429,
        {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": CORRELATION,
            "policyName": "TEN_SECONDLY_ROLLING",
            "groupName": "publicapi:private_app-api-calls-ten-secondly",
        },
    )


def search_burst() -> Response:
    body = {"status": "error", "message": "You have reached your secondly limit.", "correlationId": CORRELATION, "category": "RATE_LIMITS"}
    return json_response(429, body)
