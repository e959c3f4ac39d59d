"""What there is to look at: accounts in every state, whoever looks at them, and the address of
every page. Runs in the product's process.
"""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from itertools import product
from types import SimpleNamespace
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.models import Account, Membership, Role, User
from core.models.invitation import Invitation, digest_token
from core.tenancy import in_account
from integration.admin.setup.review import TILE_ENTRIES
from integration.models import Bucket, Connection, DayFigures, Link, Record, Side, SyncRule
from integration.models.run import COUNTERS
from integration.planning.latency import add_times
from tests.admin.pages import address, listed, page
from tests.admin.setup_pages import begun, previewed, url
from tests.admin.test_access import addresses_of, asking, plain
from tests.admin.world import MARKUP, entry, furnish
from tests.cast import member

# Each place where a record can stand, with a reason that leads there.
REASONS = {
    "waiting": "daily_cap",
    "linked": "in_sync",
    "merged": "older_card",
    "excluded": "no_email",
    "held": "bad_mapping",
    "failing": "rejected",
    "unseen": "unseen",
}
# One entry of each number of the review.
DECIDED = (
    ("create", "new_person"),
    ("create", "new_card"),
    ("update", "card_changed"),
    ("link", "matched_email"),
    ("hold", "bad_mapping"),
    ("skip", "no_email"),
    ("skip", "older_card"),
    ("skip", "in_sync"),
    ("skip", "daily_cap"),
)
CLASHES = {
    "jobtitle": ["部長", "Head of sales", "hold", "rule"],
    "phone": ["+81312345678", MARKUP, "hubspot", "person"],
    "city": ["港区", "", "sansan", "field"],
}


def make() -> dict[str, Any]:
    """The pages of each person (as addresses), and the cookie that signs them in."""
    acme, birch = furnish("acme", "aiko"), furnish("birch", "chie")
    acme.draft = draft(acme)
    member("ben", acme.account, Role.VIEWER)
    stand(acme)
    trouble(birch)
    suspended = Account.objects.create(
        slug="cedar", name="Cedar KK", active=False, suspended_for=f"unpaid {MARKUP}"
    )
    people = {
        "root": User.objects.create_superuser("root", "root@example.jp"),
        "aiko": acme.owner,
        "fay": newcomer(),
    }
    rows = [
        page(row)
        for row in (birch.rule, birch.hubspot, suspended, acme.contact, acme.failing, acme.open_run)
    ]
    deleted = [address(row, "delete") for row in (acme.spare, acme.colleague.memberships.get())]
    named = [*addresses_of(acme), *rows, *deleted, address(suspended, "leave")]
    hers = [page(row) for row in (acme.account, acme.rule, acme.record, acme.hubspot)]
    walks = {
        "root": [*plain(), *named, *asking(acme), *queries(acme)],
        "aiko": [*plain(), *hers],
        "fay": plain(),
    }
    met: set[tuple[str, ...]] = set()
    own = {
        "draft": acme.draft,
        "invitation": acme.again,
        "account": acme.account,
        "rule": acme.rule,
        "record": acme.record,
    }
    return {
        **{name: page(row).removesuffix("change/") for name, row in own.items()},
        "pages": {who: pages(user, walks[who], met) for who, user in people.items()},
        "cookies": {
            who: signed_in(user).cookies["sessionid"].value for who, user in people.items()
        },
    }


def draft(own: SimpleNamespace) -> SyncRule:
    """Ready to be saved, with a preview that has something behind each number."""
    rule = begun(own, direction="both")
    counts = dict.fromkeys(COUNTERS, 1)
    seen = previewed(
        rule,
        "partial",
        read=9,
        reasons={"no_email": 1, "older_card": 1, "in_sync": 1, "daily_cap": 1},
        **counts,
    )
    for decision, reason in DECIDED:
        entry(
            seen,
            own.record,
            decision=decision,
            reason=reason,
            outcome="preview",
            detail=f"seen {MARKUP}",
        )
    return rule


