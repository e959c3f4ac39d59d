"""``sandbox``: both vendors on a port of this machine, and one clear line where it cannot start."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys

import psutil
import pytest
import requests

from integration.sandbox.server import Sandbox
from tests.process import ROOT, Product, free_port, session, wait_for

MODULE = [sys.executable, "-m", "integration.sandbox"]


def banner(process: subprocess.Popen[str]) -> str:
    """What it says when it is ready, to its last line."""
    said = ""
    assert process.stderr
    while "Ctrl-C ends it." not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return said


def get(url: str, path: str):
    return requests.get(url + path, timeout=10).json()


def test_it_serves_until_it_is_stopped(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Product(tmp_path, empty=True).running(
        "sandbox", "--port", str(port), "--cards", "20", "--seed", "7", "--tags", "4"
    ) as process:
        said = banner(process)
        assert f"at {url} (20 cards)" in said
        assert f"export SANSAN_API_URL={url} HUBSPOT_API_URL={url}" in said
        exports = re.search(r"export SANSAN_API_KEY=(\S+) HUBSPOT_TOKEN=(\S+)", said)
        assert exports
        key, token = exports.groups()
        cards = requests.get(
            f"{url}/v6.0/tags", headers={"X-Sansan-Api-Key": key}, timeout=10
        ).json()["data"]
        account = requests.get(
            f"{url}/account-info/v3/details",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        ).json()
        assert len(cards) == 4 + 3 and account["portalId"] > 0
        assert len(get(url, "/sandbox/state")["sansan"]["cards"]) == 20
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "") and "Traceback" not in err


def test_the_same_seed_makes_the_same_cards():
    port = free_port()
    with session([*MODULE, "--port", str(port), "--cards", "20", "--seed", "7"]) as process:
        banner(process)
        served = [
            card["id"]
            for card in get(f"http://127.0.0.1:{port}", "/sandbox/state")["sansan"]["cards"]
        ]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert (
        served
        == list(Sandbox(cards=20, seed=7).sansan.cards)
        != list(Sandbox(cards=20, seed=8).sansan.cards)
    )


def test_nobody_but_this_machine_reaches_it():
    port = free_port()
    with session([*MODULE, "--port", str(port), "--cards", "1"]) as process:
        banner(process)
        listening = [
            one.laddr
            for one in psutil.Process(process.pid).net_connections()
            if one.status == psutil.CONN_LISTEN
        ]
    assert listening == [("127.0.0.1", port)]


def test_the_state_goes_on_where_it_ended(tmp_path):
    port = free_port()
    url, state = f"http://127.0.0.1:{port}", tmp_path / "state.json"
    command = [*MODULE, "--port", str(port), "--cards", "5", "--state", str(state)]
    with session(command) as process:
        banner(process)
        (added,) = requests.post(
            f"{url}/sandbox/sansan/cards", json={"lastName": "佐藤"}, timeout=10
        ).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert added in {card["id"] for card in json.loads(state.read_bytes())["sansan"]["cards"]}
    with session(command) as process:
        banner(process)
        assert added in {
            card["id"]
            for card in wait_for(lambda: get(url, "/sandbox/state"), 5)["sansan"]["cards"]
        }


BAD = {
    "a limit in words": (["--hubspot-limit", "nonsense"], "hubspot-limit"),
    "a limit without seconds": (["--hubspot-limit", "190"], "hubspot-limit"),
    "a limit of too many parts": (["--hubspot-limit", "190/10/1"], "hubspot-limit"),
    "a port in words": (["--port", "http"], "port"),
    "a port that no machine has": (["--port", "99999"], "port"),
    "cards below zero": (["--cards", "-5"], "cards"),
    "a latency below zero": (["--latency-ms", "-5"], "latency"),
    "a state file in no folder": (["--state", "{home}/nowhere/state.json"], "state"),
    "a state file that is none": (["--state", "{home}/none.json"], "state"),
    "an unknown option": (["--colour", "red"], "colour"),
}


@pytest.mark.parametrize(("options", "told"), BAD.values(), ids=BAD)
def test_a_bad_option_is_refused_in_a_line(tmp_path, options, told):
    (tmp_path / "none.json").write_text("not json")
    options = [option.format(home=tmp_path) for option in options]
    command = [*MODULE, "--port", str(free_port()), "--cards", "1", *options]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=3, check=False
        )
    except subprocess.TimeoutExpired as started:
        pytest.fail(f"it started all the same: {(started.stderr or b'').decode()}")
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (2, "") and told in done.stderr.splitlines()[-1]


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = Product(tmp_path, empty=True).run("sandbox", "--port", str(port), "--cards", "1")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line == (
        f"The sandbox cannot listen on port {port}: Address already in use. Choose another with "
        "--port."
    )
