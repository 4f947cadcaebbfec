"""SIGHUP: another configuration is put in force whole, or not at all, while hosts are fed."""

import signal
import socket

import psutil
import pytest

from bridge.twin.recorder import Recording
from tests.daemon.conftest import vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.counting import Ledger
from tests.support.testtoken import LABEL, PIN, Mode, TestToken
from tests.support.twin import TwinProcess

DONE = "configuration reloaded"
REFUSED = "reload refused; the old configuration stays in force"
# so that somebody is fed at any time
THIRSTY = ("--drain-bytes-per-second", 15_000, "--spread", 0.8, "--initial-level", 0.6)
CLUSTERS = {"clusters": ["cluster-01"]}


@pytest.fixture
def record(tmp_path):
    return tmp_path / "record"


@pytest.fixture
def twin(record):
    """A vCenter of its own for each test, whose hosts always want something."""
    with TwinProcess("--hosts", 16, "--clusters", 2, "--record", record, *THIRSTY) as twin:
        yield twin


@pytest.fixture
def other_twin():
    with TwinProcess("--hosts", 10, *THIRSTY) as twin:
        yield twin


@pytest.fixture
def other_token(tmp_path):
    token = TestToken(tmp_path / "other-token")
    yield token
    token.close()


def table_of(token, **settings):
    return {"module": token.module, "token_label": LABEL, "env": token.environment} | settings


class Case:
    """A configuration that is changed table by table, and the bridge that runs it."""

    def __init__(self, token, twin, tmp_path, port):
        self.token = token
        self.twin = twin
        self.directory = tmp_path
        self.port = port
        self.tables = {
            "hsm_one": table_of(token, reserve="512KiB"),
            "vcenter_twin": vcenter_table(twin),
            "status": {"listen": f"127.0.0.1:{port}"},
        }

    def text(self):
        return document(**self.tables)

    def started(self):
        return BridgeProcess(self.text(), self.directory)

    def reload(self, bridge, **changes):
        """Change tables, drop those that are None, and reload."""
        tables = self.tables | changes
        self.tables = {name: table for name, table in tables.items() if table is not None}
        return bridge.reload(self.text())

    def status(self, bridge):
        return bridge.status(self.port)

    def pids(self, bridge):
        return {source["name"]: source["pid"] for source in self.status(bridge)["sources"]}

    def hosts(self, bridge):
        return {(host["vcenter"], host["host"]) for host in self.status(bridge)["hosts"]}

    def metric(self, bridge, name):
        lines = bridge.page(self.port, "metrics").splitlines()
        [value] = [line.split()[1] for line in lines if line.startswith(f"entropy_bridge_{name} ")]
        return float(value)


@pytest.fixture
def case(token, twin, tmp_path, port):
    return Case(token, twin, tmp_path, port)


def received(twin, *hosts):
    pools = twin.hosts()
    return sum(pool["received_bytes"] for host, pool in pools.items() if host in (hosts or pools))


def fed(twin):
    """Wait until more has arrived than until now."""
    before = received(twin)
    return wait_until(lambda: received(twin) > before)


def connections(bridge, twin):
    """The local ports of what the bridge has open to a twin."""
    port = int(twin.url.rpartition(":")[2])
    open_ones = psutil.Process(bridge.process.pid).net_connections("tcp")
    return {it.laddr.port for it in open_ones if it.raddr and it.raddr.port == port}


def proven(twin, record, bridge):
    """End both; the bridge's own accounts, added up, which close and fit what hosts received."""
    assert bridge.stop() == 0
    accounts = bridge.events("account")
    assert all(account["closes"] for account in accounts)
    assert not any(account["in_flight"] for account in accounts)
    twin.stop()
    recording, ledger = Recording(record), Ledger()
    for entry in recording.additions():
        ledger.add(entry.host, recording.raw(entry))
    ledger.verify()
    confirmed = sum(it.raw_bytes for it in recording.additions() if it.status == 200)
    assert sum(account["delivered"] for account in accounts) == confirmed > 0
    return accounts


