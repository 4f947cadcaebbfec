"""The configuration of a rehearsal: the twin in the place of vCenters, the soft token of HSMs."""

from pathlib import Path

import pytest

from bridge.config import BridgeConfig, HsmConfig, parse
from bridge.daemon.demo_twin import TwinAddress
from bridge.daemon.rehearse import RehearsalEnded, _Run
from bridge.daemon.rehearse_config import rehearsal_config, rehearsal_hsms
from bridge.native import softtoken_path

ADDRESS = TwinAddress("https://127.0.0.1:1", "/ca.pem", "twin-user", "/password")


def test_nothing_but_name_and_limits_of_a_vcenter_is_taken_over():
    config = parse(
        b"""
        [vcenter.real]
        url = "https://vcenter.example.com"
        username = "svc-entropy@vsphere.local"
        password_credential = "vcenter-password"
        ca_file = "/etc/real.pem"
        max_in_flight = 7
        max_add_bytes = "64KiB"
        max_bytes_per_second = "1MiB"
        request_timeout_seconds = 40
        fast_path = false
        [vcenter.real.hosts]
        clusters = ["Prod-EAL4"]
        [feed]
        refill_below = 0.7
        [status]
        listen = "127.0.0.1:9464"
        """
    )
    rehearsed = rehearsal_config(config, ADDRESS, soft_token=False, speed=10)
    site = rehearsed.vcenter["real"]
    assert site.model_dump(mode="json") == {
        "name": "real",
        "url": "https://127.0.0.1:1",
        "username": "twin-user",
        "password_credential": None,
        "password_file": "/password",
        "ca_file": "/ca.pem",
        "max_in_flight": 7,
        "max_add_bytes": "64KiB",
        "max_bytes_per_second": "10MiB",
        "request_timeout_seconds": 4.0,
        "fast_path": False,
        "hosts": {"hosts": [], "names": [], "folders": [], "datacenters": [], "clusters": []},
    }
    assert rehearsed.feed == config.feed
    assert rehearsed.status is None
    assert "vcenter.example.com" not in rehearsed.model_dump_json()


async def test_a_bridge_that_would_go_elsewhere_is_not_even_built():
    config = rehearsal_config(BridgeConfig(), ADDRESS, soft_token=True, speed=1)
    with pytest.raises(RehearsalEnded, match=r"vcenter\.twin does not lead to the twin"):
        _Run(config, "https://127.0.0.1:2", [])


@pytest.mark.parametrize(("seconds", "speed", "scaled"), [(30, 10, 3), (30, 60, 2), (1, 10, 1)])
def test_a_short_timeout_is_not_made_shorter_than_a_busy_machine_can_keep(seconds, speed, scaled):
    text = f"""
        [vcenter.a]
        url = "https://a"
        username = "a"
        password_file = "/a"
        request_timeout_seconds = {seconds}
        """
    config = rehearsal_config(parse(text.encode()), ADDRESS, soft_token=True, speed=speed)
    assert config.vcenter["a"].request_timeout_seconds == scaled


def test_the_soft_token_takes_the_place_of_each_hsm_with_its_shape():
    config = parse(
        b"""
        [hsm.a]
        module = "/vendor.so"
        token_label = "entropy"
        pin_credential = "hsm-pin"
        sessions = 3
        reserve = "1MiB"
        max_bytes_per_second = "8KiB"
        [hsm.b]
        module = "/vendor.so"
        slot = 4
        """
    )
    first, second = rehearsal_hsms(config, soft_token=True, speed=4)
    assert (first.name, second.name) == ("a", "b")
    assert first.module == second.module == Path(softtoken_path())
    assert (first.sessions, first.reserve, first.max_bytes_per_second) == (3, 1 << 20, 32 * 1024)
    assert first.pin_credential is None
    assert first.token_label is second.slot is None
    real = rehearsal_hsms(config, soft_token=False, speed=1)
    assert real == [*config.hsm.values()]
    alone = rehearsal_hsms(BridgeConfig(), soft_token=False, speed=1)
    assert [it.module for it in alone] == [Path(softtoken_path())]
    assert isinstance(alone[0], HsmConfig)
