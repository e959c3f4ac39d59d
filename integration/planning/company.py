"""Which company a person's cards name: by web domain, else by name. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from integration.planning.normalize import normalize_company, normalize_text
from integration.planning.providers import is_provider_domain
from integration.planning.transforms import find_domain
from integration.records import Values

HOST_FORM = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)")


class NamedCompany(NamedTuple):
    """A company as a card names it.

    ``key`` tells it from others: the domain, or "name:" and the folded name.
    """

    key: str
    domain: str
    name: str


def name_company(
    values: Values, email: str, providers: Collection[str] = ()
) -> NamedCompany | None:
    """``email`` is the contact's folded address, ``providers`` the account's own domains of
    providers. None where the card names no company.
    """
    name = normalize_text(values.get("companyName", ""))
    host = next(
        (
            one
            for one in (email.rpartition("@")[2], find_domain([values.get("url", "")], ""))
            if HOST_FORM.fullmatch(one) and not is_provider_domain(one, providers)
        ),
        "",
    )
    folded = normalize_company(name)
    if not host and not folded:
        return None
    return NamedCompany(host or f"name:{folded}"[:250], host, name)
