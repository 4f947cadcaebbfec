"""`hosts` and `fill` against the twin, as a user runs them."""

import json
import os
import signal

import pytest

from bridge.native import softtoken_path
from tests.support.terminal import Terminal
from tests.support.twin import TwinProcess


@pytest.fixture(scope="module")
def twin():
    with TwinProcess("--hosts", 6, "--disabled-hosts", 1, "--spread", 0.5) as twin:
        yield twin


@pytest.fixture
def configured(twin, tmp_path):
    """Writes a configuration; `**settings` replace those of the vCenter."""

    def write(**settings):
        table = {
            "url": twin.url,
            "username": twin.username,
            "password_file": str(twin.password_file),
            "ca_file": str(twin.ca_file),
        } | settings
        path = tmp_path / "bridge.toml"
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None
        ]
        path.write_text("\n".join(["[vcenter.twin]", *lines]))
        return path

    return write


def test_hosts_are_shown_by_time_to_dry(command, configured):
    run = command("hosts", "--config", configured())
    assert (run.code, run.err) == (0, "")
    hosts, clusters, summary = run.out.split("\n\n")
    lines = hosts.splitlines()
    assert lines[0].split()[:3] == ["Host", "Pool", "Dry"]
    assert [line.startswith("esx-") for line in lines[1:]] == [True] * 6
    assert "disabled" in lines[6]
    lines = clusters.splitlines()
    assert lines[0].split()[:2] == ["Cluster", "Hosts"]
    assert sorted(line.split()[0] for line in lines[1:]) == [f"cluster-0{n}" for n in range(1, 5)]
    assert summary.startswith("6 hosts in 4 clusters; ")


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_look_at_which_no_host_could_be_read_has_failed(command, configured, twin, extra):
    twin.set_faults({"kind": "error", "operations": ["pool.get"]})
    try:
        run = command("hosts", "--config", configured(), *extra)
    finally:
        twin.set_faults()
    assert (run.code, run.err) == (1, "")
    assert run.out.count("esx-000") >= 6


def test_hosts_as_json(command, configured):
    run = command("hosts", "--config", configured(), "--json")
    assert (run.code, run.err) == (0, "")
    rows = json.loads(run.out)
    dry = [row["seconds_to_dry"] for row in rows if row["state"] == "fed"]
    assert len(dry) == 5
    assert dry == sorted(dry)
    assert [row["state"] for row in rows if row["state"] != "fed"] == ["disabled"]
    assert {row["cluster"] for row in rows} == {f"cluster-0{n}" for n in range(1, 5)}


def test_watch_is_for_people(command, configured):
    run = command("hosts", "--config", configured(), "--watch", "--json")
    assert "--watch is for people" in run.error
    assert run.code == 2


def test_a_vcenter_that_goes_away_does_not_end_the_watch(configured):
    with TwinProcess("--hosts", 3) as twin, Terminal() as terminal:
        path = configured(
            url=twin.url, ca_file=str(twin.ca_file), password_file=str(twin.password_file)
        )
        watch = terminal.run("hosts", "--watch", "--config", path)
        terminal.read_until("is dry in")
        twin.stop()
        terminal.read_until(" ago; vCenter twin: ")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 130
        assert "Traceback" not in terminal.text


def test_the_watch_goes_on_counting_down_a_host_that_is_lost(configured):
    faults = [{"kind": "unavailable", "operations": ["pool.get"], "hosts": ["host-1001"]}]
    with TwinProcess("--hosts", 3, "--clusters", 1) as twin, Terminal(160) as terminal:
        twin.change_host("host-1001", level_bytes=100_000)
        path = configured(
            url=twin.url, ca_file=str(twin.ca_file), password_file=str(twin.password_file)
        )
        watch = terminal.run("hosts", "--watch", "--config", path, term="dumb")
        terminal.read_until("is dry in")
        twin.set_faults(*faults)
        terminal.text = ""
        terminal.read_until("that cannot be read (esx-0001")
        terminal.read_until("if nobody feeds it")
        window = terminal.text.split("Host ")[-1].splitlines()
        assert window[1].startswith("esx-0001")
        assert "unreachable, seen " in window[1]
        assert "unknown" not in window[1]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 130


@pytest.mark.parametrize("extra", [(), ("--watch",)])
def test_it_is_shown_that_a_vcenter_is_waited_for(twin, configured, extra):
    twin.set_faults({"kind": "stall", "operations": ["host.list"]})
    try:
        with Terminal() as terminal:
            hosts = terminal.run("hosts", *extra, "--config", configured())
            terminal.read_until("asking vCenter")
            hosts.send_signal(signal.SIGINT)
            assert hosts.wait(20) == 130
            assert "Traceback" not in terminal.text
    finally:
        twin.set_faults()


