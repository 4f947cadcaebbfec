"""Whatever hosts, vCenters and other feeders do, the planner keeps its promises."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from bridge.feed.decision import Feed, HostKey, Idle, Look
from bridge.feed.hoststate import NO_ANSWER, HostState, Reading
from bridge.feed.planner import Planner
from bridge.feed.policy import Policy, Stock

KIB = 1024
GROUPS = ("x", "y")
MAX_ADD = 100 * KIB
RING = 256 * KIB


@dataclass
class Truth:
    """A host as it is, and what the planner was told of it."""

    capacity: int
    timeout: int
    level: int
    contact_at: float
    told: Reading | None = None
    certain: bool = False
    absent: bool = False
    carries: int | None = None
    held_until: float = 0.0


class Fleet(RuleBasedStateMachine):
    visits = Bundle("visits")

    def __init__(self) -> None:
        super().__init__()
        self.planner = Planner(Policy(max_add_bytes=MAX_ADD))
        self.now = 100.0
        self.stock = RING
        self.rate = 0.0
        self.hosts: dict[HostKey, Truth] = {}
        self.gone: dict[HostKey, Truth] = {}
        self.added = 0

    @rule(
        group=st.sampled_from(GROUPS),
        capacity=st.sampled_from([0, 5, 1000, 64 * KIB, 512 * KIB]),
        timeout=st.sampled_from([6, 60, 300]),
        fill=st.floats(0, 1),
    )
    def add(self, group: str, capacity: int, timeout: int, fill: float) -> None:
        self.added += 1
        key = (group, f"h{self.added}")
        self.hosts[key] = Truth(capacity, timeout, int(capacity * fill), self.now)
        self.planner.add_host(key, self.now)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if not self.hosts:
            return
        key = data.draw(st.sampled_from(sorted(self.hosts)))
        truth = self.hosts.pop(key)
        self.planner.remove_host(key)
        if truth.carries is not None:
            self.gone[key] = truth

    @rule(
        seconds=st.floats(0.001, 50),
        use=st.floats(0, 4 * KIB),
        rate=st.sampled_from([0.0, 0.0, 3e3, 1e5]),
    )
    def pass_time(self, seconds: float, use: float, rate: float) -> None:
        self.now += seconds
        self.rate = rate
        self.stock = min(RING, self.stock + int(rate * seconds))
        for truth in self.hosts.values():
            truth.level = max(0, truth.level - int(use * seconds))

    @rule(data=st.data(), share=st.floats(0, 1))
    def somebody_else_feeds(self, data: st.DataObject, share: float) -> None:
        if self.hosts:
            truth = self.hosts[data.draw(st.sampled_from(sorted(self.hosts)))]
            truth.level += int((truth.capacity - truth.level) * share)

    @rule(target=visits, open_groups=st.sets(st.sampled_from(GROUPS)))
    def ask(self, open_groups: set[str]) -> HostKey | None:
        stock = Stock(self.stock, RING, self.rate)
        decision = self.planner.decide(self.now, stock, open_groups)
        if isinstance(decision, Idle):
            assert decision.until is None or decision.until > self.now
            self.nothing_is_overdue(open_groups)
            return None
        truth = self.hosts[decision.key]
        assert decision.key[0] in open_groups
        assert truth.carries is None
        n_bytes = 0
        if isinstance(decision, Feed):
            n_bytes = decision.n_bytes
            self.may_be_sent(truth, n_bytes)
            self.is_the_neediest(decision.key, open_groups)
        else:
            assert isinstance(decision, Look)
        self.planner.begun(decision.key, n_bytes, self.now)
        self.stock -= n_bytes
        truth.carries = n_bytes
        return decision.key

    def may_be_sent(self, truth: Truth, n_bytes: int) -> None:
        assert truth.told is not None
        assert truth.certain
        assert not truth.absent
        assert 3 <= n_bytes <= min(MAX_ADD, self.stock)
        assert n_bytes % 3 == 0
        assert n_bytes <= truth.told.capacity_bytes - truth.told.available_bytes

    def is_the_neediest(self, key: HostKey, open_groups: set[str]) -> None:
        """With no inflow and a ring that is not full, nobody may go before his turn."""
        carried = sum(t.carries or 0 for t in [*self.hosts.values(), *self.gone.values()])
        if self.rate or self.stock * 4 >= (RING - carried) * 3:
            return
        outlooks = {outlook.key: outlook for outlook in self.planner.outlook(self.now)}
        mine = outlooks[key].seconds_to_dry
        assert mine is not None
        for other, outlook in outlooks.items():
            told = self.hosts[other].told
            waits = (
                other[0] in open_groups
                and self.hosts[other].carries is None
                and not outlook.shared
                and outlook.state is HostState.READ
                and self.hosts[other].held_until <= self.now
                and told is not None
                and told.capacity_bytes - told.available_bytes >= 3 * KIB
                and outlook.available_bytes is not None
                and outlook.available_bytes < 0.9 * told.capacity_bytes - 1
            )
            if waits:
                assert outlook.seconds_to_dry is not None
                assert outlook.seconds_to_dry >= mine - 1e-6

    def nothing_is_overdue(self, open_groups: set[str]) -> None:
        for key, truth in self.hosts.items():
            if key[0] not in open_groups or truth.carries is not None or truth.absent:
                continue
            if truth.held_until > self.now:
                continue
            assert truth.told is not None, "a new host waits"
            assert truth.certain, "a host of unknown fate waits"
            assert self.now < truth.contact_at + truth.timeout / 3.0

    @rule(key=consumes(visits), lag=st.floats(0, 3), lost=st.floats(0, 1))
    def answer(self, key: HostKey | None, lag: float, lost: float) -> None:
        self.now += lag
        truth = self.visited(key)
        if key is None or truth is None:
            return
        truth.level = min(truth.capacity, truth.level + int((truth.carries or 0) * (1 - lost)))
        truth.told = Reading(truth.capacity, truth.level, truth.capacity // 5, truth.timeout)
        truth.certain, truth.absent = True, False
        truth.contact_at, truth.carries = self.now, None
        self.planner.observed(key, truth.told, self.now)

    @rule(key=consumes(visits), reason=st.sampled_from(["disabled", NO_ANSWER]))
    def no_such_host(self, key: HostKey | None, reason: str) -> None:
        truth = self.visited(key)
        if key is None or truth is None:
            return
        truth.absent, truth.carries = True, None
        self.planner.absent(key, reason, self.now)

    @rule(data=st.data())
    def is_connected_again(self, data: st.DataObject) -> None:
        if self.hosts:
            self.planner.returned(data.draw(st.sampled_from(sorted(self.hosts))), self.now)

    @rule(key=consumes(visits))
    def silence(self, key: HostKey | None) -> None:
        truth = self.visited(key)
        if key is None or truth is None:
            return
        self.planner.uncertain(key, truth.carries or 0, self.now)
        truth.absent, truth.certain, truth.carries = False, False, None
        truth.held_until = self.now + 30.0

    @rule(key=consumes(visits))
    def no_connection(self, key: HostKey | None) -> None:
        truth = self.visited(key)
        if key is None or truth is None:
            return
        truth.carries = None
        truth.held_until = max(truth.held_until, self.now + 30.0)
        self.planner.released(key, self.now)

    def visited(self, key: HostKey | None) -> Truth | None:
        if key is None:
            return None
        if key in self.gone:
            return self.gone.pop(key)
        return self.hosts[key]

    @invariant()
    def no_host_is_lost(self) -> None:
        outlooks = {outlook.key: outlook for outlook in self.planner.outlook(self.now)}
        assert outlooks.keys() == self.hosts.keys()
        assert len(self.planner) == len(self.hosts)
        for key, truth in self.hosts.items():
            assert (self.planner._hosts[key].visit_bytes is None) == (truth.carries is None)

    @invariant()
    def the_books_are_in_order(self) -> None:
        for group in self.planner._groups.values():
            members = [host for host in self.planner._hosts.values() if host.group is group]
            assert group.low == sum(host.low for host in members)
            assert group.retrying == sum(
                host.may_hang for host in members if host.visit_bytes is not None
            )
            for queue in group.queues:
                assert len(queue) == sum(queue.holds(host) for host in members)
            for host in members:
                waits = any(queue.holds(host) for queue in group.queues)
                assert waits == (host.visit_bytes is None)
        carried = [*self.hosts.values(), *self.gone.values()]
        assert self.planner._in_flight_bytes == sum(truth.carries or 0 for truth in carried)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
