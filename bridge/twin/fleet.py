"""The hosts of the twin: their place, their state, their pool, and vCenter's list of them."""

import random
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from bridge.twin.clock import Clock
from bridge.twin.drain import Drain, DrainProfile, make_drain
from bridge.twin.entropyd import Birth, Entropyd, State
from bridge.twin.errors import host_not_found, invalid_argument, unable_to_allocate
from bridge.twin.events import EventId, EventLog
from bridge.twin.inventory import Inventory, matches
from bridge.twin.pool import DEFAULT_CAPACITY_BYTES, Pool
from bridge.twin.readings import Readings
from bridge.twin.sources import EXTERNAL_ONLY, external_share

MOST_HOSTS_LISTED = 2500


class ConnectionState(StrEnum):
    """Whether vCenter reaches the host."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    NOT_RESPONDING = "NOT_RESPONDING"


class PowerState(StrEnum):
    """Whether the host runs; only known while it is connected."""

    POWERED_ON = "POWERED_ON"
    POWERED_OFF = "POWERED_OFF"
    STANDBY = "STANDBY"


class PoolStatus(StrEnum):
    """Whether the host takes entropy from outside."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


@dataclass(frozen=True)
class Place:
    """Where a host is in the inventory; cluster is None for a standalone one."""

    folder: str
    datacenter: str
    cluster: str | None = None


@dataclass
class Demand:
    """How a host uses entropy, from whatever source."""

    profile: DrainProfile
    bytes_per_second: float
    seed: int


class Host:
    """One ESXi host: its names, its place, what vCenter knows of it, and its entropyd."""

    def __init__(
        self,
        number: int,
        place: Place,
        demand: Demand,
        birth: Birth,
        *,
        readings: Readings,
        on_event: Callable[[str, EventId, float], None],
    ) -> None:
        """Make host-(1000 + number), named esx-<number>.example.test."""
        self.host = f"host-{1000 + number}"
        self.name = f"esx-{number:04d}.example.test"
        dice = random.Random(demand.seed)  # noqa: S311
        self.host_uuid = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        self.place = place
        self.demand = demand
        self.power_state = PowerState.POWERED_ON
        self._connection = ConnectionState.CONNECTED
        self._readings = readings

        def note(event_id: EventId, at_seconds: float) -> None:
            on_event(self.host, event_id, at_seconds)

        self.entropyd = Entropyd(birth, readings, self._drain_of, note)

    @property
    def cluster(self) -> str | None:
        """Return the identifier of its cluster, if it is in one."""
        return self.place.cluster

    @property
    def pool(self) -> Pool:
        """Return the memory cache."""
        return self.entropyd.pool

    @property
    def status(self) -> PoolStatus:
        """Return whether the host takes entropy from outside."""
        return PoolStatus.ENABLED if self.entropyd.enabled else PoolStatus.DISABLED

    @property
    def connection_state(self) -> ConnectionState:
        """Return what vCenter shows: a host that hangs or boots does not respond."""
        silent = self.entropyd.state in (State.BOOTING, State.HUNG, State.LOST)
        if silent and self._connection is ConnectionState.CONNECTED:
            return ConnectionState.NOT_RESPONDING
        return self._connection

    @connection_state.setter
    def connection_state(self, state: ConnectionState) -> None:
        self._connection = state

    @property
    def reachable(self) -> bool:
        """Return whether vCenter can ask this host for anything."""
        return (
            self.connection_state is ConnectionState.CONNECTED
            and self.power_state is PowerState.POWERED_ON
        )

    def set_drain(self, profile: DrainProfile, bytes_per_second: float, now: float) -> None:
        """Use entropy in another way from now on."""
        self.demand = Demand(profile, bytes_per_second, self.demand.seed)
        self.entropyd.set_demand(self._drain_of, now)

    def set_power(self, state: PowerState, now: float) -> None:
        """Switch the host off or to standby, or on, which makes it boot."""
        if state is self.power_state:
            return
        self.power_state = state
        if state is PowerState.POWERED_ON:
            self.entropyd.reboot(now)
        else:
            self.entropyd.power_off(now)

    def _drain_of(self, sources: int) -> Drain:
        share = external_share(sources, self._readings.mixing)
        it = self.demand
        return make_drain(it.profile, it.bytes_per_second * share, it.seed)