def stand(own: SimpleNamespace) -> None:
    """Records of both sides in every place, an edit that waits for a choice, a month of figures,
    and limits that are nearly reached.
    """
    now, rule = timezone.now(), own.rule
    with in_account(own.account):
        SyncRule.objects.filter(pk=rule.pk).update(direction="both", card_cap=7)
        Link.objects.filter(pk=own.link.pk).update(clashes=CLASHES)
        Record.objects.filter(pk=own.record.pk).update(
            bucket="held", reason="conflict", detail="jobtitle"
        )
        made = [
            Record(
                account=own.account,
                rule=rule,
                connection=own.hubspot if side == Side.CONTACT else own.sansan,
                side=side,
                external_id=f"{bucket}{n}",
                name=f"{bucket} {n}",
                email_key=f"{bucket}{n}@acme.example.jp",
                digest="d",
                changed_at=now,
                read_at=now,
                bucket=bucket,
                reason=REASONS[bucket],
                due_at=now if bucket == "failing" else None,
            )
            for side, bucket in product(Side, Bucket)
            for n in range(30 if bucket == Bucket.FAILING else 2)
        ]
        Record.objects.bulk_create(made)
        own.contact = Record.objects.filter(side=Side.CONTACT).first()
        for back in range(1, 20):
            day = {
                "day": now.date() - timedelta(days=back),
                "created": back,
                "failed": back % 3,
                "latency": add_times((), (3, back)),
                "slowest": back,
            }
            DayFigures.objects.create(account=own.account, rule=rule, **day)
        told = {"limit": 250_000, "left": 20_000, "at": now.isoformat()}
        Connection.objects.filter(pk=own.hubspot.pk).update(
            quota=told, polled_at=now, auto_companies=True, link_property=True
        )
        entry(own.run, own.failing, decision="update", reason="contact_differs", clashes=CLASHES)
        entry(
            own.run,
            own.barred,
            decision="create",
            reason="new_person",
            outcome="failed",
            detail=f"refused {MARKUP}",
        )
    for slug, state in (
        ("late", {"expires_at": now - timedelta(days=1)}),
        ("done", {"accepted_at": now, "accepted_by": "ben"}),
    ):
        Invitation.objects.create(
            account=own.account,
            email=f"{slug}@acme.example.jp",
            invited_by="aiko",
            token_digest=digest_token(f"acme-{slug}"),
            **state,
        )
    again = {
        "email": "again@acme.example.jp",
        "invited_by": "aiko",
        "token_digest": digest_token("acme-again"),
    }
    # With a new link each time that somebody looks.
    own.again = Invitation.objects.create(account=own.account, **again)
    Invitation.objects.create(
        account=own.account,
        email="chie@birch.example.jp",
        invited_by="aiko",
        token_digest=digest_token("acme-known"),
    )


def trouble(own: SimpleNamespace) -> None:
    """What needs a person."""
    with in_account(own.account):
        SyncRule.objects.filter(pk=own.rule.pk).update(
            state="held", state_reason=f"too many contacts {MARKUP}"
        )
        Connection.objects.filter(pk=own.hubspot.pk).update(
            health="reconnect", health_detail=f"refused {MARKUP}"
        )


def newcomer() -> User:
    """Owns an account in which there is nothing yet."""
    user = User.objects.create_user("fay", "fay@dune.example.jp", is_staff=True)
    Membership.objects.create(
        user=user, account=Account.objects.create(slug="dune", name="Dune KK"), role=Role.OWNER
    )
    return user


def queries(own: SimpleNamespace) -> list[str]:
    """Pages that one comes to by a question: each tab of each side of the health, each number of
    the review, lists with a filter.
    """
    health, review = (
        reverse("admin:integration_health", args=[own.rule.pk]),
        url("review", own.draft.pk),
    )
    found = [
        f"{health}?side={side}&stand={stand}" for side, stand in product(Side.values, Bucket.values)
    ]
    found += [
        f"{health}?stand=held&reason=conflict",
        f"{health}?q=failing",
        f"{health}?q=nobody",
        f"{health}?side=contact&q=failing",
    ]
    found += [f"{review}?show={tile}" for tile in TILE_ENTRIES]
    found += [
        listed(Record, bucket="failing", rule=own.rule.pk),
        listed(Record, q="nobody"),
        listed(type(own.entry), outcome__exact="failed"),
    ]
    return found


def signed_in(user: User) -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    return client


class Shapes(HTMLParser):
    """Every element of a page as a style sheet tells it apart: by its place, its name, its classes
    and which attributes it has.
    """

    VOID = "area base br col embed hr img input link meta source track wbr".split()

    def __init__(self, html: str) -> None:
        super().__init__()
        self.above: list[str] = []
        self.found: set[tuple[str, ...]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value for name, value in attrs if name in ("class", "type", "style", "role")}
        shape = f"{tag} {sorted(has.items())} {sorted(name for name, _ in attrs)}"
        self.found.add((*self.above, shape))
        if tag not in self.VOID:
            self.above.append(shape)

    def handle_endtag(self, tag: str) -> None:
        while self.above and not self.above.pop().startswith(f"{tag} "):
            pass

    def handle_data(self, data: str) -> None:
        """A link among words must differ from them by more than its colour."""
        if data.strip():
            self.found.add((*self.above, "words"))


def pages(user: User, urls: list[str], met: set[tuple[str, ...]]) -> list[str]:
    """Those addresses that answer this person with a whole page, in which something is of a shape
    that was not ``met`` yet.

    A page is left out where every element of it stood with the same classes in the same place on
    one before.
    """
    client, found = signed_in(user), []
    client.raise_request_exception = False
    for one in dict.fromkeys(urls):
        answer = client.get(one) if "/press/" not in one else None
        if (
            answer
            and answer.status_code == 200
            and not answer.streaming
            and b"<html" in answer.content
        ):
            shapes = Shapes(answer.content.decode()).found
            found += [one] if shapes - met else []
            met |= shapes
    return found
