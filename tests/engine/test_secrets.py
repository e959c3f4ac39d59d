"""No secret leaves encryption, whatever is logged, stored, queued, exported or
raised.
"""

from __future__ import annotations

import io
import traceback

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import connection

from core.tenancy import all_accounts, in_account
from integration import tasks
from integration.models import Connection
from tests.cast import configured, file, sync

pytestmark = pytest.mark.django_db
KEY, TOKEN = "SecretKey0123456789abcdefABCDEF0", "pat-secret-77f3"


@pytest.fixture
def rule(sandbox):
    return configured(file(key=KEY, token=TOKEN))


def everything_stored() -> str:
    """Every row of every table, as text; encrypted columns as they are on disk."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [
                repr(bytes(value) if isinstance(value, memoryview) else value)
                for row in cursor.fetchall()
                for value in row
            ]
    return "\n".join(found)


def clean(text: str) -> bool:
    return KEY not in text and TOKEN not in text


def test_no_table_holds_one(rule, sandbox, django_capture_on_commit_callbacks):
    sync(rule)
    sandbox.faults.arm(
        "hubspot",
        "status",
        match="batch",
        times=0,
        status=400,
        body={"message": f"bad token {TOKEN}", "category": "VALIDATION_ERROR"},
    )
    sandbox.faults.arm(
        "sansan", "status", match="bizCards", skip=1, status=401, body={"error": KEY}
    )
    sandbox.sansan.churn(20)
    sync(rule)
    sync(rule)
    with in_account(rule.account), django_capture_on_commit_callbacks(execute=True):
        tasks.enqueue_sync(rule, "aiko")
        tasks.enqueue_check(rule.hubspot)
    assert clean(everything_stored())


def test_no_output_holds_one(rule, sandbox, capfd):
    sandbox.hubspot.revoked.add(TOKEN)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("sync", "acme/cards", format="json", stdout=out)
    call_command("export_config", "acme", stdout=out)
    seen = capfd.readouterr()
    assert "hubspot_reconnect" in seen.out + seen.err + out.getvalue()
    assert clean(seen.out + seen.err + out.getvalue())


def test_no_repr_serialisation_or_traceback_holds_one(rule):
    with in_account(rule.account):
        one = Connection.objects.get(system="hubspot")
    assert clean(f"{one!r} {one} {one.hint}") and one.hint == "****77f3"
    with all_accounts():
        assert clean(
            serializers.serialize(
                "json",
                Connection.objects.defer("credentials").all(),
                fields=["slug", "hint", "health_detail"],
            )
        )
    try:
        from integration.connections.credentials import make_target

        target = make_target(one)
        target.update([object()])  # type: ignore[list-item]
    except Exception:
        assert clean(traceback.format_exc())
    assert clean(repr(target) + repr(vars(target)))
