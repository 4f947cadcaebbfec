"""Rehearsals: the real bridge, its processes and TLS, through scenarios of a few seconds."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bridge.cli.rehearse_view import Rehearsed, speed_text
from bridge.source.account import Account
from bridge.twin.scenario_file import load_scenario, shipped
from bridge.twin.scenario_verdict import BridgeBooks
from tests.support.bridge import document, toml, wait_until

SHORT = {
    "title": "Short",
    "description": "A few hosts for a few seconds.",
    "duration_seconds": 30,
    "speed": 10,
    "fleet": {"hosts": 6, "clusters": 2},
    "pass": {"no_host_low_after_seconds": 20},
}


def scenario(directory, **tables):
    """Write a scenario; tables are laid over the short one."""
    whole = SHORT | tables
    path = directory / "scenario.toml"
    plain = {key: value for key, value in whole.items() if not isinstance(value, (dict, list))}
    text = "".join(f"{key} = {toml(value)}\n" for key, value in plain.items())
    for key, value in whole.items():
        if isinstance(value, dict):
            text += f"[{key}]\n" + "".join(f"{k} = {toml(v)}\n" for k, v in value.items())
        if isinstance(value, list):
            for table in value:
                text += f"[[{key}]]\n" + "".join(f"{k} = {toml(v)}\n" for k, v in table.items())
    path.write_text(text)
    return path


def rehearse(*words, seconds=100, **settings):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bridge.cli", "twin", "rehearse", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        **settings,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def verdict(*words, **settings):
    """Rehearse and return exit code and document."""
    done = rehearse(*words, "--json", **settings)
    assert done.stdout, done.stderr
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def begun(path):
    """Return the process of a rehearsal whose bridge is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "twin", "rehearse", path, "--soft-token", "--log"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while " ready" not in (line := process.stderr.readline()):
        assert line, "it ended before it was ready"
    return process


def failures(document):
    return [it["criterion"] for it in document["criteria"] if not it["passed"]]


# ---- whole rehearsals -------------------------------------------------------------------------


