"""The client against the twin, which was written from the same contract by somebody else."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from random import Random

import pytest
from pydantic import SecretStr

from bridge.config import HostFilter
from bridge.vcenter import PoolStatus, VCenter
from bridge.vcenter import errors as e
from tests.support.twin import TwinProcess


@pytest.fixture(scope="module")
def twin() -> Iterator[TwinProcess]:
    with TwinProcess("--hosts", 40, "--disabled-hosts", 3) as twin:
        yield twin


@pytest.fixture
async def site(twin, config):
    settings = config(twin.url, ca_file=twin.ca_file, username=twin.username)
    async with VCenter(settings, SecretStr(twin.password)) as site:
        yield site
    twin.set_faults()


async def test_hosts_and_filters(site):
    hosts = await site.hosts()
    assert len(hosts) == 40
    wanted = HostFilter(names=(hosts[3].name,), hosts=(hosts[3].host, hosts[3].name))
    assert await site.hosts(wanted) == [hosts[3]]
    with pytest.raises(e.FilterError, match="no-such-cluster"):
        await site.hosts(HostFilter(clusters=("no-such-cluster",)))


async def test_every_pool_is_read_and_fed(site, twin):
    hosts = [host.host for host in await site.hosts()]
    pools = dict(zip(hosts, await asyncio.gather(*map(site.pool, hosts)), strict=True))
    enabled = [host for host, pool in pools.items() if pool.status is PoolStatus.ENABLED]
    assert len(enabled) == 37
    raw = Random(1).randbytes(30_000)
    text = b64encode(raw)

    async def fill(host):
        starts = []
        view = memoryview(text)
        pieces = [view[at : at + 16384] for at in range(0, len(text), 16384)]
        levels = await site.add(host, pieces, lambda: starts.append(1))
        assert starts == [1]
        return levels

    for host, levels in zip(enabled, await asyncio.gather(*map(fill, enabled)), strict=True):
        before = pools[host].levels
        assert levels.capacity_bytes == before.capacity_bytes
        # it drains meanwhile
        gained = levels.available_bytes - before.available_bytes
        assert 0 < gained <= min(len(raw), before.room_bytes)


async def test_an_expired_session_is_renewed(site, twin):
    host = (await site.hosts())[0].host
    assert twin.expire_sessions() == 1
    pools = await asyncio.gather(*(site.pool(host) for _ in range(50)))
    assert all(pool.levels is not None for pool in pools)
    assert twin.expire_sessions() == 1


async def test_a_wrong_password(twin, config):
    settings = config(twin.url, ca_file=twin.ca_file, username=twin.username)
    with pytest.raises(e.LoginRefused):
        async with VCenter(settings, SecretStr("wrong")):
            raise AssertionError


async def test_hosts_that_are_not_there(site, twin):
    with pytest.raises(e.HostNotFound):
        await site.pool("host-999999")
    host = (await site.hosts())[0].host
    twin.change_host(host, connection_state="DISCONNECTED")
    try:
        with pytest.raises(e.HostUnavailable):
            await site.pool(host)
        assert not next(h for h in await site.hosts() if h.host == host).connected
    finally:
        twin.change_host(host, connection_state="CONNECTED")


async def test_more_hosts_than_one_reply_may_have(config):
    with TwinProcess("--hosts", 2600, "--clusters", 12, "--standalone-hosts", 30) as twin:
        settings = config(twin.url, ca_file=twin.ca_file, username=twin.username)
        async with VCenter(settings, SecretStr(twin.password)) as site:
            assert len(await site.hosts()) == 2600
