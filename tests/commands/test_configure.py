"""``configure``: a file put into effect whole, or refused whole with the place and what to do about
it.
"""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.models import Account
from core.tenancy import all_accounts, in_account
from integration.models import Connection, FieldMapping, SyncRule, Tag
from integration.notes import note
from tests.cast import KEY, TOKEN, configured, file
from tests.process import NOWHERE

pytestmark = pytest.mark.django_db

CONTRACT = """
account: {slug: acme, name: Acme KK, timezone: Asia/Tokyo}
connections:
  - slug: sansan
    system: sansan
    credentials: {api_key: "${SANSAN_API_KEY}"}
    tags: [展示会2026]   # no tags: every card
  - {slug: hubspot, system: hubspot, credentials: {access_token: "${HUBSPOT_TOKEN}"}}
rules:
  - slug: cards
    sansan: sansan
    hubspot: hubspot
    direction: to_hubspot        # to_hubspot | to_sansan | both
    active: true
    require_email: true
    conflict: sansan             # sansan | hubspot | newest
    filters: {cards: [], contacts: []}
    limits: {}                   # change budget
    mappings: default            # or rows: [{sansan: title, hubspot: jobtitle, policy: always}]
"""
DEFAULT = {
    "lastName": "lastname",
    "firstName": "firstname",
    "email": "email",
    "companyName": "company",
    "title": "jobtitle",
    "departmentName": "sansan_department",
    "tel": "phone",
    "mobile": "mobilephone",
    "fax": "fax",
    "postalCode": "zip",
    "prefecture": "state",
    "city": "city",
    "street,building": "address",
    "countryCode": "country",
    "url": "website",
    "exchangeDate": "sansan_exchange_date",
    "tags": "sansan_tags",
}
OURS = {
    "sansan_link_id",
    "sansan_card_id",
    "sansan_department",
    "sansan_exchange_date",
    "sansan_tags",
}
SEEN = {"tested_at", "schema_at", "seen_at", "health_detail"}


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Puts text or a decoded file into effect, and returns what was printed."""
    monkeypatch.setenv("SANSAN_API_KEY", KEY)
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)

    def put(content: Any, *options: str) -> str:
        path, out = tmp_path / "acme.yaml", io.StringIO()
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(
                content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8"
            )
        call_command("configure", str(path), *options, stdout=out)
        return out.getvalue()

    return put


@pytest.fixture
def refused(configure):
    """What a file is refused with."""

    def why(content: Any, *options: str) -> str:
        with pytest.raises(CommandError) as error:
            configure(content, *options)
        assert error.value.returncode == 2
        return str(error.value)

    return why


def stored() -> dict[str, Any]:
    """Every row that a file decides, but for what the vendors last showed and when."""
    with all_accounts():
        return {
            model.__name__: [
                {name: value for name, value in row.items() if name not in SEEN}
                for row in model.objects.order_by("pk").values()
            ]
            for model in (Account, Connection, SyncRule, FieldMapping, Tag)
        }


def nothing_stored(sandbox) -> bool:
    return not any(stored().values()) and writes(sandbox) == []


def writes(sandbox) -> list[str]:
    return [call for call in sandbox.calls["by_call"] if " GET " not in call]


def at(content: Any, path: str, value: Any = None) -> Any:
    """The file with one place changed; without a value the place is left out."""
    content = copy.deepcopy(content)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = content
    for part in way:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


def rule_of(slug: str = "acme") -> SyncRule:
    with in_account(Account.objects.get(slug=slug)):
        return SyncRule.objects.select_related("sansan", "hubspot").get()


# What it does


def test_the_file_of_the_contract(configure, sandbox):
    configure(CONTRACT)
    account = Account.objects.get()
    assert (account.slug, account.name, account.timezone) == ("acme", "Acme KK", "Asia/Tokyo")
    with in_account(account):
        sansan, hubspot = (
            Connection.objects.get(system="sansan"),
            Connection.objects.get(system="hubspot"),
        )
        assert (sansan.secret, sansan.health, hubspot.secret, hubspot.health) == (
            KEY,
            "ok",
            TOKEN,
            "ok",
        )
        assert list(Tag.objects.filter(selected=True).values_list("external_id", "name")) == [
            ("T0000", "展示会2026")
        ]
        assert Tag.objects.count() == len(sandbox.sansan.tags)
        rule = SyncRule.objects.get()
        assert (rule.slug, rule.sansan, rule.hubspot, rule.direction, rule.state) == (
            "cards",
            sansan,
            hubspot,
            "to_hubspot",
            "active",
        )
        assert (rule.require_email, rule.conflict, rule.filters, rule.limits) == (
            True,
            "sansan",
            {"cards": [], "contacts": []},
            {},
        )
        assert (
            dict(FieldMapping.objects.order_by("position").values_list("sansan", "hubspot"))
            == DEFAULT
        )
    made = {
        name: prop
        for name, prop in sandbox.hubspot.portal(TOKEN).properties.items()
        if name.startswith("sansan_")
    }
    assert set(made) == OURS and {prop["groupName"] for prop in made.values()} == {"sansan"}
    assert [name for name, prop in made.items() if prop["hasUniqueValue"]] == ["sansan_link_id"]
    assert [option["value"] for option in made["sansan_tags"]["options"]] == ["T0000"]


def test_it_tells_what_it_saw_and_what_it_made(configure, sandbox):
    told = configure(CONTRACT).splitlines()
    assert (
        told[0] == "sansan: 佐藤 太郎, 15 tags"
        and told[1].startswith("hubspot: ")
        and told[1].endswith("contact properties")
    )
    assert {
        line.split()[2].rstrip(":") for line in told if line.startswith("HubSpot property")
    } == OURS
    assert {"account acme: made", "connection hubspot: made"} <= set(told) and any(
        line.startswith("rule cards: made") for line in told
    )


def test_twice_changes_nothing(configure, sandbox):
    configure(CONTRACT)
    before, changes = stored(), sandbox.hubspot.changes
    sandbox.reset_calls()
    assert configure(CONTRACT).splitlines()[-1] == "Nothing to change."
    assert stored() == before and sandbox.hubspot.changes == changes and writes(sandbox) == []


ROWS = [
    {"sansan": "email", "hubspot": "email", "transform": "email"},
    {"sansan": "title", "hubspot": "jobtitle", "policy": "if_empty", "clear": True},
]


FILES = {
    "mappings": ("rules.0.mappings", ROWS),
    "no mappings": ("rules.0.mappings", []),
    "a filter": (
        "rules.0.filters",
        {"cards": [{"field": "exchangeDate", "op": "on_or_after", "value": "2026-01-01"}]},
    ),
    "limits": ("rules.0.limits", {"creates": 0, "updates": 500}),
    "not active": ("rules.0.active", False),
    "another answer to a conflict": ("rules.0.conflict", "newest"),
    "no rules": ("rules", []),
    "a rate": ("connections.1.rate", {"calls": 50, "seconds": 5}),
    "tags": ("connections.0.tags", ["T0001", "展示会2026"]),
}


@pytest.mark.parametrize(("path", "value"), FILES.values(), ids=FILES)
def test_any_file_twice_changes_nothing(configure, sandbox, path, value):
    configure(at(file(), path, value))
    before = stored()
    assert configure(at(file(), path, value)).splitlines()[-1] == "Nothing to change."
    assert stored() == before


def test_a_file_saved_by_windows(configure, sandbox):
    configure("\ufeff".encode() + CONTRACT.replace("\n", "\r\n").encode())
    assert Account.objects.get().name == "Acme KK"


def test_the_exit_status_and_the_one_message(product, tmp_path):
    (tmp_path / "acme.yaml").write_text("account: {slug: acme}")
    done = product.run("configure", str(tmp_path / "acme.yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "account.name: is missing." in done.stderr and "Traceback" not in done.stderr


COMING_BACK = {
    "switched on": (True, ("active", True)),
    "left a draft": (False, ("draft", False)),
}


@pytest.mark.parametrize(("active", "after"), COMING_BACK.values(), ids=COMING_BACK)
def test_a_draft_that_was_discarded_comes_back_with_the_file_that_switches_it_on(
    configure, sandbox, active, after
):
    configure(file(active=False))
    with all_accounts():
        SyncRule.objects.update(discarded_at=timezone.now())
    configure(file(active=active))
    with all_accounts():
        rule = SyncRule.objects.get()
    assert (rule.state, rule.discarded_at is None) == after


# What is refused


def mapped(sansan: str, hubspot: str, **more: Any) -> tuple[str, Any]:
    return "rules.0.mappings", [{"sansan": sansan, "hubspot": hubspot, **more}]


def filtered(side: str, **row: Any) -> tuple[str, Any]:
    return "rules.0.filters", {side: [row]}


BAD = {
    "an unknown key at the top": (
        "colour",
        "red",
        "colour: is not known here; known are account, connections, rules",
    ),
    "an unknown key of the account": (
        "account.colour",
        "red",
        "account.colour: is not known here; known are slug, name, timezone",
    ),
    "an unknown key of a connection": (
        "connections.1.colour",
        "red",
        "connections[1].colour: is not known here; known are slug, system",
    ),
    "an unknown key of the credentials": (
        "connections.0.credentials.colour",
        "red",
        "connections[0].credentials.colour: is not known here",
    ),
    "the credentials of the other system": (
        "connections.0.credentials",
        {"access_token": "x"},
        "connections[0].credentials.api_key: is missing",
    ),
    "an unknown key of the rate": (
        "connections.0.rate",
        {"hertz": 4},
        "connections[0].rate.hertz: is not known here; known are calls, seconds",
    ),
    "an unknown key of a rule": (
        "rules.0.colour",
        "red",
        "rules[0].colour: is not known here; known are slug, sansan, hubspot",
    ),
    "an unknown key of the limits": (
        "rules.0.limits",
        {"deletes": 1},
        "rules[0].limits.deletes: is not known here; known are creates, updates",
    ),
    "an unknown key of the filters": (
        "rules.0.filters",
        {"tags": []},
        "rules[0].filters.tags: is not known here; known are cards, contacts",
    ),
    "an unknown key of a filter": (
        *filtered("cards", field="title", op="blank", colour=1),
        "rules[0].filters.cards[0].colour: is not known here",
    ),
    "an unknown key of a mapping": (
        *mapped("title", "jobtitle", x=1),
        "rules[0].mappings[0].x: is not known",
    ),
    "no account": ("account", None, "account: is missing."),
    "no slug": ("account.slug", None, "account.slug: is missing."),
    "no slug of a connection": ("connections.1.slug", None, "connections[1].slug: is missing."),
    "no slug of a rule": ("rules.0.slug", None, "rules[0].slug: is missing."),
    "a slug with a space": (
        "rules.0.slug",
        "my cards",
        "rules[0].slug: “my cards” must be 1 to 50 letters",
    ),
    "a slug of another script": (
        "account.slug",
        "株式会社",
        "account.slug: “株式会社” must be 1 to 50 letters",
    ),
    "a slug that is too long": ("account.slug", "a" * 51, "account.slug: “"),
    "two connections of one slug": (
        "connections.1.slug",
        "sansan",
        "connections: the slug “sansan” is used twice.",
    ),
    "two rules of one slug": (
        "rules",
        [file()["rules"][0]] * 2,
        "rules: the slug “cards” is used twice.",
    ),
    "an unknown system": (
        "connections.1.system",
        "salesforce",
        "connections[1].system: “salesforce” is not known; choose one of sansan, hubspot.",
    ),
    "no system": ("connections.1.system", None, "connections[1].system: is missing."),
    "a variable that is not set": (
        "connections.0.credentials.api_key",
        "${NO_SUCH_KEY}",
        "connections[0].credentials.api_key: the environment",
    ),
    "no key": (
        "connections.0.credentials.api_key",
        None,
        "connections[0].credentials.api_key: is missing.",
    ),
    "no credentials": (
        "connections.0.credentials",
        None,
        "connections[0].credentials: is missing.",
    ),
    "credentials that are a text": (
        "connections.0.credentials",
        KEY,
        "connections[0].credentials: must be a mapping",
    ),
    "tags that are a text": (
        "connections.0.tags",
        "VIP",
        "connections[0].tags: must be a list of texts.",
    ),
    "tags of HubSpot": (
        "connections.1.tags",
        ["VIP"],
        "connections[1].tags: belong to a Sansan connection.",
    ),
    "a rate below zero": (
        "connections.0.rate",
        {"calls": -1},
        "connections[0].rate.calls: must be a",
    ),
    "a rate in words": ("connections.0.rate", "fast", "connections[0].rate: must be a mapping"),
    "connections that are no list": ("connections", {"sansan": {}}, "connections: must be a list."),
    "a connection that is a text": ("connections.0", "sansan", "connections[0]: must be a mapping"),
    "an unknown time zone": (
        "account.timezone",
        "Asia/Osaka",
        "account.timezone: “Asia/Osaka” is not a time zone; use a name such as Asia/Tokyo.",
    ),
    "a time zone that is a path": (
        "account.timezone",
        "../etc/passwd",
        "account.timezone: “../etc/passwd” is not a time zone",
    ),
    "an unknown direction": (
        "rules.0.direction",
        "sideways",
        "rules[0].direction: “sideways” is not known; choose one of to_hubspot",
    ),
    "an unknown answer to a conflict": (
        "rules.0.conflict",
        "oldest",
        "rules[0].conflict: “oldest” is not known; choose one of sansan,",
    ),
    "active in words": ("rules.0.active", "sometimes", "rules[0].active: must be true or false."),
    "require_email as a number": (
        "rules.0.require_email",
        1,
        "rules[0].require_email: must be true or false.",
    ),
    "an interval that is too short": ("rules.0.interval", 1, "rules[0].interval: must be a"),
    "an interval in words": ("rules.0.interval", "soon", "rules[0].interval: must be a"),
    "an interval beyond every database": (
        "rules.0.interval",
        10**30,
        "rules[0].interval: must be a",
    ),
    "a limit below zero": ("rules.0.limits", {"creates": -1}, "rules[0].limits.creates: must be a"),
    "a limit in words": (
        "rules.0.limits",
        {"creates": "many"},
        "rules[0].limits.creates: must be a",
    ),
    "a limit that is true": (
        "rules.0.limits",
        {"updates": True},
        "rules[0].limits.updates: must be a",
    ),
    "a limit without end": (
        "rules.0.limits",
        {"updates": float("inf")},
        "rules[0].limits.updates: must be a",
    ),
    "a limit that is no number": (
        "rules.0.limits",
        {"updates": float("nan")},
        "rules[0].limits.updates: must be a",
    ),
    "an unknown field of a filter": (
        *filtered("cards", field="x", op="blank"),
        "rules[0].filters.cards[0].field: “x” is not known",
    ),
    "an unknown operator": (
        *filtered("cards", field="title", op="like"),
        "rules[0].filters.cards[0].op: “like” is not known; choose",
    ),
    "a filter without operator": (
        *filtered("contacts", field="email"),
        "rules[0].filters.contacts[0].op: is missing.",
    ),
    # Tags are chosen at the connection; a card's values hold none, so that such a filter would shut
    # every card out.
    "a filter by tag": (
        *filtered("cards", field="tags", op="contains", value="VIP"),
        "rules[0].filters.cards[0].field:",
    ),
    "a filter by a property that HubSpot lacks": (
        *filtered("contacts", field="shoe_size", op="equals", value="1"),
        "filters.contacts[0].field:",
    ),
    "an unknown transform": (
        *mapped("title", "jobtitle", transform="rot13"),
        "rules[0].mappings[0].transform: “",
    ),
    "an unknown policy": (
        *mapped("title", "jobtitle", policy="maybe"),
        "rules[0].mappings[0].policy: “maybe”",
    ),
    "an unknown field": (
        *mapped("shoe", "jobtitle"),
        "rules[0].mappings[0].sansan: “shoe” is not a field of a card",
    ),
    "tags joined with a text": (
        *mapped("tags,title", "jobtitle"),
        "rules[0].mappings[0].sansan: tags cannot be",
    ),
    "a property by its label": (
        *mapped("title", "Job Title"),
        "rules[0].mappings[0].hubspot: “Job Title” is not the",
    ),
    "a property mapped twice": (
        "rules.0.mappings",
        [ROWS[1], {"sansan": "memo", "hubspot": "jobtitle"}],
        "rules[0].mappings: “jobtitle” is mapped",
    ),
    "our own key": (
        *mapped("title", "sansan_link_id"),
        "rules[0].mappings[0].hubspot: sansan_link_id is our own key and cannot be mapped.",
    ),
    "mappings in words": ("rules.0.mappings", "standard", "rules[0].mappings: must be a list."),
    "a mapping without property": (
        "rules.0.mappings",
        [{"sansan": "title"}],
        "rules[0].mappings[0].hubspot: is missing.",
    ),
    "a property that HubSpot lacks": (
        *mapped("title", "shoe_size"),
        "rules[0].mappings[0].hubspot: shoe_size: HubSpot",
    ),
    "a property of another type": (
        *mapped("title", "lifecyclestage"),
        "rules[0].mappings[0].hubspot: lifecyclestage: a",
    ),
    "a property that is not written": (
        *mapped("title", "createdate"),
        "rules[0].mappings[0].hubspot: createdate: ",
    ),
    "a property of ours, of another type": (
        *mapped("title", "sansan_exchange_date"),
        "rules[0].mappings[0].hubspot: ",
    ),
    "a connection that is not there": (
        "rules.0.sansan",
        "other",
        "rules[0].sansan: “other” is not a sansan connection of this file (there",
    ),
    "a connection of the other system": (
        "rules.0.hubspot",
        "sansan",
        "rules[0].hubspot: “sansan” is not a hubspot connection of this file (",
    ),
    "no connection": ("rules.0.hubspot", None, "rules[0].hubspot: is missing."),
    "a wrong key": (
        "connections.0.credentials.api_key",
        "Wrong" + "0" * 27,
        "connections[0].credentials: Sansan refused the credentials (401)",
    ),
    "a wrong token": (
        "connections.1.credentials.access_token",
        "pat-wrong",
        "connections[1].credentials: HubSpot refused the credentials (401)",
    ),
    "a key in full-width letters": (
        "connections.0.credentials.api_key",
        "Ａ" * 32,
        "connections[0].credentials: The Sansan key has characters",
    ),
    "an unknown tag": (
        "connections.0.tags",
        ["VIP", "展示会2019"],
        "connections[0].tags: the key sees no tag called “展示会2019”.",
    ),
    "a private tag": (
        "connections.0.tags",
        ["個人メモ1"],
        "connections[0].tags: “個人メモ1” is a private tag",
    ),
}


@pytest.mark.parametrize(("path", "value", "told"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_the_place_and_changes_nothing(
    refused, sandbox, path, value, told
):
    assert told in refused(at(file(), path, value))
    assert nothing_stored(sandbox)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("account: {slug: acme", "is not YAML"),
        ("\tslug: acme", "is not YAML"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("", "the file: is missing."),
        ("- acme", "the file: must be a mapping"),
        ("acme", "the file: must be a mapping"),
        ("account: {slug: 会社}".encode("utf-16"), "cannot be read"),
    ],
    ids=["a bracket is open", "a tab", "a Python object", "empty", "a list", "a text", "UTF-16"],
)
def test_a_file_that_is_none(refused, sandbox, content, told):
    assert told in refused(content)
    assert nothing_stored(sandbox)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match=r"nowhere\.yaml: cannot be read") as error:
        call_command("configure", str(tmp_path / "nowhere.yaml"))
    assert error.value.returncode == 2


def test_every_problem_is_told_at_once(refused, sandbox):
    content = at(
        at(at(file(), "account.timezone", "Mars"), "connections.1.system", "x"),
        "rules.0.conflict",
        "oldest",
    )
    told = refused(content)
    assert all(
        place in told
        for place in ("account.timezone", "connections[1].system", "rules[0].conflict")
    )


def test_a_revoked_key(refused, sandbox):
    sandbox.hubspot.revoked.add(TOKEN)
    assert (
        "connections[1].credentials: HubSpot refused the credentials (401). Enter new ones"
        in refused(file())
    )
    assert nothing_stored(sandbox)


def test_a_tag_name_that_two_tags_have(refused, configure, sandbox):
    sandbox.sansan.tags["T0099"] = {**sandbox.sansan.tags["T0001"], "id": "T0099"}
    assert (
        "connections[0].tags: 2 tags are called “VIP”; write the id instead: T0001, T0099."
        in refused(file(tags=["VIP"]))
    )
    configure(file(tags=["T0099"]))
    with all_accounts():
        assert [tag.external_id for tag in Tag.objects.filter(selected=True)] == ["T0099"]


def test_more_than_300_tags(refused, configure, sandbox_of):
    sandbox = sandbox_of(5, tags=301)
    assert "connections[0].tags: 301 tags are selected, and at most 300 may be." in refused(
        file(tags=list(sandbox.sansan.tags)[:301])
    )
    assert nothing_stored(sandbox)
    configure(file(tags=list(sandbox.sansan.tags)[:300]))


@pytest.mark.parametrize("system", ["sansan", "hubspot"])
def test_a_vendor_that_answers_a_web_page(refused, sandbox, system):
    sandbox.faults.arm(system, "html", times=0)
    told = refused(file())
    assert f"connections[{0 if system == 'sansan' else 1}]" in told
    # "Sansan answered 200." helps nobody: a proxy's page or a wrong address is what a person can
    # look for.
    assert any(word in told for word in ("JSON", "HTML", "web page"))
    assert nothing_stored(sandbox)


VENDORS = {
    "Sansan": ("sansan", "Sansan"),
    "HubSpot": ("hubspot", "HubSpot"),
}


@pytest.mark.parametrize(("system", "name"), VENDORS.values(), ids=VENDORS)
def test_a_vendor_that_cannot_be_reached(refused, sandbox, settings, system, name):
    setattr(settings, f"{system.upper()}_API_URL", NOWHERE)
    assert f"{name} could not be reached." in refused(file())
    assert nothing_stored(sandbox)


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["for good", "dry run"])
def test_a_slug_keeps_its_system(configure, refused, sandbox, options):
    configure(at(file(), "rules", []))
    content = at(file(), "rules", [])
    content["connections"] = [
        {"slug": "hubspot", "system": "sansan", "credentials": {"api_key": KEY}}
    ]
    assert (
        "connections[0].system: “hubspot” is a hubspot connection already; choose another slug."
        in refused(content, *options)
    )


def test_what_was_refused_by_a_vendor_leaves_the_stored_configuration_alone(
    configure, refused, sandbox
):
    configure(file())
    before = stored()
    refused(
        at(
            at(file(conflict="newest"), "account.name", "Acme Holdings"),
            "connections.1.credentials.access_token",
            "pat-wrong",
        )
    )
    assert stored() == before


# Dry run


def test_a_dry_run_stores_nothing_at_either_side(configure, sandbox):
    told = configure(CONTRACT, "--dry-run")
    assert told.splitlines()[-1] == "Nothing was stored." and all(name in told for name in OURS)
    assert nothing_stored(sandbox) and sandbox.hubspot.changes == 0


def test_a_dry_run_over_a_stored_configuration_changes_nothing(configure, sandbox):
    configure(file())
    before, changes = stored(), sandbox.hubspot.changes
    sandbox.reset_calls()
    configure(
        file(tags=["VIP"], token="pat-other-0002", conflict="newest", active=False), "--dry-run"
    )
    assert stored() == before and sandbox.hubspot.changes == changes and writes(sandbox) == []


def test_a_dry_run_tells_what_would_change_setting_by_setting(configure, sandbox):
    configure(CONTRACT)
    changed = file(
        tags=["東京"],
        conflict="newest",
        require_email=False,
        filters={"cards": [{"field": "title", "op": "not_blank"}]},
        mappings=[
            {"sansan": "lastName", "hubspot": "lastname"},
            {"sansan": "title", "hubspot": "jobtitle", "transform": "upper"},
            {"sansan": "memo", "hubspot": "message"},
        ],
    )
    changed["account"]["name"] = "Acme Holdings"
    told = configure(changed, "--dry-run").splitlines()
    for line in (
        "account acme: name: Acme KK → Acme Holdings",
        "connection sansan: tag 東京: selected",
        "rule cards: conflict: sansan → newest",
        "rule cards: require_email: true → false",
        "rule cards: mapping jobtitle: transform: (blank) → upper",
        "rule cards: mapping message: new",
        "rule cards: mapping fax: taken out",
    ):
        assert line in told, told
    assert any(line.startswith("rule cards: filters: ") for line in told)
    assert told[-1] == "Nothing was stored."
    done = configure(changed).splitlines()
    assert [line for line in told if line.startswith("rule")] == [
        line for line in done if line.startswith("rule")
    ]
    assert configure(changed, "--dry-run").splitlines()[-2:] == [
        done[1],
        "Nothing was stored.",
    ], "nothing is left to change"


def test_a_dry_run_tells_no_secret(configure, sandbox):
    configure(CONTRACT)
    told = configure(file(token="pat-test-0002"), "--dry-run")
    assert "connection hubspot: credentials" in told and "pat-test" not in told


def test_a_dry_run_is_refused_for_the_same_reasons(refused, sandbox):
    assert "the key sees no tag called “展示会2019”" in refused(
        file(tags=["展示会2019"]), "--dry-run"
    )


# Changing


def test_a_new_secret(configure, sandbox):
    configure(file())
    told = configure(file(key="OtherKey0123456789abcdefABCDEF01"))
    assert (
        "connection sansan: credentials" in told.splitlines() and "connection hubspot" not in told
    )
    assert (
        rule_of().sansan.secret == "OtherKey0123456789abcdefABCDEF01"
        and rule_of().sansan.hint == "****EF01"
    )


def test_other_tags_look_at_every_card_again(configure, sandbox):
    rule = configured(file(tags=["VIP"]))
    with in_account(rule.account):
        SyncRule.objects.update(recheck=False)
    assert "connection sansan: tag 東京: selected" in configure(file(tags=["東京"])).splitlines()
    assert rule_of().recheck
    with all_accounts():
        assert [tag.name for tag in Tag.objects.filter(selected=True)] == ["東京"]


@pytest.mark.parametrize(
    ("path", "value", "again"),
    [
        ("rules.0.mappings", ROWS, True),
        ("rules.0.conflict", "hubspot", True),
        ("rules.0.require_email", False, True),
        ("rules.0.filters", {"cards": [{"field": "city", "op": "not_blank"}]}, True),
        ("rules.0.limits", {"creates": 5}, False),
        ("rules.0.interval", 60, False),
        ("rules.0.active", False, False),
    ],
    ids=["mappings", "conflict", "require_email", "filters", "limits", "interval", "active"],
)
def test_a_change_is_told_and_looks_at_every_card_again_where_it_must(
    configure, sandbox, path, value, again
):
    rule = configured(file())
    with in_account(rule.account):
        SyncRule.objects.update(recheck=False)
    told = configure(at(file(), path, value)).splitlines()
    assert any(line.startswith("rule cards: ") for line in told)
    assert rule_of().recheck is again


def test_mappings_are_replaced(configure, sandbox):
    configure(file())
    configure(file(mappings=ROWS))
    with all_accounts():
        assert list(
            FieldMapping.objects.order_by("position").values_list(
                "sansan", "hubspot", "transform", "policy", "clear"
            )
        ) == [
            ("email", "email", "email", "always", False),
            ("title", "jobtitle", "", "if_empty", True),
        ]


def test_active_starts_and_pauses(configure, sandbox):
    states = []
    for active in (False, True, False, True):
        configure(file(active=active))
        states.append(rule_of().state)
    assert states == ["draft", "active", "paused", "active"]


def held(reason: str = note("creates_exceed_budget", n=12, most=10)) -> None:
    with all_accounts():
        SyncRule.objects.update(state="held", state_reason=reason)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("account.name", "Acme Holdings"),
        ("rules.0.conflict", "newest"),
        ("connections.1.rate", {"calls": 90}),
        ("connections.0.tags", ["VIP"]),
    ],
    ids=["nothing of it", "the rule", "the rate", "the tags"],
)
def test_a_held_rule_stays_held(configure, sandbox, path, value):
    configure(file())
    held()
    configure(at(file(), path, value))
    assert rule_of().state == "held"


def test_new_credentials_let_a_held_rule_go(configure, sandbox):
    configure(file())
    held(note("credentials_refused", vendor="HubSpot"))
    configure(file(token="pat-other-0002"))
    assert (rule_of().state, rule_of().state_reason) == ("active", "")


def test_the_rate_is_what_the_file_says(configure, sandbox):
    configure(at(file(), "connections.0.rate", {"calls": 3, "seconds": 0.5}))
    rule = rule_of()
    assert (rule.sansan.rate_calls, rule.sansan.rate_seconds) == (3, 0.5)
    assert rule.hubspot.rate_calls == 0  # off


def test_two_accounts_stay_apart(configure, sandbox):
    configure(file())
    before = rule_of()
    configure(file(slug="birch", token="pat-birch-0001", conflict="newest"))
    assert (
        rule_of("birch").conflict == "newest"
        and rule_of().conflict == before.conflict
        and rule_of().pk == before.pk
    )


def test_without_the_right_to_make_properties_it_says_so(configure, sandbox):
    sandbox.hubspot.control("scopes", {"token": TOKEN, "missing": ["crm.schemas.contacts.write"]})
    told = configure(file(mappings=ROWS))
    assert (
        "rule cards: the token may not make properties, so contacts are matched by e-mail only"
        in told.splitlines()
    )


def test_a_vendor_that_fails_half_way_is_told_and_the_next_time_finishes(
    configure, refused, sandbox
):
    sandbox.faults.arm("hubspot", "status", match="POST .*/properties", times=0, status=503)
    assert "Stored, but not finished: " in refused(file())
    sandbox.faults.clear()
    configure(file())
    assert set(sandbox.hubspot.portal(TOKEN).properties) >= OURS and rule_of().hubspot.link_property


# Secrets

SECRET_KEY, SECRET_TOKEN = "SecretKey0123456789abcdefABCDEF0", "pat-secret-77f3"


@pytest.mark.parametrize("trouble", ["none", "revoked", "quoted by the vendor", "html"])
def test_no_output_shows_a_secret(configure, sandbox, capfd, trouble):
    if trouble == "revoked":
        sandbox.sansan.revoked.add(SECRET_KEY)
    elif trouble == "quoted by the vendor":
        sandbox.faults.arm(
            "hubspot", "status", times=0, status=400, body={"message": f"what is {SECRET_TOKEN}?"}
        )
    elif trouble == "html":
        sandbox.faults.arm("sansan", "html", times=0)
    try:
        told = configure(file(key=SECRET_KEY, token=SECRET_TOKEN))
    except CommandError as refusal:
        told = str(refusal)
    seen = capfd.readouterr()
    assert (
        told
        and SECRET_KEY not in told + seen.out + seen.err
        and SECRET_TOKEN not in told + seen.out + seen.err
    )


def test_a_file_that_is_not_yaml_does_not_show_its_secrets(refused):
    told = refused(
        f"account: {{slug: acme}}\nconnections:\n  - {{slug: sansan, credentials: {{api_key: "
        f"{SECRET_KEY}]}}\n"
    )
    assert "is not YAML" in told and "line 3" in told
    assert SECRET_KEY not in told
