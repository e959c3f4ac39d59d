"""Many cards that HubSpot refuses for one and the same reason: few calls, and told once."""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.admin.parts.needs_a_person import list_failing_reasons
from integration.models import Record
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}


@pytest.mark.parametrize("stand_alone", [True, False], ids=["row by row", "whole"])
def test_a_portal_that_is_full(sandbox_of, time_machine_later, stand_alone):
    sandbox = sandbox_of(60, **PLAIN)
    sandbox.hubspot.switches.update(most_contacts=10, upsert_rows_stand_alone=stand_alone)
    rule = configured(file())
    run = sync(rule)
    assert (run.state, run.calls_hubspot < 45) == ("partial", True)
    with in_account(rule.account):
        failing = Record.objects.filter(bucket="failing", reason="rejected").count()
        told = [line["n"] for line in list_failing_reasons()]
    assert failing == 50 and told == ["50"], "one line for all of them"
    time_machine_later(minutes=1)
    assert sync(rule).calls_hubspot < 15
    sandbox.hubspot.switches["most_contacts"] = None
    for _ in range(4):
        time_machine_later(hours=2)
        sync(rule)
    assert len(sandbox.hubspot.portal(TOKEN).contacts) == 60
