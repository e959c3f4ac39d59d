"""How the database finds what a sync asks for: by an index that leads to few rows, never through a
whole account or table.
"""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import configured, file, sync

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="PostgreSQL plans by the statistics that it keeps"
    ),
]
LARGE = ("integration_record", "integration_link", "integration_auditentry")
# Indexes over the few rows that are at work: all of them may be read.
FEW = ("record_due", "one_open_entry_per_record")
# A whole table, or all rows of an account or of a rule.
TOO_MANY = re.compile(r"SCAN integration_|\((account_id|rule_id|hubspot_id|connection_id)=\?\)")
# What a full check asks once, when everything has been read.
ONCE = "\"bucket\" = 'unseen'"
# A few rows in the order of an index, whatever else the index holds.
FEW_ROWS = re.compile(r"LIMIT (1|10)$")
SORTED = "USE TEMP B-TREE"


def plans(queries: list[str]) -> dict[str, list[str]]:
    """Query -> the lines of its plan that meet a large table."""
    found = {}
    with connection.cursor() as cursor:
        for query in queries:
            if query.startswith(("SELECT", "UPDATE", "DELETE")) and any(
                table in query for table in LARGE
            ):
                cursor.execute(f"EXPLAIN QUERY PLAN {query.replace('%', '%%')}", [])
                found[query] = [
                    row[3]
                    for row in cursor.fetchall()
                    if any(part in row[3] for part in (*LARGE, SORTED))
                ]
    return found


@pytest.mark.parametrize("kind", ["first", "changed", "full", "preview"])
def test_no_batch_reads_more_than_it_needs(sandbox_of, kind):
    sandbox = sandbox_of(120, shared_email_percent=20)
    rule = configured(file())
    if kind != "first":
        sync(rule)
        sandbox.sansan.churn(20)
    with CaptureQueriesContext(connection) as seen:
        sync(rule, **({kind: True} if kind in ("full", "preview") else {}))
    found = plans([query["sql"] for query in seen.captured_queries])
    assert len(found) > 10
    lines = [
        (line, query)
        for query, plan in found.items()
        for line in plan
        if not (kind == "full" and ONCE in query)
        and not (FEW_ROWS.search(query) and not any(SORTED in each for each in plan))
    ]
    wide = {
        query[:300]: line
        for line, query in lines
        if TOO_MANY.search(line) and not any(index in line for index in FEW)
    }
    assert not wide, "\n".join(f"{line}\n  {query}" for query, line in wide.items())
