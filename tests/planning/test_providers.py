"""Whose domain tells of a company (planning/providers.py, company.py)."""

from __future__ import annotations

import pytest

from integration.planning.company import name_company
from integration.planning.providers import is_provider_domain


@pytest.mark.parametrize(
    "host",
    [
        "gmail.com",
        "yahoo.co.jp",
        "zaq.ne.jp",
        "jcom.zaq.ne.jp",
        "docomo.ne.jp",
        "t.vodafone.ne.jp",
        "plala.or.jp",
        "blue.plala.or.jp",
        "nifty.com",
        "i.softbank.jp",
        "outlook.com",
        "acme.jimdofree.com",
        "facebook.com",
    ],
)
def test_domains_of_providers(host):
    assert is_provider_domain(host)


@pytest.mark.parametrize(
    "host",
    ["acme.example.jp", "acme.co.jp", "ne.jp.example.com", "notgmail.com", "line.example.jp"],
)
def test_domains_of_companies(host):
    assert not is_provider_domain(host)


def test_what_the_account_adds():
    assert is_provider_domain("catv.example.jp", {"catv.example.jp"})
    assert is_provider_domain("mail.catv.example.jp", {"catv.example.jp"})
    assert not is_provider_domain("example.jp", {"catv.example.jp"})


COMPANIES = {
    "by the address": ("森商店", "mori@acme.example.jp", "", "acme.example.jp"),
    "at a provider": ("森商店", "mori@jcom.zaq.ne.jp", "", "name:森商店"),
    "another at the same provider": ("原工務店", "hara@jcom.zaq.ne.jp", "", "name:原工務店"),
    "by the page": ("森商店", "mori@zaq.ne.jp", "https://www.mori.example.jp/", "mori.example.jp"),
    "a page that anybody can have": (
        "森商店",
        "mori@zaq.ne.jp",
        "https://facebook.com/mori",
        "name:森商店",
    ),
    "at the account's own provider": ("森商店", "mori@own.example.jp", "", "name:森商店"),
    "no company at all": ("", "mori@zaq.ne.jp", "", None),
}


@pytest.mark.parametrize(("name", "email", "url", "key"), COMPANIES.values(), ids=COMPANIES)
def test_which_company_a_card_names(name, email, url, key):
    found = name_company({"companyName": name, "url": url}, email, {"own.example.jp"})
    assert (found.key if found else None) == key
