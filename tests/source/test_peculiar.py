"""Modules with a peculiarity: as the supervisor and a command see them."""

import asyncio

import pytest

from bridge.native import softtoken_path
from bridge.native.ring import SLOT_RAW_BYTES
from bridge.source.errors import SourceError, SourceFailed
from bridge.source.oneshot import draw, opened
from tests.source.conftest import running, until
from tests.support.testtoken import Mode

CKR_CANT_LOCK = 0xA
CKR_FUNCTION_NOT_SUPPORTED = 0x54
CKR_USER_ALREADY_LOGGED_IN = 0x100


async def _drawn(config, n_bytes=300_000, **settings):
    async with opened(config, **settings) as supply:
        drawn = [raw async for raw in draw(supply, n_bytes)]
    assert supply.account().closes
    return sum(map(len, drawn))


async def test_one_that_cannot_lock_is_read_by_one_thread(make, token):
    token.locking_ckr = CKR_CANT_LOCK
    source = make(sessions=2)
    async with running(source):
        await until(lambda: source.supply.available_bytes >= source.capacity_bytes // 3)
        readers = source._ring.observe().readers
        assert [reader.calls_begun > 0 for reader in readers] == [True, False]
    assert source.supply.account().generated == token.bytes_handed_out


async def test_one_that_fills_a_part_of_the_reserve_does_not_seem_slow_once_that_is_full(
    make, token
):
    token.locking_ckr = CKR_CANT_LOCK
    token.picoseconds_per_byte = 2_000_000  # 500 kB/s
    source = make(sessions=2, reserve=512 * 1024)
    half_bytes = 16 * SLOT_RAW_BYTES
    async with running(source):
        await until(lambda: source.supply.available_bytes == half_bytes)
        rate = source.bytes_per_second
        await asyncio.sleep(1)
        assert source.bytes_per_second >= rate > 0
        assert source.capacity_bytes == source.status().capacity_bytes == half_bytes


@pytest.mark.parametrize("longest", [1000, 1024, 3136, 65536])
async def test_one_that_caps_the_length_gives_every_byte(make, token, longest):
    token.length_max = longest
    source = make(sessions=2)
    assert await _drawn(source._config) == 300_000


async def test_one_that_needs_a_login_says_so_without_a_pin(make, token):
    token.login_needed = 1
    with pytest.raises(SourceFailed, match=r"_LOGGED_IN \(0x101\) from .*lack a PIN"):
        await _drawn(make()._config)
    assert token.logins == 0


async def test_one_without_random_numbers_says_so(make, token):
    token.no_rng = 1
    with pytest.raises(SourceFailed, match=r"CKR_RANDOM_NO_RNG \(0x121\)"):
        await _drawn(make()._config)
    assert token.calls == 1  # a new session would get the same


async def test_one_that_forbids_a_login_is_tried_once(make, token, pin_file, tmp_path):
    token.login_ckr = CKR_FUNCTION_NOT_SUPPORTED
    with pytest.raises(SourceError, match=r"CKR_FUNCTION_NOT_SUPPORTED \(0x54\) from C_Login"):
        await _drawn(make(pin_file=pin_file)._config, state_dir=tmp_path)
    assert token.logins == 1
    assert token.calls == 0
    assert await _drawn(make()._config) == 300_000


async def test_one_where_somebody_has_logged_in_already_gives_bytes(make, token, pin_file):
    token.login_ckr = CKR_USER_ALREADY_LOGGED_IN
    assert await _drawn(make(pin_file=pin_file)._config) == 300_000
    assert token.logins == 1


async def test_the_soft_token_knows_no_login(make, pin_file, tmp_path):
    soft = {"module": softtoken_path(), "allow_soft_token": True, "env": {}}
    with pytest.raises(SourceError, match="from C_Login"):
        await _drawn(make(pin_file=pin_file, **soft)._config, state_dir=tmp_path)
    assert await _drawn(make(**soft)._config) == 300_000


async def test_one_that_leaves_holes_publishes_nothing(make, token):
    token.behave(Mode.WRITES_HALF)
    with pytest.raises(SourceFailed, match="poison check"):
        await _drawn(make()._config)
