"""How the database finds what a page of sync health asks for: never through all records of an
account or of the platform.
"""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.models import User
from core.tenancy import in_account
from integration.admin.health import HealthView
from integration.admin.parts.person import list_person_cards
from integration.intake.people import bar_cards, retry_reason, unbar_cards
from integration.ledger.figures import add_figures
from integration.models import DayFigures, Link, Record
from integration.slice.in_flight import Calls
from tests.core import rows

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="PostgreSQL plans by the statistics that it keeps"
    ),
]
TABLES = ("integration_record", "integration_dayfigures", "integration_link")
# A whole table, or all rows of an account or of a rule.
TOO_MANY = re.compile(
    r"SCAN integration_|SCAN .*record|\((account_id|rule_id|hubspot_id|connection_id)=\?\)"
)
SORTED = "USE TEMP B-TREE FOR ORDER BY"


@pytest.fixture
def rule(db):
    """With neighbours: another rule of the account, and another account."""
    one = rows.rule(account := rows.account())
    for of in (one, rows.rule(account, "other"), rows.rule(rows.account("birch"))):
        now = timezone.now()
        with in_account(of.account):
            link = Link.objects.create(
                account=of.account, hubspot=of.hubspot, contact_id=f"501-{of.pk}"
            )
            Record.objects.bulk_create(
                Record(
                    account=of.account,
                    rule=of,
                    connection=of.sansan,
                    external_id=f"C{n}",
                    name=f"森 {n}",
                    email_key=f"m{n}@example.jp",
                    person_key=f"P{n}",
                    digest="d",
                    changed_at=now,
                    read_at=now,
                    bucket=("failing", "linked")[n % 2],
                    reason=f"r{n % 7}",
                    link=link if n < 3 else None,
                )
                for n in range(60)
            )
            DayFigures.objects.bulk_create(
                DayFigures(
                    account=of.account, rule=of, day=timezone.localdate() - timedelta(days=n)
                )
                for n in range(50)
            )
    return one


def page(rule, **query):
    """The view, as the page that it makes; as the superuser, who has no account's condition to
    help.
    """
    one = HealthView()
    one.request = RequestFactory().get("/", query)
    one.request.user = User(is_superuser=True)
    one.rule, one.bucket, one.reason, one.term = (
        rule,
        query.get("stand", ""),
        query.get("reason", ""),
        query.get("q", ""),
    )
    return one


def plans(do):
    """Query -> the lines of its plan that meet one of the tables, and whether it sorts."""
    with CaptureQueriesContext(connection) as seen:
        do()
    found = {}
    with connection.cursor() as cursor:
        for query in (query["sql"] for query in seen.captured_queries):
            if query.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")) and any(
                table in query for table in TABLES
            ):
                cursor.execute(f"EXPLAIN QUERY PLAN {query.replace('%', '%%')}", [])
                found[query] = [row[3] for row in cursor.fetchall()]
    return found


def wide(found):
    return {
        query[:300]: line
        for query, lines in found.items()
        for line in lines
        if TOO_MANY.search(line)
    }


ASKED = {
    "cards": lambda rule: page(rule).list_records("failing"),
    "cards of a reason": lambda rule: page(rule, reason="r2").list_records("failing"),
    "the next cards": lambda rule: page(rule, after="r2|5").list_records("failing"),
    "the next cards of a reason": lambda rule: page(rule, reason="r2", after="r2|5").list_records(
        "failing"
    ),
    "reasons": lambda rule: page(rule).count_reasons("failing"),
    "reasons of what is in sync": lambda rule: page(rule).count_reasons("linked"),
    "days": lambda rule: page(rule).load_days(),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_no_question_of_the_page_reads_all_records(rule, ask):
    with in_account(rule.account):
        found = plans(lambda: list(ask(rule)))
    assert found and not wide(found), wide(found)


def test_the_cards_of_a_person_are_found_by_their_link(rule):
    with in_account(rule.account):
        one = Record.objects.filter(rule=rule, link__isnull=False).earliest("pk")
        found = plans(lambda: list_person_cards(one))
    assert found and not wide(found), wide(found)


@pytest.mark.parametrize(
    "ask",
    [ASKED["cards"], ASKED["cards of a reason"], ASKED["the next cards"]],
    ids=["cards", "of a reason", "next"],
)
def test_the_cards_come_in_the_order_of_the_index(rule, ask):
    """Sorted, a page of 25 would cost all cards that stand so."""
    with in_account(rule.account):
        found = plans(lambda: list(ask(rule)))
    assert found and not [query for query, lines in found.items() if SORTED in lines]


def searched(rule, term):
    """(the plans of what asks for names, the plans of all else)"""
    with in_account(rule.account):
        found = plans(lambda: page(rule, q=term).list_records("failing"))
    by_name = {query: lines for query, lines in found.items() if '"name" >=' in query}
    return by_name, {query: lines for query, lines in found.items() if query not in by_name}


@pytest.mark.parametrize("term", ["m5@example.jp", "C5", "501"])
def test_no_search_reads_all_records(rule, term):
    _, others = searched(rule, term)
    assert others and not wide(others), wide(others)


def test_a_search_by_how_a_name_begins_reads_few_records(rule):
    by_name, _ = searched(rule, "森 5")
    assert len(by_name) == 1 and not wide(by_name), wide(by_name)


def test_trying_a_reason_again_touches_its_cards_only(rule):
    with in_account(rule.account):
        found = plans(lambda: retry_reason(rule, "card", "failing", "r2"))
        assert len(found) == 2 and not wide(found), wide(found)
        one = Record.objects.filter(rule=rule).earliest("pk")
        for act in (lambda: bar_cards([one], "x", "ben"), lambda: unbar_cards([one])):
            assert (found := plans(act)) and not wide(found), wide(found)


def test_figures_are_found_by_rule_and_day_and_ask_no_record(rule):
    with in_account(rule.account):
        run = rows.run(rule)
        desk: Any = SimpleNamespace(run=run, rule=rule, now=timezone.now)
        found = plans(lambda: add_figures(desk, {"created": 5}, Calls(1, 2), [3.5]))
    assert found and not wide(found), wide(found)
    assert not [query for query in found if "integration_record" in query]
    assert all("SCAN" not in line for lines in found.values() for line in lines)
