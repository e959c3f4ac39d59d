"""With both directions on: killed at any call or statement, and started again, as in
test_kill.py.

Cards become contacts, contacts become cards, tags are swept, and people edit in HubSpot meanwhile.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import orjson
import pytest

from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, file
from tests.engine.test_kill import CASES
from tests.killable import Killable

# A kill leaves cards in doubt: after these seconds Sansan not having one means that it was not
# made.
DOUBT = "2000-01-01"


def person(sandbox: Any, verb: str, **args: Any) -> Any:
    return sandbox.hubspot.control(verb, {"token": TOKEN, **args})


def before(sandbox: Sandbox) -> None:
    """Contacts that are there at first: new people, and some whom a card names."""
    known = [card["email"] for card in sandbox.sansan.cards.values() if card["email"]]
    for i in range(25):
        person(
            sandbox,
            "create",
            properties={
                "email": f"new{i}@contact.example.jp",
                "lastname": f"New{i}",
                "company": "New KK",
                "country": "JP",
            },
        )
    for i in range(5):
        person(
            sandbox,
            "create",
            properties={"lastname": f"Mailless{i}", "company": "New KK", "country": "JP"},
        )
    for address in sorted(set(known))[:5]:
        person(sandbox, "create", properties={"email": address, "lastname": "Known"})


def meanwhile(sandbox: Sandbox) -> None:
    """What people do between two syncs."""
    portal = sandbox.hubspot.portal(TOKEN)
    mailed = sorted((one["email"], id) for id, one in portal.contacts.items() if one.get("email"))
    ids = [id for _, id in mailed]
    for id in ids[:20]:
        person(sandbox, "edit", id=id, properties={"jobtitle": "edited"})
    person(sandbox, "merge", primary=ids[30], other=ids[31])
    for i in range(20):
        person(
            sandbox,
            "create",
            properties={
                "email": f"later{i}@contact.example.jp",
                "lastname": f"Later{i}",
                "company": "New KK",
                "country": "JP",
            },
        )
    for i, card in enumerate(
        sorted(
            sandbox.sansan.cards.values(), key=lambda card: (card["email"] or "", card["lastName"])
        )[:40]
    ):
        sandbox.sansan.change(card["id"], {"title": f"新{i}"} if i % 2 else {"tags": ["T0005"]})


class World(Killable):
    """The product over a sandbox, with time passed before each of its runs."""

    def sync(self, kill_at: int = 0, kind: str = "none", *how: str) -> Any:
        self.hurry()
        return self.run("sync", "acme/cards", "--format", "json", *how, kill_at=kill_at, kind=kind)

    def hurry(self) -> None:
        """Makes due what waits for time to pass: doubts, sweeps, the look into the recycle bin."""
        # The database lets nobody change an entry that is closed; these are open.
        self.change(
            (
                f"UPDATE integration_auditentry SET sent_at = '{DOUBT}' WHERE closed_at IS NULL "
                "AND "
                "reason = 'new_card'"
            ),
            f"UPDATE integration_syncrule SET swept_at = '{DOUBT}'",
            f"UPDATE integration_syncrule SET full_at = '{DOUBT}' WHERE full_at IS NOT NULL",
            f"UPDATE integration_record SET due_at = '{DOUBT}' WHERE due_at IS NOT NULL",
            f"UPDATE integration_connection SET gone_at = '{DOUBT}' WHERE gone_at IS NOT NULL",
        )

    def whole(self, rng: random.Random | None, kind: str) -> int:
        """A sync to its end, killed on the way as often as luck has it; returns how often."""
        kills = 0
        for _ in range(60 if rng else 0):
            assert rng
            done = self.sync(rng.randint(1, 30 if kind != "statement" else 500), kind)
            if done.returncode == 0:
                return kills
            # A run that was killed some times without any progress ends and says so (1); the next
            # one goes on with what is due.
            assert done.returncode in (-9, 1), done.stderr[-2000:]
            kills += done.returncode == -9
        done = self.sync()
        assert done.returncode == 0, done.stderr[-2000:]
        counts = orjson.loads(done.stdout)["counts"]
        assert counts.pop("read") == sum(counts.values()) and counts["waiting"] == 0
        return kills

    def settle(self) -> None:
        for how in ((), ("--full",), ()):
            done = self.sync(0, "none", *how)
            assert done.returncode == 0, done.stderr[-2000:]


def state(sandbox: Sandbox) -> tuple[Counter[Any], Counter[Any]]:
    """Both vendors, without what is given out at random, and the dates, which two sandboxes may
    count from two days.
    """
    ours = (
        "sansan_exchange_date",
        "sansan_link_id",
        "sansan_card_id",
        "lastmodifieddate",
        "createdate",
        "hs_object_id",
        "hs_merged_object_ids",
    )
    portal = sandbox.hubspot.portal(TOKEN)
    contacts = Counter(
        tuple(
            sorted(
                (name, ";".join(sorted(value.split(";"))))
                for name, value in one.items()
                if name not in ours
            )
        )
        for one in portal.contacts.values()
    )
    cards = Counter(
        (
            card["lastName"],
            card["firstName"],
            card["email"],
            card["title"],
            card["companyName"],
            tuple(sorted(tag["id"] for tag in card["tags"])),
        )
        for card in sandbox.sansan.cards.values()
    )
    return contacts, cards


def played(
    home: Any, database: dict[str, str], seed: int, kind: str = "", rng: random.Random | None = None
) -> tuple[Any, int]:
    home.mkdir()
    with (
        Sandbox(cards=80, seed=seed, limits=False, shared_email_percent=10) as sandbox,
        World(home, sandbox.url, **database).loaded() as world,
    ):
        before(sandbox)
        world.configured(file(direction="both", require_email=False))
        kills = world.whole(rng, kind)
        world.whole(None, "")
        meanwhile(sandbox)
        kills += world.whole(rng, kind)
        world.settle()
        assert world.rows(
            "SELECT count(*) FROM integration_auditentry WHERE closed_at IS NULL"
        ) == [(0,)]
        assert world.rows("SELECT count(*) FROM integration_link WHERE awaiting AND gone = ''") == [
            (0,)
        ]
        quiet = sandbox.sansan.changes, sandbox.hubspot.changes
        world.settle()
        assert (sandbox.sansan.changes, sandbox.hubspot.changes) == quiet
        portal = sandbox.hubspot.portal(TOKEN)
        addresses = Counter(one["email"] for one in portal.contacts.values() if one.get("email"))
        assert max(addresses.values()) == 1
        made = Counter(
            card["email"] or card["lastName"]
            for card in sandbox.sansan.cards.values()
            if (card["companyName"] or "") == "New KK"
        )
        assert max(made.values()) == 1 and len(made) == 25 + 5 + 20, made.most_common(3)
        return state(sandbox), kills


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory, own_database):
    """Seed -> how it ends where nothing is killed."""
    known: dict[int, Any] = {}

    def ends(seed: int) -> Any:
        if seed not in known:
            known[seed], _ = played(
                tmp_path_factory.mktemp("unharmed") / "home", own_database(), seed
            )
        return known[seed]

    return ends


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_3_killed_at_any_moment_with_both_directions_on(
    tmp_path, own_database, unharmed, kind, seed
):
    wanted = unharmed(seed)
    (contacts, cards), kills = played(
        tmp_path / "home", own_database(), seed, kind, random.Random(f"{kind}{seed}")
    )
    assert kills >= 2
    assert (contacts - wanted[0], wanted[0] - contacts) == (Counter(), Counter())
    assert (cards - wanted[1], wanted[1] - cards) == (Counter(), Counter())
