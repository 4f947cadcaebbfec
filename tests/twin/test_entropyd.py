"""entropyd and the life of its host: running low, hanging, booting, tuning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.twin.clock import standing_clock
from bridge.twin.entropyd import KERNEL_POOL_BYTES, State
from bridge.twin.fleet import ConnectionState, Fleet, Host, Place, PoolStatus, PowerState
from bridge.twin.inventory import Inventory
from bridge.twin.readings import Readings

MIB = 1024 * 1024
CAPACITY = 524_288


class OneHost:
    """A host that uses 1024 bytes per second, with its clock and its log."""

    def __init__(self, *choices: str, level_bytes=CAPACITY, storage_bytes=MIB, sources=8) -> None:
        self.clock = standing_clock()
        readings = Readings()
        for choice in choices:
            readings = readings.choose(choice)
        self.fleet = Fleet(Inventory(), self.clock, readings=readings)
        self.host: Host = self.fleet.add_host(
            1,
            Place("group-h1", "datacenter-1"),
            drain_bytes_per_second=1024,
            level_bytes=level_bytes,
            storage_bytes=storage_bytes,
            sources=sources,
            boot_seconds=60,
        )
        self.daemon = self.host.entropyd

    def wait(self, seconds: float) -> None:
        self.clock.jump(seconds)
        self.fleet.advance()

    def read(self):
        return self.daemon.read(self.clock.now())

    def add(self, n_bytes: int):
        return self.daemon.add(n_bytes, self.clock.now())

    def reboot(self) -> None:
        self.daemon.reboot(self.clock.now())

    def events(self) -> list[tuple[str, float]]:
        start = self.clock.wall(0)
        return [
            (it.event_id.removeprefix("esx.").replace(".entropy", ""), it.time_seconds - start)
            for it in self.fleet.events.since(0)
        ]


def test_a_host_on_external_entropy_alone_lives_on_its_kernel_pool_and_then_hangs():
    one = OneHost(level_bytes=102_400)
    one.wait(100)
    assert one.host.connection_state is ConnectionState.CONNECTED
    assert one.daemon.pool.level_bytes == 0
    assert one.daemon.pool.kernel_bytes == KERNEL_POOL_BYTES
    one.wait(31)
    assert one.daemon.state is State.RUNNING
    assert one.daemon.pool.kernel_bytes == 1024
    one.wait(2)
    assert one.daemon.state is State.HUNG
    assert one.host.connection_state is ConnectionState.NOT_RESPONDING
    assert not one.host.reachable
    one.wait(3600)
    assert one.events() == [
        ("audit.external.source.disconnected", 60.0),
        ("problem.inmemory.empty", pytest.approx(100.0)),
    ]
    assert one.daemon.pool.unmet_bytes == 0


def test_an_addition_fills_the_kernel_pool_first():
    one = OneHost(level_bytes=10_240)
    one.wait(20)
    added = one.add(12_240)
    assert one.daemon.pool.kernel_bytes == KERNEL_POOL_BYTES
    assert added.accepted_bytes == 12_240
    assert added.levels.available_bytes == 2000
    assert one.daemon.pool.dry_spells[0].end_seconds == 20.0
    one.wait(30)
    assert one.daemon.state is State.RUNNING


def test_a_reboot_brings_a_hung_host_back_from_its_storage_cache():
    one = OneHost(level_bytes=0, storage_bytes=100_000)
    one.wait(33)
    assert one.daemon.state is State.HUNG
    one.reboot()
    assert one.daemon.state is State.BOOTING
    assert one.host.connection_state is ConnectionState.NOT_RESPONDING
    one.wait(59)
    assert one.daemon.state is State.BOOTING
    one.wait(1)
    assert one.daemon.state is State.RUNNING
    assert one.host.connection_state is ConnectionState.CONNECTED
    assert one.daemon.storage_bytes == 100_000 - KERNEL_POOL_BYTES
    assert one.read().available_bytes == 0
    one.wait(31)
    assert one.daemon.state is State.RUNNING


def test_a_host_that_boots_with_nothing_in_memory_says_so():
    one = OneHost(level_bytes=0)
    one.reboot()
    one.wait(60)
    assert one.events() == [("audit.available.low", 60.0), ("problem.inmemory.empty", 60.0)]
    one.add(CAPACITY)
    one.reboot()
    one.wait(60)
    assert len(one.events()) == 4
    assert one.daemon.pool.dry_count == 3  # at first, and after each boot
    full = OneHost("boot-storage=refills-memory")
    full.reboot()
    full.wait(60)
    assert full.events() == []


def test_without_enough_in_storage_only_another_installation_helps():
    one = OneHost(storage_bytes=2 * KERNEL_POOL_BYTES + 5)
    for boots in (1, 2):
        one.reboot()
        one.wait(60)
        assert (one.daemon.state, one.daemon.boots) == (State.RUNNING, boots)
    one.reboot()
    one.wait(60)
    assert one.daemon.state is State.LOST
    assert one.events()[-1][0] == "problem.empty"
    one.reboot()
    one.wait(600)
    assert one.daemon.state is State.LOST
    one.daemon.install(8, MIB, one.clock.now())
    one.wait(60)
    assert one.daemon.state is State.RUNNING
    assert one.daemon.storage_bytes == MIB - KERNEL_POOL_BYTES


def test_by_one_reading_a_hung_host_is_lost_at_once():
    one = OneHost("exhaustion=reinstall", level_bytes=0)
    one.wait(40)
    one.reboot()
    one.wait(60)
    assert one.daemon.state is State.LOST


def test_by_one_reading_a_dry_host_waits_and_goes_on():
    one = OneHost("exhaustion=tolerated", level_bytes=0)
    one.wait(1000)
    assert one.daemon.state is State.RUNNING
    assert one.daemon.pool.unmet_bytes == 1_024_000
    assert one.add(5000).levels.available_bytes == 5000


def test_by_one_reading_the_storage_cache_refills_memory_at_boot():
    one = OneHost("boot-storage=refills-memory", storage_bytes=300_000)
    one.reboot()
    one.wait(60)
    assert one.read().available_bytes == 300_000 - KERNEL_POOL_BYTES
    assert one.daemon.storage_bytes == 0


def test_additions_fill_the_storage_cache_too_unless_read_otherwise():
    for choice, stored in (("storage-fill=copy", 50_000), ("storage-fill=none", 0)):
        one = OneHost(choice, level_bytes=CAPACITY - 50_000, storage_bytes=0)
        assert one.add(60_000).accepted_bytes == 50_000
        assert one.daemon.storage_bytes == stored
        assert one.daemon.pool.discarded_bytes == 10_000


def test_by_one_reading_both_caches_are_counted_and_memory_comes_first():
    one = OneHost("available-counts=memory-and-storage", level_bytes=CAPACITY - 1000)
    levels = one.read()
    assert levels.capacity_bytes == CAPACITY + 4 * MIB
    assert levels.available_bytes == CAPACITY - 1000 + MIB
    assert levels.low_watermark_bytes == 104_857
    added = one.add(10_000)
    assert added.accepted_bytes == 10_000
    assert added.room_bytes == 1000 + 3 * MIB
    assert added.levels.available_bytes == CAPACITY + MIB + 9000
    assert one.daemon.pool.level_bytes == CAPACITY
    full = one.add(5 * MIB)
    assert full.accepted_bytes == full.room_bytes == 3 * MIB - 9000
    assert full.levels.available_bytes == full.levels.capacity_bytes


def test_by_one_reading_the_watermark_is_in_bits():
    levels = OneHost("watermark-unit=bits").read()
    assert levels.low_watermark_bytes == 838_856
    assert levels.low_watermark_bytes > levels.capacity_bytes


@pytest.mark.parametrize(
    ("sources", "choice", "drained"),
    [
        (8, "mixing=equal", 10_240),
        (9, "mixing=equal", 5120),
        (15, "mixing=equal", 2560),
        (15, "mixing=all", 10_240),
        (7, "mixing=all", 0),
        (0, "mixing=equal", 0),
    ],
)
def test_the_mixer_shares_the_demand_among_the_sources(sources, choice, drained):
    one = OneHost(choice, sources=sources)
    one.wait(10)
    assert one.daemon.pool.drained_bytes == drained
    enabled = PoolStatus.ENABLED if sources & 8 else PoolStatus.DISABLED
    assert one.host.status is enabled


@pytest.mark.parametrize("sources", [0, 7, 9, 15])
def test_a_host_with_an_internal_source_never_hangs(sources):
    one = OneHost(sources=sources, level_bytes=0, storage_bytes=0)
    one.wait(100_000)
    assert one.daemon.state is State.RUNNING
    one.reboot()
    one.wait(60)
    assert one.daemon.state is State.RUNNING


def test_a_host_without_external_entropy_logs_nothing_of_it():
    one = OneHost(sources=7, level_bytes=0, storage_bytes=0)
    one.wait(1000)
    assert one.events() == []


def test_an_empty_storage_cache_makes_it_the_other_event_as_well():
    one = OneHost(level_bytes=1024, storage_bytes=0)
    one.wait(2)
    assert one.events() == [
        ("problem.inmemory.empty", pytest.approx(1.0)),
        ("problem.empty", pytest.approx(1.0)),
    ]


def test_switching_a_host_off_loses_memory_and_switching_it_on_boots_it():
    one = OneHost(level_bytes=400_000)
    one.host.set_power(PowerState.POWERED_OFF, one.clock.now())
    one.wait(1000)
    assert (one.daemon.state, one.daemon.pool.level_bytes) == (State.OFF, 0)
    assert one.host.connection_state is ConnectionState.CONNECTED
    assert one.events() == []
    one.host.set_power(PowerState.POWERED_ON, one.clock.now())
    one.wait(60)
    assert one.daemon.state is State.RUNNING
    assert one.daemon.pool.adjusted_bytes == -400_000


def test_resizing_the_cache_applies_or_breaks_entropyd_by_reading():
    smaller = "memory-cache-size=100"
    for choice, broken in (("applies", False), ("breaks", True), ("breaks-if-smaller", True)):
        one = OneHost(f"cache-resize={choice}")
        assert run(one, "set", f"--{smaller}")[0] == 0
        assert one.daemon.broken is broken
        shown = [it for it, _ in one.events()]
        assert shown == (["problem.config.error"] if broken else [])
        if not broken:
            assert one.read().capacity_bytes == one.read().available_bytes == 102_400
            continue
        one.reboot()
        one.wait(60)
        assert one.read().capacity_bytes == 102_400
    one = OneHost("cache-resize=breaks-if-smaller", level_bytes=1000)
    run(one, "set", f"--{smaller}")
    assert not one.daemon.broken


def run(one: OneHost, *words: str) -> tuple[int, str]:
    from bridge.twin.esxcli import run_esxcli  # noqa: PLC0415

    return run_esxcli(["system", "entropyd", *words], one.daemon, one.clock.now())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2 * MIB)),
        st.tuples(st.just("wait"), st.floats(0, 600, allow_nan=False)),
        st.tuples(st.just("reboot"), st.just(0)),
        st.tuples(st.just("sources"), st.integers(0, 15)),
        st.tuples(st.just("resize"), st.integers(1, 2000)),
        st.tuples(st.just("install"), st.integers(0, 5 * MIB)),
    ),
    max_size=30,
)


@given(
    counts=st.sampled_from(["memory", "memory-and-storage"]),
    exhaustion=st.sampled_from(["unresponsive", "reinstall", "tolerated"]),
    steps=STEPS,
)
def test_whatever_happens_no_byte_appears_or_vanishes_unaccounted(counts, exhaustion, steps):
    one = OneHost(f"available-counts={counts}", f"exhaustion={exhaustion}")
    pool = one.daemon.pool
    sent = 0
    for kind, value in steps:
        now = one.clock.now()
        match kind:
            case "add":
                before = one.read()
                sent += value
                added = one.add(value)
                room = before.capacity_bytes - before.available_bytes
                assert added.room_bytes == room
                assert added.accepted_bytes == min(value, room)
            case "wait":
                one.wait(value)
            case "reboot":
                one.reboot()
            case "sources":
                one.daemon.set_sources(value, now)
            case "resize":
                run(one, "set", f"--memory-cache-size={value}")
            case "install":
                one.daemon.install(8, value, now)
        levels = one.read()
        assert 0 <= levels.available_bytes <= levels.capacity_bytes
        assert 0 <= pool.kernel_bytes <= pool.kernel_capacity_bytes
        gained = pool.initial_bytes + pool.accepted_bytes + pool.adjusted_bytes
        assert gained == pool.level_bytes + pool.drained_bytes
        assert pool.accepted_bytes + pool.stored_bytes + pool.discarded_bytes == sent
    times = [it.time_seconds for it in one.fleet.events.since(0)]
    assert all(it <= one.clock.wall(one.clock.now()) for it in times)


async def test_a_change_of_a_host_comes_after_the_end_of_its_boot(start_twin):
    twin = await start_twin(hosts=1, drain_bytes_per_second=0)
    await twin.admin("POST", "hosts/host-1001/reboot")
    twin.clock.jump(60)
    changed = await twin.admin("POST", "hosts/host-1001", {"level_bytes": 5000})
    assert (changed.json["state"], changed.json["level_bytes"]) == ("running", 5000)
    assert (await twin.pool("host-1001")).json["currently_available"] == 5000
