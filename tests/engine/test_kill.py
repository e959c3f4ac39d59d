"""A process killed at any moment leaves nothing that the next one does not put right.

The product runs as a command that kills itself without warning after its nth call to a vendor or
its nth statement to the database, and is started again until a run comes to its end.
"""

from __future__ import annotations

import random

import orjson
import pytest

from integration.sandbox.server import Sandbox
from tests.cast import TOKEN
from tests.engine.oracle import contacts_of, expected
from tests.killable import Killable

CASES = [(kind, seed) for kind in ("before", "after", "statement") for seed in range(2)]


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_3_killed_at_any_moment(tmp_path, own_database, kind, seed):
    rng = random.Random(f"{kind}{seed}")
    with (
        Sandbox(cards=400, seed=seed, limits=False, shared_email_percent=20) as sandbox,
        Killable(tmp_path, sandbox.url, **own_database()).loaded() as product,
    ):
        product.configured()
        kills = 0
        for _ in range(40):
            done = product.run(
                "sync",
                "acme/cards",
                "--format",
                "json",
                kill_at=rng.randint(1, 6 if kind != "statement" else 90),
                kind=kind,
            )
            if done.returncode == 0:
                break
            assert done.returncode == -9, done.stderr
            kills += 1
        else:
            done = product.run("sync", "acme/cards", "--format", "json")
        assert done.returncode == 0 and kills >= 1
        result = orjson.loads(done.stdout)
        assert contacts_of(sandbox, TOKEN) == expected(list(sandbox.sansan.cards.values()))
        assert product.rows(
            "SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL"
        ) == [(0,)]
        counts = result["counts"]
        assert counts.pop("read") == sum(counts.values()) and counts["waiting"] == 0
        again = orjson.loads(product.run("sync", "acme/cards", "--format", "json").stdout)
        assert again["calls"]["hubspot"] <= 2  # what changed in HubSpot, and a page of echoes
