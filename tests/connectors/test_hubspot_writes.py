import pytest

from integration.connectors.base import Reconnect, RetryLater, Unanswered
from integration.connectors.hubspot.client import HubSpot
from integration.records import Change
from tests.connectors.conftest import Reply

CONTACTS = {"2026-03": "/crm/objects/2026-03/contacts", "v3": "/crm/v3/objects/contacts"}


def changes(*keys):
    return [Change(key, {"lastname": f"森{key}"}) for key in keys]


def row(key, **properties):
    return {"id": f"9{key}", "properties": {"sansan_link_id": key, **properties}}


def done(*keys, status=200):
    return Reply(status, {"status": "COMPLETE", "results": [row(key) for key in keys]})


def refusal(*keys, **more):
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": "no",
        "context": {"objectWriteTraceId": list(keys)},
        **more,
    }


def outcome(results):
    return {one.key: one.code or one.contact_id for one in results}


def upsert(hubspot, *keys):
    return hubspot.upsert(changes(*keys), "sansan_link_id")


VERBS = {
    "upsert": lambda hubspot: upsert(hubspot, "1", "2"),
    "update": lambda hubspot: hubspot.update(changes("1", "2")),
}
LOST = {
    "500": Reply(500, {"message": "oops"}),
    "502": Reply(502, b"<html>"),
    "504": Reply(504),
    "521": Reply(521),
    "524": Reply(524),
    "reset": Reply(fault="reset"),
    "silence": Reply(fault="silent"),
    "half of the body": Reply(200, {"results": []}, fault="cut"),
    "HTML": Reply(200, b"<html>"),
    "truncated JSON": Reply(200, b'{"results": ['),
    "a JSON string": Reply(200, "done"),
}


@pytest.mark.parametrize("reply", LOST.values(), ids=LOST)
@pytest.mark.parametrize("write", VERBS.values(), ids=VERBS)
def test_a_write_without_an_answer_is_not_sent_again(hubspot, vendor, waits, write, reply):
    vendor.says(reply)
    with pytest.raises(Unanswered) as caught:
        write(hubspot)
    assert (caught.value.reason, len(vendor.asked), hubspot.calls, waits) == (
        "interrupted",
        1,
        1,
        [],
    )


@pytest.mark.parametrize("status", [429, 423])
def test_a_write_that_was_not_done_is_sent_again(hubspot, vendor, status):
    vendor.says(Reply(status, {"message": "ten_secondly limit"}), done("1"))
    assert outcome(upsert(hubspot, "1")) == {"1": "91"}
    assert vendor.asked[0].body == vendor.asked[1].body
    assert hubspot.rate_limited == (status == 429)


def test_a_write_that_never_left_is_for_later(nowhere, limit):
    with pytest.raises(RetryLater):
        HubSpot("invented", nowhere, "v3", limit).update(changes("1"))


LIMITS = {
    "each second": (
        {"message": "You have reached your secondly limit.", "policyName": "SECONDLY"},
        [1.0],
    ),
    "each ten seconds": (
        {
            "message": "You have reached your ten_secondly_rolling limit.",
            "policyName": "TEN_SECONDLY_ROLLING",
        },
        [10.0],
    ),
    "unknown": ("too many", [10.0]),
}


@pytest.mark.parametrize(("said", "seconds"), LIMITS.values(), ids=LIMITS)
def test_each_limit_has_its_own_wait(hubspot, vendor, waits, said, seconds):
    vendor.says(Reply(429, said), done("1"))
    upsert(hubspot, "1")
    assert waits == seconds


def test_the_daily_limit_goes_back_to_the_engine(hubspot, vendor):
    vendor.says(
        Reply(429, {"message": "You have reached your daily limit.", "policyName": "DAILY"})
    )
    with pytest.raises(RetryLater) as caught:
        upsert(hubspot, "1")
    assert caught.value.after == 3600.0


def test_a_token_without_the_right_writes_nothing(hubspot, vendor):
    vendor.says(Reply(403, {"category": "MISSING_SCOPES", "message": "crm.objects.contacts.write"}))
    with pytest.raises(Reconnect, match=r"contacts\.write"):
        upsert(hubspot, "1", "2")
    assert hubspot.calls == 1


@pytest.mark.parametrize("status", [200, 201, 207])
def test_results_are_matched_by_key_in_any_order(hubspot, vendor, status):
    vendor.says(done("3", "1", "2", status=status))
    results = upsert(hubspot, "1", "2", "3")
    assert [(one.key, one.contact_id, one.ok) for one in results] == [
        ("1", "91", True),
        ("2", "92", True),
        ("3", "93", True),
    ]


def test_a_merged_contact_answers_under_its_old_id(hubspot, vendor):
    vendor.says(
        Reply(
            200,
            {
                "results": [
                    {"id": "303", "properties": {"hs_merged_object_ids": "101;102"}},
                    {"id": "104", "properties": {}},
                ]
            },
        )
    )
    assert outcome(hubspot.update(changes("104", "101"))) == {"104": "104", "101": "303"}


