"""What each outcome of a request means: for the bytes, for the planner and for the gate."""

import asyncio
import time
from contextlib import suppress

import pytest
import structlog
from pydantic import SecretStr

from bridge.config import HostFilter, VCenterConfig
from bridge.daemon.view import vcenter_row
from bridge.feed.site import LoginRefusedAtFirst, Site
from bridge.feed.standing import SiteState
from bridge.source.account import Fate
from bridge.source.take import StaleTake
from bridge.vcenter.client import VCenter
from bridge.vcenter.errors import VCenterError
from tests.support.twin import TwinProcess

TEXT = b"QUJD" * 4096
HOST = ("twin", "host-1001")


class Planner:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *words: self.told.append(
            (name, *words[: 2 if name not in ("limit", "cap") else None])
        )


class Take:
    """As much of a take as a site uses."""

    def __init__(self, text=TEXT):
        self.pieces = (memoryview(text),)
        self.raw_bytes = len(text) // 4 * 3
        self.spent = False
        self.fate = None

    def spend(self):
        self.spent = True

    def give_back(self):
        assert not self.spent
        self.fate = "given back"

    def done(self, fate):
        assert self.spent
        self.fate = fate


@pytest.fixture(scope="module")
def twin():
    with TwinProcess("--hosts", 3, "--initial-level", 0.2) as twin:
        yield twin


@pytest.fixture
async def site(twin):
    twin.admin("PUT", "faults", [])
    made = make_site(twin, twin.password)
    await made._client.open()
    yield made
    await made._client.close()


def make_site(twin, password, *, clock=time.monotonic, **settings):
    config = VCenterConfig.model_validate(
        {
            "name": "twin",
            "url": twin.url,
            "username": twin.username,
            "password_file": str(twin.password_file),
            "ca_file": str(twin.ca_file),
            "request_timeout_seconds": 2.0,
            **settings,
        }
    )
    return Site(
        config,
        VCenter(config, SecretStr(password), clock=clock),
        Planner(),
        clock=clock,
        add_seconds=lambda _: None,
        log=structlog.stdlib.get_logger(),
        wake=lambda: None,
    )


async def test_a_confirmed_add_is_delivered_and_its_answer_is_a_reading(site):
    take = Take()
    await site.feed(HOST, take)
    assert take.fate is Fate.DELIVERED
    [(name, key, *_)] = site._planner.told
    assert (name, key) == ("observed", HOST)
    assert site.gate.in_flight == 0


async def test_a_look_is_a_reading(site):
    await site.look(HOST)
    assert [told[:2] for told in site._planner.told] == [("observed", HOST)]


async def test_a_disabled_host_is_absent(site, twin):
    twin.admin("POST", "hosts/host-1002", {"status": "DISABLED"})
    await site.look(("twin", "host-1002"))
    assert site._planner.told == [("absent", ("twin", "host-1002"), "disabled")]


@pytest.mark.parametrize(
    ("fault", "fate", "told"),
    [
        ({"kind": "forbidden"}, Fate.REFUSED, "absent"),
        ({"kind": "not_found"}, Fate.REFUSED, "absent"),
        ({"kind": "unavailable", "retry_after": None}, Fate.REFUSED, "absent"),
        ({"kind": "throttled"}, Fate.REFUSED, "released"),
        ({"kind": "unauthenticated"}, Fate.REFUSED, "released"),
        ({"kind": "error"}, Fate.REFUSED, "uncertain"),
        ({"kind": "lose_reply"}, Fate.UNKNOWN, "uncertain"),
        ({"kind": "reset_mid_body"}, Fate.UNKNOWN, "uncertain"),
        ({"kind": "stall"}, Fate.UNKNOWN, "uncertain"),
        ({"kind": "not_json"}, Fate.UNKNOWN, "uncertain"),
        ({"kind": "truncated_reply"}, Fate.UNKNOWN, "uncertain"),
    ],
    ids=lambda it: it["kind"] if isinstance(it, dict) else str(it),
)
async def test_what_went_wrong_with_an_add(site, twin, fault, fate, told):
    await site.look(HOST)
    site._planner.told.clear()
    twin.admin("PUT", "faults", [{**fault, "operations": ["pool.add"]}])
    take = Take()
    await site.feed(HOST, take)
    assert take.fate is fate
    # what turned one request away would turn away others, and their bytes would be lost
    doubt = [("doubt", "twin")] if fault["kind"] == "throttled" else []
    assert [it[:2] for it in site._planner.told] == [*doubt, (told, HOST)]
    assert site.gate.in_flight == 0


