"""Where the records of rules stand, each count with the way to the records behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.tenancy import all_accounts
from integration.admin.parts.links import make_list_url
from integration.admin.parts.shown import TONES, show_number
from integration.models import Bucket, Record, Side, SyncRule


def count_records_by_bucket(
    rules: Iterable[int], side: str = Side.CARD
) -> dict[int, dict[str, int]]:
    """Rule -> bucket -> cards, or contacts that may become cards. One pass over an index that holds
    nothing else.

    The rules were read within the scope. Its condition on the account is left out here, because
    SQLite would take the index of accounts for it and read every row (2 s in a million, where this
    takes 0.1).
    """
    found: dict[int, dict[str, int]] = {}
    with all_accounts():
        rows = (
            Record.objects.filter(rule__in=list(rules), side=side)
            .order_by()
            .values_list("rule", "bucket")
            .annotate(n=Count("pk"))
        )
        for rule, bucket, n in rows:
            found.setdefault(rule, {})[bucket] = n
    return found


def make_bucket_tiles(rule: SyncRule) -> dict[str, Any]:
    """Every bucket, also the empty ones, and their sum: a card is in exactly one."""
    stand = count_records_by_bucket([rule.pk]).get(rule.pk, {})
    return {
        "total": sum(stand.values()),
        "buckets": [
            {
                "label": label,
                "n": stand.get(code, 0),
                "tone": TONES.get(code, "plain"),
                "url": make_list_url(Record, rule=rule.pk, bucket=code, side="card"),
            }
            for code, label in Bucket.choices
        ],
    }


def show_waiting_and_failing(rule: SyncRule, stand: dict[str, int]) -> SafeString:
    """The two counts that ask for attention, for a list.

    What the preview of a draft has read waits for nothing.
    """
    if rule.state == SyncRule.State.DRAFT:
        return SafeString("–")
    parts = []
    for bucket in (Bucket.WAITING, Bucket.FAILING):
        n = stand.get(bucket, 0)
        tone = TONES[bucket] if n else "muted"
        parts.append(
            format_html(
                '<a class="mb-text-{}" href="{}">{}</a>',
                tone,
                make_list_url(Record, rule=rule.pk, bucket=bucket.value, side="card"),
                show_number(n),
            )
        )
    return format_html('<span class="mb-pair">{} / {}</span>', *parts)
