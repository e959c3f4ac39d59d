"""What is refused at the start: settings that would lose or double work, and secrets that are not
there.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.checks import registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from core import checks
from integration import checks as checks_of_the_sync
from integration.checks import check_vendor_urls
from tests.process import ROOT, Product

GOOD = {
    "SECRET_KEY": "secret-0123456789" * 4,
    "FERNET_KEYS": "f" * 44,
    "ALLOWED_HOSTS": "example.com",
    "DEBUG": "0",
}


def told() -> list[str]:
    return [error.msg for error in checks.check_queue_settings(None)]


def test_the_defaults_are_well(settings):
    settings.FERNET_KEYS = ["f" * 44]
    assert told() == []
    call_command("check")


WRONG = {
    "retry at the length of a task": ({"retry": 240}, "retry must be over 240"),
    "retry below a task": ({"retry": 60}, "retry must be over 240"),
    "a queue so long that retry falls short": ({"queue_limit": 40}, "retry must be over"),
    "a bulk so large that retry falls short": ({"bulk": 40}, "retry must be over"),
    "so few workers that retry falls short": (
        {"workers": 1, "queue_limit": 4},
        "retry must be over",
    ),
    "no workers": ({"workers": 0}, "workers"),
    "attempts without end": ({"max_attempts": 0}, "max_attempts must be 1"),
    "many attempts": ({"max_attempts": 5}, "max_attempts must be 1"),
    "failures that come back": ({"ack_failures": False}, "ack_failures must be on"),
    "missed ticks all at once": ({"catch_up": True}, "catch_up must be off"),
    "a task cut off in its slice": (
        {"timeout": 39},
        "SYNC_SLICE_SECONDS must be at most half of the task timeout",
    ),
}


@pytest.mark.parametrize(("values", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_of_the_queue_is_refused(settings, values, message):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, **values}
    assert any(message in text for text in told()), told()
    with pytest.raises(SystemCheckError, match=message):
        call_command("check")


@pytest.mark.parametrize(
    "values",
    [{"retry": 241}, {"workers": 1}, {"timeout": 40, "retry": 81}, {"workers": 32}],
    ids=str,
)
def test_a_value_just_within_is_taken(settings, values):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, **values}
    assert told() == []


LENGTHS = {
    "a slice over half of a task": (
        "SYNC_SLICE_SECONDS",
        61,
        "SYNC_SLICE_SECONDS must be at most half of the task timeout",
    ),
    "a slice that does nothing": ("SYNC_SLICE_SECONDS", 0, "SYNC_SLICE_SECONDS"),
    "a lease no longer than a slice": (
        "SYNC_LEASE_SECONDS",
        20,
        "SYNC_LEASE_SECONDS must be over SYNC_SLICE_SECONDS",
    ),
    "a lease shorter than a slice": (
        "SYNC_LEASE_SECONDS",
        5,
        "SYNC_LEASE_SECONDS must be over SYNC_SLICE_SECONDS",
    ),
}


@pytest.mark.parametrize(("name", "value", "message"), LENGTHS.values(), ids=LENGTHS)
def test_a_wrong_length_of_a_slice_or_a_lease_is_refused(settings, name, value, message):
    setattr(settings, name, value)
    assert any(message in text for text in told()), told()


@pytest.mark.parametrize("name", ["SANSAN_API_URL", "HUBSPOT_API_URL"])
def test_a_vendors_address_needs_its_scheme(settings, name):
    setattr(settings, name, "api.example.com")
    assert [error.msg for error in check_vendor_urls(None)] == [
        f"{name} must begin with http:// or https://."
    ]


KEYS = {
    "a short one": (False, ["short"], True),
    "a short one that is retired": (False, ["f" * 44, "short"], True),
    "a long one": (False, ["f" * 32], False),
    "a short one in development": (True, ["short"], False),
}


@pytest.mark.parametrize(("debug", "keys", "refused"), KEYS.values(), ids=KEYS)
def test_a_short_key_is_refused_outside_development(settings, debug, keys, refused):
    settings.DEBUG, settings.FERNET_KEYS = debug, keys
    assert bool(checks.check_fernet_keys(None)) is refused


# As it starts


def start(
    tmp_path, command: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    inherited = Product(tmp_path, empty=True).environment
    kept = {name: value for name, value in inherited.items() if name not in GOOD}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("missing", ["SECRET_KEY", "FERNET_KEYS"])
@pytest.mark.parametrize(
    "command",
    [["manage.py", "check"], ["manage.py", "qcluster"], ["-c", "import core.wsgi"]],
    ids=["check", "qcluster", "wsgi"],
)
def test_a_missing_secret_stops_the_start_with_one_line(tmp_path, missing, command):
    done = start(
        tmp_path, command, {name: value for name, value in GOOD.items() if name != missing}
    )
    assert done.returncode and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert (
        line.startswith(f"Meishi Bridge cannot start: {missing} is not set")
        and GOOD["SECRET_KEY"] not in line
    )


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"FERNET_KEYS": ""}, "FERNET_KEYS"),
        ({"FERNET_KEYS": " , "}, "FERNET_KEYS"),
        ({"FERNET_KEYS": "short"}, "FERNET_KEYS"),
    ],
    ids=["a blank SECRET_KEY", "blank FERNET_KEYS", "FERNET_KEYS of blanks", "short FERNET_KEYS"],
)
def test_a_secret_that_is_none_stops_the_start(tmp_path, values, named):
    done = start(tmp_path, ["manage.py", "check"], {**GOOD, **values})
    assert done.returncode and named in done.stderr and "Traceback" not in done.stderr


NONSENSE = {
    "SYNC_WORKERS": "many",
    "SYNC_SLICE_SECONDS": "-1",
    "AUDIT_RETENTION_DAYS": "3",
    "Q_WORKERS": "9" * 20,
    "DATABASE_URL": "mongo://user:hunter2@host/name",
    "BROKER_URL": "amqp://user:hunter2@host",
    "TIME_ZONE": "Mars",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_told_by_its_name_and_not_quoted(tmp_path, name):
    done = start(tmp_path, ["manage.py", "check"], {**GOOD, name: NONSENSE[name]})
    (line,) = done.stderr.splitlines()
    assert (
        done.returncode
        and line.startswith(f"Meishi Bridge cannot start: {name} must be")
        and "hunter2" not in line
    )


def test_what_is_left_blank_has_its_default(tmp_path):
    blank = dict.fromkeys(("SYNC_WORKERS", "SYNC_OVERLAP_SECONDS", "BROKER_URL"), "")
    assert start(tmp_path, ["manage.py", "check"], {**GOOD, **blank}).returncode == 0


def test_debug_is_off_unless_it_is_asked_for(tmp_path):
    assert "SECRET_KEY is not set" in start(tmp_path, ["manage.py", "check"], {}).stderr
    assert start(tmp_path, ["manage.py", "check"], {"DEBUG": "1"}).returncode == 0


def test_with_its_secrets_it_starts(tmp_path):
    done = start(tmp_path, ["manage.py", "check", "--deploy", "--fail-level", "WARNING"], GOOD)
    assert done.returncode == 0, done.stderr


def test_no_workers_are_refused_in_a_line(tmp_path):
    done = start(tmp_path, ["manage.py", "check"], {**GOOD, "Q_WORKERS": "0"})
    assert done.returncode and "Traceback" not in done.stderr and "workers" in done.stderr.lower()


def test_every_check_is_registered():
    """A check that is only defined checks nothing."""
    registered = set(registry.registry.get_checks(include_deployment_checks=True))
    for module in (checks, checks_of_the_sync):
        defined = {check for name, check in vars(module).items() if name.startswith("check_")}
        assert defined and defined <= registered