async def test_too_large_a_body_halves_the_requests_of_the_vcenter(site, twin):
    twin.admin("PUT", "faults", [{"kind": "too_large", "operations": ["pool.add"]}])
    for text_bytes in (131_072, 262_144, 32_768, 32_768, 400):
        await site.feed(HOST, Take(b"A" * text_bytes))
    told = [it for it in site._planner.told if it[0] == "limit"]
    # No answer to a larger one that was under way raises it, and none to a small one starves hosts.
    assert told == [("limit", "twin", 49_152), ("limit", "twin", 12_288)]
    assert site._planner.told[1][:2] == ("released", HOST)


async def test_a_larger_request_is_tried_again_by_one_request_after_a_while(site, twin):
    ahead = 0.0
    site._clock = lambda: time.monotonic() + ahead
    twin.set_faults({"kind": "too_large", "operations": ["pool.add"]})
    await site.feed(HOST, Take(b"A" * 131_072))
    twin.set_faults()
    await site.feed(HOST, Take(b"A" * 65_536))
    ahead = 601.0
    await site.feed(HOST, Take(b"A" * 16_384))
    limits = [it for it in site._planner.told if it[0] == "limit"]
    assert limits == [("limit", "twin", 49_152), ("limit", "twin", 98_304)]
    trial = site.feed(HOST, Take(b"A" * 131_072))
    assert [it for it in site._planner.told if it[0] == "limit"][2:] == [("limit", "twin", 49_152)]
    await trial
    last = [it for it in site._planner.told if it[0] == "limit"][-1]
    assert last == ("limit", "twin", 196_608)


@pytest.mark.parametrize(("said", "seconds"), [("30", 30.0), ("3600", 60.0)])
async def test_retry_after_is_honoured_by_the_whole_vcenter(site, twin, said, seconds):
    rule = {"kind": "throttled", "operations": ["pool.get"], "retry_after": said}
    twin.admin("PUT", "faults", [rule])
    before = time.monotonic()
    await site.look(HOST)
    assert not site.gate.is_open(before + seconds - 1.0)
    assert site.gate.is_open(time.monotonic() + seconds + 1.0)


async def test_no_connection_gives_the_bytes_back_and_pauses(twin):
    site = make_site(twin, twin.password, url="https://127.0.0.1:1")
    take = Take()
    with suppress(VCenterError):
        await site._client.open()
    try:
        await site.feed(HOST, take)
        assert site.gate.is_open(time.monotonic())
        await site.look(HOST)
        await site.look(HOST)
    finally:
        await site._client.close()
    assert take.fate == "given back"
    assert site._planner.told[0][:2] == ("released", HOST)
    assert "doubt" in [told[0] for told in site._planner.told]
    assert site.state is SiteState.DOWN
    assert not site.gate.is_open(time.monotonic())


async def test_sessions_that_are_never_accepted_are_no_host_s_trouble(site, twin):
    twin.set_faults({"kind": "unauthenticated", "operations": ["pool.get"]})
    for _ in range(4):
        await site.look(HOST)
    assert {told[0] for told in site._planner.told} == {"released", "doubt"}
    assert site.state is SiteState.DOWN
    assert "a new session is not valid either" in site.last_error
    assert not site.gate.is_open(time.monotonic())
    twin.set_faults()
    await site.look(HOST)
    assert site._planner.told[-1][:2] == ("observed", HOST)
    assert site.state is SiteState.UP


async def test_one_connection_that_breaks_says_nothing_of_the_vcenter(site, twin):
    rule = {"kind": "reset_before_body", "operations": ["pool.get"], "probability": 0.5}
    twin.admin("PUT", "faults", [rule])
    for _ in range(12):
        await site.look(HOST)
        if site._planner.told[-1][0] == "released":
            twin.admin("PUT", "faults", [])
            await site.look(HOST)
            twin.admin("PUT", "faults", [{**rule, "seed": len(site._planner.told)}])
    assert {told[0] for told in site._planner.told} == {"observed", "released"}
    assert site.gate.is_open(time.monotonic())


async def test_a_host_that_hangs_is_left_alone_for_a_while_and_nobody_else(site, twin):
    running = asyncio.create_task(site.run())
    async with asyncio.timeout(10):
        while site.state is not SiteState.UP:
            await asyncio.sleep(0.02)
    site._planner.told.clear()
    limit = site.gate.limit
    twin.set_faults({"kind": "stall", "operations": ["pool.get"], "hosts": [HOST[1]]})
    await asyncio.gather(site.look(HOST), site.look(("twin", "host-1003")))
    running.cancel()
    assert sorted(told[0] for told in site._planner.told) == ["absent", "observed"]
    assert ("absent", HOST) in [told[:2] for told in site._planner.told]
    assert site.state is SiteState.UP
    assert site.gate.limit == limit
    assert site.gate.is_open(time.monotonic())


