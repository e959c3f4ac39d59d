"""HubSpot's own Python client works against the sandbox unchanged, and gets its own types back."""

from __future__ import annotations

import json
import re
from typing import Any

import hubspot as official
import pytest
from hubspot.crm import contacts as c
from hubspot.crm import properties as p

from integration.sandbox.server import Sandbox


@pytest.fixture
def client(both: Sandbox, token: str) -> Any:
    """``host`` is for the typed APIs, ``base_url`` for plain requests."""
    return official.Client.create(access_token=token, host=both.url, base_url=both.url)


@pytest.fixture
def contacts(client: Any) -> Any:
    return client.crm.contacts


@pytest.fixture
def link_id(client: Any) -> str:
    """A property with unique values, in a group of its own."""
    client.crm.properties.groups_api.create(
        "contacts", p.PropertyGroupCreate(name="sansan", label="Sansan")
    )
    made = p.PropertyCreate(
        name="sansan_link_id",
        label="Link",
        group_name="sansan",
        type="string",
        field_type="text",
        has_unique_value=True,
    )
    assert client.crm.properties.core_api.create("contacts", made).has_unique_value is True
    return "sansan_link_id"


def new(**properties: str) -> Any:
    return c.SimplePublicObjectInputForCreate(properties=properties, associations=[])


def many(*rows: dict[str, str], traced: bool = False) -> Any:
    inputs = [
        c.SimplePublicObjectBatchInputForCreate(
            properties=row, associations=[], object_write_trace_id=f"r{i}" if traced else None
        )
        for i, row in enumerate(rows)
    ]
    return c.BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs)


def by_name(results: list[Any]) -> dict[str, Any]:
    return {row.properties["firstname"]: row for row in results}


def test_one_contact_from_its_making_to_its_archiving(contacts: Any) -> None:
    made = contacts.basic_api.create(new(email="Aiko@example.jp", firstname="Aiko"))
    assert isinstance(made, c.SimplePublicObject)
    read = contacts.basic_api.get_by_id(made.id, properties=["email", "jobtitle"])
    assert isinstance(read, c.SimplePublicObjectWithAssociations)
    assert (
        read.properties["email"],
        read.properties["jobtitle"],
        read.archived,
        read.created_at,
    ) == (
        "aiko@example.jp",
        None,
        False,
        made.created_at,
    )
    changed = contacts.basic_api.update(
        made.id, c.SimplePublicObjectInput(properties={"jobtitle": "部長"})
    )
    assert (changed.properties["jobtitle"], changed.updated_at >= made.updated_at) == ("部長", True)
    assert contacts.basic_api.get_by_id("aiko@example.jp", id_property="email").id == made.id
    assert contacts.basic_api.archive(made.id) is None
    with pytest.raises(c.ApiException) as gone:
        contacts.basic_api.get_by_id(made.id)
    assert (gone.value.status, json.loads(gone.value.body)["category"]) == (404, "OBJECT_NOT_FOUND")


def test_a_conflict_tells_who_has_the_address(contacts: Any) -> None:
    made = contacts.basic_api.create(new(email="aiko@example.jp"))
    with pytest.raises(c.ApiException) as conflict:
        contacts.basic_api.create(new(email="AIKO@example.jp"))
    body = json.loads(conflict.value.body)
    assert (conflict.value.status, body["category"]) == (409, "CONFLICT")
    assert re.findall(r"Existing ID:\s*(\d+)", body["message"]) == [made.id]


def test_everybody_page_by_page(contacts: Any) -> None:
    made = contacts.batch_api.create(many(*({"firstname": str(i)} for i in range(100))))
    contacts.basic_api.create(new(firstname="last"))
    everybody = contacts.get_all()
    assert len(made.results) == 100
    assert [row.properties["firstname"] for row in everybody] == [*map(str, range(100)), "last"]


def test_batches_of_creates_reads_updates_and_archives(contacts: Any) -> None:
    made = contacts.batch_api.create(many({"firstname": "Aiko"}, {"firstname": "Ben"}))
    assert isinstance(made, c.BatchResponseSimplePublicObject) and made.status == "COMPLETE"
    ids = {name: row.id for name, row in by_name(made.results).items()}
    inputs = [
        c.SimplePublicObjectBatchInput(id=id, properties={"jobtitle": name})
        for name, id in ids.items()
    ]
    contacts.batch_api.update(c.BatchInputSimplePublicObjectBatchInput(inputs=inputs))
    asked = [c.SimplePublicObjectId(id=id) for id in ids.values()]
    read = contacts.batch_api.read(
        c.BatchReadInputSimplePublicObjectId(
            inputs=asked, properties=["firstname", "jobtitle"], properties_with_history=[]
        )
    )
    assert {row.properties["jobtitle"]: row.id for row in read.results} == ids
    contacts.batch_api.archive(c.BatchInputSimplePublicObjectId(inputs=asked))
    assert contacts.get_all() == []


