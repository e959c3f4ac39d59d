"""Which company a person's cards name: by web domain, else by name. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from integration.planning import normalize
from integration.planning.transforms import domain
from integration.records import Values

# Addresses that anybody can have say nothing of a company.
FREEMAIL = frozenset(
    "gmail.com googlemail.com yahoo.com yahoo.co.jp ymail.ne.jp outlook.com outlook.jp hotmail.com hotmail.co.jp live.com live.jp msn.com "
    "icloud.com me.com mac.com aol.com proton.me protonmail.com gmx.com gmx.de web.de mail.com qq.com 163.com naver.com daum.net "
    "docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp vodafone.ne.jp ymobile.ne.jp nifty.com biglobe.ne.jp ocn.ne.jp so-net.ne.jp "
    "plala.or.jp dion.ne.jp infoseek.jp excite.co.jp".split()
)
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)")


class Named(NamedTuple):
    """A company as a card names it. ``key`` tells it from others: the domain, or "name:" and the folded name."""

    key: str
    domain: str
    name: str


def named(values: Values, email: str) -> Named | None:
    """``email`` is the contact's folded address. None where the card names no company."""
    name = normalize.text(values.get("companyName", ""))
    host = next((one for one in (email.rpartition("@")[2], domain([values.get("url", "")], "")) if is_companys(one)), "")
    folded = normalize.company(name)
    if not host and not folded:
        return None
    return Named(host or f"name:{folded}"[:250], host, name)


def is_companys(host: str) -> bool:
    return host not in FREEMAIL and HOST.fullmatch(host) is not None