async def test_requests_that_fail_together_lengthen_the_pause_once(twin):
    site = make_site(twin, twin.password, url="https://127.0.0.1:1")
    with suppress(VCenterError):
        await site._client.open()
    try:
        for _ in range(10):
            await site.look(HOST)
    finally:
        await site._client.close()
    assert site.gate.is_open(time.monotonic() + 2.0)


async def test_a_first_login_that_is_refused_ends_the_site(twin):
    site = make_site(twin, "wrong")
    try:
        with pytest.raises(LoginRefusedAtFirst) as caught:
            await site.run()
    finally:
        await site._client.close()
    assert "\n" not in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert site.state is SiteState.REFUSED


async def test_a_cap_is_kept_and_looks_are_delayed_by_a_second_at_most(twin):
    twin.admin("PUT", "faults", [])
    site = make_site(twin, twin.password, max_bytes_per_second=6144)
    assert site.max_add_bytes == 6144
    await site._client.open()
    try:
        started = time.monotonic()
        await site.feed(HOST, Take())
        assert not site.is_open(time.monotonic())
        assert started + 0.9 <= site.opens_at() <= time.monotonic() + 1.1
    finally:
        await site._client.close()


async def test_bytes_that_were_purged_meanwhile_are_not_sent_and_nothing_breaks(site, twin):
    take = Take()

    def forbid():
        raise StaleTake("purged")

    take.spend = forbid
    await site.feed(HOST, take)
    assert take.fate == "given back"
    assert site._planner.told[-1][:2] == ("released", HOST)
    assert site.requests == {("add", "cancelled"): 1}  # the vCenter has no part in it
    await site.look(HOST)  # and the connections can be used


async def test_other_limits_and_another_filter_hold_from_then_on(site):
    changed = site.config.model_copy(
        update={"max_in_flight": 5, "max_bytes_per_second": 6144, "hosts": HostFilter(names=("x",))}
    )
    hosts = await site.hosts(HostFilter())
    site.change(site.config, hosts)
    site._planner.told.clear()
    site.change(changed, hosts[:1])
    assert site._planner.told[0] == ("limit", "twin", 6144)
    assert site._planner.told[1] == ("cap", "twin", 6144)
    assert [told[0] for told in site._planner.told[2:]] == ["remove_host", "remove_host"]
    assert site.gate.ceiling == 5
    await site.feed(HOST, Take())
    assert not site.is_open(time.monotonic())
    site.change(changed.model_copy(update={"max_bytes_per_second": None}))
    assert site.is_open(time.monotonic())


async def test_a_host_that_the_inventory_has_connected_again_is_turned_to(site, twin):
    hosts = await site.hosts(HostFilter())
    site.change(site.config, hosts)
    twin.admin("POST", f"hosts/{HOST[1]}", {"connection_state": "NOT_RESPONDING"})
    try:
        site.change(site.config, await site.hosts(HostFilter()))
    finally:
        twin.admin("POST", f"hosts/{HOST[1]}", {"connection_state": "CONNECTED"})
    site._planner.told.clear()
    for _ in range(2):
        site.change(site.config, await site.hosts(HostFilter()))
    assert [told[:2] for told in site._planner.told if told[0] != "cap"] == [("returned", HOST)]


async def test_an_inventory_that_was_asked_for_by_an_old_filter_is_not_taken(site, twin):
    rule = {"kind": "delay", "operations": ["host.list"], "delay_seconds": 0.5, "count": 1}
    twin.set_faults(rule)
    running = asyncio.create_task(site.run())
    await asyncio.sleep(0.2)
    only = HostFilter(names=tuple(host.name for host in (await site.hosts(HostFilter()))[:1]))
    site.change(site.config.model_copy(update={"hosts": only}))
    async with asyncio.timeout(10):
        while not site.names:
            await asyncio.sleep(0.02)
    assert tuple(site.names.values()) == only.names
    await asyncio.sleep(0.6)
    running.cancel()
    added = [told for told in site._planner.told if told[0] == "add_host"]
    assert len(added) == 1


