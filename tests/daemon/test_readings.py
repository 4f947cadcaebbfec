"""The bridge under every reading of what the vendor's documents leave open, one twin for each."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from bridge.twin.entropyd import State
from bridge.twin.esxcli import run_esxcli
from bridge.twin.fleet import ConnectionState
from bridge.twin.options import TwinOptions
from bridge.twin.readings import Readings, every_single_choice
from bridge.twin.recorder import Recording
from bridge.twin.server import TwinServer
from tests.daemon.conftest import vcenter_table
from tests.support.bridge import DEADLINE_SECONDS, BridgeProcess, document
from tests.support.counting import Ledger

CHOICES = ("", *every_single_choice())
FED = 0.85  # of the capacity
TROUBLE_SECONDS = 1.0
# The hosts of each twin; all but two have a story.
WELL = ("host-1001", "host-1002")
TUNED, HUNG, AWAY, DISABLED = "host-1003", "host-1004", "host-1005", "host-1006"
STATUSES = {TUNED: {200, 500}, HUNG: {200, 404, 500, 503}, AWAY: {200, 404, 500, 503}}


class Site:
    """A twin of this process, under one reading; its hosts are looked at every second."""

    def __init__(self, choice, record):
        self.choice = choice
        self.record = record
        readings = Readings().choose(choice) if choice else Readings()
        self.server = TwinServer(
            TwinOptions(
                hosts=6,
                disabled_hosts=1,
                clusters=1,
                initial_level=0.3,
                drain_bytes_per_second=2000,
                boot_seconds=0.2,
                record=record,
                readings=readings,
            )
        )

    @property
    def hosts(self):
        return self.server.center.fleet.hosts

    @property
    def now(self):
        return self.server.center.fleet.advance()

    def levels(self, *names):
        pools = [self.hosts[name].pool for name in names if self.now]
        return [pool.level_bytes / pool.capacity_bytes for pool in pools]

    def esxcli(self, host, *words):
        done = run_esxcli(["system", "entropyd", *words], self.hosts[host].entropyd, self.now)
        assert done == (0, "")

    def hurry(self):
        for host in self.hosts:
            self.esxcli(host, "set", "--external-entropy-lost-timeout=3")

    def trouble(self):
        """Tune a host, which breaks its entropyd by some readings; two others are lost sight of."""
        smaller = "breaks-if-smaller" in self.choice
        self.esxcli(TUNED, "set", f"--memory-cache-size={100 if smaller else 612}")
        self.hosts[AWAY].connection_state = ConnectionState.DISCONNECTED
        hung = self.hosts[HUNG]
        hung.pool.set_level(0, self.now)
        hung.set_drain(hung.demand.profile, 1e9, self.now)
        self.server.center.clock.jump(0.001)
        hung.set_drain(hung.demand.profile, 2000, self.now)

    def mend(self):
        """Reboot what does not work; a host that is lost is installed anew."""
        self.hosts[AWAY].connection_state = ConnectionState.CONNECTED
        for host in self.hosts.values():
            if host.entropyd.broken or host.entropyd.state is State.HUNG:
                host.entropyd.reboot(self.now)
            if host.entropyd.state is State.LOST:
                host.entropyd.install(8, 2**20, self.now)


async def until_fed(sites, *names):
    end = time.monotonic() + DEADLINE_SECONDS
    while hungry := {
        f"{site.choice} {name}": round(level, 2)
        for site in sites
        for name, level in zip(names, site.levels(*names), strict=True)
        if level < FED
    }:
        assert time.monotonic() < end, hungry
        await asyncio.sleep(0.1)


@pytest.fixture
async def sites(tmp_path):
    async with AsyncExitStack() as stack:
        sites = [Site(choice, tmp_path / f"record-{n}") for n, choice in enumerate(CHOICES)]
        for site in sites:
            site.address = await site.server.start()
            stack.push_async_callback(site.server.stop)
            site.hurry()
        yield sites


async def test_the_bridge_keeps_its_promises_under_every_reading(sites, test_token_table, tmp_path):
    tables = {f"vcenter_s{n}": vcenter_table(site.address) for n, site in enumerate(sites)}
    with BridgeProcess(document(hsm_one=test_token_table, **tables), tmp_path) as bridge:
        await until_fed(sites, *WELL, TUNED, HUNG, AWAY)
        for site in sites:
            site.trouble()
        await asyncio.sleep(TROUBLE_SECONDS)
        await until_fed(sites, *WELL)
        for site in sites:
            site.mend()
        await until_fed(sites, *WELL, TUNED, HUNG, AWAY)
        assert await asyncio.to_thread(bridge.stop) == 0
        [account] = bridge.events("account")
    check(sites, account)


def check(sites, account):
    """Nothing twice, nothing to two hosts, nothing wasted, and the account closes."""
    ledger, accepted = Ledger(), 0
    for site in sites:
        recording = Recording(site.record)
        received = memoryview(recording.received())
        for entry in recording.additions():
            stop = entry.offset_bytes + entry.raw_bytes
            ledger.add((site.choice, entry.host), received[entry.offset_bytes : stop])
            assert entry.status in STATUSES.get(entry.host, {200}), site.choice
            assert entry.status != 200 or entry.accepted_bytes == entry.raw_bytes, site.choice
            accepted += entry.accepted_bytes
        assert not any(site.hosts[name].pool.dry_count for name in WELL), site.choice
        statuses = {str(it.status) for it in recording.entries if it.host == AWAY}
        assert site.server.center.readings.unreachable_host in statuses, site.choice
        assert site.hosts[DISABLED].pool.additions == 0, site.choice
    ledger.verify()
    assert account["closes"]
    assert account["delivered"] == accepted
    assert account["in_flight"] == account["unknown"] == 0