def test_what_did_not_change_goes_on_untouched(case, twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        pids, ports = case.pids(bridge), connections(bridge, twin)
        since = case.metric(bridge, "config_last_reload_success_timestamp_seconds")
        changed = vcenter_table(
            twin, max_in_flight=40, max_add_bytes="64KiB", max_bytes_per_second="10MiB"
        )
        outcome = case.reload(
            bridge, vcenter_twin=changed, feed={"refill_below": 0.8}, log={"level": "debug"}
        )
        assert (outcome["event"], outcome["vcenter_adjusted"]) == (DONE, "twin")
        fed(twin)
        assert case.pids(bridge) == pids
        assert connections(bridge, twin) >= ports
        assert twin.state()["sessions"] == {"alive": 1, "logins": 1, "refused_logins": 0}
        assert case.metric(bridge, "config_last_reload_successful") == 1
        assert case.metric(bridge, "config_last_reload_success_timestamp_seconds") > since
        accounts = proven(twin, record, bridge)
        assert len(accounts) == 1


def test_limits_of_a_kept_vcenter_hold_from_then_on(case, twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        case.reload(bridge, vcenter_twin=vcenter_table(twin, max_add_bytes=3000))
        n_before = len(Recording(record).additions()) + 16  # and what was under way
        wait_until(lambda: len(Recording(record).additions()) > n_before + 20)
        assert max(it.raw_bytes for it in Recording(record).additions()[n_before:]) <= 3000
        assert bridge.stop() == 0


def test_hosts_leave_and_come_with_the_filter(case, twin):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: len(case.hosts(bridge)) == 16)
        case.reload(bridge, vcenter_twin=vcenter_table(twin, hosts=CLUSTERS))
        left = case.hosts(bridge)
        gone = {host for host in twin.hosts() if ("twin", host) not in left}
        assert (len(left), len(gone)) == (8, 8)
        wait_until(lambda: not case.status(bridge)["vcenters"][0]["in_flight"] or fed(twin))
        before = received(twin, *gone)
        fed(twin)
        fed(twin)
        assert received(twin, *gone) == before
        case.reload(bridge, vcenter_twin=vcenter_table(twin))
        assert len(case.hosts(bridge)) == 16
        wait_until(lambda: received(twin, *gone) > before)
        assert twin.state()["sessions"]["logins"] == 1
        assert bridge.stop() == 0


def test_a_reload_lists_the_hosts_anew(case, twin):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        wait_until(lambda: len(case.hosts(bridge)) == 16)
        gone, *_ = twin.hosts()
        twin.admin("DELETE", f"hosts/{gone}")
        assert case.reload(bridge)["event"] == DONE
        wait_until(lambda: len(case.hosts(bridge)) == 15)
        assert ("twin", gone) not in case.hosts(bridge)
        assert twin.state()["sessions"]["logins"] == 1
        assert bridge.stop() == 0


def test_a_vcenter_comes_and_another_goes(case, twin, other_twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        pids = case.pids(bridge)
        case.reload(bridge, vcenter_other=vcenter_table(other_twin))
        fed(other_twin)
        assert len(case.hosts(bridge)) == 26
        case.reload(bridge, vcenter_twin=None)
        assert {vcenter for vcenter, _ in case.hosts(bridge)} == {"other"}
        wait_until(lambda: twin.state()["sessions"]["alive"] == 0)
        assert 'vcenter="twin"' not in bridge.page(case.port, "metrics")
        fed(other_twin)
        assert case.pids(bridge) == pids
        assert bridge.stop() == 0
        assert other_twin.state()["sessions"] == {"alive": 0, "logins": 1, "refused_logins": 0}


def test_a_request_under_way_ends_in_order_when_its_vcenter_goes(case, twin, other_twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        twin.set_faults({"kind": "delay", "operations": ["pool.add"], "delay_seconds": 2.0})
        wait_until(lambda: case.status(bridge)["sources"][0]["account"]["in_flight"])
        case.reload(bridge, vcenter_twin=None, vcenter_other=vcenter_table(other_twin))
        wait_until(lambda: twin.state()["sessions"]["alive"] == 0)
        account = case.status(bridge)["sources"][0]["account"]
        assert account["unknown"] == account["refused"] == 0
        assert bridge.stop() == 0
        [account] = bridge.events("account")
        assert account["closes"]
        assert account["delivered"] == received(twin) + received(other_twin)


def test_a_vcenter_that_is_replaced_is_fed_on(case, twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        outcome = case.reload(bridge, vcenter_twin=vcenter_table(twin, request_timeout_seconds=9))
        assert outcome["vcenter_replaced"] == "twin"
        fed(twin)
        wait_until(
            lambda: twin.state()["sessions"] == {"alive": 1, "logins": 2, "refused_logins": 0}
        )
        wait_until(lambda: len(case.hosts(bridge)) == 16)
        proven(twin, record, bridge)


def test_certificates_that_were_changed_are_trusted_from_then_on(case, twin, other_twin, tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(other_twin.ca_file.read_bytes())
    case.tables["vcenter_twin"] = vcenter_table(twin, ca_file=ca_file)
    with case.started() as bridge:
        wait_until(lambda: bridge.events("vCenter cannot be used"))
        ca_file.write_bytes(twin.ca_file.read_bytes())
        assert case.reload(bridge)["vcenter_replaced"] == "twin"
        fed(twin)
        assert case.reload(bridge)["event"] == DONE
        assert twin.state()["sessions"]["logins"] == 1
        ca_file.write_bytes(other_twin.ca_file.read_bytes())
        outcome = case.reload(bridge)
        assert outcome["event"] == REFUSED
        assert "its certificate is not trusted" in outcome["error"]
        fed(twin)
        assert bridge.stop() == 0


def test_a_changed_source_is_replaced_and_its_bytes_still_go_out(case, token, twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        before = case.pids(bridge)["one"]
        outcome = case.reload(bridge, hsm_one=table_of(token, sessions=1))
        assert outcome["hsm_replaced"] == "one"
        assert case.pids(bridge)["one"] not in (before, None)
        wait_until(lambda: not psutil.pid_exists(before))
        wait_until(lambda: bridge.events("account"))
        accounts = proven(twin, record, bridge)
        assert len(accounts) == 2
        assert accounts[0]["purged"] == 0
        assert sum(account["generated"] for account in accounts) == token.bytes_handed_out


def test_sources_come_and_go(case, token, other_token, twin, record):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        before = case.pids(bridge)["one"]
        case.reload(bridge, hsm_two=table_of(other_token))
        assert case.pids(bridge)["one"] == before
        wait_until(lambda: other_token.bytes_handed_out)
        case.reload(bridge, hsm_one=None)
        assert list(case.pids(bridge)) == ["two"]
        wait_until(lambda: not psutil.pid_exists(before))
        fed(twin)
        assert bridge.stop() == 0
        one, two = bridge.events("account")
        assert (one["hsm"], two["hsm"]) == ("one", "two")
        assert one["closes"] is two["closes"] is True
        assert one["generated"] == token.bytes_handed_out
        assert one["purged"] > 0
        assert two["generated"] == other_token.bytes_handed_out
        assert one["delivered"] + two["delivered"] == received(twin)


def test_a_new_token_that_is_away_is_waited_for(case, other_token):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        other_token.behave(Mode.ABSENT)
        assert case.reload(bridge, hsm_two=table_of(other_token))["event"] == DONE
        assert case.status(bridge)["sources"][1]["state"] in ("backoff", "starting")
        other_token.behave(Mode.NORMAL)
        wait_until(lambda: case.status(bridge)["sources"][1]["state"] == "running")
        assert bridge.stop() == 0


def test_a_latched_source_is_tried_again_by_a_reload_that_changes_its_table(case, token, twin):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        token.behave(Mode.ALL_EQUAL)
        wait_until(lambda: bridge.events("source latched until somebody starts it anew"))
        token.behave(Mode.NORMAL)
        assert case.reload(bridge)["event"] == DONE
        assert case.status(bridge)["sources"][0]["state"] == "latched_health"
        case.reload(bridge, hsm_one=table_of(token, sessions=1))
        assert case.status(bridge)["sources"][0]["state"] == "running"
        fed(twin)
        assert bridge.stop() == 0


@pytest.fixture
def wrong_file(tmp_path):
    path = tmp_path / "wrong"
    path.write_text("000000")
    path.chmod(0o600)
    return path


# What cannot be put in force, each with a part of the line that says why.
MISTAKES = {
    "no value": (lambda case, wrong: {"feed": {"refill_below": []}}, "feed.refill_below"),
    "no port": (lambda case, wrong: {"status": {"listen": "127.0.0.1:1x"}}, "status.listen"),
    "same port": (
        lambda case, wrong: {"status": {"listen": f"0.0.0.0:{case.port}"}},
        "restart the bridge to keep",
    ),
    "no file": (
        lambda case, wrong: {"vcenter_twin": vcenter_table(case.twin, password_file="/nowhere")},
        "vcenter.twin.password_file: cannot read /nowhere",
    ),
    "no cluster": (
        lambda case, wrong: {"vcenter_twin": vcenter_table(case.twin, hosts={"clusters": ["x"]})},
        'hosts.clusters has "x"',
    ),
    "wrong password": (
        lambda case, wrong: {"vcenter_new": vcenter_table(case.twin, password_file=wrong)},
        "password",
    ),
    "no vcenter": (
        lambda case, wrong: {"vcenter_twin": vcenter_table(case.twin, url="https://127.0.0.1:1")},
        "cannot log in",
    ),
    "no module": (lambda case, wrong: {"hsm_one": table_of(case.token, module=wrong)}, "wrong"),
    "no token": (lambda case, wrong: {"hsm_one": table_of(case.token, token_label="x")}, "x"),
    "wrong pin": (
        lambda case, wrong: {"hsm_one": table_of(case.token, pin_file=wrong)},
        "the PIN was refused",
    ),
}


def test_a_mistake_changes_nothing(case, twin, record, wrong_file):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        pids, ports, tables = case.pids(bridge), connections(bridge, twin), case.tables
        since = case.metric(bridge, "config_last_reload_success_timestamp_seconds")
        for name, (change, text) in MISTAKES.items():
            case.tables = tables
            outcome = case.reload(bridge, log={"level": "error"}, **change(case, wrong_file))
            assert outcome["event"] == REFUSED, name
            assert text in outcome["error"], name
            assert outcome["error"] in case.status(bridge)["warnings"][0]
            assert case.pids(bridge) == pids
            assert connections(bridge, twin) >= ports
            assert case.metric(bridge, "config_last_reload_successful") == 0
            assert case.metric(bridge, "config_last_reload_success_timestamp_seconds") == since
        fed(twin)
        assert twin.state()["sessions"] == {"alive": 1, "logins": 1, "refused_logins": 1}
        assert case.token.logins == 1
        case.tables = tables
        assert case.reload(bridge)["event"] == DONE
        assert case.metric(bridge, "config_last_reload_successful") == 1
        assert not any("reload" in text for text in case.status(bridge)["warnings"])
        proven(twin, record, bridge)


def test_a_file_that_is_no_toml_changes_nothing(case, twin):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        outcome = bridge.reload(case.text() + "[vcenter.twin]\n")
        assert outcome["event"] == REFUSED
        assert f"{bridge.config}: is not valid TOML" in outcome["error"]
        fed(twin)
        assert bridge.stop() == 0


def test_a_reload_in_the_middle_of_a_start_and_several_at_once(case, twin, token):
    token.behave(Mode.ABSENT)
    with case.started() as bridge:
        wait_until(lambda: bridge.events("vCenter is up"))
        for _ in range(5):
            case.reload(bridge)
            bridge.process.send_signal(signal.SIGHUP)
        token.behave(Mode.NORMAL)
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        assert twin.state()["sessions"]["logins"] == 1
        assert bridge.stop() == 0


def test_the_end_in_the_middle_of_a_reload_leaves_nothing_behind(case, twin, other_twin):
    other_twin.set_faults({"kind": "delay", "operations": ["session.create"], "delay_seconds": 9.0})
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        bridge.config.write_text(case.text() + document(vcenter_other=vcenter_table(other_twin)))
        bridge.process.send_signal(signal.SIGHUP)
        wait_until(lambda: connections(bridge, other_twin))
        assert bridge.stop() == 0
        assert not bridge.events(DONE)
        assert bridge.events("account")[0]["closes"]
    assert twin.state()["sessions"]["alive"] == 0


def test_a_page_moves_to_another_port(case, twin):
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            other = server.getsockname()[1]
        case.reload(bridge, status={"listen": f"127.0.0.1:{other}", "names": ["bridge.test"]})
        assert bridge.page(other, "livez") == "live\n"
        with pytest.raises(OSError, match="refused"):
            bridge.page(case.port, "livez")
        case.port = other
        case.reload(bridge, status=None)
        with pytest.raises(OSError, match="refused"):
            bridge.page(other, "livez")
        assert bridge.stop() == 0


# ---- what was refused -------------------------------------------------------------------------


def test_a_login_refused_at_first_is_tried_again_with_another_password(
    case, twin, other_twin, wrong_file
):
    case.tables["vcenter_other"] = vcenter_table(other_twin, password_file=wrong_file)
    with case.started() as bridge:
        wait_until(lambda: other_twin.state()["sessions"]["refused_logins"])
        fed(twin)
        for changes in ({}, {"max_in_flight": 8}, {"request_timeout_seconds": 9}):
            table = vcenter_table(other_twin, password_file=wrong_file, **changes)
            bridge.config.write_text(case.text())
            case.reload(bridge, vcenter_other=table)
        assert other_twin.state()["sessions"]["refused_logins"] == 1
        wrong_file.write_text(other_twin.password)
        assert case.reload(bridge)["event"] == DONE
        fed(other_twin)
        fed(twin)
        assert twin.state()["sessions"]["logins"] == 1
        assert bridge.stop() == 0


def test_a_password_that_was_changed_is_used_without_a_new_session(case, twin, wrong_file):
    wrong_file.write_text(twin.password)
    case.tables["vcenter_twin"] = vcenter_table(twin, password_file=wrong_file)
    with case.started() as bridge:
        wait_until(lambda: bridge.events("ready"))
        fed(twin)
        wrong_file.write_text("of tomorrow")
        case.reload(bridge)
        fed(twin)
        assert twin.state()["sessions"] == {"alive": 1, "logins": 1, "refused_logins": 0}
        twin.expire_sessions()
        wait_until(lambda: twin.state()["sessions"]["refused_logins"] == 1)
        wrong_file.write_text(twin.password)
        case.reload(bridge)
        fed(twin)  # the pause after a refused login is over with the password
        assert twin.state()["sessions"]["refused_logins"] == 1
        assert bridge.stop() == 0


def test_a_refused_pin_is_tried_again_once_its_note_is_gone(
    case, other_token, twin, wrong_file, tmp_path
):
    case.tables["hsm_two"] = table_of(other_token, pin_file=wrong_file)
    case.text = lambda: f'state_dir = "{tmp_path}/state"\n{document(**case.tables)}'
    with case.started() as bridge:
        note = tmp_path / "state" / "pin-refused.two"
        wait_until(note.exists)
        wait_until(lambda: bridge.events("ready"))
        before = case.pids(bridge)["one"]
        wrong_file.write_text(PIN)
        assert case.reload(bridge)["event"] == DONE
        changed = table_of(other_token, pin_file=wrong_file, sessions=3)
        outcome = case.reload(bridge, hsm_two=changed)
        assert outcome["event"] == REFUSED
        assert f"remove {note}" in outcome["error"]
        assert other_token.logins == 1
        note.unlink()
        assert case.reload(bridge)["event"] == DONE
        assert other_token.logins == 2
        assert case.status(bridge)["sources"][1]["state"] == "running"
        assert case.pids(bridge)["one"] == before
        fed(twin)
        assert bridge.stop() == 0


def test_without_a_note_a_refused_pin_holds_until_a_restart(case, other_token, twin, wrong_file):
    case.tables["hsm_two"] = table_of(other_token, pin_file=wrong_file)
    with case.started() as bridge:
        wait_until(lambda: other_token.logins)
        wait_until(lambda: bridge.events("ready"))
        wrong_file.write_text(PIN)
        case.reload(bridge)
        case.reload(bridge, hsm_two=table_of(other_token, pin_file=wrong_file, sessions=3))
        case.reload(bridge, hsm_two=None)
        outcome = case.reload(bridge, hsm_two=table_of(other_token, pin_file=wrong_file))
        assert outcome["event"] == REFUSED
        assert "correct it before you start another" in outcome["error"]
        assert other_token.logins == 1
        fed(twin)
        assert bridge.stop() == 0
