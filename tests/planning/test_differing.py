"""Which properties two rules fill in different ways."""

from dataclasses import replace

import pytest

from integration.planning.rule import MappingRow, Rule, list_differing_properties

TITLE, CITY = MappingRow(("title",), "jobtitle"), MappingRow(("city",), "city")
MINE = Rule((TITLE, CITY), conflict="sansan")


@pytest.mark.parametrize(
    ("theirs", "found"),
    [
        (MINE, set()),
        (Rule((CITY, TITLE), conflict="sansan"), set()),
        (Rule((TITLE,), conflict="sansan"), set()),
        (Rule((TITLE, CITY, MappingRow(("fax",), "fax")), conflict="sansan"), set()),
        (Rule(()), set()),
        (Rule((MappingRow(("departmentName",), "jobtitle"), CITY)), {"jobtitle"}),
        (
            Rule((replace(TITLE, transform="upper"), replace(CITY, policy="if_empty"))),
            {"jobtitle", "city"},
        ),
        (
            Rule((replace(TITLE, table=(("部長", "Manager"),)), replace(CITY, clear=True))),
            {"jobtitle", "city"},
        ),
        (Rule((TITLE, CITY), conflict="hold"), {"jobtitle", "city"}),
        (Rule((replace(TITLE, conflict="sansan"), CITY), conflict="hold"), {"city"}),
        (
            Rule(
                (replace(TITLE, conflict="sansan"), replace(CITY, conflict="sansan")),
                conflict="hold",
            ),
            set(),
        ),
    ],
    ids=[
        "the same",
        "in another order",
        "one only",
        "one more",
        "none",
        "another field",
        "transform and policy",
        "table and blanks",
        "who wins",
        "who wins by field",
        "who wins by field as the other's rule says",
    ],
)
def test_differing(theirs, found):
    assert (
        list_differing_properties(MINE, theirs) == list_differing_properties(theirs, MINE) == found
    )
