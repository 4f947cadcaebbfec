"""Two bridges that know nothing of each other, at one vCenter."""

import contextlib

import pytest

from tests.daemon.conftest import vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.testtoken import LABEL, TestToken
from tests.support.twin import TwinProcess

HOSTS = 24


@pytest.fixture
def twin():
    with TwinProcess(
        *("--hosts", HOSTS, "--drain-bytes-per-second", 3_000, "--spread", 0.3),
        *("--initial-level", 0.85),
    ) as twin:
        yield twin


@pytest.fixture
def start(twin, tmp_path):
    """Start a bridge of a name, with a token of its own."""
    with contextlib.ExitStack() as stack:

        def start(name, port, **feed):
            directory = tmp_path / name
            directory.mkdir()
            token = TestToken(directory / "token")
            stack.callback(token.close)
            table = {"module": token.module, "token_label": LABEL, "env": token.environment}
            text = document(
                hsm_one=table,
                vcenter_twin=vcenter_table(twin),
                status={"listen": f"127.0.0.1:{port}"},
                feed=feed,
            )
            bridge = stack.enter_context(BridgeProcess(text, directory))
            wait_until(lambda: bridge.events("ready"))
            wait_until(lambda: len(bridge.status(port)["hosts"]) == HOSTS)
            return bridge

        yield start


def delivered(bridge, port):
    return bridge.status(port)["sources"][0]["account"]["delivered"]


def levels(twin):
    return [pool["level_bytes"] / pool["capacity_bytes"] for pool in twin.hosts().values()]


def says_that_hosts_are_shared(bridge, port):
    return any("fed by somebody else too" in text for text in bridge.status(port)["warnings"])


@pytest.mark.nightly
def test_two_that_feed_the_same_hosts_waste_next_to_nothing(start, twin, unused_ports):
    bridges = [(start(f"bridge-{port}", port), port) for port in unused_ports]
    wait_until(lambda: all(delivered(*each) > 400_000 for each in bridges))
    assert min(levels(twin)) > 0.5
    counts = twin.state()["counts"]
    assert counts["discarded_bytes"] < counts["accepted_bytes"] / 20
    for bridge, _ in bridges:
        assert bridge.stop() == 0
        assert bridge.events("account")[0]["closes"]


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_a_standby_notices_the_other_and_steps_in_and_back_by_itself(start, twin, unused_ports):
    first, second = unused_ports
    active = start("active", first, refill_below=0.9)
    wait_until(lambda: delivered(active, first) > 800_000)  # and knows what they use
    standby = start("standby", second, refill_below=0.7)
    wait_until(lambda: says_that_hosts_are_shared(standby, second))
    enough = delivered(active, first) + 300_000
    wait_until(lambda: delivered(active, first) > enough)
    assert delivered(standby, second) == 0
    assert not says_that_hosts_are_shared(active, first)
    assert active.stop() == 0
    wait_until(lambda: delivered(standby, second) > 300_000)
    assert min(levels(twin)) > 0.5
    back = start("back", first, refill_below=0.9)

    def rests():
        """Whether the standby sends nothing while the other brings what the hosts use."""
        before, enough = delivered(standby, second), delivered(back, first) + 300_000
        wait_until(lambda: delivered(back, first) > enough)
        return delivered(standby, second) == before

    wait_until(rests)
    assert min(levels(twin)) > 0.6
    for bridge in (standby, back):
        assert bridge.stop() == 0
        assert bridge.events("account")[0]["closes"]