REFUSED_PARTS = {
    "a row": ([refusal("2")], {"1": "91", "2": "rejected", "3": "93"}),
    "a row whose contact exists": (
        [refusal("2", category="CONFLICT", message="Contact already exists. Existing ID: 123")],
        {"1": "91", "2": "contact_exists", "3": "93"},
    ),
    "a row whose contact is gone": (
        [refusal(category="OBJECT_NOT_FOUND", context={"ids": ["2"]})],
        {"1": "91", "2": "contact_gone", "3": "93"},
    ),
    "no word": ([], {"1": "91", "2": "not_confirmed", "3": "93"}),
    "no word about a row": (
        ["text", None, {"message": "about nobody"}],
        {"1": "91", "2": "not_confirmed", "3": "93"},
    ),
    "another's row": ([refusal("2", "somebody else")], {"1": "91", "2": "rejected", "3": "93"}),
}


@pytest.mark.parametrize(("errors", "expected"), REFUSED_PARTS.values(), ids=REFUSED_PARTS)
@pytest.mark.parametrize("status", [200, 207])
def test_part_of_a_batch_is_refused(hubspot, vendor, status, errors, expected):
    vendor.says(
        Reply(status, {"results": [row("3"), row("1")], "errors": errors, "numErrors": len(errors)})
    )
    assert outcome(upsert(hubspot, "1", "2", "3")) == expected
    assert hubspot.calls == 1


def test_one_error_may_speak_of_many_rows(hubspot, vendor):
    vendor.says(
        Reply(
            207,
            {
                "results": [{"id": "2"}],
                "errors": [refusal(category="OBJECT_NOT_FOUND", context={"ids": ["1", "3"]})],
            },
        )
    )
    assert outcome(hubspot.update(changes("1", "2", "3"))) == {
        "1": "contact_gone",
        "2": "2",
        "3": "contact_gone",
    }


CONFLICTS = {
    "a contact that exists": "Contact already exists. Existing ID: 123",
    "an address that is taken": "Cannot set email on 7. 123 already has that value.",
}


@pytest.mark.parametrize("message", CONFLICTS.values(), ids=CONFLICTS)
@pytest.mark.parametrize("status", [400, 409, 207])
def test_a_conflict_names_the_owner(hubspot, vendor, status, message):
    said = {"category": "CONFLICT", "message": message}
    vendor.says(Reply(status, {"errors": [refusal("1", **said)]} if status == 207 else said))
    (result,) = upsert(hubspot, "1")
    assert (result.code, result.owner_id, result.ok) == ("contact_exists", "123", False)


@pytest.mark.parametrize("status", [400, 409])
def test_a_batch_refused_whole_is_split_until_the_bad_row_stands_alone(hubspot, vendor, status):
    bad = Reply(
        status,
        {
            "category": "VALIDATION_ERROR",
            "message": (
                "Property values were not valid: "
                '[{"error":"INVALID_EMAIL","message":"bad","name":"email"}]'
            ),
        },
    )
    vendor.says(bad, done("1", "2"), bad, bad, done("4"))
    assert outcome(upsert(hubspot, "1", "2", "3", "4")) == {
        "1": "91",
        "2": "92",
        "3": "invalid_email",
        "4": "94",
    }
    assert vendor.inputs == [["1", "2", "3", "4"], ["1", "2"], ["3", "4"], ["3"], ["4"]]


def test_a_contact_that_is_gone_stands_alone_too(hubspot, vendor):
    vendor.says(Reply(404), Reply(404), Reply(200, {"results": [{"id": "2"}]}))
    assert outcome(hubspot.update(changes("1", "2"))) == {"1": "contact_gone", "2": "2"}


def test_a_hundred_at_a_call(hubspot, vendor):
    keys = [str(n) for n in range(250)]
    vendor.says(done(*keys[:100]), done(*keys[100:200]), done(*keys[200:]))
    assert outcome(upsert(hubspot, *keys)) == {key: f"9{key}" for key in keys}
    assert [len(sent) for sent in vendor.inputs] == [100, 100, 50]


@pytest.mark.parametrize("version", CONTACTS)
@pytest.mark.parametrize("verb", VERBS)
def test_where_a_write_goes(vendor, limit, version, verb):
    vendor.says(Reply(200, {"results": []}))
    VERBS[verb](HubSpot("invented", vendor.url, version, limit))
    (asked,) = vendor.asked
    assert (asked.method, asked.path) == ("POST", f"{CONTACTS[version]}/batch/{verb}")
    assert all(sent["objectWriteTraceId"] and sent["properties"] for sent in asked.body["inputs"])


MEMBERS = {"update": {"id"}, "upsert": {"id", "idProperty"}}


@pytest.mark.parametrize(("verb", "members"), MEMBERS.items(), ids=MEMBERS)
def test_what_a_row_is_made_of(hubspot, vendor, verb, members):
    vendor.says(Reply(200, {"results": []}))
    VERBS[verb](hubspot)
    assert set(vendor.asked[0].body["inputs"][0]) == {"properties", "objectWriteTraceId"} | members
