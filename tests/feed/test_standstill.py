import pytest

from bridge.feed.policy import Stock
from bridge.feed.standstill import Standstill

RATE = 1_000_000.0
RING = 2_000_000


def run(rates: list[float], available: float = 0.0, rate: float = RATE) -> Standstill:
    """Look ten times in a second; each second the stock grows by one of these rates."""
    standstill, now = Standstill(), 0.0
    standstill.look(now, Stock(int(available), RING, rate))
    for grows in rates:
        for _ in range(10):
            now += 0.1
            available += grows / 10.0
            standstill.look(now, Stock(int(available), RING, rate))
    return standstill


@pytest.mark.parametrize(
    ("grows", "mostly"), [(RATE, False), (0.7 * RATE, False), (0.2 * RATE, True)]
)
def test_an_hsm_that_adds_less_than_it_could_stands_still(grows, mostly):
    standstill = run([grows] * 10)
    assert standstill.mostly is mostly
    assert standstill.share == pytest.approx(1.0 - grows / RATE, abs=0.02)


def test_a_moment_is_not_enough():
    assert not run([RATE] * 5 + [0.0]).mostly
    assert not run([0.0] * 5 + [RATE] * 2).mostly


def test_an_hsm_that_is_down_does_not_stand_still_for_want_of_space():
    assert run([0.0] * 10, rate=0.0).share == 0.0


def test_what_is_taken_is_no_standstill():
    standstill, available = Standstill(), RING
    for step in range(100):
        standstill.look(step / 10.0, Stock(available, RING, RATE))
        available -= 100_000
        standstill.look(step / 10.0, Stock(available, RING, RATE))
        available += 100_000
    assert not standstill.mostly
