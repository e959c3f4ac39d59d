"""``export_config``: the file back, so that configuring it again changes nothing, and no secret in
it.
"""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import connection

from core.models import Account
from core.tenancy import all_accounts, in_account
from integration.models import Connection, SyncRule
from tests.cast import configured, file
from tests.commands.test_configure import ROWS, at, stored

pytestmark = pytest.mark.django_db
KEY, TOKEN = "SecretKey0123456789abcdefABCDEF0", "pat-secret-77f3"


def export(account: str = "acme") -> str:
    out = io.StringIO()
    call_command("export_config", account, stdout=out)
    return out.getvalue()


@pytest.fixture
def again(tmp_path, monkeypatch):
    """Puts an export into effect, its variables set to the secrets that are stored; returns what
    was printed.
    """

    def put(exported: str) -> str:
        with all_accounts():
            for row in yaml.safe_load(exported)["connections"]:
                (value,) = row["credentials"].values()
                variable = re.fullmatch(r"\$\{(.+)\}", value)
                assert variable
                monkeypatch.setenv(variable[1], Connection.objects.get(slug=row["slug"]).secret)
        path, out = tmp_path / "exported.yaml", io.StringIO()
        path.write_text(exported, encoding="utf-8")
        call_command("configure", str(path), stdout=out)
        return out.getvalue()

    return put


def two_of_each() -> dict[str, Any]:
    content = file(key=KEY, token=TOKEN)
    content["connections"] += [
        {
            "slug": "sansan-osaka",
            "system": "sansan",
            "credentials": {"api_key": "OsakaKey0123456789abcdefABCDEF01"},
            "tags": ["大阪"],
            "rate": False,
        },
        {
            "slug": "hubspot-osaka",
            "system": "hubspot",
            "credentials": {"access_token": "pat-osaka-0001"},
            "rate": False,
        },
    ]
    content["rules"].append({"slug": "osaka", "sansan": "sansan-osaka", "hubspot": "hubspot-osaka"})
    return content


FILES = {
    "the defaults": file(key=KEY, token=TOKEN),
    "tags": file(tags=["VIP", "T0003"], key=KEY, token=TOKEN),
    "mappings": file(key=KEY, token=TOKEN, mappings=ROWS),
    "no mappings": file(key=KEY, token=TOKEN, mappings=[]),
    "filters": file(
        key=KEY,
        token=TOKEN,
        filters={
            "cards": [{"field": "city", "op": "equals", "value": "千代田区"}],
            "contacts": [{"field": "lifecyclestage", "op": "blank"}],
        },
    ),
    "limits and times": file(
        key=KEY, token=TOKEN, limits={"creates": 0, "updates": 20}, interval=60, full_every=0
    ),
    "not active": file(key=KEY, token=TOKEN, active=False, require_email=False, conflict="newest"),
    "a rate": at(file(key=KEY, token=TOKEN), "connections.0.rate", {"calls": 3, "seconds": 2}),
    "the vendors' rates": at(
        at(file(key=KEY, token=TOKEN), "connections.0.rate"), "connections.1.rate"
    ),
    "two of each": two_of_each(),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_there_and_back_changes_nothing(sandbox, again, content):
    configured(content)
    before, exported = stored(), export()
    assert again(exported).splitlines()[-1] == "Nothing to change."
    assert stored() == before and export() == exported


@pytest.mark.parametrize(
    "seconds", [0.5, 2.5, None], ids=["less than a second", "no whole number", "blank"]
)
def test_a_rate_that_was_set_in_the_admin(sandbox, again, seconds):
    rule = configured(file(key=KEY, token=TOKEN))
    with in_account(rule.account):
        Connection.objects.filter(system="sansan").update(rate_calls=3, rate_seconds=seconds)
    before = stored()
    again(export())
    assert stored() == before


def test_it_says_what_the_file_said(sandbox):
    configured(file(tags=["VIP"], key=KEY, token=TOKEN, mappings=ROWS, limits={"creates": 9}))
    content = yaml.safe_load(export())
    assert content["account"] == {"slug": "acme", "name": "Acme KK", "timezone": "Asia/Tokyo"}
    assert content["connections"][0]["tags"] == ["VIP"]
    assert [one["credentials"] for one in content["connections"]] == [
        {"api_key": "${SANSAN_API_KEY}"},
        {"access_token": "${HUBSPOT_TOKEN}"},
    ]
    (rule,) = content["rules"]
    assert (rule["active"], rule["limits"], [row["hubspot"] for row in rule["mappings"]]) == (
        True,
        {"creates": 9},
        ["email", "jobtitle"],
    )


def test_the_defaults_stay_one_word_and_japanese_stays_readable(sandbox):
    configured(at(file(tags=["展示会2026"]), "account.name", "株式会社アクメ"))
    exported = export()
    assert (
        "mappings: default" in exported
        and "株式会社アクメ" in exported
        and "展示会2026" in exported
    )


def test_no_secret_is_in_it(sandbox):
    configured(file(key=KEY, token=TOKEN))
    exported = export()
    assert KEY not in exported and TOKEN not in exported and "****" not in exported


def test_a_key_that_cannot_be_decrypted_does_not_stop_it(sandbox):
    configured(file())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE integration_connection SET credentials = %s", [b"gAAAAA-of-another-key"]
        )
    assert "${SANSAN_API_KEY}" in export()


def test_tags_that_share_a_name_are_told_by_id(sandbox, again):
    sandbox.sansan.tags["T0099"] = {**sandbox.sansan.tags["T0001"], "id": "T0099"}
    configured(file(tags=["T0099", "東京"]))
    exported = export()
    assert sorted(yaml.safe_load(exported)["connections"][0]["tags"]) == ["T0099", "東京"]
    assert again(exported).splitlines()[-1] == "Nothing to change."


def test_a_held_rule_is_still_meant_to_be_active(sandbox, again):
    rule = configured(file())
    with in_account(rule.account):
        SyncRule.objects.update(state="held", state_reason="Too many creates.")
    exported = export()
    assert yaml.safe_load(exported)["rules"][0]["active"] is True
    again(exported)
    with in_account(rule.account):
        assert SyncRule.objects.values_list("state", "state_reason").get() == (
            "held",
            "Too many creates.",
        )


@pytest.mark.parametrize(
    "slugs",
    [("2026-expo", "hubspot"), ("sansan", "sansan_"), ("a-b", "a_b"), ("Expo", "expo")],
    ids=" and ".join,
)
def test_every_connection_has_a_variable_of_its_own(sandbox, again, slugs):
    content = file(key=KEY, token=TOKEN)
    other = {
        "slug": slugs[1],
        "system": "sansan",
        "credentials": {"api_key": "OtherKey0123456789abcdefABCDEF01"},
        "rate": False,
    }
    content["connections"][0]["slug"] = content["rules"][0]["sansan"] = slugs[0]
    content["connections"] += [other] if slugs[1] != "hubspot" else []
    configured(content)
    exported = export()
    named = re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", exported)
    assert len(named) == len(set(named)) == len(content["connections"])
    assert again(exported).splitlines()[-1] == "Nothing to change."


def test_of_one_account_only(sandbox):
    configured(file())
    configured(file("birch", key=KEY, token="pat-birch-0001", conflict="newest"))
    assert "birch" not in export() and "newest" not in export() and Account.objects.count() == 2


def test_an_unknown_account():
    with pytest.raises(CommandError, match="There is no account “nobody”") as error:
        export("nobody")
    assert error.value.returncode == 2
