"""What the sandbox answers in HubSpot's stead has the shape of HubSpot's OpenAPI files.

Where recordings and documentation of HubSpot contradict the files, the files are read more loosely,
and ``loosened`` says where.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # brings no types
import pytest

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller

ROOT = Path(__file__).parents[2]
FILES = Path(
    os.environ.get("HUBSPOT_OPENAPI_DIR") or ROOT.parent / "shared" / "apis" / "hubspot-openapi"
)
NAMES = [
    f"{resource}.{version}.json"
    for resource in ("contacts", "companies", "properties", "accountInfo")
    for version in ("v3", "2026-03")
]
# Associations' files go by another version than their neighbours'.
ASSOCIATIONS = {"v3": "associations.v4.130902.json", "2026-03": "associations.2026-03.json"}
pytestmark = pytest.mark.skipif(
    not all((FILES / name).exists() for name in (*NAMES, *ASSOCIATIONS.values())),
    reason="HubSpot's OpenAPI files are not here; HUBSPOT_OPENAPI_DIR may say where they are",
)
STYLES = {
    "v3": (
        "v3",
        "/crm/v3/objects/contacts",
        "/crm/v3/properties/contacts",
        "/account-info/v3/details",
    ),
    "2026-03": (
        "2026-03",
        "/crm/objects/2026-03/contacts",
        "/crm/properties/2026-03/contacts",
        "/account-info/2026-03/details",
    ),
}
FORMATS = jsonschema.FormatChecker()


def validate(said: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(said, schema, jsonschema.Draft202012Validator, format_checker=FORMATS)


@FORMATS.checks("date-time")
def is_moment(value: Any) -> bool:
    return (
        not isinstance(value, str)
        or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", value)
        is not None
    )


@cache
def loosened(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FILES / name).read_text())
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        # An unset property is null on the wire; the files know only texts.
        if "properties" in (members := schema.get("properties", {})) and "createdAt" in members:
            members["properties"]["additionalProperties"] = {"type": "string", "nullable": True}
        # A member that no file knows is an invention of ours.
        schema.setdefault("additionalProperties", False)
    if name.startswith("associations."):
        # The file has an object; recordings have a text.
        schemas["StandardError"]["properties"]["subCategory"] = {"type": "string"}
        if ".v4." in name:
            # So in what people show of v4.
            schemas["MultiAssociatedObjectWithLabel"]["properties"]["toObjectId"] = {
                "type": "integer"
            }
        schemas["AssociationSpecWithLabel"]["properties"]["label"] = {
            "type": "string",
            "nullable": True,
        }
    # In every recording, in no file.
    schemas["Error"]["properties"]["status"] = {
        "type": "string",
        "enum": ["error"],
    }
    return document


def schema_of(name: str, method: str, path: str, status: int) -> dict[str, Any] | None:
    """The schema of an answer's body, in JSON Schema's words; None where there is no body."""
    document = loosened(name)
    found = [
        known
        for known in document["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path)
    ]
    # A path without a variable is the better match: batch/read is no contact's id.
    operation = document["paths"][min(found, key=lambda known: known.count("{"))][method.lower()]
    answer = operation["responses"].get(str(status))
    if answer is None:
        assert status >= 400, f"{method} {path} never answers {status}"
        answer = document["components"]["responses"]["Error"]
    content = next(iter(answer.get("content", {}).values()), None)
    return (
        json_schema({**content["schema"], "components": document["components"]})
        if content
        else None
    )


def json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says ``nullable`` where JSON Schema lists a type."""
    if isinstance(node, list):
        return [json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {name: json_schema(part) for name, part in node.items()}
    if node.pop("nullable", False):
        node["type"] = [node["type"], "null"]
    return node


class Checked:
    """A caller that compares every answer with the file; ``statuses`` are those that it met."""

    def __init__(self, caller: Caller, style: tuple[str, str, str, str]) -> None:
        self.caller, self.statuses = caller, list[int]()
        self.version, self.contacts, self.properties, self.account = style

    def __call__(
        self, method: str, path: str, body: Any = None, status: int = 200, **query: Any
    ) -> Any:
        answer = self.caller(method, path, body, **query)
        assert answer.status_code == status, answer.text
        schema = schema_of(self.file(path), method, path, status)
        if schema is None:
            assert not answer.content
            return None
        validate(answer.json(), schema)
        return answer.json()

    def file(self, path: str) -> str:
        if "associations" in path:
            return ASSOCIATIONS[self.version]
        kind = "companies" if "/companies" in path else "contacts"
        resource = (
            kind if "objects" in path else "properties" if "properties" in path else "accountInfo"
        )
        return f"{resource}.{self.version}.json"


@pytest.fixture(params=["v3", "2026-03"])
def call(request: pytest.FixtureRequest, both: Sandbox, hubspot: Caller) -> Checked:
    both.hubspot.switches["full_error_rows"] = (
        True  # the recordings have fewer members than the files ask for
    )
    return Checked(hubspot, STYLES[request.param])


def test_single_contacts(call: Checked) -> None:
    id = call("POST", call.contacts, {"properties": {"email": "aiko@example.jp"}}, 201)["id"]
    call("GET", f"{call.contacts}/{id}", properties="jobtitle,email")
    call("PATCH", f"{call.contacts}/{id}", {"properties": {"jobtitle": "部長"}})
    call("POST", call.contacts, {"properties": {"email": "ben@example.jp"}}, 201)
    assert call("GET", call.contacts, limit=1)["paging"]["next"]["after"] == id
    call(
        "POST",
        f"{call.contacts}/search",
        {"limit": 1, "properties": ["jobtitle"], "sorts": ["email"]},
    )
    other = call("GET", f"{call.contacts}/ben@example.jp", idProperty="email")["id"]
    merged = call(
        "POST", f"{call.contacts}/merge", {"primaryObjectId": id, "objectIdToMerge": other}
    )["id"]
    call("DELETE", f"{call.contacts}/{merged}", status=204)
    call("GET", f"{call.contacts}/{merged}", archived="true")
    call(
        "POST",
        f"{call.contacts}/gdpr-delete",
        {"objectId": "nobody@example.jp", "idProperty": "email"},
        204,
    )


def test_batches(call: Checked) -> None:
    rows = [
        {"properties": {"email": f"{name}@example.jp"}, "objectWriteTraceId": name}
        for name in ("aiko", "ben")
    ]
    made = call("POST", f"{call.contacts}/batch/create", {"inputs": rows}, 201)["results"]
    call(
        "POST",
        f"{call.contacts}/batch/create",
        {"inputs": [*rows, {"properties": {"no_such": "x"}, "objectWriteTraceId": "bad"}]},
        207,
    )
    ids = [{"id": row["id"]} for row in made]
    call("POST", f"{call.contacts}/batch/read", {"inputs": ids, "properties": ["jobtitle"]})
    call("POST", f"{call.contacts}/batch/read", {"inputs": [*ids, {"id": "7"}]}, 207)
    changes = [{**id, "properties": {"jobtitle": "部長"}} for id in ids]
    call("POST", f"{call.contacts}/batch/update", {"inputs": changes})
    call(
        "POST",
        f"{call.contacts}/batch/update",
        {"inputs": [*changes, {"id": "7", "properties": {}}]},
        207,
    )
    upserts: list[dict[str, Any]] = [
        {
            "id": f"{name}@example.jp",
            "idProperty": "email",
            "properties": {},
            "objectWriteTraceId": name,
        }
        for name in ("aiko", "chie", "nonsense@")
    ]
    call("POST", f"{call.contacts}/batch/upsert", {"inputs": upserts[:2]})
    call("POST", f"{call.contacts}/batch/upsert", {"inputs": upserts}, 207)
    call("POST", f"{call.contacts}/batch/archive", {"inputs": ids}, 204)


def test_properties_and_groups(call: Checked) -> None:
    call("POST", f"{call.properties}/groups", {"name": "sansan", "label": "Sansan"}, 201)
    call("GET", f"{call.properties}/groups")
    prop = {
        "groupName": "sansan",
        "label": "Tags",
        "type": "enumeration",
        "fieldType": "checkbox",
        "options": [{"label": "VIP", "value": "v"}],
    }
    call("POST", call.properties, {**prop, "name": "tags"}, 201)
    call(
        "PATCH",
        f"{call.properties}/tags",
        {"options": [{"label": "新", "value": "n", "hidden": False}]},
    )
    call("GET", f"{call.properties}/tags")
    call("GET", call.properties)
    call("POST", f"{call.properties}/batch/create", {"inputs": [{**prop, "name": "more"}]}, 201)
    call("POST", f"{call.properties}/batch/read", {"inputs": [{"name": "more"}], "archived": False})
    call("POST", call.properties, {**prop, "name": "tags"}, 409)
    call("POST", call.properties, {**prop, "name": "x", "type": "no_type"}, 400)
    call("GET", f"{call.properties}/no_such", status=404)
    call("DELETE", f"{call.properties}/tags", status=204)


def test_companies(call: Checked) -> None:
    base = call.contacts.replace("contacts", "companies")
    id = call("POST", base, {"properties": {"name": "見本商事"}}, 201)["id"]
    call("GET", f"{base}/{id}", properties="city")
    call("PATCH", f"{base}/{id}", {"properties": {"city": "千代田区"}})
    call("POST", f"{base}/search", {"properties": ["city"]})
    call("POST", f"{base}/batch/create", {"inputs": [{"properties": {"name": "x"}}]}, 201)
    call("POST", f"{base}/batch/read", {"inputs": [{"id": id}, {"id": "7"}]}, 207)
    call("POST", f"{base}/batch/update", {"inputs": [{"id": id, "properties": {"city": "x"}}]})
    call("DELETE", f"{base}/{id}", status=204)
    call("GET", call.properties.replace("contacts", "companies"))


def test_associations(call: Checked, make: Callable[..., str]) -> None:
    one, none = make(firstname="Aiko"), make(firstname="Ben")
    other = call(
        "POST",
        call.contacts.replace("contacts", "companies"),
        {"properties": {"name": "見本商事"}},
        201,
    )["id"]
    base, single = {
        "v3": ("/crm/v4/associations/contact/company/batch", "/crm/v4/objects/contact"),
        "2026-03": (
            "/crm/associations/2026-03/contact/company/batch",
            "/crm/objects/2026-03/contact",
        ),
    }[call.version]
    pair = {"from": {"id": one}, "to": {"id": other}}
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    call("PUT", f"{single}/{one}/associations/default/company/{other}")
    call("POST", f"{base}/associate/default", {"inputs": [pair]})
    call("POST", f"{base}/create", {"inputs": [{**pair, "types": types}]}, 201)
    call("POST", f"{base}/create", {"inputs": [{**pair, "to": {"id": "7"}, "types": types}]}, 207)
    call("POST", f"{base}/read", {"inputs": [{"id": one}]})
    call("POST", f"{base}/read", {"inputs": [{"id": one}, {"id": none}]}, 207)
    call("GET", f"{single}/{one}/associations/company")
    call("PUT", f"{single}/{one}/associations/company/{other}", types, 201)
    call("DELETE", f"{single}/{one}/associations/company/{other}", status=204)


def test_account_details(call: Checked) -> None:
    call("GET", call.account)


def test_error_bodies(call: Checked, both: Sandbox, make: Callable[..., str]) -> None:
    id = make(email="aiko@example.jp")
    call("GET", f"{call.contacts}/7", status=404)
    call("POST", call.contacts, {"properties": {"email": "aiko@example.jp"}}, 409)
    call("PATCH", f"{call.contacts}/{id}", {"properties": {"no_such": "x", "createdate": "x"}}, 400)
    call("POST", f"{call.contacts}/batch/update", {"inputs": [{"id": id}, {"id": id}]}, 400)
    call("POST", f"{call.contacts}/batch/upsert", {"inputs": [{"id": id}]}, 400)
    call("POST", f"{call.contacts}/search", {"limit": 1000}, 400)
    portal = both.hubspot.portal(
        str(call.caller.session.headers["Authorization"]).removeprefix("Bearer ")
    )
    portal.scopes_missing = {"crm.objects.contacts.write"}
    call("DELETE", f"{call.contacts}/{id}", status=403)
    call.caller.session.headers["Authorization"] = "Bearer pat-wrong"
    call("GET", call.account, status=401)


def test_the_check_itself_sees_what_is_wrong() -> None:
    schema = schema_of("contacts.v3.json", "GET", "/crm/v3/objects/contacts/7", 200)
    right = {
        "id": "7",
        "properties": {"email": None},
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "archived": False,
    }
    check = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    check.validate(right)
    for change in (
        {"id": 7},
        {"properties": {"email": 1}},
        {"createdAt": "yesterday"},
        {"invented": 1},
        {"archived": None},
    ):
        assert list(check.iter_errors({**copy.deepcopy(right), **change})), change
