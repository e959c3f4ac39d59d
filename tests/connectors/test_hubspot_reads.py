import pytest

from integration.connectors.hubspot import fields
from tests.connectors.conftest import Reply


def found(*rows):
    return Reply(
        200, {"results": [{"id": id, "properties": properties} for id, properties in rows]}
    )


def test_a_read_names_its_key_and_asks_for_old_ids_and_second_addresses(hubspot, vendor):
    vendor.says(found(("101", {"email": "aiko@acme.example.jp"})))
    assert (
        hubspot.read(["aiko@acme.example.jp"], ["lastname", "email"], by="email")[
            "aiko@acme.example.jp"
        ].id
        == "101"
    )
    body = vendor.asked[0].body
    assert body["idProperty"] == "email"
    assert body["properties"] == [
        "lastname",
        "email",
        "firstname",
        "hs_additional_emails",
        "hs_merged_object_ids",
        "lastmodifieddate",
    ]


def test_a_read_by_id_names_no_property(hubspot, vendor):
    vendor.says(found(("101", {})))
    assert set(hubspot.read(["101", "102"], [])) == {"101"}
    assert "idProperty" not in vendor.asked[0].body


def test_what_does_not_exist_is_left_out_of_a_partial_answer(hubspot, vendor):
    errors = [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["102"]}}]
    vendor.says(Reply(207, {"results": [{"id": "101", "properties": {}}], "errors": errors}))
    assert set(hubspot.read(["101", "102"], [])) == {"101"}


def test_reads_go_by_hundreds(hubspot, vendor):
    keys = [str(n) for n in range(120)]
    vendor.says(
        found(*((key, {}) for key in reversed(keys[:100]))),
        found(*((key, {}) for key in keys[100:])),
    )
    assert {key: read.id for key, read in hubspot.read(keys, []).items()} == {
        key: key for key in keys
    }
    assert [len(sent) for sent in vendor.inputs] == [100, 20]


def test_a_key_that_is_refused_does_not_hide_the_others(hubspot, vendor):
    refused = Reply(400, {"message": "not an id"})
    vendor.says(refused, found(("1", {})), refused)
    assert set(hubspot.read(["1", "not an id"], [])) == {"1"}


def test_nothing_is_asked_about_nobody(hubspot):
    assert hubspot.read([], ["email"]) == {}
    assert hubspot.calls == 0


def test_missing_properties_and_their_group_are_made(hubspot, vendor):
    vendor.says(
        Reply(200, {"results": [{"name": "sansan_card_id"}, {}, None]}),
        Reply(200, {"results": []}),
        *[Reply(201, {})] * 2,
    )
    assert hubspot.ensure_properties(fields.KEY_PROPERTIES) == ["sansan_link_id"]
    assert [asked.method for asked in vendor.asked] == ["GET", "GET", "POST", "POST"]
    assert vendor.asked[2].body == {"name": "sansan", "label": "Sansan"}
    assert vendor.asked[3].body == {
        **vendor.asked[3].body,
        "name": "sansan_link_id",
        "groupName": "sansan",
        "hasUniqueValue": True,
    }


def test_properties_that_are_there_are_left_alone(hubspot, vendor):
    vendor.says(Reply(200, {"results": [{"name": spec.name} for spec in fields.KEY_PROPERTIES]}))
    assert hubspot.ensure_properties(fields.KEY_PROPERTIES) == []
    assert hubspot.calls == 1


OPTIONS = {
    "there already": ([("t1", "展示会")], None),
    "new": ([("t2", "VIP")], [("t1", "展示会"), ("t2", "VIP")]),
    "renamed": ([("t1", "展示会2026")], [("t1", "展示会2026")]),
}


@pytest.mark.parametrize(("wanted", "sent"), OPTIONS.values(), ids=OPTIONS)
def test_options_are_added_and_renamed_but_never_removed(hubspot, vendor, wanted, sent):
    vendor.says(
        Reply(200, {"name": "sansan_tags", "options": [{"value": "t1", "label": "展示会"}]}),
        Reply(200, {}),
    )
    hubspot.add_options("sansan_tags", wanted)
    patched = [
        [(o["value"], o["label"]) for o in asked.body["options"]]
        for asked in vendor.asked
        if asked.method == "PATCH"
    ]
    assert patched == ([sent] if sent else [])


def test_the_limit_in_the_headers_is_learnt(hubspot, vendor, limit):
    headers = {
        "X-HubSpot-RateLimit-Max": "190",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    }
    vendor.says(Reply(200, {"portalId": 4711}, headers))
    hubspot.check()
    assert limit.learnt == [(190, 10.0)]