def test_a_rehearsal_that_passes_says_so_and_why(tmp_path):
    done = rehearse(scenario(tmp_path), "--soft-token", "--worst", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Short: A few hosts for a few seconds."
    assert lines[1].startswith("6 hosts, 30 s of their time in 3 s, ")
    assert "the soft token, which is not an HSM" in lines[2]
    assert lines[3].startswith("10 times faster than real: ")
    assert "harder than real time" in done.stdout
    assert "and 4 more" in done.stdout
    assert "passed  no host ran dry" in done.stdout
    assert lines[-1] == "PASSED"


def test_every_host_and_every_byte_is_in_the_document(tmp_path):
    code, told = verdict(scenario(tmp_path), "--soft-token", "--hosts", 9, "--seed", 5)
    assert (code, told["passed"], failures(told)) == (0, True, [])
    assert len(told["hosts"]) == 9
    assert (told["seed"], told["speed"], told["soft_token"]) == (5, 10, True)
    assert all(0.5 < host["lowest_level"] <= 0.6 for host in told["hosts"])
    account = told["account"]
    assert account["closes"]
    assert account["in_flight"] == account["in_ring"] == 0
    received = sum(host["received_bytes"] for host in told["hosts"])
    assert received == account["delivered"] == told["sent_bytes"] > 9 * 150_000
    assert told["wasted_bytes"] == 0


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", shipped())
def test_a_scenario_that_comes_along_is_passed(name):
    code, told = verdict(name, "--soft-token", seconds=500)
    assert (code, failures(told)) == (0, []), told["criteria"]


def test_an_outage_that_is_too_long_fails_and_names_who_ran_dry_first(tmp_path):
    path = scenario(
        tmp_path,
        fleet={"hosts": 6, "drain_bytes_per_second": 20_000, "initial_level": 0.5},
        hsm=[{"bytes_per_second": 0}],
    )
    done = rehearse(path, "--soft-token")
    assert done.returncode == 1
    assert "FAILED  6 of 6 hosts ran dry, esx-" in done.stdout
    assert " first, at 13 s" in done.stdout
    assert "under its watermark, lost touch" not in done.stdout  # it was looked at all the time
    assert done.stdout.endswith("FAILED: 2 of 4 criteria\n")


def test_the_reserve_is_used_in_an_outage_and_not_more(tmp_path):
    path = scenario(
        tmp_path,
        fleet={"hosts": 6, "drain_bytes_per_second": 10_000, "initial_level": 0.9},
        hsm=[{"unlimited": True}, {"at_seconds": 10, "bytes_per_second": 0}],
        **{"pass": {}},
    )
    config = tmp_path / "bridge.toml"
    config.write_text('[hsm.a]\nmodule = "/none"\nsessions = 1\nreserve = "256KiB"\n')
    _, told = verdict(path, "--soft-token", "--config", config)
    # in 20 s of outage the hosts use 1.2 MB more; what the ring held is all that was for it
    before = 6 * (0.1 * 524_288 + 10 * 10_000)
    assert 200_000 <= told["sent_bytes"] <= before + 16 * 12_288


def test_a_fault_of_vcenter_is_waste_and_lateness(tmp_path):
    path = scenario(
        tmp_path,
        duration_seconds=60,
        fault=[
            {"kind": "error", "operations": ["pool.add"], "for_seconds": 10},
            {"kind": "unavailable", "operations": ["pool.get", "pool.add"], "after_seconds": 40},
        ],
        **{"pass": {"wasted_at_most": 0, "looks_overdue_at_most_seconds": 0}},
    )
    code, told = verdict(path, "--soft-token")
    assert code == 1
    assert "wasted_at_most" in failures(told)
    assert told["account"]["refused"] == told["wasted_bytes"] > 0
    assert told["account"]["closes"]


def test_a_real_token_rehearses_in_real_time(tmp_path, softhsm_table):
    config = tmp_path / "bridge.toml"
    config.write_text(document(hsm_entropy=softhsm_table))
    path = scenario(tmp_path, duration_seconds=3, **{"pass": {}})
    code, told = verdict(path, "--config", config)
    assert (code, told["soft_token"], told["speed"]) == (0, False, 1)


def test_ctrl_c_ends_it_without_a_verdict(tmp_path):
    path = scenario(tmp_path, duration_seconds=600)
    process = begun(path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("entropy-bridge: interrupted; there is no verdict\n")


# ---- the user's vCenter is never contacted ----------------------------------------------------


class Trap:
    """Listens where the configuration says that the vCenter is, and counts who comes."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self.visitors = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        while not self._end.is_set():
            try:
                self._listener.accept()[0].close()
            except TimeoutError:
                continue
            self.visitors += 1

    def close(self):
        self._end.set()
        self._thread.join()
        self._listener.close()


def test_the_real_vcenter_and_its_password_are_left_alone(tmp_path):
    trap = Trap()
    try:
        config = tmp_path / "bridge.toml"
        secret = tmp_path / "password"
        os.mkfifo(secret)  # whoever opened it to read would hang for ever
        real = {
            "url": f"https://127.0.0.1:{trap.port}",
            "username": "real-user@vsphere.local",
            "password_file": secret,
            "ca_file": tmp_path / "missing.pem",
            "hosts": {"hosts": ["host-9"]},
        }
        listen = {"listen": f"127.0.0.1:{trap.port}"}
        config.write_text(document(vcenter_a=real, vcenter_b=real, status=listen))
        environment = os.environ | {
            f"{name}_proxy": f"http://127.0.0.1:{trap.port}" for name in ("https", "http", "all")
        }
        done = rehearse(
            scenario(tmp_path), "--config", config, "--soft-token", "--json", env=environment
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        # and each of the two tables fed its own half of the twin's hosts
        assert all(host["accepted_bytes"] > 100_000 for host in told["hosts"])
        assert told["wasted_bytes"] == 0
        socket.create_connection(("127.0.0.1", trap.port)).close()
        wait_until(lambda: trap.visitors)
        assert trap.visitors == 1  # the trap works, and this test alone went into it
    finally:
        trap.close()


# ---- bad usage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing", "--soft-token"], "there is no scenario nothing; it is a file, or one of: "),
        (["quiet-night", "--soft-token", "--hosts", "0"], "--hosts: should be greater than or"),
        (["quiet-night", "--soft-token", "--speed", "21"], "--speed must be between 1 and 20"),
        (["quiet-night", "--soft-token", "--worst", "-1"], "--worst must be 0 or more"),
        (["quiet-night", "--config", "/none/x.toml"], "/none/x.toml: there is no such file"),
        (["quiet-night", "--sped", "3"], "does not know '--sped'; did you mean --speed?"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(words, said):
    done = rehearse(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"entropy-bridge: {said}")
    assert done.stderr.count("\n") == 1


def test_an_hsm_that_is_not_there_is_told_before_anything_begins(tmp_path):
    config = tmp_path / "bridge.toml"
    config.write_text('[hsm.a]\nmodule = "/none.so"\n')
    done = rehearse(scenario(tmp_path), "--config", config)
    assert done.returncode == 2
    assert "hsm.a.module: /none.so does not exist" in done.stderr


def test_a_token_that_is_not_there_is_told(tmp_path, softhsm_table):
    config = tmp_path / "bridge.toml"
    config.write_text(document(hsm_a=softhsm_table | {"token_label": "another"}))
    done = rehearse(scenario(tmp_path), "--config", config)
    assert done.returncode == 1
    assert done.stderr.startswith("entropy-bridge: no HSM gives bytes: ")
    assert "another" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_twin_that_ends_is_told(tmp_path):
    process = begun(scenario(tmp_path, duration_seconds=600))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        if b"scenario_play" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err.endswith("entropy-bridge: the twin ended: without a word\n")


# ---- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speed", "soft", "said", "unsaid"),
    [
        (1, False, "In real time.", "harder"),
        (4, True, "4 times faster than real: ", "The HSM is no faster"),
        (4, False, "The HSM is no faster: it counts as 4 times slower than it is.", "In real time"),
    ],
)
def test_what_was_sped_up_is_said(speed, soft, said, unsaid):
    result = Rehearsed(
        scenario=load_scenario("quiet-night"),
        speed=speed,
        soft=soft,
        seconds=1.0,
        hosts=(),
        n_requests=0,
        books=BridgeBooks(
            delivered_bytes=0,
            refused_bytes=0,
            unknown_bytes=0,
            account_closes=True,
            looks_overdue_seconds=0.0,
        ),
        account=Account(),
        findings=(),
    )
    assert said in speed_text(result)
    assert unsaid not in speed_text(result)
