"""How the pages show things: badges, numbers, delays, sentences, and links to filtered lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integration.models import COUNTERS, SyncRun
from integration.planning.reasons import REASONS, TO_DO

# The words of every state, outcome, bucket, decision and tag type -> what colour says of them.
TONES = {
    **dict.fromkeys(("active", "succeeded", "linked", "ok", "create", "created"), "good"),
    **dict.fromkeys(
        ("draft", "queued", "running", "waiting", "preview", "update", "updated", "link", "shared"),
        "info",
    ),
    **dict.fromkeys(
        ("held", "partial", "unseen", "conflict", "not_written", "hold", "unreachable"), "warn"
    ),
    **dict.fromkeys(("failed", "failing", "reconnect"), "bad"),
}


def make_badge(code: str, text: Any, tone: str = "") -> SafeString:
    return format_html(
        '<span class="mb-badge mb-{}">{}</span>', tone or TONES.get(code, "plain"), text
    )


def make_choice_badge(obj: Model, field: str) -> SafeString:
    """A field with choices, as a badge; nothing where it is blank."""
    code = getattr(obj, field)
    return make_badge(code, getattr(obj, f"get_{field}_display")()) if code else SafeString("")


def show_number(value: int | float) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)


def explain_reason(reason: str) -> str:
    """What a reason means; a code that this version does not know stands for itself."""
    return _(REASONS[reason]) if reason in REASONS else reason.replace("_", " ").capitalize()


def advise_on_reason(reason: str) -> str:
    """What a person can do about a reason."""
    return _(TO_DO[reason]) if reason in TO_DO else ""


def show_duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 10:
        return _("%(n)s s") % {"n": number_format(max(seconds, 0), 1)}
    whole = int(seconds)
    if whole < 60:
        return _("%(n)s s") % {"n": whole}
    if whole < 3600:
        return _("%(min)s min %(s)s s") % {"min": whole // 60, "s": whole % 60}
    if whole < 86_400:
        return _("%(h)s h %(min)s min") % {"h": whole // 3600, "min": whole % 3600 // 60}
    days = whole // 86_400
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": show_number(days)}


def show_rough_duration(seconds: float) -> str:
    """One unit is enough to say how long ago something was."""
    for size, text in ((86_400, ""), (3600, _("%(n)s h")), (60, _("%(n)s min")), (0, _("%(n)s s"))):
        if seconds >= size:
            return text % {"n": int(seconds // (size or 1))} if text else show_duration(seconds)
    return show_duration(seconds)


def show_moment(moment: datetime | None) -> SafeString | str:
    """How long ago, or how soon; the exact time stands behind it."""
    if moment is None:
        return "–"
    away = (timezone.now() - moment).total_seconds()
    text = (
        _("%(time)s ago") % {"time": show_rough_duration(away)}
        if away >= 0
        else _("in %(time)s") % {"time": show_rough_duration(-away)}
    )
    exact = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(),
        f"{exact:%Y-%m-%d %H:%M:%S}",
        text,
    )


def show_counters(run: SyncRun) -> SafeString:
    """A run's counters in one line: what was read, and only what came of it."""
    words = {
        "created": _("created"),
        "updated": _("updated"),
        "linked": _("linked"),
        "unchanged": _("unchanged"),
        "merged": _("merged"),
        "excluded": _("excluded"),
        "held": _("held"),
        "failed": _("failed"),
        "waiting": _("waiting"),
    }
    counts = run.counts
    parts = [
        (TONES.get(name, "plain"), show_number(counts[name]), words[name])
        for name in (*COUNTERS, "waiting")
        if counts[name]
    ]
    if run.echoes:
        parts.append(("plain", show_number(run.echoes), _("of our own writes recognised")))
    read = _("%(n)s read") % {"n": show_number(run.read)}
    told = ((tone, _("%(n)s %(what)s") % {"n": n, "what": what}) for tone, n, what in parts)
    return format_html(
        '<span class="mb-counts"><span>{}</span>{}</span>',
        read,
        format_html_join("", '<span class="mb-text-{}">{}</span>', told),
    )
