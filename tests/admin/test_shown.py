"""How numbers, times and reasons are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from integration.admin.parts.shown import (
    TONES,
    explain_reason,
    make_badge,
    show_duration,
    show_moment,
    show_number,
)
from integration.models import AuditEntry, Bucket, Connection, Outcome, SyncRule, SyncRun, Tag
from integration.planning.decisions import REASONS

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


DURATIONS = {
    "unknown": (None, ""),
    "none": (0, "0.0 s"),
    "negative": (-3, "0.0 s"),
    "below a tenth of a second": (0.04, "0.0 s"),
    "below ten seconds": (9.94, "9.9 s"),
    "ten seconds": (10, "10 s"),
    "just below a minute": (59.9, "59 s"),
    "a minute": (60, "1 min 0 s"),
    "just below an hour": (3599, "59 min 59 s"),
    "an hour": (3600, "1 h 0 min"),
    "just below a day": (86_399, "23 h 59 min"),
    "a day": (86_400, "1 day"),
    "years": (86_400 * 1500, "1,500 days"),
}


@pytest.mark.parametrize(("seconds", "text"), DURATIONS.values(), ids=DURATIONS)
def test_a_duration(seconds, text):
    assert show_duration(seconds) == text


MOMENTS = {
    "now": (0, "0 s ago"),
    "just below a minute": (59, "59 s ago"),
    "a minute": (61, "1 min ago"),
    "two hours": (7200, "2 h ago"),
    "two days": (86_400 * 2, "2 days ago"),
    "soon": (-90, "in 1 min"),
    "tomorrow": (-86_400, "in 1 day"),
}


@pytest.mark.parametrize(("seconds", "text"), MOMENTS.values(), ids=MOMENTS)
def test_how_long_ago(time_machine, seconds, text):
    time_machine.move_to(NOW, tick=False)
    shown = show_moment(NOW - timedelta(seconds=seconds))
    assert f">{text}</time>" in shown and 'title="2026-0' in shown


def test_never_is_a_dash_and_the_exact_time_is_local(time_machine):
    time_machine.move_to(NOW, tick=False)
    assert show_moment(None) == "–"
    assert 'datetime="2026-03-01T21:00:00+09:00" title="2026-03-01 21:00:00"' in show_moment(NOW)


def test_numbers_have_their_thousands():
    assert (show_number(0), show_number(999), show_number(1_234_567)) == ("0", "999", "1,234,567")


def test_a_badge_escapes():
    assert make_badge("ok", "<b>") == '<span class="mb-badge mb-good">&lt;b&gt;</span>'


def test_every_reason_has_a_sentence():
    assert all(
        explain_reason(code) == text and text.endswith(".") for code, text in REASONS.items()
    )
    assert explain_reason("not_known_here") == "Not known here"


def test_a_colour_is_given_to_words_that_exist():
    """A state that is renamed would silently lose its colour."""
    words = {
        value
        for choices in (
            SyncRule.State,
            SyncRun.State,
            Connection.Health,
            Bucket,
            Outcome,
            AuditEntry.Decision,
            Tag.Type,
        )
        for value in choices.values
    }
    counters = {"created", "updated"}
    assert set(TONES) <= words | counters
    assert {"failed", "failing", "reconnect", "held", "conflict"} <= set(TONES)
