"""Gathering stays inside its account, also between two of its questions."""

from __future__ import annotations

import pytest

from core.tenancy import in_account, list_covered_accounts
from integration.delivery.queue import find_related_records
from integration.models import Link, Record
from integration.slice.rows import Row
from tests.core import rows

pytestmark = pytest.mark.django_db


def test_the_scope_is_closed_again_before_anybody_is_answered():
    rule = rows.rule(rows.account())
    with in_account(rule.account):
        link = Link.objects.create(account=rule.account, hubspot=rule.hubspot)
        rows.record(rule, "C1", email_key="aiko@acme.example.jp", person_key="P1", link=link)
        asked = [Row(*row) for row in Record.objects.values_list(*Row._fields)]
        seen = [
            (list_covered_accounts(), [record.external_id for record in found])
            for found in find_related_records(asked)
        ]
    assert seen == [([rule.account_id], ["C1"])] * 3
