"""No host stays dry that could be fed: the real planner, pusher and sites in virtual time.

While something is wrong with a few hosts, the others of their vCenter stay above their watermarks;
once it is over, whoever suffered is above it too, in the time that the back-offs allow.
"""

from __future__ import annotations

import pytest

from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_fleet import VirtualHost, VirtualSupply, steady
from tests.support.virtual_loop import run_virtually
from tests.support.virtual_vcenter import Case, Trouble, VirtualVCenter, Way

KIB = 1024
BEGINS, ENDS = 60.0, 260.0
BACK_OFF_SECONDS = 60.0  # the longest after which an absent host, or one that took nothing, ...
TURN_SECONDS = 30.0  # ... is turned to; and for a pause, a time-out, and to be filled
LOW_SECONDS = 10.0
DRAINS = (300.0, 1024.0, 1024.0, 5000.0, 12_000.0, 25_000.0)

HOST_TROUBLES = (
    "disabled",
    "unavailable",
    "not found",
    "refused",
    "error",
    "nonsense",
    "hang",
    "reset",
    "throttled",
    "proxy",
    "takes nothing",
    "lose reply",
    "add refused",
    "add unavailable",
    "add error",
    "add nonsense",
    "add hang",
    "add reset",
    "add throttled",
    "add proxy",
    "add unauthenticated",
    "add too large",
    "add lose reply",
)


def crowd(n: int, name: str) -> list[Case]:
    """Make hosts of all kinds: drains, sizes, watermarks (20 %, none, told in bits), time-outs."""
    cases = []
    for i in range(n):
        capacity = (512 * KIB, 512 * KIB, 2048 * KIB, 64 * KIB, 6000)[i % 5]
        host = VirtualHost(
            (name, f"{name}-{i}"),
            steady(min(DRAINS[i % len(DRAINS)], capacity / 40.0)),
            0.3 * capacity,
            capacity=capacity,
            watermark=0 if i % 4 == 3 else capacity // 5,
            timeout=(60.0, 20.0, 300.0)[i % 3],
        )
        cases.append(Case(host, told_watermark=8 * host.watermark if i % 6 == 5 else None))
    return cases


def run(vcenters: list[VirtualVCenter], ill: list[Case], until: float, seed: int = 1) -> None:
    """Feed until then; nobody is low for long but who is ill, and they are not in the end."""
    cases = [case for vcenter in vcenters for case in vcenter.cases]
    used = sum(next(case.host.segments())[1] for case in cases)
    fine_at = {case.host.key: BEGINS for case in cases}

    def watch(now: float) -> None:
        for case in cases:
            host = case.host
            host.advance(now)
            is_excused = case in ill and now < ENDS + BACK_OFF_SECONDS + TURN_SECONDS
            if is_excused or host.level > max(host.watermark, host.capacity / 10):
                fine_at[host.key] = max(fine_at[host.key], now)
            assert now - fine_at[host.key] <= LOW_SECONDS, (host.key, now, host.level)

    async def main() -> None:
        hsm = VirtualSupply([(0.0, 3.0 * used)])
        await VirtualBridge(vcenters, hsm, seed).run(watch, until)

    run_virtually(main())


@pytest.mark.parametrize("kind", HOST_TROUBLES)
def test_what_is_wrong_with_two_hosts_is_no_trouble_of_the_others_and_ends(kind):
    cases = crowd(12, "vc")
    ill = [cases[0], cases[4]]
    for case in ill:
        case.troubles = (Trouble(kind, BEGINS, ENDS),)
    run([VirtualVCenter("vc", cases)], ill, ENDS + 105.0)


@pytest.mark.parametrize("retry_after_seconds", [None, 60.0])
@pytest.mark.parametrize("kind", ["down", "hang", "throttled", "proxy", "error"])
def test_a_vcenter_that_is_away_is_made_good_for_and_disturbs_no_other(kind, retry_after_seconds):
    away, other = crowd(5, "away"), crowd(3, "other")
    trouble = Trouble(kind, BEGINS, ENDS, retry_after_seconds=retry_after_seconds)
    settings = {"request_timeout_seconds": 10.0}
    vcenters = [
        VirtualVCenter("away", away, (trouble,), settings=settings),
        VirtualVCenter("other", other),
    ]
    run(vcenters, away, ENDS + 105.0)


@pytest.mark.parametrize("seed", range(2))
def test_late_and_lost_answers_leave_nobody_dry(seed):
    cases = crowd(7, "vc")
    way = Way(late_share=0.2, late_seconds=2.0, lost_share=0.01)
    settings = {"request_timeout_seconds": 5.0}
    run([VirtualVCenter("vc", cases, way=way, settings=settings)], [], ENDS, seed)
