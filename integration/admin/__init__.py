"""The pages of the sync.

Importing them registers them on our own site; the overview is the site's first page.
"""

from core.admin.site import site
from integration.admin import (
    account,
    connection,
    entry,
    heartbeat,
    link,
    queue,
    record,
    rule,
    run,
    tag,
)
from integration.admin.overview import make_overview

site.overview = make_overview

__all__ = [
    "account",
    "connection",
    "entry",
    "heartbeat",
    "link",
    "queue",
    "record",
    "rule",
    "run",
    "tag",
]
