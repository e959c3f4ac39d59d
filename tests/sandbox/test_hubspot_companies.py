"""Companies in HubSpot's half: the same calls as for contacts, their own properties, and no domain
that is only one company's.
"""

from __future__ import annotations

from typing import Any

import hubspot as official
import pytest
from hubspot.crm import companies as c

from integration.sandbox.server import EXAMPLE_TOKEN, Sandbox
from tests.sandbox.conftest import Caller

STYLES = [
    "/crm/v3/objects/companies",
    "/crm/objects/2026-03/companies",
    "/crm/v3/objects/company",
    "/crm/objects/2026-03/0-2",
]
PROPERTIES = [
    "/crm/v3/properties/companies",
    "/crm/properties/2026-03/companies",
    "/crm/properties/2026-03/0-2",
]
UNIQUE = {
    "name": "link_id",
    "label": "Link",
    "groupName": "sansan",
    "type": "string",
    "fieldType": "text",
    "hasUniqueValue": True,
}


@pytest.fixture
def companies(both: Sandbox, token: str) -> Caller:
    return Caller(both, {"Authorization": f"Bearer {token}"}, f"{STYLES[1]}/")


@pytest.fixture
def unique(companies: Caller) -> str:
    assert (
        companies(
            "POST", f"{PROPERTIES[0]}/groups", {"name": "sansan", "label": "Sansan"}
        ).status_code
        == 201
    )
    assert companies("POST", PROPERTIES[0], UNIQUE).status_code == 201
    return "link_id"


def make(companies: Caller, **values: str) -> str:
    answer = companies("POST", "", {"properties": values})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("base", STYLES)
def test_one_company_from_its_making_to_its_archiving(companies: Caller, base: str) -> None:
    made = companies(
        "POST", base, {"properties": {"name": "見本商事", "domain": "Mihon.Example.JP"}}
    )
    id = made.json()["id"]
    assert (
        made.status_code,
        made.json()["properties"]["domain"],
        "lastmodifieddate" in made.json()["properties"],
    ) == (
        201,
        "mihon.example.jp",
        False,
    )
    assert made.json()["url"].endswith(f"/record/0-2/{id}")
    read = companies("GET", f"{base}/{id}", properties="city,no_such").json()
    assert read["properties"].keys() == {
        "createdate",
        "domain",
        "hs_lastmodifieddate",
        "hs_object_id",
        "name",
        "city",
    }
    assert read["updatedAt"] == read["properties"]["hs_lastmodifieddate"]
    assert (
        companies("PATCH", f"{base}/{id}", {"properties": {"city": "千代田区"}}).json()[
            "properties"
        ]["city"]
        == "千代田区"
    )
    assert [row["id"] for row in companies("GET", base).json()["results"]] == [id]
    assert companies("DELETE", f"{base}/{id}").status_code == 204
    assert companies("GET", f"{base}/{id}").status_code == 404
    assert companies("GET", f"{base}/{id}", archived="true").json()["archived"] is True
    assert companies("GET", "/crm/v3/objects/contacts").json() == {"results": []}, (
        "no contact was made"
    )


def test_one_domain_makes_two_companies(companies: Caller) -> None:
    assert make(companies, domain="a.example.jp") != make(companies, domain="a.example.jp")
    filters = [{"filters": [{"propertyName": "domain", "operator": "EQ", "value": "a.example.jp"}]}]
    assert companies("POST", "search", {"filterGroups": filters}).json()["total"] == 2
    assert companies("POST", "", {"properties": {"city": "x"}}).status_code == 400, (
        "without a name or a domain there is none"
    )


