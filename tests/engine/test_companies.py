"""Companies: found by domain, then by name, made once, and HubSpot's own association is not
doubled.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from core.tenancy import in_account
from integration.connections.credentials import make_target
from integration.connectors.base import RetryLater, Unanswered
from integration.connectors.http import Answer, Http
from integration.models import AuditEntry, Company, Connection, Link
from integration.sandbox.hubspot.portal import Portal
from integration.sandbox.server import Sandbox
from tests.cast import TOKEN, configured, file, sync

pytestmark = pytest.mark.django_db
PLAIN = {"shared_email_percent": 0, "no_email_percent": 0}


@pytest.fixture
def sandbox(sandbox_of: Any) -> Any:
    return sandbox_of(12, **PLAIN)


def portal(sandbox: Sandbox) -> Portal:
    return sandbox.hubspot.portal(TOKEN)


def companies(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    return portal(sandbox).companies.records


def of(sandbox: Sandbox, contact_id: str) -> list[str]:
    return list(portal(sandbox).links.pairs.get(contact_id, {}))


def domain(email: str) -> str:
    return email.rpartition("@")[2]


def settle(rule: Any, later: Any, minutes: int = 2) -> None:
    sync(rule)
    later(minutes=minutes)
    sync(rule)


def test_every_contact_gets_its_company_once(sandbox, time_machine_later):
    rule = configured(file(companies="make"))
    settle(rule, time_machine_later)
    with in_account(rule.account):
        links = list(Link.objects.all())
        assert links and all(of(sandbox, link.contact_id) == [link.company_id] for link in links)
    domains = Counter(
        company["domain"] for company in companies(sandbox).values() if company.get("domain")
    )
    assert set(domains.values()) == {1}
    before = len(companies(sandbox)), sandbox.hubspot.changes
    time_machine_later(minutes=2)
    sync(rule)
    sync(rule, full=True)
    assert (len(companies(sandbox)), sandbox.hubspot.changes) == before


def test_a_company_that_is_there_is_found_by_domain_and_else_by_name(sandbox, time_machine_later):
    cards = [card for card in sandbox.sansan.cards.values() if card["email"]][:2]
    by_domain = portal(sandbox).companies.create(
        {"domain": domain(cards[0]["email"]), "name": "Another name"}
    )
    sandbox.sansan.change(
        cards[1]["id"], {"email": "somebody@gmail.com", "url": None, "companyName": "名前株式会社"}
    )
    by_name = portal(sandbox).companies.create({"name": "名前株式会社"})
    rule = configured(file(companies="find"))
    settle(rule, time_machine_later)
    with in_account(rule.account):
        found = {link.written["email"]: link.company_id for link in Link.objects.all()}
    assert found[cards[0]["email"]] == by_domain and found["somebody@gmail.com"] == by_name
    assert len(companies(sandbox)) == 2, "find makes none"
    with in_account(rule.account):
        assert AuditEntry.objects.filter(reason="company_associated").count() >= 2


def test_what_hubspot_does_by_itself_is_noticed_and_not_doubled(sandbox, time_machine_later):
    sandbox.hubspot.switches["auto_companies"] = True
    rule = configured(file(companies="make"))
    settle(rule, time_machine_later)
    with in_account(rule.account):
        links = list(Link.objects.all())
        assert all(len(of(sandbox, link.contact_id)) == 1 for link in links)
        assert Connection.objects.get(pk=rule.hubspot_id).auto_companies is True
        assert not Company.objects.filter(made=True).exists()


def test_who_moves_to_another_company_gets_the_new_one_too(sandbox, time_machine_later):
    rule = configured(file(companies="make"))
    settle(rule, time_machine_later)
    card = next(card for card in sandbox.sansan.cards.values() if card["email"])
    sandbox.sansan.change(
        card["id"], {"email": "new@moved.example.jp", "companyName": "移動株式会社"}
    )
    settle(rule, time_machine_later)
    with in_account(rule.account):
        link = Link.objects.get(written__email="new@moved.example.jp")
    assert companies(sandbox)[link.company_id][
        "domain"
    ] == "moved.example.jp" and link.company_id in of(sandbox, link.contact_id)


def test_without_the_right_contacts_go_on(sandbox, time_machine_later):
    rule = configured(file(companies="make"))
    portal(sandbox).scopes_missing.add("crm.objects.companies.read")
    settle(rule, time_machine_later)
    with in_account(rule.account):
        assert Link.objects.exclude(contact_id="").count() > 5
        assert not Link.objects.exclude(company_id="").exists()


@pytest.mark.parametrize("kind", ["html", "wrong_type", "truncated"])
@pytest.mark.parametrize(
    "match", ["companies/search", "companies/batch/upsert", "batch/read$", "associate/default"]
)
def test_an_answer_that_cannot_be_read_ends_in_a_reason_and_the_next_run_goes_on(
    sandbox, time_machine_later, match, kind
):
    rule = configured(file(companies="make"))
    sync(rule)
    time_machine_later(minutes=2)
    sandbox.faults.arm("hubspot", kind, match=match, times=8)
    assert sync(rule).reason in ("", "hubspot_unavailable", "interrupted")
    sandbox.faults.clear()
    time_machine_later(minutes=2)
    sync(rule)
    with in_account(rule.account):
        assert all(of(sandbox, link.contact_id) == [link.company_id] for link in Link.objects.all())


@pytest.mark.parametrize("verb", ["find", "make", "find_of_contacts", "associate"])
def test_an_answer_of_an_unknown_shape_is_no_traceback(sandbox, verb, monkeypatch):
    rule = configured(file(companies="make"))
    with in_account(rule.account):
        calls = make_target(rule.hubspot).companies
    monkeypatch.setattr(
        Http,
        "_call",
        lambda *args, **kwargs: Answer(
            200, {"results": [{"from": 7, "properties": "no", "id": []}]}, {}
        ),
    )
    asked = {
        "find": ("domain", ["a.example.jp"]),
        "make": ({"a": {"name": "A"}},),
        "find_of_contacts": (["1"],),
        "associate": ([("1", "2")],),
    }
    with pytest.raises((RetryLater, Unanswered)):
        getattr(calls, verb)(*asked[verb])


def associated(rule: Any) -> int:
    with in_account(rule.account):
        return Link.objects.exclude(company_id="").count()


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_switched_on_later_everybody_gets_a_company(sandbox, time_machine_later, full):
    rule = configured(file())
    settle(rule, time_machine_later)
    people = len(portal(sandbox).contacts)
    assert associated(rule) == 0 < people
    rule = configured(file(companies="make"))
    time_machine_later(minutes=10)
    assert sync(rule, full=full).state == "succeeded"
    assert associated(rule) == people
    before = sandbox.hubspot.changes
    sync(rule, full=full)
    assert sandbox.hubspot.changes == before


def test_found_first_and_made_later(sandbox, time_machine_later):
    rule = configured(file(companies="find"))
    settle(rule, time_machine_later)
    assert associated(rule) == 0
    rule = configured(file(companies="make"))
    settle(rule, time_machine_later)
    assert associated(rule) == len(portal(sandbox).contacts)


def test_switched_off_and_on_again_whoever_came_meanwhile_gets_one(sandbox, time_machine_later):
    rule = configured(file(companies="make"))
    settle(rule, time_machine_later)
    rule = configured(file())
    settle(rule, time_machine_later)
    sandbox.sansan.add({"lastName": "新", "firstName": "人", "email": "new@new.example.jp"})
    settle(rule, time_machine_later)
    assert associated(rule) == len(portal(sandbox).contacts) - 1
    rule = configured(file(companies="make"))
    settle(rule, time_machine_later)
    assert associated(rule) == len(portal(sandbox).contacts)


def test_more_than_the_change_budget_allows_is_held_until_somebody_has_looked(
    sandbox, time_machine_later
):
    rule = configured(file(limits={"updates": 3}))
    settle(rule, time_machine_later)
    rule = configured(file(companies="make", limits={"updates": 3}))
    time_machine_later(minutes=10)
    run = sync(rule)
    assert (run.state, run.reason, associated(rule)) == ("held", "budget_exceeded", 0)
    assert not companies(sandbox)
    with in_account(rule.account):
        type(rule).objects.update(waived=True, state="active")
    time_machine_later(minutes=1)
    settle(rule, time_machine_later)
    assert associated(rule) == len(portal(sandbox).contacts)


@pytest.mark.parametrize(
    ("domain", "own"), [("jcom.zaq.ne.jp", ""), ("mail.catv.example.jp", "catv.example.jp\n")]
)
def test_two_firms_at_one_provider_are_two_companies(sandbox_of, time_machine_later, domain, own):
    sandbox = sandbox_of(0)
    for n, firm in enumerate(("森商店", "原工務店")):
        sandbox.sansan.add(
            {
                "lastName": firm[0],
                "firstName": "学",
                "companyName": firm,
                "email": f"p{n}@{domain}",
                "url": None,
            }
        )
    rule = configured(file(companies="make"))
    type(rule.account).objects.update(provider_domains=own)
    settle(rule, time_machine_later)
    assert sorted(company["name"] for company in companies(sandbox).values()) == [
        "原工務店",
        "森商店",
    ]
    assert not any(company.get("domain") for company in companies(sandbox).values())