class Fleet:
    """All hosts and the inventory around them."""

    def __init__(
        self, inventory: Inventory, clock: Clock, *, seed: int = 0, readings: Readings | None = None
    ) -> None:
        self.inventory = inventory
        self.readings = readings or Readings()
        self.events = EventLog()
        self.hosts: dict[str, Host] = {}
        self._clock = clock
        self._seed = seed
        self._last_number = 0

    def place_in(self, cluster: str) -> Place:
        """Return where the hosts of a cluster are, which may be meant by its name."""
        for it in self.inventory.clusters.values():
            if cluster in (it.cluster, it.name):
                return Place(it.folder, it.datacenter, it.cluster)
        raise invalid_argument(f"There is no cluster {cluster}.", cluster)

    def add_another(self, place: Place) -> Host:
        """Put a host into the inventory that was never there: vCenter gives no identifier twice."""
        return self.add_host(self._last_number + 1, place)

    def add_host(
        self,
        number: int,
        place: Place,
        *,
        profile: DrainProfile = DrainProfile.CONSTANT,
        drain_bytes_per_second: float = 0.0,
        level_bytes: int = DEFAULT_CAPACITY_BYTES,
        storage_bytes: int = 0,
        sources: int = EXTERNAL_ONLY,
        boot_seconds: float = 60.0,
    ) -> Host:
        """Put host-(1000 + number) into the inventory, installed and running."""
        birth = Birth(
            now=self._clock.now(),
            level_bytes=level_bytes,
            storage_bytes=storage_bytes,
            sources=sources,
            boot_seconds=boot_seconds,
        )
        demand = Demand(profile, drain_bytes_per_second, self._seed * 1_000_003 + number)
        host = Host(number, place, demand, birth, readings=self.readings, on_event=self._note)
        if host.host in self.hosts:
            raise ValueError(f"{host.host} is there already")
        self.hosts[host.host] = host
        self._last_number = max(self._last_number, number)
        return host

    def remove_host(self, host_id: str) -> None:
        """Take a host out of the inventory, as if it had been removed from vCenter."""
        del self.hosts[self.host(host_id).host]

    def host(self, host_id: str) -> Host:
        """Return the host with that identifier, or raise NotFound as vCenter does."""
        try:
            return self.hosts[host_id]
        except KeyError:
            raise host_not_found(host_id) from None

    def named(self, identifier_or_name: str) -> Host:
        """Return the host with that identifier or, failing that, that name."""
        by_name = (it for it in self.hosts.values() if it.name == identifier_or_name)
        return (
            self.hosts.get(identifier_or_name)
            or next(by_name, None)
            or self.host(identifier_or_name)
        )

    def advance(self) -> float:
        """Let every pool catch up with the clock, so that all events are logged; return now."""
        now = self._clock.now()
        for host in self.hosts.values():
            host.entropyd.advance(now)
        return now

    def _note(self, host_id: str, event_id: EventId, at_seconds: float) -> None:
        self.events.add(self._clock.wall(at_seconds), host_id, event_id)

    def list_hosts(
        self,
        *,
        hosts: Collection[str] = (),
        names: Collection[str] = (),
        folders: Collection[str] = (),
        datacenters: Collection[str] = (),
        standalone: bool | None = None,
        clusters: Collection[str] = (),
        connection_states: Collection[str] = (),
        host_uuids: Collection[str] = (),
    ) -> list[Host]:
        """Return the hosts that match every filter that is not empty, at most 2500."""
        for state in connection_states:
            if state not in ConnectionState.__members__:
                raise invalid_argument(f"{state} is not a connection state.", state)
        self.advance()
        found = [
            it
            for it in self.hosts.values()
            if matches(it.host, hosts)
            and matches(it.name, names)
            and matches(it.place.datacenter, datacenters)
            and matches(it.cluster, clusters)
            and matches(it.connection_state, connection_states)
            and matches(it.host_uuid, host_uuids)
            and (standalone is None or standalone is (it.cluster is None))
            and (
                not folders
                or not self.inventory.folders_around(it.place.folder).isdisjoint(folders)
            )
        ]
        if len(found) > MOST_HOSTS_LISTED:
            raise unable_to_allocate("hosts", MOST_HOSTS_LISTED)
        return found