def test_a_watch_that_is_told_to_end_logs_out(twin, configured):
    with Terminal() as terminal:
        watch = terminal.run("hosts", "--watch", "--config", configured())
        terminal.read_until("if nobody feeds it")
        assert twin.state()["sessions"]["alive"] == 1
        watch.terminate()
        assert watch.wait(20) == -signal.SIGTERM
    assert twin.state()["sessions"]["alive"] == 0


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_watch_ends_with_its_terminal(twin, configured, term):
    with Terminal() as terminal:
        watch = terminal.run("hosts", "--watch", "--config", configured(), term=term)
        terminal.read_until("if nobody feeds it")
        terminal.hang_up()
        assert watch.wait(20) == 1
    assert twin.state()["sessions"]["alive"] == 0


def test_a_terminal_that_cannot_redraw_gets_one_window_after_the_other(configured):
    with Terminal() as terminal:
        watch = terminal.run("hosts", "--watch", "--config", configured(), term="dumb")
        terminal.read_until("is dry in")
        assert "\x1b" not in terminal.text
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 130


def test_a_wrong_password(command, configured, tmp_path):
    password = tmp_path / "password"
    password.write_text("hunter2")
    password.chmod(0o600)
    run = command("hosts", "--config", configured(password_file=str(password)))
    assert "vCenter twin: cannot log in: svc-entropy@vsphere.local was refused" in run.error
    assert "hunter2" not in run.err
    assert run.code == 1


def test_a_missing_password(command, configured, tmp_path):
    path = configured(password_file=str(tmp_path / "none"))
    run = command("hosts", "--config", path)
    assert run.error.startswith(f"{path}: vcenter.twin.password_file: cannot read ")
    assert run.code == 2


def test_a_missing_credential(command, configured):
    run = command("hosts", "--config", configured(password_file=None, password_credential="pw"))
    assert "vcenter.twin.password_credential: $CREDENTIALS_DIRECTORY is not set" in run.error
    assert run.code == 2


def test_an_untrusted_certificate(command, configured):
    run = command("hosts", "--config", configured(ca_file=None))
    assert "vCenter twin: cannot log in: its certificate is not trusted" in run.error
    assert run.code == 1


def test_nobody_there(command, configured):
    run = command("hosts", "--config", configured(url="https://127.0.0.1:1"))
    assert "vCenter twin: cannot log in: no connection to 127.0.0.1:1" in run.error
    assert run.code == 1


def test_a_filter_that_matches_nothing(command, configured):
    path = configured()
    path.write_text(path.read_text() + '\n[vcenter.twin.hosts]\nclusters = ["Nothing"]\n')
    run = command("hosts", "--config", path)
    assert "Nothing" in run.error
    assert run.code == 1


def test_no_vcenter(command, tmp_path):
    path = tmp_path / "bridge.toml"
    path.write_text("")
    run = command("hosts", "--config", path)
    assert "no vCenter is configured" in run.error
    assert run.code == 2


SOFT_TOKEN = f'[hsm.soft]\nmodule = "{softtoken_path()}"\nallow_soft_token = true\n'


def test_fill_leaves_every_host_full(command, configured):
    path = configured()
    path.write_text(SOFT_TOKEN + path.read_text())
    run = command("fill", "--config", path, "--json")
    assert (run.code, run.err) == (0, "")
    result = json.loads(run.out)
    assert result["n_failed"] == 0
    fed = [host for host in result["hosts"] if host["state"] == "fed"]
    assert len(fed) == 5
    assert all(host["available_bytes"] > 0.98 * host["capacity_bytes"] for host in fed)
    assert sum(host["sent_bytes"] for host in fed) == result["sent_bytes"] > 0
    drains = [host["drain_bytes_per_second"] for host in fed]
    assert all(300 < drain < 3000 for drain in drains)  # 512 to 1536, read on a busy machine
    assert all(
        host["seconds_to_dry"] == pytest.approx(host["available_bytes"] / drain, rel=0.01)
        for host, drain in zip(fed, drains, strict=True)
    )
    run = command("fill", "--config", path)
    assert (run.code, run.err) == (0, "")
    assert "of 6 hosts in" in run.out