def test_upserts_by_a_unique_property(contacts: Any, link_id: str) -> None:
    contacts.basic_api.create(new(firstname="Aiko", **{link_id: "L1"}))
    rows = [("L1", "Aiko"), ("L2", "Ben")]
    inputs = [
        c.SimplePublicObjectBatchInputUpsert(
            id=key, id_property=link_id, properties={"firstname": name}
        )
        for key, name in rows
    ]
    answer = contacts.batch_api.upsert(
        c.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs)
    )
    assert isinstance(answer, c.BatchResponseSimplePublicUpsertObject)
    assert {
        name: (row.new, row.properties[link_id]) for name, row in by_name(answer.results).items()
    } == {"Aiko": (False, "L1"), "Ben": (True, "L2")}


def test_a_batch_with_a_bad_row(both: Sandbox, contacts: Any) -> None:
    """The client insists on members of an error row that recordings of HubSpot do not have, hence
    the switch.
    """
    both.hubspot.switches["full_error_rows"] = True
    answer = contacts.batch_api.create(
        many({"firstname": "Aiko"}, {"email": "nonsense"}, traced=True)
    )
    assert isinstance(answer, c.BatchResponseSimplePublicObjectWithErrors)
    assert (answer.num_errors, list(by_name(answer.results))) == (1, ["Aiko"])
    (error,) = answer.errors
    assert (error.category, error.context) == ("VALIDATION_ERROR", {"objectWriteTraceId": ["r1"]})


def test_a_batch_that_is_refused_whole(contacts: Any) -> None:
    with pytest.raises(c.ApiException) as refused:
        contacts.batch_api.create(many({"firstname": "Aiko"}, {"no_such": "x"}))
    assert (refused.value.status, json.loads(refused.value.body)["errors"][0]["code"]) == (
        400,
        "PROPERTY_DOESNT_EXIST",
    )
    assert contacts.get_all() == []


def test_search(contacts: Any) -> None:
    contacts.batch_api.create(
        many(
            {"firstname": "Aiko", "email": "aiko@example.jp"},
            {"firstname": "Ben"},
            {"firstname": "Chie", "email": "chie@example.jp"},
        )
    )
    has = c.Filter(property_name="email", operator="HAS_PROPERTY")
    request = c.PublicObjectSearchRequest(
        filter_groups=[c.FilterGroup(filters=[has])],
        sorts=["-email"],
        properties=["firstname"],
        limit=1,
    )
    found = contacts.search_api.do_search(request)
    assert (found.total, list(by_name(found.results)), found.paging.next.after) == (
        2,
        ["Chie"],
        "1",
    )


def test_merge(contacts: Any) -> None:
    aiko, ben = (
        contacts.basic_api.create(new(email=f"{name}@example.jp")) for name in ("aiko", "ben")
    )
    merged = contacts.basic_api.merge(
        c.PublicMergeInput(primary_object_id=aiko.id, object_id_to_merge=ben.id)
    )
    assert merged.id not in (aiko.id, ben.id)
    assert contacts.basic_api.get_by_id(ben.id).id == merged.id


def test_properties(client: Any, link_id: str) -> None:
    core = client.crm.properties.core_api
    options = [p.OptionInput(label="展示会", value="tag_1", hidden=False, display_order=0)]
    made = core.create(
        "contacts",
        p.PropertyCreate(
            name="tags",
            label="Tags",
            group_name="sansan",
            type="enumeration",
            field_type="checkbox",
            options=options,
        ),
    )
    assert isinstance(made, p.ModelProperty)
    more = [*options, p.OptionInput(label="VIP", value="tag_2", hidden=False, display_order=1)]
    core.update("contacts", "tags", p.PropertyUpdate(options=more))
    assert [option.value for option in core.get_by_name("contacts", "tags").options] == [
        "tag_1",
        "tag_2",
    ]
    found = {prop.name: prop for prop in core.get_all("contacts").results}
    assert found["createdate"].modification_metadata.read_only_value is True
    assert (
        found["tags"].field_type,
        found[link_id].hubspot_defined,
        found["email"].hubspot_defined,
    ) == ("checkbox", False, True)
    assert {
        group.name for group in client.crm.properties.groups_api.get_all("contacts").results
    } == {"contactinformation", "sansan"}
    core.archive("contacts", "tags")
    assert "tags" not in {prop.name for prop in core.get_all("contacts").results}


def test_account_info(client: Any, both: Sandbox, token: str) -> None:
    """The client has no types for it, so it goes by the plain request that the client offers."""
    answer = client.api_request({"path": "/account-info/v3/details"})
    assert answer.status_code == 200
    assert (answer.json()["portalId"], answer.json()["accountType"]) == (
        both.hubspot.portal(token).id,
        "STANDARD",
    )


def test_a_wrong_token(both: Sandbox) -> None:
    with pytest.raises(c.ApiException) as refused:
        official.Client.create(
            access_token="pat-wrong", host=both.url
        ).crm.contacts.basic_api.get_page()
    assert refused.value.status == 401
