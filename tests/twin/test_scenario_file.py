"""Scenario files: what is shipped can be read, and what is wrong is said in one line."""

import pytest

from bridge.config import ConfigError
from bridge.twin.faults import FaultKind
from bridge.twin.scenario_file import load_scenario, parse_scenario, shipped
from bridge.twin.scenario_report import PlayOrder

START = """
title = "T"
description = "D"
duration_seconds = 100
"""


def test_the_scenarios_that_come_along_can_be_read_and_sent():
    assert set(shipped()) == {
        "boot-storm",
        "hsm-outage",
        "quiet-night",
        "slow-hsm",
        "vcenter-restart",
    }
    for name in shipped():
        scenario = load_scenario(name)
        order = PlayOrder(scenario=scenario, speed=scenario.speed)
        assert PlayOrder.model_validate_json(order.line()) == order
        assert order.line().count(b"\n") == 1
        assert scenario.resized(hosts=40, seed=7).fleet.hosts == 40


def test_a_file_is_read(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        START
        + """
        [fleet]
        hosts = 3
        capacity = "256KiB"
        readings = { exhaustion = "tolerated" }
        [[hsm]]
        share_of_drain = 2
        [[hsm]]
        at_seconds = 5
        unlimited = true
        [[change]]
        at_seconds = 10
        for_seconds = 5
        hosts = ["host-1002"]
        drain_factor = 4
        [[fault]]
        kind = "delay"
        operations = ["pool.add"]
        delay_seconds = 0.5
        [pass]
        wasted_at_most = 0
        """
    )
    scenario = load_scenario(str(path))
    assert scenario.fleet.capacity == 256 * 1024
    assert scenario.fleet.chosen_readings().exhaustion == "tolerated"
    assert [scenario.hsm_bytes_per_second(it) for it in scenario.hsm] == [2 * 3 * 1024, None]
    assert scenario.fault[0].kind is FaultKind.DELAY
    assert scenario.criteria.wasted_at_most == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "T"', "description: is missing; add it (and 1 more problem: duration_seconds)"),
        (START + "durration = 3", "durration: is not a setting; did you mean duration_seconds?"),
        (START + "[pas]", "pas: is not a setting; did you mean pass?"),
        (START + "[criteria]", "criteria: is not a setting; did you mean pass?"),
        (
            START + "[fleet]\nhost = 3",
            "fleet.host: is not a setting; did you mean hosts?",
        ),
        (START + "[fleet]\nhosts = 0", "fleet.hosts: should be greater than or equal to 1"),
        (START + '[fleet]\nhosts = "9"', "fleet.hosts: should be a valid integer"),
        (
            START + '[fleet]\ndrain_profile = "wild"',
            "fleet.drain_profile: should be 'constant', 'bursty' or 'heavy-tailed'",
        ),
        (
            START + "[fleet]\nreadings = { mixing = 'x' }",
            "fleet: the reading mixing is one of: equal, all; not x",
        ),
        (START + "[fleet]\ncapacity = 20000", "fleet: capacity = 20000 is not a number of KiB"),
        (START + "[[hsm]]", "hsm.0: wants one of bytes_per_second"),
        (
            START + "[[hsm]]\nunlimited = true\nbytes_per_second = 3",
            "hsm.0: wants one of bytes_per_second",
        ),
        (
            START + "[[hsm]]\nunlimited = true\n[[hsm]]\nunlimited = true",
            "the [[hsm]] steps must come in the order of their at_seconds",
        ),
        (START + "[[change]]\nat_seconds = 1", "change.0: changes nothing; set drain_factor"),
        (
            START + "[[change]]\nat_seconds = 1\nfor_seconds = 1\nreboot = true",
            "change.0: for_seconds is for drain_factor",
        ),
        (
            START + "[[change]]\nat_seconds = 100\nreboot = true",
            "change: 100 s is not before the end, duration_seconds = 100",
        ),
        (
            START + '[[change]]\nat_seconds = 1\nreboot = true\nclusters = ["cluster-05"]',
            "change: there is no cluster-05; they are cluster-01 to cluster-04",
        ),
        (
            START + '[[fault]]\nkind = "delay"\nhosts = ["host-1201"]',
            "fault: there is no host-1201; they are host-1001 to host-1200",
        ),
        (START + '[[fault]]\nkind = "vanish"', "fault: use [[change]] with remove = true"),
        (START + '[[fault]]\nkind = "jump_time"', "fault: time cannot jump in a scenario"),
        (START + '[[fault]]\nkind = "dely"', "fault.0.kind: should be 'delay', "),
        (START + "[pass]\nno_host_low_after_seconds = 200", "pass: 200 s is not before the end"),
        (START + "speed = 21", "speed = 21 is more than 20, a third of the hosts'"),
        ("title = ", "is not valid TOML: "),
        (START + "fleet = 3", "fleet: must be a table"),
    ],
)
def test_what_is_wrong_is_one_line(text, said):
    with pytest.raises(ConfigError) as error:
        parse_scenario(text.encode())
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "Value error" not in str(error.value)


def test_a_name_that_is_not_there_is_told_with_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match=r"no scenario quiet-nigth; did you mean quiet-night\?"):
        load_scenario("quiet-nigth")
    with pytest.raises(ConfigError, match=r"own\.toml: there is no such file"):
        load_scenario(str(tmp_path / "own.toml"))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_scenario(str(tmp_path))
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"bad\.toml: is not UTF-8"):
        load_scenario(str(tmp_path / "bad.toml"))