async def test_clusters_are_those_of_the_filter_that_holds_when_they_are_asked_for(site, twin):
    one, other = HostFilter(clusters=("cluster-01",)), HostFilter(clusters=("cluster-02",))
    site.change(site.config.model_copy(update={"hosts": one}))
    twin.set_faults(
        {"kind": "delay", "operations": ["host.list"], "delay_seconds": 0.5, "count": 1}
    )
    running = asyncio.create_task(site.run())
    await asyncio.sleep(0.2)
    hosts = await site.hosts(other)
    site.change(site.config.model_copy(update={"hosts": other}), hosts)
    async with asyncio.timeout(10):
        while not site.clusters:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
    running.cancel()
    assert site.clusters == {"host-1002": "cluster-02"}


async def test_clusters_are_asked_for_after_the_hosts_and_may_fail(site, twin):
    twin.set_faults({"kind": "forbidden", "operations": ["cluster.list"], "count": 1})
    running = asyncio.create_task(site.run())
    async with asyncio.timeout(10):
        while not site.names:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert not site.clusters
        site.refresh()
        while not site.clusters:
            await asyncio.sleep(0.02)
    running.cancel()
    assert site.clusters == {f"host-100{n}": f"cluster-0{n}" for n in (1, 2, 3)}
    assert site.state is SiteState.UP


async def test_another_password_ends_the_pause_after_a_refused_login(twin):
    twin.set_faults()
    site = make_site(twin, "wrong")
    try:
        with suppress(VCenterError):
            await site._client.open()
        await site.look(HOST)
        assert site.state is SiteState.DOWN
        assert not site.gate.is_open(time.monotonic())
        site.use_password(SecretStr("wrong"))
        assert not site.gate.is_open(time.monotonic())
        site.use_password(SecretStr(twin.password))
        assert site.gate.is_open(time.monotonic())
        await site._client.open()
        await site.look(HOST)
        assert site.state is SiteState.UP
    finally:
        await site.close()


async def test_asking_during_the_pause_after_a_refused_login_does_not_lengthen_it(twin):
    twin.set_faults()
    now = time.monotonic()
    site = make_site(twin, "wrong", clock=lambda: now)
    with suppress(VCenterError):
        await site._client.open()
    try:
        for _ in range(4):
            await site.look(HOST)
            assert not site.gate.is_open(now)
            now += 80.0
        assert site.gate.is_open(now)
    finally:
        await site.close()


async def test_a_site_that_leaves_waits_for_its_requests(site, twin):
    site.change(site.config, await site.hosts(HostFilter()))
    twin.set_faults({"kind": "delay", "operations": ["pool.add"], "delay_seconds": 0.4})
    take = Take()
    feeding = asyncio.create_task(site.feed(HOST, take))
    site.leave()
    assert {told[0] for told in site._planner.told[-3:]} == {"remove_host"}
    assert not site.names
    await site.idle()
    assert take.fate is Fate.DELIVERED
    await feeding
    await asyncio.wait_for(site.idle(), 1)


async def test_a_list_of_hosts_that_fails_is_no_outage_while_hosts_can_be_read(site, twin):
    running = asyncio.create_task(site.run())
    async with asyncio.timeout(10):
        while site.state is not SiteState.UP:
            await asyncio.sleep(0.02)
        twin.set_faults({"kind": "error", "operations": ["host.list"]})
        site.refresh()
        while not site.last_error:
            await asyncio.sleep(0.02)
            assert site.state is SiteState.UP
        assert not vcenter_row(site).lists_hosts
        twin.set_faults()
        while site.last_error:
            await asyncio.sleep(0.02)
        assert vcenter_row(site).lists_hosts
    running.cancel()


async def test_a_host_that_is_gone_has_the_inventory_looked_at_but_not_for_ever(twin):
    twin.set_faults()
    now = [1000.0]
    site = make_site(twin, twin.password, clock=lambda: now[0])
    running = asyncio.create_task(site.run())

    async def is_listed_for(host, seconds_later):
        now[0] += seconds_later
        await site.look(("twin", host))
        await asyncio.sleep(0.3)
        return site._rounds.asked_at == now[0]

    try:
        async with asyncio.timeout(20):
            while site.state is not SiteState.UP:
                await asyncio.sleep(0.02)
            assert not await is_listed_for(HOST[1], 15.0)
            assert await is_listed_for("host-9", 15.0)
            assert not await is_listed_for("host-9", 9.0)  # it did not help
            new = twin.add_host("cluster-01")
            assert await is_listed_for("host-9", 10.0)
            assert ("add_host", ("twin", new)) in [told[:2] for told in site._planner.told]
            twin.remove_host(new)
            assert await is_listed_for(new, 5.0)  # it did
            assert site._planner.told[-2:] == [
                ("absent", ("twin", new), "not found"),
                ("remove_host", ("twin", new)),
            ]
    finally:
        running.cancel()
        await site.close()
