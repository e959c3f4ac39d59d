"""Search over records and links: exact by what a record is called in either system, or by how the
name begins.
"""

from __future__ import annotations

import pytest

from core.tenancy import in_account
from integration.admin.parts import search
from integration.models import Link, Record
from tests.admin.pages import listed, rows_on, told
from tests.core import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(acme, birch):
    """Two Yamadas of Acme's, and one of the same name, card and contact elsewhere."""
    with in_account(acme.account):
        link = Link.objects.create(account=acme.account, hubspot=acme.hubspot, contact_id="501")
    with in_account(birch.account):
        Link.objects.create(account=birch.account, hubspot=birch.hubspot, contact_id="501")
    rows.record(birch.rule, "card-1", name="山田 太郎", email_key="taro@example.jp")
    return {
        rows.record(
            acme.rule, "card-1", name="山田 太郎", email_key="taro@example.jp", link=link
        ).pk: "taro",
        rows.record(
            acme.rule, "card-2", name="山田 花子", email_key="hana@example.jp", link=link
        ).pk: "hana",
        rows.record(acme.rule, "card-3", name="Smith, John", email_key="").pk: "john",
        acme.record.pk: "acme",
        acme.failing.pk: "acme too",
        acme.barred.pk: "never",
    }


TERMS = {
    "taro@example.jp": ["taro"],
    "  TARO@Example.JP ": ["taro"],
    "@example.jp": [],
    "@": [],
    "card-2": ["hana"],
    "card-": [],
    "501": ["hana", "taro"],
    "50": [],
    "山田": ["hana", "taro"],
    "山田 太郎": ["taro"],
    "太郎": [],
    "Smith": ["john"],
    "smith": [],
    "%": [],
    "_": [],
    "": ["john", "hana", "taro", "never", "acme too", "acme"],
}


@pytest.mark.parametrize(
    ("term", "found"), TERMS.items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_record_is_found_by(people, aiko, term, found):
    assert [people[one.pk] for one in rows_on(aiko.get(listed(Record, q=term)))] == found


def test_a_person_is_found_by_the_link(acme, people, aiko):
    with in_account(acme.account):
        link = Link.objects.get(contact_id="501")
    assert [people[one.pk] for one in rows_on(aiko.get(listed(Record, q=link.key)))] == [
        "hana",
        "taro",
    ]
    for term in (link.key, "501", "taro@example.jp", "card-2", "山田"):
        assert [one.pk for one in rows_on(aiko.get(listed(Link, q=term)))] == [link.pk]
    for term in ("Smith", "card-3", "nobody"):  # no link yet
        assert rows_on(aiko.get(listed(Link, q=term))) == []


def test_everybody_s_records_are_found_by_who_sees_them(people, root, emi):
    for one in (root, emi):
        assert (
            len(rows_on(one.get(listed(Record, q="card-1"))))
            == len(rows_on(one.get(listed(Record, q="taro@example.jp"))))
            == 2
        )
        assert len(rows_on(one.get(listed(Link, q="501")))) == 2


def test_a_name_of_too_many_is_said_to_be_one(acme, people, aiko, monkeypatch):
    monkeypatch.setattr(search, "MOST_PEOPLE_FOUND", 1)
    response = aiko.get(listed(Record, q="山田"))
    assert len(rows_on(response)) == 1 and "More than 1 people" in told(response)
    assert told(aiko.get(listed(Record, q="card-1"))) == ""
