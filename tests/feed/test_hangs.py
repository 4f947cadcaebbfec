"""Many hosts that hang, each request until its time-out, and the others of their vCenter."""

import pytest

from tests.support.virtual_bridge import VirtualBridge
from tests.support.virtual_fleet import VirtualHost, VirtualSupply, steady
from tests.support.virtual_loop import run_virtually
from tests.support.virtual_vcenter import Case, Trouble, VirtualVCenter

CAPACITY = 512 * 1024
DRAIN = 6144.0
BEGINS, ENDS = 60.0, 400.0


def hosts_of_which_hang(n_ill, n, kind, until):
    """Feed them; returns those that hang, and the others."""
    cases = [Case(VirtualHost(("vc", f"h{i}"), steady(DRAIN), 0.5 * CAPACITY)) for i in range(n)]
    for case in cases[:n_ill]:
        case.troubles = (Trouble(kind, BEGINS, ENDS),)

    def watch(now):
        for case in cases:
            case.host.advance(now)

    async def main():
        hsm = VirtualSupply([(0.0, 3.0 * n * DRAIN)])
        await VirtualBridge([VirtualVCenter("vc", cases)], hsm, seed=1).run(watch, until)

    run_virtually(main())
    hosts = [case.host for case in cases]
    return hosts[:n_ill], hosts[n_ill:]


@pytest.mark.parametrize("kind", ["hang", "add hang"])
def test_hosts_that_hang_and_time_out_together_are_no_outage(kind):
    _, well = hosts_of_which_hang(20, 60, kind, until=300.0)
    assert all(host.lowest > host.watermark for host in well)
