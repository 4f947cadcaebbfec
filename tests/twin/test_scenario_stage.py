"""What a scenario does to a fleet, on a clock that stands still between two lines."""

import pytest

from bridge.twin.clock import Clock
from bridge.twin.scenario import Scenario
from bridge.twin.scenario_report import PlayOrder
from bridge.twin.scenario_stage import Cue, Stage, twin_options
from bridge.twin.server import TwinServer

CAPACITY = 524_288


class Play:
    """A scenario on a fleet whose time is moved by hand."""

    def __init__(self, stage, center, clock):
        self.stage = stage
        self.center = center
        self._clock = clock

    def until(self, seconds):
        """Move on, and let everything happen at its own moment."""
        while (moment := self.stage.next_seconds()) is not None and moment <= seconds:
            self._clock.jump(max(0.0, moment - self._clock.now()))
            self.stage.act()
        self._clock.jump(seconds - self._clock.now())

    def host(self, number):
        return self.center.fleet.host(f"host-{1000 + number}")

    def add(self, number, n_bytes):
        self.host(number).entropyd.add(n_bytes, self._clock.now())

    def stories(self):
        return {it.host: it for it in self.stage.report().hosts}


@pytest.fixture
def play():
    """Put a scenario on a stage, with nobody who feeds."""

    def begin(**tables):
        tables = {"title": "T", "description": "D", "duration_seconds": 1000.0} | tables
        tables["fleet"] = {"hosts": 4, "drain_bytes_per_second": 0.0} | tables.get("fleet", {})
        order = PlayOrder(scenario=Scenario.model_validate(tables), speed=1)
        clock = Clock(lambda: 0.0)
        center = TwinServer(twin_options(order), clock)._build_center("secret")
        stage = Stage(order, center, clock)
        stage.begin()
        return Play(stage, center, clock)

    return begin


def test_the_fleet_is_as_the_scenario_says(play):
    fleet = {
        "hosts": 6,
        "clusters": 2,
        "capacity": "1MiB",
        "low_watermark_percent": 30,
        "inactive_source_timeout_seconds": 90,
        "initial_level": 0.25,
    }
    stories = play(fleet=fleet).stories()
    assert len(stories) == 6
    assert {it.cluster for it in stories.values()} == {"domain-c1", "domain-c2"}
    story = stories["host-1001"]
    assert story.capacity_bytes == 2 * CAPACITY
    assert story.low_watermark_bytes == 2 * CAPACITY * 30 // 100
    assert (story.level_bytes, story.lowest_bytes) == (CAPACITY // 2, CAPACITY // 2)
    assert (story.dry_count, story.state, story.excused) == (0, "running", False)


def test_drains_change_for_a_time_and_for_some(play):
    it = play(
        fleet={"drain_bytes_per_second": 10.0, "initial_level": 1.0, "clusters": 2},
        change=[
            {"at_seconds": 100, "for_seconds": 50, "clusters": ["cluster-01"], "drain_factor": 20},
            {"at_seconds": 120, "hosts": ["host-1002"], "drain_factor": 0},
        ],
    )
    it.until(200)
    levels = [CAPACITY - story.level_bytes for story in it.stories().values()]
    assert levels == [150 * 10 + 50 * 200, 120 * 10, 150 * 10 + 50 * 200, 200 * 10]


def test_a_share_is_the_same_for_a_seed_and_another_for_another(play):
    def chosen(seed):
        change = [{"at_seconds": 1, "share": 0.25, "level": 0.1}]
        it = play(fleet={"hosts": 40, "seed": seed}, change=change)
        it.until(2)
        return {story.host for story in it.stories().values() if story.lowest_level < 0.2}

    assert len(chosen(1)) == 10
    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def test_the_lowest_level_is_kept_and_that_of_the_judged_time_as_well(play):
    it = play(
        fleet={"drain_bytes_per_second": 100.0, "initial_level": 0.2},
        **{"pass": {"no_host_low_after_seconds": 500.0}},
    )
    it.until(400)
    it.add(1, CAPACITY)
    it.add(2, 50_000)
    it.until(600)
    first, second = it.stories()["host-1001"], it.stories()["host-1002"]
    assert first.lowest_bytes == second.lowest_bytes == round(0.2 * CAPACITY) - 400 * 100
    assert first.lowest_late_bytes == CAPACITY - 200 * 100
    assert not first.was_low_late
    assert second.lowest_late_bytes == second.lowest_bytes + 50_000 - 200 * 100
    assert second.was_low_late


def test_a_host_that_runs_dry_is_told_with_its_moment(play):
    it = play(fleet={"drain_bytes_per_second": 1000.0, "initial_level": 0.5})
    it.until(700)
    story = it.stories()["host-1001"]
    assert story.dry_count == 1
    assert story.first_dry_seconds == pytest.approx(CAPACITY / 2 / 1000, abs=0.01)
    assert story.state == "hung"
    assert story.source_lost_count == 1
    progress = it.stage.progress(over=False)
    assert (progress.n_dry, progress.n_low, progress.lowest_level) == (4, 4, 0.0)


def test_what_the_scenario_takes_away_is_excused_and_comes_back(play):
    it = play(
        fleet={"hosts": 5},
        change=[
            {
                "at_seconds": 10,
                "for_seconds": 10,
                "hosts": ["host-1001"],
                "connection_state": "DISCONNECTED",
            },
            {"at_seconds": 10, "for_seconds": 10, "hosts": ["host-1002"], "power_state": "STANDBY"},
            {"at_seconds": 10, "hosts": ["host-1003"], "reboot": True},
            {"at_seconds": 10, "hosts": ["host-1004"], "remove": True},
        ],
    )
    it.until(15)
    assert not it.host(1).reachable
    assert it.host(2).entropyd.state == "off"
    assert it.host(3).entropyd.state == "booting"
    assert "host-1004" not in it.center.fleet.hosts
    it.until(100)
    assert it.host(1).reachable
    stories = it.stories()
    assert [story.excused for story in stories.values()] == [True, True, True, True, False]
    assert stories["host-1002"].state == stories["host-1003"].state == "running"


def test_faults_are_in_force_from_the_beginning_and_end_with_it(play):
    it = play(fault=[{"kind": "delay", "after_seconds": 5, "for_seconds": 5}])
    armed = it.center.faults.armed
    assert [rule.rule.after_seconds for rule in armed] == [5]
    it.stage.end()
    assert not it.center.faults.armed


def test_a_cue_waits_and_comes_to_an_end():
    now = 100.0
    cue = Cue(10, lambda: now)
    now = 105.0
    assert cue.seconds() == 0
    cue.begin()
    now = 112.0
    assert (cue.seconds(), cue.left_seconds, cue.over) == (7, 3, False)
    now = 200.0
    assert (cue.seconds(), cue.over) == (10, True)


def test_several_sites_have_a_datacenter_each():
    tables = {"title": "T", "description": "D", "duration_seconds": 9, "fleet": {"clusters": 1}}
    order = PlayOrder(scenario=Scenario.model_validate(tables), speed=1, sites=3)
    center = TwinServer(twin_options(order), Clock(lambda: 0.0))._build_center("secret")
    places = [host.place.datacenter for host in center.fleet.hosts.values()]
    assert {places.count(f"datacenter-{n}") for n in (1, 2, 3)} <= {66, 67}
