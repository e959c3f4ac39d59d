"""HubSpot's half behaves as its documentation and recordings say: single contacts, identity,
values, merges, properties.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from integration.sandbox.server import Sandbox
from tests.sandbox.conftest import Caller

PROPERTIES = "/crm/properties/2026-03/contacts"
BUILT = {"groupName": "contactinformation", "label": "Made"}


def problems(body: dict[str, Any]) -> list[tuple[str, str]]:
    """(property, code) of the list that HubSpot hides in the message."""
    return [
        (p["name"], p["error"]) for p in json.loads(body["message"].partition("not valid: ")[2])
    ]


STYLES = {
    "v3": "/crm/v3/objects/contacts",
    "dated": "/crm/objects/2026-03/contacts",
    "dated later": "/crm/objects/2026-09/contacts",
    "the type's id": "/crm/objects/2026-03/0-1",
    "the singular": "/crm/v3/objects/contact",
}


@pytest.mark.parametrize("base", STYLES.values(), ids=STYLES)
def test_every_path_style_leads_to_the_same_contacts(
    hubspot: Caller, make: Callable[..., str], base: str
) -> None:
    id = make(email="aiko@example.jp")
    assert hubspot("GET", f"{base}/{id}").json()["properties"]["email"] == "aiko@example.jp"


ACCOUNT_INFO = {
    "v3": "/account-info/v3/details",
    "dated": "/account-info/2026-03/details",
}


@pytest.mark.parametrize("path", ACCOUNT_INFO.values(), ids=ACCOUNT_INFO)
def test_each_token_is_a_portal_of_its_own(both: Sandbox, hubspot: Caller, path: str) -> None:
    other = Caller(both, {"Authorization": "Bearer pat-test-other"})
    assert hubspot("GET", path).json()["portalId"] != other("GET", path).json()["portalId"]


@pytest.mark.parametrize(
    "bad", ["", "Bearer pat-is-wrong", "Bearer something", "Bearer pat-revoked-1"]
)
def test_a_wrong_token_is_401(both: Sandbox, bad: str) -> None:
    answer = Caller(both, {"Authorization": bad})("GET", "/account-info/v3/details")
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


def test_a_missing_scope_is_403_and_says_which(
    hubspot: Caller, control: Caller, token: str
) -> None:
    control("POST", "hubspot/scopes", {"token": token, "missing": ["crm.schemas.contacts.write"]})
    answer = hubspot("POST", f"{PROPERTIES}/groups", {"name": "sansan", "label": "Sansan"})
    assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
    assert answer.json()["errors"][0]["context"]["requiredGranularScopes"] == [
        "crm.schemas.contacts.write"
    ]
    assert hubspot("GET", PROPERTIES).status_code == 200


def test_a_second_contact_with_the_address_is_409_with_the_first_ones_id(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    id = make(email="Aiko@Example.JP")
    answer = hubspot("POST", "", {"properties": {"email": "aiko@example.jp"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {id}"
    assert "context" not in answer.json()
    assert hubspot("GET", id).json()["properties"]["email"] == "aiko@example.jp", (
        "addresses are kept in lower case"
    )


def test_a_taken_address_or_unique_value_names_its_owner_on_update(
    hubspot: Caller, make: Callable[..., str], unique: str
) -> None:
    owner, other = make(email="aiko@example.jp", link_id="L1"), make(email="ben@example.jp")
    for values in ({"email": "aiko@example.jp"}, {unique: "L1"}):
        answer = hubspot("PATCH", other, {"properties": values})
        assert answer.status_code == 400
        assert f"on {other}. {owner} already has that value." in answer.json()["message"]


FOUND_BY = {
    "the address, in capitals": ("email", "AIKO@example.jp", 200),
    "a unique property": ("link_id", "L1", 200),
    "a unique property, in capitals": ("link_id", "l2", 404),
    "an id of nobody": ("", "nobody", 404),
    "a property that is not unique": ("jobtitle", "部長", 400),
}


@pytest.mark.parametrize(("by", "key", "status"), FOUND_BY.values(), ids=FOUND_BY)
def test_a_contact_is_found_by_what_is_unique(
    hubspot: Caller, make: Callable[..., str], unique: str, by: str, key: str, status: int
) -> None:
    make(email="aiko@example.jp", link_id="L1", jobtitle="部長")
    answer = hubspot("GET", key, idProperty=by)
    assert answer.status_code == status
    if status == 404:
        assert answer.json()["category"] == "OBJECT_NOT_FOUND"


def test_a_patch_of_nobody_is_404_and_makes_nobody(hubspot: Caller) -> None:
    assert hubspot("PATCH", "77", {"properties": {"firstname": "Aiko"}}).status_code == 404
    assert hubspot("GET", "").json() == {"results": []}


def test_reading_answers_what_was_asked(hubspot: Caller, make: Callable[..., str]) -> None:
    id = make(email="aiko@example.jp", jobtitle="部長")
    assert set(hubspot("GET", id).json()["properties"]) == {
        "createdate",
        "email",
        "firstname",
        "hs_object_id",
        "lastmodifieddate",
        "lastname",
    }
    values = hubspot("GET", id, properties="jobtitle,mobilephone,no_such").json()["properties"]
    assert (values["jobtitle"], values["mobilephone"], "no_such" in values) == ("部長", None, False)


VALUES = {
    "a property that is not there": ({"no_such": "x"}, [("no_such", "PROPERTY_DOESNT_EXIST")]),
    "no address": ({"email": "not-an-address"}, [("email", "INVALID_EMAIL")]),
    "an address with a mistyped domain": (
        {"email": "aiko@example.con"},
        [("email", "INVALID_EMAIL")],
    ),
    "an option that is none": ({"hs_lead_status": "Open"}, [("hs_lead_status", "INVALID_OPTION")]),
    "a number with a comma": ({"annualrevenue": "1,000"}, [("annualrevenue", "INVALID_INTEGER")]),
    "full-width digits": ({"annualrevenue": "１２"}, [("annualrevenue", "INVALID_INTEGER")]),
    "a date written otherwise": ({"made_date": "31/12/2026"}, [("made_date", "INVALID_DATE")]),
    "a truth written otherwise": ({"made_bool": "yes"}, [("made_bool", "INVALID_BOOLEAN")]),
    "a read-only property": (
        {"createdate": "2026-01-01T00:00:00Z"},
        [("createdate", "READ_ONLY_VALUE")],
    ),
    "a text too long": ({"firstname": "x" * 65_537}, [("firstname", "PROPERTY_VALUE_TOO_LONG")]),
    "two mistakes": (
        {"no_such": "x", "hs_lead_status": "?"},
        [("no_such", "PROPERTY_DOESNT_EXIST"), ("hs_lead_status", "INVALID_OPTION")],
    ),
    "no mistake": (
        {
            "annualrevenue": "12.5",
            "made_date": "2026-12-31",
            "made_bool": "true",
            "firstname": "",
            "hs_lead_status": "NEW",
        },
        None,
    ),
}


@pytest.mark.parametrize(("values", "expected"), VALUES.values(), ids=VALUES)
def test_values_are_checked(
    hubspot: Caller,
    make: Callable[..., str],
    values: dict[str, str],
    expected: list[tuple[str, str]] | None,
) -> None:
    for type_, field in (("date", "date"), ("bool", "booleancheckbox")):
        assert (
            hubspot(
                "POST",
                PROPERTIES,
                {**BUILT, "name": f"made_{type_}", "type": type_, "fieldType": field},
            ).status_code
            == 201
        )
    answer = hubspot("PATCH", make(email="aiko@example.jp"), {"properties": values})
    if expected is None:
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["category"], problems(answer.json())) == (
        400,
        "VALIDATION_ERROR",
        expected,
    )
    listed = [error["context"]["propertyName"] for error in answer.json().get("errors", ())]
    assert listed == [[name] for name, code in expected if code != "INVALID_EMAIL"], (
        "e-mail problems stand in the message alone"
    )


def test_options_must_be_there_first_and_a_leading_semicolon_appends(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    options = [{"label": "展示会2026", "value": "tag_1"}, {"label": "VIP", "value": "tag_2"}]
    made = hubspot(
        "POST",
        PROPERTIES,
        {
            **BUILT,
            "name": "tags",
            "type": "enumeration",
            "fieldType": "checkbox",
            "options": options,
        },
    )
    assert [row["value"] for row in made.json()["options"]] == ["tag_1", "tag_2"]
    id = make(email="aiko@example.jp", tags="tag_1")
    refused = hubspot("PATCH", id, {"properties": {"tags": ";tag_3"}})
    assert "tag_3 was not one of the allowed options: [tag_1, tag_2]" in refused.json()["message"]
    hubspot(
        "PATCH", f"{PROPERTIES}/tags", {"options": [*options, {"label": "新", "value": "tag_3"}]}
    )
    for written, kept in (
        (";tag_3", "tag_1;tag_3"),
        (";tag_3", "tag_1;tag_3"),
        ("tag_2", "tag_2"),
        ("", None),
    ):
        assert hubspot("PATCH", id, {"properties": {"tags": written}}).status_code == 200
        assert hubspot("GET", id, properties="tags").json()["properties"]["tags"] == kept


def test_a_stage_moves_only_forward_unless_it_is_blanked(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    id = make(email="aiko@example.jp", lifecyclestage="customer")
    for written, kept in (
        ("lead", "customer"),
        ("evangelist", "evangelist"),
        ("", None),
        ("lead", "lead"),
    ):
        assert (
            hubspot("PATCH", id, {"properties": {"lifecyclestage": written}})
            .json()["properties"]
            .get("lifecyclestage")
            == kept
        )


def test_a_merge_makes_a_third_contact_that_both_ids_and_addresses_lead_to(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    aiko, ben, chie = (
        make(email=f"{name}@example.jp", firstname=name) for name in ("aiko", "ben", "chie")
    )
    merged = hubspot("POST", "merge", {"primaryObjectId": aiko, "objectIdToMerge": ben}).json()
    assert merged["id"] not in (aiko, ben)
    assert merged["properties"]["hs_merged_object_ids"] == f"{aiko};{ben}"
    assert (merged["properties"]["email"], merged["properties"]["hs_additional_emails"]) == (
        "aiko@example.jp",
        "ben@example.jp",
    )
    again = hubspot(
        "POST", "merge", {"primaryObjectId": chie, "objectIdToMerge": merged["id"]}
    ).json()
    assert set(again["properties"]["hs_merged_object_ids"].split(";")) == {
        aiko,
        ben,
        chie,
        merged["id"],
    }
    for key, by in ((aiko, ""), (ben, ""), (merged["id"], ""), ("ben@example.jp", "email")):
        assert hubspot("GET", key, idProperty=by).json()["id"] == again["id"]
    assert (
        hubspot("POST", "", {"properties": {"email": "ben@example.jp"}})
        .json()["message"]
        .endswith(f"ID: {again['id']}")
    )


def test_where_the_primary_id_is_preserved_a_merge_keeps_it(
    both: Sandbox, hubspot: Caller, make: Callable[..., str]
) -> None:
    both.hubspot.switches["merge_keeps_primary"] = True
    aiko, ben = make(email="aiko@example.jp"), make(email="ben@example.jp")
    merged = hubspot("POST", "merge", {"primaryObjectId": aiko, "objectIdToMerge": ben}).json()
    assert (merged["id"], merged["properties"]["hs_merged_object_ids"]) == (aiko, ben)


def test_an_archived_contact_is_seen_only_when_asked_for_and_does_not_come_back(
    hubspot: Caller, make: Callable[..., str]
) -> None:
    id = make(email="aiko@example.jp")
    assert hubspot("DELETE", id).status_code == 204
    assert hubspot("GET", id).status_code == 404
    assert hubspot("GET", id, archived="true").json()["archived"] is True
    assert make(email="aiko@example.jp") != id


def test_the_list_goes_on_after_the_last_id(hubspot: Caller, make: Callable[..., str]) -> None:
    ids, seen, after = [make(firstname=str(i)) for i in range(5)], [], ""
    while True:
        page = hubspot("GET", "", limit=2, after=after).json()
        seen += [row["id"] for row in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert seen == ids


NEW_PROPERTIES = {
    "a good one": ({}, 201),
    "a name that is taken": ({"name": "email"}, 409),
    "a name with a capital": ({"name": "Upper"}, 400),
    "no label": ({"label": ""}, 400),
    "a group that is not there": ({"groupName": "nowhere"}, 400),
    "a type that does not fit": ({"type": "bool"}, 400),
    "an option twice": (
        {
            "type": "enumeration",
            "fieldType": "select",
            "options": [{"value": "a"}, {"value": "a"}],
        },
        400,
    ),
}


@pytest.mark.parametrize(("change", "status"), NEW_PROPERTIES.values(), ids=NEW_PROPERTIES)
def test_properties_are_made_with_care(
    hubspot: Caller, change: dict[str, Any], status: int
) -> None:
    assert (
        hubspot(
            "POST",
            PROPERTIES,
            {**BUILT, "name": "made", "type": "string", "fieldType": "text", **change},
        ).status_code
        == status
    )


def test_ten_unique_properties_and_no_more(hubspot: Caller) -> None:
    body = {**BUILT, "type": "string", "fieldType": "text", "hasUniqueValue": True}
    assert [
        hubspot("POST", PROPERTIES, {**body, "name": f"key_{i}"}).status_code for i in range(11)
    ] == [201] * 10 + [400]