def test_batches(companies: Caller, unique: str) -> None:
    rows = [
        {"properties": {"name": name, unique: name}, "objectWriteTraceId": name}
        for name in ("A", "B", "A")
    ]
    made = companies("POST", "batch/create", {"inputs": rows})
    (error,) = made.json()["errors"]
    assert (made.status_code, error["context"]) == (207, {"objectWriteTraceId": ["A"]})
    assert "legacyObjectType=COMPANY" in error["message"]
    ids = {row["properties"]["name"]: row["id"] for row in made.json()["results"]}
    upserts = [
        {"id": key, "idProperty": unique, "properties": {"name": f"{key}!"}} for key in ("A", "C")
    ]
    upserted = companies("POST", "batch/upsert", {"inputs": upserts})
    assert upserted.status_code == 200
    assert {row["properties"][unique]: row["new"] for row in upserted.json()["results"]} == {
        "A": False,
        "C": True,
    }
    assert (
        companies(
            "POST", "batch/update", {"inputs": [{"id": ids["B"], "properties": {"city": "x"}}]}
        ).status_code
        == 200
    )
    read = companies(
        "POST",
        "batch/read",
        {
            "inputs": [{"id": ids["A"]}, {"id": ids["B"]}, {"id": "7"}],
            "properties": ["city", unique],
        },
    )
    assert {
        row["properties"]["name"]: row["properties"]["city"] for row in read.json()["results"]
    } == {"A!": None, "B": "x"}
    assert (read.status_code, read.json()["errors"][0]["context"]) == (207, {"ids": ["7"]})
    assert "COMPANY" in read.json()["errors"][0]["message"]
    by = companies("POST", "batch/read", {"inputs": [{"id": "C"}], "idProperty": unique})
    assert [row["properties"]["name"] for row in by.json()["results"]] == ["C!"]
    assert (
        companies(
            "POST", "batch/archive", {"inputs": [{"id": id} for id in ids.values()]}
        ).status_code
        == 204
    )
    assert [row["properties"]["name"] for row in companies("GET", "").json()["results"]] == ["C!"]


REFUSED = {
    "a hundred and one": ("create", [{"properties": {"name": "x"}}] * 101, 400),
    "one bad row": (
        "create",
        [{"properties": {"name": "x"}}, {"properties": {"no_such": "x"}}],
        400,
    ),
    "upsert by domain": (
        "upsert",
        [{"id": "a.example.jp", "idProperty": "domain", "properties": {}}],
        400,
    ),
    "upsert by a contact's property": (
        "upsert",
        [{"id": "a@example.jp", "idProperty": "email", "properties": {}}],
        400,
    ),
    "one key twice": ("upsert", [{"id": "L", "idProperty": "link_id"}] * 2, 400),
}


