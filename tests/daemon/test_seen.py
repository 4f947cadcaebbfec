"""What a command learns of a host's use from readings, also when it feeds it meanwhile."""

import math

from bridge.daemon.seen import Seen
from bridge.vcenter.types import Levels


def levels(available):
    return Levels(524_288, available, 104_857, 60)


def test_two_readings_tell_what_it_uses():
    seen = Seen.first(levels(100_000), 10.0)
    assert (seen.drain_bytes_per_second, seen.seconds_to_dry_at(10.0)) == (None, None)
    seen.read(levels(90_000), 20.0)
    assert seen.drain_bytes_per_second == 1000.0
    assert seen.seconds_to_dry_at(20.0) == 90.0
    assert (seen.available_at(50.0), seen.seconds_to_dry_at(50.0)) == (60_000, 60.0)
    assert (seen.available_at(500.0), seen.seconds_to_dry_at(500.0)) == (0, 0.0)


def test_what_it_was_sent_meanwhile_counts():
    seen = Seen.first(levels(100_000), 10.0)
    seen.sent(200_000, levels(299_900), 10.1)
    assert seen.drain_bytes_per_second is None  # too short to tell
    seen.sent(50_000, levels(347_000), 13.0)
    assert seen.drain_bytes_per_second == 1000.0
    seen.read(levels(345_000), 15.0)
    assert seen.drain_bytes_per_second == 1000.0


def test_what_was_known_stays_when_somebody_else_feeds_it():
    seen = Seen.first(levels(100_000), 10.0)
    seen.read(levels(90_000), 20.0)
    seen.read(levels(500_000), 25.0)
    assert seen.drain_bytes_per_second == 1000.0
    assert seen.seconds_to_dry_at(25.0) == 500.0
    seen.read(levels(500_000), 30.0)
    assert seen.seconds_to_dry_at(30.0) == math.inf


def test_an_empty_pool_is_dry_at_once():
    assert Seen.first(levels(0), 1.0).seconds_to_dry_at(1.0) == 0.0
