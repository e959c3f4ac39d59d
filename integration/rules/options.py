"""The options of a rule: each one's name in the configuration file, the column that holds it, how
it is read from the file, and whether it decides about cards. An option that is added here is read,
checked, exported, and has every card looked at again where it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import TextChoices

from integration.connectors.sansan.fields import SANSAN_FIELDS
from integration.models import SyncRule
from integration.planning.filters import OPERATORS
from integration.rules.node import Node

# Which tags are in scope is said at the connection.
FILTER_FIELDS = tuple(name for name in SANSAN_FIELDS if name != "tags")
FILTER_SIDES = ("cards", "contacts")
SHORTEST_INTERVAL, LONGEST_INTERVAL = 5, 86_400  # seconds
LONGEST_FULL_EVERY = 8760  # hours
LONGEST_SWEEP_EVERY = 10_080  # minutes
MOST_CARDS_A_DAY = 100_000
LIMIT_NAMES = ("creates", "updates")


@dataclass(frozen=True)
class RuleOption:
    """``read`` takes the rule's node and the option's name, and notes what is wrong with it."""

    name: str
    read: Callable[[Node, str], Any]
    # Every card is looked at again after a change.
    decides: bool = False
    stored_as: str = ""

    @property
    def column(self) -> str:
        return self.stored_as or self.name


def read_option(node: Node, name: str, default: TextChoices) -> str:
    """One of the values that the default is one of."""
    return node.read_choice(name, tuple(type(default).values), default)


def read_integer(node: Node, name: str, default: int, most: int, least: int = 0) -> int:
    return int(node.read_number(name, default, least, most))


def read_filters(filters: Node) -> dict[str, list[dict[str, str]]]:
    filters.refuse_others(*FILTER_SIDES)
    return {
        side: [read_filter(row, side) for row in filters.read_nodes(side)] for side in FILTER_SIDES
    }


def read_filter(row: Node, side: str) -> dict[str, str]:
    row.refuse_others("field", "op", "value")
    name = row.read_choice("field", FILTER_FIELDS) if side == "cards" else row.read_text("field")
    return {
        "field": name,
        "op": row.read_choice("op", tuple(OPERATORS)),
        "value": row.read_text("value", required=False),
    }


def read_limits(limits: Node) -> dict[str, int]:
    """The change budget."""
    limits.refuse_others(*LIMIT_NAMES)
    return {each: int(limits.read_number(each, 0)) for each in LIMIT_NAMES if each in limits.value}


# In the order in which a file is exported.
RULE_OPTIONS = (
    RuleOption(
        "direction", partial(read_option, default=SyncRule.Direction.TO_HUBSPOT), decides=True
    ),
    RuleOption("require_email", lambda node, name: node.read_boolean(name, True), decides=True),
    RuleOption("conflict", partial(read_option, default=SyncRule.Conflict.SANSAN), decides=True),
    RuleOption("filters", lambda node, name: read_filters(node.read_node(name, {})), decides=True),
    RuleOption("limits", lambda node, name: read_limits(node.read_node(name, {}))),
    RuleOption(
        "interval",
        partial(read_integer, default=25, least=SHORTEST_INTERVAL, most=LONGEST_INTERVAL),
    ),
    RuleOption("full_every", partial(read_integer, default=24, most=LONGEST_FULL_EVERY)),
    RuleOption(
        "filters_mean", partial(read_option, default=SyncRule.FiltersMean.LEAVE), decides=True
    ),
    RuleOption("when_gone", partial(read_option, default=SyncRule.WhenGone.TELL), decides=True),
    RuleOption("companies", partial(read_option, default=SyncRule.Companies.NONE), decides=True),
    RuleOption(
        "cards_a_day",
        partial(read_integer, default=500, most=MOST_CARDS_A_DAY),
        stored_as="card_cap",
    ),
    RuleOption("marker", partial(Node.read_text, required=False)),
    RuleOption("sweep_every", partial(read_integer, default=10, most=LONGEST_SWEEP_EVERY)),
)
DECISIVE_COLUMNS = frozenset(option.column for option in RULE_OPTIONS if option.decides)