@pytest.mark.parametrize(("verb", "rows", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_whole(
    companies: Caller, unique: str, verb: str, rows: list[dict[str, Any]], status: int
) -> None:
    assert companies("POST", f"batch/{verb}", {"inputs": rows}).status_code == status
    assert companies("GET", "").json() == {"results": []}


def test_merging_and_privacy_are_for_contacts(companies: Caller) -> None:
    assert (
        companies("POST", "gdpr-delete", {"objectId": make(companies, name="A")}).status_code == 404
    )


@pytest.mark.parametrize("base", PROPERTIES)
def test_properties_of_their_own(companies: Caller, base: str) -> None:
    own = {prop["name"]: prop for prop in companies("GET", base).json()["results"]}
    assert own.keys() >= set(
        (
            "name domain website phone city state zip country address hs_object_id createdate "
            "hs_lastmodifieddate"
        ).split()
    )
    assert (
        "email" not in own and own["hs_lastmodifieddate"]["modificationMetadata"]["readOnlyValue"]
    )
    assert (
        companies("POST", f"{base}/groups", {"name": "sansan", "label": "Sansan"}).status_code
        == 201
    )
    assert companies("POST", base, UNIQUE).json()["hasUniqueValue"] is True
    assert companies("GET", f"{base}/link_id").status_code == 200
    assert companies("GET", "/crm/v3/properties/contacts/link_id").status_code == 404
    assert {group["name"] for group in companies("GET", f"{base}/groups").json()["results"]} == {
        "companyinformation",
        "sansan",
    }
    assert companies("DELETE", f"{base}/link_id").status_code == 204


SCOPES: dict[str, tuple[str, str, str, Any]] = {
    "reading the list": ("crm.objects.companies.read", "GET", "", None),
    "searching": ("crm.objects.companies.read", "POST", "search", {}),
    "creating": ("crm.objects.companies.write", "POST", "", {"properties": {"name": "A"}}),
    "upserting": ("crm.objects.companies.write", "POST", "batch/upsert", {"inputs": []}),
    "making a property": ("crm.schemas.companies.write", "POST", PROPERTIES[0], UNIQUE),
}


@pytest.mark.parametrize(("scope", "method", "path", "body"), SCOPES.values(), ids=SCOPES)
def test_scopes(
    companies: Caller, control: Caller, token: str, scope: str, method: str, path: str, body: Any
) -> None:
    control("POST", "hubspot/scopes", {"token": token, "missing": [scope]})
    answer = companies(method, path, body)
    assert (
        answer.status_code,
        answer.json()["errors"][0]["context"]["requiredGranularScopes"],
    ) == (403, [scope])
    assert companies("GET", "/crm/v3/objects/contacts").status_code == 200


def test_the_official_client(both: Sandbox, token: str) -> None:
    companies: Any = official.Client.create(access_token=token, host=both.url).crm.companies
    new = c.SimplePublicObjectInputForCreate(
        properties={"name": "見本商事", "domain": "a.example.jp"}, associations=[]
    )
    made = companies.basic_api.create(new)
    has = c.Filter(property_name="domain", operator="EQ", value="a.example.jp")
    found = companies.search_api.do_search(
        c.PublicObjectSearchRequest(
            filter_groups=[c.FilterGroup(filters=[has])], properties=["name"]
        )
    )
    assert [(row.id, row.properties["name"]) for row in found.results] == [(made.id, "見本商事")]
    rows = [c.SimplePublicObjectBatchInput(id=made.id, properties={"city": "x"})]
    assert (
        companies.batch_api.update(c.BatchInputSimplePublicObjectBatchInput(inputs=rows))
        .results[0]
        .properties["city"]
        == "x"
    )
    assert [row.id for row in companies.get_all()] == [made.id]


def test_companies_owners_and_associations_outlive_a_restart() -> None:
    with Sandbox(cards=0, limits=False) as sandbox:
        act = sandbox.hubspot.control
        (contact,) = act("create", {"token": EXAMPLE_TOKEN, "contacts": [{"firstname": "Aiko"}]})
        call = Caller(sandbox, {"Authorization": f"Bearer {EXAMPLE_TOKEN}"}, f"{STYLES[0]}/")
        changes = sandbox.hubspot.changes
        company, gone = make(call, name="見本商事"), make(call, name="x")
        assert sandbox.hubspot.changes == changes + 2, "what changed is saved"
        call("DELETE", gone)
        (
            call("POST", f"{PROPERTIES[0]}/groups", {"name": "sansan", "label": "Sansan"}),
            call("POST", PROPERTIES[0], UNIQUE),
        )
        call("PATCH", company, {"properties": {"link_id": "L1"}})
        call("PUT", f"/crm/v4/objects/contact/{contact}/associations/default/company/{company}")
        act(
            "owners",
            {
                "token": EXAMPLE_TOKEN,
                "owners": [{"id": "5", "email": "five@acme.example.jp", "archived": True}],
            },
        )
        kept = Caller(sandbox, {})("GET", "/sandbox/state").json()
    with Sandbox(cards=0, limits=False) as sandbox:
        sandbox.hubspot.load(kept["hubspot"])
        assert Caller(sandbox, {})("GET", "/sandbox/state").json()["hubspot"] == kept["hubspot"]
        call = Caller(sandbox, {"Authorization": f"Bearer {EXAMPLE_TOKEN}"}, f"{STYLES[0]}/")
        assert call("GET", "L1", idProperty="link_id").json()["id"] == company
        assert (
            len(
                call("GET", f"/crm/v4/objects/contact/{contact}/associations/company").json()[
                    "results"
                ]
            )
            == 1
        )
        assert int(make(call, name="y")) > int(gone)
        assert [
            row["id"] for row in call("GET", "/crm/v3/owners", archived="true").json()["results"]
        ] == ["5"]
    for portal in kept["hubspot"].values():
        for name in ("companies", "associations", "owners"):
            del portal[name]
    with Sandbox(cards=0, limits=False) as sandbox:
        sandbox.hubspot.load(kept["hubspot"])
        assert contact in sandbox.hubspot.portal(EXAMPLE_TOKEN).contacts, (
            "a state of an earlier sandbox"
        )
