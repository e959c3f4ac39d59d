"""Which contact belongs to which company, in HubSpot's half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hubspot as official
import pytest
from hubspot.crm.associations import v4 as a

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller

STYLES = ["/crm/v4/associations", "/crm/associations/2026-03"]
PRIMARY = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
MISSING, NONE = "crm.associations.INVALID_IDENTIFIER", "crm.associations.NO_ASSOCIATIONS_FOUND"
Make = Callable[..., str]


def pair(one: str, other: str, **more: Any) -> dict[str, Any]:
    return {"from": {"id": one}, "to": {"id": other}, **more}


def kinds(row: dict[str, Any]) -> list[tuple[int, str | None]]:
    return [(kind["typeId"], kind["label"]) for kind in row["associationTypes"]]


PAIR_PATHS = {
    "v4": "/crm/v4/objects/contact/{}/associations/default/company/{}",
    "v4, plural": "/crm/v4/objects/contacts/{}/associations/default/companies/{}",
    "dated": "/crm/objects/2026-03/contact/{}/associations/default/company/{}",
    "dated, the types' ids": "/crm/objects/2026-03/0-1/{}/associations/default/0-2/{}",
}


@pytest.mark.parametrize("path", PAIR_PATHS.values(), ids=PAIR_PATHS)
def test_the_default_association_of_one_pair(
    hubspot: Caller, make: Make, company: Make, of: Any, path: str
) -> None:
    one, other = make(firstname="Aiko"), company()
    for _ in range(2):
        answer = hubspot("PUT", path.format(one, other))
        assert answer.status_code == 200
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
        assert answer.json()["results"] == [{**pair(one, other), "associationSpec": spec}]
    assert of(one) == {other: False}
    refused = hubspot("PUT", path.format(one, "7"))
    assert (refused.status_code, refused.json()["errors"][0]["subCategory"]) == (207, MISSING)


@pytest.mark.parametrize(
    "base",
    [f"{style}/{kinds}" for style in STYLES for kinds in ("contact/company", "contacts/companies")],
)
def test_batches(hubspot: Caller, make: Make, company: Make, base: str) -> None:
    (aiko, ben, chie), (a, b) = (
        [make(firstname=name) for name in "abc"],
        (company("A"), company("B")),
    )
    answer = hubspot(
        "POST",
        f"{base}/batch/associate/default",
        {"inputs": [pair(aiko, a), pair(ben, a), pair("7", a), pair(ben, "8")]},
    )
    assert (answer.status_code, len(answer.json()["results"]), answer.json()["numErrors"]) == (
        207,
        2,
        2,
    )
    assert sorted(
        (row["subCategory"], *row["context"]["id"]) for row in answer.json()["errors"]
    ) == [(MISSING, "7"), (MISSING, "8")]
    created = hubspot("POST", f"{base}/batch/create", {"inputs": [pair(aiko, b, types=PRIMARY)]})
    assert created.status_code == 201
    assert created.json()["results"] == [
        {
            "fromObjectTypeId": "0-1",
            "fromObjectId": aiko,
            "toObjectTypeId": "0-2",
            "toObjectId": b,
            "labels": ["Primary"],
        }
    ]
    wrong = hubspot(
        "POST",
        f"{base}/batch/create",
        {"inputs": [pair(aiko, b, types=[{**PRIMARY[0], "associationTypeId": 280}])]},
    )
    assert (wrong.status_code, wrong.json()["results"]) == (207, [])
    read = hubspot(
        "POST", f"{base}/batch/read", {"inputs": [{"id": id} for id in (aiko, ben, chie)]}
    )
    assert read.status_code == 207
    found = {
        row["from"]["id"]: {str(to["toObjectId"]): kinds(to) for to in row["to"]}
        for row in read.json()["results"]
    }
    assert found == {
        aiko: {a: [(279, None)], b: [(279, None), (1, "Primary")]},
        ben: {a: [(279, None)]},
    }
    (error,) = read.json()["errors"]
    assert (error["category"], error["subCategory"], error["context"]["fromObjectId"]) == (
        "OBJECT_NOT_FOUND",
        NONE,
        [chie],
    )
    gone = hubspot(
        "POST",
        f"{base}/batch/archive",
        {"inputs": [{"from": {"id": aiko}, "to": [{"id": a}, {"id": b}, {"id": "7"}]}]},
    )
    assert (gone.status_code, gone.content) == (204, b"")
    after = hubspot("POST", f"{base}/batch/read", {"inputs": [{"id": aiko}, {"id": ben}]}).json()
    assert [row["from"]["id"] for row in after["results"]] == [ben]
    assert hubspot("POST", f"{base}/batch/read", {"inputs": [{"id": ben}]}).status_code == 200


ID_TYPES = {
    "v4": (STYLES[0], int),
    "dated": (STYLES[1], str),
}


@pytest.mark.parametrize(("style", "kind"), ID_TYPES.values(), ids=ID_TYPES)
def test_an_id_is_a_number_in_one_style_and_a_text_in_the_other(
    hubspot: Caller, make: Make, company: Make, style: str, kind: type
) -> None:
    one = make(firstname="Aiko")
    hubspot("PUT", f"/crm/v4/objects/contact/{one}/associations/default/company/{company()}")
    (row,) = hubspot(
        "POST", f"{style}/contact/company/batch/read", {"inputs": [{"id": one}]}
    ).json()["results"]
    assert type(row["to"][0]["toObjectId"]) is kind


def test_a_contact_is_made_along_with_its_companies(
    hubspot: Caller, company: Make, of: Any
) -> None:
    a, b = company("A"), company("B")
    ends = [
        {"to": {"id": a}, "types": [{**PRIMARY[0], "associationTypeId": 279}]},
        {"to": {"id": b}, "types": PRIMARY},
    ]
    one = hubspot("POST", "", {"properties": {"firstname": "Aiko"}, "associations": ends}).json()[
        "id"
    ]
    assert of(one) == {a: False, b: True}
    refused = {
        "properties": {"firstname": "Ben"},
        "associations": [*ends, {"to": {"id": "7"}, "types": PRIMARY}],
    }
    assert hubspot("POST", "", refused).status_code == 400
    chie = {"properties": {"firstname": "Chie"}, "associations": ends}
    assert hubspot("POST", "batch/create", {"inputs": [chie, refused]}).status_code == 400
    assert [row["id"] for row in hubspot("GET", "").json()["results"]] == [one]
    (made,) = hubspot("POST", "batch/create", {"inputs": [chie]}).json()["results"]
    assert of(made["id"]) == {a: False, b: True}


def test_seen_from_the_company(hubspot: Caller, make: Make, company: Make) -> None:
    one, other = make(firstname="Aiko"), company()
    types = [{**PRIMARY[0], "associationTypeId": 2}]
    assert (
        hubspot(
            "PUT", f"/crm/v4/objects/companies/{other}/associations/contacts/{one}", types
        ).status_code
        == 201
    )
    (row,) = hubspot("GET", f"/crm/v4/objects/company/{other}/associations/contact").json()[
        "results"
    ]
    assert (row["toObjectId"], kinds(row)) == (int(one), [(280, None), (2, "Primary")])
    assert (
        hubspot("DELETE", f"/crm/v4/objects/company/{other}/associations/contact/{one}").status_code
        == 204
    )
    assert (
        hubspot("GET", f"/crm/v4/objects/contact/{one}/associations/company").json()["results"]
        == []
    )


MOST = {
    "read": ("read", 1000),
    "create": ("create", 2000),
    "associate by default": ("associate/default", 2000),
}


@pytest.mark.parametrize(("verb", "most"), MOST.values(), ids=MOST)
def test_how_many_at_once(hubspot: Caller, verb: str, most: int) -> None:
    row = {"id": "7"} if verb == "read" else pair("7", "8", types=PRIMARY)
    statuses = [
        hubspot(
            "POST", f"{STYLES[0]}/contact/company/batch/{verb}", {"inputs": [row] * n}
        ).status_code
        for n in (most, most + 1)
    ]
    assert statuses == [207, 400]


@pytest.mark.parametrize("kind", ["contacts", "companies"])
def test_scopes_of_both_kinds(hubspot: Caller, control: Caller, token: str, kind: str) -> None:
    for right, verb in (("read", "read"), ("write", "create")):
        control(
            "POST", "hubspot/scopes", {"token": token, "missing": [f"crm.objects.{kind}.{right}"]}
        )
        assert (
            hubspot("POST", f"{STYLES[1]}/contact/company/batch/{verb}", {"inputs": []}).status_code
            == 403
        )


def test_other_kinds_are_not_there(hubspot: Caller) -> None:
    assert (
        hubspot("POST", f"{STYLES[0]}/contact/deal/batch/read", {"inputs": []}).status_code == 404
    )


def test_a_limit_of_their_own() -> None:
    with Sandbox(cards=0, hubspot_limit=(2, 60.0)) as sandbox:
        call = Caller(sandbox, {"Authorization": "Bearer pat-test-limit"})
        paths = [f"{STYLES[0]}/contact/company/batch/read", "/crm/v3/objects/contacts/batch/read"]
        assert [call("POST", path, {}).status_code for path in paths * 3] == [200] * 4 + [429] * 2


def test_they_follow_merges_and_vanish_with_either_end(
    hubspot: Caller, control: Caller, token: str, make: Make, company: Make, of: Any
) -> None:
    aiko, ben, a, b = make(firstname="Aiko"), make(firstname="Ben"), company("A"), company("B")
    rows = [pair(aiko, a, types=PRIMARY), pair(ben, b, types=PRIMARY)]
    hubspot("POST", f"{STYLES[0]}/contact/company/batch/create", {"inputs": rows})
    merged = hubspot("POST", "merge", {"primaryObjectId": aiko, "objectIdToMerge": ben}).json()[
        "id"
    ]
    assert of(merged) == {a: True, b: False} and of(aiko) == {}
    (row,) = hubspot(
        "POST", f"{STYLES[0]}/contact/company/batch/read", {"inputs": [{"id": ben}]}
    ).json()["results"]
    assert (row["from"]["id"], len(row["to"])) == (ben, 2), (
        "an old id leads to the merged contact's"
    )
    hubspot("DELETE", f"/crm/v3/objects/companies/{b}")
    assert of(merged) == {a: True}
    hubspot("DELETE", merged)
    control("POST", "hubspot/restore", {"token": token, "id": merged})
    assert of(merged) == {}


def test_events(both: Sandbox, hubspot: Caller, token: str, make: Make, company: Make) -> None:
    one, a, b = make(firstname="Aiko"), company("A"), company("B")
    before = len(both.hubspot.hooks.events(token))
    for other in (a, a, b):
        hubspot(
            "POST",
            f"{STYLES[0]}/contact/company/batch/create",
            {"inputs": [pair(one, other, types=PRIMARY)]},
        )
    hubspot("DELETE", f"/crm/v3/objects/companies/{b}")
    rows = both.hubspot.hooks.events(token)[before:]
    assert {
        (row["subscriptionType"], row["associationType"], row["fromObjectId"], "objectId" in row)
        for row in rows
    } == {("contact.associationChange", "CONTACT_TO_COMPANY", int(one), False)}
    assert [
        (str(row["toObjectId"]), row["associationRemoved"], row["isPrimaryAssociation"])
        for row in rows
    ] == [
        (a, False, False),
        (a, False, True),
        (b, False, False),
        (a, True, True),
        (b, False, True),
        (b, True, True),
        (b, True, False),
    ]


def test_the_official_client(both: Sandbox, token: str, make: Make, company: Make) -> None:
    both.hubspot.switches["full_error_rows"] = True
    client: Any = official.Client.create(access_token=token, host=both.url).crm.associations.v4
    one, other, none = make(firstname="Aiko"), company(), make(firstname="Ben")
    assert client.basic_api.create_default("contact", one, "company", other).status == "COMPLETE"
    both_ends = a.PublicAssociationMultiPost(
        types=[a.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)],
        _from=a.PublicObjectId(id=one),
        to=a.PublicObjectId(id=other),
    )
    made = client.batch_api.create(
        "contact", "company", a.BatchInputPublicAssociationMultiPost(inputs=[both_ends])
    )
    assert [row.to_object_id for row in made.results] == [other]
    asked = [a.PublicFetchAssociationsBatchRequest(id=id) for id in (one, none)]
    read = client.batch_api.get_page(
        "contact", "company", a.BatchInputPublicFetchAssociationsBatchRequest(inputs=asked)
    )
    assert [kind.type_id for kind in read.results[0].to[0].association_types] == [279, 1]
    assert (read.num_errors, read.errors[0].sub_category) == (1, NONE)
    gone = a.PublicAssociationMultiArchive(
        _from=a.PublicObjectId(id=one), to=[a.PublicObjectId(id=other)]
    )
    assert (
        client.batch_api.archive(
            "contact", "company", a.BatchInputPublicAssociationMultiArchive(inputs=[gone])
        )
        is None
    )
    assert client.basic_api.get_page("contact", one, "company").results == []
