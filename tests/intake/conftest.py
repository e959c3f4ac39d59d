"""A rule, and a desk at which its cards and contacts come in, at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.models import SyncRule
from integration.slice.desk import Desk
from tests.core import rows
from tests.desk import at_desk

NOW = datetime(2026, 4, 10, 9, tzinfo=UTC)


@pytest.fixture
def rule(db: None, time_machine: Any) -> SyncRule:
    time_machine.move_to(NOW, tick=False)
    return rows.rule(rows.account())


@pytest.fixture
def desk(rule: SyncRule) -> Iterator[Desk]:
    with at_desk(rule) as desk:
        yield desk
