from datetime import UTC, datetime

import pytest

from integration.connectors.hubspot import fields, parse
from integration.notes import note, write_english
from integration.records import Change, PropertyRead

MODIFIED = "2026-04-02T01:02:03.456Z"


CONTACTS = {
    "a property without a value": (
        {"id": "101", "properties": {"email": "aiko@acme.example.jp", "phone": None}},
        "101",
        {"email": "aiko@acme.example.jp", "phone": ""},
    ),
    "the id a number": (
        {"id": 101, "properties": {"hs_object_id": "101"}},
        "101",
        {"hs_object_id": "101"},
    ),
    "the id a property only": (
        {"properties": {"hs_object_id": "101"}},
        "101",
        {"hs_object_id": "101"},
    ),
    "a value that is a number": ({"id": "101", "properties": {"score": 7}}, "101", {"score": "7"}),
    "properties null": ({"id": "101", "properties": None}, "101", {}),
    "no properties": ({"id": "101"}, "101", {}),
}


@pytest.mark.parametrize(("row", "id", "values"), CONTACTS.values(), ids=CONTACTS)
def test_contact(row, id, values):
    read = parse.read_contact(row)
    assert (read.id, read.values) == (id, values)


MODIFICATIONS = {
    "the property before the member": (
        {"properties": {"lastmodifieddate": MODIFIED}, "updatedAt": "2020-01-01T00:00:00Z"},
        datetime(2026, 4, 2, 1, 2, 3, 456000, UTC),
    ),
    "the member alone": ({"updatedAt": MODIFIED}, datetime(2026, 4, 2, 1, 2, 3, 456000, UTC)),
    "no time": ({"updatedAt": "yesterday"}, None),
    "no text": ({"updatedAt": {}}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize(("row", "moment"), MODIFICATIONS.values(), ids=MODIFICATIONS)
def test_when_a_contact_was_modified(row, moment):
    assert parse.read_contact({"id": "101", **row}).modified_at == moment


def answered(id, **properties):
    return {"id": id, "properties": properties}


ANSWERS = {
    "in another order": ("", ["1", "2"], [answered("2"), answered("1")], {"1": "1", "2": "2"}),
    "one missing": ("", ["1", "2"], [answered("2")], {"2": "2"}),
    "merged into another": (
        "",
        ["1", "2"],
        [answered("3", hs_merged_object_ids="1;2")],
        {"1": "3", "2": "3"},
    ),
    "the address written otherwise in HubSpot": (
        "email",
        ["aiko@acme.example.jp"],
        [answered("1", email="Aiko@acme.example.jp")],
        {"aiko@acme.example.jp": "1"},
    ),
    "the address written otherwise here": (
        "email",
        ["Aiko@acme.example.jp"],
        [answered("1", email="aiko@acme.example.jp")],
        {"Aiko@acme.example.jp": "1"},
    ),
    "by an additional address": (
        "email",
        ["b@acme.example.jp"],
        [answered("1", email="a@acme.example.jp", hs_additional_emails="b@acme.example.jp")],
        {"b@acme.example.jp": "1"},
    ),
    "by our key": (
        "sansan_link_id",
        ["L1", "L2"],
        [answered("2", sansan_link_id="L2"), answered("1", sansan_link_id="L1")],
        {"L1": "1", "L2": "2"},
    ),
    "keys of others and no rows": (
        "sansan_link_id",
        ["L1"],
        [answered("9", sansan_link_id="another"), answered("8"), None, "row", 7],
        {},
    ),
    "nothing asked for": ("", [], [answered("1")], {}),
}


@pytest.mark.parametrize(("by", "keys", "rows", "found"), ANSWERS.values(), ids=ANSWERS)
def test_contacts_are_found_by_key_and_never_by_place(by, keys, rows, found):
    assert {key: read.id for key, read in parse.index_contacts(rows, keys, by).items()} == found


HALF_MADE = (
    "Cannot set PropertyValueCoordinates{portalId=1, propertyName=email, value=x} on 7. 123 "
    "already "
    "has that value."
)
INVALID = (
    "Property values were not valid: "
    '[{"isValid":false,"message":"%s","error":"%s","name":"jobtitle"}]'
)


def invalid(message, error):
    """A body that quotes what is wrong with the property jobtitle."""
    return {"message": INVALID % (message, error)}


def at_job_title(message):
    return note("vendor_said_of", word="jobtitle", message=message)


TAKEN = note("contact_has_address", id="123")
# Case -> (HubSpot's body, reason code, note, the contact that has the value).
REFUSALS = {
    "a conflict": (
        {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 123"},
        "contact_exists",
        TAKEN,
        "123",
    ),
    "a conflict by its message": (
        {"message": "Contact already exists. Existing ID: 123"},
        "contact_exists",
        TAKEN,
        "123",
    ),
    "a contact that is half made": (
        {"category": "VALIDATION_ERROR", "message": HALF_MADE},
        "contact_exists",
        TAKEN,
        "123",
    ),
    "a conflict by its context": (
        {
            "category": "CONFLICT",
            "message": "Contact already exists",
            "context": {"existingId": ["123"]},
        },
        "contact_exists",
        TAKEN,
        "123",
    ),
    "a conflict by a number": (
        {
            "category": "CONFLICT",
            "message": "Contact already exists",
            "context": {"existingId": 123},
        },
        "contact_exists",
        TAKEN,
        "123",
    ),
    "a conflict with nobody": (
        {"category": "CONFLICT", "message": "Contact already exists"},
        "contact_exists",
        note("address_taken"),
        "",
    ),
    "no such contact": (
        {"category": "OBJECT_NOT_FOUND", "message": "No object"},
        "contact_gone",
        note("contact_gone"),
        "",
    ),
    "no such property": (
        invalid("no such property", "PROPERTY_DOESNT_EXIST"),
        "unknown_property",
        at_job_title("no such property"),
        "",
    ),
    "a bad address": (
        invalid("bad address", "INVALID_EMAIL"),
        "invalid_email",
        at_job_title("bad address"),
        "",
    ),
    "not an option": (
        invalid("not an option", "INVALID_OPTION"),
        "unknown_option",
        at_job_title("not an option"),
        "",
    ),
    "a locked property": (
        invalid("locked", "READ_ONLY_VALUE"),
        "read_only",
        at_job_title("locked"),
        "",
    ),
    "not a number": (
        invalid("not a number", "INVALID_LONG"),
        "wrong_type",
        at_job_title("not a number"),
        "",
    ),
    "not a date": (
        invalid("not a date", "INVALID_DATE"),
        "wrong_type",
        at_job_title("not a date"),
        "",
    ),
    "something new": (
        invalid("something new", "TOO_PURPLE"),
        "rejected",
        at_job_title("something new"),
        "",
    ),
    "a list that breaks off": (
        {"message": "Property values were not valid: [broken"},
        "rejected",
        note("vendor_said", message="Property values were not valid: [broken"),
        "",
    ),
    "a list that is none": (
        {"message": "Property values were not valid: [{]"},
        "rejected",
        note("vendor_said", message="Property values were not valid: [{]"),
        "",
    ),
    "an error inside": (
        {
            "message": "no",
            "errors": [{"message": "Property x does not exist", "code": "PROPERTY_DOESNT_EXIST"}],
        },
        "unknown_property",
        note("vendor_said", message="Property x does not exist"),
        "",
    ),
    "an error that is a text": (
        {"message": "no", "errors": ["text"]},
        "rejected",
        note("vendor_said", message="no"),
        "",
    ),
    "an empty object": ({}, "rejected", note("no_reason"), ""),
    "null": (None, "rejected", note("no_reason"), ""),
    "a text": ("Bad request", "rejected", note("no_reason"), ""),
    "a list": ([], "rejected", note("no_reason"), ""),
}


@pytest.mark.parametrize(("body", "code", "noted", "owner"), REFUSALS.values(), ids=REFUSALS)
def test_why_a_row_was_refused(body, code, noted, owner):
    found, detail, owned_by, _ = parse.read_refusal(body)
    assert (found, detail, owned_by) == (code, noted, owner)
    assert 0 < len(write_english(detail)) <= 300


def test_the_property_at_fault_is_named():
    detail = parse.read_refusal(invalid("locked", "READ_ONLY_VALUE"))[1]
    assert detail == at_job_title("locked")
    assert write_english(detail) == "jobtitle: locked"
    nested = {
        "message": "locked",
        "code": "READ_ONLY_VALUE",
        "context": {"propertyName": ["createdate"]},
    }
    detail = parse.read_refusal({"errors": [nested]})[1]
    assert detail == note("vendor_said_of", word="createdate", message="locked")
    assert write_english(detail) == "createdate: locked"


CHANGE = Change("L1", {"lastname": "森"})


BATCH_ROWS = {
    "created": ("", False, {}),
    "updated by id": ("", True, {"id": "L1"}),
    "by our key": ("sansan_link_id", False, {"id": "L1", "idProperty": "sansan_link_id"}),
}


@pytest.mark.parametrize(("by", "update", "row"), BATCH_ROWS.values(), ids=BATCH_ROWS)
def test_every_row_that_is_sent_carries_a_trace_id(by, update, row):
    assert parse.make_batch_rows([CHANGE], by, update) == [
        {"properties": {"lastname": "森"}, "objectWriteTraceId": "L1", **row}
    ]


READ_PROPERTIES = {
    "a telephone number": (
        {"name": "fax", "type": "string", "fieldType": "phonenumber"},
        PropertyRead("fax", "string", "phonenumber"),
    ),
    "options and what is none": (
        {
            "name": "t",
            "type": "enumeration",
            "fieldType": "checkbox",
            "options": [{"value": "a", "label": "A"}, "x"],
        },
        PropertyRead("t", "enumeration", "checkbox", (("a", "A"),)),
    ),
    "a value that cannot be written": (
        {"name": "n", "modificationMetadata": {"readOnlyValue": True}},
        PropertyRead("n", "", "", read_only=True),
    ),
    "calculated": (
        {"name": "n", "calculated": True, "modificationMetadata": None},
        PropertyRead("n", "", "", read_only=True),
    ),
    "unique": (
        {"name": "n", "hasUniqueValue": True, "options": None},
        PropertyRead("n", "", "", unique=True),
    ),
}


@pytest.mark.parametrize(("row", "prop"), READ_PROPERTIES.values(), ids=READ_PROPERTIES)
def test_property(row, prop):
    assert parse.read_property(row) == prop


KINDS = {
    "the address by its name": ("email", "string", "text", "email"),
    "the telephone by its name": ("phone", "string", "text", "phone"),
    "a telephone by its field type": ("second", "string", "phonenumber", "phone"),
    "a telephone by its type": ("third", "phone_number", "text", "phone"),
    "options": ("sansan_tags", "enumeration", "checkbox", "checkbox"),
    "a number": ("staff", "number", "number", "number"),
    "plain text": ("jobtitle", "string", "text", "text"),
}


@pytest.mark.parametrize(("name", "type", "field_type", "kind"), KINDS.values(), ids=KINDS)
def test_how_a_propertys_values_compare(name, type, field_type, kind):
    assert fields.find_value_kind(PropertyRead(name, type, field_type)) == kind


RATE_HEADERS = {
    "both": (
        {
            "X-HubSpot-RateLimit-Max": "190",
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        },
        (190, 10.0),
    ),
    "no number": (
        {
            "X-HubSpot-RateLimit-Max": "many",
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        },
        None,
    ),
    "no interval": ({"X-HubSpot-RateLimit-Max": "190"}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize(("headers", "limit"), RATE_HEADERS.values(), ids=RATE_HEADERS)
def test_the_limit_that_the_headers_tell(headers, limit):
    assert parse.read_rate_limit(headers) == limit
