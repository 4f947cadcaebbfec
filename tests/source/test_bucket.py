"""A cap in bytes per second, by itself and in front of a source."""

import asyncio

from bridge.source.account import Fate
from bridge.source.bucket import Bucket
from tests.source.conftest import running, until


def test_lets_a_seconds_worth_pass_and_then_the_rate():
    now = 0.0
    bucket = Bucket(1000, lambda: now)
    assert bucket.allowance() == 1000
    bucket.take(1000)
    assert bucket.allowance() == 0
    now = 0.25
    assert bucket.allowance() == 250
    now = 100.0
    assert bucket.allowance() == 1000


def test_a_debt_is_paid_before_anything_passes():
    now = 0.0
    bucket = Bucket(1000, lambda: now)
    bucket.take(3000)
    assert bucket.opens_at(1) == 2.001
    now = 2.0
    assert bucket.allowance() == 0
    now = 2.5
    assert bucket.allowance() == 500


def test_what_did_not_pass_may_pass_again():
    bucket = Bucket(1000, lambda: 0.0)
    bucket.take(600)
    bucket.give_back(600)
    assert bucket.allowance() == 1000


def test_another_rate_leaves_a_debt_as_it_is():
    now = 0.0
    bucket = Bucket(1000, lambda: now)
    bucket.take(3000)
    bucket.change(4000)
    now = 0.5
    assert bucket.allowance() == 0
    now = 1.0
    assert bucket.allowance() == 2000
    bucket.change(500)
    assert bucket.allowance() == 500


async def test_a_capped_source_gives_no_more(make):
    source = make(max_bytes_per_second=30_000)
    async with running(source):
        await until(lambda: source.supply.account().in_ring > 200_000)
        taken = 0
        loop = asyncio.get_running_loop()
        started = loop.time()
        while loop.time() - started < 2.0:
            take = source.supply.take(1 << 20)
            if take is not None:
                taken += take.raw_bytes
                take.spend()
                take.done(Fate.DELIVERED)
            await asyncio.sleep(0.01)
        assert 45_000 < taken <= 30_000 * (loop.time() - started + 1.0)
        assert source.bytes_per_second <= 30_000
        assert source.supply.account().closes
