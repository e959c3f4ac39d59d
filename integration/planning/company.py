"""Which company a person's cards name: by web domain, else by name. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from integration.planning.normalize import normalize_company, normalize_text
from integration.planning.transforms import find_domain
from integration.records import Values

# Addresses that anybody can have say nothing of a company.
FREEMAIL_HOSTS = frozenset(
    "gmail.com googlemail.com yahoo.com yahoo.co.jp ymail.ne.jp outlook.com outlook.jp "
    "hotmail.com hotmail.co.jp live.com live.jp msn.com "
    "icloud.com me.com mac.com aol.com proton.me protonmail.com gmx.com gmx.de web.de mail.com "
    "qq.com 163.com naver.com daum.net "
    "docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp vodafone.ne.jp ymobile.ne.jp "
    "nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp "
    "plala.or.jp dion.ne.jp infoseek.jp excite.co.jp".split()
)
HOST_FORM = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)")


class NamedCompany(NamedTuple):
    """A company as a card names it.

    ``key`` tells it from others: the domain, or "name:" and the folded name.
    """

    key: str
    domain: str
    name: str


def name_company(values: Values, email: str) -> NamedCompany | None:
    """``email`` is the contact's folded address. None where the card names no company."""
    name = normalize_text(values.get("companyName", ""))
    host = next(
        (
            one
            for one in (email.rpartition("@")[2], find_domain([values.get("url", "")], ""))
            if is_company_host(one)
        ),
        "",
    )
    folded = normalize_company(name)
    if not host and not folded:
        return None
    return NamedCompany(host or f"name:{folded}"[:250], host, name)


def is_company_host(host: str) -> bool:
    return host not in FREEMAIL_HOSTS and HOST_FORM.fullmatch(host) is not None