def test_check_says_what_is_good_and_what_is_not(command, configured):
    path = configured()
    path.write_text(SOFT_TOKEN + path.read_text())
    run = command("check", "--config", path)
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith(f"good  {path}: a valid configuration\n")
    assert "note  hsm.soft: " in run.out
    path.write_text(path.read_text().replace("svc-entropy", "nobody"))
    run = command("check", "--config", path, "--json")
    assert (run.code, run.err) == (1, "")
    bad = [step for step in json.loads(run.out) if step["verdict"] == "bad"]
    assert [step["subject"] for step in bad] == ["vcenter.twin"]


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        (["esx-0002.example.test"], "BAD   vcenter.twin: esx-0002.example.test: cannot read"),
        ([], "BAD   vcenter.twin: 6 hosts cannot be read, esx-0001.example.test for one: cannot"),
    ],
)
def test_check_names_a_host_that_cannot_be_read(command, configured, twin, hosts, text):
    path = configured()
    path.write_text(SOFT_TOKEN + path.read_text())
    twin.set_faults({"kind": "unavailable", "operations": ["pool.get"], "hosts": hosts})
    try:
        run = command("check", "--config", path)
    finally:
        twin.set_faults()
    assert run.code == 1
    assert text in run.out


def test_check_notices_hosts_that_two_tables_choose(command, configured):
    path = configured()
    table = path.read_text()
    path.write_text(SOFT_TOKEN + table + "\n" + table.replace("[vcenter.twin]", "[vcenter.again]"))
    run = command("check", "--config", path)
    assert (run.code, run.err) == (0, "")
    [line] = [line for line in run.out.splitlines() if "also chosen" in line]
    assert line.startswith("note  vcenter.again: 6 hosts are also chosen by vcenter.twin: ")


def test_check_notes_secrets_that_others_may_read(command, configured, tmp_path):
    password = tmp_path / "password"
    password.write_text("wrong")
    password.chmod(0o644)
    pin = tmp_path / "pin"
    pin.write_text("1234")
    pin.chmod(0o640)
    path = configured(password_file=str(password))
    path.write_text(f"{SOFT_TOKEN}pin_file = '{pin}'\n{path.read_text()}")
    run = command("check", "--config", path)
    notes = [line for line in run.out.splitlines() if line.startswith("note")]
    assert notes[:2] == [
        f"note  hsm.soft: pin_file: other users may open {pin}; run chmod 600 on it",
        f"note  vcenter.twin: password_file: other users may open {password}; run chmod 600 on it",
    ]


def test_check_does_not_wait_at_a_pipe(command, configured, tmp_path):
    os.mkfifo(tmp_path / "ca.pem")
    path = configured(ca_file=str(tmp_path / "ca.pem"))
    path.write_text(SOFT_TOKEN + path.read_text())
    run = command("check", "--config", path)
    assert run.code == 1
    assert f"BAD   vcenter.twin: ca_file: {tmp_path}/ca.pem is not a file; get the " in run.out


def test_check_tries_no_pin_whose_refusal_could_not_be_noted(command, configured, tmp_path):
    path, pin = configured(), tmp_path / "pin"
    pin.write_text("123456")
    pin.chmod(0o600)
    table = f"{SOFT_TOKEN}pin_file = '{pin}'\n"
    path.write_text(f"state_dir = '{path}'\n{table}{path.read_text()}")
    run = command("check", "--config", path)
    assert run.code == 1
    assert "not tried: a refused PIN could not be noted; see state_dir" in run.out


def test_check_tries_the_status_address_and_the_state_directory(
    command, configured, twin, tmp_path
):
    path = configured()
    path.write_text(
        f"state_dir = '{path}'\n{SOFT_TOKEN}{path.read_text()}\n"
        f"[status]\nlisten = '{twin.url.removeprefix('https://')}'\n"
    )
    run = command("check", "--config", path)
    assert run.code == 1
    assert f"note  status.listen: {twin.url.removeprefix('https://')} is in use" in run.out
    assert f"BAD   state_dir: {path} is not a directory" in run.out
    path.write_text(path.read_text().replace("127.0.0.1", "192.0.2.1"))
    assert (
        "BAD   status.listen: cannot listen on 192.0.2.1" in command("check", "--config", path).out
    )


@pytest.mark.parametrize("name", ["fill", "check", "run"])
def test_the_soft_token_has_to_be_allowed(command, configured, name):
    path = configured()
    path.write_text(SOFT_TOKEN.replace("true", "false") + path.read_text())
    run = command(name, "--config", path)
    assert run.code == (1 if name == "check" else 2)
    assert "allow_soft_token" in run.out + run.err
    assert "Traceback" not in run.err
